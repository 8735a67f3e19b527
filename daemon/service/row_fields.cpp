#include "service/row_fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "model/text.hpp"

namespace invited::service {

namespace {

constexpr std::array<std::string_view, 21> known_fields{
    "user_id",    "name",    "given_name",   "family_name",          "login_email", "confirm_email",       "company",
    "department", "roles",   "locale",       "start_date",           "end_date",    "employment_template", "alias",
    "signature",  "card_id", "external_ref", "authorised_companies", "enabled",     "in_review",           "withdrawn"};

// A list is as long as there are roles; a name has to go into the head of a mail.
std::size_t most_octets(std::string_view field) {
  if (field == "roles" || field == "authorised_companies") return 20'000;
  if (field == "name" || field == "given_name" || field == "family_name") return model::max_name_octets;
  return 1'000;
}

}  // namespace

const std::string* Fields::find(std::string_view name) const {
  for (const auto& [key, value] : record_.fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<std::string> Fields::given(std::string_view name) const {
  const std::string* value = find(name);
  if (value == nullptr || value->empty()) return std::nullopt;
  return *value;
}

std::optional<bool> Fields::flag(std::string_view name) const {
  const auto value = given(name);
  if (!value) return std::nullopt;
  std::string lower = *value;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (lower == "true" || lower == "1" || lower == "yes") return true;
  if (lower == "false" || lower == "0" || lower == "no") return false;
  throw Rejected{std::string(name), "invalid_flag", fmt::format("\"{}\" is neither true nor false.", *value)};
}

std::optional<model::CivilDate> Fields::date(std::string_view name) const {
  const auto value = given(name);
  if (!value) return std::nullopt;
  const auto parsed = model::parse_date(*value);
  if (!parsed)
    throw Rejected{std::string(name), "invalid_date",
                   fmt::format("\"{}\" is not a date of the form 2026-11-30.", *value)};
  return parsed;
}

void check_length(std::string_view field, std::string_view value) {
  if (const auto most = most_octets(field); value.size() > most)
    throw Rejected{std::string(field), "too_long",
                   fmt::format("The value is {} octets long; {} are allowed.", value.size(), most)};
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const auto end = text.find_first_of(",;|");
    auto part = text.substr(0, end);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) names.emplace_back(part);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void check_fields(const model::SourceRecord& record) {
  for (const auto& [name, value] : record.fields) {
    // The customer's own fields (x_…) and a record's version are accepted from sources; nothing here uses them yet.
    const bool own_field = name.starts_with("x_") || name == "version";
    if (!own_field && std::find(known_fields.begin(), known_fields.end(), name) == known_fields.end())
      throw Rejected{name, "unknown_field", fmt::format("\"{}\" is not a field of a user.", name)};
    if (name == "login_email" || name == "confirm_email") continue;  // a bad one is ignored, and the row counts
    check_length(name, value);
    if (const auto wrong = model::unprintable(value))
      throw Rejected{name, "control_character",
                     fmt::format("The value {}: control characters, line breaks and marks that turn the direction of "
                                 "writing are not taken.",
                                 *wrong)};
  }
}

}  // namespace invited::service
