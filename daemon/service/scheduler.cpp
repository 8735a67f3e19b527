#include "service/scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/events.hpp"
#include "core/log.hpp"
#include "service/looper.hpp"
#include "service/one_of_many.hpp"
#include "store/invitations.hpp"
#include "store/meta.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {
constexpr std::size_t chunk = 32;  // below 20 ms of store time
constexpr core::Milliseconds look_each{1'000};

// One row that cannot be released never keeps the others waiting: it is held and shown.
bool release_one(Db& db, Planner& planner, const store::invitations::Due& row, Gathering* gathering, Instant now) {
  Applied applied;
  if (one_of_many(db, "An invitation that is due cannot be released and is held", "invitation", row.key.text(),
                  [&] { applied = planner.apply(db, row.user, "daemon", now, {.gathering = gathering}); }))
    return applied.decision.action != model::Action::send || applied.decision.at <= now;
  store::invitations::set_held(db, row.key, model::reason::internal_error);
  return true;
}

// Who cannot be planned by the new settings keeps the plan that is there.
void plan_again(Db& db, Planner& planner, const Id& user, Gathering* gathering, Instant now) {
  (void)one_of_many(db, "A user cannot be planned again by the new settings", "user", user.text(),
                    [&] { planner.apply(db, user, "daemon", now, {.gathering = gathering}); });
}

// Those that are due longest, of all zones.
std::vector<store::invitations::Due> earliest_due(Db& db, const std::vector<std::string>& zones, Instant now) {
  std::vector<store::invitations::Due> all;
  for (const std::string& zone : zones) {
    auto there = store::invitations::due(db, zone, model::due_key_now(now, zone), chunk);
    all.insert(all.end(), there.begin(), there.end());
  }
  std::ranges::stable_sort(all, {}, &store::invitations::Due::due_key);
  if (all.size() > chunk) all.resize(chunk);
  return all;
}

// Everything of a policy that a plan depends on.
std::string settings_text(const model::Policies& policies) {
  const auto one = [](const model::Policy& policy) {
    std::string text = fmt::format("{} {} {} {} {} {};", policy.company, policy.zone, policy.send_hour,
                                   policy.lead_days, static_cast<int>(policy.auto_invite), policy.leaver_days);
    for (const auto& domain : policy.allowed_domains) text += domain + ";";
    return text;
  };
  std::string text = one(policies.organisation());
  for (const auto& [key, policy] : policies.companies()) text += one(policy);
  for (const auto& employment : policies.templates().employments) {
    const auto* user = policies.templates().user_of_employment(employment.name);
    if (user != nullptr && user->leaver_days) text += fmt::format("{} {};", employment.name, *user->leaver_days);
  }
  return text;
}

}  // namespace

// What is due in this moment.
struct Scheduler::Due {
  std::vector<std::string> zones;
  std::int64_t count = 0;  // up to one more than the limit
  std::optional<std::int64_t> limit;
  std::optional<Id> filling;  // a batch that an earlier process began to collect
};

Scheduler::Scheduler(store::Store& store, core::Clock& clock, boost::asio::any_io_executor executor,
                     std::shared_ptr<Planner> planner, Batches& batches, const SendingGate& gate)
    : store_(store),
      clock_(clock),
      wakeup_(std::move(executor)),
      planner_(std::move(planner)),
      batches_(batches),
      gate_(gate) {}

boost::asio::awaitable<void> Scheduler::run() {
  const Looper looper("scheduler", clock_);
  while (true) {
    co_await looper.guarded(pass());
    co_await wakeup_.wait_for(clock_, look_each);
  }
}

boost::asio::awaitable<std::size_t> Scheduler::pass() {
  if (!gate_.open()) co_return 0;
  const Due due = co_await look();
  if (!due.filling && (!due.limit || due.count <= *due.limit)) co_return co_await release_due(due.zones, nullptr);
  const auto gathering = batches_.gather(model::BatchCause::schedule, "", "daemon", model::BatchState::filling);
  if (due.filling) {
    gathering->key = *due.filling;
    gathering->mails = 1;  // what is in it is settled in any case
  }
  const std::size_t gathered = co_await release_due(due.zones, gathering);
  (void)co_await batches_.settle(gathering, false);
  co_return gathered;
}

boost::asio::awaitable<Scheduler::Due> Scheduler::look() {
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.read([batches = &batches_, now](Db& db) {
      Due due;
      due.zones = store::invitations::due_zones(db);
      due.limit = batches->limit(db, now);
      for (const std::string& zone : due.zones) {
        if (!due.limit || due.count > *due.limit) break;
        due.count += static_cast<std::int64_t>(store::invitations::count_due(
            db, zone, model::due_key_now(now, zone), static_cast<std::size_t>(*due.limit + 1 - due.count)));
      }
      if (const auto filling = store::batches::in_state(db, model::BatchState::filling, 1); !filling.empty())
        due.filling = filling.front().key;
      return due;
    });
  }();
}

boost::asio::awaitable<std::size_t> Scheduler::release_due(std::vector<std::string> zones,
                                                           std::shared_ptr<Gathering> gathering) {
  // One moment for the whole pass: of what is queued in it, the earliest start goes first (W11).
  const Instant now = clock_.now();
  std::size_t released = 0;
  while (true) {
    const std::size_t moved = co_await [&] {
      return store_.write([planner = planner_, gathering, zones, now](Db& db) {
        std::size_t count = 0;
        for (const auto& row : earliest_due(db, zones, now)) {
          if (release_one(db, *planner, row, gathering.get(), now)) ++count;
        }
        return count;
      });
    }();
    released += moved;
    if (moved > 0 && on_released_) on_released_();
    if (moved < chunk) break;
  }
  co_return released;
}

boost::asio::awaitable<std::size_t> Scheduler::plan_again_if_settings_changed() {
  const std::string settings = settings_text(planner_->policies());
  const auto before = co_await store_.read([](Db& db) { return store::meta::get(db, "plan_settings"); });
  std::size_t looked_at = 0;
  if (before != settings) {
    const auto gathering = batches_.gather(model::BatchCause::settings, "", "daemon");
    for (const auto state : {model::InvitationState::draft, model::InvitationState::scheduled}) {
      std::optional<Id> last;
      do {
        const Instant now = clock_.now();
        const auto keys = co_await [&] {
          return store_.write([planner = planner_, gathering, state, last, now](Db& db) {
            planner->begin(*gathering);
            std::vector<Id> seen;
            for (const auto& invitation : store::invitations::page(
                     db, {.state = state, .held = std::nullopt, .user = std::nullopt}, last, chunk)) {
              plan_again(db, *planner, invitation.user, gathering.get(), now);
              seen.push_back(invitation.key);
            }
            return seen;
          });
        }();
        looked_at += keys.size();
        last = keys.size() == chunk ? std::optional(keys.back()) : std::nullopt;
      } while (last);
    }
    // What the older settings ended comes back where the newer ones want it.
    std::optional<Id> last_hire;
    do {
      const Instant now = clock_.now();
      const auto keys = co_await [&] {
        return store_.write([planner = planner_, gathering, last_hire, now](Db& db) {
          std::vector<Id> seen;
          for (const auto& hire : store::employments::open_hires(db, last_hire, chunk)) {
            plan_again(db, *planner, hire.user, gathering.get(), now);
            seen.push_back(hire.key);
          }
          return seen;
        });
      }();
      looked_at += keys.size();
      last_hire = keys.size() == chunk ? std::optional(keys.back()) : std::nullopt;
    } while (last_hire);
    std::optional<Id> last;
    do {
      const Instant now = clock_.now();
      const auto keys = co_await [&] {
        return store_.write([planner = planner_, last, now](Db& db) {
          auto users = store::employments::users_with_end(db, last, chunk);
          for (const Id& user : users)
            (void)one_of_many(db, "The day on which a user leaves cannot be computed", "user", user.text(),
                              [&] { planner->note_leaving(db, user, now); });
          return users;
        });
      }();
      looked_at += keys.size();
      last = keys.size() == chunk ? std::optional(keys.back()) : std::nullopt;
    } while (last);
    (void)co_await batches_.settle(gathering, false);
    co_await [&] { return store_.write([settings](Db& db) { store::meta::put(db, "plan_settings", settings); }); }();
  }
  co_return looked_at;
}

}  // namespace invited::service
