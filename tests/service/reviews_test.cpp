// Review flows (W3): who may approve what, in which order, and what is asked again.
#include "service/bench.hpp"

#include <catch2/catch.hpp>

#include "service/review_rules.hpp"
#include "store/users.hpp"

using namespace invited;
using namespace invited::test;

namespace {

const service::Act by_eva{.actor = "uid:7 (eva)", .dry_run = false};
const service::Act by_olof{.actor = "uid:8 (olof)", .dry_run = false};

model::ReviewFlow flow(const std::string& name, std::vector<model::ReviewStep> steps) {
  model::ReviewFlow made;
  made.name = name;
  made.steps = std::move(steps);
  return made;
}

model::Policies with(std::vector<model::ReviewFlow> flows, model::Templates templates) {
  const auto base = stockholm();
  return {base.organisation(), base.companies(), model::ReviewFlows(std::move(flows)), std::move(templates)};
}

model::Policies two_steps(bool four_eyes = false, bool active = true) {
  auto office = flow("office", {{"manager", ""}, {"hr", "manager"}});
  office.four_eyes = four_eyes;
  office.active = active;
  model::Templates templates;
  templates.employments = {{"permanent", "", "office"}, {"hourly", "", ""}};
  return with({std::move(office)}, std::move(templates));
}

void hire(Bench& b, const std::string& id, const std::string& start, const std::string& source = "hr",
          const std::string& employment_template = "permanent") {
  (void)b.rows({{{"user_id", id},
                 {"name", id},
                 {"login_email", id + "@example.com"},
                 {"start_date", start},
                 {"employment_template", employment_template}}},
               false, source);
}

std::string code_of(const core::Result<service::Applied>& result) {
  return result ? "ok" : result.error().code;
}

std::string review(Bench& b, const std::string& id) {
  const auto user = b.user(id);
  return std::string(model::to_text(store::employments::in_force(*b.db, user->key)->review));
}

}  // namespace

TEST_CASE("W3: only the last of a flow's steps releases, and each waits for its earlier one") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-10-21");
  b.pump();
  CHECK(b.state("a") == "draft");
  CHECK(code_of(b.go(b.reviews.approve("a", "hr", by_eva))) == "step_not_open");
  CHECK(code_of(b.go(b.reviews.approve("a", "nobody", by_eva))) == "unknown_step");
  CHECK(code_of(b.go(b.reviews.approve("a", "", by_eva))) == "ok");  // manager: the only open one
  b.pump();
  CHECK(b.state("a") == "draft");
  CHECK(b.mails_to("a") == 0);
  CHECK(b.go(b.reviews.approve("a", "manager", by_eva)).error().message ==
        "\"manager\" is approved already, by uid:7 (eva).");
  CHECK(code_of(b.go(b.reviews.approve("a", "hr", by_olof))) == "ok");
  b.pump();
  CHECK(b.state("a") == "sent");
  CHECK(review(b, "a") == "approved");
}

TEST_CASE("W3: a last approval at 07:00 on the day before the start sends at once") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-12-01");
  REQUIRE(b.go(b.reviews.approve("a", "manager", by_eva)));
  b.at("2026-11-30T06:00:00Z");  // 07:00 in Stockholm
  b.pump();
  CHECK(b.mails_to("a") == 0);
  REQUIRE(b.go(b.reviews.approve("a", "hr", by_eva)));
  b.pump();
  CHECK(b.mails_to("a") == 1);
}

TEST_CASE("several open steps must be named") {
  model::Templates templates;
  templates.employments = {{"permanent", "", "wide"}};
  Bench b(with({flow("wide", {{"manager", ""}, {"payroll", ""}})}, std::move(templates)));
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-10-21");
  const auto vague = b.go(b.reviews.approve("a", "", by_eva));
  REQUIRE_FALSE(vague);
  CHECK(vague.error().code == "which_step");
  CHECK(vague.error().message.find("manager, payroll") != std::string::npos);
  REQUIRE(b.go(b.reviews.approve("a", "payroll", by_eva)));
  REQUIRE(b.go(b.reviews.approve("a", "", by_eva)));
  b.pump();
  CHECK(b.state("a") == "sent");
}

TEST_CASE("four eyes: who entered or changed the hire cannot approve it") {
  Bench b(two_steps(true));
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-12-01");  // rows() enters as the source's actor
  const std::string enterer = store::employments::in_force(*b.db, b.user("a")->key)->entered_by;
  REQUIRE_FALSE(enterer.empty());
  CHECK(code_of(b.go(b.reviews.approve("a", "manager", {.actor = enterer}))) == "four_eyes");
  CHECK(b.state("a") == "draft");
  REQUIRE(b.go(b.reviews.approve("a", "manager", by_eva)));
  REQUIRE(b.go(b.reviews.approve("a", "hr", by_olof)));
  CHECK(b.state("a") == "scheduled");
}

TEST_CASE("a changed login email or start date asks every approved step again") {
  for (const bool email : {true, false}) {
    Bench b(two_steps());
    b.at("2026-10-20T08:00:00Z");
    hire(b, "a", "2026-12-01");
    REQUIRE(b.go(b.reviews.approve("a", "manager", by_eva)));
    REQUIRE(b.go(b.reviews.approve("a", "hr", by_eva)));
    CHECK(b.state("a") == "scheduled");
    if (email) {
      CHECK(b.row({{"user_id", "a"}, {"login_email", "new@example.com"}}) == "updated");
    } else {
      CHECK(b.row({{"user_id", "a"}, {"start_date", "2026-10-21"}}) == "updated");
    }
    b.pump();
    CHECK(b.state("a") == "draft");
    CHECK(review(b, "a") == "pending");
    CHECK(b.mails_to("a") == 0);
    CHECK(b.mails_to("new") == 0);
    REQUIRE(b.go(b.reviews.approve("a", "manager", by_eva)));
    REQUIRE(b.go(b.reviews.approve("a", "hr", by_eva)));
    CHECK(review(b, "a") == "approved");
  }
}

TEST_CASE("a half finished review starts again, too, when what was approved changes") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-12-01");
  REQUIRE(b.go(b.reviews.approve("a", "manager", by_eva)));
  CHECK(b.row({{"user_id", "a"}, {"start_date", "2026-12-02"}}) == "updated");
  CHECK(code_of(b.go(b.reviews.approve("a", "hr", by_eva))) == "step_not_open");
}

TEST_CASE("other fields, the first login email and a mail that is out ask nothing again") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  CHECK(b.row({{"user_id", "a"}, {"name", "A"}, {"start_date", "2026-10-21"}, {"employment_template", "permanent"}}) ==
        "created");
  REQUIRE(b.go(b.reviews.approve("a", "manager", by_eva)));
  REQUIRE(b.go(b.reviews.approve("a", "hr", by_eva)));
  CHECK(b.row({{"user_id", "a"}, {"department", "Sales"}}) == "updated");
  CHECK(b.row({{"user_id", "a"}, {"login_email", "a@example.com"}}) == "updated");
  b.pump();
  CHECK(b.state("a") == "sent");
  CHECK(b.row({{"user_id", "a"}, {"start_date", "2026-11-05"}}) == "updated");  // W6
  b.pump();
  CHECK(b.state("a") == "sent");
  CHECK(review(b, "a") == "approved");
}

TEST_CASE("an inactive flow lets hires pass, and a template without a flow asks for no review") {
  Bench inactive(two_steps(false, false));
  inactive.at("2026-10-20T08:00:00Z");
  hire(inactive, "a", "2026-10-21");
  inactive.pump();
  CHECK(inactive.state("a") == "sent");

  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  hire(b, "b", "2026-10-21", "hr", "hourly");
  b.pump();
  CHECK(b.state("b") == "sent");
}

TEST_CASE("rejected with a reason, reopened, and approved from the first step on") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-10-21");
  REQUIRE(b.go(b.reviews.approve("a", "manager", by_eva)));
  REQUIRE(b.go(b.reviews.reject("a", "wrong person", by_olof)));
  CHECK(b.state("a") == "cancelled");
  CHECK(code_of(b.go(b.reviews.approve("a", "hr", by_eva))) == "not_in_review");
  REQUIRE(b.go(b.reviews.reopen("a", by_eva)));
  CHECK(code_of(b.go(b.reviews.approve("a", "hr", by_eva))) == "step_not_open");
  REQUIRE(b.go(b.reviews.approve("a", "manager", by_eva)));
  REQUIRE(b.go(b.reviews.approve("a", "hr", by_eva)));
  b.pump();
  CHECK(b.state("a") == "sent");
  CHECK(b.go(b.reviews.reopen("a", by_eva)).error().code == "mail_is_out");
}

TEST_CASE("another template moves a hire in review into its flow") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-10-21");
  CHECK(b.state("a") == "draft");
  CHECK(b.row({{"user_id", "a"}, {"employment_template", "hourly"}}) == "updated");
  b.pump();
  CHECK(b.state("a") == "sent");

  hire(b, "b", "2026-12-01", "hr", "hourly");
  CHECK(b.state("b") == "scheduled");
  CHECK(b.row({{"user_id", "b"}, {"employment_template", "permanent"}}) == "updated");
  CHECK(b.state("b") == "draft");
}

TEST_CASE("who was in a flow that is gone goes on in the default one; approvals of its steps count") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-10-21");
  hire(b, "b", "2026-10-21");
  REQUIRE(b.go(b.reviews.approve("a", "manager", by_eva)));

  // The next run of the daemon has a configuration without the flow, whose default asks for the manager only.
  auto planner = std::make_shared<service::Planner>(
      std::make_shared<const model::Policies>(with({flow("default", {{"manager", ""}})}, {})), b.clock, b.random,
      "example.com", 0);
  service::Reviews later(*b.store, b.clock, planner);
  CHECK(b.go(later.settle_all()) == 1);
  b.pump();
  CHECK(b.state("a") == "sent");
  CHECK(b.state("b") == "draft");
  CHECK(store::employments::in_force(*b.db, b.user("b")->key)->flow == "default");
  REQUIRE(b.go(later.approve("b", "", by_eva)));
  b.pump();
  CHECK(b.state("b") == "sent");
}

TEST_CASE("a re-hire enters the flow anew") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-10-21");
  REQUIRE(b.go(b.reviews.approve("a", "manager", by_eva)));
  REQUIRE(b.go(b.reviews.approve("a", "hr", by_eva)));
  b.pump();
  CHECK(b.row({{"user_id", "a"}, {"end_date", "2026-10-31"}}) == "updated");
  b.at("2026-11-20T08:00:00Z");
  CHECK(b.go(b.sweep.disable_leavers()) == 1);
  CHECK_FALSE(b.user("a")->enabled);
  CHECK(b.row({{"user_id", "a"}, {"start_date", "2026-12-01"}, {"employment_template", "permanent"}}) == "updated");
  CHECK(b.user("a")->enabled);
  CHECK(review(b, "a") == "pending");
  b.at("2026-12-01T08:00:00Z");
  b.pump();
  CHECK(b.mails_to("a") == 1);
}

TEST_CASE("four eyes are not got around by another template: the review stays until somebody decides") {
  Bench b(two_steps(true));
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-10-21");
  CHECK(b.row({{"user_id", "a"}, {"employment_template", "hourly"}}) == "updated");
  CHECK(b.row({{"user_id", "a"}, {"employment_template", ""}}) == "updated");
  b.pump();
  CHECK(review(b, "a") == "pending");
  CHECK(b.state("a") == "draft");
  CHECK(b.transport.mails.empty());
}

TEST_CASE("W3: a start after the old end is no way past a review that is not finished, or was rejected") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  for (const auto* id : {"pending", "rejected"}) {
    (void)b.rows({{{"user_id", id},
                   {"name", id},
                   {"login_email", std::string(id) + "@example.com"},
                   {"start_date", "2026-10-20"},
                   {"end_date", "2026-10-20"},
                   {"employment_template", "permanent"}}});
  }
  REQUIRE(b.go(b.reviews.reject("rejected", "no", by_eva)));
  for (const auto* id : {"pending", "rejected"})
    CHECK(b.row({{"user_id", id}, {"start_date", "2026-10-21"}}) == "updated");
  b.pump();
  CHECK(b.transport.mails.empty());
}

TEST_CASE("a rejection of the next employment is taken back by reopen, and does not touch the present one") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  (void)b.rows({{{"user_id", "a"},
                 {"name", "a"},
                 {"login_email", "a@example.com"},
                 {"start_date", "2026-10-20"},
                 {"end_date", "2026-11-30"},
                 {"employment_template", "hourly"}}});
  b.pump();
  REQUIRE(b.state("a") == "sent");
  (void)b.rows({{{"user_id", "a"}, {"start_date", "2026-12-01"}, {"employment_template", "permanent"}}});
  REQUIRE(b.go(b.reviews.reject("a", "no", by_eva)));
  REQUIRE(b.go(b.reviews.reopen("a", by_eva)));
  REQUIRE(b.go(b.reviews.approve("a", "manager", by_eva)));
}

namespace {
void approve_both(Bench& b, const std::string& id) {
  REQUIRE(b.go(b.reviews.approve(id, "manager", by_eva)));
  REQUIRE(b.go(b.reviews.approve(id, "hr", by_eva)));
  REQUIRE(review(b, id) == "approved");
}
}  // namespace

TEST_CASE("W3: who was withdrawn and comes back with another first day is reviewed again") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-12-10");
  approve_both(b, "a");
  CHECK(b.row({{"user_id", "a"}, {"withdrawn", "true"}}) == "updated");
  CHECK(b.row({{"user_id", "a"}, {"withdrawn", "false"}, {"start_date", "2026-10-21"}}) == "updated");
  b.pump();
  CHECK(review(b, "a") == "pending");
  CHECK(b.transport.mails.empty());
  CHECK(store::employments::in_force(*b.db, b.user("a")->key)->employment_template == "permanent");
}

TEST_CASE("W3: an address that is saved while the employment is withdrawn is not what was approved") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-10-30");
  approve_both(b, "a");
  CHECK(b.row({{"user_id", "a"}, {"withdrawn", "true"}}) == "updated");
  CHECK(b.row({{"user_id", "a"}, {"login_email", "other@example.com"}}) == "updated");
  CHECK(b.row({{"user_id", "a"}, {"withdrawn", "false"}}) == "updated");
  CHECK(review(b, "a") == "pending");
  b.at("2026-10-29T08:00:00Z");
  b.pump();
  CHECK(b.transport.mails.empty());
}

TEST_CASE("W3: approvals say nothing about another flow, and nothing any more after the way back") {
  Bench b(two_steps());
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-12-10");
  approve_both(b, "a");
  CHECK(b.row({{"user_id", "a"}, {"employment_template", "hourly"}}) == "updated");
  CHECK(b.row({{"user_id", "a"}, {"employment_template", "permanent"}}) == "updated");
  CHECK(review(b, "a") == "pending");
  CHECK(code_of(b.go(b.reviews.approve("a", "hr", by_eva))) == "step_not_open");
}

TEST_CASE("four eyes: an approved hire keeps its flow, so that another date is asked about whatever the template") {
  Bench b(two_steps(true));
  b.at("2026-10-20T08:00:00Z");
  hire(b, "a", "2026-12-10");
  approve_both(b, "a");
  CHECK(b.row({{"user_id", "a"}, {"employment_template", "hourly"}, {"start_date", "2026-10-21"}}) == "updated");
  b.pump();
  CHECK(review(b, "a") == "pending");
  CHECK(b.transport.mails.empty());
}

TEST_CASE(
    "four eyes: whoever changes anything of a hire in review, or chooses the first address, is not who approves") {
  Bench b(two_steps(true));
  b.at("2026-10-20T08:00:00Z");
  const auto by_hand = [&](const service::Act& who, Row fields) {
    fields.insert(fields.begin(), {"user_id", "a"});
    service::Intake::Run run(b.intake, {.source = "manual", .actor = who.actor}, {});
    std::vector<model::SourceItem> items{model::SourceRecord{fields, 1}};
    b.go(run.sink()(std::move(items)));
    return run.results().at(0).result();
  };
  CHECK(by_hand(by_olof, {{"name", "A"}, {"start_date", "2026-10-21"}, {"employment_template", "permanent"}}) ==
        "created");
  CHECK(by_hand(by_eva, {{"department", "Sales"}}) == "updated");
  CHECK(code_of(b.go(b.reviews.approve("a", "manager", by_eva))) == "four_eyes");
  const service::Act by_third{.actor = "uid:9 (tor)", .dry_run = false};
  REQUIRE(b.go(b.reviews.approve("a", "manager", by_third)));
  REQUIRE(b.go(b.reviews.approve("a", "hr", by_third)));
  CHECK(by_hand(by_eva, {{"login_email", "chosen@example.com"}}) == "updated");
  b.pump();
  CHECK(review(b, "a") == "pending");
  CHECK(b.transport.mails.empty());
}
