#include <fmt/format.h>

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

}  // namespace

void add_invitation_handlers(Handlers& handlers, Desk& desk) {
  Desk* d = &desk;
  handlers["invitation.list"] = [d](Call call) { return list_invitations(d, std::move(call)); };
  handlers["invitation.show"] = [d](Call call) { return show_invitation(d, call.text("id")); };
  handlers["invitation.release"] = [d](Call call) { return act_on(d, &service::Users::release, std::move(call)); };
  handlers["invitation.discard"] = [d](Call call) { return act_on(d, &service::Users::discard, std::move(call)); };
  handlers["invitation.revoke"] = [d](Call call) { return act_on(d, &service::Users::revoke, std::move(call)); };
}

}  // namespace invited::control
