#include "watch.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>

#include "failure.hpp"
#include "job.hpp"
#include "request.hpp"
#include "rows.hpp"
#include "text.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

int report_job(Session& session, const Output& output, const std::string& job, const std::string& what,
               RowReport::Choice choice, std::int64_t from) {
  RowReport report(output, api::find("user.import")->columns, output.moments(session.zone()), choice);
  JobEnd end;
  try {
    end = follow_job(
        session, output, job, what,
        {.row = [&](const json::value& row, Progress& progress) { report.take(row, progress); }, .line = {}}, from);
  } catch (const Failure&) {
    report.abandon();
    throw;
  }
  return report.finish(end);
}

}  // namespace

int run_job(Session& session, const Output& output, const Invocation& call) {
  const auto started = session.ask(*call.command, request_for(call));
  const std::string job = text_of(started.document, "job");
  return report_job(session, output, job, call.command->verb == "import" ? "Importing" : "Reading",
                    {.verbose = call.flag("verbose"), .dry_run = call.settings.dry_run}, 0);
}

int watch_job(Session& session, const Output& output, const Invocation& call) {
  const std::string job = call.text("id");
  const auto from = call.number("from", 0);
  if (output.format() != Format::ndjson) return report_job(session, output, job, "Job", {}, from);
  const auto end = follow_job(session, output, job, "Job",
                              {.row = {},
                               .line =
                                   [&](std::string_view line) {
                                     output.line(line);
                                     std::fflush(stdout);
                                   }},
                              from);
  return end.failed                                                                ? exit_failed
         : number_of(end.counts, "rejected") + number_of(end.counts, "failed") > 0 ? exit_partly
                                                                                   : exit_done;
}

int watch_events(Session& session, const Output& output, const Invocation& call) {
  if (output.people()) {
    // Only to learn the organisation's time zone before the first event is shown.
    const auto* status = api::find("status");
    static_cast<void>(session.ask(*status, request_for(*status, {})));
  }
  RowWriter writer(output, call.command->columns, output.moments(session.zone()));
  const bool whole = session.follow(*call.command, request_for(call), [&](std::string_view line) {
    boost::system::error_code error;
    const auto event = json::parse({line.data(), line.size()}, error);
    if (error)
      throw Failure(exit_failed, "bad_answer", "The daemon's event is not JSON: " + printable(line.substr(0, 200)));
    if (text_of(event, "event") == "ping") return true;
    writer.row(event);
    std::fflush(stdout);
    return true;
  });
  if (!whole) {
    throw Failure(exit_unreachable, "stream_ended", "The connection to the daemon broke off",
                  "Look: systemctl status invited");
  }
  return exit_done;
}

}  // namespace invited::ctl
