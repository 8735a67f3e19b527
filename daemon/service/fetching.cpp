#include "service/fetching.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "service/looper.hpp"
#include "store/meta.hpp"

namespace invited::service {

namespace {
using core::ErrorKind;
using core::fail;
namespace log = core::log;
namespace events = core::events;

// Made outside of coroutines (docs/decisions/0005).
IntakeContext context_of(const std::string& source, std::shared_ptr<Gathering> gathering, bool dry_run) {
  IntakeContext context;
  context.source = source;
  context.actor = "source:" + source;
  context.dry_run = dry_run;
  context.gathering = std::move(gathering);
  return context;
}

constexpr core::Milliseconds busy_pause{1'000};
constexpr core::Milliseconds patience_at_start{30'000};
constexpr std::size_t most_refused_lines = 20;

std::string settle_key(const std::string& source) {
  return "settle:" + source;
}

struct Place {
  std::string cursor;
  bool unsettled = false;
};

Place place_of(Db& db, const std::string& source) {
  return {store::meta::cursor(db, source), !store::meta::get(db, settle_key(source)).value_or("").empty()};
}

std::size_t refused_of(const std::vector<model::RowResult>& results) {
  std::size_t refused = 0;
  for (const auto& row : results) refused += row.outcome == model::RowOutcome::rejected ? 1 : 0;
  return refused;
}

void tell_rows(const std::string& source, std::string_view sentence, const std::vector<model::RowResult>& results) {
  log::info(events::source_fetched, sentence,
            {{"source", source},
             {"rows", std::to_string(results.size())},
             {"rejected", std::to_string(refused_of(results))}});
}

// Who pushes may not keep the answer: the reasons stand in the log as well.
void tell_refused(const std::string& source, const std::vector<model::RowResult>& results) {
  std::size_t lines = 0;
  for (const auto& row : results) {
    if (row.outcome != model::RowOutcome::rejected) continue;
    if (++lines > most_refused_lines) return;
    log::warning(events::row_refused, "A pushed record was refused; the others were taken",
                 {{"source", source}, {"user", row.user}, {"reason", row.reason}, {"column", row.column}});
  }
}

// The source will never settle this, so asking again is no use.
bool is_final(const core::Error& error) {
  return error.code == "plugin_rejected" || error.code == "plugin_unsupported";
}

// False: the next fetch would give the same again, and so for ever. A source that moves on by settling its side keeps
// its cursor; then what the rows did shows that they were others.
bool moved_on(const std::string& cursor, const model::Fetched& fetched, const std::vector<model::RowResult>& results) {
  const auto changed = [](model::RowOutcome outcome) {
    return outcome == model::RowOutcome::created || outcome == model::RowOutcome::updated;
  };
  return fetched.cursor != cursor || std::any_of(results.begin(), results.end(), [&](const model::RowResult& row) {
           return changed(row.outcome) || changed(row.applied);
         });
}
}  // namespace

Fetching::Fetching(store::Store& store, core::Clock& clock, boost::asio::any_io_executor executor, Intake& intake,
                   Batches& batches, SendingGate& gate, std::vector<model::Source*> sources)
    : store_(store), clock_(clock), executor_(std::move(executor)), intake_(intake), batches_(batches), gate_(gate) {
  std::vector<std::string> first;
  for (model::Source* source : sources) {
    Entry& entry = entries_[source->name()];
    entry.source = source;
    entry.wakeup = std::make_unique<core::Wakeup>(executor_);
    entry.status = {.name = source->name(), .plugin = source->plugin(), .fetches = source->can_fetch()};
    order_.push_back(source->name());
    if (source->can_fetch()) first.push_back(source->name());
    source->on_change([wakeup = entry.wakeup.get()] { wakeup->ring(); });
  }
  gate_.expect_sources(first);
}

void Fetching::start(core::TaskScope& scope) {
  for (const std::string& name : order_) {
    if (entries_.at(name).source->can_fetch()) scope.spawn("source " + name, loop(name));
  }
}

boost::asio::awaitable<void> Fetching::loop(std::string name) {
  Entry& entry = entries_.at(name);
  const core::Milliseconds patient_until = clock_.monotonic() + patience_at_start;
  co_await read(name);
  while (entry.waits && clock_.monotonic() < patient_until) {
    co_await entry.wakeup->wait_for(clock_, patient_until - clock_.monotonic());
    co_await read(name);
  }
  if (entry.waits)
    log::warning(
        events::source_failed,
        "Something in a source still cannot be read (a file that is still being written?): what is due goes out "
        "without knowing it",
        {{"source", name}});
  // Read, or declared unavailable for now: what is overdue need not wait for a source that is down.
  gate_.source_settled(name);
  while (true) {
    co_await entry.wakeup->wait_for(clock_, entry.source->interval());
    co_await read(name);
  }
}

boost::asio::awaitable<void> Fetching::read(std::string name) {
  const Looper looper("source " + name, clock_);
  while (true) {
    const auto fetched = co_await looper.guarded(sync(name, {}));
    if (!fetched || *fetched || fetched->error().code != "source_busy") co_return;
    // Somebody reads it at this moment, perhaps dry: the turn is still owed.
    co_await clock_.sleep_for(busy_pause);
  }
}

boost::asio::awaitable<core::Result<SyncDone>> Fetching::sync(std::string name, RowsProgress progress, bool dry_run) {
  const auto found = entries_.find(name);
  if (found == entries_.end())
    co_return fail(ErrorKind::not_found, "unknown_source", fmt::format("There is no source \"{}\".", name));
  Entry& entry = found->second;
  if (!entry.source->can_fetch())
    co_return fail(ErrorKind::conflict, "source_not_fetched",
                   fmt::format("The source \"{}\" is not fetched: it takes what is pushed to it.", name));
  if (entry.busy)
    co_return fail(ErrorKind::conflict, "source_busy", fmt::format("The source \"{}\" is being read just now.", name));
  struct Busy {
    bool& flag;
    explicit Busy(bool& f) : flag(f) { flag = true; }
    ~Busy() { flag = false; }
  } busy(entry.busy);
  const auto gathering = batches_.gather(model::BatchCause::sync, name, "source:" + name);
  std::exception_ptr trouble;
  SyncDone done;
  core::Result<std::size_t> rows = 0;
  try {
    // Not as one conditional expression: g++ 12 would then destroy the coroutine that was not chosen.
    if (dry_run) {
      rows = co_await rehearse(name, progress, gathering);
    } else {
      rows = co_await fetch_all(name, progress, gathering);
    }
  } catch (...) {
    trouble = std::current_exception();
  }
  // What was read before it failed is in the store: it counts.
  done.settled = co_await batches_.settle(gathering, dry_run);
  if (trouble) std::rethrow_exception(trouble);
  if (!rows) co_return fail(rows.error());
  done.rows = *rows;
  co_return done;
}

boost::asio::awaitable<core::Result<std::size_t>> Fetching::fetch_all(std::string name, RowsProgress progress,
                                                                      std::shared_ptr<Gathering> gathering) {
  Entry& entry = entries_.at(name);
  std::size_t rows = 0;
  while (true) {
    const auto more = co_await fetch_once(name, progress, gathering, &rows);
    if (!more) {
      if (entry.status.trouble != more.error().message)
        log::warning(events::source_failed, "A source cannot be read; it is asked again",
                     {{"source", name}, {"why", more.error().message}});
      entry.status.trouble = more.error().message;
      co_return fail(more.error());
    }
    entry.status.trouble.clear();
    if (!*more) break;
  }
  co_return rows;
}

boost::asio::awaitable<core::Result<bool>> Fetching::fetch_once(std::string name, RowsProgress progress,
                                                                std::shared_ptr<Gathering> gathering,
                                                                std::size_t* rows) {
  Entry& entry = entries_.at(name);
  const Place place = co_await [&] { return store_.read([name](Db& db) { return place_of(db, name); }); }();
  const std::string& cursor = place.cursor;
  if (place.unsettled) {
    const auto settled = co_await settle_source(name, cursor, true);
    if (!settled) co_return fail(settled.error());
  }
  Intake::Run run(intake_, context_of(name, gathering, false), progress);
  const auto fetched = co_await entry.source->fetch(cursor, run.sink());
  co_await run.finish();
  entry.waits = fetched && fetched->soon;
  if (!fetched) co_return fail(fetched.error());
  const Instant now = clock_.now();
  entry.status.last_read = now;
  const auto& results = run.results();
  *rows += results.size();
  entry.status.rows += results.size();
  const bool news = !results.empty() || fetched->items > 0;
  const bool stored = news || fetched->cursor != cursor;
  entry.unsettled = results;
  if (stored) {
    co_await [&] {
      return store_.write([name, next = fetched->cursor, now](Db& db) {
        store::meta::put_cursor(db, name, next, now);
        store::meta::put(db, settle_key(name), "1");
      });
    }();
  }
  if (news) {
    entry.status.last_change = now;
    tell_rows(name, "Records read and applied", results);
    if (on_applied_) on_applied_();
  }
  const auto finished = co_await settle_source(name, fetched->cursor, stored);
  if (!finished) co_return fail(finished.error());
  co_return fetched->more&& moved_on(cursor, *fetched, results);
}

boost::asio::awaitable<core::Result<void>> Fetching::settle_source(std::string name, std::string cursor, bool stored) {
  Entry& entry = entries_.at(name);
  const auto finished = co_await entry.source->finish(std::move(cursor), entry.unsettled);
  if (!finished && !is_final(finished.error())) co_return finished;
  entry.unsettled.clear();
  if (stored) {
    co_await [&] { return store_.write([name](Db& db) { store::meta::put(db, settle_key(name), ""); }); }();
  }
  co_return finished;
}

boost::asio::awaitable<core::Result<std::size_t>> Fetching::rehearse(std::string name, RowsProgress progress,
                                                                     std::shared_ptr<Gathering> gathering) {
  std::string cursor = co_await [&] { return store_.read([name](Db& db) { return store::meta::cursor(db, name); }); }();
  std::size_t rows = 0;
  while (true) {
    Intake::Run run(intake_, context_of(name, gathering, true), progress);
    const auto fetched = co_await entries_.at(name).source->fetch(cursor, run.sink());
    co_await run.finish();
    if (!fetched) co_return fail(fetched.error());
    rows += run.results().size();
    // A source that settles its side before it goes on would give the same again for ever.
    if (!fetched->more || fetched->cursor == cursor) co_return rows;
    cursor = fetched->cursor;
  }
}

boost::asio::awaitable<core::Result<PushDone>> Fetching::push(std::string name, model::SourcePush push,
                                                              IntakeContext context, RowsProgress progress) {
  const auto found = entries_.find(name);
  if (found == entries_.end())
    co_return fail(ErrorKind::not_found, "unknown_source", fmt::format("There is no source \"{}\".", name));
  if (!found->second.source->takes(push.kind))
    co_return fail(ErrorKind::conflict, "source_takes_no_push",
                   fmt::format("The source \"{}\" does not take this ({}).", name, push.kind));
  const bool dry_run = context.dry_run;
  if (push.kind != "record" && !context.at_once)
    context.gathering = batches_.gather(model::BatchCause::import, name, context.actor);
  const auto gathering = context.gathering;
  Intake::Run run(intake_, std::move(context), std::move(progress));
  std::exception_ptr trouble;
  PushDone done;
  core::Result<model::SourceReply> reply;
  try {
    reply = co_await found->second.source->handle(std::move(push), run.sink());
    co_await run.finish();
  } catch (...) {
    trouble = std::current_exception();
  }
  if (gathering) done.settled = co_await batches_.settle(gathering, dry_run);
  if (trouble) std::rethrow_exception(trouble);
  found->second.status.rows += run.results().size();
  if (!run.results().empty() && !dry_run && on_applied_) on_applied_();
  if (!reply) co_return fail(reply.error());
  done.reply = std::move(*reply);
  co_return done;
}

boost::asio::awaitable<core::Result<model::SourceReply>> Fetching::serve(std::string name, PushHandler handle) {
  const auto found = entries_.find(name);
  if (found == entries_.end())
    co_return fail(ErrorKind::not_found, "unknown_source", fmt::format("There is no source \"{}\".", name));
  Entry& entry = found->second;
  const auto gathering = batches_.gather(model::BatchCause::push, name, "source:" + name);
  Intake::Run run(intake_, context_of(name, gathering, false), {});
  std::exception_ptr trouble;
  core::Result<model::SourceReply> reply;
  try {
    reply = co_await handle(run.sink());
    co_await run.finish();
  } catch (...) {
    trouble = std::current_exception();
  }
  const auto& results = run.results();
  entry.status.rows += results.size();
  if (!results.empty()) {
    tell_rows(name, "Pushed records applied", results);
    tell_refused(name, results);
  }
  (void)co_await batches_.settle(gathering, false);
  if (trouble) std::rethrow_exception(trouble);
  if (!results.empty() && on_applied_) on_applied_();
  const std::string why = reply ? std::string() : reply.error().message;
  if (!why.empty() && why != entry.route_trouble)
    log::warning(events::source_failed, "A source cannot answer a request to its route",
                 {{"source", name}, {"why", why}});
  entry.route_trouble = why;
  co_return reply;
}

core::Result<std::shared_ptr<model::Source>> Fetching::lend_exporter() {
  for (const std::string& name : order_) {
    Entry& entry = entries_.at(name);
    if (!entry.source->can_export()) continue;
    if (!entry.exporter.expired())
      return fail(ErrorKind::conflict, "export_running", "An export is being written just now: try again after it.");
    auto lent = std::shared_ptr<model::Source>(entry.source, [](model::Source*) {});
    entry.exporter = lent;
    return lent;
  }
  return fail(ErrorKind::conflict, "no_export_source",
              "No configured source writes files: add a source with the plugin \"file\".");
}

std::string Fetching::taker_of(std::string_view kind) const {
  for (const std::string& name : order_) {
    if (entries_.at(name).source->takes(kind)) return name;
  }
  return {};
}

std::vector<SourceStatus> Fetching::status() const {
  std::vector<SourceStatus> all;
  for (const std::string& name : order_) {
    const Entry& entry = entries_.at(name);
    all.push_back(entry.status);
    if (all.back().trouble.empty()) all.back().trouble = entry.route_trouble;
  }
  return all;
}

}  // namespace invited::service
