// Records from sources become users and employments (PRODUCT §6): by hand, by file and by API through the same code.
//
// Only the fields present change anything. A bad login email never stops the row's other fields; a bad row never stops
// the others. Each row is applied whole or not at all; its consequence (the decision) is part of the same transaction.
//
//   RowResult row = Intake::apply(db, planner, record, {.source = "hr", .actor = "source:hr"}, now);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/ports.hpp"
#include "model/record.hpp"
#include "service/planner.hpp"
#include "service/rows_seen.hpp"
#include "service/waiting_rows.hpp"
#include "store/store.hpp"

namespace invited::service {

struct IntakeContext {
  std::string source;  // instance name
  std::string actor;
  bool dry_run = false;
  // Sees what each applied row left, before a dry run gives it back. [store's thread]
  std::function<void(Db&, const model::RowResult&)> look = {};
  // Sees the same rows of the store as they were before it, once a dry run has given the change back. [store's thread]
  std::function<void(Db&, const model::RowResult&)> look_back = {};
  // Of a run of many rows: keeps back what would go out at once, and withdrawals of people who wait, until its end.
  std::shared_ptr<Gathering> gathering = {};
  bool by_herself = false;   // typed by the person whom it is about
  bool must_be_new = false;  // a user who is there already is no user to add
  bool at_once = false;      // a look at the future: each row as if it were alone
  // Told about how many rows will come, where the source knows it. [core-thread]
  std::function<void(std::int64_t rows)> expect = {};
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
    // Once, when the source has given everything: the rows that waited for others (waiting_rows.hpp) have their turn.
    // Throws what the store throws.
    boost::asio::awaitable<void> finish();
    // In the order of the rows; whole after finish().
    [[nodiscard]] const std::vector<model::RowResult>& results() const;

  private:
    struct State;
    std::shared_ptr<State> state_;
  };

  // Applies one row inside a store closure. `seen`: of a run, null for a row by itself. Throws AddressTaken
  // (row_email.hpp) in a run, when the row has to wait for another one.
  static model::RowResult apply(Db& db, Planner& planner, const model::SourceRecord& record,
                                const IntakeContext& context, Instant now, RowsSeen* seen = nullptr);

private:
  struct Done;
  static Done first_look(Db& db, Planner& planner, model::SourceRecord record, const IntakeContext& context,
                         Instant now, RowsSeen& seen);
  boost::asio::awaitable<std::vector<Done>> apply_chunk(std::vector<model::SourceItem> items, IntakeContext context,
                                                        std::shared_ptr<RowsSeen> seen);
  // Each inner vector is a turn (waiting_rows.hpp).
  boost::asio::awaitable<std::vector<model::RowResult>> apply_waiting(std::vector<std::vector<WaitingRow>> turns,
                                                                      IntakeContext context,
                                                                      std::shared_ptr<RowsSeen> seen);
  store::Store& store_;
  core::Clock& clock_;
  std::shared_ptr<Planner> planner_;
};

}  // namespace invited::service
