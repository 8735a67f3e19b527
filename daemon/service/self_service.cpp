#include "service/self_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/log.hpp"
#include "model/email.hpp"
#include "service/links.hpp"
#include "store/accounts.hpp"
#include "store/self_service.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

using core::ErrorKind;
using core::fail;
using model::Action;
using model::Connection;
using model::InvitationState;
namespace reason = model::reason;

constexpr std::string_view page_purpose = "self-service";
constexpr std::uint32_t only_generation = 1;  // a newer page has a selector and a salt of its own
constexpr std::string_view phase_live = "live";
constexpr std::string_view not_connected = "not_connected";
constexpr std::int32_t most_tries = 10;
constexpr core::Milliseconds resend_pause = std::chrono::minutes{10};
constexpr const char* self_service_actor = "self-service";

std::string form_purpose(Instant opened) {
  return fmt::format("self-service form:{}", opened.time_since_epoch().count());
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

// Why this user has nothing to do with self-service; empty: may connect herself.
model::Reason barred(const model::Facts& facts) {
  if (!facts.user.enabled) return {reason::disabled, "The user is disabled: enable the user first."};
  if (facts.user.connection == Connection::connected)
    return {reason::connected, "The user is connected: there is nothing to do. Delete the connection to begin anew."};
  const model::Decision decision = model::decide(facts);
  constexpr std::array by_employment{reason::withdrawn, reason::review_rejected, reason::employment_ended};
  if (std::find(by_employment.begin(), by_employment.end(), decision.reason()) != by_employment.end())
    return decision.reasons.back();
  return {};
}

// An offer for the saved address waits for its mail or for its confirmation.
bool offered(const Loaded& loaded) {
  const auto& invitation = loaded.invitation;
  return invitation && (invitation->state == InvitationState::released || invitation->state == InvitationState::sent) &&
         invitation->login_email_canonical == loaded.user.login_email_canonical;
}

// No mail server took it: most often the address is misspelt, and nobody is nearer to the right one than the person.
bool mail_came_back(const Loaded& loaded) {
  if (!offered(loaded)) return false;
  const std::string& held = loaded.invitation->held_reason;
  return held == reason::delivery_rejected || held == reason::delivery_gave_up;
}

// The mail is queued, on its way, or out.
bool mail_is_out(const Loaded& loaded) {
  return offered(loaded) && !mail_came_back(loaded);
}

Banner banner_of(const Loaded& loaded, const model::Facts& facts) {
  Banner banner{.user = loaded.user, .phase = facts.policy.phase};
  if (const model::Reason bar = barred(facts); !bar.code.empty()) {
    banner.reason = bar.code;
  } else if (facts.policy.phase == model::Phase::live) {
    banner.reason = phase_live;
  } else {
    banner.show = true;
    const bool in_review = loaded.employment && loaded.employment->review == model::ReviewState::pending;
    banner.reason = mail_is_out(loaded)                                       ? reason::mail_on_its_way
                    : in_review && !loaded.user.login_email_canonical.empty() ? reason::in_review
                                                                              : not_connected;
  }
  return banner;
}

AddressFault fault_of(const model::RowResult& row) {
  if (row.outcome != model::RowOutcome::rejected && row.outcome != model::RowOutcome::ignored)
    return AddressFault::none;
  if (row.reason == "confirm_mismatch") return AddressFault::mismatch;
  if (row.reason == "duplicate_email" || row.reason == reason::domain_not_allowed) return AddressFault::unusable;
  return AddressFault::invalid;
}

}  // namespace

SelfService::SelfService(store::Store& store, core::Clock& clock, std::shared_ptr<Planner> planner,
                         const core::TokenRing& tokens, std::string base_url, std::chrono::minutes lifetime)
    : store_(store),
      clock_(clock),
      planner_(std::move(planner)),
      tokens_(tokens),
      base_url_(std::move(base_url)),
      lifetime_(lifetime) {}

std::string SelfService::proof_of(const model::SelfServicePage& page, Instant opened) const {
  const auto mac = tokens_.make(page.key_id, page.selector, page.salt, only_generation, form_purpose(opened));
  return fmt::format("{}.{}", opened.time_since_epoch().count(), mac.value_or(""));
}

std::optional<Instant> SelfService::opened_at(const model::SelfServicePage& page, const std::string& proof) const {
  const auto dot = proof.find('.');
  if (dot == std::string::npos) return std::nullopt;
  std::int64_t ms = 0;
  const auto [end, error] = std::from_chars(proof.data(), proof.data() + dot, ms);
  if (error != std::errc{} || end != proof.data() + dot) return std::nullopt;
  const Instant opened{core::Milliseconds{ms}};
  if (!tokens_.matches(proof.substr(dot + 1), page.selector, page.salt, only_generation, form_purpose(opened)))
    return std::nullopt;
  return opened;
}

std::optional<model::SelfServicePage> SelfService::find(Db& db, const std::string& token,
                                                        const core::Selector& selector) const {
  auto page = store::self_service::by_selector(db, selector);
  if (!page || !tokens_.matches(token, selector, page->salt, only_generation, page_purpose)) return std::nullopt;
  return page;
}

boost::asio::awaitable<core::Result<Banner>> SelfService::banner(std::string user_id) {
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.read([planner = planner_, user_id, now](Db& db) -> core::Result<Banner> {
      const auto loaded = find_user(db, user_id);
      if (!loaded) return fail(loaded.error());
      return banner_of(*loaded, planner->facts(*loaded, now));
    });
  }();
}

boost::asio::awaitable<core::Result<SelfServiceUrl>> SelfService::make_page(std::string user_id, Act act) {
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.write([this, user_id, act, now](Db& db) -> core::Result<SelfServiceUrl> {
      const auto loaded = find_user(db, user_id);
      if (!loaded) return fail(loaded.error());
      const model::Facts facts = planner_->facts(*loaded, now);
      if (const model::Reason bar = barred(facts); !bar.code.empty())
        return fail(ErrorKind::conflict, std::string(bar.code), bar.text);
      if (facts.policy.phase == model::Phase::live)
        return fail(ErrorKind::conflict, "phase_live",
                    fmt::format("{} is live: administrators correct addresses (user set {} --login-email … "
                                "--confirm-email …). Self-service belongs to the phase preparation.",
                                facts.policy.name, loaded->user.user_id));
      model::SelfServicePage page;
      page.user = loaded->user.key;
      page.key_id = tokens_.current_key_id();
      page.created_at = now;
      page.ends_at = now + lifetime_;
      if (act.dry_run) return SelfServiceUrl{"", page.ends_at};
      planner_->random().fill(page.selector);
      planner_->random().fill(page.salt);
      store::self_service::put(db, page);
      planner_->audit(db, now, act.actor, "self_service.made", subject_of(loaded->user), {},
                      "ends " + model::to_utc_text(page.ends_at));
      const auto token = tokens_.make(page.key_id, page.selector, page.salt, only_generation, page_purpose);
      return SelfServiceUrl{base_url_ + "/s/" + token.value(), page.ends_at};
    });
  }();
}

SelfServiceView SelfService::view(Db& db, const model::SelfServicePage& page, Instant now) const {
  const auto loaded = Planner::load(db, page.user);
  if (!loaded) return {};
  const model::Facts facts = planner_->facts(*loaded, now);
  const model::User& user = loaded->user;
  SelfServiceView view;
  view.company = user.company;
  view.user_locale = user.locale;
  if (!user.login_email.empty()) view.masked_email = core::log::mask_email(user.login_email);
  const model::Reason bar = barred(facts);
  if (bar.code == reason::connected) {
    view.state = SelfServiceState::connected;
    if (const auto account = store::accounts::get(db, user.key)) view.provider_url = account->sign_in_url;
    return view;
  }
  if (!bar.code.empty() || facts.policy.phase == model::Phase::live) return {};
  if (loaded->invitation && loaded->invitation->state == InvitationState::verified) {
    view.state = SelfServiceState::connecting;
    return view;
  }
  view.state = SelfServiceState::form;
  view.mail_is_out = mail_is_out(*loaded);
  view.mail_came_back = mail_came_back(*loaded);
  view.form_proof = proof_of(page, now);
  return view;
}

boost::asio::awaitable<SelfServiceView> SelfService::open(std::string token) {
  const auto selector = tokens_.selector_of(token);
  if (!selector) co_return SelfServiceView{};
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.read([this, token, selector = *selector, now](Db& db) {
      const auto page = find(db, token, selector);
      return page && now < page->ends_at ? view(db, *page, now) : SelfServiceView{};
    });
  }();
}

// Runs after everything about the page and the form is known to be right.
SelfServiceView SelfService::take(Db& db, const model::SelfServicePage& page, const TypedAddress& typed,
                                  Instant now) const {
  SelfServiceView before = view(db, page, now);
  const auto refuse = [&](AddressFault fault) {
    before.fault = fault;
    return before;
  };
  const auto email = model::parse_email(typed.email);
  if (!email) return refuse(AddressFault::invalid);
  if (typed.email != typed.confirm_email) return refuse(AddressFault::mismatch);
  const auto loaded = Planner::load(db, page.user).value();
  if (mail_is_out(loaded) && loaded.user.login_email_canonical == email->canonical &&
      now < loaded.invitation->released_at.value_or(loaded.invitation->created_at) + resend_pause) {
    before.state = SelfServiceState::sent;
    return before;
  }
  if (page.tries >= most_tries) {
    before.state = SelfServiceState::too_many;
    return before;
  }
  store::self_service::count_try(db, page.user);

  store::Savepoint whole(db);
  model::SourceRecord record;
  record.fields = {
      {"user_id", loaded.user.user_id}, {"login_email", typed.email}, {"confirm_email", typed.confirm_email}};
  // The person corrects one field: whose record it is does not change by that.
  const IntakeContext context{.source = loaded.user.source, .actor = self_service_actor, .by_herself = true};
  const auto row = Intake::apply(db, *planner_, record, context, now);
  if (const auto fault = fault_of(row); fault != AddressFault::none) return refuse(fault);
  const Applied applied = planner_->apply(db, page.user, self_service_actor, now,
                                          {.asked = true, .cause = model::InvitationCause::asked, .goes_first = true});
  SelfServiceView after = view(db, page, now);
  if (applied.decision.action == Action::review) {
    after.state = SelfServiceState::in_review;
  } else if (after.state == SelfServiceState::form && after.mail_is_out) {
    after.state = SelfServiceState::sent;
  } else if (after.state == SelfServiceState::form) {
    return refuse(AddressFault::unusable);  // outside the allowed domains
  }
  whole.release();
  return after;
}

boost::asio::awaitable<SelfServiceView> SelfService::save(std::string token, TypedAddress typed) {
  const auto selector = tokens_.selector_of(token);
  if (!selector) co_return SelfServiceView{};
  typed.email = std::string(trimmed(typed.email));
  typed.confirm_email = std::string(trimmed(typed.confirm_email));
  const Instant now = clock_.now();
  auto result = co_await [&] {
    return store_.write([this, token, typed = std::move(typed), selector = *selector, now](Db& db) {
      const auto page = find(db, token, selector);
      if (!page) return SelfServiceView{};
      const auto opened = opened_at(*page, typed.form_proof);
      // A form opened before the end may be posted a little after it, as a link's.
      const bool in_time =
          now < page->ends_at || (opened && *opened < page->ends_at && now < page->ends_at + form_grace);
      if (!in_time) return SelfServiceView{};
      SelfServiceView current = view(db, *page, now);
      if (current.state != SelfServiceState::form) return current;
      if (!opened) {
        current.fault = AddressFault::stale;
        return current;
      }
      return take(db, *page, typed, now);
    });
  }();
  if (on_work_) on_work_();
  co_return result;
}

}  // namespace invited::service
