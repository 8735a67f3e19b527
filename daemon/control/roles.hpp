// Who may do what on the control socket: the kernel's word about the peer, mapped to viewer < operator < admin by Unix
// group (ARCHITECTURE §8). Root and the daemon's own uid are admin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/commands.hpp"
#include "core/http_message.hpp"

namespace invited::control {

struct RoleGroups {
  std::string viewer = "invited-viewer";
  std::string operator_ = "invited-operator";
  std::string admin = "invited-admin";
};

// Looks the groups up once; a group that does not exist gives nobody a role. Blocks on the name service. [any-thread]
class Roles {
public:
  explicit Roles(const RoleGroups& groups);
  // Nothing: the peer may not even look.
  [[nodiscard]] std::optional<api::Role> of(const core::HttpPeer& peer) const;

private:
  std::optional<std::uint32_t> viewer_;
  std::optional<std::uint32_t> operator_group_;
  std::optional<std::uint32_t> admin_;
  std::uint32_t own_uid_;
};

// "uid:1000 (anna)": what the audit keeps.
[[nodiscard]] std::string actor_of(const core::HttpPeer& peer);

}  // namespace invited::control
