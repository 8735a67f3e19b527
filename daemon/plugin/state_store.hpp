// Where invited.state/1 keeps its values: the app implements this over the store.
//
//   class PluginState : public plugin::StateStore { … co_return co_await store.write(…); };
//
// Called on the core thread, one call at a time per instance. Arguments are values. A put that returned is durable.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <optional>
#include <string>

#include "core/result.hpp"

namespace invited::plugin {

class StateStore {
public:
  virtual ~StateStore() = default;
  virtual boost::asio::awaitable<core::Result<std::optional<std::string>>> get(std::string instance,
                                                                               std::string key) = 0;
  // ErrorKind::too_large when the instance would have more than `most_keys`.
  virtual boost::asio::awaitable<core::Result<void>> put(std::string instance, std::string key, std::string value,
                                                         std::size_t most_keys) = 0;
  virtual boost::asio::awaitable<core::Result<void>> remove(std::string instance,
                                                            std::string key) = 0;  // good when absent
};

}  // namespace invited::plugin
