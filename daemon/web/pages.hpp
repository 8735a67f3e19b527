// Which page the state of a link or of a self-service page is shown with (PRODUCT §4, §5). Pure.
#pragma once

#include <optional>
#include <string>

#include "model/policy.hpp"
#include "render/page.hpp"
#include "service/links.hpp"
#include "service/self_service.hpp"

namespace invited::web {

struct PageAsk {
  std::string query_language;  // ?lang=
  std::string accept_language;
  bool just_confirmed = false;  // this very request confirmed it
  bool posted = false;          // a POST that did not confirm: its form was not good any more
  bool no_renewal = false;      // a new link was asked for and cannot be had here
};

struct PageAnswer {
  unsigned status = 200;
  render::Page page;
};

[[nodiscard]] PageAnswer page_of(const service::LinkView& view, const model::Policies& policies, const PageAsk& ask);
// `typed`: what stands in the fields of the form.
[[nodiscard]] PageAnswer page_of(const service::SelfServiceView& view, const service::TypedAddress& typed,
                                 const model::Policies& policies, const PageAsk& ask);
// Pages without a link behind them.
[[nodiscard]] PageAnswer plain_page(unsigned status, render::PageState state, const model::Policies& policies,
                                    const PageAsk& ask);

}  // namespace invited::web
