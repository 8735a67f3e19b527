#include "rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "failure.hpp"
#include "text.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

constexpr std::size_t few = 40;

bool needs_a_look(const json::value& row) {
  const std::string result = text_of(row, "result");
  return result != "created" && result != "updated" && result != "unchanged";
}

}  // namespace

RowReport::RowReport(const Output& output, std::vector<api::Column> columns, Moments moments, Choice choice)
    : output_(output), writer_(output, std::move(columns), moments), choice_(choice) {}

void RowReport::json_row(const json::value& row) {
  output_.line(any_ ? "," : "{\"rows\":[");
  fmt::print("{}", json::serialize(row));
}

void RowReport::spill() {
  many_ = true;
  for (const auto& row : first_) {
    if (choice_.verbose || needs_a_look(row)) writer_.row(row);
  }
  first_.clear();
}

void RowReport::take(const json::value& row, Progress& progress) {
  rejected_ = rejected_ || text_of(row, "result").starts_with("rejected");
  const bool wanted = !output_.people() || choice_.verbose || needs_a_look(row);
  if (output_.people() && !many_) {
    first_.push_back(row);
    if (first_.size() > few) {
      progress.clear();
      spill();
    }
  } else if (wanted) {
    progress.clear();
    if (output_.format() == Format::json) {
      json_row(row);
    } else {
      writer_.row(row);
    }
  }
  any_ = true;
}

void RowReport::abandon() {
  if (output_.format() == Format::json) {
    if (!any_) fmt::print("{{\"rows\":[");
    output_.line("],\"counts\":null}");
  } else if (output_.people() && !first_.empty()) {
    writer_.rows(first_);
  }
}

int RowReport::finish(const JobEnd& end) {
  switch (output_.format()) {
    case Format::json:
      if (!any_) fmt::print("{{\"rows\":[");
      output_.line(fmt::format("],\"counts\":{}}}", json::serialize(end.counts)));
      break;
    case Format::ndjson:
      output_.line(json::serialize(json::object{{"counts", end.counts}}));
      break;
    case Format::csv:
    case Format::name:
      break;
    case Format::table:
      if (!first_.empty()) {
        writer_.rows(first_);
        output_.line();
      }
      if (end.failed && !any_) break;
      output_.line(
          fmt::format("{}{}", choice_.dry_run ? "Dry run, nothing was changed: " : "", spoken_counts(end.counts)));
      break;
  }
  if (end.failed) {
    throw Failure(exit_failed, "job_failed",
                  end.detail.empty() ? "The job failed; what it had done stays done" : "The job failed: " + end.detail);
  }
  // What a brake holds is not done yet: the sentence says what to do.
  if (!end.detail.empty()) output_.remark(end.detail);
  if (number_of(end.counts, "held_mails") + number_of(end.counts, "held_withdrawals") > 0) return exit_partly;
  return rejected_ || number_of(end.counts, "rejected") > 0 || number_of(end.counts, "failed") > 0 ? exit_partly
                                                                                                   : exit_done;
}

std::string spoken_counts(const json::value& counts) {
  std::string text;
  if (const auto* object = counts.if_object()) {
    for (const auto& member : *object) {
      const auto number = number_of(counts, {member.key().data(), member.key().size()});
      if (number == 0) continue;
      if (!text.empty()) text += ", ";
      std::string what = printable({member.key().data(), member.key().size()});
      std::ranges::replace(what, '_', ' ');
      if (what.starts_with("held ")) what = what.substr(5) + " held";  // "4 mails held"
      text += fmt::format("{} {}", number, what);
    }
  }
  return text.empty() ? "nothing to do" : text;
}

}  // namespace invited::ctl
