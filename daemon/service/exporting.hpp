// The list of users as records, a piece at a time, for a source that writes them as a file (PRODUCT §6). What an import
// would read out of them is what is there: a file goes round and changes nothing.
//
//   ExportPiece piece = co_await export_piece(&store, &policies, filter, std::nullopt);
//   while (piece.next) piece = co_await export_piece(&store, &policies, filter, piece.next);
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <vector>

#include "model/filter.hpp"
#include "model/policy.hpp"
#include "model/record.hpp"
#include "store/store.hpp"

namespace invited::service {

struct ExportPiece {
  std::vector<model::SourceRecord> records;  // may be none also where others follow
  std::optional<core::Id> next;              // `after` of the next piece; nothing: that was the last one
};

// Both outlive the call. [core-thread]
boost::asio::awaitable<ExportPiece> export_piece(store::Store* store, const model::Policies* policies,
                                                 model::UserFilter filter, std::optional<core::Id> after);

}  // namespace invited::service
