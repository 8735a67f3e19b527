#include "batch.hpp"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "confirm.hpp"
#include "failure.hpp"
#include "job.hpp"
#include "request.hpp"
#include "rows.hpp"
#include "text.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

void print_result(const Output& output, const JobEnd& end, bool dry_run) {
  if (!output.people()) {
    output.line(json::serialize(json::object{{"counts", end.counts}}));
    return;
  }
  std::string text = (dry_run ? "Dry run, nothing was changed: " : "") + spoken_counts(end.counts);
  const auto* skipped = member(end.counts, "skipped");
  if (skipped != nullptr && skipped->is_object() && !skipped->get_object().empty())
    text += "; left out: " + spoken_counts(*skipped);
  output.line(text);
}

}  // namespace

std::string spoken_batch_counts(const json::value& counts) {
  std::string text;
  const auto add = [&](std::string_view name, const char* one, const char* many) {
    const auto n = number_of(counts, name);
    if (n > 0) text += (text.empty() ? "" : ", ") + counted(n, one, many);
  };
  add("mails", "mail", "mails");
  add("withdrawals", "withdrawal", "withdrawals");
  add("disablings", "user to disable", "users to disable");
  return text.empty() ? "nothing" : text;
}

int run_batch(Session& session, const Output& output, const Invocation& call) {
  const bool release = call.command->id == "batch.release";
  const auto* show = api::find("batch.show");
  const json::object id{{"id", json::string(call.text("id"))}};
  const auto batch = session.ask(*show, request_for(*show, id)).document;
  const json::value none = json::object();
  const auto* waiting = member(batch, "waiting");
  if (waiting == nullptr) waiting = &none;
  const auto count =
      number_of(*waiting, "mails") + number_of(*waiting, "withdrawals") + number_of(*waiting, "disablings");
  if (call.settings.expect && *call.settings.expect != count) {
    throw Failure(exit_usage, "not_as_expected",
                  fmt::format("The batch has {} in it, not {} in all as expected. Nothing was done",
                              spoken_batch_counts(*waiting), *call.settings.expect),
                  "Look: invitectl batch show " + call.text("id"));
  }
  // What is not held the daemon refuses; nobody is asked to confirm it.
  if (!call.settings.dry_run && text_of(batch, "state") == "held") {
    if (output.people()) output.remark(text_of(batch, "detail"));
    const std::string what = spoken_batch_counts(*waiting);
    confirm(call.settings, release ? what + ": carried out now." : what + ": discarded, none of it will happen.",
            std::to_string(count));
  }
  const auto started = session.ask(*call.command, request_for(*call.command, call.values, call.settings.dry_run));
  const auto end =
      follow_job(session, output, text_of(started.document, "job"), release ? "Releasing" : "Discarding", {});
  print_result(output, end, call.settings.dry_run);
  if (end.failed)
    throw Failure(exit_failed, "job_failed", end.detail.empty() ? "The job failed" : "The job failed: " + end.detail);
  return exit_done;
}

}  // namespace invited::ctl
