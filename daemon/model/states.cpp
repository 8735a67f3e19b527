#include "model/states.hpp"

#include <algorithm>
#include <array>

namespace invited::model {

namespace {

using I = InvitationState;
using D = DeliveryState;

constexpr std::array invitation_table{
    Transition<I>{std::nullopt, I::draft, "saved for a hire in review, or kept back by a brake"},
    Transition<I>{std::nullopt, I::scheduled, "saved for a hire who starts later (W2)"},
    Transition<I>{std::nullopt, I::released,
                  "saved for a hire who starts tomorrow or earlier (W1), or sent by hand (W12)"},
    Transition<I>{std::nullopt, I::verified, "saved with a login email in a verified domain (W4)"},
    Transition<I>{I::draft, I::scheduled, "last approval, start later (W3, W2), or let go after the start moved"},
    Transition<I>{I::draft, I::released, "last approval, start tomorrow or earlier (W3, W1), or let go with its batch"},
    Transition<I>{I::draft, I::verified, "last approval in a verified domain (W4)"},
    Transition<I>{I::draft, I::superseded, "login email changed (W9)"},
    Transition<I>{I::draft, I::cancelled, "withdrawn, rejected or disabled (W10)"},
    Transition<I>{I::scheduled, I::draft, "review opened again"},
    Transition<I>{I::scheduled, I::released, "due (W2), start moved (W5), or sent by hand (W12)"},
    Transition<I>{I::scheduled, I::verified, "domain became verified (W7)"},
    Transition<I>{I::scheduled, I::superseded, "login email changed (W9)"},
    Transition<I>{I::scheduled, I::cancelled, "withdrawn, rejected or disabled (W10)"},
    Transition<I>{I::released, I::sent, "mail accepted by the next server, or uncertain for good"},
    Transition<I>{I::released, I::verified,
                  "link of a copy confirmed before the outcome was known, or domain became verified (W7)"},
    Transition<I>{I::released, I::superseded, "login email changed (W9), or sent again"},
    Transition<I>{I::released, I::cancelled, "withdrawn, rejected or disabled (W10), or discarded"},
    Transition<I>{I::released, I::revoked, "revoked by an administrator while a copy may be out"},
    Transition<I>{I::sent, I::verified, "confirmed through the link, or domain became verified (W7)"},
    Transition<I>{I::sent, I::expired, "its days are over"},
    Transition<I>{I::sent, I::superseded, "login email changed (W9), or sent again"},
    Transition<I>{I::sent, I::revoked, "revoked by an administrator, or the user was disabled"},
    Transition<I>{I::expired, I::superseded, "sent again"},
    Transition<I>{I::expired, I::verified, "form opened before the end and posted within 15 minutes of it"},
    Transition<I>{I::verified, I::connected, "the provider has the account"},
    Transition<I>{I::verified, I::revoked, "revoked or disabled before the provider answered"},
    Transition<I>{I::verified, I::superseded, "login email changed before the provider answered (W9)"},
};

constexpr std::array delivery_table{
    Transition<D>{std::nullopt, D::queued, "invitation released"},
    Transition<D>{D::queued, D::claimed, "claim committed, before a byte goes on the wire"},
    Transition<D>{D::queued, D::cancelled, "invitation ended before the mail left"},
    Transition<D>{D::claimed, D::accepted, "2xx to the final dot"},
    Transition<D>{D::claimed, D::deferred, "refused for now, or no connection before the final dot"},
    Transition<D>{D::claimed, D::rejected, "refused for good"},
    Transition<D>{D::claimed, D::uncertain, "no answer after the final dot, or found claimed at start"},
    Transition<D>{D::deferred, D::claimed, "next try"},
    Transition<D>{D::deferred, D::cancelled, "invitation ended"},
    Transition<D>{D::uncertain, D::claimed, "sent again with the same Message-ID and link"},
    Transition<D>{D::uncertain, D::cancelled, "invitation ended"},
    Transition<D>{D::rejected, D::queued, "released by an operator"},
    Transition<D>{D::rejected, D::cancelled, "invitation ended"},
};

template <class Table, class State>
bool in_table(const Table& table, std::optional<State> from, State to) {
  return std::any_of(table.begin(), table.end(), [&](const auto& t) { return t.from == from && t.to == to; });
}

constexpr std::array<std::string_view, 3> connection_names{"not_connected", "pending", "connected"};
constexpr std::array<std::string_view, 10> invitation_names{
    "draft", "scheduled", "released", "sent", "verified", "connected", "expired", "superseded", "revoked", "cancelled"};
constexpr std::array<std::string_view, 7> delivery_names{"queued",   "claimed",   "accepted", "deferred",
                                                         "rejected", "uncertain", "cancelled"};
constexpr std::array<std::string_view, 4> review_names{"none", "pending", "approved", "rejected"};
constexpr std::array<std::string_view, 3> gap_names{"none", "waits", "over"};

template <class State, std::size_t N>
std::optional<State> parse(const std::array<std::string_view, N>& names, std::string_view text) {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) return std::nullopt;
  return static_cast<State>(found - names.begin());
}

}  // namespace

std::span<const Transition<InvitationState>> invitation_transitions() {
  return invitation_table;
}
std::span<const Transition<DeliveryState>> delivery_transitions() {
  return delivery_table;
}

bool allowed(std::optional<InvitationState> from, InvitationState to) {
  return in_table(invitation_table, from, to);
}
bool allowed(std::optional<DeliveryState> from, DeliveryState to) {
  return in_table(delivery_table, from, to);
}

std::string_view to_text(Connection v) {
  return connection_names.at(static_cast<std::size_t>(v));
}
std::string_view to_text(InvitationState v) {
  return invitation_names.at(static_cast<std::size_t>(v));
}
std::string_view to_text(DeliveryState v) {
  return delivery_names.at(static_cast<std::size_t>(v));
}
std::string_view to_text(ReviewState v) {
  return review_names.at(static_cast<std::size_t>(v));
}

std::optional<Connection> parse_connection(std::string_view t) {
  return parse<Connection>(connection_names, t);
}
std::optional<InvitationState> parse_invitation_state(std::string_view t) {
  return parse<InvitationState>(invitation_names, t);
}
std::optional<DeliveryState> parse_delivery_state(std::string_view t) {
  return parse<DeliveryState>(delivery_names, t);
}
std::optional<ReviewState> parse_review_state(std::string_view t) {
  return parse<ReviewState>(review_names, t);
}

std::string_view to_text(GapState v) {
  return gap_names.at(static_cast<std::size_t>(v));
}

std::optional<GapState> parse_gap_state(std::string_view t) {
  return parse<GapState>(gap_names, t);
}

}  // namespace invited::model
