#include "service/row_email.hpp"

#include <fmt/format.h>

#include "model/email.hpp"
#include "service/row_user.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

// The other user who keeps this address, as far as the rows so far say. Nothing: it is free.
struct Taken {
  std::optional<Id> owner;       // nothing: an earlier row of a dry run took it
  bool may_be_given_up = false;  // her own row may still come, or waits itself
};

std::optional<Taken> taken_by_another(Db& db, const std::string& canonical, const model::User& user,
                                      const RowsSeen* seen) {
  if (seen != nullptr && seen->taken_emails.contains(canonical)) return Taken{};
  const auto key = store::users::owner_of_login_email(db, canonical);
  if (!key || *key == user.key) return std::nullopt;
  if (seen == nullptr) return Taken{key};
  if (seen->exchanging.contains(*key)) return std::nullopt;
  const model::User owner = store::users::get(db, *key).value();
  const std::string folded = store::fold_user_id(owner.user_id);
  if (seen->left_old_email.contains(folded)) return std::nullopt;
  const bool row_to_come = !seen->user_ids.contains(folded) || seen->waiting.contains(folded);
  return Taken{key, row_to_come && !seen->last_look && owner.connection != model::Connection::connected};
}

}  // namespace

EmailChange take_login_email(Db& db, const Planner& planner, const Fields& fields, bool present, model::User& user,
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
  if (const auto taken = same_mailbox ? std::nullopt : taken_by_another(db, email->canonical, user, seen)) {
    if (taken->may_be_given_up) throw AddressTaken{*taken->owner, present ? std::optional(user.key) : std::nullopt};
    return {.ignored = "duplicate_email", .message = "Another user already has this login email."};
  }
  user.login_email = email->typed;
  user.login_email_canonical = email->canonical;
  user.login_email_domain = email->domain;
  return {.changed = !same_mailbox};
}

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

void take_from_owner(Db& db, const model::User& user, RowsSeen& seen) {
  const auto key = store::users::owner_of_login_email(db, user.login_email_canonical);
  if (!key || *key == user.key) return;
  model::User owner = store::users::get(db, *key).value();
  seen.given_up[*key] = {owner.login_email, owner.login_email_canonical, owner.login_email_domain};
  owner.login_email.clear();
  owner.login_email_canonical.clear();
  owner.login_email_domain.clear();
  store::users::update(db, owner);
}

void give_back(const RowsSeen& seen, model::User& user) {
  const auto found = seen.given_up.find(user.key);
  if (found == seen.given_up.end() || !user.login_email.empty()) return;
  user.login_email = found->second.typed;
  user.login_email_canonical = found->second.canonical;
  user.login_email_domain = found->second.domain;
}

}  // namespace invited::service
