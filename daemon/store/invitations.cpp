#include "store/invitations.hpp"

#include <fmt/format.h>

namespace invited::store::invitations {

namespace {

constexpr std::string_view columns =
    "key, user, generation, state, cause, login_email, login_email_canonical, due_key, due_zone, released_at, "
    "accepted_at, ends_at, "
    "verified_at, ended_at, end_reason, held_reason, selector, salt, key_id, created_at";

Invitation invitation_of(SQLite::Statement& q) {
  Invitation i;
  i.key = id_at(q, 0);
  i.user = id_at(q, 1);
  i.generation = q.getColumn(2).getUInt();
  i.state = model::parse_invitation_state(text_at(q, 3)).value();
  i.cause = model::parse_invitation_cause(text_at(q, 4)).value();
  i.login_email = text_at(q, 5);
  i.login_email_canonical = text_at(q, 6);
  if (!q.getColumn(7).isNull()) {
    const std::int64_t due_key = q.getColumn(7).getInt64();
    i.due = model::CivilDue{model::date_of_key(static_cast<std::int32_t>(due_key / 100)).value(),
                            static_cast<int>(due_key % 100), text_at(q, 8)};
  }
  i.released_at = optional_instant_at(q, 9);
  i.accepted_at = optional_instant_at(q, 10);
  i.ends_at = optional_instant_at(q, 11);
  i.verified_at = optional_instant_at(q, 12);
  i.ended_at = optional_instant_at(q, 13);
  i.end_reason = text_at(q, 14);
  i.held_reason = text_at(q, 15);
  i.selector = bytes_at<12>(q, 16);
  i.salt = bytes_at<16>(q, 17);
  i.key_id = static_cast<std::uint8_t>(q.getColumn(18).getInt());
  i.created_at = instant_at(q, 19);
  return i;
}

std::optional<Invitation> one(SQLite::Statement& q) {
  std::optional<Invitation> row;
  if (q.executeStep()) row = invitation_of(q);
  q.reset();
  return row;
}

std::vector<Due> keys(SQLite::Statement& q) {
  std::vector<Due> rows;
  while (q.executeStep()) rows.push_back({id_at(q, 0), id_at(q, 1)});
  q.reset();
  return rows;
}

std::optional<std::int64_t> due_key_of(const std::optional<model::CivilDue>& due) {
  if (!due) return std::nullopt;
  return model::due_key(due->date, due->hour);
}

std::optional<std::string> zone_of(const std::optional<model::CivilDue>& due) {
  if (!due) return std::nullopt;
  return due->zone;
}

}  // namespace

std::optional<Invitation> get(Db& db, const Id& key) {
  static const std::string sql = fmt::format("SELECT {} FROM invitations WHERE key = ?", columns);
  return one(db.prepare(sql, key));
}

std::optional<Invitation> newest(Db& db, const Id& user) {
  static const std::string sql =
      fmt::format("SELECT {} FROM invitations WHERE user = ? ORDER BY generation DESC LIMIT 1", columns);
  return one(db.prepare(sql, user));
}

std::optional<Invitation> by_selector(Db& db, const std::array<std::byte, 12>& selector) {
  static const std::string sql = fmt::format("SELECT {} FROM invitations WHERE selector = ?", columns);
  return one(db.prepare(sql, selector));
}

void insert(Db& db, const Invitation& i) {
  if (!model::allowed(std::nullopt, i.state)) throw std::logic_error("an invitation is not made in this state");
  const auto zone = zone_of(i.due);
  db.run(
      "INSERT INTO invitations (key, user, generation, state, cause, login_email, login_email_canonical, due_key, "
      "due_zone, released_at, "
      "accepted_at, ends_at, verified_at, ended_at, end_reason, held_reason, selector, salt, key_id, created_at) "
      "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
      i.key, i.user, i.generation, model::to_text(i.state), model::to_text(i.cause), i.login_email,
      i.login_email_canonical, due_key_of(i.due), zone, i.released_at, i.accepted_at, i.ends_at, i.verified_at,
      i.ended_at, i.end_reason, i.held_reason, i.selector, i.salt, static_cast<std::int32_t>(i.key_id), i.created_at);
  db.run("UPDATE users SET newest_invitation = ?2 WHERE key = ?1", i.user, model::to_text(i.state));
}

void move(Db& db, const Id& key, InvitationState from, InvitationState to, const Change& change) {
  if (!model::allowed(from, to))
    throw std::logic_error(
        fmt::format("an invitation never goes from {} to {}", model::to_text(from), model::to_text(to)));
  const auto stamp = [&](InvitationState state) { return to == state ? change.at : std::nullopt; };
  const bool ends = !model::live(to) && to != InvitationState::connected;
  const auto cause =
      change.cause ? std::optional<std::string_view>(model::to_text(*change.cause)) : std::optional<std::string_view>();
  const auto zone = zone_of(change.due);
  // A mail that may never have arrived is still somebody's to look at when its days are over; every other move answers
  // why it was held.
  db.run_one(
      "UPDATE invitations SET state = ?3, due_key = ?4, due_zone = ?5, released_at = coalesce(?6, released_at), "
      "accepted_at = coalesce(accepted_at, ?7), ends_at = max(coalesce(ends_at, 0), coalesce(?8, ends_at)), "
      "verified_at = coalesce(?9, verified_at), "
      "ended_at = coalesce(?10, ended_at), end_reason = CASE WHEN ?11 <> '' THEN ?11 ELSE end_reason END, held_reason "
      "= CASE WHEN ?3 = 'expired' THEN held_reason ELSE '' END, "
      "salt = CASE WHEN ?12 THEN NULL ELSE salt END, cause = coalesce(?13, cause) WHERE key = ?1 AND state = ?2",
      key, model::to_text(from), model::to_text(to), due_key_of(change.due), zone, stamp(InvitationState::released),
      stamp(InvitationState::sent), change.ends_at, stamp(InvitationState::verified), ends ? change.at : std::nullopt,
      change.end_reason, change.erase_salt, cause);
  // An older one that ends says nothing about the newest.
  db.run(
      "UPDATE users SET newest_invitation = ?2 WHERE key = (SELECT user FROM invitations WHERE key = ?1) AND NOT "
      "EXISTS "
      "(SELECT 1 FROM invitations n JOIN invitations i ON n.user = i.user WHERE i.key = ?1 AND n.generation > "
      "i.generation)",
      key, model::to_text(to));
}

void reschedule(Db& db, const Id& key, const model::CivilDue& due) {
  db.run_one("UPDATE invitations SET due_key = ?2, due_zone = ?3 WHERE key = ?1 AND state = 'scheduled'", key,
             model::due_key(due.date, due.hour), due.zone);
}

void set_held(Db& db, const Id& key, std::string_view reason) {
  db.run_one("UPDATE invitations SET held_reason = ?2 WHERE key = ?1", key, reason);
}

std::vector<std::string> due_zones(Db& db) {
  // Jumps from zone to zone through the index instead of reading every row.
  auto& q = db.prepare(
      "WITH RECURSIVE z(zone) AS (SELECT min(due_zone) FROM invitations INDEXED BY invitations_due WHERE state = "
      "'scheduled' AND held_reason = '' UNION ALL "
      "SELECT (SELECT min(due_zone) FROM invitations INDEXED BY invitations_due WHERE state = 'scheduled' AND "
      "held_reason = '' AND due_zone > z.zone) FROM z "
      "WHERE z.zone IS NOT NULL) SELECT zone FROM z WHERE zone IS NOT NULL");
  std::vector<std::string> zones;
  while (q.executeStep()) zones.push_back(text_at(q, 0));
  q.reset();
  return zones;
}

std::vector<Due> due(Db& db, std::string_view zone, std::int64_t due_key_at_most, std::size_t limit) {
  std::vector<Due> rows;
  auto& q = db.prepare(
      "SELECT key, user, due_key FROM invitations INDEXED BY invitations_due WHERE state = 'scheduled' AND held_reason "
      "= "
      "'' AND due_zone = ?1 AND due_key <= ?2 ORDER BY due_key, key LIMIT ?3",
      zone, due_key_at_most, static_cast<std::int64_t>(limit));
  while (q.executeStep()) rows.push_back({id_at(q, 0), id_at(q, 1), q.getColumn(2).getInt64()});
  q.reset();
  return rows;
}

std::size_t count_due(Db& db, std::string_view zone, std::int64_t due_key_at_most, std::size_t limit) {
  return static_cast<std::size_t>(
      db.integer("SELECT count(*) FROM (SELECT 1 FROM invitations INDEXED BY invitations_due WHERE state = 'scheduled' "
                 "AND held_reason = '' AND due_zone = ?1 AND due_key <= ?2 LIMIT ?3)",
                 zone, due_key_at_most, static_cast<std::int64_t>(limit))
          .value_or(0));
}

namespace {
Counted counted(SQLite::Statement& q, std::size_t limit) {
  Counted counted;
  if (q.executeStep()) {
    counted.count = q.getColumn(0).getInt64();
    if (static_cast<std::size_t>(counted.count) == limit) counted.last = id_at(q, 1);
  }
  q.reset();
  return counted;
}
}  // namespace

Counted count_older(Db& db, InvitationState state, const Id& before, const std::optional<Id>& after,
                    std::size_t limit) {
  return counted(
      db.prepare(
          "SELECT count(*), max(key) FROM (SELECT key FROM invitations WHERE state = ?1 AND key > ?2 AND key < ?3 "
          "ORDER BY key LIMIT ?4)",
          model::to_text(state), after.value_or(Id{}), before, static_cast<std::int64_t>(limit)),
      limit);
}

Counted count_in(Db& db, InvitationState state, const std::optional<Id>& after, std::size_t limit) {
  return counted(db.prepare("SELECT count(*), max(key) FROM (SELECT key FROM invitations WHERE state = ?1 AND key > ?2 "
                            "ORDER BY key LIMIT ?3)",
                            model::to_text(state), after.value_or(Id{}), static_cast<std::int64_t>(limit)),
                 limit);
}

std::vector<Due> ending(Db& db, Instant at, std::size_t limit, std::size_t skip) {
  return keys(db.prepare(
      "SELECT key, user FROM invitations INDEXED BY invitations_ending WHERE state = 'sent' AND ends_at <= ?1 ORDER BY "
      "ends_at, key LIMIT ?2 OFFSET ?3",
      at, static_cast<std::int64_t>(limit), static_cast<std::int64_t>(skip)));
}

std::vector<Invitation> page(Db& db, const Which& which, const std::optional<Id>& before, std::size_t limit) {
  // Few are held: whatever else is asked, they are looked for among themselves.
  std::string sql = fmt::format("SELECT {} FROM invitations {} WHERE {}", columns,
                                which.held.value_or(false) && !which.user ? "INDEXED BY invitations_held" : "",
                                before ? "key < ?1" : "?1 IS NULL");
  if (which.state) sql += fmt::format(" AND state = '{}'", model::to_text(*which.state));
  if (which.held) sql += *which.held ? " AND held_reason <> ''" : " AND held_reason = ''";
  if (which.user) sql += " AND user = ?2";
  sql += fmt::format(" ORDER BY key DESC LIMIT {}", limit);
  auto& q = db.prepare_built(sql);
  Db::bind(q, 1, before);
  if (which.user) Db::bind(q, 2, *which.user);
  std::vector<Invitation> rows;
  while (q.executeStep()) rows.push_back(invitation_of(q));
  q.reset();
  return rows;
}

std::vector<std::pair<std::string, std::int64_t>> count_by_state(Db& db) {
  auto& q = db.prepare("SELECT state, count(*) FROM invitations GROUP BY state");
  std::vector<std::pair<std::string, std::int64_t>> rows;
  while (q.executeStep()) rows.emplace_back(text_at(q, 0), q.getColumn(1).getInt64());
  q.reset();
  return rows;
}

std::int64_t count_held(Db& db) {
  return db.integer("SELECT count(*) FROM invitations INDEXED BY invitations_held WHERE held_reason <> ''").value_or(0);
}

}  // namespace invited::store::invitations
