#include "model/civil_time.hpp"

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace invited::model {

namespace {

// The library would also open files by path, the machine's own zone and fixed offsets: none of these is a name that
// means the same on another machine.
bool is_zone_name(std::string_view name) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr std::string_view others = "0123456789_+-/";
  if (name.empty() || name.size() > 64 || name.front() < 'A' || name.front() > 'Z') return false;
  if (name.starts_with("Fixed/") || name == "Factory") return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return letters.find(c) != std::string_view::npos || others.find(c) != std::string_view::npos;
  });
}

bool load(const std::string& name, cctz::time_zone* zone) {
  return is_zone_name(name) && cctz::load_time_zone(name, zone);
}

cctz::time_zone locate(const std::string& name) {
  cctz::time_zone zone;
  if (!load(name, &zone)) throw std::runtime_error(fmt::format("there is no time zone \"{}\"", name));
  return zone;
}

cctz::civil_second to_civil_second(CivilDate date, int hour) {
  return cctz::civil_second(static_cast<int>(date.year()), static_cast<int>(static_cast<unsigned>(date.month())),
                            static_cast<int>(static_cast<unsigned>(date.day())), hour);
}

cctz::civil_second to_local(Instant at, const std::string& zone) {
  return cctz::convert(std::chrono::floor<cctz::seconds>(at), locate(zone));
}

CivilDate to_date(const cctz::civil_second& local) {
  return CivilDate{std::chrono::year{static_cast<int>(local.year())},
                   std::chrono::month{static_cast<unsigned>(local.month())},
                   std::chrono::day{static_cast<unsigned>(local.day())}};
}

// The first instant at or after a local time.
Instant resolve(const cctz::civil_second& local, const std::string& zone) {
  const auto found = locate(zone).lookup(local);
  return found.kind == cctz::time_zone::civil_lookup::SKIPPED ? found.trans : found.pre;
}

}  // namespace

bool zone_exists(const std::string& zone) {
  cctz::time_zone found;
  return load(zone, &found);
}

CivilDate local_date(Instant at, const std::string& zone) {
  return to_date(to_local(at, zone));
}

int local_hour(Instant at, const std::string& zone) {
  return to_local(at, zone).hour();
}

std::string local_text(Instant at, const std::string& zone) {
  const auto local = to_local(at, zone);
  return fmt::format("{}T{:02}:{:02}", to_text(to_date(local)), local.hour(), local.minute());
}

Instant instant_of(const CivilDue& due) {
  return resolve(to_civil_second(due.date, due.hour), due.zone);
}

Instant first_instant_of(CivilDate date, const std::string& zone) {
  return resolve(to_civil_second(date, 0), zone);
}

CivilDate add_days(CivilDate date, int days) {
  return CivilDate{std::chrono::sys_days{date} + std::chrono::days{days}};
}

int days_between(CivilDate from, CivilDate to) {
  return static_cast<int>((std::chrono::sys_days{to} - std::chrono::sys_days{from}).count());
}

std::optional<CivilDate> parse_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto number = [&](std::size_t from, std::size_t count) -> int {
    int value = 0;
    const char* begin = text.data() + from;
    const auto [end, error] = std::from_chars(begin, begin + count, value);
    return error == std::errc{} && end == begin + count ? value : -1;
  };
  const int year = number(0, 4);
  const int month = number(5, 2);
  const int day = number(8, 2);
  if (year < 1900 || month < 1 || day < 1) return std::nullopt;
  const CivilDate date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                       std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return std::nullopt;
  return date;
}

std::string to_text(CivilDate date) {
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

std::string to_utc_text(Instant at) {
  const auto days = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(at - days)};
  return fmt::format("{}T{:02}:{:02}:{:02}Z", to_text(CivilDate{days}), time.hours().count(), time.minutes().count(),
                     time.seconds().count());
}

Instant link_end(Instant accepted, const std::string& zone, int valid_days) {
  return first_instant_of(add_days(local_date(accepted, zone), valid_days), zone);
}

CivilDate link_last_day(Instant accepted, const std::string& zone, int valid_days) {
  return add_days(local_date(accepted, zone), valid_days - 1);
}

CivilDate last_whole_day(Instant end, const std::string& zone) {
  return add_days(local_date(end, zone), -1);
}

std::int32_t date_key(CivilDate date) {
  return static_cast<int>(date.year()) * 10'000 + static_cast<int>(static_cast<unsigned>(date.month())) * 100 +
         static_cast<int>(static_cast<unsigned>(date.day()));
}

std::optional<CivilDate> date_of_key(std::int32_t key) {
  if (key < 0 || key > 32767'12'31) return std::nullopt;  // beyond these a year wraps around
  const CivilDate date{std::chrono::year{key / 10'000}, std::chrono::month{static_cast<unsigned>(key / 100 % 100)},
                       std::chrono::day{static_cast<unsigned>(key % 100)}};
  if (!date.ok()) return std::nullopt;
  return date;
}

std::int64_t due_key(CivilDate date, int hour) {
  return std::int64_t{date_key(date)} * 100 + hour;
}

std::int64_t due_key_now(Instant now, const std::string& zone) {
  const auto local = to_local(now, zone);
  return due_key(to_date(local), local.hour());
}

}  // namespace invited::model
