// What the rows of one run so far mean for the next one.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>

#include "core/id.hpp"

namespace invited::service {

// Belongs to the store's thread while a closure of the run is under way, else to the core thread.
struct RowsSeen {
  std::unordered_map<std::string, std::string> file_columns;  // field → what the file calls it
  std::unordered_set<std::string> user_ids;                   // folded
  std::unordered_set<std::string> references;                 // external_ref of rows without a user-id
  std::unordered_set<std::string> waiting;                    // folded user-ids whose rows wait (waiting_rows.hpp)
  bool last_look = false;  // at rows that waited: an address that is still another user's now stays so
  // Dry run: what its rows would have left if it kept them.
  std::unordered_set<std::string> taken_emails;    // canonical, saved by an earlier row
  std::unordered_set<std::string> left_old_email;  // folded user-ids whose stored login email is theirs no longer
  // While addresses go round: whose they are, and what the store does not say of those who gave theirs up first.
  std::unordered_set<core::Id> exchanging;
  struct Address {
    std::string typed;
    std::string canonical;
    std::string domain;
  };
  std::unordered_map<core::Id, Address> given_up;
};

}  // namespace invited::service
