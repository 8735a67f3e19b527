// Row results of an import, a sync or a watched job: what needs a look is shown, the rest is counted.
#pragma once

#include <boost/json/value.hpp>
#include <vector>

#include "job.hpp"
#include "output.hpp"

namespace invited::ctl {

class RowReport {
public:
  struct Choice {
    bool verbose = false;  // every row in a table, also those where nothing is to be said
    bool dry_run = false;
  };

  RowReport(const Output& output, std::vector<api::Column> columns, Moments moments, Choice choice);

  void take(const boost::json::value& row, Progress& progress);
  // Closes the report and gives the exit code: 1 for a failed job, 3 if a row was rejected.
  [[nodiscard]] int finish(const JobEnd& end);
  // Closes what has been written when the job's end is not known.
  void abandon();

private:
  void json_row(const boost::json::value& row);
  void spill();

  const Output& output_;
  RowWriter writer_;
  Choice choice_;
  std::vector<boost::json::value> first_;  // as long as there are few, all are shown
  bool many_ = false;
  bool any_ = false;
  bool rejected_ = false;
};

// "8 created, 1 updated, 1 rejected" from a job's counts; "nothing" if all are zero.
[[nodiscard]] std::string spoken_counts(const boost::json::value& counts);

}  // namespace invited::ctl
