#include "service/scheduler.hpp"

#include "core/events.hpp"
#include "core/log.hpp"
#include "service/looper.hpp"
#include "store/invitations.hpp"
#include "store/meta.hpp"

namespace invited::service {

namespace {
constexpr std::size_t chunk = 128;  // below 20 ms of store time
constexpr core::Milliseconds look_each{1'000};

// One row that cannot be released never keeps the others waiting: it is held and shown.
bool release_one(Db& db, Planner& planner, const store::invitations::Due& row, Instant now) {
  try {
    store::Savepoint whole(db);
    const Applied applied = planner.apply(db, row.user, "daemon", now);
    whole.release();
    return applied.decision.action != model::Action::send || applied.decision.at <= now;
  } catch (const std::logic_error& e) {
    core::log::error(core::events::internal_error, "An invitation that is due cannot be released and is held",
                     {{"invitation", row.key.text()}, {"why", e.what()}});
    store::invitations::set_held(db, row.key, "internal_error");
    return true;
  }
}

// Everything of a policy that a plan depends on.
std::string settings_text(const model::Policies& policies) {
  const auto one = [](const model::Policy& policy) {
    std::string text = fmt::format("{} {} {} {} {};", policy.company, policy.zone, policy.send_hour, policy.lead_days,
                                   static_cast<int>(policy.auto_invite));
    for (const auto& domain : policy.allowed_domains) text += domain + ";";
    return text;
  };
  std::string text = one(policies.organisation());
  for (const auto& [key, policy] : policies.companies()) text += one(policy);
  return text;
}

}  // namespace

Scheduler::Scheduler(store::Store& store, core::Clock& clock, boost::asio::any_io_executor executor,
                     std::shared_ptr<Planner> planner, const SendingGate& gate)
    : store_(store), clock_(clock), wakeup_(std::move(executor)), planner_(std::move(planner)), gate_(gate) {}

boost::asio::awaitable<void> Scheduler::run() {
  const Looper looper("scheduler", clock_);
  while (true) {
    co_await looper.guarded(pass());
    co_await wakeup_.wait_for(clock_, look_each);
  }
}

boost::asio::awaitable<std::size_t> Scheduler::pass() {
  std::size_t released = 0;
  if (!gate_.open()) co_return released;
  const auto zones = co_await store_.read([](Db& db) { return store::invitations::due_zones(db); });
  for (const std::string& zone : zones) {
    while (true) {
      const Instant now = clock_.now();
      const std::int64_t until = model::due_key_now(now, zone);
      const std::size_t moved = co_await [&] {
        return store_.write([planner = planner_, zone, until, now](Db& db) {
          std::size_t count = 0;
          for (const auto& row : store::invitations::due(db, zone, until, chunk)) {
            if (release_one(db, *planner, row, now)) ++count;
          }
          return count;
        });
      }();
      released += moved;
      if (moved > 0 && on_released_) on_released_();
      if (moved < chunk) break;
    }
  }
  co_return released;
}

boost::asio::awaitable<std::size_t> Scheduler::plan_again_if_settings_changed() {
  const std::string settings = settings_text(planner_->policies());
  const auto before = co_await store_.read([](Db& db) { return store::meta::get(db, "plan_settings"); });
  std::size_t looked_at = 0;
  if (before != settings) {
    for (const auto state : {model::InvitationState::draft, model::InvitationState::scheduled}) {
      std::optional<Id> last;
      do {
        const Instant now = clock_.now();
        const auto keys = co_await [&] {
          return store_.write([planner = planner_, state, last, now](Db& db) {
            std::vector<Id> seen;
            for (const auto& invitation : store::invitations::page(
                     db, {.state = state, .held = std::nullopt, .user = std::nullopt}, last, chunk)) {
              planner->apply(db, invitation.user, "daemon", now);
              seen.push_back(invitation.key);
            }
            return seen;
          });
        }();
        looked_at += keys.size();
        last = keys.size() == chunk ? std::optional(keys.back()) : std::nullopt;
      } while (last);
    }
    co_await [&] { return store_.write([settings](Db& db) { store::meta::put(db, "plan_settings", settings); }); }();
  }
  co_return looked_at;
}

}  // namespace invited::service
