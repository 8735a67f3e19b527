#include "store/deliveries.hpp"

#include <fmt/format.h>

#include "model/retry.hpp"

namespace invited::store::deliveries {

namespace {

constexpr std::string_view columns =
    "key, invitation, user, state, message_id, attempts, uncertain_tries, failures, next_at, remote_id, detail, "
    "created_at, kind";

Delivery delivery_of(SQLite::Statement& q) {
  Delivery d;
  d.key = id_at(q, 0);
  d.invitation = id_at(q, 1);
  d.user = id_at(q, 2);
  d.state = model::parse_delivery_state(text_at(q, 3)).value();
  d.message_id = text_at(q, 4);
  d.attempts = q.getColumn(5).getInt();
  d.uncertain_tries = q.getColumn(6).getInt();
  d.failures = q.getColumn(7).getInt();
  d.next_at = optional_instant_at(q, 8);
  d.remote_id = text_at(q, 9);
  d.detail = text_at(q, 10);
  d.created_at = instant_at(q, 11);
  d.kind = model::parse_delivery_kind(text_at(q, 12)).value();
  return d;
}

std::vector<Delivery> rows_of(SQLite::Statement& q) {
  std::vector<Delivery> rows;
  while (q.executeStep()) rows.push_back(delivery_of(q));
  q.reset();
  return rows;
}

std::optional<Delivery> one(SQLite::Statement& q) {
  auto rows = rows_of(q);
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

void end_attempt(Db& db, const Id& key, std::int32_t number, const Outcome& outcome) {
  db.run_one(
      "UPDATE attempts SET ended_at = ?3, outcome = ?4, phase = ?5, code = ?6, detail = ?7 WHERE delivery = ?1 AND "
      "number = ?2",
      key, number, outcome.at, model::to_text(outcome.state), outcome.phase, outcome.code, outcome.detail);
}

}  // namespace

std::optional<Delivery> get(Db& db, const Id& key) {
  static const std::string sql = fmt::format("SELECT {} FROM deliveries WHERE key = ?", columns);
  return one(db.prepare(sql, key));
}

std::optional<Delivery> of_invitation(Db& db, const Id& invitation, DeliveryKind kind) {
  static const std::string sql = fmt::format("SELECT {} FROM deliveries WHERE invitation = ? AND kind = ?", columns);
  return one(db.prepare(sql, invitation, model::to_text(kind)));
}

std::optional<model::CivilDate> start_in_mail(Db& db, const Id& invitation) {
  constexpr std::int64_t no_start = 99'991'231;  // ranked last
  const auto rank =
      db.integer("SELECT rank FROM deliveries WHERE invitation = ? AND kind = 'verification'", invitation);
  if (!rank || *rank == no_start) return std::nullopt;
  return model::date_of_key(static_cast<std::int32_t>(*rank));
}

std::vector<model::Attempt> attempts(Db& db, const Id& key) {
  auto& q = db.prepare(
      "SELECT number, started_at, ended_at, outcome, phase, code, detail FROM attempts WHERE delivery = ? ORDER BY "
      "number",
      key);
  std::vector<model::Attempt> rows;
  while (q.executeStep())
    rows.push_back({key, q.getColumn(0).getInt(), instant_at(q, 1), optional_instant_at(q, 2), text_at(q, 3),
                    text_at(q, 4), q.getColumn(5).getInt(), text_at(q, 6)});
  q.reset();
  return rows;
}

void insert(Db& db, const Delivery& d, std::int32_t rank) {
  if (!model::allowed(std::nullopt, d.state)) throw std::logic_error("a delivery is not made in this state");
  db.run(
      "INSERT INTO deliveries (key, invitation, kind, user, state, message_id, rank, attempts, uncertain_tries, "
      "failures, next_at, remote_id, "
      "detail, created_at) VALUES (?,?,?,?,?,?,?,0,0,0,?,'','',?)",
      d.key, d.invitation, model::to_text(d.kind), d.user, model::to_text(d.state), d.message_id, rank, d.next_at,
      d.created_at);
}

std::vector<Delivery> claim(Db& db, const Id& owner, Instant now, Instant lease_until, std::size_t limit) {
  static const std::string due = fmt::format(
      "SELECT {} FROM deliveries INDEXED BY deliveries_open WHERE state IN ('queued', 'deferred', 'uncertain') AND "
      "next_at IS NOT NULL AND next_at <= ?1 "
      "ORDER BY next_at, rank, key LIMIT ?2",
      columns);
  auto rows = rows_of(db.prepare(due, now, static_cast<std::int64_t>(limit)));
  for (Delivery& d : rows) {
    ++d.attempts;
    db.run_one(
        "UPDATE deliveries SET state = 'claimed', attempts = ?3, lease_owner = ?4, lease_until = ?5 WHERE key = ?1 AND "
        "state = ?2",
        d.key, model::to_text(d.state), d.attempts, owner, lease_until);
    db.run(
        "INSERT INTO attempts (delivery, number, started_at, ended_at, outcome, phase, code, detail) VALUES "
        "(?,?,?,NULL,'claimed','',0,'')",
        d.key, d.attempts, now);
    d.state = DeliveryState::claimed;
  }
  return rows;
}

std::vector<Delivery> claimed(Db& db, const Id& owner) {
  static const std::string sql = fmt::format(
      "SELECT {} FROM deliveries INDEXED BY deliveries_claimed WHERE state = 'claimed' AND lease_owner = ?1 ORDER BY "
      "key",
      columns);
  return rows_of(db.prepare(sql, owner));
}

bool settle(Db& db, const Id& key, const Id& owner, const Outcome& outcome) {
  if (!model::allowed(DeliveryState::claimed, outcome.state))
    throw std::logic_error("a claimed delivery does not end like this");
  const bool failed = outcome.state == DeliveryState::deferred && outcome.counts;
  const bool uncertain = outcome.state == DeliveryState::uncertain;
  const int changed = db.run(
      "UPDATE deliveries SET state = ?3, next_at = ?4, remote_id = ?5, detail = ?6, failures = failures + ?7, "
      "uncertain_tries = uncertain_tries + ?8, lease_owner = NULL, lease_until = NULL WHERE key = ?1 AND state = "
      "'claimed' AND lease_owner = ?2",
      key, owner, model::to_text(outcome.state), outcome.next_at, outcome.remote_id, outcome.detail, failed ? 1 : 0,
      uncertain ? 1 : 0);
  if (changed != 1) return false;
  const auto number = db.integer("SELECT attempts FROM deliveries WHERE key = ?", key).value();
  end_attempt(db, key, static_cast<std::int32_t>(number), outcome);
  return true;
}

std::vector<Id> rescue(Db& db, const Id& owner, Instant now, std::size_t limit) {
  static const std::string sql = fmt::format(
      "SELECT {} FROM deliveries INDEXED BY deliveries_claimed WHERE state = 'claimed' AND lease_owner <> ?1 ORDER BY "
      "lease_owner, key LIMIT ?2",
      columns);
  std::vector<Id> rescued;
  for (const Delivery& d : rows_of(db.prepare(sql, owner, static_cast<std::int64_t>(limit)))) {
    const bool again = d.uncertain_tries + 1 < model::most_uncertain_tries;
    Outcome outcome;
    outcome.state = DeliveryState::uncertain;
    outcome.at = now;
    outcome.phase = "restart";
    outcome.detail = "found claimed at start: it may have gone out";
    if (again) outcome.next_at = now;
    db.run_one(
        "UPDATE deliveries SET state = 'uncertain', next_at = ?2, detail = ?3, uncertain_tries = uncertain_tries + 1, "
        "lease_owner = NULL, "
        "lease_until = NULL WHERE key = ?1 AND state = 'claimed'",
        d.key, outcome.next_at, outcome.detail);
    end_attempt(db, d.key, d.attempts, outcome);
    rescued.push_back(d.key);
  }
  return rescued;
}

bool cancel(Db& db, const Id& invitation, DeliveryKind kind) {
  return db.run(
             "UPDATE deliveries SET state = 'cancelled', next_at = NULL WHERE invitation = ? AND kind = ? AND state IN "
             "('queued', 'deferred', 'uncertain', "
             "'rejected')",
             invitation, model::to_text(kind)) == 1;
}

void park(Db& db, const Id& key) {
  db.run("UPDATE deliveries SET next_at = NULL WHERE key = ? AND state IN ('queued', 'deferred', 'uncertain')", key);
}

void requeue(Db& db, const Id& key, Instant now) {
  db.run_one(
      "UPDATE deliveries SET state = CASE state WHEN 'rejected' THEN 'queued' ELSE state END, next_at = ?2, failures = "
      "0, uncertain_tries = 0 "
      "WHERE key = ?1 AND state IN ('rejected', 'uncertain', 'deferred', 'queued')",
      key, now);
}

std::vector<std::pair<std::string, std::int64_t>> count_open(Db& db) {
  auto& q = db.prepare(
      "SELECT 'waiting', count(*) FROM deliveries WHERE state IN ('queued', 'deferred', 'uncertain') AND next_at IS "
      "NOT NULL UNION ALL "
      "SELECT 'claimed', count(*) FROM deliveries WHERE state = 'claimed'");
  std::vector<std::pair<std::string, std::int64_t>> rows;
  while (q.executeStep()) rows.emplace_back(text_at(q, 0), q.getColumn(1).getInt64());
  q.reset();
  return rows;
}

}  // namespace invited::store::deliveries
