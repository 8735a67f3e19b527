// docs/states.md, made from the tables of model/states.hpp. `print_states` prints it; a test compares.
#pragma once

#include <string>

namespace invited::model {

[[nodiscard]] std::string states_document();

}  // namespace invited::model
