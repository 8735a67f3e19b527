// Login e-mail addresses: a strict grammar, one canonical form for uniqueness, and what was typed kept for display.
//
// Accepted: local@domain with an RFC 5321 dot-atom (UTF-8 letters and digits allowed), 64/253/254 octets at most, and a
// domain that UTS 46 processing accepts without any error and that is not itself a public suffix ("co.uk"). Refused:
// quoted local parts, address literals, source routes, control, invisible and direction characters. All of it may be
// called from any thread.
//
//   auto email = parse_email(" Anna.Berg@Exämple.com ");   // canonical: anna.berg@xn--exmple-cua.com
#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"

namespace invited::model {

struct Email {
  std::string typed;      // as given, outer blanks removed
  std::string canonical;  // lower-case composed local part, ASCII (A-label) lower-case domain: unique per mailbox
  std::string domain;     // the domain part of `canonical`
  bool operator==(const Email&) const = default;
};

// Error code `invalid_email`; the message says what is wrong with this address.
[[nodiscard]] core::Result<Email> parse_email(std::string_view text);

// A domain as a rule names it: "example.com", or "*.example.com" where `wildcard` is allowed. Error code
// `invalid_domain`.
[[nodiscard]] core::Result<std::string> parse_domain(std::string_view text, bool wildcard = true);

// PRODUCT §5: exact match on the normalised ASCII form; "*.example.com" covers every name below example.com, not
// itself.
[[nodiscard]] bool domain_covers(std::string_view rule, std::string_view domain);

}  // namespace invited::model
