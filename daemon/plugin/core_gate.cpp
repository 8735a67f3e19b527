#include "plugin/core_gate.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

namespace invited::plugin {

namespace asio = boost::asio;

bool CoreGate::post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (!executor_) return false;
  asio::post(*executor_, std::move(work));
  return true;
}

void CoreGate::close() {
  const std::lock_guard lock(mutex_);
  executor_.reset();
}

void CoreEvent::ring() {
  rung_ = true;
  if (waiter_ != nullptr) waiter_->cancel();
}

asio::awaitable<void> CoreEvent::wait() {
  // The timer is the frame's own and never expires: a ring cancels it.
  asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  struct Waiting {
    asio::steady_timer*& place;
    Waiting(asio::steady_timer*& p, asio::steady_timer* timer) : place(p) { place = timer; }
    ~Waiting() { place = nullptr; }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
  } waiting(waiter_, &never);
  while (!rung_) {
    boost::system::error_code ended;
    co_await never.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
      throw boost::system::system_error(asio::error::operation_aborted);
  }
  rung_ = false;
}

}  // namespace invited::plugin
