// When a failed try is repeated. Pure; the jitter is passed in so that a run can be replayed.
#pragma once

#include <cstdint>

#include "core/clock.hpp"

namespace invited::model {

// How often one mail may be tried with an unknown outcome before a person looks at it (ARCHITECTURE §6).
inline constexpr int most_uncertain_tries = 3;

// The pause after the `failures`-th failure in a row (1, 2, …): one minute growing to four hours, plus up to a quarter
// of it by `jitter` in [0, 1000). A server's own wish (`asked`, 0 = none) is honoured up to a day.
[[nodiscard]] core::Milliseconds pause_after(int failures, core::Milliseconds asked, std::uint64_t jitter_per_mille);

// The pause of a provider call: one second growing to fifteen minutes.
[[nodiscard]] core::Milliseconds provider_pause_after(int failures, core::Milliseconds asked,
                                                      std::uint64_t jitter_per_mille);

}  // namespace invited::model
