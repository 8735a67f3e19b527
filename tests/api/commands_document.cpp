#include "api/commands_document.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/commands.hpp"

namespace invited::api {

namespace {

std::string spoken(const Command& command) {
  return command.noun.empty() ? std::string(command.verb) : fmt::format("{} {}", command.noun, command.verb);
}

// The verb that asks for it; for a step that invitectl takes by itself, the verb that leads to it.
std::string verb_of(const Command& command) {
  if (command.in_cli) return fmt::format("`{}`", spoken(command));
  const auto all = commands();
  const auto leads = std::ranges::find_if(
      all, [&](const Command& other) { return other.bulk == command.id || other.with_file == command.id; });
  return leads == all.end() ? std::string() : fmt::format("of `{}`", spoken(*leads));
}

}  // namespace

std::string commands_document() {
  std::string text =
      "## Commands\n"
      "\n"
      "This part is printed from the command table in `daemon/api/commands_*.cpp`; after a change there, replace it by "
      "what "
      "`print_commands` prints.\n"
      "\n"
      "| request | role | dry run | `invitectl` | what it does |\n"
      "|---|---|---|---|---|\n";
  for (const Command& command : commands()) {
    if (command.method.empty()) continue;
    text += fmt::format("| `{} {}` | {} | {} | {} | {} |\n", command.method, command.path, to_text(command.role),
                        command.changes ? "yes" : "", verb_of(command), command.help);
  }
  return text;
}

}  // namespace invited::api
