#include "store/self_service.hpp"

namespace invited::store::self_service {

void put(Db& db, const model::SelfServicePage& p) {
  db.run(
      "INSERT INTO self_service (user, selector, salt, key_id, tries, ends_at, created_at) VALUES (?,?,?,?,?,?,?) ON "
      "CONFLICT (user) DO UPDATE SET selector = excluded.selector, salt = excluded.salt, key_id = excluded.key_id, "
      "tries = excluded.tries, ends_at = excluded.ends_at, created_at = excluded.created_at",
      p.user, p.selector, p.salt, static_cast<std::int32_t>(p.key_id), p.tries, p.ends_at, p.created_at);
}

std::optional<model::SelfServicePage> by_selector(Db& db, const std::array<std::byte, 12>& selector) {
  auto& q = db.prepare("SELECT user, salt, key_id, tries, ends_at, created_at FROM self_service WHERE selector = ?",
                       selector);
  std::optional<model::SelfServicePage> page;
  if (q.executeStep()) {
    page.emplace();
    page->user = id_at(q, 0);
    page->selector = selector;
    page->salt = bytes_at<16>(q, 1);
    page->key_id = static_cast<std::uint8_t>(q.getColumn(2).getInt());
    page->tries = q.getColumn(3).getInt();
    page->ends_at = instant_at(q, 4);
    page->created_at = instant_at(q, 5);
  }
  q.reset();
  return page;
}

void count_try(Db& db, const Id& user) {
  db.run_one("UPDATE self_service SET tries = tries + 1 WHERE user = ?", user);
}

std::size_t prune(Db& db, Instant before, std::size_t limit) {
  return static_cast<std::size_t>(
      db.run("DELETE FROM self_service WHERE user IN (SELECT user FROM self_service WHERE ends_at < ?1 LIMIT ?2)",
             before, static_cast<std::int64_t>(limit)));
}

}  // namespace invited::store::self_service
