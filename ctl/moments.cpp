#include "moments.hpp"

#include <cctz/civil_time.h>
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <system_error>
#include <utility>

#include "text.hpp"

namespace invited::ctl {

namespace {

// The name of this machine's zone, as the link /etc/localtime tells it.
std::string zone_of_machine() {
  std::error_code error;
  const std::string target = std::filesystem::read_symlink("/etc/localtime", error).string();
  constexpr std::string_view folder = "/zoneinfo/";
  const auto at = target.find(folder);
  return at == std::string::npos ? std::string() : target.substr(at + folder.size());
}

// A zone that this machine does not know: its own is the next best.
cctz::time_zone known_zone(std::string_view wanted, bool utc) {
  cctz::time_zone zone;
  if (!utc && !wanted.empty() && cctz::load_time_zone(std::string(wanted), &zone)) return zone;
  if (const std::string own = zone_of_machine(); !utc && !own.empty() && cctz::load_time_zone(own, &zone)) return zone;
  return cctz::load_time_zone("Etc/UTC", &zone) ? zone : cctz::utc_time_zone();
}

}  // namespace

Moments::Moments(std::string_view zone, bool utc, core::Instant now)
    : zone_(known_zone(zone, utc)), utc_(utc), now_(now) {}

std::optional<core::Instant> Moments::parse(std::string_view text) {
  if (text.size() < 20 || text.back() != 'Z' || text[10] != 'T') return std::nullopt;
  core::Instant instant;
  if (!cctz::parse("%Y-%m-%dT%H:%M:%E*SZ", std::string(text), cctz::utc_time_zone(), &instant)) return std::nullopt;
  return instant;
}

std::string Moments::instant(std::string_view text) const {
  const auto at = parse(text);
  return at ? cctz::format("%Y-%m-%d %H:%M %Ez", *at, zone_) : std::string(text);
}

std::string Moments::instant_with_distance(std::string_view text) const {
  const auto at = parse(text);
  return at ? fmt::format("{} ({})", cctz::format("%a %Y-%m-%d %H:%M %Ez", *at, zone_), distance(text))
            : std::string(text);
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
  std::chrono::sys_seconds midnight;
  const bool known = cctz::parse("%Y-%m-%d", std::string(local.substr(0, 10)), cctz::utc_time_zone(), &midnight);
  return known ? cctz::format("%a %Y-%m-%d", midnight, cctz::utc_time_zone()) : std::string(local);
}

std::string Moments::hour(std::string_view local) {
  return local.size() >= 16 && local[10] == 'T' ? std::string(local.substr(11, 5)) : std::string();
}

std::string Moments::local(std::string_view text) const {
  const auto at = parse(text);
  return at ? cctz::format("%Y-%m-%dT%H:%M", *at, zone_) : std::string();
}

std::string Moments::zone() const {
  return zone_.name();
}

Moments::Civil Moments::civil(std::string local, std::string zone, std::string_view at) const {
  if (!local.empty() && !utc_) return {std::move(local), std::move(zone)};
  if (auto known = this->local(at); !known.empty()) return {std::move(known), this->zone()};
  return {std::move(local), std::move(zone)};
}

}  // namespace invited::ctl
