// A well-behaved asynchronous transport: a thread of its own gives the verdicts, in reverse order within a batch, and
// commits a message only when the one before it is settled. A message to held@… waits for its cancel hint.
#include <condition_variable>
#include <deque>
#include <invited/cpp/roles.hpp>
#include <mutex>
#include <thread>

namespace {

constexpr char kSchema[] = R"({
  "type": "object",
  "description": "Verdicts from another thread, for tests.",
  "properties": {"window": {"type": "integer", "minimum": 1, "default": 4, "description": "Messages that may be out."}},
  "additionalProperties": false
})";

class Transport : public invited::AsyncTransport {
public:
  Transport(invited::Host, const invited::Json& config)
      : window_(static_cast<std::uint32_t>(config.integer("window", 4))), worker_([this] { work(); }) {}
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  ~Transport() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    worker_.join();
  }

  std::uint32_t window() override { return window_; }

  void send(std::vector<invited::Outgoing> batch) override {
    const std::lock_guard lock(mutex_);
    for (auto it = batch.rbegin(); it != batch.rend(); ++it) queue_.push_back(std::move(*it));
    wake_.notify_one();
  }

  void settled(std::string_view id) noexcept override {
    const std::lock_guard lock(mutex_);
    if (id == unsettled_) unsettled_.clear();
    wake_.notify_one();
  }

  void cancel(invited::CallId) noexcept override {
    const std::lock_guard lock(mutex_);
    wake_.notify_one();
  }

private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      auto next = queue_.end();
      wake_.wait(lock, [&] {
        next = find_ready();
        return stopping_ || next != queue_.end();
      });
      if (stopping_) return;
      invited::Outgoing outgoing = std::move(*next);
      queue_.erase(next);
      const bool cancelled = outgoing.cancelled();
      if (!cancelled) unsettled_ = outgoing.message().id;
      lock.unlock();
      outgoing.verdict({.status = cancelled ? invited::Status::cancelled : invited::Status::ok,
                        .detail = cancelled ? "cancelled" : "taken",
                        .phase = cancelled ? invited::Phase::local : invited::Phase::content});
      lock.lock();
    }
  }

  std::deque<invited::Outgoing>::iterator find_ready() {
    return std::find_if(queue_.begin(), queue_.end(), [this](const invited::Outgoing& outgoing) {
      return outgoing.cancelled() || (unsettled_.empty() && !outgoing.message().envelope_to.starts_with("held@"));
    });
  }

  std::uint32_t window_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<invited::Outgoing> queue_;
  std::string unsettled_;
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace

INVITED_MODULE(invited::offer<Transport>("good_async_transport", "1.0.0", kSchema));
