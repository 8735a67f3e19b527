// Brakes: what one run would do at once is gathered in a batch, and the batch is let go or held as a whole.
//
// A run (an import, a source that is read, a pass of the scheduler, a change of settings) hands the planner a
// gathering; what would be released is kept back in it, and so are withdrawals of people who wait. At the end of the
// run the batch is settled: within the limits it is worked off at once, earliest start first; above them it is held,
// and a person releases or discards it. A batch that a crash left open is settled at the next start.
//
//   auto gathering = batches.gather(model::BatchCause::import, "hr", actor);
//   …rows with {.gathering = gathering}…
//   const Settled settled = co_await batches.settle(gathering, false);      // settled.held?
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "model/batch.hpp"
#include "service/planner.hpp"
#include "store/batches.hpp"
#include "store/store.hpp"

namespace invited::service {

// What became of a run's batch. In a dry run: what would become of it, with a nil id.
struct Settled {
  Id batch;
  bool held = false;
  std::int64_t mails = 0;        // kept back, where it is held
  std::int64_t withdrawals = 0;  // likewise
  std::string sentence;          // for a person; empty: nothing is held
};

struct BatchCounts {
  std::int64_t mails = 0;
  std::int64_t withdrawals = 0;  // of employments
  std::int64_t disablings = 0;
};

// A batch as it is shown: what still waits in it.
struct BatchView {
  model::Batch batch;
  BatchCounts waiting;
  std::map<std::string, BatchCounts> companies;
  struct Example {
    std::string user_id;
    std::string name;
    std::string login_email;
    std::optional<model::CivilDate> start_date;
    model::BatchAct act = model::BatchAct::release;
  };
  std::vector<Example> examples;  // the first few
};

struct BatchProgress {
  std::int64_t done = 0;
  std::int64_t total = 0;
  std::map<std::string, std::int64_t> outcomes;  // "released", "withdrawn", "disabled", "discarded", or why not
};
using OnBatchProgress = std::function<void(const BatchProgress&)>;

class Batches {
public:
  Batches(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner, model::Brakes brakes);

  // For a run that begins now; rows are made only when something is kept back. [any-thread]
  [[nodiscard]] std::shared_ptr<Gathering> gather(model::BatchCause cause, std::string source, std::string actor,
                                                  model::BatchState state = model::BatchState::open) const;
  // The end of a run. [core-thread]
  boost::asio::awaitable<Settled> settle(std::shared_ptr<Gathering> gathering, bool dry_run);
  // Before any run: what an earlier process left open. The number of batches. [core-thread]
  boost::asio::awaitable<std::size_t> settle_left_open();

  // How many mails may go out at once now; nothing: any number. Inside a store closure.
  [[nodiscard]] std::optional<std::int64_t> limit(Db& db, Instant now) const;

  // A person decides about a held batch. `unknown_batch`, `batch_not_held`. Then: go_on(). [core-thread]
  boost::asio::awaitable<core::Result<void>> start(Id batch, bool release, std::string actor);
  // Batches that are being worked off, also from before a restart. [core-thread]
  boost::asio::awaitable<std::vector<model::Batch>> interrupted();
  // Works off what waits, to the end. [core-thread]
  boost::asio::awaitable<BatchProgress> go_on(Id batch, OnBatchProgress progress);
  // The same outcomes without effect. [core-thread]
  boost::asio::awaitable<core::Result<BatchProgress>> rehearse(Id batch, bool release, OnBatchProgress progress);

  // Newest first. [core-thread]
  boost::asio::awaitable<std::vector<model::Batch>> list(std::optional<model::BatchState> state,
                                                         std::optional<Id> before, std::size_t limit);
  boost::asio::awaitable<core::Result<BatchView>> show(Id batch);  // [core-thread]
  // Called after something was released.
  void on_work(std::function<void()> call) { on_work_ = std::move(call); }

private:
  boost::asio::awaitable<BatchView> count(model::Batch batch);
  // People with an open offer that was made before an id; counted until there are `enough`.
  boost::asio::awaitable<std::int64_t> people_who_wait(Id before, std::int64_t enough);
  // Among so many people the withdrawals are few.
  [[nodiscard]] std::int64_t plausible_among(std::int64_t withdrawals) const;
  boost::asio::awaitable<Settled> settle_rows(Id key);
  boost::asio::awaitable<Settled> decide(model::Batch batch);
  boost::asio::awaitable<void> work(model::Batch batch, model::BatchAct act, bool release, bool dry_run,
                                    BatchProgress* state, const OnBatchProgress* progress);
  [[nodiscard]] std::string sentence(std::int64_t mails, std::optional<std::int64_t> limit, std::int64_t withdrawals,
                                     std::int64_t pending) const;

  store::Store& store_;
  core::Clock& clock_;
  std::shared_ptr<Planner> planner_;
  model::Brakes brakes_;
  std::function<void()> on_work_;
};

// "The batch 0189… is held: …", with what to do.
[[nodiscard]] std::string held_sentence(const model::Batch& batch);

}  // namespace invited::service
