#include "service/intake.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/events.hpp"
#include "core/log.hpp"
#include "model/email.hpp"
#include "model/templates.hpp"
#include "model/text.hpp"
#include "service/review_rules.hpp"
#include "service/sweep.hpp"
#include "store/batches.hpp"
#include "store/invitations.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

using model::RowOutcome;
using model::RowResult;

constexpr std::array<std::string_view, 21> known_fields{
    "user_id",    "name",    "given_name",   "family_name",          "login_email", "confirm_email",       "company",
    "department", "roles",   "locale",       "start_date",           "end_date",    "employment_template", "alias",
    "signature",  "card_id", "external_ref", "authorised_companies", "enabled",     "in_review",           "withdrawn"};

// Ends a row with a reason; caught where rows are applied, never further.
struct Rejected {
  std::string column;
  std::string reason;
  std::string message;
};

class Fields {
public:
  explicit Fields(const model::SourceRecord& record) : record_(record) {}

  [[nodiscard]] const std::string* find(std::string_view name) const {
    for (const auto& [key, value] : record_.fields) {
      if (key == name) return &value;
    }
    return nullptr;
  }
  // The value of a present, non-empty field.
  [[nodiscard]] std::optional<std::string> given(std::string_view name) const {
    const std::string* value = find(name);
    if (value == nullptr || value->empty()) return std::nullopt;
    return *value;
  }
  // "true", "false", "1", "0", "yes", "no"; a present empty cell leaves alone.
  [[nodiscard]] std::optional<bool> flag(std::string_view name) const {
    const auto value = given(name);
    if (!value) return std::nullopt;
    std::string lower = *value;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    if (lower == "true" || lower == "1" || lower == "yes") return true;
    if (lower == "false" || lower == "0" || lower == "no") return false;
    throw Rejected{std::string(name), "invalid_flag", fmt::format("\"{}\" is neither true nor false.", *value)};
  }
  [[nodiscard]] std::optional<model::CivilDate> date(std::string_view name) const {
    const auto value = given(name);
    if (!value) return std::nullopt;
    const auto parsed = model::parse_date(*value);
    if (!parsed)
      throw Rejected{std::string(name), "invalid_date",
                     fmt::format("\"{}\" is not a date of the form 2026-11-30.", *value)};
    return parsed;
  }

private:
  const model::SourceRecord& record_;
};

// A list is as long as there are roles; a name has to go into the head of a mail.
std::size_t most_octets(std::string_view field) {
  if (field == "roles" || field == "authorised_companies") return 20'000;
  if (field == "name" || field == "given_name" || field == "family_name") return model::max_name_octets;
  return 1'000;
}

void check_length(std::string_view field, std::string_view value) {
  if (const auto most = most_octets(field); value.size() > most)
    throw Rejected{std::string(field), "too_long",
                   fmt::format("The value is {} octets long; {} are allowed.", value.size(), most)};
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const auto end = text.find_first_of(",;|");
    auto part = text.substr(0, end);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) names.emplace_back(part);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void check_fields(const model::SourceRecord& record) {
  for (const auto& [name, value] : record.fields) {
    // The customer's own fields (x_…) and a record's version are accepted from sources; nothing here uses them yet.
    const bool own_field = name.starts_with("x_") || name == "version";
    if (!own_field && std::find(known_fields.begin(), known_fields.end(), name) == known_fields.end())
      throw Rejected{name, "unknown_field", fmt::format("\"{}\" is not a field of a user.", name)};
    if (name == "login_email" || name == "confirm_email") continue;  // a bad one is ignored, and the row counts
    check_length(name, value);
    if (const auto wrong = model::unprintable(value))
      throw Rejected{name, "control_character",
                     fmt::format("The value {}: control characters, line breaks and marks that turn the direction of "
                                 "writing are not taken.",
                                 *wrong)};
  }
}

std::string whole_name(const model::User& user) {
  const bool both = !user.given_name.empty() && !user.family_name.empty();
  return user.given_name + (both ? " " : "") + user.family_name;
}

// By key or by name; what is no company of ours stays as it was written.
std::vector<std::string> companies_meant(const Planner& planner, std::string_view text) {
  std::vector<std::string> keys = split_names(text);
  for (std::string& name : keys) {
    if (auto key = planner.policies().company_meant(name); key && !key->empty()) name = std::move(*key);
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

void take_user_fields(const Fields& fields, const Planner& planner, model::User& user) {
  const auto take = [&](std::string_view name, std::string& into) {
    if (const std::string* value = fields.find(name)) into = *value;
  };
  const bool is_made_of_both = user.name == whole_name(user);
  take("given_name", user.given_name);
  take("family_name", user.family_name);
  if (const auto name = fields.given("name")) {
    user.name = *name;
  } else if (is_made_of_both && !whole_name(user).empty()) {
    user.name = whole_name(user);
    check_length("name", user.name);
  }
  take("department", user.department);
  take("alias", user.alias);
  take("signature", user.signature);
  take("card_id", user.card_id);
  take("external_ref", user.external_ref);
  if (const std::string* text = fields.find("company"); text != nullptr && *text != user.company) {
    auto key = planner.policies().company_meant(*text);
    if (!key)
      throw Rejected{"company", "unknown_company",
                     fmt::format("\"{}\" is neither the key nor the name of one company of the configuration.", *text)};
    user.company = std::move(*key);
  }
  if (const std::string* locale = fields.find("locale")) {
    if (!locale->empty() && *locale != "sv" && *locale != "en")
      throw Rejected{"locale", "invalid_locale",
                     fmt::format("\"{}\" is not a language this daemon speaks: sv or en.", *locale)};
    user.locale = *locale;
  }
  if (const std::string* roles = fields.find("roles")) user.roles = split_names(*roles);
  if (const std::string* companies = fields.find("authorised_companies"))
    user.authorised_companies = companies_meant(planner, *companies);
  if (const auto enabled = fields.flag("enabled")) user.enabled = *enabled;
}

// PRODUCT §6: never cleared, never changed for a connected user, a bad one ignored while the rest of the row counts.
struct EmailChange {
  bool changed = false;
  std::string ignored;  // reason code
  std::string message;
};

bool taken_by_another(Db& db, const std::string& canonical, const model::User& user, const RowsSeen* seen) {
  if (seen != nullptr && seen->taken_emails.contains(canonical)) return true;
  const auto owner = store::users::owner_of_login_email(db, canonical);
  if (!owner || *owner == user.key) return false;
  if (seen == nullptr || seen->left_old_email.empty()) return true;
  return !seen->left_old_email.contains(store::fold_user_id(store::users::get(db, *owner)->user_id));
}

// What an earlier row of the same dry run took away from its former owner stands in the store again.
void give_up_address(Db& db, const model::User& user) {
  const auto owner = store::users::owner_of_login_email(db, user.login_email_canonical);
  if (!owner || *owner == user.key) return;
  model::User former = store::users::get(db, *owner).value();
  former.login_email.clear();
  former.login_email_canonical.clear();
  former.login_email_domain.clear();
  store::users::update(db, former);
}

EmailChange take_login_email(Db& db, const Planner& planner, const Fields& fields, model::User& user,
                             const RowsSeen* seen) {
  const auto given = fields.given("login_email");
  if (!given) return {};
  if (const std::string* again = fields.find("confirm_email"); again != nullptr && *again != *given)
    throw Rejected{"confirm_email", "confirm_mismatch",
                   "The two addresses are not the same: type the login email twice alike."};
  if (*given == user.login_email) return {};  // whatever the rules are by now
  auto email = model::parse_email(*given);
  if (!email) return {.ignored = "invalid_email", .message = email.error().message};
  const bool same_mailbox = email->canonical == user.login_email_canonical;
  if (user.connection == model::Connection::connected) {
    if (same_mailbox) return {};
    return {.ignored = "connected",
            .message = "The user is connected: delete the connection before saving another login email."};
  }
  if (!same_mailbox && !model::domain_allowed(planner.policies().of(user.company), email->domain))
    return {.ignored = std::string(model::reason::domain_not_allowed),
            .message = fmt::format("{} is not among the allowed domains.", email->domain)};
  if (!same_mailbox && taken_by_another(db, email->canonical, user, seen))
    return {.ignored = "duplicate_email", .message = "Another user already has this login email."};
  user.login_email = email->typed;
  user.login_email_canonical = email->canonical;
  user.login_email_domain = email->domain;
  return {.changed = !same_mailbox};
}

model::PersonName person_name(const model::User& user) {
  model::PersonName name{user.given_name, user.family_name};
  if (!name.given.empty() && !name.family.empty()) return name;
  const auto blank = user.name.rfind(' ');
  if (name.given.empty()) name.given = user.name.substr(0, blank);
  if (name.family.empty() && blank != std::string::npos) name.family = user.name.substr(blank + 1);
  return name;
}

constexpr int most_spellings = 10'000;

// The user-id of a row that brings none: made by the pattern of its template, the first one that nobody has.
std::string made_user_id(Db& db, const Planner& planner, const Fields& fields, const model::SourceRecord& record,
                         const model::User& user, RowsSeen* seen) {
  const auto* of = planner.policies().templates().user_of_employment(fields.given("employment_template").value_or(""));
  if (of == nullptr || of->user_id.empty())
    throw Rejected{"user_id", "user_id_missing", "A row needs a user_id, or an employment template that makes one."};
  if (record.line > 0 && user.external_ref.empty())
    throw Rejected{"user_id", "user_id_missing",
                   "A row without a user_id needs an external_ref, so that the same row finds the same person again."};
  const std::string spelled = model::spell(of->user_id, person_name(user));
  if (spelled.empty())
    throw Rejected{"user_id", "user_id_missing",
                   fmt::format("The template makes user-ids as {}: the row's name lacks a part of it.", of->user_id)};
  for (int n = 1; n <= most_spellings; ++n) {
    std::string id = model::numbered(spelled, n);
    const std::string folded = store::fold_user_id(id);
    if (store::users::find(db, id) || (seen != nullptr && seen->user_ids.contains(folded))) continue;
    if (seen != nullptr) seen->user_ids.insert(folded);
    return id;
  }
  throw Rejected{"user_id", "user_id_taken", fmt::format("Every user-id from \"{}\" on is taken.", spelled)};
}

// PRODUCT §5: what the row of a new hire does not say comes from the template.
void fill_from_template(const Fields& fields, const model::UserTemplate& from, model::User& user) {
  const auto fill = [&](std::string_view field, const auto& value, auto& into) {
    if (!value.empty() && !fields.given(field)) into = value;
  };
  fill("company", from.company, user.company);
  fill("department", from.department, user.department);
  fill("locale", from.locale, user.locale);
  fill("roles", from.roles, user.roles);
}

// The login email that a template makes for a new hire who brings none. Nothing if the name does not spell one.
void make_login_email(Db& db, const Planner& planner, const model::UserTemplate& from, model::User& user,
                      const RowsSeen* seen) {
  if (from.login_email.empty() || !user.login_email.empty()) return;
  const std::string spelled = model::spell(from.login_email, person_name(user));
  for (int n = 1; n <= most_spellings && !spelled.empty(); ++n) {
    const auto email = model::parse_email(model::numbered(spelled, n));
    if (!email) return;
    if (!model::domain_allowed(planner.policies().of(user.company), email->domain)) return;
    if (taken_by_another(db, email->canonical, user, seen)) continue;
    user.login_email = email->typed;
    user.login_email_canonical = email->canonical;
    user.login_email_domain = email->domain;
    return;
  }
}

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

struct EmploymentChange {
  bool changed = false;
  bool made = false;
  bool start_moved = false;  // of one that was there
};

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

// The one that begins on the row's date, also when it is withdrawn and was made last: the same row again is about the
// same employment. A date after the end of the one in force is about the last one that is planned. Else the one in
// force is meant.
std::optional<model::Employment> employment_meant(Db& db, const Fields& fields, const core::Id& user) {
  auto in_force = store::employments::in_force(db, user);
  if (const auto start = fields.date("start_date")) {
    if (auto same = store::employments::starting_on(db, user, *start)) return same;
    if (auto newest = store::employments::newest(db, user); newest && newest->start_date == *start) return newest;
    if (in_force && in_force->end_date && *start > *in_force->end_date) return store::employments::latest(db, user);
  }
  return in_force;
}

// A row that says "enabled" does not bring back who has left: the leaver rule would disable the user again each night.
void keep_leaver_disabled(const Planner& planner, const std::optional<model::User>& present,
                          const std::optional<model::Employment>& employment, model::User& user, Instant now) {
  if (!present || present->enabled || !user.enabled || !employment) return;
  Loaded then{.user = user};
  then.employment = employment;
  const auto left = model::leaving(planner.facts(then, now));
  if (employment->gap == model::GapState::waits || (left && left->at <= now)) user.enabled = false;
}

// By its user-id; a row without one, by its reference in the HR system.
std::optional<model::User> present_user(Db& db, const Fields& fields) {
  if (const auto user_id = fields.given("user_id")) return store::users::find(db, *user_id);
  const auto reference = fields.given("external_ref");
  if (!reference) return std::nullopt;
  auto found = store::users::with_external_ref(db, *reference);
  if (found.size() > 1)
    throw Rejected{"external_ref", "external_ref_ambiguous",
                   fmt::format("More than one user has the external_ref \"{}\": give the user_id.", *reference)};
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

// A withdrawal or disabling by the row, of somebody who waits for an invitation or for its link: in a run of many rows
// it waits for the run's end, where too many of them are held. Taken out of what the row stores now. One that waits
// already, in an earlier run's batch, is not news.
struct LeavingRow {
  bool withdraws = false;
  bool disables = false;
};

LeavingRow take_leaving(Db& db, const IntakeContext& context, const model::User& before,
                        const std::optional<model::Employment>& job_before, model::User& user,
                        std::optional<model::Employment>& job) {
  LeavingRow row;
  if (!context.gathering) return row;
  const auto newest = store::invitations::newest(db, user.key);
  if (!newest || !model::live(newest->state) || newest->state == model::InvitationState::verified) return row;
  if (job_before && job && job_before->key == job->key && !job_before->withdrawn && job->withdrawn) {
    row.withdraws = !store::batches::waiting_in(db, user.key, model::BatchAct::withdraw);
    job->withdrawn = false;
  }
  if (before.enabled && !user.enabled) {
    row.disables = !store::batches::waiting_in(db, user.key, model::BatchAct::disable);
    user.enabled = true;
  }
  return row;
}

// What a row says the other way ends what an earlier one left waiting. Gives the batches that hold the user no longer.
std::vector<Id> take_back_leaving(Db& db, const Fields& fields, const model::User& user) {
  std::vector<Id> batches;
  const auto take_back = [&](std::string_view field, bool value, model::BatchAct act) {
    const auto batch = fields.flag(field) == value ? store::batches::waiting_in(db, user.key, act) : std::nullopt;
    if (!batch) return;
    store::batches::settle_waiting(db, user.key, act, "taken_back");
    batches.push_back(*batch);
  };
  take_back("withdrawn", false, model::BatchAct::withdraw);
  take_back("enabled", true, model::BatchAct::disable);
  return batches;
}

// W9: planned again, by the start date where there is one, else as the request it was.
void plan_again_for_new_email(Db& db, const Id& user, Ask& ask) {
  const auto superseded = store::invitations::newest(db, user);
  const bool of_hire = superseded && superseded->cause == model::InvitationCause::hire;
  if (superseded && !of_hire) ask.cause = model::InvitationCause::asked;
  auto jobs = store::employments::current(db, user);
  if (!jobs.in_force) {
    ask.asked = true;
    ask.cause = model::InvitationCause::asked;
    return;
  }
  // It was planned for the next employment, and still is.
  if (of_hire && !superseded->accepted_at && !jobs.in_force->hire_open && jobs.following && jobs.following->hire_open)
    return;
  jobs.in_force->hire_open = true;
  store::employments::update(db, *jobs.in_force);
}

// An address where there was none is no change of one; but where two people must see a hire, one alone does not choose
// where her mail goes. What the person types herself is no colleague's act.
bool asks_about_address(Db& db, const Planner& planner, const model::User& before, const IntakeContext& context) {
  if (!before.login_email_canonical.empty()) return true;
  if (context.by_herself) return false;
  const auto jobs = store::employments::current(db, before.key);
  return std::ranges::any_of(std::array{jobs.in_force, jobs.following}, [&](const auto& job) {
    return job && !job->flow.empty() && planner.policies().flows().of(job->flow).four_eyes;
  });
}

// What somebody approved is not what it was: asked again.
void ask_reviews_again(Db& db, Planner& planner, const model::User& user, bool address_changed,
                       const std::optional<Id>& start_moved, const std::string& actor, Instant now) {
  if (address_changed) {
    const auto jobs = store::employments::current(db, user.key);
    for (auto job : {jobs.in_force, jobs.following})
      if (job) ask_again(db, planner, user, *job, actor, model::reason::login_email_changed, now);
  }
  if (start_moved)
    if (auto job = store::employments::get(db, *start_moved))
      ask_again(db, planner, user, *job, actor, model::reason::start_date_changed, now);
}

RowResult repeated(const model::SourceRecord& record, const std::string& user_id, const std::string& column) {
  return {.line = record.line,
          .user = user_id,
          .outcome = RowOutcome::ignored,
          .reason = "duplicate_in_file",
          .applied = RowOutcome::unchanged,
          .column = column,
          .message = fmt::format("An earlier row has the same {}; the first one counts.", column)};
}

RowResult apply_fields(Db& db, Planner& planner, const model::SourceRecord& record, const IntakeContext& context,
                       Instant now, RowsSeen* seen) {
  RowResult result;
  result.line = record.line;
  const Fields fields(record);
  result.user = fields.given("user_id").value_or("");
  check_fields(record);
  if (result.user.size() > 100) throw Rejected{"user_id", "too_long", "A user_id has at most 100 octets."};

  std::optional<model::User> present = present_user(db, fields);
  if (present && seen != nullptr && result.user.empty() &&
      !seen->user_ids.insert(store::fold_user_id(present->user_id)).second)
    return repeated(record, present->user_id, "external_ref");
  model::User user = present.value_or(model::User{});
  if (!present) {
    user.key = planner.new_id();
    user.created_at = now;
  }
  take_user_fields(fields, planner, user);
  if (user.name.empty()) throw Rejected{"name", "name_missing", "The user is new and the row has no name."};
  if (!present)
    user.user_id = result.user.empty() ? made_user_id(db, planner, fields, record, user, seen) : result.user;
  result.user = user.user_id;
  const EmailChange email = take_login_email(db, planner, fields, user, seen);
  std::optional<model::Employment> employment = present ? employment_meant(db, fields, user.key) : std::nullopt;
  const std::optional<model::Employment> employment_before = employment;
  EmploymentChange job = take_employment(db, planner, fields, user, employment, context.actor, now);
  if (job.made) {
    if (const auto* of = planner.policies().templates().user_of_employment(employment->employment_template)) {
      fill_from_template(fields, *of, user);
      make_login_email(db, planner, *of, user, seen);
    }
  }

  LeavingRow leaving;
  std::vector<Id> stays_from;
  if (present) {
    stays_from = take_back_leaving(db, fields, *present);
    leaving = take_leaving(db, context, *present, employment_before, user, employment);
    if (!job.made) job.changed = !(employment == employment_before);
  }
  keep_leaver_disabled(planner, present, employment, user, now);
  const bool user_changed = !present || !(user == *present);
  // Who changed anything of a hire that others are to look at does not approve it alone (four eyes).
  if (present && employment && employment->review == model::ReviewState::pending && (user_changed || job.changed)) {
    note_entered_by(*employment, context.actor);
    job.changed = job.changed || !(employment == employment_before);
  }
  if (user_changed) {
    user.source = context.source;
    user.updated_at = now;
  }
  if (context.dry_run && email.changed) give_up_address(db, user);
  if (!present) {
    store::users::insert(db, user);
  } else if (user_changed) {
    store::users::update(db, user);
  }
  if (present && present->enabled && !user.enabled) cancel_sign_in_mail(db, user.key);
  if (job.made) {
    store::employments::insert(db, *employment);
  } else if (job.changed) {
    store::employments::update(db, *employment);
  }

  if (user_changed || job.changed) {
    result.applied = present ? RowOutcome::updated : RowOutcome::created;
    planner.audit(db, now, context.actor, present ? "user.updated" : "user.created", subject_of(user));
    Ask ask{.gathering = context.gathering.get()};
    if (present && email.changed && planner.supersede_for_new_email(db, user.key, context.actor, now))
      plan_again_for_new_email(db, user.key, ask);
    const bool address_changed = present && email.changed && asks_about_address(db, planner, *present, context);
    ask_reviews_again(db, planner, user, address_changed,
                      job.start_moved ? std::optional(employment->key) : std::nullopt, context.actor, now);
    if (job.changed && !job.made) (void)settle_review(db, planner, user, *employment, context.actor, now);
    if (present && job.changed) (void)make_way(db, planner, user.key, now);
    planner.apply(db, user.key, context.actor, now, ask);
    if (context.dry_run && seen != nullptr && email.changed) {
      seen->taken_emails.insert(user.login_email_canonical);
      if (present) seen->left_old_email.insert(store::fold_user_id(user.user_id));
    }
  }
  for (const Id& batch : stays_from)
    planner.let_stay(db, user.key, batch, context.actor, now, {.gathering = context.gathering.get()});
  if (leaving.withdraws || leaving.disables) {
    result.applied = RowOutcome::updated;
    if (leaving.withdraws)
      planner.gather_leaving(db, user.key, model::BatchAct::withdraw, employment->key, *context.gathering, now);
    if (leaving.disables)
      planner.gather_leaving(db, user.key, model::BatchAct::disable, std::nullopt, *context.gathering, now);
  }
  if (!email.ignored.empty()) {
    result.outcome = RowOutcome::ignored;
    result.reason = email.ignored;
    result.column = "login_email";
    result.message = email.message;
  } else {
    result.outcome = result.applied;
  }
  return result;
}

}  // namespace

Intake::Intake(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner)
    : store_(store), clock_(clock), planner_(std::move(planner)) {}

RowResult Intake::apply(Db& db, Planner& planner, const model::SourceRecord& record, const IntakeContext& context,
                        Instant now, RowsSeen* seen) {
  RowResult result;
  {
    store::Savepoint row(db);
    try {
      result = apply_fields(db, planner, record, context, now, seen);
    } catch (const Rejected& rejected) {
      result.line = record.line;
      result.user = Fields(record).given("user_id").value_or("");
      result.outcome = RowOutcome::rejected;
      result.reason = rejected.reason;
      result.column = rejected.column;
      result.message = rejected.message;
      return result;
    } catch (const std::exception& e) {
      if (!store::about_one_row(e)) throw;
      core::log::error(core::events::internal_error, "A row cannot be taken in and is rejected; the others go on",
                       {{"line", std::to_string(record.line)}, {"why", e.what()}});
      result = {};
      result.line = record.line;
      result.user = Fields(record).given("user_id").value_or("");
      result.outcome = RowOutcome::rejected;
      result.reason = "internal_error";
      result.message = "The row cannot be taken in; the daemon's journal says why.";
      return result;
    }
    if (context.look) context.look(db, result);
    if (!context.dry_run) row.release();
  }
  if (context.look_back) context.look_back(db, result);
  return result;
}

boost::asio::awaitable<std::vector<RowResult>> Intake::apply_chunk(std::vector<model::SourceItem> items,
                                                                   IntakeContext context,
                                                                   std::shared_ptr<RowsSeen> seen) {
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.write([items = std::move(items), context, seen, planner = planner_, now](Db& db) {
      if (context.gathering) planner->begin(*context.gathering);
      std::vector<RowResult> results;
      results.reserve(items.size());
      for (const model::SourceItem& item : items) {
        if (const auto* bad = std::get_if<model::BadRow>(&item)) {
          results.push_back({.line = bad->line,
                             .user = {},
                             .outcome = RowOutcome::rejected,
                             .reason = bad->reason,
                             .applied = RowOutcome::unchanged,
                             .column = bad->column,
                             .message = bad->message});
          continue;
        }
        if (const auto* remark = std::get_if<model::Remark>(&item)) {
          results.push_back({.line = remark->line,
                             .user = {},
                             .outcome = RowOutcome::noted,
                             .reason = remark->reason,
                             .applied = RowOutcome::unchanged,
                             .column = remark->column,
                             .message = remark->message});
          continue;
        }
        const auto* row = std::get_if<model::SourceRecord>(&item);
        if (row == nullptr) continue;  // an announcement, heard already
        model::SourceRecord record = *row;
        for (auto& [name, value] : record.fields) value = model::tidied(value);
        const auto user_id = Fields(record).given("user_id");
        const auto reference = Fields(record).given("external_ref");
        const bool before = user_id     ? !seen->user_ids.insert(store::fold_user_id(*user_id)).second
                            : reference ? !seen->references.insert(*reference).second
                                        : false;
        if (before) {
          results.push_back(repeated(record, user_id.value_or(""), user_id ? "user_id" : "external_ref"));
          continue;
        }
        results.push_back(apply(db, *planner, record, context, now, seen.get()));
      }
      return results;
    });
  }();
}

Intake::Run::Run(Intake& intake, IntakeContext context, RowsProgress progress)
    : intake_(intake),
      context_(std::move(context)),
      progress_(std::move(progress)),
      results_(std::make_shared<std::vector<RowResult>>()),
      seen_(std::make_shared<RowsSeen>()) {}

model::SourceSink Intake::Run::sink() {
  struct Step {
    // A coroutine with everything as parameters: nothing captured may die before it ends.
    static boost::asio::awaitable<void> run(Intake* intake, IntakeContext context, RowsProgress progress,
                                            std::shared_ptr<std::vector<RowResult>> results,
                                            std::shared_ptr<RowsSeen> seen, std::vector<model::SourceItem> items) {
      // About 5 ms of store time. Each row is a savepoint, whose end walks what SQLite keeps of the pages that its
      // closure changed: with four times as many rows an import took half as long again.
      constexpr std::size_t chunk = 64;
      for (const model::SourceItem& item : items) {
        const auto* said = std::get_if<model::Announcement>(&item);
        if (said == nullptr) continue;
        if (context.expect && said->rows >= 0) context.expect(said->rows);
        seen->file_columns.insert(said->columns.begin(), said->columns.end());
      }
      for (std::size_t from = 0; from < items.size(); from += chunk) {
        const std::size_t to = std::min(items.size(), from + chunk);
        std::vector<model::SourceItem> part(std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(from)),
                                            std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(to)));
        auto rows = co_await intake->apply_chunk(std::move(part), context, seen);
        for (RowResult& row : rows) {
          const auto called = seen->file_columns.find(row.column);
          if (called != seen->file_columns.end()) row.file_column = called->second;
        }
        if (progress) progress(rows);
        results->insert(results->end(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
      }
    }
  };
  return [intake = &intake_, context = context_, progress = progress_, results = results_,
          seen = seen_](std::vector<model::SourceItem> items) {
    return Step::run(intake, context, progress, results, seen, std::move(items));
  };
}

}  // namespace invited::service
