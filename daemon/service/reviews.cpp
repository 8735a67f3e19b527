#include "service/reviews.hpp"

#include "service/users.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

core::Result<Loaded> in_review(Db& db, const std::string& user_id) {
  auto loaded = find_user(db, user_id);
  if (!loaded) return loaded;
  if (!loaded->employment || loaded->employment->review != model::ReviewState::pending)
    return core::fail(core::ErrorKind::conflict, "not_in_review",
                      fmt::format("User {} is not in review.", loaded->user.user_id));
  return loaded;
}

}  // namespace

Reviews::Reviews(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner)
    : store_(store), clock_(clock), planner_(std::move(planner)) {}

boost::asio::awaitable<core::Result<Applied>> Reviews::approve(std::string user_id, Act act) {
  const Instant now = clock_.now();
  const bool dry_run = act.dry_run;
  auto result = co_await [&] {
    return store_.write([planner = planner_, user_id, act = std::move(act), now](Db& db) -> core::Result<Applied> {
      store::Savepoint whole(db);
      const std::string& actor = act.actor;
      auto loaded = in_review(db, user_id);
      if (!loaded) return core::fail(loaded.error());
      model::Employment& employment = *loaded->employment;
      employment.review = model::ReviewState::approved;
      employment.review_actor = actor;
      employment.review_reason.clear();
      employment.reviewed_at = now;
      store::employments::update(db, employment);
      planner->audit(db, now, actor, "review.approved", subject_of(loaded->user));
      Applied applied = planner->apply(db, loaded->user.key, actor, now);
      if (act.look) act.look(db);
      if (!act.dry_run) whole.release();
      return applied;
    });
  }();
  if (result && !dry_run && on_released_) on_released_();
  co_return result;
}

boost::asio::awaitable<core::Result<void>> Reviews::reject(std::string user_id, std::string reason, Act act) {
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.write([planner = planner_, user_id, reason, act = std::move(act), now](Db& db) -> core::Result<void> {
      store::Savepoint whole(db);
      const std::string& actor = act.actor;
      auto loaded = in_review(db, user_id);
      if (!loaded) return core::fail(loaded.error());
      model::Employment& employment = *loaded->employment;
      employment.review = model::ReviewState::rejected;
      employment.review_actor = actor;
      employment.review_reason = reason;
      employment.reviewed_at = now;
      store::employments::update(db, employment);
      planner->audit(db, now, actor, "review.rejected", subject_of(loaded->user), model::reason::review_rejected,
                     reason);
      planner->apply(db, loaded->user.key, actor, now);
      if (act.look) act.look(db);
      if (!act.dry_run) whole.release();
      return {};
    });
  }();
}

}  // namespace invited::service
