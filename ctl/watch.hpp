// What goes on until it ends: jobs that a verb started, jobs started earlier, the stream of events.
#pragma once

#include "output.hpp"
#include "session.hpp"

namespace invited::ctl {

// user import, source sync: start the job and stay with it.
[[nodiscard]] int run_job(Session& session, const Output& output, const Invocation& call);
[[nodiscard]] int watch_job(Session& session, const Output& output, const Invocation& call);
[[nodiscard]] int watch_events(Session& session, const Output& output, const Invocation& call);

}  // namespace invited::ctl
