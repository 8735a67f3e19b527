// Records: in order, with back-pressure, all or nothing.
#include "bench.hpp"

using namespace invited;
using namespace invited::test;
using model::BadRow;
using model::Fetched;
using model::SourceItem;
using model::SourceRecord;

namespace {

const invited_source_host& role(const invited_host* host) {
  return *static_cast<const invited_source_host*>(host->role);
}

invited_status emit(const invited_host* host, invited_call* call, std::string_view user_id, std::int64_t line = 0) {
  const invited_pair fields[] = {{text(INVITED_KEY_USER_ID), text(user_id)}};
  const invited_record record{sizeof record, 0, line, fields, 1};
  return role(host).emit(host, call, &record);
}

std::string shown(const SourceItem& item) {
  if (const auto* said = std::get_if<model::Announcement>(&item)) {
    std::string all = "announced " + std::to_string(said->rows);
    for (const auto& [key, name] : said->columns) all += " " + key + "=" + name;
    return all;
  }
  if (const auto* remark = std::get_if<model::Remark>(&item))
    return "noted " + std::to_string(remark->line) + " " + remark->column + " " + remark->reason + " " +
           remark->message;
  if (const auto* bad = std::get_if<BadRow>(&item))
    return "bad " + std::to_string(bad->line) + " " + bad->column + " " + bad->reason;
  const auto& record = std::get<SourceRecord>(item);
  std::string all = std::to_string(record.line);
  for (const auto& [key, value] : record.fields) all += " " + key + "=" + value;
  return all;
}

struct Taken {
  std::vector<std::string> rows;
  std::vector<std::size_t> batches;
  model::SourceSink sink() {
    return [this](std::vector<SourceItem> items) -> asio::awaitable<void> {
      batches.push_back(items.size());
      for (const SourceItem& item : items) rows.push_back(shown(item));
      co_return;
    };
  }
};

}  // namespace

TEST_CASE("a fetch brings records and bad rows in order, and where the next one goes on") {
  Bench bench;
  Script script;
  script.fetch = [](const invited_host* host, invited_call* call, std::string cursor) {
    emit(host, call, "after " + cursor, 1);
    role(host).reject_row(host, call, 2, text("start_date"), text("bad_date"), text("no such day"));
    emit(host, call, "third", 3);
    role(host).fetched(host, call, text("c2"), 1, 0);
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  CHECK(source.name() == "hr");
  CHECK(source.plugin() == "fake_source");
  CHECK(source.interval() == 300s);
  CHECK(source.can_fetch());
  Taken taken;
  const Fetched fetched = bench.wait(source.fetch("c1", taken.sink())).value();
  CHECK(taken.rows == std::vector<std::string>{"1 user_id=after c1", "bad 2 start_date bad_date", "3 user_id=third"});
  CHECK(fetched.cursor == "c2");
  CHECK(fetched.more);
  CHECK(fetched.items == 3);
  CHECK(instance->misbehaviour() == 0);
}

TEST_CASE("records that cannot be believed become bad rows; the others go on") {
  Bench bench;
  Script script;
  script.fetch = [](const invited_host* host, invited_call* call, std::string) {
    const auto pair = [](std::string_view key, std::string_view value) { return invited_pair{text(key), text(value)}; };
    const invited_pair twice[] = {pair("name", "a"), pair("name", "b")};
    const invited_pair nameless[] = {pair("", "a")};
    const invited_pair bytes[] = {pair("name", "\xff")};
    const invited_pair clear[] = {pair("alias", "")};
    const std::string long_text(2 << 20, 'x');
    const invited_pair huge[] = {pair("name", long_text)};
    std::int64_t line = 0;
    for (const invited_pair* fields : {twice, nameless, bytes, huge, clear}) {
      const invited_record record{sizeof record, 0, ++line, fields, fields == twice ? 2U : 1U};
      role(host).emit(host, call, &record);
    }
    const invited_record countless{sizeof countless, 0, -3, clear, 1'000'000};
    role(host).emit(host, call, &countless);
    const invited_record stunted{4, 0, 7, clear, 1};
    role(host).emit(host, call, &stunted);
    role(host).fetched(host, call, text("c"), 0, 0);
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  Taken taken;
  REQUIRE(bench.wait(source.fetch("", taken.sink())));
  CHECK(taken.rows == std::vector<std::string>{"bad 1 name duplicate_field", "bad 2  bad_field_name",
                                               "bad 3 name not_utf8", "bad 4  too_large",
                                               "5 alias=", "bad 0  too_large", "bad 0  bad_record"});
  CHECK(instance->misbehaviour() == 1);
}

TEST_CASE("the plugin waits when four batches of 256 are on their way") {
  Bench bench;
  Script script;
  std::atomic<std::size_t> accepted{0};
  constexpr std::size_t total = 10'000;
  script.fetch = [&](const invited_host* host, invited_call* call, std::string) {
    for (std::size_t i = 0; i < total; ++i) {
      if (emit(host, call, "u" + std::to_string(i)) != INVITED_OK) break;
      ++accepted;
    }
    role(host).fetched(host, call, text("c"), 0, 0);
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  std::size_t consumed = 0;
  std::size_t furthest = 0;
  auto go_on = std::make_shared<plugin::CoreEvent>();
  bool free = false;
  std::vector<std::string> rows;
  const model::SourceSink sink = [&](std::vector<SourceItem> items) -> asio::awaitable<void> {
    if (!free) co_await go_on->wait();
    furthest = std::max(furthest, accepted - consumed);
    consumed += items.size();
    for (const SourceItem& item : items) rows.push_back(shown(item));
  };
  std::optional<core::Result<Fetched>> fetched;
  asio::co_spawn(bench.io, source.fetch("", sink),
                 [&](std::exception_ptr, core::Result<Fetched> how) { fetched = std::move(how); });
  bench.until([&] { return accepted == 1024; });
  go_on->ring();
  bench.until([&] { return accepted == 1280; });
  CHECK(consumed == 256);
  free = true;
  go_on->ring();
  bench.until([&] { return fetched.has_value(); });
  REQUIRE(*fetched);
  CHECK((*fetched)->items == total);
  CHECK(furthest <= 1024);
  REQUIRE(rows.size() == total);
  for (std::size_t i = 0; i < total; ++i)
    if (rows[i] != "0 user_id=u" + std::to_string(i)) FAIL("out of order at " << i);
}

TEST_CASE("a plugin that waits for room is told to stop when its caller is cancelled") {
  Bench bench;
  Script script;
  std::atomic<std::size_t> accepted{0};
  std::atomic<int> last{INVITED_OK};
  script.fetch = [&](const invited_host* host, invited_call* call, std::string) {
    invited_status status = INVITED_OK;
    while ((status = emit(host, call, "u")) == INVITED_OK) ++accepted;
    last = status;
    host->complete(host, call, INVITED_CANCELLED);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  core::TaskScope scope(bench.io.get_executor(), {});
  const auto work = [](plugin::SourceAdapter* from, core::Clock* clock) -> asio::awaitable<void> {
    const model::SourceSink sink = [clock](std::vector<SourceItem>) -> asio::awaitable<void> {
      co_await clock->sleep_for(1h);
    };
    co_await from->fetch("", sink);
  };
  scope.spawn("fetch", work(&source, &bench.clock));
  bench.until([&] { return accepted == 1024; });
  scope.stop();
  bench.until([&] { return scope.running() == 0 && instance->open_calls() == 0; });
  CHECK(last == INVITED_CANCELLED);
  CHECK(accepted == 1024);
}

TEST_CASE("stop frees a plugin that waits for room") {
  Bench bench;
  Script script;
  std::atomic<std::size_t> accepted{0};
  script.fetch = [&](const invited_host* host, invited_call* call, std::string) {
    while (emit(host, call, "u") == INVITED_OK) ++accepted;
    host->complete(host, call, INVITED_CANCELLED);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  const model::SourceSink sink = [&](std::vector<SourceItem>) -> asio::awaitable<void> {
    co_await bench.clock.sleep_for(1s);
  };
  std::optional<core::Result<Fetched>> fetched;
  asio::co_spawn(bench.io, source.fetch("", sink),
                 [&](std::exception_ptr, core::Result<Fetched> how) { fetched = std::move(how); });
  bench.until([&] { return accepted == 1024; });
  CHECK(bench.stop(*instance));
  CHECK(script.destroyed);
  bench.pass(1s);
  REQUIRE(fetched);
  REQUIRE_FALSE(*fetched);
  CHECK(fetched->error().code == "plugin_cancelled");
}

TEST_CASE("an OK after being told to stop is none: what was emitted is not whole") {
  Bench bench;
  Script script;
  script.fetch = [&](const invited_host* host, invited_call* call, std::string) {
    while (emit(host, call, "u") == INVITED_OK) {
    }
    role(host).fetched(host, call, text("far ahead"), 0, 0);
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  bool taking = false;
  const model::SourceSink sink = [&](std::vector<SourceItem>) -> asio::awaitable<void> {
    taking = true;
    co_await bench.clock.sleep_for(1h);
  };
  std::optional<core::Result<Fetched>> fetched;
  asio::co_spawn(bench.io, source.fetch("", sink),
                 [&](std::exception_ptr, core::Result<Fetched> how) { fetched = std::move(how); });
  bench.until([&] { return taking; });
  while (!fetched) {
    bench.pass(1h);  // over the deadline while the sink is slow
    bench.io.run_one_for(20ms);
  }
  REQUIRE_FALSE(*fetched);
  CHECK(fetched->error().message ==
        "source \"hr\": fetch was stopped: it was told to stop before everything was taken");
}

TEST_CASE("what the sink throws ends the fetch, after the plugin has ended") {
  Bench bench;
  Script script;
  std::atomic<bool> ended{false};
  script.fetch = [&](const invited_host* host, invited_call* call, std::string) {
    while (emit(host, call, "u") == INVITED_OK) {
    }
    ended = true;
    host->complete(host, call, INVITED_CANCELLED);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  const model::SourceSink sink = [](std::vector<SourceItem>) -> asio::awaitable<void> {
    throw std::runtime_error("disk full");
    co_return;
  };
  CHECK_THROWS_WITH(bench.wait(source.fetch("", sink)), "disk full");
  CHECK(ended);
  bench.until([&] { return instance->open_calls() == 0; });
  CHECK(instance->misbehaviour() == 0);
}

TEST_CASE("a fetch that fails keeps its words and discards the rest") {
  Bench bench;
  Script script;
  script.fetch = [](const invited_host* host, invited_call* call, std::string) {
    const invited_error error{sizeof error, INVITED_RETRY, 60, text("the server is away"), text("/url")};
    host->fail(host, call, &error);
    role(host).fetched(host, call, text("c"), 0, 0);
    host->complete(host, call, INVITED_RETRY);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  Taken taken;
  const auto failed = bench.wait(source.fetch("", taken.sink()));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().kind == core::ErrorKind::unavailable);
  CHECK(failed.error().code == "plugin_retry");
  CHECK(failed.error().message ==
        "source \"hr\": fetch failed for now: the server is away; it asks for 60 s of patience");
  CHECK(failed.error().location == "/url");
}

TEST_CASE("OK without fetched() does not move the cursor") {
  Bench bench;
  Script script;
  script.fetch = [](const invited_host* host, invited_call* call, std::string) {
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  Taken taken;
  const auto failed = bench.wait(source.fetch("", taken.sink()));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == "plugin_internal");
  CHECK(instance->misbehaviour() == 1);
}

TEST_CASE("finish tells what became of each row, unless the fetch asked for none") {
  Bench bench;
  Script script;
  std::atomic<int> settle_wish{0};
  script.fetch = [&](const invited_host* host, invited_call* call, std::string cursor) {
    role(host).fetched(host, call, text(cursor + "+"), 0, settle_wish);
    host->complete(host, call, INVITED_OK);
  };
  std::vector<std::string> told;
  script.finish = [&](const invited_host* host, invited_call* call, const invited_report* report) {
    std::string all(plugin::view(report->cursor));
    for (std::uint64_t i = 0; i < report->result_count; ++i) {
      const invited_row_result& row = *report->results[i];
      all += " " + std::to_string(row.line) + ":" + std::to_string(row.code) + ":" +
             std::string(plugin::view(row.user_id)) + ":" + std::string(plugin::view(row.reason)) + ":" +
             std::string(plugin::view(row.column));
    }
    told.push_back(all);
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  Taken taken;
  std::vector<model::RowResult> rows(2);
  rows[0].line = 4;
  rows[0].user = "anna";
  rows[0].outcome = model::RowOutcome::created;
  rows[1].line = 5;
  rows[1].outcome = model::RowOutcome::rejected;
  rows[1].reason = "bad_date";
  rows[1].column = "start_date";

  REQUIRE(bench.wait(source.finish("old", rows)));  // after a restart nobody knows whether it was asked for
  REQUIRE(bench.wait(source.fetch("a", taken.sink())));
  REQUIRE(bench.wait(source.finish("a+", rows)));
  settle_wish = 1;
  REQUIRE(bench.wait(source.fetch("b", taken.sink())));
  REQUIRE(bench.wait(source.finish("b+", rows)));
  CHECK(told ==
        std::vector<std::string>{"old 4:1:anna:: 5:5::bad_date:start_date", "b+ 4:1:anna:: 5:5::bad_date:start_date"});
}

TEST_CASE("pushes reach the plugin by their kind and bring records and an answer") {
  Bench bench;
  Script script;
  std::string seen;
  script.handle = [&](const invited_host* host, invited_call* call, const invited_request* request) {
    seen = std::to_string(request->kind) + "|" + std::string(plugin::view(request->format)) + "|" +
           std::string(plugin::view(request->file_name)) + "|" + std::string(plugin::view(request->body)) + "|" +
           std::string(plugin::view(request->method)) + "|" + std::string(plugin::view(request->path)) + "|" +
           std::string(plugin::view(request->query));
    for (std::uint64_t i = 0; i < request->header_count; ++i)
      seen += "|" + std::string(plugin::view(request->headers[i].key)) + ":" +
              std::string(plugin::view(request->headers[i].value));
    emit(host, call, "pushed");
    if (request->kind == INVITED_REQUEST_HTTP) role(host).respond(host, call, 201, text("text/plain"), text("made"));
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  Taken taken;
  model::SourcePush push{"record", "application/json", "", R"({"user_id":"anna"})"};
  CHECK(bench.wait(source.handle(push, taken.sink())).value().status == 204);
  CHECK(seen == R"(1|||{"user_id":"anna"}|||)");
  push = {"import", "application/octet-stream", "/home/anna/People.XLSX", "bytes"};
  REQUIRE(bench.wait(source.handle(push, taken.sink())));
  CHECK(seen == "2|xlsx|People.XLSX|bytes|||");
  push = {"import", "flex-employees-users", "people.txt", "bytes"};
  REQUIRE(bench.wait(source.handle(push, taken.sink())));
  CHECK(seen == "2|flex-employees-users|people.txt|bytes|||");
  push = {"import", "text/csv; charset=utf-8", "people.txt", "bytes"};
  REQUIRE(bench.wait(source.handle(push, taken.sink())));
  CHECK(seen == "2|csv|people.txt|bytes|||");

  core::HttpRequest request;
  request.method = "POST";
  request.path = "/scim/v2/Users";
  request.query = {{"a", "b c"}, {"d", ""}};
  request.headers = {{"x-one", "1"}};
  request.body = "{}";
  const auto reply = bench.wait(source.handle_http(request, taken.sink())).value();
  CHECK(seen == "3|||{}|POST|/scim/v2/Users|a=b%20c&d=|x-one:1");
  CHECK(reply.status == 201);
  CHECK(reply.content_type == "text/plain");
  CHECK(reply.body == "made");
  CHECK(taken.rows == std::vector<std::string>(5, "0 user_id=pushed"));

  push.kind = "http";
  CHECK(bench.wait(source.handle(push, taken.sink())).error().code == "plugin_unsupported");
}

TEST_CASE("a refused HTTP request is answered in the plugin's own words, another failure is not") {
  Bench bench;
  Script script;
  invited_status status = INVITED_REJECTED;
  script.handle = [&](const invited_host* host, invited_call* call, const invited_request*) {
    const invited_error error{sizeof error, status, 0, text("userName is missing"), text("")};
    host->fail(host, call, &error);
    host->complete(host, call, status);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  Taken taken;
  const auto refused = bench.wait(source.handle_http({}, taken.sink())).value();
  CHECK(refused.status == 422);
  CHECK(refused.body == "userName is missing\n");
  status = INVITED_RETRY;
  const auto failed = bench.wait(source.handle_http({}, taken.sink()));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().kind == core::ErrorKind::unavailable);
}

TEST_CASE("a source that takes one kind of push says so") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script, "hr", fake::push_only);
  plugin::SourceAdapter source(instance, 300s);
  CHECK(source.takes("record"));
  CHECK_FALSE(source.takes("import"));
  CHECK_FALSE(source.takes("http"));
  CHECK_FALSE(source.takes("nonsense"));
  CHECK_FALSE(source.can_fetch());
  CHECK_FALSE(source.can_export());
  Taken taken;
  CHECK(bench.wait(source.fetch("", taken.sink())).error().code == "plugin_unsupported");
  CHECK(bench.wait(source.finish("", {})));
  CHECK(bench.wait(source.handle({"import", "", "", ""}, taken.sink())).error().message ==
        "source \"hr\" takes no push of kind import");
}

TEST_CASE("whoever pushed what is wrong reads what is wrong with it and nothing else") {
  Bench bench;
  Script script;
  invited_status status = INVITED_REJECTED;
  script.handle = [&](const invited_host* host, invited_call* call, const invited_request*) {
    const invited_error error{sizeof error, status, 0, text("people.csv, line 1: no header"), text("")};
    host->fail(host, call, &error);
    host->complete(host, call, status);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  Taken taken;
  CHECK(bench.wait(source.handle({"import", "", "", ""}, taken.sink())).error().message ==
        "people.csv, line 1: no header");
  status = INVITED_RETRY;
  CHECK(bench.wait(source.handle({"import", "", "", ""}, taken.sink())).error().message ==
        "source \"hr\": handle failed for now: people.csv, line 1: no header");
}

TEST_CASE("an answer that is no HTTP becomes 500") {
  Bench bench;
  Script script;
  std::pair<int, std::string> said;
  script.handle = [&](const invited_host* host, invited_call* call, const invited_request*) {
    role(host).respond(host, call, said.first, text(said.second), text("x"));
    role(host).respond(host, call, 200, text(""), text("again"));
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  Taken taken;
  for (const auto& one :
       {std::pair<int, std::string>(99, "text/plain"), {600, "text/plain"}, {200, "text/plain\r\nset-cookie: a=b"}}) {
    said = one;
    CHECK(bench.wait(source.handle_http({}, taken.sink())).value().status == 500);
  }
  CHECK(instance->misbehaviour() == 6);
}

TEST_CASE("what a source says of its file comes before the rows, in the order it was said") {
  Bench bench;
  Script script;
  script.handle = [&](const invited_host* host, invited_call* call, const invited_request*) {
    const invited_pair columns[] = {{text("login_email"), text("E-post Visma Connect")}};
    const invited_announcement what{sizeof what, 0, 2, columns, 1};
    role(host).announce(host, call, &what);
    role(host).note(host, call, 1, text("Kön"), text("columns_not_used"), text("One is not used."));
    emit(host, call, "anna", 2);
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  Taken taken;
  REQUIRE(bench.wait(source.handle({"import", "", "", ""}, taken.sink())));
  CHECK(taken.rows == std::vector<std::string>{"announced 2 login_email=E-post Visma Connect",
                                               "noted 1 Kön columns_not_used One is not used.", "2 user_id=anna"});
  CHECK(instance->misbehaviour() == 0);
}

TEST_CASE("an announcement that is none is left out, and the plugin is told off") {
  Bench bench;
  Script script;
  script.handle = [&](const invited_host* host, invited_call* call, const invited_request*) {
    role(host).announce(host, call, nullptr);
    const invited_announcement half{8, 0, 2, nullptr, 0};
    role(host).announce(host, call, &half);
    const invited_announcement nowhere{sizeof nowhere, 0, 2, nullptr, 1};
    role(host).announce(host, call, &nowhere);
    const invited_announcement unknown{sizeof unknown, 0, -7, nullptr, 0};
    role(host).announce(host, call, &unknown);
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  Taken taken;
  REQUIRE(bench.wait(source.handle({"import", "", "", ""}, taken.sink())));
  CHECK(taken.rows == std::vector<std::string>{"announced -1"});
  CHECK(instance->misbehaviour() == 3);
}

TEST_CASE("a result names the column as its file does") {
  Bench bench;
  Script script;
  std::string told;
  script.finish = [&](const invited_host* host, invited_call* call, const invited_report* report) {
    for (std::uint64_t i = 0; i < report->result_count; ++i)
      told +=
          std::to_string(report->results[i]->code) + ":" + std::string(plugin::view(report->results[i]->column)) + " ";
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  std::vector<model::RowResult> rows(2);
  rows[0].outcome = model::RowOutcome::noted;
  rows[1].outcome = model::RowOutcome::ignored;
  rows[1].column = "login_email";
  rows[1].file_column = "E-post Visma Connect";
  REQUIRE(bench.wait(source.finish("c", rows)));
  CHECK(told == "6: 4:E-post Visma Connect ");
}

TEST_CASE("an export streams its bytes and waits for who takes them") {
  Bench bench;
  Script script;
  std::atomic<std::size_t> written{0};
  constexpr std::size_t pieces = 2000;
  script.export_records = [&](const invited_host* host, invited_call* call, const invited_export* part) {
    const std::string row(1000, static_cast<char>('a' + static_cast<char>(part->record_count)));
    CHECK(part->option_count == 1);
    CHECK(plugin::view(part->options[0].value) == "sv");
    for (std::size_t i = 0; i < pieces; ++i) {
      if (role(host).write(host, call, text(row)) != INVITED_OK) break;
      written += row.size();
    }
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  model::ExportPart part;
  part.options = {{"language", "sv"}};
  part.records = {SourceRecord{{{"user_id", "anna"}}, 1}, SourceRecord{}};
  std::string bytes;
  std::size_t furthest = 0;
  const model::ByteSink sink = [&](std::string piece) -> asio::awaitable<void> {
    furthest = std::max<std::size_t>(furthest, written - std::min<std::size_t>(written, bytes.size()));
    bytes += piece;
    co_return;
  };
  REQUIRE(bench.wait(source.export_records(part, sink)));
  CHECK(bytes == std::string(pieces * 1000, 'c'));
  CHECK(furthest <= 4 * 66'000);
}

TEST_CASE("a hint from any thread rings on the core thread") {
  Bench bench;
  Script script;
  const auto instance = bench.make(script, "hr", fake::source);
  int rung = 0;
  {
    plugin::SourceAdapter source(instance, 300s);
    source.on_change([&] { ++rung; });
    std::thread helper([&] { role(script.host).source_changed(script.host); });
    bench.until([&] { return rung == 1; });
    helper.join();
  }
  role(script.host).source_changed(script.host);
  settle(bench.io);
  CHECK(rung == 1);
}

TEST_CASE("a fetch is not begun while one that was left is still open") {
  Bench bench;
  Script script;
  script.window = [] { return 5U; };
  std::atomic<bool> begun{false};
  invited_call* handle = nullptr;
  script.fetch = [&](const invited_host*, invited_call* call, std::string) {
    handle = call;
    begun = true;
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  core::TaskScope scope(bench.io.get_executor(), {});
  const auto work = [](plugin::SourceAdapter* from) -> asio::awaitable<void> {
    const model::SourceSink sink = [](std::vector<SourceItem>) -> asio::awaitable<void> { co_return; };
    co_await from->fetch("", sink);
  };
  scope.spawn("fetch", work(&source));
  bench.until([&] { return begun.load(); });
  scope.stop();
  bench.until([&] { return scope.running() == 0; });
  Taken taken;
  CHECK(bench.wait(source.fetch("", taken.sink())).error().code == "fetch_running");
  script.host->complete(script.host, handle, INVITED_CANCELLED);
  bench.until([&] { return instance->open_calls() == 0; });
}

TEST_CASE("a cursor that is too long, or more without a step, fails the fetch and is told off") {
  Bench bench;
  Script script;
  std::string cursor;
  std::int32_t settle_wish = 0;
  script.fetch = [&](const invited_host* host, invited_call* call, std::string) {
    role(host).fetched(host, call, text(cursor), 1, settle_wish);
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  Taken taken;
  cursor.assign(64 * 1024, 'c');
  CHECK(bench.wait(source.fetch("a", taken.sink())).value().cursor == cursor);
  CHECK(instance->misbehaviour() == 0);
  cursor.push_back('c');
  const auto too_long = bench.wait(source.fetch("a", taken.sink()));
  REQUIRE_FALSE(too_long);
  CHECK(too_long.error().code == "plugin_internal");
  CHECK(too_long.error().message ==
        "source \"hr\": fetch failed, an error of the plugin: fetched() with a cursor over 64 KiB");
  CHECK(instance->misbehaviour() == 1);
  cursor = "a";
  const auto spinning = bench.wait(source.fetch("a", taken.sink()));
  REQUIRE_FALSE(spinning);
  CHECK(spinning.error().code == "plugin_internal");
  CHECK(instance->misbehaviour() == 2);
  settle_wish = 1;  // may move on by settling
  CHECK(bench.wait(source.fetch("a", taken.sink())));
  CHECK(instance->misbehaviour() == 2);
}

TEST_CASE("whatever bytes a source says to people arrive as UTF-8") {
  Bench bench;
  Script script;
  script.handle = [&](const invited_host* host, invited_call* call, const invited_request*) {
    role(host).reject_row(host, call, 1, text("na\xffme"), text("bad\xff"), text("Andr\xe9 is \x1b[31mnot one"));
    role(host).note(host, call, 2, text("na\xffme"), text("odd\xff"), text("Andr\xe9"));
    const invited_pair columns[] = {{text("name"), text("F\xf6rnamn")}};
    const invited_announcement said{sizeof said, 0, 1, columns, 1};
    role(host).announce(host, call, &said);
    role(host).respond(host, call, 400, text("text/plain"), text("Andr\xe9"));
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script, "hr", fake::source);
  plugin::SourceAdapter source(instance, 300s);
  Taken taken;
  model::SourcePush push;
  push.kind = "record";
  const auto reply = bench.wait(source.handle(push, taken.sink()));
  REQUIRE(reply);
  CHECK(reply->body == "Andr\\x{e9}");
  CHECK(taken.rows == std::vector<std::string>{"bad 1 na\\x{ff}me bad\\x{ff}",
                                               "noted 2 na\\x{ff}me odd\\x{ff} Andr\\x{e9}",
                                               "announced 1 name=F\\x{f6}rnamn"});
  // What an HTTP client gets is the plugin's own.
  CHECK(bench.wait(source.handle_http({}, taken.sink())).value().body == "Andr\xe9");
}
