#include "control/roles.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace invited::control {

namespace {

std::optional<std::uint32_t> group_id(const std::string& name) {
  std::array<char, 16'384> buffer{};
  group entry{};
  group* found = nullptr;
  if (name.empty() || getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return std::nullopt;
  return found->gr_gid;
}

}  // namespace

Roles::Roles(const RoleGroups& groups)
    : viewer_(group_id(groups.viewer)),
      operator_group_(group_id(groups.operator_)),
      admin_(group_id(groups.admin)),
      own_uid_(getuid()) {}

std::optional<api::Role> Roles::of(const core::HttpPeer& peer) const {
  if (!peer.local) return std::nullopt;
  if (peer.uid == 0 || peer.uid == own_uid_) return api::Role::admin;
  const auto in = [&](const std::optional<std::uint32_t>& group) {
    return group &&
           (peer.gid == *group || std::find(peer.groups.begin(), peer.groups.end(), *group) != peer.groups.end());
  };
  if (in(admin_)) return api::Role::admin;
  if (in(operator_group_)) return api::Role::operator_;
  if (in(viewer_)) return api::Role::viewer;
  return std::nullopt;
}

std::string actor_of(const core::HttpPeer& peer) {
  std::array<char, 16'384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(peer.uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return fmt::format("uid:{} ({})", peer.uid, found->pw_name);
  return fmt::format("uid:{}", peer.uid);
}

}  // namespace invited::control
