// The pages that an invited person can meet, as HTML bytes: one struct per state of a link or a self-service page.
//
// Pages have no script and nothing from elsewhere but the style sheet; they fit
// "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'".
//
//   std::string html = render_page(templates, {.locale = locale, .organisation = "Example AB",
//                                              .state = ConfirmPage{.form = {path, nonce},
//                                                                   .masked_address = "a***@example.com",
//                                                                   .last_day = {date, "Europe/Stockholm"}}});
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>

#include "core/clock.hpp"
#include "render/locale.hpp"
#include "render/templates.hpp"

namespace invited::render {

// A POST to `action` (a path of ours) with the fields nonce, lang and do = "confirm", "resend" or "save".
struct Form {
  std::string action;
  std::string nonce;
};

// A day as it is counted in a zone (IANA name).
struct LocalDay {
  std::chrono::year_month_day date;
  std::string zone;
};

// The link works: asks for the press of the button. Shown for GET, changes nothing.
struct ConfirmPage {
  Form form;
  std::string masked_address;
  LocalDay last_day;       // the last local date on which the link works
  bool try_again = false;  // the nonce was no longer good: says so
};
// Just now: how to choose a password.
struct ConnectedPage {
  std::string sign_in_url;  // http or https; anything else leaves the button out
  std::string help;         // the company's own words on signing in; empty: none
};
// Used before: "already connected, sign in here".
struct UsedPage {
  std::string sign_in_url;
  std::string help;
};
// Confirmed and stored; the provider is away, the account follows.
struct ConnectingPage {};
struct ExpiredPage {
  std::optional<Form> resend;  // nothing: no new link can be had here, ask HR
  std::optional<LocalDay> last_day;
};
// A new link was asked for.
struct RequestedPage {
  std::string masked_address;
};
struct SupersededPage {
  struct Sent {
    core::Instant at;
    std::string zone;
  };
  std::optional<Sent> newer;  // when the newer mail was accepted; nothing: not known, or not yet
};
struct RevokedPage {};
// Every token that is not genuine: the same bytes for all of them.
struct UnknownPage {};
// Self-service: where a person types her own login email.
struct AddressFormPage {
  enum class Fault : std::uint8_t { none, invalid, mismatch, unusable };
  Form form;
  Fault fault = Fault::none;
  bool try_again = false;  // the nonce was no longer good: says so
  std::string typed;       // what stands in the fields
  std::string typed_again;
  std::string masked_address;   // saved so far; empty: none
  bool mail_is_out = false;     // a mail to it waits for its confirmation
  bool mail_came_back = false;  // no mail server took a mail to it
};
// Self-service: the mail is on its way.
struct AddressSentPage {
  std::string masked_address;
};
// Self-service: saved, the mail follows the last approval.
struct AddressSavedPage {
  std::string masked_address;
};
// Self-service: any URL that is not genuine, over or replaced; the same bytes for all of them.
struct PageOverPage {};
struct TooManyRequestsPage {};   // 429
struct UnavailablePage {};       // 503
struct NotFoundPage {};          // 404
struct MethodNotAllowedPage {};  // 405

using PageState =
    std::variant<ConfirmPage, ConnectedPage, UsedPage, ConnectingPage, ExpiredPage, RequestedPage, SupersededPage,
                 RevokedPage, UnknownPage, AddressFormPage, AddressSentPage, AddressSavedPage, PageOverPage,
                 TooManyRequestsPage, UnavailablePage, NotFoundPage, MethodNotAllowedPage>;

struct Page {
  Locale locale = Locale::en;
  std::string organisation;               // on top and in the texts
  std::string stylesheet = "/style.css";  // where Templates::stylesheet() is served
  PageState state;
};

// Never fails for what the fields hold: everything is escaped by its place, characters that have no place in a line of
// text become U+FFFD, an unknown zone counts as UTC. [any-thread]
[[nodiscard]] std::string render_page(const Templates& templates, const Page& page);

}  // namespace invited::render
