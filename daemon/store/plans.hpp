// Bulk plans: computed once, then run exactly so; an interrupted run goes on from the items not yet done.
//
// Every function runs inside a store closure, on the store's thread, and returns copies. set_detail() throws Conflict
// if there is no such plan, settle_item() if there is no such item; the others change nothing then.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/database.hpp"

namespace invited::store::plans {

struct Plan {
  Id key;
  std::string kind;  // "send-verification"
  std::string actor;
  std::string detail;  // JSON: the filter and the counts, as shown
  std::string state;   // planned, running, done
  Instant created_at{};
};

struct Item {
  std::int64_t number = 0;
  Id user;
};

void insert(Db& db, const Plan& plan);
void set_detail(Db& db, const Id& key, std::string_view detail);
[[nodiscard]] std::optional<Plan> get(Db& db, const Id& key);
// Guarded: planned → running; false when it is not `planned`.
[[nodiscard]] bool start(Db& db, const Id& key);
// From now on what it does is this actor's doing.
void take_over(Db& db, const Id& key, const std::string& actor);
void finish(Db& db, const Id& key);
[[nodiscard]] std::vector<Plan> running(Db& db);

void add_items(Db& db, const Id& key, std::int64_t first_number, const std::vector<Id>& users);
[[nodiscard]] std::vector<Item> open_items(Db& db, const Id& key, std::int64_t after, std::size_t limit);
void settle_item(Db& db, const Id& key, std::int64_t number, std::string_view outcome);
// In pieces of `limit` items, behind an item's number; `last`: where to go on, nothing at the end.
struct Outcomes {
  std::vector<std::pair<std::string, std::int64_t>> counts;
  std::optional<std::int64_t> last;
};
[[nodiscard]] Outcomes count_outcomes(Db& db, const Id& key, std::int64_t after, std::size_t limit);
// Drops plans that were never run, and finished ones, made before `before`; at most `limit`.
[[nodiscard]] std::size_t prune(Db& db, Instant before, std::size_t limit);

}  // namespace invited::store::plans
