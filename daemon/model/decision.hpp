// The one decision function (ARCHITECTURE §5): what happens next for a user, when and why.
//
// The scheduler acts on it, `plan` and `why` print it, bulk sends count by it. There is no second place that knows a
// rule of PRODUCT §2. Pure: the same facts give the same answer.
//
//   Decision d = decide({.user = user, .employment = &employment, .policy = policy, .now = clock.now()});
//   if (d.action == Action::send && d.at <= now) release(…);
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "model/entities.hpp"
#include "model/policy.hpp"
#include "model/reasons.hpp"

namespace invited::model {

enum class Action : std::uint8_t {
  none,    // nothing until somebody does something; the reasons say what
  review,  // waits for the last approval; the invitation is a draft
  send,  // the mail goes out at `at`; an open invitation whose mail is out, or of another address, is superseded by it
  deliver,  // released: the mail is on its way, next try at `at`
  connect,  // the account is made now, for the login email of the user
  cancel,   // what is open ends now (W10)
  expire,   // the open link ends at `at`
  disable,  // leaver: disabled and disconnected at `at`
};

[[nodiscard]] std::string_view to_text(Action);

struct Facts {
  const User& user;
  const Employment* employment = nullptr;  // the one in force: the earliest not withdrawn and not over, else the latest
  const Employment* next = nullptr;        // the one that follows it, not withdrawn
  const Invitation* invitation = nullptr;  // the newest
  const Delivery* delivery = nullptr;      // of that invitation
  const Delivery* sign_in_mail = nullptr;  // likewise: tells who was connected that the sign-in is ready
  const ProviderTask* account_task = nullptr;  // the account that is to be made at the provider
  bool domain_verified = false;                // of user.login_email_domain
  const Policy& policy;
  Instant now{};
  bool asked = false;                         // W12/W13: an administrator asks for it in this moment
  std::vector<std::string> review_open = {};  // steps of the review that may be approved now
  // Of the user templates, instead of the policy's.
  std::optional<int> leaver_days = std::nullopt;
  std::optional<int> next_leaver_days = std::nullopt;
  // The batch in which a withdrawal or disabling of this user waits for a person (model/batch.hpp).
  std::optional<Id> leaving_batch = std::nullopt;
};

struct Decision {
  Action action = Action::none;
  Instant at{};                 // when; for `send` now means at once
  std::optional<CivilDue> due;  // the civil intention behind `at`, where a date decides
  bool follows = false;         // of foreseen(): what the act before it leads to by itself
  std::vector<Reason> reasons;  // the chain, the deciding one last; never empty (W14)

  [[nodiscard]] std::string_view reason() const { return reasons.back().code; }
};

// What happens next with the offer. Never throws for valid facts.
[[nodiscard]] Decision decide(const Facts& facts);

// When the leaver rule of PRODUCT §5 disables this user: the first instant of the day after end date + leaver_days.
// Employments that follow each other count as one; where the next one is invited only after that day, the user is
// disabled in between (reason between_employments) and comes back when that invitation is due.
[[nodiscard]] std::optional<Decision> leaving(const Facts& facts);

// Likewise for a user who is disabled between two employments: when the next one disables her again.
[[nodiscard]] std::optional<Decision> leaving_again(const Facts& facts);

// Everything that is foreseen, earliest first; empty if nothing happens by itself. Nothing follows a disabling, but for
// the next employment.
[[nodiscard]] std::vector<Decision> foreseen(const Facts& facts);

// When a user who is disabled between two employments comes back: when the invitation of the next one is due.
[[nodiscard]] bool comes_back_now(const Employment& employment, const Policy& policy, Instant now);

// Whether login emails of this company may have this domain.
[[nodiscard]] bool domain_allowed(const Policy& policy, std::string_view domain);

// W2's civil due for a start date.
[[nodiscard]] CivilDue due_for(CivilDate start, const Policy& policy);

}  // namespace invited::model
