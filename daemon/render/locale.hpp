// The languages of mails and pages: which one a person gets, what the texts are, how dates read.
//
// Texts are gettext catalogues (config/translations/*.po), compiled at build and read once at start. No process-wide
// locale is set and no system locale is needed.
//
//   auto texts = Translations::load("/usr/share/invited/locale");
//   const Locale locale = choose_locale({.user = user.locale, .company = company.locale});
//   texts->date(locale, last_day);   // "tisdag 27 oktober 2026"
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace invited::render {

enum class Locale : std::uint8_t { en, sv };
inline constexpr std::array all_locales{Locale::en, Locale::sv};

[[nodiscard]] std::string_view tag(Locale locale);       // BCP 47: "en", "sv"
[[nodiscard]] std::string_view own_name(Locale locale);  // as its speakers write it: "English", "Svenska"

// "sv", "SV-se", "sv_SE.UTF-8"; nothing for a language without texts here.
[[nodiscard]] std::optional<Locale> parse_locale(std::string_view text);

// What is known about the reader's language, strongest first; empty or unknown values are passed over.
struct LocaleWishes {
  std::string_view query;            // ?lang= of a page: the reader's own click
  std::string_view user;             // the user's record
  std::string_view company;          // the company's setting
  std::string_view accept_language;  // the browser's header, with q values
};
[[nodiscard]] Locale choose_locale(const LocaleWishes& wishes, Locale fallback = Locale::en);

// The place that stands for a zone in a sentence: "Europe/Stockholm" → "Stockholm", "Etc/UTC" → "UTC".
[[nodiscard]] std::string zone_place(std::string_view zone);

// All texts in all languages. Immutable after load, cheap to copy. [any-thread]
class Translations {
public:
  // Reads <folder>/<locale>/LC_MESSAGES/invited.mo for every locale. Fails, naming the file, if one is missing,
  // unreadable or without a text that the program itself needs.
  [[nodiscard]] static core::Result<Translations> load(const std::filesystem::path& folder);

  // The text for a key, nothing if the catalogue has none. Valid as long as any copy of this object lives.
  [[nodiscard]] std::optional<std::string_view> find(Locale locale, std::string_view key) const;
  // A key that load() has checked; throws std::out_of_range for any other.
  [[nodiscard]] std::string_view text(Locale locale, std::string_view key) const;

  // "tisdag 27 oktober 2026", "Tuesday 27 October 2026". The date must exist.
  [[nodiscard]] std::string date(Locale locale, std::chrono::year_month_day date) const;

private:
  struct Catalogues;
  explicit Translations(std::shared_ptr<const Catalogues> catalogues) : catalogues_(std::move(catalogues)) {}
  std::shared_ptr<const Catalogues> catalogues_;
};

}  // namespace invited::render
