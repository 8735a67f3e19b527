// The self-service page over HTTP: what a visit changes, what a stranger learns, what every answer carries.
#include <catch2/catch.hpp>

#include "web/site.hpp"

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

struct Kiosk : Site {
  Kiosk() {
    set_organisation([](model::Policy& policy) {
      policy.phase = model::Phase::preparation;
      policy.sign_in.help_en = "The password is the one of your mail.";
      policy.sign_in.url = "https://portal.example.com";
    });
    push({{"user_id", "14"}, {"name", "Anna Berg"}, {"locale", "en"}});
    push({{"user_id", "15"}, {"name", "Ben Hall"}, {"login_email", "ben@example.com"}});
  }
  std::string page(const std::string& user_id = "14") {
    const auto made = call(self_service.make_page(user_id, {"test", false})).value();
    return made.url.substr(made.url.find("/s/"));
  }
  core::HttpResponse save(const std::string& path, const std::string& email, const std::string& again,
                          Fields headers = {}) {
    return post(path, "do=save&lang=en&nonce=" + nonce_of(get(path)) + "&email=" + email + "&confirm_email=" + again,
                std::move(headers));
  }
};

constexpr const char* button = "Save and get an email";

}  // namespace

TEST_CASE("self-service: HEAD and GET change nothing, and every answer is as strict as a link's") {
  Kiosk site;
  const auto path = site.page();
  const auto before = site.dump();
  for (const auto* method : {"GET", "HEAD"}) {
    core::HttpRequest request;
    request.method = method;
    request.path = path;
    const auto answer = site.ask(std::move(request));
    if (std::string_view(method) == "HEAD") continue;
    CHECK(answer.status == 200);
    CHECK_THAT(answer.body, Contains(button));
    CHECK_THAT(answer.body, !Contains(path.substr(3)));
    CHECK(header_of(answer, "Cache-Control") == "no-store");
    CHECK(header_of(answer, "Referrer-Policy") == "no-referrer");
    CHECK_THAT(header_of(answer, "Content-Security-Policy"), Contains("default-src 'none'"));
    CHECK(header_of(answer, "Set-Cookie").empty());
  }
  core::HttpRequest other;
  other.method = "DELETE";
  other.path = path;
  CHECK(site.ask(other).status == 405);
  CHECK(site.dump() == before);
}

TEST_CASE("self-service: the form saves, sends and says where; posted again it is the same answer") {
  Kiosk site;
  const auto path = site.page();
  const auto body = "do=save&lang=en&nonce=" + nonce_of(site.get(path)) +
                    "&email=anna%40example.com&confirm_email=anna%40example.com";
  for (int i = 0; i < 3; ++i) {
    const auto answer = site.post(path, body);
    CHECK(answer.status == 200);
    CHECK_THAT(answer.body, Contains("Check your email"));
    CHECK_THAT(answer.body, Contains("a***@example.com"));
  }
  CHECK(site.postbox.sent == std::vector<std::string>{"anna@example.com"});
  CHECK(site.user("14").login_email == "anna@example.com");
}

TEST_CASE("self-service: what is wrong is said in words, and what was typed stays, escaped") {
  Kiosk site;
  const auto path = site.page();
  const auto before_mails = site.postbox.sent.size();
  const auto check = [&](const std::string& email, const std::string& again, const std::string& words) {
    const auto answer = site.save(path, email, again);
    CHECK(answer.status == 422);
    CHECK_THAT(answer.body, Contains(words));
    CHECK_THAT(answer.body, Contains(button));
    CHECK_THAT(answer.body, Contains("aria-invalid=\"true\""));
    return answer.body;
  };
  CHECK_THAT(check("anna%40", "anna%40", "does not look like an email address"), Contains("value=\"anna@\""));
  CHECK_THAT(check("a%40example.com", "b%40example.com", "The two addresses are not the same"),
             Contains("value=\"b@example.com\""));
  const auto taken = check("ben%40example.com", "ben%40example.com", "This address cannot be used");
  CHECK_THAT(taken, !Contains("Ben"));
  const auto hostile = check("%22%3E%3Cscript%3Ex%3C%2Fscript%3E%00", "x", "does not look like");
  CHECK_THAT(hostile, !Contains("<script"));
  CHECK_THAT(hostile, Contains("&gt;"));
  check(std::string(100'000, 'a'), "a", "does not look like");
  CHECK(site.user("14").login_email.empty());
  CHECK(site.postbox.sent.size() == before_mails);
}

TEST_CASE("self-service: a form of another site, of a script or without the page's own proof saves nothing") {
  Kiosk site;
  const auto path = site.page();
  const auto before = site.dump();
  const Fields browser{
      {"sec-ch-ua", "\"Chromium\""}, {"sec-fetch-mode", "navigate"}, {"sec-fetch-site", "same-origin"}};
  const auto refused = [&](Fields headers) {
    const auto answer = site.save(path, "anna%40example.com", "anna%40example.com", std::move(headers));
    CHECK(answer.status == 403);
    CHECK_THAT(answer.body, Contains("press the button once more"));
  };
  refused({{"origin", "https://evil.example"}});
  refused({{"sec-fetch-site", "cross-site"}});
  refused({{"sec-fetch-mode", "cors"}});
  refused(browser);
  CHECK(site.post(path, "do=save&email=anna%40example.com&confirm_email=anna%40example.com").status == 200);
  CHECK(site.dump() == before);
  auto person = browser;
  person.emplace_back("sec-fetch-user", "?1");
  CHECK(site.save(path, "anna%40example.com", "anna%40example.com", person).status == 200);
  CHECK(site.user("14").login_email == "anna@example.com");
}

TEST_CASE("self-service: over, replaced, unknown and not for this user any more are one page") {
  Kiosk site;
  const auto replaced = site.page();
  const auto over = site.page();
  const auto unknown = site.get("/s/" + std::string(60, 'a'));
  CHECK(unknown.status == 404);
  CHECK_THAT(unknown.body, Contains("This page is no longer valid"));
  CHECK(site.get(replaced).body == unknown.body);
  site.pass(31min);
  CHECK(site.get(over).body == unknown.body);
  const auto disabled = site.page();
  REQUIRE(site.call(site.users.set_enabled("14", false, {"test", false})));
  CHECK(site.get(disabled).body == unknown.body);
  CHECK(site.get("/s/").body == unknown.body);
}

TEST_CASE("self-service: a verified domain connects while the person waits, and the page says how to sign in") {
  Kiosk site;
  REQUIRE(site.call(site.domains.assert_verified("example.com", {"test", false})));
  const auto path = site.page();
  const auto answer = site.save(path, "anna%40example.com", "anna%40example.com");
  CHECK(answer.status == 200);
  CHECK_THAT(answer.body, Contains("Your email address is confirmed"));
  CHECK_THAT(answer.body, Contains("href=\"https://portal.example.com\""));
  CHECK_THAT(answer.body, Contains("The password is the one of your mail."));
  CHECK_THAT(site.get(path).body, Contains("You are already connected"));
  CHECK(site.postbox.sent.empty());
}

TEST_CASE("self-service: too many tries and a provider that is away are told") {
  Kiosk site;
  const auto path = site.page();
  SECTION("tries") {
    for (int i = 0; i < 10; ++i) CHECK(site.save(path, "ben%40example.com", "ben%40example.com").status == 422);
    CHECK(site.save(path, "anna%40example.com", "anna%40example.com").status == 429);
  }
  SECTION("away") {
    REQUIRE(site.call(site.domains.assert_verified("example.com", {"test", false})));
    site.provider.away = true;
    const auto answer = site.save(path, "anna%40example.com", "anna%40example.com");
    CHECK_THAT(answer.body, Contains("Your confirmation is stored"));
  }
}

TEST_CASE("a scanner's browser that submits the form of a link by script confirms nothing") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto before = site.dump();
  const auto form = site.get(path);
  Fields script{{"sec-ch-ua", "\"Chromium\""}, {"sec-fetch-mode", "navigate"}, {"sec-fetch-site", "same-origin"}};
  CHECK(site.press(path, form, script).status == 403);
  CHECK(site.press(path, form, {{"sec-fetch-mode", "same-origin"}}).status == 403);
  CHECK(site.dump() == before);
  script.emplace_back("sec-fetch-user", "?1");
  CHECK(site.press(path, form, script).status == 200);
  CHECK(site.user("14").connection == model::Connection::connected);
}
