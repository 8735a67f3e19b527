#include "service/users.hpp"

#include <fmt/format.h>

#include "service/sweep.hpp"
#include "store/batches.hpp"
#include "store/deliveries.hpp"
#include "store/invitations.hpp"
#include "store/tasks.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

using core::ErrorKind;
using core::fail;
using model::InvitationState;

core::Result<model::Invitation> find_invitation(Db& db, const Id& key) {
  auto invitation = store::invitations::get(db, key);
  if (!invitation)
    return fail(ErrorKind::not_found, "unknown_invitation", fmt::format("There is no invitation {}.", key.text()));
  return std::move(*invitation);
}

}  // namespace

core::Result<Loaded> find_user(Db& db, const std::string& user_id) {
  const auto user = store::users::find(db, user_id);
  if (!user)
    return fail(ErrorKind::not_found, "unknown_user", fmt::format("There is no user with the id \"{}\".", user_id));
  return std::move(*Planner::load(db, user->key));
}

Users::Users(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner)
    : store_(store), clock_(clock), planner_(std::move(planner)) {}

// One change: its closure runs inside a savepoint that a dry run gives back.
template <class T, class F>
boost::asio::awaitable<core::Result<T>> Users::change(Act act, F work) {
  const Instant now = clock_.now();
  const bool dry_run = act.dry_run;
  auto result = co_await [&] {
    return store_.write(
        [planner = planner_, act = std::move(act), work = std::move(work), now](Db& db) -> core::Result<T> {
          store::Savepoint whole(db);
          core::Result<T> outcome = work(db, *planner, act.actor, now);
          if (outcome && act.look) act.look(db);
          if (outcome && !act.dry_run) whole.release();
          return outcome;
        });
  }();
  if (result && !dry_run && on_work_) on_work_();
  co_return result;
}

boost::asio::awaitable<core::Result<Applied>> Users::send_verification(std::string user_id, Act act) {
  return change<Applied>(
      std::move(act),
      [user_id = std::move(user_id)](Db& db, Planner& planner, const std::string& actor,
                                     Instant now) -> core::Result<Applied> {
        const auto loaded = find_user(db, user_id);
        if (!loaded) return fail(loaded.error());
        Applied applied = planner.apply(db, loaded->user.key, actor, now,
                                        {.asked = true, .cause = model::InvitationCause::asked, .goes_first = true});
        if (applied.released || applied.connecting || applied.decision.action == model::Action::deliver ||
            applied.decision.action == model::Action::connect)
          return applied;
        const model::Reason& why = applied.decision.reasons.back();
        return fail(ErrorKind::conflict, std::string(why.code), why.text);
      });
}

boost::asio::awaitable<core::Result<void>> Users::disconnect(std::string user_id, Act act) {
  return change<void>(std::move(act),
                      [user_id = std::move(user_id)](Db& db, Planner& planner, const std::string& actor,
                                                     Instant now) -> core::Result<void> {
                        const auto loaded = find_user(db, user_id);
                        if (!loaded) return fail(loaded.error());
                        if (!disconnect_user(db, planner, loaded->user.key, model::reason::disconnected, actor, now))
                          return fail(ErrorKind::conflict, "not_connected",
                                      fmt::format("User {} has no connection to delete.", loaded->user.user_id));
                        return {};
                      });
}

boost::asio::awaitable<core::Result<void>> Users::reset_password(std::string user_id, Act act) {
  return change<void>(
      std::move(act),
      [user_id = std::move(user_id)](Db& db, Planner& planner, const std::string& actor,
                                     Instant now) -> core::Result<void> {
        const auto loaded = find_user(db, user_id);
        if (!loaded) return fail(loaded.error());
        if (loaded->user.connection != model::Connection::connected)
          return fail(ErrorKind::conflict, "not_connected",
                      fmt::format("User {} is not connected: there is no password to reset.", loaded->user.user_id));
        store::tasks::put(db, {.key = planner.new_id(),
                               .user = loaded->user.key,
                               .invitation = std::nullopt,
                               .kind = model::ProviderTaskKind::reset_password,
                               .failures = 0,
                               .next_at = now,
                               .detail = {},
                               .actor = actor,
                               .created_at = now});
        planner.audit(db, now, actor, "user.password_reset_asked", subject_of(loaded->user));
        return {};
      });
}

boost::asio::awaitable<core::Result<void>> Users::set_enabled(std::string user_id, bool enabled, Act act) {
  return change<void>(std::move(act),
                      [user_id = std::move(user_id), enabled](Db& db, Planner& planner, const std::string& actor,
                                                              Instant now) -> core::Result<void> {
                        const auto loaded = find_user(db, user_id);
                        if (!loaded) return fail(loaded.error());
                        if (loaded->user.enabled == enabled) return {};
                        // Somebody decides by hand what the next employment would have decided.
                        if (auto next = loaded->employment; next && next->gap == model::GapState::waits) {
                          model::User user_then = loaded->user;
                          planner.end_gap(db, user_then, *next, false, actor, now);
                        }
                        if (!enabled) {
                          disable_user(db, planner, loaded->user.key, false, model::reason::disabled, actor, now);
                          return {};
                        }
                        model::User user = loaded->user;
                        user.enabled = true;
                        user.updated_at = now;
                        store::users::update(db, user);
                        planner.audit(db, now, actor, "user.enabled", subject_of(user));
                        planner.apply(db, user.key, actor, now);
                        return {};
                      });
}

boost::asio::awaitable<core::Result<void>> Users::release(Id invitation, Act act) {
  return change<void>(
      std::move(act),
      [invitation](Db& db, Planner& planner, const std::string& actor, Instant now) -> core::Result<void> {
        const auto found = find_invitation(db, invitation);
        if (!found) return fail(found.error());
        if (found->held_reason.empty())
          return fail(ErrorKind::conflict, "not_held", "The invitation is not held: there is nothing to release.");
        const auto user = store::users::get(db, found->user);
        if (const auto loaded = Planner::load(db, found->user); loaded && loaded->leaving_batch)
          return fail(ErrorKind::conflict, "held_by_batch",
                      fmt::format("User {} is to be withdrawn or disabled by the batch {}: decide about that first.",
                                  user->user_id, loaded->leaving_batch->text()));
        store::invitations::set_held(db, invitation, "");
        // An older one that is let go says nothing about a newer one that a batch holds.
        if (model::batch_holding(found->held_reason))
          store::batches::settle_waiting(db, found->user, model::BatchAct::release, "released");
        if (found->state == InvitationState::released) {
          if (const auto delivery = store::deliveries::of_invitation(db, invitation))
            store::deliveries::requeue(db, delivery->key, now);
        }
        planner.audit(db, now, actor, "invitation.let_go", subject_of(*user), found->held_reason);
        planner.apply(db, found->user, actor, now);
        return {};
      });
}

boost::asio::awaitable<core::Result<void>> Users::discard(Id invitation, Act act) {
  return change<void>(
      std::move(act),
      [invitation](Db& db, Planner& planner, const std::string& actor, Instant now) -> core::Result<void> {
        const auto found = find_invitation(db, invitation);
        if (!found) return fail(found.error());
        if (!model::before_mail(found->state))
          return fail(ErrorKind::conflict, "mail_is_out",
                      fmt::format("The invitation is {}: revoke the link instead.", model::to_text(found->state)));
        if (model::batch_holding(found->held_reason))
          store::batches::settle_waiting(db, found->user, model::BatchAct::release, "discarded");
        planner.end_open(db, found->user, InvitationState::cancelled, model::reason::discarded, actor, now);
        store::employments::close_hire(db, found->user);
        return {};
      });
}

boost::asio::awaitable<core::Result<void>> Users::revoke(Id invitation, Act act) {
  return change<void>(
      std::move(act),
      [invitation](Db& db, Planner& planner, const std::string& actor, Instant now) -> core::Result<void> {
        const auto found = find_invitation(db, invitation);
        if (!found) return fail(found.error());
        if (!model::allowed(found->state, InvitationState::revoked))
          return fail(
              ErrorKind::conflict, "no_open_link",
              fmt::format("The invitation is {}: there is no open link to revoke.", model::to_text(found->state)));
        planner.end_open(db, found->user, InvitationState::revoked, model::reason::revoked, actor, now);
        store::employments::close_hire(db, found->user);
        return {};
      });
}

}  // namespace invited::service
