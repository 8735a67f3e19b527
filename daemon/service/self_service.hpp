// The preparation phase (PRODUCT §5): who is shown a banner in the HR system, and the page on which such a person types
// her own login email.
//
// The page's URL is a secret for minutes, made as a link's is (core/token.hpp) with a purpose of its own; a newer page
// takes the place of the older one. What is typed goes the way of every login email (service/intake.hpp) and is then
// sent for like W12: at once, or connected without a mail in a verified domain, or after the last approval.
//
//   auto page = co_await self_service.make_page("14", {.actor = "uid:1000 (hr)"});     // page->url, page->ends_at
//   auto view = co_await self_service.open(token);                                      // GET: changes nothing
//   view = co_await self_service.save(token, {"a@example.com", "a@example.com", view.form_proof});
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/token.hpp"
#include "model/policy.hpp"
#include "service/intake.hpp"
#include "service/planner.hpp"
#include "service/users.hpp"
#include "store/store.hpp"

namespace invited::service {

// What the HR system shows to a user who is signed in there.
struct Banner {
  model::User user;
  model::Phase phase = model::Phase::live;
  bool show = false;
  // Stable. Shown: not_connected, mail_on_its_way, in_review. Not shown: live, connected, disabled, and the reasons for
  // which an employment bars every offer (withdrawn, review_rejected, employment_ended).
  std::string_view reason;
};

struct SelfServiceUrl {
  std::string url;  // empty in a dry run: nothing was made that it could open
  Instant ends_at{};
};

enum class SelfServiceState : std::uint8_t {
  gone,        // never issued, over, replaced, or not for this user any more: all alike
  form,        // an address may be typed
  sent,        // saved: the mail is on its way, or was a moment ago
  in_review,   // saved: the mail follows the last approval
  connecting,  // verified domain, or confirmed meanwhile: the account is being made
  connected,
  too_many,  // more addresses were tried than one page takes
};

enum class AddressFault : std::uint8_t {
  none,
  invalid,   // no address
  mismatch,  // the two fields differ
  unusable,  // not to be had, whatever the reason: whose it is, is nobody's business
  stale,     // the form was not ours, or of another page
};

struct SelfServiceView {
  SelfServiceState state = SelfServiceState::gone;
  AddressFault fault = AddressFault::none;  // form: what was wrong with what was posted
  std::string company;                      // key, for the policy
  std::string user_locale;
  std::string masked_email;     // saved so far; empty: none
  bool mail_is_out = false;     // form: a mail to that address waits for its confirmation
  bool mail_came_back = false;  // form: no mail server took a mail to that address
  std::string provider_url;     // connected: where the account signs in
  std::string form_proof;       // form
};

struct TypedAddress {
  std::string email;
  std::string confirm_email;
  std::string form_proof;
};

class SelfService {
public:
  // `lifetime`: of a page's URL.
  SelfService(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner, const core::TokenRing& tokens,
              std::string base_url, std::chrono::minutes lifetime);

  // Errors: unknown_user. [core-thread]
  boost::asio::awaitable<core::Result<Banner>> banner(std::string user_id);
  // Errors: unknown_user, and the banner's reasons for not being shown, as a conflict. [core-thread]
  boost::asio::awaitable<core::Result<SelfServiceUrl>> make_page(std::string user_id, Act act);

  // Reads only. [core-thread]
  boost::asio::awaitable<SelfServiceView> open(std::string token);
  // Takes the address, once: the same one again changes nothing and gives the same page. [core-thread]
  boost::asio::awaitable<SelfServiceView> save(std::string token, TypedAddress typed);
  void on_work(std::function<void()> call) { on_work_ = std::move(call); }

private:
  [[nodiscard]] std::optional<model::SelfServicePage> find(Db& db, const std::string& token,
                                                           const core::Selector& selector) const;
  [[nodiscard]] std::string proof_of(const model::SelfServicePage& page, Instant opened) const;
  [[nodiscard]] std::optional<Instant> opened_at(const model::SelfServicePage& page, const std::string& proof) const;
  [[nodiscard]] SelfServiceView view(Db& db, const model::SelfServicePage& page, Instant now) const;
  [[nodiscard]] SelfServiceView take(Db& db, const model::SelfServicePage& page, const TypedAddress& typed,
                                     Instant now) const;

  store::Store& store_;
  core::Clock& clock_;
  std::shared_ptr<Planner> planner_;
  const core::TokenRing& tokens_;
  std::string base_url_;
  core::Milliseconds lifetime_;
  std::function<void()> on_work_;
};

}  // namespace invited::service
