#include "confirm.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "failure.hpp"

namespace invited::ctl {

void confirm(const Settings& settings, std::string_view sentence, const std::string& word) {
  if (settings.yes) return;
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1) {
    throw Failure(exit_usage, "not_confirmed", fmt::format("{} Nothing was done: this needs a confirmation", sentence),
                  "In a script say --yes; --dry-run shows what would happen");
  }
  fmt::print(stderr, "{}\nType {} to go on: ", sentence, word);
  std::fflush(stderr);
  std::string typed;
  std::getline(std::cin, typed);
  if (typed != word) throw Failure(exit_usage, "not_confirmed", "Not confirmed. Nothing was done");
}

}  // namespace invited::ctl
