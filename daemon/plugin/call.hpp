// One operation of a plugin under way, as the host keeps it.
//
// A plugin sees only a handle: a number that is never used again, so that a late or second use of a handle is noticed
// instead of hitting another call. The object lives until the plugin has completed it and the operation has returned,
// whoever stopped waiting before; it owns what the operation was given.
//
//   auto call = std::make_shared<ProbeCall>(limits.probe);
//   const auto probe = [self, operations](invited_call* handle) { operations->probe(self, handle); };
//   Outcome outcome = co_await instance->run(call, probe);
//
// Roles derive from Call to keep their arguments and outputs.
#pragma once

#include <invited/abi.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace invited::plugin {

// Why a call failed: what the plugin said last, or the host itself.
struct Failure {
  std::string message;
  std::string field;
  std::int64_t retry_after_s = 0;
};

// How a call ended. `status` is one that abi.h knows.
struct Outcome {
  invited_status status = INVITED_INTERNAL;
  Failure why;
  bool begun = false;    // false: the plugin was never asked, so nothing happened
  bool overdue = false;  // the host stopped waiting; the plugin may still be at it
};

class Call {
public:
  Call(std::string_view operation, core::Milliseconds limit);
  virtual ~Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  [[nodiscard]] const std::string& operation() const { return operation_; }
  [[nodiscard]] core::Milliseconds limit() const { return limit_; }
  [[nodiscard]] invited_call* handle() const { return reinterpret_cast<invited_call*>(number_); }
  [[nodiscard]] bool cancel_requested() const { return cancel_requested_; }
  [[nodiscard]] core::Milliseconds deadline() const { return core::Milliseconds(deadline_); }  // monotonic

protected:
  // The plugin was told to end early: whoever waits in an output function must get out of it. [core-thread]
  virtual void on_cancel() noexcept {}
  // The last moment to take what the plugin said; called once, before the outcome leaves for the core. Nothing counts
  // after it. [any-thread]
  virtual void on_end(const Outcome&) {}

private:
  friend class Instance;
  friend struct HostTable;

  const std::string operation_;
  const core::Milliseconds limit_;
  const std::uintptr_t number_;
  std::atomic<core::Milliseconds::rep> deadline_{0};
  std::atomic<bool> cancel_requested_{false};

  // Under the instance's mutex.
  bool begun_ = false;      // the plugin's function was entered
  bool returned_ = false;   // … and left
  bool completed_ = false;  // the plugin ended it
  bool ended_ = false;      // the outcome is on its way, perhaps without the plugin
  bool overdue_ = false;
  bool host_completes_ = false;  // create(): its status is its return value
  Failure failure_;

  // Core thread.
  bool holds_turn_ = false;
  core::Milliseconds hinted_at_ = core::Milliseconds::min();  // when the deadline was found to be over
  std::function<void(Outcome)> done_;
};

// The outcome of a failed call as an error of the daemon: "source \"hr\": fetch failed for now: …".
[[nodiscard]] core::Error to_error(std::string_view role, std::string_view instance, std::string_view operation,
                                   const Outcome& outcome);

}  // namespace invited::plugin
