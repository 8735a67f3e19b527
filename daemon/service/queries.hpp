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
#include "service/planner.hpp"
#include "store/audit.hpp"
#include "store/store.hpp"

namespace invited::service {

// A user as a list or a detail page shows it.
struct UserView {
  Loaded loaded;
  std::optional<model::Account> account;
  std::vector<model::ProviderTask> tasks;
};

struct PlanItem {
  std::string user_id;
  std::string name;
  model::Decision decision;
  std::string zone;
};

// What the next act would be if something were different.
struct WhatIf {
  std::string change;
  model::Decision decision;
};

struct Why {
  model::User user;
  std::string zone;
  model::Decision now;                  // the chain of reasons
  std::optional<model::Decision> next;  // the earliest foreseen act
  std::vector<WhatIf> what_if;
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
  std::int64_t provider_tasks = 0;
  std::int64_t held = 0;
};

class Queries {
public:
  Queries(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner);

  struct UserPage {
    std::vector<UserView> users;
    std::optional<Id> next;
  };
  boost::asio::awaitable<UserPage> users(model::UserFilter filter, std::optional<Id> after, std::size_t limit);
  boost::asio::awaitable<core::Result<UserView>> user(std::string user_id);
  // The same inside a store closure, with what the closure changed.
  [[nodiscard]] static core::Result<UserView> user_in(Db& db, const std::string& user_id);

  // Every act foreseen up to `until`, earliest first; at most `limit` (then `truncated`).
  struct Plan {
    std::vector<PlanItem> items;
    bool truncated = false;
  };
  boost::asio::awaitable<Plan> plan(Instant until, std::size_t limit);
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
  store::Store& store_;
  core::Clock& clock_;
  std::shared_ptr<Planner> planner_;
};

}  // namespace invited::service
