// A clock that moves when told: for rehearsals, the simulator and tests.
//
// Sleepers wake in the order of their time, then of their going to sleep; each is posted to its executor, so the same
// steps give the same run. The loop of a run is
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

namespace invited::core {

class VirtualClock final : public Clock {
public:
  // 2026-01-01T00:00:00Z unless told otherwise. The monotonic clock starts at 1,000,000 ms: it is no wall clock.
  explicit VirtualClock(Instant start = Instant(Milliseconds(1'767'225'600'000)))
      : wall_(start.time_since_epoch().count()) {}

  [[nodiscard]] Instant now() const override { return Instant(Milliseconds(wall_.load())); }
  [[nodiscard]] Milliseconds monotonic() const override { return Milliseconds(monotonic_.load()); }

  boost::asio::awaitable<void> sleep_for(Milliseconds pause) override {
    namespace asio = boost::asio;
    const auto sleepers = sleepers_;
    // A timer that never expires by itself: it belongs to the io_context like any other operation, so it is cancelled
    // and destroyed as one; advance() ends it.
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    const bool at_once = pause <= Milliseconds(0);
    if (at_once) {
      timer.expires_at(asio::steady_timer::time_point::min());
      co_await timer.async_wait(asio::use_awaitable);
      co_return;
    }
    const auto far = Milliseconds::max() - monotonic();
    Sleeper sleeper(sleepers, monotonic() + std::min(pause, far), timer);
    boost::system::error_code woken;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    if (!sleeper.due) throw boost::system::system_error(asio::error::operation_aborted);
  }

  // Both clocks move on by `step`, and the sleepers whose time has come are posted. They see the time of the end of the
  // step: to see each wake-up at its own time, go from next_wakeup() to next_wakeup().
  void advance(Milliseconds step) {
    if (step < Milliseconds(0)) throw std::invalid_argument("VirtualClock: time does not run backwards; set_wall may");
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
  void set_wall(Instant now) { wall_ = now.time_since_epoch().count(); }
  void jump_wall(Milliseconds by) { wall_ += by.count(); }

  // When the first sleeper wakes, in monotonic time; nothing if nobody sleeps.
  [[nodiscard]] std::optional<Milliseconds> next_wakeup() const {
    if (sleepers_->waiting.empty()) return std::nullopt;
    return sleepers_->waiting.begin()->first.first;
  }
  [[nodiscard]] std::size_t sleeping() const { return sleepers_->waiting.size(); }

private:
  struct Sleeper;
  using Place = std::pair<Milliseconds, std::uint64_t>;  // when, and which came first

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

    Sleeper(std::shared_ptr<Sleepers> sleepers, Milliseconds at, boost::asio::steady_timer& end)
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

}  // namespace invited::core
