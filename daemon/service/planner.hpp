// Where a decision becomes rows: the one place that makes, moves and ends invitations because of the rules of PRODUCT
// §2.
//
// Everything that touches a user (intake, review, an administrator, a domain, the sweep, the scheduler) calls apply()
// in the same store closure as its own change, so that a change and its consequence are one transaction with one audit
// event for each transition.
//
//   co_await store.write([=](Db& db) { users::update(db, user); planner->apply(db, user.key, actor, now); });
//
// All functions run inside store closures, on the store's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/clock.hpp"
#include "core/id.hpp"
#include "core/random.hpp"
#include "model/batch.hpp"
#include "model/decision.hpp"
#include "model/policy.hpp"
#include "store/database.hpp"

namespace invited::service {

using core::Id;
using core::Instant;
using store::Db;

// A user with everything the decision reads.
struct Loaded {
  model::User user;
  std::optional<model::Employment> employment;
  std::optional<model::Employment> next;  // the employment that follows
  std::optional<model::Invitation> invitation;
  std::optional<model::Delivery> delivery;
  std::optional<model::Delivery> sign_in_mail;      // of a connected user
  std::optional<model::ProviderTask> account_task;  // of somebody who confirmed and is not connected yet
  bool domain_verified = false;
  std::vector<model::StepApproval> approvals;  // of what is under_review()
  std::optional<Id> leaving_batch;             // in which a withdrawal or disabling waits for a person
};

// What one apply() did, for counting.
struct Applied {
  model::Decision decision;
  bool released = false;    // a mail is queued now
  bool gathered = false;    // a mail would be; it is kept back in the batch of its run
  bool connecting = false;  // an account is being made now
};

// What one run of many changes keeps back instead of doing it at once (service/batches.hpp). Its batch is made with the
// first that is kept back. Belongs to the store's thread while the run goes on.
struct Gathering {
  Id key;  // given by the planner
  model::BatchCause cause = model::BatchCause::import;
  std::string source;
  std::string actor;
  model::BatchState state = model::BatchState::open;
  // Counted here too: a dry run leaves no rows.
  std::int64_t mails = 0;
  std::int64_t withdrawals = 0;
};

struct Ask {
  bool asked = false;                                           // W12, W13, renewal
  model::InvitationCause cause = model::InvitationCause::hire;  // of an invitation that is made now
  Gathering* gathering = nullptr;                               // what would be released now is kept back in it
  bool goes_first = false;                                      // not paced: one person is waiting for this mail
  bool usual = true;                                            // a release by rule counts for the usual day
};

class Planner {
public:
  Planner(std::shared_ptr<const model::Policies> policies, const core::Clock& clock, core::Random& random,
          std::string message_id_domain, std::uint8_t token_key_id);

  [[nodiscard]] static std::optional<Loaded> load(Db& db, const Id& user);
  // For many in a row: the user is read already, each mail domain is asked about once, and a mail only where it
  // decides.
  using DomainsSeen = std::unordered_map<std::string, bool>;
  [[nodiscard]] static Loaded load_one_of_many(Db& db, model::User user, DomainsSeen& seen);
  [[nodiscard]] model::Facts facts(const Loaded& loaded, Instant now, bool asked = false) const;

  // Decides and makes the rows fit. Repeating it without a change in facts changes nothing.
  Applied apply(Db& db, const Id& user, const std::string& actor, Instant now, Ask ask = {});
  // Likewise for a user who was loaded in this closure and not changed since.
  Applied apply(Db& db, Loaded loaded, const std::string& actor, Instant now, Ask ask = {});

  // Keeps the date on which the leaver rule disables this user where the sweep and the plan find it. apply() does it.
  void note_leaving(Db& db, const Id& user, Instant now) const;

  // The time between two employments is over for this user, who is enabled for the next one unless `enable` says no.
  void end_gap(Db& db, model::User& user, model::Employment& employment, bool enable, const std::string& actor,
               Instant now);

  // W9: what is open for the old address is over for good. True if something was open (then the new address is planned
  // again).
  bool supersede_for_new_email(Db& db, const Id& user, const std::string& actor, Instant now);
  // Ends what is open by hand; `to` is revoked or cancelled. False if nothing is open.
  bool end_open(Db& db, const Id& user, model::InvitationState to, std::string_view reason, const std::string& actor,
                Instant now);

  // A run begins that may keep back much: what was there before it has smaller keys than its batch.
  void begin(Gathering& gathering);
  // A withdrawal, or a disabling, that waits for the end of its run: until then nothing goes out to this user.
  void gather_leaving(Db& db, const Id& user, model::BatchAct act, const std::optional<Id>& employment,
                      Gathering& gathering, Instant now);
  // It will not happen (any more): what it held goes on, or back to the batch that held it before.
  void let_stay(Db& db, const Id& user, const Id& batch, const std::string& actor, Instant now, Ask ask = {});

  // A mail of this kind waits for its first try; the earliest start goes first (W11).
  void queue_mail(Db& db, const model::Invitation& invitation, model::DeliveryKind kind,
                  const std::optional<model::Employment>& employment, Instant now,
                  const std::optional<Instant>& first_try = std::nullopt);

  void audit(Db& db, Instant now, const std::string& actor, std::string_view action, const std::string& subject,
             std::string_view reason = {}, const std::string& detail = {});

  [[nodiscard]] const model::Policies& policies() const { return *policies_; }
  [[nodiscard]] Id new_id() { return ids_.next(); }  // store's thread only
  [[nodiscard]] core::Random& random() { return random_; }

private:
  struct Work;
  static void note_leaving(Db& db, const model::Facts& known);
  void move(Work& work, model::InvitationState to, model::Invitation& invitation, std::string_view reason,
            const std::optional<model::CivilDue>& due = std::nullopt,
            std::optional<model::InvitationCause> cause = std::nullopt);
  model::Invitation make(Work& work, model::InvitationState state, model::InvitationCause cause,
                         std::string_view reason, const std::optional<model::CivilDue>& due = std::nullopt);
  void release(Work& work);
  void come_back(Work& work);
  void gather(Work& work);
  void end_spent(Work& work);
  void put_into_batch(Db& db, Gathering& gathering, const Loaded& loaded, model::BatchAct act,
                      const std::optional<Id>& employment, Instant now);
  void schedule(Work& work, const model::CivilDue& due);
  void park_in_review(Work& work);
  void connect(Work& work);
  void owe(Work& work, model::ProviderTaskKind kind, const std::optional<Id>& invitation);
  void end(Work& work, model::InvitationState to, std::string_view reason);

  std::shared_ptr<const model::Policies> policies_;
  core::Random& random_;
  core::IdSource ids_;
  std::string message_id_domain_;
  std::uint8_t token_key_id_;
};

// The employment that a review of this user is about: the one in force, or the next one where that is what waits.
[[nodiscard]] const std::optional<model::Employment>& under_review(const Loaded& loaded);

[[nodiscard]] std::string subject_of(const model::User& user);

}  // namespace invited::service
