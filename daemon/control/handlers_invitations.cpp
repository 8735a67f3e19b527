#include <boost/json/array.hpp>

#include "control/answers.hpp"
#include "control/server.hpp"

namespace invited::control {

namespace json = boost::json;
using boost::asio::awaitable;
using core::HttpResponse;

namespace {

json::object view_json(const service::InvitationView& view) {
  json::object body = invitation_json(view.invitation, view.delivery, view.user_id);
  body["name"] = view.name;
  json::array attempts;
  for (const auto& attempt : view.attempts) {
    attempts.push_back(json::object{{"number", attempt.number},
                                    {"started_at", model::to_utc_text(attempt.started_at)},
                                    {"ended_at", when(attempt.ended_at)},
                                    {"outcome", attempt.outcome},
                                    {"phase", attempt.phase},
                                    {"code", attempt.code},
                                    {"detail", attempt.detail}});
  }
  body["attempts"] = std::move(attempts);
  return body;
}

awaitable<HttpResponse> list_invitations(Desk* desk, Call call) {
  const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(call.integer("limit", 100), 1, 1'000));
  std::optional<core::Id> before;
  if (const auto cursor = call.text("cursor"); !cursor.empty()) {
    before = core::Id::parse(cursor);
    if (!before) co_return bad_cursor();
  }
  std::optional<bool> held;
  if (call.values.contains("held")) held = call.flag("held");
  const auto views = co_await desk->queries.invitations(model::parse_invitation_state(call.text("state")), held,
                                                        call.text("user"), before, limit);
  json::array items;
  for (const auto& view : views) items.push_back(view_json(view));
  co_return list_answer(std::move(items),
                        views.size() == limit ? json::value(views.back().invitation.key.text()) : json::value(nullptr));
}

awaitable<HttpResponse> show_invitation(Desk* desk, std::string id) {
  const auto key = core::Id::parse(id);
  if (!key) co_return problem(404, "unknown_invitation", fmt::format("There is no invitation \"{}\".", id));
  const auto view = co_await desk->queries.invitation(*key);
  if (!view) co_return problem(view.error());
  co_return answer(200, view_json(*view));
}

using Act = awaitable<core::Result<void>> (service::Users::*)(core::Id, service::Act);

awaitable<HttpResponse> act_on(Desk* desk, Act act, Call call) {
  const auto key = core::Id::parse(call.text("id"));
  if (!key)
    co_return problem(404, "unknown_invitation", fmt::format("There is no invitation \"{}\".", call.text("id")));
  // Seen in the change's own transaction: a dry run gives the same answer.
  auto seen = std::make_shared<json::object>();
  const service::Act by = act_of(call, [desk, seen, key = *key](store::Db& db) {
    if (const auto view = desk->queries.invitation_in(db, key)) *seen = view_json(*view);
  });
  const auto done = co_await (desk->users.*act)(*key, by);
  if (!done) co_return problem(done.error());
  co_return answer(200, *seen);
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
  for (const auto& view : page.users) items.push_back(review_json(view));
  co_return list_answer(std::move(items), page.next ? json::value(page.next->text()) : json::value(nullptr));
}

// The review as the decision leaves it, with what happens next.
std::function<void(store::Db&)> look_at_review(Desk* desk, std::string user_id, std::shared_ptr<json::object> seen) {
  return [desk, user_id = std::move(user_id), seen = std::move(seen), now = desk->clock.now()](store::Db& db) {
    const auto view = service::Queries::user_in(db, user_id);
    const auto why = desk->queries.why_in(db, user_id, now);
    if (!view || !why) return;
    *seen = review_json(*view);
    (*seen)["next"] = why_json(*why).at("next");
  };
}

awaitable<HttpResponse> approve(Desk* desk, Call call) {
  const std::string id = call.text("id");
  auto seen = std::make_shared<json::object>();
  const service::Act by = act_of(call, look_at_review(desk, id, seen));
  const auto done = co_await desk->reviews.approve(id, by);
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

}  // namespace

void add_invitation_handlers(Handlers& handlers, Desk& desk) {
  Desk* d = &desk;
  handlers["invitation.list"] = [d](Call call) { return list_invitations(d, std::move(call)); };
  handlers["invitation.show"] = [d](Call call) { return show_invitation(d, call.text("id")); };
  handlers["invitation.release"] = [d](Call call) { return act_on(d, &service::Users::release, std::move(call)); };
  handlers["invitation.discard"] = [d](Call call) { return act_on(d, &service::Users::discard, std::move(call)); };
  handlers["invitation.revoke"] = [d](Call call) { return act_on(d, &service::Users::revoke, std::move(call)); };
  handlers["review.list"] = [d](Call call) { return list_reviews(d, std::move(call)); };
  handlers["review.approve"] = [d](Call call) { return approve(d, std::move(call)); };
  handlers["review.reject"] = [d](Call call) { return reject(d, std::move(call)); };
}

}  // namespace invited::control
