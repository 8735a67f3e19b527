#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <stdexcept>

#include "control/answers.hpp"
#include "control/server.hpp"
#include "store/plans.hpp"
#include "store/users.hpp"

namespace invited::control {

namespace json = boost::json;
using boost::asio::awaitable;
using core::HttpResponse;

namespace {

constexpr std::size_t most_rows = 1'000;

// The body as the flat record of a source: text for everything.
std::string record_body(const json::object& values) {
  json::object record;
  for (const auto& [key, value] : values) {
    if (value.is_string()) {
      record[key] = value;
    } else if (value.is_bool()) {
      record[key] = value.as_bool() ? "true" : "false";
    } else if (value.is_array()) {
      std::string joined;
      for (const auto& item : value.as_array()) joined += (joined.empty() ? "" : ",") + std::string(item.as_string());
      record[key] = joined;
    }
  }
  return json::serialize(record);
}

// Aggregates are made outside of coroutines: g++ 12 destroys their temporaries twice inside one.
service::IntakeContext context_of(const std::string& source, const Call& call) {
  return {source, call.actor, call.dry_run};
}
model::SourcePush record_push(const json::object& record) {
  return {"record", "application/json", "", record_body(record)};
}
awaitable<HttpResponse> user_answer(Desk* desk, std::string user_id, unsigned status) {
  const auto view = co_await desk->queries.user(user_id);
  if (!view) co_return problem(view.error());
  co_return answer(status, user_json(*view, desk->policies));
}

HttpResponse rejected(const model::RowResult& row) {
  std::vector<ProblemDetail> errors;
  if (!row.column.empty()) errors.push_back({"/" + row.column, row.reason, row.message});
  return problem(422, row.reason, row.message, errors);
}

// The user as a change leaves it, seen in the change's own transaction: a dry run gives the same answer.
class Seen {
public:
  [[nodiscard]] std::function<void(store::Db&)> look_for(std::string user_id) const {
    return [view = view_, user_id = std::move(user_id)](store::Db& db) {
      if (auto found = service::Queries::user_in(db, user_id)) *view = std::move(*found);
    };
  }
  // Of a row that may get its user-id only as it is applied.
  [[nodiscard]] std::function<void(store::Db&, const model::RowResult&)> look_at_row() const {
    return [view = view_](store::Db& db, const model::RowResult& row) {
      if (auto found = service::Queries::user_in(db, row.user)) *view = std::move(*found);
    };
  }
  [[nodiscard]] const std::optional<service::UserView>& user() const { return *view_; }

private:
  std::shared_ptr<std::optional<service::UserView>> view_ = std::make_shared<std::optional<service::UserView>>();
};

// Adds or changes one user through the source that takes records: by hand is a source like any other.
awaitable<HttpResponse> write_record(Desk* desk, Call call, json::object record, bool must_be_new) {
  const std::string source = desk->fetching.taker_of("record");
  if (source.empty())
    co_return problem(409, "no_manual_source",
                      "No configured source takes records by hand: add a source with the plugin \"manual\".");
  auto rows = std::make_shared<std::vector<model::RowResult>>();
  const Seen seen;
  model::SourcePush push = record_push(record);
  service::IntakeContext context = context_of(source, call);
  context.look = seen.look_at_row();
  context.must_be_new = must_be_new;
  service::RowsProgress progress = [rows](const std::vector<model::RowResult>& chunk) {
    rows->insert(rows->end(), chunk.begin(), chunk.end());
  };
  const auto pushed = co_await desk->fetching.push(source, std::move(push), std::move(context), std::move(progress));
  if (!pushed) co_return problem(pushed.error());
  const model::SourceReply* const reply = &pushed->reply;
  if (rows->empty() && reply->status >= 400 && reply->status < 500)
    co_return problem(422, "source_refused", reply->body);
  if (rows->empty())
    co_return problem(500, "source_gave_nothing",
                      "The source took the record and gave nothing back: look at the journal for its plugin.");
  const model::RowResult& row = rows->front();
  if (row.reason == "user_exists") co_return problem(409, row.reason, row.message);
  if (row.outcome == model::RowOutcome::rejected) co_return rejected(row);
  const std::string asked_for = record.contains("user_id") ? std::string(record.at("user_id").as_string()) : row.user;
  if (!seen.user() || store::fold_user_id(asked_for) != store::fold_user_id(row.user))
    co_return problem(
        500, "source_gave_another",
        "The source gave back another user than the one it was given: look at the journal for its plugin.");
  json::object body = to_json(row);
  body.erase("line");
  body["user"] = user_json(*seen.user(), desk->policies);
  co_return answer(row.applied == model::RowOutcome::created && !call.dry_run ? 201 : 200, body);
}

awaitable<HttpResponse> list_users(Desk* desk, Call call) {
  const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(call.integer("limit", 100), 1, most_rows));
  std::optional<core::Id> after;
  if (const auto cursor = call.text("cursor"); !cursor.empty()) {
    after = core::Id::parse(cursor);
    if (!after) co_return bad_cursor();
  }
  const auto page = co_await desk->queries.users(filter_of(call.values), after, limit);
  json::array items;
  for (const auto& view : page.users) items.push_back(user_json(view, desk->policies));
  co_return list_answer(std::move(items), page.next ? json::value(page.next->text()) : json::value(nullptr));
}

awaitable<HttpResponse> add_user(Desk* desk, Call call) {
  json::object record = call.values;
  co_return co_await write_record(desk, std::move(call), std::move(record), true);
}

awaitable<HttpResponse> set_user(Desk* desk, Call call) {
  const auto present = co_await desk->queries.user(call.text("id"));
  if (!present) co_return problem(present.error());
  json::object record = call.values;
  record.erase("id");
  record["user_id"] = present->loaded.user.user_id;
  co_return co_await write_record(desk, std::move(call), std::move(record), false);
}

awaitable<void> run_import(Desk* desk, std::shared_ptr<Job> job, std::string source, model::SourcePush push,
                           service::IntakeContext context) {
  std::string trouble;
  service::Settled settled;
  service::RowsProgress progress = [job](const std::vector<model::RowResult>& rows) {
    for (const auto& row : rows) job->row(row);
  };
  try {
    const auto done = co_await desk->fetching.push(source, std::move(push), std::move(context), std::move(progress));
    if (!done) trouble = done.error().message;
    if (done && done->reply.status >= 400)
      trouble = done->reply.body.empty() ? fmt::format("the source refused the file ({})", done->reply.status)
                                         : done->reply.body;
    if (done) settled = done->settled;
  } catch (...) {
    trouble = trouble_of(std::current_exception()) + "; rows before this are applied, import the file again to go on";
  }
  if (trouble.empty()) {
    auto counts = job->row_counts();
    add_held(counts, settled);
    job->finish(std::move(counts), settled.sentence);
  } else {
    job->fail(std::move(trouble));
  }
}

awaitable<HttpResponse> import_users(Desk* desk, Call call) {
  const auto source = import_source(*desk, call);
  if (!source) co_return problem(source.error());
  auto job = desk->jobs.start("import", call.actor, call.dry_run);
  model::SourcePush push = import_push(call);
  service::IntakeContext context = context_of(*source, call);
  context.expect = [job](std::int64_t rows) { job->progress(0, rows, 0); };
  desk->scope.spawn("import", run_import(desk, job, *source, std::move(push), std::move(context)));
  co_return answer(202, json::object{{"job", job->id()}});
}

awaitable<HttpResponse> send_one(Desk* desk, Call call) {
  const std::string id = call.text("id");
  const Seen seen;
  const service::Act by = act_of(call, seen.look_for(id));
  const auto applied = co_await desk->users.send_verification(id, by);
  if (!applied) co_return problem(applied.error());
  const bool connecting = applied->connecting || applied->decision.action == model::Action::connect;
  co_return answer(200, json::object{{"action", connecting ? "connect" : "send"},
                                     {"reason", applied->decision.reason()},
                                     {"user", user_json(seen.user().value(), desk->policies)}});
}

template <class Act>
Handler user_act(Desk* desk, Act act) {
  struct Step {
    static awaitable<HttpResponse> run(Desk* owner, Act what, Call call) {
      const std::string id = call.text("id");
      const Seen seen;
      const service::Act by = act_of(call, seen.look_for(id));
      const auto done = co_await what(owner->users, id, by);
      if (!done) co_return problem(done.error());
      co_return answer(200, user_json(seen.user().value(), owner->policies));
    }
  };
  return [desk, act](Call call) { return Step::run(desk, act, std::move(call)); };
}

awaitable<HttpResponse> banner(Desk* desk, Call call) {
  const auto banner = co_await desk->self_service.banner(call.text("id"));
  if (!banner) co_return problem(banner.error());
  const model::Policy& policy = desk->policies.of(banner->user.company);
  std::string locale = call.text("locale");
  if (locale.empty()) locale = banner->user.locale.empty() ? policy.locale : banner->user.locale;
  json::object body{{"user", banner->user.user_id},
                    {"show", banner->show},
                    {"phase", banner->phase == model::Phase::live ? "live" : "preparation"},
                    {"connection", model::to_text(banner->user.connection)},
                    {"reason", banner->reason},
                    {"locale", locale},
                    {"text", nullptr}};
  if (banner->show) body["text"] = desk->banner_text(banner->reason, locale, policy.name);
  co_return answer(200, body);
}

awaitable<HttpResponse> self_service(Desk* desk, Call call) {
  const std::string id = call.text("id");
  const service::Act by = act_of(call);
  const auto page = co_await desk->self_service.make_page(id, by);
  if (!page) co_return problem(page.error());
  json::value url = nullptr;
  if (!page->url.empty()) url = page->url;
  co_return answer(200, json::object{{"url", std::move(url)}, {"expires_at", model::to_utc_text(page->ends_at)}});
}

awaitable<HttpResponse> make_plan(Desk* desk, Call call) {
  service::BulkRequest request;
  if (const auto* filter = call.values.if_contains("filter"); filter != nullptr && filter->is_object())
    request.filter = filter_of(filter->as_object());
  request.include_scheduled = call.flag("include_scheduled");
  request.include_recent = call.flag("include_recent");
  const auto plan = co_await desk->bulk.plan(request, call.actor);
  json::object skipped;
  for (const auto code :
       {"connected", "no_login_email", "in_review", "disabled", "verified_domain", "scheduled", "cooldown"})
    skipped[code] = 0;
  for (const auto& [code, count] : plan.skipped) skipped[code] = count;
  json::array examples;
  for (const auto& user_id : plan.examples) {
    if (const auto view = co_await desk->queries.user(user_id))
      examples.push_back(json::object{{"user", user_id},
                                      {"name", view->loaded.user.name},
                                      {"login_email", view->loaded.user.login_email},
                                      {"action", "send"}});
  }
  co_return answer(201, json::object{{"plan", plan.key.text()},
                                     {"matched", plan.matched},
                                     {"send", plan.send},
                                     {"connect", plan.connect},
                                     {"skipped", std::move(skipped)},
                                     {"examples", std::move(examples)}});
}

void tell(Job& job, const service::BulkProgress& progress) {
  job.progress(progress.done, progress.total, progress.failed);
}

json::object bulk_counts(const service::BulkProgress& progress) {
  json::object skipped;
  for (const auto& [code, count] : progress.skipped) skipped[code] = count;
  return {{"sent", progress.sent},
          {"connected", progress.connected},
          {"failed", progress.failed},
          {"skipped", std::move(skipped)}};
}

awaitable<void> run_bulk(Desk* desk, std::shared_ptr<Job> job, core::Id plan) {
  std::string trouble;
  service::OnBulkProgress progress = [job](const service::BulkProgress& state) { tell(*job, state); };
  try {
    const auto done = co_await desk->bulk.go_on(plan, std::move(progress));
    job->finish(bulk_counts(done));
  } catch (...) {
    trouble = trouble_of(std::current_exception()) + "; it goes on when the daemon is started again";
  }
  if (!trouble.empty()) job->fail(std::move(trouble));
}

awaitable<void> rehearse_bulk(Desk* desk, std::shared_ptr<Job> job, core::Id plan) {
  std::string trouble;
  service::OnBulkProgress progress = [job](const service::BulkProgress& state) { tell(*job, state); };
  try {
    const auto would = co_await desk->bulk.rehearse(plan, std::move(progress));
    if (would) {
      job->finish(bulk_counts(*would));
    } else {
      trouble = would.error().message;
    }
  } catch (...) {
    trouble = trouble_of(std::current_exception());
  }
  if (!trouble.empty()) job->fail(std::move(trouble));
}

HttpResponse unknown_plan(const Call& call) {
  return problem(404, "unknown_plan",
                 fmt::format("There is no plan \"{}\" (one that is not run is kept for a day).", call.text("id")));
}

awaitable<HttpResponse> run_plan(Desk* desk, Call call) {
  const auto key = core::Id::parse(call.text("id"));
  if (!key) co_return unknown_plan(call);
  const auto look = [plan = *key](store::Db& db) { return store::plans::get(db, plan); };
  const auto known = co_await desk->store.read(look);
  if (!known) co_return unknown_plan(call);
  if (call.dry_run) {
    if (known->state != "planned")
      co_return problem(409, "plan_not_runnable", "This plan was already run: make a new one.");
    auto job = desk->jobs.start("send-verification", call.actor, true);
    desk->scope.spawn("bulk send, rehearsed", rehearse_bulk(desk, job, *key));
    co_return answer(202, json::object{{"job", job->id()}});
  }
  const auto started = co_await desk->bulk.start(*key, call.actor);
  if (!started) co_return problem(started.error());
  auto job = desk->jobs.start("send-verification", call.actor, false);
  desk->scope.spawn("bulk send", run_bulk(desk, job, *key));
  co_return answer(202, json::object{{"job", job->id()}});
}

}  // namespace

core::Result<std::string> import_source(const Desk& desk, const Call& call) {
  std::string source = call.text("source");
  if (source.empty()) source = desk.fetching.taker_of("import");
  if (source.empty())
    return core::fail(core::ErrorKind::conflict, "no_import_source",
                      "No configured source reads files: add a source with the plugin \"file\".");
  if (!desk.fetching.has(source))
    return core::fail(core::ErrorKind::not_found, "unknown_source", fmt::format("There is no source \"{}\".", source));
  return source;
}

model::SourcePush import_push(Call& call) {
  return {"import", std::string(call.request.header("content-type")), call.text("file_name"),
          std::move(call.request.body)};
}

namespace {
// A condition that was given and cannot be read ends the request: left out it would select more people than meant.
template <class Value>
Value readable(std::optional<Value> condition) {
  if (!condition) throw std::logic_error("a condition of a filter passed its check and cannot be read");
  return *std::move(condition);
}
}  // namespace

model::UserFilter filter_of(const json::object& values) {
  model::UserFilter filter;
  const auto text = [&](std::string_view field) -> std::optional<std::string> {
    const auto* value = values.if_contains(field);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->as_string());
  };
  filter.company = text("company");
  filter.department = text("department");
  filter.authorised_company = text("authorised_company");
  filter.role = text("role");
  if (const auto* enabled = values.if_contains("enabled")) filter.enabled = enabled->as_bool();
  if (const auto connection = text("connection")) filter.connection = readable(model::parse_connection(*connection));
  if (const auto* saved = values.if_contains("login_email_saved")) filter.login_email_saved = saved->as_bool();
  if (const auto date = text("start_before")) filter.start_before = readable(model::parse_date(*date));
  if (const auto date = text("start_after")) filter.start_after = readable(model::parse_date(*date));
  if (const auto state = text("invitation")) filter.invitation = readable(model::parse_invitation_state(*state));
  filter.search = text("search").value_or("");
  return filter;
}

boost::asio::awaitable<void> resume_bulk(Desk* desk) {
  const auto plans = co_await desk->bulk.interrupted();
  for (const core::Id& plan : plans) {
    auto job = desk->jobs.start("send-verification", "daemon", false);
    desk->scope.spawn("bulk send", run_bulk(desk, job, plan));
  }
}

void add_user_handlers(Handlers& handlers, Desk& desk) {
  Desk* d = &desk;
  handlers["user.list"] = [d](Call call) { return list_users(d, std::move(call)); };
  handlers["user.show"] = [d](Call call) { return user_answer(d, call.text("id"), 200); };
  handlers["user.add"] = [d](Call call) { return add_user(d, std::move(call)); };
  handlers["user.set"] = [d](Call call) { return set_user(d, std::move(call)); };
  handlers["user.import"] = [d](Call call) { return import_users(d, std::move(call)); };
  handlers["user.send-verification"] = [d](Call call) { return send_one(d, std::move(call)); };
  handlers["user.disconnect"] = user_act(d, [](service::Users& users, std::string id, service::Act act) {
    return users.disconnect(std::move(id), std::move(act));
  });
  handlers["user.reset-password"] = user_act(d, [](service::Users& users, std::string id, service::Act act) {
    return users.reset_password(std::move(id), std::move(act));
  });
  handlers["user.enable"] = user_act(d, [](service::Users& users, std::string id, service::Act act) {
    return users.set_enabled(std::move(id), true, std::move(act));
  });
  handlers["user.disable"] = user_act(d, [](service::Users& users, std::string id, service::Act act) {
    return users.set_enabled(std::move(id), false, std::move(act));
  });
  handlers["user.banner"] = [d](Call call) { return banner(d, std::move(call)); };
  handlers["user.self-service"] = [d](Call call) { return self_service(d, std::move(call)); };
  handlers["plan.create"] = [d](Call call) { return make_plan(d, std::move(call)); };
  handlers["plan.run"] = [d](Call call) { return run_plan(d, std::move(call)); };
}

}  // namespace invited::control
