#include "service/intake.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/events.hpp"
#include "core/log.hpp"
#include "model/text.hpp"
#include "service/review_rules.hpp"
#include "service/row_email.hpp"
#include "service/row_employment.hpp"
#include "service/row_fields.hpp"
#include "service/row_user.hpp"
#include "service/sweep.hpp"
#include "store/batches.hpp"
#include "store/invitations.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

using model::RowOutcome;
using model::RowResult;

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
  if (present && context.must_be_new)
    throw Rejected{"user_id", "user_exists",
                   fmt::format("There is already a user \"{}\": change it with user set.", present->user_id)};
  if (present && seen != nullptr && !seen->last_look && result.user.empty() &&
      !seen->user_ids.insert(store::fold_user_id(present->user_id)).second)
    return repeated(record, present->user_id, "external_ref");
  if (present && seen != nullptr) give_back(*seen, *present);
  model::User user = present.value_or(model::User{});
  if (!present) {
    user.key = planner.new_id();
    user.created_at = now;
  }
  take_user_fields(fields, planner, user);
  if (user.name.empty()) throw Rejected{"name", "name_missing", "The user is new and the row has no name."};
  const EmailChange email = take_login_email(db, planner, fields, present.has_value(), user, seen);
  if (!present)
    user.user_id = result.user.empty() ? made_user_id(db, planner, fields, record, user, seen) : result.user;
  result.user = user.user_id;
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
  if (seen != nullptr && email.changed && (context.dry_run || !seen->exchanging.empty()))
    take_from_owner(db, user, *seen);
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
      result.reason = model::reason::internal_error;
      result.message = "The row cannot be taken in; the daemon's journal says why.";
      return result;
    }
    if (context.look) context.look(db, result);
    if (!context.dry_run) row.release();
  }
  if (context.look_back) context.look_back(db, result);
  return result;
}

namespace {

RowResult bad_row(const model::BadRow& bad) {
  return {.line = bad.line,
          .user = {},
          .outcome = RowOutcome::rejected,
          .reason = bad.reason,
          .applied = RowOutcome::unchanged,
          .column = bad.column,
          .message = bad.message};
}

RowResult noted(const model::Remark& remark) {
  return {.line = remark.line,
          .user = {},
          .outcome = RowOutcome::noted,
          .reason = remark.reason,
          .applied = RowOutcome::unchanged,
          .column = remark.column,
          .message = remark.message};
}

// Whether everybody in the ring gets the address that she is to get: tried out and undone, with what the run counts.
bool ring_closes(Db& db, Planner& planner, const std::vector<WaitingRow>& ring, IntakeContext context, Instant now) {
  context.dry_run = false;
  context.look = {};
  context.look_back = {};
  if (context.gathering) context.gathering = std::make_shared<Gathering>(*context.gathering);
  RowsSeen aside;
  aside.last_look = true;
  for (const WaitingRow& row : ring) aside.exchanging.insert(row.user.value());
  const store::Savepoint undone(db);
  return std::ranges::all_of(ring, [&](const WaitingRow& row) {
    return Intake::apply(db, planner, row.record, context, now, &aside).outcome == RowOutcome::updated;
  });
}

}  // namespace

// A row of a run, or what it waits for.
struct Intake::Done {
  RowResult result;
  std::optional<WaitingRow> waits;
};

Intake::Done Intake::first_look(Db& db, Planner& planner, model::SourceRecord record, const IntakeContext& context,
                                Instant now, RowsSeen& seen) {
  for (auto& [name, value] : record.fields) value = model::tidied(value);
  const auto user_id = Fields(record).given("user_id");
  const auto reference = Fields(record).given("external_ref");
  const bool before = user_id     ? !seen.user_ids.insert(store::fold_user_id(*user_id)).second
                      : reference ? !seen.references.insert(*reference).second
                                  : false;
  if (before) return {repeated(record, user_id.value_or(""), user_id ? "user_id" : "external_ref"), {}};
  try {
    return {apply(db, planner, record, context, now, &seen), {}};
  } catch (const AddressTaken& taken) {
    if (taken.user) seen.waiting.insert(store::fold_user_id(store::users::get(db, *taken.user)->user_id));
    RowResult none;
    none.line = record.line;
    return {std::move(none), WaitingRow{std::move(record), taken.user, taken.owner}};
  }
}

boost::asio::awaitable<std::vector<Intake::Done>> Intake::apply_chunk(std::vector<model::SourceItem> items,
                                                                      IntakeContext context,
                                                                      std::shared_ptr<RowsSeen> seen) {
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.write([items = std::move(items), context, seen, planner = planner_, now](Db& db) {
      if (context.gathering) planner->begin(*context.gathering);
      std::vector<Done> done;
      done.reserve(items.size());
      for (const model::SourceItem& item : items) {
        if (const auto* bad = std::get_if<model::BadRow>(&item)) {
          done.push_back({bad_row(*bad), {}});
        } else if (const auto* remark = std::get_if<model::Remark>(&item)) {
          done.push_back({noted(*remark), {}});
        } else if (const auto* row = std::get_if<model::SourceRecord>(&item)) {
          done.push_back(first_look(db, *planner, *row, context, now, *seen));
        }  // else an announcement, heard already
      }
      return done;
    });
  }();
}

boost::asio::awaitable<std::vector<RowResult>> Intake::apply_waiting(std::vector<std::vector<WaitingRow>> turns,
                                                                     IntakeContext context,
                                                                     std::shared_ptr<RowsSeen> seen) {
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.write([turns = std::move(turns), context, seen, planner = planner_, now](Db& db) {
      std::vector<RowResult> results;
      seen->last_look = true;
      for (const auto& rows : turns) {
        if (rows.size() > 1 && ring_closes(db, *planner, rows, context, now))
          for (const WaitingRow& row : rows) seen->exchanging.insert(row.user.value());
        for (const WaitingRow& row : rows) results.push_back(apply(db, *planner, row.record, context, now, seen.get()));
        seen->exchanging.clear();
      }
      return results;
    });
  }();
}

struct Intake::Run::State {
  Intake& intake;
  IntakeContext context;
  RowsProgress progress;
  std::vector<RowResult> results{};
  std::vector<WaitingRow> waiting{};
  std::shared_ptr<RowsSeen> seen = std::make_shared<RowsSeen>();

  void name_column(RowResult& row) const {
    const auto called = seen->file_columns.find(row.column);
    if (called != seen->file_columns.end()) row.file_column = called->second;
  }

  void take(std::vector<Done> chunk) {
    std::vector<RowResult> news;
    for (Done& one : chunk) {
      name_column(one.result);
      if (one.waits) {
        one.waits->place = results.size();
        waiting.push_back(std::move(*one.waits));
      } else {
        news.push_back(one.result);
      }
      results.push_back(std::move(one.result));
    }
    if (progress && !news.empty()) progress(news);
  }
};

Intake::Run::Run(Intake& intake, IntakeContext context, RowsProgress progress)
    : state_(std::make_shared<State>(State{intake, std::move(context), std::move(progress)})) {}

const std::vector<RowResult>& Intake::Run::results() const {
  return state_->results;
}

namespace {
// About 5 ms of store time. Each row is a savepoint, whose end walks what SQLite keeps of the pages that its closure
// changed: with four times as many rows an import took half as long again.
constexpr std::size_t chunk = 64;
}  // namespace

model::SourceSink Intake::Run::sink() {
  struct Step {
    // A coroutine with everything as parameters: nothing captured may die before it ends.
    static boost::asio::awaitable<void> run(std::shared_ptr<State> state, std::vector<model::SourceItem> items) {
      for (const model::SourceItem& item : items) {
        const auto* said = std::get_if<model::Announcement>(&item);
        if (said == nullptr) continue;
        if (state->context.expect && said->rows >= 0) state->context.expect(said->rows);
        state->seen->file_columns.insert(said->columns.begin(), said->columns.end());
      }
      for (std::size_t from = 0; from < items.size(); from += chunk) {
        const std::size_t to = std::min(items.size(), from + chunk);
        std::vector<model::SourceItem> part(std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(from)),
                                            std::make_move_iterator(items.begin() + static_cast<std::ptrdiff_t>(to)));
        state->take(co_await state->intake.apply_chunk(std::move(part), state->context, state->seen));
      }
    }
  };
  return [state = state_](std::vector<model::SourceItem> items) { return Step::run(state, std::move(items)); };
}

boost::asio::awaitable<void> Intake::Run::finish() {
  const std::shared_ptr<State> state = state_;
  std::vector<WaitingRow> waiting = std::exchange(state->waiting, {});
  const std::vector<Turn> turns = turns_of(waiting);
  for (std::size_t next = 0; next < turns.size();) {
    std::vector<std::vector<WaitingRow>> part;
    std::vector<std::size_t> places;
    for (; next < turns.size() && (places.empty() || places.size() + turns[next].rows.size() <= chunk); ++next) {
      std::vector<WaitingRow> rows;
      for (const std::size_t row : turns[next].rows) {
        places.push_back(waiting[row].place);
        rows.push_back(std::move(waiting[row]));
      }
      part.push_back(std::move(rows));
    }
    std::vector<RowResult> news = co_await state->intake.apply_waiting(std::move(part), state->context, state->seen);
    for (std::size_t i = 0; i < news.size(); ++i) {
      state->name_column(news[i]);
      state->results[places[i]] = news[i];
    }
    if (state->progress) state->progress(news);
  }
}

}  // namespace invited::service
