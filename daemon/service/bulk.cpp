#include "service/bulk.hpp"

#include <algorithm>

#include "core/events.hpp"
#include "core/log.hpp"
#include "service/looper.hpp"
#include "service/one_of_many.hpp"
#include "store/plans.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

using model::Action;
using model::InvitationState;

// Each closure stays far below 20 ms, so that others have their turn.
constexpr std::size_t look_chunk = 10'000;  // users passed over by the filter
constexpr std::size_t plan_chunk = 256;     // users decided about
constexpr std::size_t item_chunk = 4'000;   // rows written: few, since each time waits for the disk
constexpr std::size_t run_chunk = 32;
constexpr std::size_t most_examples = 5;
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

tl::unexpected<core::Error> not_runnable() {
  return core::fail(core::ErrorKind::conflict, "plan_not_runnable",
                    "This plan is unknown, or was already run: make a new one.");
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
  // A date still ahead; one that is over and held by a brake is what this send decides about.
  if (!include_scheduled && invitation != nullptr && invitation->state == InvitationState::scheduled &&
      invitation->due && model::instant_of(*invitation->due) > facts.now)
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
    std::vector<std::pair<std::string_view, std::int64_t>> outcomes;
    std::vector<Id> items;
    std::vector<std::string> examples;
    std::optional<Id> next;
  };
  std::optional<Id> after;
  std::vector<Id> items;
  std::int64_t written = 0;
  do {
    Chunk chunk = co_await [&] {
      return store_.read([planner = planner_, request, after, now, cooldown = cooldown_](Db& db) {
        Chunk result;
        const auto last = store::users::key_ahead(db, after, look_chunk);
        auto users = store::users::page(db, request.filter, after, plan_chunk, last);
        result.next = users.size() == plan_chunk ? std::optional(users.back().key) : last;
        Planner::DomainsSeen seen;
        for (model::User& user : users) {
          const auto loaded = Planner::load_one_of_many(db, std::move(user), seen);
          const auto outcome = bulk_outcome(planner->facts(loaded, now, true), request.include_scheduled,
                                            request.include_recent, cooldown);
          if (outcome == will_send && result.examples.size() < most_examples)
            result.examples.push_back(loaded.user.user_id);
          if (outcome == will_send || outcome == will_connect) result.items.push_back(loaded.user.key);
          const auto known = std::find_if(result.outcomes.begin(), result.outcomes.end(),
                                          [&](const auto& one) { return one.first == outcome; });
          if (known == result.outcomes.end()) {
            result.outcomes.emplace_back(outcome, 1);
          } else {
            ++known->second;
          }
        }
        return result;
      });
    }();
    for (const auto& [outcome, n] : chunk.outcomes) {
      plan.matched += n;
      if (outcome == will_send) {
        plan.send += n;
      } else if (outcome == will_connect) {
        plan.connect += n;
        plan.skipped[std::string(model::reason::verified_domain)] += n;
      } else {
        plan.skipped[std::string(outcome)] += n;
      }
    }
    for (std::string& example : chunk.examples) {
      if (plan.examples.size() < most_examples) plan.examples.push_back(std::move(example));
    }
    items.insert(items.end(), chunk.items.begin(), chunk.items.end());
    after = chunk.next;
    if (items.size() < item_chunk && after) continue;
    co_await [&] {
      return store_.write(
          [key = plan.key, written, rows = items](Db& db) { store::plans::add_items(db, key, written, rows); });
    }();
    written += static_cast<std::int64_t>(items.size());
    items.clear();
  } while (after);
  co_return plan;
}

boost::asio::awaitable<core::Result<void>> Bulk::start(Id plan, std::string actor) {
  const bool started = co_await [&] {
    return store_.write([plan, actor](Db& db) {
      if (!store::plans::start(db, plan)) return false;
      if (!actor.empty()) store::plans::take_over(db, plan, actor);
      return true;
    });
  }();
  if (!started) co_return not_runnable();
  co_return core::Result<void>{};
}

boost::asio::awaitable<std::vector<Id>> Bulk::interrupted() {
  co_return co_await store_.read([](Db& db) {
    std::vector<Id> keys;
    for (const auto& plan : store::plans::running(db)) keys.push_back(plan.key);
    return keys;
  });
}

namespace {

void add_up(BulkProgress& into, const std::string& outcome, std::int64_t n) {
  if (outcome == will_send) {
    into.sent += n;
  } else if (outcome == will_connect) {
    into.connected += n;
  } else if (outcome == model::reason::internal_error) {
    into.failed += n;
  } else {
    into.skipped[outcome] += n;
  }
}

// Decided again: who connected, left or got a mail since the plan was made is skipped.
std::string outcome_now(const std::optional<Loaded>& loaded, const Planner& planner, const store::plans::Plan& plan,
                        Instant now, core::Milliseconds cooldown) {
  if (!loaded) return "unknown_user";
  const bool scheduled = plan.detail.find(flag_scheduled) != std::string::npos;
  const bool recent = plan.detail.find(flag_recent) != std::string::npos;
  return std::string(bulk_outcome(planner.facts(*loaded, now, true), scheduled, recent, cooldown));
}

// One that cannot be sent to never keeps the others waiting: it is left out and told.
std::string work_off(Db& db, Planner& planner, const store::plans::Plan& plan, const store::plans::Item& item,
                     Instant now, core::Milliseconds cooldown) {
  std::string outcome;
  const auto act = [&] {
    auto loaded = Planner::load(db, item.user);
    outcome = outcome_now(loaded, planner, plan, now, cooldown);
    if (outcome == will_send || outcome == will_connect)
      planner.apply(db, std::move(*loaded), plan.actor, now, {.asked = true, .cause = model::InvitationCause::asked});
  };
  if (!one_of_many(db, "A person of a bulk send cannot be sent to and is left out", "user", item.user.text(), act))
    outcome = model::reason::internal_error;
  store::plans::settle_item(db, plan.key, item.number, outcome);
  return outcome;
}

}  // namespace

boost::asio::awaitable<BulkProgress> Bulk::before(Id plan) {
  BulkProgress state;
  std::optional<std::int64_t> after = -1;
  while (after) {
    const auto found = co_await [&] {
      return store_.read(
          [plan, last = *after](Db& db) { return store::plans::count_outcomes(db, plan, last, look_chunk); });
    }();
    for (const auto& [outcome, n] : found.counts) {
      state.total += n;
      if (outcome.empty()) continue;
      state.done += n;
      add_up(state, outcome, n);
    }
    after = found.last;
  }
  co_return state;
}

boost::asio::awaitable<BulkProgress> Bulk::go_on(Id plan, OnBulkProgress progress) {
  BulkProgress state = co_await before(plan);
  while (true) {
    const auto step = [this, plan] {
      return store_.write([planner = planner_, plan, now = clock_.now(), cooldown = cooldown_](Db& db) {
        std::vector<std::string> done;
        const auto row = store::plans::get(db, plan);
        if (!row) return done;
        for (const auto& item : store::plans::open_items(db, plan, -1, run_chunk))
          done.push_back(work_off(db, *planner, *row, item, now, cooldown));
        if (done.empty()) store::plans::finish(db, plan);
        return done;
      });
    };
    const auto outcomes = co_await patiently(&clock_, "a bulk send", &step);
    if (outcomes.empty()) break;
    for (const std::string& outcome : outcomes) add_up(state, outcome, 1);
    state.done += static_cast<std::int64_t>(outcomes.size());
    if (on_work_) on_work_();
    if (progress) progress(state);
  }
  co_return state;
}

boost::asio::awaitable<core::Result<BulkProgress>> Bulk::rehearse(Id plan, OnBulkProgress progress) {
  const auto row = co_await [&] { return store_.read([plan](Db& db) { return store::plans::get(db, plan); }); }();
  if (!row || row->state != "planned") co_return not_runnable();
  BulkProgress state = co_await before(plan);
  std::int64_t last = -1;
  while (true) {
    struct Chunk {
      std::vector<std::string> outcomes;
      std::int64_t last = 0;
    };
    const Instant now = clock_.now();
    const Chunk chunk = co_await [&] {
      return store_.read([planner = planner_, row = *row, last, now, cooldown = cooldown_](Db& db) {
        Chunk done;
        for (const auto& item : store::plans::open_items(db, row.key, last, plan_chunk)) {
          done.outcomes.push_back(outcome_now(Planner::load(db, item.user), *planner, row, now, cooldown));
          done.last = item.number;
        }
        return done;
      });
    }();
    if (chunk.outcomes.empty()) co_return state;
    last = chunk.last;
    for (const std::string& outcome : chunk.outcomes) add_up(state, outcome, 1);
    state.done += static_cast<std::int64_t>(chunk.outcomes.size());
    if (progress) progress(state);
  }
}

}  // namespace invited::service
