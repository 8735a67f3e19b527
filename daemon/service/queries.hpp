// Looking without touching: users, the plan, and why. Each answer is read in chunks so that a long look never holds the
// store.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "model/filter.hpp"
#include "model/risk.hpp"
#include "service/future.hpp"
#include "service/planner.hpp"
#include "service/what_if.hpp"
#include "store/audit.hpp"
#include "store/store.hpp"
#include "store/tasks.hpp"

namespace invited::service {

// A user as a list or a detail page shows it.
struct UserView {
  Loaded loaded;
  std::optional<model::Account> account;
  std::vector<model::ProviderTask> tasks;
  std::optional<model::Delivery> sign_in_mail;  // of the newest invitation
};

struct PlanItem {
  std::string user_id;
  std::string name;
  model::Decision decision;
  std::string zone;
  // End of the link: of the one that is open, or of the one that a mail would carry if it were accepted at its time.
  std::optional<Instant> link_ends_at;
};

// A link that may fail its person, and why (model/risk.hpp).
struct RiskItem {
  std::string user_id;
  std::string name;
  std::string zone;
  bool mail_out = false;  // else planned
  model::LinkLife life;
  model::Reason risk;
};

struct WhyIf {
  std::string change;            // "approved today"
  model::Reason reason;          // what would decide then
  std::optional<PlanItem> next;  // what would happen; nothing: nothing by itself
};

struct Why {
  model::User user;
  std::string zone;
  model::Decision now;           // the chain of reasons
  std::optional<PlanItem> next;  // the earliest foreseen act
  std::vector<WhyIf> what_if;
};

struct InvitationView {
  model::Invitation invitation;
  std::optional<model::Delivery> delivery;
  std::vector<model::Attempt> attempts;
  std::string user_id;
  std::string name;
  std::string zone;
};

struct Counts {
  std::int64_t users = 0;
  std::map<std::string, std::int64_t> invitations;
  std::map<std::string, std::int64_t> deliveries;
  store::tasks::Health provider;
  std::int64_t held = 0;
};

class Preview;

// What a decision means in the plan: overdue is now, and how long the link lives.
[[nodiscard]] PlanItem plan_item(const model::Facts& facts, model::Decision decision);

class Queries {
public:
  Queries(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner);

  struct UserPage {
    std::vector<UserView> users;
    std::optional<Id> next;
  };
  // In key order, behind `after`. A page may hold fewer than `limit`, or nobody, and yet have a `next`: a filter that
  // few users fit is looked for a moment only, so that the answer never takes long.
  boost::asio::awaitable<UserPage> users(model::UserFilter filter, std::optional<Id> after, std::size_t limit);
  boost::asio::awaitable<core::Result<UserView>> user(std::string user_id);
  // The same inside a store closure, with what the closure changed.
  [[nodiscard]] static core::Result<UserView> user_in(Db& db, const std::string& user_id);

  // The acts foreseen up to `until`, earliest first, `limit` of them from `behind` on; `next` goes on where there are
  // more. What is overdue happens now.
  struct PlanPage {
    std::vector<PlanItem> items;
    std::optional<Cursor> next;
  };
  boost::asio::awaitable<PlanPage> plan(Instant until, std::optional<Cursor> behind, std::size_t limit);
  // All of one user's.
  boost::asio::awaitable<core::Result<std::vector<PlanItem>>> plan_of(std::string user_id, Instant until);
  // Links at risk among those that are out and those planned up to `until`.
  struct RiskPage {
    std::vector<RiskItem> items;
    std::optional<Cursor> next;
  };
  boost::asio::awaitable<RiskPage> risks(Instant until, std::optional<Cursor> behind, std::size_t limit);
  // What an import would change; its run is pushed with the preview's context (service/preview.hpp).
  [[nodiscard]] Preview preview() const;
  boost::asio::awaitable<core::Result<Why>> why(std::string user_id);
  [[nodiscard]] core::Result<Why> why_in(Db& db, const std::string& user_id, Instant now) const;

  // Newest first. `which_user`: a user-id, empty for all; an unknown one gives nothing.
  boost::asio::awaitable<std::vector<InvitationView>> invitations(std::optional<model::InvitationState> state,
                                                                  std::optional<bool> held, std::string which_user,
                                                                  std::optional<Id> before, std::size_t limit);
  boost::asio::awaitable<core::Result<InvitationView>> invitation(Id key);
  [[nodiscard]] core::Result<InvitationView> invitation_in(Db& db, const Id& key) const;
  // Users who wait for an approval, in the order their employments were made; `next` is of the employment.
  boost::asio::awaitable<UserPage> in_review(std::optional<Id> after, std::size_t limit);
  boost::asio::awaitable<Counts> counts();
  boost::asio::awaitable<std::vector<model::AuditEvent>> audit(store::audit::Range range, std::string subject,
                                                               std::size_t limit);
  boost::asio::awaitable<store::audit::Verification> verify_audit();

private:
  [[nodiscard]] static std::optional<UserView> view(Db& db, const Id& key);
  template <class Page, class Read>
  boost::asio::awaitable<Page> pages(Instant until, std::optional<Cursor> behind, std::size_t limit, Which which,
                                     Read read);
  store::Store& store_;
  core::Clock& clock_;
  std::shared_ptr<Planner> planner_;
};

}  // namespace invited::service
