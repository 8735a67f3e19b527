// Everybody for whom something is ahead, in the order of time: the store's streams (store/future.hpp) merged, a page at
// a time from any place on. Each row is one coming act; the decision function says what it is.
//
//   auto rows = ahead(db, until, std::nullopt, 100);
//   rows = ahead(db, until, rows.back().cursor, 100);
//
// Inside store closures. Reads what it gives and a little more, however much exists.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "store/future.hpp"

namespace invited::service {

// The streams, in the order in which acts of the same instant are told.
enum class Stream : std::uint8_t { connecting, under_way, mails, ends, due, leaving };

// A place in the merged future. As text it is what a client hands back to go on.
struct Cursor {
  core::Instant at{};  // for connecting and under_way, which have no time: the beginning of time
  Stream stream = Stream::connecting;
  std::string zone;  // of due and leaving
  store::future::Place place;

  [[nodiscard]] std::string text() const;
  [[nodiscard]] static std::optional<Cursor> parse(std::string_view text);
};

struct Ahead {
  Cursor cursor;  // its own place
  core::Id user;
  [[nodiscard]] Stream stream() const { return cursor.stream; }
};

enum class Which : std::uint8_t { everything, offers };  // offers: without leavers

// The next `limit` after `behind` (nothing: from the beginning) whose time is not after `until`.
[[nodiscard]] std::vector<Ahead> ahead(store::Db& db, core::Instant until, const std::optional<Cursor>& behind,
                                       std::size_t limit, Which which = Which::everything);

}  // namespace invited::service
