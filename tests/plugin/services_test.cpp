// clock/1, secrets/1, routes/1, state/1, schedule/1 and the log, as a plugin calls them.
#include <sys/stat.h>

#include <fstream>

#include "bench.hpp"

using namespace invited;
using namespace invited::test;

namespace {

template <class T>
const T& service(const Script& script, const char* id) {
  const void* table = script.host->service(script.host, id);
  REQUIRE(table != nullptr);
  return *static_cast<const T*>(table);
}

// Runs plugin code on the instance's own thread while the core runs here.
void on_own_thread(Bench& bench, const std::shared_ptr<plugin::Instance>& instance, Script& script,
                   std::function<void()> work) {
  bool done = false;
  instance->start(
      std::make_shared<plugin::Call>("work", 60s),
      [&, work = std::move(work)](invited_call* call) {
        work();
        script.host->complete(script.host, call, INVITED_OK);
      },
      [&](const plugin::Outcome&) { done = true; });
  bench.until([&] { return done && instance->open_calls() == 0; });
}

void append(void* user, invited_str value) {
  static_cast<std::string*>(user)->append("[").append(plugin::view(value)).append("]");
}

void write_file(const std::filesystem::path& file, std::string_view bytes, unsigned mode) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
  ::chmod(file.c_str(), mode);
}

}  // namespace

TEST_CASE("a plugin sees the daemon's clock and no other") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  const auto& clock = service<invited_clock>(script, INVITED_CLOCK_1);
  CHECK(clock.now_ms(script.host) == bench.clock.now().time_since_epoch().count());
  bench.clock.jump_wall(-1h);
  bench.clock.advance(5s);
  CHECK(clock.now_ms(script.host) == bench.clock.now().time_since_epoch().count());
  CHECK(clock.monotonic_ms(script.host) == bench.clock.monotonic().count());
  CHECK(script.host->service(script.host, "invited.teapot/1") == nullptr);
  CHECK(script.host->service(script.host, nullptr) == nullptr);
  CHECK(script.host->service(script.host, INVITED_HTTP_1) == nullptr);  // the bench has no client
}

TEST_CASE("secrets come from the credentials first, without their line end, and from closed files only") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  const auto& secrets = service<invited_secrets>(script, INVITED_SECRETS_1);
  const auto read = [&](std::string_view name) {
    std::string value;
    const invited_status status = secrets.read(script.host, text(name), append, &value);
    return std::pair(status, value);
  };
  write_file(bench.folder / "credentials/secret_smtp", "first\n", 0444);
  write_file(bench.folder / "credentials/smtp", "second", 0444);
  write_file(bench.folder / "credentials/plain", "a\nb\r\n", 0400);
  write_file(bench.folder / "secrets/smtp", "third", 0600);
  write_file(bench.folder / "secrets/local", "fourth\n\n", 0600);
  CHECK(read("smtp") == std::pair(invited_status{INVITED_OK}, std::string("[first]")));
  CHECK(read("plain") == std::pair(invited_status{INVITED_OK}, std::string("[a\nb]")));
  CHECK(read("local") == std::pair(invited_status{INVITED_OK}, std::string("[fourth\n]")));
  CHECK(read("nothing") == std::pair(invited_status{INVITED_BAD_CONFIG}, std::string()));
  write_file(bench.folder / "secrets/open", "x", 0644);
  CHECK(read("open").first == INVITED_BAD_CONFIG);
  write_file(bench.folder / "secrets/full", std::string(plugin::Secrets::max_bytes, 'x'), 0600);
  CHECK(read("full").first == INVITED_OK);
  write_file(bench.folder / "secrets/huge", std::string(plugin::Secrets::max_bytes + 1, 'x'), 0600);
  CHECK(read("huge").first == INVITED_BAD_CONFIG);
  ::mkfifo((bench.folder / "secrets/pipe").c_str(), 0600);
  CHECK(read("pipe").first == INVITED_BAD_CONFIG);
  std::filesystem::create_directory(bench.folder / "secrets/folder");
  CHECK(read("folder").first == INVITED_BAD_CONFIG);
  CHECK(read("").first == INVITED_BAD_CONFIG);
  CHECK(read("../secrets/smtp").first == INVITED_BAD_CONFIG);
  CHECK(read(".hidden").first == INVITED_BAD_CONFIG);
  CHECK(secrets.read(script.host, text("smtp"), nullptr, nullptr) == INVITED_REJECTED);
  CHECK(instance->misbehaviour() == 1);
}

TEST_CASE("an operator reads where a secret was looked for") {
  const plugin::Secrets secrets({"/nowhere/credentials", "/nowhere/secrets"});
  const auto missing = secrets.read("smtp", [](std::string_view) {});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message ==
        "no secret \"smtp\"; looked at /nowhere/credentials/secret_smtp, /nowhere/credentials/smtp, "
        "/nowhere/secrets/smtp");
  CHECK(plugin::Secrets({}).read("smtp", [](std::string_view) {}).error().message ==
        "no secret \"smtp\"; looked at nothing: no folder is configured");
}

TEST_CASE("a source takes routes in create() only; the longest prefix serves") {
  Bench bench;
  Script script;
  std::vector<invited_status> answers;
  script.create = [&](const invited_host* host, invited_call*, std::string) -> invited_status {
    const auto* routes = static_cast<const invited_routes*>(host->service(host, INVITED_ROUTES_1));
    for (const char* prefix :
         {"/scim", "/scim/v2", "/scim", "/i", "/i/below", "/healthz", "relative", "/", "/a//b", "/a/../b", "/a?b"})
      answers.push_back(routes->add(host, invited_cstr(prefix)));
    return INVITED_OK;
  };
  const auto hr = bench.make(script, "hr", fake::source);
  CHECK(answers == std::vector<invited_status>{INVITED_OK, INVITED_OK, INVITED_OK, INVITED_REJECTED, INVITED_REJECTED,
                                               INVITED_REJECTED, INVITED_BAD_CONFIG, INVITED_BAD_CONFIG,
                                               INVITED_BAD_CONFIG, INVITED_BAD_CONFIG, INVITED_BAD_CONFIG});
  CHECK(bench.environment.routes->find("/scim/v2/Users") == "hr");
  CHECK(bench.environment.routes->find("/scim") == "hr");
  CHECK_FALSE(bench.environment.routes->find("/scimitar"));
  CHECK_FALSE(bench.environment.routes->find("/"));

  Script other;
  invited_status taken = INVITED_OK;
  invited_status nested = INVITED_INTERNAL;
  other.create = [&](const invited_host* host, invited_call*, std::string) -> invited_status {
    const auto* routes = static_cast<const invited_routes*>(host->service(host, INVITED_ROUTES_1));
    taken = routes->add(host, invited_cstr("/scim"));
    nested = routes->add(host, invited_cstr("/scim/v2/Groups"));
    return INVITED_OK;
  };
  const auto groups = bench.make(other, "groups", fake::source);
  CHECK(taken == INVITED_REJECTED);
  CHECK(nested == INVITED_OK);
  CHECK(bench.environment.routes->find("/scim/v2/Groups/7") == "groups");

  invited_status late = INVITED_OK;
  on_own_thread(bench, hr, script,
                [&] { late = service<invited_routes>(script, INVITED_ROUTES_1).add(script.host, text("/late")); });
  CHECK(late == INVITED_REJECTED);
  CHECK(hr->misbehaviour() == 1);
  Script mail;
  const auto transport = bench.make(mail, "smarthost", fake::transport);
  CHECK(service<invited_routes>(mail, INVITED_ROUTES_1).add(mail.host, text("/x")) == INVITED_UNSUPPORTED);
  CHECK(bench.stop(*groups));
  CHECK(bench.environment.routes->find("/scim/v2/Groups/7") == "hr");
}

TEST_CASE("state is kept per instance and waits for the store") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script, "hr", fake::source);
  const auto& state = service<invited_state>(script, INVITED_STATE_1);
  std::vector<invited_status> answers;
  std::string seen;
  on_own_thread(bench, instance, script, [&] {
    answers.push_back(state.get(script.host, text("etag"), append, &seen));
    answers.push_back(state.put(script.host, text("etag"), text("W/1")));
    answers.push_back(state.get(script.host, text("etag"), append, &seen));
    answers.push_back(state.put(script.host, text("empty"), text("")));
    answers.push_back(state.get(script.host, text("empty"), append, &seen));
    answers.push_back(state.remove(script.host, text("etag")));
    answers.push_back(state.get(script.host, text("etag"), append, &seen));
  });
  CHECK(answers == std::vector<invited_status>(7, INVITED_OK));
  CHECK(seen == "[W/1][]");
  CHECK(bench.state.values == std::map<std::string, std::string>{{"source/hr empty", ""}});

  answers.clear();
  on_own_thread(bench, instance, script, [&] {
    answers.push_back(state.put(script.host, text(""), text("x")));
    answers.push_back(state.put(script.host, text(std::string(201, 'k')), text("x")));
    answers.push_back(state.put(script.host, text("k"), text(std::string(64 * 1024 + 1, 'v'))));
    answers.push_back(state.put(script.host, text(std::string(200, 'k')), text(std::string(64 * 1024, 'v'))));
  });
  CHECK(answers == std::vector<invited_status>{INVITED_REJECTED, INVITED_REJECTED, INVITED_REJECTED, INVITED_OK});

  bench.state.broken = true;
  answers.clear();
  on_own_thread(bench, instance, script, [&] { answers.push_back(state.put(script.host, text("k"), text("v"))); });
  CHECK(answers == std::vector<invited_status>{INVITED_RETRY});
  // On the core thread it would wait for itself.
  CHECK(state.get(script.host, text("k"), append, &seen) == INVITED_REJECTED);
  CHECK(instance->misbehaviour() == 1);
}

TEST_CASE("state may be read in create() and written in destroy()") {
  Bench bench;
  Script script;
  std::string seen;
  bench.state.values["transport/one token"] = "abc";
  script.create = [&](const invited_host* host, invited_call*, std::string) -> invited_status {
    const auto* state = static_cast<const invited_state*>(host->service(host, INVITED_STATE_1));
    return state->get(host, invited_cstr("token"), append, &seen);
  };
  invited_status last = INVITED_INTERNAL;
  script.destroy = [&] {
    const auto* state = static_cast<const invited_state*>(script.host->service(script.host, INVITED_STATE_1));
    last = state->put(script.host, invited_cstr("token"), invited_cstr("def"));
  };
  const auto instance = bench.make(script);
  CHECK(seen == "[abc]");
  CHECK(bench.stop(*instance));
  CHECK(last == INVITED_OK);
  CHECK(bench.state.values["transport/one token"] == "def");
}

TEST_CASE("a scheduled function runs once on the own thread at its time, unless cancelled before") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  const auto& schedule = service<invited_schedule>(script, INVITED_SCHEDULE_1);
  struct Ring {
    std::atomic<int> count{0};
    std::thread::id thread;
  } first, second, third;
  const auto run = [](void* user) {
    static_cast<Ring*>(user)->thread = std::this_thread::get_id();
    ++static_cast<Ring*>(user)->count;
  };
  std::uint64_t first_id = 0;
  std::uint64_t second_id = 0;
  std::uint64_t third_id = 0;
  REQUIRE(schedule.after(script.host, 1000, run, &first, &first_id) == INVITED_OK);
  REQUIRE(schedule.after(script.host, 1000, run, &second, &second_id) == INVITED_OK);
  REQUIRE(schedule.after(script.host, -5, run, &third, &third_id) == INVITED_OK);
  CHECK(first_id != 0);
  CHECK(first_id != second_id);
  bench.until([&] { return third.count == 1; });
  CHECK(schedule.cancel(script.host, third_id) == INVITED_REJECTED);
  CHECK(schedule.cancel(script.host, second_id) == INVITED_OK);
  bench.pass(999ms);
  std::thread::id own;
  on_own_thread(bench, instance, script, [&] { own = std::this_thread::get_id(); });
  CHECK(first.count == 0);
  bench.pass(1ms);
  bench.until([&] { return first.count == 1; });
  CHECK(first.thread == own);
  bench.pass(1h);
  on_own_thread(bench, instance, script, [] {});
  CHECK(first.count == 1);
  CHECK(second.count == 0);
  CHECK(schedule.after(script.host, 1, nullptr, nullptr, &first_id) == INVITED_REJECTED);
}

TEST_CASE("a function scheduled at a time of day follows the clock when that is set") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  const auto& schedule = service<invited_schedule>(script, INVITED_SCHEDULE_1);
  std::atomic<int> rung{0};
  const auto run = [](void* user) { ++*static_cast<std::atomic<int>*>(user); };
  std::uint64_t id = 0;
  const std::int64_t at = (bench.clock.now() + 2h).time_since_epoch().count();
  REQUIRE(schedule.at(script.host, at, run, &rung, &id) == INVITED_OK);
  bench.pass(1h);
  on_own_thread(bench, instance, script, [] {});
  CHECK(rung == 0);
  bench.clock.jump_wall(1h);
  bench.pass(10s);
  bench.until([&] { return rung == 1; });
}

TEST_CASE("ten thousand functions may wait, and none runs after stop") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  const auto& schedule = service<invited_schedule>(script, INVITED_SCHEDULE_1);
  std::atomic<int> rung{0};
  const auto run = [](void* user) { ++*static_cast<std::atomic<int>*>(user); };
  std::uint64_t id = 0;
  for (int i = 0; i < 10'000; ++i) REQUIRE(schedule.after(script.host, 1000, run, &rung, &id) == INVITED_OK);
  CHECK(schedule.after(script.host, 1000, run, &rung, &id) == INVITED_REJECTED);
  CHECK(bench.stop(*instance));
  bench.pass(1h);
  CHECK(rung == 0);
}

TEST_CASE("a scheduled function that throws harms nobody") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  const auto& schedule = service<invited_schedule>(script, INVITED_SCHEDULE_1);
  std::uint64_t id = 0;
  REQUIRE(schedule.after(script.host, 0, [](void*) { throw 1; }, nullptr, &id) == INVITED_OK);
  bench.until([&] { return instance->misbehaviour() == 1; });
  CHECK(instance->last_misbehaviour() == "a function given to schedule/1 threw");
}

TEST_CASE("a plugin's log line can be of any content and level") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script);
  const invited_pair fields[] = {{text("key"), text("line\nfeed\x1b[31m")}, {text("null"), {nullptr, 5}}};
  script.host->log(script.host, INVITED_LOG_INFO, text("hello \xff"), fields, 2);
  script.host->log(script.host, 99, text(std::string(100'000, 'x')), nullptr, 3);
  CHECK(script.host->log_enabled(script.host, INVITED_LOG_ERROR) == 1);
  CHECK(script.host->log_enabled(script.host, INVITED_LOG_DEBUG) == 0);
  CHECK(instance->misbehaviour() == 0);
}
