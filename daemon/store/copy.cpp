#include "store/copy.hpp"

#include <sqlite3.h>

namespace invited::store {

Copy::Copy(Db& db, const std::string& path)
    : target_(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOFOLLOW),
      backup_(std::make_unique<SQLite::Backup>(target_, db.raw())) {
  // A scratch file: nobody recovers it, nobody waits for the disk.
  target_.exec("PRAGMA synchronous = OFF");
}

Copy::Step Copy::step(int pages) {
  switch (backup_->executeStep(pages)) {
    case SQLITE_DONE:
      backup_.reset();
      return Step::whole;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Step::later;
    default:
      return Step::more;
  }
}

}  // namespace invited::store
