#include "store/audit.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <limits>

namespace invited::store::audit {

namespace {

using Hash = std::array<std::byte, 32>;

// Length-prefixed parts, so that no two different events hash the same bytes.
class Hasher {
public:
  Hasher() { crypto_generichash_init(&state_, nullptr, 0, sizeof(Hash)); }
  void part(const void* data, std::size_t size) {
    const std::uint64_t length = size;
    crypto_generichash_update(&state_, reinterpret_cast<const unsigned char*>(&length), sizeof(length));
    crypto_generichash_update(&state_, static_cast<const unsigned char*>(data), size);
  }
  void part(std::string_view text) { part(text.data(), text.size()); }
  void part(std::int64_t number) { part(&number, sizeof(number)); }
  void part(const Hash& hash) { part(hash.data(), hash.size()); }
  Hash end() {
    Hash out;
    crypto_generichash_final(&state_, reinterpret_cast<unsigned char*>(out.data()), out.size());
    return out;
  }

private:
  crypto_generichash_state state_{};
};

Hash commitment_of(const std::array<std::byte, 16>& salt, std::string_view detail) {
  Hasher hasher;
  hasher.part(salt.data(), salt.size());
  hasher.part(detail);
  return hasher.end();
}

Hash hash_of(const Hash& previous, const model::AuditEvent& e, const Hash& commitment) {
  Hasher hasher;
  hasher.part(previous);
  hasher.part(e.seq);
  hasher.part(static_cast<std::int64_t>(e.at.time_since_epoch().count()));
  hasher.part(e.actor);
  hasher.part(e.action);
  hasher.part(e.subject);
  hasher.part(e.reason);
  hasher.part(commitment);
  return hasher.end();
}

model::AuditEvent event_of(SQLite::Statement& q) {
  return {q.getColumn(0).getInt64(),
          instant_at(q, 1),
          text_at(q, 2),
          text_at(q, 3),
          text_at(q, 4),
          text_at(q, 5),
          text_at(q, 6)};
}

}  // namespace

void append(Db& db, core::Random& random, const model::AuditEvent& given) {
  model::AuditEvent event = given;
  Hash previous{};
  {
    auto& q = db.prepare("SELECT seq, hash FROM audit_events ORDER BY seq DESC LIMIT 1");
    if (q.executeStep()) {
      event.seq = q.getColumn(0).getInt64();
      previous = bytes_at<32>(q, 1);
    } else {
      event.seq = 0;
    }
    q.reset();
  }
  ++event.seq;
  std::array<std::byte, 16> salt{};
  random.fill(salt);
  const Hash commitment = commitment_of(salt, event.detail);
  const Hash hash = hash_of(previous, event, commitment);
  db.run(
      "INSERT INTO audit_events (seq, at, actor, action, subject, reason, detail, salt, commitment, hash) VALUES "
      "(?,?,?,?,?,?,?,?,?,?)",
      event.seq, event.at, event.actor, event.action, event.subject, event.reason, event.detail, salt, commitment,
      hash);
}

std::vector<model::AuditEvent> page(Db& db, const Range& range, const std::string& subject, std::size_t limit) {
  std::string sql = "SELECT seq, at, actor, action, subject, reason, coalesce(detail, '') FROM audit_events WHERE ";
  sql += range.after ? "seq > ?1" : "seq < ?1";
  if (!subject.empty()) sql += " AND subject = ?2";
  sql += range.after ? " ORDER BY seq" : " ORDER BY seq DESC";
  sql += fmt::format(" LIMIT {}", limit);
  auto& q = db.prepare_built(sql);
  q.bind(1, range.after ? *range.after : range.before.value_or(std::numeric_limits<std::int64_t>::max()));
  if (!subject.empty()) q.bind(2, subject);
  std::vector<model::AuditEvent> rows;
  while (q.executeStep()) rows.push_back(event_of(q));
  q.reset();
  return rows;
}

std::int64_t last_seq(Db& db) {
  return db.integer("SELECT max(seq) FROM audit_events").value_or(0);
}

Verification verify(Db& db, std::int64_t from, std::size_t limit) {
  Verification result;
  Hash previous{};
  std::int64_t expected = from;
  if (from > 1) {
    auto& q = db.prepare("SELECT hash FROM audit_events WHERE seq = ?", from - 1);
    if (q.executeStep()) previous = bytes_at<32>(q, 0);
    q.reset();
  }
  auto& q = db.prepare(
      "SELECT seq, at, actor, action, subject, reason, coalesce(detail, ''), detail IS NOT NULL, salt, commitment, "
      "hash FROM audit_events WHERE "
      "seq >= ?1 ORDER BY seq LIMIT ?2",
      from, static_cast<std::int64_t>(limit));
  std::size_t rows = 0;
  while (q.executeStep()) {
    ++rows;
    const model::AuditEvent event = event_of(q);
    const auto commitment = bytes_at<32>(q, 9);
    const bool detail_right =
        q.getColumn(7).getInt() == 0 || commitment == commitment_of(bytes_at<16>(q, 8), event.detail);
    const auto stored = bytes_at<32>(q, 10);
    if (event.seq != expected || !detail_right || stored != hash_of(previous, event, commitment)) {
      result.broken = expected;
      break;
    }
    previous = stored;
    ++expected;
    ++result.checked;
  }
  q.reset();
  if (!result.broken && rows == limit) result.next = expected;
  return result;
}

}  // namespace invited::store::audit
