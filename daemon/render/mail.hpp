// The mails as bytes, the verification and "your sign-in is ready": RFC 5322 message, text and HTML in one language,
// ready for any transport.
//
// The same input gives the same bytes, so that a second try of a delivery is the same mail. Lines end in CRLF and are
// at most 998 octets long; the content is 7-bit unless an address itself is not (SMTPUTF8).
//
//   auto mail = render_mail(templates, {.from = {"Example AB", "no-reply@example.com"}, .to = {"Anna Berg",
//   "anna@example.com"},
//                                       .organisation = "Example AB", .locale = Locale::sv, .link = url,
//                                       .last_valid_day = 2026y/October/27, .zone = "Europe/Stockholm",
//                                       .message_id = "<0192.1@example.com>", .date = now});
//   if (!mail) …   // kind invalid: the named field must be corrected by a person, trying again does not help
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "render/locale.hpp"
#include "render/templates.hpp"

namespace invited::render {

struct Mailbox {
  std::string name;     // as shown; may be empty
  std::string address;  // the part after @ may be written in any script
};

struct VerificationMail {
  Mailbox from;
  Mailbox to;
  std::optional<Mailbox> reply_to;
  std::string organisation;  // who invites: the company's or the organisation's name
  Locale locale = Locale::en;
  std::string link;                            // https URL in ASCII, ends in a letter or digit
  std::chrono::year_month_day last_valid_day;  // the last local date on which the link works
  std::string zone;                            // IANA name; last_valid_day and the Date header are local to it
  std::string message_id;                      // "left@right", with or without < >
  core::Instant date;                          // of the Date header, whole seconds count
};

// To somebody whom a verified domain connected, where the company wants it.
struct SignInReadyMail {
  Mailbox from;
  Mailbox to;
  std::optional<Mailbox> reply_to;
  std::string organisation;
  Locale locale = Locale::en;
  std::string sign_in_url;  // http or https; anything else leaves the address out
  std::string help;         // the company's own words on signing in, up to 2,000 octets; empty: none
  std::string zone;         // IANA name; the Date header is local to it
  std::string message_id;
  core::Instant date;
};

struct RenderedMail {
  std::string bytes;            // headers and body, CRLF
  bool needs_smtputf8 = false;  // an address has a local part beyond ASCII
  bool eight_bit = false;       // bytes above 127 occur, which is so only together with needs_smtputf8
  std::string envelope_from;    // addresses as they go on the wire: domain in its ASCII form
  std::string envelope_to;
};

// Error kind `invalid`, code `bad_mail_field`, location = the field: a control or direction-changing character, a
// bad address, link, Message-ID or zone, or a name over 256 octets. [any-thread]
[[nodiscard]] core::Result<RenderedMail> render_mail(const Templates& templates, const VerificationMail& mail);
[[nodiscard]] core::Result<RenderedMail> render_mail(const Templates& templates, const SignInReadyMail& mail);

}  // namespace invited::render
