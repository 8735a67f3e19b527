#include "service/sweep.hpp"

#include <algorithm>
#include <span>
#include <vector>

#include "service/links.hpp"
#include "service/looper.hpp"
#include "service/one_of_many.hpp"
#include "store/accounts.hpp"
#include "store/batches.hpp"
#include "store/deliveries.hpp"
#include "store/future.hpp"
#include "store/invitations.hpp"
#include "store/plans.hpp"
#include "store/self_service.hpp"
#include "store/tasks.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {
constexpr std::size_t chunk = 32;  // below 20 ms of store time
constexpr core::Milliseconds look_each{1'000};
constexpr core::Milliseconds employments_each = std::chrono::minutes{5};
constexpr core::Milliseconds prune_each = std::chrono::minutes{5};
constexpr core::Milliseconds batches_kept_for = std::chrono::hours{24 * 30};
}  // namespace

Sweep::Sweep(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner, const SendingGate& gate)
    : store_(store), clock_(clock), planner_(std::move(planner)), gate_(gate) {}

boost::asio::awaitable<void> Sweep::run() {
  const Looper looper("sweep", clock_);
  while (true) {
    co_await looper.guarded(pass());
    co_await clock_.sleep_for(look_each);
  }
}

boost::asio::awaitable<std::size_t> Sweep::pass() {
  std::size_t ended = co_await expire();
  if (gate_.open()) ended += co_await disable_leavers();
  if (gate_.open() && clock_.monotonic() >= employments_next_) {
    ended += co_await employments();
    employments_next_ = clock_.monotonic() + employments_each;
  }
  if (clock_.monotonic() >= prune_next_) {
    ended += co_await prune_plans();
    ended += co_await prune_batches();
    ended += co_await prune_self_service();
    prune_next_ = clock_.monotonic() + prune_each;
  }
  co_return ended;
}

boost::asio::awaitable<std::size_t> Sweep::employments() {
  if (!gate_.open()) co_return 0;
  std::size_t done = co_await disable_leavers();
  done += co_await hand_over();
  done += co_await bring_back();
  co_return done;
}

boost::asio::awaitable<std::size_t> Sweep::expire() {
  struct Chunk {
    std::size_t looked_at = 0;
    std::size_t ended = 0;
  };
  std::size_t total = 0;
  std::size_t aside = 0;  // those that cannot be ended stay the first ones
  while (true) {
    const Instant now = clock_.now();
    const Chunk done = co_await [&] {
      return store_.write([planner = planner_, aside, now](Db& db) {
        Chunk result;
        for (const auto& row : store::invitations::ending(db, now, chunk, aside)) {
          ++result.looked_at;
          if (one_of_many(db, "A link that is over cannot be ended", "invitation", row.key.text(), [&] {
                planner->end_open(db, row.user, model::InvitationState::expired, model::reason::link_expired, "daemon",
                                  now);
                planner->apply(db, row.user, "daemon", now);  // a new hire may have waited for that
              }))
            ++result.ended;
        }
        return result;
      });
    }();
    total += done.ended;
    aside += done.looked_at - done.ended;
    if (done.looked_at < chunk) break;
  }
  if (total > 0)
    core::log::info(core::events::link_expired, "Links expired unused", {{"links", std::to_string(total)}});
  co_return total;
}

namespace {
// The user comes back for the next employment as a hire: the connection is made anew.
void begin_gap(Db& db, const Loaded& loaded) {
  model::Employment ended = *loaded.employment;
  ended.over = true;
  store::employments::update(db, ended);
  model::Employment next = *loaded.next;
  next.gap = model::GapState::waits;
  next.hire_open = true;
  store::employments::update(db, next);
}
}  // namespace

// Where one employment follows the other without a gap, the next one takes over on the day after the end. Few do: a
// reader looks for them, and the writer is asked for those alone.
boost::asio::awaitable<std::size_t> Sweep::hand_over() {
  const Instant now = clock_.now();
  // No zone is more than a day ahead of UTC; each is looked at in its own zone.
  const auto before = model::add_days(model::CivilDate{std::chrono::floor<std::chrono::days>(now)}, 1);
  constexpr std::size_t rows = 2'000;  // below 5 ms
  std::size_t total = 0;
  std::optional<store::employments::EndPlace> behind;
  do {
    const auto ended = co_await [&] {
      return store_.read([behind, before](Db& db) { return store::employments::to_end(db, before, behind, rows); });
    }();
    for (std::size_t first = 0; first < ended.users.size(); first += chunk) {
      const auto some = std::span(ended.users).subspan(first, std::min(chunk, ended.users.size() - first));
      total += co_await [&] {
        return store_.write([planner = planner_, users = std::vector(some.begin(), some.end()), now](Db& db) {
          std::size_t handed_over = 0;
          for (const Id& user : users)
            (void)one_of_many(db, "A next employment cannot take over", "user", user.text(), [&] {
              if (!make_way(db, *planner, user, now)) return;
              planner->apply(db, user, "daemon", now);
              ++handed_over;
            });
          return handed_over;
        });
      }();
    }
    behind = ended.last;
  } while (behind);
  co_return total;
}

boost::asio::awaitable<std::size_t> Sweep::bring_back() {
  struct Chunk {
    std::size_t back = 0;
    std::optional<Id> last;
  };
  std::size_t total = 0;
  std::optional<Id> after;
  do {
    const Instant now = clock_.now();
    const Chunk done = co_await [&] {
      return store_.write([planner = planner_, after, now](Db& db) {
        Chunk result;
        auto waiting = store::employments::in_gap(db, after, chunk);
        for (model::Employment& employment : waiting) {
          (void)one_of_many(db, "A user cannot come back for the next employment", "user", employment.user.text(), [&] {
            auto user = store::users::get(db, employment.user);
            const auto in_force = store::employments::in_force(db, employment.user);
            // Withdrawn, rejected, or another employment took its place: that one decides.
            const bool counts = in_force && in_force->key == employment.key && !employment.withdrawn &&
                                employment.review != model::ReviewState::rejected;
            if (counts && !model::comes_back_now(employment, planner->policies().of(user->company), now)) return;
            planner->end_gap(db, *user, employment, counts, "daemon", now);
            planner->apply(db, user->key, "daemon", now);
            ++result.back;
          });
        }
        if (waiting.size() == chunk) result.last = waiting.back().key;
        return result;
      });
    }();
    total += done.back;
    after = done.last;
  } while (after);
  if (total > 0 && on_task_) on_task_();
  co_return total;
}

boost::asio::awaitable<std::size_t> Sweep::disable_leavers() {
  struct Chunk {
    std::size_t disabled = 0;
    std::optional<store::future::Place> last;  // where to look on; nothing: nobody else leaves
  };
  std::size_t total = 0;
  const auto zones = co_await store_.read([](Db& db) { return store::future::leaving_zones(db); });
  for (const std::string& zone : zones) {
    std::optional<store::future::Place> behind = store::future::from(0);
    do {
      const Instant now = clock_.now();
      const Chunk done = co_await [&] {
        return store_.write([planner = planner_, now, zone, from = *behind](Db& db) {
          Chunk result;
          const std::int32_t today = model::date_key(model::local_date(now, zone));
          const auto rows = store::future::leaving(db, zone, from, chunk);
          for (const auto& row : rows) {
            if (row.place.position > today) return result;
            (void)one_of_many(db, "A leaver cannot be disabled", "user", row.user.text(), [&] {
              const auto loaded = Planner::load(db, row.user);
              const auto leaving = model::leaving(planner->facts(*loaded, now));
              if (leaving && leaving->at <= now) {
                if (leaving->reason() == model::reason::between_employments) begin_gap(db, *loaded);
                disable_user(db, *planner, row.user, true, leaving->reason(), "daemon", now);
                ++result.disabled;
              } else {
                planner->note_leaving(db, row.user, now);
              }
            });
          }
          if (rows.size() == chunk) result.last = rows.back().place;
          return result;
        });
      }();
      total += done.disabled;
      behind = done.last;
    } while (behind);
  }
  if (total > 0) {
    core::log::info(core::events::leaver_disabled, "Leavers disabled and disconnected",
                    {{"users", std::to_string(total)}});
    if (on_task_) on_task_();
  }
  co_return total;
}

boost::asio::awaitable<std::size_t> Sweep::prune_plans() {
  const Instant before = clock_.now() - std::chrono::hours{24};
  std::size_t total = 0;
  while (true) {
    const std::size_t gone =
        co_await [&] { return store_.write([before](Db& db) { return store::plans::prune(db, before, 2'000); }); }();
    total += gone;
    if (gone < 2'000) break;
  }
  co_return total;
}

boost::asio::awaitable<std::size_t> Sweep::prune_batches() {
  const Instant now = clock_.now();
  co_await [&] {
    return store_.write([planner = planner_, now](Db& db) {
      for (const model::Batch& batch : store::batches::empty_held(db)) {
        if (store::batches::move(db, batch.key, model::BatchState::held, model::BatchState::released, "daemon", now))
          planner->audit(db, now, "daemon", "batch.released", "batch:" + batch.key.text(),
                         model::reason::nothing_waits);
      }
    });
  }();
  const Instant before = clock_.now() - batches_kept_for;
  std::size_t total = 0;
  while (true) {
    const std::size_t gone =
        co_await [&] { return store_.write([before](Db& db) { return store::batches::prune(db, before, 1'000); }); }();
    total += gone;
    if (gone < 1'000) break;
  }
  co_return total;
}

boost::asio::awaitable<std::size_t> Sweep::prune_self_service() {
  const Instant before = clock_.now() - form_grace;
  std::size_t total = 0;
  while (true) {
    const std::size_t gone = co_await
        [&] { return store_.write([before](Db& db) { return store::self_service::prune(db, before, 2'000); }); }();
    total += gone;
    if (gone < 2'000) break;
  }
  co_return total;
}

bool make_way(Db& db, const Planner& planner, const Id& user, Instant now) {
  const auto loaded = Planner::load(db, user);
  if (!loaded || !loaded->employment || !loaded->employment->end_date) return false;
  const auto& zone = planner.policies().of(loaded->user.company).zone;
  // Where the review rejected the next one the leaver rule ends it, too.
  if (!loaded->next || loaded->next->review == model::ReviewState::rejected ||
      model::local_date(now, zone) <= *loaded->employment->end_date)
    return false;
  // With a gap the leaver rule ends it, some days later.
  const auto leaving = model::leaving(planner.facts(*loaded, now));
  if (leaving && leaving->reason() == model::reason::between_employments) return false;
  model::Employment over = *loaded->employment;
  over.over = true;
  store::employments::update(db, over);
  return true;
}

// "Your sign-in is ready" is not true any more, if it has not gone out yet.
void cancel_sign_in_mail(Db& db, const Id& user) {
  if (const auto newest = store::invitations::newest(db, user))
    (void)store::deliveries::cancel(db, newest->key, model::DeliveryKind::sign_in_ready);
}

bool disconnect_user(Db& db, Planner& planner, const Id& key, std::string_view reason, const std::string& actor,
                     Instant now) {
  const auto user = store::users::get(db, key);
  if (!user || user->connection == model::Connection::not_connected) return false;
  // Behind an older link that expired a new hire may wait already: that plan is no connection, and stands.
  const auto newest = store::invitations::newest(db, key);
  if (newest && model::allowed(newest->state, model::InvitationState::revoked)) {
    planner.end_open(db, key, model::InvitationState::revoked, reason, actor, now);
    if (reason == model::reason::disconnected) store::employments::close_hire(db, key);  // as when a link is revoked
  }
  if (user->connection == model::Connection::connected) {
    store::tasks::put(db, {.key = planner.new_id(),
                           .user = key,
                           .invitation = std::nullopt,
                           .kind = model::ProviderTaskKind::remove_connection,
                           .failures = 0,
                           .next_at = now,
                           .detail = {},
                           .actor = actor,
                           .created_at = now});
    store::accounts::remove(db, key);
    cancel_sign_in_mail(db, key);
  }
  store::users::set_connection(db, key, model::Connection::not_connected);
  planner.audit(db, now, actor, "user.disconnected", subject_of(*user), reason);
  return true;
}

void disable_user(Db& db, Planner& planner, const Id& key, bool disconnect, std::string_view reason,
                  const std::string& actor, Instant now) {
  auto user = store::users::get(db, key);
  if (!user || (!user->enabled && !disconnect)) return;
  cancel_sign_in_mail(db, key);
  if (disconnect) {
    // What is open ends for this reason, also where nothing was sent yet.
    (void)disconnect_user(db, planner, key, reason, actor, now);
    if (const auto newest = store::invitations::newest(db, key); newest && model::live(newest->state))
      planner.end_open(
          db, key,
          model::before_mail(newest->state) ? model::InvitationState::cancelled : model::InvitationState::revoked,
          reason, actor, now);
    user = store::users::get(db, key);
  }
  if (user->enabled) {
    user->enabled = false;
    user->updated_at = now;
    store::users::update(db, *user);
    planner.audit(db, now, actor, "user.disabled", subject_of(*user), reason);
  }
  planner.apply(db, key, actor, now);
}

}  // namespace invited::service
