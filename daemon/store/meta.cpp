#include "store/meta.hpp"

namespace invited::store::meta {

namespace {
std::optional<std::string> one(SQLite::Statement& q) {
  std::optional<std::string> value;
  if (q.executeStep()) value = text_at(q, 0);
  q.reset();
  return value;
}
}  // namespace

std::optional<std::string> get(Db& db, std::string_view name) {
  return one(db.prepare("SELECT value FROM meta WHERE name = ?", name));
}

void put(Db& db, std::string_view name, std::string_view value) {
  db.run("INSERT INTO meta (name, value) VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name,
         value);
}

std::string cursor(Db& db, std::string_view source) {
  return one(db.prepare("SELECT cursor FROM source_cursors WHERE name = ?", source)).value_or("");
}

void put_cursor(Db& db, std::string_view source, std::string_view cursor, Instant at) {
  db.run(
      "INSERT INTO source_cursors (name, cursor, at) VALUES (?,?,?) ON CONFLICT (name) DO UPDATE SET cursor = "
      "excluded.cursor, at = excluded.at",
      source, cursor, at);
}

std::optional<std::string> plugin_state(Db& db, std::string_view instance, std::string_view name) {
  return one(db.prepare("SELECT value FROM plugin_state WHERE instance = ? AND name = ?", instance, name));
}

void put_plugin_state(Db& db, std::string_view instance, std::string_view name, std::string_view value) {
  // Stored as bytes: a plugin may keep what it likes.
  db.run(
      "INSERT INTO plugin_state (instance, name, value) VALUES (?,?,CAST(? AS BLOB)) ON CONFLICT (instance, name) DO "
      "UPDATE SET value = excluded.value",
      instance, name, value);
}

std::size_t count_plugin_state(Db& db, std::string_view instance) {
  return static_cast<std::size_t>(
      db.integer("SELECT count(*) FROM plugin_state WHERE instance = ?", instance).value_or(0));
}

void remove_plugin_state(Db& db, std::string_view instance, std::string_view name) {
  db.run("DELETE FROM plugin_state WHERE instance = ? AND name = ?", instance, name);
}

}  // namespace invited::store::meta
