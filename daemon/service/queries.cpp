#include "service/queries.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "service/preview.hpp"
#include "service/users.hpp"
#include "store/accounts.hpp"
#include "store/deliveries.hpp"
#include "store/invitations.hpp"
#include "store/tasks.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

constexpr std::size_t chunk = 128;  // below 20 ms of store time
// Of a list: users passed over, and users shown, in one closure; and how long an answer may look for them.
constexpr std::size_t look_chunk = 20'000;
constexpr std::size_t view_chunk = 128;
constexpr std::size_t count_chunk = 40'000;  // rows counted in one closure
constexpr core::Milliseconds longest_look{60};

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

// What a row of the merged future means: its act, if it is still one, and what follows from that.
std::vector<PlanItem> acts_of(const Planner& planner, const Loaded& loaded, const Ahead& row, Instant now) {
  std::vector<PlanItem> items;
  const model::Facts facts = planner.facts(loaded, now);
  const bool leaver = row.stream() == Stream::leaving;
  bool mine = false;
  for (model::Decision& act : model::foreseen(facts)) {
    if (!act.follows) mine = (act.action == model::Action::disable) == leaver;
    if (mine) items.push_back(plan_item(facts, std::move(act)));
  }
  return items;
}

std::vector<RiskItem> risks_of(Db& db, const Planner& planner, const Loaded& loaded, Instant now) {
  std::vector<RiskItem> items;
  const model::Facts facts = planner.facts(loaded, now);
  const auto item = plan_item(facts, model::decide(facts));
  if (!item.link_ends_at) return items;
  const bool mail_out = item.decision.action == model::Action::expire;
  model::LinkLife life;
  life.opens = mail_out && loaded.invitation->accepted_at ? *loaded.invitation->accepted_at : item.decision.at;
  life.ends = *item.link_ends_at;
  if (loaded.employment) life.start = loaded.employment->start_date;
  if (mail_out) life.start_in_mail = store::deliveries::start_in_mail(db, loaded.invitation->key);
  for (model::Reason& risk : model::risks_of(life, facts.policy))
    items.push_back({item.user_id, item.name, item.zone, mail_out, life, std::move(risk)});
  return items;
}

}  // namespace

PlanItem plan_item(const model::Facts& facts, model::Decision decision) {
  decision.at = std::max(decision.at, facts.now);
  PlanItem item{facts.user.user_id, facts.user.name, std::move(decision), facts.policy.zone, std::nullopt};
  switch (item.decision.action) {
    case model::Action::send:
      item.link_ends_at = model::link_end(item.decision.at, item.zone, facts.policy.valid_days);
      break;
    case model::Action::deliver:
      if (facts.invitation != nullptr && facts.invitation->state == model::InvitationState::released)
        item.link_ends_at = model::link_end(item.decision.at, item.zone, facts.policy.valid_days);
      break;
    case model::Action::expire:
      item.link_ends_at = facts.invitation->ends_at;
      break;
    default:
      break;
  }
  return item;
}

Queries::Queries(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner)
    : store_(store), clock_(clock), planner_(std::move(planner)) {}

std::optional<UserView> Queries::view(Db& db, const Id& key) {
  auto loaded = Planner::load(db, key);
  if (!loaded) return std::nullopt;
  UserView view{.loaded = std::move(*loaded)};
  const auto& employment = under_review(view.loaded);
  if (employment && !employment->flow.empty() && view.loaded.approvals.empty())
    view.loaded.approvals = store::employments::approvals(db, employment->key);
  view.account = store::accounts::get(db, key);
  view.tasks = store::tasks::of_user(db, key);
  if (view.loaded.invitation)
    view.sign_in_mail =
        store::deliveries::of_invitation(db, view.loaded.invitation->key, model::DeliveryKind::sign_in_ready);
  return view;
}

boost::asio::awaitable<Queries::UserPage> Queries::users(model::UserFilter filter, std::optional<Id> after,
                                                         std::size_t limit) {
  const auto until = clock_.monotonic() + longest_look;
  UserPage page;
  page.next = after;
  do {
    const std::size_t wanted = std::min(view_chunk, limit - page.users.size());
    UserPage part = co_await [&] {
      return store_.read([filter, behind = page.next, wanted](Db& db) {
        UserPage found;
        const auto last = store::users::key_ahead(db, behind, look_chunk);
        for (const model::User& user : store::users::page(db, filter, behind, wanted, last))
          found.users.push_back(*view(db, user.key));
        found.next = found.users.size() == wanted ? std::optional(found.users.back().loaded.user.key) : last;
        return found;
      });
    }();
    std::move(part.users.begin(), part.users.end(), std::back_inserter(page.users));
    page.next = part.next;
  } while (page.next && page.users.size() < limit && clock_.monotonic() < until);
  co_return page;
}

boost::asio::awaitable<core::Result<UserView>> Queries::user(std::string user_id) {
  co_return co_await [&] { return store_.read([user_id](Db& db) { return user_in(db, user_id); }); }();
}

core::Result<UserView> Queries::user_in(Db& db, const std::string& user_id) {
  const auto loaded = find_user(db, user_id);
  if (!loaded) return core::fail(loaded.error());
  return *view(db, loaded->user.key);
}

// Whom it concerns comes from indexes, a page in one look; what it means takes several rows for each of them and is
// read in chunks. `read` gives the items of one row.
template <class Page, class Read>
boost::asio::awaitable<Page> Queries::pages(Instant until, std::optional<Cursor> behind, std::size_t limit, Which which,
                                            Read read) {
  Page page;
  while (true) {
    // One more than wanted: a page is only told to go on if there is something behind it.
    const std::size_t want = std::max(limit - page.items.size(), chunk);
    const auto rows = co_await [&] {
      return store_.read([until, behind, want, which](Db& db) { return ahead(db, until, behind, want + 1, which); });
    }();
    for (std::size_t from = 0; from < rows.size(); from += chunk) {
      const std::vector<Ahead> part(rows.begin() + static_cast<std::ptrdiff_t>(from),
                                    rows.begin() + static_cast<std::ptrdiff_t>(std::min(rows.size(), from + chunk)));
      const Instant now = clock_.now();
      auto of_rows = co_await [&] {
        return store_.read([part, read, now](Db& db) {
          std::vector<decltype(page.items)> found(part.size());
          for (std::size_t i = 0; i < part.size(); ++i) {
            if (const auto loaded = Planner::load(db, part[i].user)) read(db, *loaded, part[i], now, found[i]);
          }
          return found;
        });
      }();
      for (std::size_t i = 0; i < part.size(); ++i) {
        auto& items = of_rows[i];
        // What one row gives is never split.
        if (!items.empty() && !page.items.empty() && page.items.size() + items.size() > limit) {
          page.next = behind;
          co_return page;
        }
        page.items.insert(page.items.end(), std::make_move_iterator(items.begin()),
                          std::make_move_iterator(items.end()));
        behind = part[i].cursor;
      }
    }
    if (rows.size() <= want) co_return page;
  }
}

boost::asio::awaitable<Queries::PlanPage> Queries::plan(Instant until, std::optional<Cursor> behind,
                                                        std::size_t limit) {
  const auto read = [planner = planner_, until](Db&, const Loaded& loaded, const Ahead& row, Instant now,
                                                std::vector<PlanItem>& into) {
    for (PlanItem& act : acts_of(*planner, loaded, row, now)) {
      if (act.decision.at <= until) into.push_back(std::move(act));
    }
  };
  auto page = co_await pages<PlanPage>(until, std::move(behind), limit, Which::everything, read);
  // A decision that has changed since its row was written (new settings) may have another time.
  std::stable_sort(page.items.begin(), page.items.end(),
                   [](const PlanItem& a, const PlanItem& b) { return a.decision.at < b.decision.at; });
  co_return page;
}

boost::asio::awaitable<core::Result<std::vector<PlanItem>>> Queries::plan_of(std::string user_id, Instant until) {
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.read([planner = planner_, user_id, until, now](Db& db) -> core::Result<std::vector<PlanItem>> {
      const auto loaded = find_user(db, user_id);
      if (!loaded) return core::fail(loaded.error());
      std::vector<PlanItem> items;
      const model::Facts facts = planner->facts(*loaded, now);
      for (model::Decision& act : model::foreseen(facts)) {
        if (act.at <= until) items.push_back(plan_item(facts, std::move(act)));
      }
      return items;
    });
  }();
}

boost::asio::awaitable<Queries::RiskPage> Queries::risks(Instant until, std::optional<Cursor> behind,
                                                         std::size_t limit) {
  const auto read = [planner = planner_](Db& db, const Loaded& loaded, const Ahead&, Instant now,
                                         std::vector<RiskItem>& into) {
    for (RiskItem& risk : risks_of(db, *planner, loaded, now)) into.push_back(std::move(risk));
  };
  co_return co_await pages<RiskPage>(until, std::move(behind), limit, Which::offers, read);
}

Preview Queries::preview() const {
  return {planner_, clock_};
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
  if (auto acts = model::foreseen(facts); !acts.empty()) {
    model::Decision& next = acts.front();
    // A connected user who leaves: there is nothing to send now, and something else comes.
    if (next.reason() != why.now.reason()) std::ranges::copy(next.reasons, std::back_inserter(why.now.reasons));
    why.next = plan_item(facts, std::move(next));
  }
  for (WhatIf& other : what_if(*planner_, *loaded, now)) {
    WhyIf told{std::move(other.change), other.decision.reasons.back(), std::nullopt};
    const auto action = other.decision.action;
    if (action != model::Action::none && action != model::Action::review)
      told.next = plan_item(facts, std::move(other.decision));
    why.what_if.push_back(std::move(told));
  }
  return why;
}

boost::asio::awaitable<std::vector<InvitationView>> Queries::invitations(std::optional<model::InvitationState> state,
                                                                         std::optional<bool> held,
                                                                         std::string which_user,
                                                                         std::optional<Id> before, std::size_t limit) {
  std::vector<InvitationView> all;
  while (all.size() < limit) {
    const std::size_t most = std::min(view_chunk, limit - all.size());
    auto views = co_await [&] {
      return store_.read([planner = planner_, state, held, which_user, before, most](Db& db) {
        std::vector<InvitationView> piece;
        store::invitations::Which which{.state = state, .held = held, .user = std::nullopt};
        if (!which_user.empty()) {
          const auto user = store::users::find(db, which_user);
          if (!user) return piece;
          which.user = user->key;
        }
        for (auto& row : store::invitations::page(db, which, before, most))
          piece.push_back(invitation_view(db, *planner, std::move(row)));
        return piece;
      });
    }();
    const bool end = views.size() < most;
    if (!views.empty()) before = views.back().invitation.key;
    std::move(views.begin(), views.end(), std::back_inserter(all));
    if (end) break;
  }
  co_return all;
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
  UserPage all;
  std::size_t looked_at = 0;
  do {
    const std::size_t most = std::min(view_chunk, limit - looked_at);
    UserPage piece = co_await [&] {
      return store_.read([after, most](Db& db) {
        UserPage page;
        const auto employments = store::employments::in_review(db, after, most);
        for (const auto& employment : employments) {
          // An employment that a later one has taken the place of is not what the user's review is about.
          if (auto found = view(db, employment.user); found && under_review(found->loaded)->key == employment.key)
            page.users.push_back(std::move(*found));
        }
        if (employments.size() == most) page.next = employments.back().key;
        return page;
      });
    }();
    looked_at += most;
    std::move(piece.users.begin(), piece.users.end(), std::back_inserter(all.users));
    all.next = after = piece.next;
  } while (after && looked_at < limit);
  co_return all;
}

boost::asio::awaitable<Counts> Queries::counts() {
  Counts counts = co_await store_.read([](Db& db) {
    Counts some;
    some.users = store::users::count(db);
    for (auto& [state, n] : store::deliveries::count_open(db)) some.deliveries[state] = n;
    some.provider = store::tasks::health(db);
    some.held = store::invitations::count_held(db);
    return some;
  });
  for (const model::InvitationState state : model::all_invitation_states) {
    std::int64_t total = 0;
    std::optional<Id> after;
    do {
      const auto piece = co_await [&] {
        return store_.read(
            [state, after](Db& db) { return store::invitations::count_in(db, state, after, count_chunk); });
      }();
      total += piece.count;
      after = piece.last;
    } while (after);
    if (total > 0) counts.invitations[std::string(model::to_text(state))] = total;
  }
  co_return counts;
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
