#include "model/email.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace invited::model;

namespace {

struct Good {
  std::string typed;
  const char* canonical;
};

struct Bad {
  std::string typed;
  const char* message;  // part of what the person reads
};

std::string times(int count, const std::string& text) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

// A domain of exactly `size` octets below example.com.
std::string domain_of(std::size_t size) {
  std::string out = "example.com";
  while (out.size() + 64 <= size) out = std::string(63, 'd') + "." + out;
  if (out.size() < size) out = std::string(size - out.size() - 1, 'e') + "." + out;
  return out;
}

}  // namespace

TEST_CASE("a login email that people have is taken, with one canonical form per mailbox") {
  const Good specimens[] = {
      {"anna.berg@example.com", "anna.berg@example.com"},
      {" Anna.Berg@Example.COM ", "anna.berg@example.com"},
      {"\tanna@example.com\r\n", "anna@example.com"},
      {"anna@example.com.", "anna@example.com"},  // fully written
      {"a@b.nu", "a@b.nu"},
      {"anna+hr@example.com", "anna+hr@example.com"},
      {"o'brien@example.com", "o'brien@example.com"},
      {"anna_berg-1@example.com", "anna_berg-1@example.com"},
      {"!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"},
      {"user%host@example.com", "user%host@example.com"},  // legal letters; nothing here routes by them
      {"1234@example.com", "1234@example.com"},
      {"anna@mail.sub.example.com", "anna@mail.sub.example.com"},
      {"anna@123.example.com", "anna@123.example.com"},
      {"anna@ex-ample.com", "anna@ex-ample.com"},
      {"anna@example.co.uk", "anna@example.co.uk"},
      {"anna@anna.github.io", "anna@anna.github.io"},
      {"anna@example.museum", "anna@example.museum"},
      {"anna@mail.internal", "anna@mail.internal"},
      {"anna@Exämple.com", "anna@xn--exmple-cua.com"},
      {"anna@exa\xCC\x88mple.com", "anna@xn--exmple-cua.com"},  // the same, typed as a and dots
      {"anna@xn--exmple-cua.com", "anna@xn--exmple-cua.com"},
      {"anna@XN--EXMPLE-CUA.com", "anna@xn--exmple-cua.com"},
      {"anna@straße.de", "anna@xn--strae-oqa.de"},  // not strasse.de: another owner
      {"anna@例え.jp", "anna@xn--r8jz45g.jp"},
      {"anna@ｅｘａｍｐｌｅ.com", "anna@example.com"},  // full-width letters are the same name
      {"anna@example。com", "anna@example.com"},        // as is the ideographic full stop
      {"åsa@example.com", "åsa@example.com"},
      {"ÅSA@example.com", "åsa@example.com"},
      {"a\xCC\x8Asa@example.com", "åsa@example.com"},
      {"иван@example.com", "иван@example.com"},
      {std::string(64, 'a') + "@example.com", nullptr},
      {"a@" + domain_of(252), nullptr},                             // 254 in all
      {std::string(64, 'a') + "@" + domain_of(254 - 65), nullptr},  // likewise
  };
  for (const auto& [typed, canonical] : specimens) {
    CAPTURE(typed);
    const auto email = parse_email(typed);
    if (!email) {
      FAIL_CHECK(email.error().message);
      continue;
    }
    if (canonical != nullptr) CHECK(email->canonical == canonical);
    CHECK(email->canonical.size() <= 254);
    CHECK(email->canonical.substr(email->canonical.rfind('@') + 1) == email->domain);
    // The canonical form is a fixed point.
    const auto again = parse_email(email->canonical);
    REQUIRE(again);
    CHECK(again->canonical == email->canonical);
    CHECK(again->domain == email->domain);
  }
}

TEST_CASE("what was typed is kept for display, without the blanks around it") {
  const auto email = parse_email("  Anna.Berg@Exämple.com ");
  REQUIRE(email);
  CHECK(email->typed == "Anna.Berg@Exämple.com");
  CHECK(email->domain == "xn--exmple-cua.com");
}

TEST_CASE("every way to be wrong is refused with a sentence that names it") {
  const Bad specimens[] = {
      {"", "empty"},
      {" \t\r\n", "empty"},
      {"anna", "has no @"},
      {"example.com", "has no @"},
      {"@example.com", "nothing before the @"},
      {"@", "nothing before the @"},
      {"anna@", "it is empty"},
      {"anna@.", "is not a mail domain"},
      {"anna@@example.com", "U+0040 may not stand before the @"},
      {"anna@b@example.com", "U+0040 may not stand before the @"},
      // Dots
      {".anna@example.com", "dot at the wrong place"},
      {"anna.@example.com", "dot at the wrong place"},
      {"anna..berg@example.com", "dot at the wrong place"},
      {"anna@.example.com", "part between two dots is empty"},
      {"anna@example..com", "part between two dots is empty"},
      {"anna@example.com..", "part between two dots is empty"},
      {"anna@example.com。", "part between two dots is empty"},
      // What mail programs write around an address, and what old servers route by
      {"\"anna\"@example.com", "U+0022 may not stand before the @"},
      {"\"anna berg\"@example.com", "U+0022 may not stand before the @"},
      {"\"\"@example.com", "U+0022 may not stand before the @"},
      {"anna\\@b@example.com", "U+005C may not stand before the @"},
      {"Anna Berg <anna@example.com>", "U+0020 may not stand before the @"},
      {"<anna@example.com>", "U+003C may not stand before the @"},
      {"anna@example.com>", "is not a mail domain"},
      {"anna(work)@example.com", "U+0028 may not stand before the @"},
      {"anna@example.com (work)", "U+0020 may not stand in a mail domain"},
      {"mailto:anna@example.com", "U+003A may not stand before the @"},
      {"@relay.example,@b.example:anna@example.com", "U+0040 may not stand before the @"},
      {"anna@example.com,bo@example.com", "U+0040 may not stand before the @"},
      {"anna@example.com;", "is not a mail domain"},
      {"anna;bo@example.com", "U+003B may not stand before the @"},
      {"anna,bo@example.com", "U+002C may not stand before the @"},
      {"anna@example.com%relay.example", "is not a mail domain"},
      {"anna@[192.0.2.1]", "is not a mail domain"},
      {"anna@[IPv6:2001:db8::1]", "is not a mail domain"},
      {"anna@192.0.2.1", "looks like a network address"},
      {"anna@example.com:25", "is not a mail domain"},
      {"anna@example.com/x", "is not a mail domain"},
      {"anna@exam ple.com", "U+0020 may not stand in a mail domain"},
      {"anna berg@example.com", "U+0020 may not stand before the @"},
      // Domains that are none
      {"anna@localhost", "has no dot"},
      {"anna@com", "has no dot"},
      {"anna@com.", "has no dot"},
      {"anna@co.uk", "public suffix"},
      {"anna@CO.UK.", "public suffix"},
      {"anna@公司.cn", "public suffix"},
      {"anna@exam_ple.com", "is not a mail domain"},
      {"anna@-example.com", "hyphen"},
      {"anna@example-.com", "hyphen"},
      {"anna@ab--cd.com", "hyphen"},
      {"anna@xn--a.com", "is not a mail domain"},
      {"anna@xn--.com", "is not a mail domain"},
      {"anna@*.example.com", "is not a mail domain"},
      {"anna@ex\xE2\x98\x83.com/", "is not a mail domain"},
      {"anna@\xD7\x90"
       "a.com",
       "is not a mail domain"},  // mixed direction in one label (bidi rule)
      {"anna@a\xE2\x80\x8D"
       "b.com",
       "U+200D"},  // joiner
      // Lengths
      {std::string(65, 'a') + "@example.com", "longer than 64 octets"},
      {times(33, "å") + "@example.com", "longer than 64 octets"},
      {"anna@" + std::string(64, 'a') + ".com", "too long"},
      {"a@" + domain_of(253), "longer than 254 octets"},
      {std::string(64, 'a') + "@" + domain_of(254 - 64), "longer than 254 octets"},
      {"a@" + times(64, "abc.") + "com", "too long"},
      {std::string(1'000'000, 'a') + "@example.com", "longer than 254 octets"},
      {"a@" + std::string(1'000'000, 'a'), "longer than 254 octets"},
      // What nobody sees, what ends a header, what turns the reading order
      {"anna@example.com\r\nBcc: x@example.org", "U+000D"},
      {"anna\r\n@example.com", "U+000D"},
      {"anna\nX: y@example.com", "U+000A"},
      {std::string("an\0na@example.com", 17), "U+0000"},
      {"an\x07na@example.com", "U+0007"},
      {"an\x1B[2Jna@example.com", "U+001B"},
      {"an\x7Fna@example.com", "U+007F"},
      {"an\xC2\x85na@example.com", "U+0085"},
      {"anna@example.com\xC2\xA0", "U+00A0"},
      {"an\xC2\xADna@example.com", "U+00AD"},
      {"anna@exam\xC2\xADple.com", "U+00AD"},
      {"an\xE2\x80\x8Bna@example.com", "U+200B"},
      {"anna@exam\xE2\x80\x8Bple.com", "U+200B"},
      {"\xEF\xBB\xBF"
       "anna@example.com",
       "U+FEFF"},
      {"an\xE2\x81\xA0na@example.com", "U+2060"},
      {"an\xE2\x80\xAEna@example.com", "U+202E"},
      {"anna@\xE2\x80\xAE"
       "example.com",
       "U+202E"},
      {"an\xE2\x81\xA6na@example.com", "U+2066"},
      {"an\xD8\x9Cna@example.com", "U+061C"},
      {"an\xE1\xA0\x8Ena@example.com", "U+180E"},
      {"an\xEF\xB8\x8Fna@example.com", "U+FE0F"},
      {"an\xCD\x8Fna@example.com", "U+034F"},
      {"an\xE3\x85\xA4na@example.com", "U+3164"},
      {"an\xE3\x80\x80na@example.com", "U+3000"},
      {"an\xE2\x80\xA8na@example.com", "U+2028"},
      {"an\xF3\xA0\x81\x81na@example.com", "U+E0041"},
      {"an\xEE\x80\x80na@example.com", "U+E000"},
      {"an\xEF\xBF\xBFna@example.com", "U+FFFF"},
      {"anna\xF0\x9F\x98\x80@example.com", "U+1F600 may not stand before the @"},
      {"\xCC\x81"
       "anna@example.com",
       "the mark U+0301 has no letter to stand on"},
      {"anna.\xCC\x81"
       "berg@example.com",
       "the mark U+0301 has no letter to stand on"},
      {"anna\xEF\xBC\xA0"
       "example.com",
       "has no @"},  // full-width @
      // Not UTF-8
      {"\xE5sa@example.com", "not valid UTF-8"},
      {"anna@ex\xE4mple.com", "not valid UTF-8"},
      {"an\xC0\xAEna@example.com", "not valid UTF-8"},
      {"an\xED\xA0\x80na@example.com", "not valid UTF-8"},
      {"anna@example.com\xF0\x9F", "not valid UTF-8"},
  };
  for (const auto& [typed, message] : specimens) {
    CAPTURE(typed.substr(0, 100), message);
    const auto email = parse_email(typed);
    if (email) {
      FAIL_CHECK("taken as " << email->canonical);
      continue;
    }
    CHECK(email.error().kind == invited::core::ErrorKind::invalid);
    CHECK(email.error().code == "invalid_email");
    CHECK_THAT(email.error().message, Catch::Contains(message));
  }
}

TEST_CASE("the sentence about a bad address carries nothing that could harm a log or a terminal") {
  for (const std::string& text : {std::string("an\x1B[2Jna"), std::string("\x1B]0;x\x07"), std::string("a\r\nb: c"),
                                  std::string("a@b\x1B[2J.com"), std::string("\xFF\xFE"), std::string(100'000, 'x')}) {
    const auto email = parse_email(text);
    REQUIRE_FALSE(email);
    CHECK(email.error().message.size() < 1'200);
    for (const char c : email.error().message) CHECK(static_cast<unsigned char>(c) >= 0x20);
    const auto domain = parse_domain(text);
    REQUIRE_FALSE(domain);
    CHECK(domain.error().message.size() < 1'200);
    for (const char c : domain.error().message) CHECK(static_cast<unsigned char>(c) >= 0x20);
  }
}

TEST_CASE("a look-alike is another address: it never shares a canonical form or a domain with the one it imitates") {
  const auto real = parse_email("anna@example.com");
  REQUIRE(real);
  for (const char* fake : {"anna@ex\xD0\xB0mple.com",  // Cyrillic a
                           "\xD0\xB0nna@example.com",  // the same before the @
                           "anna@examp\xC4\xBA"
                           "e.com",                        // l with acute
                           "anna@\xE1\xBA\xB9xample.com",  // e with dot below
                           "ann\xC9\x91@example.com",      // Latin alpha
                           "anna@exam\xCF\x81le.com"}) {   // Greek rho
    CAPTURE(fake);
    const auto email = parse_email(fake);
    if (!email) continue;  // refused is safe as well
    CHECK(email->canonical != real->canonical);
    if (email->domain != real->domain) CHECK_FALSE(domain_covers("example.com", email->domain));
    if (email->domain != real->domain) CHECK(email->domain.find("xn--") != std::string::npos);
  }
}

TEST_CASE("a domain rule is brought to its ASCII form, with a wildcard only where one is allowed") {
  CHECK(parse_domain("Example.COM") == std::string("example.com"));
  CHECK(parse_domain(" example.com. ") == std::string("example.com"));
  CHECK(parse_domain("Exämple.com") == std::string("xn--exmple-cua.com"));
  CHECK(parse_domain("*.Example.com") == std::string("*.example.com"));
  CHECK(parse_domain("*.Exämple.com") == std::string("*.xn--exmple-cua.com"));
  CHECK(parse_domain("example.com", false) == std::string("example.com"));
  CHECK_THAT(parse_domain("*.example.com", false).error().message, Catch::Contains("wildcard"));
  CHECK(parse_domain("x").error().code == "invalid_domain");
  for (const char* bad : {"",
                          "*",
                          "*.",
                          "*.com",
                          "*.co.uk",
                          "co.uk",
                          "*example.com",
                          "*.*.example.com",
                          "mail.*.com",
                          "**.example.com",
                          "@example.com",
                          "anna@example.com",
                          "example",
                          "192.0.2.1",
                          "example.com/",
                          "http://example.com",
                          "exam ple.com",
                          "-x.com",
                          ".example.com",
                          "example.com,example.org"}) {
    CAPTURE(bad);
    const auto domain = parse_domain(bad);
    if (domain) FAIL_CHECK("taken as " << *domain);
  }
}

TEST_CASE("a wildcard never covers names that strangers register, in public or with a host of theirs") {
  CHECK(parse_domain("github.io") == std::string("github.io"));  // one company's own mail domain
  for (const char* shared : {"*.github.io", "*.blogspot.com", "*.com", "*.co.uk", "*.kommune.no"}) {
    CAPTURE(shared);
    const auto domain = parse_domain(shared);
    REQUIRE_FALSE(domain);
    CHECK(domain.error().code == "invalid_domain");
  }
  CHECK(parse_domain(" *.GitHub.io\t").error().message ==
        "\"*.github.io\": others register below github.io, so no rule may cover all of it");
  CHECK(parse_domain("*.anna.github.io") == std::string("*.anna.github.io"));
}

TEST_CASE("the canonical form is a fixed point, whatever letter stands in the address") {
  int taken = 0;
  for (char32_t c = 0x21; c < 0x20000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string letter;
    if (c < 0x80) {
      letter = {static_cast<char>(c)};
    } else if (c < 0x800) {
      letter = {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
    } else if (c < 0x10000) {
      letter = {static_cast<char>(0xE0 | (c >> 12)), static_cast<char>(0x80 | ((c >> 6) & 0x3F)),
                static_cast<char>(0x80 | (c & 0x3F))};
    } else {
      letter = {static_cast<char>(0xF0 | (c >> 18)), static_cast<char>(0x80 | ((c >> 12) & 0x3F)),
                static_cast<char>(0x80 | ((c >> 6) & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
    }
    for (const std::string& typed :
         {"a" + letter + "b@example.com", letter + "@example.com", "a@x" + letter + "x.com"}) {
      const auto email = parse_email(typed);
      if (!email) continue;
      ++taken;
      const auto again = parse_email(email->canonical);
      if (again && again->canonical == email->canonical && again->domain == email->domain) continue;
      FAIL_CHECK(typed << " becomes " << email->canonical);
    }
  }
  CHECK(taken > 100'000);
}

TEST_CASE("a domain covers itself and nothing else; a wildcard covers what is below and not the name itself") {
  CHECK(domain_covers("example.com", "example.com"));
  CHECK_FALSE(domain_covers("example.com", "mail.example.com"));
  CHECK_FALSE(domain_covers("example.com", "badexample.com"));
  CHECK_FALSE(domain_covers("example.com", "example.com.evil.org"));
  CHECK_FALSE(domain_covers("mail.example.com", "example.com"));
  CHECK(domain_covers("*.example.com", "mail.example.com"));
  CHECK(domain_covers("*.example.com", "a.b.example.com"));
  CHECK_FALSE(domain_covers("*.example.com", "example.com"));
  CHECK_FALSE(domain_covers("*.example.com", "badexample.com"));
  CHECK_FALSE(domain_covers("*.example.com", ".example.com"));
  CHECK_FALSE(domain_covers("*.example.com", "mail.example.com.evil.org"));
}

TEST_CASE("no domain is covered by no rule") {
  CHECK_FALSE(domain_covers("", ""));
  CHECK_FALSE(domain_covers("example.com", ""));
  CHECK_FALSE(domain_covers("*.example.com", ""));
  CHECK_FALSE(domain_covers("", "example.com"));
}
