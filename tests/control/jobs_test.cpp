// Imports, syncs, and the streams of jobs.
#include "control/office.hpp"

#include <boost/json/parse.hpp>

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

constexpr const char* file =
    "user_id;name;login_email;start_date\n"
    "1;Anna;anna@example.com;2026-11-30\n"
    "2;Bo;not an address;2026-11-30\n"
    "3;Cia;cia@example.com;soon\n"
    "1;Again;again@example.com\n"
    "4;Dan;d@example.com;2027-01-01;too;many\n"
    "5;Eva;eva@example.com;2027-03-01\n";

std::vector<std::string> results(const std::vector<json::value>& events) {
  std::vector<std::string> all;
  for (const auto& event : events) {
    if (event.at("event") == "row") all.emplace_back(event.at("row").at("result").as_string());
  }
  return all;
}

}  // namespace

TEST_CASE("an import gives every row a result and the counts at the end; the same file again changes nothing") {
  Office office;
  const auto started = office.ask("POST", "/v1/imports?file_name=people.csv", file);
  REQUIRE(started.status == 202);
  CHECK(office.files.file_names.back() == "people.csv");
  const auto events =
      office.lines(office.ask("GET", "/v1/jobs/" + started.text("/job") + "/events", "", viewer()), "JobEvent");
  REQUIRE(events.size() == 8);
  CHECK(events.front().at("event") == "snapshot");
  CHECK(events.front().at("job").at("id") == started.body.at("job"));
  CHECK(results(events) == std::vector<std::string>{"created", "ignored: invalid_email", "rejected: invalid_date",
                                                    "ignored: duplicate_in_file", "rejected: too_many_cells",
                                                    "created"});
  CHECK(events[3].at("row").at("line") == 4);
  CHECK(events[3].at("row").at("column") == "start_date");
  CHECK(events.back().at("event") == "done");
  CHECK(events.back().at("counts") ==
        json::parse(R"({"created":2,"updated":0,"unchanged":0,"ignored":2,"rejected":2})"));
  CHECK(office.user("2").login_email.empty());
  CHECK(office.postbox.sent == std::vector<std::string>{"anna@example.com"});
  CHECK(office.audit("user:1").back().actor == "uid:60003");
  const auto job = office.ask("GET", "/v1/jobs/" + started.text("/job"));
  CHECK(job.text("/kind") == "import");
  CHECK(job.text("/state") == "done");
  CHECK(job.text("/done") == "6");
  CHECK(job.text("/failed") == "2");
  CHECK(job.text("/actor") == "uid:60003");
  CHECK(job.text("/ended_at") == "2026-11-30T10:00:00Z");

  const auto before = office.dump();
  const auto again = office.end_of(office.ask("POST", "/v1/imports", file));
  CHECK(again.at("counts") == json::parse(R"({"created":0,"updated":0,"unchanged":2,"ignored":2,"rejected":2})"));
  CHECK(office.dump() == before);
}

TEST_CASE("a dry run of an import gives the same results without effect") {
  Office office;
  const auto before = office.dump();
  const auto rehearsed = office.ask("POST", "/v1/imports?dry_run=true", file);
  CHECK(office.dump() == before);
  CHECK(office.postbox.sent.empty());
  CHECK(office.ask("GET", "/v1/jobs/" + rehearsed.text("/job")).text("/dry_run") == "true");
  const auto rows =
      results(office.lines(office.ask("GET", "/v1/jobs/" + rehearsed.text("/job") + "/events"), "JobEvent"));
  const auto real = office.ask("POST", "/v1/imports", file);
  CHECK(results(office.lines(office.ask("GET", "/v1/jobs/" + real.text("/job") + "/events"), "JobEvent")) == rows);
  CHECK(rows.size() == 6);
}

TEST_CASE("a file the source cannot read, and a source that breaks, fail the job and say why") {
  Office office;
  const auto refused = office.end_of(office.ask("POST", "/v1/imports", "PK not text"));
  CHECK(refused.at("state") == "failed");
  CHECK(refused.at("detail") == "this is not a text file");
  office.files.throws = true;
  const auto broken = office.end_of(office.ask("POST", "/v1/imports", file));
  CHECK(broken.at("state") == "failed");
  CHECK_THAT(std::string(broken.at("detail").as_string()), Contains("journal"));
  CHECK(office.task_errors.empty());
  office.files.throws = false;
  office.fill_disk();
  const auto full = office.end_of(office.ask("POST", "/v1/imports", file));
  CHECK(full.at("state") == "failed");
  CHECK_THAT(std::string(full.at("detail").as_string()),
             Contains("cannot be written") && Contains("import the file again"));
  CHECK(office.ask("POST", "/v1/imports?source=none", file).code() == "unknown_source");
  CHECK_THAT(
      std::string(office.end_of(office.ask("POST", "/v1/imports?source=by-hand", file)).at("detail").as_string()),
      Contains("does not take this"));
}

TEST_CASE("a sync reads one source or all, and settles what it took") {
  Office office;
  office.files.folder = {"user_id;name\n1;Anna\n", "user_id;name\n2;Bo\n1;Anna B\n"};
  const auto end = office.end_of(office.ask("POST", "/v1/syncs"));
  CHECK(end.at("state") == "done");
  CHECK(end.at("counts") == json::parse(R"({"created":2,"updated":1,"unchanged":0,"ignored":0,"rejected":0})"));
  CHECK(office.files.folder.empty());
  CHECK(office.audit("user:2").front().actor == "source:files");
  CHECK(office.end_of(office.ask("POST", "/v1/syncs?source=files")).at("counts").at("created") == 0);
  CHECK(office.ask("POST", "/v1/syncs?source=none").code() == "unknown_source");
  const auto pushed = office.ask("POST", "/v1/syncs?source=by-hand");
  CHECK(pushed.status == 409);
  CHECK(pushed.code() == "source_not_fetched");
  office.files.trouble = "the folder is away";
  CHECK(office.end_of(office.ask("POST", "/v1/syncs")).at("detail") == "files: the folder is away");
  office.files.trouble.clear();
  office.files.throws = true;
  CHECK(office.end_of(office.ask("POST", "/v1/syncs")).at("state") == "failed");
  CHECK(office.task_errors.empty());
}

TEST_CASE("a dry run of a sync stores nothing and leaves the source its records") {
  Office office;
  office.files.folder = {"user_id;name\n1;Anna\n", "user_id;name\n2;Bo\n"};
  const auto before = office.dump();
  const auto rehearsed = office.end_of(office.ask("POST", "/v1/syncs?dry_run=true"));
  CHECK(rehearsed.at("state") == "done");
  CHECK(office.dump() == before);
  CHECK(office.files.folder.size() == 2);
  CHECK(office.end_of(office.ask("POST", "/v1/syncs")).at("counts").at("created") == 2);
}

TEST_CASE("a job's stream begins with a snapshot, goes on live, says ping when it is quiet, and ends with the job") {
  Office office;
  auto job = office.jobs.start("import", "test", false);
  job->row({.line = 2, .user = "1", .outcome = model::RowOutcome::created, .applied = model::RowOutcome::created});
  const auto stream = office.jobs.follow(job, 0);
  const auto next = [&] { return json::parse(office.call(stream()).value()); };
  CHECK(next().at("event") == "snapshot");
  const auto first = next();
  CHECK(first.at("event") == "row");
  CHECK(first.at("seq") == 0);
  const auto before = office.clock.now();
  CHECK(next().at("event") == "ping");
  CHECK(office.clock.now() - before == 15s);
  job->progress(1, 2, 0);
  CHECK(next().at("event") == "progress");
  // What was rung for an event already told is no reason to say anything.
  job->progress(2, 2, 0);
  job->progress(2, 2, 0);
  const auto told = office.call(stream()).value();
  CHECK(std::count(told.begin(), told.end(), '\n') == 2);
  const auto quiet_since = office.clock.now();
  CHECK(next().at("event") == "ping");
  CHECK(office.clock.now() - quiet_since == 15s);
  job->finish(job->row_counts());
  CHECK(next().at("event") == "done");
  CHECK_FALSE(office.call(stream()).has_value());
}

TEST_CASE("a broken stream is taken up again by number; two may watch at a time") {
  Office office;
  const auto started = office.ask("POST", "/v1/imports", file);
  const auto path = "/v1/jobs/" + started.text("/job") + "/events";
  const auto rest = office.lines(office.ask("GET", path + "?from=4"), "JobEvent");
  REQUIRE(rest.size() == 4);
  CHECK(rest[0].at("event") == "snapshot");
  CHECK(rest[1].at("seq") == 4);
  CHECK(rest[3].at("event") == "done");
  CHECK(office.lines(office.ask("GET", path + "?from=9999"), "JobEvent").size() == 1);
  const auto one = office.ask("GET", path);
  const auto two = office.ask("GET", path);
  CHECK(office.lines(one, "JobEvent") == office.lines(two, "JobEvent"));
}

TEST_CASE("a job that is not known is not found; the list is newest first and pages") {
  Office office;
  for (const auto* path : {"/v1/jobs/none", "/v1/jobs/none/events"})
    CHECK(office.ask("GET", path).code() == "unknown_job");
  for (int i = 0; i < 3; ++i) (void)office.ask("POST", "/v1/imports", file);
  (void)office.ask("POST", "/v1/syncs");
  const auto first = office.ask("GET", "/v1/jobs?limit=3", "", viewer());
  CHECK(first.each("kind") == std::vector<std::string>{"sync", "import", "import"});
  const auto rest = office.ask("GET", "/v1/jobs?limit=3&cursor=" + first.text("/next_cursor"));
  CHECK(rest.items().size() == 1);
  CHECK(rest.body.at("next_cursor").is_null());
  CHECK(office.ask("GET", "/v1/jobs?cursor=zzz").code() == "bad_cursor");
}

TEST_CASE("jobs that ended make room for newer ones, running ones stay") {
  Office office;
  const auto running = office.jobs.start("sync", "test", false);
  for (int i = 0; i < 100; ++i) office.jobs.start("import", "test", false)->finish({});
  CHECK(office.jobs.newest_first().size() <= 51);
  CHECK(office.jobs.find(running->id()) == running);
}
