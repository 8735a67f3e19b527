// The only place that reads the time.
//
// Everything that needs "now" takes a Clock&; tests and the simulator pass a ManualClock
// (tests/support/manual_clock.hpp) that moves when told. All instants are UTC milliseconds.
//
//   co_await clock.sleep_for(5s);                        // ended early by TaskScope::stop()
//   if (clock.monotonic() >= lease_ends_at) …             // lengths of time
//   const Instant accepted_at = clock.now();              // points in time
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>

namespace invited::core {

using Milliseconds = std::chrono::milliseconds;
using Instant = std::chrono::sys_time<Milliseconds>;

class Clock {
public:
  virtual ~Clock() = default;
  // Wall clock. May jump. [any-thread]
  [[nodiscard]] virtual Instant now() const = 0;
  // Monotonic, arbitrary origin; for lengths of time, leases and pauses. Counts while the machine is suspended.
  // [any-thread]
  [[nodiscard]] virtual Milliseconds monotonic() const = 0;
  // Suspends the calling coroutine for `pause` of monotonic time (at least once through the executor's queue, also for
  // a pause of zero or less). Ends early, by throwing boost::system::system_error(operation_aborted), when the
  // coroutine is cancelled. [core-thread]
  virtual boost::asio::awaitable<void> sleep_for(Milliseconds pause) = 0;
};

// Reads the system's clocks; sleeps on an Asio timer of the awaiting coroutine's executor.
class SystemClock final : public Clock {
public:
  [[nodiscard]] Instant now() const override;
  [[nodiscard]] Milliseconds monotonic() const override;
  boost::asio::awaitable<void> sleep_for(Milliseconds pause) override;
};

}  // namespace invited::core
