#include "app/plugin_state.hpp"

#include <fmt/format.h>

#include "store/meta.hpp"

namespace invited::app {

boost::asio::awaitable<core::Result<std::optional<std::string>>> PluginState::get(std::string instance,
                                                                                  std::string key) {
  auto value = co_await [&] {
    return store_.read([instance, key](store::Db& db) { return store::meta::plugin_state(db, instance, key); });
  }();
  co_return core::Result<std::optional<std::string>>(std::move(value));
}

boost::asio::awaitable<core::Result<void>> PluginState::put(std::string instance, std::string key, std::string value,
                                                            std::size_t most_keys) {
  co_return co_await [&] {
    return store_.write([instance, key, value, most_keys](store::Db& db) -> core::Result<void> {
      const bool present = store::meta::plugin_state(db, instance, key).has_value();
      if (!present && store::meta::count_plugin_state(db, instance) >= most_keys)
        return core::fail(core::ErrorKind::too_large, "too_many_keys",
                          fmt::format("The plugin instance already keeps {} values.", most_keys));
      store::meta::put_plugin_state(db, instance, key, value);
      return {};
    });
  }();
}

boost::asio::awaitable<core::Result<void>> PluginState::remove(std::string instance, std::string key) {
  co_await [&] {
    return store_.write([instance, key](store::Db& db) { store::meta::remove_plugin_state(db, instance, key); });
  }();
  co_return core::Result<void>{};
}

}  // namespace invited::app
