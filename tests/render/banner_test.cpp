#include "render/banner.hpp"

#include <catch2/catch.hpp>

#include "render/sample.hpp"

using namespace invited::render;

TEST_CASE("the banner's sentence names the organisation, in both languages, for every reason") {
  const auto& texts = sample::templates().translations();
  for (const auto reason : banner_reasons()) {
    const auto sv = banner_text(texts, Locale::sv, reason, "Example AB");
    const auto en = banner_text(texts, Locale::en, reason, "Example AB");
    CHECK(sv != en);
    for (const auto& text : {sv, en}) {
      CHECK(text.find("Example AB") != std::string::npos);
      CHECK(text.find('{') == std::string::npos);
    }
  }
  CHECK(banner_text(texts, Locale::en, "not_connected", "Example AB") ==
        "You need to connect your sign-in to Example AB. Enter your email address to get an email with a link.");
}
