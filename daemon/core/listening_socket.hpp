// Listening sockets, made and checked below HTTP: what core/http_server.cpp stands on.
//
//   Result<Descriptor> socket = open_unix_listener("/run/invited/control.sock", 0660);
//
// Plain system calls without waiting; nothing is kept between them. [any-thread]
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/descriptor.hpp"
#include "core/http_message.hpp"
#include "core/result.hpp"

namespace invited::core {

// Non-blocking, close-on-exec and listening. Errors as HttpServer::listen_tcp and listen_unix document them.
[[nodiscard]] Result<Descriptor> open_tcp_listener(const std::string& address_and_port);
[[nodiscard]] Result<Descriptor> open_unix_listener(const std::filesystem::path& path, unsigned mode);
// `invalid` unless it is a listening stream socket of a known family; makes it close-on-exec.
[[nodiscard]] Result<void> check_listener(int descriptor);

[[nodiscard]] int socket_domain(int descriptor);  // AF_UNIX, AF_INET, AF_INET6; -1 if it is no socket
// What it is bound to: "127.0.0.1:8620", "[::1]:8620", a path.
[[nodiscard]] std::string endpoint_text(int descriptor);

struct SocketPeer {
  HttpPeer http;
  std::string key;  // what HttpServerLimits::connections_per_peer counts by
};
// Who is on the other end of a connected socket, by the kernel's word; nothing if it has left already.
[[nodiscard]] std::optional<SocketPeer> peer_of(int descriptor);

}  // namespace invited::core
