// Invitations as rows. Every change of state is a guarded update that must change exactly one row (ARCHITECTURE §6).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/entities.hpp"
#include "store/database.hpp"

namespace invited::store {

using model::Invitation;
using model::InvitationState;

namespace invitations {
[[nodiscard]] std::optional<Invitation> get(Db& db, const Id& key);
[[nodiscard]] std::optional<Invitation> newest(Db& db, const Id& user);
[[nodiscard]] std::optional<Invitation> by_selector(Db& db, const std::array<std::byte, 12>& selector);
// The state must be one in which an invitation may be made (states.cpp).
void insert(Db& db, const Invitation& invitation);

// What changes along with the state.
struct Change {
  std::optional<model::CivilDue> due;  // for scheduled
  std::optional<Instant> at;           // stamps released_at, accepted_at, verified_at or ended_at, by the new state
  std::optional<Instant> ends_at;      // for sent; an end already stored is only ever extended
  std::string_view end_reason;
  std::optional<model::InvitationCause> cause;  // a verified domain took over (W7)
  bool erase_salt = false;                      // the link is dead for ever
};
// Throws Conflict if the row is not in `from`, std::logic_error if the table has no such transition.
void move(Db& db, const Id& key, InvitationState from, InvitationState to, const Change& change);
// A scheduled one gets another date; same state.
void reschedule(Db& db, const Id& key, const model::CivilDue& due);
void set_held(Db& db, const Id& key, std::string_view reason);  // empty: not held

// Scheduled, not held, due in `zone` at or before the local hour; earliest first.
struct Due {
  Id key;
  Id user;
  std::int64_t due_key = 0;  // of due() alone: the date and hour on the clock there
};
[[nodiscard]] std::vector<std::string> due_zones(Db& db);
[[nodiscard]] std::vector<Due> due(Db& db, std::string_view zone, std::int64_t due_key_at_most, std::size_t limit);
// How many of those there are, counted up to `limit`.
[[nodiscard]] std::size_t count_due(Db& db, std::string_view zone, std::int64_t due_key_at_most, std::size_t limit);
// Counts invitations in a state that were made before another id, in pieces of `limit` from `after` on; `last`: where
// to go on, nothing at the end.
struct Counted {
  std::int64_t count = 0;
  std::optional<Id> last;
};
[[nodiscard]] Counted count_older(Db& db, InvitationState state, const Id& before, const std::optional<Id>& after,
                                  std::size_t limit);
[[nodiscard]] Counted count_in(Db& db, InvitationState state, const std::optional<Id>& after, std::size_t limit);
// `skip`: so many of them are left out.
[[nodiscard]] std::vector<Due> ending(Db& db, Instant at, std::size_t limit, std::size_t skip = 0);

struct Which {
  std::optional<InvitationState> state;
  std::optional<bool> held;
  std::optional<Id> user;
};
// Newest first; `before` is the last key of the page before.
[[nodiscard]] std::vector<Invitation> page(Db& db, const Which& which, const std::optional<Id>& before,
                                           std::size_t limit);
[[nodiscard]] std::vector<std::pair<std::string, std::int64_t>> count_by_state(Db& db);
[[nodiscard]] std::int64_t count_held(Db& db);
}  // namespace invitations

}  // namespace invited::store
