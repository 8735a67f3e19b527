#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "control/answers.hpp"
#include "control/server.hpp"

namespace invited::control {

namespace json = boost::json;
using boost::asio::awaitable;
using core::HttpResponse;

namespace {

HttpResponse unknown_batch(const Call& call) {
  return problem(404, "unknown_batch", fmt::format("There is no batch \"{}\".", call.text("id")));
}

awaitable<HttpResponse> list_batches(Desk* desk, Call call) {
  const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(call.integer("limit", 100), 1, 1'000));
  std::optional<core::Id> before;
  if (const auto cursor = call.text("cursor"); !cursor.empty()) {
    before = core::Id::parse(cursor);
    if (!before) co_return bad_cursor();
  }
  const auto batches = co_await desk->batches.list(model::parse_batch_state(call.text("state")), before, limit);
  json::array items;
  for (const auto& batch : batches) items.push_back(batch_json(batch));
  co_return list_answer(std::move(items),
                        batches.size() == limit ? json::value(batches.back().key.text()) : json::value(nullptr));
}

awaitable<HttpResponse> show_batch(Desk* desk, Call call) {
  const auto key = core::Id::parse(call.text("id"));
  if (!key) co_return unknown_batch(call);
  const auto view = co_await desk->batches.show(*key);
  if (!view) co_return problem(view.error());
  co_return answer(200, batch_json(*view));
}

json::object counts_of(const service::BatchProgress& progress) {
  json::object counts{{"released", 0}, {"withdrawn", 0}, {"disabled", 0}, {"discarded", 0}, {"kept", 0}};
  json::object skipped;
  for (const auto& [outcome, n] : progress.outcomes) {
    if (counts.contains(outcome)) {
      counts[outcome] = n;
    } else {
      skipped[outcome] = n;
    }
  }
  counts["skipped"] = std::move(skipped);
  return counts;
}

awaitable<void> work_off(Desk* desk, std::shared_ptr<Job> job, core::Id batch, bool release, bool dry_run) {
  std::string trouble;
  service::OnBatchProgress progress = [job](const service::BatchProgress& state) {
    job->progress(state.done, state.total, 0);
  };
  try {
    if (dry_run) {
      const auto done = co_await desk->batches.rehearse(batch, release, std::move(progress));
      if (done) {
        job->finish(counts_of(*done));
      } else {
        trouble = done.error().message;
      }
    } else {
      const auto done = co_await desk->batches.go_on(batch, std::move(progress));
      job->finish(counts_of(done));
    }
  } catch (...) {
    trouble = trouble_of(std::current_exception()) + "; it goes on when the daemon is started again";
  }
  if (!trouble.empty()) job->fail(std::move(trouble));
}

const char* kind_of(bool release) {
  return release ? "release-batch" : "discard-batch";
}

awaitable<HttpResponse> decide(Desk* desk, bool release, Call call) {
  const auto key = core::Id::parse(call.text("id"));
  if (!key) co_return unknown_batch(call);
  if (call.dry_run) {
    const auto view = co_await desk->batches.show(*key);
    if (!view) co_return problem(view.error());
    if (view->batch.state != model::BatchState::held)
      co_return problem(409, "batch_not_held",
                        fmt::format("The batch is not held: it is {}.", model::to_text(view->batch.state)));
  } else {
    const auto started = co_await desk->batches.start(*key, release, call.actor);
    if (!started) co_return problem(started.error());
  }
  auto job = desk->jobs.start(kind_of(release), call.actor, call.dry_run);
  desk->scope.spawn("batch", work_off(desk, job, *key, release, call.dry_run));
  co_return answer(202, json::object{{"job", job->id()}});
}

}  // namespace

boost::asio::awaitable<void> resume_batches(Desk* desk) {
  const auto batches = co_await desk->batches.interrupted();
  for (const auto& batch : batches) {
    const bool release = batch.state == model::BatchState::releasing;
    auto job = desk->jobs.start(kind_of(release), batch.decided_by, false);
    desk->scope.spawn("batch", work_off(desk, job, batch.key, release, false));
  }
}

void add_batch_handlers(Handlers& handlers, Desk& desk) {
  Desk* d = &desk;
  handlers["batch.list"] = [d](Call call) { return list_batches(d, std::move(call)); };
  handlers["batch.show"] = [d](Call call) { return show_batch(d, std::move(call)); };
  handlers["batch.release"] = [d](Call call) { return decide(d, true, std::move(call)); };
  handlers["batch.discard"] = [d](Call call) { return decide(d, false, std::move(call)); };
}

}  // namespace invited::control
