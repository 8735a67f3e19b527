#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>

#include "api/openapi.hpp"
#include "control/answers.hpp"
#include "control/server.hpp"

namespace invited::control {

namespace json = boost::json;
using boost::asio::awaitable;
using core::HttpResponse;

namespace {

constexpr std::chrono::hours next_looked_for{24 * 366};

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The number in next_cursor; 0 without one, nothing for what we never gave.
std::optional<std::uint64_t> cursor_of(const Call& call) {
  const auto text = call.text("cursor");
  if (text.empty()) return 0;
  const auto number = number_of(text);
  if (!number || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

json::object identity_json(const Desk& desk, const store::tasks::Health& health) {
  std::string detail;
  if (health.refused > 0) detail = fmt::format("{} refused for good, for a person to look at; ", health.refused);
  if (health.failing > 0) detail += fmt::format("{} failed so far; ", health.failing);
  if (!detail.empty()) detail += "last word: " + (health.detail.empty() ? "none" : health.detail);
  return json::object{{"name", desk.identity},
                      {"plugin", desk.identity_plugin},
                      {"state", health.failing > 0   ? "failing"
                                : health.refused > 0 ? "refusing"
                                                     : "ready"},
                      {"waiting", health.waiting},
                      {"retry_at", health.retry_at ? json::value(model::to_utc_text(*health.retry_at)) : nullptr},
                      {"detail", detail}};
}

awaitable<json::object> status_json(Desk* desk) {
  const auto counts = co_await desk->queries.counts();
  const auto held_batches = co_await desk->batches.list(model::BatchState::held, std::nullopt, 20);
  const auto held = co_await desk->queries.invitations(std::nullopt, true, "", std::nullopt, 20);
  const auto now = desk->clock.now();
  const auto delivery = desk->delivery.status();
  json::object numbers{{"users", counts.users},
                       {"held", counts.held},
                       {"provider_tasks", counts.provider.waiting},
                       {"accepted_since_start", delivery.accepted}};
  for (const auto& [state, n] : counts.invitations) numbers["invitations_" + state] = n;
  for (const auto& [state, n] : counts.deliveries) numbers["mails_" + state] = n;
  json::array waits;
  for (std::string& why : why_nothing_leaves(*desk)) waits.emplace_back(std::move(why));
  // What a person has not decided yet holds up nobody else.
  const bool ready = waits.empty();
  for (const auto& batch : held_batches) waits.emplace_back(service::held_sentence(batch));
  json::array parked;
  for (const auto& view : held) {
    parked.push_back(json::object{{"invitation", view.invitation.key.text()},
                                  {"user", view.user_id},
                                  {"reason", view.invitation.held_reason},
                                  {"detail", view.delivery ? view.delivery->detail : std::string()}});
  }
  json::array transports;
  for (const auto& transport : desk->transports) {
    transports.push_back(json::object{
        {"name", transport.name},
        {"plugin", transport.plugin},
        {"state", transport.in_use && delivery.paused ? "paused" : "ready"},
        {"in_use", transport.in_use},
        {"outstanding", transport.in_use ? delivery.outstanding : 0},
        {"retry_at", transport.in_use && delivery.paused ? json::value(model::to_utc_text(now + delivery.resumes_in))
                                                         : json::value(nullptr)},
        {"detail", transport.in_use ? delivery.trouble : std::string()}});
  }
  json::value next = nullptr;
  const auto soonest = co_await desk->queries.plan(now + next_looked_for, std::nullopt, 1);
  if (!soonest.items.empty()) next = plan_item_json(soonest.items.front());
  json::array sources;
  for (const auto& source : desk->fetching.status()) sources.push_back(source_json(source));
  co_return json::object{{"version", desk->version},
                         {"organisation", desk->policies.organisation().name},
                         {"zone", desk->policies.organisation().zone},
                         {"now", model::to_utc_text(now)},
                         {"started_at", model::to_utc_text(desk->started_at)},
                         {"ready", ready},
                         {"sending", desk->gate.open() && !delivery.paused},
                         {"waits_for", std::move(waits)},
                         {"counts", std::move(numbers)},
                         {"held", std::move(parked)},
                         {"next", std::move(next)},
                         {"transports", std::move(transports)},
                         {"sources", std::move(sources)},
                         {"identities", json::array{identity_json(*desk, counts.provider)}}};
}

awaitable<HttpResponse> show_status(Desk* desk, Call) {
  auto body = co_await status_json(desk);
  co_return answer(200, body);
}

awaitable<HttpResponse> confirm_state(Desk* desk, Call call) {
  if (!call.dry_run) {
    co_await desk->confirm_state(call.actor);
    desk->gate.confirm();
  }
  auto body = co_await status_json(desk);
  co_return answer(200, body);
}

awaitable<HttpResponse> list_audit(Desk* desk, Call call) {
  const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(call.integer("limit", 100), 1, 1'000));
  const auto before = cursor_of(call);
  if (!before) co_return bad_cursor();
  store::audit::Range range;
  if (*before > 0) range.before = static_cast<std::int64_t>(*before);
  const auto events = co_await desk->queries.audit(range, call.text("subject"), limit);
  json::array items;
  for (const auto& event : events) items.push_back(audit_json(event));
  co_return list_answer(std::move(items),
                        events.size() == limit ? json::value(std::to_string(events.back().seq)) : json::value(nullptr));
}

awaitable<HttpResponse> verify_audit(Desk* desk, Call) {
  const auto result = co_await desk->queries.verify_audit();
  json::object body{{"ok", !result.broken}, {"checked", result.checked}, {"first_bad_seq", nullptr}};
  if (result.broken) {
    body["first_bad_seq"] = *result.broken;
    body["message"] = fmt::format(
        "The record is broken at event {}: it was changed, removed or reordered after it was written.", *result.broken);
  } else {
    body["message"] = fmt::format("All {} events are as they were written.", result.checked);
  }
  co_return answer(200, body);
}

// Follows the audit: looks twice a second, says ping each 15 seconds.
struct AuditReader {
  Desk* desk;
  std::int64_t after;
  std::string subject;

  static awaitable<std::optional<std::string>> step(std::shared_ptr<AuditReader> reader) {
    for (int look = 0; look < 30; ++look) {
      const store::audit::Range range{reader->after, std::nullopt};
      const auto events = co_await reader->desk->queries.audit(range, reader->subject, 200);
      if (!events.empty()) {
        std::string piece;
        for (const auto& event : events) piece += json::serialize(audit_json(event)) + "\n";
        reader->after = events.back().seq;
        co_return piece;
      }
      co_await reader->desk->clock.sleep_for(core::Milliseconds{500});
    }
    co_return std::string("{\"event\":\"ping\"}\n");
  }
};

// Whoever follows is cut off when the daemon stops, and asks again from where it was.
HttpResponse ndjson(core::HttpBodyStream stream) {
  HttpResponse response;
  response.headers = {{"Content-Type", "application/x-ndjson"}, {"Cache-Control", "no-store"}};
  response.stream = std::move(stream);
  response.endless = true;
  return response;
}

awaitable<HttpResponse> follow_events(Desk* desk, Call call) {
  std::int64_t after = call.integer("from", 0) - 1;
  if (!call.values.contains("from"))
    after = co_await desk->store.read([](store::Db& db) { return store::audit::last_seq(db); });
  auto reader = std::make_shared<AuditReader>(AuditReader{desk, after, call.text("subject")});
  co_return ndjson([reader] { return AuditReader::step(reader); });
}

}  // namespace

std::vector<std::string> why_nothing_leaves(const Desk& desk) {
  std::vector<std::string> waits;
  if (!desk.gate.held().empty())
    waits.push_back(desk.gate.held() + " Look at the plan (invitectl plan show), then: invitectl state confirm");
  for (const auto& source : desk.gate.unread_sources())
    waits.push_back("The source " + source + " is being read for the first time since the start.");
  const auto delivery = desk.delivery.status();
  if (delivery.paused)
    waits.push_back(
        fmt::format("The transport is paused for {} s: {}", delivery.resumes_in.count() / 1'000, delivery.trouble));
  return waits;
}

void add_running_handlers(Handlers& handlers, Desk& desk) {
  Desk* d = &desk;
  const auto now = [](HttpResponse response) -> awaitable<HttpResponse> { co_return response; };
  const auto unknown_job = [](const std::string& id) {
    return problem(404, "unknown_job",
                   fmt::format("There is no job {} (jobs are kept for a while after their end).", id));
  };
  handlers["status"] = [d](Call call) { return show_status(d, std::move(call)); };
  handlers["state.confirm"] = [d](Call call) { return confirm_state(d, std::move(call)); };
  handlers["events"] = [d](Call call) { return follow_events(d, std::move(call)); };
  handlers["audit.list"] = [d](Call call) { return list_audit(d, std::move(call)); };
  handlers["audit.verify"] = [d](Call call) { return verify_audit(d, std::move(call)); };
  handlers["job.list"] = [d, now](const Call& call) {
    const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(call.integer("limit", 100), 1, 1'000));
    const auto from = cursor_of(call);
    if (!from) return now(bad_cursor());
    const auto& jobs = d->jobs.newest_first();
    json::array items;
    for (std::size_t i = *from; i < jobs.size() && items.size() < limit; ++i) items.push_back(jobs.at(i)->describe());
    const std::size_t end = *from + items.size();
    return now(
        list_answer(std::move(items), end < jobs.size() ? json::value(std::to_string(end)) : json::value(nullptr)));
  };
  handlers["job.show"] = [d, now, unknown_job](const Call& call) {
    const auto job = d->jobs.find(call.text("id"));
    return now(job ? answer(200, job->describe()) : unknown_job(call.text("id")));
  };
  handlers["job.watch"] = [d, now, unknown_job](const Call& call) {
    const auto job = d->jobs.find(call.text("id"));
    if (!job) return now(unknown_job(call.text("id")));
    const auto from = static_cast<std::size_t>(std::max<std::int64_t>(0, call.integer("from", 0)));
    return now(ndjson(d->jobs.follow(job, from)));
  };
  handlers["openapi"] = [d, now](const Call&) { return now(answer(200, api::openapi(d->version))); };
}

}  // namespace invited::control
