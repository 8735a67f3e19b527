// The login email of a row (PRODUCT §6): never cleared, never changed for a connected user, and a bad one is ignored
// while the rest of the row counts. All of it runs inside store closures, on the store's thread.
#pragma once

#include <optional>
#include <string>

#include "model/entities.hpp"
#include "model/templates.hpp"
#include "service/planner.hpp"
#include "service/row_fields.hpp"
#include "service/rows_seen.hpp"

namespace invited::service {

struct EmailChange {
  bool changed = false;  // another mailbox than before
  std::string ignored;   // reason code; empty: taken
  std::string message;
};

// Thrown in the middle of a run: the address is still another user's, whose own row may come and free it
// (waiting_rows.hpp).
struct AddressTaken {
  Id owner;
  std::optional<Id> user;  // whom the row is about; nothing: she would be new
};

// `present`: whether the store knows the user. Throws Rejected where `confirm_email` differs, or AddressTaken.
[[nodiscard]] EmailChange take_login_email(Db& db, const Planner& planner, const Fields& fields, bool present,
                                           model::User& user, const RowsSeen* seen);

// The login email that a template makes for a new hire who brings none. Nothing if the name does not spell one.
void make_login_email(Db& db, const Planner& planner, const model::UserTemplate& from, model::User& user,
                      const RowsSeen* seen);

// Before `user` is stored with an address that the store still says of another user, who has given it up in a row that
// is dry or comes with this one: the store says it no longer, `seen` does.
void take_from_owner(Db& db, const model::User& user, RowsSeen& seen);
// What take_from_owner took out of the store, back in `user` as her own row finds her.
void give_back(const RowsSeen& seen, model::User& user);

}  // namespace invited::service
