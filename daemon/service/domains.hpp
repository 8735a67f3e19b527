// Verified domains: by operator assertion today. Verifying one connects everybody who waits in it (W4, W7), in chunks
// that a restart goes on with.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/wakeup.hpp"
#include "service/planner.hpp"
#include "service/users.hpp"
#include "store/store.hpp"

namespace invited::service {

class Domains {
public:
  Domains(store::Store& store, core::Clock& clock, boost::asio::any_io_executor executor,
          std::shared_ptr<Planner> planner);

  boost::asio::awaitable<core::Result<model::Domain>> assert_verified(std::string name, Act act);
  // W8: nobody already connected changes; new users get mails.
  boost::asio::awaitable<core::Result<void>> remove(std::string name, Act act);
  // Connects those who wait in a verified domain, at start and when rung. [core-thread]
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<std::size_t> pass();
  void on_task(std::function<void()> call) { on_task_ = std::move(call); }

private:
  store::Store& store_;
  core::Clock& clock_;
  core::Wakeup wakeup_;
  std::shared_ptr<Planner> planner_;
  std::function<void()> on_task_;
};

}  // namespace invited::service
