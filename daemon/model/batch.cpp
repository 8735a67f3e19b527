#include "model/batch.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace invited::model {

namespace {

constexpr std::string_view batch_prefix = "batch:";
constexpr std::array<std::string_view, 5> causes{"import", "sync", "push", "schedule", "settings"};
constexpr std::array<std::string_view, 7> states{"open",       "filling",  "held",     "releasing",
                                                 "discarding", "released", "discarded"};
constexpr std::array<std::string_view, 3> acts{"release", "withdraw", "disable"};

template <class Enum, std::size_t n>
std::optional<Enum> parse(const std::array<std::string_view, n>& names, std::string_view text) {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::optional<std::int64_t> release_limit(const Brakes& brakes, std::span<const std::int64_t> days) {
  std::optional<std::int64_t> limit;
  if (brakes.batch > 0) limit = brakes.batch;
  if (brakes.times_usual_day > 0 && days.size() >= usual_days_needed) {
    const std::int64_t all = std::accumulate(days.begin(), days.end(), std::int64_t{0});
    const std::int64_t usual = brakes.times_usual_day * all / static_cast<std::int64_t>(days.size());
    const std::int64_t allowed = std::max(usual_limit_at_least, usual);
    limit = std::min(limit.value_or(allowed), allowed);
  }
  return limit;
}

bool shrinks(const Brakes& brakes, std::int64_t withdrawals, std::int64_t pending) {
  return brakes.shrink_percent > 0 && withdrawals >= shrink_at_least &&
         withdrawals * 100 > brakes.shrink_percent * pending;
}

std::string held_by_batch(const Id& batch) {
  return std::string(batch_prefix) + batch.text();
}

std::optional<Id> batch_holding(std::string_view held_reason) {
  if (!held_reason.starts_with(batch_prefix)) return std::nullopt;
  return Id::parse(std::string(held_reason.substr(batch_prefix.size())));
}

std::string_view to_text(BatchCause cause) {
  return causes.at(static_cast<std::size_t>(cause));
}
std::string_view to_text(BatchState state) {
  return states.at(static_cast<std::size_t>(state));
}
std::string_view to_text(BatchAct act) {
  return acts.at(static_cast<std::size_t>(act));
}
std::optional<BatchCause> parse_batch_cause(std::string_view text) {
  return parse<BatchCause>(causes, text);
}
std::optional<BatchState> parse_batch_state(std::string_view text) {
  return parse<BatchState>(states, text);
}
std::optional<BatchAct> parse_batch_act(std::string_view text) {
  return parse<BatchAct>(acts, text);
}

}  // namespace invited::model
