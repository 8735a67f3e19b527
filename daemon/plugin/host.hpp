// One instance of a plugin: its thread, its host table, its open calls and services.
//
//   auto instance = Instance::make(module, *descriptor, "smarthost", R"({"host":"mx.example.com"})", environment);
//   core::Result<void> made = co_await instance->create();
//   Outcome outcome = co_await instance->run(call, [=](invited_call* handle) { operations->probe(self, handle); });
//   bool clean = co_await instance->stop(10s);
//
// A call is ended once: by the plugin's first complete(), or by the host when the plugin threw, when the call was not
// begun by its deadline, or when deadline plus grace are over. In the last case the instance is stuck: it gets no new
// calls until the plugin has ended every overdue one. Everything here is [core-thread] unless tagged.
#pragma once

#include <invited/abi.h>
#include <invited/services.h>

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "core/task_scope.hpp"
#include "core/wakeup.hpp"
#include "plugin/call.hpp"
#include "plugin/core_gate.hpp"
#include "plugin/http_client.hpp"
#include "plugin/module.hpp"
#include "plugin/own_thread.hpp"
#include "plugin/routes.hpp"
#include "plugin/secrets.hpp"
#include "plugin/state_store.hpp"

namespace invited::plugin {

// How long each operation may take. `fetch`, `push` and `export_part` are renewed by progress: each batch of records or
// bytes that the daemon took starts them anew.
struct CallLimits {
  core::Milliseconds create{30'000};
  core::Milliseconds fetch{600'000};
  core::Milliseconds push{300'000};
  core::Milliseconds export_part{300'000};
  core::Milliseconds finish{60'000};
  core::Milliseconds send{600'000};  // after the latest deadline of its mails
  core::Milliseconds probe{60'000};
  core::Milliseconds account{60'000};
  core::Milliseconds grace{30'000};  // after a deadline, until the instance counts as stuck
};

// What instances stand on. Shared by all of them; outlives them.
struct Environment {
  boost::asio::any_io_executor core;
  std::shared_ptr<CoreGate> gate;
  core::Clock* clock = nullptr;
  std::shared_ptr<const Secrets> secrets;
  std::shared_ptr<HttpClient> http;  // null: invited.http/1 is not offered
  std::shared_ptr<Routes> routes;
  StateStore* state = nullptr;  // null: invited.state/1 is not offered
  CallLimits limits;
};

class Instance : public std::enable_shared_from_this<Instance> {
public:
  using Operation = std::function<void(invited_call*)>;

  // `config` is canonical JSON. Starts the thread; nothing of the plugin runs before create().
  static std::shared_ptr<Instance> make(std::shared_ptr<const Module> module, const invited_plugin& plugin,
                                        std::string name, std::string config, Environment environment);
  ~Instance();

  // Lets the plugin make itself. On errors the instance is fit for stop() only.
  [[nodiscard]] boost::asio::awaitable<core::Result<void>> create();

  // Runs `operation` on the own thread; `done` is called once with how it ended, never before start() returned.
  void start(std::shared_ptr<Call> call, Operation operation, std::function<void(Outcome)> done);
  // The same, waiting for a place in the plugin's window first (at most the call's limit), then for the outcome. Who is
  // cancelled while waiting leaves a cancel hint behind; the call ends without him.
  [[nodiscard]] boost::asio::awaitable<Outcome> run(std::shared_ptr<Call> call, Operation operation);
  // The same without a place in the window.
  [[nodiscard]] boost::asio::awaitable<Outcome> perform(std::shared_ptr<Call> call, Operation operation);
  // In two steps, for who wants the outputs while the operation runs. take_turn(): nothing on success.
  [[nodiscard]] boost::asio::awaitable<std::optional<Outcome>> take_turn(std::shared_ptr<Call> call);

  // A hint to end the call early; once.
  void cancel(const std::shared_ptr<Call>& call);
  // Progress: the call's limit begins anew. [any-thread]
  void renew(Call& call);
  // From create() to stop(): self() may be used.
  [[nodiscard]] bool created() const { return created_; }
  [[nodiscard]] void* self() const { return self_; }

  // Ends everything: no new calls, cancel hints, up to `limit` for what is open, then HTTP requests are broken off and
  // the same again; then destroy() and the end of the thread. False: the plugin did not come back; its thread, module
  // and this object then stay until the process ends. Once.
  [[nodiscard]] boost::asio::awaitable<bool> stop(core::Milliseconds limit);
  // For when there is no stop(): as if the plugin had not come back.
  void abandon();

  // ---- [any-thread] ----
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const invited_plugin& plugin() const { return plugin_; }
  [[nodiscard]] const std::shared_ptr<const Module>& module() const { return module_; }
  [[nodiscard]] std::string_view role() const;  // "source", "transport", "identity"
  [[nodiscard]] CoreGate& gate() const { return *environment_.gate; }
  [[nodiscard]] const CallLimits& limits() const { return environment_.limits; }
  [[nodiscard]] core::Clock& clock() const { return *environment_.clock; }
  [[nodiscard]] bool stuck() const { return overdue_calls_ > 0; }
  [[nodiscard]] std::uint64_t misbehaviour() const { return misbehaviour_; }
  [[nodiscard]] std::string last_misbehaviour() const;
  // A rule of the contract was broken: counted, logged.
  void misbehaved(std::string_view rule) noexcept;
  // The open call of that handle if it is one of T's kind; else null, and that is misbehaviour of `what`.
  template <class T>
  [[nodiscard]] std::shared_ptr<T> open_call(invited_call* handle, std::string_view what) {
    auto found = std::dynamic_pointer_cast<T>(find_open(handle));
    if (!found) report_not_open(what);
    return found;
  }
  [[nodiscard]] static Instance& of(const invited_host* host) { return *static_cast<Instance*>(host->context); }

  [[nodiscard]] std::size_t open_calls() const;
  // Handed to the plugin, which has not completed it.
  [[nodiscard]] bool is_open(const Call& call) const;
  template <class T>
  [[nodiscard]] const T& operations() const {
    return *static_cast<const T*>(plugin_.operations);
  }
  // What the plugin last said to window(): calls, or messages for a transport. At least 1. [any-thread]
  [[nodiscard]] std::uint32_t window() const { return window_; }
  void ask_window() noexcept;  // [own-thread]

  std::function<void()> on_source_changed;  // set before create(); called on the core thread

private:
  friend struct HostTable;
  friend struct HttpService;
  friend struct StateService;

  struct Turn;
  struct Timer {
    core::Milliseconds monotonic{0};  // when, unless by_wall
    core::Instant wall{};
    bool by_wall = false;
    void (*run)(void*) = nullptr;
    void* user = nullptr;
    bool posted = false;
  };

  Instance(std::shared_ptr<const Module> module, const invited_plugin& plugin, std::string name, std::string config,
           Environment environment);

  std::shared_ptr<Call> find_open(invited_call* handle);
  std::shared_ptr<Call> find_any(invited_call* handle);
  void report_not_open(std::string_view what);
  void execute(const std::shared_ptr<Call>& call, const Operation& operation);  // [own-thread]
  void complete(invited_call* handle, invited_status status) noexcept;          // [any-thread], from the plugin
  // The one way to the outcome: takes what the plugin said, sends it to the core.
  void end(const std::shared_ptr<Call>& call, Outcome outcome) noexcept;  // [any-thread]
  void settle(const std::shared_ptr<Call>& call, Outcome outcome);        // [core-thread]
  void closed(const std::shared_ptr<Call>& call);                         // [core-thread]: out of the plugin's hands
  [[nodiscard]] std::optional<Failure> refusal() const;
  void tell_error(const Call& call, const Outcome& outcome);  // [any-thread]
  static boost::asio::awaitable<void> tell_slow(Instance* self, std::shared_ptr<Call> call);
  void grant_turns();
  void fail_turns();
  static boost::asio::awaitable<void> keep_time(Instance* self);
  core::Milliseconds check_time();                               // until when it may sleep
  invited_status add_timer(Timer timer, std::uint64_t* ret_id);  // [any-thread]
  void run_timer(std::uint64_t id);                              // [own-thread]
  boost::asio::awaitable<bool> wait_quiet(core::Milliseconds limit, bool requests_too);
  boost::asio::awaitable<bool> wait_ended(core::Milliseconds limit);
  void wake();  // [any-thread]

  const std::shared_ptr<const Module> module_;
  const invited_plugin& plugin_;
  const std::string name_;
  const std::string config_;
  Environment environment_;
  invited_host host_{};
  OwnThread thread_;

  mutable std::mutex mutex_;
  std::map<invited_call*, std::shared_ptr<Call>> calls_;
  std::map<std::uint64_t, Timer> timers_;
  std::uint64_t last_timer_ = 0;
  bool timers_closed_ = false;
  bool http_closed_ = false;
  std::string last_misbehaviour_;

  std::atomic<std::uint64_t> misbehaviour_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::atomic<std::uint32_t> window_{1};
  std::atomic<int> overdue_calls_{0};
  std::atomic<int> http_requests_{0};
  std::atomic<bool> creating_{false};

  void* self_ = nullptr;  // written on the own thread during create(), read after it; null is a plugin's right
  bool made_ = false;     // likewise: there is something to destroy

  // Core thread.
  core::TaskScope scope_;
  core::Wakeup time_wakeup_;
  core::Wakeup quiet_wakeup_;
  std::list<std::shared_ptr<Turn>> turns_;
  std::uint32_t turns_taken_ = 0;
  bool time_kept_ = false;
  bool created_ = false;
  bool closing_ = false;
  bool stopped_ = false;
  bool thread_ended_ = false;
};

}  // namespace invited::plugin
