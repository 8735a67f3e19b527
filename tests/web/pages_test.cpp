// Which page and which status each state of a link has, and in which language.
#include "web/site.hpp"

#include <catch2/catch.hpp>

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

// Past the end of a link of 2026-11-30, and swept.
void expire(Site& site) {
  site.pass(6 * 24h);
  site.call(site.sweep.expire());
}

}  // namespace

TEST_CASE("an open link shows the form, the masked address and the last day the server honours") {
  Site site;
  const auto link = site.hire("14");
  const auto page = site.get(path_of(link), {}, {{"lang", "en"}});
  CHECK(page.status == 200);
  CHECK_THAT(page.body, Contains("Confirm your email address"));
  CHECK_THAT(page.body, Contains("a***@example.com"));
  CHECK_THAT(page.body, !Contains("anna.14@example.com"));
  CHECK_THAT(page.body, !Contains("Anna"));
  // Five days from and including Monday the 30th.
  CHECK_THAT(page.body, Contains("Friday 4 December 2026 <span class=\"zone\">(Stockholm time)"));
  CHECK_THAT(page.body, !Contains("Nothing has happened yet"));
}

TEST_CASE("the last day on the page is the last local date before the link's end") {
  Site site;
  const auto link = site.hire("14", {{"company", "fi"}});
  const auto end = *site.invitation("14").ends_at;
  CHECK(model::to_utc_text(end) == "2026-12-04T22:00:00Z");
  CHECK_THAT(site.get(path_of(link)).body, Contains("Friday 4 December 2026 <span class=\"zone\">(Helsinki time)"));
  site.pass(end - site.clock.now() - 1ms);
  CHECK(site.get(path_of(link)).status == 200);
  site.pass(1ms);
  CHECK(site.get(path_of(link)).status == 410);  // at the first instant of the sixth date, swept or not
}

TEST_CASE("a link whose mail has no outcome yet works, for a copy may have arrived") {
  Site site;
  site.postbox.next.status = model::VerdictStatus::unknown;
  const auto link = site.hire("14");
  CHECK(site.invitation("14").state == model::InvitationState::released);
  const auto page = site.get(path_of(link));
  CHECK(page.status == 200);
  CHECK(site.press(path_of(link), page).status == 200);
  CHECK(site.user("14").connection == model::Connection::connected);
}

TEST_CASE("a used link says: already connected, sign in here") {
  Site site;
  const auto path = path_of(site.hire("14"));
  (void)site.press(path, site.get(path));
  const auto page = site.get(path, {}, {{"lang", "en"}});
  CHECK(page.status == 200);
  CHECK_THAT(page.body, Contains("You are already connected"));
  CHECK_THAT(page.body, Contains("href=\"https://login.example.com/start\""));
  CHECK_THAT(page.body, Contains("Forgot your password?"));
  CHECK_THAT(page.body, !Contains("<form"));
}

TEST_CASE("while the provider is away the confirmation is stored, and the page says so") {
  Site site;
  site.provider.away = true;
  const auto path = path_of(site.hire("14"));
  const auto page = site.press(path, site.get(path));
  CHECK(page.status == 200);
  CHECK_THAT(page.body, Contains("Your confirmation is stored"));
  CHECK(site.invitation("14").state == model::InvitationState::verified);
  CHECK_THAT(site.get(path, {}, {{"lang", "en"}}).body, Contains("Your confirmation is stored"));
  site.provider.away = false;
  site.pass(1h);
  site.call(site.work_off());
  CHECK_THAT(site.get(path, {}, {{"lang", "en"}}).body, Contains("You are already connected"));
}

TEST_CASE("an expired link offers a new one") {
  Site site;
  const auto path = path_of(site.hire("14"));
  SECTION("swept") {
    expire(site);
  }
  SECTION("not swept yet") {
    site.pass(6 * 24h);
  }
  const auto page = site.get(path, {}, {{"lang", "en"}});
  CHECK(page.status == 410);
  CHECK_THAT(page.body, Contains("The link has expired"));
  CHECK_THAT(page.body, Contains("Send me a new link"));
  CHECK_THAT(page.body, !Contains("@example.com"));
}

TEST_CASE("an expired link of somebody who may not have a new one says whom to ask") {
  Site site;
  const auto path = path_of(site.hire("14"));
  expire(site);
  site.push({{"user_id", "14"}, {"enabled", "false"}});
  const auto page = site.get(path, {}, {{"lang", "en"}});
  CHECK(page.status == 410);
  CHECK_THAT(page.body, Contains("Ask your HR contact at Example AB for a new link."));
  CHECK_THAT(page.body, !Contains("<form"));
}

TEST_CASE("an expired link of somebody connected on another way says so, with the way to sign in") {
  Site site;
  const auto path = path_of(site.hire("14"));
  expire(site);
  REQUIRE(site.call(site.domains.assert_verified("example.com", {"test", false})));
  site.call(site.work_off());
  REQUIRE(site.user("14").connection == model::Connection::connected);
  const auto page = site.get(path, {}, {{"lang", "en"}});
  CHECK(page.status == 200);
  CHECK_THAT(page.body, Contains("You are already connected"));
  CHECK_THAT(page.body, Contains("https://login.example.com/start"));
}

TEST_CASE("a superseded link names the newer mail, in the company's zone") {
  Site site;
  const auto path = path_of(site.hire("14"));
  site.pass(2h);
  REQUIRE(site.call(site.users.send_verification("14", {"test", false})));
  const auto page = site.get(path, {}, {{"lang", "en"}});
  CHECK(page.status == 410);
  CHECK_THAT(page.body, Contains("A newer email was sent on Monday 30 November 2026 at 13:00 (Stockholm time)."));
  CHECK_THAT(page.body, !Contains("<form"));
  const auto newer = path_of(site.newest_link("14"));
  CHECK_THAT(site.press(newer, site.get(newer)).body, Contains("Your email address is confirmed"));
  CHECK_THAT(site.get(path, {}, {{"lang", "en"}}).body, Contains("You are already connected"));
}

TEST_CASE("a revoked link, and one of a user who was disabled, is withdrawn") {
  Site site;
  const auto path = path_of(site.hire("14"));
  SECTION("by hand") {
    REQUIRE(site.call(site.users.revoke(site.invitation("14").key, {"test", false})));
  }
  SECTION("disabled") {
    REQUIRE(site.call(site.users.set_enabled("14", false, {"test", false})));
  }
  SECTION("disabled behind the rules' back") {
    site.in_store([](store::Db& db) { return db.run("UPDATE users SET enabled = 0"); });
  }
  const auto page = site.get(path, {}, {{"lang", "en"}});
  CHECK(page.status == 410);
  CHECK_THAT(page.body, Contains("The link has been withdrawn"));
  CHECK_THAT(page.body, !Contains("<form"));
}

TEST_CASE("a used link whose connection was deleted is withdrawn") {
  Site site;
  const auto path = path_of(site.hire("14"));
  (void)site.press(path, site.get(path));
  REQUIRE(site.call(site.users.disconnect("14", {"test", false})));
  CHECK(site.get(path).status == 410);
  CHECK_THAT(site.get(path, {}, {{"lang", "en"}}).body, Contains("The link has been withdrawn"));
}

TEST_CASE("after a changed login email the older link is over for good") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto form = site.get(path);
  CHECK(site.push({{"user_id", "14"}, {"login_email", "new@example.com"}}).result() == "updated");
  CHECK(site.get(path).status == 410);
  CHECK(site.press(path, form).status == 410);
  CHECK(site.provider.made.empty());
}

TEST_CASE(
    "the reader's click decides the language, then the user, then the company; the browser decides for strangers") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const Fields english{{"accept-language", "en-GB,en;q=0.9"}};
  const Fields swedish{{"accept-language", "sv"}};
  CHECK_THAT(site.get(path, english).body, Contains("<html lang=\"sv\">"));  // the organisation's
  CHECK_THAT(site.get(path, swedish, {{"lang", "en"}}).body, Contains("<html lang=\"en\">"));
  CHECK_THAT(site.get(path, swedish, {{"lang", "xx"}}).body, Contains("<html lang=\"sv\">"));
  site.push({{"user_id", "14"}, {"locale", "en"}});
  CHECK_THAT(site.get(path, swedish).body, Contains("<html lang=\"en\">"));
  const auto finnish = path_of(site.hire("15", {{"company", "fi"}}));
  CHECK_THAT(site.get(finnish, swedish).body, Contains("<html lang=\"en\">"));  // the company's
  CHECK_THAT(site.get(finnish, swedish).body, Contains("Example Oy"));
  CHECK_THAT(site.get("/v/unknown", swedish).body, Contains("<html lang=\"sv\">"));
  CHECK_THAT(site.get("/v/unknown", english).body, Contains("<html lang=\"en\">"));
  CHECK(header_of(site.get(path), "Vary") == "Accept-Language");
}

TEST_CASE("the language that the form was shown in is kept by the answer") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto answer = site.post(path, "do=confirm&lang=en&nonce=" + nonce_of(site.get(path)));
  CHECK_THAT(answer.body, Contains("Your email address is confirmed"));
}
