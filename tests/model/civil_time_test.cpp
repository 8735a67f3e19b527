#include "model/civil_time.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>

using namespace invited::model;
using namespace std::chrono_literals;

namespace {

CivilDate day(const char* text) {
  const auto date = parse_date(text);
  if (!date) throw std::logic_error(text);
  return *date;
}

// "2026-11-30T08:00" in UTC.
Instant utc(const std::string& text) {
  return std::chrono::sys_days{day(text.substr(0, 10).c_str())} + std::chrono::hours{std::stoi(text.substr(11, 2))} +
         std::chrono::minutes{std::stoi(text.substr(14, 2))};
}

struct LinkVector {
  const char* zone;
  const char* accepted;  // local date, 09:00
  const char* ends;      // UTC
  const char* ends_local;
  int hours;  // of the five days
};

constexpr LinkVector link_vectors[] = {
    {"Europe/Stockholm", "2026-10-23", "2026-10-27T23:00:00Z", "2026-10-28T00:00", 121},
    {"Europe/Stockholm", "2026-03-27", "2026-03-31T22:00:00Z", "2026-04-01T00:00", 119},
    {"Europe/Stockholm", "2026-12-23", "2026-12-27T23:00:00Z", "2026-12-28T00:00", 120},
    {"America/Santiago", "2026-09-01", "2026-09-06T04:00:00Z", "2026-09-06T01:00", 120},
    {"Africa/Cairo", "2026-04-19", "2026-04-23T22:00:00Z", "2026-04-24T01:00", 120},
    {"Asia/Beirut", "2026-03-24", "2026-03-28T22:00:00Z", "2026-03-29T01:00", 120},
    {"America/Havana", "2026-03-03", "2026-03-08T05:00:00Z", "2026-03-08T01:00", 120},
    {"Pacific/Auckland", "2026-09-24", "2026-09-28T11:00:00Z", "2026-09-29T00:00", 119},
};

}  // namespace

TEST_CASE("a link dies at the first instant of the sixth local date, in every vector of the rules") {
  for (const LinkVector& v : link_vectors) {
    CAPTURE(v.zone, v.accepted);
    const Instant accepted = instant_of({day(v.accepted), 9, v.zone});
    CHECK(local_text(accepted, v.zone) == std::string(v.accepted) + "T09:00");
    const Instant end = link_end(accepted, v.zone, 5);
    CHECK(to_utc_text(end) == v.ends);
    CHECK(local_text(end, v.zone) == v.ends_local);
    CHECK(end - first_instant_of(day(v.accepted), v.zone) == std::chrono::hours{v.hours});
  }
}

TEST_CASE("five days are never 120 hours from the mail: the October vector would end at nine in the morning") {
  const Instant accepted = instant_of({day("2026-10-23"), 9, "Europe/Stockholm"});
  CHECK(link_end(accepted, "Europe/Stockholm", 5) != accepted + 120h);
  CHECK(link_end(accepted, "Europe/Stockholm", 5) == accepted + 112h);
}

TEST_CASE("the hour of acceptance does not move the end of the link: first and last minute of a day count alike") {
  const std::string zone = "Europe/Stockholm";
  const Instant midnight = first_instant_of(day("2026-10-23"), zone);
  const Instant last = first_instant_of(day("2026-10-24"), zone) - 1ms;
  CHECK(link_end(midnight, zone, 5) == utc("2026-10-27T23:00"));
  CHECK(link_end(last, zone, 5) == utc("2026-10-27T23:00"));
  CHECK(link_end(last + 1ms, zone, 5) == utc("2026-10-28T23:00"));
}

TEST_CASE("the last day that a mail names is one on which the link still works, and the next one is not") {
  for (const LinkVector& v : link_vectors) {
    CAPTURE(v.zone, v.accepted);
    const Instant accepted = instant_of({day(v.accepted), 9, v.zone});
    for (const int valid_days : {1, 2, 5, 30}) {
      const CivilDate last = link_last_day(accepted, v.zone, valid_days);
      const Instant end = link_end(accepted, v.zone, valid_days);
      CHECK(days_between(day(v.accepted), last) == valid_days - 1);
      CHECK(local_date(end - 1ms, v.zone) == last);
      CHECK(local_date(end, v.zone) > last);
    }
  }
}

TEST_CASE("a link of one day ends with the day on which its mail was accepted") {
  const Instant accepted = instant_of({day("2026-10-23"), 9, "Europe/Stockholm"});
  CHECK(link_end(accepted, "Europe/Stockholm", 1) == utc("2026-10-23T22:00"));
  CHECK(link_last_day(accepted, "Europe/Stockholm", 1) == day("2026-10-23"));
}

TEST_CASE("the date of acceptance is the company's, not that of Greenwich") {
  const Instant late = utc("2026-06-30T22:30");  // 1 July in Stockholm, 30 June in New York
  CHECK(link_last_day(late, "Europe/Stockholm", 5) == day("2026-07-05"));
  CHECK(link_last_day(late, "America/New_York", 5) == day("2026-07-04"));
}

TEST_CASE("a local time in a gap means the first instant after the gap") {
  // Stockholm skips 02:00 to 03:00 on 29 March 2026.
  CHECK(instant_of({day("2026-03-29"), 1, "Europe/Stockholm"}) == utc("2026-03-29T00:00"));
  CHECK(instant_of({day("2026-03-29"), 2, "Europe/Stockholm"}) == utc("2026-03-29T01:00"));
  CHECK(instant_of({day("2026-03-29"), 3, "Europe/Stockholm"}) == utc("2026-03-29T01:00"));
  CHECK(local_text(instant_of({day("2026-03-29"), 2, "Europe/Stockholm"}), "Europe/Stockholm") == "2026-03-29T03:00");
  // Lord Howe jumps by half an hour: 02:00 does not exist on 4 October 2026, 02:30 is the first instant after it.
  CHECK(local_text(instant_of({day("2026-10-04"), 2, "Australia/Lord_Howe"}), "Australia/Lord_Howe") ==
        "2026-10-04T02:30");
}

TEST_CASE("a local time that happens twice means the first") {
  // Stockholm shows 02:00 to 03:00 twice on 25 October 2026.
  CHECK(instant_of({day("2026-10-25"), 2, "Europe/Stockholm"}) == utc("2026-10-25T00:00"));
  CHECK(instant_of({day("2026-10-25"), 3, "Europe/Stockholm"}) == utc("2026-10-25T02:00"));
  // Havana shows the first hour of 2 November 2025 twice.
  CHECK(first_instant_of(day("2025-11-02"), "America/Havana") == utc("2025-11-02T04:00"));
  CHECK(local_text(utc("2025-11-02T05:00"), "America/Havana") == "2025-11-02T00:00");
}

TEST_CASE("a date that a zone skipped begins where the next one does") {
  // Samoa had no 30 December 2011.
  const Instant jump = utc("2011-12-30T10:00");
  CHECK(first_instant_of(day("2011-12-30"), "Pacific/Apia") == jump);
  CHECK(first_instant_of(day("2011-12-31"), "Pacific/Apia") == jump);
  CHECK(instant_of({day("2011-12-30"), 9, "Pacific/Apia"}) == jump);
  CHECK(local_date(jump - 1ms, "Pacific/Apia") == day("2011-12-29"));
}

TEST_CASE("a date begins with its first instant, also where a minute of it is shown before the day repeats an hour") {
  // Newfoundland turned its clocks at 00:01 until 2011: 00:00 of 25 October 1998 came twice.
  CHECK(first_instant_of(day("1998-10-25"), "America/St_Johns") == utc("1998-10-25T02:30"));
  CHECK(local_date(utc("1998-10-25T02:30"), "America/St_Johns") == day("1998-10-25"));
  CHECK(local_date(utc("1998-10-25T02:31"), "America/St_Johns") == day("1998-10-24"));
}

TEST_CASE("summer time goes on after 2037, where the listed transitions of a zone file end") {
  CHECK(instant_of({day("2037-07-01"), 9, "Europe/Stockholm"}) == utc("2037-07-01T07:00"));
  CHECK(instant_of({day("2038-07-01"), 9, "Europe/Stockholm"}) == utc("2038-07-01T07:00"));
  CHECK(instant_of({day("2099-07-01"), 9, "Europe/Stockholm"}) == utc("2099-07-01T07:00"));
  CHECK(instant_of({day("2099-01-01"), 9, "Europe/Stockholm"}) == utc("2099-01-01T08:00"));
}

TEST_CASE("a zone is an IANA name and nothing that means something else on the next machine") {
  for (const char* good : {"Europe/Stockholm", "America/Argentina/Buenos_Aires", "UTC", "Etc/GMT+5", "EST5EDT",
                           "Asia/Kathmandu", "Australia/Lord_Howe", "America/Port-au-Prince"}) {
    CAPTURE(good);
    CHECK(zone_exists(good));
  }
  for (const char* bad : {"",
                          " ",
                          "Stockholm",
                          "europe/stockholm",
                          "Europe/Stockholm ",
                          " Europe/Stockholm",
                          "Europe",
                          "Europe/",
                          "Europe//Stockholm/",
                          "/usr/share/zoneinfo/UTC",
                          "../zoneinfo/UTC",
                          "Europe/../UTC",
                          "localtime",
                          "posixrules",
                          "posix/UTC",
                          "right/UTC",
                          "Fixed/UTC+01:00:00",
                          "UTC+1",
                          "CEST-2",
                          "file:UTC",
                          "Factory",
                          "tzdata.zi",
                          "Europe/Stockholm\n",
                          "Europe/Lulea",
                          "+01:00"}) {
    CAPTURE(bad);
    CHECK_FALSE(zone_exists(bad));
  }
  CHECK_FALSE(zone_exists(std::string("Europe/Stockholm\0", 17)));
  CHECK_FALSE(zone_exists(std::string(10'000, 'A')));
}

TEST_CASE("an unknown zone is refused with its name, never taken for another one") {
  CHECK_THROWS_WITH(instant_of({day("2026-10-23"), 9, "Europe/Lulea"}), Catch::Contains("\"Europe/Lulea\""));
  CHECK_THROWS_AS(instant_of({day("2026-10-23"), 9, ""}), std::runtime_error);
  CHECK_THROWS_AS(first_instant_of(day("2026-10-23"), "../UTC"), std::runtime_error);
  CHECK_THROWS_AS(local_date(Instant{}, "localtime"), std::runtime_error);
  CHECK_THROWS_AS(link_end(Instant{}, "Nowhere", 5), std::runtime_error);
}

TEST_CASE("a date is read only in its one form, and only if the calendar has it") {
  CHECK(parse_date("2026-11-30") == CivilDate{std::chrono::year{2026} / 11 / 30});
  CHECK(parse_date("2024-02-29"));
  CHECK(parse_date("2000-02-29"));
  CHECK(parse_date("1900-01-01"));
  CHECK(parse_date("9999-12-31"));
  for (const char* bad : {"",           "2026-11-3",   "2026-1-30",   "26-11-30",    "2026/11/30",       "2026.11.30",
                          "20261130",   "30-11-2026",  "11/30/2026",  "2026-11-31",  "2026-02-30",       "2026-02-29",
                          "1900-02-29", "2100-02-29",  "2026-00-10",  "2026-13-01",  "2026-01-00",       "2026-01-32",
                          "1899-12-31", "0000-00-00",  "2026-11-30 ", " 2026-11-30", "2026-11-30T00:00", "-026-11-30",
                          "2026--1-30", "2026-11--3",  "+202-11-30",  "2026-+1-30",  "2026-1a-30",       "2026-11-3x",
                          "2O26-11-30", "２026-11-30", "10000-01-01", "today",       "2026-11-30Z",      "2026- 1-30",
                          "0x7e-01-01"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_date(bad));
  }
  CHECK_FALSE(parse_date(std::string_view("2026-11-3\0", 10)));
}

TEST_CASE("every date of two centuries is written as it is read, and its key orders and reads back") {
  std::int32_t before = 0;
  CivilDate date = day("1900-01-01");
  for (; date < day("2100-01-01"); date = add_days(date, 1)) {
    const std::int32_t key = date_key(date);
    if (parse_date(to_text(date)) != date || date_of_key(key) != date || key <= before) FAIL(to_text(date));
    before = key;
  }
  CHECK(days_between(day("1900-01-01"), date) == 73'049);
}

TEST_CASE("a key that is no date gives none, also where a year would wrap around") {
  CHECK(date_of_key(20261130) == day("2026-11-30"));
  for (const std::int32_t bad : {0, -1, 1, 20260230, 20261301, 20260001, 20260100, -20261130, 655360000 + 20261130,
                                 std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()}) {
    CAPTURE(bad);
    CHECK_FALSE(date_of_key(bad));
  }
}

TEST_CASE("a due key orders like the date and then the hour") {
  CHECK(due_key(day("2026-11-30"), 9) == 2026113009);
  CHECK(due_key(day("2026-11-30"), 0) == 2026113000);
  CHECK(due_key(day("2026-11-30"), 9) < due_key(day("2026-11-30"), 10));
  CHECK(due_key(day("2026-11-30"), 23) < due_key(day("2026-12-01"), 0));
  CHECK(due_key(day("2026-12-31"), 23) < due_key(day("2027-01-01"), 0));
}

TEST_CASE("the key of now reaches a due exactly when its instant has come, around every kind of clock change") {
  struct Around {
    const char* zone;
    const char* date;
  };
  for (const auto& [zone, date] : {Around{"Europe/Stockholm", "2026-03-29"}, Around{"Europe/Stockholm", "2026-10-25"},
                                   Around{"Europe/Stockholm", "2026-11-30"}, Around{"America/Santiago", "2026-09-06"},
                                   Around{"America/Havana", "2026-03-08"}, Around{"Australia/Lord_Howe", "2026-10-04"},
                                   Around{"Asia/Kathmandu", "2026-05-05"}, Around{"Pacific/Apia", "2011-12-30"}}) {
    for (int hour = 0; hour < 24; ++hour) {
      CAPTURE(zone, date, hour);
      const std::int64_t key = due_key(day(date), hour);
      const Instant at = instant_of({day(date), hour, zone});
      CHECK(due_key_now(at - 1ms, zone) < key);
      CHECK(due_key_now(at, zone) >= key);
    }
  }
}

TEST_CASE("local dates, hours and texts are those of the zone") {
  const Instant at = utc("2026-12-31T23:30");
  CHECK(local_date(at, "Europe/Stockholm") == day("2027-01-01"));
  CHECK(local_hour(at, "Europe/Stockholm") == 0);
  CHECK(local_text(at, "Europe/Stockholm") == "2027-01-01T00:30");
  CHECK(local_date(at, "America/New_York") == day("2026-12-31"));
  CHECK(local_hour(at, "America/New_York") == 18);
  CHECK(local_text(at, "Asia/Kathmandu") == "2027-01-01T05:15");
  CHECK(local_date(Instant{-1ms}, "UTC") == day("1969-12-31"));
  CHECK(local_hour(Instant{-1ms}, "UTC") == 23);
}

TEST_CASE("an instant is written in UTC to the second, cut and not rounded, before 1970 as after") {
  CHECK(to_utc_text(utc("2026-11-30T08:00")) == "2026-11-30T08:00:00Z");
  CHECK(to_utc_text(utc("2026-11-30T08:00") + 999ms) == "2026-11-30T08:00:00Z");
  CHECK(to_utc_text(utc("2026-11-30T08:00") - 1ms) == "2026-11-30T07:59:59Z");
  CHECK(to_utc_text(Instant{-1ms}) == "1969-12-31T23:59:59Z");
}

TEST_CASE("days are counted over months, years and leap days, both ways") {
  CHECK(add_days(day("2026-12-31"), 1) == day("2027-01-01"));
  CHECK(add_days(day("2028-02-28"), 1) == day("2028-02-29"));
  CHECK(add_days(day("2026-03-01"), -1) == day("2026-02-28"));
  CHECK(days_between(day("2026-03-28"), day("2026-03-30")) == 2);  // a clock change between them is no matter
  CHECK(days_between(day("2026-03-30"), day("2026-03-28")) == -2);
}
