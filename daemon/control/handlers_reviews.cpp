#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>

#include "control/answers.hpp"
#include "control/server.hpp"
#include "model/text.hpp"

namespace invited::control {

namespace json = boost::json;
using boost::asio::awaitable;
using core::HttpResponse;

namespace {

bool waits_for(const json::object& review, const std::string& step) {
  const json::array& open = review.at("open_steps").as_array();
  return std::any_of(open.begin(), open.end(), [&](const json::value& name) {
    return model::equal_folded({name.as_string().data(), name.as_string().size()}, step);
  });
}

awaitable<HttpResponse> list_reviews(Desk* desk, Call call) {
  const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(call.integer("limit", 100), 1, 1'000));
  const std::string wanted = call.text("state");
  const auto state =
      model::parse_review_state(wanted.empty() ? "pending" : wanted).value_or(model::ReviewState::pending);
  std::optional<core::Id> after;
  if (const auto cursor = call.text("cursor"); !cursor.empty()) {
    after = core::Id::parse(cursor);
    if (!after) co_return bad_cursor();
  }
  service::Queries::UserPage page;
  if (state == model::ReviewState::pending) {
    page = co_await desk->queries.in_review(after, limit);
  } else {
    model::UserFilter filter;
    filter.review = state;
    page = co_await desk->queries.users(filter, after, limit);
  }
  json::array items;
  const std::string step = call.text("step");
  for (const auto& view : page.users) {
    json::object review = review_json(view, desk->policies);
    if (step.empty() || waits_for(review, step)) items.push_back(std::move(review));
  }
  co_return list_answer(std::move(items), page.next ? json::value(page.next->text()) : json::value(nullptr));
}

// The review as the decision leaves it, with what happens next.
std::function<void(store::Db&)> look_at_review(Desk* desk, std::string user_id, std::shared_ptr<json::object> seen) {
  return [desk, user_id = std::move(user_id), seen = std::move(seen), now = desk->clock.now()](store::Db& db) {
    const auto view = service::Queries::user_in(db, user_id);
    const auto why = desk->queries.why_in(db, user_id, now);
    if (!view || !why) return;
    *seen = review_json(*view, desk->policies);
    (*seen)["next"] = why_json(*why).at("next");
  };
}

awaitable<HttpResponse> approve(Desk* desk, Call call) {
  const std::string id = call.text("id");
  auto seen = std::make_shared<json::object>();
  const service::Act by = act_of(call, look_at_review(desk, id, seen));
  const auto done = co_await desk->reviews.approve(id, call.text("step"), by);
  if (!done) co_return problem(done.error());
  co_return answer(200, *seen);
}

awaitable<HttpResponse> reject(Desk* desk, Call call) {
  const std::string id = call.text("id");
  auto seen = std::make_shared<json::object>();
  const service::Act by = act_of(call, look_at_review(desk, id, seen));
  const auto done = co_await desk->reviews.reject(id, call.text("reason"), by);
  if (!done) co_return problem(done.error());
  co_return answer(200, *seen);
}

awaitable<HttpResponse> reopen(Desk* desk, Call call) {
  const std::string id = call.text("id");
  auto seen = std::make_shared<json::object>();
  const service::Act by = act_of(call, look_at_review(desk, id, seen));
  const auto done = co_await desk->reviews.reopen(id, by);
  if (!done) co_return problem(done.error());
  co_return answer(200, *seen);
}

awaitable<HttpResponse> show_review(Desk* desk, Call call) {
  const auto view = co_await desk->queries.user(call.text("id"));
  if (!view) co_return problem(view.error());
  if (const auto& reviewed = service::under_review(view->loaded); !reviewed || reviewed->flow.empty())
    co_return problem(404, "no_review",
                      fmt::format("The employment of user {} has no review.", view->loaded.user.user_id));
  const auto why = co_await desk->queries.why(call.text("id"));
  if (!why) co_return problem(why.error());
  json::object review = review_json(*view, desk->policies);
  review["next"] = why_json(*why).at("next");
  co_return answer(200, review);
}

json::array flows_json(const model::Policies& policies) {
  json::array items;
  for (const model::ReviewFlow& flow : policies.flows().all()) {
    json::array steps;
    for (const model::ReviewStep& step : flow.steps)
      steps.push_back(json::object{{"name", step.name}, {"after", step.after}});
    std::string templates;
    for (const auto& one : policies.templates().employments) {
      if (model::equal_folded(one.review_flow, flow.name)) templates += (templates.empty() ? "" : ", ") + one.name;
    }
    items.push_back(json::object{{"name", flow.name},
                                 {"active", flow.active},
                                 {"four_eyes", flow.four_eyes},
                                 {"steps", std::move(steps)},
                                 {"employment_templates", templates}});
  }
  return items;
}

json::array templates_json(const model::Policies& policies) {
  json::array items;
  for (const auto& one : policies.templates().employments) {
    json::object item{{"name", one.name}, {"user_template", one.user_template}, {"review_flow", one.review_flow}};
    if (const auto* user = policies.templates().user(one.user_template)) {
      json::array roles;
      for (const auto& role : user->roles) roles.push_back(json::value(role));
      item["company"] = user->company;
      item["department"] = user->department;
      item["roles"] = std::move(roles);
      item["locale"] = user->locale;
      item["leaver_days"] = user->leaver_days ? json::value(*user->leaver_days) : json::value(nullptr);
      item["user_id"] = user->user_id;
      item["login_email"] = user->login_email;
    }
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace

void add_review_handlers(Handlers& handlers, Desk& desk) {
  Desk* d = &desk;
  const auto now = [](HttpResponse response) -> awaitable<HttpResponse> { co_return response; };
  handlers["review.list"] = [d](Call call) { return list_reviews(d, std::move(call)); };
  handlers["review.show"] = [d](Call call) { return show_review(d, std::move(call)); };
  handlers["review.approve"] = [d](Call call) { return approve(d, std::move(call)); };
  handlers["review.reject"] = [d](Call call) { return reject(d, std::move(call)); };
  handlers["review.reopen"] = [d](Call call) { return reopen(d, std::move(call)); };
  handlers["flow.list"] = [d, now](const Call&) { return now(list_answer(flows_json(d->policies), nullptr)); };
  handlers["template.list"] = [d, now](const Call&) { return now(list_answer(templates_json(d->policies), nullptr)); };
}

}  // namespace invited::control
