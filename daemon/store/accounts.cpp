#include "store/accounts.hpp"

namespace invited::store::accounts {

std::optional<model::Account> get(Db& db, const Id& user) {
  auto& q = db.prepare(
      "SELECT identity, provider_id, login_email, sign_in_url, created_at FROM accounts WHERE user = ?", user);
  std::optional<model::Account> row;
  if (q.executeStep())
    row = model::Account{user, text_at(q, 0), text_at(q, 1), text_at(q, 2), text_at(q, 3), instant_at(q, 4)};
  q.reset();
  return row;
}

void put(Db& db, const model::Account& a) {
  db.run(
      "INSERT INTO accounts (user, identity, provider_id, login_email, sign_in_url, created_at) VALUES (?,?,?,?,?,?) "
      "ON CONFLICT (user) DO "
      "UPDATE SET identity = excluded.identity, provider_id = excluded.provider_id, login_email = "
      "excluded.login_email, sign_in_url = "
      "excluded.sign_in_url",
      a.user, a.identity, a.provider_id, a.login_email, a.sign_in_url, a.created_at);
}

void remove(Db& db, const Id& user) {
  db.run("DELETE FROM accounts WHERE user = ?", user);
}

}  // namespace invited::store::accounts
