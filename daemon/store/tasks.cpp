#include "store/tasks.hpp"

#include <fmt/format.h>

namespace invited::store::tasks {

namespace {
constexpr std::string_view columns = "key, user, invitation, kind, failures, next_at, detail, actor, created_at";

std::vector<model::ProviderTask> rows_of(SQLite::Statement& q) {
  std::vector<model::ProviderTask> rows;
  while (q.executeStep()) {
    rows.push_back({id_at(q, 0), id_at(q, 1), optional_id_at(q, 2),
                    model::parse_provider_task_kind(text_at(q, 3)).value(), q.getColumn(4).getInt(),
                    optional_instant_at(q, 5), text_at(q, 6), text_at(q, 7), instant_at(q, 8)});
  }
  q.reset();
  return rows;
}
}  // namespace

namespace {
// No account is made before the old one is gone: what is asked for now tries that again, refused or not.
void hasten_removal(Db& db, const Id& user, model::ProviderTaskKind asked, Instant at) {
  if (asked != model::ProviderTaskKind::ensure_account) return;
  db.run(
      "UPDATE provider_tasks SET next_at = ?2 WHERE user = ?1 AND kind = 'remove_connection' AND (next_at IS NULL OR "
      "next_at > ?2)",
      user, at);
}
}  // namespace

void put(Db& db, const model::ProviderTask& t) {
  if (t.next_at) hasten_removal(db, t.user, t.kind, *t.next_at);
  db.run(
      "INSERT INTO provider_tasks (key, user, invitation, kind, failures, next_at, detail, actor, created_at) VALUES "
      "(?,?,?,?,0,?,'',?,?) "
      "ON CONFLICT (user, kind) DO UPDATE SET invitation = excluded.invitation, next_at = excluded.next_at, failures = "
      "0, detail = '', "
      "actor = excluded.actor",
      t.key, t.user, t.invitation, model::to_text(t.kind), t.next_at, t.actor, t.created_at);
}

std::vector<model::ProviderTask> due(Db& db, Instant now, std::size_t limit) {
  // Only a user's oldest task that is still tried: removing before making again. One that was refused for good lets the
  // others by, but no account is made while an older one could not be removed.
  static const std::string sql = fmt::format(
      "SELECT {} FROM provider_tasks t INDEXED BY provider_tasks_open WHERE next_at IS NOT NULL AND next_at <= ?1 AND "
      "NOT EXISTS (SELECT 1 FROM "
      "provider_tasks o WHERE "
      "o.user = t.user AND o.key < t.key AND (o.next_at IS NOT NULL OR (o.kind = 'remove_connection' AND t.kind = "
      "'ensure_account'))) "
      "ORDER BY next_at, key LIMIT ?2",
      columns);
  return rows_of(db.prepare(sql, now, static_cast<std::int64_t>(limit)));
}

std::optional<model::ProviderTask> get(Db& db, const Id& key) {
  static const std::string sql = fmt::format("SELECT {} FROM provider_tasks WHERE key = ?", columns);
  auto rows = rows_of(db.prepare(sql, key));
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

std::vector<model::ProviderTask> of_user(Db& db, const Id& user) {
  static const std::string sql = fmt::format("SELECT {} FROM provider_tasks WHERE user = ? ORDER BY key", columns);
  return rows_of(db.prepare(sql, user));
}

void postpone(Db& db, const Id& key, std::optional<Instant> next, std::string_view detail) {
  db.run("UPDATE provider_tasks SET failures = failures + 1, next_at = ?2, detail = ?3 WHERE key = ?1", key, next,
         detail);
}

void move_up(Db& db, const Id& user, model::ProviderTaskKind kind, Instant at) {
  hasten_removal(db, user, kind, at);
  db.run("UPDATE provider_tasks SET next_at = ?3 WHERE user = ?1 AND kind = ?2", user, model::to_text(kind), at);
}

void done(Db& db, const Id& key) {
  db.run("DELETE FROM provider_tasks WHERE key = ?", key);
}

void drop(Db& db, const Id& user, model::ProviderTaskKind kind) {
  db.run("DELETE FROM provider_tasks WHERE user = ? AND kind = ?", user, model::to_text(kind));
}

Health health(Db& db) {
  Health health;
  health.waiting = db.integer("SELECT count(*) FROM provider_tasks").value_or(0);
  health.refused =
      db.integer("SELECT count(*) FROM provider_tasks INDEXED BY provider_tasks_refused WHERE next_at IS NULL")
          .value_or(0);
  auto& failing = db.prepare(
      "SELECT count(*), min(next_at) FROM provider_tasks INDEXED BY provider_tasks_failing WHERE failures > 0 AND "
      "next_at IS NOT NULL");
  if (failing.executeStep()) {
    health.failing = failing.getColumn(0).getInt64();
    health.retry_at = optional_instant_at(failing, 1);
  }
  failing.reset();
  auto& newest = db.prepare(
      "SELECT detail FROM provider_tasks INDEXED BY provider_tasks_failing WHERE failures > 0 ORDER BY key DESC LIMIT "
      "1");
  if (newest.executeStep()) health.detail = newest.getColumn(0).getString();
  newest.reset();
  return health;
}

}  // namespace invited::store::tasks
