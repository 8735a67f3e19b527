#include "preview.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "describe.hpp"
#include "failure.hpp"
#include "job.hpp"
#include "request.hpp"
#include "rows.hpp"
#include "text.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

// Writes each change as it comes.
class Changes {
public:
  Changes(const Output& output, Moments moments) : output_(output), moments_(moments) {}

  void take(const json::value& change) {
    ++count_;
    switch (output_.format()) {
      case Format::table:
        show(change);
        break;
      case Format::json:
        fmt::print("{}{}", count_ == 1 ? "{\"changes\":[" : ",", json::serialize(change));
        break;
      case Format::ndjson:
        output_.line(json::serialize(change));
        break;
      case Format::csv:
      case Format::name:
        if (!rows_) rows_.emplace(output_, columns, moments_);
        rows_->row(change);
        break;
    }
  }

  void finish(const JobEnd& end) {
    if (output_.format() == Format::json)
      output_.line(
          fmt::format("{}],\"counts\":{}}}", count_ == 0 ? "{\"changes\":[" : "", json::serialize(end.counts)));
    if (output_.format() == Format::ndjson) output_.line(json::serialize(json::object{{"counts", end.counts}}));
    if (!output_.people()) return;
    output_.line(count_ == 0 ? std::string("Nothing would happen that does not happen anyway")
                             : fmt::format("{} would have another plan", counted(count_, "user", "users")));
    if (!end.detail.empty()) output_.line(end.detail);
    if (number_of(end.counts, "rejected") + number_of(end.counts, "ignored") > 0)
      output_.remark("Rows were rejected or ignored; see which: invitectl user import FILE --dry-run");
  }

private:
  inline static const std::vector<api::Column> columns{
      {"user", "USER", 10}, {"name", "NAME", 24}, {"line", "LINE", 6}, {"result", "RESULT", 0}};

  void acts(const json::value& change, std::string_view side) const {
    const auto* items = member(change, side);
    const json::array none;
    const auto& all = items != nullptr && items->is_array() ? items->get_array() : none;
    std::string title = padded(std::string(side), 8);
    if (all.empty()) output_.line("  " + title + "nothing happens by itself");
    for (const auto& item : all) {
      const auto local = moments_.civil(text_of(item, "local"), {}, text_of(item, "at")).local;
      output_.line(fmt::format("  {}{} {}  {}  {}", title, Moments::day(local), Moments::hour(local),
                               spoken_action(text_of(item, "action")),
                               output_.paint(Ink::dim, "[" + text_of(item, "reason") + "]")));
      title = padded("", 8);
    }
  }

  void show(const json::value& change) const {
    output_.line(
        output_.paint(Ink::bold, fmt::format("{}  {}  (line {}, {})", text_of(change, "user"), text_of(change, "name"),
                                             number_of(change, "line"), text_of(change, "result"))));
    acts(change, "before");
    acts(change, "after");
    output_.line();
  }

  const Output& output_;
  Moments moments_;
  std::optional<RowWriter> rows_;
  std::int64_t count_ = 0;
};

}  // namespace

int run_preview(Session& session, const Output& output, const Invocation& call) {
  const auto started = session.ask(*call.command, request_for(call));
  Changes changes(output, output.moments(session.zone()));
  const auto take = [&](std::string_view line) {
    boost::system::error_code error;
    const auto event = json::parse({line.data(), line.size()}, error);
    if (error) return;
    if (const auto* change = member(event, "change")) changes.take(*change);
  };
  const auto end = follow_job(session, output, text_of(started.document, "job"), "Reading", {.row = {}, .line = take});
  changes.finish(end);
  if (end.failed)
    throw Failure(exit_failed, "job_failed", "The file could not be read to its end: " + end.detail,
                  "Nothing was changed");
  return number_of(end.counts, "rejected") > 0 ? exit_partly : exit_done;
}

}  // namespace invited::ctl
