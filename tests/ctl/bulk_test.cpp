#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "fake_daemon.hpp"
#include "invitectl.hpp"

using namespace invited::test;
using Catch::Matchers::Contains;
namespace json = boost::json;

namespace {

constexpr const char* plan =
    R"({"plan":"p7","matched":430,"send":400,"connect":2,"skipped":{"connected":20,"in_review":3,"scheduled":5},
        "examples":[{"user":"14","name":"A. Example","login_email":"a@b.example"}]})";

struct BulkDaemon : FakeDaemon {
  explicit BulkDaemon(const std::string& counts = R"({"sent":400,"connected":2,"skipped":{"connected":1}})",
                      const std::string& state = "done") {
    answer("POST", "/v1/plans", 201, plan);
    answer("POST", "/v1/plans/p7/run", 202, R"({"job":"j9"})");
    stream("/v1/jobs/j9/events",
           {"{\"event\":\"snapshot\",\"job\":{\"id\":\"j9\",\"state\":\"running\",\"done\":0,\"total\":402}}\n{"
            "\"event\":\"pi",
            "ng\"}\n", "{\"seq\":1,\"event\":\"progress\",\"done\":201,\"total\":402}\n",
            "{\"seq\":2,\"event\":\"done\",\"state\":\"" + state + "\",\"counts\":" + counts + "}\n"});
  }
};

const std::string before_run = "POST /v1/plans";
const std::string whole_run = "POST /v1/plans; POST /v1/plans/p7/run; GET /v1/jobs/j9/events";

}  // namespace

TEST_CASE("a bulk send plans, compares the count, runs that plan, follows the job, says what it did") {
  BulkDaemon daemon;
  const auto outcome = invitectl({"user", "send-verification", "--all", "--yes", "--expect", "400", "--json"},
                                 {.socket = daemon.socket()});
  CHECK(outcome.code == 0);
  CHECK(daemon.asked_for() == whole_run);
  CHECK(json::parse(daemon.asked()[0].body) == json::parse(R"({"kind":"send-verification","filter":{"all":true}})"));
  CHECK(
      json::parse(outcome.out) ==
      json::parse(
          R"({"plan":"p7","sent":400,"connected":2,"failed":0,"skipped":{"connected":21,"in_review":3,"scheduled":5},"job":"j9"})"));
  CHECK_THAT(outcome.err, Contains("Sending 201 of 402, 50 %"));
  CHECK(daemon.complaints() == "");
}

TEST_CASE("a filter travels in the plan, with what it includes") {
  BulkDaemon daemon;
  const auto outcome = invitectl({"user", "send-verification", "--company", "north", "--enabled", "true",
                                  "--include-scheduled", "--include-recent", "--yes", "-q"},
                                 {.socket = daemon.socket()});
  CHECK(outcome.code == 0);
  CHECK(outcome.err.empty());
  CHECK(outcome.out == "400 mails on the way, 2 connected without a mail\n");
  CHECK(
      json::parse(daemon.asked()[0].body) ==
      json::parse(
          R"({"kind":"send-verification","filter":{"company":"north","enabled":true},"include_scheduled":true,"include_recent":true})"));
  CHECK(daemon.complaints() == "");
}

TEST_CASE("another count than expected sends nothing") {
  for (const auto* expected : {"399", "401", "402", "0"}) {
    BulkDaemon daemon;
    const auto outcome =
        invitectl({"user", "send-verification", "--all", "--yes", "--expect", expected}, {.socket = daemon.socket()});
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err,
               Contains("400 mails would go out, not " + std::string(expected)) && Contains("Nothing was sent"));
    CHECK(daemon.asked_for() == before_run);
  }
}

TEST_CASE("without a terminal and without --yes nothing is sent, whatever is piped in") {
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--expect", "400"}, {"--json"}}) {
    BulkDaemon daemon;
    std::vector<std::string> arguments{"user", "send-verification", "--all"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto outcome = invitectl(arguments, {.socket = daemon.socket(), .input = "400\n"});
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, Contains("confirm"));
    CHECK(daemon.asked_for() == before_run);
  }
}

TEST_CASE("on a terminal the count must be typed") {
  for (const auto* wrong : {"yes\n", "y\n", "\n", "40\n", "402\n"}) {
    BulkDaemon daemon;
    const auto outcome =
        invitectl({"user", "send-verification", "--all"},
                  {.socket = daemon.socket(), .terminal = true, .type_after = "Type 400", .type = wrong});
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.out, Contains("430 users selected") && Contains("left out: review not finished") &&
                                Contains("2  are connected without a mail") && Contains("a@b.example"));
    CHECK(daemon.asked_for() == before_run);
  }
  BulkDaemon daemon;
  const auto outcome =
      invitectl({"user", "send-verification", "--all"},
                {.socket = daemon.socket(), .terminal = true, .type_after = "Type 400", .type = "400\n"});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("400 mails on the way"));
  CHECK(daemon.asked_for() == whole_run);
}

TEST_CASE("a dry run is the plan and nothing more") {
  BulkDaemon daemon;
  const auto outcome =
      invitectl({"user", "send-verification", "--all", "--dry-run", "--json"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 0);
  CHECK(json::parse(outcome.out) == json::parse(plan));
  CHECK_THAT(invitectl({"user", "send-verification", "--all", "-n", "--yes"}, {.socket = daemon.socket()}).out,
             Contains("Dry run, nothing was sent: 430 users selected"));
  CHECK(daemon.asked_for() == "POST /v1/plans; POST /v1/plans");
  CHECK(daemon.complaints() == "");
}

TEST_CASE("nobody to send to is done at once, without a question") {
  FakeDaemon daemon;
  daemon.answer("POST", "/v1/plans", 201,
                R"({"plan":"p8","matched":400,"send":0,"connect":0,"skipped":{"connected":400}})");
  const auto outcome = invitectl({"user", "send-verification", "--all", "--json"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 0);
  CHECK(json::parse(outcome.out) ==
        json::parse(R"({"plan":"p8","sent":0,"connected":0,"failed":0,"skipped":{"connected":400},"job":null})"));
  CHECK(daemon.asked_for() == before_run);
}

TEST_CASE("a plan that is no longer true is not confirmed") {
  FakeDaemon daemon;
  daemon.answer("POST", "/v1/plans", 201, plan);
  daemon.answer("POST", "/v1/plans/p7/run", 409,
                R"({"type":"urn:x","title":"No","status":409,"code":"plan_changed","detail":"3 users changed."})");
  const auto outcome = invitectl({"user", "send-verification", "--all", "--yes"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Contains("3 users changed.") && Contains("Nothing was sent"));
}

TEST_CASE("some failed is exit 3, a failed job exit 1") {
  BulkDaemon some(R"({"sent":398,"connected":2,"failed":2})");
  const auto partly = invitectl({"user", "send-verification", "--all", "--yes"}, {.socket = some.socket()});
  CHECK(partly.code == 3);
  CHECK_THAT(partly.out, Contains("398 mails on the way, 2 connected without a mail, 2 failed"));
  BulkDaemon all(R"({"sent":100})", "failed");
  const auto failed = invitectl({"user", "send-verification", "--all", "--yes"}, {.socket = all.socket()});
  CHECK(failed.code == 1);
  CHECK_THAT(failed.err, Contains("The job failed"));
}

TEST_CASE("one user is sent to without plan, job or question") {
  FakeDaemon daemon;
  daemon.answer("POST", "/v1/users/14/send-verification", 200,
                R"({"action":"send","user":{"id":"14","login_email":"a@b.example"}})");
  const auto outcome = invitectl({"user", "send-verification", "14"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 0);
  CHECK(outcome.out == "14: the mail to a@b.example goes out now\n");
}

TEST_CASE("a user who is connected instead of sent to is told by what connects") {
  const auto said = [](const std::string& reason) {
    FakeDaemon daemon;
    daemon.answer(
        "POST", "/v1/users/14/send-verification", 200,
        R"({"action":"connect","reason":")" + reason + R"(","user":{"id":"14","login_email":"a@b.example"}})");
    return invitectl({"user", "send-verification", "14"}, {.socket = daemon.socket()}).out;
  };
  CHECK(said("verified_domain") == "14: the domain is verified, so the user is connected without a mail\n");
  CHECK(said("confirmed") == "14: the address is confirmed: the account is being made\n");
}

TEST_CASE("every reason to leave somebody out is told in words, also one that is younger than this program") {
  FakeDaemon daemon;
  daemon.answer("POST", "/v1/plans", 201,
                R"({"plan":"p7","matched":9,"send":1,"connect":0,"examples":[],"skipped":{"employment_ended":1,
                    "between_employments":1,"confirmed":1,"held":1,"withdrawn":1,"no_start_date":1,
                    "domain_not_allowed":1,"review_rejected":1,"quite_new":1}})");
  const auto outcome = invitectl({"user", "send-verification", "--all", "--dry-run"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 0);
  for (const auto* words :
       {"employment ended", "between two employments", "address confirmed, the account is being made",
        "waits for a person (invitectl invitation list --held true)", "employment withdrawn", "no start date",
        "login email of a domain that is not allowed", "review rejected", "quite new"})
    CHECK_THAT(outcome.out, Contains(std::string("left out: ") + words));
  CHECK_THAT(outcome.out, !Contains("_"));
}
