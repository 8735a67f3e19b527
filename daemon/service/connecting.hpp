// Makes accounts at the identity provider, and takes connections away again: works off the provider tasks in the store.
//
// As many calls are open at a time as the provider's window says, of one person one: a call that hangs holds up nobody
// else as long as the window has a place.
//
// One person, one account (PRODUCT §7 rule 5): the provider sees the user's key as external id; after a doubtful answer
// the daemon looks up by that id before it tries again, and never adopts an account by address. While an operator holds
// the state (rule 9) nothing happens at the provider either: a restored state remembers yesterday's accounts.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>
#include <unordered_set>
#include <vector>

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
             std::shared_ptr<Planner> planner, const SendingGate& gate, model::Identity& identity,
             core::TaskScope& scope);

  boost::asio::awaitable<void> run();  // until cancelled [core-thread]
  // Begins what is due and fits the window; the number of tasks begun. Each ends in the scope, and rings.
  boost::asio::awaitable<std::size_t> pass();
  void ring() { wakeup_.ring(); }

private:
  struct Due {
    model::ProviderTask task;
    model::AccountRequest request;
  };
  static std::vector<Due> due_at(Db& db, Instant now, std::size_t limit);
  boost::asio::awaitable<void> work(Due due);
  boost::asio::awaitable<bool> ask_and_record(Due due);
  boost::asio::awaitable<model::ProviderAnswer> ask(model::ProviderTask task, model::AccountRequest request);

  store::Store& store_;
  core::Clock& clock_;
  core::Random& random_;
  core::Wakeup wakeup_;
  std::shared_ptr<Planner> planner_;
  const SendingGate& gate_;
  model::Identity& identity_;
  core::TaskScope& scope_;
  std::shared_ptr<std::unordered_set<Id>> asked_about_;  // the users with a call open; shared with the calls
};

}  // namespace invited::service
