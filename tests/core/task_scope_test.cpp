#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>

#include "core/task_scope.hpp"
#include "support/manual_clock.hpp"
#include "support/run.hpp"

namespace asio = boost::asio;
using namespace invited::core;
using namespace invited::test;
using namespace std::chrono_literals;

namespace {

using Failures = std::vector<std::string>;

TaskScope::ErrorHandler into(Failures& failures) {
  return [&failures](std::string_view name, std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      failures.push_back(std::string(name) + ": " + e.what());
    }
  };
}

asio::awaitable<void> sleeper(Clock& clock, int& ended) {
  struct AtEnd {
    int& count;
    ~AtEnd() { ++count; }
  } at_end{ended};
  co_await clock.sleep_for(1h);
}

asio::awaitable<void> fails_after(Clock& clock, Milliseconds pause) {
  co_await clock.sleep_for(pause);
  throw std::runtime_error("disk is gone");
}

asio::awaitable<void> mark(bool& done) {
  done = true;
  co_return;
}

asio::awaitable<void> abort_itself() {
  throw boost::system::system_error(asio::error::operation_aborted);
  co_return;
}

asio::awaitable<void> busy(bool& ended) {
  // Never waits for anything outside: only the check at each co_await can end it.
  struct AtEnd {
    bool& flag;
    ~AtEnd() { flag = true; }
  } at_end{ended};
  const auto executor = co_await asio::this_coro::executor;
  while (true) co_await asio::post(executor, asio::use_awaitable);
}

asio::awaitable<void> tidies_up(Clock& clock, std::vector<std::string>& steps) {
  try {
    co_await clock.sleep_for(1h);
  } catch (const boost::system::system_error&) {
    steps.emplace_back("asked to stop");
  }
  co_await asio::this_coro::reset_cancellation_state();
  co_await clock.sleep_for(1s);
  steps.emplace_back("tidied up");
}

asio::awaitable<void> stops_its_scope(TaskScope& scope, Clock& clock, bool& came_back) {
  scope.stop();
  came_back = true;
  co_await clock.sleep_for(1h);
  FAIL("a stopped task went on");
}

asio::awaitable<void> join_and_note(TaskScope& scope, int& joined) {
  co_await scope.join();
  ++joined;
}

}  // namespace

TEST_CASE("a task starts after its spawner's own step, never inside spawn") {
  asio::io_context io;
  Failures failures;
  TaskScope scope(io.get_executor(), into(failures));
  bool done = false;
  asio::post(io, [&] {
    scope.spawn("mark", mark(done));
    CHECK_FALSE(done);
  });
  settle(io);
  CHECK(done);
  CHECK(scope.running() == 0);
}

TEST_CASE("stop cancels every task and join returns when the last has ended") {
  asio::io_context io;
  ManualClock clock;
  Failures failures;
  TaskScope scope(io.get_executor(), into(failures));
  int ended = 0;
  for (int i = 0; i < 20; ++i) scope.spawn("sleeper", sleeper(clock, ended));
  int joined = 0;
  asio::co_spawn(io, join_and_note(scope, joined), [](std::exception_ptr e) { CHECK_FALSE(e); });
  asio::co_spawn(io, join_and_note(scope, joined), [](std::exception_ptr e) { CHECK_FALSE(e); });
  settle(io);
  CHECK(scope.running() == 20);
  CHECK(joined == 0);
  scope.stop();
  CHECK(scope.stopping());
  settle(io);
  CHECK(ended == 20);
  CHECK(joined == 2);
  CHECK(scope.running() == 0);
  CHECK(failures.empty());
}

TEST_CASE("joining an empty scope returns at once") {
  asio::io_context io;
  Failures failures;
  TaskScope scope(io.get_executor(), into(failures));
  int joined = 0;
  asio::co_spawn(io, join_and_note(scope, joined), [](std::exception_ptr e) { CHECK_FALSE(e); });
  settle(io);
  CHECK(joined == 1);
  scope.stop();
  asio::co_spawn(io, join_and_note(scope, joined), [](std::exception_ptr e) { CHECK_FALSE(e); });
  settle(io);
  CHECK(joined == 2);
  CHECK(failures.empty());
}

TEST_CASE("a task spawned before a stop but not started is dropped, as is one spawned after it") {
  asio::io_context io;
  Failures failures;
  TaskScope scope(io.get_executor(), into(failures));
  bool before = false;
  bool after = false;
  asio::post(io, [&] {
    scope.spawn("before", mark(before));
    scope.stop();
    scope.spawn("after", mark(after));
  });
  settle(io);
  CHECK_FALSE(before);
  CHECK_FALSE(after);
  CHECK(scope.running() == 0);
  CHECK(failures.empty());
}

TEST_CASE("an exception is reported with the task's name, and the others go on") {
  asio::io_context io;
  ManualClock clock;
  Failures failures;
  TaskScope scope(io.get_executor(), into(failures));
  int ended = 0;
  scope.spawn("sweep", fails_after(clock, 5s));
  scope.spawn("scheduler", sleeper(clock, ended));
  settle(io);
  clock.advance(5s);
  settle(io);
  CHECK(failures == Failures{"sweep: disk is gone"});
  CHECK(scope.running() == 1);
  scope.stop();
  settle(io);
  CHECK(ended == 1);
  CHECK(failures.size() == 1);
}

TEST_CASE("a task that aborts although nobody stopped it is reported: it must not end unseen") {
  asio::io_context io;
  Failures failures;
  TaskScope scope(io.get_executor(), into(failures));
  scope.spawn("lost", abort_itself());
  settle(io);
  CHECK(failures.size() == 1);
}

TEST_CASE("a failure while stopping is still reported") {
  asio::io_context io;
  Failures failures;
  TaskScope scope(io.get_executor(), into(failures));
  const auto spoils_its_end = [](Clock& c) -> asio::awaitable<void> {
    try {
      co_await c.sleep_for(1h);
    } catch (const boost::system::system_error&) {
    }
    throw std::runtime_error("could not save");
  };
  ManualClock clock;
  scope.spawn("saver", spoils_its_end(clock));
  settle(io);
  scope.stop();
  settle(io);
  CHECK(failures == Failures{"saver: could not save"});
}

TEST_CASE("a task that never waits for anything outside is ended at its next co_await") {
  asio::io_context io;
  Failures failures;
  TaskScope scope(io.get_executor(), into(failures));
  bool ended = false;
  scope.spawn("busy", busy(ended));
  for (int i = 0; i < 100; ++i) io.poll_one();
  CHECK_FALSE(ended);
  scope.stop();
  for (int i = 0; i < 100 && !ended; ++i) io.poll_one();
  CHECK(ended);
}

TEST_CASE("a stopped task may tidy up with further waits, and join waits for it") {
  asio::io_context io;
  ManualClock clock;
  Failures failures;
  std::vector<std::string> steps;
  TaskScope scope(io.get_executor(), into(failures));
  scope.spawn("tidy", tidies_up(clock, steps));
  settle(io);
  scope.stop();
  settle(io);
  CHECK(scope.running() == 1);
  run_virtual(io, clock, scope.join());
  CHECK(steps == std::vector<std::string>{"asked to stop", "tidied up"});
}

TEST_CASE("a task may stop its own scope") {
  asio::io_context io;
  ManualClock clock;
  Failures failures;
  TaskScope scope(io.get_executor(), into(failures));
  bool came_back = false;
  int ended = 0;
  scope.spawn("sleeper", sleeper(clock, ended));
  scope.spawn("stopper", stops_its_scope(scope, clock, came_back));
  settle(io);
  CHECK(came_back);
  CHECK(ended == 1);
  CHECK(scope.running() == 0);
}

TEST_CASE("a joiner can itself be cancelled") {
  asio::io_context io;
  ManualClock clock;
  Failures failures;
  TaskScope inner(io.get_executor(), into(failures));
  TaskScope outer(io.get_executor(), into(failures));
  int ended = 0;
  int joined = 0;
  inner.spawn("sleeper", sleeper(clock, ended));
  outer.spawn("joiner", join_and_note(inner, joined));
  settle(io);
  outer.stop();
  settle(io);
  CHECK(outer.running() == 0);
  CHECK(joined == 0);
  CHECK(inner.running() == 1);
  inner.stop();
  settle(io);
  CHECK(ended == 1);
}

TEST_CASE("a scope outlives its io_context without touching it, and the other way round") {
  Failures failures;
  ManualClock clock;
  int ended = 0;
  int joined = 0;
  auto io = std::make_unique<asio::io_context>();
  auto scope = std::make_unique<TaskScope>(io->get_executor(), into(failures));
  scope->spawn("sleeper", sleeper(clock, ended));
  asio::co_spawn(*io, join_and_note(*scope, joined), [](std::exception_ptr) {});
  settle(*io);
  SECTION("io_context first") {
    io.reset();
    CHECK(scope->running() == 0);
    scope->stop();
    scope.reset();
  }
  SECTION("scope first") {
    scope.reset();
    io.reset();
  }
  CHECK(ended == 1);
  CHECK(joined == 0);
  CHECK(failures.empty());
}
