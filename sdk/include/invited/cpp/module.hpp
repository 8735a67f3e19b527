// The C++20 side of the plugin contract, first half: statuses, errors, the guard that keeps exceptions inside, calls
// that end exactly once, and the daemon's services as objects. Roles are in roles.hpp, which is what a module includes:
//
//   #include <invited/cpp/roles.hpp>
//
//   class Printer : public invited::BlockingTransport {
//   public:
//     Printer(invited::Host host, const invited::Json& config) : host_(host), path_(config.text("path")) {}
//     invited::Verdict send(const invited::Message& message) override;
//   private: …
//   };
//
//   INVITED_MODULE(invited::offer<Printer>("printer", "1.0.0", kSchema))
//
// Header-only and built into the module with hidden visibility: nothing of it crosses to the daemon.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "../abi.h"
#include "../services.h"
#include "json.hpp"

namespace invited {

// See invited_status in abi.h for what each one makes the daemon do.
enum class Status : std::int32_t {
  ok = INVITED_OK,
  retry = INVITED_RETRY,
  rejected = INVITED_REJECTED,
  unknown = INVITED_UNKNOWN,
  cancelled = INVITED_CANCELLED,
  bad_config = INVITED_BAD_CONFIG,
  unsupported = INVITED_UNSUPPORTED,
  internal = INVITED_INTERNAL,
};

struct Error {
  Status status = Status::internal;
  std::string message{};  // one line for an operator; no secrets
  std::string field{};    // where in the configuration ("/url") or record ("login_email")
  std::int64_t retry_after_s = 0;
};

// The exception of this SDK. Thrown out of a constructor or an operation it fails that call with its status; any other
// exception fails it with Status::internal.
class Failure : public std::runtime_error {
public:
  explicit Failure(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}
  Failure(Status status, std::string message, std::string field = {}, std::int64_t retry_after_s = 0)
      : Failure(Error{status, std::move(message), std::move(field), retry_after_s}) {}
  const Error& error() const noexcept { return error_; }

private:
  Error error_;
};

inline std::string_view view(invited_str text) noexcept {
  return text.size == 0 ? std::string_view{} : std::string_view(text.data, static_cast<std::size_t>(text.size));
}
inline invited_str borrow(std::string_view text) noexcept {
  return {text.data(), text.size()};
}

namespace detail {

// An error on its way to the host: views only, so that telling it cannot fail for want of memory.
struct Trouble {
  Status status = Status::internal;
  std::string_view message;
  std::string_view field;
  std::int64_t retry_after_s = 0;
};

inline Trouble trouble(const Error& error) noexcept {
  return {error.status, error.message, error.field, error.retry_after_s};
}

inline void tell(const invited_host* host, invited_call* call, const Trouble& why) noexcept {
  invited_error error{};
  error.struct_size = sizeof error;
  error.status = static_cast<invited_status>(why.status);
  error.retry_after_s = why.retry_after_s;
  error.message = borrow(why.message);
  error.field = borrow(why.field);
  host->fail(host, call, &error);
}

inline void log_line(const invited_host* host, std::int32_t level, std::string_view text) noexcept {
  host->log(host, level, borrow(text), nullptr, 0);
}

// The one barrier between this module's code and the daemon. Everything that the daemon can call goes through it:
// `rescue` gets a Trouble and must not throw.
template <class Body, class Rescue>
auto guard(Body&& body, Rescue&& rescue) noexcept -> std::invoke_result_t<Body&> {
  try {
    return body();
  } catch (const Failure& failure) {
    return rescue(trouble(failure.error()));
  } catch (const std::exception& exception) {
    return rescue(Trouble{Status::internal, exception.what(), {}, 0});
  } catch (...) {
    return rescue(Trouble{Status::internal, "threw something that is no std::exception", {}, 0});
  }
}

// One open call, shared by the operation that runs and whoever keeps its completion. It is completed once: by the
// first complete(), or, when the last of them lets go without, as a failure with the reason that was left.
class CallState {
public:
  CallState(const invited_host* host, invited_call* call) noexcept : host_(host), call_(call) {}
  CallState(const CallState&) = delete;
  CallState& operator=(const CallState&) = delete;
  ~CallState() {
    if (done_.load(std::memory_order_acquire)) return;
    if (!explained_) tell(host_, call_, {Status::internal, "the plugin dropped the call without completing it", {}, 0});
    host_->complete(host_, call_, static_cast<invited_status>(left_));
  }

  const invited_host* host() const noexcept { return host_; }
  invited_call* raw() const noexcept { return call_; }
  bool open() const noexcept { return !done_.load(std::memory_order_acquire); }

  // Why is told just before the end, so that nothing else can come between. False: somebody was first.
  bool complete(Status status, const Trouble* why = nullptr) noexcept {
    if (done_.exchange(true, std::memory_order_acq_rel)) {
      log_line(host_, INVITED_LOG_WARNING, "a call was completed twice; the second completion is ignored");
      return false;
    }
    if (why) tell(host_, call_, *why);
    host_->complete(host_, call_, static_cast<invited_status>(status));
    return true;
  }

  // For the guard only, on the thread that runs the operation (for which the handle still lives): the operation threw.
  // Somebody else may hold the completion and still end the call well; if nobody does, this is the reason.
  void threw(const Trouble& why) noexcept {
    if (!open()) {
      log_line(host_, INVITED_LOG_ERROR, "an operation threw after its call was completed:");
      log_line(host_, INVITED_LOG_ERROR, why.message);
      return;
    }
    left_ = why.status == Status::ok ? Status::internal : why.status;
    explained_ = true;
    tell(host_, call_, why);
  }

  // The daemon said to stop (emit or write answered CANCELLED): a later success would not be one.
  void stop() noexcept { stopped_.store(true, std::memory_order_relaxed); }
  bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }

private:
  const invited_host* host_;
  invited_call* call_;
  std::atomic<bool> done_{false};
  std::atomic<bool> stopped_{false};
  // Written by the operation's thread while it holds a reference, read by the destructor.
  bool explained_ = false;
  Status left_ = Status::internal;
};

using CallPtr = std::shared_ptr<CallState>;

// Runs one operation: `body` gets the shared call. Whatever happens, the call is completed once, now or later.
template <class Body>
void run_call(const invited_host* host, invited_call* call, Body&& body) noexcept {
  CallPtr state;
  guard(
      [&] {
        state = std::make_shared<CallState>(host, call);
        body(state);
      },
      [&](const Trouble& why) {
        if (state) return state->threw(why);
        tell(host, call, why);
        host->complete(host, call, static_cast<invited_status>(why.status));
      });
}

[[noreturn]] inline void throw_status(invited_status status, std::string what) {
  throw Failure(static_cast<Status>(status), std::move(what));
}

// Lets a C callback run code that may throw: the exception is carried over to the caller's side of the service.
template <class Receive>
struct Receiver {
  Receive& receive;
  std::exception_ptr thrown{};
  static void call(void* user, invited_str value) noexcept {
    auto& self = *static_cast<Receiver*>(user);
    try {
      self.receive(view(value));
    } catch (...) {
      self.thrown = std::current_exception();
    }
  }
  void rethrow() const {
    if (thrown) std::rethrow_exception(thrown);
  }
};

inline std::vector<invited_pair> borrow_pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::vector<invited_pair> result;
  result.reserve(pairs.size());
  for (const auto& [key, value] : pairs) result.push_back({borrow(key), borrow(value)});
  return result;
}

}  // namespace detail

// Names a call, to recognise it in cancel(); says nothing else.
enum class CallId : std::uintptr_t {};

// An operation under way. Move-only; [any-thread]. After the call is completed nothing below does harm.
class Call {
public:
  explicit Call(detail::CallPtr state) noexcept : state_(std::move(state)) {}
  Call(Call&&) noexcept = default;
  Call& operator=(Call&&) noexcept = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() = default;

  CallId id() const noexcept { return CallId{reinterpret_cast<std::uintptr_t>(state_ ? state_->raw() : nullptr)}; }
  // False once it is completed (or moved away).
  bool open() const noexcept { return state_ && state_->open(); }
  // UTC ms; 0: none.
  std::int64_t deadline_ms() const noexcept {
    return open() ? state_->host()->deadline_ms(state_->host(), state_->raw()) : 0;
  }
  // True once the daemon wants it to end early.
  bool cancelled() const noexcept { return !open() || state_->host()->cancelled(state_->host(), state_->raw()) != 0; }

protected:
  friend class Http;
  void end(Status status, const detail::Trouble* why) noexcept {
    if (state_) state_->complete(status == Status::ok && state_->stopped() ? Status::cancelled : status, why);
  }
  void end(const Error& error) noexcept {
    const detail::Trouble why = detail::trouble(error);
    end(error.status == Status::ok ? Status::internal : error.status, &why);
  }

  detail::CallPtr state_;
};

// A call with its end. Complete it once, from any thread; the first end counts, later ones are logged and ignored.
// Destroyed without an end, the call fails with Status::internal, so a lost completion never hangs the daemon.
class Completion : public Call {
public:
  using Call::Call;
  void done() noexcept { end(Status::ok, nullptr); }
  void fail(const Error& error) noexcept { end(error); }
};

// ---- services ------------------------------------------------------------------------------------------------------
// Each wrapper is a small value made by Host; all throw Failure(unsupported) when this daemon lacks the service.

class Clock {  // [any-thread]
public:
  explicit Clock(const invited_host* host, const invited_clock* table) noexcept : host_(host), table_(table) {}
  std::int64_t now_ms() const noexcept { return table_->now_ms(host_); }              // UTC
  std::int64_t monotonic_ms() const noexcept { return table_->monotonic_ms(host_); }  // for differences

private:
  const invited_host* host_;
  const invited_clock* table_;
};

class Secrets {  // [any-thread]
public:
  explicit Secrets(const invited_host* host, const invited_secrets* table) noexcept : host_(host), table_(table) {}
  // Calls receive(std::string_view) with the secret, which is wiped when it returns: do not keep copies. Throws
  // Failure(bad_config) when there is no such credential, and whatever `receive` throws.
  template <class Receive>
  void read(std::string_view name, Receive&& receive) const {
    detail::Receiver<std::remove_reference_t<Receive>> receiver{receive};
    const invited_status status = table_->read(host_, borrow(name), &receiver.call, &receiver);
    receiver.rethrow();
    if (status != INVITED_OK)
      detail::throw_status(status, "the credential \"" + std::string(name) + "\" cannot be read");
  }

private:
  const invited_host* host_;
  const invited_secrets* table_;
};

class State {  // [own-thread]; waits for the store
public:
  explicit State(const invited_host* host, const invited_state* table) noexcept : host_(host), table_(table) {}
  // Nothing: no such key. All three throw Failure when the store says no.
  std::optional<std::string> get(std::string_view key) const {
    std::optional<std::string> result;
    auto receive = [&result](std::string_view value) { result.emplace(value); };
    detail::Receiver<decltype(receive)> receiver{receive};
    const invited_status status = table_->get(host_, borrow(key), &receiver.call, &receiver);
    receiver.rethrow();
    check(status, "read", key);
    return result;
  }
  void put(std::string_view key, std::string_view value) const {
    check(table_->put(host_, borrow(key), borrow(value)), "write", key);
  }
  void remove(std::string_view key) const { check(table_->remove(host_, borrow(key)), "remove", key); }

private:
  static void check(invited_status status, const char* verb, std::string_view key) {
    if (status != INVITED_OK)
      detail::throw_status(status, std::string("cannot ") + verb + " the state \"" + std::string(key) + '"');
  }
  const invited_host* host_;
  const invited_state* table_;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string url{};
  std::string method = "GET";
  Headers headers{};
  std::string body{};
  std::int32_t timeout_ms = 0;          // 0: the daemon's default, 30 s
  std::int64_t max_response_bytes = 0;  // 0: the daemon's default, 8 MiB
};

struct HttpResponse {
  std::int32_t status = 0;
  Headers headers;  // names in lower case
  std::string body;

  // The first header of this name (given in lower case); empty when there is none.
  std::string_view header(std::string_view name) const noexcept {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
};

// Status::ok with any answer of the server; otherwise see invited_http_done in services.h for what happened.
struct HttpResult {
  Error error{Status::ok, {}, {}, 0};
  HttpResponse response;
  bool ok() const noexcept { return error.status == Status::ok; }
};

class Http {
public:
  explicit Http(const invited_host* host, const invited_http* table) noexcept : host_(host), table_(table) {}

  // Waits for the answer. Tied to `call`, it ends early with it. Throws only when memory runs out.     [own-thread]
  HttpResult send(const HttpRequest& request, const Call* call = nullptr) const {
    HttpResult result;
    std::exception_ptr thrown;
    auto keep = [&](HttpResult&& got) { result = std::move(got); };
    Waiting<decltype(keep)> waiting{keep};
    with(request, [&](const invited_http_request& raw) {
      const invited_status status = table_->wait(host_, raw_call(call), &raw, &waiting.call, &waiting);
      if (!waiting.called) result.error.status = static_cast<Status>(status == INVITED_OK ? INVITED_INTERNAL : status);
    });
    if (waiting.thrown) std::rethrow_exception(waiting.thrown);
    return result;
  }

  // Starts it; `done` gets the result once, on any thread, perhaps before this returns. Keep a tied call open until
  // then. An exception out of `done` is logged. Throws Failure when it cannot be started; `done` is then not called.
  //                                                                                                    [any-thread]
  void start(const HttpRequest& request, std::function<void(HttpResult)> done, const Call* call = nullptr) const {
    auto pending = std::make_unique<Pending>(Pending{host_, std::move(done)});
    with(request, [&](const invited_http_request& raw) {
      const invited_status status = table_->start(host_, raw_call(call), &raw, &Pending::call, pending.get());
      if (status != INVITED_OK) detail::throw_status(status, "the request to " + request.url + " cannot be started");
      [[maybe_unused]] const auto* theirs = pending.release();
    });
  }

private:
  static HttpResult copy(invited_status status, const invited_http_response* response, const invited_error* error) {
    HttpResult result;
    result.error.status = static_cast<Status>(status);
    if (error) {
      result.error.message = view(error->message);
      result.error.field = view(error->field);
      result.error.retry_after_s = error->retry_after_s;
    }
    if (response) {
      result.response.status = response->http_status;
      result.response.body = view(response->body);
      result.response.headers.reserve(response->header_count);
      for (std::uint64_t i = 0; i < response->header_count; ++i)
        result.response.headers.emplace_back(view(response->headers[i].key), view(response->headers[i].value));
    }
    return result;
  }

  template <class Keep>
  struct Waiting {
    Keep& keep;
    bool called = false;
    std::exception_ptr thrown{};
    static void call(void* user, invited_status status, const invited_http_response* response,
                     const invited_error* error) noexcept {
      auto& self = *static_cast<Waiting*>(user);
      self.called = true;
      try {
        self.keep(copy(status, response, error));
      } catch (...) {
        self.thrown = std::current_exception();
      }
    }
  };

  struct Pending {
    const invited_host* host;
    std::function<void(HttpResult)> done;
    static void call(void* user, invited_status status, const invited_http_response* response,
                     const invited_error* error) noexcept {
      auto* self = static_cast<Pending*>(user);
      const invited_host* host = self->host;
      detail::guard(
          [&] {
            const std::unique_ptr<Pending> owner(self);
            owner->done(copy(status, response, error));
          },
          [host](const detail::Trouble& why) {
            detail::log_line(host, INVITED_LOG_ERROR, "the receiver of an HTTP answer threw:");
            detail::log_line(host, INVITED_LOG_ERROR, why.message);
          });
    }
  };

  template <class Use>
  static void with(const HttpRequest& request, Use&& use) {
    const std::vector<invited_pair> headers = detail::borrow_pairs(request.headers);
    invited_http_request raw{};
    raw.struct_size = sizeof raw;
    raw.timeout_ms = request.timeout_ms;
    raw.method = borrow(request.method);
    raw.url = borrow(request.url);
    raw.headers = headers.data();
    raw.header_count = headers.size();
    raw.body = borrow(request.body);
    raw.max_response_bytes = request.max_response_bytes;
    use(raw);
  }

  static invited_call* raw_call(const Call* call) noexcept {
    return call && call->open() ? call->state_->raw() : nullptr;
  }

  const invited_host* host_;
  const invited_http* table_;
};

class Routes {  // [own-thread], in the constructor of a source
public:
  explicit Routes(const invited_host* host, const invited_routes* table) noexcept : host_(host), table_(table) {}
  // Requests to `prefix` and below it arrive at on_http(). Throws Failure when it is taken or no path.
  void add(std::string_view prefix) const {
    const invited_status status = table_->add(host_, borrow(prefix));
    if (status != INVITED_OK) detail::throw_status(status, "cannot serve the path \"" + std::string(prefix) + '"');
  }

private:
  const invited_host* host_;
  const invited_routes* table_;
};

// Something that will run later, on the instance's thread; destroying or resetting it calls it off. [own-thread]
class Timer {
public:
  Timer() = default;
  Timer(Timer&&) noexcept = default;
  Timer& operator=(Timer&& other) noexcept {
    if (this != &other) {
      cancel();
      task_ = std::move(other.task_);
    }
    return *this;
  }
  ~Timer() { cancel(); }

  bool pending() const noexcept { return task_ && task_->waiting; }
  void cancel() noexcept {
    if (pending()) {
      task_->waiting = false;
      if (task_->table->cancel(task_->host, task_->id) == INVITED_OK) task_->self.reset();
    }
    task_.reset();
  }

private:
  friend class Schedule;
  struct Task {
    const invited_host* host;
    const invited_schedule* table;
    std::function<void()> run;
    std::uint64_t id = 0;
    bool waiting = true;
    std::shared_ptr<Task> self{};  // keeps it alive for the daemon

    static void fire(void* user) noexcept {
      const std::shared_ptr<Task> task = std::move(static_cast<Task*>(user)->self);
      if (!task->waiting) return;
      task->waiting = false;
      detail::guard([&task] { task->run(); },
                    [&task](const detail::Trouble& why) {
                      detail::log_line(task->host, INVITED_LOG_ERROR, "a scheduled function threw:");
                      detail::log_line(task->host, INVITED_LOG_ERROR, why.message);
                    });
    }
  };
  std::shared_ptr<Task> task_;
};

class Schedule {  // [own-thread]
public:
  explicit Schedule(const invited_host* host, const invited_schedule* table) noexcept : host_(host), table_(table) {}
  // Runs `run` once, after a delay or at a UTC time, unless the Timer is destroyed before. Throws Failure when too
  // many wait. An exception out of `run` is logged.
  [[nodiscard]] Timer after(std::int64_t delay_ms, std::function<void()> run) const {
    return start(table_->after, delay_ms, std::move(run));
  }
  [[nodiscard]] Timer at(std::int64_t at_ms, std::function<void()> run) const {
    return start(table_->at, at_ms, std::move(run));
  }

private:
  using Start = decltype(invited_schedule::after);
  Timer start(Start function, std::int64_t when_ms, std::function<void()> run) const {
    Timer timer;
    timer.task_ = std::make_shared<Timer::Task>(Timer::Task{host_, table_, std::move(run)});
    timer.task_->self = timer.task_;
    const invited_status status = function(host_, when_ms, &Timer::Task::fire, timer.task_.get(), &timer.task_->id);
    if (status != INVITED_OK) {
      timer.task_->waiting = false;
      timer.task_->self.reset();
      detail::throw_status(status, "cannot schedule a function");
    }
    return timer;
  }

  const invited_host* host_;
  const invited_schedule* table_;
};

enum class LogLevel : std::int32_t {
  debug = INVITED_LOG_DEBUG,
  info = INVITED_LOG_INFO,
  warning = INVITED_LOG_WARNING,
  error = INVITED_LOG_ERROR,
};

// A detail of a log line: host.log(LogLevel::info, "connected", {{"server", name}}).
struct LogField {
  std::string_view key;
  std::string_view value;
};

// The daemon as an instance sees it: a copyable value that lives as long as the instance. [any-thread] where a service
// does not say otherwise.
class Host {
public:
  explicit Host(const invited_host* host) noexcept : host_(host) {}

  // Never throws; at most 16 details are taken. No secrets, no live links, addresses masked.
  void log(LogLevel level, std::string_view text, std::initializer_list<LogField> fields = {}) const noexcept {
    std::array<invited_pair, 16> pairs{};
    const std::size_t count = std::min(fields.size(), pairs.size());
    for (std::size_t i = 0; i < count; ++i)
      pairs[i] = {borrow((fields.begin() + i)->key), borrow((fields.begin() + i)->value)};
    host_->log(host_, static_cast<std::int32_t>(level), borrow(text), pairs.data(), count);
  }
  bool log_enabled(LogLevel level) const noexcept {
    return host_->log_enabled(host_, static_cast<std::int32_t>(level)) != 0;
  }

  Clock clock() const { return Clock(host_, service<invited_clock>(INVITED_CLOCK_1)); }
  Secrets secrets() const { return Secrets(host_, service<invited_secrets>(INVITED_SECRETS_1)); }
  Http http() const { return Http(host_, service<invited_http>(INVITED_HTTP_1)); }
  Routes routes() const { return Routes(host_, service<invited_routes>(INVITED_ROUTES_1)); }
  State state() const { return State(host_, service<invited_state>(INVITED_STATE_1)); }
  Schedule schedule() const { return Schedule(host_, service<invited_schedule>(INVITED_SCHEDULE_1)); }

  // Whether this daemon offers a service, by its id from services.h.
  bool offers(const char* id) const noexcept { return host_->service(host_, id) != nullptr; }

  const invited_host* raw() const noexcept { return host_; }

private:
  template <class Table>
  const Table* service(const char* id) const {
    if (const void* table = host_->service(host_, id)) return static_cast<const Table*>(table);
    throw Failure(Status::unsupported, std::string("this daemon does not offer ") + id);
  }

  const invited_host* host_;
};

// ---- the module ----------------------------------------------------------------------------------------------------

namespace detail {

// What the daemon's `self` points to. The object comes last: it goes first.
template <class T>
struct Instance {
  const invited_host* host;
  T object;
  Instance(const invited_host* raw, const Json& config) : host(raw), object(Host(raw), config) {}
};

template <class T>
invited_status create_instance(const invited_host* host, invited_call* call, invited_str config,
                               void** ret_self) noexcept {
  return guard(
      [&]() -> invited_status {
        try {
          *ret_self = std::make_unique<Instance<T>>(host, Json::parse(view(config))).release();
          return INVITED_OK;
        } catch (const JsonError& error) {
          throw Failure(Status::bad_config, error.what());
        }
      },
      [&](const Trouble& why) -> invited_status {
        tell(host, call, why);
        return static_cast<invited_status>(why.status == Status::ok ? Status::internal : why.status);
      });
}

template <class T>
void destroy_instance(void* self) noexcept {
  delete static_cast<Instance<T>*>(self);
}

// A member that T overrides has another type than the base's: its class differs. Needs the override to be public.
template <class Mine, class Base>
inline constexpr bool overridden = !std::is_same_v<Mine, Base>;

template <std::size_t Count>
constexpr std::array<const invited_plugin*, Count> pointers(const std::array<invited_plugin, Count>& plugins) {
  std::array<const invited_plugin*, Count> result{};
  for (std::size_t i = 0; i < Count; ++i) result[i] = &plugins[i];
  return result;
}

}  // namespace detail
}  // namespace invited

// The lowest minor version of the contract that this module can live with; define it before the include to ask for
// more than the first.
#ifndef INVITED_MODULE_NEEDS_MINOR
#define INVITED_MODULE_NEEDS_MINOR 0
#endif

// Defines the module's entry; once per module, at namespace scope: INVITED_MODULE(offer<A>(…), offer<B>(…)).
#define INVITED_MODULE(...)                                                                                \
  namespace {                                                                                              \
  constexpr auto invited_offers = ::std::to_array<::invited_plugin>({__VA_ARGS__});                        \
  constexpr auto invited_offer_pointers = ::invited::detail::pointers(invited_offers);                     \
  constexpr ::invited_module invited_module_table{sizeof(::invited_module), INVITED_MODULE_NEEDS_MINOR,    \
                                                  static_cast<uint32_t>(invited_offer_pointers.size()), 0, \
                                                  invited_offer_pointers.data()};                          \
  }                                                                                                        \
  extern "C" INVITED_EXPORT const ::invited_module* invited_module_v1(uint32_t) {                          \
    return &invited_module_table;                                                                          \
  }                                                                                                        \
  static_assert(true, "")
