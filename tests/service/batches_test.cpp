// Brakes: what would go out or be withdrawn at once is let go or held as a whole.
#include "service/batches.hpp"

#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "store/batches.hpp"
#include "store/invitations.hpp"
#include "store/users.hpp"

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;
using Outcomes = std::map<std::string, std::int64_t>;
using model::BatchAct;
using model::BatchCause;
using model::BatchState;

namespace {

// Three mails at once are the most.
constexpr model::Brakes three{.batch = 3, .times_usual_day = 10, .shrink_percent = 20};

struct Braked : Bench {
  explicit Braked(model::Brakes brakes = three, model::Policies policies = stockholm())
      : Bench(std::move(policies), 10min, 4, brakes) {
    at("2026-10-20T08:00:00Z");
    batches.on_work([] {});
  }
  std::shared_ptr<service::Gathering> begin(BatchCause cause = BatchCause::import) {
    return batches.gather(cause, "hr", "source:hr");
  }
  std::vector<std::string> feed(const std::shared_ptr<service::Gathering>& gathering, const std::vector<Row>& rows,
                                bool dry_run = false) {
    std::vector<model::SourceItem> items;
    std::int64_t line = 1;
    for (const Row& fields : rows) items.emplace_back(model::SourceRecord{fields, ++line});
    service::IntakeContext context;
    context.source = "hr";
    context.actor = "source:hr";
    context.dry_run = dry_run;
    context.gathering = gathering;
    service::Intake::Run run(intake, context, {});
    go(run.sink()(std::move(items)));
    go(run.finish());
    std::vector<std::string> words;
    for (const auto& row : run.results()) words.push_back(row.result());
    return words;
  }
  // One file, to its end.
  service::Settled file(const std::vector<Row>& rows, bool dry_run = false) {
    const auto gathering = begin();
    results = feed(gathering, rows, dry_run);
    return go(batches.settle(gathering, dry_run));
  }
  static Row hire(const std::string& id, const std::string& start = "2026-10-20") {
    return {{"user_id", id}, {"name", id}, {"login_email", id + "@example.com"}, {"start_date", start}};
  }
  static std::vector<Row> hires(const std::string& prefix, int count, const std::string& start = "2026-10-20") {
    std::vector<Row> rows;
    for (int i = 0; i < count; ++i) rows.push_back(hire(prefix + std::to_string(i), start));
    return rows;
  }
  static Row with(Row row, const std::string& field, const std::string& value) {
    row.emplace_back(field, value);
    return row;
  }
  model::Batch batch(const core::Id& key) { return store::batches::get(*db, key).value(); }
  std::string state_of(const core::Id& key) { return std::string(model::to_text(batch(key).state)); }
  service::BatchProgress decide(const core::Id& key, bool release) {
    REQUIRE(go(batches.start(key, release, "uid:1000 (anna)")));
    auto done = go(batches.go_on(key, {}));
    pump();
    return done;
  }
  std::string held(const std::string& id) { return invitation(id).held_reason; }
  Words results;
};

}  // namespace

TEST_CASE("an import within the limit goes out at its end, and not before") {
  Braked b;
  const auto gathering = b.begin();
  b.feed(gathering, Braked::hires("a", 2));
  b.pump();
  CHECK(b.transport.mails.empty());
  CHECK(b.states("a0") == Words{"draft"});
  const auto settled = b.go(b.batches.settle(gathering, false));
  CHECK_FALSE(settled.held);
  CHECK(b.state_of(settled.batch) == "released");
  b.pump();
  CHECK(b.transport.mails.size() == 2);
  CHECK(b.state("a0") == "sent");
  CHECK(b.audit("a0") == Words{"user.created", "invitation.draft start_tomorrow_or_earlier",
                               "invitation.released start_tomorrow_or_earlier", "invitation.sent"});
}

TEST_CASE("an import that would send more than the limit is held as a whole until a person lets it go") {
  Braked b;
  const auto settled = b.file(Braked::hires("a", 4));
  CHECK(b.results == Words{"created", "created", "created", "created"});
  CHECK(settled.held);
  CHECK(settled.mails == 4);
  CHECK(settled.sentence.find("4 mails would go out at once; 3 may.") != std::string::npos);
  CHECK(settled.sentence.find("invitectl invitation release --batch " + settled.batch.text()) != std::string::npos);
  b.clock.advance(72h);
  b.pump();
  CHECK(b.transport.mails.empty());
  CHECK(b.held("a3") == "batch:" + settled.batch.text());
  const auto batch = b.batch(settled.batch);
  CHECK(batch.state == BatchState::held);
  CHECK(batch.reason == "too_many_at_once");
  CHECK(batch.mails == 4);
  CHECK(b.go(b.queries.why("a3"))->now.reasons.back().text.find("batch show " + settled.batch.text()) !=
        std::string::npos);

  CHECK(b.decide(settled.batch, true).outcomes == Outcomes{{"released", 4}});
  CHECK(b.transport.mails.size() == 4);
  CHECK(b.state_of(settled.batch) == "released");
  CHECK(b.batch(settled.batch).decided_by == "uid:1000 (anna)");
  CHECK(b.go(b.batches.start(settled.batch, true, "uid:0")).error().code == "batch_not_held");
  CHECK(b.go(b.batches.start(core::Id{}, true, "uid:0")).error().code == "unknown_batch");
}

TEST_CASE("letting an older invitation go leaves the newer one to the batch that holds it") {
  Braked b;
  REQUIRE_FALSE(b.file({Braked::with(Braked::hire("a"), "end_date", "2026-10-26")}).held);
  b.pump();
  const auto older = b.invitation("a").key;
  store::invitations::set_held(*b.db, older, "delivery_uncertain");
  b.at("2026-10-28T08:00:00Z");
  b.go(b.sweep.expire());
  REQUIRE(b.state("a") == "expired");
  std::vector<Row> rows = Braked::hires("x", 3, "2026-10-30");
  rows.push_back(Braked::hire("a", "2026-10-30"));
  REQUIRE_FALSE(b.file(rows).held);
  b.at("2026-10-29T08:00:00Z");
  b.go(b.scheduler.pass());
  const auto batch = model::batch_holding(b.held("a"));
  REQUIRE(batch);
  REQUIRE(b.go(b.users.release(older, by_admin)));
  CHECK(b.decide(*batch, true).outcomes == Outcomes{{"released", 4}});
  CHECK(b.state("a") == "sent");
}

TEST_CASE("exactly the limit goes out") {
  Braked b;
  CHECK_FALSE(b.file(Braked::hires("a", 3)).held);
  b.pump();
  CHECK(b.transport.mails.size() == 3);
}

TEST_CASE("a discarded batch never sends, and the same file brings nobody back") {
  Braked b;
  const auto settled = b.file(Braked::hires("a", 4));
  CHECK(b.decide(settled.batch, false).outcomes == Outcomes{{"discarded", 4}});
  CHECK(b.states("a0") == Words{"cancelled"});
  CHECK_FALSE(b.file(Braked::hires("a", 4)).held);
  CHECK(b.results == Words(4, "unchanged"));
  b.clock.advance(72h);
  b.pump();
  CHECK(b.transport.mails.empty());
  CHECK(b.send("a0") == "ok");  // by hand it still can be
}

TEST_CASE("who is not to be invited any more is left out when a batch is let go") {
  Braked b;
  const auto settled = b.file(Braked::hires("a", 6));
  REQUIRE(b.go(b.users.set_enabled("a0", false, by_admin)));
  CHECK(b.send("a1") == "ok");
  REQUIRE(b.go(b.users.release(b.invitation("a2").key, by_admin)));
  REQUIRE(b.go(b.users.discard(b.invitation("a3").key, by_admin)));
  REQUIRE(b.go(b.domains.assert_verified("example.org", by_admin)));
  b.row({{"user_id", "a4"}, {"start_date", "2026-12-01"}});  // later now: planned, not sent
  b.pump();
  CHECK(b.transport.mails.size() == 2);
  CHECK(b.decide(settled.batch, true).outcomes == Outcomes{{"released", 1}, {"scheduled", 1}});
  CHECK(b.transport.mails.size() == 3);
  CHECK(b.state("a0") == "cancelled");
  CHECK(b.state("a4") == "scheduled");
  CHECK(b.mails_to("a5") == 1);
}

TEST_CASE("what falls due in one moment above the limit is held as one batch, in every zone") {
  auto policies = stockholm([](model::Policy& p) { p.zone = "Europe/Stockholm"; });
  Braked b(three, std::move(policies));
  b.feed(b.begin(), Braked::hires("a", 5, "2026-11-10"));
  b.feed(b.begin(), Braked::hires("c", 2, "2026-11-12"));
  b.at("2026-11-09T08:00:00Z");
  CHECK(b.go(b.scheduler.pass()) == 5);
  b.pump();
  CHECK(b.transport.mails.empty());
  const auto all = b.go(b.batches.list(BatchState::held, std::nullopt, 10));
  REQUIRE(all.size() == 1);
  CHECK(all[0].cause == BatchCause::schedule);
  CHECK(all[0].mails == 5);
  CHECK(b.state("a0") == "scheduled");
  // The next day's few are nothing unusual.
  b.at("2026-11-11T08:00:00Z");
  b.pump();
  CHECK(b.transport.mails.size() == 2);
  CHECK(b.decide(all[0].key, true).outcomes == Outcomes{{"released", 5}});
  CHECK(b.transport.mails.size() == 7);
}

TEST_CASE("a kill while what is due is collected leaves one batch that goes on to be held") {
  Braked b;
  b.feed(b.begin(), Braked::hires("a", 5, "2026-11-10"));
  b.at("2026-11-09T08:00:00Z");
  // As the scheduler does it, and it got no further than one of them.
  const auto gathering = b.batches.gather(BatchCause::schedule, "", "daemon", BatchState::filling);
  b.go(b.store->write([&](store::Db& db) {
    b.planner->apply(db, b.user("a0")->key, "daemon", b.clock.now(), {.gathering = gathering.get()});
  }));
  CHECK(b.go(b.batches.settle_left_open()) == 0);  // that is the scheduler's
  b.pump();
  CHECK(b.transport.mails.empty());
  const auto all = b.go(b.batches.list(std::nullopt, std::nullopt, 10));
  REQUIRE(all.size() == 1);
  CHECK(all[0].state == BatchState::held);
  CHECK(all[0].mails == 5);
}

TEST_CASE("a batch that a kill left open is settled at the next start in the same way") {
  Braked b;
  const auto few = b.begin();
  b.feed(few, Braked::hires("a", 2));
  const auto many = b.begin();
  b.feed(many, Braked::hires("b", 4));
  CHECK(b.go(b.batches.settle_left_open()) == 2);
  b.pump();
  CHECK(b.state_of(few->key) == "released");
  CHECK(b.state_of(many->key) == "held");
  CHECK(b.transport.mails.size() == 2);
  CHECK(b.go(b.batches.settle_left_open()) == 0);
}

TEST_CASE("an interrupted release goes on where it stopped, and nobody gets two") {
  Braked b;
  const auto settled = b.file(Braked::hires("a", 100));
  REQUIRE(b.go(b.batches.start(settled.batch, true, "uid:0")));
  struct Stop {};
  try {
    b.go(b.batches.go_on(settled.batch, [](const service::BatchProgress& p) {
      if (p.done >= 32) throw Stop{};
    }));
    FAIL("it was to be interrupted");
  } catch (const Stop&) {
  }
  const auto left = b.go(b.batches.interrupted());
  REQUIRE(left.size() == 1);
  CHECK(left[0].key == settled.batch);
  CHECK(b.go(b.batches.go_on(settled.batch, {})).outcomes == Outcomes{{"released", 68}});
  b.pump();
  CHECK(b.transport.mails.size() == 100);
  CHECK(b.go(b.batches.interrupted()).empty());
}

TEST_CASE("W11: in a batch that is let go the earliest start goes first") {
  Braked b;
  const auto settled = b.file({Braked::hire("c", "2026-10-20"), Braked::hire("a", "2026-10-01"),
                               Braked::hire("d", "2026-10-21"), Braked::hire("b", "2026-10-10")});
  b.transport.places = 1;
  b.decide(settled.batch, true);
  Words order;
  for (const auto& mail : b.transport.mails) order.push_back(mail.bytes.substr(0, 1));
  CHECK(order == Words{"a", "b", "c", "d"});
}

TEST_CASE("ten times the usual day is a limit once five days with automatic mails are known, and never below fifty") {
  using model::release_limit;
  const model::Brakes brakes;
  CHECK(release_limit(brakes, {}) == 1'000);
  const std::vector<std::int64_t> four{1, 1, 1, 1};
  CHECK(release_limit(brakes, four) == 1'000);
  const std::vector<std::int64_t> quiet{1, 1, 1, 1, 1};
  CHECK(release_limit(brakes, quiet) == 50);
  const std::vector<std::int64_t> usual{40, 55, 38, 61, 47};
  CHECK(release_limit(brakes, usual) == 482);
  const std::vector<std::int64_t> busy{900, 900, 900, 900, 900};
  CHECK(release_limit(brakes, busy) == 1'000);
  CHECK(release_limit({.batch = 0}, busy) == 9'000);
  CHECK(release_limit({.batch = 0}, four) == std::nullopt);
  CHECK(release_limit({.batch = 0, .times_usual_day = 0}, busy) == std::nullopt);
  CHECK(release_limit({.batch = 10}, quiet) == 10);
}

TEST_CASE("the usual day is what the rules sent on local days of the last four weeks; what people asked for is not") {
  Braked b({.batch = 0});
  for (int day = 1; day <= 5; ++day) {
    b.at("2026-10-0" + std::to_string(day) + "T22:30:00Z");  // the next day in Stockholm
    for (int i = 0; i < 2; ++i) b.row(Braked::hire("d" + std::to_string(day) + std::to_string(i), "2026-10-01"));
    b.row({{"user_id", "x" + std::to_string(day)},
           {"name", "x"},
           {"login_email", "x" + std::to_string(day) + "@example.com"}});
    b.send("x" + std::to_string(day));
    b.pump();
  }
  const auto today = model::parse_date("2026-10-07").value();
  CHECK(store::release_days::recent(*b.db, today) == std::vector<std::int64_t>{2, 2, 2, 2, 2});
  CHECK(store::release_days::recent(*b.db, model::parse_date("2026-10-06").value()).size() == 4);  // not today's
  CHECK(store::release_days::recent(*b.db, model::parse_date("2026-10-31").value()).size() == 4);
  b.at("2026-10-07T08:00:00Z");
  CHECK(b.file(Braked::hires("many", 51, "2026-10-07")).held);
  CHECK_FALSE(b.file(Braked::hires("few", 50, "2026-10-07")).held);
  // A batch that a person lets go is no usual day.
  const auto held = b.go(b.batches.list(BatchState::held, std::nullopt, 1)).at(0).key;
  b.at("2026-10-08T08:00:00Z");
  b.decide(held, true);
  CHECK(store::release_days::recent(*b.db, model::parse_date("2026-10-09").value()) ==
        std::vector<std::int64_t>{2, 2, 2, 2, 2, 50});  // the few; the many are not among them
}

TEST_CASE("one user by hand and a confirmed bulk send are never held") {
  Braked b({.batch = 1});
  for (int i = 0; i < 3; ++i) b.row(Braked::hire("a" + std::to_string(i)));
  b.pump();
  CHECK(b.transport.mails.size() == 3);
  for (int i = 0; i < 3; ++i) {
    const auto id = "c" + std::to_string(i);
    b.row({{"user_id", id}, {"name", id}, {"login_email", id + "@example.com"}});
  }
  const auto plan = b.go(b.bulk.plan({}, "uid:0"));
  CHECK(plan.send == 3);
  REQUIRE(b.go(b.bulk.start(plan.key)));
  CHECK(b.go(b.bulk.go_on(plan.key, {})).sent == 3);
  b.pump();
  CHECK(b.transport.mails.size() == 6);
}

TEST_CASE("a bulk send reaches those whom a brake holds, and the batch leaves them out") {
  Braked b;
  const auto settled = b.file(Braked::hires("a", 4));
  const auto plan = b.go(b.bulk.plan({}, "uid:0"));
  CHECK(plan.send == 4);
  REQUIRE(b.go(b.bulk.start(plan.key)));
  b.go(b.bulk.go_on(plan.key, {}));
  CHECK(b.decide(settled.batch, true).outcomes.empty());
  CHECK(b.transport.mails.size() == 4);
}

TEST_CASE("W9: an import that changes the addresses of many who wait is braked as well") {
  Braked b;
  for (int i = 0; i < 4; ++i) {
    const auto id = "a" + std::to_string(i);
    b.row({{"user_id", id}, {"name", id}, {"login_email", id + "@example.com"}});
    REQUIRE(b.send(id) == "ok");
  }
  b.pump();
  REQUIRE(b.transport.mails.size() == 4);
  std::vector<Row> moved;
  for (int i = 0; i < 4; ++i)
    moved.push_back(
        {{"user_id", "a" + std::to_string(i)}, {"login_email", "a" + std::to_string(i) + "@other.example"}});
  const auto settled = b.file(moved);
  CHECK(settled.held);
  CHECK(b.states("a0") == Words{"superseded", "draft"});
  b.pump();
  CHECK(b.transport.mails.size() == 4);
  CHECK(b.decide(settled.batch, true).outcomes == Outcomes{{"released", 4}});
  CHECK(b.transport.mails.back().envelope_to.ends_with("@other.example"));
}

TEST_CASE("new settings that would send to many at once are braked") {
  Braked b;
  b.feed(b.begin(), Braked::hires("a", 4, "2026-10-24"));
  REQUIRE(b.go(b.scheduler.plan_again_if_settings_changed()) > 0);  // remembers these settings
  auto sooner = stockholm([](model::Policy& p) { p.lead_days = 7; });
  const auto planner = std::make_shared<service::Planner>(std::make_shared<const model::Policies>(std::move(sooner)),
                                                          b.clock, b.random, "mail.example.com", 0);
  service::Batches batches(*b.store, b.clock, planner, three);
  service::Scheduler scheduler(*b.store, b.clock, b.io.get_executor(), planner, batches, b.gate);
  b.go(scheduler.plan_again_if_settings_changed());
  b.mails_only();
  CHECK(b.transport.mails.empty());
  const auto all = b.go(b.batches.list(BatchState::held, std::nullopt, 10));
  REQUIRE(all.size() == 1);
  CHECK(all[0].cause == BatchCause::settings);
}

TEST_CASE("what wrong settings ended comes back with the right ones, for its own date") {
  Braked b;
  b.feed(b.begin(), Braked::hires("a", 2, "2026-12-01"));
  REQUIRE(b.go(b.scheduler.plan_again_if_settings_changed()) > 0);
  REQUIRE(b.state("a0") == "scheduled");
  const auto run_with = [&](model::Policies policies) {
    const auto planner = std::make_shared<service::Planner>(
        std::make_shared<const model::Policies>(std::move(policies)), b.clock, b.random, "mail.example.com", 0);
    service::Batches batches(*b.store, b.clock, planner, three);
    service::Scheduler scheduler(*b.store, b.clock, b.io.get_executor(), planner, batches, b.gate);
    b.go(scheduler.plan_again_if_settings_changed());
  };
  SECTION("allowed domains") {
    run_with(stockholm([](model::Policy& p) { p.allowed_domains = {"elsewhere.example"}; }));
  }
  SECTION("automatic invitations") {
    run_with(stockholm([](model::Policy& p) { p.auto_invite = model::AutoInvite::none; }));
  }
  CHECK(b.state("a0") == "cancelled");
  run_with(stockholm());
  CHECK(b.state("a0") == "scheduled");
  CHECK(b.state("a1") == "scheduled");
}

// ---- the shrink guard

namespace {

struct Waiting : Braked {
  explicit Waiting(model::Brakes brakes = {}) : Braked(brakes) {
    // Ten wait for their day, ten for their click.
    feed_all(hires("later", 10, "2026-12-01"));
    feed_all(hires("now", 10));
    pump();
    REQUIRE(transport.mails.size() == 10);
    REQUIRE(state("later0") == "scheduled");
    REQUIRE(state("now0") == "sent");
  }
  void feed_all(const std::vector<Row>& rows) {
    for (const Row& one : rows) row(one);
  }
  static std::vector<Row> gone(const std::string& prefix, int count, const std::string& field = "withdrawn",
                               const std::string& value = "true") {
    std::vector<Row> rows;
    for (int i = 0; i < count; ++i) rows.push_back({{"user_id", prefix + std::to_string(i)}, {field, value}});
    return rows;
  }
  bool withdrawn(const std::string& id) { return store::employments::in_force(*db, user(id).value().key)->withdrawn; }
};

}  // namespace

TEST_CASE("a file that withdraws more than a fifth of those who wait is held, and nothing goes out to them meanwhile") {
  Waiting b;
  const auto settled = b.file(Waiting::gone("later", 5));
  CHECK(b.results == Words(5, "updated"));
  CHECK(settled.held);
  CHECK(settled.withdrawals == 5);
  CHECK(settled.mails == 0);
  CHECK(settled.sentence.find("5 of the 20 people who wait would be withdrawn; 20 % may.") != std::string::npos);
  CHECK(b.batch(settled.batch).reason == "too_many_withdrawn");
  CHECK_FALSE(b.withdrawn("later0"));
  b.at("2026-11-30T08:00:00Z");
  b.pump();
  CHECK(b.mails_to("later0") == 0);  // HR says withdrawn: a person decides first
  CHECK(b.mails_to("later5") == 1);

  CHECK(b.decide(settled.batch, true).outcomes == Outcomes{{"withdrawn", 5}});
  CHECK(b.withdrawn("later0"));
  CHECK(b.state("later0") == "cancelled");
  CHECK(b.mails_to("later0") == 0);
}

TEST_CASE("a discarded shrink changes nobody: what waited goes on") {
  Waiting b;
  const auto settled = b.file(Waiting::gone("later", 5));
  CHECK(b.decide(settled.batch, false).outcomes == Outcomes{{"kept", 5}});
  CHECK_FALSE(b.withdrawn("later0"));
  CHECK(b.held("later0").empty());
  CHECK(b.state("later0") == "scheduled");
  b.at("2026-11-30T08:00:00Z");
  b.pump();
  CHECK(b.mails_to("later0") == 1);
}

TEST_CASE("withdrawals that are plausible are carried out at the end of the run") {
  Waiting b;
  CHECK_FALSE(b.file(Waiting::gone("later", 4)).held);  // 20 % is not more than 20 %
  CHECK(b.withdrawn("later0"));
  CHECK(b.state("later0") == "cancelled");
  Waiting few({.batch = 1'000, .times_usual_day = 10, .shrink_percent = 1});
  CHECK_FALSE(few.file(Waiting::gone("later", 4)).held);  // fewer than five people
  Waiting off({.batch = 1'000, .times_usual_day = 10, .shrink_percent = 0});
  CHECK_FALSE(off.file(Waiting::gone("later", 10)).held);
  CHECK(off.withdrawn("later9"));
}

TEST_CASE("disabling counts as withdrawing, and a link that is out stays good until a person decides") {
  Waiting b;
  const auto settled = b.file(Waiting::gone("now", 6, "enabled", "false"));
  CHECK(settled.held);
  CHECK(b.user("now0")->enabled);
  CHECK(b.go(b.links.open(b.link("now0"))).state == service::LinkState::open);
  CHECK(b.decide(settled.batch, true).outcomes == Outcomes{{"disabled", 6}});
  CHECK_FALSE(b.user("now0")->enabled);
  CHECK(b.state("now0") == "revoked");
}

TEST_CASE("by hand a withdrawal is never held, nor is one of a user who waits for nothing") {
  Waiting b;
  for (int i = 0; i < 10; ++i) b.row({{"user_id", "later" + std::to_string(i)}, {"withdrawn", "true"}});
  CHECK(b.withdrawn("later9"));
  for (int i = 0; i < 10; ++i) b.connect("now" + std::to_string(i));
  CHECK_FALSE(b.file(Waiting::gone("now", 10)).held);
  CHECK(b.withdrawn("now9"));
}

TEST_CASE(
    "a file that takes a withdrawal back and moves the start is decided about as a whole: nothing goes out early") {
  Waiting b;
  REQUIRE(b.file(Waiting::gone("later", 5)).held);
  b.at("2026-11-30T09:00:00Z");  // the older date has come meanwhile
  b.file({{{"user_id", "later0"}, {"withdrawn", "false"}, {"start_date", "2027-03-01"}, {"department", "Sales"}}});
  b.mails_only();
  CHECK(b.mails_to("later0") == 0);
  CHECK(b.state("later0") == "scheduled");
}

TEST_CASE("the same file again, while it is held, says nothing new; a file that says the opposite takes it back") {
  Waiting b;
  const auto settled = b.file(Waiting::gone("later", 5));
  REQUIRE(settled.held);
  CHECK_FALSE(b.file(Waiting::gone("later", 5)).held);
  CHECK(b.results == Words(5, "unchanged"));
  CHECK(b.go(b.batches.list(std::nullopt, std::nullopt, 10)).size() == 1);

  b.file(Waiting::gone("later", 2, "withdrawn", "false"));
  CHECK(b.held("later0").empty());
  CHECK_FALSE(b.held("later2").empty());
  CHECK(b.go(b.batches.show(settled.batch))->waiting.withdrawals == 3);
  CHECK(b.decide(settled.batch, true).outcomes == Outcomes{{"withdrawn", 3}});
  CHECK_FALSE(b.withdrawn("later0"));
  CHECK(b.withdrawn("later2"));
}

TEST_CASE("who is to be withdrawn gets nothing for another address or date either, until a person decides") {
  Waiting b;
  const auto settled = b.file(Waiting::gone("later", 5));
  b.row({{"user_id", "later0"}, {"login_email", "new0@example.com"}});
  b.row({{"user_id", "later1"}, {"start_date", "2026-10-21"}});
  b.pump();
  CHECK(b.send("later2") == "held");  // nor by hand
  CHECK(b.go(b.users.release(b.invitation("later2").key, by_admin)).error().code == "held_by_batch");
  CHECK(b.go(b.bulk.plan({.include_scheduled = true}, "uid:0")).skipped.at("held") == 5);
  CHECK(b.go(b.queries.why("later0"))->now.reasons.back().text.find("batch show " + settled.batch.text()) !=
        std::string::npos);
  CHECK(b.mails_to("later0") + b.mails_to("later1") == 0);
  b.decide(settled.batch, false);
  CHECK(b.state("later0") == "scheduled");
  CHECK(b.mails_to("later1") == 1);  // the start is tomorrow
}

TEST_CASE("a mail in the queue waits with its invitation, and goes on when the withdrawal is discarded") {
  Waiting b;
  b.transport.places = 0;
  b.feed_all(Braked::hires("queued", 10));
  const auto settled = b.file(Waiting::gone("queued", 10));
  REQUIRE(settled.held);
  b.transport.places = 8;
  b.pump();
  CHECK(b.mails_to("queued0") == 0);
  b.decide(settled.batch, false);
  CHECK(b.mails_to("queued0") == 1);
}

TEST_CASE("a mail that is with the transport when the withdrawal comes is not tried again before a person decides") {
  Waiting b;
  b.transport.script = [](const model::OutgoingMail&) { return std::nullopt; };
  b.feed_all(Braked::hires("out", 6));
  b.mails_only();
  REQUIRE(b.mails_to("out0") == 1);
  const auto settled = b.file(Waiting::gone("out", 6));
  REQUIRE(settled.held);
  for (std::size_t i = 10; i < 16; ++i)
    b.transport.answer(b.transport.mails[i].delivery, verdict(model::VerdictStatus::retry));
  b.pump();
  b.clock.advance(2h);
  b.pump();
  CHECK(b.mails_to("out0") == 1);
  b.transport.script = [](const model::OutgoingMail&) { return verdict(model::VerdictStatus::accepted); };
  b.decide(settled.batch, false);
  CHECK(b.mails_to("out0") == 2);
}

TEST_CASE("too many mails and few withdrawals: the withdrawals are carried out, the mails are held") {
  Waiting b({.batch = 3, .times_usual_day = 10, .shrink_percent = 20});
  auto rows = Braked::hires("new", 5);
  rows.push_back({{"user_id", "later0"}, {"withdrawn", "true"}});
  const auto settled = b.file(rows);
  CHECK(settled.held);
  CHECK(settled.mails == 5);
  CHECK(settled.withdrawals == 0);
  CHECK(b.withdrawn("later0"));
}

TEST_CASE("people who came with the file itself do not make its withdrawals look few") {
  Waiting b;
  auto rows = Braked::hires("new", 100, "2026-12-10");
  const auto gone = Waiting::gone("later", 5);
  rows.insert(rows.end(), gone.begin(), gone.end());
  CHECK(b.file(rows).held);
}

TEST_CASE("a dry run says what a brake would hold, and leaves nothing behind") {
  Waiting b(three);
  const auto before = b.dump();
  const auto mails = b.file(Braked::hires("new", 4), true);
  CHECK(mails.held);
  CHECK(mails.mails == 4);
  CHECK(mails.sentence == "A brake would hold it. 4 mails would go out at once; 3 may.");
  const auto gone = b.file(Waiting::gone("later", 5), true);
  CHECK(gone.held);
  CHECK(gone.withdrawals == 5);
  CHECK_FALSE(b.file(Braked::hires("few", 3), true).held);
  CHECK(b.dump() == before);
}

TEST_CASE("a held batch can be rehearsed both ways, and stays as it is") {
  Braked b;
  const auto settled = b.file(Braked::hires("a", 40));
  REQUIRE(b.go(b.users.set_enabled("a0", false, by_admin)));
  const auto before = b.dump();
  CHECK(b.go(b.batches.rehearse(settled.batch, true, {}))->outcomes == Outcomes{{"released", 39}});
  CHECK(b.go(b.batches.rehearse(settled.batch, false, {}))->outcomes == Outcomes{{"discarded", 39}});
  CHECK(b.dump() == before);
}

TEST_CASE("a batch shows what waits in it by company, and its first people") {
  Braked b;
  auto rows = Braked::hires("a", 3);
  for (auto& one : Braked::hires("n", 2)) rows.push_back(Braked::with(one, "company", "north"));
  const auto settled = b.file(rows);
  const auto view = b.go(b.batches.show(settled.batch)).value();
  CHECK(view.waiting.mails == 5);
  CHECK(view.companies.at("").mails == 3);
  CHECK(view.companies.at("north").mails == 2);
  REQUIRE(view.examples.size() == 5);
  CHECK(view.examples[0].user_id == "a0");
  CHECK(view.examples[0].act == BatchAct::release);
  CHECK(b.go(b.batches.show(core::Id{})).error().code == "unknown_batch");
}

TEST_CASE("batches that are over are forgotten after a month; a held one never is") {
  Braked b;
  const auto held = b.file(Braked::hires("a", 4)).batch;
  const auto over = b.file(Braked::hires("b", 2)).batch;
  b.clock.advance(24h * 29);
  b.go(b.sweep.prune_batches());
  CHECK(store::batches::get(*b.db, over));
  b.clock.advance(24h * 2);
  b.go(b.sweep.prune_batches());
  CHECK_FALSE(store::batches::get(*b.db, over));
  CHECK(store::batches::get(*b.db, held));
}

// ---- pacing

namespace {

struct Paced : Bench {
  Paced() : Bench(policies()) { at("2026-10-20T08:00:00Z"); }
  static model::Policies policies() {
    model::Policy organisation;
    organisation.name = "Example AB";
    model::Policy north = organisation;
    north.company = "north";
    north.mails_per_minute = 4;
    return {organisation, {{"north", north}}};
  }
  void hire(const std::string& id, const std::string& company = "north") {
    row({{"user_id", id},
         {"name", id},
         {"company", company},
         {"login_email", id + "@example.com"},
         {"start_date", "2026-10-20"}});
  }
  std::int64_t seconds_until(const std::string& id) {
    return std::chrono::duration_cast<std::chrono::seconds>(*delivery(id).next_at - clock.now()).count();
  }
};

}  // namespace

TEST_CASE("a paced company's mails begin their way one by one; others and asked-for ones do not wait") {
  Paced b;
  b.transport.places = 0;
  for (int i = 0; i < 4; ++i) b.hire("n" + std::to_string(i));
  b.hire("other", "");
  CHECK(b.seconds_until("n0") == 0);
  CHECK(b.seconds_until("n1") == 15);
  CHECK(b.seconds_until("n3") == 45);
  CHECK(b.seconds_until("other") == 0);
  b.row({{"user_id", "urgent"}, {"name", "u"}, {"company", "north"}, {"login_email", "urgent@example.com"}});
  REQUIRE(b.send("urgent") == "ok");
  CHECK(b.seconds_until("urgent") == 0);
  // The plan says the very time.
  CHECK(b.go(b.queries.why("n3"))->next->decision.at == b.clock.now() + 45s);
  b.transport.places = 8;
  b.pump();
  CHECK(b.transport.mails.size() == 3);
  b.clock.advance(15s);
  b.pump();
  CHECK(b.mails_to("n1") == 1);
  CHECK(b.mails_to("n2") == 0);
  b.hire("n4");  // behind those who wait
  CHECK(b.seconds_until("n4") == 45);
  b.clock.advance(10min);
  b.pump();
  CHECK(b.transport.mails.size() == 7);
  b.hire("n5");  // nobody waits: at once
  CHECK(b.seconds_until("n5") == 0);
  b.hire("n6");
  CHECK(b.seconds_until("n6") == 15);
  REQUIRE(b.send("n6") == "ok");  // in the queue already, and wanted now
  CHECK(b.seconds_until("n6") == 0);
}

TEST_CASE("places in the pace that nobody takes any more are given to the next") {
  Paced b;
  b.transport.places = 0;
  for (int i = 0; i < 30; ++i) b.hire("n" + std::to_string(i));
  for (int i = 1; i < 30; ++i) REQUIRE(b.go(b.users.set_enabled("n" + std::to_string(i), false, by_admin)));
  b.hire("new");
  CHECK(b.seconds_until("new") == 0);
  b.hire("next");
  CHECK(b.seconds_until("next") == 15);
}

TEST_CASE("a bulk send is paced, and a restart changes nothing about it") {
  Paced b;
  b.transport.places = 0;
  for (int i = 0; i < 3; ++i)
    b.row({{"user_id", "n" + std::to_string(i)},
           {"name", "n"},
           {"company", "north"},
           {"login_email", "n" + std::to_string(i) + "@example.com"}});
  const auto plan = b.go(b.bulk.plan({}, "uid:0"));
  REQUIRE(b.go(b.bulk.start(plan.key)));
  b.go(b.bulk.go_on(plan.key, {}));
  CHECK(b.seconds_until("n2") == 30);
  b.restart();
  CHECK(b.seconds_until("n2") == 30);
  CHECK(b.go(b.bulk.plan({}, "uid:0")).send == 0);  // they have their turn already
  b.transport.places = 8;
  b.clock.advance(30s);
  b.pump();
  CHECK(b.transport.mails.size() == 3);
}

TEST_CASE("a retry of a paced mail waits for no turn, and its days of trying begin with its first try") {
  Paced b;
  for (int i = 0; i < 3; ++i) b.hire("n" + std::to_string(i));
  // Its turn comes only after more days than a link lives.
  b.db->run("UPDATE deliveries SET next_at = ? WHERE key = ?", b.clock.now() + 24h * 9, b.delivery("n2").key);
  b.transport.script = [](const model::OutgoingMail& mail) {
    return verdict(mail.attempt == 1 ? model::VerdictStatus::retry : model::VerdictStatus::accepted);
  };
  b.pump();
  CHECK(b.state("n0") == "released");
  b.clock.advance(24h * 9);
  b.pump();
  CHECK(b.state("n0") == "sent");
  REQUIRE(b.mails_to("n2") == 1);
  REQUIRE(b.delivery("n2").next_at);
  CHECK(b.invitation("n2").held_reason.empty());
  b.clock.advance(2h);
  b.pump();
  CHECK(b.state("n2") == "sent");
}

TEST_CASE("a held batch counts who still waits in it, and is over once everybody was decided about otherwise") {
  Braked b;
  const auto settled = b.file(Braked::hires("a", 4));
  REQUIRE(settled.held);
  CHECK(b.send("a0") == "ok");
  CHECK(b.row({{"user_id", "a1"}, {"withdrawn", "true"}}) == "updated");
  CHECK(b.row({{"user_id", "a2"}, {"login_email", ""}, {"enabled", "false"}}) == "updated");
  CHECK(b.go(b.batches.show(settled.batch))->waiting.mails == 1);
  b.go(b.sweep.prune_batches());
  CHECK(b.state_of(settled.batch) == "held");
  CHECK(b.row({{"user_id", "a3"}, {"enabled", "false"}}) == "updated");
  CHECK(b.go(b.batches.show(settled.batch))->waiting.mails == 0);
  b.go(b.sweep.prune_batches());
  CHECK(b.state_of(settled.batch) == "released");
  CHECK(b.batch(settled.batch).decided_by == "daemon");
  b.pump();
  CHECK(b.transport.mails.size() == 1);
}
