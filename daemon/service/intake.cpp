#include "service/intake.hpp"

#include <algorithm>
#include <array>

#include "model/email.hpp"
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

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
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
    if (value.size() > 1'000) throw Rejected{name, "too_long", "The value is longer than 1,000 octets."};
    if (has_control_character(value)) throw Rejected{name, "control_character", "The value has a control character."};
  }
}

void take_user_fields(const Fields& fields, const Planner& planner, model::User& user) {
  const auto take = [&](std::string_view name, std::string& into) {
    if (const std::string* value = fields.find(name)) into = *value;
  };
  take("given_name", user.given_name);
  take("family_name", user.family_name);
  if (const auto name = fields.given("name")) user.name = *name;
  if (user.name.empty() && !(user.given_name + user.family_name).empty())
    user.name = user.given_name.empty()    ? user.family_name
                : user.family_name.empty() ? user.given_name
                                           : user.given_name + " " + user.family_name;
  take("department", user.department);
  take("alias", user.alias);
  take("signature", user.signature);
  take("card_id", user.card_id);
  take("external_ref", user.external_ref);
  take("company", user.company);
  if (!planner.policies().knows(user.company))
    throw Rejected{"company", "unknown_company",
                   fmt::format("\"{}\" is not a company of the configuration.", user.company)};
  if (const std::string* locale = fields.find("locale")) {
    if (!locale->empty() && *locale != "sv" && *locale != "en")
      throw Rejected{"locale", "invalid_locale",
                     fmt::format("\"{}\" is not a language this daemon speaks: sv or en.", *locale)};
    user.locale = *locale;
  }
  if (const std::string* roles = fields.find("roles")) user.roles = split_names(*roles);
  if (const std::string* companies = fields.find("authorised_companies"))
    user.authorised_companies = split_names(*companies);
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

EmailChange take_login_email(Db& db, const Fields& fields, model::User& user, const RowsSeen* seen) {
  const auto given = fields.given("login_email");
  if (!given) return {};
  if (const std::string* again = fields.find("confirm_email"); again != nullptr && *again != *given)
    throw Rejected{"confirm_email", "confirm_mismatch",
                   "The two addresses are not the same: type the login email twice alike."};
  auto email = model::parse_email(*given);
  if (!email) return {.ignored = "invalid_email", .message = email.error().message};
  if (email->canonical == user.login_email_canonical && email->typed == user.login_email) return {};
  const bool same_mailbox = email->canonical == user.login_email_canonical;
  if (user.connection == model::Connection::connected) {
    if (same_mailbox) return {};
    return {.ignored = "connected",
            .message = "The user is connected: delete the connection before saving another login email."};
  }
  if (!same_mailbox && taken_by_another(db, email->canonical, user, seen))
    return {.ignored = "duplicate_email", .message = "Another user already has this login email."};
  user.login_email = email->typed;
  user.login_email_canonical = email->canonical;
  user.login_email_domain = email->domain;
  return {.changed = !same_mailbox};
}

struct EmploymentChange {
  bool changed = false;
  bool made = false;
};

EmploymentChange take_employment(Planner& planner, const Fields& fields, model::User& user,
                                 std::optional<model::Employment>& employment, Instant now) {
  const auto start = fields.date("start_date");
  const auto end = fields.date("end_date");
  const bool end_present = fields.find("end_date") != nullptr;
  const auto in_review = fields.flag("in_review");
  const auto withdrawn = fields.flag("withdrawn");
  const bool comes_back = start && employment &&
                          ((employment->withdrawn && *start != employment->start_date) ||
                           (employment->end_date && *start > *employment->end_date));
  const bool made_now = start && (!employment || comes_back);
  if (made_now) {
    if (comes_back) user.enabled = true;
    model::Employment made;
    made.key = planner.new_id();
    made.user = user.key;
    made.start_date = *start;
    made.end_date = end;
    made.employment_template = fields.given("employment_template").value_or("");
    made.review = in_review.value_or(false) ? model::ReviewState::pending : model::ReviewState::none;
    made.withdrawn = withdrawn.value_or(false);
    made.hire_open = user.connection != model::Connection::connected;  // W0
    made.created_at = now;
    employment = made;
  } else if (!employment) {
    if (end || in_review.value_or(false) || withdrawn.value_or(false))
      throw Rejected{"start_date", "start_date_missing", "There is no employment to change: give its start_date."};
    return {};
  }
  model::Employment& e = *employment;
  const model::Employment before = e;
  if (start) e.start_date = *start;
  if (end_present) e.end_date = end;
  if (const std::string* text = fields.find("employment_template")) e.employment_template = *text;
  if (withdrawn) e.withdrawn = *withdrawn;
  if (in_review.value_or(false) && e.review == model::ReviewState::none && e.hire_open)
    e.review = model::ReviewState::pending;
  if (e.end_date && *e.end_date < e.start_date)
    throw Rejected{"end_date", "end_before_start", "The employment would end before it starts."};
  return {.changed = made_now || !(e == before), .made = made_now};
}

// The one that was made last, also when it is withdrawn, if it begins on the row's date: the same row again is about
// the same employment. Else the one in force.
std::optional<model::Employment> employment_meant(Db& db, const Fields& fields, const core::Id& user) {
  if (const auto start = fields.date("start_date")) {
    if (auto newest = store::employments::newest(db, user); newest && newest->start_date == *start) return newest;
  }
  return store::employments::in_force(db, user);
}

RowResult apply_fields(Db& db, Planner& planner, const model::SourceRecord& record, const IntakeContext& context,
                       Instant now, RowsSeen* seen) {
  RowResult result;
  result.line = record.line;
  const Fields fields(record);
  result.user = fields.given("user_id").value_or("");
  check_fields(record);
  if (result.user.empty()) throw Rejected{"user_id", "user_id_missing", "A row needs a user_id."};
  if (result.user.size() > 100) throw Rejected{"user_id", "too_long", "A user_id has at most 100 octets."};

  std::optional<model::User> present = store::users::find(db, result.user);
  model::User user = present.value_or(model::User{});
  if (!present) {
    user.key = planner.new_id();
    user.user_id = result.user;
    user.created_at = now;
  }
  take_user_fields(fields, planner, user);
  if (user.name.empty()) throw Rejected{"name", "name_missing", "The user is new and the row has no name."};
  const EmailChange email = take_login_email(db, fields, user, seen);
  std::optional<model::Employment> employment = present ? employment_meant(db, fields, user.key) : std::nullopt;
  const EmploymentChange job = take_employment(planner, fields, user, employment, now);

  const bool user_changed = !present || !(user == *present);
  if (user_changed) {
    user.source = context.source;
    user.updated_at = now;
  }
  if (!present) {
    store::users::insert(db, user);
  } else if (user_changed) {
    store::users::update(db, user);
  }
  if (job.made) {
    store::employments::insert(db, *employment);
  } else if (job.changed) {
    store::employments::update(db, *employment);
  }

  if (user_changed || job.changed) {
    result.applied = present ? RowOutcome::updated : RowOutcome::created;
    planner.audit(db, now, context.actor, present ? "user.updated" : "user.created", subject_of(user));
    Ask ask;
    if (present && email.changed && planner.supersede_for_new_email(db, user.key, context.actor, now)) {
      // W9: planned again, by the start date where there is one, else as the request it was.
      if (auto in_force = store::employments::in_force(db, user.key)) {
        in_force->hire_open = true;
        store::employments::update(db, *in_force);
      } else {
        ask = {.asked = true, .cause = model::InvitationCause::asked};
      }
    }
    planner.apply(db, user.key, context.actor, now, ask);
    if (context.dry_run && seen != nullptr && email.changed) {
      seen->taken_emails.insert(user.login_email_canonical);
      if (present) seen->left_old_email.insert(store::fold_user_id(user.user_id));
    }
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
  store::Savepoint row(db);
  RowResult result;
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
  }
  if (context.look) context.look(db, result);
  if (!context.dry_run) row.release();
  return result;
}

boost::asio::awaitable<std::vector<RowResult>> Intake::apply_chunk(std::vector<model::SourceItem> items,
                                                                   IntakeContext context,
                                                                   std::shared_ptr<RowsSeen> seen) {
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.write([items = std::move(items), context, seen, planner = planner_, now](Db& db) {
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
        const auto& record = std::get<model::SourceRecord>(item);
        const auto user_id = Fields(record).given("user_id");
        if (user_id && !seen->user_ids.insert(store::fold_user_id(*user_id)).second) {
          results.push_back({.line = record.line,
                             .user = *user_id,
                             .outcome = RowOutcome::ignored,
                             .reason = "duplicate_in_file",
                             .applied = RowOutcome::unchanged,
                             .column = "user_id",
                             .message = "An earlier row has the same user_id; the first one counts."});
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
      constexpr std::size_t chunk = 256;  // about 20 ms of store time
      for (std::size_t from = 0; from < items.size(); from += chunk) {
        const std::size_t to = std::min(items.size(), from + chunk);
        std::vector<model::SourceItem> part(std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(from)),
                                            std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(to)));
        auto rows = co_await intake->apply_chunk(std::move(part), context, seen);
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
