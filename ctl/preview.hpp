// `plan show --with FILE`: what an import would change, user by user.
#pragma once

#include "invocation.hpp"
#include "output.hpp"
#include "session.hpp"

namespace invited::ctl {

// The exit code: 3 when rows of the file were rejected. Throws Failure.
[[nodiscard]] int run_preview(Session& session, const Output& output, const Invocation& call);

}  // namespace invited::ctl
