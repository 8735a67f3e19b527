// Who may do what: every command of the table against each kind of peer.
#include <unistd.h>

#include "control/office.hpp"

using namespace invited;
using namespace invited::test;
using control::Roles;

namespace {

// The command's path with something in its placeholders.
std::string filled(const api::Command& command) {
  std::string path;
  for (std::size_t i = 0; i < command.path.size(); ++i) {
    if (command.path[i] != '{') {
      path += command.path[i];
      continue;
    }
    path += "x";
    i = command.path.find('}', i);
  }
  return path;
}

}  // namespace

TEST_CASE("every command refuses those below its role, changes nothing for them, and lets the others in") {
  Office office;
  office.hire("14");
  const std::vector<std::pair<core::HttpPeer, std::optional<api::Role>>> people{{nobody(), std::nullopt},
                                                                                {viewer(), api::Role::viewer},
                                                                                {an_operator(), api::Role::operator_},
                                                                                {an_admin(), api::Role::admin}};
  int asked = 0;
  for (const auto& command : api::commands()) {
    if (command.method.empty()) continue;
    for (const auto& [who, role] : people) {
      CAPTURE(std::string(command.id), who.uid);
      const auto before = office.dump();
      const auto answer = office.ask(std::string(command.method), filled(command), "", who);
      ++asked;
      if (!role || *role < command.role) {
        CHECK(answer.status == 403);
        CHECK(answer.code() == "not_permitted");
        CHECK_THAT(answer.text("/detail"), Catch::Contains(std::string(role ? api::to_text(command.role) : "viewer")));
        CHECK(office.dump() == before);
      } else {
        CHECK(answer.status != 403);
        CHECK(answer.status < 500);
      }
    }
  }
  CHECK(asked > 100);
}

TEST_CASE("what a viewer may do changes nothing") {
  Office office;
  office.hire("14");
  for (const auto& command : api::commands()) {
    if (command.method.empty() || command.role != api::Role::viewer) continue;
    CAPTURE(std::string(command.id));
    CHECK_FALSE(command.changes);
    const auto before = office.dump();
    (void)office.ask(std::string(command.method), filled(command), "", viewer());
    CHECK(office.dump() == before);
  }
}

TEST_CASE("roles come from the kernel's word about the peer: main group or any other group") {
  const Roles roles(debian_groups());
  const auto of = [&](std::uint32_t uid, std::uint32_t gid, std::vector<std::uint32_t> groups) {
    auto who = peer(uid, std::move(groups));
    who.gid = gid;
    return roles.of(who);
  };
  CHECK(of(60'000, 60'000, {}) == std::nullopt);
  CHECK(of(60'000, 60, {}) == api::Role::viewer);
  CHECK(of(60'000, 60'000, {1, 60, 2}) == api::Role::viewer);
  CHECK(of(60'000, 60'000, {60, 8}) == api::Role::operator_);
  CHECK(of(60'000, 60'000, {60, 8, 4}) == api::Role::admin);
  CHECK(of(60'000, 4, {60}) == api::Role::admin);
  CHECK(of(0, 0, {}) == api::Role::admin);
  CHECK(of(::getuid(), 60'000, {}) == api::Role::admin);
  // A group of number 0 is nobody's role, nor is a peer that came by network.
  CHECK(of(60'000, 0, {0}) == std::nullopt);
  core::HttpPeer remote;
  remote.address = "127.0.0.1";
  CHECK(roles.of(remote) == std::nullopt);
}

TEST_CASE("a role whose group does not exist is nobody's") {
  const Roles roles({.viewer = "", .operator_ = "no-such-group-here", .admin = "no-such-group-either"});
  CHECK(roles.of(peer(60'000, {0, 4, 8, 60, 65'534})) == std::nullopt);
  CHECK(roles.of(peer(0, {})) == api::Role::admin);
}

TEST_CASE("the actor is the uid, with the name where there is one") {
  CHECK(control::actor_of(peer(0, {})) == "uid:0 (root)");
  CHECK(control::actor_of(peer(60'003, {})) == "uid:60003");
}

TEST_CASE("only who may import can make the daemon hold a file") {
  const Roles roles(debian_groups());
  constexpr std::uint64_t file = 64ULL * 1024 * 1024;
  constexpr std::uint64_t usual = 1024 * 1024;
  const auto allowed = [&](const std::string& method, const std::string& path, const core::HttpPeer& who) {
    core::HttpRequest head;
    head.method = method;
    head.path = path;
    head.peer = who;
    return control::body_bytes_for(head, roles, file);
  };
  CHECK(allowed("POST", "/v1/imports", an_admin()) == file);
  CHECK(allowed("POST", "/v1/imports", an_operator()) == file);
  CHECK(allowed("POST", "/v1/imports", viewer()) == usual);
  CHECK(allowed("POST", "/v1/imports", nobody()) == usual);
  CHECK(allowed("POST", "/v1/users", an_admin()) == usual);
  CHECK(allowed("GET", "/v1/nowhere", an_admin()) == usual);
}
