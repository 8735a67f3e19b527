#include "core/listening_socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

namespace invited::core {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

std::string message_of(int error) {
  return std::generic_category().message(error);
}

int option_of(int descriptor, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(descriptor, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

asio::ip::address ip_of(const Address& address) {
  if (address.storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address.storage);
    return asio::ip::address_v4(ntohl(v4.sin_addr.s_addr));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.storage);
  asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  const asio::ip::address_v6 ip(bytes);
  if (ip.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, ip);
  return ip;
}

}  // namespace

int socket_domain(int descriptor) {
  return option_of(descriptor, SO_DOMAIN);
}

std::string endpoint_text(int fd) {
  Address address;
  if (::getsockname(fd, address.get(), &address.length) != 0) return {};
  if (address.storage.ss_family == AF_UNIX) {
    const auto& local = reinterpret_cast<const sockaddr_un&>(address.storage);
    return std::string(local.sun_path, ::strnlen(local.sun_path, sizeof local.sun_path));
  }
  const bool v6 = address.storage.ss_family == AF_INET6;
  const auto port = v6 ? reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_port
                       : reinterpret_cast<const sockaddr_in&>(address.storage).sin_port;
  const std::string ip = ip_of(address).to_string();
  return v6 ? fmt::format("[{}]:{}", ip, ntohs(port)) : fmt::format("{}:{}", ip, ntohs(port));
}

std::optional<SocketPeer> peer_of(int fd) {
  SocketPeer peer;
  if (socket_domain(fd) != AF_UNIX) {
    Address address;
    if (::getpeername(fd, address.get(), &address.length) != 0) return std::nullopt;
    const asio::ip::address ip = ip_of(address);
    peer.http.address = ip.to_string();
    peer.key = peer.http.address;
    if (ip.is_v6()) {
      // One customer has a /64 and could come from a new address each time.
      auto bytes = ip.to_v6().to_bytes();
      std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
      peer.key = asio::ip::address_v6(bytes).to_string();
    }
    return peer;
  }
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return std::nullopt;
  peer.http.local = true;
  peer.http.uid = credentials.uid;
  peer.http.gid = credentials.gid;
  peer.http.pid = credentials.pid;
  peer.key = fmt::format("uid {}", credentials.uid);
  peer.http.groups.resize(32);
  while (true) {
    length = static_cast<socklen_t>(peer.http.groups.size() * sizeof(std::uint32_t));
    const int failed = ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer.http.groups.data(), &length);
    const int error = errno;
    peer.http.groups.resize(length / sizeof(std::uint32_t));  // the kernel says how many there are, in both cases
    if (failed == 0) return peer;
    if (error != ERANGE) return std::nullopt;
  }
}

Result<Descriptor> open_tcp_listener(const std::string& address_and_port) {
  const auto invalid = [&] {
    return fail(
        ErrorKind::invalid, "bad_listen_address",
        fmt::format("\"{}\" is not an address to listen on: write 127.0.0.1:8620 or [::1]:8620", address_and_port),
        address_and_port);
  };
  const std::size_t colon = address_and_port.rfind(':');
  if (colon == std::string::npos) return invalid();
  std::string host = address_and_port.substr(0, colon);
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  std::uint16_t port = 0;
  const char* port_begin = address_and_port.data() + colon + 1;
  const char* port_end = address_and_port.data() + address_and_port.size();
  const auto [parsed, parse_error] = std::from_chars(port_begin, port_end, port);
  error_code error;
  const asio::ip::address ip = asio::ip::make_address(host, error);
  if (error || ip.is_v6() != brackets || parse_error != std::errc() || parsed != port_end) return invalid();

  Address address;
  if (ip.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(ip.to_v4().to_uint());
    address.length = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    const auto bytes = ip.to_v6().to_bytes();
    std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
    v6.sin6_scope_id = static_cast<std::uint32_t>(ip.to_v6().scope_id());
    address.length = sizeof v6;
  }
  const auto failed = [&](int reason) {
    const bool used = reason == EADDRINUSE;
    const bool denied = reason == EACCES || reason == EPERM;
    return fail(used ? ErrorKind::conflict : (denied ? ErrorKind::forbidden : ErrorKind::unavailable),
                used ? "address_in_use" : "cannot_listen",
                fmt::format("Cannot listen on {}: {}", address_and_port, message_of(reason)), address_and_port);
  };
  Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!socket) return failed(errno);
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), address.get(), address.length) != 0 || ::listen(socket.get(), SOMAXCONN) != 0)
    return failed(errno);
  return socket;
}

Result<Descriptor> open_unix_listener(const std::filesystem::path& path, unsigned mode) {
  const std::string name = path.string();
  const auto failed = [&](int reason, std::string_view doing) {
    const bool denied = reason == EACCES || reason == EPERM || reason == EROFS;
    const bool missing = reason == ENOENT || reason == ENOTDIR;
    const ErrorKind kind = denied ? ErrorKind::forbidden : (missing ? ErrorKind::not_found : ErrorKind::unavailable);
    return fail(kind, "cannot_listen", fmt::format("Cannot {} {}: {}", doing, name, message_of(reason)), name);
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.empty() || name.size() >= sizeof address.sun_path)
    return fail(ErrorKind::invalid, "bad_socket_path",
                fmt::format("A socket's path has 1 to {} bytes; this has {}: {}", sizeof address.sun_path - 1,
                            name.size(), name),
                name);
  std::memcpy(address.sun_path, name.data(), name.size());

  struct stat before{};
  if (::lstat(name.c_str(), &before) == 0) {
    if (!S_ISSOCK(before.st_mode))
      return fail(ErrorKind::conflict, "not_a_socket",
                  fmt::format("{} exists and is not a socket; it is left alone", name), name);
    const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!probe) return failed(errno, "open a socket for");
    const bool connected = ::connect(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    const int reason = errno;
    if (connected || reason == EAGAIN || reason == EINPROGRESS)
      return fail(ErrorKind::conflict, "socket_in_use", fmt::format("Another process listens on {}", name), name);
    if (reason != ECONNREFUSED && reason != ENOENT) return failed(reason, "find out who listens on");
    // Only the very file that was asked about: somebody else may have replaced it meanwhile.
    struct stat now{};
    const bool same = ::lstat(name.c_str(), &now) == 0 && now.st_dev == before.st_dev && now.st_ino == before.st_ino;
    if (same && ::unlink(name.c_str()) != 0 && errno != ENOENT) return failed(errno, "remove the old socket");
  } else if (errno != ENOENT) {
    return failed(errno, "look at");
  }

  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return failed(errno, "open a socket for");
  // The file is born with the descriptor's mode less the umask, so it is never open wider than asked. What the umask
  // took away is given back before listen(), by way of a descriptor that is certainly the socket and no link.
  if (::fchmod(socket.get(), mode) != 0) return failed(errno, "set the mode of");
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EADDRINUSE)
      return fail(ErrorKind::conflict, "socket_in_use", fmt::format("Another process has just taken {}", name), name);
    return failed(errno, "bind");
  }
  const auto give_up = [&](std::string_view doing) {
    const int reason = errno;
    ::unlink(name.c_str());
    return failed(reason, doing);
  };
  {
    const Descriptor file(::open(name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat about{};
    if (!file || ::fstat(file.get(), &about) != 0) return give_up("look at");
    if (!S_ISSOCK(about.st_mode))
      return fail(ErrorKind::conflict, "not_a_socket", fmt::format("{} was replaced while it was made", name), name);
    if ((about.st_mode & 07777) != mode && ::chmod(fmt::format("/proc/self/fd/{}", file.get()).c_str(), mode) != 0)
      return give_up("set the mode of");
  }
  if (::listen(socket.get(), SOMAXCONN) != 0) return give_up("listen on");
  return socket;
}

Result<void> check_listener(int descriptor) {
  const int domain = socket_domain(descriptor);
  if ((domain != AF_UNIX && domain != AF_INET && domain != AF_INET6) || option_of(descriptor, SO_TYPE) != SOCK_STREAM ||
      option_of(descriptor, SO_ACCEPTCONN) != 1)
    return fail(
        ErrorKind::invalid, "not_a_listening_socket",
        fmt::format("Descriptor {} is not a listening stream socket (ListenStream= in the socket unit)", descriptor));
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return {};
}

}  // namespace invited::core
