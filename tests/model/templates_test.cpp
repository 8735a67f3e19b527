#include "model/templates.hpp"

#include <catch2/catch.hpp>

#include "model/text.hpp"

using namespace invited::model;

TEST_CASE("a pattern spells the name in plain lower-case letters") {
  CHECK(spell("{given:1}{family}", {"Åsa", "Öberg"}) == "aoberg");
  CHECK(spell("{given}.{family}@north.example", {"Karl-Erik", "von Essen"}) == "karlerik.vonessen@north.example");
  CHECK(spell("x-{family:3}", {"", "Li"}) == "x-li");
  CHECK(spell("{given}{family}", {"Жанна", "Straße"}) == "zannastrasse");
  CHECK(spell("{given:1}{family}", {"", "Berg"}).empty());
  CHECK(spell("{given}", {"!!!", ""}).empty());
}

TEST_CASE("a taken spelling gets a number, before the @ of an address") {
  CHECK(numbered("aoberg", 1) == "aoberg");
  CHECK(numbered("aoberg", 2) == "aoberg2");
  CHECK(numbered("a.berg@north.example", 3) == "a.berg3@north.example");
}

TEST_CASE("a pattern that cannot be meant is refused with what is wrong") {
  const auto wrong = [](const char* pattern) { return check_pattern(pattern).error().message; };
  CHECK(check_pattern("{given:1}{family}"));
  CHECK(wrong("hello").find("the same for everybody") != std::string::npos);
  CHECK(wrong("{given").find("without its }") != std::string::npos);
  CHECK(wrong("given}").find("without its {") != std::string::npos);
  CHECK(wrong("{name}").find("names something else") != std::string::npos);
  CHECK(wrong("{given:0}").find("no number") != std::string::npos);
  CHECK(wrong("{given:x}").find("no number") != std::string::npos);
  CHECK(wrong("{given:}").find("no number") != std::string::npos);
}

TEST_CASE("templates are found by name without regard to case") {
  Templates templates;
  UserTemplate office;
  office.name = "Office";
  templates.users = {office};
  templates.employments = {{"Permanent", "office", ""}, {"Bare", "", ""}};
  REQUIRE(templates.user_of_employment("PERMANENT") != nullptr);
  CHECK(templates.user_of_employment("PERMANENT")->name == "Office");
  CHECK(templates.user_of_employment("bare") == nullptr);
  CHECK(templates.employment("") == nullptr);
  CHECK(templates.employment("none") == nullptr);
}

TEST_CASE("case is folded by Unicode's rules") {
  CHECK(equal_folded("ÅSA", "åsa"));
  CHECK(equal_folded("STRASSE", "straße"));
  CHECK_FALSE(equal_folded("asa", "åsa"));
}
