// Domains whose addresses are, or are to be, connected without a mail (PRODUCT §5): exact names and written-out
// wildcards.
//
// Every function runs inside a store closure, on the store's thread, and returns copies. None throws Conflict: put()
// makes or replaces, and remove() says whether it was there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/entities.hpp"
#include "store/database.hpp"

namespace invited::store::domains {

[[nodiscard]] std::vector<model::Domain> all(Db& db);
[[nodiscard]] std::optional<model::Domain> get(Db& db, std::string_view name);
// True if a verified rule covers this ASCII domain.
[[nodiscard]] bool covers(Db& db, std::string_view domain);
// Those that are to be looked up by now, longest overdue first.
[[nodiscard]] std::vector<model::Domain> due(Db& db, Instant now, std::size_t limit);
void put(Db& db, const model::Domain& domain);
[[nodiscard]] bool remove(Db& db, std::string_view name);

}  // namespace invited::store::domains
