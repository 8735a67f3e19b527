// The way from plugin threads to the core thread, and an event that coroutines there wait on.
//
//   auto gate = std::make_shared<CoreGate>(io.get_executor());
//   gate->post([state] { state->event.ring(); });   // from any thread; in order; false once the core is gone
//   co_await state->event.wait();                   // on the core thread
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace invited::plugin {

class CoreGate {
public:
  explicit CoreGate(boost::asio::any_io_executor core) : executor_(std::move(core)) {}
  // Runs `work` later on the core thread, in the order of the posts. False, and `work` is dropped, after close().
  // [any-thread]
  bool post(std::function<void()> work);
  // Nothing reaches the core's executor any more: whoever ran away from stop() cannot touch a dead io_context.
  // [any-thread]
  void close();
  // Says that the calling thread is the core thread; waiting there for the core would be for ever.
  void enter_core_thread() { core_thread_ = std::this_thread::get_id(); }
  [[nodiscard]] bool on_core_thread() const { return core_thread_.load() == std::this_thread::get_id(); }

private:
  std::mutex mutex_;
  std::optional<boost::asio::any_io_executor> executor_;
  std::atomic<std::thread::id> core_thread_{};
};

// Rings are kept as one; one waiter at a time. [core-thread]
class CoreEvent {
public:
  void ring();
  // Ends at the next ring, at once if one is kept. Throws operation_aborted when the coroutine is cancelled.
  [[nodiscard]] boost::asio::awaitable<void> wait();

private:
  bool rung_ = false;
  boost::asio::steady_timer* waiter_ = nullptr;
};

}  // namespace invited::plugin
