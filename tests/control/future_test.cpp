// The plan with a file, links at risk and rehearsals, as the control socket answers.
#include "control/office.hpp"

#include <boost/json/parse.hpp>

using namespace invited;
using namespace invited::test;

namespace {

using List = std::vector<std::string>;

constexpr const char* file =
    "user_id;name;login_email;start_date\n"
    "14;Person 14;;2027-03-01\n"
    "new;New;new@example.com;2026-12-20\n"
    "bad;Bad;b@example.com;soon\n";

}  // namespace

TEST_CASE("a plan with a file names who would have another plan, and keeps nothing") {
  Office office;
  office.add(R"({"user_id":"14","name":"Person 14","login_email":"a@example.com","start_date":"2027-02-01"})");
  const auto before = office.dump();
  const auto started = office.ask("POST", "/v1/plan/with?file_name=people.csv", file);
  REQUIRE(started.status == 202);
  CHECK(office.files.file_names.back() == "people.csv");
  const auto events =
      office.lines(office.ask("GET", "/v1/jobs/" + started.text("/job") + "/events", "", viewer()), "JobEvent");
  std::vector<json::value> changes;
  for (const auto& event : events) {
    if (event.at("event") == "change") changes.push_back(event.at("change"));
  }
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].at("user") == "14");
  CHECK(changes[0].at("line") == 2);
  CHECK(changes[0].at("result") == "updated");
  CHECK(changes[0].at("before").at(0).at("local") == "2027-01-31T09:00");
  CHECK(changes[0].at("after").at(0).at("local") == "2027-02-28T09:00");
  CHECK(changes[1].at("user") == "new");
  CHECK(changes[1].at("before").as_array().empty());
  CHECK(changes[1].at("after").at(0).at("ends_at") == "2026-12-23T23:00:00Z");
  CHECK(events.back().at("counts") ==
        json::parse(R"({"created":1,"updated":1,"unchanged":0,"ignored":0,"rejected":1,"changed_plans":2})"));
  CHECK(office.dump() == before);
  CHECK(office.ask("GET", "/v1/jobs/" + started.text("/job")).text("/dry_run") == "true");
}

TEST_CASE("a plan with a file that no source can read") {
  Office office;
  CHECK(office.ask("POST", "/v1/plan/with?source=none", file).code() == "unknown_source");
  const auto end = office.end_of(office.ask("POST", "/v1/plan/with", "PK\x03\x04"));
  CHECK(end.at("state") == "failed");
  CHECK(end.at("detail") == "this is not a text file");
}

TEST_CASE("links at risk are listed page by page, by when and why") {
  Office office;  // a Monday, 30 November 2026
  office.add(R"({"user_id":"early","name":"Early","login_email":"a@example.com","start_date":"2026-12-01"})");
  office.call(office.delivery.pass());
  REQUIRE(office.ask("PATCH", "/v1/users/early", R"({"start_date":"2026-12-20"})").status == 200);
  office.add(R"({"user_id":"fine","name":"Fine","login_email":"b@example.com","start_date":"2026-12-03"})");
  const auto risks = office.ask("GET", "/v1/plan/risk", "", viewer());
  CHECK(risks.each("user") == List{"early", "early"});
  CHECK(risks.each("risk") == List{"ends_before_start", "start_moved"});
  CHECK(risks.text("/items/0/state") == "sent");
  CHECK(risks.text("/items/0/start_date") == "2026-12-20");
  CHECK(risks.text("/items/0/ends_at") == "2026-12-04T23:00:00Z");
  CHECK(risks.text("/next_cursor") == "null");
  CHECK(office.ask("GET", "/v1/plan/risk?until=1h").items().empty());
  CHECK(office.ask("GET", "/v1/plan/risk?until=soon").code() == "bad_until");
  CHECK(office.ask("GET", "/v1/plan/risk?cursor=1").code() == "bad_cursor");
}

TEST_CASE("a rehearsal is asked for by an admin and streams its events") {
  Office office;
  const std::string body =
      R"({"from":"2026-12-01","to":"2026-12-31","transport_down":["3h@2026-12-10T08:00"],"confirm_after":"2d","seed":7,"no_mails":true})";
  CHECK(office.ask("POST", "/v1/rehearsals", body).status == 403);
  CHECK(office.ask("POST", "/v1/rehearsals", "{}", an_admin()).status == 422);
  const auto answer = office.ask("POST", "/v1/rehearsals", body, an_admin());
  REQUIRE(answer.status == 200);
  const auto events = office.lines(answer, "RehearsalEvent");
  REQUIRE(events.size() == 4);
  CHECK(events.front().at("event") == "progress");
  CHECK(events.back().at("state") == "done");
  REQUIRE(office.rehearsals.size() == 1);
  const auto& asked = office.rehearsals.front();
  CHECK(asked.from == "2026-12-01");
  CHECK(asked.to == "2026-12-31");
  CHECK(asked.transport_down == List{"3h@2026-12-10T08:00"});
  CHECK(asked.confirm_after == "2d");
  CHECK(asked.seed == 7);
  CHECK_FALSE(asked.mails);
  CHECK(office.ask("POST", "/v1/rehearsals", R"({"from":"2000-01-01","to":"2026-12-31"})", an_admin()).code() ==
        "rehearsal_running");
}
