// Every row of the two tables in model/states.cpp happens through the services: one scenario for each, named by its
// row. A row without a scenario fails, and so does a scenario after which the row was not seen in the store.
#include <catch2/catch.hpp>
#include <map>

#include "model/states.hpp"
#include "service/bench.hpp"
#include "store/users.hpp"

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using model::VerdictStatus;

namespace {

struct Office : Bench {
  Office() { at("2026-10-20T08:00:00Z"); }
  void hire(const std::string& start, Row more = {}) {
    Row fields{{"user_id", "a"}, {"name", "A"}, {"login_email", "a@example.com"}, {"start_date", start}};
    for (auto& field : more) fields.push_back(std::move(field));
    row(fields);
  }
  void now() { hire("2026-10-20"); }
  void later() { hire("2026-12-01"); }
  void reviewed(const std::string& start) { hire(start, {{"in_review", "true"}}); }
  void verify_domain() {
    REQUIRE(go(domains.assert_verified("example.com", by_admin)));
    go(domains.pass());
  }
  void approve() { REQUIRE(go(reviews.approve("a", "", by_admin))); }
  void change_email() { row({{"user_id", "a"}, {"login_email", "b@example.com"}}); }
  void disable() { REQUIRE(go(users.set_enabled("a", false, by_admin))); }
  void revoke() { REQUIRE(go(users.revoke(invitation("a").key, by_admin))); }
  void say(VerdictStatus status) {
    transport.script = [status](const model::OutgoingMail&) { return verdict(status); };
  }
  void silence() {
    transport.script = [](const model::OutgoingMail&) { return std::nullopt; };
  }
  void answer(VerdictStatus status) {
    transport.answer(transport.mails.back().delivery, verdict(status));
    settle(io);
  }
  void sent() {
    now();
    pump();
  }
  void confirmed() {
    now();
    mails_only();
    confirm(link("a"));
  }
  void expired() {
    sent();
    at("2026-10-25T00:00:00Z");
    go(sweep.expire());
  }
};

using Scenario = std::function<void(Office&)>;

const std::map<std::string, Scenario> of_invitations{
    {"(new) → draft", [](Office& b) { b.reviewed("2026-10-20"); }},
    {"(new) → scheduled", [](Office& b) { b.later(); }},
    {"(new) → released", [](Office& b) { b.now(); }},
    {"(new) → verified",
     [](Office& b) {
       b.verify_domain();
       b.later();
     }},
    {"draft → scheduled",
     [](Office& b) {
       b.reviewed("2026-12-01");
       b.approve();
     }},
    {"draft → released",
     [](Office& b) {
       b.reviewed("2026-10-20");
       b.approve();
     }},
    {"draft → verified",
     [](Office& b) {
       b.reviewed("2026-10-20");
       b.verify_domain();
       b.approve();
     }},
    {"draft → superseded",
     [](Office& b) {
       b.reviewed("2026-10-20");
       b.change_email();
     }},
    {"draft → cancelled",
     [](Office& b) {
       b.reviewed("2026-10-20");
       REQUIRE(b.go(b.reviews.reject("a", "no", by_admin)));
     }},
    {"scheduled → draft",
     [](Office& b) {
       b.later();
       b.row({{"user_id", "a"}, {"in_review", "true"}});
     }},
    {"scheduled → released",
     [](Office& b) {
       b.later();
       b.at("2026-11-30T08:00:00Z");
       b.pump();
     }},
    {"scheduled → verified",
     [](Office& b) {
       b.later();
       b.verify_domain();
     }},
    {"scheduled → superseded",
     [](Office& b) {
       b.later();
       b.change_email();
     }},
    {"scheduled → cancelled",
     [](Office& b) {
       b.later();
       b.disable();
     }},
    {"released → sent", [](Office& b) { b.sent(); }},
    {"released → verified",
     [](Office& b) {
       b.silence();
       b.sent();
       b.confirm(b.link("a"));
     }},
    {"released → superseded",
     [](Office& b) {
       b.now();
       b.change_email();
     }},
    {"released → cancelled",
     [](Office& b) {
       b.now();
       b.disable();
     }},
    {"released → revoked",
     [](Office& b) {
       b.silence();
       b.sent();
       b.revoke();
     }},
    {"sent → verified", [](Office& b) { b.confirmed(); }},
    {"sent → expired", [](Office& b) { b.expired(); }},
    {"sent → superseded",
     [](Office& b) {
       b.sent();
       REQUIRE(b.send("a") == "ok");
     }},
    {"sent → revoked",
     [](Office& b) {
       b.sent();
       b.disable();
     }},
    {"expired → superseded",
     [](Office& b) {
       b.expired();
       REQUIRE(b.send("a") == "ok");
     }},
    {"expired → verified",
     [](Office& b) {
       b.sent();
       b.at("2026-10-24T21:59:00Z");
       const auto view = b.go(b.links.open(b.link("a")));
       b.at("2026-10-24T22:10:00Z");
       b.go(b.sweep.expire());
       b.go(b.links.confirm(b.link("a"), view.form_proof));
     }},
    {"verified → connected",
     [](Office& b) {
       b.confirmed();
       b.pump();
     }},
    {"verified → revoked",
     [](Office& b) {
       b.confirmed();
       b.revoke();
     }},
    {"verified → superseded",
     [](Office& b) {
       b.confirmed();
       b.change_email();
     }},
};

const std::map<std::string, Scenario> of_deliveries{
    {"(new) → queued", [](Office& b) { b.now(); }},
    {"queued → claimed", [](Office& b) { b.sent(); }},
    {"queued → cancelled",
     [](Office& b) {
       b.now();
       b.disable();
     }},
    {"claimed → accepted", [](Office& b) { b.sent(); }},
    {"claimed → deferred",
     [](Office& b) {
       b.say(VerdictStatus::retry);
       b.sent();
     }},
    {"claimed → rejected",
     [](Office& b) {
       b.say(VerdictStatus::rejected);
       b.sent();
     }},
    {"claimed → uncertain",
     [](Office& b) {
       b.say(VerdictStatus::unknown);
       b.sent();
     }},
    {"deferred → claimed",
     [](Office& b) {
       b.say(VerdictStatus::retry);
       b.sent();
       b.clock.advance(1h);
       b.pump();
     }},
    {"deferred → cancelled",
     [](Office& b) {
       b.say(VerdictStatus::retry);
       b.sent();
       b.disable();
     }},
    {"uncertain → claimed",
     [](Office& b) {
       b.say(VerdictStatus::unknown);
       b.sent();
       b.clock.advance(1h);
       b.pump();
     }},
    {"uncertain → cancelled",
     [](Office& b) {
       b.say(VerdictStatus::unknown);
       b.sent();
       b.disable();
     }},
    {"rejected → queued",
     [](Office& b) {
       b.say(VerdictStatus::rejected);
       b.sent();
       REQUIRE(b.go(b.users.release(b.invitation("a").key, by_admin)));
     }},
    {"rejected → cancelled",
     [](Office& b) {
       b.say(VerdictStatus::rejected);
       b.sent();
       REQUIRE(b.go(b.users.discard(b.invitation("a").key, by_admin)));
     }},
};

template <class State>
void check_all(const std::string& machine, std::span<const model::Transition<State>> table,
               const std::map<std::string, Scenario>& scenarios) {
  CHECK(scenarios.size() == table.size());
  for (const auto& row : table) {
    const std::string from(row.from ? model::to_text(*row.from) : "");
    const std::string to(model::to_text(row.to));
    const std::string name = (from.empty() ? "(new)" : from) + " → " + to;
    CAPTURE(name);
    const auto scenario = scenarios.find(name);
    REQUIRE(scenario != scenarios.end());
    Office b;
    scenario->second(b);
    CHECK(b.saw(machine, from, to));
    CHECK(b.scope_errors.empty());
    CHECK_FALSE(b.go(b.queries.verify_audit()).broken);
  }
}

}  // namespace

TEST_CASE("every transition of an invitation happens through the services") {
  check_all("inv", model::invitation_transitions(), of_invitations);
}

TEST_CASE("every transition of a delivery happens through the services") {
  check_all("del", model::delivery_transitions(), of_deliveries);
}
