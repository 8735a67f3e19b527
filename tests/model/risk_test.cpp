// plan risk: links that hardly hold a working day, or are over before the first day of work; starts that moved (W6).
#include <catch2/catch.hpp>

#include "model/risk.hpp"

using namespace invited;
using namespace invited::model;
using Words = std::vector<std::string>;

namespace {

CivilDate date(const std::string& text) {
  return parse_date(text).value();
}

// Swedish days off around the turn of a year and at midsummer.
Policy sweden() {
  Policy policy;
  for (const auto* day : {"2026-06-19", "2026-12-24", "2026-12-25", "2026-12-31", "2027-01-01", "2027-01-06"})
    policy.holidays.push_back(date(day));
  return policy;
}

Instant at(const std::string& day, int hour, const Policy& policy) {
  return instant_of({date(day), hour, policy.zone});
}

LinkLife mail(const std::string& day, int hour, const Policy& policy) {
  const Instant opens = at(day, hour, policy);
  return {.opens = opens, .ends = link_end(opens, policy.zone, policy.valid_days), .start = {}, .start_in_mail = {}};
}

int days(const std::string& day, int hour, const Policy& policy) {
  const LinkLife life = mail(day, hour, policy);
  return working_days_in(life.opens, life.ends, policy);
}

Words codes(const LinkLife& life, const Policy& policy) {
  Words all;
  for (const auto& risk : risks_of(life, policy)) all.emplace_back(risk.code);
  return all;
}

}  // namespace

TEST_CASE("an ordinary five days hold three to five working days") {
  CHECK(days("2026-11-02", 9, Policy{}) == 5);  // a Monday
  CHECK(days("2026-11-06", 9, Policy{}) == 3);  // a Friday
  CHECK(days("2026-11-07", 9, Policy{}) == 3);  // a Saturday
}

TEST_CASE("the day of acceptance counts if the mail was there before noon") {
  CHECK(days("2026-11-02", 11, Policy{}) == 5);
  CHECK(days("2026-11-02", 12, Policy{}) == 4);
}

TEST_CASE("Christmas: a link of Wednesday morning holds one working day, one of Wednesday afternoon none") {
  const Policy policy = sweden();
  CHECK(days("2026-12-23", 9, policy) == 1);
  CHECK(codes(mail("2026-12-23", 9, policy), policy).empty());
  CHECK(days("2026-12-23", 14, policy) == 0);
  CHECK(codes(mail("2026-12-23", 14, policy), policy) == Words{"no_working_day"});
  CHECK(codes(mail("2026-12-24", 9, policy), policy).empty());  // Monday 28 is its fifth day
  const auto risks = risks_of(mail("2026-12-23", 14, policy), policy);
  CHECK(risks.front().text ==
        "The link works from 2026-12-23T14:00 through 2026-12-27: less than one working day lies in between.");
}

TEST_CASE("a company that works on other days is measured by them") {
  Policy policy;
  policy.working_days = {false, false, false, false, false, true, true};  // weekends only
  policy.valid_days = 2;
  CHECK(codes(mail("2026-11-02", 9, policy), policy) == Words{"no_working_day"});
  CHECK(codes(mail("2026-11-06", 9, policy), policy).empty());
  policy.working_days = {};
  CHECK_FALSE(first_working_day(policy, date("2026-11-02")));
}

TEST_CASE("the days are those of the company's zone, also where midnight does not exist") {
  Policy policy;
  policy.zone = "America/Santiago";
  policy.valid_days = 2;
  // The night to Sunday 6 September 2026 has no midnight: the link ends at 01:00, and its last day is the Saturday.
  CHECK(days("2026-09-05", 9, policy) == 0);
  CHECK(codes(mail("2026-09-04", 9, policy), policy).empty());
  policy.valid_days = 1;
  const LinkLife saturday = mail("2026-09-05", 9, policy);
  CHECK(to_utc_text(saturday.ends) == "2026-09-06T04:00:00Z");
  CHECK(risks_of(saturday, policy).front().text.find("through 2026-09-05") != std::string::npos);
  // 22:00 in Stockholm is the next day in Auckland.
  Policy east;
  east.zone = "Pacific/Auckland";
  east.valid_days = 1;
  const Instant evening = instant_of({date("2026-11-01"), 22, "Europe/Stockholm"});
  CHECK(working_days_in(evening, link_end(evening, east.zone, 1), east) == 1);
  CHECK(working_days_in(evening, link_end(evening, "Europe/Stockholm", 1), Policy{}) == 0);
}

TEST_CASE("a link that is over before the first day of work is a risk; the first day is a working day") {
  const Policy policy = sweden();
  LinkLife life = mail("2026-11-02", 9, policy);  // through Friday 6
  life.start = date("2026-11-06");
  CHECK(codes(life, policy).empty());
  life.start = date("2026-11-07");  // a Saturday: Monday 9 is the first day of work
  CHECK(codes(life, policy) == Words{"ends_before_start"});
  CHECK(risks_of(life, policy).front().text.find("the first day of work is 2026-11-09") != std::string::npos);
  // W2 at the turn of the year: mailed on 31 December for 1 January, through 4 January, the first day of work.
  life = mail("2026-12-31", 9, policy);
  life.start = date("2027-01-01");
  CHECK(codes(life, policy).empty());
}

TEST_CASE("a start that moved after the mail is told, whichever way it moved") {
  const Policy policy;
  LinkLife life = mail("2026-11-02", 9, policy);
  life.start = life.start_in_mail = date("2026-11-03");
  CHECK(codes(life, policy).empty());
  life.start = date("2026-11-02");
  CHECK(codes(life, policy) == Words{"start_moved"});
  life.start = date("2026-12-01");
  CHECK(codes(life, policy) == Words{"ends_before_start", "start_moved"});
  CHECK(risks_of(life, policy).back().text ==
        "The mail went out for a start on 2026-11-03; the start is 2026-12-01 now: nothing is sent again by itself.");
  life.start_in_mail.reset();
  CHECK(codes(life, policy) == Words{"ends_before_start"});
}
