// The words that the command table is written in, shared by its chapters (commands_*.cpp). Private to daemon/api.
#pragma once

#include <string_view>
#include <vector>

#include "api/commands.hpp"

namespace invited::api {

using Arguments = std::vector<Argument>;

[[nodiscard]] Arguments operator+(Arguments left, Arguments right);

[[nodiscard]] Argument path(std::string_view field, std::string_view help);
[[nodiscard]] Argument query(std::string_view name, std::string_view field, Type type, std::string_view help,
                             std::vector<std::string_view> choices = {}, std::string_view fallback = {});
[[nodiscard]] Argument body(std::string_view name, std::string_view field, Type type, std::string_view help);
[[nodiscard]] Argument clearable(std::string_view name, std::string_view field, Type type, std::string_view help);
[[nodiscard]] Argument switch_on(std::string_view name, std::string_view field, In in, std::string_view help);
[[nodiscard]] Argument required(Argument argument);
[[nodiscard]] Arguments paging();
// The same filter everywhere (PRODUCT §5): in the query of a list, in the body's "filter" of a bulk plan.
[[nodiscard]] Arguments user_filter(In in);
// The words of model::InvitationState.
[[nodiscard]] std::vector<std::string_view> invitation_states();

// The chapters of the table.
[[nodiscard]] std::vector<Command> user_commands();
[[nodiscard]] std::vector<Command> bulk_commands();
[[nodiscard]] std::vector<Command> invitation_commands();
[[nodiscard]] std::vector<Command> batch_commands();
[[nodiscard]] std::vector<Command> installation_commands();
[[nodiscard]] std::vector<Command> running_commands();

}  // namespace invited::api
