#include "web/pages.hpp"

namespace invited::web {

namespace {

using service::LinkState;

using service::SelfServiceState;

render::Locale locale_of(bool known, std::string_view user_locale, const model::Policy& policy, const PageAsk& ask) {
  return render::choose_locale({.query = ask.query_language,
                                .user = known ? user_locale : std::string_view(),
                                .company = known ? std::string_view(policy.locale) : std::string_view(),
                                .accept_language = ask.accept_language});
}

// The page's own address without its query: the token stands in no page.
render::Form form_of(const std::string& proof) {
  return {"?", proof};
}

template <class Page>
Page sign_in_page(const std::string& provider_url, const model::Policy& policy, render::Locale locale) {
  return {policy.sign_in.address(provider_url), policy.sign_in.help(render::tag(locale))};
}

render::PageState state_of(const service::LinkView& view, const model::Policy& policy, render::Locale locale,
                           const PageAsk& ask) {
  switch (view.state) {
    case LinkState::open:
      return render::ConfirmPage{.form = form_of(view.form_proof),
                                 .masked_address = view.masked_email,
                                 .last_day = {*view.last_day, policy.zone},
                                 .try_again = ask.posted};
    case LinkState::connecting:
      return render::ConnectingPage{};
    case LinkState::connected:
      if (ask.just_confirmed) return sign_in_page<render::ConnectedPage>(view.sign_in_url, policy, locale);
      return sign_in_page<render::UsedPage>(view.sign_in_url, policy, locale);
    case LinkState::expired:
      if (view.form_proof.empty() || ask.no_renewal) return render::ExpiredPage{};
      return render::ExpiredPage{.resend = form_of(view.form_proof), .last_day = std::nullopt};
    case LinkState::superseded: {
      render::SupersededPage page;
      if (view.newer_sent_at) page.newer = render::SupersededPage::Sent{*view.newer_sent_at, policy.zone};
      return page;
    }
    case LinkState::revoked:
      return render::RevokedPage{};
    case LinkState::unknown:
      return render::UnknownPage{};
  }
  return render::UnknownPage{};
}

unsigned status_of(LinkState state) {
  switch (state) {
    case LinkState::unknown:
      return 404;
    case LinkState::expired:
    case LinkState::superseded:
    case LinkState::revoked:
      return 410;
    default:
      return 200;
  }
}

render::PageState state_of(const service::SelfServiceView& view, const service::TypedAddress& typed,
                           const model::Policy& policy, render::Locale locale, const PageAsk& ask) {
  using service::AddressFault;
  using Fault = render::AddressFormPage::Fault;
  switch (view.state) {
    case SelfServiceState::gone:
      return render::PageOverPage{};
    case SelfServiceState::form:
      return render::AddressFormPage{.form = form_of(view.form_proof),
                                     .fault = view.fault == AddressFault::invalid    ? Fault::invalid
                                              : view.fault == AddressFault::mismatch ? Fault::mismatch
                                              : view.fault == AddressFault::unusable ? Fault::unusable
                                                                                     : Fault::none,
                                     .try_again = ask.posted || view.fault == AddressFault::stale,
                                     .typed = typed.email,
                                     .typed_again = typed.confirm_email,
                                     .masked_address = view.masked_email,
                                     .mail_is_out = view.mail_is_out,
                                     .mail_came_back = view.mail_came_back};
    case SelfServiceState::sent:
      return render::AddressSentPage{view.masked_email};
    case SelfServiceState::in_review:
      return render::AddressSavedPage{view.masked_email};
    case SelfServiceState::connecting:
      return render::ConnectingPage{};
    case SelfServiceState::connected:
      if (ask.just_confirmed) return sign_in_page<render::ConnectedPage>(view.provider_url, policy, locale);
      return sign_in_page<render::UsedPage>(view.provider_url, policy, locale);
    case SelfServiceState::too_many:
      return render::TooManyRequestsPage{};
  }
  return render::PageOverPage{};
}

unsigned status_of(const service::SelfServiceView& view) {
  if (view.state == SelfServiceState::gone) return 404;
  if (view.state == SelfServiceState::too_many) return 429;
  const bool refused = view.fault != service::AddressFault::none && view.fault != service::AddressFault::stale;
  return refused ? 422 : 200;
}

}  // namespace

PageAnswer page_of(const service::LinkView& view, const model::Policies& policies, const PageAsk& ask) {
  const bool known = view.state != LinkState::unknown;
  const model::Policy& policy = known ? policies.of(view.company) : policies.organisation();
  PageAnswer answer;
  answer.status = status_of(view.state);
  const render::Locale locale = locale_of(known, view.user_locale, policy, ask);
  answer.page = {.locale = locale, .organisation = policy.name, .state = state_of(view, policy, locale, ask)};
  return answer;
}

PageAnswer page_of(const service::SelfServiceView& view, const service::TypedAddress& typed,
                   const model::Policies& policies, const PageAsk& ask) {
  const bool known = view.state != SelfServiceState::gone;
  const model::Policy& policy = known ? policies.of(view.company) : policies.organisation();
  const render::Locale locale = locale_of(known, view.user_locale, policy, ask);
  PageAnswer answer;
  answer.status = status_of(view);
  answer.page = {.locale = locale, .organisation = policy.name, .state = state_of(view, typed, policy, locale, ask)};
  return answer;
}

PageAnswer plain_page(unsigned status, render::PageState state, const model::Policies& policies, const PageAsk& ask) {
  const render::Locale locale = render::choose_locale(
      {.query = ask.query_language, .user = {}, .company = {}, .accept_language = ask.accept_language});
  return {status, {.locale = locale, .organisation = policies.organisation().name, .state = std::move(state)}};
}

}  // namespace invited::web
