// W13: bulk sends reach exactly those they say, once.
#include "service/bulk.hpp"

#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "store/plans.hpp"

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using Counts = std::map<std::string, std::int64_t>;
using Words = std::vector<std::string>;

namespace {

struct Company : Bench {
  Company() {
    at("2026-10-20T08:00:00Z");
    const auto clerk = [&](const std::string& id, const std::string& domain) {
      row({{"user_id", id}, {"name", id}, {"login_email", domain.empty() ? "" : id + "@" + domain}});
    };
    REQUIRE(go(domains.assert_verified("verified.example", by_admin)));
    row({{"user_id", "connected"},
         {"name", "connected"},
         {"login_email", "connected@example.com"},
         {"start_date", "2026-10-20"}});
    pump();
    connect("connected");
    row({{"user_id", "recent"},
         {"name", "recent"},
         {"login_email", "recent@example.com"},
         {"start_date", "2026-10-20"}});
    pump();
    row({{"user_id", "reviewed"},
         {"name", "reviewed"},
         {"login_email", "r@example.com"},
         {"start_date", "2026-10-20"},
         {"in_review", "true"}});
    row({{"user_id", "scheduled"},
         {"name", "scheduled"},
         {"login_email", "s@example.com"},
         {"start_date", "2026-12-01"}});
    clerk("bare", "");
    clerk("off", "example.com");
    REQUIRE(go(users.set_enabled("off", false, by_admin)));
    clerk("domain", "verified.example");
    REQUIRE(go(users.disconnect("domain", by_admin)));
    pump();
    clerk("one", "example.com");
    clerk("two", "example.com");
    mails_before = transport.mails.size();
  }
  service::BulkPlan plan(service::BulkRequest request = {}) { return go(bulk.plan(request, "uid:0")); }
  service::BulkProgress run_plan(const core::Id& key) {
    REQUIRE(go(bulk.start(key)));
    auto progress = go(bulk.go_on(key, {}));
    pump();
    return progress;
  }
  std::size_t new_mails() const { return transport.mails.size() - mails_before; }
  std::size_t mails_before = 0;
};

}  // namespace

TEST_CASE("W13: every user of the filter is sent to, connected, or skipped with a reason and counted") {
  Company b;
  const auto plan = b.plan();
  CHECK(plan.matched == 9);
  CHECK(plan.send == 2);
  CHECK(plan.connect == 1);
  CHECK(plan.skipped == Counts{{"connected", 1},
                               {"cooldown", 1},
                               {"in_review", 1},
                               {"scheduled", 1},
                               {"no_login_email", 1},
                               {"disabled", 1},
                               {"verified_domain", 1}});
  CHECK(plan.examples == Words{"one", "two"});
  CHECK(b.new_mails() == 0);
  const auto progress = b.run_plan(plan.key);
  CHECK(progress.sent == 2);
  CHECK(progress.connected == 1);
  CHECK(progress.done == 3);
  CHECK(progress.total == 3);
  CHECK(progress.skipped.empty());
  CHECK(b.new_mails() == 2);
  CHECK(b.connection("domain") == "connected");
}

TEST_CASE("W13: run twice, the second sends nothing") {
  Company b;
  const auto first = b.plan();
  const auto second = b.plan();
  b.run_plan(first.key);
  const auto again = b.run_plan(second.key);
  CHECK(again.sent == 0);
  CHECK(again.skipped == Counts{{"cooldown", 2}, {"connected", 1}});
  CHECK(b.new_mails() == 2);
  const auto third = b.plan();
  CHECK(third.send == 0);
  CHECK(third.connect == 0);
  CHECK(b.go(b.bulk.start(first.key)).error().code == "plan_not_runnable");
}

TEST_CASE("W13: what was asked for while mails wait for their turn is not asked for twice") {
  Company b;
  b.transport.places = 0;
  const auto first = b.plan();
  b.run_plan(first.key);
  CHECK(b.plan().send == 0);
  b.transport.places = 8;
  b.pump();
  CHECK(b.new_mails() == 2);
}

TEST_CASE("W13: --include-scheduled and --include-recent override their own reasons only") {
  Company b;
  CHECK(b.plan({.include_scheduled = true}).send == 3);
  CHECK(b.plan({.include_recent = true}).send == 3);
  const auto both = b.plan({.include_scheduled = true, .include_recent = true});
  CHECK(both.send == 4);
  b.run_plan(both.key);
  CHECK(b.new_mails() == 4);
  CHECK(b.states("scheduled") == Words{"sent"});
  CHECK(b.states("recent") == Words{"superseded", "sent"});
}

TEST_CASE("W13: after the cooldown a bulk send sends again") {
  Company b;
  b.run_plan(b.plan().key);
  b.clock.advance(10min);
  CHECK(b.plan().send == 3);
}

TEST_CASE("W13: only the filter's users are reached") {
  Company b;
  model::UserFilter filter;
  filter.search = "one";
  const auto plan = b.plan({.filter = filter});
  CHECK(plan.matched == 1);
  b.run_plan(plan.key);
  CHECK(b.new_mails() == 1);
  CHECK(b.mails_to("one") == 1);
}

TEST_CASE("a bulk send decides again for each user when his turn comes") {
  Company b;
  const auto plan = b.plan();
  REQUIRE(b.go(b.users.set_enabled("one", false, by_admin)));
  const auto progress = b.run_plan(plan.key);
  CHECK(progress.sent == 1);
  CHECK(progress.skipped == Counts{{"disabled", 1}});
}

TEST_CASE("an interrupted bulk send goes on where it stopped, and nobody gets two") {
  Company b;
  for (int i = 0; i < 200; ++i) {
    const auto id = "n" + std::to_string(i);
    b.row({{"user_id", id}, {"name", id}, {"login_email", id + "@example.com"}});
  }
  const auto plan = b.plan();
  CHECK(plan.send == 202);
  REQUIRE(b.go(b.bulk.start(plan.key)));
  struct Stop {};
  try {
    b.go(b.bulk.go_on(plan.key, [](const service::BulkProgress& p) {
      if (p.done >= 64) throw Stop{};
    }));
    FAIL("it was to be interrupted");
  } catch (const Stop&) {
  }
  CHECK(b.go(b.bulk.interrupted()) == std::vector<core::Id>{plan.key});
  const auto rest = b.go(b.bulk.go_on(plan.key, {}));
  CHECK(rest.done == 203);
  CHECK(rest.sent == 202);
  CHECK(b.go(b.bulk.interrupted()).empty());
  b.pump();
  CHECK(b.new_mails() == 202);
}

TEST_CASE("one person whose row breaks a rule is left out and told; the others get their mails") {
  Company b;
  b.refuse_rows("deliveries", "one");
  const auto plan = b.plan();
  const auto done = b.run_plan(plan.key);
  CHECK(done.failed == 1);
  CHECK(done.skipped.empty());
  CHECK(b.mails_to("one") == 0);
  CHECK(b.mails_to("two") == 1);
  CHECK(done.done == done.total);
}

TEST_CASE("a bulk send that meets a full disk waits, and goes on by itself") {
  Company b;
  const auto plan = b.plan();
  REQUIRE(b.go(b.bulk.start(plan.key)));
  b.db->raw().exec("PRAGMA query_only = 1");
  std::optional<service::BulkProgress> done;
  boost::asio::co_spawn(b.io, b.bulk.go_on(plan.key, {}),
                        [&](const std::exception_ptr& error, service::BulkProgress progress) {
                          CHECK_FALSE(error);
                          done = std::move(progress);
                        });
  settle(b.io);
  b.clock.advance(10s);
  settle(b.io);
  CHECK_FALSE(done);
  b.db->raw().exec("PRAGMA query_only = 0");
  b.clock.advance(1s);
  settle(b.io);
  REQUIRE(done);
  CHECK(done->sent == plan.send);
  b.pump();
  CHECK(b.mails_to("one") == 1);
}
