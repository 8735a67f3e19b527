#include "service/delivery.hpp"

#include <fmt/format.h>

#include <boost/asio/this_coro.hpp>
#include <iterator>
#include <utility>

#include "core/events.hpp"
#include "core/log.hpp"
#include "model/batch.hpp"
#include "model/retry.hpp"
#include "service/looper.hpp"
#include "store/accounts.hpp"
#include "store/invitations.hpp"
#include "store/users.hpp"

namespace invited::service {

#ifndef INVITED_PLANT_BUG
#define INVITED_PLANT_BUG 0
#endif

namespace {

// A bug that the simulator must find (tests/sim builds one program for each); 0 everywhere else.
constexpr int planted_bug = INVITED_PLANT_BUG;
constexpr int no_rescue = 1;
constexpr int outcome_before_act = 2;
constexpr int ends_after_120_hours = 3;

using model::DeliveryKind;
using model::DeliveryState;
using model::InvitationState;
using model::VerdictStatus;
using store::deliveries::Outcome;
namespace log = core::log;
namespace events = core::events;

constexpr core::Milliseconds look_each{1'000};
constexpr int most_tries_to_record = 5;
constexpr std::size_t rescue_chunk = 256;
constexpr std::size_t outcome_chunk = 32;  // a few milliseconds of store time
constexpr std::string_view phase_render = "render";

// The invitation behind a mail that was taken by the next server, or may have been for the last time.
void mark_sent(Db& db, Planner& planner, const model::Delivery& delivery, Instant now, std::string_view held) {
  auto invitation = store::invitations::get(db, delivery.invitation);
  auto user = store::users::get(db, delivery.user);
  if (!invitation || !user || invitation->state != InvitationState::released) return;  // ended or confirmed meanwhile
  const model::Policy& policy = planner.policies().of(user->company);
  store::invitations::Change change;
  change.at = now;
  change.ends_at = model::link_end(now, policy.zone, policy.valid_days);
  if constexpr (planted_bug == ends_after_120_hours) change.ends_at = now + std::chrono::hours{120};
  store::invitations::move(db, invitation->key, InvitationState::released, InvitationState::sent, change);
  store::employments::close_hire(db, user->key);
  if (!held.empty()) store::invitations::set_held(db, invitation->key, held);
  planner.audit(db, now, "daemon", "invitation.sent", subject_of(*user), held,
                "link ends " + model::to_utc_text(*change.ends_at));
}

void hold(Db& db, Planner& planner, const model::Delivery& delivery, Instant now, std::string_view reason,
          const std::string& detail) {
  auto invitation = store::invitations::get(db, delivery.invitation);
  if (!invitation || invitation->state != InvitationState::released) return;
  store::invitations::set_held(db, invitation->key, reason);
  if (auto user = store::users::get(db, delivery.user))
    planner.audit(db, now, "daemon", "invitation.held", subject_of(*user), reason, detail);
}

// Cancelled, superseded or confirmed while the mail was with the transport: nobody waits for another copy.
bool still_wanted(Db& db, const model::Delivery& delivery) {
  if (delivery.kind == DeliveryKind::sign_in_ready) {
    const auto user = store::users::get(db, delivery.user);
    const auto newest = store::invitations::newest(db, delivery.user);
    return user && user->enabled && user->connection == model::Connection::connected && newest &&
           newest->key == delivery.invitation;
  }
  const auto invitation = store::invitations::get(db, delivery.invitation);
  return invitation && invitation->state == InvitationState::released;
}

// A batch took hold of the invitation while its mail was with the transport: another try waits for a person.
void park_if_held(Db& db, const model::Delivery& delivery) {
  const auto invitation = store::invitations::get(db, delivery.invitation);
  if (invitation && model::batch_holding(invitation->held_reason)) store::deliveries::park(db, delivery.key);
}

// The person can sign in whatever became of this mail: its end is told, and nothing else moves.
void tell_sign_in_mail(Db& db, Planner& planner, const model::Delivery& delivery, Instant now, bool accepted,
                       const std::string& detail) {
  if (const auto user = store::users::get(db, delivery.user))
    planner.audit(db, now, "daemon", accepted ? "sign_in_mail.accepted" : "sign_in_mail.failed", subject_of(*user), {},
                  detail);
}

Outcome outcome_of(const model::Verdict& verdict, const model::Delivery& delivery, Instant now, Instant give_up_at,
                   int max_attempts, std::uint64_t jitter) {
  Outcome outcome;
  outcome.at = now;
  outcome.phase = verdict.phase;
  outcome.code = verdict.code;
  outcome.remote_id = verdict.remote_id;
  outcome.detail = core::log::printable(verdict.detail);
  outcome.counts = !verdict.transport_trouble && !verdict.taken_back;
  switch (verdict.status) {
    case VerdictStatus::accepted:
      outcome.state = DeliveryState::accepted;
      break;
    case VerdictStatus::rejected:
      outcome.state = verdict.transport_trouble ? DeliveryState::deferred : DeliveryState::rejected;
      if (verdict.transport_trouble) outcome.next_at = now;
      break;
    case VerdictStatus::retry: {
      outcome.state = DeliveryState::deferred;
      const bool blameless = verdict.transport_trouble || verdict.taken_back;
      const Instant next =
          blameless ? now : now + model::pause_after(delivery.failures + 1, verdict.retry_after, jitter);
      if (next < give_up_at && (blameless || delivery.failures + 1 < max_attempts)) outcome.next_at = next;
      break;
    }
    case VerdictStatus::unknown:
      outcome.state = DeliveryState::uncertain;
      if (delivery.uncertain_tries + 1 < model::most_uncertain_tries)
        outcome.next_at = now + model::pause_after(delivery.uncertain_tries + 1, verdict.retry_after, jitter);
      break;
  }
  return outcome;
}

// Records one verdict.
Delivery::Stored settle(Db& db, Planner& planner, const Id& run_id, const model::Verdict& verdict, Instant now,
                        int max_attempts, std::uint64_t jitter) {
  const auto delivery = store::deliveries::get(db, verdict.delivery);
  if (!delivery) return {};
  const DeliveryKind kind = delivery->kind;
  const auto user = store::users::get(db, delivery->user);
  const int days = user ? planner.policies().of(user->company).valid_days : 5;
  // The days of trying begin with the first try: a paced mail may have waited long for its turn.
  const auto tries = verdict.status == VerdictStatus::retry ? store::deliveries::attempts(db, delivery->key)
                                                            : std::vector<model::Attempt>{};
  const Instant began = tries.empty() ? delivery->created_at : tries.front().started_at;
  const Outcome outcome =
      outcome_of(verdict, *delivery, now, began + std::chrono::hours{24 * days}, max_attempts, jitter);
  if (!store::deliveries::settle(db, delivery->key, run_id, outcome)) return {kind};
  if (outcome.state != DeliveryState::accepted && !still_wanted(db, *delivery)) {
    (void)store::deliveries::cancel(db, delivery->invitation, kind);
    return {kind};
  }
  if (kind == DeliveryKind::sign_in_ready) {
    const bool accepted = outcome.state == DeliveryState::accepted;
    if (accepted || !outcome.next_at) tell_sign_in_mail(db, planner, *delivery, now, accepted, outcome.detail);
    return {kind, !accepted && !outcome.next_at};
  }
  switch (outcome.state) {
    case DeliveryState::accepted:
      mark_sent(db, planner, *delivery, now, "");
      break;
    case DeliveryState::rejected:
      hold(db, planner, *delivery, now,
           verdict.phase == phase_render ? model::reason::render_failed : model::reason::delivery_rejected,
           outcome.detail);
      break;
    case DeliveryState::deferred:
      if (!outcome.next_at) hold(db, planner, *delivery, now, model::reason::delivery_gave_up, outcome.detail);
      break;
    case DeliveryState::uncertain:
      if (!outcome.next_at) mark_sent(db, planner, *delivery, now, model::reason::delivery_uncertain);
      break;
    default:
      break;
  }
  if (outcome.next_at) park_if_held(db, *delivery);
  return {kind, outcome.state != DeliveryState::accepted && !outcome.next_at};
}

}  // namespace

std::optional<std::string> link_of(const core::TokenRing& tokens, const model::Invitation& invitation,
                                   const std::string& base_url) {
  auto token =
      tokens.make(invitation.key_id, invitation.selector, invitation.salt, invitation.generation, verification_purpose);
  if (!token) return std::nullopt;
  return base_url + "/v/" + *token;
}

Delivery::Delivery(store::Store& store, core::Clock& clock, core::Random& random, boost::asio::any_io_executor executor,
                   std::shared_ptr<Planner> planner, const core::TokenRing& tokens, MailWriter& writer,
                   model::Transport& transport, const SendingGate& gate, core::TaskScope& scope, Id run_id,
                   DeliverySettings settings)
    : store_(store),
      clock_(clock),
      random_(random),
      wakeup_(std::move(executor)),
      planner_(std::move(planner)),
      tokens_(tokens),
      writer_(writer),
      transport_(transport),
      gate_(gate),
      scope_(scope),
      run_id_(run_id),
      settings_(std::move(settings)) {}

boost::asio::awaitable<void> Delivery::run() {
  const Looper looper("delivery", clock_);
  while (co_await looper.guarded(rescue()) == std::nullopt) co_await clock_.sleep_for(look_each);
  while (true) {
    while (co_await looper.guarded(pass()) > 0U) {
    }
    if (clock_.monotonic() >= recall_next_) {
      (void)co_await looper.guarded(recall_unwanted());
      recall_next_ = clock_.monotonic() + look_each;
    }
    core::Milliseconds longest = look_each;
    if (paused_until_)
      longest = std::min(longest, std::max(core::Milliseconds{1}, *paused_until_ - clock_.monotonic()));
    co_await wakeup_.wait_for(clock_, longest);
  }
}

boost::asio::awaitable<std::size_t> Delivery::rescue() {
  std::size_t total = 0;
  if constexpr (planted_bug == no_rescue) co_return total;
  while (true) {
    const Instant now = clock_.now();
    const auto rescued = co_await [&] {
      return store_.write([planner = planner_, run_id = run_id_, now](Db& db) {
        const auto keys = store::deliveries::rescue(db, run_id, now, rescue_chunk);
        for (const Id& key : keys) {
          const auto delivery = store::deliveries::get(db, key);
          const bool wanted = delivery && still_wanted(db, *delivery);
          if (delivery && !wanted) (void)store::deliveries::cancel(db, delivery->invitation, delivery->kind);
          if (wanted && delivery->next_at) park_if_held(db, *delivery);
          if (wanted && !delivery->next_at) {
            if (delivery->kind == DeliveryKind::sign_in_ready) {
              tell_sign_in_mail(db, *planner, *delivery, now, false, delivery->detail);
            } else {
              mark_sent(db, *planner, *delivery, now, model::reason::delivery_uncertain);
            }
          }
          if (const auto user = delivery ? store::users::get(db, delivery->user) : std::nullopt)
            planner->audit(db, now, "daemon", "delivery.uncertain", subject_of(*user), "restart");
        }
        return keys;
      });
    }();
    total += rescued.size();
    if (rescued.size() < rescue_chunk) break;
  }
  if (total > 0)
    log::warning(events::delivery_uncertain,
                 "Mails were on their way when the daemon ended; they may have gone out and go out again with the same "
                 "Message-ID and link",
                 {{"mails", std::to_string(total)}});
  co_return total;
}

boost::asio::awaitable<std::size_t> Delivery::pass() {
  if (!gate_.open()) co_return 0;
  if (paused_until_) {
    if (clock_.monotonic() < *paused_until_) co_return 0;
    paused_until_.reset();  // one try; trouble again pauses longer
  }
  const std::size_t window = transport_.window();
  const std::size_t free = window > outstanding_ ? window - outstanding_ : 0;
  if (free == 0) co_return 0;
  const Instant now = clock_.now();
  auto claimed = co_await [&] {
    return store_.write([planner = planner_, run_id = run_id_, now, lease = now + settings_.lease, free](Db& db) {
      std::vector<MailFacts> mails;
      for (model::Delivery& delivery : store::deliveries::claim(db, run_id, now, lease, free)) {
        auto invitation = store::invitations::get(db, delivery.invitation);
        auto user = store::users::get(db, delivery.user);
        if constexpr (planted_bug == outcome_before_act)
          (void)settle(db, *planner, run_id, {.delivery = delivery.key, .status = VerdictStatus::accepted}, now, 1, 0);
        std::string provider_url;
        if (delivery.kind == DeliveryKind::sign_in_ready)
          if (const auto account = store::accounts::get(db, delivery.user)) provider_url = account->sign_in_url;
        mails.push_back(
            {std::move(user.value()), std::move(invitation.value()), std::move(delivery), std::move(provider_url)});
      }
      return mails;
    });
  }();
  if (claimed.empty()) co_return 0;
  outstanding_ += claimed.size();

  std::vector<model::OutgoingMail> mails;
  for (MailFacts& facts : claimed) {
    const auto refuse = [&](std::string detail) {
      take_verdict({.delivery = facts.delivery.key,
                    .status = VerdictStatus::rejected,
                    .phase = std::string(phase_render),
                    .detail = std::move(detail)});
    };
    const bool needs_link = facts.delivery.kind == DeliveryKind::verification;
    const auto link = needs_link ? link_of(tokens_, facts.invitation, settings_.base_url) : std::string();
    if (!link) {
      refuse("the key that made this link is no longer configured: send again to make a new link");
      continue;
    }
    core::Result<model::OutgoingMail> mail = core::fail(core::ErrorKind::internal, "render_failed", "");
    try {
      mail = writer_.write(facts, *link, planner_->policies().of(facts.user.company), now);
    } catch (const std::exception& e) {
      mail = core::fail(core::ErrorKind::internal, "render_failed",
                        fmt::format("the mail cannot be written: {}", e.what()));
    }
    if (!mail) {
      refuse(mail.error().message);
      continue;
    }
    mail->delivery = facts.delivery.key;
    mail->message_id = facts.delivery.message_id;
    mail->attempt = facts.delivery.attempts;
    mail->deadline = now + settings_.lease;
    mails.push_back(std::move(*mail));
  }
  if (!mails.empty())
    transport_.send(std::move(mails), [this](model::Verdict verdict) { take_verdict(std::move(verdict)); });
  co_return claimed.size();
}

boost::asio::awaitable<bool> Delivery::recall_unwanted() {
  if (outstanding_ == 0) {
    recalled_.clear();
    co_return false;
  }
  const auto unwanted = co_await [&] {
    return store_.read([run_id = run_id_](Db& db) {
      std::vector<Id> keys;
      for (const model::Delivery& delivery : store::deliveries::claimed(db, run_id))
        if (!still_wanted(db, delivery)) keys.push_back(delivery.key);
      return keys;
    });
  }();
  bool news = false;
  for (const Id& key : unwanted) news |= recalled_.insert(key).second;
  if (news) transport_.recall();
  co_return news;
}

void Delivery::take_verdict(model::Verdict verdict) {
  Told told{std::move(verdict), clock_.now(), random_.below(1'000)};
  // Before it is stored: what is due again at once shall not be claimed in between.
  if (told.verdict.transport_trouble) pause(told.verdict);
  told_.push_back(std::move(told));
  if (!std::exchange(recording_, true)) scope_.spawn("delivery outcomes", record());
}

boost::asio::awaitable<void> Delivery::record() {
  struct End {
    bool& recording;
    ~End() { recording = false; }
  } const end{recording_};
  // What is known of mails that are out is stored also while the daemon ends.
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  while (!told_.empty()) {
    const auto last = told_.begin() + static_cast<std::ptrdiff_t>(std::min(told_.size(), outcome_chunk));
    const std::vector<Told> told(std::make_move_iterator(told_.begin()), std::make_move_iterator(last));
    told_.erase(told_.begin(), last);
    const auto stored = co_await store_together(told);
    if (!stored) {
      // What is wrong with one of them is not wrong with the others.
      for (const Told& one : told) scope_.spawn("delivery outcome", record_alone(one));
      continue;
    }
    for (std::size_t i = 0; i < told.size(); ++i) after_outcome(told[i].verdict, stored->at(i));
    wakeup_.ring();
  }
}

boost::asio::awaitable<std::optional<std::vector<Delivery::Stored>>> Delivery::store_together(std::vector<Told> told) {
  try {
    co_return co_await [&] {
      return store_.write([planner = planner_, run_id = run_id_, told, most = settings_.max_attempts](Db& db) {
        std::vector<Stored> all;
        for (const Told& one : told) all.push_back(settle(db, *planner, run_id, one.verdict, one.at, most, one.jitter));
        return all;
      });
    }();
  } catch (const std::exception&) {
    co_return std::nullopt;
  }
}

boost::asio::awaitable<void> Delivery::record_alone(Told told) {
  Stored stored;
  for (int tries = 1;; ++tries) {
    std::string why;
    bool full = false;
    try {
      stored = co_await [&] {
        return store_.write([planner = planner_, run_id = run_id_, told, most = settings_.max_attempts](Db& db) {
          return settle(db, *planner, run_id, told.verdict, told.at, most, told.jitter);
        });
      }();
    } catch (const store::Unavailable& e) {
      full = true;
      why = e.what();
    } catch (const std::exception& e) {
      why = e.what();
    }
    if (why.empty()) break;
    // The outcome of a mail must not be lost: nothing more is claimed by this window until it is written.
    log::error(events::internal_error, "An outcome cannot be recorded (disk full?); trying again each second",
               {{"delivery", told.verdict.delivery.text()}, {"why", why}});
    // Not for want of space: this mail waits for a person, the others go on.
    if (!full && tries == most_tries_to_record) {
      co_await set_aside(told);
      break;
    }
    co_await clock_.sleep_for(look_each);
  }
  after_outcome(told.verdict, stored);
  wakeup_.ring();
}

boost::asio::awaitable<void> Delivery::set_aside(Told told) {
  Outcome outcome;
  outcome.state = DeliveryState::uncertain;
  outcome.at = told.at;
  outcome.phase = told.verdict.phase;
  outcome.code = told.verdict.code;
  outcome.detail = "the daemon could not store the outcome, its journal says why; the server's word: " +
                   log::printable(told.verdict.detail);
  try {
    co_await [&] {
      return store_.write([key = told.verdict.delivery, run_id = run_id_, outcome](Db& db) {
        (void)store::deliveries::settle(db, key, run_id, outcome);
      });
    }();
  } catch (const std::exception& e) {
    log::error(events::internal_error, "A mail cannot even be set aside; the next start asks about it again",
               {{"delivery", told.verdict.delivery.text()}, {"why", e.what()}});
  }
}

void Delivery::after_outcome(const model::Verdict& verdict, const Stored& stored) {
  transport_.settled(verdict.delivery);
  --outstanding_;
  if (verdict.status == VerdictStatus::accepted) {
    ++accepted_;
    // One that was on its way when the trouble began does not end it.
    if (!paused_until_ || clock_.monotonic() >= *paused_until_) tell_resumed();
  }
  if (log::enabled(log::Level::debug))
    log::debug(events::delivery_accepted, "Outcome recorded",
               {{"delivery", verdict.delivery.text()}, {"phase", verdict.phase}, {"detail", verdict.detail}});
  if (stored.over) tell_over(verdict, stored);
}

void Delivery::tell_over(const model::Verdict& verdict, const Stored& stored) {
  const bool refused = verdict.status == VerdictStatus::rejected;
  const std::string_view sentence =
      stored.kind == DeliveryKind::sign_in_ready
          ? "A mail that tells how to sign in was refused or given up; the person is connected all the same "
            "(invitectl user show)"
      : refused ? "A mail was refused for good; it waits for a person (invitectl invitation list --held)"
      : verdict.status == VerdictStatus::unknown
          ? "Whether a mail went out is not known after all its tries; it waits for a person (invitectl invitation "
            "list "
            "--held)"
          : "A mail was put off too often and is given up; it waits for a person (invitectl invitation list --held)";
  log::warning(refused ? events::delivery_rejected : events::delivery_given_up, sentence,
               {{"delivery", verdict.delivery.text()}, {"detail", verdict.detail}});
}

void Delivery::pause(const model::Verdict& verdict) {
  if (paused_until_ && clock_.monotonic() < *paused_until_) return;  // the same trouble, told by another connection
  ++troubles_;
  const auto length = model::provider_pause_after(troubles_, verdict.retry_after, random_.below(1'000));
  paused_until_ = clock_.monotonic() + length;
  trouble_ = core::log::printable(verdict.detail);
  log::warning(events::transport_paused,
               "The transport is paused: nothing is lost, mails go on when the trouble is over",
               {{"transport", transport_.name()},
                {"phase", verdict.phase},
                {"detail", trouble_},
                {"seconds", std::to_string(length.count() / 1'000)}});
}

void Delivery::tell_resumed() {
  if (troubles_ > 0)
    log::info(events::transport_resumed, "The transport works again", {{"transport", transport_.name()}});
  troubles_ = 0;
  trouble_.clear();
}

Delivery::Status Delivery::status() const {
  Status status{.outstanding = outstanding_, .accepted = accepted_, .paused = false, .trouble = trouble_};
  if (paused_until_) {
    const auto left = *paused_until_ - clock_.monotonic();
    status.paused = left.count() > 0;
    status.resumes_in = std::max(left, core::Milliseconds{0});
  }
  return status;
}

void Delivery::resume() {
  paused_until_.reset();
  troubles_ = 0;
  trouble_.clear();
  wakeup_.ring();
}

}  // namespace invited::service
