#include "store/domains.hpp"

#include <fmt/format.h>

namespace invited::store::domains {

namespace {

constexpr std::string_view columns =
    "name, state, method, actor, since, challenge, checked_at, next_check_at, failing_since, detail";

model::Domain domain_of(SQLite::Statement& q) {
  return {text_at(q, 0),
          model::parse_domain_state(text_at(q, 1)).value(),
          text_at(q, 2),
          text_at(q, 3),
          instant_at(q, 4),
          text_at(q, 5),
          optional_instant_at(q, 6),
          optional_instant_at(q, 7),
          optional_instant_at(q, 8),
          text_at(q, 9)};
}

std::vector<model::Domain> list(SQLite::Statement& q) {
  std::vector<model::Domain> rows;
  while (q.executeStep()) rows.push_back(domain_of(q));
  q.reset();
  return rows;
}

}  // namespace

std::vector<model::Domain> all(Db& db) {
  static const std::string sql = fmt::format("SELECT {} FROM domains ORDER BY name", columns);
  return list(db.prepare(sql));
}

std::optional<model::Domain> get(Db& db, std::string_view name) {
  static const std::string sql = fmt::format("SELECT {} FROM domains WHERE name = ?", columns);
  auto& q = db.prepare(sql, name);
  std::optional<model::Domain> row;
  if (q.executeStep()) row = domain_of(q);
  q.reset();
  return row;
}

std::vector<model::Domain> due(Db& db, Instant now, std::size_t limit) {
  static const std::string sql =
      fmt::format("SELECT {} FROM domains WHERE next_check_at <= ? ORDER BY next_check_at, name LIMIT ?", columns);
  return list(db.prepare(sql, now, static_cast<std::int64_t>(limit)));
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
      "INSERT INTO domains (name, state, method, actor, since, challenge, checked_at, next_check_at, failing_since, "
      "detail) VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (name) DO UPDATE SET state = excluded.state, method = "
      "excluded.method, actor = excluded.actor, since = excluded.since, challenge = excluded.challenge, checked_at = "
      "excluded.checked_at, next_check_at = excluded.next_check_at, failing_since = excluded.failing_since, detail = "
      "excluded.detail",
      d.name, model::to_text(d.state), d.method, d.actor, d.since, d.challenge, d.checked_at, d.next_check_at,
      d.failing_since, d.detail);
}

bool remove(Db& db, std::string_view name) {
  return db.run("DELETE FROM domains WHERE name = ?", name) == 1;
}

}  // namespace invited::store::domains
