#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "core/task_scope.hpp"
#include "core/wakeup.hpp"
#include "support/manual_clock.hpp"
#include "support/run.hpp"

namespace asio = boost::asio;
using namespace invited::core;
using namespace invited::test;
using namespace std::chrono_literals;

namespace {

asio::awaitable<void> loop(Wakeup& wakeup, Clock& clock, int& passes) {
  while (true) {
    ++passes;
    co_await wakeup.wait_for(clock, 10s);
  }
}

class BrokenClock final : public Clock {
public:
  [[nodiscard]] Instant now() const override { return {}; }
  [[nodiscard]] Milliseconds monotonic() const override { return {}; }
  asio::awaitable<void> sleep_for(Milliseconds) override {
    throw std::runtime_error("no timer");
    co_return;
  }
};

struct Fixture {
  asio::io_context io;
  ManualClock clock;
  Wakeup wakeup{io.get_executor()};
  TaskScope scope{io.get_executor(),
                  [](std::string_view, std::exception_ptr) { FAIL_CHECK("the loop ended with an error"); }};
  int passes = 0;

  void start() {
    scope.spawn("loop", loop(wakeup, clock, passes));
    settle(io);
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a loop wakes at a ring without time passing, and else after the upper bound") {
  start();
  CHECK(passes == 1);
  wakeup.ring();
  settle(io);
  CHECK(passes == 2);
  CHECK(clock.sleeping() == 1);  // the sleep that the ring ended is gone
  clock.advance(9'999ms);
  settle(io);
  CHECK(passes == 2);
  clock.advance(1ms);
  settle(io);
  CHECK(passes == 3);
}

TEST_CASE_METHOD(Fixture, "rings while the loop is busy are kept as one") {
  for (int i = 0; i < 5; ++i) wakeup.ring();
  start();
  CHECK(passes == 2);
  for (int i = 0; i < 5; ++i) wakeup.ring();
  settle(io);
  CHECK(passes == 3);
  settle(io);
  CHECK(passes == 3);
}

TEST_CASE_METHOD(Fixture, "a ring in the same moment as the end of the wait is one wake-up") {
  start();
  clock.advance(10s);
  wakeup.ring();
  settle(io);
  CHECK(passes == 2);
}

TEST_CASE_METHOD(Fixture, "stopping the scope ends the wait, also in the same moment as a ring") {
  start();
  const bool ring_too = GENERATE(false, true);
  if (ring_too) wakeup.ring();
  scope.stop();
  settle(io);
  CHECK(scope.running() == 0);
  CHECK(clock.sleeping() == 0);
}

TEST_CASE_METHOD(Fixture, "a loop that was stopped leaves a wakeup that the next one can wait on") {
  start();
  scope.stop();
  settle(io);
  TaskScope next(io.get_executor(), [](std::string_view, std::exception_ptr) { FAIL_CHECK("error"); });
  next.spawn("loop", loop(wakeup, clock, passes));
  settle(io);
  CHECK(passes == 2);
  wakeup.ring();
  settle(io);
  CHECK(passes == 3);
  next.stop();
  settle(io);
}

TEST_CASE_METHOD(Fixture, "a second waiter is a mistake that is told") {
  start();
  CHECK_THROWS_AS(run(io, wakeup.wait_for(clock, 1s)), std::logic_error);
  scope.stop();
  settle(io);
}

TEST_CASE_METHOD(Fixture, "an error of the clock reaches the waiter") {
  BrokenClock broken;
  CHECK_THROWS_WITH(run(io, wakeup.wait_for(broken, 1s)), "no timer");
}

TEST_CASE("a waiter and its wakeup may be destroyed in either order with the io_context") {
  auto io = std::make_unique<asio::io_context>();
  ManualClock clock;
  auto wakeup = std::make_unique<Wakeup>(io->get_executor());
  int passes = 0;
  asio::co_spawn(*io, loop(*wakeup, clock, passes), [](std::exception_ptr) {});
  settle(*io);
  SECTION("wakeup first") {
    wakeup.reset();
    io.reset();
  }
  SECTION("io_context first") {
    io.reset();
    wakeup->ring();
  }
  CHECK(passes == 1);
}
