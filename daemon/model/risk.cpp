#include "model/risk.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace invited::model {

namespace {

constexpr int noon = 12;
constexpr int longest_search_days = 366;

// The last date on which the link works.
CivilDate last_day(Instant ends, const std::string& zone) {
  return local_date(ends - core::Milliseconds{1}, zone);
}

}  // namespace

bool works_on(const Policy& policy, CivilDate date) {
  const std::chrono::weekday day{std::chrono::sys_days{date}};
  return policy.working_days.at(day.iso_encoding() - 1) &&
         std::ranges::find(policy.holidays, date) == policy.holidays.end();
}

std::optional<CivilDate> first_working_day(const Policy& policy, CivilDate from) {
  for (int i = 0; i < longest_search_days; ++i) {
    if (const CivilDate date = add_days(from, i); works_on(policy, date)) return date;
  }
  return std::nullopt;
}

int working_days_in(Instant opens, Instant ends, const Policy& policy) {
  if (ends <= opens) return 0;
  CivilDate date = local_date(opens, policy.zone);
  if (local_hour(opens, policy.zone) >= noon) date = add_days(date, 1);
  const CivilDate last = last_day(ends, policy.zone);
  int count = 0;
  for (; std::chrono::sys_days{date} <= std::chrono::sys_days{last}; date = add_days(date, 1)) {
    if (works_on(policy, date)) ++count;
  }
  return count;
}

std::vector<Reason> risks_of(const LinkLife& life, const Policy& policy) {
  std::vector<Reason> risks;
  const CivilDate last = last_day(life.ends, policy.zone);
  if (working_days_in(life.opens, life.ends, policy) < 1)
    risks.push_back({risk::no_working_day,
                     fmt::format("The link works from {} through {}: less than one working day lies in between.",
                                 local_text(life.opens, policy.zone), to_text(last))});
  if (life.start) {
    const CivilDate first = first_working_day(policy, *life.start).value_or(*life.start);
    if (std::chrono::sys_days{last} < std::chrono::sys_days{first})
      risks.push_back({risk::ends_before_start,
                       fmt::format("The link's last day is {}, the first day of work is {}: who has not confirmed by "
                                   "then needs a new mail.",
                                   to_text(last), to_text(first))});
    if (life.start_in_mail && *life.start_in_mail != *life.start)
      risks.push_back({risk::start_moved,
                       fmt::format("The mail went out for a start on {}; the start is {} now: nothing is sent again by "
                                   "itself.",
                                   to_text(*life.start_in_mail), to_text(*life.start))});
  }
  return risks;
}

}  // namespace invited::model
