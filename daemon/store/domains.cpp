#include "store/domains.hpp"

namespace invited::store::domains {

namespace {
model::Domain domain_of(SQLite::Statement& q) {
  return {text_at(q, 0), model::parse_domain_state(text_at(q, 1)).value(), text_at(q, 2), text_at(q, 3),
          instant_at(q, 4)};
}
}  // namespace

std::vector<model::Domain> all(Db& db) {
  auto& q = db.prepare("SELECT name, state, method, actor, since FROM domains ORDER BY name");
  std::vector<model::Domain> rows;
  while (q.executeStep()) rows.push_back(domain_of(q));
  q.reset();
  return rows;
}

std::optional<model::Domain> get(Db& db, std::string_view name) {
  auto& q = db.prepare("SELECT name, state, method, actor, since FROM domains WHERE name = ?", name);
  std::optional<model::Domain> row;
  if (q.executeStep()) row = domain_of(q);
  q.reset();
  return row;
}

bool covers(Db& db, std::string_view domain) {
  const auto verified = [&](std::string_view rule) {
    return db.integer("SELECT 1 FROM domains WHERE name = ? AND state = 'verified'", rule).has_value();
  };
  if (domain.empty()) return false;
  if (verified(domain)) return true;
  for (auto dot = domain.find('.'); dot != std::string_view::npos; dot = domain.find('.', dot + 1)) {
    if (verified("*" + std::string(domain.substr(dot)))) return true;
  }
  return false;
}

void put(Db& db, const model::Domain& d) {
  db.run(
      "INSERT INTO domains (name, state, method, actor, since) VALUES (?,?,?,?,?) ON CONFLICT (name) DO UPDATE SET "
      "state = excluded.state, "
      "method = excluded.method, actor = excluded.actor, since = excluded.since",
      d.name, model::to_text(d.state), d.method, d.actor, d.since);
}

bool remove(Db& db, std::string_view name) {
  return db.run("DELETE FROM domains WHERE name = ?", name) == 1;
}

}  // namespace invited::store::domains
