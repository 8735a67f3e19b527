#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "core/clock.hpp"
#include "core/task_scope.hpp"
#include "core/wakeup.hpp"
#include "support/manual_clock.hpp"
#include "support/run.hpp"
#include "support/seeded_random.hpp"

namespace asio = boost::asio;
using namespace invited::core;
using namespace invited::test;
using namespace std::chrono_literals;

namespace {

using Journal = std::vector<std::string>;

asio::awaitable<void> nap(Clock& clock, Milliseconds pause, Journal& journal, std::string name) {
  co_await clock.sleep_for(pause);
  journal.push_back(name + "@" + std::to_string(clock.monotonic().count() - 1'000'000));
}

TaskScope::ErrorHandler no_errors() {
  return [](std::string_view name, std::exception_ptr) { FAIL_CHECK("a task failed: " << name); };
}

void run_dry(asio::io_context& io, ManualClock& clock) {
  settle(io);
  while (const auto next = clock.next_wakeup()) {
    clock.advance(*next - clock.monotonic());
    settle(io);
  }
}

}  // namespace

TEST_CASE("the system's clocks move and a sleep takes at least its time") {
  asio::io_context io;
  SystemClock clock;
  const auto before = clock.monotonic();
  run(io, clock.sleep_for(5ms));
  CHECK(clock.monotonic() - before >= 5ms);
  CHECK(clock.now() > Instant(std::chrono::sys_days(std::chrono::year(2024) / 1 / 1)));
}

TEST_CASE("a sleep of no time or less ends at once, one of all time can still be cancelled") {
  asio::io_context io;
  SystemClock clock;
  run(io, clock.sleep_for(0ms));
  run(io, clock.sleep_for(-5s));
  run(io, clock.sleep_for(Milliseconds::min()));
  TaskScope scope(io.get_executor(), no_errors());
  scope.spawn("sleeper", clock.sleep_for(Milliseconds::max()));
  settle(io);
  CHECK(scope.running() == 1);
  scope.stop();
  settle(io);
  CHECK(scope.running() == 0);
}

TEST_CASE("sleepers wake in the order of their time, then of their going to sleep") {
  asio::io_context io;
  ManualClock clock;
  Journal journal;
  TaskScope scope(io.get_executor(), no_errors());
  scope.spawn("c", nap(clock, 30ms, journal, "c"));
  scope.spawn("a", nap(clock, 10ms, journal, "a"));
  scope.spawn("b1", nap(clock, 20ms, journal, "b1"));
  scope.spawn("b2", nap(clock, 20ms, journal, "b2"));
  settle(io);
  REQUIRE(clock.next_wakeup() == clock.monotonic() + 10ms);

  SECTION("one step that passes all of them") {
    clock.advance(100ms);
    CHECK(journal.empty());  // posted, never run inside advance()
    settle(io);
    CHECK(journal == Journal{"a@100", "b1@100", "b2@100", "c@100"});
  }
  SECTION("from wake-up to wake-up each sees its own time") {
    run_dry(io, clock);
    CHECK(journal == Journal{"a@10", "b1@20", "b2@20", "c@30"});
    CHECK_FALSE(clock.next_wakeup());
  }
  SECTION("one millisecond too few wakes nobody") {
    clock.advance(9ms);
    settle(io);
    CHECK(journal.empty());
    clock.advance(1ms);
    settle(io);
    CHECK(journal == Journal{"a@10"});
  }
  run_dry(io, clock);
}

TEST_CASE("the wall clock jumps apart from the monotonic one, and no sleeper wakes for it") {
  asio::io_context io;
  ManualClock clock(Instant(1'000'000ms));
  Journal journal;
  TaskScope scope(io.get_executor(), no_errors());
  scope.spawn("a", nap(clock, 10ms, journal, "a"));
  settle(io);
  const auto monotonic = clock.monotonic();
  clock.jump_wall(48h);
  CHECK(clock.now() == Instant(1'000'000ms + 48h));
  clock.set_wall(Instant(5ms));
  settle(io);
  CHECK(clock.now() == Instant(5ms));
  CHECK(clock.monotonic() == monotonic);
  CHECK(journal.empty());
  clock.advance(10ms);
  settle(io);
  CHECK(clock.now() == Instant(15ms));
  CHECK(journal == Journal{"a@10"});
  CHECK_THROWS_AS(clock.advance(-1ms), std::invalid_argument);
}

TEST_CASE("stopping a scope ends its sleepers without time passing") {
  asio::io_context io;
  ManualClock clock;
  Journal journal;
  TaskScope scope(io.get_executor(), no_errors());
  scope.spawn("a", nap(clock, 1h, journal, "a"));
  scope.spawn("b", nap(clock, 2h, journal, "b"));
  settle(io);
  CHECK(clock.sleeping() == 2);
  scope.stop();
  settle(io);
  CHECK(scope.running() == 0);
  CHECK(clock.sleeping() == 0);
  CHECK_FALSE(clock.next_wakeup());
  CHECK(journal.empty());
}

TEST_CASE("sleepers that are never woken are destroyed with their io_context, before or after their clock") {
  auto io = std::make_unique<asio::io_context>();
  auto clock = std::make_unique<ManualClock>();
  Journal journal;
  asio::co_spawn(*io, nap(*clock, 1h, journal, "a"), asio::detached);
  settle(*io);
  SECTION("clock first") {
    clock.reset();
    io.reset();
  }
  SECTION("io_context first") {
    io.reset();
    CHECK(clock->sleeping() == 0);
  }
  CHECK(journal.empty());
}

namespace {

// A small daemon: workers that sleep, ring each other and die, as the services will.
asio::awaitable<void> worker(Clock& clock, Random& random, Wakeup& own, Wakeup& other, Journal& journal, int name) {
  for (int i = 0; i < 50; ++i) {
    co_await own.wait_for(clock, Milliseconds(1 + random.below(20)));
    journal.push_back(std::to_string(name) + "@" + std::to_string(clock.monotonic().count()));
    if (random.below(3) == 0) other.ring();
    co_await clock.sleep_for(Milliseconds(random.below(5)));
  }
}

Journal simulate(std::uint64_t seed) {
  asio::io_context io;
  ManualClock clock;
  SeededRandom random(seed);
  Journal journal;
  std::vector<std::unique_ptr<Wakeup>> wakeups;
  for (int i = 0; i < 5; ++i) wakeups.push_back(std::make_unique<Wakeup>(io.get_executor()));
  TaskScope scope(io.get_executor(), no_errors());
  for (int i = 0; i < 5; ++i) scope.spawn("w", worker(clock, random, *wakeups[i], *wakeups[(i + 1) % 5], journal, i));
  run_virtual(io, clock, scope.join());
  return journal;
}

}  // namespace

TEST_CASE("one seed gives one run: a simulation on virtual time replays itself") {
  const Journal first = simulate(7);
  CHECK(first.size() == 250);
  CHECK(first == simulate(7));
  CHECK(first != simulate(8));
}

TEST_CASE("a seeded generator gives the same bytes on every machine, and bounds hold") {
  SeededRandom random(42);
  CHECK(random.next() == 1546998764402558742ULL);  // xoshiro256** behind splitmix64, seed 42
  SeededRandom again(42);
  CHECK(again.next() == 1546998764402558742ULL);
  std::array<int, 6> seen{};
  for (int i = 0; i < 6000; ++i) ++seen.at(random.below(6));
  for (const int count : seen) CHECK(std::abs(count - 1000) < 150);
  CHECK(random.below(1) == 0);
  CHECK_THROWS_AS(random.below(0), std::invalid_argument);
  CHECK(random.below(UINT64_MAX) < UINT64_MAX);
}

TEST_CASE("the system's generator fills all it is given, and never twice the same") {
  SystemRandom random;
  std::array<std::byte, 32> one{};
  std::array<std::byte, 32> two{};
  random.fill(one);
  random.fill(two);
  CHECK(one != two);
  CHECK(one != std::array<std::byte, 32>{});
  for (int i = 0; i < 1000; ++i) CHECK(random.below(10) < 10);
}
