// The self-service pages that are open: one row per user, gone soon after its end.
#pragma once

#include <optional>

#include "model/entities.hpp"
#include "store/database.hpp"

namespace invited::store::self_service {

// Takes the place of an older page of the same user, whose URL is over by that.
void put(Db& db, const model::SelfServicePage& page);
[[nodiscard]] std::optional<model::SelfServicePage> by_selector(Db& db, const std::array<std::byte, 12>& selector);
void count_try(Db& db, const Id& user);
// Removes up to `limit` that ended before; the number removed.
[[nodiscard]] std::size_t prune(Db& db, Instant before, std::size_t limit);

}  // namespace invited::store::self_service
