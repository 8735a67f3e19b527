#include "web/pages.hpp"

namespace invited::web {

namespace {

using service::LinkState;

render::Locale locale_of(const service::LinkView& view, const model::Policy& policy, const PageAsk& ask) {
  const bool known = view.state != LinkState::unknown;
  return render::choose_locale({.query = ask.query_language,
                                .user = known ? std::string_view(view.user_locale) : std::string_view(),
                                .company = known ? std::string_view(policy.locale) : std::string_view(),
                                .accept_language = ask.accept_language});
}

// The page's own address without its query: the token stands in no page.
render::Form form_of(const service::LinkView& view) {
  return {"?", view.form_proof};
}

render::PageState state_of(const service::LinkView& view, const model::Policy& policy, const PageAsk& ask) {
  switch (view.state) {
    case LinkState::open:
      return render::ConfirmPage{.form = form_of(view),
                                 .masked_address = view.masked_email,
                                 .last_day = {*view.last_day, policy.zone},
                                 .try_again = ask.posted};
    case LinkState::connecting:
      return render::ConnectingPage{};
    case LinkState::connected:
      if (ask.just_confirmed) return render::ConnectedPage{view.sign_in_url};
      return render::UsedPage{view.sign_in_url};
    case LinkState::expired:
      if (view.form_proof.empty() || ask.no_renewal) return render::ExpiredPage{};
      return render::ExpiredPage{.resend = form_of(view), .last_day = std::nullopt};
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

}  // namespace

PageAnswer page_of(const service::LinkView& view, const model::Policies& policies, const PageAsk& ask) {
  const bool known = view.state != LinkState::unknown;
  const model::Policy& policy = known ? policies.of(view.company) : policies.organisation();
  PageAnswer answer;
  answer.status = status_of(view.state);
  answer.page = {
      .locale = locale_of(view, policy, ask), .organisation = policy.name, .state = state_of(view, policy, ask)};
  return answer;
}

PageAnswer plain_page(unsigned status, render::PageState state, const model::Policies& policies, const PageAsk& ask) {
  const render::Locale locale = render::choose_locale(
      {.query = ask.query_language, .user = {}, .company = {}, .accept_language = ask.accept_language});
  return {status, {.locale = locale, .organisation = policies.organisation().name, .state = std::move(state)}};
}

}  // namespace invited::web
