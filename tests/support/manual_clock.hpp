// A clock that moves when told, for tests and the simulator: no test sleeps.
//
// Sleepers wake in the order of their time, then of their going to sleep; each is posted to its executor, so the same
// steps give the same run. The loop of a simulation is
//
//   while (true) {
//     while (io.poll() > 0) {}
//     const auto next = clock.next_wakeup();
//     if (!next) break;                              // nobody waits for time: the run is over, or it hangs
//     clock.advance(*next - clock.monotonic());
//   }
//
// now() and monotonic() may be read from any thread; everything else belongs to the thread that runs the executor.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "core/clock.hpp"

namespace invited::test {

class ManualClock final : public core::Clock {
public:
  // 2026-01-01T00:00:00Z unless told otherwise. The monotonic clock starts at 1,000,000 ms: it is no wall clock.
  explicit ManualClock(core::Instant start = core::Instant(core::Milliseconds(1'767'225'600'000)))
      : wall_(start.time_since_epoch().count()) {}

  [[nodiscard]] core::Instant now() const override { return core::Instant(core::Milliseconds(wall_.load())); }
  [[nodiscard]] core::Milliseconds monotonic() const override { return core::Milliseconds(monotonic_.load()); }

  boost::asio::awaitable<void> sleep_for(core::Milliseconds pause) override {
    namespace asio = boost::asio;
    const auto sleepers = sleepers_;
    // A timer that never expires by itself: it belongs to the io_context like any other operation, so it is cancelled
    // and destroyed as one; advance() ends it.
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    const bool at_once = pause <= core::Milliseconds(0);
    if (at_once) {
      timer.expires_at(asio::steady_timer::time_point::min());
      co_await timer.async_wait(asio::use_awaitable);
      co_return;
    }
    const auto far = core::Milliseconds::max() - monotonic();
    Sleeper sleeper(sleepers, monotonic() + std::min(pause, far), timer);
    boost::system::error_code woken;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    if (!sleeper.due) throw boost::system::system_error(asio::error::operation_aborted);
  }

  // Both clocks move on by `step`, and the sleepers whose time has come are posted. They see the time of the end of the
  // step: to see each wake-up at its own time, go from next_wakeup() to next_wakeup().
  void advance(core::Milliseconds step) {
    if (step < core::Milliseconds(0))
      throw std::invalid_argument("ManualClock: time does not run backwards; set_wall may");
    wall_ += step.count();
    monotonic_ += step.count();
    auto& waiting = sleepers_->waiting;
    while (!waiting.empty() && waiting.begin()->first.first <= monotonic()) {
      Sleeper* sleeper = waiting.begin()->second;
      waiting.erase(waiting.begin());
      sleeper->due = true;
      sleeper->timer.cancel();
    }
  }

  // The wall clock jumps, forwards or back; nobody wakes for that.
  void set_wall(core::Instant now) { wall_ = now.time_since_epoch().count(); }
  void jump_wall(core::Milliseconds by) { wall_ += by.count(); }

  // When the first sleeper wakes, in monotonic time; nothing if nobody sleeps.
  [[nodiscard]] std::optional<core::Milliseconds> next_wakeup() const {
    if (sleepers_->waiting.empty()) return std::nullopt;
    return sleepers_->waiting.begin()->first.first;
  }
  [[nodiscard]] std::size_t sleeping() const { return sleepers_->waiting.size(); }

private:
  struct Sleeper;
  using Place = std::pair<core::Milliseconds, std::uint64_t>;  // when, and which came first

  // Shared with the sleeping coroutines, which may be destroyed after the clock.
  struct Sleepers {
    std::map<Place, Sleeper*> waiting;
    std::uint64_t count = 0;
  };

  struct Sleeper {
    std::shared_ptr<Sleepers> all;
    Place place;
    boost::asio::steady_timer& timer;
    bool due = false;

    Sleeper(std::shared_ptr<Sleepers> sleepers, core::Milliseconds at, boost::asio::steady_timer& end)
        : all(std::move(sleepers)), place(at, all->count++), timer(end) {
      all->waiting.emplace(place, this);
    }
    ~Sleeper() {
      if (!due) all->waiting.erase(place);
    }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;
  };

  std::atomic<std::int64_t> wall_;
  std::atomic<std::int64_t> monotonic_{1'000'000};
  std::shared_ptr<Sleepers> sleepers_ = std::make_shared<Sleepers>();
};

}  // namespace invited::test
