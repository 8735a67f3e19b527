// PRODUCT §7 rule 9: a restored backup or a copied state folder mails nobody before an operator says so.
//
// The database knows its own file (inode) and a counter; a small file beside it knows the counter, too. A state that
// was copied has another inode; one that was restored has a counter that is behind, or, restored with the file beside
// it, a file that was changed (its ctime) since the daemon wrote it. Either way sending is held until `invitectl state
// confirm`.
#pragma once

#include <filesystem>
#include <string>

#include "core/random.hpp"
#include "core/result.hpp"
#include "store/database.hpp"

namespace invited::app {

class Fence {
public:
  Fence(std::filesystem::path database, std::filesystem::path file)
      : database_(std::move(database)), file_(std::move(file)) {}

  // At start, before anything else uses the database: empty if all is as it was left, else why sending must be held.
  [[nodiscard]] core::Result<std::string> check(store::Db& db, core::Random& random);
  // Inside a store closure. An operator says that this state may send.
  void confirm(store::Db& db) const;
  // Inside a store closure. Moves the counter on, so that a backup taken before is recognised.
  void count_up(store::Db& db) const;
  // Inside a later store closure, when the counter is durable: the file must never be ahead of a database that is
  // whole.
  [[nodiscard]] core::Result<void> write_file(store::Db& db) const;
  // Inside the store closure after that: remembers the file as it is now. Where a kill comes between the two, the file
  // is taken as it is found.
  void note_file(store::Db& db) const;

private:
  [[nodiscard]] std::string changed_at() const;
  [[nodiscard]] std::string inode() const;
  std::filesystem::path database_;
  std::filesystem::path file_;
};

}  // namespace invited::app
