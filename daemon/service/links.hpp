// What a link can do (PRODUCT §3, §4): open (changes nothing), confirm (idempotent), and ask for a new mail.
//
// A token whose form or gate is wrong is refused before any store read. Whatever was never issued looks alike: unknown.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/token.hpp"
#include "service/planner.hpp"
#include "store/store.hpp"

namespace invited::service {

enum class LinkState : std::uint8_t {
  unknown,     // never issued, or not genuine
  open,        // may be confirmed
  connecting,  // confirmed, the provider is not done yet
  connected,   // used: the account exists
  expired,
  superseded,  // a newer mail was sent
  revoked,     // withdrawn by a person, or ended before it went out
};

struct LinkView {
  LinkState state = LinkState::unknown;
  std::string company;  // key, for the policy
  std::string user_locale;
  std::string masked_email;
  std::optional<model::CivilDate> last_day;  // open: the last local date on which it works
  std::optional<Instant> newer_sent_at;      // superseded: when the newer mail was accepted
  std::string sign_in_url;                   // connected
  std::string
      form_proof;  // open, and expired where a new link may be had: proves when the form was opened (see confirm)
};

enum class RenewResult : std::uint8_t {
  sent,        // a new mail is on its way
  connecting,  // no mail is needed any more: the address is in a verified domain
  too_soon,
  form_not_ours,  // no proof, or not of this link: nothing was looked at further
  not_possible,   // not an expired link, or the person may not have a new one
};

class Links {
public:
  // `renewals_per_hour`: how many new links a person may ask for by himself.
  Links(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner, const core::TokenRing& tokens,
        int renewals_per_hour);

  // Reads only. [core-thread]
  boost::asio::awaitable<LinkView> open(std::string token);
  // Confirms an open link, once; every later call gives the state it led to. A form opened before the end may be posted
  // up to 15 minutes after it: `form_proof` says when it was opened. [core-thread]
  boost::asio::awaitable<LinkView> confirm(std::string token, std::string form_proof);
  // "Send me a new one" of an expired link: only from its form, only to the saved address, only if not connected,
  // rate-limited.
  boost::asio::awaitable<RenewResult> renew(std::string token, std::string form_proof);
  void on_confirmed(std::function<void()> call) { on_confirmed_ = std::move(call); }
  void on_released(std::function<void()> call) { on_released_ = std::move(call); }

private:
  [[nodiscard]] std::string proof_of(const model::Invitation& invitation, Instant opened) const;
  [[nodiscard]] std::optional<Instant> opened_at(const model::Invitation& invitation, const std::string& proof) const;
  // The genuine invitation behind a token.
  [[nodiscard]] std::optional<model::Invitation> find(Db& db, const std::string& token,
                                                      const core::Selector& selector) const;
  [[nodiscard]] LinkView view(Db& db, const model::Invitation& invitation, Instant now) const;

  store::Store& store_;
  core::Clock& clock_;
  std::shared_ptr<Planner> planner_;
  const core::TokenRing& tokens_;
  core::Milliseconds renewal_pause_;
  std::function<void()> on_confirmed_;
  std::function<void()> on_released_;
};

inline constexpr core::Milliseconds form_grace = std::chrono::minutes{15};

}  // namespace invited::service
