// One run of the daemon: every service on one executor, from start to crash. The database outlives it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>

#include "service/batches.hpp"
#include "service/bulk.hpp"
#include "service/connecting.hpp"
#include "service/delivery.hpp"
#include "service/domains.hpp"
#include "service/fetching.hpp"
#include "service/intake.hpp"
#include "service/links.hpp"
#include "service/reviews.hpp"
#include "service/scheduler.hpp"
#include "service/self_service.hpp"
#include "service/sweep.hpp"
#include "service/users.hpp"
#include "sim/peers.hpp"
#include "store/store.hpp"

namespace invited::sim {

// A domain lapses within the days of a run.
inline service::DomainSettings domain_settings() {
  return {.recheck = std::chrono::hours{12},
          .pending_recheck = std::chrono::hours{1},
          .lapse_after = std::chrono::hours{48}};
}

inline constexpr std::chrono::minutes page_lifetime{30};  // of self-service

class Running {
public:
  Running(store::Db& db, World& world, core::Random& random, const core::TokenRing& tokens, service::MailWriter& writer,
          Relay& relay, Provider& provider, Resolver& dns, HrSystem& hr);
  ~Running();  // the crash: everything under way is dropped where it stands
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  boost::asio::io_context& io() { return *io_; }
  // Goes on with a started plan in the daemon's own scope.
  void go_on(const Id& plan);
  void start_the_rest();
  // The list of users as a file, and in again.
  boost::asio::awaitable<std::vector<model::RowResult>> export_and_import();
  // One row, typed in by eva.
  boost::asio::awaitable<model::RowResult> enter(model::SourceRecord record);
  // Likewise with a batch that a person decided about.
  void work_off(const Id& batch);

private:
  World& world_;
  std::unique_ptr<boost::asio::io_context> io_ = std::make_unique<boost::asio::io_context>(1);
  std::optional<store::Store> store_;
  std::shared_ptr<const model::Policies> policies_;
  std::shared_ptr<service::Planner> planner_;
  service::SendingGate gate_;
  std::optional<core::TaskScope> scope_;
  std::optional<service::Intake> intake_;
  std::optional<service::Delivery> delivery_;
  std::optional<service::Scheduler> scheduler_;
  std::optional<service::Connecting> connecting_;
  std::optional<service::Sweep> sweep_;
  std::optional<service::Fetching> fetching_;

public:
  std::optional<service::Users> users;
  std::optional<service::Reviews> reviews;
  std::optional<service::Links> links;
  std::optional<service::SelfService> self_service;
  std::optional<service::Domains> domains;
  std::optional<service::Bulk> bulk;
  std::optional<service::Batches> batches;
};

}  // namespace invited::sim
