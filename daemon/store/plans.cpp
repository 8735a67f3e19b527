#include "store/plans.hpp"

#include <algorithm>

namespace invited::store::plans {

namespace {
std::vector<Plan> rows_of(SQLite::Statement& q) {
  std::vector<Plan> rows;
  while (q.executeStep())
    rows.push_back({id_at(q, 0), text_at(q, 1), text_at(q, 2), text_at(q, 3), text_at(q, 4), instant_at(q, 5)});
  q.reset();
  return rows;
}
}  // namespace

void insert(Db& db, const Plan& p) {
  db.run("INSERT INTO plans (key, kind, actor, detail, state, created_at) VALUES (?,?,?,?,?,?)", p.key, p.kind, p.actor,
         p.detail, p.state, p.created_at);
}

void set_detail(Db& db, const Id& key, std::string_view detail) {
  db.run_one("UPDATE plans SET detail = ?2 WHERE key = ?1", key, detail);
}

std::optional<Plan> get(Db& db, const Id& key) {
  auto rows = rows_of(db.prepare("SELECT key, kind, actor, detail, state, created_at FROM plans WHERE key = ?", key));
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

bool start(Db& db, const Id& key) {
  return db.run("UPDATE plans SET state = 'running' WHERE key = ? AND state = 'planned'", key) == 1;
}

void take_over(Db& db, const Id& key, const std::string& actor) {
  db.run("UPDATE plans SET actor = ? WHERE key = ?", actor, key);
}

void finish(Db& db, const Id& key) {
  db.run("UPDATE plans SET state = 'done' WHERE key = ?", key);
}

std::vector<Plan> running(Db& db) {
  return rows_of(
      db.prepare("SELECT key, kind, actor, detail, state, created_at FROM plans WHERE state = 'running' ORDER BY key"));
}

void add_items(Db& db, const Id& key, std::int64_t first_number, const std::vector<Id>& users) {
  for (const Id& user : users)
    db.run("INSERT INTO plan_items (plan, number, user, outcome) VALUES (?,?,?,'')", key, first_number++, user);
}

std::vector<Item> open_items(Db& db, const Id& key, std::int64_t after, std::size_t limit) {
  auto& q = db.prepare(
      "SELECT number, user FROM plan_items WHERE plan = ?1 AND outcome = '' AND number > ?2 ORDER BY number LIMIT ?3",
      key, after, static_cast<std::int64_t>(limit));
  std::vector<Item> rows;
  while (q.executeStep()) rows.push_back({q.getColumn(0).getInt64(), id_at(q, 1)});
  q.reset();
  return rows;
}

void settle_item(Db& db, const Id& key, std::int64_t number, std::string_view outcome) {
  db.run_one("UPDATE plan_items SET outcome = ?3 WHERE plan = ?1 AND number = ?2", key, number, outcome);
}

Outcomes count_outcomes(Db& db, const Id& key, std::int64_t after, std::size_t limit) {
  auto& q = db.prepare(
      "SELECT outcome, count(*), max(number) FROM (SELECT outcome, number FROM plan_items WHERE plan = ?1 AND number > "
      "?2 "
      "ORDER BY number LIMIT ?3) GROUP BY outcome",
      key, after, static_cast<std::int64_t>(limit));
  Outcomes found;
  std::int64_t seen = 0;
  std::int64_t last = after;
  while (q.executeStep()) {
    found.counts.emplace_back(text_at(q, 0), q.getColumn(1).getInt64());
    seen += found.counts.back().second;
    last = std::max(last, q.getColumn(2).getInt64());
  }
  q.reset();
  if (static_cast<std::size_t>(seen) == limit) found.last = last;
  return found;
}

std::size_t prune(Db& db, Instant before, std::size_t limit) {
  const auto most = static_cast<std::int64_t>(limit);
  const int items = db.run(
      "DELETE FROM plan_items WHERE (plan, number) IN (SELECT i.plan, i.number FROM plans p CROSS JOIN plan_items i ON "
      "p.key "
      "= i.plan WHERE p.state <> "
      "'running' AND p.created_at < ?1 LIMIT ?2)",
      before, most);
  if (static_cast<std::size_t>(items) == limit) return limit;
  db.run(
      "DELETE FROM plans WHERE state <> 'running' AND created_at < ?1 AND NOT EXISTS (SELECT 1 FROM plan_items i WHERE "
      "i.plan = plans.key)",
      before);
  return static_cast<std::size_t>(items);
}

}  // namespace invited::store::plans
