#include "service/connecting.hpp"

#include "model/retry.hpp"
#include "service/looper.hpp"
#include "service/one_of_many.hpp"
#include "store/accounts.hpp"
#include "store/invitations.hpp"
#include "store/tasks.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

using model::InvitationState;
using model::ProviderAnswer;
using model::ProviderStatus;
using model::ProviderTask;
using model::ProviderTaskKind;
namespace log = core::log;
namespace events = core::events;

constexpr core::Milliseconds look_each{1'000};
constexpr core::Milliseconds removal_again = std::chrono::hours{24};

void record_connected(Db& db, Planner& planner, const ProviderTask& task, const ProviderAnswer& answer,
                      const std::string& identity, Instant now) {
  auto user = store::users::get(db, task.user);
  auto invitation = task.invitation ? store::invitations::get(db, *task.invitation) : std::nullopt;
  if (!user) return;
  store::tasks::done(db, task.key);
  if (!invitation || invitation->state != InvitationState::verified) {
    // Revoked while the provider was working: what was made is taken back.
    store::tasks::put(db, {.key = planner.new_id(),
                           .user = task.user,
                           .invitation = std::nullopt,
                           .kind = ProviderTaskKind::remove_connection,
                           .failures = 0,
                           .next_at = now,
                           .detail = {},
                           .actor = "daemon",
                           .created_at = now});
    return;
  }
  store::invitations::move(db, invitation->key, InvitationState::verified, InvitationState::connected,
                           {.due = std::nullopt, .at = now});
  store::accounts::put(db, {task.user, identity, answer.provider_id, invitation->login_email, answer.sign_in_url, now});
  store::users::set_connection(db, task.user, model::Connection::connected);
  const auto employment = store::employments::in_force(db, task.user);
  store::employments::close_hire(db, task.user);
  planner.audit(db, now, task.actor, "user.connected", subject_of(*user), model::to_text(invitation->cause),
                "login email " + invitation->login_email);
  // Nobody wrote to this person and no page told how to sign in: the company may want a mail that does.
  if (invitation->cause == model::InvitationCause::verified_domain && user->enabled &&
      planner.policies().of(user->company).sign_in.ready_mail)
    planner.queue_mail(db, *invitation, model::DeliveryKind::sign_in_ready, employment, now);
}

const log::Event& done_event(ProviderTaskKind kind) {
  switch (kind) {
    case ProviderTaskKind::ensure_account:
      return events::account_connected;
    case ProviderTaskKind::reset_password:
      return events::password_reset;
    default:
      return events::account_removed;
  }
}

void record(Db& db, Planner& planner, const ProviderTask& task, const ProviderAnswer& answer,
            const std::string& identity, Instant now, std::uint64_t jitter) {
  const auto still = store::tasks::get(db, task.key);
  if (!still) return;  // dropped meanwhile
  if (answer.status == ProviderStatus::done) {
    if (task.kind == ProviderTaskKind::ensure_account) {
      record_connected(db, planner, task, answer, identity, now);
      return;
    }
    store::tasks::done(db, task.key);
    if (const auto user = store::users::get(db, task.user))
      planner.audit(db, now, task.actor,
                    task.kind == ProviderTaskKind::reset_password ? "user.password_reset" : "account.removed",
                    subject_of(*user));
    return;
  }
  std::optional<Instant> next;
  const bool refused = answer.status == ProviderStatus::rejected;
  if (!refused) {
    next = now + model::provider_pause_after(task.failures + 1, answer.retry_after, jitter);
  } else if (task.kind == ProviderTaskKind::remove_connection) {
    next = now + removal_again;  // nobody would ask for it again, and the account of a leaver must not stay
  }
  store::tasks::postpone(db, task.key, next, log::printable(answer.detail));
  if (const auto user = store::users::get(db, task.user); user && refused && task.failures == 0)
    planner.audit(db, now, "daemon", "account.refused", subject_of(*user), model::to_text(task.kind),
                  log::printable(answer.detail));
}

}  // namespace

Connecting::Connecting(store::Store& store, core::Clock& clock, core::Random& random,
                       boost::asio::any_io_executor executor, std::shared_ptr<Planner> planner, const SendingGate& gate,
                       model::Identity& identity, core::TaskScope& scope)
    : store_(store),
      clock_(clock),
      random_(random),
      wakeup_(std::move(executor)),
      planner_(std::move(planner)),
      gate_(gate),
      identity_(identity),
      scope_(scope),
      asked_about_(std::make_shared<std::unordered_set<Id>>()) {}

boost::asio::awaitable<void> Connecting::run() {
  const Looper looper("connecting", clock_);
  while (true) {
    (void)co_await looper.guarded(pass());
    co_await wakeup_.wait_for(clock_, look_each);
  }
}

std::vector<Connecting::Due> Connecting::due_at(Db& db, Instant now, std::size_t limit) {
  std::vector<Due> all;
  for (ProviderTask& task : store::tasks::due(db, now, limit)) {
    model::AccountRequest r;
    r.external_id = task.user.text();
    if (const auto user = store::users::get(db, task.user)) {
      r.login_email = user->login_email_canonical;
      r.name = user->name;
      r.given_name = user->given_name;
      r.family_name = user->family_name;
      r.locale = user->locale;
      r.company = user->company;
      r.roles = user->roles;
    }
    // The address that was verified, whatever is saved by now.
    if (const auto invitation = task.invitation ? store::invitations::get(db, *task.invitation) : std::nullopt)
      r.login_email = invitation->login_email_canonical;
    all.push_back({std::move(task), std::move(r)});
  }
  return all;
}

boost::asio::awaitable<std::size_t> Connecting::pass() {
  if (!gate_.held().empty()) co_return 0;
  const std::size_t window = identity_.window();
  if (asked_about_->size() >= window) co_return 0;
  const Instant now = clock_.now();
  // What is being asked for is due until its answer is stored.
  auto due = co_await [&] { return store_.read([now, window](Db& db) { return due_at(db, now, window); }); }();
  std::size_t begun = 0;
  for (Due& one : due) {
    if (asked_about_->size() >= window) break;
    if (!asked_about_->insert(one.task.user).second) continue;
    scope_.spawn("provider call", work(std::move(one)));
    ++begun;
  }
  co_return begun;
}

boost::asio::awaitable<void> Connecting::work(Due due) {
  {
    struct End {
      std::shared_ptr<std::unordered_set<Id>> asked_about;
      Id user;
      ~End() { asked_about->erase(user); }
    } const end{asked_about_, due.task.user};
    const Looper looper("connecting", clock_);
    (void)co_await looper.guarded(ask_and_record(std::move(due)));
  }
  wakeup_.ring();
}

// Whether the provider has done it.
boost::asio::awaitable<bool> Connecting::ask_and_record(Due due) {
  const ProviderTask task = std::move(due.task);
  const ProviderAnswer answer = co_await ask(task, std::move(due.request));
  const Instant now = clock_.now();
  const std::uint64_t jitter = random_.below(1'000);
  co_await [&] {
    return store_.write([planner = planner_, task, answer, identity = identity_.name(), now, jitter](Db& db) {
      if (one_of_many(db, "The provider's answer cannot be stored", "user", task.user.text(),
                      [&] { record(db, *planner, task, answer, identity, now, jitter); }))
        return;
      // Asked again later, behind the others.
      store::tasks::postpone(db, task.key, now + model::provider_pause_after(task.failures + 1, {}, jitter),
                             "the daemon could not store the provider's answer; its journal says why");
    });
  }();
  const bool done = answer.status == ProviderStatus::done;
  if (done) {
    log::info(done_event(task.kind), "The provider has done it",
              {{"user", task.user.text()}, {"task", std::string(model::to_text(task.kind))}});
  } else {
    log::warning(
        events::account_failed,
        answer.status == ProviderStatus::rejected ? "The provider refuses; a person must look (invitectl status)"
                                                  : "The provider cannot do it now; it is tried again",
        {{"user", task.user.text()}, {"task", std::string(model::to_text(task.kind))}, {"detail", answer.detail}});
  }
  co_return done;
}

boost::asio::awaitable<ProviderAnswer> Connecting::ask(ProviderTask task, model::AccountRequest request) {
  const std::string external_id = request.external_id;
  if (task.kind == ProviderTaskKind::remove_connection) co_return co_await identity_.remove_connection(external_id);
  if (task.kind == ProviderTaskKind::reset_password) co_return co_await identity_.reset_password(external_id);
  if (task.failures > 0) {
    // The last answer was doubtful: it may have been made already.
    ProviderAnswer found = co_await identity_.lookup(external_id);
    if (found.status != ProviderStatus::done) co_return found;
    if (found.found) co_return found;
  }
  co_return co_await identity_.ensure_account(std::move(request));
}

}  // namespace invited::service
