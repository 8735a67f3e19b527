#include "render/locale.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/locale/gnu_gettext.hpp>
#include <boost/locale/message.hpp>
#include <charconv>
#include <locale>
#include <stdexcept>
#include <vector>

namespace invited::render {

namespace {

using core::ErrorKind;
using core::fail;
namespace gettext = boost::locale::gnu_gettext;
using Messages = boost::locale::message_format<char>;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Quality in thousandths; what is no number counts as refused, so that garbage chooses nothing.
int quality(std::string_view parameters) {
  const auto at = parameters.find("q=");
  if (at == std::string_view::npos) return 1000;
  const std::string_view text = trim(parameters.substr(at + 2));
  if (text.empty() || (text[0] != '0' && text[0] != '1')) return 0;
  int value = (text[0] - '0') * 1000;
  int unit = 100;
  for (std::size_t i = 2; i < text.size() && text[1] == '.' && unit > 0; ++i, unit /= 10) {
    if (text[i] < '0' || text[i] > '9') return 0;
    value += (text[i] - '0') * unit;
  }
  return std::min(value, 1000);
}

std::optional<Locale> from_accept_language(std::string_view header) {
  constexpr std::size_t entries_looked_at = 32;
  std::optional<Locale> best;
  int best_quality = 0;
  for (std::size_t n = 0; n < entries_looked_at && !header.empty(); ++n) {
    const auto comma = header.find(',');
    const std::string_view entry = trim(header.substr(0, comma));
    header.remove_prefix(comma == std::string_view::npos ? header.size() : comma + 1);
    const auto semicolon = entry.find(';');
    const auto locale = parse_locale(trim(entry.substr(0, semicolon)));
    const int q = semicolon == std::string_view::npos ? 1000 : quality(entry.substr(semicolon + 1));
    if (locale && q > best_quality) {
      best = locale;
      best_quality = q;
    }
  }
  return best;
}

std::string weekday_key(unsigned iso_weekday) {
  return fmt::format("WEEKDAY_{}", iso_weekday);
}
std::string month_key(unsigned month) {
  return fmt::format("MONTH_{}", month);
}

void replace(std::string& text, std::string_view placeholder, std::string_view value) {
  if (const auto at = text.find(placeholder); at != std::string::npos) text.replace(at, placeholder.size(), value);
}

}  // namespace

std::string_view tag(Locale locale) {
  return locale == Locale::sv ? "sv" : "en";
}

std::string_view own_name(Locale locale) {
  return locale == Locale::sv ? "Svenska" : "English";
}

std::optional<Locale> parse_locale(std::string_view text) {
  const std::string_view language = text.substr(0, text.find_first_of("-_.@"));
  if (language.size() != 2) return std::nullopt;
  const std::array code{lower(language[0]), lower(language[1])};
  for (const Locale locale : all_locales)
    if (tag(locale) == std::string_view(code.data(), code.size())) return locale;
  return std::nullopt;
}

Locale choose_locale(const LocaleWishes& wishes, Locale fallback) {
  for (const std::string_view wish : {wishes.query, wishes.user, wishes.company})
    if (const auto locale = parse_locale(wish)) return *locale;
  return from_accept_language(wishes.accept_language).value_or(fallback);
}

std::string zone_place(std::string_view zone) {
  std::string place(zone.substr(zone.rfind('/') + 1));
  std::replace(place.begin(), place.end(), '_', ' ');
  return place;
}

struct Translations::Catalogues {
  std::array<std::locale, all_locales.size()> locales;
  std::array<std::array<std::string, 8>, all_locales.size()> weekdays;  // 1 = Monday
  std::array<std::array<std::string, 13>, all_locales.size()> months;
  std::array<std::string, all_locales.size()> long_date;
};

core::Result<Translations> Translations::load(const std::filesystem::path& folder) {
  auto made = std::make_shared<Catalogues>();
  for (const Locale locale : all_locales) {
    const auto index = static_cast<std::size_t>(locale);
    const auto file = folder / tag(locale) / "LC_MESSAGES" / "invited.mo";
    const auto bad = [&](std::string_view why) {
      return fail(ErrorKind::invalid, "bad_translation", fmt::format("{}: {}", file.string(), why), file.string());
    };
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(file, ignored)) return bad("the translation is missing");
    try {
      gettext::messages_info info;
      info.language = std::string(tag(locale));
      info.encoding = "UTF-8";
      info.domains.emplace_back("invited");
      info.paths.push_back(folder.string());
      made->locales[index] = std::locale(std::locale::classic(), gettext::create_messages_facet<char>(info));
    } catch (const std::exception& error) {
      return bad(fmt::format("the translation cannot be read: {}", error.what()));
    }
    std::string missing;
    const auto need = [&](const std::string& key) -> std::string {
      const char* text = std::use_facet<Messages>(made->locales[index]).get(0, nullptr, key.c_str());
      if (text == nullptr && missing.empty()) missing = key;
      return text == nullptr ? std::string() : std::string(text);
    };
    for (unsigned day = 1; day <= 7; ++day) made->weekdays[index][day] = need(weekday_key(day));
    for (unsigned month = 1; month <= 12; ++month) made->months[index][month] = need(month_key(month));
    made->long_date[index] = need("DATE_LONG");
    if (!missing.empty()) return bad(fmt::format("the text {} is missing", missing));
  }
  return Translations(std::move(made));
}

std::optional<std::string_view> Translations::find(Locale locale, std::string_view key) const {
  const auto& messages = std::use_facet<Messages>(catalogues_->locales[static_cast<std::size_t>(locale)]);
  const char* text = messages.get(0, nullptr, std::string(key).c_str());
  if (text == nullptr) return std::nullopt;
  return std::string_view(text);
}

std::string_view Translations::text(Locale locale, std::string_view key) const {
  if (const auto found = find(locale, key)) return *found;
  throw std::out_of_range(fmt::format("no text {} in {}", key, tag(locale)));
}

std::string Translations::date(Locale locale, std::chrono::year_month_day date) const {
  const auto index = static_cast<std::size_t>(locale);
  const unsigned weekday = std::chrono::weekday(std::chrono::sys_days(date)).iso_encoding();
  std::string text = catalogues_->long_date[index];
  replace(text, "{weekday}", catalogues_->weekdays[index][weekday]);
  replace(text, "{day}", std::to_string(static_cast<unsigned>(date.day())));
  replace(text, "{month}", catalogues_->months[index][static_cast<unsigned>(date.month())]);
  replace(text, "{year}", std::to_string(static_cast<int>(date.year())));
  return text;
}

}  // namespace invited::render
