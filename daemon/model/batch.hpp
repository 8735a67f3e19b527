// Brakes: what would go out at once by the rules is a batch; too large a batch is held as a whole for a person.
//
// The arithmetic of the brakes is pure and stands here; service/batches.hpp does the rest.
//
//   release_limit(brakes, {40, 55, 38, 61, 47});   // 482: ten times the usual day is less than 1,000
//   shrinks(brakes, 30, 100);                      // true: 30 of 100 waiting people would be withdrawn
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/id.hpp"
#include "model/civil_time.hpp"

namespace invited::model {

using core::Id;

// 0 switches a brake off.
struct Brakes {
  std::int64_t batch = 1'000;         // mails that may go out at once
  std::int64_t times_usual_day = 10;  // the same, as a multiple of the usual day
  std::int64_t shrink_percent = 20;   // of the people who wait that one run of a source may withdraw
  bool operator==(const Brakes&) const = default;
};

inline constexpr int usual_days_looked_at = 28;
inline constexpr std::size_t usual_days_needed = 5;
inline constexpr std::int64_t usual_limit_at_least = 50;
inline constexpr std::int64_t shrink_at_least = 5;  // people

// How many mails a batch may send without being held; nothing: any number. `days`: the automatic mails of each of the
// last days on which there were any.
[[nodiscard]] std::optional<std::int64_t> release_limit(const Brakes& brakes, std::span<const std::int64_t> days);
// Withdrawing so many of the people who wait is not plausible.
[[nodiscard]] bool shrinks(const Brakes& brakes, std::int64_t withdrawals, std::int64_t pending);

enum class BatchCause : std::uint8_t {
  import,    // a file that somebody gave
  sync,      // a source was read
  push,      // a source was given records by its HR system
  schedule,  // due in one pass of the scheduler
  settings,  // planned again because the configuration changed
};

enum class BatchState : std::uint8_t {
  open,        // its run goes on
  filling,     // it will be held: what belongs to it is being collected
  held,        // waits for a person
  releasing,   // let go, being worked off
  discarding,  // likewise
  released,
  discarded,
};

enum class BatchAct : std::uint8_t { release, withdraw, disable };

struct Batch {
  Id key;
  BatchCause cause = BatchCause::import;
  std::string source;  // instance name; empty: no source
  std::string actor;
  BatchState state = BatchState::open;
  std::string reason;  // why it is held
  std::string detail;
  std::int64_t mails = 0;        // as counted when it was decided
  std::int64_t withdrawals = 0;  // likewise; disabled users count as withdrawn
  std::string decided_by;
  std::optional<core::Instant> decided_at;
  core::Instant created_at{};
};

struct BatchItem {
  std::int64_t number = 0;
  BatchAct act = BatchAct::release;
  Id user;
  std::optional<Id> employment;
  std::string company;
  std::int32_t rank = 0;
  std::string outcome;  // empty: waits
};

// What stands in an invitation's held_reason while a batch holds it: "batch:01890a5d-…".
[[nodiscard]] std::string held_by_batch(const Id& batch);
[[nodiscard]] std::optional<Id> batch_holding(std::string_view held_reason);

[[nodiscard]] std::string_view to_text(BatchCause);
[[nodiscard]] std::string_view to_text(BatchState);
[[nodiscard]] std::string_view to_text(BatchAct);
[[nodiscard]] std::optional<BatchCause> parse_batch_cause(std::string_view);
[[nodiscard]] std::optional<BatchState> parse_batch_state(std::string_view);
[[nodiscard]] std::optional<BatchAct> parse_batch_act(std::string_view);

}  // namespace invited::model
