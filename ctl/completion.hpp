// Completion scripts for the shells, made from the command table.
#pragma once

#include <string>
#include <string_view>

namespace invited::ctl {

// `shell` is bash, zsh or fish.
[[nodiscard]] std::string completion_script(std::string_view shell);

}  // namespace invited::ctl
