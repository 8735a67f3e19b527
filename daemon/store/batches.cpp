#include "store/batches.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace invited::store {

namespace batches {

namespace {

constexpr std::string_view columns =
    "key, cause, source, actor, state, reason, detail, mails, withdrawals, decided_by, decided_at, created_at";
constexpr std::string_view item_columns = "number, act, user, employment, company, rank, outcome";

std::vector<model::Batch> rows_of(SQLite::Statement& q) {
  std::vector<model::Batch> rows;
  while (q.executeStep()) {
    model::Batch b;
    b.key = id_at(q, 0);
    b.cause = model::parse_batch_cause(text_at(q, 1)).value();
    b.source = text_at(q, 2);
    b.actor = text_at(q, 3);
    b.state = model::parse_batch_state(text_at(q, 4)).value();
    b.reason = text_at(q, 5);
    b.detail = text_at(q, 6);
    b.mails = q.getColumn(7).getInt64();
    b.withdrawals = q.getColumn(8).getInt64();
    b.decided_by = text_at(q, 9);
    b.decided_at = optional_instant_at(q, 10);
    b.created_at = instant_at(q, 11);
    rows.push_back(std::move(b));
  }
  q.reset();
  return rows;
}

std::vector<model::BatchItem> items_of(SQLite::Statement& q) {
  std::vector<model::BatchItem> rows;
  while (q.executeStep())
    rows.push_back({q.getColumn(0).getInt64(), model::parse_batch_act(text_at(q, 1)).value(), id_at(q, 2),
                    optional_id_at(q, 3), text_at(q, 4), q.getColumn(5).getInt(), text_at(q, 6)});
  q.reset();
  return rows;
}

}  // namespace

void ensure(Db& db, const model::Batch& b) {
  db.run(
      "INSERT INTO batches (key, cause, source, actor, state, reason, detail, mails, withdrawals, decided_by, "
      "decided_at, created_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (key) DO NOTHING",
      b.key, model::to_text(b.cause), b.source, b.actor, model::to_text(b.state), b.reason, b.detail, b.mails,
      b.withdrawals, b.decided_by, b.decided_at, b.created_at);
}

std::optional<model::Batch> get(Db& db, const Id& key) {
  static const std::string sql = fmt::format("SELECT {} FROM batches WHERE key = ?", columns);
  auto rows = rows_of(db.prepare(sql, key));
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

std::vector<model::Batch> in_state(Db& db, model::BatchState state, std::size_t limit) {
  static const std::string sql = fmt::format("SELECT {} FROM batches WHERE state = ?1 ORDER BY key LIMIT ?2", columns);
  return rows_of(db.prepare(sql, model::to_text(state), static_cast<std::int64_t>(limit)));
}

std::vector<model::Batch> page(Db& db, std::optional<model::BatchState> state, const std::optional<Id>& before,
                               std::size_t limit) {
  std::string sql = fmt::format("SELECT {} FROM batches WHERE {}", columns, before ? "key < ?1" : "?1 IS NULL");
  if (state) sql += fmt::format(" AND state = '{}'", model::to_text(*state));
  sql += fmt::format(" ORDER BY key DESC LIMIT {}", limit);
  auto& q = db.prepare_built(sql);
  Db::bind(q, 1, before);
  return rows_of(q);
}

bool decide(Db& db, const Id& key, model::BatchState from, model::BatchState to, const Decision& d) {
  return db.run(
             "UPDATE batches SET state = ?3, reason = ?4, detail = ?5, mails = ?6, withdrawals = ?7, decided_by = ?8, "
             "decided_at = ?9 WHERE key = ?1 AND state = ?2",
             key, model::to_text(from), model::to_text(to), d.reason, d.detail, d.mails, d.withdrawals, d.by,
             d.at) == 1;
}

bool move(Db& db, const Id& key, model::BatchState from, model::BatchState to, std::string_view by, Instant at) {
  return db.run("UPDATE batches SET state = ?3, decided_by = ?4, decided_at = ?5 WHERE key = ?1 AND state = ?2", key,
                model::to_text(from), model::to_text(to), by, at) == 1;
}

void add(Db& db, const Id& key, const model::BatchItem& item) {
  settle_waiting(db, item.user, item.act, "replaced");
  const std::int64_t number = 1 + db.integer("SELECT max(number) FROM batch_items WHERE batch = ?", key).value_or(0);
  db.run(
      "INSERT INTO batch_items (batch, number, act, user, employment, company, rank, outcome) VALUES "
      "(?,?,?,?,?,?,?,'')",
      key, number, model::to_text(item.act), item.user, item.employment, item.company, item.rank);
}

namespace {
std::optional<Id> first_key(SQLite::Statement& q) {
  std::optional<Id> key;
  if (q.executeStep()) key = id_at(q, 0);
  q.reset();
  return key;
}
}  // namespace

std::optional<Id> waiting_in(Db& db, const Id& user, model::BatchAct act) {
  return first_key(db.prepare("SELECT batch FROM batch_items WHERE user = ? AND act = ? AND outcome = ''", user,
                              model::to_text(act)));
}

std::optional<Id> leaving_in(Db& db, const Id& user) {
  // As the index lies: 'withdraw' is the last of the acts.
  return first_key(db.prepare(
      "SELECT batch FROM batch_items WHERE user = ? AND outcome = '' AND act IN ('disable', 'withdraw') ORDER "
      "BY act DESC LIMIT 1",
      user));
}

std::vector<model::BatchItem> items(Db& db, const Id& key, std::int64_t after, std::size_t limit) {
  static const std::string sql =
      fmt::format("SELECT {} FROM batch_items WHERE batch = ?1 AND number > ?2 ORDER BY number LIMIT ?3", item_columns);
  return items_of(db.prepare(sql, key, after, static_cast<std::int64_t>(limit)));
}

std::vector<model::BatchItem> waiting(Db& db, const Id& key, model::BatchAct act,
                                      const std::optional<model::BatchItem>& after, std::size_t limit) {
  static const std::string sql = fmt::format(
      "SELECT {} FROM batch_items WHERE batch = ?1 AND act = ?2 AND outcome = '' AND (rank, number) > (?3, ?4) ORDER "
      "BY "
      "rank, number LIMIT ?5",
      item_columns);
  return items_of(db.prepare(sql, key, model::to_text(act), after ? after->rank : -1, after ? after->number : 0,
                             static_cast<std::int64_t>(limit)));
}

void settle(Db& db, const Id& key, std::int64_t number, std::string_view outcome) {
  db.run_one("UPDATE batch_items SET outcome = ?3 WHERE batch = ?1 AND number = ?2", key, number, outcome);
}

bool settle_waiting(Db& db, const Id& user, model::BatchAct act, std::string_view outcome) {
  return db.run("UPDATE batch_items SET outcome = ?3 WHERE user = ?1 AND act = ?2 AND outcome = ''", user,
                model::to_text(act), outcome) == 1;
}

std::vector<model::Batch> empty_held(Db& db) {
  constexpr std::size_t most_held = 1'000;
  auto held = in_state(db, model::BatchState::held, most_held);
  std::erase_if(held, [&](const model::Batch& batch) {
    return db
        .integer("SELECT 1 FROM batch_items INDEXED BY batch_items_open WHERE batch = ? AND outcome = '' LIMIT 1",
                 batch.key)
        .has_value();
  });
  return held;
}

std::size_t prune(Db& db, Instant before, std::size_t limit) {
  // Items first, in pieces; a batch goes when it has none left.
  const int items = db.run(
      "DELETE FROM batch_items WHERE (batch, number) IN (SELECT i.batch, i.number FROM batches b JOIN batch_items i ON "
      "i.batch = b.key WHERE b.state IN ('released', 'discarded') AND b.decided_at < ?1 LIMIT ?2)",
      before, static_cast<std::int64_t>(limit));
  if (static_cast<std::size_t>(items) == limit) return limit;
  db.run(
      "DELETE FROM batches WHERE state IN ('released', 'discarded') AND decided_at < ?1 AND NOT EXISTS (SELECT 1 FROM "
      "batch_items i WHERE i.batch = batches.key)",
      before);
  return static_cast<std::size_t>(items);
}

}  // namespace batches

namespace release_days {

void count_one(Db& db, model::CivilDate today) {
  db.run(
      "INSERT INTO release_days (date, released) VALUES (?, 1) ON CONFLICT (date) DO UPDATE SET released = released + "
      "1",
      model::date_key(today));
}

std::vector<std::int64_t> recent(Db& db, model::CivilDate today) {
  auto& q = db.prepare("SELECT released FROM release_days WHERE date >= ?1 AND date < ?2",
                       model::date_key(model::add_days(today, -model::usual_days_looked_at)), model::date_key(today));
  std::vector<std::int64_t> days;
  while (q.executeStep()) days.push_back(q.getColumn(0).getInt64());
  q.reset();
  return days;
}

}  // namespace release_days

namespace pace {

Instant take(Db& db, std::string_view company, Instant now, core::Milliseconds step) {
  const auto free = db.integer("SELECT next_free FROM pace WHERE company = ?", company);
  Instant slot = std::max(now, Instant{core::Milliseconds{free.value_or(0)}});
  // Those who had the places ahead may all have been cancelled since.
  if (slot - step > now &&
      !db.integer("SELECT 1 FROM deliveries d INDEXED BY deliveries_open JOIN users u ON u.key = "
                  "d.user WHERE d.state IN ('queued', 'deferred', 'uncertain') AND d.next_at IS NOT "
                  "NULL AND d.next_at > ?1 AND d.attempts = 0 AND u.company = ?2 LIMIT 1",
                  now, company))
    slot = now;
  db.run(
      "INSERT INTO pace (company, next_free) VALUES (?,?) ON CONFLICT (company) DO UPDATE SET next_free = "
      "excluded.next_free",
      company, slot + step);
  return slot;
}

}  // namespace pace

}  // namespace invited::store
