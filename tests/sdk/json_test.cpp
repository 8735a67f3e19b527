#include <catch2/catch.hpp>
#include <invited/cpp/json.hpp>
#include <limits>
#include <string>
#include <string_view>

using Catch::Matchers::Contains;
using Catch::Matchers::Equals;
using invited::Json;
using invited::JsonError;

namespace {
std::string refusal(std::string_view text, std::size_t max_depth = 64) {
  try {
    static_cast<void>(Json::parse(text, max_depth));
  } catch (const JsonError& error) {
    return error.what();
  }
  return "accepted";
}
}  // namespace

TEST_CASE("every kind of JSON value is read as what it is") {
  const Json all = Json::parse(
      " {\"n\":null,\"t\":true,\"f\":false,\"i\":-12,\"d\":1.5,\"s\":\"x\",\"a\":[1,[],{}],\"o\":{\"k\":0}}\r\n\t");
  CHECK(all.at("n").is_null());
  CHECK(all.at("t").as_bool());
  CHECK_FALSE(all.at("f").as_bool());
  CHECK(all.at("i").as_integer() == -12);
  CHECK(all.at("d").as_number() == 1.5);
  CHECK(all.at("s").as_text() == "x");
  REQUIRE(all.at("a").as_array().size() == 3);
  CHECK(all.at("a").as_array()[2].as_object().empty());
  CHECK(all.at("o").at("k").as_integer() == 0);
  CHECK(all.as_object().size() == 8);
  CHECK(all.as_object().front().first == "n");
}

TEST_CASE("a value at the top need not be an object") {
  CHECK(Json::parse("7").as_integer() == 7);
  CHECK(Json::parse("\"\"").as_text().empty());
  CHECK(Json::parse("[]").as_array().empty());
}

TEST_CASE("integers keep every digit up to 64 bits and turn into numbers beyond") {
  CHECK(Json::parse("9223372036854775807").as_integer() == std::numeric_limits<std::int64_t>::max());
  CHECK(Json::parse("-9223372036854775808").as_integer() == std::numeric_limits<std::int64_t>::min());
  CHECK(Json::parse("9223372036854775808").kind() == Json::Kind::number);
  CHECK(Json::parse("1e2").kind() == Json::Kind::number);
  CHECK(Json::parse("1.0").kind() == Json::Kind::number);
  CHECK(Json::parse("5").as_number() == 5.0);
  CHECK(std::signbit(Json::parse("-0").as_number()));
}

TEST_CASE("numbers that are too large are refused, too small ones are zero") {
  CHECK(Json::parse("1E+2").as_number() == 100.0);
  CHECK(Json::parse("-2.5e-1").as_number() == -0.25);
  CHECK_THAT(refusal("1e400"), Contains("too large"));
  CHECK_THAT(refusal("0.001e99999999999999999999"), Contains("too large"));
  CHECK_THAT(refusal("1" + std::string(400, '0') + ".0"), Contains("too large"));
  CHECK(Json::parse("1e-400").as_number() == 0.0);
  CHECK(Json::parse("0." + std::string(400, '0') + "1").as_number() == 0.0);
  CHECK(Json::parse("123e-99999999999999999999").as_number() == 0.0);
}

TEST_CASE("what is no JSON is refused") {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "[",
                                      "]",
                                      "{]",
                                      "[1,]",
                                      "[1 2]",
                                      "{\"a\":1,}",
                                      "{\"a\"}",
                                      "{\"a\" 1}",
                                      "{a:1}",
                                      "{1:2}",
                                      "{'a':1}",
                                      "tru",
                                      "True",
                                      "nul",
                                      "nan",
                                      "Infinity",
                                      "+1",
                                      "-",
                                      "01",
                                      "-01",
                                      "1.",
                                      ".5",
                                      "1.e1",
                                      "1e",
                                      "1e+",
                                      "0x10",
                                      "1_000",
                                      "\"",
                                      "\"\\\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12g4\"",
                                      "\"\\u+123\"",
                                      "// no\n1",
                                      "1 // no",
                                      "1 2",
                                      "{} {}",
                                      "\xEF\xBB\xBF{}",
                                      "\v1",
                                      "[1,,2]",
                                      "{,}"}) {
    INFO(text);
    CHECK_THROWS_AS(Json::parse(text), JsonError);
  }
  CHECK_THROWS_AS(Json::parse(std::string_view("1\0", 2)), JsonError);
  CHECK_THROWS_AS(Json::parse(std::string_view("\0", 1)), JsonError);
}

TEST_CASE("an error names line and column") {
  CHECK_THAT(refusal("{\n  \"a\": 01\n}"), Equals("line 2, column 8: a number with a leading zero"));
  CHECK_THAT(refusal("[1, 2"), Equals("line 1, column 6: ',' or ']' expected"));
  CHECK_THAT(refusal("{\"a\": ?}"), Equals("line 1, column 7: not a JSON value"));
  CHECK_THAT(refusal("{}\n\nx"), Equals("line 3, column 1: something follows the value"));
  CHECK_THAT(refusal(""), Equals("line 1, column 1: the text ends where a value is expected"));
}

TEST_CASE("a key that stands twice is refused, also when escapes hide it") {
  CHECK_THAT(refusal(R"({"a":1,"b":2,"a":3})"), Contains("twice"));
  CHECK_THAT(refusal(R"({"a":1,"\u0061":2})"), Contains("twice"));
  CHECK(refusal(R"({"a":{"a":1}})") == "accepted");
}

TEST_CASE("depth is limited, whatever the text") {
  CHECK(refusal(std::string(64, '[') + std::string(64, ']')) == "accepted");
  CHECK_THAT(refusal(std::string(65, '[') + std::string(65, ']')), Contains("nested too deeply"));
  CHECK_THAT(refusal(std::string(1'000'000, '[')), Contains("nested too deeply"));
  CHECK_THAT(refusal(R"({"a":{"a":{}}})", 2), Contains("nested too deeply"));
  CHECK(refusal("[[],[],[[]],{}]", 3) == "accepted");
  CHECK(refusal("1", 0) == "accepted");
}

TEST_CASE("escapes become the characters they mean") {
  CHECK(Json::parse(R"("\"\\\/\b\f\n\r\t")").as_text() == "\"\\/\b\f\n\r\t");
  CHECK(Json::parse(R"("\u00e5\u20AC\ud83d\ude00\u0041")").as_text() ==
        "\xC3\xA5\xE2\x82\xAC\xF0\x9F\x98\x80"
        "A");
  CHECK(Json::parse(R"("a\u0000b")").as_text() == std::string("a\0b", 3));
  for (const std::string_view text : {R"("\ud83d")", R"("\ud83dx")", R"("\ud83d\n")", R"("\ud83d\u0041")",
                                      R"("\ude00")", R"("\ud83d\ud83d")", R"("\ud83d\u")", R"("\ud83d\ue000")"}) {
    INFO(text);
    CHECK_THROWS_AS(Json::parse(text), JsonError);
  }
}

TEST_CASE("text must be UTF-8 and free of raw control characters") {
  for (const std::string_view inner : {"\xC3\xA5", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF", "\x7F"}) {
    CHECK(Json::parse("\"" + std::string(inner) + "\"").as_text() == inner);
  }
  for (const std::string_view inner :
       {"\x80", "\xC3", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "\xE2\x82", "\xE2\x28\xA1", "\xF0\x9F\x98", "\n", "\t", "\x01"}) {
    INFO(inner);
    CHECK_THROWS_AS(Json::parse("\"" + std::string(inner) + "\""), JsonError);
    CHECK_THROWS_AS(Json::parse("\"" + std::string(inner)), JsonError);
  }
}

TEST_CASE("a value of another kind is an error that names the key") {
  const Json config = Json::parse(R"({"port":"25","url":7,"on":1,"half":0.5,"none":null})");
  CHECK_THROWS_WITH(config.integer("port"), "\"port\" must be an integer");
  CHECK_THROWS_WITH(config.text("url"), "\"url\" must be text");
  CHECK_THROWS_WITH(config.boolean("on"), "\"on\" must be true or false");
  CHECK_THROWS_WITH(config.integer("half"), "\"half\" must be an integer");
  CHECK_THROWS_WITH(config.at("absent"), "\"absent\" is missing");
  CHECK_THROWS_WITH(config.as_array(), "must be an array");
  CHECK_THROWS_AS(Json::parse("[]").at("x"), JsonError);
  CHECK(config.find("absent") == nullptr);
  CHECK(Json::parse("3").find("x") == nullptr);
}

TEST_CASE("absent and null members take the fallback") {
  const Json config = Json::parse(R"({"none":null,"url":"u","n":4,"on":true,"d":2})");
  CHECK(config.text("none", "x") == "x");
  CHECK(config.text("absent", "y") == "y");
  CHECK(config.text("url", "z") == "u");
  CHECK(config.integer("n", 9) == 4);
  CHECK(config.integer("absent", 9) == 9);
  CHECK(config.boolean("on"));
  CHECK(config.boolean("absent", true));
  CHECK(config.number("d") == 2.0);
}

TEST_CASE("quoting gives back the same text") {
  std::string all;
  for (int c = 0; c < 128; ++c) all.push_back(static_cast<char>(c));
  all += "\xC3\xA5\xF0\x9F\x98\x80";
  CHECK(Json::parse(invited::json_quoted(all)).as_text() == all);
  CHECK(invited::json_quoted("a\"b\\c\n") == R"("a\"b\\c\u000a")");
}

TEST_CASE("cutting a document anywhere never yields a document") {
  const std::string text = R"({"a":[1,-2.5e3,true,null,"\u00e5\n"],"b":{"c":"d"}})";
  static_cast<void>(Json::parse(text));
  for (std::size_t size = 0; size < text.size(); ++size) {
    INFO(size);
    CHECK_THROWS_AS(Json::parse(std::string_view(text).substr(0, size)), JsonError);
  }
}
