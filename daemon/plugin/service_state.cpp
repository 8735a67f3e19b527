#include <boost/asio/awaitable.hpp>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "core/log.hpp"
#include "plugin/abi_text.hpp"
#include "plugin/host.hpp"
#include "plugin/host_table.hpp"

namespace invited::plugin {

namespace asio = boost::asio;
using core::Result;

namespace {

constexpr std::size_t longest_key = 200;
constexpr std::size_t longest_value = std::size_t{64} * 1024;
constexpr std::size_t most_keys = 1000;

invited_status status_of(Instance& instance, const core::Error& error) {
  core::log::warning({"plugin.state", ""}, "State of a plugin could not be kept or read: " + error.message,
                     {{"plugin", instance.plugin().name}, {"instance", instance.name()}});
  return error.kind == core::ErrorKind::too_large || error.kind == core::ErrorKind::invalid ? INVITED_REJECTED
                                                                                            : INVITED_RETRY;
}

template <class T>
asio::awaitable<void> deliver(asio::awaitable<Result<T>> work, std::shared_ptr<std::promise<Result<T>>> promise) {
  try {
    promise->set_value(co_await std::move(work));
  } catch (const std::exception& error) {
    promise->set_value(core::fail(core::ErrorKind::unavailable, "state_failed", error.what()));
  }
}

// Has the core do `work` and waits for it. When the core goes away the promise goes with it, and that ends the wait.
template <class T, class Work>
Result<T> on_core(const std::shared_ptr<Instance>& instance, core::TaskScope& scope, Work work) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> arriving = promise->get_future();
  instance->gate().post(
      [&scope, work = std::move(work), promise] { scope.spawn("plugin state", deliver<T>(work(), promise)); });
  promise.reset();
  try {
    return arriving.get();
  } catch (const std::future_error&) {
    return core::fail(core::ErrorKind::unavailable, "state_stopping", "the daemon is stopping");
  }
}

// Two instances of different roles may have one name.
std::string owner_of(const Instance& instance) {
  return std::string(instance.role()) + "/" + instance.name();
}

bool may_wait(Instance& instance, bool own_thread) {
  if (own_thread) return true;
  instance.misbehaved("state/1 on another thread than the instance's own");
  return false;
}

}  // namespace

const invited_state StateService::table = {sizeof(invited_state), 0, &StateService::get, &StateService::put,
                                           &StateService::remove};

invited_status StateService::get(const invited_host* host, invited_str key, invited_receiver receive, void* user) {
  return wall("state/1 get", INVITED_INTERNAL, [&]() -> invited_status {
    const auto instance = Instance::of(host).shared_from_this();
    if (!may_wait(*instance, instance->thread_.is_current())) return INVITED_REJECTED;
    if (receive == nullptr || view(key).empty() || key.size > longest_key) return INVITED_REJECTED;
    auto& store = *instance->environment_.state;
    const auto value = on_core<std::optional<std::string>>(
        instance, instance->scope_,
        [&store, owner = owner_of(*instance), name = std::string(view(key))] { return store.get(owner, name); });
    if (!value) return status_of(*instance, value.error());
    if (value->has_value()) receive(user, borrow(**value));
    return INVITED_OK;
  });
}

invited_status StateService::put(const invited_host* host, invited_str key, invited_str value) {
  return wall("state/1 put", INVITED_INTERNAL, [&]() -> invited_status {
    const auto instance = Instance::of(host).shared_from_this();
    if (!may_wait(*instance, instance->thread_.is_current())) return INVITED_REJECTED;
    if (view(key).empty() || key.size > longest_key || value.size > longest_value) return INVITED_REJECTED;
    auto& store = *instance->environment_.state;
    const auto kept =
        on_core<void>(instance, instance->scope_,
                      [&store, owner = owner_of(*instance), name = std::string(view(key)),
                       text = std::string(view(value))] { return store.put(owner, name, text, most_keys); });
    return kept ? INVITED_OK : status_of(*instance, kept.error());
  });
}

invited_status StateService::remove(const invited_host* host, invited_str key) {
  return wall("state/1 remove", INVITED_INTERNAL, [&]() -> invited_status {
    const auto instance = Instance::of(host).shared_from_this();
    if (!may_wait(*instance, instance->thread_.is_current())) return INVITED_REJECTED;
    if (view(key).empty() || key.size > longest_key) return INVITED_REJECTED;
    auto& store = *instance->environment_.state;
    const auto gone = on_core<void>(
        instance, instance->scope_,
        [&store, owner = owner_of(*instance), name = std::string(view(key))] { return store.remove(owner, name); });
    return gone ? INVITED_OK : status_of(*instance, gone.error());
  });
}

}  // namespace invited::plugin
