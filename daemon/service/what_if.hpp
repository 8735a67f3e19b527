// What would change a decision: the same facts with one thing different, decided by the same function.
//
//   for (const WhatIf& other : what_if(planner, loaded, now)) …       // "approved today": the mail goes out at once …
//
// Only what makes a difference is told. Pure but for the loaded rows; any thread.
#pragma once

#include <string>
#include <vector>

#include "service/planner.hpp"

namespace invited::service {

struct WhatIf {
  std::string change;        // what would be different, in words: "approved today"
  model::Decision decision;  // and what would happen then, with its reasons
};

[[nodiscard]] std::vector<WhatIf> what_if(const Planner& planner, const Loaded& loaded, Instant now);

}  // namespace invited::service
