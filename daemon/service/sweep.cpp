#include "service/sweep.hpp"

#include <algorithm>

#include "service/looper.hpp"
#include "store/accounts.hpp"
#include "store/invitations.hpp"
#include "store/plans.hpp"
#include "store/tasks.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {
constexpr std::size_t chunk = 128;
constexpr core::Milliseconds look_each{1'000};
constexpr core::Milliseconds leavers_each = std::chrono::minutes{5};
}  // namespace

Sweep::Sweep(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner)
    : store_(store), clock_(clock), planner_(std::move(planner)) {}

boost::asio::awaitable<void> Sweep::run() {
  const Looper looper("sweep", clock_);
  while (true) {
    co_await looper.guarded(pass());
    co_await clock_.sleep_for(look_each);
  }
}

boost::asio::awaitable<std::size_t> Sweep::pass() {
  std::size_t ended = co_await expire();
  if (clock_.monotonic() >= leavers_next_) {
    ended += co_await disable_leavers();
    ended += co_await prune_plans();
    leavers_next_ = clock_.monotonic() + leavers_each;
  }
  co_return ended;
}

boost::asio::awaitable<std::size_t> Sweep::expire() {
  std::size_t total = 0;
  while (true) {
    const Instant now = clock_.now();
    const std::size_t ended = co_await [&] {
      return store_.write([planner = planner_, now](Db& db) {
        const auto rows = store::invitations::ending(db, now, chunk);
        for (const auto& row : rows)
          planner->end_open(db, row.user, model::InvitationState::expired, model::reason::link_expired, "daemon", now);
        return rows.size();
      });
    }();
    total += ended;
    if (ended < chunk) break;
  }
  if (total > 0)
    core::log::info(core::events::link_expired, "Links expired unused", {{"links", std::to_string(total)}});
  co_return total;
}

boost::asio::awaitable<std::size_t> Sweep::disable_leavers() {
  std::size_t total = 0;
  std::optional<Id> after;
  while (true) {
    const Instant now = clock_.now();
    struct Chunk {
      std::size_t disabled = 0;
      std::optional<Id> last;
    };
    const Chunk done = co_await [&] {
      return store_.write([planner = planner_, now, after](Db& db) {
        Chunk result;
        // No zone is more than a day ahead of UTC; the rule itself looks at the user's own zone.
        const auto latest = model::add_days(model::CivilDate{std::chrono::floor<std::chrono::days>(now)}, 1);
        const auto users = store::employments::users_ended_by(db, latest, after, chunk);
        for (const Id& key : users) {
          const auto loaded = Planner::load(db, key);
          const auto leaving = model::leaving(planner->facts(*loaded, now));
          if (!leaving || leaving->at > now) continue;
          disable_user(db, *planner, key, true, model::reason::employment_ended, "daemon", now);
          ++result.disabled;
        }
        if (users.size() == chunk) result.last = users.back();
        return result;
      });
    }();
    total += done.disabled;
    if (!done.last) break;
    after = done.last;
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

bool disconnect_user(Db& db, Planner& planner, const Id& key, std::string_view reason, const std::string& actor,
                     Instant now) {
  const auto user = store::users::get(db, key);
  if (!user || user->connection == model::Connection::not_connected) return false;
  planner.end_open(db, key, model::InvitationState::revoked, reason, actor, now);
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
  }
  store::users::set_connection(db, key, model::Connection::not_connected);
  planner.audit(db, now, actor, "user.disconnected", subject_of(*user), reason);
  return true;
}

void disable_user(Db& db, Planner& planner, const Id& key, bool disconnect, std::string_view reason,
                  const std::string& actor, Instant now) {
  auto user = store::users::get(db, key);
  if (!user || !user->enabled) return;
  if (disconnect) {
    disconnect_user(db, planner, key, reason, actor, now);
    user = store::users::get(db, key);
  }
  user->enabled = false;
  user->updated_at = now;
  store::users::update(db, *user);
  planner.audit(db, now, actor, "user.disabled", subject_of(*user), reason);
  planner.apply(db, key, actor, now);
}

}  // namespace invited::service
