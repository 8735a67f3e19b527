#include <catch2/catch.hpp>
#include <stdexcept>
#include <thread>

#include "fake_host.hpp"

using Catch::Matchers::Contains;
using invited::Failure;
using invited::Status;

namespace {
Status status_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Failure& failure) {
    return failure.error().status;
  }
  return Status::ok;
}

void answer(invited_http_done done, void* user, std::int32_t status, std::string_view body) {
  const invited_pair header{invited::borrow("etag"), invited::borrow("\"1\"")};
  invited_http_response response{};
  response.struct_size = sizeof response;
  response.http_status = status;
  response.headers = &header;
  response.header_count = 1;
  response.body = invited::borrow(body);
  done(user, INVITED_OK, &response, nullptr);
}

void refuse(invited_http_done done, void* user, invited_status status, std::string_view message) {
  invited_error error{};
  error.struct_size = sizeof error;
  error.status = status;
  error.message = invited::borrow(message);
  error.retry_after_s = 9;
  done(user, status, nullptr, &error);
}
}  // namespace

TEST_CASE("a service that the daemon lacks is a Failure that names it") {
  fake::Host fake;
  const invited::Host host(fake.raw());
  CHECK_FALSE(host.offers(INVITED_HTTP_1));
  CHECK(status_of([&] { static_cast<void>(host.http()); }) == Status::unsupported);
  CHECK(status_of([&] { static_cast<void>(host.clock()); }) == Status::unsupported);
  CHECK_THROWS_WITH(host.state(), Contains("invited.state/1"));
}

TEST_CASE("log lines carry their details") {
  fake::Host fake;
  const invited::Host host(fake.raw());
  host.log(invited::LogLevel::warning, "refused", {{"server", "mx"}, {"code", "550"}});
  CHECK(fake.lines == std::vector<std::string>{"2 refused server=mx code=550"});
  CHECK_FALSE(host.log_enabled(invited::LogLevel::debug));
  CHECK(host.log_enabled(invited::LogLevel::error));
}

TEST_CASE("secrets are handed to a function, and its exceptions come back") {
  fake::Host fake;
  fake.offer_all();
  const invited::Host host(fake.raw());
  std::string seen;
  host.secrets().read("token", [&](std::string_view value) { seen = value; });
  CHECK(seen == "s3cret");
  CHECK(status_of([&] { host.secrets().read("absent", [](std::string_view) {}); }) == Status::bad_config);
  CHECK_THROWS_WITH(host.secrets().read("token", [](std::string_view) { throw std::logic_error("no"); }), "no");
}

TEST_CASE("state is kept, read back and removed") {
  fake::Host fake;
  fake.offer_all();
  const invited::State state = invited::Host(fake.raw()).state();
  CHECK(state.get("etag") == std::nullopt);
  state.put("etag", "");
  CHECK(state.get("etag") == "");
  state.put("etag", "x");
  CHECK(state.get("etag") == "x");
  state.remove("etag");
  CHECK(state.get("etag") == std::nullopt);
  CHECK(status_of([&] { state.put("big", std::string(70'000, 'x')); }) == Status::rejected);
}

TEST_CASE("clock and routes are passed through") {
  fake::Host fake;
  fake.offer_all();
  const invited::Host host(fake.raw());
  CHECK(host.clock().now_ms() == 1'000'000);
  CHECK(host.clock().monotonic_ms() == 999'995);
  host.routes().add("/scim");
  CHECK(fake.routes == std::vector<std::string>{"/scim"});
  CHECK(status_of([&] { host.routes().add("scim"); }) == Status::bad_config);
}

TEST_CASE("an HTTP request goes out whole and its answer comes back whole") {
  fake::Host fake;
  fake.offer_all();
  const invited::Http http = invited::Host(fake.raw()).http();
  fake.http = [](const invited_http_request& request, invited_http_done done, void* user) {
    CHECK(invited::view(request.url) == "https://id.example/users");
    CHECK(invited::view(request.method) == "POST");
    CHECK(invited::view(request.body) == "{}");
    REQUIRE(request.header_count == 1);
    CHECK(invited::view(request.headers[0].key) == "accept");
    CHECK(request.timeout_ms == 500);
    CHECK(request.max_response_bytes == 1000);
    answer(done, user, 503, "busy");
  };
  const invited::HttpRequest request{.url = "https://id.example/users",
                                     .method = "POST",
                                     .headers = {{"accept", "*/*"}},
                                     .body = "{}",
                                     .timeout_ms = 500,
                                     .max_response_bytes = 1000};
  const invited::HttpResult waited = http.send(request);
  CHECK(waited.ok());
  CHECK(waited.response.status == 503);
  CHECK(waited.response.body == "busy");
  CHECK(waited.response.header("etag") == "\"1\"");
  CHECK(waited.response.header("date").empty());

  std::optional<invited::HttpResult> started;
  http.start(request, [&](invited::HttpResult result) { started.emplace(std::move(result)); });
  REQUIRE(started);
  CHECK(started->response.status == 503);
}

TEST_CASE("an HTTP request without an answer says what happened") {
  fake::Host fake;
  fake.offer_all();
  const invited::Http http = invited::Host(fake.raw()).http();
  fake.http = [](const invited_http_request&, invited_http_done done, void* user) {
    refuse(done, user, INVITED_UNKNOWN, "connection reset");
  };
  const invited::HttpResult result = http.send({.url = "https://id.example"});
  CHECK_FALSE(result.ok());
  CHECK(result.error.status == Status::unknown);
  CHECK(result.error.message == "connection reset");
  CHECK(result.error.retry_after_s == 9);
}

TEST_CASE("a receiver of an HTTP answer may throw, and may run on another thread") {
  fake::Host fake;
  fake.offer_all();
  const invited::Http http = invited::Host(fake.raw()).http();
  std::thread other;
  fake.http = [&](const invited_http_request&, invited_http_done done, void* user) {
    other = std::thread([done, user] { answer(done, user, 200, ""); });
  };
  http.start({.url = "https://id.example"}, [](const invited::HttpResult&) { throw std::runtime_error("ouch"); });
  other.join();
  CHECK(fake.logged("ouch"));
}

TEST_CASE("a request that cannot be started is a Failure, and its receiver is never called") {
  fake::Host fake;
  fake.offer_all();
  const invited::Http http = invited::Host(fake.raw()).http();
  bool called = false;
  CHECK(status_of([&] {
          http.start({.url = "https://id.example"}, [&](const invited::HttpResult&) { called = true; });
        }) == Status::cancelled);
  CHECK_FALSE(called);
}

TEST_CASE("a timer runs its function once, unless it is destroyed before") {
  fake::Host fake;
  fake.offer_all();
  const invited::Schedule schedule = invited::Host(fake.raw()).schedule();
  int runs = 0;
  invited::Timer timer = schedule.after(500, [&] { ++runs; });
  CHECK(timer.pending());
  CHECK(fake.scheduled.begin()->second.when_ms == 500);

  SECTION("runs") {
    fake.run_scheduled();
    CHECK(runs == 1);
    CHECK_FALSE(timer.pending());
    timer.cancel();
  }
  SECTION("is called off") {
    timer.cancel();
    CHECK(fake.scheduled.empty());
    CHECK_FALSE(timer.pending());
    CHECK(runs == 0);
  }
  SECTION("is called off when it is already on its way") {
    fake.cancel_comes_too_late = true;
    timer.cancel();
    fake.run_scheduled();
    CHECK(runs == 0);
  }
  SECTION("is replaced") {
    timer = schedule.at(9, [&] { runs += 10; });
    CHECK(fake.scheduled.size() == 1);
    fake.run_scheduled();
    CHECK(runs == 10);
  }
  SECTION("replaces itself from inside") {
    timer = schedule.after(1, [&] { timer = schedule.after(2, [&] { ++runs; }); });
    fake.run_scheduled();
    CHECK(runs == 1);
  }
  SECTION("throws") {
    timer = schedule.after(1, [] { throw std::runtime_error("tick"); });
    fake.run_scheduled();
    CHECK(fake.logged("tick"));
  }
  SECTION("is refused") {
    const invited::Timer second = schedule.after(1, [] {});
    CHECK(status_of([&] { static_cast<void>(schedule.after(1, [] {})); }) == Status::rejected);
  }
}
