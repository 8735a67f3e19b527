// Where the server is: "smtp://relay.example:587", "smtps://[2001:db8::5]".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace invited::smtp {

struct Server {
  std::string host;  // name or address literal without brackets
  std::uint16_t port = 25;
  bool implicit_tls = false;  // smtps

  // "relay.example:25", "[::1]:25"
  [[nodiscard]] std::string text() const;
  // Known from the configuration alone, never from what a resolver says: localhost, 127.0.0.0/8, ::1.
  [[nodiscard]] bool is_loopback() const;
  // An address, not a name.
  [[nodiscard]] bool is_literal() const;
};

// The server, or one sentence about what is wrong with `url`.
[[nodiscard]] std::variant<Server, std::string> parse_url(std::string_view url);

}  // namespace invited::smtp
