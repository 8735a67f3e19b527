// The functions that a plugin calls: the core table of abi.h, one table per role, the services of services.h.
//
// Each of them is a wall: it looks at what it is given, never throws, and knows the instance from the host's context.
// The tables are constants; Instance puts the core table together when it is made.
#pragma once

#include <invited/abi.h>
#include <invited/identity.h>
#include <invited/services.h>
#include <invited/source.h>
#include <invited/transport.h>

#include <exception>

#include "core/result.hpp"

namespace invited::plugin {

class Call;
class Instance;
struct HttpRequest;

struct HostTable {
  [[nodiscard]] static invited_host make(Instance& instance);

  static const void* service(const invited_host* host, const char* id);
  static void log(const invited_host* host, int32_t level, invited_str text, const invited_pair* fields,
                  uint64_t count);
  static int32_t log_enabled(const invited_host* host, int32_t level);
  static int64_t deadline_ms(const invited_host* host, invited_call* call);
  static int32_t cancelled(const invited_host* host, invited_call* call);
  static void fail(const invited_host* host, invited_call* call, const invited_error* error);
  static void complete(const invited_host* host, invited_call* call, invited_status status);

  static int64_t now_ms(const invited_host* host);
  static int64_t monotonic_ms(const invited_host* host);
  static invited_status read_secret(const invited_host* host, invited_str name, invited_receiver receive, void* user);
  static invited_status add_route(const invited_host* host, invited_str prefix);
  static invited_status after(const invited_host* host, int64_t delay_ms, void (*run)(void*), void* user,
                              uint64_t* ret_id);
  static invited_status at(const invited_host* host, int64_t at_ms, void (*run)(void*), void* user, uint64_t* ret_id);
  static invited_status cancel_timer(const invited_host* host, uint64_t id);
};

struct HttpService {
  static const invited_http table;
  static core::Result<void> launch(Instance& instance, HttpRequest request, const Call* call);
  static invited_status start(const invited_host* host, invited_call* call, const invited_http_request* request,
                              invited_http_done done, void* user);
  static invited_status wait(const invited_host* host, invited_call* call, const invited_http_request* request,
                             invited_http_done done, void* user);
};

struct StateService {
  static const invited_state table;
  static invited_status get(const invited_host* host, invited_str key, invited_receiver receive, void* user);
  static invited_status put(const invited_host* host, invited_str key, invited_str value);
  static invited_status remove(const invited_host* host, invited_str key);
};

// Beside the adapters that give them meaning.
extern const invited_source_host source_host_table;
extern const invited_transport_host transport_host_table;
extern const invited_identity_host identity_host_table;

void report_wall(const char* function, const char* what) noexcept;

// Runs the body of a host function; what it throws (no memory) becomes a log line and `fallback`.
template <class Body, class Fallback>
auto wall(const char* function, Fallback fallback, Body&& body) noexcept -> decltype(body()) {
  try {
    return body();
  } catch (const std::exception& error) {
    report_wall(function, error.what());
  } catch (...) {
    report_wall(function, "unknown exception");
  }
  return static_cast<decltype(body())>(fallback);
}

}  // namespace invited::plugin
