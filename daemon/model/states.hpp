// The two state machines of PRODUCT §1 and ARCHITECTURE §6, one table each.
//
// These tables are the source: the store's check constraints, the diagrams in docs/states.md and the tests' transition
// coverage are made from them. A transition that is not in the table does not exist; the store refuses it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace invited::model {

enum class Connection : std::uint8_t { not_connected, pending, connected };

enum class InvitationState : std::uint8_t {
  draft,       // the employment's review is not finished, or a brake keeps it back
  scheduled,   // approved, waits for its time
  released,    // may go out: a delivery exists
  sent,        // the next mail server took it: the link lives until ends_at
  verified,    // confirmed (or its domain is verified): the account is being made
  connected,   // the account exists
  expired,     // five days over
  superseded,  // a newer invitation took its place
  revoked,     // a person withdrew the link
  cancelled,   // ended before it went out
};

inline constexpr std::array all_invitation_states{
    InvitationState::draft,    InvitationState::scheduled, InvitationState::released, InvitationState::sent,
    InvitationState::verified, InvitationState::connected, InvitationState::expired,  InvitationState::superseded,
    InvitationState::revoked,  InvitationState::cancelled};

enum class DeliveryState : std::uint8_t { queued, claimed, accepted, deferred, rejected, uncertain, cancelled };

// The time between the employment before and this one, where it is longer than a leaver stays active (PRODUCT §5).
enum class GapState : std::uint8_t {
  none,   // there is none, or it has not begun
  waits,  // the user is disabled in it and comes back when this employment's invitation is due
  over,   // the user is back, or somebody decided otherwise by hand
};

enum class ReviewState : std::uint8_t { none, pending, approved, rejected };

template <class State>
struct Transition {
  std::optional<State> from;  // nothing: the row is made in this state
  State to;
  std::string_view event;  // what causes it, in words
};

[[nodiscard]] std::span<const Transition<InvitationState>> invitation_transitions();
[[nodiscard]] std::span<const Transition<DeliveryState>> delivery_transitions();

[[nodiscard]] bool allowed(std::optional<InvitationState> from, InvitationState to);
[[nodiscard]] bool allowed(std::optional<DeliveryState> from, DeliveryState to);

// Not yet ended: at most one of these per user at a time (a unique index).
[[nodiscard]] constexpr bool live(InvitationState state) {
  return state <= InvitationState::verified;
}
// Nothing has gone out yet as far as is known.
[[nodiscard]] constexpr bool before_mail(InvitationState state) {
  return state == InvitationState::draft || state == InvitationState::scheduled || state == InvitationState::released;
}

[[nodiscard]] std::string_view to_text(Connection);
[[nodiscard]] std::string_view to_text(InvitationState);
[[nodiscard]] std::string_view to_text(DeliveryState);
[[nodiscard]] std::string_view to_text(ReviewState);
[[nodiscard]] std::string_view to_text(GapState);
[[nodiscard]] std::optional<Connection> parse_connection(std::string_view);
[[nodiscard]] std::optional<InvitationState> parse_invitation_state(std::string_view);
[[nodiscard]] std::optional<DeliveryState> parse_delivery_state(std::string_view);
[[nodiscard]] std::optional<ReviewState> parse_review_state(std::string_view);
[[nodiscard]] std::optional<GapState> parse_gap_state(std::string_view);

}  // namespace invited::model
