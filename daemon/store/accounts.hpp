// Accounts at the provider, one per user.
//
// Every function runs inside a store closure, on the store's thread, and returns copies. None throws Conflict: put()
// makes or replaces, and removing what is not there does nothing.
#pragma once

#include <optional>

#include "model/entities.hpp"
#include "store/database.hpp"

namespace invited::store::accounts {

[[nodiscard]] std::optional<model::Account> get(Db& db, const Id& user);
void put(Db& db, const model::Account& account);
void remove(Db& db, const Id& user);

}  // namespace invited::store::accounts
