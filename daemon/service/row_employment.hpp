// The employment of a row: which one it is about, and what its cells make of it (PRODUCT §2 and §5). All of it runs
// inside store closures, on the store's thread, and throws Rejected where the row cannot be taken.
#pragma once

#include <optional>
#include <string>

#include "model/entities.hpp"
#include "service/planner.hpp"
#include "service/row_fields.hpp"

namespace invited::service {

struct EmploymentChange {
  bool changed = false;
  bool made = false;
  bool start_moved = false;  // of one that was there
};

// The one that begins on the row's date, also when it is withdrawn and was made last: the same row again is about the
// same employment. A date after the end of the one in force is about the last one that is planned. Else the one in
// force is meant.
[[nodiscard]] std::optional<model::Employment> employment_meant(Db& db, const Fields& fields, const Id& user);

// Changes `employment`, or makes one in its place; a user who comes back is enabled again. Nothing is stored of the
// two.
[[nodiscard]] EmploymentChange take_employment(Db& db, Planner& planner, const Fields& fields, model::User& user,
                                               std::optional<model::Employment>& employment, const std::string& actor,
                                               Instant now);

// A row that says "enabled" does not bring back who has left: the leaver rule would disable the user again each night.
void keep_leaver_disabled(const Planner& planner, const std::optional<model::User>& present,
                          const std::optional<model::Employment>& employment, model::User& user, Instant now);

}  // namespace invited::service
