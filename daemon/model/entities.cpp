#include <algorithm>
#include <array>

#include "model/entities.hpp"

namespace invited::model {

namespace {

constexpr std::array<std::string_view, 4> cause_names{"hire", "asked", "verified_domain", "renewal"};
constexpr std::array<std::string_view, 2> kind_names{"verification", "sign_in_ready"};
constexpr std::array<std::string_view, 3> domain_names{"pending", "verified", "lapsed"};
constexpr std::array<std::string_view, 3> task_names{"ensure_account", "remove_connection", "reset_password"};

template <class Value, std::size_t N>
std::optional<Value> parse(const std::array<std::string_view, N>& names, std::string_view text) {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) return std::nullopt;
  return static_cast<Value>(found - names.begin());
}

}  // namespace

std::string_view to_text(InvitationCause v) {
  return cause_names.at(static_cast<std::size_t>(v));
}
std::string_view to_text(DeliveryKind v) {
  return kind_names.at(static_cast<std::size_t>(v));
}
std::string_view to_text(DomainState v) {
  return domain_names.at(static_cast<std::size_t>(v));
}
std::string_view to_text(ProviderTaskKind v) {
  return task_names.at(static_cast<std::size_t>(v));
}
std::optional<InvitationCause> parse_invitation_cause(std::string_view t) {
  return parse<InvitationCause>(cause_names, t);
}
std::optional<DeliveryKind> parse_delivery_kind(std::string_view t) {
  return parse<DeliveryKind>(kind_names, t);
}
std::optional<DomainState> parse_domain_state(std::string_view t) {
  return parse<DomainState>(domain_names, t);
}
std::optional<ProviderTaskKind> parse_provider_task_kind(std::string_view t) {
  return parse<ProviderTaskKind>(task_names, t);
}

}  // namespace invited::model
