#include <catch2/catch.hpp>
#include <stdexcept>
#include <thread>

#include "fake_host.hpp"

using Catch::Matchers::Contains;
using invited::Error;
using invited::Failure;
using invited::Json;
using invited::Status;

namespace {

// A source whose operations are given by the test.
class Source : public invited::AsyncSource {
public:
  Source(invited::Host host, const Json&) : host_(host) {}
  void fetch(std::string_view cursor, invited::FetchCall call) override { on_fetch(cursor, std::move(call)); }
  void finish(invited::Report, invited::Completion call) override { on_finish(std::move(call)); }
  void cancel(invited::CallId call) noexcept override { cancelled = call; }

  std::function<void(std::string_view, invited::FetchCall)> on_fetch;
  std::function<void(invited::Completion)> on_finish;
  invited::CallId cancelled{};
  invited::Host host_;
};
using SourceInstance = fake::Instance<Source, invited_source>;

fake::Call& fetch(fake::Host& host, const SourceInstance& source, std::string_view cursor = {}) {
  return host.operation(
      [&](invited_call* call) { source.operations().fetch(source.self(), call, invited::borrow(cursor)); });
}

template <class Thrown>
class ThrowsWhenMade : public invited::BlockingSource {
public:
  ThrowsWhenMade(invited::Host, const Json& config) { Thrown::thrown(config); }
};

struct PlainException {
  static void thrown(const Json&) { throw std::runtime_error("no such luck"); }
};
struct Refusal {
  static void thrown(const Json&) { throw Failure(Status::bad_config, "must be https", "/url"); }
};
struct WrongKind {
  static void thrown(const Json& config) { static_cast<void>(config.at("url").as_text()); }
};
struct NoException {
  static void thrown(const Json&) { throw 42; }
};
struct FailureThatSaysOk {
  static void thrown(const Json&) { throw Failure(Status::ok, "contradiction"); }
};

}  // namespace

TEST_CASE("a constructor that throws refuses the instance with its words") {
  fake::Host host;
  SECTION("any exception is internal") {
    const fake::Instance<ThrowsWhenMade<PlainException>, invited_source> made(host);
    CHECK(made.status() == INVITED_INTERNAL);
    CHECK(made.message() == "no such luck");
  }
  SECTION("a Failure keeps status and field") {
    const fake::Instance<ThrowsWhenMade<Refusal>, invited_source> made(host);
    CHECK(made.status() == INVITED_BAD_CONFIG);
    CHECK(made.message() == "must be https");
    CHECK(made.field() == "/url");
  }
  SECTION("a config of the wrong kind is a bad config") {
    const fake::Instance<ThrowsWhenMade<WrongKind>, invited_source> made(host, R"({"url":7})");
    CHECK(made.status() == INVITED_BAD_CONFIG);
    CHECK(made.message() == "must be text");
  }
  SECTION("a config that is no JSON is a bad config") {
    const fake::Instance<ThrowsWhenMade<WrongKind>, invited_source> made(host, "{");
    CHECK(made.status() == INVITED_BAD_CONFIG);
  }
  SECTION("what is no exception is internal") {
    const fake::Instance<ThrowsWhenMade<NoException>, invited_source> made(host);
    CHECK(made.status() == INVITED_INTERNAL);
    CHECK_THAT(made.message(), Contains("no std::exception"));
  }
  SECTION("a failure is never OK") {
    const fake::Instance<ThrowsWhenMade<FailureThatSaysOk>, invited_source> made(host);
    CHECK(made.status() == INVITED_INTERNAL);
  }
}

TEST_CASE("an operation that throws fails its call once, with its words") {
  fake::Host host;
  const SourceInstance source(host);
  SECTION("any exception is internal") {
    source.object().on_fetch = [](std::string_view, invited::FetchCall) { throw std::runtime_error("broken pipe"); };
    const fake::Call& call = fetch(host, source);
    CHECK(call.completions == 1);
    CHECK(call.status == INVITED_INTERNAL);
    CHECK(call.message == "broken pipe");
    CHECK(call.touched_after_end == 0);
  }
  SECTION("a Failure keeps everything it says") {
    source.object().on_fetch = [](std::string_view, invited::FetchCall) {
      throw Failure(Status::retry, "busy", "/url", 30);
    };
    const fake::Call& call = fetch(host, source);
    CHECK(call.completions == 1);
    CHECK(call.status == INVITED_RETRY);
    CHECK(call.error_status == INVITED_RETRY);
    CHECK(call.field == "/url");
    CHECK(call.retry_after_s == 30);
  }
  SECTION("what is no exception is internal") {
    source.object().on_fetch = [](std::string_view, invited::FetchCall) { throw 42; };
    CHECK(fetch(host, source).status == INVITED_INTERNAL);
  }
  SECTION("a Failure that says OK is not a success") {
    source.object().on_fetch = [](std::string_view, invited::FetchCall) { throw Failure(Status::ok, "?"); };
    CHECK(fetch(host, source).status == INVITED_INTERNAL);
  }
}

TEST_CASE("a call that is completed and then throws is completed once, and the exception is logged") {
  fake::Host host;
  const SourceInstance source(host);
  source.object().on_fetch = [](std::string_view, invited::FetchCall call) {
    call.done({.cursor = "7"});
    throw std::runtime_error("too late");
  };
  const fake::Call& call = fetch(host, source);
  CHECK(call.completions == 1);
  CHECK(call.status == INVITED_OK);
  CHECK(call.cursor == "7");
  CHECK(call.message.empty());
  CHECK(call.touched_after_end == 0);
  CHECK(host.logged("too late"));
}

TEST_CASE("a completion that is dropped fails the call instead of hanging the daemon") {
  fake::Host host;
  const SourceInstance source(host);
  source.object().on_fetch = [](std::string_view, invited::FetchCall) {};
  const fake::Call& call = fetch(host, source);
  CHECK(call.completions == 1);
  CHECK(call.status == INVITED_INTERNAL);
  CHECK_THAT(call.message, Contains("without completing"));
}

TEST_CASE("a call that is kept stays open until it is completed, and is not touched after") {
  fake::Host host;
  const SourceInstance source(host);
  std::optional<invited::FetchCall> kept;
  source.object().on_fetch = [&](std::string_view, invited::FetchCall call) { kept.emplace(std::move(call)); };
  fake::Call& call = fetch(host, source);
  CHECK(call.completions == 0);
  CHECK(kept->open());
  call.deadline_ms = 99;
  CHECK(kept->deadline_ms() == 99);
  CHECK_FALSE(kept->cancelled());
  call.cancelled = true;
  CHECK(kept->cancelled());
  CHECK(kept->id() == invited::CallId{reinterpret_cast<std::uintptr_t>(call.raw())});

  kept->done({.cursor = "9", .more = true, .settle = true});
  CHECK(call.completions == 1);
  CHECK(call.cursor == "9");
  CHECK(call.more);
  CHECK(call.settle);

  SECTION("a second completion is ignored and logged") {
    kept->done({.cursor = "10"});
    kept->fail({Status::retry, "no"});
    CHECK(call.completions == 1);
    CHECK(call.cursor == "9");
    CHECK(host.logged("completed twice"));
  }
  SECTION("nothing else reaches the host either") {
    CHECK_FALSE(kept->emit(invited::Record(1)));
    kept->reject_row(1, "a", "b", "c");
    CHECK(kept->deadline_ms() == 0);
    CHECK(kept->cancelled());
  }
  kept.reset();
  CHECK(call.completions == 1);
  CHECK(call.touched_after_end == 0);
}

TEST_CASE("whoever holds the completion ends the call, though the operation threw") {
  fake::Host host;
  const SourceInstance source(host);
  std::optional<invited::FetchCall> kept;
  source.object().on_fetch = [&](std::string_view, invited::FetchCall call) {
    kept.emplace(std::move(call));
    throw Failure(Status::retry, "after handing it over");
  };
  const fake::Call& call = fetch(host, source);
  CHECK(call.completions == 0);
  SECTION("well") {
    kept->done({.cursor = "ok"});
    CHECK(call.status == INVITED_OK);
  }
  SECTION("or not at all: then the exception is the reason") {
    kept.reset();
    CHECK(call.status == INVITED_RETRY);
    CHECK(call.message == "after handing it over");
  }
  kept.reset();
  CHECK(call.completions == 1);
  CHECK(call.touched_after_end == 0);
}

TEST_CASE("completing on another thread while the operation still runs, or throws, is safe") {
  fake::Host host;
  const SourceInstance source(host);
  for (int round = 0; round < 200; ++round) {
    std::thread other;
    source.object().on_fetch = [&](std::string_view, invited::FetchCall call) {
      other = std::thread([call = std::move(call)]() mutable { call.done({.cursor = "there"}); });
      if (round % 2 == 1) throw std::runtime_error("here");
    };
    const fake::Call& call = fetch(host, source);
    other.join();
    CHECK(call.completions == 1);
    CHECK(call.status == INVITED_OK);
    CHECK(call.cursor == "there");
    CHECK(call.touched_after_end == 0);
  }
}

TEST_CASE("two threads that complete the same call complete it once") {
  fake::Host host;
  const SourceInstance source(host);
  for (int round = 0; round < 200; ++round) {
    std::shared_ptr<invited::Completion> shared;
    source.object().on_finish = [&](invited::Completion call) {
      shared = std::make_shared<invited::Completion>(std::move(call));
    };
    const invited_report report{sizeof report, 0, {}, nullptr, 0};
    const fake::Call& call =
        host.operation([&](invited_call* raw) { source.operations().finish(source.self(), raw, &report); });
    std::thread first([shared] { shared->done(); });
    std::thread second([shared] { shared->fail({Status::rejected, "no"}); });
    first.join();
    second.join();
    shared.reset();
    CHECK(call.completions == 1);
  }
}

TEST_CASE("a source that was told to stop ends as cancelled, whatever it says later") {
  fake::Host host;
  host.stop_after_rows = 2;
  const SourceInstance source(host);
  int emitted = 0;
  source.object().on_fetch = [&](std::string_view, invited::FetchCall call) {
    for (int i = 0; i < 5; ++i) emitted += call.emit(invited::Record(i)) ? 1 : 0;
    call.done({.cursor = "end"});
  };
  const fake::Call& call = fetch(host, source);
  CHECK(emitted == 2);
  CHECK(call.status == INVITED_CANCELLED);
  CHECK(call.cursor == "none");
}

TEST_CASE("a cancel hint reaches an asynchronous plugin with the call it is about") {
  fake::Host host;
  const SourceInstance source(host);
  fake::Call& call = host.call();
  REQUIRE(source.plugin().cancel != nullptr);
  source.plugin().cancel(source.self(), call.raw());
  CHECK(source.object().cancelled == invited::CallId{reinterpret_cast<std::uintptr_t>(call.raw())});
}

TEST_CASE("the order of fail and complete is fail first, and fail says OK never") {
  fake::Host host;
  const SourceInstance source(host);
  source.object().on_fetch = [](std::string_view, invited::FetchCall call) {
    call.fail(Error{Status::ok, "nonsense", {}, 0});
  };
  const fake::Call& call = fetch(host, source);
  CHECK(call.status == INVITED_INTERNAL);
  CHECK(call.message == "nonsense");
}

TEST_CASE("an operation that runs out of memory for its own bookkeeping still ends its call") {
  fake::Host host;
  fake::Call& call = host.call();
  invited::detail::run_call(host.raw(), call.raw(), [](const invited::detail::CallPtr&) { throw std::bad_alloc(); });
  CHECK(call.completions == 1);
  CHECK(call.status == INVITED_INTERNAL);
}
