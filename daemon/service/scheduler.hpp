// Releases what is due. Due is a question to the store, not a timer: per distinct zone one indexed range query over the
// civil due (ARCHITECTURE §5), then the decision function has the last word for each user.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>

#include "core/clock.hpp"
#include "core/wakeup.hpp"
#include "service/batches.hpp"
#include "service/catch_up.hpp"
#include "service/planner.hpp"
#include "store/store.hpp"

namespace invited::service {

class Scheduler {
public:
  Scheduler(store::Store& store, core::Clock& clock, boost::asio::any_io_executor executor,
            std::shared_ptr<Planner> planner, Batches& batches, const SendingGate& gate);

  // Runs until cancelled: looks each second, and at once when rung. [core-thread]
  boost::asio::awaitable<void> run();
  // One look; the number of invitations whose time had come. More at once than the brakes allow are held as one batch.
  // [core-thread]
  boost::asio::awaitable<std::size_t> pass();
  // At start: if the companies' settings (hour, lead, zone, …) are not those that the standing plans were made with,
  // plans them again. The number looked at. [core-thread]
  boost::asio::awaitable<std::size_t> plan_again_if_settings_changed();
  void ring() { wakeup_.ring(); }
  // Called after something was released or an account is to be made.
  void on_released(std::function<void()> call) { on_released_ = std::move(call); }

private:
  struct Due;
  boost::asio::awaitable<Due> look();
  boost::asio::awaitable<std::size_t> release_due(std::vector<std::string> zones, std::shared_ptr<Gathering> gathering);
  store::Store& store_;
  core::Clock& clock_;
  core::Wakeup wakeup_;
  std::shared_ptr<Planner> planner_;
  Batches& batches_;
  const SendingGate& gate_;
  std::function<void()> on_released_;
};

}  // namespace invited::service
