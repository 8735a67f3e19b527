#include "model/states_document.hpp"

#include <fmt/format.h>

#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "model/states.hpp"

namespace invited::model {

namespace {

template <class State>
std::string diagram(std::span<const Transition<State>> table, std::set<State> ends) {
  std::string text = "```mermaid\nstateDiagram-v2\n";
  for (const auto& t : table) text += fmt::format("    {} --> {}\n", t.from ? to_text(*t.from) : "[*]", to_text(t.to));
  for (const State state : ends) text += fmt::format("    {} --> [*]\n", to_text(state));
  return text + "```\n";
}

template <class State>
std::string rows(std::span<const Transition<State>> table) {
  std::string text = "| from | to | what causes it |\n|---|---|---|\n";
  for (const auto& t : table)
    text += fmt::format("| {} | {} | {} |\n", t.from ? fmt::format("`{}`", to_text(*t.from)) : "(new)",
                        fmt::format("`{}`", to_text(t.to)), t.event);
  return text;
}

}  // namespace

std::string states_document() {
  std::set<InvitationState> ended;
  for (const auto& t : invitation_transitions())
    if (!live(t.to)) ended.insert(t.to);
  return "# States of an invitation and of a delivery\n\n"
         "The tables in `daemon/model/states.cpp` are the source. This page is printed from them; after a change "
         "there, run\n"
         "`print_states > docs/states.md`. A transition that is not listed does not exist: the store refuses it.\n\n"
         "## Invitation\n\n"
         "One offer to verify one login email. At most one per user is `draft`, `scheduled`, `released`, `sent` or "
         "`verified`.\nHeld is a flag beside the state.\n\n" +
         diagram(invitation_transitions(), std::move(ended)) + "\n" + rows(invitation_transitions()) +
         "\n## Delivery\n\n"
         "One mail on its way. `accepted` means that the next mail server took it; more is never known.\n\n" +
         diagram(delivery_transitions(), {DeliveryState::accepted, DeliveryState::cancelled}) + "\n" +
         rows(delivery_transitions());
}

}  // namespace invited::model
