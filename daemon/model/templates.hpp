// Templates (PRODUCT §5): an employment template names a user template and a review flow; the user template gives the
// new user what its row does not say.
//
//   if (const EmploymentTemplate* t = templates.employment(row_template))
//     if (const UserTemplate* user = templates.user(t->user_template)) …
//   spell("{given:1}{family}", {"Åsa", "Öberg"})   ->  "aoberg"
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace invited::model {

struct UserTemplate {
  std::string name;
  std::string company;
  std::string department;
  std::vector<std::string> roles;
  std::string locale;
  std::optional<int> leaver_days;  // instead of the company's
  std::string user_id;             // pattern; empty: rows bring their user-id
  std::string login_email;         // pattern; empty: none is made
};

struct EmploymentTemplate {
  std::string name;
  std::string user_template;  // empty: none
  std::string review_flow;    // empty: no review
};

struct Templates {
  std::vector<UserTemplate> users;
  std::vector<EmploymentTemplate> employments;

  // By name without regard to case; null if there is none. Valid as long as this object.
  [[nodiscard]] const EmploymentTemplate* employment(std::string_view name) const;
  [[nodiscard]] const UserTemplate* user(std::string_view name) const;
  [[nodiscard]] const UserTemplate* user_of_employment(std::string_view employment_template) const;
};

struct PersonName {
  std::string given;
  std::string family;
};

// A pattern is literal text with {given}, {family}, {given:N} or {family:N} (the first N letters). Error code
// `invalid_pattern`, with what is wrong.
[[nodiscard]] core::Result<void> check_pattern(std::string_view pattern);

// The pattern with the name in plain lower-case letters (model/text.hpp). Empty if a part that the pattern asks for is
// missing in the name. The pattern must be a good one.
[[nodiscard]] std::string spell(std::string_view pattern, const PersonName& name);

// The n-th try for a spelling that is taken: "aoberg", "aoberg2", "aoberg3"; before the @ of an address.
[[nodiscard]] std::string numbered(const std::string& spelled, int n);

}  // namespace invited::model
