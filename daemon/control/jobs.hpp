// Long work with a stream of events. A job lives in memory: what it changes is durable by itself, and its events are
// kept until newer jobs push it out.
//
//   auto job = jobs.start("import", actor, dry_run);
//   job->row(result);  job->progress(done, total, failed);  job->finish(counts);
//
// Everything runs on the core thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/http_message.hpp"
#include "core/id.hpp"
#include "core/wakeup.hpp"
#include "model/record.hpp"

namespace invited::control {

class Job {
public:
  // `clock` outlives the job.
  Job(core::Clock& clock, std::string id, std::string kind, std::string actor, bool dry_run);

  void row(const model::RowResult& row);
  // Counts rows without telling each.
  void count(const std::vector<model::RowResult>& rows);
  // Any other event.
  void tell(boost::json::object event) { add(std::move(event)); }
  void progress(std::int64_t done, std::optional<std::int64_t> total, std::int64_t failed);
  // `note`: a sentence for a person about what the counts do not say.
  void finish(boost::json::object counts, std::string note = {});
  void fail(std::string why);

  [[nodiscard]] boost::json::object describe() const;
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::string& actor() const { return actor_; }
  [[nodiscard]] bool ended() const { return state_ != "running"; }
  // The counts by outcome of the rows told so far.
  [[nodiscard]] boost::json::object row_counts() const;
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
  friend class Jobs;
  void add(boost::json::object event);
  void count(const model::RowResult& row);
  std::string id_;
  std::string kind_;
  std::string actor_;
  bool dry_run_;
  core::Clock& clock_;
  core::Instant started_at_;
  std::optional<core::Instant> ended_at_;
  std::string state_ = "running";
  std::string detail_;
  std::int64_t done_ = 0;
  std::optional<std::int64_t> total_;
  std::int64_t failed_ = 0;
  std::array<std::int64_t, 5> outcomes_{};
  boost::json::object counts_;
  std::vector<std::string> events_;
  std::size_t bytes_ = 0;
  std::vector<std::weak_ptr<core::Wakeup>> watchers_;
};

class Jobs {
public:
  Jobs(core::Clock& clock, core::IdSource& ids, boost::asio::any_io_executor executor)
      : clock_(clock), ids_(ids), executor_(std::move(executor)) {}

  std::shared_ptr<Job> start(std::string kind, std::string actor, bool dry_run);
  [[nodiscard]] std::shared_ptr<Job> find(const std::string& id) const;
  [[nodiscard]] const std::deque<std::shared_ptr<Job>>& newest_first() const { return jobs_; }
  // The job's events from number `from` on, then live until its end; a ping every 15 seconds.
  [[nodiscard]] core::HttpBodyStream follow(std::shared_ptr<Job> job, std::size_t from);

private:
  void forget_old();
  core::Clock& clock_;
  core::IdSource& ids_;
  boost::asio::any_io_executor executor_;
  std::deque<std::shared_ptr<Job>> jobs_;
};

[[nodiscard]] boost::json::object to_json(const model::RowResult& row);
// Why a job cannot go on, for its "detail": what is not for people goes to the log.
[[nodiscard]] std::string trouble_of(const std::exception_ptr& error);

}  // namespace invited::control
