// plan show --with, plan risk and rehearse from the caller's side.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "fake_daemon.hpp"
#include "invitectl.hpp"
#include "support/temp_folder.hpp"

using namespace invited::test;
using Catch::Matchers::Contains;
namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

const std::string change =
    R"({"seq":1,"event":"change","change":{"user":"14","name":"Anna","line":3,"result":"updated",)"
    R"("before":[{"user":"14","action":"send","local":"2126-11-30T09:00","zone":"Europe/Stockholm","at":"2126-11-30T08:00:00Z","reason":"start_later","text":"t"}],"after":[]}})"
    "\n";

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct WithFile {
  FakeDaemon daemon;
  TempFolder folder;
  std::string file = (folder / "people.csv").string();

  WithFile() {
    std::ofstream(file) << "user_id\n14\n";
    daemon.answer("POST", "/v1/plan/with", 202, R"({"job":"j1"})");
  }
  void events(const std::string& text) { daemon.stream("/v1/jobs/j1/events", {text}); }
  Outcome run(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"plan", "show", "--with", file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return invitectl(arguments, {.socket = daemon.socket()});
  }
};

struct Rehearsing {
  FakeDaemon daemon;
  TempFolder folder;
  std::string out = (folder / "out").string();

  Outcome run(const std::vector<std::string>& pieces, std::vector<std::string> more = {},
              FakeDaemon::Then then = FakeDaemon::Then::end) {
    daemon.stream("/v1/rehearsals", pieces, then, "POST");
    std::vector<std::string> arguments{"rehearse", "--from", "2026-12-01", "--to", "2026-12-31", "--out", out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return invitectl(arguments, {.socket = daemon.socket()});
  }
};

std::string file_event(const std::string& name, const std::string& text) {
  return json::serialize(json::object{{"event", "file"}, {"name", name}, {"text", text}}) + "\n";
}

const std::string good_end = R"({"event":"done","state":"done","detail":""})"
                             "\n";

}  // namespace

TEST_CASE("plan show --with sends the file and tells each change") {
  WithFile call;
  call.events(change + R"({"seq":2,"event":"done","state":"done","counts":{"updated":1,"rejected":0},"detail":""})"
                       "\n");
  const auto outcome = call.run({"--source", "hr"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out ==
        "14  Anna  (line 3, updated)\n"
        "  before  Sat 2126-11-30 09:00  the mail goes out  [start_later]\n"
        "  after   nothing happens by itself\n"
        "\n"
        "1 user would have another plan\n");
  CHECK(call.daemon.asked().front().body == "user_id\n14\n");
  CHECK(call.daemon.complaints().empty());
  const auto as_json = json::parse(call.run({"--json"}).out);
  CHECK(as_json.at("changes").at(0).at("user") == "14");
  CHECK(as_json.at("counts").at("updated") == 1);
}

TEST_CASE("plan show --with: nothing to tell, rejected rows, a file that cannot be read") {
  WithFile call;
  call.events(R"({"seq":1,"event":"done","state":"done","counts":{"unchanged":1,"rejected":1},"detail":""})"
              "\n");
  const auto outcome = call.run();
  CHECK(outcome.code == 3);
  CHECK_THAT(outcome.out, Contains("Nothing would happen that does not happen anyway"));
  CHECK_THAT(outcome.err, Contains("invitectl user import FILE --dry-run"));
  WithFile broken;
  broken.events(R"({"seq":1,"event":"done","state":"failed","counts":{},"detail":"no table"})"
                "\n");
  const auto failed = broken.run({"--json"});
  CHECK(failed.code == 1);
  CHECK_THAT(failed.err, Contains("no table"));
}

TEST_CASE("plan show takes a file or a range of time, not both") {
  WithFile call;
  const auto both = call.run({"--until", "30d"});
  CHECK(both.code == 2);
  CHECK_THAT(both.err, Contains("--until does not go with --with"));
  const auto without = invitectl({"plan", "show", "--source", "hr"}, {.socket = call.daemon.socket()});
  CHECK(without.code == 2);
  CHECK_THAT(without.err, Contains("--source goes with --with FILE only"));
}

TEST_CASE("plan risk is a table of links") {
  FakeDaemon daemon;
  daemon.answer(
      "GET", "/v1/plan/risk", 200,
      R"({"items":[{"user":"14","name":"Anna","risk":"no_working_day","state":"planned","local":"2026-12-23T14:00","zone":"Europe/Stockholm","at":"2026-12-23T13:00:00Z","ends_at":"2026-12-27T23:00:00Z","start_date":"2026-12-24","text":"Less than one working day."}],"next_cursor":null})");
  const auto outcome = invitectl({"plan", "risk", "--until", "30d"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out,
             Contains("RISK") && Contains("no_working_day") && Contains("2026-12-23T14:00") && Contains("2026-12-24"));
  CHECK(daemon.complaints().empty());
}

TEST_CASE("rehearse writes the files as they come and shows the summary") {
  Rehearsing call;
  const auto outcome =
      call.run({R"({"event":"progress","done":0,"total":31})"
                "\n",
                file_event("acts.ndjson", "one\n"), file_event("mails/000001.eml", "å\r\n"),
                file_event("acts.ndjson", "two\n") + "{\"event\":\"ping\"}\n",
                file_event("summary.json", "{\"users\":1}\n"), file_event("summary.txt", "Rehearsed\n"), good_end},
               {"--transport-down", "3h@2026-12-10T08:00", "--seed", "7"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out == "Rehearsed\n");
  CHECK(read(call.out + "/acts.ndjson") == "one\ntwo\n");
  CHECK(read(call.out + "/mails/000001.eml") == "å\r\n");
  CHECK(read(call.out + "/summary.txt") == "Rehearsed\n");
  const auto asked = json::parse(call.daemon.asked().front().body);
  CHECK(asked ==
        json::parse(R"({"from":"2026-12-01","to":"2026-12-31","transport_down":["3h@2026-12-10T08:00"],"seed":7})"));
  CHECK(call.daemon.complaints().empty());
  CHECK_THAT(outcome.err, Contains("every mail: " + call.out + "/mails/"));
  Rehearsing without;
  const auto no_mails = without.run({file_event("summary.txt", "Rehearsed\n"), good_end}, {"--no-mails"});
  CHECK_THAT(no_mails.err, Contains("Every act: " + without.out + "/acts.ndjson\n") && !Contains("every mail"));
  const auto again = call.run({good_end});
  CHECK(again.code == 2);
  CHECK_THAT(again.err, Contains("is not an empty folder"));
}

TEST_CASE("rehearse: a failure is told, a stream that breaks off is no success, no file leaves the folder") {
  Rehearsing failed;
  const auto failure = failed.run({R"({"event":"done","state":"failed","detail":"the disk is full"})"
                                   "\n"});
  CHECK(failure.code == 1);
  CHECK_THAT(failure.err, Contains("the disk is full"));
  Rehearsing broken;
  CHECK(broken.run({file_event("acts.ndjson", "one\n")}, {}, FakeDaemon::Then::break_off).code == 69);
  for (const std::string name : {"../evil", "/etc/evil", "mails/../../evil", "a//b", ".hidden", "mails/", ""}) {
    Rehearsing evil;
    CAPTURE(name);
    const auto outcome = evil.run({file_event(name, "x"), good_end});
    CHECK(outcome.code == 1);
    CHECK_FALSE(fs::exists(evil.folder / "evil"));
  }
  Rehearsing as_json;
  const auto answer = as_json.run({file_event("summary.json", "{\"users\":1}\n"), good_end}, {"--json"});
  CHECK(json::parse(answer.out).at("users") == 1);
}
