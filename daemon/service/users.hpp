// What an administrator does with one user (PRODUCT §5) and with one invitation.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/result.hpp"
#include "service/planner.hpp"
#include "store/store.hpp"

namespace invited::service {

// `unknown_user` if there is none with this user-id (without regard to case).
[[nodiscard]] core::Result<Loaded> find_user(Db& db, const std::string& user_id);

struct Act {
  std::string actor;
  bool dry_run = false;
  // Sees what the change left, before a dry run gives it back; not called when the change is refused. [store's thread]
  std::function<void(Db&)> look = {};
};

class Users {
public:
  Users(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner);

  // W12: sent now, whatever W2 says; never before the last approval. Errors name the reason code of the decision
  // ("in_review", …).
  boost::asio::awaitable<core::Result<Applied>> send_verification(std::string user_id, Act act);
  boost::asio::awaitable<core::Result<void>> disconnect(std::string user_id, Act act);
  boost::asio::awaitable<core::Result<void>> reset_password(std::string user_id, Act act);
  boost::asio::awaitable<core::Result<void>> set_enabled(std::string user_id, bool enabled, Act act);

  // Held mails: go again, or end. Revoke: the link is over.
  boost::asio::awaitable<core::Result<void>> release(Id invitation, Act act);
  boost::asio::awaitable<core::Result<void>> discard(Id invitation, Act act);
  boost::asio::awaitable<core::Result<void>> revoke(Id invitation, Act act);

  // Called when there may be a mail to send or a task for the provider.
  void on_work(std::function<void()> call) { on_work_ = std::move(call); }

private:
  template <class T, class F>
  boost::asio::awaitable<core::Result<T>> change(Act act, F work);
  store::Store& store_;
  core::Clock& clock_;
  std::shared_ptr<Planner> planner_;
  std::function<void()> on_work_;
};

}  // namespace invited::service
