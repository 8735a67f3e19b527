// The one SQLite connection: opened strictly, migrated, with its prepared statements kept. Used on the store's thread
// only.
//
//   auto opened = Db::open("/var/lib/invited/state.db");
//   if (!opened) return fail(opened.error());
//   Db& db = **opened;
//   auto& q = db.prepare("SELECT name FROM users WHERE key = ?", key);
//   if (q.executeStep()) …
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/id.hpp"
#include "core/result.hpp"
#include "model/civil_time.hpp"

namespace invited::store {

using core::Id;
using core::Instant;

// A guarded update that did not change exactly one row: the row was not in the state the caller believed.
class Conflict : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

class Db {
public:
  // Opens (or creates) the file, takes it for this process alone, reads every setting back and applies migrations.
  // ":memory:" for tests. Errors: `unavailable` if another process holds it, `conflict` if a newer daemon wrote it,
  // `internal` for corruption.
  [[nodiscard]] static core::Result<std::unique_ptr<Db>> open(const std::string& path);

  // The statement for this text, reset, with the arguments bound to ?1, ?2, … The text must be a literal (its address
  // is the cache key's content). Do not run the same text again while stepping through it: collect rows first.
  template <class... Args>
  SQLite::Statement& prepare(std::string_view sql, const Args&... args) {
    SQLite::Statement& statement = cached(sql);
    int index = 0;
    (bind(statement, ++index, args), ...);
    return statement;
  }
  // Runs it to the end; the number of changed rows.
  template <class... Args>
  int run(std::string_view sql, const Args&... args) {
    return prepare(sql, args...).exec();
  }
  // Runs it and throws Conflict unless exactly one row changed.
  template <class... Args>
  void run_one(std::string_view sql, const Args&... args) {
    if (prepare(sql, args...).exec() != 1) throw Conflict("a guarded update found another state");
  }
  // First column of the first row as an integer; nothing when there is no row or it is null.
  template <class... Args>
  std::optional<std::int64_t> integer(std::string_view sql, const Args&... args) {
    SQLite::Statement& q = prepare(sql, args...);
    std::optional<std::int64_t> value;
    if (q.executeStep() && !q.getColumn(0).isNull()) value = q.getColumn(0).getInt64();
    q.reset();
    return value;
  }

  SQLite::Database& raw() { return database_; }
  // For a copy that is thrown away: commits no longer wait for the disk.
  void give_up_durability();
  [[nodiscard]] bool created() const { return created_; }  // this open made the file

  // Values are copied: an argument need not outlive the call.
  static void bind(SQLite::Statement& q, int i, std::string_view v) { q.bind(i, std::string(v)); }
  static void bind(SQLite::Statement& q, int i, const std::string& v) { q.bind(i, v); }
  static void bind(SQLite::Statement& q, int i, const char* v) { q.bind(i, v); }
  static void bind(SQLite::Statement& q, int i, std::int64_t v) { q.bind(i, v); }
  static void bind(SQLite::Statement& q, int i, std::int32_t v) { q.bind(i, v); }
  static void bind(SQLite::Statement& q, int i, std::uint32_t v) { q.bind(i, static_cast<std::int64_t>(v)); }
  static void bind(SQLite::Statement& q, int i, bool v) { q.bind(i, v ? 1 : 0); }
  static void bind(SQLite::Statement& q, int i, const Id& v) { bind(q, i, v.bytes); }
  static void bind(SQLite::Statement& q, int i, Instant v) {
    q.bind(i, static_cast<std::int64_t>(v.time_since_epoch().count()));
  }
  template <std::size_t N>
  static void bind(SQLite::Statement& q, int i, const std::array<std::byte, N>& v) {
    q.bind(i, v.data(), static_cast<int>(N));
  }
  template <class T>
  static void bind(SQLite::Statement& q, int i, const std::optional<T>& v) {
    if (v) {
      bind(q, i, *v);
    } else {
      q.bind(i);
    }
  }

private:
  explicit Db(const std::string& path);
  SQLite::Statement& cached(std::string_view sql);
  core::Result<void> configure(bool in_memory);
  core::Result<void> migrate();

  SQLite::Database database_;
  std::unordered_map<std::string_view, std::unique_ptr<SQLite::Statement>> statements_;
  std::unordered_map<std::string, std::unique_ptr<SQLite::Statement>> built_;
  bool created_ = false;

public:
  // For SQL put together at run time (filters): cached by content.
  SQLite::Statement& prepare_built(const std::string& sql);
};

// Column readers, shared by the row functions of this layer.
[[nodiscard]] Id id_at(SQLite::Statement& q, int column);
[[nodiscard]] std::optional<Id> optional_id_at(SQLite::Statement& q, int column);
[[nodiscard]] Instant instant_at(SQLite::Statement& q, int column);
[[nodiscard]] std::optional<Instant> optional_instant_at(SQLite::Statement& q, int column);
[[nodiscard]] std::string text_at(SQLite::Statement& q, int column);
template <std::size_t N>
[[nodiscard]] std::array<std::byte, N> bytes_at(SQLite::Statement& q, int column) {
  std::array<std::byte, N> out{};
  const auto value = q.getColumn(column);
  if (static_cast<std::size_t>(value.getBytes()) == N)
    std::copy_n(static_cast<const std::byte*>(value.getBlob()), N, out.begin());
  return out;
}

// Undoes everything since it was made, unless released. For trial runs inside a closure (--dry-run).
class Savepoint {
public:
  explicit Savepoint(Db& db);
  ~Savepoint();
  Savepoint(const Savepoint&) = delete;
  Savepoint& operator=(const Savepoint&) = delete;
  void release();

private:
  Db& db_;
  bool open_ = true;
};

}  // namespace invited::store
