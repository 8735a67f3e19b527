#include "model/retry.hpp"

#include <catch2/catch.hpp>
#include <limits>

using namespace invited::model;
using namespace std::chrono_literals;
using invited::core::Milliseconds;

TEST_CASE("a mail is tried again after one minute, then ever later, up to four hours") {
  CHECK(pause_after(1, 0ms, 0) == 1min);
  CHECK(pause_after(2, 0ms, 0) == 3min);
  CHECK(pause_after(3, 0ms, 0) == 9min);
  CHECK(pause_after(4, 0ms, 0) == 27min);
  CHECK(pause_after(5, 0ms, 0) == 81min);
  CHECK(pause_after(6, 0ms, 0) == 4h);
  CHECK(pause_after(7, 0ms, 0) == 4h);
}

TEST_CASE("a provider call is tried again after one second, then ever later, up to fifteen minutes") {
  CHECK(provider_pause_after(1, 0ms, 0) == 1s);
  CHECK(provider_pause_after(2, 0ms, 0) == 3s);
  CHECK(provider_pause_after(7, 0ms, 0) == 729s);
  CHECK(provider_pause_after(8, 0ms, 0) == 15min);
  CHECK(provider_pause_after(9, 0ms, 0) == 15min);
}

TEST_CASE("any number of failures gives a pause: none, a negative count and the largest one too") {
  for (const int failures : {0, -1, std::numeric_limits<int>::min()}) {
    CHECK(pause_after(failures, 0ms, 0) == 1min);
    CHECK(provider_pause_after(failures, 0ms, 0) == 1s);
  }
  CHECK(pause_after(std::numeric_limits<int>::max(), 0ms, 0) == 4h);
  CHECK(provider_pause_after(std::numeric_limits<int>::max(), 0ms, 0) == 15min);
}

TEST_CASE("pauses never shrink while failures go on") {
  for (int failures = 1; failures < 40; ++failures) {
    CHECK(pause_after(failures + 1, 0ms, 0) >= pause_after(failures, 0ms, 0));
    CHECK(provider_pause_after(failures + 1, 0ms, 0) >= provider_pause_after(failures, 0ms, 0));
  }
}

TEST_CASE("jitter lengthens a pause by less than a quarter and never shortens it") {
  for (int failures = 1; failures < 10; ++failures) {
    const Milliseconds plain = pause_after(failures, 0ms, 0);
    for (std::uint64_t jitter = 0; jitter < 1'000; ++jitter) {
      const Milliseconds pause = pause_after(failures, 0ms, jitter);
      CHECK(pause >= plain);
      CHECK(pause < plain + plain / 4);
    }
    CHECK(pause_after(failures, 0ms, 500) == plain + plain / 8);
    CHECK(pause_after(failures, 0ms, 999) > plain + plain / 5);
  }
}

TEST_CASE("the other side's wish is honoured: never earlier than asked, a day at most, jitter on top") {
  CHECK(pause_after(1, 10min, 0) == 10min);
  CHECK(pause_after(6, 10min, 0) == 4h);  // our own patience is longer than the wish
  CHECK(pause_after(1, 24h, 0) == 24h);
  CHECK(pause_after(1, 24h * 365, 0) == 24h);
  CHECK(pause_after(1, Milliseconds::max(), 0) == 24h);
  CHECK(pause_after(1, 24h, 999) < 30h);
  CHECK(pause_after(1, -1h, 0) == 1min);
  CHECK(provider_pause_after(1, 2min, 0) == 2min);
  CHECK(provider_pause_after(1, Milliseconds::max(), 999) < 30h);
  CHECK(provider_pause_after(1, Milliseconds::min(), 0) == 1s);
}

TEST_CASE("an uncertain mail is tried three times in all before a person looks at it") {
  CHECK(most_uncertain_tries == 3);
}
