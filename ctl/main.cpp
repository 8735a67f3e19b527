// invitectl: reads the command line, talks to the daemon, shows the answer, says by its exit code how it went.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "batch.hpp"
#include "bulk.hpp"
#include "completion.hpp"
#include "confirm.hpp"
#include "describe.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "output.hpp"
#include "preview.hpp"
#include "rehearse.hpp"
#include "request.hpp"
#include "session.hpp"
#include "text.hpp"
#include "watch.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

constexpr std::int64_t default_limit = 100;
constexpr std::int64_t page_limit = 1000;

int run_local(const Output& output, const Invocation& call) {
  if (call.command->id == "completion") {
    fmt::print("{}", completion_script(call.text("shell")));
  } else {
    output.line(output.format() == Format::json ? json::serialize(json::object{{"version", INVITED_VERSION}})
                                                : "invitectl " INVITED_VERSION);
  }
  return exit_done;
}

// One page after the other; the forms differ in what they need to see before they can write.
class ListWriter {
public:
  ListWriter(const Output& output, const Invocation& call) : output_(output), call_(call) {}

  void page(const Session& session, const Session::Answer& answer, bool last) {
    const auto* items = member(answer.document, "items");
    const json::array none;
    const auto& rows = items != nullptr && items->is_array() ? items->get_array() : none;
    if (output_.format() == Format::json) {
      json_page(answer, rows, last);
    } else if (output_.people() && call_.command->id == "plan.show") {
      if (!plan_) plan_.emplace(output_, output_.moments(session.zone()));
      plan_->items({rows.data(), rows.size()});
    } else if (!output_.people() || !rows.empty()) {
      if (!table_) table_.emplace(output_, call_.command->columns, output_.moments(session.zone()));
      table_->rows({rows.data(), rows.size()});
    }
    shown_ += static_cast<std::int64_t>(rows.size());
    if (number_of(answer.document, "total") > 0) total_ = number_of(answer.document, "total");
    if (last) finish(answer);
  }

private:
  // A single page is passed on as it came; several become one document of the same shape.
  void json_page(const Session::Answer& answer, const json::array& rows, bool last) {
    if (last && shown_ == 0) return output_.document(answer.body);
    for (const auto& row : rows) {
      fmt::print("{}{}", any_ ? "," : "{\"items\":[", json::serialize(row));
      any_ = true;
    }
    if (!last) return;
    json::object rest{{"next_cursor", member(answer.document, "next_cursor") == nullptr
                                          ? json::value(nullptr)
                                          : *member(answer.document, "next_cursor")}};
    if (total_ > 0) rest["total"] = total_;
    output_.line("]," + json::serialize(rest).substr(1));
  }

  void finish(const Session::Answer& answer) const {
    if (!output_.people()) return;
    if (shown_ == 0) return output_.remark("Nothing found");
    const auto* more = member(answer.document, "next_cursor");
    if (more == nullptr || more->is_null()) return;
    output_.remark(total_ > shown_
                       ? fmt::format("{} of {} shown; --limit N shows more, --all everything", shown_, total_)
                       : fmt::format("The first {} shown; --limit N shows more, --all everything", shown_));
  }

  const Output& output_;
  const Invocation& call_;
  std::optional<RowWriter> table_;
  std::optional<PlanWriter> plan_;
  std::int64_t shown_ = 0;
  std::int64_t total_ = 0;
  bool any_ = false;
};

int run_list(Session& session, const Output& output, const Invocation& call) {
  ListWriter writer(output, call);
  auto values = call.values;
  const bool paged = call.command->argument("cursor") != nullptr;
  const bool all = call.flag("all");
  std::int64_t wanted = call.number("limit", default_limit);
  while (true) {
    if (paged) values["limit"] = all ? page_limit : std::min(wanted, page_limit);
    const auto answer = session.ask(*call.command, request_for(*call.command, values));
    const auto* items = member(answer.document, "items");
    const auto got = items != nullptr && items->is_array() ? static_cast<std::int64_t>(items->get_array().size()) : 0;
    const std::string cursor = text_of(answer.document, "next_cursor");
    wanted -= got;
    // A page may be short, even empty, and yet go on: whoever fits the filter is further away.
    const bool last = !paged || cursor.empty() || (!all && wanted <= 0);
    writer.page(session, answer, last);
    if (last) return exit_done;
    json::value next = json::string(cursor);
    if (const auto* before = values.if_contains("cursor"); before != nullptr && *before == next) {
      throw Failure(exit_failed, "bad_answer", "The daemon's list does not go on: the same next_cursor came twice");
    }
    values["cursor"] = std::move(next);
  }
}

int exit_of(const api::Command& command, const json::value& document) {
  if (command.schema == "Check" && !bool_of(document, "ok")) return exit_failed;
  if (command.id == "domain.verify" && text_of(document, "check.found") != "right") return exit_failed;
  if (command.schema == "RowAnswer") {
    const std::string result = text_of(document, "result");
    if (result.starts_with("rejected")) return exit_failed;
    if (result.starts_with("ignored")) return exit_partly;
  }
  return exit_done;
}

// "user disconnect 14"
std::string in_words(const Invocation& call) {
  std::string text = spoken(*call.command);
  for (const auto& argument : call.command->arguments) {
    if (argument.kind == api::Kind::positional) text += " " + printable(call.text(argument.field));
  }
  return text;
}

bool needs_a_yes(const Invocation& call) {
  const std::string_view only = call.command->confirm_only;
  const auto equals = only.find('=');
  return call.command->confirm && !call.settings.dry_run &&
         (only.empty() || call.text(only.substr(0, equals)) == only.substr(equals + 1));
}

int run_one(Session& session, const Output& output, const Invocation& call) {
  if (needs_a_yes(call)) {
    confirm(call.settings, fmt::format("{}: {}.", in_words(call), call.command->help), "yes");
  }
  const auto answer = session.ask(*call.command, request_for(call));
  switch (output.format()) {
    case Format::table:
      describe(output, call, answer.document, output.moments(session.zone()));
      break;
    case Format::json:
      if (!answer.body.empty()) output.document(answer.body);
      break;
    case Format::ndjson:
      if (!answer.body.empty()) output.line(json::serialize(answer.document));
      break;
    case Format::csv:
    case Format::name:
      if (answer.document.is_object()) {
        RowWriter(output, columns_for(*call.command, answer.document), output.moments(session.zone()))
            .rows({&answer.document, 1});
      }
      break;
  }
  return exit_of(*call.command, answer.document);
}

int run_text(Session& session, const Output& output, const Invocation& call) {
  if (output.format() != Format::table && output.format() != Format::csv) {
    throw Failure(exit_usage, "bad_form",
                  fmt::format("{} writes a text file; user list has the other forms", spoken(*call.command)));
  }
  session.download(*call.command, request_for(call),
                   [](std::string_view piece) { std::fwrite(piece.data(), 1, piece.size(), stdout); });
  return exit_done;
}

int run(const Invocation& call, const Output& output) {
  if (call.command->method.empty()) return run_local(output, call);
  Session session(call.settings);
  if (call.command->id == call.asked->with_file) return run_preview(session, output, call);
  if (call.command != call.asked)
    return call.command->answer == api::Answer::job ? run_batch(session, output, call)
                                                    : run_bulk(session, output, call);
  switch (call.command->answer) {
    case api::Answer::list:
      return run_list(session, output, call);
    case api::Answer::job:
      return run_job(session, output, call);
    case api::Answer::text:
      return run_text(session, output, call);
    case api::Answer::stream:
      if (call.command->id == "rehearse") return run_rehearsal(session, output, call);
      return call.command->id == "events" ? watch_events(session, output, call) : watch_job(session, output, call);
    case api::Answer::object:
    case api::Answer::none:
      break;
  }
  return run_one(session, output, call);
}

int report(const Failure& failure, const Settings& settings) {
  std::fflush(stdout);
  if (settings.format == Format::json || settings.format == Format::ndjson) {
    auto problem = failure.problem;
    if (problem.empty()) {
      problem = {{"type", "urn:invited:problem:" + failure.code},
                 {"title", json::string(failure.what())},
                 {"detail", json::string(failure.what())},
                 {"code", json::string(failure.code)}};
    }
    fmt::print(stderr, "{}\n", json::serialize(problem));
    return failure.exit_code;
  }
  fmt::print(stderr, "invitectl: {}\n", failure.what());
  if (!failure.advice.empty()) fmt::print(stderr, "{}\n", failure.advice);
  return failure.exit_code;
}

int main_of(int argc, const char* const* argv) {
  const auto call = read_command_line(argc, argv);
  if (!call) return call.error();
  int code = exit_failed;
  try {
    code = run(*call, Output(call->settings));
  } catch (const Failure& failure) {
    code = report(failure, call->settings);
  } catch (const std::exception& unexpected) {
    code = report(Failure(exit_failed, "internal", unexpected.what()), call->settings);
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    fmt::print(stderr, "invitectl: The answer could not be written completely\n");
    if (code == exit_done) code = exit_failed;
  }
  return code;
}

}  // namespace

}  // namespace invited::ctl

int main(int argc, char** argv) {
  return invited::ctl::main_of(argc, argv);
}
