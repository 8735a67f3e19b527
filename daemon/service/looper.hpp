// A service loop survives what goes wrong in one turn: the error is logged with the loop's name and the next turn tries
// again.
//
//   while (true) { co_await looper.guarded(pass()); co_await wakeup.wait_for(clock, 1s); }
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/clock.hpp"
#include "core/events.hpp"
#include "core/log.hpp"
#include "store/store.hpp"

namespace invited::service {

class Looper {
public:
  Looper(std::string name, core::Clock& clock) : name_(std::move(name)), clock_(clock) {}

  // Nothing if the turn failed. Cancellation passes through.
  template <class T>
  [[nodiscard]] boost::asio::awaitable<std::optional<T>> guarded(boost::asio::awaitable<T> turn) const {
    std::string why;
    try {
      co_return co_await std::move(turn);
    } catch (const boost::system::system_error& e) {
      if (e.code() == boost::asio::error::operation_aborted) throw;
      why = e.what();
    } catch (const std::exception& e) {
      why = e.what();
    }
    core::log::error(core::events::internal_error, "A turn of a service failed; it is tried again",
                     {{"service", name_}, {"why", why}});
    co_await clock_.sleep_for(core::Milliseconds{1'000});
    co_return std::nullopt;
  }

private:
  std::string name_;
  core::Clock& clock_;
};

// What a person asked for is not forgotten while the state cannot be written (a full disk): tried again each second, to
// the end of the first step that works. `step` makes one try; `what`: "a bulk send". Other errors pass through.
template <class Step>
std::invoke_result_t<const Step&> patiently(core::Clock* clock, std::string_view what, const Step* step) {
  while (true) {
    std::string why;
    try {
      co_return co_await (*step)();
    } catch (const store::Unavailable& e) {
      why = e.what();
    }
    core::log::error(core::events::internal_error,
                     "The state cannot be written (disk full?): what was begun waits, and goes on by itself",
                     {{"waiting", std::string(what)}, {"why", why}});
    co_await clock->sleep_for(core::Milliseconds{1'000});
  }
}

}  // namespace invited::service
