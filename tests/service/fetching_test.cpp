// Sources are read to their end and told so, whatever comes in between; what is pushed leaves a trace.
#include "service/fetching.hpp"

#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "store/meta.hpp"
#include "support/captured_log.hpp"

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using Words = std::vector<std::string>;

namespace {

model::SourceItem item(const std::string& id) {
  return model::SourceRecord{{{"user_id", id}, {"name", "Person " + id}}, 0};
}

// Gives what `pages` says for a cursor.
class PagedSource final : public model::Source {
public:
  std::function<model::Fetched(const std::string& cursor, std::vector<model::SourceItem>& items)> page;
  std::unique_ptr<core::Wakeup> held;  // not null: a fetch waits for it
  core::Clock* clock = nullptr;
  std::string refuses;  // the code of the error that finish() answers
  Words calls;

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] const std::string& plugin() const override { return name_; }
  [[nodiscard]] bool can_fetch() const override { return true; }
  [[nodiscard]] bool takes(std::string_view) const override { return false; }
  [[nodiscard]] core::Milliseconds interval() const override { return core::Milliseconds{60'000}; }
  model::awaitable<core::Result<model::Fetched>> fetch(std::string cursor, model::SourceSink sink) override {
    calls.push_back("fetch " + cursor);
    if (held) co_await held->wait_for(*clock, std::chrono::hours(1));
    std::vector<model::SourceItem> items;
    model::Fetched fetched = page(cursor, items);
    fetched.items = items.size();
    co_await sink(std::move(items));
    co_return fetched;
  }
  model::awaitable<core::Result<void>> finish(std::string cursor, std::vector<model::RowResult> given) override {
    std::string said = "finish " + cursor;
    for (const auto& row : given) said += " " + row.result();
    calls.push_back(std::move(said));
    if (!refuses.empty()) co_return core::fail(core::ErrorKind::unavailable, refuses, "The folder is read-only.");
    co_return core::Result<void>{};
  }
  model::awaitable<core::Result<model::SourceReply>> handle(model::SourcePush, model::SourceSink) override {
    co_return core::fail(core::ErrorKind::conflict, "plugin_unsupported", "No pushes.");
  }
  void on_change(std::function<void()> hint) override { changed = std::move(hint); }
  std::function<void()> changed;

private:
  std::string name_ = "hr";
};

// One page with one person, then nothing.
PagedSource one_page() {
  PagedSource source;
  source.page = [](const std::string& cursor, std::vector<model::SourceItem>& items) {
    model::Fetched fetched;
    fetched.cursor = "1";
    if (cursor != "1") items.push_back(item("anna"));
    return fetched;
  };
  return source;
}

struct Reading {
  Bench b;
  PagedSource source = one_page();
  std::optional<service::Fetching> fetching;

  Reading() { restart(); }
  void restart() {
    fetching.emplace(*b.store, b.clock, b.io.get_executor(), b.intake, b.batches, b.gate,
                     std::vector<model::Source*>{&source});
  }
  core::Result<service::SyncDone> sync() { return b.go(fetching->sync("hr", {})); }
  core::Result<model::SourceReply> serve(core::Result<model::SourceReply> reply, const Words& ids) {
    return b.go(fetching->serve("hr", [reply, ids](model::SourceSink sink) { return answer(reply, ids, sink); }));
  }

private:
  static model::awaitable<core::Result<model::SourceReply>> answer(core::Result<model::SourceReply> reply, Words ids,
                                                                   model::SourceSink sink) {
    std::vector<model::SourceItem> items;
    for (const auto& id : ids) items.push_back(item(id));
    if (!items.empty()) co_await sink(std::move(items));
    co_return reply;
  }
};

core::Result<model::SourceReply> reply_error(const std::string& why) {
  return core::fail(core::ErrorKind::unavailable, "plugin_retry", why);
}

}  // namespace

TEST_CASE("nothing leaves while somebody else's dry run keeps a source from being read for the first time") {
  Reading r;
  r.source.clock = &r.b.clock;
  r.source.held = std::make_unique<core::Wakeup>(r.b.io.get_executor());
  bool over = false;
  boost::asio::co_spawn(r.b.io, r.fetching->sync("hr", {}, true),
                        [&](std::exception_ptr, core::Result<service::SyncDone>) { over = true; });
  settle(r.b.io);
  core::TaskScope scope(r.b.io.get_executor(), {});
  r.fetching->start(scope);
  for (int i = 0; i < 3; ++i) {
    settle(r.b.io);
    CHECK_FALSE(r.b.gate.open());
    r.b.clock.advance(1s);
  }
  const auto held = std::exchange(r.source.held, nullptr);
  held->ring();
  settle(r.b.io);
  CHECK(over);
  CHECK_FALSE(r.b.gate.open());
  r.b.clock.advance(1s);
  settle(r.b.io);
  CHECK(r.b.gate.open());
  CHECK(r.b.user("anna"));
  scope.stop();
  settle(r.b.io);
}

namespace {
// Has a file that is still being written.
struct Writing : Reading {
  Writing() : scope(b.io.get_executor(), {}) {
    source.page = [this](const std::string& cursor, std::vector<model::SourceItem>& items) {
      model::Fetched fetched;
      fetched.cursor = is_whole ? "1" : cursor;
      fetched.soon = !is_whole;
      if (is_whole && cursor != "1") items.push_back(item("anna"));
      return fetched;
    };
    fetching->start(scope);
    settle(b.io);
  }
  ~Writing() {
    scope.stop();
    settle(b.io);
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  void later(core::Milliseconds by) {
    b.clock.advance(by);
    settle(b.io);
  }

  core::TaskScope scope;
  bool is_whole = false;
};
}  // namespace

TEST_CASE("W11: what a source cannot read yet at the start is waited for before anything leaves") {
  Writing r;
  for (int i = 0; i < 2; ++i) {
    r.source.changed();
    r.later(1s);
    CHECK_FALSE(r.b.gate.open());
  }
  r.is_whole = true;
  r.source.changed();
  settle(r.b.io);
  CHECK(r.b.gate.open());
  CHECK(r.b.user("anna"));
}

TEST_CASE("W11: what a source cannot read for half a minute holds up nobody any longer, and is told") {
  const CapturedLog log;
  Writing r;
  r.later(29'999ms);
  CHECK_FALSE(r.b.gate.open());
  CHECK(log.count("source.failed") == 0);
  r.later(1ms);
  CHECK(r.b.gate.open());
  CHECK(log.count("source.failed") == 1);
  // Read all the same when it can be.
  r.is_whole = true;
  r.source.changed();
  settle(r.b.io);
  CHECK(r.b.user("anna"));
}

TEST_CASE("a source that could not settle its side is asked again before it is read on") {
  Reading r;
  r.source.refuses = "plugin_retry";
  REQUIRE_FALSE(r.sync());
  CHECK(store::meta::cursor(*r.b.db, "hr") == "1");
  SECTION("with the same results") {
    REQUIRE_FALSE(r.sync());
    r.source.refuses.clear();
    REQUIRE(r.sync());
    CHECK(r.source.calls ==
          Words{"fetch ", "finish 1 created", "finish 1 created", "finish 1 created", "fetch 1", "finish 1"});
  }
  SECTION("also after a restart, which forgot the results") {
    r.restart();
    r.source.refuses.clear();
    REQUIRE(r.sync());
    r.restart();
    REQUIRE(r.sync());
    CHECK(r.source.calls ==
          Words{"fetch ", "finish 1 created", "finish 1", "fetch 1", "finish 1", "fetch 1", "finish 1"});
  }
  SECTION("unless it says that it never will") {
    r.source.refuses = "plugin_rejected";
    REQUIRE_FALSE(r.sync());
    r.source.refuses.clear();
    REQUIRE(r.sync());
    CHECK(r.source.calls == Words{"fetch ", "finish 1 created", "finish 1 created", "fetch 1", "finish 1"});
  }
}

TEST_CASE("a source that says it has more and gives the same again is left until its next turn") {
  Reading r;
  int left = 3;
  SECTION("with its cursor where it was") {
    r.source.page = [](const std::string&, std::vector<model::SourceItem>& items) {
      items.push_back(item("anna"));
      model::Fetched fetched;
      fetched.more = true;
      return fetched;
    };
    REQUIRE(r.sync());
    CHECK(r.source.calls == Words{"fetch ", "finish  created", "fetch ", "finish  unchanged"});
  }
  SECTION("but not one whose records are others") {
    r.source.page = [&left](const std::string&, std::vector<model::SourceItem>& items) {
      items.push_back(item(std::to_string(left)));
      model::Fetched fetched;
      fetched.more = --left > 0;
      return fetched;
    };
    REQUIRE(r.sync());
    CHECK(r.source.calls.size() == 6);
    CHECK(left == 0);
  }
}

TEST_CASE("what comes over a plugin's route is applied, counted and leaves a trace") {
  Reading r;
  int applied = 0;
  r.fetching->on_applied([&] { ++applied; });
  const CapturedLog log;
  model::SourceReply good;
  good.status = 201;
  Words ids{"anna", "bo"};
  for (int i = 0; i < 25; ++i) ids.emplace_back();  // no user-id: refused
  const auto reply = r.serve(good, ids);
  REQUIRE(reply);
  CHECK(reply->status == 201);
  CHECK(r.b.user("bo"));
  CHECK(applied == 1);
  CHECK(r.fetching->status().at(0).rows == 27);
  CHECK_THAT(log.text(), Contains("source.fetched Pushed records applied source=hr rows=27 rejected=25"));
  CHECK(log.count("source.row_refused") == 20);
  REQUIRE(r.serve(good, {}));  // a question, not a push
  CHECK(log.count("source.fetched") == 1);
  CHECK(applied == 1);
  CHECK(r.b.go(r.fetching->serve("nowhere", {})).error().code == "unknown_source");
}

TEST_CASE("a route that cannot answer is told once, shows in the status, and is well again when it answers") {
  Reading r;
  const CapturedLog log;
  model::SourceReply good;
  for (int i = 0; i < 3; ++i) CHECK_FALSE(r.serve(reply_error("The directory is away."), {}));
  CHECK(log.count("source.failed") == 1);
  CHECK_THAT(log.text(), Contains("The directory is away."));
  CHECK(r.fetching->status().at(0).trouble == "The directory is away.");
  REQUIRE(r.serve(good, {}));
  CHECK(r.fetching->status().at(0).trouble.empty());
  CHECK_FALSE(r.serve(reply_error("The directory is away."), {}));
  CHECK(log.count("source.failed") == 2);
}
