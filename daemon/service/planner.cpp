#include "service/planner.hpp"

#include "core/encoding.hpp"
#include "store/audit.hpp"
#include "store/deliveries.hpp"
#include "store/domains.hpp"
#include "store/invitations.hpp"
#include "store/tasks.hpp"
#include "store/users.hpp"

namespace invited::service {

using model::Action;
using model::Connection;
using model::Invitation;
using model::InvitationCause;
using model::InvitationState;

struct Planner::Work {
  Db& db;
  Loaded& loaded;
  const std::string& actor;
  Instant now;
  const model::Decision& decision;
  Ask ask;
  Applied& applied;

  [[nodiscard]] bool open() const { return loaded.invitation && model::live(loaded.invitation->state); }
};

std::string subject_of(const model::User& user) {
  return "user:" + user.user_id;
}

Planner::Planner(std::shared_ptr<const model::Policies> policies, const core::Clock& clock, core::Random& random,
                 std::string message_id_domain, std::uint8_t token_key_id)
    : policies_(std::move(policies)),
      random_(random),
      ids_(clock, random),
      message_id_domain_(std::move(message_id_domain)),
      token_key_id_(token_key_id) {}

std::optional<Loaded> Planner::load(Db& db, const Id& key) {
  auto user = store::users::get(db, key);
  if (!user) return std::nullopt;
  Loaded loaded{.user = std::move(*user)};
  loaded.employment = store::employments::in_force(db, key);
  loaded.invitation = store::invitations::newest(db, key);
  if (loaded.invitation) loaded.delivery = store::deliveries::of_invitation(db, loaded.invitation->key);
  loaded.domain_verified = store::domains::covers(db, loaded.user.login_email_domain);
  return loaded;
}

model::Facts Planner::facts(const Loaded& loaded, Instant now, bool asked) const {
  return {.user = loaded.user,
          .employment = loaded.employment ? &*loaded.employment : nullptr,
          .invitation = loaded.invitation ? &*loaded.invitation : nullptr,
          .delivery = loaded.delivery ? &*loaded.delivery : nullptr,
          .domain_verified = loaded.domain_verified,
          .policy = policies_->of(loaded.user.company),
          .now = now,
          .asked = asked};
}

Applied Planner::apply(Db& db, const Id& user, const std::string& actor, Instant now, Ask ask) {
  Applied applied;
  auto loaded = load(db, user);
  if (!loaded) throw std::logic_error("a decision was asked for a user that does not exist");
  applied.decision = model::decide(facts(*loaded, now, ask.asked));
  Work work{db, *loaded, actor, now, applied.decision, ask, applied};
  const bool makes_an_offer = applied.decision.action == Action::send || applied.decision.action == Action::connect ||
                              applied.decision.action == Action::review;
  if (makes_an_offer && work.open() &&
      loaded->invitation->login_email_canonical != loaded->user.login_email_canonical) {
    // W9: the offer for the older address is over; what takes its place was asked for in the same way.
    work.ask.cause = loaded->invitation->cause;
    end(work, InvitationState::superseded, model::reason::login_email_changed);
  }
  switch (applied.decision.action) {
    case Action::send:
      if (applied.decision.at <= now) {
        release(work);
      } else {
        schedule(work, applied.decision.due.value());
      }
      break;
    case Action::review:
      park_in_review(work);
      break;
    case Action::connect:
      connect(work);
      break;
    case Action::cancel:
      end(work, model::before_mail(loaded->invitation->state) ? InvitationState::cancelled : InvitationState::revoked,
          applied.decision.reason());
      break;
    case Action::expire:
      if (applied.decision.at <= now) end(work, InvitationState::expired, model::reason::link_expired);
      break;
    case Action::none:
    case Action::deliver:
    case Action::disable:
      break;
  }
  return applied;
}

bool Planner::supersede_for_new_email(Db& db, const Id& user, const std::string& actor, Instant now) {
  return end_open(db, user, InvitationState::superseded, model::reason::login_email_changed, actor, now);
}

bool Planner::end_open(Db& db, const Id& user, InvitationState to, std::string_view reason, const std::string& actor,
                       Instant now) {
  auto loaded = load(db, user);
  if (!loaded) return false;
  Applied applied;
  Work work{db, *loaded, actor, now, applied.decision, {}, applied};
  if (!work.open()) return false;
  end(work, to, reason);
  return true;
}

void Planner::audit(Db& db, Instant now, const std::string& actor, std::string_view action, const std::string& subject,
                    std::string_view reason, const std::string& detail) {
  store::audit::append(db, random_, {0, now, actor, std::string(action), subject, std::string(reason), detail});
}

void Planner::move(Work& work, InvitationState to, Invitation& invitation, std::string_view reason,
                   const std::optional<model::CivilDue>& due) {
  store::invitations::Change change;
  change.due = due;
  change.at = work.now;
  if (!model::live(to)) change.end_reason = reason;
  store::invitations::move(work.db, invitation.key, invitation.state, to, change);
  invitation.state = to;
  invitation.due = due;
  audit(work.db, work.now, work.actor, fmt::format("invitation.{}", model::to_text(to)), subject_of(work.loaded.user),
        reason);
}

Invitation Planner::make(Work& work, InvitationState state, InvitationCause cause, std::string_view reason,
                         const std::optional<model::CivilDue>& due) {
  const model::User& user = work.loaded.user;
  Invitation made;
  made.key = ids_.next();
  made.user = user.key;
  made.generation = work.loaded.invitation ? work.loaded.invitation->generation + 1 : 1;
  made.state = state;
  made.cause = cause;
  made.login_email = user.login_email;
  made.login_email_canonical = user.login_email_canonical;
  made.due = due;
  if (state == InvitationState::released) made.released_at = work.now;
  if (state == InvitationState::verified) made.verified_at = work.now;
  made.key_id = token_key_id_;
  random_.fill(made.selector);
  random_.fill(made.salt);
  made.created_at = work.now;
  store::invitations::insert(work.db, made);
  audit(work.db, work.now, work.actor, fmt::format("invitation.{}", model::to_text(state)), subject_of(user), reason);
  work.loaded.invitation = made;
  work.loaded.delivery.reset();
  return made;
}

void Planner::release(Work& work) {
  const std::string_view reason = work.decision.reason();
  if (work.open() && work.loaded.invitation->state == InvitationState::released) {
    // Asked for while a mail is parked: the same mail, with the same link, goes again.
    if (work.loaded.delivery) store::deliveries::requeue(work.db, work.loaded.delivery->key, work.now);
    store::invitations::set_held(work.db, work.loaded.invitation->key, "");
    audit(work.db, work.now, work.actor, "invitation.requeued", subject_of(work.loaded.user), reason);
    work.applied.released = true;
    return;
  }
  if (work.loaded.invitation && (work.loaded.invitation->state == InvitationState::sent ||
                                 work.loaded.invitation->state == InvitationState::expired))
    end(work, InvitationState::superseded, model::reason::sent_again);
  if (work.open()) {
    move(work, InvitationState::released, *work.loaded.invitation, reason);
  } else {
    make(work, InvitationState::released, work.ask.cause, reason);
  }
  queue_mail(work, *work.loaded.invitation);
  if (work.loaded.user.connection == Connection::not_connected)
    store::users::set_connection(work.db, work.loaded.user.key, Connection::pending);
  work.applied.released = true;
}

void Planner::queue_mail(Work& work, const Invitation& invitation) {
  model::Delivery delivery;
  delivery.key = ids_.next();
  delivery.invitation = invitation.key;
  delivery.user = invitation.user;
  delivery.next_at = work.now;
  delivery.created_at = work.now;
  // Independent of the link: a Message-ID in a mail log tells nothing about it.
  std::array<std::byte, 16> unique{};
  random_.fill(unique);
  delivery.message_id = core::to_hex(unique) + "@" + message_id_domain_;
  const std::int32_t rank = work.loaded.employment ? model::date_key(work.loaded.employment->start_date) : 99'991'231;
  store::deliveries::insert(work.db, delivery, rank);
}

void Planner::schedule(Work& work, const model::CivilDue& due) {
  if (!work.open()) {
    make(work, InvitationState::scheduled, work.ask.cause, work.decision.reason(), due);
    return;
  }
  Invitation& invitation = *work.loaded.invitation;
  if (invitation.state == InvitationState::draft) {
    move(work, InvitationState::scheduled, invitation, work.decision.reason(), due);
  } else if (invitation.due != due) {
    store::invitations::reschedule(work.db, invitation.key, due);
    audit(work.db, work.now, work.actor, "invitation.rescheduled", subject_of(work.loaded.user),
          model::reason::start_date_changed,
          fmt::format("{} {:02}:00 {}", model::to_text(due.date), due.hour, due.zone));
  }
}

void Planner::park_in_review(Work& work) {
  if (work.open()) {
    Invitation& invitation = *work.loaded.invitation;
    if (invitation.state == InvitationState::scheduled) {
      move(work, InvitationState::draft, invitation, model::reason::in_review);
    } else if (invitation.state == InvitationState::released) {
      end(work, InvitationState::cancelled, model::reason::in_review);
    }
  }
  if (!work.open() && work.loaded.employment && work.loaded.employment->hire_open &&
      policies_->of(work.loaded.user.company).auto_invite != model::AutoInvite::none)
    make(work, InvitationState::draft, InvitationCause::hire, model::reason::in_review);
}

void Planner::connect(Work& work) {
  if (work.open() && work.loaded.invitation->state != InvitationState::verified) {
    move(work, InvitationState::verified, *work.loaded.invitation, work.decision.reason());
    (void)store::deliveries::cancel(work.db, work.loaded.invitation->key);
  } else if (!work.open()) {
    if (work.loaded.invitation && work.loaded.invitation->state == InvitationState::expired)
      end(work, InvitationState::superseded, model::reason::verified_domain);
    make(work, InvitationState::verified, InvitationCause::verified_domain, work.decision.reason());
  } else {
    // The task of the confirmation is already there; asking again moves it up, also one that the provider had refused.
    if (work.ask.asked)
      store::tasks::move_up(work.db, work.loaded.user.key, model::ProviderTaskKind::ensure_account, work.now);
    return;
  }
  owe(work, model::ProviderTaskKind::ensure_account, work.loaded.invitation->key);
  if (work.loaded.user.connection == Connection::not_connected)
    store::users::set_connection(work.db, work.loaded.user.key, Connection::pending);
  work.applied.connecting = true;
}

void Planner::owe(Work& work, model::ProviderTaskKind kind, const std::optional<Id>& invitation) {
  store::tasks::put(work.db, {.key = ids_.next(),
                              .user = work.loaded.user.key,
                              .invitation = invitation,
                              .kind = kind,
                              .failures = 0,
                              .next_at = work.now,
                              .detail = {},
                              .actor = work.actor,
                              .created_at = work.now});
}

void Planner::end(Work& work, InvitationState to, std::string_view reason) {
  Invitation& invitation = *work.loaded.invitation;
  const bool was_verified = invitation.state == InvitationState::verified;
  (void)store::deliveries::cancel(work.db, invitation.key);
  move(work, to, invitation, reason);
  if (was_verified) {
    // The provider may have made the account already, or be about to: whatever it made for this address is taken back.
    store::tasks::drop(work.db, work.loaded.user.key, model::ProviderTaskKind::ensure_account);
    owe(work, model::ProviderTaskKind::remove_connection, std::nullopt);
  }
  // PRODUCT §3: the sweep touches invitations only; every other end takes the open offer away.
  if (to != InvitationState::expired && work.loaded.user.connection == Connection::pending) {
    store::users::set_connection(work.db, work.loaded.user.key, Connection::not_connected);
    work.loaded.user.connection = Connection::not_connected;
  }
}

}  // namespace invited::service
