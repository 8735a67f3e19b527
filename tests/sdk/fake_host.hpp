// A host table that records what a plugin does to it, without a daemon: for tests of the SDK's C++ side. Calls are
// checked objects: after a call is completed and its operation has returned, a touch is a bug and counted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <invited/cpp/roles.hpp>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace fake {

struct RowSeen {
  std::int64_t line = 0;
  std::map<std::string, std::string> fields;
};

struct VerdictSeen {
  std::string id, detail, remote_id;
  invited_status status = -1;
  std::int32_t scope = 0, phase = 0, reply_code = 0;
  std::int64_t retry_after_s = 0;
};

struct Call {
  int completions = 0;
  invited_status status = -1;
  invited_status error_status = -1;
  std::string message, field;
  std::int64_t retry_after_s = 0;
  std::int64_t deadline_ms = 0;
  bool cancelled = false;
  bool returned = false;  // the operation has returned to the host
  int touched_after_end = 0;

  std::vector<RowSeen> rows;
  std::vector<std::string> rejected, noted;
  std::int64_t announced_rows = -2;  // -2: nothing was announced
  std::map<std::string, std::string> announced;
  std::string cursor = "none";
  bool more = false, soon = false, settle = false;
  std::int32_t http_status = 0;
  std::string content_type, body, written;
  std::vector<VerdictSeen> verdicts;
  std::vector<std::string> steps;
  std::vector<invited::Account> accounts;

  invited_call* raw() { return reinterpret_cast<invited_call*>(this); }
};

struct Scheduled {
  std::int64_t when_ms = 0;
  invited_task run = nullptr;
  void* user = nullptr;
};

class Host {
public:
  explicit Host(const char* role = INVITED_ROLE_SOURCE) {
    table_.struct_size = sizeof table_;
    table_.context = this;
    const std::string_view name = role;
    if (name == INVITED_ROLE_SOURCE) table_.role = &source_;
    if (name == INVITED_ROLE_TRANSPORT) table_.role = &transport_;
    if (name == INVITED_ROLE_IDENTITY) table_.role = &identity_;
    table_.service = [](const invited_host* host, const char* id) -> const void* {
      const auto& offered = of(host).services;
      const auto found = offered.find(id);
      return found == offered.end() ? nullptr : found->second;
    };
    table_.log = [](const invited_host* host, std::int32_t level, invited_str text, const invited_pair* fields,
                    std::uint64_t count) {
      const std::lock_guard lock(of(host).mutex_);
      std::string line = std::to_string(level) + " " + str(text);
      for (std::uint64_t i = 0; i < count; ++i) line += " " + str(fields[i].key) + "=" + str(fields[i].value);
      of(host).lines.push_back(line);
    };
    table_.log_enabled = [](const invited_host*, std::int32_t level) -> std::int32_t {
      return level >= INVITED_LOG_INFO ? 1 : 0;
    };
    table_.deadline_ms = [](const invited_host* host, invited_call* raw) { return touch(host, raw).deadline_ms; };
    table_.cancelled = [](const invited_host* host, invited_call* raw) -> std::int32_t {
      const std::lock_guard lock(of(host).mutex_);
      return touch(host, raw).cancelled ? 1 : 0;
    };
    table_.fail = [](const invited_host* host, invited_call* raw, const invited_error* error) {
      const std::lock_guard lock(of(host).mutex_);
      Call& call = touch(host, raw);
      if (call.completions > 0) return;
      call.error_status = error->status;
      call.message = str(error->message);
      call.field = str(error->field);
      call.retry_after_s = error->retry_after_s;
    };
    table_.complete = [](const invited_host* host, invited_call* raw, invited_status status) {
      const std::lock_guard lock(of(host).mutex_);
      Call& call = touch(host, raw);
      if (call.completions++ == 0) call.status = status;
    };
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const invited_host* raw() const { return &table_; }

  // A new call, which lives as long as the host so that late touches can be seen.
  Call& call() { return calls_.emplace_back(); }
  // Runs one operation as the daemon would.
  template <class Run>
  Call& operation(Run&& run) {
    Call& result = call();
    run(result.raw());
    const std::lock_guard lock(mutex_);
    result.returned = true;
    return result;
  }

  bool logged(std::string_view part) {
    const std::lock_guard lock(mutex_);
    return std::any_of(lines.begin(), lines.end(),
                       [part](const std::string& line) { return line.find(part) != std::string::npos; });
  }

  std::vector<std::string> lines;
  std::map<std::string, const void*> services;
  int changed = 0;
  bool cancel_comes_too_late = false;  // a scheduled function can no longer be called off
  int stop_after_rows = -1;            // emit and write answer CANCELLED from this one on

  // What the services below work on.
  std::map<std::string, std::string> secrets{{"token", "s3cret"}};
  std::map<std::string, std::string> state;
  std::vector<std::string> routes;
  std::map<std::uint64_t, Scheduled> scheduled;
  std::int64_t now_ms = 1'000'000;
  std::function<void(const invited_http_request&, invited_http_done, void*)> http;

  void offer_all() {
    services[INVITED_CLOCK_1] = &clock_;
    services[INVITED_SECRETS_1] = &secrets_;
    services[INVITED_HTTP_1] = &http_;
    services[INVITED_ROUTES_1] = &routes_;
    services[INVITED_STATE_1] = &state_;
    services[INVITED_SCHEDULE_1] = &schedule_;
  }

  // Runs everything that is scheduled, as the instance's thread would.
  void run_scheduled() {
    while (!scheduled.empty()) {
      const Scheduled next = scheduled.begin()->second;
      scheduled.erase(scheduled.begin());
      next.run(next.user);
    }
  }

private:
  invited_host table_{};
  std::mutex mutex_;
  std::list<Call> calls_;
  std::uint64_t last_id_ = 0;

  static Host& of(const invited_host* host) { return *static_cast<Host*>(host->context); }
  static std::string str(invited_str text) { return std::string(invited::view(text)); }
  static Call& touch(const invited_host*, invited_call* raw) {
    Call& call = *reinterpret_cast<Call*>(raw);
    if (call.completions > 0 && call.returned) ++call.touched_after_end;
    return call;
  }

  static const invited_source_host source_;

  static const invited_transport_host transport_;

  static const invited_identity_host identity_;

  static const invited_clock clock_;

  static const invited_secrets secrets_;

  static const invited_http http_;

  static const invited_routes routes_;

  static const invited_state state_;

  static invited_status schedule(const invited_host* host, std::int64_t when_ms, invited_task run, void* user,
                                 std::uint64_t* ret_id) {
    if (of(host).scheduled.size() >= 2) return INVITED_REJECTED;
    *ret_id = ++of(host).last_id_;
    of(host).scheduled[*ret_id] = {when_ms, run, user};
    return INVITED_OK;
  }
  static const invited_schedule schedule_;
};

// Behind the class: the functions in them see it whole.
inline const invited_source_host Host::source_{
    sizeof(invited_source_host),
    0,
    [](const invited_host* host, invited_call* raw, const invited_record* record) -> invited_status {
      const std::lock_guard lock(of(host).mutex_);
      Call& call = touch(host, raw);
      if (of(host).stop_after_rows >= 0 && static_cast<int>(call.rows.size()) >= of(host).stop_after_rows)
        return INVITED_CANCELLED;
      RowSeen row{record->line, {}};
      for (std::uint64_t i = 0; i < record->field_count; ++i)
        row.fields[str(record->fields[i].key)] = str(record->fields[i].value);
      call.rows.push_back(row);
      return INVITED_OK;
    },
    [](const invited_host* host, invited_call* raw, std::int64_t line, invited_str column, invited_str reason,
       invited_str message) {
      touch(host, raw).rejected.push_back(std::to_string(line) + "/" + str(column) + "/" + str(reason) + "/" +
                                          str(message));
    },
    [](const invited_host* host, invited_call* raw, invited_str cursor, std::int32_t more, std::int32_t settle) {
      Call& call = touch(host, raw);
      call.cursor = str(cursor);
      call.more = more == INVITED_MORE_NOW;
      call.soon = more == INVITED_MORE_SOON;
      call.settle = settle == 1;
    },
    [](const invited_host* host, invited_call* raw, std::int32_t status, invited_str type, invited_str body) {
      Call& call = touch(host, raw);
      call.http_status = status;
      call.content_type = str(type);
      call.body = str(body);
    },
    [](const invited_host* host, invited_call* raw, invited_str bytes) -> invited_status {
      if (of(host).stop_after_rows == 0) return INVITED_CANCELLED;
      touch(host, raw).written += str(bytes);
      return INVITED_OK;
    },
    [](const invited_host* host) { ++of(host).changed; },
    [](const invited_host* host, invited_call* raw, const invited_announcement* what) {
      Call& call = touch(host, raw);
      call.announced_rows = what->rows;
      for (std::uint64_t i = 0; i < what->column_count; ++i)
        call.announced[str(what->columns[i].key)] = str(what->columns[i].value);
    },
    [](const invited_host* host, invited_call* raw, std::int64_t line, invited_str column, invited_str reason,
       invited_str message) {
      touch(host, raw).noted.push_back(std::to_string(line) + "/" + str(column) + "/" + str(reason) + "/" +
                                       str(message));
    }};

inline const invited_transport_host Host::transport_{
    sizeof(invited_transport_host), 0,
    [](const invited_host* host, invited_call* raw, const invited_verdict* verdict) {
      const std::lock_guard lock(of(host).mutex_);
      touch(host, raw).verdicts.push_back({str(verdict->id), str(verdict->detail), str(verdict->remote_id),
                                           verdict->status, verdict->scope, verdict->phase, verdict->reply_code,
                                           verdict->retry_after_s});
    },
    [](const invited_host* host, invited_call* raw, std::int32_t phase, invited_str detail) {
      touch(host, raw).steps.push_back(std::to_string(phase) + " " + str(detail));
    }};

inline const invited_identity_host Host::identity_{
    sizeof(invited_identity_host), 0, [](const invited_host* host, invited_call* raw, const invited_account* account) {
      touch(host, raw).accounts.push_back({str(account->external_id), str(account->provider_id),
                                           str(account->login_email), str(account->sign_in_url),
                                           account->created == 1});
    }};

inline const invited_clock Host::clock_{sizeof(invited_clock), 0,
                                        [](const invited_host* host) { return of(host).now_ms; },
                                        [](const invited_host* host) { return of(host).now_ms - 5; }};

inline const invited_secrets Host::secrets_{
    sizeof(invited_secrets), 0,
    [](const invited_host* host, invited_str name, invited_receiver receive, void* user) -> invited_status {
      const auto found = of(host).secrets.find(str(name));
      if (found == of(host).secrets.end()) return INVITED_BAD_CONFIG;
      receive(user, invited::borrow(found->second));
      return INVITED_OK;
    }};

inline const invited_http Host::http_{sizeof(invited_http), 0,
                                      [](const invited_host* host, invited_call*, const invited_http_request* request,
                                         invited_http_done done, void* user) -> invited_status {
                                        if (!of(host).http) return INVITED_CANCELLED;
                                        of(host).http(*request, done, user);
                                        return INVITED_OK;
                                      },
                                      [](const invited_host* host, invited_call*, const invited_http_request* request,
                                         invited_http_done done, void* user) -> invited_status {
                                        of(host).http(*request, done, user);
                                        return INVITED_OK;
                                      }};

inline const invited_routes Host::routes_{sizeof(invited_routes), 0,
                                          [](const invited_host* host, invited_str prefix) -> invited_status {
                                            if (invited::view(prefix).substr(0, 1) != "/") return INVITED_BAD_CONFIG;
                                            of(host).routes.push_back(str(prefix));
                                            return INVITED_OK;
                                          }};

inline const invited_state Host::state_{
    sizeof(invited_state), 0,
    [](const invited_host* host, invited_str key, invited_receiver receive, void* user) -> invited_status {
      const auto found = of(host).state.find(str(key));
      if (found != of(host).state.end()) receive(user, invited::borrow(found->second));
      return INVITED_OK;
    },
    [](const invited_host* host, invited_str key, invited_str value) -> invited_status {
      if (value.size > 64 * 1024) return INVITED_REJECTED;
      of(host).state[str(key)] = str(value);
      return INVITED_OK;
    },
    [](const invited_host* host, invited_str key) -> invited_status {
      of(host).state.erase(str(key));
      return INVITED_OK;
    }};

inline const invited_schedule Host::schedule_{sizeof(invited_schedule), 0, &Host::schedule, &Host::schedule,
                                              [](const invited_host* host, std::uint64_t id) -> invited_status {
                                                if (of(host).cancel_comes_too_late) return INVITED_REJECTED;
                                                return of(host).scheduled.erase(id) == 1 ? INVITED_OK
                                                                                         : INVITED_REJECTED;
                                              }};

// An instance of T, made through its plugin descriptor as the daemon does it.
template <class T, class Operations>
class Instance {
public:
  explicit Instance(Host& host, std::string_view config = "{}") : plugin_(invited::offer<T>("test", "1", "{}")) {
    const Call& made = host.operation(
        [&](invited_call* call) { status_ = plugin_.create(host.raw(), call, invited::borrow(config), &self_); });
    message_ = made.message;
    field_ = made.field;
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance() {
    if (status_ == INVITED_OK) plugin_.destroy(self_);
  }

  const invited_plugin& plugin() const { return plugin_; }
  const Operations& operations() const { return *static_cast<const Operations*>(plugin_.operations); }
  void* self() const { return self_; }
  T& object() const { return static_cast<invited::detail::Instance<T>*>(self_)->object; }
  invited_status status() const { return status_; }
  const std::string& message() const { return message_; }
  const std::string& field() const { return field_; }

private:
  invited_plugin plugin_;
  void* self_ = nullptr;
  invited_status status_ = -1;
  std::string message_, field_;
};

}  // namespace fake
