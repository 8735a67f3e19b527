#include "job.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <cstring>
#include <optional>

#include "failure.hpp"
#include "progress.hpp"
#include "request.hpp"
#include "text.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

// What the signal handler writes; complete before the handler is installed.
std::array<char, 256> farewell;
std::size_t farewell_size = 0;

extern "C" void say_farewell(int) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, farewell.data(), farewell_size);
  ::_exit(exit_interrupted);
}

class OnInterrupt {
public:
  explicit OnInterrupt(const std::string& sentence) {
    farewell_size = std::min(sentence.size(), farewell.size());
    std::memcpy(farewell.data(), sentence.data(), farewell_size);
    struct sigaction action{};
    action.sa_handler = say_farewell;
    ::sigaction(SIGINT, &action, &before_);
  }
  ~OnInterrupt() { ::sigaction(SIGINT, &before_, nullptr); }
  OnInterrupt(const OnInterrupt&) = delete;
  OnInterrupt& operator=(const OnInterrupt&) = delete;

private:
  struct sigaction before_{};
};

class Follower {
public:
  Follower(const Output& output, std::string what, const JobSinks& sinks)
      : progress_(output, clock_, std::move(what)), sinks_(sinks) {}

  bool take(std::string_view line) {
    boost::system::error_code error;
    const auto event = json::parse({line.data(), line.size()}, error);
    if (error || !event.is_object()) {
      throw Failure(exit_failed, "bad_answer",
                    "The daemon's event is not a JSON object: " + printable(line.substr(0, 200)));
    }
    const std::string kind = text_of(event, "event");
    if (kind.empty() || kind == "ping") return true;
    if (member(event, "seq") != nullptr) {
      const auto seq = number_of(event, "seq");
      if (seq <= last_seq) return true;  // told twice after a broken stream
      last_seq = seq;
    }
    moved = moved || kind != "snapshot";
    if (sinks_.line) {
      progress_.clear();
      sinks_.line(line);
    }
    if (kind == "snapshot") {
      if (const auto* job = member(event, "job")) progress_of(*job);
      return true;
    }
    if (kind == "progress") progress_of(event);
    if (kind == "row") {
      if (const auto* row = member(event, "row"); row != nullptr && sinks_.row) sinks_.row(*row, progress_);
      if (const auto* row = member(event, "row"); row != nullptr && !text_of(*row, "result").starts_with("noted"))
        ++rows_;
      progress_.update(std::max(rows_, done_), total_, failed_);
    }
    if (kind != "done") return true;
    JobEnd ended;
    ended.failed = text_of(event, "state") == "failed";
    ended.detail = text_of(event, "detail");
    if (const auto* counts = member(event, "counts")) ended.counts = *counts;
    end = std::move(ended);
    return true;
  }

  std::optional<JobEnd> end;
  std::int64_t last_seq = -1;
  bool moved = false;

private:
  void progress_of(const json::value& from) {
    done_ = number_of(from, "done");
    total_ = number_of(from, "total");
    failed_ = number_of(from, "failed");
    progress_.update(done_, total_, failed_);
  }

  core::SystemClock clock_;
  Progress progress_;
  const JobSinks& sinks_;
  std::int64_t rows_ = 0;
  std::int64_t done_ = 0;
  std::int64_t total_ = 0;
  std::int64_t failed_ = 0;
};

}  // namespace

JobEnd follow_job(Session& session, const Output& output, const std::string& job, std::string what,
                  const JobSinks& sinks, std::int64_t from) {
  const OnInterrupt on_interrupt(
      fmt::format("\nJob {} goes on without you; come back with: invitectl job watch {}\n", job, job));
  const auto* watch = api::find("job.watch");
  Follower follower(output, std::move(what), sinks);
  int idle = 0;
  // A stream that breaks is taken up again, as long as each new one brings something.
  while (!follower.end && idle < 3) {
    json::object values{{"id", json::string(job)}};
    const auto next = follower.last_seq >= 0 ? follower.last_seq + 1 : from;
    if (next > 0) values["from"] = next;
    follower.moved = false;
    session.follow(*watch, request_for(*watch, values), [&](std::string_view line) { return follower.take(line); });
    idle = follower.moved ? 0 : idle + 1;
  }
  if (!follower.end) {
    throw Failure(exit_unreachable, "stream_ended", fmt::format("The events of job {} ended without its end", job),
                  fmt::format("Look again: invitectl job watch {}", job));
  }
  return *std::move(follower.end);
}

}  // namespace invited::ctl
