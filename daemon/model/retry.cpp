#include "model/retry.hpp"

#include <algorithm>

namespace invited::model {

namespace {

core::Milliseconds grown(core::Milliseconds first, core::Milliseconds longest, int failures) {
  core::Milliseconds pause = first;
  for (int i = 1; i < failures && pause < longest; ++i) pause *= 3;
  return std::min(pause, longest);
}

core::Milliseconds with_wish(core::Milliseconds pause, core::Milliseconds asked, std::uint64_t jitter_per_mille) {
  pause = std::max(pause, std::min<core::Milliseconds>(asked, std::chrono::hours{24}));
  return pause + pause * static_cast<std::int64_t>(jitter_per_mille) / 4'000;
}

}  // namespace

core::Milliseconds pause_after(int failures, core::Milliseconds asked, std::uint64_t jitter_per_mille) {
  using namespace std::chrono_literals;
  return with_wish(grown(1min, 4h, failures), asked, jitter_per_mille);
}

core::Milliseconds provider_pause_after(int failures, core::Milliseconds asked, std::uint64_t jitter_per_mille) {
  using namespace std::chrono_literals;
  return with_wish(grown(1s, 15min, failures), asked, jitter_per_mille);
}

}  // namespace invited::model
