// Which links are likely to fail their person (`invitectl plan risk`): measured by the company's working calendar,
// which moves no mail. Pure.
//
//   LinkLife life{.opens = accepted_at, .ends = ends_at, .start = employment.start_date, .start_in_mail = then};
//   for (const Reason& risk : risks_of(life, policy)) …          // no_working_day, ends_before_start, start_moved
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "model/civil_time.hpp"
#include "model/policy.hpp"
#include "model/reasons.hpp"

namespace invited::model {

namespace risk {
inline constexpr std::string_view no_working_day = "no_working_day";        // less than one working day to use it
inline constexpr std::string_view ends_before_start = "ends_before_start";  // over before the first day of work
inline constexpr std::string_view start_moved = "start_moved";              // W6: the mail is out, the start is another
}  // namespace risk

struct LinkLife {
  Instant opens{};                         // when the mail was accepted, or is planned to be
  Instant ends{};                          // first instant at which the link is dead
  std::optional<CivilDate> start;          // first day of the employment, as it is now
  std::optional<CivilDate> start_in_mail;  // as it was when the mail went out; nothing: not out yet, or not known
};

// A day of the week on which the company works, and no holiday.
[[nodiscard]] bool works_on(const Policy& policy, CivilDate date);
// The first such day that is not before `from`; nothing if none comes within a year.
[[nodiscard]] std::optional<CivilDate> first_working_day(const Policy& policy, CivilDate from);

// Working days that the link can be used on. The day of acceptance counts if the mail was there before noon.
[[nodiscard]] int working_days_in(Instant opens, Instant ends, const Policy& policy);

// Everything that speaks against this link, in the order above; empty: nothing does.
[[nodiscard]] std::vector<Reason> risks_of(const LinkLife& life, const Policy& policy);

}  // namespace invited::model
