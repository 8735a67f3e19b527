#include "core/clock.hpp"

#include <time.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace invited::core {

namespace asio = boost::asio;

Instant SystemClock::now() const {
  return std::chrono::floor<Milliseconds>(std::chrono::system_clock::now());
}

Milliseconds SystemClock::monotonic() const {
  // Counts while the machine is suspended: a lease must not outlive a night in which its owner slept.
  timespec boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  return Milliseconds(static_cast<std::int64_t>(boot.tv_sec) * 1000 + boot.tv_nsec / 1'000'000);
}

asio::awaitable<void> SystemClock::sleep_for(Milliseconds pause) {
  // Asio counts in nanoseconds; a pause such as Milliseconds::max() would overflow there.
  constexpr Milliseconds longest_step = std::chrono::hours(24);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  do {
    const Milliseconds step = std::clamp(pause, Milliseconds(0), longest_step);
    timer.expires_after(step);
    co_await timer.async_wait(asio::use_awaitable);
    pause -= step;
  } while (pause > Milliseconds(0));
}

}  // namespace invited::core
