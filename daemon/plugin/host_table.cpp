#include "plugin/host_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "core/events.hpp"
#include "core/log.hpp"
#include "plugin/abi_text.hpp"
#include "plugin/host.hpp"

namespace invited::plugin {

namespace log = core::log;
namespace events = core::events;
using core::Milliseconds;

namespace {

constexpr std::size_t longest_text = 4096;
constexpr std::size_t longest_value = 1024;
constexpr std::uint64_t most_fields = 32;

constexpr log::Event plugin_line{"plugin.log", ""};

log::Level level_of(std::int32_t level) {
  switch (level) {
    case INVITED_LOG_DEBUG:
      return log::Level::debug;
    case INVITED_LOG_INFO:
      return log::Level::info;
    case INVITED_LOG_WARNING:
      return log::Level::warning;
    default:
      return log::Level::error;
  }
}

const invited_clock clock_table = {sizeof(invited_clock), 0, &HostTable::now_ms, &HostTable::monotonic_ms};
const invited_secrets secrets_table = {sizeof(invited_secrets), 0, &HostTable::read_secret};
const invited_routes routes_table = {sizeof(invited_routes), 0, &HostTable::add_route};
const invited_schedule schedule_table = {sizeof(invited_schedule), 0, &HostTable::after, &HostTable::at,
                                         &HostTable::cancel_timer};

}  // namespace

void report_wall(const char* function, const char* what) noexcept {
  try {
    log::error(events::internal_error, "a host function failed", {{"function", function}, {"what", what}});
  } catch (...) {
    // No memory to say so.
  }
}

invited_host HostTable::make(Instance& instance) {
  invited_host host{};
  host.struct_size = sizeof host;
  host.abi_minor = INVITED_ABI_MINOR;
  host.context = &instance;
  if (instance.role() == "source")
    host.role = &source_host_table;
  else if (instance.role() == "transport")
    host.role = &transport_host_table;
  else
    host.role = &identity_host_table;
  host.service = &service;
  host.log = &log;
  host.log_enabled = &log_enabled;
  host.deadline_ms = &deadline_ms;
  host.cancelled = &cancelled;
  host.fail = &fail;
  host.complete = &complete;
  return host;
}

const void* HostTable::service(const invited_host* host, const char* id) {
  const Instance& instance = Instance::of(host);
  const std::string_view wanted = id == nullptr ? "" : id;
  if (wanted == INVITED_CLOCK_1) return &clock_table;
  if (wanted == INVITED_SECRETS_1 && instance.environment_.secrets) return &secrets_table;
  if (wanted == INVITED_HTTP_1 && instance.environment_.http) return &HttpService::table;
  if (wanted == INVITED_ROUTES_1 && instance.environment_.routes) return &routes_table;
  if (wanted == INVITED_STATE_1 && instance.environment_.state != nullptr) return &StateService::table;
  if (wanted == INVITED_SCHEDULE_1) return &schedule_table;
  return nullptr;
}

void HostTable::log(const invited_host* host, int32_t level, invited_str text, const invited_pair* fields,
                    uint64_t count) {
  wall("log", 0, [&] {
    const Instance& instance = Instance::of(host);
    std::string line = clipped(view(text), longest_text);
    const std::uint64_t shown = fields == nullptr ? 0 : std::min(count, most_fields);
    for (std::uint64_t i = 0; i < shown; ++i)
      line += fmt::format(" {}={}", clipped(view(fields[i].key), 64), clipped(view(fields[i].value), longest_value));
    core::log::write(level_of(level), plugin_line, line,
                     {{"plugin", instance.plugin().name}, {"instance", instance.name()}});
    return 0;
  });
}

int32_t HostTable::log_enabled(const invited_host*, int32_t level) {
  return core::log::enabled(level_of(level)) ? 1 : 0;
}

int64_t HostTable::deadline_ms(const invited_host* host, invited_call* handle) {
  return wall("deadline_ms", 0, [&]() -> std::int64_t {
    Instance& instance = Instance::of(host);
    const auto call = instance.find_any(handle);
    if (!call) {
      instance.misbehaved("deadline_ms() on a call that is not open");
      return 0;
    }
    // Counted on the monotonic clock, so a clock that is set changes the answer and not the time that is left.
    const Milliseconds left = call->deadline() - instance.clock().monotonic();
    return (instance.clock().now() + left).time_since_epoch().count();
  });
}

int32_t HostTable::cancelled(const invited_host* host, invited_call* handle) {
  return wall("cancelled", 1, [&] {
    const auto call = Instance::of(host).find_any(handle);
    return !call || call->cancel_requested() ? 1 : 0;
  });
}

void HostTable::fail(const invited_host* host, invited_call* handle, const invited_error* error) {
  wall("fail", 0, [&] {
    Instance& instance = Instance::of(host);
    const auto call = instance.find_any(handle);
    if (!call || error == nullptr || !INVITED_HAS(error, invited_error, field)) {
      instance.misbehaved(!call ? "fail() on a call that is not open" : "fail() without a whole error");
      return 0;
    }
    Failure failure{clipped(view(error->message), longest_text), clipped(view(error->field), longest_value),
                    std::clamp<std::int64_t>(error->retry_after_s, 0, 365 * 86400)};
    const std::lock_guard lock(instance.mutex_);
    call->failure_ = std::move(failure);
    return 0;
  });
}

void HostTable::complete(const invited_host* host, invited_call* call, invited_status status) {
  Instance::of(host).complete(call, status);
}

// ---- clock/1, secrets/1, routes/1 ----

int64_t HostTable::now_ms(const invited_host* host) {
  return Instance::of(host).clock().now().time_since_epoch().count();
}

int64_t HostTable::monotonic_ms(const invited_host* host) {
  return Instance::of(host).clock().monotonic().count();
}

invited_status HostTable::read_secret(const invited_host* host, invited_str name, invited_receiver receive,
                                      void* user) {
  return wall("secrets/1 read", INVITED_INTERNAL, [&]() -> invited_status {
    Instance& instance = Instance::of(host);
    if (receive == nullptr) {
      instance.misbehaved("secrets/1 read() without a receiver");
      return INVITED_REJECTED;
    }
    const auto read =
        instance.environment_.secrets->read(view(name), [&](std::string_view value) { receive(user, borrow(value)); });
    if (read) return INVITED_OK;
    core::log::error(plugin_line, "Plugin cannot have a secret: " + read.error().message,
                     {{"plugin", instance.plugin().name}, {"instance", instance.name()}});
    return INVITED_BAD_CONFIG;
  });
}

invited_status HostTable::add_route(const invited_host* host, invited_str prefix) {
  return wall("routes/1 add", INVITED_INTERNAL, [&]() -> invited_status {
    Instance& instance = Instance::of(host);
    if (instance.role() != "source" || (instance.plugin().capabilities & INVITED_SOURCE_HANDLE_HTTP) == 0)
      return INVITED_UNSUPPORTED;
    if (!instance.creating_ || !instance.thread_.is_current()) {
      instance.misbehaved("routes/1 add() outside create()");
      return INVITED_REJECTED;
    }
    const auto added = instance.environment_.routes->add(view(prefix), instance.name());
    if (added) return INVITED_OK;
    core::log::error(plugin_line, "Plugin cannot have a route: " + added.error().message,
                     {{"plugin", instance.plugin().name}, {"instance", instance.name()}});
    return added.error().kind == core::ErrorKind::conflict ? INVITED_REJECTED : INVITED_BAD_CONFIG;
  });
}

// ---- schedule/1 ----

invited_status HostTable::after(const invited_host* host, int64_t delay_ms, void (*run)(void*), void* user,
                                uint64_t* ret_id) {
  return wall("schedule/1 after", INVITED_INTERNAL, [&]() -> invited_status {
    Instance& instance = Instance::of(host);
    Instance::Timer timer;
    constexpr std::int64_t longest = std::int64_t{1} << 50;
    timer.monotonic = instance.clock().monotonic() + Milliseconds(std::clamp<std::int64_t>(delay_ms, 0, longest));
    timer.run = run;
    timer.user = user;
    return instance.add_timer(timer, ret_id);
  });
}

invited_status HostTable::at(const invited_host* host, int64_t at_ms, void (*run)(void*), void* user,
                             uint64_t* ret_id) {
  return wall("schedule/1 at", INVITED_INTERNAL, [&]() -> invited_status {
    Instance& instance = Instance::of(host);
    Instance::Timer timer;
    constexpr std::int64_t latest = std::int64_t{1} << 50;
    timer.wall = core::Instant(Milliseconds(std::clamp<std::int64_t>(at_ms, 0, latest)));
    timer.by_wall = true;
    timer.run = run;
    timer.user = user;
    return instance.add_timer(timer, ret_id);
  });
}

invited_status HostTable::cancel_timer(const invited_host* host, uint64_t id) {
  return wall("schedule/1 cancel", INVITED_INTERNAL, [&]() -> invited_status {
    Instance& instance = Instance::of(host);
    const std::lock_guard lock(instance.mutex_);
    return instance.timers_.erase(id) > 0 ? INVITED_OK : INVITED_REJECTED;
  });
}

}  // namespace invited::plugin
