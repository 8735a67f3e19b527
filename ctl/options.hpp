// The command line, made from the command table: nested verbs, each with the arguments of its command.
#pragma once

#include <tl/expected.hpp>

#include "invocation.hpp"

namespace invited::ctl {

// The checked call; or, when there is nothing to do any more (help was printed, the usage was wrong and that was said),
// the exit code.
[[nodiscard]] tl::expected<Invocation, int> read_command_line(int argc, const char* const* argv);

}  // namespace invited::ctl
