#include "store/database.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include "store/migrations.hpp"

namespace invited::store {

namespace {
using core::ErrorKind;
using core::fail;

constexpr int lookaside_octets = 1'200;
constexpr int lookaside_slots = 1'000;

std::string setting(SQLite::Database& database, const char* pragma) {
  SQLite::Statement q(database, pragma);
  return q.executeStep() ? q.getColumn(0).getString() : std::string();
}

// SQLite counts every byte it allocates under one lock, which nobody here asks for. Of use only before the first
// connection of the process; too late it changes nothing.
void leave_memory_uncounted() {
  static const int done = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  (void)done;
}

// What SQLite keeps to itself when it is "unable to open database file"; nothing if all looks right by now.
std::optional<std::string> why_not_openable(const std::filesystem::path& file) {
  namespace fs = std::filesystem;
  const auto may = [](const fs::path& path, int what) {
    return ::faccessat(AT_FDCWD, path.c_str(), what, AT_EACCESS) == 0;
  };
  const auto reason = [] { return std::generic_category().message(errno); };
  const fs::path folder = file.has_parent_path() ? file.parent_path() : ".";
  std::error_code error;
  const auto about = fs::status(folder, error);
  if (about.type() == fs::file_type::not_found) return fmt::format("the folder {} does not exist", folder.string());
  if (about.type() == fs::file_type::none)
    return fmt::format("the folder {} cannot be looked at: {}", folder.string(), error.message());
  if (!fs::is_directory(about)) return fmt::format("{} is not a folder", folder.string());
  if (!may(folder, W_OK | X_OK))
    return fmt::format("this user (uid {}) may not write into the folder {}: {}", ::geteuid(), folder.string(),
                       reason());
  const auto itself = fs::symlink_status(file, error);
  if (fs::is_symlink(itself)) return "it is a symbolic link, and those are not followed";
  if (!fs::exists(itself)) return std::nullopt;
  if (!fs::is_regular_file(itself)) return "it is not a regular file";
  if (!may(file, R_OK | W_OK))
    return fmt::format("this user (uid {}) may not read and write it: {}", ::geteuid(), reason());
  return std::nullopt;
}
}  // namespace

Db::Db(const std::string& path)
    // One thread at a time uses it: SQLite need not lock for each call.
    : database_(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOFOLLOW | SQLite::OPEN_NOMUTEX) {}

core::Result<std::unique_ptr<Db>> Db::open(const std::string& path) {
  try {
    leave_memory_uncounted();
    std::unique_ptr<Db> db(new Db(path));
    if (auto done = db->configure(path == ":memory:"); !done) return core::fail(done.error());
    if (auto done = db->migrate(); !done) return core::fail(done.error());
    return db;
  } catch (const SQLite::Exception& e) {
    const int code = e.getErrorCode();
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
      return fail(ErrorKind::unavailable, "state_in_use",
                  "Another daemon already uses this state: stop it first, or choose another state_dir.", path);
    // A file that may not be written is, by what was tried first, any of these.
    if (code == SQLITE_CANTOPEN || code == SQLITE_READONLY || code == SQLITE_IOERR) {
      const auto why = why_not_openable(path);
      if (why || code == SQLITE_CANTOPEN)
        return fail(ErrorKind::unavailable, "state_not_openable",
                    fmt::format("The state file cannot be opened: {}.", why.value_or(e.what())), path);
    }
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
      return fail(ErrorKind::internal, "state_damaged",
                  fmt::format("The state file is damaged ({}): restore a backup.", e.what()), path);
    return fail(ErrorKind::internal, "state_error", fmt::format("The state file cannot be used: {}.", e.what()), path);
  }
}

core::Result<void> Db::configure(bool in_memory) {
  // The statements that are kept hold small pieces of it for good; without a larger one every step would go to malloc.
  (void)sqlite3_db_config(database_.getHandle(), SQLITE_DBCONFIG_LOOKASIDE, nullptr, lookaside_octets, lookaside_slots);
  // Exclusive before the first access: SQLite then keeps the WAL index in private memory, so that a kill at any
  // instruction equals a kill at the next system call (reliability notes, 2.0).
  database_.exec("PRAGMA locking_mode = EXCLUSIVE");
  database_.exec("PRAGMA journal_mode = WAL");
  database_.exec("PRAGMA synchronous = FULL");
  database_.exec("PRAGMA foreign_keys = ON");
  database_.exec("PRAGMA secure_delete = ON");
  database_.exec("PRAGMA temp_store = MEMORY");
  database_.exec("PRAGMA cache_size = -16384");
  database_.exec("BEGIN EXCLUSIVE; COMMIT");
  const auto differs = [&](const char* pragma, std::string_view wanted) {
    return setting(database_, pragma) != wanted;
  };
  if (differs("PRAGMA synchronous", "2") || differs("PRAGMA foreign_keys", "1") ||
      (!in_memory && (differs("PRAGMA journal_mode", "wal") || differs("PRAGMA locking_mode", "exclusive"))))
    return fail(ErrorKind::internal, "state_settings",
                "SQLite does not keep the settings that durability needs (WAL, synchronous=FULL, exclusive).");
  return {};
}

core::Result<void> Db::migrate() {
  const int present = std::stoi(setting(database_, "PRAGMA user_version"));
  const int newest = migrations().back().number;
  created_ = present == 0;
  if (present > newest)
    return fail(
        ErrorKind::conflict, "state_too_new",
        fmt::format(
            "The state was written by a newer daemon (schema {}, this one knows {}): install that version again.",
            present, newest));
  for (const Migration& migration : migrations()) {
    if (migration.number <= present) continue;
    SQLite::Transaction transaction(database_);
    database_.exec(std::string(migration.sql));
    database_.exec(fmt::format("PRAGMA user_version = {}", migration.number));
    transaction.commit();
  }
  return {};
}

void Db::give_up_durability() {
  database_.exec("PRAGMA synchronous = OFF");
}

SQLite::Statement& Db::cached(std::string_view sql) {
  auto& slot = statements_[sql];
  if (!slot) {
    slot = std::make_unique<SQLite::Statement>(database_, std::string(sql));
  } else {
    slot->tryReset();  // reset() would throw the error of the last run once more
    slot->clearBindings();
  }
  return *slot;
}

SQLite::Statement& Db::prepare_built(const std::string& sql) {
  if (built_.size() > 256) built_.clear();
  auto& slot = built_[sql];
  if (!slot) {
    slot = std::make_unique<SQLite::Statement>(database_, sql);
  } else {
    slot->tryReset();  // reset() would throw the error of the last run once more
    slot->clearBindings();
  }
  return *slot;
}

Id id_at(SQLite::Statement& q, int column) {
  return Id{bytes_at<16>(q, column)};
}

std::optional<Id> optional_id_at(SQLite::Statement& q, int column) {
  if (q.getColumn(column).isNull()) return std::nullopt;
  return id_at(q, column);
}

Instant instant_at(SQLite::Statement& q, int column) {
  return Instant{core::Milliseconds{q.getColumn(column).getInt64()}};
}

std::optional<Instant> optional_instant_at(SQLite::Statement& q, int column) {
  if (q.getColumn(column).isNull()) return std::nullopt;
  return instant_at(q, column);
}

std::string text_at(SQLite::Statement& q, int column) {
  return q.getColumn(column).getString();
}

Savepoint::Savepoint(Db& db) : db_(db) {
  db_.run("SAVEPOINT trial");
}

Savepoint::~Savepoint() {
  if (!open_) return;
  try {
    db_.run("ROLLBACK TO trial");
    db_.run("RELEASE trial");
  } catch (const SQLite::Exception&) {
    // The whole transaction is already rolled back: nothing is left to undo.
  }
}

void Savepoint::release() {
  db_.run("RELEASE trial");
  open_ = false;
}

}  // namespace invited::store
