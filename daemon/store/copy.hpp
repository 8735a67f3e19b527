// A consistent copy of the state in another file, made a piece at a time while the daemon goes on working: what is
// written meanwhile is in the copy, too.
//
//   auto copy = std::make_shared<Copy>(…);                        // in a store closure, as everything here
//   while (copy->step(256) != Copy::Step::whole) …                // one closure each
//
// Made, used and destroyed on the store's thread.
#pragma once

#include <SQLiteCpp/Backup.h>

#include <cstdint>
#include <memory>
#include <string>

#include "store/database.hpp"

namespace invited::store {

class Copy {
public:
  enum class Step : std::uint8_t {
    more,   // a piece was copied
    later,  // somebody is writing at this moment: try again
    whole,  // everything is copied, and the file is complete
  };
  // Makes the file, which must not exist, with the rights of its folder's owner only. Throws SQLite::Exception if it
  // cannot; `db` outlives the copy.
  Copy(Db& db, const std::string& path);
  // Copies at most `pages` pages of 4 KiB. Throws SQLite::Exception (disk full).
  Step step(int pages);

private:
  SQLite::Database target_;
  std::unique_ptr<SQLite::Backup> backup_;
};

}  // namespace invited::store
