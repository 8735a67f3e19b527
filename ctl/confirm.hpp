// Asking before what cannot be taken back.
#pragma once

#include <string>
#include <string_view>

#include "invocation.hpp"

namespace invited::ctl {

// Returns if the person (or --yes) agrees; throws Failure with exit code 2 otherwise. `sentence` says what will happen;
// `word` is what must be typed ("yes", or a count). Without a terminal and without --yes it is never a yes.
void confirm(const Settings& settings, std::string_view sentence, const std::string& word);

}  // namespace invited::ctl
