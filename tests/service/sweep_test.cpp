// PRODUCT §3 and §5: what ends by itself.
#include "service/sweep.hpp"

#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "store/plans.hpp"

using namespace invited;
using namespace invited::test;
using Words = std::vector<std::string>;

namespace {

struct Office : Bench {
  explicit Office(model::Policies policies = stockholm()) : Bench(std::move(policies)) { at("2026-10-01T08:00:00Z"); }
  void hire(const std::string& id, const std::string& start, const std::string& end = "") {
    row({{"user_id", id},
         {"name", id},
         {"login_email", id + "@example.com"},
         {"start_date", start},
         {"end_date", end}});
  }
};

}  // namespace

TEST_CASE("a link expires at its end with an audit event; user and connection stay as they are") {
  Office b;
  b.hire("a", "2026-10-01");
  b.pump();
  const auto user = b.user("a");
  b.at("2026-10-05T21:59:59Z");
  CHECK(b.go(b.sweep.expire()) == 0);
  b.at("2026-10-05T22:00:00Z");
  CHECK(b.go(b.sweep.expire()) == 1);
  CHECK(b.go(b.sweep.expire()) == 0);
  CHECK(b.state("a") == "expired");
  CHECK(b.audit("a").back() == "invitation.expired link_expired");
  CHECK(b.user("a") == user);
  CHECK(b.connection("a") == "pending");
  CHECK(b.send("a") == "ok");
  b.pump();
  CHECK(b.states("a") == Words{"superseded", "sent"});
}

TEST_CASE("links and leavers that break a rule keep nobody else waiting") {
  Office b;
  for (int i = 0; i < 70; ++i) b.hire(std::to_string(i), "2026-10-01", "2026-10-31");
  b.pump();
  b.db->raw().exec(
      "CREATE TEMP TRIGGER refused BEFORE UPDATE ON main.invitations WHEN NEW.state = 'expired' AND "
      "CAST(NEW.login_email AS TEXT) < '4' BEGIN SELECT RAISE(ABORT, 'planted'); END");
  const auto bad = [](int i) { return std::to_string(i) + "@example.com" < "4"; };
  const auto sound = static_cast<std::size_t>(70 - [&] {
    int count = 0;
    for (int i = 0; i < 70; ++i) count += bad(i) ? 1 : 0;
    return count;
  }());
  REQUIRE(sound < 70);
  b.at("2026-10-05T22:00:00Z");
  CHECK(b.go(b.sweep.expire()) == sound);
  b.db->raw().exec("DROP TRIGGER refused");
  CHECK(b.go(b.sweep.expire()) == 70 - sound);
  b.db->raw().exec(
      "CREATE TEMP TRIGGER refused BEFORE UPDATE ON main.users WHEN NEW.enabled = 0 AND NEW.user_id < '4' BEGIN SELECT "
      "RAISE(ABORT, 'planted'); END");
  b.at("2026-11-06T08:00:00Z");
  CHECK(b.go(b.sweep.disable_leavers()) == sound);
  CHECK(b.user("0")->enabled);
  CHECK_FALSE(b.user("69")->enabled);
  b.db->raw().exec("DROP TRIGGER refused");
  CHECK(b.go(b.sweep.disable_leavers()) == 70 - sound);
}

TEST_CASE("who was disconnected in the minutes of grace is not connected by the form that was open") {
  Office b;
  b.hire("a", "2026-10-01", "2026-10-31");
  b.pump();
  const std::string link = b.link("a");
  b.at("2026-10-05T21:59:59Z");
  const auto form = b.go(b.links.open(link));
  b.at("2026-10-05T22:00:01Z");
  CHECK(b.go(b.sweep.expire()) == 1);
  REQUIRE(b.go(b.users.disconnect("a", by_admin)));
  CHECK(b.go(b.links.confirm(link, form.form_proof)).state == service::LinkState::expired);
  CHECK(b.connection("a") == "not_connected");
}

TEST_CASE("an employment that ends on 31 October is active through 5 November and disabled on the 6th, local dates") {
  Office b;
  b.hire("a", "2026-10-01", "2026-10-31");
  b.pump();
  b.connect("a");
  REQUIRE(b.connection("a") == "connected");
  b.at("2026-11-05T22:59:59Z");
  CHECK(b.go(b.sweep.disable_leavers()) == 0);
  CHECK(b.user("a")->enabled);
  b.at("2026-11-05T23:00:00Z");
  CHECK(b.go(b.sweep.disable_leavers()) == 1);
  CHECK_FALSE(b.user("a")->enabled);
  CHECK(b.connection("a") == "not_connected");
  b.pump();
  CHECK(b.identity.accounts.empty());
  CHECK(b.go(b.sweep.disable_leavers()) == 0);
}

TEST_CASE("leavers are counted in the days and the zone of their company") {
  model::Policy east;
  east.company = "east";
  east.zone = "Pacific/Auckland";
  east.leaver_days = 0;
  Office b(model::Policies(stockholm().organisation(), {{"east", east}}));
  b.row(
      {{"user_id", "e"}, {"name", "e"}, {"company", "east"}, {"start_date", "2026-10-01"}, {"end_date", "2026-10-31"}});
  b.row({{"user_id", "w"}, {"name", "w"}, {"start_date", "2026-10-01"}, {"end_date", "2026-10-31"}});
  b.at("2026-10-31T10:59:59Z");
  CHECK(b.go(b.sweep.disable_leavers()) == 0);
  b.at("2026-10-31T11:00:00Z");
  CHECK(b.go(b.sweep.disable_leavers()) == 1);
  CHECK_FALSE(b.user("e")->enabled);
  CHECK(b.user("w")->enabled);
}

TEST_CASE("whoever leaves with an offer in any state loses it, and nobody keeps the sweep from the others") {
  Office b;
  b.hire("planned", "2026-11-20", "2026-11-21");
  b.hire("moved", "2026-11-20", "2026-11-21");
  REQUIRE(b.send("moved") == "ok");
  b.pump();
  b.row({{"user_id", "moved"}, {"login_email", "moved2@example.com"}});  // pending before, planned again for its day
  b.hire("sent", "2026-10-01", "2026-10-02");
  b.pump();
  b.transport.script = [](const model::OutgoingMail&) { return std::nullopt; };
  b.hire("claimed", "2026-10-01", "2026-10-02");
  b.pump();
  b.at("2026-10-09T08:00:00Z");
  b.row({{"user_id", "planned"}, {"start_date", "2026-10-01"}, {"end_date", "2026-10-02"}});
  b.row({{"user_id", "moved"}, {"start_date", "2026-10-01"}, {"end_date", "2026-10-02"}});
  b.go(b.sweep.disable_leavers());
  for (const std::string id : {"planned", "moved", "sent", "claimed"}) {
    CAPTURE(id, b.state(id));
    CHECK_FALSE(b.user(id)->enabled);
    CHECK(b.connection(id) == "not_connected");
    CHECK((b.state(id) == "revoked" || b.state(id) == "cancelled"));
  }
}

TEST_CASE("a new employment keeps the user; disabling by hand keeps the connection") {
  Office b;
  b.hire("stays", "2026-10-01", "2026-10-31");
  b.row({{"user_id", "stays"}, {"start_date", "2026-11-15"}, {"end_date", ""}});
  b.hire("off", "2026-10-01");
  b.pump();
  b.connect("off");
  b.at("2026-12-01T08:00:00Z");
  CHECK(b.go(b.sweep.disable_leavers()) == 0);
  CHECK(b.user("stays")->enabled);
  REQUIRE(b.go(b.users.set_enabled("off", false, by_admin)));
  CHECK(b.connection("off") == "connected");
  CHECK(b.identity.accounts.size() == 1);
}

TEST_CASE("who was disabled by hand loses the connection when the employment is over, and stays disabled") {
  Office b;
  b.hire("off", "2026-10-01", "2026-10-31");
  b.pump();
  b.connect("off");
  REQUIRE(b.go(b.users.set_enabled("off", false, by_admin)));
  b.at("2026-11-05T22:59:59Z");
  CHECK(b.go(b.sweep.disable_leavers()) == 0);
  CHECK(b.connection("off") == "connected");
  b.at("2026-11-05T23:00:00Z");
  CHECK(b.go(b.sweep.disable_leavers()) == 1);
  b.pump();
  CHECK(b.connection("off") == "not_connected");
  CHECK(b.identity.accounts.empty());
  CHECK_FALSE(b.user("off")->enabled);
  CHECK(b.audit("off").back() == "account.removed");
  CHECK(b.go(b.sweep.disable_leavers()) == 0);
}

TEST_CASE("leavers and ends are worked off in chunks, to the end") {
  Office b;
  for (int i = 0; i < 300; ++i) b.hire(std::to_string(i), "2026-10-01", "2026-10-20");
  b.pump();
  b.at("2026-11-01T08:00:00Z");
  CHECK(b.go(b.sweep.expire()) == 300);
  CHECK(b.go(b.sweep.disable_leavers()) == 300);
}

TEST_CASE("plans that nobody ran are dropped after a day") {
  Office b;
  const auto plan = b.go(b.bulk.plan({}, "uid:0"));
  CHECK(b.go(b.sweep.prune_plans()) == 0);
  b.clock.advance(std::chrono::hours{25});
  b.go(b.sweep.prune_plans());
  CHECK_FALSE(store::plans::get(*b.db, plan.key));
}

TEST_CASE("a next employment that the review rejected keeps nobody") {
  model::ReviewFlow office;
  office.name = "office";
  office.steps = {{"manager", ""}};
  model::Templates templates;
  templates.employments = {{"permanent", "", "office"}};
  const auto base = stockholm();
  Bench b({base.organisation(), base.companies(), model::ReviewFlows({office}), templates});
  b.at("2026-10-01T08:00:00Z");
  b.row({{"user_id", "a"},
         {"name", "a"},
         {"login_email", "a@example.com"},
         {"start_date", "2026-10-01"},
         {"end_date", "2026-10-31"}});
  b.pump();
  b.connect("a");
  (void)b.rows(
      {{{"user_id", "a"}, {"start_date", "2026-11-01"}, {"employment_template", "permanent"}, {"in_review", "true"}}});
  REQUIRE(b.go(b.reviews.reject("a", "no", by_admin)));
  b.at("2026-11-05T23:00:00Z");
  b.go(b.sweep.hand_over());
  CHECK(b.go(b.sweep.disable_leavers()) == 1);
  b.pump();
  CHECK_FALSE(b.user("a")->enabled);
  CHECK(b.connection("a") == "not_connected");
}

TEST_CASE("W11 nobody leaves before every source was read: a file may say that the employment goes on") {
  Office b;
  b.hire("a", "2026-10-01", "2026-10-31");
  b.pump();
  b.connect("a");
  b.gate.expect_sources({"hr"});
  b.at("2026-11-20T08:00:00Z");
  CHECK(b.go(b.sweep.employments()) == 0);
  CHECK(b.connection("a") == "connected");
  b.hire("a", "2026-10-01", "2026-12-31");
  b.gate.source_settled("hr");
  CHECK(b.go(b.sweep.employments()) == 0);
  CHECK(b.user("a")->enabled);
  b.at("2027-01-06T08:00:00Z");
  CHECK(b.go(b.sweep.employments()) == 1);
}
