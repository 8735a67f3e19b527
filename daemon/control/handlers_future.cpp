// The future made visible: the plan, what an import would change in it, why, links at risk, rehearsals.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <charconv>

#include "control/answers.hpp"
#include "control/server.hpp"
#include "model/reasons.hpp"
#include "service/preview.hpp"

namespace invited::control {

namespace json = boost::json;
using boost::asio::awaitable;
using core::HttpResponse;

namespace {

constexpr std::int64_t longest_length = 100'000;

// "12h", "60d", "8w" from now, or the end of a day in the organisation's zone.
std::optional<core::Instant> until_of(const std::string& text, core::Instant now, const std::string& zone) {
  if (text.empty()) return now + std::chrono::hours{24 * 60};
  if (const auto date = model::parse_date(text)) return model::first_instant_of(model::add_days(*date, 1), zone);
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size() - 1, count);
  if (error != std::errc{} || end != text.data() + text.size() - 1 || count < 0 || count > longest_length)
    return std::nullopt;
  switch (text.back()) {
    case 'h':
      return now + std::chrono::hours{count};
    case 'd':
      return now + std::chrono::hours{24 * count};
    case 'w':
      return now + std::chrono::hours{24 * 7 * count};
    default:
      return std::nullopt;
  }
}

// What the plan and its risks are asked for.
struct Range {
  core::Instant until{};
  std::optional<service::Cursor> behind;
  std::size_t limit = 100;
};

core::Result<Range> range_of(const Desk& desk, const Call& call) {
  Range range;
  const auto until = until_of(call.text("until"), desk.clock.now(), desk.policies.organisation().zone);
  if (!until)
    return core::fail(
        core::ErrorKind::invalid, "bad_until",
        fmt::format("\"{}\" is neither a length (12h, 60d, 8w) nor a day (2026-12-01).", call.text("until")));
  range.until = *until;
  range.limit = static_cast<std::size_t>(std::clamp<std::int64_t>(call.integer("limit", 100), 1, 1'000));
  if (const auto cursor = call.text("cursor"); !cursor.empty()) {
    range.behind = service::Cursor::parse(cursor);
    if (!range.behind)
      return core::fail(core::ErrorKind::invalid, "bad_cursor",
                        "The cursor is not one of ours: use next_cursor of the answer before.");
  }
  return range;
}

json::value next_cursor(const std::optional<service::Cursor>& next) {
  return next ? json::value(next->text()) : json::value(nullptr);
}

awaitable<HttpResponse> show_plan(Desk* desk, Call call) {
  const auto range = range_of(*desk, call);
  if (!range) co_return problem(range.error());
  json::array items;
  if (const std::string only = call.text("user"); !only.empty()) {
    const auto of_one = co_await desk->queries.plan_of(only, range->until);
    if (!of_one) co_return problem(of_one.error());
    for (const auto& item : *of_one) items.push_back(plan_item_json(item));
    co_return list_answer(std::move(items), nullptr);
  }
  const auto page = co_await desk->queries.plan(range->until, range->behind, range->limit);
  for (const auto& item : page.items) items.push_back(plan_item_json(item));
  co_return list_answer(std::move(items), next_cursor(page.next));
}

awaitable<HttpResponse> show_risks(Desk* desk, Call call) {
  const auto range = range_of(*desk, call);
  if (!range) co_return problem(range.error());
  const auto page = co_await desk->queries.risks(range->until, range->behind, range->limit);
  json::array items;
  for (const auto& item : page.items) items.push_back(risk_json(item));
  co_return list_answer(std::move(items), next_cursor(page.next));
}

bool wants_mail_now(const service::PlanItem& next, core::Instant now) {
  const auto action = next.decision.action;
  return (action == model::Action::send || action == model::Action::deliver) && next.decision.at <= now;
}

awaitable<HttpResponse> show_why(Desk* desk, Call call) {
  auto why = co_await desk->queries.why(call.text("id"));
  if (!why) co_return problem(why.error());
  if (why->next && wants_mail_now(*why->next, desk->clock.now())) {
    for (std::string& wait : why_nothing_leaves(*desk))
      why->now.reasons.push_back({model::reason::sending_waits, std::move(wait)});
  }
  co_return answer(200, why_json(*why));
}

awaitable<void> run_preview(Desk* desk, std::shared_ptr<Job> job, std::string source, model::SourcePush push,
                            service::Preview preview) {
  std::string trouble;
  std::string note;
  auto changed = std::make_shared<std::int64_t>(0);
  service::RowsProgress progress = [job, preview, changed](const std::vector<model::RowResult>& rows) mutable {
    for (const auto& change : preview.take()) {
      job->tell({{"event", "change"}, {"change", plan_change_json(change)}});
      ++*changed;
    }
    job->count(rows);
  };
  service::IntakeContext context = preview.context(source, job->actor());
  try {
    const auto pushed = co_await desk->fetching.push(source, std::move(push), std::move(context), std::move(progress));
    if (!pushed) trouble = pushed.error().message;
    if (pushed && pushed->reply.status >= 400)
      trouble = pushed->reply.body.empty() ? fmt::format("the source refused the file ({})", pushed->reply.status)
                                           : pushed->reply.body;
    if (pushed) note = pushed->settled.sentence;
  } catch (...) {
    trouble = trouble_of(std::current_exception());
  }
  if (trouble.empty()) {
    auto counts = job->row_counts();
    counts["changed_plans"] = *changed;
    job->finish(std::move(counts), std::move(note));
  } else {
    job->fail(std::move(trouble));
  }
}

awaitable<HttpResponse> plan_with(Desk* desk, Call call) {
  const auto source = import_source(*desk, call);
  if (!source) co_return problem(source.error());
  auto job = desk->jobs.start("plan", call.actor, true);
  auto push = import_push(call);
  desk->scope.spawn("plan with a file", run_preview(desk, job, *source, std::move(push), desk->queries.preview()));
  co_return answer(202, json::object{{"job", job->id()}});
}

RehearsalRequest rehearsal_of(const Call& call) {
  RehearsalRequest request;
  request.from = call.text("from");
  request.to = call.text("to");
  if (const auto* outages = call.values.if_contains("transport_down"); outages != nullptr && outages->is_array()) {
    for (const auto& outage : outages->get_array()) request.transport_down.emplace_back(outage.as_string());
  }
  request.confirm_after = call.text("confirm_after");
  request.seed = call.integer("seed", 1);
  request.mails = !call.flag("no_mails");
  return request;
}

awaitable<HttpResponse> rehearse(Desk* desk, Call call) {
  auto stream = desk->rehearse(rehearsal_of(call));
  if (!stream) co_return problem(stream.error());
  HttpResponse response;
  response.headers = {{"Content-Type", "application/x-ndjson"}, {"Cache-Control", "no-store"}};
  response.stream = std::move(*stream);
  co_return response;
}

}  // namespace

void add_future_handlers(Handlers& handlers, Desk& desk) {
  Desk* d = &desk;
  handlers["plan.show"] = [d](Call call) { return show_plan(d, std::move(call)); };
  handlers["plan.with"] = [d](Call call) { return plan_with(d, std::move(call)); };
  handlers["plan.risk"] = [d](Call call) { return show_risks(d, std::move(call)); };
  handlers["why"] = [d](Call call) { return show_why(d, std::move(call)); };
  handlers["rehearse"] = [d](Call call) { return rehearse(d, std::move(call)); };
}

}  // namespace invited::control
