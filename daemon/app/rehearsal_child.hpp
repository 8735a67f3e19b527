// `invitectl rehearse` from the daemon's side: a consistent copy of the state, a child process that plays on it, and
// its events as the answer's body.
//
// Nothing of it is buffered: the child's pipe is read as fast as the client takes it. One rehearsal at a time; it ends
// with its stream, and the copy goes with it.
#pragma once

#include <filesystem>
#include <memory>

#include "config/config.hpp"
#include "control/server.hpp"
#include "core/clock.hpp"
#include "core/http_message.hpp"
#include "core/result.hpp"
#include "core/task_scope.hpp"
#include "store/store.hpp"

namespace invited::app {

class Rehearsals {
public:
  // All references outlive it. Removes what an earlier process left behind. Blocks on the disk.
  Rehearsals(const config::Config& config, std::filesystem::path config_file, store::Store& store, core::Clock& clock,
             core::TaskScope& scope, boost::asio::any_io_executor executor);

  // Checks the request and gives the stream; work begins as it is read. Errors: those of rehearsal_settings(),
  // rehearsal_running. [core-thread]
  [[nodiscard]] core::Result<core::HttpBodyStream> begin(control::RehearsalRequest request);

private:
  struct Run;
  const config::Config& config_;
  std::filesystem::path config_file_;
  store::Store& store_;
  core::Clock& clock_;
  core::TaskScope& scope_;
  boost::asio::any_io_executor executor_;
  std::weak_ptr<Run> running_;
};

}  // namespace invited::app
