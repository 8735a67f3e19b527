// Acting on everyone a filter selects: plan, show, confirm, run exactly that plan, watch.
#pragma once

#include "output.hpp"
#include "session.hpp"

namespace invited::ctl {

[[nodiscard]] int run_bulk(Session& session, const Output& output, const Invocation& call);

}  // namespace invited::ctl
