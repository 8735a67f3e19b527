#include "service/what_if.hpp"

#include <fmt/format.h>

#include <utility>

namespace invited::service {

namespace {

using model::Action;
using model::Decision;

class Asker {
public:
  Asker(const Planner& planner, const Loaded& loaded, Instant now)
      : planner_(planner), loaded_(loaded), now_(now), decision_(model::decide(planner.facts(loaded, now))) {}

  // `change` makes one thing different in a copy of the facts.
  template <class F>
  void ask(std::string what, F change, bool asked = false) {
    Loaded other = loaded_;
    change(other);
    Decision then = model::decide(planner_.facts(other, now_, asked));
    const bool same = then.action == decision_.action && then.at == decision_.at && then.reason() == decision_.reason();
    if (!same) all_.push_back({std::move(what), std::move(then)});
  }

  [[nodiscard]] const Decision& decision() const { return decision_; }
  [[nodiscard]] std::vector<WhatIf> take() { return std::move(all_); }

private:
  const Planner& planner_;
  const Loaded& loaded_;
  Instant now_;
  Decision decision_;
  std::vector<WhatIf> all_;
};

void ask_about_employment(Asker& asker, const Loaded& loaded) {
  if (!loaded.employment) return;
  const model::Employment& employment = *loaded.employment;
  if (employment.review == model::ReviewState::pending)
    asker.ask("approved today", [](Loaded& other) { other.employment->review = model::ReviewState::approved; });
  if (employment.review == model::ReviewState::rejected)
    asker.ask("reviewed again and approved today",
              [](Loaded& other) { other.employment->review = model::ReviewState::approved; });
  if (employment.withdrawn)
    asker.ask("no longer withdrawn", [](Loaded& other) { other.employment->withdrawn = false; });
}

// An address that nobody has yet, in a domain that may have one.
void give_login_email(Loaded& other, const model::Policy& policy) {
  const std::string domain = policy.allowed_domains.empty() ? "another.invalid" : policy.allowed_domains.front();
  other.user.login_email_domain = domain.starts_with("*.") ? "any" + domain.substr(1) : domain;
  other.user.login_email = other.user.login_email_canonical = "another@" + other.user.login_email_domain;
  other.domain_verified = false;
}

void ask_about_address(Asker& asker, const Loaded& loaded, const model::Policy& policy) {
  if (loaded.user.login_email_canonical.empty())
    asker.ask("a login email is saved today", [&](Loaded& other) { give_login_email(other, policy); });
  if (asker.decision().reason() == model::reason::domain_not_allowed)
    asker.ask("a login email of an allowed domain is saved today",
              [&](Loaded& other) { give_login_email(other, policy); });
}

void ask_about_hold(Asker& asker, const Loaded& loaded, Instant now) {
  if (!loaded.invitation || !model::live(loaded.invitation->state) || loaded.invitation->held_reason.empty()) return;
  asker.ask("released now", [&](Loaded& other) {
    other.invitation->held_reason.clear();
    if (other.delivery && !other.delivery->next_at) other.delivery->next_at = now;
  });
}

void ask_about_start(Asker& asker, const Loaded& loaded, const model::Policy& policy, Instant now) {
  const Decision& decision = asker.decision();
  if (!loaded.employment || decision.action != Action::send || !decision.due) return;
  const model::CivilDate today = model::local_date(now, policy.zone);
  asker.ask("the start moves to tomorrow",
            [&](Loaded& other) { other.employment->start_date = model::add_days(today, 1); });
  asker.ask("the start moves a week on",
            [&](Loaded& other) { other.employment->start_date = model::add_days(other.employment->start_date, 7); });
}

}  // namespace

std::vector<WhatIf> what_if(const Planner& planner, const Loaded& loaded, Instant now) {
  const model::Policy& policy = planner.policies().of(loaded.user.company);
  Asker asker(planner, loaded, now);
  ask_about_employment(asker, loaded);
  if (!loaded.user.enabled) asker.ask("enabled today", [](Loaded& other) { other.user.enabled = true; });
  ask_about_address(asker, loaded, policy);
  ask_about_hold(asker, loaded, now);
  const Action action = asker.decision().action;
  if (action == Action::none || action == Action::expire || (action == Action::send && asker.decision().at > now))
    asker.ask("send verification now", [](Loaded&) {}, true);
  if (!loaded.domain_verified && !loaded.user.login_email_domain.empty())
    asker.ask(fmt::format("{} becomes a verified domain", loaded.user.login_email_domain),
              [](Loaded& other) { other.domain_verified = true; });
  ask_about_start(asker, loaded, policy, now);
  if (loaded.employment && loaded.employment->end_date)
    asker.ask("the end date is taken away", [](Loaded& other) { other.employment->end_date.reset(); });
  return asker.take();
}

}  // namespace invited::service
