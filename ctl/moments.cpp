#include "moments.hpp"

#include <date/date.h>
#include <date/tz.h>
#include <fmt/format.h>

#include <cmath>
#include <sstream>

#include "text.hpp"

namespace invited::ctl {

namespace {

std::string known_zone(std::string_view wanted, bool utc) {
  if (utc) return "Etc/UTC";
  try {
    if (!wanted.empty()) return date::locate_zone(std::string(wanted))->name();
  } catch (const std::runtime_error&) {
    // A zone this machine does not know: its own is the next best.
  }
  try {
    return date::current_zone()->name();
  } catch (const std::runtime_error&) {
    return "Etc/UTC";
  }
}

std::string format_in(const std::string& zone, const char* format, core::Instant instant) {
  return date::format(format, date::make_zoned(zone, date::floor<std::chrono::seconds>(instant)));
}

}  // namespace

Moments::Moments(std::string_view zone, bool utc, core::Instant now) : zone_(known_zone(zone, utc)), now_(now) {}

std::optional<core::Instant> Moments::parse(std::string_view text) {
  if (text.size() < 20 || text.back() != 'Z' || text[10] != 'T') return std::nullopt;
  std::istringstream in{std::string(text)};
  core::Instant instant;
  in >> date::parse("%FT%TZ", instant);
  if (in.fail()) return std::nullopt;
  return instant;
}

std::string Moments::instant(std::string_view text) const {
  const auto at = parse(text);
  return at ? format_in(zone_, "%F %R %Ez", *at) : std::string(text);
}

std::string Moments::instant_with_distance(std::string_view text) const {
  const auto at = parse(text);
  return at ? fmt::format("{} ({})", format_in(zone_, "%a %F %R %Ez", *at), distance(text)) : std::string(text);
}

std::string Moments::distance(std::string_view text) const {
  const auto at = parse(text);
  if (!at) return {};
  const double seconds = std::chrono::duration<double>(*at - now_).count();
  const double length = std::abs(seconds);
  if (length < 60) return "now";
  std::string spoken;
  if (length < 90 * 60) {
    spoken = counted(std::lround(length / 60), "minute", "minutes");
  } else if (length < 36 * 3600) {
    spoken = counted(std::lround(length / 3600), "hour", "hours");
  } else {
    spoken = counted(std::lround(length / 86400), "day", "days");
  }
  return seconds > 0 ? "in " + spoken : spoken + " ago";
}

std::string Moments::day(std::string_view local) {
  std::istringstream in{std::string(local.substr(0, 10))};
  date::sys_days day;
  in >> date::parse("%F", day);
  return in.fail() ? std::string(local) : date::format("%a %F", day);
}

std::string Moments::hour(std::string_view local) {
  return local.size() >= 16 && local[10] == 'T' ? std::string(local.substr(11, 5)) : std::string();
}

std::string Moments::local(std::string_view text) const {
  const auto at = parse(text);
  return at ? format_in(zone_, "%FT%R", *at) : std::string();
}

std::string Moments::zone() const {
  return zone_;
}

}  // namespace invited::ctl
