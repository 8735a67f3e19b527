// Calls: ended exactly once, whatever the plugin does; deadlines, cancel hints, the end of an instance.
#include "bench.hpp"
#include "support/captured_log.hpp"

using namespace invited;
using namespace invited::test;
using plugin::Call;
using plugin::Outcome;

namespace {

struct Watched {
  std::vector<Outcome> outcomes;
  std::shared_ptr<Call> call;
};

// Starts an operation that is a plain function of the plugin's side.
Watched& begin(Watched& watched, const std::shared_ptr<plugin::Instance>& instance,
               std::function<void(invited_call*)> work, Milliseconds limit = 60s) {
  watched.call = std::make_shared<Call>("work", limit);
  instance->start(watched.call, std::move(work),
                  [&watched](Outcome how) { watched.outcomes.push_back(std::move(how)); });
  return watched;
}

void say(const invited_host* host, invited_call* call, std::string_view message) {
  const invited_error error{sizeof error, INVITED_RETRY, 7, text(message), text("/host")};
  host->fail(host, call, &error);
}

}  // namespace

TEST_CASE("a call completed in its operation ends once, with what was said") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  Watched call;
  begin(call, instance, [&](invited_call* handle) {
    say(script.host, handle, "server is full");
    script.host->complete(script.host, handle, INVITED_RETRY);
  });
  bench.until([&] { return !call.outcomes.empty() && instance->open_calls() == 0; });
  REQUIRE(call.outcomes.size() == 1);
  CHECK(call.outcomes[0].status == INVITED_RETRY);
  CHECK(call.outcomes[0].why.message == "server is full");
  CHECK(call.outcomes[0].why.field == "/host");
  CHECK(call.outcomes[0].why.retry_after_s == 7);
  CHECK(call.outcomes[0].begun);
  CHECK(instance->misbehaviour() == 0);
}

TEST_CASE("a second completion is counted and ignored, also long after") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  Watched call;
  invited_call* kept = nullptr;
  begin(call, instance, [&](invited_call* handle) {
    kept = handle;
    script.host->complete(script.host, handle, INVITED_OK);
    script.host->complete(script.host, handle, INVITED_REJECTED);
  });
  bench.until([&] { return instance->open_calls() == 0 && !call.outcomes.empty(); });
  CHECK(instance->misbehaviour() == 1);
  script.host->complete(script.host, kept, INVITED_REJECTED);
  settle(bench.io);
  REQUIRE(call.outcomes.size() == 1);
  CHECK(call.outcomes[0].status == INVITED_OK);
  CHECK(instance->misbehaviour() == 2);
  CHECK(instance->last_misbehaviour() ==
        "complete() on a call that is not open: it was completed before, or never was");
}

TEST_CASE("a call may be completed from a foreign thread after its operation returned") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  Watched call;
  std::thread helper;
  begin(call, instance, [&](invited_call* handle) {
    helper = std::thread([&script, handle] { script.host->complete(script.host, handle, INVITED_OK); });
  });
  bench.until([&] { return !call.outcomes.empty() && instance->open_calls() == 0; });
  helper.join();
  CHECK(call.outcomes[0].status == INVITED_OK);
  CHECK(instance->misbehaviour() == 0);
}

TEST_CASE("an operation that completes and then throws stays completed") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  Watched call;
  begin(call, instance, [&](invited_call* handle) {
    script.host->complete(script.host, handle, INVITED_OK);
    throw std::runtime_error("afterthought");
  });
  bench.until([&] { return instance->open_calls() == 0 && !call.outcomes.empty(); });
  REQUIRE(call.outcomes.size() == 1);
  CHECK(call.outcomes[0].status == INVITED_OK);
  CHECK(instance->misbehaviour() == 1);
}

TEST_CASE("an operation that throws is ended as INTERNAL, and a completion after that is ignored") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  Watched call;
  invited_call* kept = nullptr;
  SECTION("a standard exception") {
    begin(call, instance, [&](invited_call* handle) {
      kept = handle;
      throw std::runtime_error("boom");
    });
    bench.until([&] { return !call.outcomes.empty(); });
    CHECK(call.outcomes[0].why.message == "work threw: boom");
  }
  SECTION("anything else") {
    begin(call, instance, [&](invited_call* handle) {
      kept = handle;
      throw 42;
    });
    bench.until([&] { return !call.outcomes.empty(); });
    CHECK(call.outcomes[0].why.message == "work threw something");
  }
  CHECK(call.outcomes[0].status == INVITED_INTERNAL);
  script.host->complete(script.host, kept, INVITED_OK);
  settle(bench.io);
  CHECK(call.outcomes.size() == 1);
  CHECK(instance->misbehaviour() == 2);
}

TEST_CASE("an unknown status is taken as INTERNAL") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  Watched call;
  begin(call, instance, [&](invited_call* handle) { script.host->complete(script.host, handle, 4711); });
  bench.until([&] { return !call.outcomes.empty(); });
  CHECK(call.outcomes[0].status == INVITED_INTERNAL);
  CHECK(instance->misbehaviour() == 1);
}

TEST_CASE("a call that overstays gets a hint at its deadline, then the instance is stuck until it comes back") {
  Bench bench;
  Script script;
  std::atomic<int> hints{0};
  script.cancel = [&](invited_call*) { ++hints; };
  const auto instance = bench.make(script);
  Watched call;
  std::atomic<bool> begun{false};
  std::atomic<std::int64_t> deadline{0};
  begin(
      call, instance,
      [&](invited_call* handle) {
        deadline = script.host->deadline_ms(script.host, handle);
        begun = true;
      },
      10s);
  const std::int64_t expected = (bench.clock.now() + 10s).time_since_epoch().count();
  bench.until([&] { return begun.load(); });
  CHECK(deadline == expected);
  bench.pass(9'999ms);
  CHECK(hints == 0);
  bench.pass(1ms);
  CHECK(hints == 1);
  CHECK(script.host->cancelled(script.host, call.call->handle()) == 1);
  CHECK_FALSE(instance->stuck());
  bench.pass(instance->limits().grace - 1ms);
  CHECK(call.outcomes.empty());
  bench.pass(1ms);
  REQUIRE(call.outcomes.size() == 1);
  CHECK(call.outcomes[0].overdue);
  CHECK(call.outcomes[0].status == INVITED_UNKNOWN);
  CHECK(instance->stuck());

  Watched refused;
  begin(refused, instance, [](invited_call*) {});
  settle(bench.io);
  REQUIRE(refused.outcomes.size() == 1);
  CHECK(refused.outcomes[0].status == INVITED_RETRY);
  CHECK_FALSE(refused.outcomes[0].begun);

  script.host->complete(script.host, call.call->handle(), INVITED_OK);
  bench.until([&] { return !instance->stuck(); });
  CHECK(call.outcomes.size() == 1);
  CHECK(instance->misbehaviour() == 0);
  Watched again;
  begin(again, instance, [&](invited_call* handle) { script.host->complete(script.host, handle, INVITED_OK); });
  bench.until([&] { return !again.outcomes.empty(); });
  CHECK(again.outcomes[0].status == INVITED_OK);
}

TEST_CASE("progress begins the limit anew") {
  Bench bench;
  Script script;
  std::atomic<int> hints{0};
  script.cancel = [&](invited_call*) { ++hints; };
  const auto instance = bench.make(script);
  Watched call;
  std::atomic<bool> begun{false};
  begin(call, instance, [&](invited_call*) { begun = true; }, 10s);
  bench.until([&] { return begun.load(); });
  bench.pass(9s);
  instance->renew(*call.call);
  bench.pass(9s);
  CHECK(hints == 0);
  bench.pass(1s);
  CHECK(hints == 1);
  script.host->complete(script.host, call.call->handle(), INVITED_CANCELLED);
  bench.until([&] { return !call.outcomes.empty(); });
}

TEST_CASE("a call that never began within its time certainly did not happen") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  Latch latch;
  Watched slow;
  Watched waiting;
  std::atomic<bool> begun{false};
  std::atomic<bool> ran{false};
  begin(
      slow, instance,
      [&](invited_call* handle) {
        begun = true;
        latch.wait();
        script.host->complete(script.host, handle, INVITED_OK);
      },
      1h);
  begin(waiting, instance, [&](invited_call*) { ran = true; }, 5s);
  bench.until([&] { return begun.load(); });
  bench.pass(5s);
  REQUIRE(waiting.outcomes.size() == 1);
  CHECK(waiting.outcomes[0].status == INVITED_RETRY);
  CHECK_FALSE(waiting.outcomes[0].begun);
  CHECK_FALSE(instance->stuck());
  latch.open();
  bench.until([&] { return instance->open_calls() == 0; });
  CHECK_FALSE(ran);
}

TEST_CASE("no more calls than the window are open; the next goes when one is done") {
  Bench bench;
  Script script;
  script.window = [] { return 2U; };
  const auto instance = bench.make(script);
  std::atomic<int> begun{0};
  std::vector<invited_call*> handles(3);
  int ended = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    plugin::Instance::Operation operation = [&, i](invited_call* handle) {
      handles[i] = handle;
      ++begun;
    };
    asio::co_spawn(bench.io, instance->run(std::make_shared<Call>("work", 60s), std::move(operation)),
                   [&](std::exception_ptr, Outcome) { ++ended; });
  }
  bench.until([&] { return begun == 2; });
  CHECK(instance->open_calls() == 2);
  script.host->complete(script.host, handles[0], INVITED_OK);
  bench.until([&] { return begun == 3; });
  CHECK(ended == 1);
  script.host->complete(script.host, handles[1], INVITED_OK);
  script.host->complete(script.host, handles[2], INVITED_OK);
  bench.until([&] { return ended == 3; });
}

TEST_CASE("who waits too long for a place in the window is told to come again") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  std::atomic<int> begun{0};
  invited_call* handle = nullptr;
  std::vector<Outcome> outcomes;
  for (const auto limit : {Milliseconds(1h), Milliseconds(5s)}) {
    plugin::Instance::Operation operation = [&](invited_call* call) {
      handle = call;
      ++begun;
    };
    asio::co_spawn(bench.io, instance->run(std::make_shared<Call>("work", limit), std::move(operation)),
                   [&](std::exception_ptr, Outcome how) { outcomes.push_back(std::move(how)); });
  }
  bench.until([&] { return begun == 1; });
  bench.pass(5s);
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].status == INVITED_RETRY);
  CHECK(begun == 1);
  script.host->complete(script.host, handle, INVITED_OK);
  bench.until([&] { return outcomes.size() == 2; });
}

TEST_CASE("who is cancelled while waiting leaves a hint behind, and the call ends without him") {
  Bench bench;
  Script script;
  std::atomic<bool> hinted{false};
  script.cancel = [&](invited_call*) { hinted = true; };
  const auto instance = bench.make(script);
  invited_call* handle = nullptr;
  std::atomic<bool> begun{false};
  core::TaskScope scope(bench.io.get_executor(), {});
  plugin::Instance::Operation operation = [&](invited_call* call) {
    handle = call;
    begun = true;
  };
  const auto work = [](std::shared_ptr<plugin::Instance> one,
                       plugin::Instance::Operation what) -> asio::awaitable<void> {
    co_await one->run(std::make_shared<Call>("work", 60s), std::move(what));
  };
  scope.spawn("caller", work(instance, operation));
  bench.until([&] { return begun.load(); });
  scope.stop();
  bench.until([&] { return scope.running() == 0; });
  CHECK(hinted);
  CHECK(instance->open_calls() == 1);
  script.host->complete(script.host, handle, INVITED_CANCELLED);
  bench.until([&] { return instance->open_calls() == 0; });
}

TEST_CASE("create that fails says why, and nothing is destroyed") {
  Bench bench;
  Script script;
  std::string wanted;
  SECTION("with a reason and a place") {
    script.create = [](const invited_host* host, invited_call* call, std::string) -> invited_status {
      const invited_error error{sizeof error, INVITED_BAD_CONFIG, 0, text("no such server"), text("/host")};
      host->fail(host, call, &error);
      return INVITED_BAD_CONFIG;
    };
    wanted = "transport \"one\": create failed, the configuration is wrong: no such server";
  }
  SECTION("by throwing") {
    script.create = [](const invited_host*, invited_call*, std::string) -> invited_status {
      throw std::runtime_error("no");
    };
    wanted = "transport \"one\": create failed, an error of the plugin: create threw: no";
  }
  const auto instance = bench.prepare(script, "one", fake::transport);
  const auto made = bench.wait(instance->create());
  REQUIRE_FALSE(made);
  CHECK(made.error().message == wanted);
  CHECK(bench.stop(*instance));
  CHECK_FALSE(script.destroyed);
}

TEST_CASE("complete() inside create is misbehaviour; the returned status counts") {
  Bench bench;
  Script script;
  script.create = [](const invited_host* host, invited_call* call, std::string) -> invited_status {
    host->complete(host, call, INVITED_REJECTED);
    return INVITED_OK;
  };
  const auto instance = bench.make(script);
  CHECK(instance->misbehaviour() == 1);
  CHECK(instance->last_misbehaviour() == "complete() on the call that create() gets");
}

TEST_CASE("create that does not come back is given up") {
  Bench bench;
  Script script;
  Latch latch;
  std::atomic<bool> begun{false};
  script.create = [&](const invited_host*, invited_call*, std::string) -> invited_status {
    begun = true;
    latch.wait();
    return INVITED_OK;
  };
  const auto instance = bench.prepare(script, "one", fake::transport);
  std::optional<core::Result<void>> made;
  asio::co_spawn(bench.io, instance->create(),
                 [&](std::exception_ptr, core::Result<void> how) { made = std::move(how); });
  bench.until([&] { return begun.load(); });
  bench.pass(instance->limits().create);
  bench.pass(instance->limits().grace);
  REQUIRE(made);
  REQUIRE_FALSE(*made);
  CHECK(made->error().message ==
        "transport \"one\": create gave no answer; it may have been done: did not come back within its time");
  latch.open();
  CHECK(bench.stop(*instance));
  CHECK(script.destroyed);  // it was made after all
}

TEST_CASE("stop hints, waits for open calls, drops what has not begun, destroys on the own thread") {
  Bench bench;
  Script script;
  std::thread::id operation_thread;
  std::thread::id destroy_thread;
  invited_call* handle = nullptr;
  Latch latch;
  std::atomic<bool> begun{false};
  script.cancel = [&](invited_call*) { latch.open(); };
  script.destroy = [&] { destroy_thread = std::this_thread::get_id(); };
  const auto instance = bench.make(script);
  Watched open;
  Watched queued;
  begin(open, instance, [&](invited_call* call) {
    operation_thread = std::this_thread::get_id();
    begun = true;
    handle = call;
    latch.wait();
    script.host->complete(script.host, call, INVITED_CANCELLED);
  });
  begin(queued, instance, [](invited_call*) {});
  bench.until([&] { return begun.load(); });
  CHECK(bench.stop(*instance));
  CHECK(script.destroyed);
  CHECK(destroy_thread == operation_thread);
  CHECK(open.outcomes.at(0).status == INVITED_CANCELLED);
  CHECK(queued.outcomes.at(0).status == INVITED_CANCELLED);
  CHECK_FALSE(queued.outcomes.at(0).begun);
  Watched late;
  begin(late, instance, [](invited_call*) {});
  settle(bench.io);
  CHECK(late.outcomes.at(0).status == INVITED_CANCELLED);
}

TEST_CASE("an instance that never completes is left behind, and its late completion touches nothing") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  Watched call;
  std::atomic<bool> begun{false};
  begin(call, instance, [&](invited_call*) { begun = true; });
  bench.until([&] { return begun.load(); });
  bench.hurry = true;
  CHECK_FALSE(bench.stop(*instance));
  CHECK_FALSE(script.destroyed);
  script.host->complete(script.host, call.call->handle(), INVITED_OK);
  settle(bench.io);
  // The thread sits idle for the rest of the process, which is what being left behind means.
}

TEST_CASE("host functions refuse what is no call of this kind") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  auto* nonsense = reinterpret_cast<invited_call*>(std::uintptr_t{12345});
  const auto* role = static_cast<const invited_transport_host*>(script.host->role);
  const invited_verdict verdict{sizeof verdict, INVITED_OK, text("x"), 0, 0, 0, 0, 0, {nullptr, 0}, {nullptr, 0}};
  role->verdict(script.host, nonsense, &verdict);
  CHECK(instance->last_misbehaviour() == "verdict() on a call that is not open or is of another kind");
  script.host->complete(script.host, nonsense, INVITED_OK);
  const invited_error error{sizeof error, INVITED_OK, 0, text("x"), text("")};
  script.host->fail(script.host, nonsense, &error);
  script.host->fail(script.host, nullptr, nullptr);
  CHECK(script.host->deadline_ms(script.host, nonsense) == 0);
  CHECK(script.host->cancelled(script.host, nonsense) == 1);
  CHECK(instance->misbehaviour() == 5);

  Watched call;
  begin(call, instance, [&](invited_call* handle) {
    role->verdict(script.host, handle, &verdict);  // an open call, but not a send
    script.host->complete(script.host, handle, INVITED_OK);
  });
  bench.until([&] { return !call.outcomes.empty(); });
  CHECK(instance->misbehaviour() == 6);
}

TEST_CASE("an instance may be null, but create has to say so") {
  Bench bench;
  static std::atomic<int> destroyed;
  static std::atomic<bool> says;
  destroyed = 0;
  invited_plugin plain = fake::transport;
  plain.create = [](const invited_host*, invited_call*, invited_str, void** ret_self) -> invited_status {
    if (says) *ret_self = nullptr;
    return INVITED_OK;
  };
  plain.destroy = [](void* self) { destroyed += self == nullptr ? 1 : 100; };
  static invited_transport operations = fake::transport_table;
  operations.window = [](void* self) -> std::uint32_t { return self == nullptr ? 7 : 1; };
  plain.operations = &operations;
  Script script;
  SECTION("said") {
    says = true;
    const auto instance = bench.make(script, "one", plain);
    CHECK(instance->window() == 7);
    CHECK(instance->misbehaviour() == 0);
    CHECK(bench.stop(*instance));
    CHECK(destroyed == 1);
  }
  SECTION("not said") {
    says = false;
    const auto instance = bench.prepare(script, "one", plain);
    const auto made = bench.wait(instance->create());
    REQUIRE_FALSE(made);
    CHECK_THAT(made.error().message, Catch::Contains("create() said OK but made nothing"));
    CHECK(bench.stop(*instance));
    CHECK(destroyed == 0);
  }
}

TEST_CASE("who waits for an instance to be made reads after five seconds which one it is") {
  Bench bench;
  Script script;
  Latch latch;
  std::atomic<bool> begun{false};
  script.create = [&](const invited_host*, invited_call*, std::string) -> invited_status {
    begun = true;
    latch.wait();
    return INVITED_OK;
  };
  const auto instance = bench.prepare(script, "one", fake::transport);
  std::optional<core::Result<void>> made;
  const CapturedLog log;
  asio::co_spawn(bench.io, instance->create(),
                 [&](std::exception_ptr, core::Result<void> how) { made = std::move(how); });
  bench.until([&] { return begun.load(); });
  bench.pass(4'999ms);
  CHECK(log.count("Waiting for plugin instance") == 0);
  bench.pass(1ms);
  bench.pass(10s);
  CHECK(log.count("Waiting for plugin instance one to be made") == 1);
  CHECK_THAT(log.text(), Catch::Contains("plugin=fake_transport instance=one"));
  latch.open();
  bench.until([&] { return made.has_value(); });
  REQUIRE(*made);
  // One that is made in time says nothing.
  Script quick;
  const auto other = bench.make(quick, "two");
  bench.pass(10s);
  CHECK(log.count("Waiting for plugin instance") == 1);
}
