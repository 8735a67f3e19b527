// The table of docs/control-api.md, made from the command table. `print_commands` prints it; a test compares.
#pragma once

#include <string>

namespace invited::api {

// From the heading of the table to the end of the page.
[[nodiscard]] std::string commands_document();

}  // namespace invited::api
