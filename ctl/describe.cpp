#include "describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <functional>
#include <map>

#include "batch.hpp"
#include "text.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

struct Page {
  const Output& output;
  const Invocation& call;
  const json::value& document;
  const Moments& moments;

  void heading(const std::string& text) const { output.line(output.paint(Ink::bold, text)); }
  // A fact that is not there is not mentioned.
  void fact(std::string_view name, const std::string& value, Ink ink = Ink::plain) const {
    if (!value.empty()) output.line("  " + padded(std::string(name), 16) + output.paint(ink, value));
  }
};

std::string words(std::string text) {
  std::ranges::replace(text, '_', ' ');
  return text;
}

Ink ink_of_connection(const std::string& state) {
  return state == "connected" ? Ink::good : state == "pending" ? Ink::warn : Ink::plain;
}

std::string list_of(const json::value& document, std::string_view path) {
  const auto* items = member(document, path);
  if (items == nullptr || !items->is_array()) return {};
  std::string text;
  for (const auto& item : items->get_array()) {
    if (!text.empty()) text += ", ";
    text += item.is_string() ? printable(std::string(item.get_string())) : printable(json::serialize(item));
  }
  return text;
}

const json::array& array_of(const json::value& document, std::string_view path) {
  static const json::array none;
  const auto* items = member(document, path);
  return items != nullptr && items->is_array() ? items->get_array() : none;
}

bool present(const json::value& document, std::string_view path) {
  const auto* value = member(document, path);
  return value != nullptr && !value->is_null();
}

// "Mon 2026-11-30 at 09:00 (Europe/Stockholm), in 9 days"
std::string when(const json::value& item, const Moments& moments) {
  const std::string at = text_of(item, "at");
  const auto [local, zone] = moments.civil(text_of(item, "local"), text_of(item, "zone"), at);
  if (local.empty()) return "now";
  const std::string distance = moments.distance(at);
  if (distance == "now") return "now";
  return fmt::format("{} at {} ({}){}", Moments::day(local), Moments::hour(local), zone,
                     distance.empty() ? "" : ", " + distance);
}

std::string next_sentence(const json::value& item, const Moments& moments) {
  const std::string action = text_of(item, "action");
  if (action == "none" || action == "review") return spoken_action(action);
  return fmt::format("{} {}", spoken_action(action), when(item, moments));
}

std::string person(const json::value& user) {
  const std::string name = text_of(user, "name");
  const std::string id = text_of(user, "id");
  return name.empty() ? id : fmt::format("{}  {}", id, name);
}

void dry_run_note(const Page& page) {
  if (page.call.settings.dry_run) page.output.line("Dry run, nothing was changed. It would be:");
}

void describe_delivery(const Page& page, const json::value& delivery) {
  const std::string state = text_of(delivery, "state");
  if (state.empty()) return;
  const auto attempts = number_of(delivery, "attempts");
  std::string mail = state;
  if (state == "accepted") mail = "accepted by the next mail server";
  if (state == "claimed") mail = "with the mail server now";
  if (attempts > 1) mail += fmt::format(" ({})", counted(attempts, "attempt", "attempts"));
  page.fact("mail", mail,
            state == "accepted"                           ? Ink::good
            : state == "rejected" || state == "uncertain" ? Ink::bad
                                                          : Ink::plain);
  if (state != "claimed") page.fact("next try", page.moments.instant_with_distance(text_of(delivery, "next_at")));
  page.fact("server said", text_of(delivery, "detail"));
  page.fact("message-id", text_of(delivery, "message_id"));
}

void describe_invitation(const Page& page, const json::value& invitation) {
  const std::string state = text_of(invitation, "state");
  page.heading(fmt::format("Invitation {}: {}", number_of(invitation, "generation"), state));
  page.fact("login email", text_of(invitation, "login_email"));
  if (const std::string local = text_of(invitation, "due_local");
      !local.empty() && (state == "scheduled" || state == "draft")) {
    page.fact("goes out",
              fmt::format("{} at {} ({})", Moments::day(local), Moments::hour(local), text_of(invitation, "due_zone")));
  }
  page.fact("released", page.moments.instant(text_of(invitation, "released_at")));
  describe_delivery(page, present(invitation, "delivery") ? *member(invitation, "delivery") : json::value());
  page.fact("accepted", page.moments.instant(text_of(invitation, "accepted_at")));
  if (state == "sent" || state == "expired")
    page.fact("link ends", page.moments.instant_with_distance(text_of(invitation, "ends_at")));
  page.fact("confirmed", page.moments.instant(text_of(invitation, "verified_at")));
  page.fact("ended", page.moments.instant(text_of(invitation, "ended_at")));
  page.fact("because", words(text_of(invitation, "end_reason")));
  const std::string id = text_of(invitation, "id");
  if (const std::string held = text_of(invitation, "held"); !held.empty()) {
    page.fact("held", words(held), Ink::bad);
    page.fact("", "invitectl invitation release " + id + "   or   discard");
  }
  page.fact("id", id);
}

void describe_user(const Page& page, const json::value& user) {
  page.heading(person(user));
  const std::string connection = text_of(user, "connection");
  page.fact("connection", words(connection), ink_of_connection(connection));
  page.fact("enabled", bool_of(user, "enabled") ? "yes" : "no", bool_of(user, "enabled") ? Ink::plain : Ink::warn);
  const std::string email = text_of(user, "login_email");
  page.fact("login email", email.empty() ? "none saved" : email, email.empty() ? Ink::warn : Ink::plain);
  page.fact("signs in at", text_of(user, "sign_in_url"));
  page.fact("sign-in help", text_of(user, "sign_in_help"));
  if (present(user, "sign_in_mail")) {
    const auto& mail = *member(user, "sign_in_mail");
    const std::string state = text_of(mail, "state");
    page.fact("sign-in mail", state, state == "rejected" || state == "uncertain" ? Ink::bad : Ink::plain);
    if (state != "accepted") page.fact("server said", text_of(mail, "detail"));
  }
  page.fact("company", text_of(user, "company"));
  page.fact("also works for", list_of(user, "authorised_companies"));
  page.fact("department", text_of(user, "department"));
  page.fact("roles", list_of(user, "roles"));
  page.fact("language", text_of(user, "locale"));
  page.fact("starts", text_of(user, "start_date"));
  page.fact("ends", text_of(user, "end_date"));
  page.fact("template", text_of(user, "employment_template"));
  if (const std::string review = text_of(user, "review"); review != "none") {
    page.fact("review", review, review == "pending" ? Ink::warn : review == "rejected" ? Ink::bad : Ink::plain);
  }
  if (bool_of(user, "withdrawn")) page.fact("employment", "withdrawn", Ink::warn);
  page.fact("alias", text_of(user, "alias"));
  page.fact("signature", text_of(user, "signature"));
  page.fact("card", text_of(user, "card_id"));
  page.fact("reference", text_of(user, "external_ref"));
  page.fact("from source", text_of(user, "source"));
  page.fact("changed", page.moments.instant(text_of(user, "updated_at")));
  page.fact("key", text_of(user, "key"));
  if (!present(user, "invitation")) return;
  page.output.line();
  describe_invitation(page, *member(user, "invitation"));
}

void show_user(const Page& page) {
  dry_run_note(page);
  describe_user(page, page.document);
  page.output.remark("\nWhat happens next, and why: invitectl why " + text_of(page.document, "id"));
}

void user_changed(const Page& page) {
  dry_run_note(page);
  const std::string connection = text_of(page.document, "connection");
  page.output.line(fmt::format("{}: {}, {}", person(page.document),
                               bool_of(page.document, "enabled") ? "enabled" : "disabled",
                               page.output.paint(ink_of_connection(connection), words(connection))));
  if (page.call.command->id == "user.reset-password") page.output.line("The provider was asked to reset the password");
}

void banner(const Page& page) {
  const std::string user = text_of(page.document, "user");
  const std::string reason = words(text_of(page.document, "reason"));
  if (!bool_of(page.document, "show")) {
    page.output.line(fmt::format("{}: no banner: {}", user, reason));
    return;
  }
  page.output.line(fmt::format("{}: the banner is shown: {}", user, reason));
  page.output.line(text_of(page.document, "text"));
}

void self_service(const Page& page) {
  dry_run_note(page);
  if (const std::string url = text_of(page.document, "url"); !url.empty()) page.output.line(url);
  page.output.remark("For this person alone, until " + page.moments.instant(text_of(page.document, "expires_at")));
}

void row_answer(const Page& page) {
  dry_run_note(page);
  const std::string result = text_of(page.document, "result");
  const std::string id = text_of(page.document, "user.id");
  const Ink ink = result.starts_with("rejected") ? Ink::bad : result.starts_with("ignored") ? Ink::warn : Ink::good;
  // One column was not taken: say first what became of the rest.
  const std::string column = text_of(page.document, "column");
  const bool in_part = result.starts_with("ignored") && !column.empty();
  const std::string rest = in_part ? fmt::format("{}, {} ", text_of(page.document, "applied"), column) : "";
  page.output.line(fmt::format("{}: {}{}", id.empty() ? "user" : id, rest, page.output.paint(ink, result)));
  if (const std::string message = text_of(page.document, "message"); !message.empty()) page.output.line(message);
  if (!id.empty()) page.output.remark("What happens next, and why: invitectl why " + id);
}

void send_answer(const Page& page) {
  dry_run_note(page);
  const std::string id = text_of(page.document, "user.id");
  if (text_of(page.document, "action") == "connect") {
    page.output.line(fmt::format("{}: {}", id,
                                 text_of(page.document, "reason") == "confirmed"
                                     ? "the address is confirmed: the account is being made"
                                     : "the domain is verified, so the user is connected without a mail"));
  } else {
    page.output.line(fmt::format("{}: the mail to {} goes out now", id, text_of(page.document, "user.login_email")));
  }
}

void why(const Page& page) {
  const auto& document = page.document;
  const std::string name = text_of(document, "name");
  page.heading(name.empty() ? text_of(document, "user") : text_of(document, "user") + "  " + name);
  if (present(document, "next")) {
    page.output.line(next_sentence(*member(document, "next"), page.moments));
  } else {
    page.output.line("nothing happens by itself");
  }
  page.output.line();
  page.heading("Because");
  for (const auto& reason : array_of(document, "reasons")) {
    page.output.line(fmt::format("  {}  {}", text_of(reason, "text"),
                                 page.output.paint(Ink::dim, "[" + text_of(reason, "code") + "]")));
  }
  const auto& others = array_of(document, "if");
  if (others.empty()) return;
  page.output.line();
  page.heading("If");
  for (const auto& other : others) {
    page.output.line(fmt::format(
        "  {}: {}", text_of(other, "change"),
        present(other, "next") ? next_sentence(*member(other, "next"), page.moments) : "nothing happens by itself"));
    if (present(other, "text"))
      page.output.line(fmt::format("      {}  {}", text_of(other, "text"),
                                   page.output.paint(Ink::dim, "[" + text_of(other, "reason") + "]")));
  }
}

void instances(const Page& page, const char* title, std::string_view path) {
  const auto& items = array_of(page.document, path);
  if (items.empty()) return;
  page.output.line();
  page.heading(title);
  for (const auto& item : items) {
    const std::string state = text_of(item, "state");
    const bool bad = state == "failing" || state == "refusing" || state == "stopped";
    std::string text = padded(text_of(item, "name"), 16) + padded(text_of(item, "plugin"), 12) +
                       page.output.paint(bad                 ? Ink::bad
                                         : state == "paused" ? Ink::warn
                                                             : Ink::plain,
                                         state);
    if (const std::string last = text_of(item, "last_run_at"); !last.empty())
      text += ", read " + page.moments.distance(last);
    if (const std::string retry = text_of(item, "retry_at"); !retry.empty())
      text += ", tries again " + page.moments.distance(retry);
    if (const std::string detail = text_of(item, "detail"); !detail.empty()) text += ": " + detail;
    page.output.line("  " + text);
  }
}

void status(const Page& page) {
  const auto& document = page.document;
  const std::string organisation = text_of(document, "organisation");
  page.heading(
      fmt::format("invited {}{}", text_of(document, "version"), organisation.empty() ? "" : " at " + organisation));
  const bool ready = bool_of(document, "ready");
  page.fact("state", ready ? "ready" : "not ready", ready ? Ink::good : Ink::bad);
  if (const auto* sending = member(document, "sending"); sending != nullptr && sending->is_bool()) {
    page.fact("sending", sending->get_bool() ? "yes" : "no", sending->get_bool() ? Ink::plain : Ink::warn);
  }
  if (const std::string since = text_of(document, "started_at"); !since.empty()) {
    page.fact("running since", fmt::format("{} ({})", page.moments.instant(since), page.moments.distance(since)));
  }
  if (present(document, "next")) {
    const auto& next = *member(document, "next");
    page.fact("next", fmt::format("{}: {}", text_of(next, "user"), next_sentence(next, page.moments)));
  }
  const auto& waits = array_of(document, "waits_for");
  if (!waits.empty()) {
    page.output.line();
    page.heading("Waits for you");
    for (const auto& one : waits) {
      page.output.line("  " + page.output.paint(Ink::warn, one.is_string() ? printable(std::string(one.get_string()))
                                                                           : json::serialize(one)));
    }
  }
  if (const auto* counts = member(document, "counts"); counts != nullptr && counts->is_object()) {
    page.output.line();
    page.heading("Counts");
    for (const auto& count : counts->get_object()) {
      const std::string_view name(count.key().data(), count.key().size());
      page.output.line(fmt::format("  {:>8}  {}", number_of(*counts, name), words(printable(name))));
    }
  }
  bool headed = false;
  for (const auto& one : array_of(document, "held")) {
    if (text_of(one, "reason").starts_with("batch:")) continue;  // the batch as a whole is told above
    if (!headed) {
      page.output.line();
      page.heading("Held for a person");
      headed = true;
    }
    page.output.line("  " + padded(text_of(one, "user"), 12) +
                     page.output.paint(Ink::bad, words(text_of(one, "reason"))) +
                     (text_of(one, "detail").empty() ? "" : ": " + text_of(one, "detail")));
    page.output.line("              invitectl invitation release " + text_of(one, "invitation") + "   or   discard");
  }
  instances(page, "Sources", "sources");
  instances(page, "Transports", "transports");
  instances(page, "Identities", "identities");
}

void check(const Page& page) {
  const bool ok = bool_of(page.document, "ok");
  const std::string name = text_of(page.document, "name");
  const std::string message = text_of(page.document, "message");
  page.output.line(fmt::format("{}{}{}{}", name.empty() ? "" : name + ": ",
                               ok ? page.output.paint(Ink::good, "ok") : page.output.paint(Ink::bad, "not ok"),
                               message.empty() ? "" : ": ", message));
}

void review(const Page& page) {
  dry_run_note(page);
  page.output.line(fmt::format("{}: review {}", text_of(page.document, "user"), text_of(page.document, "state")));
  for (const auto& step : array_of(page.document, "steps")) {
    const std::string name = text_of(step, "name");
    const std::string state = text_of(step, "state");
    if (state == "approved") {
      page.fact(name, fmt::format("approved {} by {}", page.moments.instant(text_of(step, "approved_at")),
                                  text_of(step, "actor")));
    } else if (state == "waiting") {
      page.fact(name, "waits for " + text_of(step, "after"));
    } else {
      page.fact(name, "open", Ink::warn);
    }
  }
  if (const std::string reason = text_of(page.document, "reason"); !reason.empty()) page.fact("reason", reason);
  if (present(page.document, "next"))
    page.output.line("Next: " + next_sentence(*member(page.document, "next"), page.moments));
}

void invitation(const Page& page) {
  dry_run_note(page);
  if (const std::string user = text_of(page.document, "user"); !user.empty()) page.output.line("User " + user);
  describe_invitation(page, page.document);
}

void batch(const Page& page) {
  const auto& document = page.document;
  const std::string state = text_of(document, "state");
  const std::string source = text_of(document, "source");
  page.heading(fmt::format("Batch {}", text_of(document, "id")));
  page.fact("state", state, state == "held" ? Ink::bad : Ink::plain);
  page.fact("why", text_of(document, "detail"));
  page.fact("from", fmt::format("{}{}, by {}", text_of(document, "cause"), source.empty() ? "" : " through " + source,
                                text_of(document, "actor")));
  page.fact("since", page.moments.instant_with_distance(text_of(document, "created_at")));
  if (state != "held") page.fact("decided by", text_of(document, "decided_by"));
  if (const auto* waiting = member(document, "waiting"); waiting != nullptr)
    page.fact("waits in it", spoken_batch_counts(*waiting));
  const auto& companies = array_of(document, "companies");
  if (companies.size() > 1) {
    page.output.line();
    page.heading("By company");
    for (const auto& company : companies) {
      const std::string key = text_of(company, "company");
      page.output.line("  " + padded(key.empty() ? "(none)" : key, 16) + spoken_batch_counts(company));
    }
  }
  const auto& examples = array_of(document, "examples");
  if (!examples.empty()) {
    page.output.line();
    page.heading("The first of them");
    for (const auto& one : examples)
      page.output.line("  " + padded(text_of(one, "act"), 10) + padded(text_of(one, "user"), 12) +
                       padded(text_of(one, "start_date"), 12) + padded(text_of(one, "name"), 26) +
                       text_of(one, "login_email"));
  }
  if (state == "held") {
    page.output.line();
    page.output.line(fmt::format("Decide: invitectl invitation release --batch {0}   or   discard --batch {0}",
                                 text_of(document, "id")));
  }
}

void domain(const Page& page) {
  dry_run_note(page);
  const auto& document = page.document;
  const std::string name = text_of(document, "name");
  const std::string state = text_of(document, "state");
  page.output.line(fmt::format("{}: {}", name, state));
  if (page.call.command->id == "domain.show") {
    page.fact("known by", text_of(document, "method"));
    page.fact("since", page.moments.instant(text_of(document, "since")));
    page.fact("added by", text_of(document, "actor"));
  }
  if (present(document, "record")) {
    page.fact("record", fmt::format("{}  {}", text_of(document, "record.name"), text_of(document, "record.type")));
    page.fact("value", text_of(document, "record.value"));
  }
  if (present(document, "checked_at"))
    page.fact("last look", page.moments.instant(text_of(document, "checked_at")) + "  " + text_of(document, "detail"));
  for (const auto& seen : array_of(document, "check.seen"))
    page.fact("seen instead", seen.is_string() ? printable(std::string(seen.get_string())) : std::string());
  if (present(document, "lapses_at"))
    page.fact("lapses", page.moments.instant(text_of(document, "lapses_at")) + "  unless the record comes back",
              Ink::warn);
  if (present(document, "next_check_at"))
    page.fact("next look", page.moments.instant(text_of(document, "next_check_at")));
  if (state == "lapsed") page.output.line("New users of this domain get mails; nobody who is connected changes");
  if (present(document, "record") && state != "verified")
    page.output.line("Publish the record, then: invitectl domain verify " + name);
}

void plugin(const Page& page) {
  const auto& document = page.document;
  page.heading(fmt::format("{} {}", text_of(document, "name"), text_of(document, "version")));
  page.fact("", text_of(document, "summary"));
  page.fact("roles", list_of(document, "roles"));
  page.fact("can", list_of(document, "capabilities"));
  page.fact("instances", list_of(document, "instances"));
  page.fact("contract", text_of(document, "abi"));
  page.fact("file", text_of(document, "file"));
  const auto* properties = member(document, "config_schema.properties");
  if (properties == nullptr || !properties->is_object()) return;
  page.output.line();
  page.heading("Configuration");
  const std::string required = ", " + list_of(document, "config_schema.required") + ",";
  for (const auto& property : properties->get_object()) {
    const std::string name = printable({property.key().data(), property.key().size()});
    std::string text = text_of(property.value(), "type");
    if (required.find(", " + name + ",") != std::string::npos) text += ", required";
    if (present(property.value(), "default")) text += ", default " + text_of(property.value(), "default");
    if (const std::string help = text_of(property.value(), "description"); !help.empty()) text += ": " + help;
    page.fact(name, text);
  }
}

void removed(const Page& page) {
  page.output.line(page.call.settings.dry_run ? "Dry run, nothing was changed" : "Removed");
}

void state_confirmed(const Page& page) {
  page.output.line(page.call.settings.dry_run ? "Dry run, nothing was changed" : "Sending is allowed from now on");
}

// A document nobody has written a page for: its members, one a line.
void members(const Page& page) {
  dry_run_note(page);
  if (!page.document.is_object()) return;
  for (const auto& one : page.document.get_object()) {
    const std::string name = printable({one.key().data(), one.key().size()});
    page.fact(words(name), page.moments.instant(text_of(page.document, {one.key().data(), one.key().size()})));
  }
}

using Describer = void (*)(const Page&);

const std::map<std::string_view, Describer> by_command{
    {"user.show", show_user},   {"why", why}, {"status", status}, {"state.confirm", state_confirmed},
    {"domain.remove", removed},
};

const std::map<std::string_view, Describer> by_schema{
    {"User", user_changed},      {"RowAnswer", row_answer},  {"Banner", banner}, {"SelfServicePage", self_service},
    {"SendAnswer", send_answer}, {"Invitation", invitation}, {"Batch", batch},   {"Review", review},
    {"Domain", domain},          {"Plugin", plugin},         {"Check", check},
};

}  // namespace

void describe(const Output& output, const Invocation& call, const json::value& document, const Moments& moments) {
  const Page page{output, call, document, moments};
  if (const auto found = by_command.find(call.command->id); found != by_command.end()) return found->second(page);
  if (const auto found = by_schema.find(call.command->schema); found != by_schema.end()) return found->second(page);
  members(page);
}

std::string spoken_action(std::string_view action) {
  static const std::map<std::string_view, std::string_view> sentences{
      {"none", "nothing happens by itself"},
      {"review", "waits for an approval"},
      {"send", "the mail goes out"},
      {"deliver", "the mail is on its way, next try"},
      {"connect", "is connected without a mail"},
      {"cancel", "the invitation is cancelled"},
      {"expire", "the link ends"},
      {"disable", "is disabled and disconnected"},
  };
  const auto found = sentences.find(action);
  return found == sentences.end() ? printable(action) : std::string(found->second);
}

void PlanWriter::items(std::span<const json::value> items) {
  std::size_t id_width = 4;
  std::size_t name_width = 4;
  for (const auto& item : items) {
    id_width = std::max(id_width, columns(text_of(item, "user")));
    name_width = std::max(name_width, std::min<std::size_t>(32, columns(text_of(item, "name"))));
  }
  for (const auto& item : items) {
    const auto [local, zone] = moments_.civil(text_of(item, "local"), text_of(item, "zone"), text_of(item, "at"));
    const std::string title = local.empty() ? "Now" : fmt::format("{}  {}", Moments::day(local), zone);
    if (title != day_) {
      if (!day_.empty()) output_.line();
      output_.line(output_.paint(Ink::bold, title));
      day_ = title;
    }
    std::string text =
        fmt::format("  {}  {}  {}  {}", padded(Moments::hour(local), 5), padded(text_of(item, "user"), id_width),
                    padded(clipped(text_of(item, "name"), name_width), name_width), padded(text_of(item, "action"), 9));
    const std::string reason = text_of(item, "text");
    text += reason.empty() ? text_of(item, "reason") : reason;
    const std::string action = text_of(item, "action");
    if ((action == "send" || action == "deliver") && present(item, "ends_at"))
      text += output_.paint(Ink::dim, fmt::format("  (link ends {})", moments_.instant(text_of(item, "ends_at"))));
    output_.line(text);
  }
}

}  // namespace invited::ctl
