#include <sodium.h>

#include <catch2/catch.hpp>
#include <cctype>

#include "core/encoding.hpp"
#include "core/token.hpp"
#include "support/seeded_random.hpp"

using namespace invited::core;
using invited::test::SeededRandom;

namespace {

struct Row {
  Selector selector{};
  Salt salt{};
  std::uint32_t generation = 3;
  std::string purpose = "verify";
};

TokenKey key(std::uint8_t id, std::uint64_t seed) {
  std::array<std::byte, 32> master;
  SeededRandom(seed).fill(master);
  return TokenKey::from_master(id, master);
}

Row row(std::uint64_t seed = 9) {
  SeededRandom random(seed);
  Row made;
  random.fill(made.selector);
  random.fill(made.salt);
  return made;
}

std::string make(const TokenRing& ring, const Row& r) {
  return ring.make(ring.current_key_id(), r.selector, r.salt, r.generation, r.purpose).value();
}

bool matches(const TokenRing& ring, std::string_view token, const Row& r) {
  return ring.matches(token, r.selector, r.salt, r.generation, r.purpose);
}

}  // namespace

TEST_CASE("a token is genuine for its row, the same each time, and leads to its selector") {
  const TokenRing ring({key(5, 1)});
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Row r = row(seed);
    const std::string token = make(ring, r);
    CHECK(token == make(ring, r));
    CHECK(token.size() <= 64);
    CHECK(std::all_of(token.begin(), token.end(), [](unsigned char c) { return std::islower(c) || std::isdigit(c); }));
    CHECK(ring.selector_of(token) == r.selector);
    CHECK(matches(ring, token, r));
  }
}

TEST_CASE("tokens stay what they were: links already mailed survive an update") {
  const TokenRing ring({key(5, 1)});
  CHECK(make(ring, row()) == "evqkagpw5rhksahz7njncosjpx2hp65sdaajhnopuwoihg5gdnqoej7y7n5q");
}

TEST_CASE("a forged token is refused without a database read: each bit of selector, key and gate is guarded") {
  const TokenRing ring({key(5, 1), key(6, 2)});
  const Row r = row();
  const auto bytes = from_base32(make(ring, r)).value();
  REQUIRE(bytes.size() == 37);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto forged = bytes;
    forged[bit / 8] ^= static_cast<std::byte>(0x80 >> bit % 8);
    const std::string token = to_base32(forged);
    CAPTURE(bit);
    const bool before_secret = bit < (1 + 12 + 4) * 8;
    if (before_secret)
      CHECK_FALSE(ring.selector_of(token));
    else
      CHECK(ring.selector_of(token) == r.selector);  // the gate is right; only the row can tell
    CHECK_FALSE(matches(ring, token, r));
  }
}

TEST_CASE("each character of a token counts, the last one's spare bits too") {
  const TokenRing ring({key(5, 1)});
  const Row r = row();
  const std::string token = make(ring, r);
  for (std::size_t at = 0; at < token.size(); ++at) {
    for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyz234567AZ019-=% ")) {
      if (c == token[at]) continue;
      std::string forged = token;
      forged[at] = c;
      CHECK_FALSE(matches(ring, forged, r));
    }
  }
}

TEST_CASE("a token of another generation, purpose, salt or selector does not match") {
  const TokenRing ring({key(5, 1)});
  const Row r = row();
  const std::string token = make(ring, r);
  Row other = r;
  SECTION("generation") {
    other.generation = GENERATE(0U, 2U, 4U, 3U << 8, 3U << 24);
  }
  SECTION("purpose") {
    other.purpose = GENERATE("", "verif", "verify ", "Verify", "self-service");
  }
  SECTION("salt: erased") {
    other.salt = {};
  }
  SECTION("salt: one bit") {
    other.salt[15] ^= std::byte{1};
  }
  SECTION("selector: another row's") {
    other.selector = row(10).selector;
  }
  CHECK_FALSE(matches(ring, token, other));
  CHECK(make(ring, other) != token);
}

TEST_CASE("a key thief without the salt and a database thief without the key have nothing") {
  const TokenRing ring({key(5, 1)});
  const TokenRing thief({key(5, 99)});
  const Row r = row();
  CHECK_FALSE(ring.selector_of(make(thief, r)));
  CHECK_FALSE(matches(ring, make(thief, r), r));
  Row guessed = r;
  guessed.salt = row(11).salt;
  CHECK_FALSE(matches(ring, make(ring, guessed), r));
}

TEST_CASE("two keys live at a time: the last makes, both verify, a key taken out verifies no more") {
  const Row r = row();
  const TokenRing old({key(1, 1)});
  const TokenRing both({key(1, 1), key(2, 2)});
  const TokenRing fresh({key(2, 2)});
  CHECK(both.current_key_id() == 2);
  const std::string from_old = make(old, r);
  const std::string from_new = make(both, r);
  CHECK(from_old != from_new);
  CHECK(both.make(1, r.selector, r.salt, r.generation, r.purpose) == from_old);
  for (const std::string& token : {from_old, from_new}) {
    CHECK(both.selector_of(token) == r.selector);
    CHECK(matches(both, token, r));
  }
  CHECK_FALSE(old.selector_of(from_new));
  CHECK_FALSE(matches(old, from_new, r));
  CHECK_FALSE(fresh.selector_of(from_old));
  CHECK_FALSE(fresh.make(1, r.selector, r.salt, r.generation, r.purpose));
}

TEST_CASE("the same master secret under another key id gives other tokens") {
  const Row r = row();
  const TokenRing one({key(1, 1)});
  const TokenRing two({key(2, 1)});
  CHECK(make(one, r).substr(21) != make(two, r).substr(21));
}

TEST_CASE("what is no token is refused") {
  const TokenRing ring({key(0, 1)});
  const std::string token = make(ring, row());
  std::string upper = token;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const std::vector<std::string> bad{"",
                                     "a",
                                     token + "a",
                                     token.substr(1),
                                     token.substr(0, 59),
                                     upper,
                                     token + "\n",
                                     " " + token,
                                     std::string(60, 'a'),
                                     std::string(60, '7'),
                                     std::string(60, '\0'),
                                     std::string(100'000, 'a')};
  for (const std::string& text : bad) {
    CAPTURE(text.substr(0, 80));
    CHECK_FALSE(ring.selector_of(text));
    CHECK_FALSE(matches(ring, text, row()));
  }
}

TEST_CASE("a ring without keys, with a key id over 31 or with one id twice is refused") {
  CHECK_THROWS_AS(TokenRing({}), std::invalid_argument);
  CHECK_THROWS_AS(TokenRing({key(32, 1)}), std::invalid_argument);
  CHECK_THROWS_AS(TokenRing({key(1, 1), key(1, 2)}), std::invalid_argument);
  CHECK_NOTHROW(TokenRing({key(0, 1), key(31, 2)}));
}

TEST_CASE("a key is wiped when it goes") {
  alignas(TokenKey) std::array<std::byte, sizeof(TokenKey)> memory{};
  auto* made = new (memory.data()) TokenKey(key(1, 1));
  const auto zero = [&](const auto& bytes) {
    return sodium_is_zero(reinterpret_cast<const unsigned char*>(bytes), 32) == 1;
  };
  const auto gate_at = reinterpret_cast<std::byte*>(made->gate_key.data());
  const auto token_at = reinterpret_cast<std::byte*>(made->token_key.data());
  CHECK_FALSE(zero(gate_at));
  CHECK_FALSE(zero(token_at));
  made->~TokenKey();
  CHECK(zero(gate_at));
  CHECK(zero(token_at));
}
