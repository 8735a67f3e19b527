// Small facts: source cursors, plugin state, and named values of the daemon itself.
//
// Every function runs inside a store closure, on the store's thread, and returns copies. None throws Conflict: putting
// makes or replaces, and removing what is not there does nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/database.hpp"

namespace invited::store::meta {

[[nodiscard]] std::optional<std::string> get(Db& db, std::string_view name);
void put(Db& db, std::string_view name, std::string_view value);

[[nodiscard]] std::string cursor(Db& db, std::string_view source);  // empty: never fetched
void put_cursor(Db& db, std::string_view source, std::string_view cursor, Instant at);

[[nodiscard]] std::optional<std::string> plugin_state(Db& db, std::string_view instance, std::string_view name);
void put_plugin_state(Db& db, std::string_view instance, std::string_view name, std::string_view value);
[[nodiscard]] std::size_t count_plugin_state(Db& db, std::string_view instance);
void remove_plugin_state(Db& db, std::string_view instance, std::string_view name);

}  // namespace invited::store::meta
