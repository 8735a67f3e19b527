// The seeded generator of the tests and the simulator is that of the rehearsals.
#pragma once

#include "core/seeded_random.hpp"

namespace invited::test {

using core::SeededRandom;

}  // namespace invited::test
