// Bulk sends (W13) in two steps: a plan that counts, then a run of exactly that plan. Plans and their items are rows: a
// run that was interrupted goes on from the items not yet done, and nobody is sent to twice.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "model/filter.hpp"
#include "service/planner.hpp"
#include "store/store.hpp"

namespace invited::service {

struct BulkRequest {
  model::UserFilter filter;
  bool include_scheduled = false;
  bool include_recent = false;
};

struct BulkPlan {
  Id key;
  std::int64_t matched = 0;
  std::int64_t send = 0;
  std::int64_t connect = 0;                     // in a verified domain: connected instead
  std::map<std::string, std::int64_t> skipped;  // by reason code
  std::vector<std::string> examples;            // user-ids of the first that would be sent to
};

struct BulkProgress {
  std::int64_t done = 0;
  std::int64_t total = 0;
  std::int64_t sent = 0;
  std::int64_t connected = 0;
  std::int64_t failed = 0;                      // the store refuses them; the journal says why
  std::map<std::string, std::int64_t> skipped;  // changed since the plan was made
};
using OnBulkProgress = std::function<void(const BulkProgress&)>;

// What a bulk send would do with one user: "send", "connect", or the reason code of skipping.
// `cooldown`: accepted this recently counts as recent (W13).
[[nodiscard]] std::string_view bulk_outcome(const model::Facts& asked_facts, bool include_scheduled,
                                            bool include_recent, core::Milliseconds cooldown);

class Bulk {
public:
  Bulk(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner, core::Milliseconds cooldown);

  // Counts and stores the plan. [core-thread]
  boost::asio::awaitable<BulkPlan> plan(BulkRequest request, std::string actor);
  // Marks a plan as running, once; `plan_not_runnable` if it is running, done or unknown. Then: go_on(). What it does
  // stands in the record as `actor`'s doing; empty: as that of who made the plan. [core-thread]
  boost::asio::awaitable<core::Result<void>> start(Id plan, std::string actor = {});
  // Plans that are running, also from before a restart. [core-thread]
  boost::asio::awaitable<std::vector<Id>> interrupted();
  // Works off the items not yet done, to the end. [core-thread]
  boost::asio::awaitable<BulkProgress> go_on(Id plan, OnBulkProgress progress);
  // What running the plan would do now, without effect. `plan_not_runnable` as start(). [core-thread]
  boost::asio::awaitable<core::Result<BulkProgress>> rehearse(Id plan, OnBulkProgress progress);
  void on_work(std::function<void()> call) { on_work_ = std::move(call); }

private:
  boost::asio::awaitable<BulkProgress> before(Id plan);  // what is done of it so far
  store::Store& store_;
  core::Clock& clock_;
  std::shared_ptr<Planner> planner_;
  core::Milliseconds cooldown_;
  std::function<void()> on_work_;
};

}  // namespace invited::service
