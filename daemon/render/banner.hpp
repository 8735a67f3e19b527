// The sentence that the HR system shows to a user who may connect herself (PRODUCT §5, preparation phase).
//
//   banner_text(templates.translations(), Locale::sv, "not_connected", "Example AB");
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "render/locale.hpp"

namespace invited::render {

// The reasons for showing it; the texts BANNER_… of these are there in every language.
[[nodiscard]] std::span<const std::string_view> banner_reasons();
[[nodiscard]] std::string banner_key(std::string_view reason);

// Plain text; `reason` is one of banner_reasons(). [any-thread]
[[nodiscard]] std::string banner_text(const Translations& translations, Locale locale, std::string_view reason,
                                      std::string_view organisation);

}  // namespace invited::render
