// One row that breaks a rule of the store never keeps the others of its closure waiting: it is undone and told, and the
// caller sets it aside.
//
//   for (const Id& user : users) {
//     if (!one_of_many(db, "A leaver cannot be disabled", "user", user.text(), [&] { disable(db, user); })) continue;
//   }
//
// Runs inside a store closure, on the store's thread.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "core/events.hpp"
#include "core/log.hpp"
#include "store/database.hpp"
#include "store/store.hpp"

namespace invited::service {

// False: nothing of `act` happened, and the log says so with the row's name and why. What is about all rows (a full
// disk, a damaged file) is thrown.
template <class Act>
[[nodiscard]] bool one_of_many(store::Db& db, std::string_view sentence, std::string_view kind, std::string row,
                               Act&& act) {
  try {
    store::Savepoint whole(db);
    std::forward<Act>(act)();
    whole.release();
    return true;
  } catch (const std::exception& e) {
    if (!store::about_one_row(e)) throw;
    core::log::error(core::events::internal_error, sentence, {{kind, std::move(row)}, {"why", e.what()}});
    return false;
  }
}

}  // namespace invited::service
