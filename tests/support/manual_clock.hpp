// The clock of the tests and the simulator is that of the rehearsals: no test sleeps.
#pragma once

#include "core/virtual_clock.hpp"

namespace invited::test {

using ManualClock = core::VirtualClock;

}  // namespace invited::test
