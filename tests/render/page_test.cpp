#include "render/page.hpp"

#include <catch2/catch.hpp>

#include "render/sample.hpp"

using namespace invited::render;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

std::string shown(PageState state, Locale locale = Locale::en, std::string organisation = "Example AB") {
  return render_page(sample::templates(),
                     {.locale = locale, .organisation = std::move(organisation), .state = std::move(state)});
}

ConfirmPage confirm() {
  return {.form = {"/c/token", "nonce-1"},
          .masked_address = "a***@example.com",
          .last_day = {2026y / 10 / 27, "Europe/Stockholm"}};
}

}  // namespace

TEST_CASE("the first page asks for the press of a button and does nothing by itself") {
  const auto html = shown(confirm());
  CHECK_THAT(html, Contains("<form method=\"post\" action=\"/c/token\">"));
  CHECK_THAT(html, Contains("<input type=\"hidden\" name=\"nonce\" value=\"nonce-1\">"));
  CHECK_THAT(html, Contains("<input type=\"hidden\" name=\"do\" value=\"confirm\">"));
  CHECK_THAT(html, Contains("<input type=\"hidden\" name=\"lang\" value=\"en\">"));
  CHECK_THAT(html, Contains("<button type=\"submit\">Confirm email address</button>"));
  CHECK_THAT(html, Contains("a***@example.com"));
  CHECK_THAT(html, Contains("Tuesday 27 October 2026 <span class=\"zone\">(Stockholm time)</span>"));
  CHECK_THAT(html, Contains("<p class=\"organisation\">Example AB</p>"));
  CHECK_THAT(html, !Contains("Nothing has happened yet"));
  for (const auto* never : {"<script", "onload", "onclick", "javascript:", "http-equiv", " autofocus", "style=\""})
    CHECK_THAT(html, !Contains(never));
}

TEST_CASE("a nonce that is no longer good is explained on the form") {
  auto page = confirm();
  page.try_again = true;
  CHECK_THAT(shown(page), Contains("role=\"alert\">Nothing has happened yet. Please press the button once more."));
}

TEST_CASE("after confirming, the page tells how to choose a password, with the way there") {
  const auto html = shown(ConnectedPage{"https://login.example.com/start?a=1&b=2", ""});
  CHECK_THAT(html, Contains("Forgot your password?"));
  CHECK_THAT(html, Contains("href=\"https://login.example.com/start?a=1&amp;b=2\""));
  const auto swedish = shown(ConnectedPage{"https://login.example.com", ""}, Locale::sv);
  CHECK_THAT(swedish, Contains("Glömt lösenordet?"));
  CHECK_THAT(swedish, Contains("<html lang=\"sv\">"));
}

TEST_CASE("a second use says: already connected, sign in here") {
  const auto html = shown(UsedPage{"https://login.example.com", ""});
  CHECK_THAT(html, Contains("<h1>You are already connected</h1>"));
  CHECK_THAT(html, Contains(">Sign in here</a>"));
  CHECK_THAT(shown(UsedPage{"https://login.example.com", ""}, Locale::sv), Contains("<h1>Du är redan ansluten</h1>"));
}

TEST_CASE("with the provider away, the page says that the confirmation is stored and the account follows") {
  const auto html = shown(ConnectingPage{});
  CHECK_THAT(html, Contains("<h1>Your confirmation is stored</h1>"));
  CHECK_THAT(html, Contains("Your account is made as soon as the sign-in service answers"));
}

TEST_CASE("an expired link offers a new one, or says whom to ask") {
  const LocalDay day{2026y / 10 / 27, "Europe/Stockholm"};
  const auto with = shown(ExpiredPage{.resend = Form{"/c/token", "n2"}, .last_day = day});
  CHECK_THAT(with, Contains("It worked until the end of Tuesday 27 October 2026 (Stockholm time)."));
  CHECK_THAT(with, Contains("<input type=\"hidden\" name=\"do\" value=\"resend\">"));
  CHECK_THAT(with, Contains(">Send me a new link</button>"));
  const auto without = shown(ExpiredPage{});
  CHECK_THAT(without, !Contains("<form"));
  CHECK_THAT(without, !Contains("It worked until the end of"));
  CHECK_THAT(without, Contains("Ask your HR contact at Example AB for a new link."));
}

TEST_CASE("a superseded link tells when the newer mail went out, in the company's time") {
  const auto at = std::chrono::sys_days(2026y / 10 / 23) + 7h + 4min;
  CHECK_THAT(shown(SupersededPage{SupersededPage::Sent{at, "Europe/Stockholm"}}),
             Contains("A newer email was sent on Friday 23 October 2026 at 09:04 (Stockholm time)."));
  CHECK_THAT(shown(SupersededPage{SupersededPage::Sent{at, "Europe/Stockholm"}}, Locale::sv),
             Contains("Ett nyare mejl skickades fredag 23 oktober 2026 kl. 09:04 (tidszon Stockholm)."));
  CHECK_THAT(shown(SupersededPage{SupersededPage::Sent{at, "No/Where"}}), Contains("at 07:04 (UTC time)."));
  CHECK_THAT(shown(SupersededPage{}), Contains("Use the link in the newest email from Example AB."));
}

TEST_CASE("every other state has its own heading and a way on") {
  CHECK_THAT(shown(RequestedPage{"a***@example.com"}), Contains("The email goes to a***@example.com."));
  CHECK_THAT(shown(RevokedPage{}), Contains("Example AB has withdrawn this link."));
  CHECK_THAT(shown(TooManyRequestsPage{}), Contains("<h1>Too many attempts</h1>"));
  CHECK_THAT(shown(UnavailablePage{}), Contains("Please try again in a few minutes."));
  CHECK_THAT(shown(NotFoundPage{}), Contains("<h1>Page not found</h1>"));
  CHECK_THAT(shown(MethodNotAllowedPage{}), Contains("<h1>That does not work here</h1>"));
  CHECK_THAT(shown(UnknownPage{}), Contains("ask your HR contact for a new one"));
}

TEST_CASE("a page shows the texts of its own state only") {
  CHECK_THAT(shown(UnknownPage{}), !Contains("<form"));
  CHECK_THAT(shown(UnknownPage{}), !Contains("login"));
  CHECK(shown(UnknownPage{}) == shown(UnknownPage{}));
  CHECK_THAT(shown(confirm()), !Contains("expired"));
}

TEST_CASE("the other language is one click away, without the token in the link") {
  CHECK_THAT(shown(confirm()),
             Contains("<a href=\"?lang=sv\" lang=\"sv\" hreflang=\"sv\" rel=\"nofollow\">Svenska</a>"));
  CHECK_THAT(shown(confirm(), Locale::sv),
             Contains("<a href=\"?lang=en\" lang=\"en\" hreflang=\"en\" rel=\"nofollow\">English</a>"));
}

TEST_CASE("hostile values stand escaped or not at all") {
  auto page = confirm();
  page.form = {"javascript:alert(1)", "\"><script>"};
  page.masked_address = "<b>a***@example.com</b>";
  const auto html = shown(page, Locale::en, "<script>alert(1)</script> \" onload=\"x");
  CHECK_THAT(html, !Contains("<script"));
  CHECK_THAT(html, !Contains("<b>"));
  CHECK_THAT(html, !Contains("javascript:"));
  CHECK_THAT(html, Contains("value=\"&quot;&gt;&lt;script&gt;\""));
  for (const auto* url :
       {"javascript:alert(1)", "data:text/html,x", "//evil.example", "login.example.com", " https://x", ""}) {
    CHECK_THAT(shown(ConnectedPage{url}), !Contains("class=\"button\""));
    CHECK_THAT(shown(UsedPage{url}), !Contains("class=\"button\""));
  }
}

TEST_CASE("characters that turn, hide or break text are replaced") {
  const std::string replacement = "\xEF\xBF\xBD";
  CHECK_THAT(shown(UnknownPage{}, Locale::en,
                   "A\xE2\x80\xAE"
                   "B\r\nC\xFF"),
             Contains("A" + replacement + "B" + replacement + replacement + "C" + replacement));
}

TEST_CASE("a page works without an organisation's name") {
  const auto html = shown(NotFoundPage{}, Locale::en, "");
  CHECK_THAT(html, Contains("<title>Page not found</title>"));
  CHECK_THAT(html, !Contains("<header>"));
}

TEST_CASE("the style sheet is one file that loads nothing") {
  const auto css = std::string(sample::templates().stylesheet());
  CHECK_THAT(css, Contains("prefers-color-scheme: dark"));
  CHECK_THAT(css, !Contains("url("));
  CHECK_THAT(css, !Contains("@import"));
}

TEST_CASE("the company's own words on signing in stand on the pages that lead there, escaped") {
  const std::string help = "Call <b>0123</b> & ask";
  for (const PageState& state : {PageState(ConnectedPage{"https://login.example.com", help}),
                                 PageState(UsedPage{"https://login.example.com", help})})
    CHECK_THAT(shown(state), Contains("<p class=\"help\">Call &lt;b&gt;0123&lt;/b&gt; &amp; ask</p>"));
  CHECK_THAT(shown(ConnectedPage{"https://login.example.com", ""}), !Contains("class=\"help\""));
}

TEST_CASE("the address form keeps what was typed, escaped, and says what is wrong beside the field it is about") {
  using Fault = AddressFormPage::Fault;
  AddressFormPage page{.form = {"?", "nonce-1"}, .typed = "\"><b>a", .typed_again = "b@example.com"};
  const auto fresh = shown(page);
  CHECK_THAT(fresh, Contains("value=\"&quot;&gt;&lt;b&gt;a\""));
  CHECK_THAT(fresh, Contains("value=\"b@example.com\""));
  CHECK_THAT(fresh, !Contains("aria-invalid"));
  CHECK_THAT(fresh, !Contains("role=\"alert\""));
  for (const auto& [fault, field] :
       {std::pair(Fault::invalid, "email-fault"), std::pair(Fault::unusable, "email-fault"),
        std::pair(Fault::mismatch, "confirm-fault")}) {
    page.fault = fault;
    const auto html = shown(page, Locale::sv);
    CHECK_THAT(html, Contains(std::string("aria-invalid=\"true\" aria-describedby=\"") + field + "\""));
    CHECK_THAT(html, Contains(std::string("id=\"") + field + "\" role=\"alert\""));
  }
  page.fault = Fault::unusable;
  const auto html = shown(page);
  const auto words = html.substr(html.find("role=\"alert\""), 160);
  for (const auto* never : {"taken", "someone", "already", "belongs"}) CHECK_THAT(words, !Contains(never));
}

TEST_CASE("the address form says what is saved until something is wrong with what was posted") {
  AddressFormPage page{.form = {"?", "n"}, .masked_address = "a***@example.com"};
  CHECK_THAT(shown(page), Contains("Saved address: a***@example.com"));
  page.mail_is_out = true;
  CHECK_THAT(shown(page), Contains("An email was sent to a***@example.com"));
  page.mail_is_out = false;
  page.mail_came_back = true;
  CHECK_THAT(shown(page), Contains("The email to a***@example.com could not be delivered"));
  CHECK_THAT(shown(page), !Contains("Saved address"));
  page.fault = AddressFormPage::Fault::invalid;
  CHECK_THAT(shown(page), !Contains("a***@example.com"));
}
