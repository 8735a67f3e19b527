// What an administrator does with one user, and that a dry run of it does nothing.
#include "service/users.hpp"

#include <catch2/catch.hpp>

#include "service/bench.hpp"

using namespace invited;
using namespace invited::test;
using Words = std::vector<std::string>;

namespace {

const service::Act dry{.actor = "uid:0 (root)", .dry_run = true};

struct Office : Bench {
  Office() {
    at("2026-10-20T08:00:00Z");
    row({{"user_id", "a"}, {"name", "A"}, {"login_email", "a@example.com"}, {"start_date", "2026-10-20"}});
    row({{"user_id", "r"},
         {"name", "R"},
         {"login_email", "r@example.com"},
         {"start_date", "2026-10-20"},
         {"in_review", "true"}});
    pump();
  }
};

}  // namespace

TEST_CASE("a dry run answers as the real one and changes nothing") {
  Office b;
  const std::string before = b.dump();
  CHECK(b.go(b.users.send_verification("a", dry))->released);
  CHECK(b.go(b.users.set_enabled("a", false, dry)));
  CHECK(b.go(b.users.revoke(b.invitation("a").key, dry)));
  CHECK(b.go(b.users.disconnect("a", dry)));
  CHECK(b.go(b.users.discard(b.invitation("r").key, dry)));
  CHECK(b.go(b.reviews.approve("r", "", dry))->released);
  CHECK(b.go(b.reviews.reject("r", "no", dry)));
  CHECK(b.go(b.domains.assert_verified("example.com", dry)));
  b.go(b.domains.pass());
  CHECK(b.dump() == before);
}

TEST_CASE("every verb says when there is no such user or invitation") {
  Office b;
  CHECK(b.go(b.users.send_verification("x", by_admin)).error().code == "unknown_user");
  CHECK(b.go(b.users.set_enabled("x", true, by_admin)).error().code == "unknown_user");
  CHECK(b.go(b.users.disconnect("x", by_admin)).error().code == "unknown_user");
  CHECK(b.go(b.users.reset_password("x", by_admin)).error().code == "unknown_user");
  CHECK(b.go(b.reviews.approve("x", "", by_admin)).error().code == "unknown_user");
  CHECK(b.go(b.reviews.reject("a", "", by_admin)).error().code == "not_in_review");
  const auto nobody = b.planner->new_id();
  CHECK(b.go(b.users.release(nobody, by_admin)).error().code == "unknown_invitation");
  CHECK(b.go(b.users.discard(nobody, by_admin)).error().code == "unknown_invitation");
  CHECK(b.go(b.users.revoke(nobody, by_admin)).error().code == "unknown_invitation");
}

TEST_CASE("what a person revoked or discarded does not begin again by itself") {
  Office b;
  REQUIRE(b.go(b.users.revoke(b.invitation("a").key, by_admin)));
  b.row({{"user_id", "a"}, {"department", "Sales"}});
  REQUIRE(b.go(b.reviews.approve("r", "", by_admin)));
  REQUIRE(b.go(b.users.discard(b.invitation("r").key, by_admin)));
  b.row({{"user_id", "r"}, {"department", "Sales"}});
  b.pump();
  CHECK(b.states("a") == Words{"revoked"});
  CHECK(b.states("r") == Words{"cancelled"});
  CHECK(b.send("a") == "ok");
  CHECK(b.send("r") == "ok");
}

TEST_CASE("enabling twice and disabling twice is one event each") {
  Office b;
  REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
  REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
  REQUIRE(b.go(b.users.set_enabled("a", true, by_admin)));
  REQUIRE(b.go(b.users.set_enabled("a", true, by_admin)));
  const auto events = b.audit("a");
  CHECK(std::count(events.begin(), events.end(), "user.disabled disabled") == 1);
  CHECK(std::count(events.begin(), events.end(), "user.enabled") == 1);
}

TEST_CASE("the actor of every change is in the record, and the record verifies") {
  Office b;
  REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
  const auto events = b.go(b.queries.audit({}, "user:a", 1));
  REQUIRE(events.size() == 1);
  CHECK(events[0].actor == "uid:0 (root)");
  const auto checked = b.go(b.queries.verify_audit());
  CHECK_FALSE(checked.broken);
  CHECK(checked.checked == store::audit::last_seq(*b.db));
}
