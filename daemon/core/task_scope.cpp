#include "core/task_scope.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <list>
#include <utility>
#include <vector>

namespace invited::core {

namespace asio = boost::asio;

struct TaskScope::State {
  asio::any_io_executor executor;
  ErrorHandler on_error;
  bool stopping = false;
  std::list<asio::cancellation_signal> tasks;
  // A joiner waits on a timer of its own frame that never expires; the last task to end cancels it. The timer is the
  // frame's and not ours, because this state may outlive the io_context.
  std::vector<asio::steady_timer*> joiners;

  // A running task's entry. Goes with the completion handler, so that a coroutine which is destroyed unfinished (its
  // io_context was) leaves no entry behind that a later stop() would signal.
  struct Task {
    std::shared_ptr<State> state;
    std::string name;
    std::list<asio::cancellation_signal>::iterator signal;

    Task(std::shared_ptr<State> s, std::string n)
        : state(std::move(s)), name(std::move(n)), signal(state->tasks.emplace(state->tasks.end())) {}
    ~Task() { state->tasks.erase(signal); }
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
  };
};

namespace {

bool is_cancellation(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    return e.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

// Posted, not begun inside spawn(): the spawner finishes its own step first, and a stop() before the start drops it.
asio::awaitable<void> begin_later(asio::any_io_executor executor, asio::awaitable<void> task) {
  co_await asio::post(executor, asio::use_awaitable);
  co_await std::move(task);
}

}  // namespace

TaskScope::TaskScope(asio::any_io_executor executor, ErrorHandler on_error) : state_(std::make_shared<State>()) {
  state_->executor = std::move(executor);
  state_->on_error = std::move(on_error);
}

TaskScope::~TaskScope() {
  stop();
}

void TaskScope::spawn(std::string name, asio::awaitable<void> task) {
  if (state_->stopping) return;
  auto entry = std::make_shared<State::Task>(state_, std::move(name));
  const asio::cancellation_slot slot = entry->signal->slot();
  auto ended = [entry = std::move(entry)](std::exception_ptr error) mutable {
    const auto state = entry->state;
    // Reported before the task counts as ended: who joins has seen every error.
    if (error && !(state->stopping && is_cancellation(error)) && state->on_error) state->on_error(entry->name, error);
    entry.reset();
    if (!state->tasks.empty()) return;
    for (asio::steady_timer* joiner : state->joiners) joiner->cancel();
  };
  asio::co_spawn(state_->executor, begin_later(state_->executor, std::move(task)),
                 asio::bind_cancellation_slot(slot, std::move(ended)));
}

void TaskScope::stop() {
  if (state_->stopping) return;
  state_->stopping = true;
  if (state_->tasks.empty()) return;
  // Signals are given on the executor only: co_spawn's own cancellation handler, called from elsewhere, would post a
  // bare pointer to the signal, and the task may be gone when that runs.
  asio::dispatch(state_->executor, [state = state_] {
    for (auto task = state->tasks.begin(); task != state->tasks.end();) {
      const auto current = task++;
      current->emit(asio::cancellation_type::terminal);
    }
  });
}

bool TaskScope::stopping() const {
  return state_->stopping;
}

std::size_t TaskScope::running() const {
  return state_->tasks.size();
}

asio::awaitable<void> TaskScope::join() {
  const auto state = state_;
  asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  struct Registration {
    std::shared_ptr<State> state;
    asio::steady_timer* timer;
    Registration(std::shared_ptr<State> s, asio::steady_timer* t) : state(std::move(s)), timer(t) {
      state->joiners.push_back(timer);
    }
    ~Registration() { std::erase(state->joiners, timer); }
  } registration(state, &never);
  while (!state->tasks.empty()) {
    boost::system::error_code ended;
    co_await never.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
    if (cancelled != asio::cancellation_type::none && !state->tasks.empty())
      throw boost::system::system_error(asio::error::operation_aborted);
  }
}

}  // namespace invited::core
