// invited.state/1 over the store.
#pragma once

#include "plugin/state_store.hpp"
#include "store/store.hpp"

namespace invited::app {

class PluginState final : public plugin::StateStore {
public:
  explicit PluginState(store::Store& store) : store_(store) {}
  boost::asio::awaitable<core::Result<std::optional<std::string>>> get(std::string instance, std::string key) override;
  boost::asio::awaitable<core::Result<void>> put(std::string instance, std::string key, std::string value,
                                                 std::size_t most_keys) override;
  boost::asio::awaitable<core::Result<void>> remove(std::string instance, std::string key) override;

private:
  store::Store& store_;
};

}  // namespace invited::app
