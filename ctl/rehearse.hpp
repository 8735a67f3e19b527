// `rehearse`: takes the files of a rehearsal as they come and writes them with the caller's rights.
#pragma once

#include "invocation.hpp"
#include "output.hpp"
#include "session.hpp"

namespace invited::ctl {

// The exit code. Throws Failure; what was written until then stays.
[[nodiscard]] int run_rehearsal(Session& session, const Output& output, const Invocation& call);

}  // namespace invited::ctl
