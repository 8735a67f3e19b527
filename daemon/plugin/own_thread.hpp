// The one thread of a plugin instance: a queue of functions, run one after the other.
//
//   OwnThread thread("smtp");
//   thread.post([&] { plugin.send(…); });
//   thread.finish([&] { plugin.destroy(…); }, [&] { … });   // nothing is taken after it
//   thread.join();                                          // once the second function has run
//
// Functions must not throw. Signals are blocked: they belong to the core thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace invited::plugin {

class OwnThread {
public:
  explicit OwnThread(const std::string& name);
  ~OwnThread();  // after join() or abandon()
  OwnThread(const OwnThread&) = delete;
  OwnThread& operator=(const OwnThread&) = delete;

  // False, and `work` is dropped, after finish(). [any-thread]
  bool post(std::function<void()> work);
  // Runs what is queued, then `last`, then `ended` (both on the thread), then the thread ends. Only the first call
  // counts. [any-thread]
  void finish(std::function<void()> last, std::function<void()> ended);
  [[nodiscard]] bool is_current() const { return id_ == std::this_thread::get_id(); }
  // Waits for the end of the thread: only after `ended` was seen, else this waits for the plugin. Not on the thread.
  void join();
  // For a thread that does not come back from plugin code: lets it run until the process ends.
  void abandon();

private:
  struct Queue;
  std::shared_ptr<Queue> queue_;  // shared with the thread, which may outlive this object once abandoned
  std::thread thread_;
  std::thread::id id_;  // stays when the thread is given up
};

}  // namespace invited::plugin
