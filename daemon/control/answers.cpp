#include "control/answers.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace invited::control {

namespace json = boost::json;

namespace {

json::value text_or_null(const std::optional<model::CivilDate>& date) {
  return date ? json::value(model::to_text(*date)) : json::value(nullptr);
}

json::array names_json(const std::vector<std::string>& names) {
  json::array all;
  for (const auto& name : names) all.emplace_back(name);
  return all;
}

std::string title_of(unsigned status) {
  switch (status) {
    case 400:
      return "The request is not well formed";
    case 403:
      return "Not permitted";
    case 404:
      return "Not found";
    case 405:
      return "Method not allowed";
    case 409:
      return "Not possible in this state";
    case 413:
      return "Too large";
    case 422:
      return "The request cannot be carried out as it is";
    case 503:
      return "Not possible now";
    default:
      return status < 500 ? "The request is not well formed" : "Something went wrong inside the daemon";
  }
}

unsigned status_of(core::ErrorKind kind) {
  switch (kind) {
    case core::ErrorKind::invalid:
      return 422;
    case core::ErrorKind::not_found:
      return 404;
    case core::ErrorKind::conflict:
      return 409;
    case core::ErrorKind::forbidden:
      return 403;
    case core::ErrorKind::unavailable:
      return 503;
    case core::ErrorKind::too_large:
      return 413;
    case core::ErrorKind::internal:
      return 500;
  }
  return 500;
}

json::value delivery_json(const std::optional<model::Delivery>& delivery) {
  if (!delivery) return nullptr;
  return json::object{{"state", model::to_text(delivery->state)},
                      {"attempts", delivery->attempts},
                      {"next_at", when(delivery->next_at)},
                      {"detail", delivery->detail},
                      {"message_id", delivery->message_id}};
}

json::value act_or_null(const std::optional<service::PlanItem>& item) {
  return item ? json::value(plan_item_json(*item)) : json::value(nullptr);
}

}  // namespace

json::value when(const std::optional<core::Instant>& at) {
  return at ? json::value(model::to_utc_text(*at)) : json::value(nullptr);
}

json::object invitation_json(const model::Invitation& i, const std::optional<model::Delivery>& delivery,
                             const std::string& user_id) {
  json::value due_local = nullptr;
  json::value due_zone = nullptr;
  if (i.due) {
    due_local = fmt::format("{}T{:02}:00", model::to_text(i.due->date), i.due->hour);
    due_zone = i.due->zone;
  }
  return {{"id", i.key.text()},
          {"user", user_id},
          {"state", model::to_text(i.state)},
          {"cause", model::to_text(i.cause)},
          {"generation", i.generation},
          {"login_email", i.login_email},
          {"due_local", due_local},
          {"due_zone", due_zone},
          {"released_at", when(i.released_at)},
          {"accepted_at", when(i.accepted_at)},
          {"ends_at", when(i.ends_at)},
          {"verified_at", when(i.verified_at)},
          {"ended_at", when(i.ended_at)},
          {"end_reason", i.end_reason},
          {"held", i.held_reason},
          {"created_at", model::to_utc_text(i.created_at)},
          {"delivery", delivery_json(delivery)}};
}

json::object user_json(const service::UserView& view, const model::Policies& policies) {
  const model::User& u = view.loaded.user;
  const auto& e = view.loaded.employment;
  json::value sign_in = nullptr;
  json::value sign_in_help = nullptr;
  if (view.account && u.connection == model::Connection::connected) {
    const model::Policy& policy = policies.of(u.company);
    sign_in = policy.sign_in.address(view.account->sign_in_url);
    sign_in_help = policy.sign_in.help(u.locale.empty() ? policy.locale : u.locale);
  }
  json::value invitation = nullptr;
  if (view.loaded.invitation) invitation = invitation_json(*view.loaded.invitation, view.loaded.delivery, u.user_id);
  return {{"id", u.user_id},
          {"key", u.key.text()},
          {"name", u.name},
          {"given_name", u.given_name},
          {"family_name", u.family_name},
          {"login_email", u.login_email},
          {"connection", model::to_text(u.connection)},
          {"enabled", u.enabled},
          {"company", u.company},
          {"department", u.department},
          {"locale", u.locale},
          {"zone", policies.of(u.company).zone},
          {"alias", u.alias},
          {"signature", u.signature},
          {"card_id", u.card_id},
          {"external_ref", u.external_ref},
          {"authorised_companies", names_json(u.authorised_companies)},
          {"roles", names_json(u.roles)},
          {"start_date", e ? json::value(model::to_text(e->start_date)) : json::value(nullptr)},
          {"end_date", e ? text_or_null(e->end_date) : json::value(nullptr)},
          {"employment_template", e ? e->employment_template : std::string()},
          {"review", model::to_text(e ? e->review : model::ReviewState::none)},
          {"withdrawn", e && e->withdrawn},
          {"sign_in_url", std::move(sign_in)},
          {"sign_in_help", std::move(sign_in_help)},
          {"sign_in_mail", delivery_json(view.sign_in_mail)},
          {"source", u.source},
          {"created_at", model::to_utc_text(u.created_at)},
          {"updated_at", model::to_utc_text(u.updated_at)},
          {"invitation", std::move(invitation)}};
}

json::object review_json(const service::UserView& view, const model::Policies& policies) {
  const model::User& u = view.loaded.user;
  const auto& reviewed = service::under_review(view.loaded);
  const model::Employment e = reviewed.value_or(model::Employment{});
  json::array steps;
  json::array open;
  bool four_eyes = false;
  if (!e.flow.empty()) {
    const model::ReviewFlow& flow = policies.flows().of(e.flow);
    four_eyes = flow.four_eyes;
    for (const model::StepStanding& one : model::standing(flow, view.loaded.approvals).steps) {
      const bool approved = one.state == model::StepState::approved;
      steps.push_back(json::object{
          {"name", one.step.name},
          {"state", model::to_text(one.state)},
          {"after", one.step.after},
          {"actor", one.approval.actor},
          {"approved_at", approved ? json::value(model::to_utc_text(one.approval.at)) : json::value(nullptr)}});
      if (one.state == model::StepState::open && e.review == model::ReviewState::pending)
        open.push_back(json::value(one.step.name));
    }
  }
  return {{"user", u.user_id},
          {"name", u.name},
          {"state", model::to_text(e.review)},
          {"company", u.company},
          {"start_date", reviewed ? json::value(model::to_text(e.start_date)) : json::value(nullptr)},
          {"actor", e.review_actor},
          {"reason", e.review_reason},
          {"decided_at", when(e.reviewed_at)},
          {"flow", e.flow},
          {"four_eyes", four_eyes},
          {"open_steps", std::move(open)},
          {"steps", std::move(steps)}};
}

json::object batch_json(const model::Batch& b) {
  return {{"id", b.key.text()},
          {"cause", model::to_text(b.cause)},
          {"source", b.source},
          {"actor", b.actor},
          {"state", model::to_text(b.state)},
          {"reason", b.reason},
          {"detail", b.detail},
          {"mails", b.mails},
          {"withdrawals", b.withdrawals},
          {"decided_by", b.decided_by},
          {"decided_at", when(b.decided_at)},
          {"created_at", model::to_utc_text(b.created_at)}};
}

json::object batch_json(const service::BatchView& view) {
  json::object body = batch_json(view.batch);
  const auto counts = [](const service::BatchCounts& n) {
    return json::object{{"mails", n.mails}, {"withdrawals", n.withdrawals}, {"disablings", n.disablings}};
  };
  body["waiting"] = counts(view.waiting);
  json::array companies;
  for (const auto& [company, n] : view.companies) {
    json::object one = counts(n);
    one["company"] = company;
    companies.push_back(std::move(one));
  }
  body["companies"] = std::move(companies);
  json::array examples;
  for (const auto& one : view.examples)
    examples.push_back(json::object{{"user", one.user_id},
                                    {"name", one.name},
                                    {"login_email", one.login_email},
                                    {"start_date", text_or_null(one.start_date)},
                                    {"act", model::to_text(one.act)}});
  body["examples"] = std::move(examples);
  return body;
}

void add_held(json::object& counts, const service::Settled& settled) {
  if (!settled.held) return;
  const auto add = [&](const char* name, std::int64_t n) {
    counts[name] = n + (counts.contains(name) ? counts.at(name).as_int64() : 0);
  };
  add("held_mails", settled.mails);
  add("held_withdrawals", settled.withdrawals);
}

json::object plan_item_json(const service::PlanItem& item) {
  const model::Decision& d = item.decision;
  return {{"user", item.user_id},
          {"name", item.name},
          {"action", model::to_text(d.action)},
          {"local", model::local_text(d.at, item.zone)},
          {"zone", item.zone},
          {"at", model::to_utc_text(d.at)},
          {"ends_at", when(item.link_ends_at)},
          {"reason", d.reason()},
          {"text", d.reasons.back().text}};
}

json::object plan_change_json(const service::PlanChange& change) {
  const auto acts = [](const std::vector<service::PlanItem>& items) {
    json::array all;
    for (const auto& item : items) all.push_back(plan_item_json(item));
    return all;
  };
  return {{"user", change.user_id},  {"name", change.name},           {"line", change.line},
          {"result", change.result}, {"before", acts(change.before)}, {"after", acts(change.after)}};
}

json::object risk_json(const service::RiskItem& item) {
  return {{"user", item.user_id},
          {"name", item.name},
          {"risk", item.risk.code},
          {"state", item.mail_out ? "sent" : "planned"},
          {"local", model::local_text(item.life.opens, item.zone)},
          {"zone", item.zone},
          {"at", model::to_utc_text(item.life.opens)},
          {"ends_at", model::to_utc_text(item.life.ends)},
          {"start_date", text_or_null(item.life.start)},
          {"text", item.risk.text}};
}

json::object why_json(const service::Why& why) {
  json::array reasons;
  for (const auto& reason : why.now.reasons)
    reasons.push_back(json::object{{"code", reason.code}, {"text", reason.text}});
  json::array what_if;
  for (const auto& other : why.what_if)
    what_if.push_back(json::object{{"change", other.change},
                                   {"reason", other.reason.code},
                                   {"text", other.reason.text},
                                   {"next", act_or_null(other.next)}});
  return {{"user", why.user.user_id},
          {"name", why.user.name},
          {"next", act_or_null(why.next)},
          {"reasons", std::move(reasons)},
          {"if", std::move(what_if)}};
}

json::object domain_json(const model::Domain& d, const service::Domains& domains) {
  const auto record = service::proof_record(d);
  return {{"name", d.name},
          {"state", model::to_text(d.state)},
          {"method", d.method},
          {"actor", d.actor},
          {"since", model::to_utc_text(d.since)},
          {"record", record ? json::value{{"name", record->name}, {"type", "TXT"}, {"value", record->value}}
                            : json::value(nullptr)},
          {"checked_at", when(d.checked_at)},
          {"next_check_at", when(d.next_check_at)},
          {"failing_since", when(d.failing_since)},
          {"lapses_at", when(domains.lapses_at(d))},
          {"detail", d.detail}};
}

json::object source_json(const service::SourceStatus& s) {
  return {{"name", s.name},
          {"plugin", s.plugin},
          {"state", s.trouble.empty() ? "idle" : "failing"},
          {"last_run_at", when(s.last_read)},
          {"next_run_at", nullptr},
          {"detail", !s.trouble.empty() ? s.trouble
                     : s.fetches        ? fmt::format("{} rows since the start", s.rows)
                                        : "takes what is pushed to it"}};
}

json::object audit_json(const model::AuditEvent& e) {
  return {{"seq", e.seq},       {"at", model::to_utc_text(e.at)}, {"actor", e.actor},
          {"action", e.action}, {"subject", e.subject},           {"reason", e.reason},
          {"detail", e.detail}};
}

core::HttpResponse answer(unsigned status, const json::value& body) {
  core::HttpResponse response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = json::serialize(body);
  return response;
}

core::HttpResponse list_answer(json::array items, json::value next_cursor) {
  return answer(200, json::object{{"items", std::move(items)}, {"next_cursor", std::move(next_cursor)}});
}

core::HttpResponse problem(unsigned status, const std::string& code, const std::string& detail,
                           const std::vector<ProblemDetail>& errors) {
  json::object body{{"type", "urn:invited:problem:" + code},
                    {"title", title_of(status)},
                    {"status", status},
                    {"detail", detail},
                    {"code", code}};
  if (!errors.empty()) {
    json::array all;
    for (const auto& error : errors)
      all.push_back(json::object{{"where", error.where}, {"code", error.code}, {"message", error.message}});
    body["errors"] = std::move(all);
  }
  core::HttpResponse response = answer(status, body);
  response.headers.front().second = "application/problem+json";
  return response;
}

core::HttpResponse bad_cursor() {
  return problem(422, "bad_cursor", "The cursor is not one of ours: use next_cursor of the answer before.");
}

core::HttpResponse problem(const core::Error& error) {
  std::vector<ProblemDetail> errors;
  if (!error.location.empty()) errors.push_back({error.location, error.code, error.message});
  return problem(status_of(error.kind), error.code, error.message, errors);
}

}  // namespace invited::control
