// Makes accounts at the identity provider, and takes connections away again: works off the provider tasks in the store.
//
// One person, one account (PRODUCT §7 rule 5): the provider sees the user's key as external id; after a doubtful answer
// the daemon looks up by that id before it tries again, and never adopts an account by address. While an operator holds
// the state (rule 9) nothing happens at the provider either: a restored state remembers yesterday's accounts.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "core/clock.hpp"
#include "core/task_scope.hpp"
#include "core/wakeup.hpp"
#include "model/ports.hpp"
#include "service/catch_up.hpp"
#include "service/planner.hpp"
#include "store/store.hpp"

namespace invited::service {

class Connecting {
public:
  Connecting(store::Store& store, core::Clock& clock, core::Random& random, boost::asio::any_io_executor executor,
             std::shared_ptr<Planner> planner, const SendingGate& gate, model::Identity& identity);

  boost::asio::awaitable<void> run();          // until cancelled [core-thread]
  boost::asio::awaitable<std::size_t> pass();  // works off what is due; the number of tasks tried
  void ring() { wakeup_.ring(); }

private:
  boost::asio::awaitable<void> work(model::ProviderTask task);
  boost::asio::awaitable<model::ProviderAnswer> ask(model::ProviderTask task, model::AccountRequest request);

  store::Store& store_;
  core::Clock& clock_;
  core::Random& random_;
  core::Wakeup wakeup_;
  std::shared_ptr<Planner> planner_;
  const SendingGate& gate_;
  model::Identity& identity_;
};

}  // namespace invited::service
