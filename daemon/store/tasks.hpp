// What is owed to the identity provider. A task is made in the transaction that decides it and leaves when the provider
// has done it; a user's tasks are done in the order they were made.
//
// Every function runs inside a store closure, on the store's thread, and returns copies. None throws Conflict: a change
// to a task that is not there (any more) does nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/entities.hpp"
#include "store/database.hpp"

namespace invited::store::tasks {

// One open task per user and kind: a second is the same task (its time is moved up, refused or not). Removing and
// making an account are each other's undoing: the older, not yet done opposite is kept, the order decides. One that was
// refused for good holds up no other, except that no account is made while an older one could not be removed.
void put(Db& db, const model::ProviderTask& task);
[[nodiscard]] std::vector<model::ProviderTask> due(Db& db, Instant now, std::size_t limit);
[[nodiscard]] std::optional<model::ProviderTask> get(Db& db, const Id& key);
[[nodiscard]] std::vector<model::ProviderTask> of_user(Db& db, const Id& user);
void postpone(Db& db, const Id& key, std::optional<Instant> next_at, std::string_view detail);
// Due at `at`, also if it was refused for good; how often it failed is kept.
void move_up(Db& db, const Id& user, model::ProviderTaskKind kind, Instant at);
void done(Db& db, const Id& key);
void drop(Db& db, const Id& user, model::ProviderTaskKind kind);

// How the provider does: what is owed to it, and what of that it has failed or refused.
struct Health {
  std::int64_t waiting = 0;  // all of it
  std::int64_t failing = 0;  // failed before, tried again
  std::int64_t refused = 0;  // refused for good, for a person to look at
  std::optional<Instant> retry_at;
  std::string detail;  // the provider's word about the newest failed one
};
[[nodiscard]] Health health(Db& db);

}  // namespace invited::store::tasks
