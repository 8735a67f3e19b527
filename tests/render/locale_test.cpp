#include "render/locale.hpp"

#include <catch2/catch.hpp>
#include <clocale>
#include <locale>

#include "render/sample.hpp"

using namespace invited::render;
using namespace std::chrono_literals;

TEST_CASE("the user's language stands before the company's, the company's before the browser's") {
  CHECK(choose_locale({.user = "sv", .company = "en", .accept_language = "en"}) == Locale::sv);
  CHECK(choose_locale({.company = "sv", .accept_language = "en"}) == Locale::sv);
  CHECK(choose_locale({.accept_language = "sv-SE,sv;q=0.9,en;q=0.8"}) == Locale::sv);
  CHECK(choose_locale({.query = "en", .user = "sv", .company = "sv"}) == Locale::en);
}

TEST_CASE("a language without texts is passed over") {
  CHECK(choose_locale({.user = "de", .company = "sv"}) == Locale::sv);
  CHECK(choose_locale({.query = "../../etc", .user = "sv"}) == Locale::sv);
  CHECK(choose_locale({.accept_language = "de-DE, fi;q=0.9"}) == Locale::en);
  CHECK(choose_locale({.accept_language = "de-DE, fi;q=0.9"}, Locale::sv) == Locale::sv);
}

TEST_CASE("Accept-Language goes by quality, whatever its shape") {
  CHECK(choose_locale({.accept_language = "en;q=0.3, sv;q=0.7"}) == Locale::sv);
  CHECK(choose_locale({.accept_language = "sv;q=0, en;q=0.001"}) == Locale::en);
  CHECK(choose_locale({.accept_language = "sv;q=0"}, Locale::en) == Locale::en);
  CHECK(choose_locale({.accept_language = "  sv ; q=1.000 ,en"}) == Locale::sv);
  CHECK(choose_locale({.accept_language = "sv;q=x, en;q=0.1"}) == Locale::en);
  CHECK(choose_locale({.accept_language = "sv;q="}) == Locale::en);
  CHECK(choose_locale({.accept_language = ",,;;q=,;q=1,*"}) == Locale::en);
  CHECK(choose_locale({.accept_language = std::string(100'000, ',')}) == Locale::en);
}

TEST_CASE("a locale is recognised in the spellings that systems use") {
  for (const auto* text : {"sv", "SV", "sv-SE", "sv_SE.UTF-8", "sv-Latn-FI", "sv@euro"})
    CHECK(parse_locale(text) == Locale::sv);
  for (const auto* text : {"", "s", "sve", "swedish", "-sv", "de", "\xC3\xA5"}) CHECK_FALSE(parse_locale(text));
}

TEST_CASE("dates read as people write them, in both languages") {
  const auto& texts = sample::templates().translations();
  CHECK(texts.date(Locale::sv, 2026y / 10 / 27) == "tisdag 27 oktober 2026");
  CHECK(texts.date(Locale::en, 2026y / 10 / 27) == "Tuesday 27 October 2026");
  CHECK(texts.date(Locale::sv, 2026y / 3 / 1) == "söndag 1 mars 2026");
  CHECK(texts.date(Locale::en, 2028y / 2 / 29) == "Tuesday 29 February 2028");
  CHECK(texts.date(Locale::sv, 2026y / 5 / 2) == "lördag 2 maj 2026");
  CHECK(texts.date(Locale::en, 2026y / 12 / 31) == "Thursday 31 December 2026");
  std::string year;
  for (unsigned month = 1; month <= 12; ++month)
    year += texts.date(Locale::sv, 2026y / std::chrono::month(month) / 1) + ";";
  CHECK(year ==
        "torsdag 1 januari 2026;söndag 1 februari 2026;söndag 1 mars 2026;onsdag 1 april 2026;fredag 1 maj 2026;"
        "måndag 1 juni 2026;onsdag 1 juli 2026;lördag 1 augusti 2026;tisdag 1 september 2026;torsdag 1 oktober 2026;"
        "söndag 1 november 2026;tisdag 1 december 2026;");
}

TEST_CASE("a zone is named by its place") {
  CHECK(zone_place("Europe/Stockholm") == "Stockholm");
  CHECK(zone_place("America/Argentina/Buenos_Aires") == "Buenos Aires");
  CHECK(zone_place("Etc/UTC") == "UTC");
  CHECK(zone_place("UTC") == "UTC");
}

TEST_CASE("loading texts leaves the process's locale alone") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  const std::locale global;
  REQUIRE(Translations::load(sample::folders().translations));
  CHECK(std::setlocale(LC_ALL, nullptr) == before);
  CHECK(std::locale() == global);
}
