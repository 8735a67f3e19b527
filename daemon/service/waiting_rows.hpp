// Rows that want the login email of somebody whose own row may free it: people who swap addresses, or hand them on, in
// one file. Such a row is looked at once more when all others are in, after the row of whom it waits for; addresses
// that go round in a ring are handed on together. Without that the same file again would change something (PRODUCT §6).
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "core/id.hpp"
#include "model/record.hpp"

namespace invited::service {

struct WaitingRow {
  model::SourceRecord record;
  std::optional<core::Id> user;  // whom it is about; nothing: she would be new
  core::Id owner;                // who has the address
  std::size_t place = 0;         // of its result among those of the run
};

// Rings of more people than this are no exchange but a column that slipped: their rows keep their addresses.
constexpr std::size_t longest_ring = 64;

struct Turn {
  std::vector<std::size_t> rows;  // indices; one, or all of a ring
  bool ring = false;
};

// The order in which waiting rows have their last look: everybody after whom she waits for, else as they came. Each row
// stands in exactly one turn.
[[nodiscard]] std::vector<Turn> turns_of(const std::vector<WaitingRow>& rows);

}  // namespace invited::service
