#include <catch2/catch.hpp>

#include "core/http_message.hpp"

using namespace invited::core;

namespace {
using Pairs = std::vector<std::pair<std::string, std::string>>;
}

TEST_CASE("a form is decoded in order: plus is a space, %2B a plus, a bare name has an empty value") {
  CHECK(parse_form("a=1&b=x+y&b=%2B&c&=d&e=%C3%A5%3d=") ==
        Pairs{{"a", "1"}, {"b", "x y"}, {"b", "+"}, {"c", ""}, {"", "d"}, {"e", "å=="}});
  CHECK(parse_form("") == Pairs{});
  CHECK(parse_form("&&a&") == Pairs{{"a", ""}});
  CHECK(parse_form("a=%00") == Pairs{{"a", std::string(1, '\0')}});
}

TEST_CASE("a form with a bad escape is refused whole") {
  const auto text =
      GENERATE(values<std::string>({"%", "a=%", "a=%4", "a=%4g", "a=%g4", "a=1&b=%zz", "%+1=2", "a=% 1"}));
  CAPTURE(text);
  CHECK_FALSE(parse_form(text));
}

TEST_CASE("percent-encoding goes round for every byte, and a plus in a path stays one") {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  const std::string encoded = percent_encode(all);
  CHECK(encoded.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%") ==
        std::string::npos);
  CHECK(percent_decode(encoded) == all);
  CHECK(percent_decode("a+b") == "a+b");
  CHECK(percent_encode("a+b c/å") == "a%2Bb%20c%2F%C3%A5");
}

TEST_CASE("a header or query value is found by its name, the first of several") {
  HttpRequest request;
  request.headers = {{"x-a", "1"}, {"x-a", "2"}};
  request.query = {{"q", ""}, {"q", "2"}};
  CHECK(request.header("x-a") == "1");
  CHECK(request.header("x-b").empty());
  CHECK(request.query_value("q") == "");
  CHECK_FALSE(request.query_value("r"));
}
