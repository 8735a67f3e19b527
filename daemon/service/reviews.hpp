// The review that stands before anything is sent (W3): named flows of ordered steps, chosen by the employment template.
//
//   auto applied = co_await reviews.approve("14", "manager", {.actor = actor});
//
// Only the last approval releases: W1 or W2 is applied in that moment, in the same transaction.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/result.hpp"
#include "service/planner.hpp"
#include "service/users.hpp"
#include "store/store.hpp"

namespace invited::service {

class Reviews {
public:
  Reviews(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner);

  // Approves one step; an empty name means the only one that is open. Errors: unknown_user, not_in_review,
  // unknown_step, step_not_open (an earlier one comes first, or it is approved already), which_step (several are open),
  // four_eyes (the actor entered the hire). [core-thread]
  boost::asio::awaitable<core::Result<Applied>> approve(std::string user_id, std::string step, Act act);
  // Nothing is sent (W10). Errors: unknown_user, not_in_review.
  boost::asio::awaitable<core::Result<void>> reject(std::string user_id, std::string reason, Act act);
  // A rejected or finished review of a hire whose mail is not out starts again from its first step.
  // Errors: unknown_user, no_review, mail_is_out.
  boost::asio::awaitable<core::Result<void>> reopen(std::string user_id, Act act);
  // Everybody in review counts by the flows as they are configured now: who was in a flow that is gone goes on in the
  // default one, who has nothing left to wait for passes. At start. The number of finished reviews.
  boost::asio::awaitable<std::size_t> settle_all(std::shared_ptr<Gathering> gathering = {});
  void on_released(std::function<void()> call) { on_released_ = std::move(call); }

private:
  template <class T, class F>
  boost::asio::awaitable<core::Result<T>> change(std::string user_id, Act act, F work);
  store::Store& store_;
  core::Clock& clock_;
  std::shared_ptr<Planner> planner_;
  std::function<void()> on_released_;
};

}  // namespace invited::service
