// The store as an actor: one thread, one connection, closures in domain words, group commit.
//
// Closures that are waiting when the last commit ended share the next transaction, each in a savepoint of its own: one
// that throws undoes only itself. The awaiting coroutine resumes on its own executor when its closure is durable.
// Closures that only read go before those that write: they see what is durable and wait for no commit after them.
//
//   User user = co_await [&] { return store.write([key](Db& db) { users::touch(db, key); return users::get(db, key);
//   }); }();
//
// (Why the outer lambda: docs/decisions/0005-closures-in-co-await.md.)
//
// A closure runs on the store's thread: it captures values, touches nothing but the Db, and ends within about 20 ms at
// 1,000,000 users.
#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>

#include "store/database.hpp"

namespace invited::store {

// The disk is full or the file cannot be written now; nothing of the closure happened.
class Unavailable : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

// Whether an exception out of a closure is about the row in hand: one that breaks a rule is set aside and the others go
// on. A full disk or a damaged file is about all of them.
[[nodiscard]] bool about_one_row(const std::exception& e) noexcept;

class Store {
public:
  enum class Mode {
    threaded,  // a thread of its own
    inline_,   // on the executor, one batch per turn: the simulator's deterministic form
  };
  using Fatal = std::function<void(const std::string& what)>;

  // `db` must outlive the store. `on_fatal` is called on the store's thread when a commit or sync failed in a way that
  // must not be retried (reliability R16); it does not return in production.
  Store(Db& db, boost::asio::any_io_executor executor, Mode mode, Fatal on_fatal);
  ~Store();  // finishes what is queued, then joins
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Throws what the closure throws, or Unavailable. [core-thread]
  template <class F>
  boost::asio::awaitable<std::invoke_result_t<F, Db&>> write(F closure) {
    return submit(std::move(closure), true);
  }
  // Same, outside the durable transaction; must not change anything. [core-thread]
  template <class F>
  boost::asio::awaitable<std::invoke_result_t<F, Db&>> read(F closure) {
    return submit(std::move(closure), false);
  }
  // Closures waiting now; for the watchdog and back-pressure. [any-thread]
  [[nodiscard]] std::size_t waiting() const;

private:
  struct Job {
    std::function<void(Db&)> work;
    boost::asio::any_completion_handler<void(std::exception_ptr)> done;
    bool writes = true;
    std::exception_ptr error;
  };

  template <class F>
  boost::asio::awaitable<std::invoke_result_t<F, Db&>> submit(F closure, bool writes) {
    using Value = std::invoke_result_t<F, Db&>;
    if constexpr (std::is_void_v<Value>) {
      std::function<void(Db&)> work = std::move(closure);
      co_await enqueue(std::move(work), writes);
    } else {
      auto value = std::make_shared<std::optional<Value>>();
      std::function<void(Db&)> work = [value, closure = std::move(closure)](Db& db) mutable {
        value->emplace(closure(db));
      };
      co_await enqueue(std::move(work), writes);
      co_return std::move(**value);
    }
  }

  boost::asio::awaitable<void> enqueue(std::function<void(Db&)> work, bool writes);
  void push(Job job);
  void run_thread();
  void run_batch(std::deque<Job> batch);
  void answer_together(std::deque<Job>& batch);
  void commit_together(std::deque<Job>& batch);
  void complete(std::deque<Job>& batch);

  Db& db_;
  boost::asio::any_io_executor executor_;
  Mode mode_;
  Fatal on_fatal_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> queue_;
  bool stopping_ = false;
  bool turn_posted_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::thread thread_;
};

}  // namespace invited::store
