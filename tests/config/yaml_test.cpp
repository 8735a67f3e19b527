// What a plain word in YAML becomes, where everything stands, and that no text can do harm.
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <random>

#include "config/yaml_json.hpp"

using namespace invited;
using config::parse_yaml;

namespace {

std::string json(std::string_view text) {
  const auto document = parse_yaml(text, "f.yaml");
  if (!document) return document.error().front().location + " " + document.error().front().message;
  return boost::json::serialize(document->value);
}

std::string at(const config::YamlDocument& document, std::string_view pointer) {
  return config::place("f", document.positions.find(pointer));
}

}  // namespace

TEST_CASE("only true and false are booleans, only JSON's numbers are numbers, the rest is text") {
  CHECK(json("[true, false]") == "[true,false]");
  CHECK(json("[no, yes, on, off, y, n, True, FALSE]") == R"(["no","yes","on","off","y","n","True","FALSE"])");
  CHECK(json("[0, -0, 7, -7, 123456789012]") == "[0,0,7,-7,123456789012]");
  CHECK(json("[0123, 007, +46701234567, 0x1F, 0o17, 1_000]") ==
        R"(["0123","007","+46701234567","0x1F","0o17","1_000"])");
  CHECK(json("[9223372036854775807, 9223372036854775808]") == R"([9223372036854775807,"9223372036854775808"])");
  CHECK(json("[1.5, -0.25, 1e3]") == "[1.5E0,-2.5E-1,1E3]");
  CHECK(json("[1., .5, 1.2.3, .inf, .nan, 1e]") == R"(["1.",".5","1.2.3",".inf",".nan","1e"])");
  CHECK(json("[2026-10-01, 12:30, 09:00]") == R"(["2026-10-01","12:30","09:00"])");
  CHECK(json("[null, ~, Null]") == "[null,null,null]");
  CHECK(json("a:") == R"({"a":null})");
  CHECK(json("a: 1e999") == R"({"a":"1e999"})");
}

TEST_CASE("what is quoted is text, whatever it says") {
  CHECK(json(R"(["1", 'true', "", '~', "null"])") == R"(["1","true","","~","null"])");
  CHECK(json("a: |\n  1\n  2\n") == R"({"a":"1\n2\n"})");
  CHECK(json("a: >-\n  true\n") == R"({"a":"true"})");
  CHECK(json(R"({"a": 'it''s', "b": "\t\"x\""})") == R"({"a":"it's","b":"\t\"x\""})");
  CHECK(json("'1': a") == R"({"1":"a"})");
}

TEST_CASE("an empty text is nothing, not an error") {
  CHECK(json("") == "null");
  CHECK(json("# only a comment\n") == "null");
  CHECK(json("---\n") == "null");
  CHECK(json("\xEF\xBB\xBF"
             "a: b\r\nc: d\r\n") == R"({"a":"b","c":"d"})");
  CHECK(json("%YAML 1.2\n---\na: b\n...\n") == R"({"a":"b"})");
}

TEST_CASE("members stand at their key, elements where they begin, columns count characters") {
  const auto d = parse_yaml("ä: {b/c: [1, {d~: x}]}\nlist:\n  - one\n  -\n    k: v\nlast: >\n  t\n", "f");
  REQUIRE(d);
  CHECK(at(*d, "") == "f:1:1");
  CHECK(at(*d, "/ä") == "f:1:1");
  CHECK(at(*d, "/ä/b~1c") == "f:1:5");
  CHECK(at(*d, "/ä/b~1c/0") == "f:1:11");
  CHECK(at(*d, "/ä/b~1c/1") == "f:1:14");
  CHECK(at(*d, "/ä/b~1c/1/d~0") == "f:1:15");
  CHECK(at(*d, "/list") == "f:2:1");
  CHECK(at(*d, "/list/0") == "f:3:5");
  CHECK(at(*d, "/list/1/k") == "f:5:5");
  CHECK(at(*d, "/last") == "f:6:1");
  CHECK(at(*d, "/list/1/absent/deeper") == "f:5:5");
  CHECK(at(*d, "/absent") == "f:1:1");
  CHECK(at(*d, "no pointer") == "f:1:1");
}

TEST_CASE("characters that make a file look like another are refused with their place") {
  using namespace std::string_literals;
  CHECK(json("a: \0b\n"s) == "f.yaml:1:4 the control character U+0000; remove it");
  CHECK(json("a: b\nc: \x1b[1m\n") == "f.yaml:2:4 the control character U+001B; remove it");
  CHECK(json("name: Bj\xf6rk\n") == "f.yaml:1:9 the byte 0xF6 is not valid UTF-8; save the file as UTF-8");
  CHECK(json("å: \xc0\xaf\n") == "f.yaml:1:4 the byte 0xC0 is not valid UTF-8; save the file as UTF-8");
  CHECK(json("a: \xed\xa0\x80\n") == "f.yaml:1:4 the byte 0xED is not valid UTF-8; save the file as UTF-8");
  CHECK(json("a: \xf4\x90\x80\x80\n") == "f.yaml:1:4 the byte 0xF4 is not valid UTF-8; save the file as UTF-8");
  CHECK(json("a: \xe2\x82") == "f.yaml:1:4 the byte 0xE2 is not valid UTF-8; save the file as UTF-8");
  CHECK(json("\xff\xfe"s + "a\0:\0"s) == "f.yaml:1:1 the byte 0xFF is not valid UTF-8; save the file as UTF-8");
}

TEST_CASE("all faults of one kind are named in one go") {
  const auto document = parse_yaml("a: 1\na: 2\nb: *x\nc: !t 1\n", "f");
  REQUIRE_FALSE(document);
  const auto& errors = document.error();
  REQUIRE(errors.size() == 2);  // an unknown alias ends the reading: yaml-cpp cannot go on
  CHECK(errors[0].code == "yaml_duplicate_key");
  CHECK(errors[1].code == "yaml_anchor");

  const auto more = parse_yaml("a: 1\na: {x: 1, x: 2}\n1: x\nc: !t 1\nd: &a 1\n", "f");
  REQUIRE_FALSE(more);
  std::vector<std::string> codes;
  for (const auto& error : more.error()) codes.push_back(error.location + " " + error.code);
  CHECK(codes == std::vector<std::string>{"f:2:1 yaml_duplicate_key", "f:2:11 yaml_duplicate_key", "f:3:1 yaml_key",
                                          "f:4:4 yaml_tag", "f:5:4 yaml_anchor"});
}

TEST_CASE("no more than fifty errors are collected") {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "a: 1\n";
  const auto document = parse_yaml(text, "f");
  REQUIRE_FALSE(document);
  CHECK(document.error().size() == 50);
}

TEST_CASE("the limits hold on both sides") {
  const auto nested = [](int levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  const auto blocks = [](int levels) {
    std::string text;
    for (int i = 0; i < levels; ++i) text += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    return text + std::string(static_cast<std::size_t>(levels), ' ') + "b";
  };
  CHECK(json("x: " + nested(31)).starts_with("{"));
  CHECK(json("x: " + nested(32)) == "f.yaml:1:35 more than 32 levels inside each other");
  CHECK(json(blocks(32)).starts_with("{"));
  CHECK(json(blocks(33)) == "f.yaml:33:33 more than 32 levels inside each other");
  const std::string full = "a: b #" + std::string(config::max_yaml_bytes - 6, 'x');
  CHECK(json(full) == R"({"a":"b"})");
  CHECK(json(full + "x") == "f.yaml:1:1 the file is larger than 1048576 bytes");
}

TEST_CASE("texts made to be slow or deep are answered all the same") {
  const std::size_t n = config::max_yaml_bytes - 64;
  const auto repeated = [](std::string_view piece, std::size_t bytes) {
    std::string text;
    while (text.size() + piece.size() <= bytes) text += piece;
    return text;
  };
  CHECK(json("a: [" + repeated("1,", n / 4) + "1]").starts_with("{"));
  CHECK(json("a: '" + repeated("''", n) + "'").starts_with("{"));
  for (const auto* const piece :
       {"- ", "[", "{", "? ", "{a: ", "a: &a ", "*a ", "\"", "'", "!", "|\n", "--- ", "\n-\n", "]", ", "}) {
    CHECK_FALSE(json(repeated(piece, n / 4)).empty());
  }
}

TEST_CASE("cut, doubled and scrambled files are answered with a value or with errors, never otherwise") {
  const std::string seed_text =
      "organisation: {name: \"Example AB\", time_zone: Europe/Stockholm}\nlist:\n  - {a: 'b''c', d: [1, 2.5, ~]}\n  - "
      ">-\n    folded\n"
      "text: |\n  lines\n# comment\nlast: \"\\u00e5 \\x41\"\n";
  std::mt19937 random(20260101);
  const std::string pieces = "{}[],:-?!&*#|>'\"%@` \n~<0aé\\";
  for (int round = 0; round < 4000; ++round) {
    std::string text = seed_text;
    for (int change = 0; change < 1 + round % 5; ++change) {
      const auto where = random() % text.size();
      switch (random() % 4) {
        case 0:
          text.erase(where, 1 + random() % 9);
          break;
        case 1:
          text.insert(where, 1, pieces[random() % pieces.size()]);
          break;
        case 2:
          text.insert(where, text.substr(random() % text.size(), random() % 20));
          break;
        default:
          text[where] = static_cast<char>(random() % 256);
      }
      if (text.empty()) text = "a";
    }
    const auto document = parse_yaml(text, "f");
    if (document) {
      CHECK_FALSE(document->positions.empty());
    } else {
      REQUIRE_FALSE(document.error().empty());
      for (const auto& error : document.error()) CHECK(error.location.starts_with("f:"));
    }
  }
}

TEST_CASE("pointers are escaped as RFC 6901 says") {
  CHECK(config::pointer_append("", "a") == "/a");
  CHECK(config::pointer_append("/a", "b/c~d") == "/a/b~1c~0d");
  CHECK(config::pointer_append("/a", "") == "/a/");
}
