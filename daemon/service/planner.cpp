#include "service/planner.hpp"

#include <fmt/format.h>

#include "core/encoding.hpp"
#include "store/audit.hpp"
#include "store/batches.hpp"
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

const std::optional<model::Employment>& under_review(const Loaded& loaded) {
  const auto pending = [](const std::optional<model::Employment>& employment) {
    return employment && employment->review == model::ReviewState::pending;
  };
  return !pending(loaded.employment) && pending(loaded.next) ? loaded.next : loaded.employment;
}

Planner::Planner(std::shared_ptr<const model::Policies> policies, const core::Clock& clock, core::Random& random,
                 std::string message_id_domain, std::uint8_t token_key_id)
    : policies_(std::move(policies)),
      random_(random),
      ids_(clock, random),
      message_id_domain_(std::move(message_id_domain)),
      token_key_id_(token_key_id) {}

namespace {
// Everything but the mail and the domain.
Loaded jobs_and_offer(Db& db, model::User user) {
  Loaded loaded{.user = std::move(user)};
  const Id& key = loaded.user.key;
  auto current = store::employments::current(db, key);
  loaded.employment = std::move(current.in_force);
  loaded.next = std::move(current.following);
  if (const auto& reviewed = under_review(loaded); reviewed && reviewed->review == model::ReviewState::pending)
    loaded.approvals = store::employments::approvals(db, reviewed->key);
  loaded.invitation = store::invitations::newest(db, key);
  if (loaded.invitation && loaded.invitation->state == InvitationState::verified) {
    for (model::ProviderTask& task : store::tasks::of_user(db, key))
      if (task.kind == model::ProviderTaskKind::ensure_account) loaded.account_task = std::move(task);
  }
  loaded.leaving_batch = store::batches::leaving_in(db, key);
  return loaded;
}
}  // namespace

std::optional<Loaded> Planner::load(Db& db, const Id& key) {
  auto user = store::users::get(db, key);
  if (!user) return std::nullopt;
  Loaded loaded = jobs_and_offer(db, std::move(*user));
  if (loaded.invitation) loaded.delivery = store::deliveries::of_invitation(db, loaded.invitation->key);
  if (loaded.invitation && loaded.user.connection == Connection::connected)
    loaded.sign_in_mail =
        store::deliveries::of_invitation(db, loaded.invitation->key, model::DeliveryKind::sign_in_ready);
  loaded.domain_verified = store::domains::covers(db, loaded.user.login_email_domain);
  return loaded;
}

Loaded Planner::load_one_of_many(Db& db, model::User user, DomainsSeen& seen) {
  Loaded loaded = jobs_and_offer(db, std::move(user));
  if (loaded.invitation && loaded.invitation->state == InvitationState::released)
    loaded.delivery = store::deliveries::of_invitation(db, loaded.invitation->key);
  const auto [domain, unknown] = seen.try_emplace(loaded.user.login_email_domain, false);
  if (unknown) domain->second = store::domains::covers(db, domain->first);
  loaded.domain_verified = domain->second;
  return loaded;
}

model::Facts Planner::facts(const Loaded& loaded, Instant now, bool asked) const {
  std::vector<std::string> review_open;
  std::optional<int> leaver_days;
  std::optional<int> next_leaver_days;
  const auto leaver_days_of = [this](const model::Employment& employment) -> std::optional<int> {
    const auto* of = policies_->templates().user_of_employment(employment.employment_template);
    return of == nullptr ? std::nullopt : of->leaver_days;
  };
  if (loaded.employment) {
    if (const auto& reviewed = under_review(loaded); reviewed->review == model::ReviewState::pending)
      review_open = model::standing(policies_->flows().of(reviewed->flow), loaded.approvals).open();
    leaver_days = leaver_days_of(*loaded.employment);
    if (loaded.next) next_leaver_days = leaver_days_of(*loaded.next);
  }
  return {.user = loaded.user,
          .employment = loaded.employment ? &*loaded.employment : nullptr,
          .next = loaded.next ? &*loaded.next : nullptr,
          .invitation = loaded.invitation ? &*loaded.invitation : nullptr,
          .delivery = loaded.delivery ? &*loaded.delivery : nullptr,
          .sign_in_mail = loaded.sign_in_mail ? &*loaded.sign_in_mail : nullptr,
          .account_task = loaded.account_task ? &*loaded.account_task : nullptr,
          .domain_verified = loaded.domain_verified,
          .policy = policies_->of(loaded.user.company),
          .now = now,
          .asked = asked,
          .review_open = std::move(review_open),
          .leaver_days = leaver_days,
          .next_leaver_days = next_leaver_days,
          .leaving_batch = loaded.leaving_batch};
}

Applied Planner::apply(Db& db, const Id& user, const std::string& actor, Instant now, Ask ask) {
  auto loaded = load(db, user);
  if (!loaded) throw std::logic_error("a decision was asked for a user that does not exist");
  return apply(db, std::move(*loaded), actor, now, ask);
}

Applied Planner::apply(Db& db, Loaded loaded, const std::string& actor, Instant now, Ask ask) {
  Applied applied;
  const model::Facts known = facts(loaded, now, ask.asked);
  applied.decision = model::decide(known);
  note_leaving(db, known);
  Work work{db, loaded, actor, now, applied.decision, ask, applied};
  const bool makes_an_offer = applied.decision.action == Action::send || applied.decision.action == Action::connect ||
                              applied.decision.action == Action::review;
  if (makes_an_offer && work.open() && loaded.invitation->login_email_canonical != loaded.user.login_email_canonical) {
    // W9: the offer for the older address is over; what takes its place was asked for in the same way.
    work.ask.cause = loaded.invitation->cause;
    if (work.ask.cause == InvitationCause::verified_domain)  // true of the older address only
      work.ask.cause =
          loaded.employment && loaded.employment->hire_open ? InvitationCause::hire : InvitationCause::asked;
    end(work, InvitationState::superseded, model::reason::login_email_changed);
  }
  switch (applied.decision.action) {
    case Action::send:
      if (applied.decision.at <= now && ask.gathering != nullptr) {
        gather(work);
      } else if (applied.decision.at <= now) {
        release(work);
      } else {
        schedule(work, applied.decision.due.value());
      }
      break;
    case Action::review:
      park_in_review(work);
      break;
    case Action::connect:
      if (applied.decision.at <= now || (work.open() && loaded.invitation->state == InvitationState::verified)) {
        connect(work);
      } else {
        schedule(work, applied.decision.due.value());
      }
      break;
    case Action::cancel:
      end(work, model::before_mail(loaded.invitation->state) ? InvitationState::cancelled : InvitationState::revoked,
          applied.decision.reason());
      break;
    case Action::expire:
      if (applied.decision.at > now) break;
      end(work, InvitationState::expired, model::reason::link_expired);
      return apply(db, loaded.user.key, actor, now, ask);  // a new hire may have waited for that
    case Action::deliver:
      // Paced behind many others: whom a person asks for goes first.
      if (ask.goes_first && loaded.delivery && loaded.delivery->state == model::DeliveryState::queued &&
          loaded.delivery->attempts == 0 && loaded.delivery->next_at && *loaded.delivery->next_at > now)
        store::deliveries::requeue(db, loaded.delivery->key, now);
      break;
    case Action::none:
    case Action::disable:
      break;
  }
  return applied;
}

void Planner::note_leaving(Db& db, const model::Facts& known) {
  auto leaver = model::leaving(known);
  if (!leaver) {
    // The plan shows it ahead; the sweep has nothing to do with it before she is back.
    leaver = model::leaving_again(known);
    if (leaver && leaver->at <= known.now) leaver.reset();
  }
  store::users::set_leaving(db, known.user.key, leaver ? leaver->due : std::nullopt);
}

void Planner::note_leaving(Db& db, const Id& user, Instant now) const {
  if (const auto loaded = load(db, user)) note_leaving(db, facts(*loaded, now));
}

bool Planner::supersede_for_new_email(Db& db, const Id& user, const std::string& actor, Instant now) {
  if (end_open(db, user, InvitationState::superseded, model::reason::login_email_changed, actor, now)) return true;
  // A hire is pending also when the link has ended unused.
  auto loaded = load(db, user);
  if (!loaded || !loaded->invitation || loaded->invitation->state != InvitationState::expired ||
      loaded->invitation->cause != InvitationCause::hire || loaded->user.connection != Connection::pending)
    return false;
  Applied applied;
  Work work{db, *loaded, actor, now, applied.decision, {}, applied};
  end(work, InvitationState::superseded, model::reason::login_email_changed);
  return true;
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
                   const std::optional<model::CivilDue>& due, std::optional<InvitationCause> cause) {
  store::invitations::Change change;
  change.due = due;
  change.cause = cause;
  change.at = work.now;
  if (!model::live(to)) change.end_reason = reason;
  store::invitations::move(work.db, invitation.key, invitation.state, to, change);
  // Decided otherwise: no batch waits for it any more.
  if (model::batch_holding(invitation.held_reason))
    store::batches::settle_waiting(work.db, invitation.user, model::BatchAct::release, "changed");
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

void Planner::come_back(Work& work) {
  auto& employment = work.loaded.employment;
  if (work.loaded.user.enabled || !employment || employment->gap != model::GapState::waits) return;
  end_gap(work.db, work.loaded.user, *employment, true, work.actor, work.now);
  note_leaving(work.db, work.loaded.user.key, work.now);
}

void Planner::end_gap(Db& db, model::User& user, model::Employment& employment, bool enable, const std::string& actor,
                      Instant now) {
  employment.gap = model::GapState::over;
  store::employments::update(db, employment);
  if (!enable || user.enabled) return;
  user.enabled = true;
  user.updated_at = now;
  store::users::update(db, user);
  audit(db, now, actor, "user.enabled", subject_of(user), model::reason::between_employments);
}

void Planner::release(Work& work) {
  come_back(work);
  const std::string_view reason = work.decision.reason();
  if (work.open() && work.loaded.invitation->state == InvitationState::released) {
    // Asked for while a mail is parked: the same mail, with the same link, goes again.
    if (work.loaded.delivery) store::deliveries::requeue(work.db, work.loaded.delivery->key, work.now);
    store::invitations::set_held(work.db, work.loaded.invitation->key, "");
    audit(work.db, work.now, work.actor, "invitation.requeued", subject_of(work.loaded.user), reason);
    work.applied.released = true;
    return;
  }
  end_spent(work);
  if (work.open()) {
    move(work, InvitationState::released, *work.loaded.invitation, reason);
  } else {
    make(work, InvitationState::released, work.ask.cause, reason);
  }
  const model::Policy& policy = policies_->of(work.loaded.user.company);
  std::optional<Instant> slot;
  if (policy.mails_per_minute > 0 && !work.ask.goes_first) {
    // Rounded up: never more than so many in a minute.
    const core::Milliseconds step{(60'000 + policy.mails_per_minute - 1) / policy.mails_per_minute};
    slot = store::pace::take(work.db, policy.company, work.now, step);
  }
  queue_mail(work.db, *work.loaded.invitation, model::DeliveryKind::verification, work.loaded.employment, work.now,
             slot);
  if (!work.ask.asked && work.ask.usual)
    store::release_days::count_one(work.db, model::local_date(work.now, policies_->organisation().zone));
  if (work.loaded.user.connection == Connection::not_connected)
    store::users::set_connection(work.db, work.loaded.user.key, Connection::pending);
  work.applied.released = true;
}

// A link that is out or over makes way for the next mail.
void Planner::end_spent(Work& work) {
  if (work.loaded.invitation && (work.loaded.invitation->state == InvitationState::sent ||
                                 work.loaded.invitation->state == InvitationState::expired))
    end(work, InvitationState::superseded, model::reason::sent_again);
}

namespace {
// Without a start date nobody is in a hurry (W11).
std::int32_t rank_of(const std::optional<model::Employment>& employment) {
  return employment ? model::date_key(employment->start_date) : 99'991'231;
}
}  // namespace

void Planner::begin(Gathering& gathering) {
  if (gathering.key.is_nil()) gathering.key = ids_.next();
}

void Planner::put_into_batch(Db& db, Gathering& gathering, const Loaded& loaded, model::BatchAct act,
                             const std::optional<Id>& employment, Instant now) {
  begin(gathering);
  model::Batch batch;
  batch.key = gathering.key;
  batch.cause = gathering.cause;
  batch.source = gathering.source;
  batch.actor = gathering.actor;
  batch.state = gathering.state;
  batch.created_at = now;
  store::batches::ensure(db, batch);
  model::BatchItem item;
  item.act = act;
  item.user = loaded.user.key;
  item.employment = employment;
  item.company = loaded.user.company;
  item.rank = rank_of(loaded.employment);
  store::batches::add(db, gathering.key, item);
}

void Planner::gather(Work& work) {
  Gathering& gathering = *work.ask.gathering;
  end_spent(work);
  if (!work.open()) make(work, InvitationState::draft, work.ask.cause, work.decision.reason());
  put_into_batch(work.db, gathering, work.loaded, model::BatchAct::release, std::nullopt, work.now);
  store::invitations::set_held(work.db, work.loaded.invitation->key, model::held_by_batch(gathering.key));
  ++gathering.mails;
  work.applied.gathered = true;
}

void Planner::gather_leaving(Db& db, const Id& user, model::BatchAct act, const std::optional<Id>& employment,
                             Gathering& gathering, Instant now) {
  const auto loaded = load(db, user);
  if (!loaded) return;
  put_into_batch(db, gathering, *loaded, act, employment, now);
  ++gathering.withdrawals;
  if (!loaded->invitation || !model::before_mail(loaded->invitation->state)) return;
  // What waits for a person already goes nowhere; it keeps its reason.
  const std::string& held = loaded->invitation->held_reason;
  if (!held.empty() && !model::batch_holding(held)) return;
  store::invitations::set_held(db, loaded->invitation->key, model::held_by_batch(gathering.key));
  if (loaded->delivery) store::deliveries::park(db, loaded->delivery->key);
}

void Planner::let_stay(Db& db, const Id& user, const Id& batch, const std::string& actor, Instant now, Ask ask) {
  const auto loaded = load(db, user);
  if (!loaded) return;
  if (loaded->invitation && loaded->invitation->held_reason == model::held_by_batch(batch)) {
    auto other = store::batches::waiting_in(db, user, model::BatchAct::release);
    if (!other) other = loaded->leaving_batch;
    store::invitations::set_held(db, loaded->invitation->key, other ? model::held_by_batch(*other) : "");
    if (!other && loaded->invitation->state == InvitationState::released && loaded->delivery &&
        !loaded->delivery->next_at)
      store::deliveries::requeue(db, loaded->delivery->key, now);
  }
  apply(db, user, actor, now, ask);
}

void Planner::queue_mail(Db& db, const Invitation& invitation, model::DeliveryKind kind,
                         const std::optional<model::Employment>& employment, Instant now,
                         const std::optional<Instant>& first_try) {
  model::Delivery delivery;
  delivery.key = ids_.next();
  delivery.invitation = invitation.key;
  delivery.kind = kind;
  delivery.user = invitation.user;
  delivery.next_at = first_try.value_or(now);
  delivery.created_at = now;
  // Independent of the link: a Message-ID in a mail log tells nothing about it.
  std::array<std::byte, 16> unique{};
  random_.fill(unique);
  delivery.message_id = core::to_hex(unique) + "@" + message_id_domain_;
  store::deliveries::insert(db, delivery, rank_of(employment));
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
  come_back(work);
  if (work.open() && work.loaded.invitation->state != InvitationState::verified) {
    move(work, InvitationState::verified, *work.loaded.invitation, work.decision.reason(), std::nullopt,
         InvitationCause::verified_domain);
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
