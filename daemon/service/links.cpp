#include "service/links.hpp"

#include <fmt/format.h>

#include <charconv>

#include "core/log.hpp"
#include "service/delivery.hpp"
#include "store/accounts.hpp"
#include "store/deliveries.hpp"
#include "store/invitations.hpp"
#include "store/tasks.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

using model::InvitationState;

std::string form_purpose(std::int64_t opened_ms) {
  return fmt::format("form:{}", opened_ms);
}

LinkState state_of(const model::Invitation& invitation, Instant now) {
  switch (invitation.state) {
    case InvitationState::released:  // a copy may have arrived before its outcome was known
      return LinkState::open;
    case InvitationState::sent:
      return invitation.ends_at && now < *invitation.ends_at ? LinkState::open : LinkState::expired;
    case InvitationState::verified:
      return LinkState::connecting;
    case InvitationState::connected:
      return LinkState::connected;
    case InvitationState::expired:
      return LinkState::expired;
    case InvitationState::superseded:
      return LinkState::superseded;
    default:
      return LinkState::revoked;
  }
}

// As the person meets it: what became of the user since counts, too.
LinkState state_now(const model::Invitation& invitation, const model::User& user, Instant now) {
  const LinkState state = state_of(invitation, now);
  if (state == LinkState::open && !user.enabled) return LinkState::revoked;
  const bool connected = user.connection == model::Connection::connected;
  if (state == LinkState::connected && !connected) return LinkState::revoked;
  // Connected on another way, as by a newer link or a domain that was verified meanwhile: there is nothing left to ask
  // for.
  if ((state == LinkState::expired || state == LinkState::superseded) && connected &&
      user.login_email_canonical == invitation.login_email_canonical)
    return LinkState::connected;
  return state;
}

bool renewable(const model::Invitation& invitation, const model::User& user) {
  return user.enabled && user.connection != model::Connection::connected &&
         user.login_email_canonical == invitation.login_email_canonical;
}

}  // namespace

Links::Links(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner, const core::TokenRing& tokens,
             int renewals_per_hour)
    : store_(store),
      clock_(clock),
      planner_(std::move(planner)),
      tokens_(tokens),
      renewal_pause_(core::Milliseconds{std::chrono::hours{1}} / std::max(1, renewals_per_hour)) {}

std::string Links::proof_of(const model::Invitation& invitation, Instant opened) const {
  const std::int64_t ms = opened.time_since_epoch().count();
  const auto mac =
      tokens_.make(invitation.key_id, invitation.selector, invitation.salt, invitation.generation, form_purpose(ms));
  return fmt::format("{}.{}", ms, mac.value_or(""));
}

std::optional<Instant> Links::opened_at(const model::Invitation& invitation, const std::string& proof) const {
  std::int64_t ms = 0;
  const auto dot = proof.find('.');
  if (dot == std::string::npos) return std::nullopt;
  const auto [end, error] = std::from_chars(proof.data(), proof.data() + dot, ms);
  if (error != std::errc{} || end != proof.data() + dot) return std::nullopt;
  if (!tokens_.matches(proof.substr(dot + 1), invitation.selector, invitation.salt, invitation.generation,
                       form_purpose(ms)))
    return std::nullopt;
  return Instant{core::Milliseconds{ms}};
}

std::optional<model::Invitation> Links::find(Db& db, const std::string& token, const core::Selector& selector) const {
  auto invitation = store::invitations::by_selector(db, selector);
  if (!invitation || !tokens_.matches(token, selector, invitation->salt, invitation->generation, verification_purpose))
    return std::nullopt;
  return invitation;
}

LinkView Links::view(Db& db, const model::Invitation& invitation, Instant now) const {
  LinkView view;
  const auto user = store::users::get(db, invitation.user);
  if (!user) return {};
  view.state = state_now(invitation, *user, now);
  view.company = user->company;
  view.user_locale = user->locale;
  view.masked_email = core::log::mask_email(invitation.login_email);
  const model::Policy& policy = planner_->policies().of(user->company);
  if (view.state == LinkState::open) {
    // Without an outcome yet the shortest promise is made: as if the mail were accepted now, at its release.
    const Instant from = invitation.accepted_at.value_or(invitation.released_at.value_or(now));
    // Its end was fixed when the mail was accepted, whatever zone or days hold by now.
    view.last_day = invitation.ends_at ? model::last_whole_day(*invitation.ends_at, policy.zone)
                                       : model::link_last_day(from, policy.zone, policy.valid_days);
    view.form_proof = proof_of(invitation, now);
  }
  if (view.state == LinkState::superseded) {
    if (const auto newest = store::invitations::newest(db, invitation.user);
        newest && newest->generation > invitation.generation)
      view.newer_sent_at = newest->accepted_at ? newest->accepted_at : newest->released_at;
  }
  if (view.state == LinkState::expired && renewable(invitation, *user)) view.form_proof = proof_of(invitation, now);
  if (view.state == LinkState::connected) {
    if (const auto account = store::accounts::get(db, user->key)) view.sign_in_url = account->sign_in_url;
  }
  return view;
}

boost::asio::awaitable<LinkView> Links::open(std::string token) {
  const auto selector = tokens_.selector_of(token);
  if (!selector) co_return LinkView{};
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.read([this, token, selector = *selector, now](Db& db) {
      const auto invitation = find(db, token, selector);
      return invitation ? view(db, *invitation, now) : LinkView{};
    });
  }();
}

boost::asio::awaitable<LinkView> Links::confirm(std::string token, std::string form_proof) {
  const auto selector = tokens_.selector_of(token);
  if (!selector) co_return LinkView{};
  const Instant now = clock_.now();
  const LinkView result = co_await [&] {
    return store_.write([this, token, form_proof, selector = *selector, now](Db& db) {
      auto invitation = find(db, token, selector);
      if (!invitation) return LinkView{};
      LinkState state = state_of(*invitation, now);
      const auto opened = opened_at(*invitation, form_proof);
      const auto user = store::users::get(db, invitation->user);
      // Not for who was disconnected in these minutes.
      if (state == LinkState::expired && opened && invitation->ends_at && *opened < *invitation->ends_at &&
          now < *invitation->ends_at + form_grace && user && user->connection == model::Connection::pending) {
        const auto newest = store::invitations::newest(db, invitation->user);
        if (newest && newest->key == invitation->key) state = LinkState::open;
      }
      if (state != LinkState::open || !opened || !user || !user->enabled) return view(db, *invitation, now);
      const std::string actor = "link";
      store::invitations::move(db, invitation->key, invitation->state, InvitationState::verified,
                               {.due = std::nullopt, .at = now});
      (void)store::deliveries::cancel(db, invitation->key);
      store::tasks::put(db, {.key = planner_->new_id(),
                             .user = invitation->user,
                             .invitation = invitation->key,
                             .kind = model::ProviderTaskKind::ensure_account,
                             .failures = 0,
                             .next_at = now,
                             .detail = {},
                             .actor = actor,
                             .created_at = now});
      planner_->audit(db, now, actor, "invitation.verified", subject_of(*user), model::reason::confirmed);
      invitation->state = InvitationState::verified;
      return view(db, *invitation, now);
    });
  }();
  if (result.state == LinkState::connecting && on_confirmed_) on_confirmed_();
  co_return result;
}

boost::asio::awaitable<RenewResult> Links::renew(std::string token, std::string form_proof) {
  const auto selector = tokens_.selector_of(token);
  if (!selector) co_return RenewResult::not_possible;
  const Instant now = clock_.now();
  const RenewResult result = co_await [&] {
    return store_.write([this, token, form_proof, selector = *selector, now, pause = renewal_pause_](Db& db) {
      const auto invitation = find(db, token, selector);
      if (!invitation || state_of(*invitation, now) != LinkState::expired) return RenewResult::not_possible;
      if (!opened_at(*invitation, form_proof)) return RenewResult::form_not_ours;
      const auto loaded = Planner::load(db, invitation->user);
      if (!loaded || !renewable(*invitation, loaded->user)) return RenewResult::not_possible;
      const model::Invitation& newest = *loaded->invitation;
      if (newest.created_at + pause > now) return RenewResult::too_soon;
      if (newest.key != invitation->key && model::live(newest.state))
        return RenewResult::too_soon;  // a newer mail is already there
      // A link that ended a moment ago may not be swept yet.
      if (newest.state == InvitationState::sent)
        planner_->end_open(db, invitation->user, InvitationState::expired, model::reason::link_expired, "daemon", now);
      const Applied applied =
          planner_->apply(db, invitation->user, "link", now,
                          {.asked = true, .cause = model::InvitationCause::renewal, .goes_first = true});
      return applied.connecting ? RenewResult::connecting
             : applied.released ? RenewResult::sent
                                : RenewResult::not_possible;
    });
  }();
  if ((result == RenewResult::sent || result == RenewResult::connecting) && on_released_) on_released_();
  co_return result;
}

}  // namespace invited::service
