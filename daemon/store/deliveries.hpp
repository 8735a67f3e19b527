// The outbox: deliveries and their attempts. A claim is committed before a byte goes on the wire; a row found claimed
// at start is uncertain and goes out again with the same Message-ID and link (ARCHITECTURE §6).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/entities.hpp"
#include "store/database.hpp"

namespace invited::store {

using model::Delivery;
using model::DeliveryKind;
using model::DeliveryState;

namespace deliveries {
[[nodiscard]] std::optional<Delivery> get(Db& db, const Id& key);
[[nodiscard]] std::optional<Delivery> of_invitation(Db& db, const Id& invitation,
                                                    DeliveryKind kind = DeliveryKind::verification);
// The start date that the verification of this invitation was sent for: the one of when it was queued.
[[nodiscard]] std::optional<model::CivilDate> start_in_mail(Db& db, const Id& invitation);
[[nodiscard]] std::vector<model::Attempt> attempts(Db& db, const Id& key);
// Those that this owner has claimed.
[[nodiscard]] std::vector<Delivery> claimed(Db& db, const Id& owner);
void insert(Db& db, const Delivery& delivery, std::int32_t rank);

// Claims up to `limit` that are due, earliest start first, and opens an attempt row for each.
[[nodiscard]] std::vector<Delivery> claim(Db& db, const Id& owner, Instant now, Instant lease_until, std::size_t limit);

struct Outcome {
  DeliveryState state = DeliveryState::uncertain;
  Instant at{};
  std::optional<Instant> next_at;  // for deferred, and uncertain with tries left
  std::string phase;
  std::int32_t code = 0;
  std::string remote_id;
  std::string detail;
  bool counts = true;  // false: the transport's own trouble, nothing is counted against the mail
};
// Guarded: still claimed by `owner`. False when somebody else ended it in between (a rescue after a lease).
[[nodiscard]] bool settle(Db& db, const Id& key, const Id& owner, const Outcome& outcome);

// At start: claims of owners that are gone become uncertain, due at once; those without tries left wait for a person.
[[nodiscard]] std::vector<Id> rescue(Db& db, const Id& owner, Instant now, std::size_t limit);
// Ends an open, unclaimed one; false if it is claimed or already over.
[[nodiscard]] bool cancel(Db& db, const Id& invitation, DeliveryKind kind = DeliveryKind::verification);
// An operator lets a parked one go again.
void requeue(Db& db, const Id& key, Instant now);
// Nobody tries it by himself until it is requeued; nothing happens to one that is claimed or over.
void park(Db& db, const Id& key);
[[nodiscard]] std::vector<std::pair<std::string, std::int64_t>> count_open(Db& db);
}  // namespace deliveries

}  // namespace invited::store
