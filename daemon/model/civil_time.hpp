// Civil time: dates and hours as people mean them in a zone, and the instants they turn into.
//
// What is stored is the civil intention (date, hour, zone); instants are computed at each look, so that new zone
// rules apply by themselves (PRODUCT §2). A local time in a gap means the first instant after the gap; one that
// happens twice means the first.
//
//   Instant due = instant_of(CivilDue{{2026y/November/30}, 9, "Europe/Stockholm"});
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace invited::model {

using core::Instant;
using CivilDate = std::chrono::year_month_day;

// An hour of a date in a zone.
struct CivilDue {
  CivilDate date{};
  int hour = 9;
  std::string zone;  // IANA name
  bool operator==(const CivilDue&) const = default;
};

// Only IANA names: no paths, no "localtime", no fixed offsets. The files of the system are asked.
[[nodiscard]] bool zone_exists(const std::string& zone);

// Everything below throws std::runtime_error for an unknown zone: zones are checked where they enter (configuration).
// All of it may be called from any thread.

[[nodiscard]] CivilDate local_date(Instant at, const std::string& zone);
[[nodiscard]] int local_hour(Instant at, const std::string& zone);
// "2026-11-30T09:00", the local wall time to the minute.
[[nodiscard]] std::string local_text(Instant at, const std::string& zone);

// The first instant that is not before the local time, gaps and overlaps as above.
[[nodiscard]] Instant instant_of(const CivilDue& due);
// Midnight, or what stands for it: the first instant that belongs to `date` or a later date.
[[nodiscard]] Instant first_instant_of(CivilDate date, const std::string& zone);

[[nodiscard]] CivilDate add_days(CivilDate date, int days);
[[nodiscard]] int days_between(CivilDate from, CivilDate to);

// "2026-11-30", nothing else; a date that does not exist (2026-02-30) is nothing. Years 1900 to 9999.
[[nodiscard]] std::optional<CivilDate> parse_date(std::string_view text);
[[nodiscard]] std::string to_text(CivilDate date);
// "2026-11-30T08:00:00Z"; milliseconds are cut.
[[nodiscard]] std::string to_utc_text(Instant at);

// PRODUCT §3. The link of a mail accepted at `accepted` dies at the first instant of the local date that is
// `valid_days` after the local date of acceptance; the last day on which it works is the one before.
[[nodiscard]] Instant link_end(Instant accepted, const std::string& zone, int valid_days);
// The last date on which it works to the end, for the one who reads it in this zone: never later than the end itself.
[[nodiscard]] CivilDate last_whole_day(Instant end, const std::string& zone);
[[nodiscard]] CivilDate link_last_day(Instant accepted, const std::string& zone, int valid_days);

// An integer that orders like (date, hour): 2026113009. The store indexes it (ARCHITECTURE §5).
[[nodiscard]] std::int64_t due_key(CivilDate date, int hour);
// The same for this moment: a due whose key is not above it has fallen due.
[[nodiscard]] std::int64_t due_key_now(Instant now, const std::string& zone);
[[nodiscard]] std::int32_t date_key(CivilDate date);  // 20261130
// Nothing for a key that is not a date.
[[nodiscard]] std::optional<CivilDate> date_of_key(std::int32_t key);

}  // namespace invited::model
