// The record. Each event's hash covers the event before it, so that a change, removal or reordering shows; personal
// detail is covered by a salted commitment only, so that it can be erased and the chain still verifies
// (reliability 5.8).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "model/entities.hpp"
#include "store/database.hpp"

namespace invited::store::audit {

// Appends; `event.seq` is ignored and given.
void append(Db& db, core::Random& random, const model::AuditEvent& event);
struct Range {
  std::optional<std::int64_t> after;   // set: the events after this number, oldest first
  std::optional<std::int64_t> before;  // else: newest first, those before this number
};
[[nodiscard]] std::vector<model::AuditEvent> page(Db& db, const Range& range, const std::string& subject,
                                                  std::size_t limit);
[[nodiscard]] std::int64_t last_seq(Db& db);

struct Verification {
  std::int64_t checked = 0;            // events whose hash is right
  std::optional<std::int64_t> broken;  // the first event that does not fit
  std::int64_t next = 0;               // go on from here; 0: the end was reached
};
// Checks at most `limit` events from `from` on.
[[nodiscard]] Verification verify(Db& db, std::int64_t from, std::size_t limit);

}  // namespace invited::store::audit
