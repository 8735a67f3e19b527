#include "store/future.hpp"

namespace invited::store::future {

namespace {

// Columns: position, rank, key, user.
std::vector<Row> rows_of(SQLite::Statement& q) {
  std::vector<Row> rows;
  while (q.executeStep())
    rows.push_back({{q.getColumn(0).getInt64(), q.getColumn(1).getInt64(), id_at(q, 2)}, id_at(q, 3)});
  q.reset();
  return rows;
}

// A place after a whole position is behind every key of it.
Id key_behind(const Place& place) {
  Id key = place.key;
  if (place.rank == std::numeric_limits<std::int64_t>::max()) key.bytes.fill(std::byte{0xff});
  return key;
}

std::int64_t most(std::size_t limit) {
  return static_cast<std::int64_t>(limit);
}

}  // namespace

std::vector<Row> connecting(Db& db, const Place& behind, std::size_t limit) {
  return rows_of(
      db.prepare("SELECT 0, 0, key, user FROM invitations WHERE state = 'verified' AND key > ?1 ORDER BY key LIMIT ?2",
                 key_behind(behind), most(limit)));
}

std::vector<Row> under_way(Db& db, const Place& behind, std::size_t limit) {
  return rows_of(
      db.prepare("SELECT 0, 0, key, user FROM deliveries INDEXED BY deliveries_claimed WHERE state = 'claimed' AND key "
                 "> ?1 ORDER BY key LIMIT ?2",
                 key_behind(behind), most(limit)));
}

std::vector<Row> mails(Db& db, const Place& behind, std::size_t limit) {
  return rows_of(
      db.prepare("SELECT next_at, rank, key, user FROM deliveries INDEXED BY deliveries_open WHERE state IN ('queued', "
                 "'deferred', 'uncertain') "
                 "AND next_at IS NOT NULL AND (next_at, rank, key) > (?1, ?2, ?3) ORDER BY next_at, rank, key LIMIT ?4",
                 behind.position, behind.rank, key_behind(behind), most(limit)));
}

std::vector<Row> ends(Db& db, const Place& behind, std::size_t limit) {
  return rows_of(
      db.prepare("SELECT ends_at, 0, key, user FROM invitations INDEXED BY invitations_ending WHERE state = 'sent' AND "
                 "(ends_at, key) > (?1, ?2) ORDER BY ends_at, key LIMIT ?3",
                 behind.position, key_behind(behind), most(limit)));
}

std::vector<Row> due(Db& db, std::string_view zone, const Place& behind, std::size_t limit) {
  return rows_of(db.prepare(
      "SELECT due_key, 0, key, user FROM invitations INDEXED BY invitations_due WHERE state = 'scheduled' AND "
      "held_reason = '' AND due_zone = ?1 AND (due_key, key) > (?2, ?3) ORDER BY due_key, key LIMIT ?4",
      zone, behind.position, key_behind(behind), most(limit)));
}

std::vector<Row> leaving(Db& db, std::string_view zone, const Place& behind, std::size_t limit) {
  return rows_of(
      db.prepare("SELECT leaves_on, 0, key, key FROM users INDEXED BY users_leaving WHERE leaves_on IS NOT NULL AND "
                 "leaves_zone = ?1 AND "
                 "(leaves_on, key) > (?2, ?3) ORDER BY leaves_on, key LIMIT ?4",
                 zone, behind.position, key_behind(behind), most(limit)));
}

std::vector<std::string> leaving_zones(Db& db) {
  // Jumps from zone to zone through the index instead of reading every row.
  auto& q = db.prepare(
      "WITH RECURSIVE z(zone) AS (SELECT min(leaves_zone) FROM users INDEXED BY users_leaving WHERE leaves_on IS NOT "
      "NULL UNION ALL "
      "SELECT (SELECT min(leaves_zone) FROM users INDEXED BY users_leaving WHERE leaves_on IS NOT NULL AND leaves_zone "
      "> z.zone) FROM z "
      "WHERE z.zone IS NOT NULL) SELECT zone FROM z WHERE zone IS NOT NULL");
  std::vector<std::string> zones;
  while (q.executeStep()) zones.push_back(text_at(q, 0));
  q.reset();
  return zones;
}

std::optional<Instant> next_task(Db& db, Instant after) {
  const auto at =
      db.integer("SELECT min(next_at) FROM provider_tasks WHERE next_at IS NOT NULL AND next_at > ?", after);
  if (!at) return std::nullopt;
  return Instant{core::Milliseconds{*at}};
}

}  // namespace invited::store::future
