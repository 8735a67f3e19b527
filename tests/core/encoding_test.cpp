#include <catch2/catch.hpp>

#include "core/encoding.hpp"
#include "support/seeded_random.hpp"

using namespace invited::core;
using invited::test::SeededRandom;

namespace {
std::string base32(std::string_view text) {
  return to_base32(std::as_bytes(std::span(text)));
}
}  // namespace

TEST_CASE("base32 gives the test vectors of RFC 4648, in lower case and without padding") {
  CHECK(base32("").empty());
  CHECK(base32("f") == "my");
  CHECK(base32("fo") == "mzxq");
  CHECK(base32("foo") == "mzxw6");
  CHECK(base32("foob") == "mzxw6yq");
  CHECK(base32("fooba") == "mzxw6ytb");
  CHECK(base32("foobar") == "mzxw6ytboi");
}

TEST_CASE("whatever is encoded decodes to the same bytes") {
  SeededRandom random(1);
  for (std::size_t length = 0; length < 100; ++length) {
    std::vector<std::byte> bytes(length);
    random.fill(bytes);
    CHECK(from_base32(to_base32(bytes)) == bytes);
    CHECK(from_hex(to_hex(bytes)) == bytes);
  }
}

TEST_CASE("base32 refuses what no encoder makes") {
  const auto text = GENERATE(values<std::string>({"a", "aaa", "aaaaaa", "mz", "MY", "my======", "m1", "m0", "m8", "m y",
                                                  "mzxr", std::string("m\0", 2), "m\xc3\xa5"}));
  CAPTURE(text);
  CHECK_FALSE(from_base32(text));
}

TEST_CASE("hexadecimal refuses an odd length, upper case and other characters") {
  const auto text = GENERATE(values<std::string>({"a", "abc", "AB", "0g", " 00", "0x", "-1"}));
  CAPTURE(text);
  CHECK_FALSE(from_hex(text));
  CHECK(from_hex("00ff7f") == std::vector<std::byte>{std::byte{0}, std::byte{255}, std::byte{127}});
}

TEST_CASE("UTF-8 is what RFC 3629 allows, and nothing else") {
  for (const std::string good : {"", "a", "\xC3\xA5", "\xE2\x82\xAC", "\xF0\x9F\x99\x82", "\xF4\x8F\xBF\xBF"})
    CHECK(is_utf8(good));
  for (const std::string bad :
       {"\xFF", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "a\xA5"})
    CHECK_FALSE(is_utf8(bad));
}
