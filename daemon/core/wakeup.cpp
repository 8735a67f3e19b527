#include "core/wakeup.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <stdexcept>
#include <tuple>

namespace invited::core {

namespace asio = boost::asio;

struct Wakeup::State {
  asio::any_io_executor executor;
  bool rung = false;
  bool waiting = false;
  asio::cancellation_signal end_sleep;
};

Wakeup::Wakeup(asio::any_io_executor executor) : state_(std::make_shared<State>()) {
  state_->executor = std::move(executor);
}

void Wakeup::ring() {
  if (state_->rung) return;
  state_->rung = true;
  // On the executor, as in TaskScope::stop().
  if (state_->waiting)
    asio::dispatch(state_->executor, [state = state_] {
      if (state->waiting && state->rung) state->end_sleep.emit(asio::cancellation_type::terminal);
    });
}

asio::awaitable<void> Wakeup::wait_for(Clock& clock, Milliseconds longest) {
  return wait(state_, &clock, longest);
}

asio::awaitable<void> Wakeup::wait(std::shared_ptr<State> state, Clock* clock, Milliseconds longest) {
  if (state->waiting) throw std::logic_error("Wakeup: a second waiter");
  if (!state->rung) {
    // The sleep is a coroutine of its own, so that a ring can end it without ending us. Our own cancellation then
    // has to be handed on by hand.
    struct Waiting {
      State& state;
      explicit Waiting(State& s) : state(s) { state.waiting = true; }
      ~Waiting() { state.waiting = false; }
    } waiting(*state);
    auto slot = (co_await asio::this_coro::cancellation_state).slot();
    if (slot.is_connected()) slot.assign([state](asio::cancellation_type type) { state->end_sleep.emit(type); });
    auto token = asio::bind_cancellation_slot(state->end_sleep.slot(), asio::as_tuple(asio::use_awaitable));
    auto [error] = co_await asio::co_spawn(state->executor, clock->sleep_for(longest), std::move(token));
    if (slot.is_connected()) slot.clear();
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
      throw boost::system::system_error(asio::error::operation_aborted);
    if (error && !state->rung) std::rethrow_exception(error);
  }
  state->rung = false;
}

}  // namespace invited::core
