#include "model/decision.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/batch.hpp"
#include "model/email.hpp"

namespace invited::model {

namespace {

// Collects the chain of reasons while the rules are asked one after the other.
class Chain {
public:
  explicit Chain(Instant now) { decision_.at = now; }

  void add(std::string_view code, std::string text) { decision_.reasons.push_back({code, std::move(text)}); }

  [[nodiscard]] Decision end(Action action, std::string_view code, std::string text) {
    add(code, std::move(text));
    decision_.action = action;
    return std::move(decision_);
  }
  [[nodiscard]] Decision end_at(Action action, Instant at, std::string_view code, std::string text) {
    decision_.at = at;
    return end(action, code, std::move(text));
  }
  [[nodiscard]] Decision end_due(Action action, CivilDue due, std::string_view code, std::string text) {
    decision_.at = instant_of(due);
    decision_.due = std::move(due);
    return end(action, code, std::move(text));
  }

private:
  Decision decision_;
};

std::string held_text(const Invitation& invitation) {
  if (const auto batch = batch_holding(invitation.held_reason))
    return fmt::format(
        "Held by a brake together with others: invitectl batch show {0} says why; then invitectl "
        "invitation release --batch {0}, or discard --batch {0}.",
        batch->text());
  return fmt::format("The invitation is held ({}): release or discard it.", invitation.held_reason);
}

std::string in_review_text(const Facts& facts) {
  std::string steps;
  for (const std::string& step : facts.review_open) steps += (steps.empty() ? "" : ", ") + step;
  return steps.empty() ? "The review is not finished: nothing is sent before the last approval."
                       : fmt::format(
                             "The review is not finished (waits for: {}): nothing is sent before the last "
                             "approval.",
                             steps);
}

// A hire that waits behind an employment whose own invitation is over, or may never come: its date decides (W0).
std::optional<Facts> next_hire(const Facts& facts) {
  if (facts.next == nullptr || !facts.next->hire_open || facts.next->review == ReviewState::rejected)
    return std::nullopt;
  const Employment& now = *facts.employment;
  if (now.hire_open && now.review != ReviewState::pending && now.review != ReviewState::rejected) return std::nullopt;
  Facts then = facts;
  then.employment = facts.next;
  then.next = nullptr;
  then.leaver_days = facts.next_leaver_days;
  return then;
}

// W10 and its relatives: the reason why this user may not be offered anything, if there is one.
std::optional<Reason> barred(const Facts& facts) {
  const bool waits = facts.employment != nullptr && facts.employment->gap == GapState::waits;
  if (!facts.user.enabled && (!waits || facts.asked))
    return Reason{reason::disabled, "The user is disabled: nothing is sent until someone enables the user."};
  if (facts.employment == nullptr) return std::nullopt;
  const Employment& employment = *facts.employment;
  if (employment.withdrawn) return Reason{reason::withdrawn, "The employment is withdrawn: nothing is sent."};
  if (employment.review == ReviewState::rejected && !next_hire(facts))
    return Reason{reason::review_rejected,
                  fmt::format("The review rejected the employment{}: nothing is sent.",
                              employment.review_reason.empty() ? "" : " (" + employment.review_reason + ")")};
  // The sweep that disables leavers is daily: between midnight and its run nobody is invited to a job that is over.
  if (const auto left = leaving(facts); left && left->at <= facts.now)
    return Reason{reason::employment_ended,
                  fmt::format("The employment ended on {}: nothing is sent.", to_text(*employment.end_date))};
  return std::nullopt;
}

bool same_address(const Facts& facts) {
  return facts.invitation->login_email_canonical == facts.user.login_email_canonical;
}

// W9: the newest offer was for another address and ended by that, or is about to.
bool address_moved(const Facts& facts) {
  if (facts.invitation == nullptr) return false;
  if (facts.invitation->state == InvitationState::superseded)
    return facts.invitation->end_reason == reason::login_email_changed;
  return live(facts.invitation->state) && !same_address(facts);
}

// What a person ended no rule begins again; another address, a new hire or an administrator does.
std::optional<Reason> ended_by_person(const Facts& facts) {
  if (facts.invitation == nullptr || !same_address(facts)) return std::nullopt;
  const Invitation& invitation = *facts.invitation;
  if (facts.employment != nullptr && facts.employment->hire_open &&
      (facts.employment->created_at > invitation.ended_at.value_or(invitation.created_at) ||
       facts.employment->gap != GapState::none))
    return std::nullopt;
  if (invitation.state == InvitationState::connected)
    return Reason{reason::disconnected,
                  "The connection was deleted: save another login email or send the verification again."};
  if (invitation.state == InvitationState::cancelled && invitation.end_reason == reason::discarded)
    return Reason{reason::discarded, "The held invitation was discarded: send the verification when it is wanted."};
  constexpr std::array by_rule{reason::disabled, reason::withdrawn, reason::review_rejected, reason::employment_ended};
  if (invitation.state == InvitationState::revoked &&
      std::find(by_rule.begin(), by_rule.end(), invitation.end_reason) == by_rule.end())
    return Reason{reason::link_revoked, "The link was revoked: send the verification again when it is wanted."};
  return std::nullopt;
}

// W0 for a user whose mail is not out. Adds the rule that invites to the chain, or gives the reason why none does.
std::optional<Reason> not_by_itself(const Facts& facts, Chain& chain) {
  const Employment* employment = facts.employment;
  const Invitation* invitation = facts.invitation;
  const bool planned = invitation != nullptr && before_mail(invitation->state);
  if (planned && invitation->cause != InvitationCause::hire) {
    chain.add(reason::asked, "Someone asked for this invitation: it stands.");
    return std::nullopt;
  }
  if (facts.policy.auto_invite == AutoInvite::none)
    return Reason{reason::auto_invite_none,
                  "Automatic invitations are switched off for this company (auto_invite: none)."};
  if (employment != nullptr && employment->hire_open) {
    chain.add(reason::hire, fmt::format("New employment from {}: invited by itself.", to_text(employment->start_date)));
    return std::nullopt;
  }
  if (planned && employment != nullptr && invitation->due == due_for(employment->start_date, facts.policy)) {
    chain.add(reason::scheduled, "The invitation is already planned for this employment.");
    return std::nullopt;
  }
  if (facts.policy.auto_invite == AutoInvite::all &&
      (invitation == nullptr || planned || invitation->state == InvitationState::cancelled || !same_address(facts))) {
    chain.add(reason::auto_invite_all, "This company invites every user with a login email (auto_invite: all).");
    return std::nullopt;
  }
  if (invitation != nullptr && invitation->state == InvitationState::revoked && same_address(facts))
    return Reason{reason::link_revoked,
                  fmt::format("The link was revoked ({}): send the verification again when it is wanted.",
                              invitation->end_reason)};
  return Reason{reason::not_a_hire, "Not a new hire: the login email is saved and waits for \"send verification\"."};
}

Decision by_start_date(const Facts& facts, Chain chain) {
  if (facts.employment == nullptr)
    return chain.end(Action::send, reason::no_start_date,
                     "There is no start date to wait for: the mail goes out at once.");
  const CivilDate start = facts.employment->start_date;
  const CivilDue due = due_for(start, facts.policy);
  const bool planned = facts.invitation != nullptr && facts.invitation->state == InvitationState::scheduled &&
                       facts.invitation->due && same_address(facts);
  const auto later_text = [&] {
    return fmt::format("Starts on {}: the mail goes out at {:02}:00 on {} ({}).", to_text(start), due.hour,
                       to_text(due.date), due.zone);
  };
  // A plan that stands is kept to its hour; W1 is about the moment of saving, approving or moving the start.
  if (planned && facts.invitation->due == due)
    return chain.end_due(Action::send, due, reason::start_later, later_text());
  if (planned && facts.invitation->due->date != due.date)
    chain.add(reason::start_date_changed,
              fmt::format("It was planned for {}, but the date behind that has changed: planned again.",
                          to_text(facts.invitation->due->date)));
  const CivilDate today = local_date(facts.now, facts.policy.zone);
  if (days_between(today, start) <= facts.policy.lead_days) {
    const int days = days_between(today, start);
    const std::string when = days < 0    ? fmt::format("started on {}", to_text(start))
                             : days == 0 ? std::string("starts today")
                             : days == 1 ? std::string("starts tomorrow")
                                         : fmt::format("starts in {} days", days);
    return chain.end(Action::send, reason::start_tomorrow_or_earlier,
                     fmt::format("The employment {}: the mail goes out at once.", when));
  }
  return chain.end_due(Action::send, due, reason::start_later, later_text());
}

std::string open_link_text(const Invitation& invitation, const std::string& zone) {
  if (!invitation.accepted_at || !invitation.ends_at) return "The mail is out: the link is open.";
  std::string accepted = local_text(*invitation.accepted_at, zone);
  accepted.replace(accepted.find('T'), 1, " at ");
  return fmt::format("The mail was accepted on {}: the link works through {}.", accepted,
                     to_text(last_whole_day(*invitation.ends_at, zone)));
}

// The person has done her part; what the provider does with it.
Decision being_connected(const Facts& facts, Chain chain) {
  const bool by_domain = facts.invitation->cause == InvitationCause::verified_domain;
  const std::string_view code = by_domain ? reason::verified_domain : reason::confirmed;
  const std::string_view so_far =
      by_domain ? "The domain of the login email is verified" : "The login email is confirmed";
  const ProviderTask* task = facts.asked ? nullptr : facts.account_task;
  const std::string last_word = task == nullptr || task->detail.empty() ? "" : ": " + task->detail;
  if (task != nullptr && !task->next_at)
    return chain.end(
        Action::none, reason::provider_refused,
        fmt::format("{}, but the identity provider refused to make the account{} When that is mended, send "
                    "the verification again: the provider is then asked once more.",
                    so_far, last_word.ends_with('.') ? last_word : last_word + "."));
  if (task != nullptr && *task->next_at > facts.now)
    return chain.end_at(Action::connect, *task->next_at, code,
                        fmt::format("{}; the identity provider could not make the account yet and is asked again{}",
                                    so_far, last_word.ends_with('.') ? last_word : last_word + "."));
  return chain.end(Action::connect, code, fmt::format("{}: the account is being made at the provider.", so_far));
}

Decision open_offer(const Facts& facts, Chain chain) {
  const Invitation& invitation = *facts.invitation;
  switch (invitation.state) {
    case InvitationState::verified:
      return being_connected(facts, std::move(chain));
    case InvitationState::released: {
      if (facts.delivery != nullptr && !facts.delivery->next_at && facts.delivery->state != DeliveryState::claimed)
        return chain.end(Action::none, reason::held,
                         "The mail waits for a person; last word: " +
                             (facts.delivery->detail.empty() ? "none" : facts.delivery->detail));
      const Instant next = facts.delivery != nullptr && facts.delivery->next_at ? *facts.delivery->next_at : facts.now;
      const bool again = facts.delivery != nullptr && facts.delivery->attempts > 0;
      return chain.end_at(
          Action::deliver, next, reason::mail_on_its_way,
          again
              ? fmt::format("The mail is on its way; {} so far{}",
                            facts.delivery->attempts == 1 ? "1 try" : fmt::format("{} tries", facts.delivery->attempts),
                            facts.delivery->detail.empty() ? "." : ", last word: " + facts.delivery->detail)
              : std::string("The mail is queued for its first try."));
    }
    default:
      return chain.end_at(Action::expire, invitation.ends_at.value_or(facts.now), reason::link_open,
                          open_link_text(invitation, facts.policy.zone));
  }
}

}  // namespace

CivilDue due_for(CivilDate start, const Policy& policy) {
  return CivilDue{add_days(start, -policy.lead_days), policy.send_hour, policy.zone};
}

Decision decide(const Facts& facts) {
  Chain chain(facts.now);
  const Invitation* invitation = facts.invitation;
  const bool open = invitation != nullptr && live(invitation->state);
  // An open offer of another address is over; only what follows it is decided here.
  const bool moved = address_moved(facts);
  const bool current = open && !moved;
  const bool mail_out = current && invitation->state == InvitationState::sent;
  const bool held = current && !invitation->held_reason.empty();
  const auto later = next_hire(facts);
  const Facts& hire = later ? *later : facts;

  // A link whose days are over ends by that before anything else is done about it.
  if (mail_out && !facts.asked && invitation->ends_at && *invitation->ends_at <= facts.now)
    return open_offer(facts, std::move(chain));
  if (auto bar = barred(facts)) return chain.end(open ? Action::cancel : Action::none, bar->code, std::move(bar->text));
  if (facts.user.connection == Connection::connected) {
    const Delivery* mail = facts.asked ? nullptr : facts.sign_in_mail;
    if (mail != nullptr && (mail->next_at || mail->state == DeliveryState::claimed))
      return chain.end_at(Action::deliver, mail->next_at.value_or(facts.now), reason::mail_on_its_way,
                          "The user is connected, and the mail that says so is on its way.");
    return chain.end(Action::none, reason::connected, "The user is connected: there is nothing to send.");
  }
  if (facts.user.login_email_canonical.empty())
    return chain.end(open ? Action::cancel : Action::none, reason::no_login_email,
                     "No login email is saved: there is no address to send to.");
  if (current && invitation->state == InvitationState::verified) return open_offer(facts, std::move(chain));
  if (facts.leaving_batch) {
    if (mail_out && !facts.asked) return open_offer(facts, std::move(chain));
    return chain.end(Action::none, reason::held,
                     fmt::format("The source withdrew or disabled this user together with too many others, and a brake "
                                 "holds that: decide about the batch first (invitectl batch show {}).",
                                 facts.leaving_batch->text()));
  }

  const auto pending = [](const Facts& of) {
    return of.employment != nullptr && of.employment->review == ReviewState::pending;
  };
  // After a rejection it is the next hire's approval that counts, for whoever asks, too.
  const bool rejected = facts.employment != nullptr && facts.employment->review == ReviewState::rejected;
  const bool in_review = rejected ? pending(hire) : pending(facts) && (facts.asked || pending(hire));
  const bool allowed = domain_allowed(facts.policy, facts.user.login_email_domain);
  // A link that is out lives to its end, whatever holds back the next mail.
  if (mail_out && !facts.asked && (in_review || !allowed)) return open_offer(facts, std::move(chain));
  if (in_review) return chain.end(Action::review, reason::in_review, in_review_text(facts));
  if (!allowed)
    return chain.end(open && !mail_out ? Action::cancel : Action::none, reason::domain_not_allowed,
                     fmt::format("{} is not among the allowed domains.", facts.user.login_email_domain));
  if (!facts.asked)
    if (auto ended = ended_by_person(hire)) return chain.end(Action::none, ended->code, std::move(ended->text));
  if (!facts.user.enabled && !comes_back_now(*facts.employment, facts.policy, facts.now)) {
    chain.add(reason::between_employments, "Between two employments: disabled until the next one's invitation is due.");
    const CivilDue due = due_for(facts.employment->start_date, facts.policy);
    if (facts.domain_verified)
      return chain.end_due(Action::connect, due, reason::verified_domain,
                           fmt::format("{} is a verified domain: connected without a mail at {:02}:00 on {}.",
                                       facts.user.login_email_domain, due.hour, to_text(due.date)));
    if (auto none = not_by_itself(facts, chain))
      return chain.end(open ? Action::cancel : Action::none, none->code, std::move(none->text));
    return by_start_date(facts, std::move(chain));
  }
  if (facts.domain_verified)
    return chain.end(Action::connect, reason::verified_domain,
                     fmt::format("{} is a verified domain: connected without a mail.", facts.user.login_email_domain));
  if (held && !facts.asked) {
    if (!mail_out) return chain.end(Action::none, reason::held, held_text(*invitation));
    chain.add(reason::held, held_text(*invitation));
  }
  if (current && !held && invitation->state == InvitationState::released) return open_offer(facts, std::move(chain));
  if (facts.asked)
    return chain.end(Action::send, reason::asked,
                     mail_out
                         ? "An administrator asks for it: a new mail goes out at once, the older link is superseded."
                         : "An administrator asks for it: the mail goes out at once.");
  if (mail_out) return open_offer(facts, std::move(chain));
  if (moved) {
    chain.add(reason::login_email_changed, "The login email was changed: the older invitation is superseded.");
    const bool of_next =
        open ? before_mail(invitation->state) : !invitation->accepted_at && invitation->cause == InvitationCause::hire;
    return by_start_date(of_next ? hire : facts, std::move(chain));
  }
  if (current && invitation->state == InvitationState::draft && invitation->cause != InvitationCause::hire)
    return chain.end(Action::send, reason::asked, "It was asked for during the review: the mail goes out at once.");
  if (pending(hire)) return chain.end(Action::review, reason::in_review, in_review_text(facts));
  auto none = not_by_itself(hire, chain);
  if (!none) return by_start_date(hire, std::move(chain));

  if (invitation != nullptr && invitation->state == InvitationState::expired)
    return chain.end(Action::none, reason::link_expired, "The link expired unused: send again to give new days.");
  return chain.end(open ? Action::cancel : Action::none, none->code, std::move(none->text));
}

bool domain_allowed(const Policy& policy, std::string_view domain) {
  const auto& rules = policy.allowed_domains;
  return rules.empty() ||
         std::any_of(rules.begin(), rules.end(), [&](const std::string& rule) { return domain_covers(rule, domain); });
}

bool comes_back_now(const Employment& employment, const Policy& policy, Instant now) {
  return instant_of(due_for(employment.start_date, policy)) <= now;
}

std::optional<Decision> leaving(const Facts& facts) {
  // Disabling by hand leaves the connection, until the employment is over.
  const bool there = facts.user.enabled || facts.user.connection == Connection::connected;
  if (facts.employment == nullptr || !facts.employment->end_date || !there) return std::nullopt;
  // Taken back before it began: there is nothing to leave, unless the connection was made already.
  if (facts.employment->withdrawn && facts.user.connection != Connection::connected) return std::nullopt;
  const CivilDate last = add_days(*facts.employment->end_date, facts.leaver_days.value_or(facts.policy.leaver_days));
  const CivilDate gone = add_days(last, 1);
  Decision decision;
  decision.action = Action::disable;
  decision.due = CivilDue{gone, 0, facts.policy.zone};
  decision.at = first_instant_of(gone, facts.policy.zone);
  const auto ended = [&](std::string_view what) {
    decision.reasons.push_back(
        {reason::employment_ended, fmt::format("The employment ends on {}: {} through {}, then {}disconnected.",
                                               to_text(*facts.employment->end_date), what, to_text(last),
                                               facts.user.enabled ? "disabled and " : "")});
    return decision;
  };
  if (facts.next == nullptr || facts.next->review == ReviewState::rejected)
    return ended(facts.user.enabled ? "active" : "disabled by hand but connected");
  const CivilDue back = due_for(facts.next->start_date, facts.policy);
  if (facts.next->start_date <= gone || back.date <= gone || instant_of(back) <= facts.now) {
    Facts then = facts;
    then.employment = facts.next;
    then.leaver_days = facts.next_leaver_days;
    then.next = nullptr;
    return leaving(then);
  }
  // Whom a person disabled no next employment brings back.
  if (!facts.user.enabled) return ended("disabled by hand but connected");
  decision.reasons.push_back(
      {reason::between_employments,
       fmt::format("The employment ends on {} and the next begins on {}: active through {}, then disabled and "
                   "disconnected until {:02}:00 on {}.",
                   to_text(*facts.employment->end_date), to_text(facts.next->start_date), to_text(last), back.hour,
                   to_text(back.date))});
  return decision;
}

namespace {

// The leaver rule of an employment whose user is not back yet, as it will be then.
std::optional<Decision> leaving_then(const Employment& employment, const std::optional<int>& leaver_days,
                                     const Facts& facts) {
  User back = facts.user;
  back.enabled = true;
  Facts then{.user = back, .employment = &employment, .policy = facts.policy, .now = facts.now};
  then.leaver_days = leaver_days;
  return leaving(then);
}

void add_end(std::optional<Decision> leaver, std::vector<Decision>& acts) {
  if (!leaver) return;
  leaver->follows = !acts.empty();
  acts.push_back(std::move(*leaver));
}

// What follows when the user is disabled between two employments.
void add_next_employment(const Facts& facts, std::vector<Decision>& acts) {
  User away = facts.user;
  away.enabled = false;
  away.connection = Connection::not_connected;
  Employment next = *facts.next;
  next.gap = GapState::waits;
  next.hire_open = true;
  Facts then{.user = away, .employment = &next, .policy = facts.policy, .now = std::max(acts.back().at, facts.now)};
  // The disabling ends whatever is open.
  if (facts.invitation != nullptr && !live(facts.invitation->state)) then.invitation = facts.invitation;
  then.domain_verified = facts.domain_verified;
  if (Decision after = decide(then); after.action == Action::send || after.action == Action::connect) {
    after.follows = true;
    acts.push_back(std::move(after));
  }
  add_end(leaving_then(next, facts.next_leaver_days, facts), acts);
}

// A hire may wait for the end of an older link.
void add_after_end(const Facts& facts, std::vector<Decision>& acts) {
  Invitation expired = *facts.invitation;
  expired.state = InvitationState::expired;
  expired.held_reason.clear();
  Facts then = facts;
  then.invitation = &expired;
  then.delivery = nullptr;
  then.now = std::max(acts.back().at, facts.now);
  if (Decision after = decide(then); after.action == Action::send) {
    after.follows = true;
    acts.push_back(std::move(after));
  }
}

}  // namespace

std::optional<Decision> leaving_again(const Facts& facts) {
  if (facts.user.enabled || facts.employment == nullptr || facts.employment->gap != GapState::waits)
    return std::nullopt;
  return leaving_then(*facts.employment, facts.leaver_days, facts);
}

std::vector<Decision> foreseen(const Facts& facts) {
  std::vector<Decision> acts;
  if (Decision next = decide(facts); next.action != Action::none && next.action != Action::review)
    acts.push_back(std::move(next));
  if (!acts.empty() && acts.front().action == Action::expire) add_after_end(facts, acts);
  if (auto leaver = leaving(facts)) {
    // Where both are overdue the link ends first.
    if (!acts.empty() && acts.front().action == Action::expire && acts.front().at <= facts.now)
      leaver->at = std::max(leaver->at, acts.front().at);
    acts.push_back(std::move(*leaver));
  }
  std::stable_sort(acts.begin(), acts.end(), [](const Decision& a, const Decision& b) { return a.at < b.at; });
  // Disabling ends whatever was to come.
  const auto end =
      std::find_if(acts.begin(), acts.end(), [](const Decision& d) { return d.action == Action::disable; });
  if (end == acts.end()) {
    add_end(leaving_again(facts), acts);
    return acts;
  }
  acts.erase(end + 1, acts.end());
  if (acts.back().reason() == reason::between_employments) add_next_employment(facts, acts);
  return acts;
}

std::string_view to_text(Action action) {
  constexpr std::array<std::string_view, 8> names{"none",    "review", "send",   "deliver",
                                                  "connect", "cancel", "expire", "disable"};
  return names.at(static_cast<std::size_t>(action));
}

}  // namespace invited::model
