#include "model/record.hpp"

#include <array>

namespace invited::model {

std::string_view to_text(RowOutcome outcome) {
  constexpr std::array<std::string_view, 6> names{"created", "updated", "unchanged", "ignored", "rejected", "noted"};
  return names.at(static_cast<std::size_t>(outcome));
}

std::string RowResult::result() const {
  std::string text(to_text(outcome));
  if (!reason.empty()) text += ": " + reason;
  return text;
}

}  // namespace invited::model
