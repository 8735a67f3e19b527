#include "service/exporting.hpp"

#include "store/users.hpp"

namespace invited::service {

using store::Db;

namespace {

// So many users in a piece, and so many looked at for it: a filter that few pass must not hold the store for long.
constexpr std::size_t most_users = 256;
constexpr std::size_t most_looked_at = 2'000;

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ",") + item;
  return text;
}

// A name that an import would take apart cannot stand in a list.
std::string names_of(const model::Policies& policies, const std::vector<std::string>& keys) {
  std::vector<std::string> names;
  for (const auto& key : keys) {
    const std::string name = policies.company_called(key);
    names.push_back(name.find_first_of(",;|") == std::string::npos ? name : key);
  }
  return joined(names);
}

// The employment that an import of its start date would mean (intake.cpp: employment_meant).
std::optional<model::Employment> employment_of(Db& db, const core::Id& user) {
  const auto in_force = store::employments::in_force(db, user);
  if (!in_force) return std::nullopt;
  return store::employments::starting_on(db, user, in_force->start_date);
}

model::SourceRecord record_of(const model::User& user, const std::optional<model::Employment>& employment,
                              const model::Policies& policies) {
  const auto date = [](const std::optional<model::CivilDate>& day) {
    return day ? model::to_text(*day) : std::string();
  };
  model::SourceRecord record;
  record.fields = {
      {"user_id", user.user_id},
      {"name", user.name},
      {"given_name", user.given_name},
      {"family_name", user.family_name},
      {"login_email", user.login_email},
      {"company", user.company},
      {"company_name", policies.company_called(user.company)},
      {"department", user.department},
      {"roles", joined(user.roles)},
      {"locale", user.locale},
      {"start_date", employment ? date(employment->start_date) : ""},
      {"end_date", employment ? date(employment->end_date) : ""},
      {"employment_template", employment ? employment->employment_template : ""},
      {"alias", user.alias},
      {"signature", user.signature},
      {"card_id", user.card_id},
      {"external_ref", user.external_ref},
      {"authorised_companies", joined(user.authorised_companies)},
      {"authorised_company_names", names_of(policies, user.authorised_companies)},
      {"enabled", user.enabled ? "true" : "false"},
  };
  return record;
}

}  // namespace

boost::asio::awaitable<ExportPiece> export_piece(store::Store* store, const model::Policies* policies,
                                                 model::UserFilter filter, std::optional<core::Id> after) {
  co_return co_await [&] {
    return store->read([policies, filter, after](Db& db) {
      ExportPiece piece;
      const auto last = store::users::key_ahead(db, after, most_looked_at);
      const auto users = store::users::page(db, filter, after, most_users, last);
      for (const model::User& user : users)
        piece.records.push_back(record_of(user, employment_of(db, user.key), *policies));
      piece.next = users.size() == most_users ? users.back().key : last;
      return piece;
    });
  }();
}

}  // namespace invited::service
