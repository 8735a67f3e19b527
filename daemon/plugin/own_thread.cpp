#include "plugin/own_thread.hpp"

#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

namespace invited::plugin {

struct OwnThread::Queue {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> work;
  bool finishing = false;

  void run() {
    for (;;) {
      std::function<void()> next;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return finishing || !work.empty(); });
        if (work.empty()) return;
        next = std::move(work.front());
        work.pop_front();
      }
      next();
    }
  }
};

OwnThread::OwnThread(const std::string& name) : queue_(std::make_shared<Queue>()) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // inherited by the new thread
  thread_ = std::thread([queue = queue_] { queue->run(); });
  id_ = thread_.get_id();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

OwnThread::~OwnThread() {
  join();
}

bool OwnThread::post(std::function<void()> work) {
  const std::lock_guard lock(queue_->mutex);
  if (queue_->finishing) return false;
  queue_->work.push_back(std::move(work));
  queue_->changed.notify_one();
  return true;
}

void OwnThread::finish(std::function<void()> last, std::function<void()> ended) {
  const std::lock_guard lock(queue_->mutex);
  if (queue_->finishing) return;
  queue_->finishing = true;
  queue_->work.push_back(std::move(last));
  queue_->work.push_back(std::move(ended));
  queue_->changed.notify_one();
}

void OwnThread::join() {
  if (thread_.joinable()) thread_.join();
}

void OwnThread::abandon() {
  if (thread_.joinable()) thread_.detach();
}

}  // namespace invited::plugin
