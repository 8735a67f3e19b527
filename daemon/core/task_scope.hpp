// Nothing is started that cannot be stopped and awaited.
//
// A TaskScope owns the coroutines spawned through it. stop() asks all of them to end (their pending
// Asio operations are cancelled); join() waits until the last one has. A coroutine that ends with an
// exception is reported to the handler given at construction, unless that exception is operation_aborted
// and the scope is stopping. The handler must not throw.
//
//   TaskScope scope(io.get_executor(), on_error);
//   scope.spawn("scheduler", scheduler.run());
//   …
//   scope.stop();  co_await scope.join();
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace invited::core {

class TaskScope {
public:
  using ErrorHandler = std::function<void(std::string_view name, std::exception_ptr)>;

  TaskScope(boost::asio::any_io_executor executor, ErrorHandler on_error);
  ~TaskScope();  // stops; the coroutines must have ended or their io_context must be about to be destroyed
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  // Starts `task` on the scope's executor, after the caller's own step; after stop() it is dropped unstarted.
  // [core-thread]
  void spawn(std::string name, boost::asio::awaitable<void> task);
  // Cancels every running task; further spawns are dropped. A task ends at its next co_await: one that has to tidy up
  // with further waits calls asio::this_coro::reset_cancellation_state() first. [core-thread]
  void stop();
  [[nodiscard]] bool stopping() const;
  // Completes when no task is left; does not stop anything. Must not be awaited by a task of the same scope.
  // [core-thread]
  [[nodiscard]] boost::asio::awaitable<void> join();
  [[nodiscard]] std::size_t running() const;

private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace invited::core
