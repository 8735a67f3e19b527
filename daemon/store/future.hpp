// What is ahead, in the order of time: each function reads one index that holds only what is still to come, from any
// place in it. `plan show`, `plan risk`, the sweep and rehearsals are made of these; the decision function then says
// what each row means. Every function runs inside a store closure.
//
//   for (const auto& row : future::due(db, "Europe/Stockholm", future::from(model::due_key_now(now, zone)), 64)) …
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.hpp"

namespace invited::store::future {

// A place in an index: rows are read from behind it. `position` is what the index is ordered by: UTC milliseconds, a
// due key (yyyymmddhh) or a date key (yyyymmdd); where there is no time, 0.
struct Place {
  std::int64_t position = 0;
  std::int64_t rank = std::numeric_limits<std::int64_t>::min();
  Id key{};
};

struct Row {
  Place place;
  Id user;
};

// Everything at or after a position; everything after it.
[[nodiscard]] inline Place from(std::int64_t position) {
  return {.position = position};
}
[[nodiscard]] inline Place after(std::int64_t position) {
  return {.position = position, .rank = std::numeric_limits<std::int64_t>::max(), .key = Id{}};
}

// Confirmed, the account is being made (no time: as soon as the provider does it).
[[nodiscard]] std::vector<Row> connecting(Db& db, const Place& behind, std::size_t limit);
// Mails that are with the transport at this moment (no time).
[[nodiscard]] std::vector<Row> under_way(Db& db, const Place& behind, std::size_t limit);
// Mails that wait for their next try, by its time.
[[nodiscard]] std::vector<Row> mails(Db& db, const Place& behind, std::size_t limit);
// Open links, by their end.
[[nodiscard]] std::vector<Row> ends(Db& db, const Place& behind, std::size_t limit);
// Planned and not held, by due key; in one zone.
[[nodiscard]] std::vector<Row> due(Db& db, std::string_view zone, const Place& behind, std::size_t limit);
// Enabled users with an end, by the date on which the leaver rule disables them; in one zone.
[[nodiscard]] std::vector<Row> leaving(Db& db, std::string_view zone, const Place& behind, std::size_t limit);
[[nodiscard]] std::vector<std::string> leaving_zones(Db& db);
// Provider tasks that wait for their next try.
[[nodiscard]] std::optional<Instant> next_task(Db& db, Instant after);

}  // namespace invited::store::future
