// Whom a row is about, and what its cells make of that user (PRODUCT §5 and §6). All of it runs inside store closures,
// on the store's thread, and throws Rejected where the row cannot be taken.
#pragma once

#include <optional>
#include <string>

#include "model/entities.hpp"
#include "model/templates.hpp"
#include "service/planner.hpp"
#include "service/row_fields.hpp"
#include "service/rows_seen.hpp"

namespace invited::service {

// How many spellings of a made user-id or login email are tried before the row is told that all are taken.
constexpr int most_spellings = 10'000;

// By its user-id; a row without one, by its reference in the HR system.
[[nodiscard]] std::optional<model::User> present_user(Db& db, const Fields& fields);

// Everything but the user-id and the login email.
void take_user_fields(const Fields& fields, const Planner& planner, model::User& user);

// Given and family name, as far as they are told apart.
[[nodiscard]] model::PersonName person_name(const model::User& user);

// The user-id of a row that brings none: made by the pattern of its template, the first one that nobody has.
[[nodiscard]] std::string made_user_id(Db& db, const Planner& planner, const Fields& fields,
                                       const model::SourceRecord& record, const model::User& user, RowsSeen* seen);

// PRODUCT §5: what the row of a new hire does not say comes from the template.
void fill_from_template(const Fields& fields, const model::UserTemplate& from, model::User& user);

}  // namespace invited::service
