#include "service/queries.hpp"

#include <algorithm>
#include <unordered_set>

#include "service/users.hpp"
#include "store/accounts.hpp"
#include "store/deliveries.hpp"
#include "store/invitations.hpp"
#include "store/tasks.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

constexpr std::size_t chunk = 256;

InvitationView invitation_view(Db& db, const Planner& planner, model::Invitation invitation) {
  InvitationView view;
  view.delivery = store::deliveries::of_invitation(db, invitation.key);
  if (view.delivery) view.attempts = store::deliveries::attempts(db, view.delivery->key);
  if (const auto user = store::users::get(db, invitation.user)) {
    view.user_id = user->user_id;
    view.name = user->name;
    view.zone = planner.policies().of(user->company).zone;
  }
  view.invitation = std::move(invitation);
  return view;
}

std::vector<WhatIf> what_if(const Planner& planner, const Loaded& loaded, Instant now,
                            const model::Decision& decision) {
  std::vector<WhatIf> all;
  if (decision.action == model::Action::review) {
    Loaded approved = loaded;
    approved.employment->review = model::ReviewState::approved;
    all.push_back({"approved today", model::decide(planner.facts(approved, now))});
  }
  if (!loaded.user.enabled) {
    Loaded enabled = loaded;
    enabled.user.enabled = true;
    all.push_back({"enabled today", model::decide(planner.facts(enabled, now))});
  }
  const bool could_be_asked = decision.action == model::Action::none ||
                              (decision.action == model::Action::send && decision.at > now) ||
                              decision.action == model::Action::expire;
  if (could_be_asked) {
    auto asked = model::decide(planner.facts(loaded, now, true));
    if (asked.action == model::Action::send || asked.action == model::Action::connect)
      all.push_back({"send verification now", std::move(asked)});
  }
  return all;
}

}  // namespace

Queries::Queries(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner)
    : store_(store), clock_(clock), planner_(std::move(planner)) {}

std::optional<UserView> Queries::view(Db& db, const Id& key) {
  auto loaded = Planner::load(db, key);
  if (!loaded) return std::nullopt;
  UserView view{.loaded = std::move(*loaded)};
  view.account = store::accounts::get(db, key);
  view.tasks = store::tasks::of_user(db, key);
  return view;
}

boost::asio::awaitable<Queries::UserPage> Queries::users(model::UserFilter filter, std::optional<Id> after,
                                                         std::size_t limit) {
  co_return co_await [&] {
    return store_.read([filter, after, limit](Db& db) {
      UserPage page;
      for (const model::User& user : store::users::page(db, filter, after, limit))
        page.users.push_back(*view(db, user.key));
      if (page.users.size() == limit) page.next = page.users.back().loaded.user.key;
      return page;
    });
  }();
}

boost::asio::awaitable<core::Result<UserView>> Queries::user(std::string user_id) {
  co_return co_await [&] { return store_.read([user_id](Db& db) { return user_in(db, user_id); }); }();
}

core::Result<UserView> Queries::user_in(Db& db, const std::string& user_id) {
  const auto loaded = find_user(db, user_id);
  if (!loaded) return core::fail(loaded.error());
  return *view(db, loaded->user.key);
}

boost::asio::awaitable<Queries::Plan> Queries::plan(Instant until, std::size_t limit) {
  const Instant now = clock_.now();
  // Whom it may concern, from the indexes that answer alone; the decision function then says what.
  auto keys = co_await [&] {
    return store_.read([until, limit](Db& db) {
      std::vector<Id> found;
      std::unordered_set<Id> known;
      const auto add = [&](const Id& user) {
        if (found.size() < limit && known.insert(user).second) found.push_back(user);
      };
      for (const auto state : {model::InvitationState::released, model::InvitationState::verified}) {
        for (const auto& row : store::invitations::page(db, {.state = state}, std::nullopt, limit)) add(row.user);
      }
      for (const std::string& zone : store::invitations::due_zones(db)) {
        for (const auto& row : store::invitations::due(db, zone, model::due_key_now(until, zone), limit)) add(row.user);
      }
      for (const auto& row : store::invitations::ending(db, until, limit)) add(row.user);
      const auto last_day = model::CivilDate{std::chrono::floor<std::chrono::days>(until)};
      for (const Id& user : store::employments::users_ended_by(db, last_day, std::nullopt, limit)) add(user);
      return found;
    });
  }();
  Plan plan;
  plan.truncated = keys.size() == limit;
  for (std::size_t from = 0; from < keys.size(); from += chunk) {
    const std::vector<Id> part(keys.begin() + static_cast<std::ptrdiff_t>(from),
                               keys.begin() + static_cast<std::ptrdiff_t>(std::min(keys.size(), from + chunk)));
    auto items = co_await [&] {
      return store_.read([planner = planner_, part, now, until](Db& db) {
        std::vector<PlanItem> rows;
        for (const Id& key : part) {
          const auto loaded = Planner::load(db, key);
          if (!loaded) continue;
          for (model::Decision& act : model::foreseen(planner->facts(*loaded, now))) {
            if (act.at <= until)
              rows.push_back({loaded->user.user_id, loaded->user.name, std::move(act),
                              planner->policies().of(loaded->user.company).zone});
          }
        }
        return rows;
      });
    }();
    plan.items.insert(plan.items.end(), std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
  }
  std::stable_sort(plan.items.begin(), plan.items.end(),
                   [](const PlanItem& a, const PlanItem& b) { return a.decision.at < b.decision.at; });
  co_return plan;
}

boost::asio::awaitable<core::Result<Why>> Queries::why(std::string user_id) {
  const Instant now = clock_.now();
  co_return co_await [&] { return store_.read([this, user_id, now](Db& db) { return why_in(db, user_id, now); }); }();
}

core::Result<Why> Queries::why_in(Db& db, const std::string& user_id, Instant now) const {
  const auto loaded = find_user(db, user_id);
  if (!loaded) return core::fail(loaded.error());
  const model::Facts facts = planner_->facts(*loaded, now);
  Why why{.user = loaded->user, .zone = facts.policy.zone, .now = model::decide(facts)};
  if (auto acts = model::foreseen(facts); !acts.empty()) why.next = std::move(acts.front());
  why.what_if = what_if(*planner_, *loaded, now, why.now);
  return why;
}

boost::asio::awaitable<std::vector<InvitationView>> Queries::invitations(std::optional<model::InvitationState> state,
                                                                         std::optional<bool> held,
                                                                         std::string which_user,
                                                                         std::optional<Id> before, std::size_t limit) {
  co_return co_await [&] {
    return store_.read([planner = planner_, state, held, which_user, before, limit](Db& db) {
      std::vector<InvitationView> views;
      store::invitations::Which which{.state = state, .held = held, .user = std::nullopt};
      if (!which_user.empty()) {
        const auto user = store::users::find(db, which_user);
        if (!user) return views;
        which.user = user->key;
      }
      for (auto& row : store::invitations::page(db, which, before, limit))
        views.push_back(invitation_view(db, *planner, std::move(row)));
      return views;
    });
  }();
}

boost::asio::awaitable<core::Result<InvitationView>> Queries::invitation(Id key) {
  co_return co_await [&] { return store_.read([this, key](Db& db) { return invitation_in(db, key); }); }();
}

core::Result<InvitationView> Queries::invitation_in(Db& db, const Id& key) const {
  auto row = store::invitations::get(db, key);
  if (!row)
    return core::fail(core::ErrorKind::not_found, "unknown_invitation",
                      fmt::format("There is no invitation {}.", key.text()));
  return invitation_view(db, *planner_, std::move(*row));
}

boost::asio::awaitable<Queries::UserPage> Queries::in_review(std::optional<Id> after, std::size_t limit) {
  co_return co_await [&] {
    return store_.read([after, limit](Db& db) {
      UserPage page;
      const auto employments = store::employments::in_review(db, after, limit);
      for (const auto& employment : employments) {
        // An employment that a later one has taken the place of is not what the user's review is about.
        if (auto found = view(db, employment.user); found && found->loaded.employment->key == employment.key)
          page.users.push_back(std::move(*found));
      }
      if (employments.size() == limit) page.next = employments.back().key;
      return page;
    });
  }();
}

boost::asio::awaitable<Counts> Queries::counts() {
  co_return co_await store_.read([](Db& db) {
    Counts counts;
    counts.users = store::users::count(db);
    for (auto& [state, n] : store::invitations::count_by_state(db)) counts.invitations[state] = n;
    for (auto& [state, n] : store::deliveries::count_open(db)) counts.deliveries[state] = n;
    counts.provider_tasks = store::tasks::count(db);
    counts.held = store::invitations::count_held(db);
    return counts;
  });
}

boost::asio::awaitable<std::vector<model::AuditEvent>> Queries::audit(store::audit::Range range, std::string subject,
                                                                      std::size_t limit) {
  co_return co_await [&] {
    return store_.read([range, subject, limit](Db& db) { return store::audit::page(db, range, subject, limit); });
  }();
}

boost::asio::awaitable<store::audit::Verification> Queries::verify_audit() {
  store::audit::Verification total;
  std::int64_t from = 1;
  while (true) {
    const auto part =
        co_await [&] { return store_.read([from](Db& db) { return store::audit::verify(db, from, 2'000); }); }();
    total.checked += part.checked;
    total.broken = part.broken;
    if (part.broken || part.next == 0) co_return total;
    from = part.next;
  }
}

}  // namespace invited::service
