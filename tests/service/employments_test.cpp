// Employments that follow each other, leaving for a while and coming back (PRODUCT §5).
#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "store/users.hpp"

using namespace invited;
using namespace invited::test;

namespace {

void employ(Bench& b, const std::string& start, const std::string& end = "") {
  Row row{{"user_id", "a"}, {"name", "A"}, {"login_email", "a@example.com"}, {"start_date", start}};
  if (!end.empty()) row.emplace_back("end_date", end);
  const auto result = b.row(row);
  CHECK((result == "created" || result == "updated"));
}

void day(Bench& b, const std::string& date, const std::string& time = "T10:00:00Z") {
  b.at(date + time);
  b.go(b.sweep.employments());
  b.pump();
}

std::string next(Bench& b) {
  const auto why = b.go(b.queries.why("a"));
  if (!why->next) return "nothing";
  return std::string(model::to_text(why->next->decision.action)) + " " + model::to_utc_text(why->next->decision.at) +
         " " + std::string(why->next->decision.reason());
}

}  // namespace

TEST_CASE("W5 a term that is moved before it begins is the same hire: one mail, for the new first day") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  employ(b, "2026-12-01", "2026-12-10");
  CHECK(next(b) == "send 2026-11-30T08:00:00Z start_later");
  employ(b, "2026-12-15", "2026-12-24");
  CHECK(next(b) == "send 2026-12-14T08:00:00Z start_later");
  day(b, "2026-12-01");
  CHECK(b.mails_to("a") == 0);
  day(b, "2026-12-14");
  CHECK(b.mails_to("a") == 1);
  // Its mail is out: a further move changes the date and sends nothing (W6).
  employ(b, "2026-12-28", "2027-01-08");
  day(b, "2026-12-27");
  CHECK(b.mails_to("a") == 1);
  CHECK(b.row({{"user_id", "a"}, {"start_date", "2027-02-01"}}) == "rejected: end_before_start");
}

TEST_CASE("a re-hire that is disabled in the same row stays disabled, and the same row again changes nothing") {
  Bench b;
  b.at("2026-10-01T08:00:00Z");
  employ(b, "2026-10-01", "2026-10-31");
  b.pump();
  b.connect("a");
  day(b, "2026-11-06");
  REQUIRE_FALSE(b.user("a")->enabled);
  const Row row{{"user_id", "a"}, {"enabled", "false"}, {"start_date", "2026-11-23"}, {"end_date", ""}};
  CHECK(b.row(row) == "updated");
  day(b, "2026-11-23");
  CHECK(b.mails_to("a") == 1);
  CHECK_FALSE(b.user("a")->enabled);
  CHECK(b.row(row) == "unchanged");
}

TEST_CASE("a connected user whose employment is withdrawn leaves when it would have ended") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  employ(b, "2026-10-20", "2026-10-31");
  b.pump();
  b.connect("a");
  CHECK(b.row({{"user_id", "a"}, {"withdrawn", "true"}}) == "updated");
  CHECK(next(b) == "disable 2026-11-05T23:00:00Z employment_ended");
  day(b, "2026-11-06");
  CHECK(b.connection("a") == "not_connected");
  CHECK(b.identity.accounts.empty());
}

TEST_CASE("employments that follow each other keep the connection") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  employ(b, "2026-10-01", "2026-10-31");
  b.pump();
  b.connect("a");
  employ(b, "2026-11-03", "2026-11-30");
  CHECK(next(b) == "disable 2026-12-05T23:00:00Z employment_ended");
  for (const std::string date : {"2026-11-01", "2026-11-06", "2026-11-07"}) day(b, date);
  CHECK(b.user("a")->enabled);
  CHECK(b.connection("a") == "connected");
  CHECK(b.mails_to("a") == 1);
  day(b, "2026-12-06");
  CHECK_FALSE(b.user("a")->enabled);
  CHECK(b.connection("a") == "not_connected");
}

TEST_CASE("in a gap between two employments the user is disabled, and comes back with a new mail") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  employ(b, "2026-10-01", "2026-10-31");
  b.pump();
  b.connect("a");
  employ(b, "2027-06-01", "2027-08-31");
  CHECK(next(b) == "disable 2026-11-05T23:00:00Z between_employments");
  day(b, "2026-11-05");
  CHECK(b.connection("a") == "connected");
  day(b, "2026-11-06");
  CHECK_FALSE(b.user("a")->enabled);
  CHECK(b.connection("a") == "not_connected");
  CHECK(b.identity.accounts.empty());
  CHECK(b.state("a") == "scheduled");
  CHECK(next(b) == "send 2027-05-31T07:00:00Z start_later");
  CHECK(b.send("a") == "disabled");

  // The nightly file says "enabled"; that does not bring anybody back early.
  CHECK(b.row({{"user_id", "a"}, {"enabled", "true"}}) == "unchanged");
  day(b, "2027-05-31", "T06:59:00Z");
  CHECK_FALSE(b.user("a")->enabled);
  CHECK(b.mails_to("a") == 1);
  day(b, "2027-05-31", "T07:00:00Z");
  CHECK(b.user("a")->enabled);
  CHECK(b.mails_to("a") == 2);
  b.connect("a");
  CHECK(b.connection("a") == "connected");
  CHECK(next(b) == "disable 2027-09-05T22:00:00Z employment_ended");
}

TEST_CASE("who comes back in a verified domain is connected when the next invitation would be due, not before") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  REQUIRE(b.go(b.domains.assert_verified("example.com", by_admin)));
  employ(b, "2026-10-01", "2026-10-31");
  b.pump();
  CHECK(b.connection("a") == "connected");
  employ(b, "2027-06-01");
  day(b, "2026-11-06");
  CHECK(b.connection("a") == "not_connected");
  b.go(b.domains.pass());
  b.pump();
  CHECK(b.connection("a") == "not_connected");
  day(b, "2027-05-31", "T07:00:00Z");
  CHECK(b.user("a")->enabled);
  CHECK(b.connection("a") == "connected");
  CHECK(b.mails_to("a") == 0);
}

TEST_CASE("a person's decision in the gap stands") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  employ(b, "2026-10-01", "2026-10-31");
  b.pump();
  b.connect("a");
  employ(b, "2027-06-01");
  day(b, "2026-11-06");
  REQUIRE(b.go(b.users.set_enabled("a", true, by_admin)));
  day(b, "2026-12-01");
  CHECK(b.user("a")->enabled);
  REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
  day(b, "2027-05-31");
  CHECK_FALSE(b.user("a")->enabled);
}

TEST_CASE("a next employment that is withdrawn in the gap brings nobody back") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  employ(b, "2026-10-01", "2026-10-31");
  b.pump();
  b.connect("a");
  employ(b, "2027-06-01");
  day(b, "2026-11-06");
  CHECK(b.row({{"user_id", "a"}, {"start_date", "2027-06-01"}, {"withdrawn", "true"}}) == "updated");
  day(b, "2027-05-31");
  CHECK_FALSE(b.user("a")->enabled);
  CHECK(b.mails_to("a") == 1);
  CHECK(next(b) == "nothing");
}

TEST_CASE("a re-hire in the gap is enabled at once; a row that only says enabled brings no leaver back") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  employ(b, "2026-10-01", "2026-10-31");
  b.pump();
  b.connect("a");
  day(b, "2026-11-06");
  CHECK_FALSE(b.user("a")->enabled);
  CHECK(b.row({{"user_id", "a"}, {"enabled", "true"}}) == "unchanged");
  CHECK_FALSE(b.user("a")->enabled);
  employ(b, "2027-06-01");
  CHECK(b.user("a")->enabled);
  CHECK(next(b) == "send 2027-05-31T07:00:00Z start_later");
}

TEST_CASE("a moved start of the next employment moves that one, and the review is about it") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  employ(b, "2026-10-01", "2026-10-31");
  b.pump();
  b.connect("a");
  CHECK(b.row({{"user_id", "a"}, {"start_date", "2027-06-01"}, {"in_review", "true"}}) == "updated");
  CHECK(b.row({{"user_id", "a"}, {"start_date", "2027-07-01"}}) == "updated");
  const auto next_employment = store::employments::current(*b.db, b.user("a")->key).following;
  REQUIRE(next_employment);
  CHECK(model::to_text(next_employment->start_date) == "2027-07-01");
  REQUIRE(b.go(b.reviews.approve("a", "", by_admin)));
  day(b, "2026-11-06");
  CHECK(next(b) == "send 2027-06-30T07:00:00Z start_later");
}

TEST_CASE("a stale row makes a new employment of a withdrawn one; the next row about the withdrawal ends it") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  employ(b, "2026-12-01");
  CHECK(b.row({{"user_id", "a"}, {"start_date", "2026-12-01"}, {"withdrawn", "true"}}) == "updated");
  employ(b, "2026-11-15");
  CHECK(b.state("a") == "scheduled");
  CHECK(b.row({{"user_id", "a"}, {"start_date", "2026-12-01"}, {"withdrawn", "true"}}) == "updated");
  CHECK(b.state("a") == "cancelled");
}

TEST_CASE("W9 a corrected address of somebody whose next employment is planned waits for that one's date") {
  Bench b(stockholm());
  b.at("2026-10-01T08:00:00Z");
  b.row({{"user_id", "a"},
         {"name", "a"},
         {"login_email", "a@example.com"},
         {"start_date", "2026-10-01"},
         {"end_date", "2026-12-31"}});
  b.pump();
  b.at("2026-10-07T08:00:00Z");
  b.go(b.sweep.expire());
  b.row({{"user_id", "a"}, {"start_date", "2027-01-01"}, {"end_date", ""}});
  REQUIRE(b.state("a") == "scheduled");
  const auto mails = b.transport.mails.size();
  b.row({{"user_id", "a"}, {"login_email", "b@example.com"}});
  b.pump();
  CHECK(b.state("a") == "scheduled");
  CHECK(b.invitation("a").login_email == "b@example.com");
  CHECK(b.transport.mails.size() == mails);
}

TEST_CASE("W9 the address of a hire is corrected after the link ended unused: planned again") {
  Bench b(stockholm());
  b.at("2026-10-01T08:00:00Z");
  b.row({{"user_id", "a"}, {"name", "a"}, {"login_email", "a@example.com"}, {"start_date", "2026-10-01"}});
  b.pump();
  b.at("2026-10-07T08:00:00Z");
  b.go(b.sweep.expire());
  REQUIRE(b.connection("a") == "pending");
  b.row({{"user_id", "a"}, {"login_email", "b@example.com"}});
  b.pump();
  CHECK(b.states("a") == std::vector<std::string>{"superseded", "sent"});
}

TEST_CASE("whoever comes back the day after the end is in the new employment at once, without waiting for the sweep") {
  Bench b;
  b.at("2026-09-01T08:00:00Z");
  employ(b, "2026-09-01", "2026-10-19");
  b.pump();
  b.at("2026-09-10T08:00:00Z");
  b.go(b.sweep.expire());
  REQUIRE(b.mails_to("a") == 1);
  b.at("2026-10-20T08:00:00Z");
  employ(b, "2026-10-20");
  const auto in_force = store::employments::in_force(*b.db, b.user("a")->key);
  CHECK(model::to_text(in_force->start_date) == "2026-10-20");  // what lists, exports and the leaver rule go by
  b.pump();
  CHECK(b.mails_to("a") == 2);
  CHECK(b.states("a") == std::vector<std::string>{"superseded", "sent"});
}

TEST_CASE("many who go over to their next employment on one day do, in pieces") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  constexpr int many = 300;
  for (int n = 0; n < many; ++n) {
    const std::string id = std::to_string(n);
    REQUIRE(b.row({{"user_id", id}, {"name", id}, {"start_date", "2026-10-01"}, {"end_date", "2026-10-31"}}) ==
            "created");
    REQUIRE(b.row({{"user_id", id}, {"start_date", "2026-11-01"}, {"end_date", ""}}) == "updated");
  }
  b.at("2026-11-01T10:00:00Z");
  CHECK(b.go(b.sweep.hand_over()) == many);
  CHECK(b.go(b.sweep.hand_over()) == 0);
}
