// A rehearsal as a program of its own: `invited --rehearse` on a copy of the state. The daemon starts it for
// `invitectl rehearse` (app/rehearsal_child.hpp); an operator may start it by hand on a backup.
#pragma once

#include <filesystem>
#include <string>

#include "config/config.hpp"
#include "control/server.hpp"
#include "core/result.hpp"
#include "rehearsal/rehearsal.hpp"

namespace invited::app {

// Days and times in the organisation's zone as instants. Errors: bad_range, bad_outage, bad_length, with what is wrong.
[[nodiscard]] core::Result<rehearsal::Settings> rehearsal_settings(const control::RehearsalRequest& request,
                                                                   const config::Config& config);

// Plays on `database`, which is changed, and writes into `out`, which must not exist or be empty; "-": the events of
// the API's RehearsalEvent on standard output, at lower priority, ended with the parent process. The exit code.
[[nodiscard]] int rehearse(const config::Config& config, const std::filesystem::path& database,
                           const control::RehearsalRequest& request, const std::string& out);

}  // namespace invited::app
