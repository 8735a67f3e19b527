// Which part of the public listener belongs to which source.
//
//   routes.add("/scim/v2", "directory");         // during create()
//   routes.find("/scim/v2/Users");               // "directory": the longest prefix wins
//
// [any-thread]
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace invited::plugin {

class Routes {
public:
  // `reserved` prefixes are the daemon's own: nothing at, below or above them is given away. "/v/" means "/v".
  explicit Routes(std::vector<std::string> reserved);
  // Errors: `invalid` (not a plain path: "/", a '%', "..", "//", a query), `conflict` (taken or reserved).
  [[nodiscard]] core::Result<void> add(std::string_view prefix, const std::string& instance);
  void remove_all(std::string_view instance);
  [[nodiscard]] std::optional<std::string> find(std::string_view path) const;
  [[nodiscard]] std::vector<std::string> of(std::string_view instance) const;  // its prefixes, sorted

private:
  std::vector<std::string> reserved_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> by_prefix_;
};

}  // namespace invited::plugin
