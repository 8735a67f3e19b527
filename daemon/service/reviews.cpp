#include "service/reviews.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "model/text.hpp"
#include "service/one_of_many.hpp"
#include "service/review_rules.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

using core::ErrorKind;
using core::fail;
using model::ReviewState;
using model::StepState;

constexpr std::size_t chunk = 32;  // below 20 ms of store time

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

core::Result<void> must_be_in_review(const Loaded& loaded) {
  if (!loaded.employment || loaded.employment->review != ReviewState::pending)
    return fail(ErrorKind::conflict, "not_in_review", fmt::format("User {} is not in review.", loaded.user.user_id));
  return {};
}

// The step that is meant, if it may be approved now.
core::Result<std::string> step_meant(const model::ReviewStanding& standing, const std::string& wanted) {
  const auto open = standing.open();
  if (wanted.empty()) {
    if (open.size() == 1) return open.front();
    return fail(ErrorKind::conflict, "which_step",
                fmt::format("Several steps are open ({}): say which one with --step.", joined(open)));
  }
  for (const model::StepStanding& one : standing.steps) {
    if (!model::equal_folded(one.step.name, wanted)) continue;
    if (one.state == StepState::open) return one.step.name;
    if (one.state == StepState::waiting)
      return fail(ErrorKind::conflict, "step_not_open",
                  fmt::format("\"{}\" waits for \"{}\", which is not approved yet.", one.step.name, one.step.after));
    return fail(ErrorKind::conflict, "step_not_open",
                fmt::format("\"{}\" is approved already, by {}.", one.step.name, one.approval.actor));
  }
  std::vector<std::string> names;
  for (const model::StepStanding& one : standing.steps) names.push_back(one.step.name);
  return fail(ErrorKind::not_found, "unknown_step",
              fmt::format("The flow has no step \"{}\"; its steps: {}.", wanted, joined(names)));
}

}  // namespace

Reviews::Reviews(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner)
    : store_(store), clock_(clock), planner_(std::move(planner)) {}

// One change of a user's review, inside a savepoint that a dry run gives back.
template <class T, class F>
boost::asio::awaitable<core::Result<T>> Reviews::change(std::string user_id, Act act, F work) {
  const Instant now = clock_.now();
  const bool dry_run = act.dry_run;
  auto result = co_await [&] {
    return store_.write([planner = planner_, user_id = std::move(user_id), act = std::move(act), work = std::move(work),
                         now](Db& db) -> core::Result<T> {
      store::Savepoint whole(db);
      auto loaded = find_user(db, user_id);
      if (!loaded) return fail(loaded.error());
      loaded->employment = under_review(*loaded);
      core::Result<T> outcome = work(db, *planner, *loaded, act.actor, now);
      if (outcome && act.look) act.look(db);
      if (outcome && !act.dry_run) whole.release();
      return outcome;
    });
  }();
  if (result && !dry_run && on_released_) on_released_();
  co_return result;
}

boost::asio::awaitable<core::Result<Applied>> Reviews::approve(std::string user_id, std::string step, Act act) {
  return change<Applied>(
      std::move(user_id), std::move(act),
      [step = std::move(step)](Db& db, Planner& planner, Loaded& loaded, const std::string& actor,
                               Instant now) -> core::Result<Applied> {
        if (auto fits = must_be_in_review(loaded); !fits) return fail(fits.error());
        model::Employment& employment = *loaded.employment;
        const model::ReviewFlow& flow = planner.policies().flows().of(employment.flow);
        const auto meant = step_meant(model::standing(flow, loaded.approvals), step);
        if (!meant) return fail(meant.error());
        if (flow.four_eyes && entered_by(employment, actor))
          return fail(ErrorKind::forbidden, "four_eyes",
                      fmt::format("{} entered or changed this hire, and the flow \"{}\" asks for a second person: "
                                  "somebody else must approve it.",
                                  actor, flow.name));
        store::employments::approve(db, employment.key, {*meant, actor, now});
        planner.audit(db, now, actor, "review.approved", subject_of(loaded.user), {}, *meant);
        (void)settle_review(db, planner, loaded.user, employment, actor, now);
        return planner.apply(db, loaded.user.key, actor, now);
      });
}

boost::asio::awaitable<core::Result<void>> Reviews::reject(std::string user_id, std::string reason, Act act) {
  return change<void>(std::move(user_id), std::move(act),
                      [reason = std::move(reason)](Db& db, Planner& planner, Loaded& loaded, const std::string& actor,
                                                   Instant now) -> core::Result<void> {
                        if (auto fits = must_be_in_review(loaded); !fits) return fits;
                        model::Employment& employment = *loaded.employment;
                        employment.review = ReviewState::rejected;
                        employment.review_actor = actor;
                        employment.review_reason = reason;
                        employment.reviewed_at = now;
                        store::employments::update(db, employment);
                        planner.audit(db, now, actor, "review.rejected", subject_of(loaded.user),
                                      model::reason::review_rejected, reason);
                        planner.apply(db, loaded.user.key, actor, now);
                        return {};
                      });
}

boost::asio::awaitable<core::Result<void>> Reviews::reopen(std::string user_id, Act act) {
  return change<void>(
      std::move(user_id), std::move(act),
      [](Db& db, Planner& planner, Loaded& loaded, const std::string& actor, Instant now) -> core::Result<void> {
        const bool rejected = loaded.employment && loaded.employment->review == ReviewState::rejected;
        if (!rejected && loaded.next && loaded.next->review == ReviewState::rejected) loaded.employment = loaded.next;
        if (!loaded.employment || loaded.employment->flow.empty() || loaded.employment->review == ReviewState::none)
          return fail(ErrorKind::conflict, "no_review",
                      fmt::format("The employment of user {} has no review.", loaded.user.user_id));
        model::Employment& employment = *loaded.employment;
        if (!employment.hire_open)
          return fail(
              ErrorKind::conflict, "mail_is_out",
              fmt::format("User {} was invited already: there is nothing left to approve.", loaded.user.user_id));
        (void)store::employments::take_back_approvals(db, employment.key);
        employment.review = ReviewState::pending;
        employment.review_actor.clear();
        employment.review_reason.clear();
        employment.reviewed_at.reset();
        store::employments::update(db, employment);
        planner.audit(db, now, actor, "review.reopened", subject_of(loaded.user));
        (void)settle_review(db, planner, loaded.user, employment, actor, now);
        planner.apply(db, loaded.user.key, actor, now);
        return {};
      });
}

boost::asio::awaitable<std::size_t> Reviews::settle_all(std::shared_ptr<Gathering> gathering) {
  struct Step {
    std::size_t finished = 0;
    std::optional<Id> last;
  };
  std::size_t total = 0;
  std::optional<Id> after;
  do {
    const Instant now = clock_.now();
    const Step step = co_await [&] {
      return store_.write([planner = planner_, gathering, after, now](Db& db) {
        Step done;
        auto employments = store::employments::in_review(db, after, chunk);
        for (model::Employment& employment : employments) {
          (void)one_of_many(db, "A review cannot be settled", "user", employment.user.text(), [&] {
            const auto loaded = Planner::load(db, employment.user);
            if (!settle_review(db, *planner, loaded->user, employment, "daemon", now)) return;
            planner->apply(db, employment.user, "daemon", now, {.gathering = gathering.get()});
            ++done.finished;
          });
        }
        if (employments.size() == chunk) done.last = employments.back().key;
        return done;
      });
    }();
    total += step.finished;
    after = step.last;
  } while (after);
  if (total > 0 && on_released_) on_released_();
  co_return total;
}

}  // namespace invited::service
