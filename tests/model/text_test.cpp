// Texts as people see them: what looks alike is the same.
#include "model/text.hpp"

#include <catch2/catch.hpp>

using namespace invited::model;

TEST_CASE("white space at the ends is nobody's name, whatever kind it is") {
  CHECK(tidied("  1 4 ") == "1 4");
  CHECK(tidied("\xC2\xA0"
               "14\xE2\x80\xAF\t") == "14");
  CHECK(tidied("\xEF\xBB\xBF"
               "14") == "14");
  CHECK(tidied(" \xC2\xA0 ").empty());
  CHECK(tidied("").empty());
}

TEST_CASE("a letter is the same whether its accent stands beside it or in it") {
  CHECK(tidied("A\xCC\x8Asa") == "\xC3\x85sa");
  CHECK(tidied("\xC3\x85sa") == "\xC3\x85sa");
}

TEST_CASE("what is no UTF-8 stays as it is, for the check that names it") {
  CHECK(tidied(" \xC5sa ") == " \xC5sa ");
}

TEST_CASE("what may stand in no mail is named with its place; letters and signs of every script may") {
  CHECK_FALSE(unprintable(""));
  CHECK_FALSE(unprintable("Åsa-Karin O'Öberg, 王小明 שלום \u200d €"));
  CHECK(unprintable("a\nb") == "has U+000A at octet 2");
  CHECK(unprintable("\x7f") == "has U+007F at octet 1");
  CHECK(unprintable("å\u009b") == "has U+009B at octet 3");
  CHECK(unprintable("a\u2028") == "has U+2028 at octet 2");
  CHECK(unprintable("a\u202e") == "has U+202E at octet 2");
  CHECK(unprintable("a\u2066") == "has U+2066 at octet 2");
  CHECK(unprintable("a\xE5") == "is not valid UTF-8 at octet 2");
}
