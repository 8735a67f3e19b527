#include "bulk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <map>

#include "confirm.hpp"
#include "failure.hpp"
#include "job.hpp"
#include "request.hpp"
#include "text.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

std::string spoken_reason(std::string_view code) {
  static const std::map<std::string_view, std::string_view> sentences{
      {"asked", "somebody asked already"},
      {"auto_invite_all", "invited by itself"},
      {"auto_invite_none", "nobody is invited without being asked for"},
      {"between_employments", "between two employments"},
      {"confirmed", "address confirmed, the account is being made"},
      {"connected", "already connected"},
      {"cooldown", "got a mail minutes ago (--include-recent takes them too)"},
      {"delivery_gave_up", "mail given up after all its tries"},
      {"delivery_rejected", "mail refused by the mail server"},
      {"delivery_uncertain", "nobody knows whether the mail went out"},
      {"disabled", "disabled"},
      {"discarded", "invitation discarded"},
      {"disconnected", "connection deleted"},
      {"domain_not_allowed", "login email of a domain that is not allowed"},
      {"employment_ended", "employment ended"},
      {"held", "waits for a person (invitectl invitation list --held true)"},
      {"hire", "a hire, invited by itself"},
      {"in_review", "review not finished"},
      {"link_expired", "link ended by its date"},
      {"link_open", "has a link that works"},
      {"link_revoked", "link revoked"},
      {"login_email_changed", "login email changed"},
      {"mail_on_its_way", "a mail is on its way"},
      {"no_login_email", "no login email saved"},
      {"no_start_date", "no start date"},
      {"not_a_hire", "not a hire"},
      {"render_failed", "the mail could not be written"},
      {"review_rejected", "review rejected"},
      {"revoked", "invitation revoked"},
      {"scheduled", "planned for a day still ahead (--include-scheduled takes them too)"},
      {"sent_again", "sent again"},
      {"start_date_changed", "start date changed"},
      {"start_later", "starts on a later day"},
      {"start_tomorrow_or_earlier", "starts tomorrow or earlier"},
      {"too_many_at_once", "in a batch that waits for a person (invitectl invitation list --held true)"},
      {"too_many_withdrawn", "in a batch that waits for a person (invitectl invitation list --held true)"},
      {"verified_domain", "verified domain, connected instead"},
      {"withdrawn", "employment withdrawn"},
  };
  if (const auto found = sentences.find(code); found != sentences.end()) return std::string(found->second);
  std::string words = printable(code);
  std::ranges::replace(words, '_', ' ');
  return words;
}

std::string shown(const json::value& plan) {
  std::string text = fmt::format("{} selected\n", counted(number_of(plan, "matched"), "user", "users"));
  const auto row = [&](std::int64_t number, std::string_view what) {
    text += fmt::format("{:>8}  {}\n", number, what);
  };
  row(number_of(plan, "send"), "get a mail now");
  if (const auto connect = number_of(plan, "connect"); connect > 0) row(connect, "are connected without a mail");
  if (const auto* skipped = member(plan, "skipped"); skipped != nullptr && skipped->is_object()) {
    for (const auto& reason : skipped->get_object()) {
      const std::string_view code(reason.key().data(), reason.key().size());
      const auto number = number_of(*skipped, code);
      if (number > 0) row(number, "left out: " + spoken_reason(code));
    }
  }
  if (const auto* examples = member(plan, "examples"); examples != nullptr && examples->is_array()) {
    for (const auto& user : examples->get_array()) {
      text += fmt::format("          {}  {}  {}\n", text_of(user, "user"), text_of(user, "name"),
                          text_of(user, "login_email"));
    }
  }
  text.pop_back();
  return text;
}

// Those the plan left out, and those who changed since it was made.
json::object skipped_in_all(const json::value& plan, const json::value& counts) {
  json::object all;
  for (const json::value* from : {&plan, &counts}) {
    const auto* skipped = member(*from, "skipped");
    if (skipped == nullptr || !skipped->is_object()) continue;
    for (const auto& one : skipped->get_object()) {
      const std::int64_t before = all.contains(one.key()) ? all.at(one.key()).as_int64() : 0;
      all[one.key()] = before + number_of(*skipped, one.key());
    }
  }
  return all;
}

json::object result_of(const json::value& plan, const JobEnd& end, const std::string& job) {
  json::object result{{"plan", json::string(text_of(plan, "plan"))},
                      {"sent", number_of(end.counts, "sent")},
                      {"connected", number_of(end.counts, "connected")},
                      {"failed", number_of(end.counts, "failed")},
                      {"skipped", skipped_in_all(plan, end.counts)}};
  result["job"] = job.empty() ? json::value(nullptr) : json::value(json::string(job));
  return result;
}

void print_result(const Output& output, const json::object& result) {
  if (!output.people()) {
    output.line(json::serialize(result));
    return;
  }
  const auto sent = number_of(result, "sent");
  const auto connected = number_of(result, "connected");
  const auto failed = number_of(result, "failed");
  if (sent + connected + failed == 0) {
    output.line("Nobody to send to: nothing was done");
    return;
  }
  std::string text = fmt::format("{} on the way", counted(sent, "mail", "mails"));
  if (connected > 0) text += fmt::format(", {} connected without a mail", connected);
  if (failed > 0) text += fmt::format(", {} failed", failed);
  output.line(text);
  if (failed > 0) output.remark("See which: invitectl status, invitectl invitation list --held true");
}

void check_expected(const Settings& settings, std::int64_t send) {
  if (!settings.expect || *settings.expect == send) return;
  throw Failure(exit_usage, "not_as_expected",
                fmt::format("{} would go out, not {} as expected. Nothing was sent", counted(send, "mail", "mails"),
                            *settings.expect),
                "Look with --dry-run, then say the number that is right");
}

}  // namespace

int run_bulk(Session& session, const Output& output, const Invocation& call) {
  const auto answer = session.ask(*call.command, request_for(call));
  const auto& plan = answer.document;
  const auto send = number_of(plan, "send");
  const auto connect = number_of(plan, "connect");
  if (call.settings.dry_run) {
    if (output.people()) {
      output.line("Dry run, nothing was sent: " + shown(plan));
    } else {
      output.document(answer.body);
    }
    check_expected(call.settings, send);
    return exit_done;
  }
  if (output.people()) output.remark(shown(plan));
  check_expected(call.settings, send);
  if (send + connect == 0) {
    print_result(output, result_of(plan, {}, {}));
    return exit_done;
  }
  std::string question = fmt::format("{} will go out now.", counted(send, "mail", "mails"));
  if (connect > 0) question += fmt::format(" {} will be connected without one.", counted(connect, "user", "users"));
  confirm(call.settings, question, std::to_string(send > 0 ? send : connect));

  const auto* run = api::find("plan.run");
  std::string job;
  try {
    const auto started = session.ask(*run, request_for(*run, {{"id", json::string(text_of(plan, "plan"))}}));
    job = text_of(started.document, "job");
  } catch (Failure& failure) {
    // What was confirmed no longer holds: the same as not confirmed.
    if (failure.code == "plan_changed") {
      failure.exit_code = exit_usage;
      failure.advice = "Nothing was sent. Start again and look at the new numbers";
    }
    throw;
  }
  const auto end = follow_job(session, output, job, "Sending", {});
  const auto result = result_of(plan, end, job);
  print_result(output, result);
  if (end.failed) {
    throw Failure(exit_failed, "job_failed", end.detail.empty() ? "The job failed" : "The job failed: " + end.detail,
                  "Who has got a mail is known: run the same command again to reach the others");
  }
  return number_of(end.counts, "failed") > 0 ? exit_partly : exit_done;
}

}  // namespace invited::ctl
