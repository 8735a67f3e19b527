#include "control/jobs.hpp"

#include <boost/json/serialize.hpp>

#include "core/events.hpp"
#include "core/log.hpp"
#include "model/civil_time.hpp"
#include "store/store.hpp"

namespace invited::control {

namespace json = boost::json;

namespace {
constexpr std::size_t most_jobs = 50;
constexpr std::size_t most_bytes = 64 * 1024 * 1024;
constexpr std::size_t piece_bytes = 64 * 1024;
constexpr core::Milliseconds ping_each{15'000};
}  // namespace

json::object to_json(const model::RowResult& row) {
  return {{"line", row.line},
          {"user", row.user},
          {"result", row.result()},
          {"reason", row.reason},
          {"applied", model::to_text(row.applied)},
          {"column", row.file_column.empty() ? row.column : row.file_column},
          {"field", row.column},
          {"message", row.message}};
}

std::string trouble_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const store::Unavailable& e) {
    return e.what();
  } catch (const std::exception& e) {
    core::log::error(core::events::internal_error, "A job failed inside the daemon", {{"why", e.what()}});
  } catch (...) {
    core::log::error(core::events::internal_error, "A job failed inside the daemon", {});
  }
  return "it failed inside the daemon, whose journal says why";
}

Job::Job(core::Clock& clock, std::string id, std::string kind, std::string actor, bool dry_run)
    : id_(std::move(id)),
      kind_(std::move(kind)),
      actor_(std::move(actor)),
      dry_run_(dry_run),
      clock_(clock),
      started_at_(clock.now()) {}

void Job::add(json::object event) {
  event["seq"] = events_.size();
  events_.push_back(json::serialize(event) + "\n");
  bytes_ += events_.back().size();
  std::erase_if(watchers_, [](const auto& watcher) { return watcher.expired(); });
  for (const auto& watcher : watchers_) {
    if (auto wakeup = watcher.lock()) wakeup->ring();
  }
}

void Job::count(const model::RowResult& row) {
  if (row.outcome != model::RowOutcome::noted) {
    ++outcomes_.at(static_cast<std::size_t>(row.outcome));
    ++done_;
  }
  if (total_ && done_ > *total_) total_ = done_;
  if (row.outcome == model::RowOutcome::rejected) ++failed_;
}

void Job::row(const model::RowResult& row) {
  count(row);
  add({{"event", "row"}, {"row", to_json(row)}});
}

void Job::count(const std::vector<model::RowResult>& rows) {
  for (const auto& row : rows) count(row);
  progress(done_, total_, failed_);
}

void Job::progress(std::int64_t done, std::optional<std::int64_t> total, std::int64_t failed) {
  done_ = done;
  total_ = total;
  failed_ = failed;
  add({{"event", "progress"},
       {"done", done},
       {"total", total ? json::value(*total) : json::value(nullptr)},
       {"failed", failed}});
}

json::object Job::row_counts() const {
  json::object counts;
  for (std::size_t i = 0; i < outcomes_.size(); ++i)
    counts[model::to_text(static_cast<model::RowOutcome>(i))] = outcomes_.at(i);
  return counts;
}

void Job::finish(json::object counts, std::string note) {
  state_ = "done";
  ended_at_ = clock_.now();
  counts_ = counts;
  detail_ = note;
  json::object event{{"event", "done"}, {"state", "done"}, {"counts", std::move(counts)}};
  if (!note.empty()) event["detail"] = note;
  add(std::move(event));
}

void Job::fail(std::string why) {
  state_ = "failed";
  ended_at_ = clock_.now();
  detail_ = why;
  counts_ = row_counts();
  add({{"event", "done"}, {"state", "failed"}, {"counts", counts_}, {"detail", std::move(why)}});
}

json::object Job::describe() const {
  return {{"id", id_},
          {"kind", kind_},
          {"state", state_},
          {"dry_run", dry_run_},
          {"actor", actor_},
          {"done", done_},
          {"total", total_ ? json::value(*total_) : json::value(nullptr)},
          {"failed", failed_},
          {"started_at", model::to_utc_text(started_at_)},
          {"ended_at", ended_at_ ? json::value(model::to_utc_text(*ended_at_)) : json::value(nullptr)},
          {"counts", counts_},
          {"detail", detail_}};
}

std::shared_ptr<Job> Jobs::start(std::string kind, std::string actor, bool dry_run) {
  auto job = std::make_shared<Job>(clock_, ids_.next().text(), std::move(kind), std::move(actor), dry_run);
  jobs_.push_front(job);
  forget_old();
  return job;
}

void Jobs::forget_old() {
  std::size_t bytes = 0;
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    bytes += (*it)->bytes();
    const bool over = static_cast<std::size_t>(it - jobs_.begin()) >= most_jobs || bytes > most_bytes;
    it = over && (*it)->ended() ? jobs_.erase(it) : it + 1;
  }
}

std::shared_ptr<Job> Jobs::find(const std::string& id) const {
  for (const auto& job : jobs_) {
    if (job->id() == id) return job;
  }
  return nullptr;
}

core::HttpBodyStream Jobs::follow(std::shared_ptr<Job> job, std::size_t from) {
  struct Reader {
    std::shared_ptr<Job> job;
    std::shared_ptr<core::Wakeup> wakeup;
    core::Clock* clock;
    std::size_t next;
    bool greeted = false;

    static boost::asio::awaitable<std::optional<std::string>> step(std::shared_ptr<Reader> reader) {
      if (!reader->greeted) {
        reader->greeted = true;
        co_return json::serialize(json::object{{"event", "snapshot"}, {"job", reader->job->describe()}}) + "\n";
      }
      const auto& events = reader->job->events_;
      const auto ping_at = reader->clock->monotonic() + ping_each;
      while (reader->next >= events.size()) {
        if (reader->job->ended()) co_return std::nullopt;
        const auto left = ping_at - reader->clock->monotonic();
        if (left <= core::Milliseconds{0}) break;
        // A ring may be kept from an event that was already told.
        co_await reader->wakeup->wait_for(*reader->clock, left);
      }
      std::string piece;
      while (reader->next < events.size() && piece.size() < piece_bytes) piece += events[reader->next++];
      if (piece.empty()) piece = "{\"event\":\"ping\"}\n";
      co_return piece;
    }
  };
  auto wakeup = std::make_shared<core::Wakeup>(executor_);
  job->watchers_.push_back(wakeup);
  auto reader = std::make_shared<Reader>(Reader{std::move(job), std::move(wakeup), &clock_, from});
  return [reader] { return Reader::step(reader); };
}

}  // namespace invited::control
