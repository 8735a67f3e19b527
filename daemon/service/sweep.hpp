// The regular ending of what is over: links past their end, leavers, old plans and pages. Touches invitations for the
// first, users for the second (PRODUCT §3, §5).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>

#include "core/clock.hpp"
#include "service/catch_up.hpp"
#include "service/planner.hpp"
#include "store/store.hpp"

namespace invited::service {

class Sweep {
public:
  Sweep(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner, const SendingGate& gate);

  boost::asio::awaitable<void> run();  // until cancelled [core-thread]
  // Links whose end has come; the number expired.
  boost::asio::awaitable<std::size_t> expire();
  // The leavers, the hand-overs and the returns that are due; their number. Who leaves is known once the sources were
  // read (W11): until the gate is open nobody does.
  boost::asio::awaitable<std::size_t> employments();
  // Users whose employment is over by more than the days of their company: disabled and disconnected.
  boost::asio::awaitable<std::size_t> disable_leavers();
  boost::asio::awaitable<std::size_t> hand_over();
  boost::asio::awaitable<std::size_t> bring_back();
  boost::asio::awaitable<std::size_t> prune_plans();
  boost::asio::awaitable<std::size_t> prune_batches();
  // Self-service pages whose time is over, for forms that are still open, too.
  boost::asio::awaitable<std::size_t> prune_self_service();
  // Called when the provider has something to do.
  void on_task(std::function<void()> call) { on_task_ = std::move(call); }

private:
  boost::asio::awaitable<std::size_t> pass();
  store::Store& store_;
  core::Clock& clock_;
  std::shared_ptr<Planner> planner_;
  const SendingGate& gate_;
  std::function<void()> on_task_;
  core::Milliseconds employments_next_{0};  // monotonic
  core::Milliseconds prune_next_{0};
};

// The employment in force has ended and the next one follows without a gap: it is over. True if so; decide again then.
bool make_way(Db& db, const Planner& planner, const Id& user, Instant now);
// "Your sign-in is ready" is not sent any more, if it has not gone out yet.
void cancel_sign_in_mail(Db& db, const Id& user);
// What disabling means, by hand and by the sweep (W10). `disconnect`: the provider is told, too.
void disable_user(Db& db, Planner& planner, const Id& user, bool disconnect, std::string_view reason,
                  const std::string& actor, Instant now);
// Deletes the connection: the provider is told, the user becomes not_connected. False if there was none.
bool disconnect_user(Db& db, Planner& planner, const Id& user, std::string_view reason, const std::string& actor,
                     Instant now);

}  // namespace invited::service
