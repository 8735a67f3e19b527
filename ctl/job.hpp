// Following a job to its end. The daemon does the work; going away (Ctrl-C) does not stop it.
#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <string>

#include "output.hpp"
#include "progress.hpp"
#include "session.hpp"

namespace invited::ctl {

struct JobEnd {
  bool failed = false;
  std::string detail;  // why it failed
  boost::json::value counts = nullptr;
};

struct JobSinks {
  // Clears `progress` before it writes.
  std::function<void(const boost::json::value& row, Progress& progress)> row;
  std::function<void(std::string_view line)> line;  // every event but pings, as it came
};

// Shows progress on standard error and takes up a broken stream where it left off. While it runs, Ctrl-C says how to
// come back and ends the program with 130. Throws Failure if the daemon goes away for good.
[[nodiscard]] JobEnd follow_job(Session& session, const Output& output, const std::string& job, std::string what,
                                const JobSinks& sinks, std::int64_t from = 0);

}  // namespace invited::ctl
