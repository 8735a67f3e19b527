#include "service/review_rules.hpp"

#include <fmt/format.h>

#include "store/users.hpp"

namespace invited::service {

using model::Employment;
using model::ReviewState;

namespace {

// The flow that a template or a request puts a hire into; empty: none.
std::string flow_for(const model::Policies& policies, const std::string& employment_template, bool review_asked) {
  const auto* of = policies.templates().employment(employment_template);
  if (of != nullptr && !of->review_flow.empty()) return policies.flows().of(of->review_flow).name;
  return review_asked ? std::string(model::ReviewFlows::default_name) : std::string();
}

}  // namespace

void enter_review(const model::Policies& policies, Employment& employment, bool review_asked) {
  employment.flow = flow_for(policies, employment.employment_template, review_asked);
  const bool passes = employment.flow.empty() || model::standing(policies.flows().of(employment.flow), {}).finished;
  employment.review = passes ? ReviewState::none : ReviewState::pending;
}

bool change_flow(const model::Policies& policies, Employment& employment, bool review_asked) {
  if (!employment.hire_open || employment.review == ReviewState::rejected) return false;
  // Without a template that says otherwise a review that was asked for stays.
  const bool asked = review_asked || employment.flow == model::ReviewFlows::default_name;
  const std::string flow = flow_for(policies, employment.employment_template, asked);
  if (flow == employment.flow) return false;
  // Four eyes are not got around by another template: such a review is approved or rejected, and then stays its own.
  const bool two_people = !flow.empty() && policies.flows().of(flow).four_eyes;
  if (!employment.flow.empty() && policies.flows().of(employment.flow).four_eyes && !two_people) return false;
  enter_review(policies, employment, asked);
  return true;
}

void note_entered_by(Employment& employment, const std::string& actor) {
  if (entered_by(employment, actor)) return;
  if (!employment.entered_by.empty()) employment.entered_by += '\n';
  employment.entered_by += actor;
}

bool entered_by(const Employment& employment, const std::string& actor) {
  return ("\n" + employment.entered_by + "\n").find("\n" + actor + "\n") != std::string::npos;
}

void ask_again(Db& db, Planner& planner, const model::User& user, Employment& employment, const std::string& actor,
               std::string_view reason, Instant now) {
  // Also while it is withdrawn: it may come back.
  if (employment.flow.empty() || !employment.hire_open) return;
  if (employment.review != ReviewState::pending && employment.review != ReviewState::approved) return;
  note_entered_by(employment, actor);
  const bool was_approved = employment.review == ReviewState::approved;
  const std::size_t taken_back = store::employments::take_back_approvals(db, employment.key);
  const bool passes = model::standing(planner.policies().flows().of(employment.flow), {}).finished;
  if (was_approved && !passes) {
    employment.review = ReviewState::pending;
    employment.review_actor.clear();
    employment.reviewed_at.reset();
  }
  store::employments::update(db, employment);
  if (taken_back > 0 && !passes) planner.audit(db, now, actor, "review.asked_again", subject_of(user), reason);
}

bool settle_review(Db& db, Planner& planner, const model::User& user, Employment& employment, const std::string& actor,
                   Instant now) {
  if (employment.review != ReviewState::pending) return false;
  const model::ReviewFlow& flow = planner.policies().flows().of(employment.flow);
  const std::string before = employment.flow;
  employment.flow = flow.name;
  const auto approvals = store::employments::approvals(db, employment.key);
  const bool finished = model::standing(flow, approvals).finished;
  if (finished) {
    employment.review = approvals.empty() ? ReviewState::none : ReviewState::approved;
    employment.review_actor = approvals.empty() ? std::string() : approvals.back().actor;
    employment.review_reason.clear();
    employment.reviewed_at = now;
  }
  if (finished || before != employment.flow) store::employments::update(db, employment);
  if (before != employment.flow)
    planner.audit(db, now, actor, "review.flow_changed", subject_of(user), {},
                  fmt::format("The flow \"{}\" is no longer configured: goes on in \"{}\".", before, employment.flow));
  if (finished) planner.audit(db, now, actor, "review.finished", subject_of(user), {}, employment.flow);
  return finished;
}

}  // namespace invited::service
