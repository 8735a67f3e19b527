// The things the daemon knows: plain values, as the store keeps them (words of PRODUCT §1).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/id.hpp"
#include "model/civil_time.hpp"
#include "model/states.hpp"

namespace invited::model {

using core::Id;

// One person. `key` is ours and never changes: it is the external id at the identity provider.
// `user_id` is the HR system's, unique without regard to case.
struct User {
  Id key;
  std::string user_id;
  std::string name;
  std::string given_name;
  std::string family_name;
  std::string login_email;            // as typed; empty: none saved
  std::string login_email_canonical;  // empty or unique per mailbox form
  std::string login_email_domain;     // ASCII domain of the canonical form
  std::string company;                // key from the configuration; empty: the organisation itself
  std::string department;
  std::string locale;  // "sv", "en" or empty: the company's
  std::string alias;
  std::string signature;
  std::string card_id;
  std::string external_ref;
  std::vector<std::string> authorised_companies;
  std::vector<std::string> roles;
  bool enabled = true;
  Connection connection = Connection::not_connected;
  std::string source;  // instance name that last wrote it
  Instant created_at{};
  Instant updated_at{};
  bool operator==(const User&) const = default;
};

struct Employment {
  Id key;
  Id user;
  CivilDate start_date{};
  std::optional<CivilDate> end_date;
  std::string employment_template;
  std::string flow;        // the review flow it is in; empty: none
  std::string entered_by;  // who gave what is reviewed, one actor a line (four eyes)
  ReviewState review = ReviewState::none;
  std::string review_actor;   // who decided last
  std::string review_reason;  // why it was rejected
  std::optional<Instant> reviewed_at;
  bool withdrawn = false;
  // W0: no mail of this hire was accepted yet and the user was not connected since; the automatic rules apply to it.
  bool hire_open = true;
  bool over = false;  // its end has passed and another one follows
  GapState gap = GapState::none;
  Instant created_at{};
  bool operator==(const Employment&) const = default;
};

// Why an invitation exists.
enum class InvitationCause : std::uint8_t { hire, asked, verified_domain, renewal };

struct Invitation {
  Id key;
  Id user;
  std::uint32_t generation = 1;  // counts a user's invitations; part of the token
  InvitationState state = InvitationState::draft;
  InvitationCause cause = InvitationCause::hire;
  std::string login_email;  // the one it offers to verify, as typed
  std::string login_email_canonical;
  std::optional<CivilDue> due;  // set while a date is ahead (W2); nothing: now
  std::optional<Instant> released_at;
  std::optional<Instant> accepted_at;
  std::optional<Instant> ends_at;  // end of the link (PRODUCT §3); set when accepted
  std::optional<Instant> verified_at;
  std::optional<Instant> ended_at;
  // Code of why it ended. decide() reads it: after "login_email_changed" it plans again (W9); after "discarded", or a
  // revocation for another reason than a rule of W10, nothing begins by itself.
  std::string end_reason;
  std::string held_reason;  // empty: not held
  std::array<std::byte, 12> selector{};
  std::array<std::byte, 16> salt{};
  std::uint8_t key_id = 0;
  Instant created_at{};
};

// What a mail says: asks for the verification, or tells who was connected by a verified domain that the sign-in is
// ready.
enum class DeliveryKind : std::uint8_t { verification, sign_in_ready };

// One mail on its way; at most one of each kind for an invitation. Attempts are rows of their own.
struct Delivery {
  Id key;
  Id invitation;
  DeliveryKind kind = DeliveryKind::verification;
  Id user;
  DeliveryState state = DeliveryState::queued;
  std::string message_id;     // without angle brackets; the same in every copy
  std::int32_t attempts = 0;  // claims made
  std::int32_t uncertain_tries = 0;
  std::int32_t failures = 0;       // deferred in a row
  std::optional<Instant> next_at;  // nothing: nobody tries by himself
  std::string remote_id;
  std::string detail;  // the server's last word, printable
  Instant created_at{};
};

struct Attempt {
  Id delivery;
  std::int32_t number = 0;
  Instant started_at{};
  std::optional<Instant> ended_at;
  std::string outcome;  // a delivery state
  std::string phase;
  std::int32_t code = 0;
  std::string detail;
};

enum class DomainState : std::uint8_t { pending, verified, lapsed };

struct Domain {
  std::string name;  // ASCII form, "*.": wildcard
  DomainState state = DomainState::verified;
  std::string method{};     // how it is known, or to be proven: "dns"; "assertion": an operator answers for it
  std::string actor{};      // who added it
  Instant since{};          // in this state
  std::string challenge{};  // what the DNS record must hold; empty: none was asked for
  std::optional<Instant> checked_at{};
  std::optional<Instant> next_check_at{};  // nothing: never by itself (assertions)
  std::optional<Instant> failing_since{};  // proven once, and since then the DNS says that the record is not there
  std::string detail{};                    // what the last check found, for people
};

// What the daemon owes the identity provider; kept until done (order per user).
enum class ProviderTaskKind : std::uint8_t { ensure_account, remove_connection, reset_password };

struct ProviderTask {
  Id key;
  Id user;
  std::optional<Id> invitation;
  ProviderTaskKind kind = ProviderTaskKind::ensure_account;
  std::int32_t failures = 0;
  std::optional<Instant> next_at;  // nothing: refused for good, a person must look
  std::string detail;
  std::string actor;
  Instant created_at{};
};

struct Account {
  Id user;
  std::string identity;  // instance name
  std::string provider_id;
  std::string login_email;
  std::string sign_in_url;
  Instant created_at{};
};

// The page on which a person types her own address (PRODUCT §5, preparation phase); one per user.
struct SelfServicePage {
  Id user;
  std::array<std::byte, 12> selector{};
  std::array<std::byte, 16> salt{};
  std::uint8_t key_id = 0;
  std::int32_t tries = 0;  // addresses taken or refused through it
  Instant ends_at{};
  Instant created_at{};
};

struct AuditEvent {
  std::int64_t seq = 0;
  Instant at{};
  std::string actor;    // "uid:1000 (anna)", "source:hr", "daemon", "link"
  std::string action;   // stable: "invitation.released"
  std::string subject;  // "user:14", "domain:example.com"
  std::string reason;   // stable code or empty
  std::string detail;   // one line for people; personal data only here
};

[[nodiscard]] std::string_view to_text(InvitationCause);
[[nodiscard]] std::string_view to_text(DeliveryKind);
[[nodiscard]] std::string_view to_text(DomainState);
[[nodiscard]] std::string_view to_text(ProviderTaskKind);
[[nodiscard]] std::optional<InvitationCause> parse_invitation_cause(std::string_view);
[[nodiscard]] std::optional<DeliveryKind> parse_delivery_kind(std::string_view);
[[nodiscard]] std::optional<DomainState> parse_domain_state(std::string_view);
[[nodiscard]] std::optional<ProviderTaskKind> parse_provider_task_kind(std::string_view);

}  // namespace invited::model
