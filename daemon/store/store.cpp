#include "store/store.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <boost/asio/post.hpp>
#include <new>

namespace invited::store {

namespace {

bool is_full(int code) {
  return code == SQLITE_FULL || code == SQLITE_NOMEM || code == SQLITE_READONLY;
}

std::exception_ptr translated(const SQLite::Exception& e) {
  if (is_full(e.getErrorCode()))
    return std::make_exception_ptr(Unavailable(fmt::format("the state cannot be written now: {}", e.what())));
  return std::make_exception_ptr(e);
}

}  // namespace

bool about_one_row(const std::exception& e) noexcept {
  if (const auto* sqlite = dynamic_cast<const SQLite::Exception*>(&e))
    return (sqlite->getErrorCode() & 0xff) == SQLITE_CONSTRAINT;
  return dynamic_cast<const Unavailable*>(&e) == nullptr && dynamic_cast<const std::bad_alloc*>(&e) == nullptr;
}

Store::Store(Db& db, boost::asio::any_io_executor executor, Mode mode, Fatal on_fatal)
    : db_(db), executor_(std::move(executor)), mode_(mode), on_fatal_(std::move(on_fatal)) {
  if (mode_ == Mode::threaded) thread_ = std::thread([this] { run_thread(); });
}

Store::~Store() {
  *alive_ = false;
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_one();
  thread_.join();
}

std::size_t Store::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

boost::asio::awaitable<void> Store::enqueue(std::function<void(Db&)> work, bool writes) {
  namespace asio = boost::asio;
  // A closure under way cannot be taken back: cancellation waits for it.
  auto initiation = [this, writes](auto handler, std::function<void(Db&)> closure) {
    push(Job{std::move(closure), asio::any_completion_handler<void(std::exception_ptr)>(std::move(handler)), writes,
             nullptr});
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
      std::move(initiation), asio::use_awaitable, std::move(work));
}

void Store::push(Job job) {
  bool post_turn = false;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
    if (mode_ == Mode::inline_ && !turn_posted_) post_turn = turn_posted_ = true;
  }
  if (mode_ == Mode::threaded) {
    ready_.notify_one();
  } else if (post_turn) {
    boost::asio::post(executor_, [this, alive = alive_] {
      if (!*alive) return;
      std::deque<Job> batch;
      batch.swap(queue_);
      turn_posted_ = false;
      run_batch(std::move(batch));
    });
  }
}

void Store::run_thread() {
  while (true) {
    std::deque<Job> batch;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    run_batch(std::move(batch));
  }
}

void Store::run_batch(std::deque<Job> batch) {
  // By hand: std::stable_partition moves handlers through a buffer, which theirs (Boost 1.81) never comes back from.
  std::deque<Job> readers;
  std::deque<Job> writers;
  for (Job& job : batch) (job.writes ? writers : readers).push_back(std::move(job));
  answer_together(readers);
  complete(readers);
  commit_together(writers);
  complete(writers);
}

void Store::answer_together(std::deque<Job>& batch) {
  if (batch.empty()) return;
  auto& raw = db_.raw();
  const auto tried = [](auto act) -> std::exception_ptr {
    try {
      act();
    } catch (const SQLite::Exception& e) {
      return translated(e);
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  };
  // One transaction for all of them: left to itself SQLite begins and ends one for each statement.
  const auto refused = tried([&] { db_.run("BEGIN"); });
  for (Job& job : batch) job.error = refused ? refused : tried([&] { job.work(db_); });
  if (sqlite3_get_autocommit(raw.getHandle()) != 0) return;
  if (tried([&] { db_.run("ROLLBACK"); })) on_fatal_("a reading transaction cannot be ended");
}

void Store::commit_together(std::deque<Job>& batch) {
  if (batch.empty()) return;
  auto& raw = db_.raw();
  const auto lost = [&](const std::exception_ptr& error) {
    for (Job& job : batch) {
      if (!job.error) job.error = error;
    }
  };
  try {
    db_.run("BEGIN IMMEDIATE");
  } catch (const SQLite::Exception& e) {
    lost(translated(e));
  }
  for (Job& job : batch) {
    if (job.error) continue;
    try {
      db_.run("SAVEPOINT closure");
      job.work(db_);
      db_.run("RELEASE closure");
    } catch (const SQLite::Exception& e) {
      job.error = translated(e);
    } catch (...) {
      job.error = std::current_exception();
    }
    if (job.error) {
      // SQLite may have ended the whole transaction by itself (disk full): then everybody in it is undone.
      if (sqlite3_get_autocommit(raw.getHandle()) != 0) {
        lost(job.error);
        return;
      }
      try {
        db_.run("ROLLBACK TO closure");
        db_.run("RELEASE closure");
      } catch (const SQLite::Exception& e) {
        on_fatal_(e.what());
      }
    }
  }
  if (sqlite3_get_autocommit(raw.getHandle()) != 0) return;
  try {
    db_.run("COMMIT");
  } catch (const SQLite::Exception& e) {
    lost(translated(e));
    try {
      if (sqlite3_get_autocommit(raw.getHandle()) == 0) db_.run("ROLLBACK");
    } catch (const SQLite::Exception&) {
      // The one that failed first says what is wrong.
    }
    if (!is_full(e.getErrorCode())) on_fatal_(e.what());
  }
}

void Store::complete(std::deque<Job>& batch) {
  for (Job& job : batch) {
    job.work = nullptr;
    boost::asio::post(executor_, [done = std::move(job.done), error = job.error]() mutable { std::move(done)(error); });
  }
}

}  // namespace invited::store
