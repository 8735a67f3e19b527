#include "service/bulk.hpp"

#include "store/plans.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

using model::Action;
using model::InvitationState;

constexpr std::size_t plan_chunk = 256;
constexpr std::size_t run_chunk = 64;
constexpr std::string_view will_send = "send";
constexpr std::string_view will_connect = "connect";
// Kept in the plan's row so that a run after a restart decides the same way.
constexpr std::string_view flag_scheduled = "include_scheduled";
constexpr std::string_view flag_recent = "include_recent";

std::string flags_text(const BulkRequest& request) {
  std::string text;
  if (request.include_scheduled) text += flag_scheduled;
  if (request.include_recent) text += std::string(text.empty() ? "" : " ") + std::string(flag_recent);
  return text;
}

}  // namespace

std::string_view bulk_outcome(const model::Facts& facts, bool include_scheduled, bool include_recent,
                              core::Milliseconds cooldown) {
  const model::Decision decision = model::decide(facts);
  switch (decision.action) {
    case Action::connect:
      return decision.reason() == model::reason::verified_domain ? will_connect : decision.reason();
    case Action::review:
      return model::reason::in_review;
    case Action::deliver:
      return model::reason::cooldown;  // a mail is on its way
    case Action::send:
      break;
    default:
      return decision.reason();
  }
  const model::Invitation* invitation = facts.invitation;
  if (!include_scheduled && invitation != nullptr && invitation->state == InvitationState::scheduled)
    return model::reason::scheduled;
  if (!include_recent && invitation != nullptr && invitation->accepted_at &&
      *invitation->accepted_at + cooldown > facts.now)
    return model::reason::cooldown;
  return will_send;
}

Bulk::Bulk(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner, core::Milliseconds cooldown)
    : store_(store), clock_(clock), planner_(std::move(planner)), cooldown_(cooldown) {}

boost::asio::awaitable<BulkPlan> Bulk::plan(BulkRequest request, std::string actor) {
  const Instant now = clock_.now();
  BulkPlan plan;
  plan.key = co_await [&] {
    return store_.write([planner = planner_, request, actor, now](Db& db) {
      store::plans::Plan row{planner->new_id(), "send-verification", actor, flags_text(request), "planned", now};
      store::plans::insert(db, row);
      return row.key;
    });
  }();
  struct Chunk {
    std::vector<std::pair<std::string, std::string_view>> outcomes;  // user-id → outcome
    std::optional<Id> last;
  };
  std::optional<Id> after;
  do {
    const std::int64_t first_number = plan.send + plan.connect;
    const Chunk chunk = co_await [&] {
      return store_.write(
          [planner = planner_, request, after, now, first_number, key = plan.key, cooldown = cooldown_](Db& db) {
            Chunk result;
            std::vector<Id> items;
            const auto users = store::users::page(db, request.filter, after, plan_chunk);
            for (const model::User& user : users) {
              const auto loaded = Planner::load(db, user.key);
              const auto outcome = bulk_outcome(planner->facts(*loaded, now, true), request.include_scheduled,
                                                request.include_recent, cooldown);
              if (outcome == will_send || outcome == will_connect) items.push_back(user.key);
              result.outcomes.emplace_back(user.user_id, outcome);
            }
            store::plans::add_items(db, key, first_number, items);
            if (users.size() == plan_chunk) result.last = users.back().key;
            return result;
          });
    }();
    for (const auto& [user_id, outcome] : chunk.outcomes) {
      ++plan.matched;
      if (outcome == will_send) {
        ++plan.send;
        if (plan.examples.size() < 5) plan.examples.push_back(user_id);
      } else if (outcome == will_connect) {
        ++plan.connect;
        ++plan.skipped[std::string(model::reason::verified_domain)];
      } else {
        ++plan.skipped[std::string(outcome)];
      }
    }
    after = chunk.last;
  } while (after);
  co_return plan;
}

boost::asio::awaitable<core::Result<void>> Bulk::start(Id plan) {
  const bool started =
      co_await [&] { return store_.write([plan](Db& db) { return store::plans::start(db, plan); }); }();
  if (!started)
    co_return core::fail(core::ErrorKind::conflict, "plan_not_runnable",
                         "This plan is unknown, or was already run: make a new one.");
  co_return core::Result<void>{};
}

boost::asio::awaitable<std::vector<Id>> Bulk::interrupted() {
  co_return co_await store_.read([](Db& db) {
    std::vector<Id> keys;
    for (const auto& plan : store::plans::running(db)) keys.push_back(plan.key);
    return keys;
  });
}

boost::asio::awaitable<BulkProgress> Bulk::go_on(Id plan, OnBulkProgress progress) {
  struct Chunk {
    std::vector<std::string> outcomes;
  };
  BulkProgress state;
  const auto before =
      co_await [&] { return store_.read([plan](Db& db) { return store::plans::count_outcomes(db, plan); }); }();
  const auto count = [](BulkProgress& into, const std::string& outcome, std::int64_t n) {
    if (outcome == will_send) {
      into.sent += n;
    } else if (outcome == will_connect) {
      into.connected += n;
    } else {
      into.skipped[outcome] += n;
    }
  };
  for (const auto& [outcome, n] : before) {
    state.total += n;
    if (outcome.empty()) continue;
    state.done += n;
    count(state, outcome, n);
  }
  while (true) {
    const Instant now = clock_.now();
    const Chunk chunk = co_await [&] {
      return store_.write([planner = planner_, plan, now, cooldown = cooldown_](Db& db) {
        Chunk result;
        const auto row = store::plans::get(db, plan);
        if (!row) return result;
        const bool scheduled = row->detail.find(flag_scheduled) != std::string::npos;
        const bool recent = row->detail.find(flag_recent) != std::string::npos;
        for (const auto& item : store::plans::open_items(db, plan, run_chunk)) {
          const auto loaded = Planner::load(db, item.user);
          // Decided again: who connected, left or got a mail since the plan was made is skipped.
          std::string outcome =
              loaded ? std::string(bulk_outcome(planner->facts(*loaded, now, true), scheduled, recent, cooldown))
                     : "unknown_user";
          if (outcome == will_send || outcome == will_connect)
            planner->apply(db, item.user, row->actor, now, {.asked = true, .cause = model::InvitationCause::asked});
          store::plans::settle_item(db, plan, item.number, outcome);
          result.outcomes.push_back(std::move(outcome));
        }
        if (result.outcomes.empty()) store::plans::finish(db, plan);
        return result;
      });
    }();
    if (chunk.outcomes.empty()) break;
    for (const std::string& outcome : chunk.outcomes) count(state, outcome, 1);
    state.done += static_cast<std::int64_t>(chunk.outcomes.size());
    if (on_work_) on_work_();
    if (progress) progress(state);
  }
  co_return state;
}

}  // namespace invited::service
