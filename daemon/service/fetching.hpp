// Reads the sources: one loop for each source that can be fetched, and pushes that come through the control socket.
//
// fetch → intake (durable) → cursor durable → finish: the source settles its side only after everything it gave is in
// the store. A crash anywhere reads the same records again, and the same records again change nothing. That the source
// still has to settle its side is stored with the cursor: it is asked again, also after a restart, before it is read
// on.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/task_scope.hpp"
#include "core/wakeup.hpp"
#include "model/ports.hpp"
#include "service/batches.hpp"
#include "service/catch_up.hpp"
#include "service/intake.hpp"
#include "store/store.hpp"

namespace invited::service {

struct SourceStatus {
  std::string name;
  std::string plugin;
  bool fetches = false;
  std::optional<Instant> last_read;
  std::optional<Instant> last_change;  // the last fetch that had records
  std::string trouble;                 // why the last fetch failed, else the last request to its routes
  std::uint64_t rows = 0;              // since the start, fetched and pushed
};

// Lets a source handle one request, its records going to the sink.
using PushHandler = std::function<boost::asio::awaitable<core::Result<model::SourceReply>>(model::SourceSink)>;

struct SyncDone {
  std::size_t rows = 0;
  Settled settled;
};

struct PushDone {
  model::SourceReply reply;
  Settled settled;
};

class Fetching {
public:
  Fetching(store::Store& store, core::Clock& clock, boost::asio::any_io_executor executor, Intake& intake,
           Batches& batches, SendingGate& gate, std::vector<model::Source*> sources);

  // Spawns one loop per fetching source. [core-thread]
  void start(core::TaskScope& scope);
  // Fetches one source until it has no more; rows go to `progress`. All of it is one batch (service/batches.hpp). A dry
  // run stores nothing, moves no cursor and does not tell the source that its records were taken: it gives them again.
  // [core-thread]
  boost::asio::awaitable<core::Result<SyncDone>> sync(std::string name, RowsProgress progress, bool dry_run = false);
  // A push from the control socket. Results through `progress`. A file is a batch; a record by hand is not, whatever it
  // does happens at once. [core-thread]
  boost::asio::awaitable<core::Result<PushDone>> push(std::string name, model::SourcePush push, IntakeContext context,
                                                      RowsProgress progress);
  // One request to a path that the source's plugin serves: each is a batch, its records happen and leave a trace as
  // those of a fetch. Throws what the store or `handle` throws. [core-thread]
  boost::asio::awaitable<core::Result<model::SourceReply>> serve(std::string name, PushHandler handle);
  // The first source that can write exports, lent until the pointer is let go: one export at a time. Error codes
  // no_export_source, export_running. [core-thread]
  [[nodiscard]] core::Result<std::shared_ptr<model::Source>> lend_exporter();
  // The first source that takes this kind of push; empty if none does.
  [[nodiscard]] std::string taker_of(std::string_view kind) const;
  [[nodiscard]] bool has(const std::string& name) const { return entries_.contains(name); }
  [[nodiscard]] std::vector<SourceStatus> status() const;
  // Called when intake may have released something.
  void on_applied(std::function<void()> call) { on_applied_ = std::move(call); }

private:
  struct Entry {
    model::Source* source = nullptr;
    std::unique_ptr<core::Wakeup> wakeup;
    SourceStatus status;
    std::string route_trouble;                // why its last request failed
    std::vector<model::RowResult> unsettled;  // of the fetch that finish() has not answered for
    bool busy = false;
    bool waits = false;                     // the last fetch left something that cannot be read yet
    std::weak_ptr<model::Source> exporter;  // while it is lent
  };
  boost::asio::awaitable<void> loop(std::string name);
  boost::asio::awaitable<void> read(std::string name);  // a failure is told and ends it
  boost::asio::awaitable<core::Result<bool>> fetch_once(std::string name, RowsProgress progress,
                                                        std::shared_ptr<Gathering> gathering, std::size_t* rows);
  boost::asio::awaitable<core::Result<std::size_t>> fetch_all(std::string name, RowsProgress progress,
                                                              std::shared_ptr<Gathering> gathering);
  boost::asio::awaitable<core::Result<void>> settle_source(std::string name, std::string cursor, bool stored);
  boost::asio::awaitable<core::Result<std::size_t>> rehearse(std::string name, RowsProgress progress,
                                                             std::shared_ptr<Gathering> gathering);

  store::Store& store_;
  core::Clock& clock_;
  boost::asio::any_io_executor executor_;
  Intake& intake_;
  Batches& batches_;
  SendingGate& gate_;
  std::vector<std::string> order_;
  std::map<std::string, Entry> entries_;
  std::function<void()> on_applied_;
};

}  // namespace invited::service
