// The cells of one row: what is present, what it may hold, and how a row ends that cannot be taken (PRODUCT §6).
//
//   const Fields fields(record);
//   check_fields(record);                              // throws Rejected
//   if (const auto start = fields.date("start_date")) …
//
// Pure; used inside store closures, on the store's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/civil_time.hpp"
#include "model/record.hpp"

namespace invited::service {

// Ends a row with a reason; caught where rows are applied, never further.
struct Rejected {
  std::string column;
  std::string reason;
  std::string message;
};

class Fields {
public:
  // `record` must outlive it.
  explicit Fields(const model::SourceRecord& record) : record_(record) {}

  [[nodiscard]] const std::string* find(std::string_view name) const;
  // The value of a present, non-empty field.
  [[nodiscard]] std::optional<std::string> given(std::string_view name) const;
  // "true", "false", "1", "0", "yes", "no"; a present empty cell leaves alone. Throws Rejected for anything else.
  [[nodiscard]] std::optional<bool> flag(std::string_view name) const;
  // Throws Rejected for what is not a date of the form 2026-11-30.
  [[nodiscard]] std::optional<model::CivilDate> date(std::string_view name) const;

private:
  const model::SourceRecord& record_;
};

// Every field is known, not too long and printable; else throws Rejected. A bad login email is no reason to refuse a
// row and is looked at elsewhere.
void check_fields(const model::SourceRecord& record);
// Throws Rejected.
void check_length(std::string_view field, std::string_view value);
// "b, a|c" → a, b, c; each once.
[[nodiscard]] std::vector<std::string> split_names(std::string_view text);

}  // namespace invited::service
