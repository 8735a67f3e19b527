// Batches and what belongs to them, the usual day, and the pace of companies. Every function runs inside a store
// closure.
//
//   if (const auto days = release_days::recent(db, today); model::release_limit(brakes, days) < mails) …
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/batch.hpp"
#include "store/database.hpp"

namespace invited::store {

namespace batches {
// Made once; the same key again changes nothing.
void ensure(Db& db, const model::Batch& batch);
[[nodiscard]] std::optional<model::Batch> get(Db& db, const Id& key);
// In this state, oldest first.
[[nodiscard]] std::vector<model::Batch> in_state(Db& db, model::BatchState state, std::size_t limit);
// Newest first; `before` is the last key of the page before.
[[nodiscard]] std::vector<model::Batch> page(Db& db, std::optional<model::BatchState> state,
                                             const std::optional<Id>& before, std::size_t limit);

struct Decision {
  std::string_view reason;
  std::string_view detail;
  std::int64_t mails = 0;
  std::int64_t withdrawals = 0;
  std::string_view by;
  Instant at{};
};
// Guarded: false when the batch is not in `from`.
[[nodiscard]] bool decide(Db& db, const Id& key, model::BatchState from, model::BatchState to,
                          const Decision& decision);
[[nodiscard]] bool move(Db& db, const Id& key, model::BatchState from, model::BatchState to, std::string_view by,
                        Instant at);

// Adds an item at the batch's end; the same user waiting for the same act in any batch is taken out of there.
void add(Db& db, const Id& key, const model::BatchItem& item);
// The batch in which a user waits for this act.
[[nodiscard]] std::optional<Id> waiting_in(Db& db, const Id& user, model::BatchAct act);
// The batch in which a user waits to be withdrawn, else to be disabled.
[[nodiscard]] std::optional<Id> leaving_in(Db& db, const Id& user);
// Items of any state, in the order they came, after a number.
[[nodiscard]] std::vector<model::BatchItem> items(Db& db, const Id& key, std::int64_t after, std::size_t limit);
// Items that wait, earliest start first. `after`: the last one of the page before.
[[nodiscard]] std::vector<model::BatchItem> waiting(Db& db, const Id& key, model::BatchAct act,
                                                    const std::optional<model::BatchItem>& after, std::size_t limit);
void settle(Db& db, const Id& key, std::int64_t number, std::string_view outcome);
// A user's waiting item ends wherever it is; false if there is none.
bool settle_waiting(Db& db, const Id& user, model::BatchAct act, std::string_view outcome);
// Held, and nobody waits in it any more: everybody was decided about otherwise.
[[nodiscard]] std::vector<model::Batch> empty_held(Db& db);
// Drops batches that ended before `before`, with their items; at most `limit` rows.
[[nodiscard]] std::size_t prune(Db& db, Instant before, std::size_t limit);
}  // namespace batches

namespace release_days {
void count_one(Db& db, model::CivilDate today);
// The counts of the days with automatic mails among those before `today` that the usual day is made of.
[[nodiscard]] std::vector<std::int64_t> recent(Db& db, model::CivilDate today);
}  // namespace release_days

namespace pace {
// Takes the company's next free moment and moves it on by `step`.
[[nodiscard]] Instant take(Db& db, std::string_view company, Instant now, core::Milliseconds step);
}  // namespace pace

}  // namespace invited::store
