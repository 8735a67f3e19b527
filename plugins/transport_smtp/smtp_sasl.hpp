// Logging in: libgsasl behind three calls, so that the session stays free of it and tests can play a server.
//
//   auto sasl = SaslClient::start("SCRAM-SHA-256", host, user, password);
//   auto first = sasl->step("");          // base64 both ways, as AUTH wants it
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace invited::smtp {

class SaslClient {
public:
  virtual ~SaslClient() = default;
  // The next response to `challenge`, both base64 without line end; nothing when the server's part is wrong (why()
  // says).
  [[nodiscard]] virtual std::optional<std::string> step(std::string_view challenge) = 0;
  // True when this side is satisfied: for SCRAM that the server has proven that it knows the password as well.
  [[nodiscard]] virtual bool satisfied() const = 0;
  [[nodiscard]] virtual std::string why() const = 0;
  // True if the first response may travel with the AUTH command.
  [[nodiscard]] virtual bool speaks_first() const = 0;

  // Nothing if libgsasl does not have the mechanism. The copies of the password are libgsasl's, wiped when this ends.
  static std::unique_ptr<SaslClient> start(std::string_view mechanism, std::string_view user,
                                           std::string_view password);
};

// The best of what the server offers: SCRAM-SHA-256, SCRAM-SHA-1, then PLAIN, LOGIN, the last two only where the
// password cannot be read on the way. Empty if there is none.
[[nodiscard]] std::string_view choose_mechanism(std::span<const std::string> offered, bool clear_text_allowed);

}  // namespace invited::smtp
