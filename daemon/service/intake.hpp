// Records from sources become users and employments (PRODUCT §6): by hand, by file and by API through the same code.
//
// Only the fields present change anything. A bad login email never stops the row's other fields; a bad row never stops the others.
// Each row is applied whole or not at all; its consequence (the decision) is part of the same transaction.
//
//   RowResult result = intake.apply(db, record, {.source = "hr", .actor = "source:hr", .now = now}, duplicates);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "model/ports.hpp"
#include "model/record.hpp"
#include "service/planner.hpp"
#include "store/store.hpp"

namespace invited::service {

struct IntakeContext {
  std::string source;  // instance name
  std::string actor;
  bool dry_run = false;
};

// How far a run of many rows is; told after each chunk. [core-thread]
using RowsProgress = std::function<void(const std::vector<model::RowResult>& chunk)>;

class Intake {
public:
  Intake(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner);

  // One run over the items of one file or push: duplicates within it are found, whatever the chunks. [core-thread]
  class Run {
  public:
    Run(Intake& intake, IntakeContext context, RowsProgress progress);
    // A sink for Source::fetch and Source::handle.
    [[nodiscard]] model::SourceSink sink();
    [[nodiscard]] const std::vector<model::RowResult>& results() const { return *results_; }

  private:
    Intake& intake_;
    IntakeContext context_;
    RowsProgress progress_;
    std::shared_ptr<std::vector<model::RowResult>> results_;
    std::shared_ptr<std::unordered_set<std::string>> seen_;
  };

  // Applies one row inside a store closure.
  static model::RowResult apply(Db& db, Planner& planner, const model::SourceRecord& record, const IntakeContext& context, Instant now);

private:
  boost::asio::awaitable<std::vector<model::RowResult>> apply_chunk(std::vector<model::SourceItem> items, IntakeContext context,
                                                                    std::shared_ptr<std::unordered_set<std::string>> seen);
  store::Store& store_;
  core::Clock& clock_;
  std::shared_ptr<Planner> planner_;
};

}  // namespace invited::service
