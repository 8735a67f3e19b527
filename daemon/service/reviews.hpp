// The review that stands before anything is sent (W3). One step today; named flows of ordered steps take its place
// behind these two calls.
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

  // The last approval: W1 or W2 is applied in this moment. Errors: unknown_user, not_in_review. [core-thread]
  boost::asio::awaitable<core::Result<Applied>> approve(std::string user_id, Act act);
  boost::asio::awaitable<core::Result<void>> reject(std::string user_id, std::string reason, Act act);
  void on_released(std::function<void()> call) { on_released_ = std::move(call); }

private:
  store::Store& store_;
  core::Clock& clock_;
  std::shared_ptr<Planner> planner_;
  std::function<void()> on_released_;
};

}  // namespace invited::service
