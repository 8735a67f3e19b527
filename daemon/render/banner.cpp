#include "render/banner.hpp"

#include <algorithm>
#include <array>

namespace invited::render {

std::span<const std::string_view> banner_reasons() {
  static constexpr std::array<std::string_view, 3> reasons{"not_connected", "mail_on_its_way", "in_review"};
  return reasons;
}

std::string banner_key(std::string_view reason) {
  std::string key = "BANNER_";
  for (const char c : reason) key += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return key;
}

std::string banner_text(const Translations& translations, Locale locale, std::string_view reason,
                        std::string_view organisation) {
  constexpr std::string_view place = "{organisation}";
  std::string text(translations.text(locale, banner_key(reason)));
  if (const auto at = text.find(place); at != std::string::npos) text.replace(at, place.size(), organisation);
  return text;
}

}  // namespace invited::render
