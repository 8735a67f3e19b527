// The one filter over users: list, bulk send and export take the same (PRODUCT §5).
#pragma once

#include <optional>
#include <string>

#include "model/civil_time.hpp"
#include "model/states.hpp"

namespace invited::model {

struct UserFilter {
  std::optional<std::string> company;
  std::optional<std::string> department;
  std::optional<std::string> authorised_company;
  std::optional<std::string> role;
  std::optional<bool> enabled;
  std::optional<Connection> connection;
  std::optional<bool> login_email_saved;
  std::optional<CivilDate> start_before;      // exclusive
  std::optional<CivilDate> start_after;       // exclusive
  std::optional<InvitationState> invitation;  // of the newest invitation
  std::optional<ReviewState> review;
  std::string search;  // free text over user-id, name, login email, alias, signature, card id, reference, department
  [[nodiscard]] bool empty() const {
    return !company && !department && !authorised_company && !role && !enabled && !connection && !start_before &&
           !start_after && !invitation && !review && !login_email_saved && search.empty();
  }
};

}  // namespace invited::model
