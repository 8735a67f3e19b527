#include "smtp_url.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace invited::smtp {

namespace {

bool is_v4(const std::string& host) {
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool is_v6(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

}  // namespace

std::string Server::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

bool Server::is_loopback() const {
  return host == "localhost" || host == "::1" || (is_v4(host) && host.starts_with("127."));
}

bool Server::is_literal() const {
  return is_v4(host) || is_v6(host);
}

std::variant<Server, std::string> parse_url(std::string_view url) {
  Server server;
  if (url.starts_with("smtp://")) {
    url.remove_prefix(7);
  } else if (url.starts_with("smtps://")) {
    url.remove_prefix(8);
    server.implicit_tls = true;
    server.port = 465;
  } else {
    return std::string("the URL must begin with smtp:// or smtps://");
  }
  if (url.find('@') != std::string_view::npos)
    return std::string(
        "a user name or password does not belong into the URL: use \"username\" and \"password_credential\"");
  if (url.ends_with('/')) url.remove_suffix(1);
  if (url.find_first_of("/?#") != std::string_view::npos)
    return std::string("nothing may follow host and port in the URL");

  std::string_view port;
  bool has_port = false;
  if (url.starts_with('[')) {
    const std::size_t end = url.find(']');
    if (end == std::string_view::npos) return std::string("the URL has a '[' without a ']'");
    server.host = url.substr(1, end - 1);
    if (!is_v6(server.host)) return std::string("what stands in brackets in the URL is no IPv6 address");
    const std::string_view rest = url.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return std::string("only a port may follow the ']' in the URL");
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else {
    const std::size_t colon = url.find(':');
    has_port = colon != std::string_view::npos;
    server.host = url.substr(0, colon);
    if (has_port) port = url.substr(colon + 1);
    if (server.host.empty()) return std::string("the URL names no host");
    if (server.host.size() > 253 || !std::all_of(server.host.begin(), server.host.end(), host_character))
      return std::string("the host in the URL is no host name; write international names in their xn-- form");
    std::transform(server.host.begin(), server.host.end(), server.host.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  }
  if (has_port) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (error != std::errc() || end != port.data() + port.size() || value == 0 || value > 65535)
      return std::string("the port in the URL is not a number from 1 to 65535");
    server.port = static_cast<std::uint16_t>(value);
  }
  return server;
}

}  // namespace invited::smtp
