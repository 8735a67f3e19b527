#include "plugin/routes.hpp"

#include <fmt/format.h>

#include "plugin/abi_text.hpp"

namespace invited::plugin {

using core::ErrorKind;

namespace {

bool covers(std::string_view prefix, std::string_view path) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

bool is_plain_path(std::string_view path) {
  if (path.size() < 2 || path.size() > 200 || path[0] != '/' || path.back() == '/') return false;
  if (path.find("//") != std::string_view::npos || path.find("/.") != std::string_view::npos) return false;
  return path.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._~-") ==
         std::string_view::npos;
}

}  // namespace

Routes::Routes(std::vector<std::string> reserved) : reserved_(std::move(reserved)) {
  for (std::string& own : reserved_)
    while (own.ends_with('/')) own.pop_back();
}

core::Result<void> Routes::add(std::string_view prefix, const std::string& instance) {
  if (!is_plain_path(prefix))
    return core::fail(ErrorKind::invalid, "bad_route",
                      fmt::format("\"{}\" is not a path prefix such as \"/scim/v2\"", clipped(prefix, 200)));
  for (const std::string& own : reserved_)
    if (covers(own, prefix) || covers(prefix, own))
      return core::fail(ErrorKind::conflict, "route_reserved",
                        fmt::format("the path {} is reserved for the daemon's own {}", prefix, own));
  const std::lock_guard lock(mutex_);
  const auto [at, added] = by_prefix_.emplace(prefix, instance);
  if (!added && at->second != instance)
    return core::fail(ErrorKind::conflict, "route_taken",
                      fmt::format("the path {} is taken by source \"{}\"", prefix, at->second));
  return {};
}

void Routes::remove_all(std::string_view instance) {
  const std::lock_guard lock(mutex_);
  std::erase_if(by_prefix_, [&](const auto& entry) { return entry.second == instance; });
}

std::optional<std::string> Routes::find(std::string_view path) const {
  const std::lock_guard lock(mutex_);
  for (std::string_view at = path; at.size() > 1; at = at.substr(0, at.rfind('/')))
    if (const auto found = by_prefix_.find(at); found != by_prefix_.end()) return found->second;
  return std::nullopt;
}

std::vector<std::string> Routes::of(std::string_view instance) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> prefixes;
  for (const auto& [prefix, owner] : by_prefix_)
    if (owner == instance) prefixes.push_back(prefix);
  return prefixes;
}

}  // namespace invited::plugin
