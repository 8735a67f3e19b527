#include <catch2/catch.hpp>
#include <unordered_set>

#include "core/id.hpp"
#include "support/manual_clock.hpp"
#include "support/seeded_random.hpp"

using namespace invited::core;
using namespace invited::test;
using namespace std::chrono_literals;

namespace {

class AllOnes final : public Random {
public:
  void fill(std::span<std::byte> out) override {
    for (std::byte& b : out) b = std::byte{0xff};
  }
};

std::int64_t time_of(const Id& id) {
  std::int64_t ms = 0;
  for (int i = 0; i < 6; ++i) ms = ms << 8 | std::to_integer<std::int64_t>(id.bytes[i]);
  return ms;
}

}  // namespace

TEST_CASE("an id is a UUID of version 7 that carries its time") {
  ManualClock clock(Instant(0x0123456789abms));
  SeededRandom random(1);
  IdSource ids(clock, random);
  for (int i = 0; i < 1000; ++i) {
    const Id id = ids.next();
    const std::string text = id.text();
    REQUIRE(text.size() == 36);
    CHECK(text.substr(0, 15) == "01234567-89ab-7");
    CHECK((std::to_integer<int>(id.bytes[8]) & 0xc0) == 0x80);
    CHECK(Id::parse(text) == id);
  }
}

TEST_CASE("ids grow, also when the clock stands or goes back") {
  ManualClock clock;
  SeededRandom random(2);
  IdSource ids(clock, random);
  std::unordered_set<Id> seen;
  Id last;
  CHECK(last.is_nil());
  for (int i = 0; i < 20'000; ++i) {
    if (i % 7 == 0) clock.advance(1ms);
    if (i == 5'000) clock.jump_wall(-24h);
    if (i == 15'000) clock.set_wall(Instant(-5ms));
    const Id id = ids.next();
    REQUIRE(id > last);
    REQUIRE(id.text() > last.text());
    REQUIRE(seen.insert(id).second);
    last = id;
  }
}

TEST_CASE("within a millisecond the counter grows by one across all the fields it is spread over") {
  // The highest counter a millisecond can begin with, so that one step carries through every field.
  ManualClock clock(Instant(1000ms));
  AllOnes ones;
  IdSource ids(clock, ones);
  const Id first = ids.next();
  const Id second = ids.next();
  CHECK(time_of(first) == 1000);
  CHECK(time_of(second) == 1000);
  CHECK(first.text() == "00000000-03e8-77ff-bfff-ffffffffffff");
  CHECK(second.text() == "00000000-03e8-7800-8000-03ffffffffff");
}

TEST_CASE("parse takes nothing but the one form") {
  const std::string good = "018f4a5e-7b1c-7d3e-8f2a-0123456789ab";
  CHECK(Id::parse(good)->text() == good);
  const auto bad =
      GENERATE(values<std::string>({"", "018f4a5e7b1c7d3e8f2a0123456789ab", "018F4A5E-7B1C-7D3E-8F2A-0123456789AB",
                                    "{018f4a5e-7b1c-7d3e-8f2a-0123456789ab}", " 018f4a5e-7b1c-7d3e-8f2a-0123456789a",
                                    "018f4a5e-7b1c-7d3e-8f2a-0123456789a", "018f4a5e-7b1c-7d3e-8f2a-0123456789abc",
                                    "018f4a5e_7b1c-7d3e-8f2a-0123456789ab", "018f4a5-e7b1c-7d3e-8f2a-0123456789ab",
                                    "018f4a5e-7b1c-7d3e-8f2a-0123456789ag", "018f4a5e-7b1c-7d3e-8f2a-0123456789a\n"}));
  CAPTURE(bad);
  CHECK_FALSE(Id::parse(bad));
}
