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

#include "core/clock.hpp"
#include "core/id.hpp"
#include "core/random.hpp"
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
  std::optional<model::Invitation> invitation;
  std::optional<model::Delivery> delivery;
  bool domain_verified = false;
};

// What one apply() did, for counting.
struct Applied {
  model::Decision decision;
  bool released = false;    // a mail is queued now
  bool connecting = false;  // an account is being made now
};

struct Ask {
  bool asked = false;                                           // W12, W13, renewal
  model::InvitationCause cause = model::InvitationCause::hire;  // of an invitation that is made now
};

class Planner {
public:
  Planner(std::shared_ptr<const model::Policies> policies, const core::Clock& clock, core::Random& random,
          std::string message_id_domain, std::uint8_t token_key_id);

  [[nodiscard]] static std::optional<Loaded> load(Db& db, const Id& user);
  [[nodiscard]] model::Facts facts(const Loaded& loaded, Instant now, bool asked = false) const;

  // Decides and makes the rows fit. Repeating it without a change in facts changes nothing.
  Applied apply(Db& db, const Id& user, const std::string& actor, Instant now, Ask ask = {});

  // W9: what is open for the old address is over for good. True if something was open (then the new address is planned
  // again).
  bool supersede_for_new_email(Db& db, const Id& user, const std::string& actor, Instant now);
  // Ends what is open by hand; `to` is revoked or cancelled. False if nothing is open.
  bool end_open(Db& db, const Id& user, model::InvitationState to, std::string_view reason, const std::string& actor,
                Instant now);

  void audit(Db& db, Instant now, const std::string& actor, std::string_view action, const std::string& subject,
             std::string_view reason = {}, const std::string& detail = {});

  [[nodiscard]] const model::Policies& policies() const { return *policies_; }
  [[nodiscard]] Id new_id() { return ids_.next(); }  // store's thread only
  [[nodiscard]] core::Random& random() { return random_; }

private:
  struct Work;
  void move(Work& work, model::InvitationState to, model::Invitation& invitation, std::string_view reason,
            const std::optional<model::CivilDue>& due = std::nullopt);
  model::Invitation make(Work& work, model::InvitationState state, model::InvitationCause cause,
                         std::string_view reason, const std::optional<model::CivilDue>& due = std::nullopt);
  void release(Work& work);
  void schedule(Work& work, const model::CivilDue& due);
  void park_in_review(Work& work);
  void connect(Work& work);
  void owe(Work& work, model::ProviderTaskKind kind, const std::optional<Id>& invitation);
  void end(Work& work, model::InvitationState to, std::string_view reason);
  void queue_mail(Work& work, const model::Invitation& invitation);

  std::shared_ptr<const model::Policies> policies_;
  core::Random& random_;
  core::IdSource ids_;
  std::string message_id_domain_;
  std::uint8_t token_key_id_;
};

[[nodiscard]] std::string subject_of(const model::User& user);

}  // namespace invited::service
