// Bulk sends (W13) by their two steps.
#include "control/office.hpp"

#include <boost/json/parse.hpp>

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* everybody = R"({"kind":"send-verification","filter":{"all":true}})";

// One of each kind of being left out, and two to send to.
void populate(Office& office) {
  office.add(R"({"user_id":"send1","name":"A","login_email":"a@example.com"})");
  office.add(R"({"user_id":"send2","name":"B","login_email":"b@example.com"})");
  office.add(R"({"user_id":"none","name":"C"})");
  office.add(
      R"({"user_id":"review","name":"D","login_email":"d@example.com","start_date":"2026-12-01","in_review":true})");
  office.add(R"({"user_id":"disabled","name":"E","login_email":"e@example.com","enabled":false})");
  office.add(R"({"user_id":"scheduled","name":"F","login_email":"f@example.com","start_date":"2027-03-01"})");
  office.hire("recent");
  const auto token = office.hire("used").substr(std::string("https://invite.example.com/v/").size());
  (void)office.call(office.links.confirm(token, office.call(office.links.open(token)).form_proof));
  office.add(R"({"user_id":"verified","name":"G","login_email":"g@verified.example"})");
  REQUIRE(office.ask("POST", "/v1/domains", R"({"name":"verified.example","method":"assertion"})", an_admin()).status ==
          201);
}

}  // namespace

TEST_CASE("the plan counts who is reached and who is left out, and sends nothing") {
  Office office;
  populate(office);
  const auto mails = office.postbox.sent.size();
  const auto audit = office.audit().size();
  const auto plan = office.ask("POST", "/v1/plans", everybody);
  CHECK(plan.status == 201);
  CHECK(plan.text("/matched") == "9");
  CHECK(plan.text("/send") == "2");
  CHECK(plan.text("/connect") == "1");
  CHECK(
      json::parse(plan.text("/skipped")) ==
      json::parse(
          R"({"connected":1,"no_login_email":1,"in_review":1,"disabled":1,"verified_domain":1,"scheduled":1,"cooldown":1})"));
  CHECK(plan.text("/examples/0/user") == "send1");
  CHECK(plan.text("/examples/0/login_email") == "a@example.com");
  CHECK(office.postbox.sent.size() == mails);
  CHECK(office.audit().size() == audit);
  CHECK(office
            .ask("POST", "/v1/plans",
                 R"({"kind":"send-verification","filter":{"all":true},"include_scheduled":true,"include_recent":true})")
            .text("/send") == "4");
  CHECK(
      office
          .ask("POST", "/v1/plans", R"({"kind":"send-verification","filter":{"search":"example.com","enabled":false}})")
          .text("/matched") == "1");
}

TEST_CASE("a plan is run once, by its id; the second plan over the same filter sends nothing") {
  Office office;
  populate(office);
  const auto mails = office.postbox.sent.size();
  const auto plan = office.ask("POST", "/v1/plans", everybody).text("/plan");
  const auto end = office.end_of(office.ask("POST", "/v1/plans/" + plan + "/run"));
  CHECK(end.at("state") == "done");
  CHECK(end.at("counts").at("sent") == 2);
  CHECK(end.at("counts").at("connected") == 1);
  CHECK(office.postbox.sent.size() == mails + 2);
  CHECK(office.user("verified").connection == model::Connection::connected);
  int released_by_operator = 0;
  for (const auto& event : office.audit("user:send1")) {
    if (event.action == "invitation.released" && event.actor == "uid:60003") ++released_by_operator;
  }
  CHECK(released_by_operator == 1);

  const auto again = office.ask("POST", "/v1/plans/" + plan + "/run");
  CHECK(again.status == 409);
  CHECK(again.code() == "plan_not_runnable");
  const auto second = office.ask("POST", "/v1/plans", everybody);
  CHECK(second.text("/send") == "0");
  CHECK(second.text("/connect") == "0");
  CHECK(second.text("/skipped/cooldown") == "3");
  CHECK(second.text("/skipped/connected") == "2");
  const auto nothing = office.end_of(office.ask("POST", "/v1/plans/" + second.text("/plan") + "/run"));
  CHECK(nothing.at("counts").at("sent") == 0);
  CHECK(office.postbox.sent.size() == mails + 2);
}

TEST_CASE("a dry run of a plan says what the run would do, and the run is still to be had") {
  Office office;
  populate(office);
  const auto plan = office.ask("POST", "/v1/plans", everybody).text("/plan");
  const auto mails = office.postbox.sent.size();
  const auto before = office.dump();
  const auto end = office.end_of(office.ask("POST", "/v1/plans/" + plan + "/run?dry_run=true"));
  CHECK(end.at("counts").at("sent") == 2);
  CHECK(end.at("counts").at("connected") == 1);
  CHECK(office.dump() == before);
  CHECK(office.postbox.sent.size() == mails);
  office.end_of(office.ask("POST", "/v1/plans/" + plan + "/run"));
  CHECK(office.postbox.sent.size() == mails + 2);
}

TEST_CASE("who changed since the plan was made is left out and counted") {
  Office office;
  populate(office);
  const auto plan = office.ask("POST", "/v1/plans", everybody).text("/plan");
  REQUIRE(office.ask("POST", "/v1/users/send1/disable").status == 200);
  office.add(R"({"user_id":"new","name":"New","login_email":"new@example.com"})");  // not in the plan
  const auto mails = office.postbox.sent.size();
  const auto end = office.end_of(office.ask("POST", "/v1/plans/" + plan + "/run"));
  CHECK(end.at("counts").at("sent") == 1);
  CHECK(end.at("counts").at("skipped").at("disabled") == 1);
  CHECK(office.postbox.sent.size() == mails + 1);
  CHECK(office.postbox.sent.back() == "b@example.com");
}

TEST_CASE("a plan wants a filter, a kind, and an id that is one") {
  Office office;
  CHECK(office.ask("POST", "/v1/plans", "{}").status == 422);
  CHECK(office.ask("POST", "/v1/plans", R"({"kind":"send-verification"})").status == 422);
  CHECK(office.ask("POST", "/v1/plans", R"({"kind":"send-verification","filter":{}})").status == 422);
  CHECK(office.ask("POST", "/v1/plans", R"({"kind":"delete","filter":{"all":true}})").status == 422);
  for (const auto* id : {"none", "00000000-0000-7000-8000-000000000000"}) {
    const auto answer = office.ask("POST", std::string("/v1/plans/") + id + "/run");
    CHECK(answer.status == 404);
    CHECK(answer.code() == "unknown_plan");
  }
}

TEST_CASE("a run that was interrupted goes on as a job of its own, and nobody gets two mails") {
  Office office;
  populate(office);
  const auto mails = office.postbox.sent.size();
  const auto plan = office.ask("POST", "/v1/plans", everybody).text("/plan");
  // Started, and one of its three done, by a run of the daemon that is gone.
  REQUIRE(office.call(office.bulk.start(*core::Id::parse(plan))));
  REQUIRE(office.ask("POST", "/v1/users/send1/send-verification").status == 200);
  office.in_store([](store::Db& db) { return db.run("UPDATE plan_items SET outcome = 'send' WHERE number = 0"); });
  office.call(control::resume_bulk(&office.desk));
  const auto job = office.ask("GET", "/v1/jobs");
  CHECK(job.text("/items/0/kind") == "send-verification");
  CHECK(job.text("/items/0/state") == "done");
  CHECK(job.text("/items/0/counts/sent") == "2");
  CHECK(office.postbox.sent.size() == mails + 2);
  office.call(control::resume_bulk(&office.desk));
  CHECK(office.postbox.sent.size() == mails + 2);
}
