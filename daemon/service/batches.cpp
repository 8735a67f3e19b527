#include "service/batches.hpp"

#include <fmt/format.h>

#include <array>

#include "core/events.hpp"
#include "core/log.hpp"
#include "service/looper.hpp"
#include "service/one_of_many.hpp"
#include "service/sweep.hpp"
#include "store/deliveries.hpp"
#include "store/invitations.hpp"
#include "store/users.hpp"

namespace invited::service {

#ifndef INVITED_PLANT_BUG
#define INVITED_PLANT_BUG 0
#endif

namespace {

// A bug that the simulator must find (tests/sim builds one program for each); 0 everywhere else.
constexpr int planted_bug = INVITED_PLANT_BUG;
constexpr int forgets_open_batches = 4;
constexpr int lets_go_and_forgets = 5;

using core::ErrorKind;
using core::fail;
using model::Batch;
using model::BatchAct;
using model::BatchCause;
using model::BatchItem;
using model::BatchState;
using model::InvitationState;

constexpr std::size_t work_chunk = 32;      // below 20 ms of store time
constexpr std::size_t count_chunk = 5'000;  // likewise
constexpr std::size_t pending_chunk = 20'000;
constexpr std::size_t most_examples = 10;
constexpr std::size_t most_left_open = 1'000;
constexpr std::string_view by_rule = "daemon";
constexpr std::array all_acts{BatchAct::withdraw, BatchAct::disable, BatchAct::release};

std::string batch_subject(const Id& batch) {
  return "batch:" + batch.text();
}

bool still_held_by(const std::optional<Loaded>& loaded, const Id& batch) {
  return loaded && loaded->invitation && model::before_mail(loaded->invitation->state) &&
         loaded->invitation->held_reason == model::held_by_batch(batch);
}

std::string let_go(Db& db, Planner& planner, const Id& batch, const BatchItem& item, const std::string& actor,
                   bool usual, Instant now) {
  const auto loaded = Planner::load(db, item.user);
  if (!still_held_by(loaded, batch)) return "changed";
  store::invitations::set_held(db, loaded->invitation->key, "");
  if constexpr (planted_bug == lets_go_and_forgets) return "released";
  const Applied applied = planner.apply(db, item.user, actor, now, {.usual = usual});
  if (applied.released) return "released";
  if (applied.connecting) return "connected";
  if (applied.decision.action == model::Action::send) return std::string(model::reason::scheduled);
  return std::string(applied.decision.reason());
}

std::string withdraw(Db& db, Planner& planner, const Id& batch, const BatchItem& item, const std::string& actor,
                     Instant now) {
  auto employment = item.employment ? store::employments::get(db, *item.employment) : std::nullopt;
  const auto user = store::users::get(db, item.user);
  if (!employment || employment->withdrawn || !user) {
    if (user) planner.let_stay(db, item.user, batch, actor, now);  // this batch holds nobody any more
    return "changed";
  }
  employment->withdrawn = true;
  store::employments::update(db, *employment);
  planner.audit(db, now, actor, "user.updated", subject_of(*user), model::reason::withdrawn);
  planner.let_stay(db, item.user, batch, actor, now);  // decides; an older employment may be in force again
  return "withdrawn";
}

std::string disable(Db& db, Planner& planner, const BatchItem& item, const std::string& actor, Instant now) {
  const auto user = store::users::get(db, item.user);
  if (!user || !user->enabled) return "changed";
  disable_user(db, planner, item.user, false, model::reason::disabled, actor, now);
  return "disabled";
}

std::string discard(Db& db, Planner& planner, const Id& batch, const BatchItem& item, const std::string& actor,
                    Instant now) {
  if (item.act != BatchAct::release) {
    planner.let_stay(db, item.user, batch, actor, now);
    return "kept";
  }
  // Also one that a later batch holds as well: what this one would have sent is not sent.
  const auto loaded = Planner::load(db, item.user);
  if (!loaded || !loaded->invitation || !model::before_mail(loaded->invitation->state) ||
      !model::batch_holding(loaded->invitation->held_reason))
    return "changed";
  planner.end_open(db, item.user, InvitationState::cancelled, model::reason::discarded, actor, now);
  store::employments::close_hire(db, item.user);
  return "discarded";
}

// One that cannot be worked off never keeps the others waiting: it is held by itself and shown.
std::string work_off(Db& db, Planner& planner, const Batch& batch, const BatchItem& item, bool release,
                     const std::string& actor, Instant now) {
  std::string outcome;
  const auto act = [&] {
    store::batches::settle(db, batch.key, item.number, "done");  // it waits for nothing while its act is decided
    if (!release) {
      outcome = discard(db, planner, batch.key, item, actor, now);
    } else if (item.act == BatchAct::release) {
      outcome = let_go(db, planner, batch.key, item, actor, batch.decided_by == by_rule, now);
    } else if (item.act == BatchAct::withdraw) {
      outcome = withdraw(db, planner, batch.key, item, actor, now);
    } else {
      outcome = disable(db, planner, item, actor, now);
    }
  };
  const bool done =
      one_of_many(db, "A person of a batch cannot be worked off and is held", "user", item.user.text(), act);
  if (!done) outcome = model::reason::internal_error;
  store::batches::settle(db, batch.key, item.number, outcome);
  if (!done) {
    if (const auto loaded = Planner::load(db, item.user); still_held_by(loaded, batch.key))
      store::invitations::set_held(db, loaded->invitation->key, outcome);
  }
  return outcome;
}

void add_up(BatchCounts& counts, BatchAct act) {
  switch (act) {
    case BatchAct::release:
      ++counts.mails;
      break;
    case BatchAct::withdraw:
      ++counts.withdrawals;
      break;
    case BatchAct::disable:
      ++counts.disablings;
      break;
  }
}

std::string origin(const Batch& batch) {
  switch (batch.cause) {
    case BatchCause::import:
      return fmt::format("an import by {}", batch.actor);
    case BatchCause::sync:
      return fmt::format("what the source {} gave", batch.source);
    case BatchCause::push:
      return fmt::format("what was handed to the source {}", batch.source);
    case BatchCause::schedule:
      return "what fell due";
    case BatchCause::settings:
      return "a change of the configuration";
  }
  return {};
}

tl::unexpected<core::Error> unknown_batch(const Id& key) {
  return fail(ErrorKind::not_found, "unknown_batch", fmt::format("There is no batch {}.", key.text()));
}

tl::unexpected<core::Error> not_held(const Batch& batch) {
  return fail(ErrorKind::conflict, "batch_not_held",
              fmt::format("The batch {} is not held: it is {}.", batch.key.text(), model::to_text(batch.state)));
}

}  // namespace

std::string held_sentence(const Batch& batch) {
  return fmt::format(
      "The batch {0} ({1}) is held. {2} Look at it: invitectl batch show {0}; then invitectl invitation release "
      "--batch "
      "{0}, or discard --batch {0}.",
      batch.key.text(), origin(batch), batch.detail);
}

Batches::Batches(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner, model::Brakes brakes)
    : store_(store), clock_(clock), planner_(std::move(planner)), brakes_(brakes) {}

std::shared_ptr<Gathering> Batches::gather(BatchCause cause, std::string source, std::string actor,
                                           BatchState state) const {
  auto gathering = std::make_shared<Gathering>();
  gathering->cause = cause;
  gathering->source = std::move(source);
  gathering->actor = std::move(actor);
  gathering->state = state;
  return gathering;
}

std::optional<std::int64_t> Batches::limit(Db& db, Instant now) const {
  const auto today = model::local_date(now, planner_->policies().organisation().zone);
  return model::release_limit(brakes_, store::release_days::recent(db, today));
}

std::string Batches::sentence(std::int64_t mails, std::optional<std::int64_t> limit, std::int64_t withdrawals,
                              std::int64_t pending) const {
  std::string text;
  if (limit && mails > *limit) text = fmt::format("{} mails would go out at once; {} may.", mails, *limit);
  if (model::shrinks(brakes_, withdrawals, pending))
    text += fmt::format("{}{} of the {} people who wait would be withdrawn; {} % may.", text.empty() ? "" : " ",
                        withdrawals, pending, brakes_.shrink_percent);
  return text;
}

std::int64_t Batches::plausible_among(std::int64_t withdrawals) const {
  return brakes_.shrink_percent > 0 ? withdrawals * 100 / brakes_.shrink_percent + 1 : 0;
}

boost::asio::awaitable<std::int64_t> Batches::people_who_wait(Id before, std::int64_t enough) {
  std::int64_t total = 0;
  for (const auto state :
       {InvitationState::draft, InvitationState::scheduled, InvitationState::released, InvitationState::sent}) {
    std::optional<Id> after;
    do {
      const auto counted = co_await [&] {
        return store_.read([state, before, after](Db& db) {
          return store::invitations::count_older(db, state, before, after, pending_chunk);
        });
      }();
      total += counted.count;
      after = counted.last;
    } while (after && total < enough);
  }
  co_return total;
}

boost::asio::awaitable<BatchView> Batches::count(Batch batch) {
  BatchView view;
  std::int64_t last = 0;
  while (true) {
    const auto items = co_await [&] {
      return store_.read([key = batch.key, last](Db& db) { return store::batches::items(db, key, last, count_chunk); });
    }();
    for (const BatchItem& item : items) {
      if (!item.outcome.empty()) continue;
      add_up(view.waiting, item.act);
      add_up(view.companies[item.company], item.act);
    }
    if (items.size() < count_chunk) break;
    last = items.back().number;
  }
  view.batch = std::move(batch);
  co_return view;
}

boost::asio::awaitable<Settled> Batches::settle(std::shared_ptr<Gathering> gathering, bool dry_run) {
  Settled settled;
  if (gathering->mails + gathering->withdrawals == 0) co_return settled;
  if (!dry_run) {
    // What it keeps back must not be forgotten until the next start.
    const auto step = [this, key = gathering->key] { return settle_rows(key); };
    co_return co_await patiently(&clock_, "a batch", &step);
  }
  const Instant now = clock_.now();
  const auto most = co_await [&] { return store_.read([this, now](Db& db) { return limit(db, now); }); }();
  const std::int64_t pending = co_await people_who_wait(gathering->key, plausible_among(gathering->withdrawals));
  settled.sentence = sentence(gathering->mails, most, gathering->withdrawals, pending);
  settled.held = !settled.sentence.empty();
  if (settled.held) {
    settled.sentence = "A brake would hold it. " + settled.sentence;
    settled.mails = gathering->mails;
    settled.withdrawals = gathering->withdrawals;
  }
  co_return settled;
}

boost::asio::awaitable<Settled> Batches::settle_rows(Id key) {
  const auto batch = co_await [&] { return store_.read([key](Db& db) { return store::batches::get(db, key); }); }();
  if (batch && batch->state == BatchState::releasing) {  // let go, and cut short by a full disk
    (void)co_await go_on(key, {});
    Settled settled;
    settled.batch = key;
    co_return settled;
  }
  if (!batch || (batch->state != BatchState::open && batch->state != BatchState::filling)) co_return Settled{};
  co_return co_await decide(*batch);
}

boost::asio::awaitable<std::size_t> Batches::settle_left_open() {
  if constexpr (planted_bug == forgets_open_batches) co_return 0;
  const auto open =
      co_await store_.read([](Db& db) { return store::batches::in_state(db, BatchState::open, most_left_open); });
  for (const Batch& batch : open) (void)co_await decide(batch);
  co_return open.size();
}

boost::asio::awaitable<Settled> Batches::decide(Batch batch) {
  const BatchView view = co_await count(batch);
  const std::int64_t mails = view.waiting.mails;
  const std::int64_t withdrawals = view.waiting.withdrawals + view.waiting.disablings;
  const Instant now = clock_.now();
  const auto most = co_await [&] { return store_.read([this, now](Db& db) { return limit(db, now); }); }();
  std::int64_t pending = 0;
  if (withdrawals > 0) pending = co_await people_who_wait(batch.key, plausible_among(withdrawals));
  const bool shrinking = model::shrinks(brakes_, withdrawals, pending);
  Settled settled;
  settled.batch = batch.key;
  settled.held = shrinking || (most && mails > *most);
  if (!settled.held) {
    const bool ours = co_await [&] {
      return store_.write([key = batch.key, from = batch.state, mails, withdrawals, now](Db& db) {
        return store::batches::decide(db, key, from, BatchState::releasing,
                                      {.mails = mails, .withdrawals = withdrawals, .by = by_rule, .at = now});
      });
    }();
    if (ours) (void)co_await go_on(batch.key, {});
    co_return settled;
  }
  if (!shrinking && withdrawals > 0) {
    // Few and plausible: they are not what the brake is about.
    batch.decided_by = by_rule;
    BatchProgress done;
    const OnBatchProgress nobody;
    co_await work(batch, BatchAct::withdraw, true, false, &done, &nobody);
    co_await work(batch, BatchAct::disable, true, false, &done, &nobody);
  }
  settled.mails = mails;
  settled.withdrawals = shrinking ? withdrawals : 0;
  batch.detail = sentence(mails, most, withdrawals, pending);
  batch.reason = shrinking ? model::reason::too_many_withdrawn : model::reason::too_many_at_once;
  settled.sentence = held_sentence(batch);
  co_await [&] {
    return store_.write([planner = planner_, batch, settled, now](Db& db) {
      if (!store::batches::decide(db, batch.key, batch.state, BatchState::held,
                                  {.reason = batch.reason,
                                   .detail = batch.detail,
                                   .mails = settled.mails,
                                   .withdrawals = settled.withdrawals,
                                   .by = by_rule,
                                   .at = now}))
        return;
      planner->audit(db, now, batch.actor, "batch.held", batch_subject(batch.key), batch.reason, batch.detail);
    });
  }();
  core::log::warning(core::events::batch_held,
                     "A brake holds a batch: nothing of it goes out until a person releases or discards it "
                     "(invitectl batch show)",
                     {{"batch", batch.key.text()},
                      {"from", origin(batch)},
                      {"why", batch.detail},
                      {"mails", std::to_string(settled.mails)},
                      {"withdrawals", std::to_string(settled.withdrawals)}});
  co_return settled;
}

boost::asio::awaitable<core::Result<void>> Batches::start(Id key, bool release, std::string actor) {
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.write([planner = planner_, key, release, actor, now](Db& db) -> core::Result<void> {
      const auto batch = store::batches::get(db, key);
      if (!batch) return unknown_batch(key);
      if (!store::batches::move(db, key, BatchState::held, release ? BatchState::releasing : BatchState::discarding,
                                actor, now))
        return not_held(*batch);
      planner->audit(db, now, actor, release ? "batch.released" : "batch.discarded", batch_subject(key), batch->reason,
                     batch->detail);
      return {};
    });
  }();
}

boost::asio::awaitable<std::vector<Batch>> Batches::interrupted() {
  co_return co_await store_.read([](Db& db) {
    auto all = store::batches::in_state(db, BatchState::releasing, most_left_open);
    auto more = store::batches::in_state(db, BatchState::discarding, most_left_open);
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    return all;
  });
}

boost::asio::awaitable<void> Batches::work(Batch batch, BatchAct act, bool release, bool dry_run, BatchProgress* state,
                                           const OnBatchProgress* progress) {
  // Who decided is who acts; what the rules let go is its run's doing.
  const std::string actor = batch.decided_by == by_rule ? batch.actor : batch.decided_by;
  std::optional<BatchItem> after;
  while (true) {
    struct Chunk {
      std::vector<std::string> outcomes;
      std::optional<BatchItem> last;
    };
    const auto step = [this, &batch, act, release, dry_run, &actor, &after] {
      const Instant now = clock_.now();
      return store_.write([planner = planner_, batch, act, release, dry_run, actor, after, now](Db& db) {
        store::Savepoint whole(db);
        Chunk done;
        for (BatchItem& item : store::batches::waiting(db, batch.key, act, after, work_chunk)) {
          done.outcomes.push_back(work_off(db, *planner, batch, item, release, actor, now));
          done.last = std::move(item);
        }
        if (!dry_run) whole.release();
        return done;
      });
    };
    const Chunk chunk = co_await patiently(&clock_, "a batch", &step);
    if (chunk.outcomes.empty()) co_return;
    after = chunk.last;
    state->done += static_cast<std::int64_t>(chunk.outcomes.size());
    for (const std::string& outcome : chunk.outcomes) ++state->outcomes[outcome];
    if (on_work_ && !dry_run) on_work_();
    if (*progress) (*progress)(*state);
  }
}

boost::asio::awaitable<BatchProgress> Batches::go_on(Id key, OnBatchProgress progress) {
  BatchProgress state;
  const auto batch = co_await [&] { return store_.read([key](Db& db) { return store::batches::get(db, key); }); }();
  if (!batch || (batch->state != BatchState::releasing && batch->state != BatchState::discarding)) co_return state;
  const BatchView view = co_await count(*batch);
  state.total = view.waiting.mails + view.waiting.withdrawals + view.waiting.disablings;
  const bool release = batch->state == BatchState::releasing;
  for (const BatchAct act : all_acts) co_await work(*batch, act, release, false, &state, &progress);
  co_await [&] {
    return store_.write([batch = *batch, release](Db& db) {
      (void)store::batches::move(db, batch.key, batch.state, release ? BatchState::released : BatchState::discarded,
                                 batch.decided_by, *batch.decided_at);
    });
  }();
  co_return state;
}

boost::asio::awaitable<core::Result<BatchProgress>> Batches::rehearse(Id key, bool release, OnBatchProgress progress) {
  const auto batch = co_await [&] { return store_.read([key](Db& db) { return store::batches::get(db, key); }); }();
  if (!batch) co_return unknown_batch(key);
  if (batch->state != BatchState::held) co_return not_held(*batch);
  const BatchView view = co_await count(*batch);
  BatchProgress state;
  state.total = view.waiting.mails + view.waiting.withdrawals + view.waiting.disablings;
  for (const BatchAct act : all_acts) co_await work(*batch, act, release, true, &state, &progress);
  co_return state;
}

boost::asio::awaitable<std::vector<Batch>> Batches::list(std::optional<BatchState> state, std::optional<Id> before,
                                                         std::size_t limit) {
  co_return co_await [&] {
    return store_.read([state, before, limit](Db& db) { return store::batches::page(db, state, before, limit); });
  }();
}

boost::asio::awaitable<core::Result<BatchView>> Batches::show(Id key) {
  const auto batch = co_await [&] { return store_.read([key](Db& db) { return store::batches::get(db, key); }); }();
  if (!batch) co_return unknown_batch(key);
  BatchView view = co_await count(*batch);
  view.examples = co_await [&] {
    return store_.read([key](Db& db) {
      std::vector<BatchView::Example> examples;
      for (const BatchAct act : all_acts) {
        for (const BatchItem& item :
             store::batches::waiting(db, key, act, std::nullopt, most_examples - examples.size())) {
          const auto loaded = Planner::load(db, item.user);
          if (!loaded) continue;
          BatchView::Example example;
          example.user_id = loaded->user.user_id;
          example.name = loaded->user.name;
          example.login_email = loaded->user.login_email;
          if (loaded->employment) example.start_date = loaded->employment->start_date;
          example.act = act;
          examples.push_back(std::move(example));
        }
      }
      return examples;
    });
  }();
  co_return view;
}

}  // namespace invited::service
