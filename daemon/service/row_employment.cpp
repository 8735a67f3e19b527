#include "service/row_employment.hpp"

#include <fmt/format.h>

#include "model/templates.hpp"
#include "service/review_rules.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

void check_employment_template(const Planner& planner, const Fields& fields,
                               const std::optional<model::Employment>& present) {
  const auto name = fields.given("employment_template");
  const auto& known = planner.policies().templates();
  if (present && name == present->employment_template) return;
  if (!name || known.employments.empty() || known.employment(*name) != nullptr) return;
  std::string names;
  for (const auto& one : known.employments) names += (names.empty() ? "" : ", ") + one.name;
  throw Rejected{
      "employment_template", "unknown_template",
      fmt::format("\"{}\" is not an employment template of the configuration; those are: {}.", *name, names)};
}

// PRODUCT §5: a re-hire enables the user again. Where the employment before still runs, the leaver rule decides.
void come_back(Db& db, const Planner& planner, const Fields& fields, model::User& user, model::Employment& before,
               Instant now) {
  const auto today = model::local_date(now, planner.policies().of(user.company).zone);
  const bool ended = before.end_date && *before.end_date < today;
  if (user.enabled || !(ended || before.withdrawn) || fields.flag("enabled") == false) return;
  user.enabled = true;
  if (before.withdrawn) return;
  before.over = true;
  store::employments::update(db, before);
}

// A start date that is about another employment than the one that is there, and not about the same one moved: that one
// was taken back, or has begun and will have ended by then. A hire whose term is moved before it begins is one hire
// (W5).
bool is_another(const Planner& planner, const model::User& user, const model::Employment& employment,
                model::CivilDate start, Instant now) {
  if (employment.withdrawn) return start != employment.start_date;
  const auto today = model::local_date(now, planner.policies().of(user.company).zone);
  return employment.end_date && start > *employment.end_date && employment.start_date <= today;
}

}  // namespace

EmploymentChange take_employment(Db& db, Planner& planner, const Fields& fields, model::User& user,
                                 std::optional<model::Employment>& employment, const std::string& actor, Instant now) {
  check_employment_template(planner, fields, employment);
  const auto start = fields.date("start_date");
  const auto end = fields.date("end_date");
  const bool end_present = fields.find("end_date") != nullptr;
  const auto in_review = fields.flag("in_review");
  const auto withdrawn = fields.flag("withdrawn");
  const bool comes_back = start && employment && is_another(planner, user, *employment, *start, now);
  const bool made_now = start && (!employment || comes_back);
  if (made_now) {
    // What nobody has approved yet, or was taken back, is not approved by another start date.
    const bool unapproved = comes_back && (employment->review == model::ReviewState::pending ||
                                           employment->review == model::ReviewState::rejected ||
                                           (employment->withdrawn && !employment->flow.empty()));
    const bool same_hire = unapproved || (comes_back && employment->withdrawn);
    const std::string same_template = same_hire ? employment->employment_template : std::string();
    if (comes_back) come_back(db, planner, fields, user, *employment, now);
    model::Employment made;
    made.key = planner.new_id();
    made.user = user.key;
    made.start_date = *start;
    made.end_date = end;
    made.employment_template = fields.given("employment_template").value_or(same_template);
    made.withdrawn = withdrawn.value_or(false);
    made.hire_open = user.connection != model::Connection::connected;  // W0
    made.created_at = now;
    enter_review(planner.policies(), made, unapproved || in_review.value_or(false));
    note_entered_by(made, actor);
    employment = made;
  } else if (!employment) {
    if (end || in_review.value_or(false) || withdrawn.value_or(false) || fields.given("employment_template"))
      throw Rejected{"start_date", "start_date_missing", "There is no employment to change: give its start_date."};
    return {};
  }
  model::Employment& e = *employment;
  const model::Employment before = e;
  if (start) e.start_date = *start;
  // Of a withdrawn employment an export says nothing: what it leaves empty clears nothing when it comes back.
  const bool cells_clear = made_now || start || !e.withdrawn;
  if (end_present && (end || cells_clear)) e.end_date = end;
  if (const std::string* text = fields.find("employment_template"); text != nullptr && (!text->empty() || cells_clear))
    e.employment_template = *text;
  if (withdrawn) e.withdrawn = *withdrawn;
  if (!made_now && e.employment_template != before.employment_template) {
    if (change_flow(planner.policies(), e, in_review.value_or(false))) {
      // What was approved in the flow before says nothing in this one.
      (void)store::employments::take_back_approvals(db, e.key);
      note_entered_by(e, actor);
    }
  } else if (!made_now && in_review.value_or(false) && e.flow.empty() && e.hire_open) {
    enter_review(planner.policies(), e, true);
    note_entered_by(e, actor);
  }
  if (e.end_date && *e.end_date < e.start_date)
    throw Rejected{"end_date", "end_before_start", "The employment would end before it starts."};
  return {.changed = made_now || !(e == before),
          .made = made_now,
          .start_moved = !made_now && e.start_date != before.start_date};
}

std::optional<model::Employment> employment_meant(Db& db, const Fields& fields, const Id& user) {
  auto in_force = store::employments::in_force(db, user);
  if (const auto start = fields.date("start_date")) {
    if (auto same = store::employments::starting_on(db, user, *start)) return same;
    if (auto newest = store::employments::newest(db, user); newest && newest->start_date == *start) return newest;
    if (in_force && in_force->end_date && *start > *in_force->end_date) return store::employments::latest(db, user);
  }
  return in_force;
}

void keep_leaver_disabled(const Planner& planner, const std::optional<model::User>& present,
                          const std::optional<model::Employment>& employment, model::User& user, Instant now) {
  if (!present || present->enabled || !user.enabled || !employment) return;
  Loaded then{.user = user};
  then.employment = employment;
  const auto left = model::leaving(planner.facts(then, now));
  if (employment->gap == model::GapState::waits || (left && left->at <= now)) user.enabled = false;
}

}  // namespace invited::service
