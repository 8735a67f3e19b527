#include "api/commands.hpp"

#include <algorithm>
#include <iterator>

#include "api/command_words.hpp"

namespace invited::api {

std::string_view to_text(Role role) {
  switch (role) {
    case Role::viewer:
      return "viewer";
    case Role::operator_:
      return "operator";
    case Role::admin:
      return "admin";
  }
  return "admin";
}

const Argument* Command::argument(std::string_view field) const {
  const auto found = std::ranges::find(arguments, field, &Argument::field);
  return found == arguments.end() ? nullptr : &*found;
}

std::span<const Command> commands() {
  static const std::vector<Command> table = [] {
    std::vector<Command> all;
    for (auto make :
         {user_commands, bulk_commands, invitation_commands, batch_commands, installation_commands, running_commands}) {
      std::ranges::move(make(), std::back_inserter(all));
    }
    return all;
  }();
  return table;
}

const Command* find(std::string_view id) {
  const auto all = commands();
  const auto found = std::ranges::find(all, id, &Command::id);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace invited::api
