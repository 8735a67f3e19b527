#include "control/answers.hpp"

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
      return "Something went wrong inside the daemon";
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

json::value decision_or_null(const std::string& user_id, const std::string& name,
                             const std::optional<model::Decision>& decision, const std::string& zone) {
  if (!decision || decision->action == model::Action::none || decision->action == model::Action::review) return nullptr;
  return plan_item_json(user_id, name, *decision, zone);
}

}  // namespace

json::value when(const std::optional<core::Instant>& at) {
  return at ? json::value(model::to_utc_text(*at)) : json::value(nullptr);
}

json::object invitation_json(const model::Invitation& i, const std::optional<model::Delivery>& delivery,
                             const std::string& user_id) {
  json::value mail = nullptr;
  if (delivery)
    mail = json::object{{"state", model::to_text(delivery->state)},
                        {"attempts", delivery->attempts},
                        {"next_at", when(delivery->next_at)},
                        {"detail", delivery->detail},
                        {"message_id", delivery->message_id}};
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
          {"delivery", std::move(mail)}};
}

json::object user_json(const service::UserView& view, const model::Policies& policies) {
  const model::User& u = view.loaded.user;
  const auto& e = view.loaded.employment;
  json::value sign_in = nullptr;
  if (view.account && u.connection == model::Connection::connected) sign_in = view.account->sign_in_url;
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
          {"source", u.source},
          {"created_at", model::to_utc_text(u.created_at)},
          {"updated_at", model::to_utc_text(u.updated_at)},
          {"invitation", std::move(invitation)}};
}

json::object review_json(const service::UserView& view) {
  const model::User& u = view.loaded.user;
  const model::Employment e = view.loaded.employment.value_or(model::Employment{});
  return {{"user", u.user_id},
          {"name", u.name},
          {"state", model::to_text(e.review)},
          {"company", u.company},
          {"start_date", view.loaded.employment ? json::value(model::to_text(e.start_date)) : json::value(nullptr)},
          {"actor", e.review_actor},
          {"reason", e.review_reason},
          {"decided_at", when(e.reviewed_at)}};
}

json::object plan_item_json(const std::string& user_id, const std::string& name, const model::Decision& d,
                            const std::string& zone) {
  return {{"user", user_id},
          {"name", name},
          {"action", model::to_text(d.action)},
          {"local", model::local_text(d.at, zone)},
          {"zone", zone},
          {"at", model::to_utc_text(d.at)},
          {"reason", d.reason()},
          {"text", d.reasons.back().text}};
}

json::object why_json(const service::Why& why) {
  json::array reasons;
  for (const auto& reason : why.now.reasons)
    reasons.push_back(json::object{{"code", reason.code}, {"text", reason.text}});
  json::array what_if;
  for (const auto& other : why.what_if) {
    what_if.push_back(
        json::object{{"change", other.change},
                     {"next", decision_or_null(why.user.user_id, why.user.name, other.decision, why.zone)}});
  }
  return {{"user", why.user.user_id},
          {"name", why.user.name},
          {"next", decision_or_null(why.user.user_id, why.user.name, why.next, why.zone)},
          {"reasons", std::move(reasons)},
          {"if", std::move(what_if)}};
}

json::object domain_json(const model::Domain& d) {
  return {{"name", d.name},
          {"state", model::to_text(d.state)},
          {"method", d.method},
          {"actor", d.actor},
          {"since", model::to_utc_text(d.since)}};
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
