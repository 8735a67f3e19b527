#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <fstream>

#include "fake_daemon.hpp"
#include "invitectl.hpp"
#include "support/temp_folder.hpp"

using namespace invited::test;
using Catch::Matchers::Contains;
namespace json = boost::json;

namespace {

std::string row(int line, const std::string& result, const std::string& message = "") {
  return json::serialize(json::object{
             {"seq", line},
             {"event", "row"},
             {"row",
              {{"line", line}, {"user", "u" + std::to_string(line)}, {"result", result}, {"message", message}}}}) +
         "\n";
}

std::string done(int seq, const std::string& counts, const std::string& state = "done") {
  return "{\"seq\":" + std::to_string(seq) + ",\"event\":\"done\",\"state\":\"" + state + "\",\"counts\":" + counts +
         ",\"detail\":\"\"}\n";
}

struct Import {
  FakeDaemon daemon;
  TempFolder folder;
  std::string file = (folder / "people.csv").string();

  explicit Import(const std::string& text = "user_id,name\n1,å\n") {
    std::ofstream(file) << text;
    daemon.answer("POST", "/v1/imports", 202, R"({"job":"j1"})");
  }
  Outcome run(std::vector<std::string> more = {}, Surroundings surroundings = {}) {
    std::vector<std::string> arguments{"user", "import", file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    surroundings.socket = daemon.socket();
    return invitectl(arguments, surroundings);
  }
};

}  // namespace

TEST_CASE("an import sends the file as it is, and follows its job") {
  Import import("user_id,name\n1,\xc3\xa5\r\n\"x\ny\",\n");
  import.daemon.stream("/v1/jobs/j1/events",
                       {row(2, "created") + row(3, "unchanged") + done(4, R"({"created":1,"unchanged":1})")});
  const auto outcome = import.run({"--source", "hr"});
  CHECK(outcome.code == 0);
  const auto asked = import.daemon.asked();
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].body == "user_id,name\n1,\xc3\xa5\r\n\"x\ny\",\n");
  CHECK(asked[0].header("content-type") == "text/csv");
  CHECK(asked[0].query ==
        std::vector<std::pair<std::string, std::string>>{{"source", "hr"}, {"file_name", "people.csv"}});
  CHECK_THAT(outcome.out, Contains("LINE") && Contains("u2") && Contains("u3") && Contains("1 created, 1 unchanged"));
  CHECK(import.daemon.complaints() == "");
}

TEST_CASE("a rejected row makes exit 3, an ignored one does not") {
  Import rejected;
  rejected.daemon.stream("/v1/jobs/j1/events", {row(2, "created") + row(3, "rejected: bad_date", "No such day.") +
                                                done(4, R"({"created":1,"rejected":1})")});
  const auto bad = rejected.run();
  CHECK(bad.code == 3);
  CHECK_THAT(bad.out, Contains("rejected: bad_date") && Contains("No such day.") && Contains("1 created, 1 rejected"));
  Import ignored;
  ignored.daemon.stream("/v1/jobs/j1/events", {row(2, "ignored: connected") + done(3, R"({"ignored":1})")});
  CHECK(ignored.run().code == 0);
}

TEST_CASE("a failed import is exit 1 and says why") {
  Import import;
  import.daemon.stream("/v1/jobs/j1/events", {"{\"seq\":1,\"event\":\"done\",\"state\":\"failed\",\"counts\":{},"
                                              "\"detail\":\"The file has no header row.\"}\n"});
  const auto outcome = import.run();
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, Contains("The file has no header row."));
  CHECK(outcome.out == "");  // nothing was begun, so there is nothing to count
}

TEST_CASE("a job that failed after some rows still counts them") {
  Import import;
  import.daemon.stream("/v1/jobs/j1/events", {row(2, "created") + done(3, R"({"created":1})", "failed")});
  const auto outcome = import.run();
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.out, Contains("1 created"));
}

TEST_CASE("a note about the file is shown among the rows and is none of them") {
  Import import;
  import.daemon.stream(
      "/v1/jobs/j1/events",
      {"{\"seq\":0,\"event\":\"progress\",\"done\":0,\"total\":1,\"failed\":0}\n" +
       row(1, "noted: columns_not_used", "Not used: \"Kön\".") + row(2, "created") + done(3, R"({"created":1})")});
  const auto outcome = import.run({}, {.terminal = true});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("noted: columns_not_used") && Contains("1 created") && !Contains("Importing 2"));
}

TEST_CASE("with --json an import is one document with every row, in order") {
  Import import;
  import.daemon.stream("/v1/jobs/j1/events",
                       {row(2, "created") + row(3, "rejected: bad_date") + done(4, R"({"created":1,"rejected":1})")});
  const auto outcome = import.run({"--json"});
  CHECK(outcome.code == 3);
  const auto document = json::parse(outcome.out);
  REQUIRE(document.at("rows").as_array().size() == 2);
  CHECK(document.at("rows").at(1).at("result") == "rejected: bad_date");
  CHECK(document.at("counts") == json::parse(R"({"created":1,"rejected":1})"));
}

TEST_CASE("an import without a row is still one document") {
  Import import;
  import.daemon.stream("/v1/jobs/j1/events", {done(1, "{}")});
  CHECK(json::parse(import.run({"--json"}).out) == json::parse(R"({"rows":[],"counts":{}})"));
}

TEST_CASE("of many rows only those that need a look are shown; --verbose shows all") {
  std::vector<std::string> events;
  for (int line = 2; line < 102; ++line)
    events.push_back(row(line, line == 50 ? "ignored: invalid_email" : line == 90 ? "rejected: x" : "created"));
  events.push_back(done(102, R"({"created":98,"ignored":1,"rejected":1})"));
  Import import;
  import.daemon.stream("/v1/jobs/j1/events", events);
  const auto outcome = import.run();
  CHECK(outcome.code == 3);
  CHECK_THAT(outcome.out, Contains("u50 ") && Contains("u90 ") && !Contains("u3 ") && !Contains("u99 ") &&
                              Contains("98 created, 1 ignored, 1 rejected"));
  Import verbose;
  verbose.daemon.stream("/v1/jobs/j1/events", events);
  CHECK_THAT(verbose.run({"--verbose"}).out,
             Contains("u2 ") && Contains("u3 ") && Contains("u99 ") && Contains("u101 "));
}

TEST_CASE("an import whose length nobody knows shows how far it is by rows") {
  std::string many;
  for (int line = 1; line <= 25000; ++line) many += row(line, "created");
  Import import;
  import.daemon.stream("/v1/jobs/j1/events", {many, done(25001, R"({"created":25000})")});
  const auto outcome = import.run();
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "Importing 10000\nImporting 20000\n");
  CHECK(outcome.out == "25000 created\n");
}

TEST_CASE("a dry run of an import is asked for as one and told as one") {
  Import import;
  import.daemon.stream("/v1/jobs/j1/events", {row(2, "created") + done(3, R"({"created":1})")});
  const auto outcome = import.run({"-n"});
  CHECK(outcome.code == 0);
  CHECK(import.daemon.asked()[0].query_value("dry_run") == "true");
  CHECK_THAT(outcome.out, Contains("Dry run, nothing was changed: 1 created"));
}

TEST_CASE("a file that cannot be read is told before the daemon is asked") {
  FakeDaemon daemon;
  const auto outcome = invitectl({"user", "import", "/nonexistent/people.csv"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Contains("/nonexistent/people.csv"));
  CHECK(daemon.asked().empty());
}

TEST_CASE("- imports standard input") {
  FakeDaemon daemon;
  daemon.answer("POST", "/v1/imports", 202, R"({"job":"j1"})");
  daemon.stream("/v1/jobs/j1/events", {done(1, "{}")});
  const auto outcome =
      invitectl({"user", "import", "-", "--file-name", "hr.tsv"}, {.socket = daemon.socket(), .input = "user_id\n1\n"});
  CHECK(outcome.code == 0);
  CHECK(daemon.asked()[0].body == "user_id\n1\n");
  CHECK(daemon.asked()[0].header("content-type") == "text/tab-separated-values");
}

TEST_CASE("a stream that breaks is taken up where it left off, no row shown twice") {
  Import import;
  import.daemon.stream("/v1/jobs/j1/events", {row(0, "created")}, FakeDaemon::Then::break_off);
  import.daemon.stream("/v1/jobs/j1/events", {row(0, "created"), row(1, "created"), row(2, "created")},
                       FakeDaemon::Then::break_off);
  import.daemon.stream("/v1/jobs/j1/events", {"{\"event\":\"snapshot\",\"job\":{}}\n", row(2, "created"),
                                              row(3, "created"), done(4, R"({"created":3})")});
  const auto outcome = import.run({"--json"});
  CHECK(outcome.code == 0);
  CHECK(json::parse(outcome.out).at("rows").as_array().size() == 4);
  REQUIRE(import.daemon.asked().size() == 4);
  CHECK(import.daemon.asked()[2].query_value("from") == "1");
  CHECK(import.daemon.asked()[3].query_value("from") == "3");
}

TEST_CASE("a job whose events end for good without its end is exit 69 and says how to look again") {
  Import import;
  import.daemon.stream("/v1/jobs/j1/events", {"{\"event\":\"snapshot\",\"job\":{}}\n"});
  const auto outcome = import.run({"--json"});
  CHECK(outcome.code == 69);
  CHECK(json::parse(outcome.out) == json::parse(R"({"rows":[],"counts":null})"));
  CHECK_THAT(outcome.err, Contains("j1"));
  CHECK(import.daemon.asked().size() == 4);
}

TEST_CASE("Ctrl-C leaves the job to the daemon and says how to come back") {
  Import import;
  import.daemon.stream("/v1/jobs/j1/events", {"{\"seq\":1,\"event\":\"progress\",\"done\":100,\"total\":200}\n"},
                       FakeDaemon::Then::hang);
  const auto outcome = import.run({}, {.interrupt_after = "50 %"});
  CHECK(outcome.code == 130);
  CHECK_THAT(outcome.err, Contains("Job j1 goes on") && Contains("invitectl job watch j1"));
}

TEST_CASE("a watched job is shown as its own verb would have shown it") {
  FakeDaemon daemon;
  daemon.stream("/v1/jobs/j1/events", {row(2, "rejected: x") + done(3, R"({"rejected":1})")});
  const auto outcome = invitectl({"job", "watch", "j1"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 3);
  CHECK_THAT(outcome.out, Contains("rejected: x") && Contains("1 rejected"));
  const auto lines = invitectl({"job", "watch", "j1", "-o", "ndjson", "--from", "7"}, {.socket = daemon.socket()});
  CHECK(lines.code == 3);
  CHECK(lines.out == row(2, "rejected: x") + done(3, R"({"rejected":1})"));
  CHECK(daemon.asked()[1].query_value("from") == "7");
}

TEST_CASE("source sync is a job of one source or of all") {
  FakeDaemon daemon;
  daemon.answer("POST", "/v1/syncs", 202, R"({"job":"j1"})");
  daemon.stream("/v1/jobs/j1/events", {done(1, "{}")});
  CHECK(invitectl({"source", "sync", "hr"}, {.socket = daemon.socket()}).code == 0);
  const auto all = invitectl({"source", "sync"}, {.socket = daemon.socket()});
  CHECK(all.code == 0);
  CHECK(all.out == "nothing to do\n");
  CHECK(daemon.asked()[0].query_value("source") == "hr");
  CHECK(daemon.asked()[2].query.empty());
  CHECK(daemon.complaints() == "");
}

TEST_CASE("events are shown as they come, pings are not") {
  FakeDaemon daemon;
  daemon.answer("GET", "/v1/status", 200, "{}");
  daemon.stream("/v1/events",
                {"{\"event\":\"ping\"}\n{\"seq\":8,\"at\":\"2026-11-30T08:00:00Z\",\"actor\":\"daemon\",\"action\":"
                 "\"invitation.released\",\"subject\":\"user:14\",\"reason\":\"hire\",\"detail\":\"\"}\n"});
  const auto table = invitectl({"events", "--subject", "user:14"}, {.socket = daemon.socket()});
  CHECK(table.code == 0);
  CHECK_THAT(table.out, Contains("2026-11-30 09:00 +01:00") && Contains("invitation.released") && !Contains("ping"));
  const auto lines = invitectl({"events", "--json"}, {.socket = daemon.socket()});
  CHECK(json::parse(lines.out).at("seq") == 8);
  CHECK(daemon.complaints() == "");
}

TEST_CASE("events that come hostile do not reach the terminal") {
  FakeDaemon daemon;
  daemon.stream("/v1/events", {"not json \x1b[2J\n"});
  const auto outcome = invitectl({"events", "-o", "ndjson"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, !Contains("\x1b"));
}
