// The stable reason codes: what `why`, `plan`, skipped rows of a bulk send and audit events name.
// A code never changes its meaning; texts may be improved.
#pragma once

#include <string>
#include <string_view>

namespace invited::model {

struct Reason {
  std::string_view code;  // one of reason::…
  std::string text;       // one sentence about this user
  bool operator==(const Reason&) const = default;
};

namespace reason {
// What decides about sending.
inline constexpr std::string_view start_tomorrow_or_earlier = "start_tomorrow_or_earlier";  // W1
inline constexpr std::string_view start_later = "start_later";                              // W2
inline constexpr std::string_view no_start_date = "no_start_date";
inline constexpr std::string_view in_review = "in_review";                      // W3
inline constexpr std::string_view verified_domain = "verified_domain";          // W4, W7
inline constexpr std::string_view start_date_changed = "start_date_changed";    // W5
inline constexpr std::string_view login_email_changed = "login_email_changed";  // W9
inline constexpr std::string_view disabled = "disabled";                        // W10
inline constexpr std::string_view withdrawn = "withdrawn";                      // W10
inline constexpr std::string_view review_rejected = "review_rejected";          // W10
inline constexpr std::string_view asked = "asked";                              // W12
inline constexpr std::string_view hire = "hire";                                // W0
inline constexpr std::string_view not_a_hire = "not_a_hire";                    // W0
inline constexpr std::string_view auto_invite_none = "auto_invite_none";        // W0
inline constexpr std::string_view auto_invite_all = "auto_invite_all";          // W0
inline constexpr std::string_view no_login_email = "no_login_email";
inline constexpr std::string_view domain_not_allowed = "domain_not_allowed";
// Where the offer stands.
inline constexpr std::string_view connected = "connected";
inline constexpr std::string_view scheduled = "scheduled";  // W13
inline constexpr std::string_view mail_on_its_way = "mail_on_its_way";
inline constexpr std::string_view link_open = "link_open";
inline constexpr std::string_view link_expired = "link_expired";
inline constexpr std::string_view link_revoked = "link_revoked";
inline constexpr std::string_view confirmed = "confirmed";
inline constexpr std::string_view held = "held";
inline constexpr std::string_view cooldown = "cooldown";  // W13
inline constexpr std::string_view sent_again = "sent_again";
inline constexpr std::string_view revoked = "revoked";
inline constexpr std::string_view discarded = "discarded";
inline constexpr std::string_view provider_refused = "provider_refused";
inline constexpr std::string_view disconnected = "disconnected";
inline constexpr std::string_view employment_ended = "employment_ended";
inline constexpr std::string_view between_employments = "between_employments";
// Due, and nothing leaves for anybody at the moment: a source is unread, the state held, the transport paused.
inline constexpr std::string_view sending_waits = "sending_waits";  // W11
// Why a batch waits for a person.
inline constexpr std::string_view too_many_at_once = "too_many_at_once";
inline constexpr std::string_view too_many_withdrawn = "too_many_withdrawn";
// Why it does not any more, although nobody let it go: everybody in it was decided about otherwise.
inline constexpr std::string_view nothing_waits = "nothing_waits";
// Why a mail waits for a person.
inline constexpr std::string_view delivery_rejected = "delivery_rejected";
inline constexpr std::string_view delivery_uncertain = "delivery_uncertain";
inline constexpr std::string_view delivery_gave_up = "delivery_gave_up";
inline constexpr std::string_view render_failed = "render_failed";
// One person among many whom the store refuses: set aside and told, so that the others go on.
inline constexpr std::string_view internal_error = "internal_error";
}  // namespace reason

}  // namespace invited::model
