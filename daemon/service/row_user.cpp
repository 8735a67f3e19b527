#include "service/row_user.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "model/templates.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

std::string whole_name(const model::User& user) {
  const bool both = !user.given_name.empty() && !user.family_name.empty();
  return user.given_name + (both ? " " : "") + user.family_name;
}

// By key or by name; what is no company of ours stays as it was written.
std::vector<std::string> companies_meant(const Planner& planner, std::string_view text) {
  std::vector<std::string> keys = split_names(text);
  for (std::string& name : keys) {
    if (auto key = planner.policies().company_meant(name); key && !key->empty()) name = std::move(*key);
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

}  // namespace

std::optional<model::User> present_user(Db& db, const Fields& fields) {
  if (const auto user_id = fields.given("user_id")) return store::users::find(db, *user_id);
  const auto reference = fields.given("external_ref");
  if (!reference) return std::nullopt;
  auto found = store::users::with_external_ref(db, *reference);
  if (found.size() > 1)
    throw Rejected{"external_ref", "external_ref_ambiguous",
                   fmt::format("More than one user has the external_ref \"{}\": give the user_id.", *reference)};
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

void take_user_fields(const Fields& fields, const Planner& planner, model::User& user) {
  const auto take = [&](std::string_view name, std::string& into) {
    if (const std::string* value = fields.find(name)) into = *value;
  };
  const bool is_made_of_both = user.name == whole_name(user);
  take("given_name", user.given_name);
  take("family_name", user.family_name);
  if (const auto name = fields.given("name")) {
    user.name = *name;
  } else if (is_made_of_both && !whole_name(user).empty()) {
    user.name = whole_name(user);
    check_length("name", user.name);
  }
  take("department", user.department);
  take("alias", user.alias);
  take("signature", user.signature);
  take("card_id", user.card_id);
  take("external_ref", user.external_ref);
  if (const std::string* text = fields.find("company"); text != nullptr && *text != user.company) {
    auto key = planner.policies().company_meant(*text);
    if (!key)
      throw Rejected{"company", "unknown_company",
                     fmt::format("\"{}\" is neither the key nor the name of one company of the configuration.", *text)};
    user.company = std::move(*key);
  }
  if (const std::string* locale = fields.find("locale")) {
    if (!locale->empty() && *locale != "sv" && *locale != "en")
      throw Rejected{"locale", "invalid_locale",
                     fmt::format("\"{}\" is not a language this daemon speaks: sv or en.", *locale)};
    user.locale = *locale;
  }
  if (const std::string* roles = fields.find("roles")) user.roles = split_names(*roles);
  if (const std::string* companies = fields.find("authorised_companies"))
    user.authorised_companies = companies_meant(planner, *companies);
  if (const auto enabled = fields.flag("enabled")) user.enabled = *enabled;
}

model::PersonName person_name(const model::User& user) {
  model::PersonName name{user.given_name, user.family_name};
  if (!name.given.empty() && !name.family.empty()) return name;
  const auto blank = user.name.rfind(' ');
  if (name.given.empty()) name.given = user.name.substr(0, blank);
  if (name.family.empty() && blank != std::string::npos) name.family = user.name.substr(blank + 1);
  return name;
}

std::string made_user_id(Db& db, const Planner& planner, const Fields& fields, const model::SourceRecord& record,
                         const model::User& user, RowsSeen* seen) {
  const auto* of = planner.policies().templates().user_of_employment(fields.given("employment_template").value_or(""));
  if (of == nullptr || of->user_id.empty())
    throw Rejected{"user_id", "user_id_missing", "A row needs a user_id, or an employment template that makes one."};
  if (record.line > 0 && user.external_ref.empty())
    throw Rejected{"user_id", "user_id_missing",
                   "A row without a user_id needs an external_ref, so that the same row finds the same person again."};
  const std::string spelled = model::spell(of->user_id, person_name(user));
  if (spelled.empty())
    throw Rejected{"user_id", "user_id_missing",
                   fmt::format("The template makes user-ids as {}: the row's name lacks a part of it.", of->user_id)};
  for (int n = 1; n <= most_spellings; ++n) {
    std::string id = model::numbered(spelled, n);
    const std::string folded = store::fold_user_id(id);
    if (store::users::find(db, id) || (seen != nullptr && seen->user_ids.contains(folded))) continue;
    if (seen != nullptr) seen->user_ids.insert(folded);
    return id;
  }
  throw Rejected{"user_id", "user_id_taken", fmt::format("Every user-id from \"{}\" on is taken.", spelled)};
}

void fill_from_template(const Fields& fields, const model::UserTemplate& from, model::User& user) {
  const auto fill = [&](std::string_view field, const auto& value, auto& into) {
    if (!value.empty() && !fields.given(field)) into = value;
  };
  fill("company", from.company, user.company);
  fill("department", from.department, user.department);
  fill("locale", from.locale, user.locale);
  fill("roles", from.roles, user.roles);
}

}  // namespace invited::service
