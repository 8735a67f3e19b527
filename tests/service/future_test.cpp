// The future made visible: pages of the plan, what an import would change in it, links at risk, and what would change a
// decision.
#include <catch2/catch.hpp>

#include <algorithm>

#include "service/bench.hpp"
#include "service/preview.hpp"
#include "store/users.hpp"

using namespace invited;
using namespace invited::test;
using Words = std::vector<std::string>;

namespace {

model::Policies three_zones() {
  model::Policy home;
  model::Policy north;
  north.company = "north";
  north.zone = "Europe/Helsinki";
  model::Policy east;
  east.company = "east";
  east.zone = "Pacific/Auckland";
  return model::Policies(home, {{"north", north}, {"east", east}});
}

struct Office : Bench {
  explicit Office(model::Policies policies = stockholm()) : Bench(std::move(policies)) { at("2026-10-20T08:00:00Z"); }
  void hire(const std::string& id, const std::string& start, const Row& more = {}) {
    Row fields = more;  // the first of a name counts
    fields.insert(
        fields.end(),
        {{"user_id", id}, {"name", "Person " + id}, {"login_email", id + "@example.com"}, {"start_date", start}});
    REQUIRE(row(fields) == "created");
  }
  [[nodiscard]] core::Instant in_days(int days) const { return clock.now() + std::chrono::hours{24 * days}; }

  static std::string told(const service::PlanItem& item) {
    return model::to_utc_text(item.decision.at) + " " + item.user_id + " " +
           std::string(model::to_text(item.decision.action)) + " " + std::string(item.decision.reason());
  }
  Words plan(int days, std::size_t page_of = 1'000) {
    Words all;
    std::optional<service::Cursor> behind;
    do {
      const auto page = go(queries.plan(in_days(days), behind, page_of));
      CHECK(page.items.size() <= page_of);
      CHECK((!page.next || page.items.size() == page_of));
      for (const auto& item : page.items) all.push_back(told(item));
      // A client hands the place back as text.
      behind = page.next ? service::Cursor::parse(page.next->text()) : std::nullopt;
      CHECK(page.next.has_value() == behind.has_value());
    } while (behind);
    return all;
  }
  Words risks(int days = 60, std::size_t page_of = 1'000) {
    Words all;
    std::optional<service::Cursor> behind;
    do {
      const auto page = go(queries.risks(in_days(days), behind, page_of));
      for (const auto& item : page.items)
        all.push_back(item.user_id + " " + std::string(item.risk.code) + (item.mail_out ? " out" : " planned"));
      behind = page.next;
    } while (behind);
    return all;
  }
  // "approved today: send start_later"
  Words ifs(const std::string& id) {
    Words all;
    const auto why = go(queries.why(id));
    for (const auto& other : why->what_if) all.push_back(other.change + ": " + std::string(other.reason.code));
    return all;
  }
  bool says(const std::string& id, const std::string& what_if) {
    const auto all = ifs(id);
    return std::ranges::find(all, what_if) != all.end();
  }
  std::string next(const std::string& id) {
    const auto why = go(queries.why(id));
    return why->next ? told(*why->next) : std::string(why->now.reason());
  }
  std::vector<service::PlanChange> preview(const std::vector<Row>& rows) {
    auto preview = queries.preview();
    std::vector<service::PlanChange> changes;
    service::Intake::Run run(intake, preview.context("hr", "operator"), [&](const auto&) {
      for (auto& change : preview.take()) changes.push_back(std::move(change));
    });
    std::vector<model::SourceItem> items;
    std::int64_t line = 1;
    for (const Row& row : rows) items.emplace_back(model::SourceRecord{row, ++line});
    auto sink = run.sink();
    go(sink(std::move(items)));
    return changes;
  }
};

}  // namespace

TEST_CASE("the plan tells every act, earliest first, with the end of the link") {
  Office b;
  b.hire("later", "2026-12-01");
  b.hire("leaver", "2026-11-10", {{"end_date", "2026-11-20"}});
  b.hire("now", "2026-10-20");
  b.pump();
  CHECK(b.plan(60) == Words{"2026-10-24T22:00:00Z now expire link_open", "2026-11-09T08:00:00Z leaver send start_later",
                            "2026-11-25T23:00:00Z leaver disable employment_ended",
                            "2026-11-30T08:00:00Z later send start_later"});
  CHECK(b.plan(36) ==
        Words{"2026-10-24T22:00:00Z now expire link_open", "2026-11-09T08:00:00Z leaver send start_later"});
  const auto page = b.go(b.queries.plan(b.in_days(60), std::nullopt, 10));
  CHECK(model::to_utc_text(page.items[0].link_ends_at.value()) == "2026-10-24T22:00:00Z");
  CHECK(model::to_utc_text(page.items[1].link_ends_at.value()) == "2026-11-13T23:00:00Z");  // as if accepted then
  CHECK_FALSE(page.items[2].link_ends_at);
  const auto of_one = b.go(b.queries.plan_of("LEAVER", b.in_days(60))).value();
  CHECK(b.go(b.queries.plan_of("nobody", b.in_days(60))).error().code == "unknown_user");
  CHECK(of_one.size() == 2);
}

TEST_CASE("what is overdue or under way happens now, and comes first") {
  Office b;
  b.hire("due", "2026-10-23");
  b.hire("queued", "2026-10-20");
  b.hire("sure", "2026-10-20", {{"login_email", "sure@verified.example"}});
  REQUIRE(b.go(b.domains.assert_verified("verified.example", by_admin)));
  b.go(b.domains.pass());
  b.at("2026-10-22T09:30:00Z");  // nothing ran since
  CHECK(b.plan(1) == Words{"2026-10-22T09:30:00Z sure connect verified_domain",
                           "2026-10-22T09:30:00Z queued deliver mail_on_its_way",
                           "2026-10-22T09:30:00Z due send start_later"});
}

TEST_CASE("pages of any size give the same plan: many zones, the same instants, changes of the clock") {
  Office b(three_zones());
  const Words companies{"", "north", "east"};
  int n = 0;
  for (const auto* start : {"2026-10-25", "2026-10-26", "2026-10-26", "2026-10-26", "2026-10-27", "2026-11-02"}) {
    for (const auto& company : companies) {
      b.hire("p" + std::to_string(n), start, {{"company", company}, {"end_date", n % 2 == 0 ? start : ""}});
      ++n;
    }
  }
  b.hire("sent", "2026-10-20");
  b.hire("sent2", "2026-10-20");
  b.pump();
  const Words whole = b.plan(60);
  CHECK(whole.size() == 18 + 9 + 2);
  Words times;
  for (const auto& act : whole) times.push_back(act.substr(0, 20));
  CHECK(std::ranges::is_sorted(times));
  for (const std::size_t size : {1, 2, 3, 7, 28, 29, 30}) CHECK(b.plan(60, size) == whole);
}

TEST_CASE("a cursor that is not ours is none") {
  for (const auto* text : {"", "x", "1~2", "0~9~~0~0~00000000-0000-0000-0000-000000000000",
                           "9999999999999999~0~~0~0~00000000-0000-0000-0000-000000000000", "0~0~~0~0~x",
                           "0~0~~0~0~00000000-0000-0000-0000-000000000000~"})
    CHECK_FALSE(service::Cursor::parse(text));
}

TEST_CASE("leavers stand in the plan until they are disabled, and never after") {
  Office b;
  b.hire("a", "2026-10-01", {{"end_date", "2026-10-25"}});
  b.hire("b", "2026-10-01", {{"end_date", "2026-10-25"}});
  b.go(b.users.set_enabled("b", false, by_admin));
  const auto leaving = [&] {
    const auto all = b.plan(400);
    return std::ranges::count_if(all, [](const std::string& act) { return act.find("disable") != std::string::npos; });
  };
  CHECK(leaving() == 1);
  b.go(b.users.set_enabled("b", true, by_admin));
  CHECK(leaving() == 2);
  b.row({{"user_id", "b"}, {"end_date", ""}});
  CHECK(leaving() == 1);
  b.at("2026-10-31T00:30:00Z");
  CHECK(b.go(b.sweep.disable_leavers()) == 1);
  CHECK(leaving() == 0);
  CHECK(b.go(b.sweep.disable_leavers()) == 0);
}

TEST_CASE("new settings move the day on which leavers are disabled") {
  Office b;
  b.hire("a", "2026-10-01", {{"end_date", "2026-10-25"}});
  b.go(b.scheduler.plan_again_if_settings_changed());
  const auto later = std::make_shared<model::Policies>(stockholm([](model::Policy& p) { p.leaver_days = 10; }));
  const auto planner = std::make_shared<service::Planner>(later, b.clock, b.random, "example.com", 0);
  service::Batches batches(*b.store, b.clock, planner, {});
  service::Scheduler scheduler(*b.store, b.clock, b.io.get_executor(), planner, batches, b.gate);
  service::Queries queries(*b.store, b.clock, planner);
  b.go(scheduler.plan_again_if_settings_changed());
  const auto page = b.go(queries.plan(b.in_days(60), std::nullopt, 10));
  REQUIRE_FALSE(page.items.empty());
  CHECK(model::to_utc_text(page.items.back().decision.at) == "2026-11-04T23:00:00Z");
}

TEST_CASE("why says what would change it, each with its own reason") {
  Office b;
  b.hire("review", "2026-10-21", {{"in_review", "true"}});
  CHECK(b.says("review", "approved today: start_tomorrow_or_earlier"));
  b.hire("later", "2026-12-01");
  CHECK(b.ifs("later") ==
        Words{"send verification now: asked", "example.com becomes a verified domain: verified_domain",
              "the start moves to tomorrow: start_tomorrow_or_earlier", "the start moves a week on: start_later"});
  b.row({{"user_id", "mute"}, {"name", "Mute"}, {"start_date", "2026-10-21"}});
  CHECK(b.ifs("mute") == Words{"a login email is saved today: start_tomorrow_or_earlier"});
  b.hire("gone", "2026-10-01", {{"end_date", "2026-10-02"}});
  CHECK(b.says("gone", "the end date is taken away: start_tomorrow_or_earlier"));
  b.hire("off", "2026-12-01", {{"enabled", "false"}});
  CHECK(b.says("off", "enabled today: start_later"));
  b.hire("undone", "2026-12-01", {{"withdrawn", "true"}});
  CHECK(b.says("undone", "no longer withdrawn: start_later"));
  b.transport.script = [](const model::OutgoingMail&) { return verdict(model::VerdictStatus::rejected); };
  b.hire("parked", "2026-10-20");
  b.pump();
  CHECK(b.says("parked", "released now: mail_on_its_way"));
}

TEST_CASE("an address that the company allows no longer: another one would do") {
  Office b(stockholm([](model::Policy& p) { p.allowed_domains = {"*.company.example"}; }));
  b.hire("private", "2026-10-21", {{"login_email", "p@north.company.example"}});
  b.db->run("UPDATE users SET login_email_domain = 'example.com'");
  CHECK(b.says("private", "a login email of an allowed domain is saved today: start_tomorrow_or_earlier"));
}

TEST_CASE("what why foretells is what happens when it is done") {
  Office b;
  b.hire("review", "2026-10-21", {{"in_review", "true"}});
  b.hire("later", "2026-12-01");
  const auto foretold = [&](const std::string& id, const std::string& change) {
    const auto why = b.go(b.queries.why(id));
    for (const auto& other : why->what_if) {
      if (other.change == change) return b.told(other.next.value());
    }
    return std::string();
  };
  CHECK(foretold("review", "approved today") == "2026-10-20T08:00:00Z review send start_tomorrow_or_earlier");
  REQUIRE(b.go(b.reviews.approve("review", "", by_admin)));
  CHECK(b.state("review") == "released");
  const auto moved = foretold("later", "the start moves a week on");
  b.row({{"user_id", "later"}, {"start_date", "2026-12-08"}});
  CHECK(b.next("later") == moved);
  const auto verified = foretold("later", "example.com becomes a verified domain");
  CHECK(verified == "2026-10-20T08:00:00Z later connect verified_domain");
  REQUIRE(b.go(b.domains.assert_verified("example.com", by_admin)));
  b.go(b.domains.pass());
  CHECK(b.state("later") == "verified");
}

TEST_CASE("plan risk: links that are out and links that are planned") {
  Office b(stockholm([](model::Policy& p) {
    p.holidays = {model::parse_date("2026-12-24").value(), model::parse_date("2026-12-25").value()};
  }));
  b.hire("fine", "2026-11-03");
  b.hire("weekend", "2026-12-26");  // mailed on Christmas Day: 25 to 29 December hold two working days
  b.at("2026-12-22T08:00:00Z");
  b.pump();
  b.hire("early", "2026-12-22");
  b.pump();
  b.row({{"user_id", "early"}, {"start_date", "2027-01-11"}});
  b.at("2026-12-23T14:00:00Z");
  b.hire("none", "2026-12-24");
  b.pump();
  CHECK(b.risks() == Words{"early ends_before_start out", "early start_moved out", "none no_working_day out",
                           "none ends_before_start out"});
  CHECK(b.risks(60, 1) == b.risks());
  b.hire("planned", "2027-02-27");  // a Saturday; mailed on the Friday, through Tuesday
  CHECK(b.risks(90).size() == 4);
  b.hire("far", "2027-01-02", {{"company", ""}});
  CHECK(b.risks(5) == b.risks(60));
}

TEST_CASE("a preview names those whose acts an import would change, before and after, and keeps nothing") {
  Office b;
  b.hire("same", "2026-12-01");
  b.hire("moved", "2026-12-01");
  b.hire("sent", "2026-10-20");
  b.hire("undone", "2026-12-01");
  b.pump();
  const std::string state = b.dump();
  const auto changes = b.preview({
      {{"user_id", "same"}, {"name", "Person same"}, {"start_date", "2026-12-01"}, {"department", "Sales"}},
      {{"user_id", "moved"}, {"name", "Person moved"}, {"start_date", "2026-10-21"}},
      {{"user_id", "new"}, {"name", "New"}, {"login_email", "new@example.com"}, {"start_date", "2026-11-05"}},
      {{"user_id", "sent"}, {"name", "Person sent"}, {"end_date", "2026-10-31"}},
      {{"user_id", "undone"}, {"withdrawn", "true"}},
      {{"user_id", "bad"}, {"name", "Bad"}, {"start_date", "soon"}},
  });
  CHECK(b.dump() == state);
  REQUIRE(changes.size() == 4);
  const auto told = [&](const std::vector<service::PlanItem>& items) {
    Words all;
    for (const auto& item : items) all.push_back(b.told(item));
    return all;
  };
  CHECK(changes[0].user_id == "moved");
  CHECK(changes[0].line == 3);
  CHECK(changes[0].result == "updated");
  CHECK(told(changes[0].before) == Words{"2026-11-30T08:00:00Z moved send start_later"});
  CHECK(told(changes[0].after) == Words{"2026-10-20T08:00:00Z moved send start_tomorrow_or_earlier"});
  CHECK(changes[1].before.empty());
  CHECK(told(changes[1].after) == Words{"2026-11-04T08:00:00Z new send start_later"});
  CHECK(told(changes[2].before) == Words{"2026-10-24T22:00:00Z sent expire link_open"});
  CHECK(told(changes[2].after) ==
        Words{"2026-10-24T22:00:00Z sent expire link_open", "2026-11-05T23:00:00Z sent disable employment_ended"});
  CHECK(told(changes[3].after) == Words{"2026-10-20T08:00:00Z undone cancel withdrawn"});
}
