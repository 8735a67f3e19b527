// The owner's side of a pool in a test: keeps each verdict, settles at once or when told.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "smtp_pool.hpp"

namespace invited::test {

inline std::int64_t monotonic_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline smtp::PoolOptions pool_options(std::uint16_t port, unsigned connections = 2) {
  smtp::PoolOptions options;
  options.server.host = "127.0.0.1";
  options.server.port = port;
  options.connections = connections;
  options.session.tls = smtp::TlsMode::none;
  options.session.helo_name = "invited.example";
  options.back_off_first = std::chrono::milliseconds(20);
  options.back_off_longest = std::chrono::milliseconds(100);
  options.monotonic_ms = monotonic_ms;
  return options;
}

inline smtp::MessagePtr mail(const std::string& id, std::string body = "hello\r\n") {
  auto message = std::make_shared<smtp::Message>();
  message->id = id;
  message->from = "us@example.com";
  message->to = id + "@example.org";
  message->bytes = "Subject: " + id + "\r\n\r\n" + std::move(body);
  return message;
}

inline std::vector<std::string> numbers(int count) {
  std::vector<std::string> ids;
  for (int i = 1; i <= count; ++i) ids.push_back(std::to_string(i));
  return ids;
}

// A whole dialogue on another connection: what the pool had to send before it has arrived when this returns.
inline void barrier(smtp::Pool& pool) {
  auto done = std::make_shared<std::promise<void>>();
  auto future = done->get_future();
  pool.probe([done](const smtp::Verdict&, const std::string&) { done->set_value(); });
  if (future.wait_for(std::chrono::seconds(10)) != std::future_status::ready) throw std::runtime_error("no barrier");
}

class Collector {
public:
  explicit Collector(smtp::PoolOptions options, bool settle_at_once = true)
      : settle_at_once_(settle_at_once),
        pool(std::move(options), [this](const smtp::MessagePtr& message, const smtp::Verdict& verdict) {
          // The pool exists: it gave this.
          if (settle_at_once_) pool.settled(message->id);
          const std::lock_guard lock(mutex_);
          verdicts_[message->id] = verdict;
          if (++given_[message->id] > 1) ++surplus_;
          ++total_;
          changed_.notify_all();
        }) {}

  void send(const std::vector<std::string>& ids) {
    std::vector<smtp::MessagePtr> messages;
    for (const std::string& id : ids) messages.push_back(mail(id));
    pool.submit(std::move(messages));
  }
  // True when `count` messages have their verdict; false after 20 s.
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return verdicts_.size() >= count; });
  }
  // The same for verdicts, where messages are sent again.
  bool wait_for_total(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return total_ >= count; });
  }
  // "accepted", "retry/transport": of a message that has one.
  std::string outcome(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto found = verdicts_.find(id);
    if (found == verdicts_.end()) return "none";
    std::string text(name_of(found->second.outcome));
    if (found->second.scope == smtp::Scope::transport) text += "/transport";
    return text;
  }
  smtp::Verdict verdict(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return verdicts_[id];
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return verdicts_.size();
  }
  // Verdicts beyond the first for a message: always 0.
  int surplus() {
    const std::lock_guard lock(mutex_);
    return surplus_;
  }

private:
  bool settle_at_once_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, smtp::Verdict> verdicts_;
  std::map<std::string, int> given_;
  int surplus_ = 0;
  std::size_t total_ = 0;

public:
  smtp::Pool pool;
};

}  // namespace invited::test
