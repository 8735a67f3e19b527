// The landing page's promises: what a visit changes, what a stranger learns, what every answer carries.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "core/http_fixture.hpp"
#include "web/site.hpp"

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using model::Connection;
using model::InvitationState;

namespace {

std::string other_character(std::string token, std::size_t at) {
  token[at] = token[at] == 'a' ? 'b' : 'a';
  return token;
}

// What is written to stderr while it lives.
class Captured {
public:
  Captured() : saved_(::dup(STDERR_FILENO)) {
    const int file = ::open((folder_ / "stderr").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ::dup2(file, STDERR_FILENO);
    ::close(file);
  }
  ~Captured() { end(); }
  std::string text() {
    end();
    std::ifstream in(folder_ / "stderr");
    return {std::istreambuf_iterator<char>(in), {}};
  }

private:
  void end() {
    if (saved_ < 0) return;
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    saved_ = -1;
  }
  TempFolder folder_;
  int saved_;
};

}  // namespace

// ---- what a visit changes ----------------------------------------------------------------------------------------

TEST_CASE("GET and HEAD change nothing, in any state of the link") {
  Site site;
  std::vector<std::string> paths;
  paths.push_back(path_of(site.hire("open")));
  paths.push_back(path_of(site.hire("superseded")));
  REQUIRE(site.call(site.users.send_verification("superseded", {"test", false})));
  paths.push_back(path_of(site.hire("revoked")));
  REQUIRE(site.call(site.users.revoke(site.invitation("revoked").key, {"test", false})));
  paths.push_back(path_of(site.hire("used")));
  (void)site.press(paths.back(), site.get(paths.back()));
  site.provider.away = true;
  paths.push_back(path_of(site.hire("connecting")));
  (void)site.press(paths.back(), site.get(paths.back()));
  for (const auto* other : {"/", "/v/", "/v/none", "/style.css"}) paths.emplace_back(other);

  for (const bool later : {false, true}) {
    if (later) site.pass(7 * 24h);  // now the open one is expired, and not swept
    const auto before = site.dump();
    const auto mails = site.postbox.sent.size();
    for (const auto& path : paths) {
      for (const auto* method : {"GET", "HEAD"}) {
        core::HttpRequest request;
        request.method = method;
        request.path = path;
        (void)site.ask(std::move(request));
      }
    }
    CHECK(site.dump() == before);
    CHECK(site.postbox.sent.size() == mails);
  }
}

TEST_CASE("the button confirms once, makes the account and leads to the password; a second press is friendly") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto form = site.get(path);
  const auto first =
      site.press(path, form, {{"origin", "https://invite.example.com"}, {"sec-fetch-site", "same-origin"}});
  CHECK(first.status == 200);
  CHECK_THAT(first.body, Contains("Your email address is confirmed"));
  CHECK_THAT(first.body, Contains("Forgot your password?"));
  CHECK_THAT(first.body, Contains("href=\"https://login.example.com/start\""));
  CHECK(header_of(first, "Set-Cookie").empty());
  CHECK(site.user("14").connection == Connection::connected);
  CHECK(site.provider.made == std::vector<std::string>{"anna.14@example.com"});

  const auto after = site.dump();
  for (int again = 0; again < 3; ++again) {
    const auto answer = site.press(path, form);
    CHECK(answer.status == 200);
    CHECK_THAT(answer.body, Contains("You are already connected"));
  }
  CHECK(site.dump() == after);
  CHECK(site.provider.made.size() == 1);
  int verified = 0;
  for (const auto& event : site.audit()) {
    if (event.action != "invitation.verified") continue;
    ++verified;
    CHECK(event.actor == "link");
    CHECK(event.subject == "user:14");
  }
  CHECK(verified == 1);
}

TEST_CASE("what mail scanners do confirms nothing") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto before = site.dump();
  SECTION("HEAD, then GET, then the same again") {
    for (int i = 0; i < 4; ++i) (void)site.get(path, {{"user-agent", "scanner"}});
  }
  SECTION("a POST without a form") {
    const auto answer = site.post(path, "");
    CHECK(answer.status == 200);
    CHECK_THAT(answer.body, Contains("role=\"alert\""));
    CHECK_FALSE(nonce_of(answer).empty());
  }
  SECTION("a POST of the fields but the nonce") {
    (void)site.post(path, "do=confirm&lang=en");
  }
  SECTION("a POST of JSON") {
    (void)site.post(path, R"({"do":"confirm"})", {{"content-type", "application/json"}});
  }
  SECTION("a POST with parameters in the address") {
    (void)site.post(path, "");
  }
  SECTION("resend of a link that is open") {
    (void)site.post(path, "do=resend&nonce=" + nonce_of(site.get(path)));
  }
  CHECK(site.dump() == before);
  CHECK(site.postbox.sent.size() == 1);
}

TEST_CASE("a nonce that is not of this form shows the form again and confirms nothing") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto strangers = path_of(site.hire("15"));
  const std::string good = nonce_of(site.get(path));
  const auto dot = good.find('.');
  const std::string later = std::to_string(std::stoll(good) + 60'000) + good.substr(dot);
  const auto before = site.dump();
  for (const std::string& nonce : {std::string("x"), std::string("."), std::string("1."), good.substr(dot), good + "a",
                                   good.substr(0, good.size() - 1), later, nonce_of(site.get(strangers)),
                                   token_of(path), std::string(5'000, '9') + ".a", std::string("-1.a")}) {
    CAPTURE(nonce);
    const auto answer = site.post(path, "do=confirm&nonce=" + nonce + "&lang=en");
    CHECK(answer.status == 200);
    CHECK_THAT(answer.body, Contains("Please press the button once more."));
    CHECK_THAT(answer.body, Contains("Confirm email address"));
    CHECK(site.dump() == before);
    site.pass(10s);  // below the rate
  }
  // The form that came back works.
  const auto again = site.post(path, "do=confirm&nonce=x&lang=en");
  CHECK_THAT(site.press(path, again).body, Contains("Your email address is confirmed"));
}

TEST_CASE("a form opened before the end may be posted up to 15 minutes after it") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto end = *site.invitation("14").ends_at;
  site.pass(end - site.clock.now() - 1min);
  const auto form = site.get(path);
  REQUIRE(form.status == 200);
  const bool swept = GENERATE(false, true);
  SECTION("in time") {
    site.pass(1min + 15min - 1ms);
    if (swept) site.call(site.sweep.expire());
    CHECK_THAT(site.press(path, form).body, Contains("Your email address is confirmed"));
    CHECK(site.user("14").connection == Connection::connected);
  }
  SECTION("too late") {
    site.pass(1min + 15min);
    if (swept) site.call(site.sweep.expire());
    const auto before = site.dump();
    const auto answer = site.press(path, form);
    CHECK(answer.status == 410);
    CHECK_THAT(answer.body, Contains("The link has expired"));
    CHECK(site.dump() == before);
  }
  SECTION("a form opened after the end is none") {
    site.pass(2min);
    const auto expired = site.get(path);
    REQUIRE(expired.status == 410);
    const auto before = site.dump();
    CHECK(site.post(path, "do=confirm&nonce=" + nonce_of(expired)).status == 410);
    CHECK(site.dump() == before);
  }
}

TEST_CASE("a form posted in the grace after a newer mail went out does not confirm") {
  Site site;
  const auto path = path_of(site.hire("14"));
  site.pass(*site.invitation("14").ends_at - site.clock.now() - 1min);
  const auto form = site.get(path);
  site.pass(2min);
  REQUIRE(site.call(site.users.send_verification("14", {"test", false})));
  CHECK(site.press(path, form).status == 410);
  CHECK(site.user("14").connection == Connection::pending);
}

TEST_CASE("a form posted from another site is refused, and the person may press the button herself") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto form = site.get(path);
  const auto before = site.dump();
  for (const Fields& headers :
       {Fields{{"sec-fetch-site", "cross-site"}}, Fields{{"sec-fetch-site", "same-site"}},
        Fields{{"origin", "https://evil.example"}}, Fields{{"origin", "http://invite.example.com"}},
        Fields{{"origin", "https://invite.example.com.evil.example"}},
        Fields{{"sec-fetch-site", "same-origin"}, {"origin", "https://evil.example"}}}) {
    const auto answer = site.press(path, form, headers);
    CHECK(answer.status == 403);
    CHECK_THAT(answer.body, Contains("Confirm email address"));
    CHECK(site.dump() == before);
  }
  // A no-referrer page's own form says "null".
  CHECK_THAT(site.press(path, form, {{"origin", "null"}, {"sec-fetch-site", "same-origin"}}).body,
             Contains("Your email address is confirmed"));
}

TEST_CASE("a user disabled while her form was open is not connected") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto form = site.get(path);
  REQUIRE(site.call(site.users.set_enabled("14", false, {"test", false})));
  const auto before = site.dump();
  const auto answer = site.press(path, form);
  CHECK(answer.status == 410);
  CHECK_THAT(answer.body, Contains("The link has been withdrawn"));
  CHECK(site.dump() == before);
  CHECK(site.provider.made.empty());
}

// ---- "send me a new one" -----------------------------------------------------------------------------------------

TEST_CASE("an expired link is renewed once, to the saved address only, and the older link leads to the newer mail") {
  Site site;
  const auto path = path_of(site.hire("14"));
  site.pass(6 * 24h);
  if (GENERATE(false, true)) site.call(site.sweep.expire());
  const auto page = site.get(path);
  const auto asked = site.press(path, page);
  CHECK(asked.status == 200);
  CHECK_THAT(asked.body, Contains("A new link has been requested"));
  CHECK_THAT(asked.body, Contains("a***@example.com"));
  CHECK(site.postbox.sent == std::vector<std::string>{"anna.14@example.com", "anna.14@example.com"});
  CHECK(site.invitation("14").state == InvitationState::sent);
  CHECK(site.invitation("14").cause == model::InvitationCause::renewal);
  CHECK(site.audit("user:14").front().action == "invitation.sent");

  for (int again = 0; again < 3; ++again) CHECK_THAT(site.press(path, page).body, Contains("There is a newer link"));
  CHECK(site.postbox.sent.size() == 2);
  const auto newer = path_of(site.newest_link("14"));
  CHECK(newer != path);
  CHECK_THAT(site.press(newer, site.get(newer)).body, Contains("Your email address is confirmed"));
}

TEST_CASE("a new link is sent only from the form of an expired one") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto open_form = site.get(path);
  SECTION("open") {}
  SECTION("revoked") {
    REQUIRE(site.call(site.users.revoke(site.invitation("14").key, {"test", false})));
  }
  SECTION("superseded") {
    REQUIRE(site.call(site.users.send_verification("14", {"test", false})));
  }
  SECTION("used") {
    (void)site.press(path, open_form);
  }
  SECTION("expired, without the nonce of its form") {
    site.pass(6 * 24h);
  }
  SECTION("expired, and connected since") {
    site.pass(6 * 24h);
    site.in_store([](store::Db& db) { return db.run("UPDATE users SET connection = 'connected'"); });
  }
  const auto before = site.dump();
  const auto mails = site.postbox.sent.size();
  CHECK_THAT(site.post(path, "do=resend&lang=en").body, !Contains("has been requested"));
  CHECK(site.dump() == before);
  CHECK(site.postbox.sent.size() == mails);
}

TEST_CASE("who may not have a new link is told whom to ask, not offered the same button again") {
  Site site;
  const auto path = path_of(site.hire("14"));
  site.pass(6 * 24h);
  site.call(site.sweep.expire());
  const auto page = site.get(path);
  site.push({{"user_id", "14"}, {"enabled", "false"}});
  const auto answer = site.press(path, page);
  CHECK(answer.status == 410);
  CHECK_THAT(answer.body, Contains("Ask your HR contact"));
  CHECK(site.postbox.sent.size() == 1);
}

TEST_CASE("a new link asked for an address whose domain was verified meanwhile connects without a mail") {
  Site site;
  const auto path = path_of(site.hire("14"));
  site.pass(6 * 24h);
  site.call(site.sweep.expire());
  const auto page = site.get(path);
  // Verified, and the pass that connects everybody has not come yet.
  REQUIRE(site.call(site.domains.assert_verified("example.com", {"test", false})));
  const auto answer = site.press(path, page);
  CHECK(answer.status == 200);
  CHECK_THAT(answer.body, Contains("Your confirmation is stored"));
  CHECK(site.postbox.sent.size() == 1);
}

// ---- how often ---------------------------------------------------------------------------------------------------

TEST_CASE("whoever shares an address with others is not kept from her own link, until the address asks for too much") {
  Site site;
  std::vector<std::string> paths;
  for (int i = 0; i < 30; ++i) paths.push_back(path_of(site.hire(std::to_string(i))));
  for (const auto& path : paths) CHECK(site.post(path, "").status == 200);
  for (int i = 0; i < 19; ++i) CHECK(site.post(paths[0], "").status == 200);
  CHECK(site.post(paths[0], "").status == 429);
  CHECK(site.post(paths[1], "").status == 200);
  unsigned last = 0;
  for (int i = 0; i < 3'000; ++i) last = site.get("/v/guess" + std::to_string(i)).status;
  CHECK(last == 429);
  CHECK(site.get(paths[2]).status == 429);
}

TEST_CASE("one address may open a link's page 120 times and post its form 20 times in a minute") {
  Site site;
  const auto path = path_of(site.hire("14"));
  SECTION("pages") {
    for (int i = 0; i < 120; ++i) CHECK(site.get(path).status == 200);
    CHECK(site.get(path).status == 429);
    CHECK_THAT(site.get(path, {{"accept-language", "en"}}).body, Contains("Too many attempts"));
    const World::Counted statements(site);
    CHECK(site.get(path).status == 429);
    CHECK(statements.count() == 0);
    site.pass(1s);
    CHECK(site.get(path).status == 200);
  }
  SECTION("forms") {
    for (int i = 0; i < 20; ++i) CHECK(site.post(path, "").status == 200);
    CHECK(site.post(path, "").status == 429);
    CHECK(site.get(path).status == 200);
    core::HttpRequest other;
    other.method = "POST";
    other.path = path;
    other.peer.address = "192.0.2.8";
    CHECK(site.ask(other).status == 200);
  }
}

TEST_CASE("the client's address is the connection's, or what the proxy in front wrote last") {
  using web::ClientAddress;
  const auto flood = [](Site& site, const std::function<Fields(int)>& headers) {
    unsigned last = 0;
    for (int i = 0; i < 25; ++i) last = site.post("/v/none", "", headers(i)).status;
    return last;
  };
  const auto number = [](int i) { return "203.0.113." + std::to_string(i); };
  SECTION("no proxy: headers are anybody's claim") {
    Site site;
    CHECK(flood(site, [&](int i) { return Fields{{"x-forwarded-for", number(i)}, {"x-real-ip", number(i)}}; }) == 429);
  }
  SECTION("X-Forwarded-For: the last entry counts") {
    Site site({.base_url = "https://invite.example.com", .client_address = ClientAddress::x_forwarded_for});
    CHECK(flood(site, [&](int i) { return Fields{{"x-forwarded-for", "10.0.0.1, " + number(i)}}; }) == 404);
    CHECK(flood(site, [&](int i) { return Fields{{"x-forwarded-for", number(i) + ", 198.51.100.1"}}; }) == 429);
  }
  SECTION("X-Forwarded-For: a proxy that adds a line of its own") {
    Site site({.base_url = "https://invite.example.com", .client_address = ClientAddress::x_forwarded_for});
    CHECK(flood(site, [&](int i) {
            return Fields{{"x-forwarded-for", number(i)}, {"x-forwarded-for", "198.51.100.1"}};
          }) == 429);
  }
  SECTION("X-Real-IP") {
    Site site({.base_url = "https://invite.example.com", .client_address = ClientAddress::x_real_ip});
    CHECK(flood(site, [&](int i) { return Fields{{"x-real-ip", number(i)}, {"x-forwarded-for", "198.51.100.1"}}; }) ==
          404);
    CHECK(flood(site, [&](int) { return Fields{}; }) == 429);  // absent: the connection's
  }
  SECTION("ports, mapped addresses and the lower half of IPv6 make no other client") {
    Site site({.base_url = "https://invite.example.com", .client_address = ClientAddress::x_real_ip});
    const auto each = [&](const std::function<std::string(int)>& address) {
      return flood(site, [&](int i) { return Fields{{"x-real-ip", address(i)}}; });
    };
    CHECK(each([&](int i) { return "203.0.113.1:" + std::to_string(4000 + i); }) == 429);
    CHECK(each([&](int) { return "203.0.113.1"; }) == 429);
    CHECK(each([&](int) { return "::ffff:203.0.113.1"; }) == 429);
    CHECK(each([&](int) { return "203.0.113.2"; }) == 429);
    CHECK(each([&](int i) { return "[2001:db8::" + std::to_string(i) + "]:" + std::to_string(4000 + i); }) == 429);
    CHECK(site.post("/v/none", "", {{"x-real-ip", "2001:db8::ffff"}}).status == 429);
    CHECK(each([&](int i) { return "2001:db8:0:" + std::to_string(i + 1) + "::1"; }) == 404);
    CHECK(each([&](int i) { return "unknown" + std::to_string(i); }) == 429);  // no address: the connection's
  }
}

// ---- what a stranger learns --------------------------------------------------------------------------------------

TEST_CASE("every token that is not genuine gets the same bytes and headers, by GET and by POST") {
  Site site;
  const std::string token = token_of(site.hire("14"));
  const std::string gone = token_of(site.hire("15"));
  site.in_store([](store::Db& db) {
    db.run("DELETE FROM attempts");
    db.run("DELETE FROM deliveries");
    return db.run("DELETE FROM invitations WHERE user = (SELECT key FROM users WHERE user_id = '15')");
  });
  REQUIRE(token.size() == 60);
  std::vector<std::string> tokens{"",
                                  "x",
                                  "none",
                                  token + "a",
                                  token.substr(0, 59),
                                  token + "/",
                                  token + ".",
                                  std::string(60, 'a'),
                                  std::string(7'000, 'a'),
                                  "..%2f..%2fetc",
                                  "%00",
                                  "\xC3\xA5",
                                  gone};
  for (std::size_t at = 0; at < token.size(); ++at) tokens.push_back(other_character(token, at));
  std::string upper = token;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  if (upper != token) tokens.push_back(upper);

  const auto first = site.get("/v/none", {{"accept-language", "en"}});
  CHECK(first.status == 404);
  CHECK_THAT(first.body, Contains("We do not recognise this link"));
  for (const auto& forged : tokens) {
    CAPTURE(forged);
    const auto got = site.get("/v/" + forged, {{"accept-language", "en"}});
    CHECK(got.status == 404);
    CHECK(got.body == first.body);
    CHECK(got.headers == first.headers);
    for (const auto* body : {"", "do=confirm&nonce=1.a", "do=resend&nonce=1.a"}) {
      for (const Fields& headers :
           {Fields{{"accept-language", "en"}}, Fields{{"accept-language", "en"}, {"origin", "https://evil.example"}}}) {
        const auto posted = site.post("/v/" + forged, body, headers);
        CHECK(posted.status == 404);
        CHECK(posted.body == first.body);
        CHECK(posted.headers == first.headers);
        site.pass(6s);  // below the rate
      }
    }
  }
}

TEST_CASE("a forged token is refused without a database read") {
  Site site;
  const std::string token = token_of(site.hire("14"));
  {
    const World::Counted statements(site);
    CHECK(site.get("/v/" + token).status == 200);
    CHECK(statements.count() > 0);  // the counter counts
  }
  const World::Counted statements(site);
  for (const auto& forged : {std::string("none"), std::string(60, 'a'), other_character(token, 5),
                             other_character(token, 24), token.substr(0, 30)}) {
    CHECK(site.get("/v/" + forged).status == 404);
    CHECK(site.post("/v/" + forged, "do=confirm&nonce=1.a").status == 404);
    CHECK(site.post("/v/" + forged, "do=resend&nonce=1.a").status == 404);
  }
  CHECK(statements.count() == 0);
}

TEST_CASE("every answer carries the strict headers") {
  Site site({.base_url = "https://invite.example.com"},
            [](const core::HttpRequest& request) -> std::optional<awaitable<core::HttpResponse>> {
              const auto answer = [](bool fails) -> awaitable<core::HttpResponse> {
                if (fails) throw std::runtime_error("the plugin broke");
                core::HttpResponse response;
                response.headers = {{"content-type", "application/json"}, {"cache-control", "private"}};
                co_return response;
              };
              if (!request.path.starts_with("/hr/")) return std::nullopt;
              return answer(request.path == "/hr/broken");
            });
  const auto open = path_of(site.hire("14"));
  std::vector<core::HttpResponse> all;
  for (const auto& path : {open, std::string("/v/none"), std::string("/"), std::string("/style.css"),
                           std::string("/hr/push"), std::string("/hr/broken")})
    all.push_back(site.get(path));
  all.push_back(site.post(open, ""));
  core::HttpRequest odd;
  odd.method = "DELETE";
  odd.path = open;
  all.push_back(site.ask(odd));
  CHECK(all.back().status == 405);
  CHECK(header_of(all.back(), "Allow") == "GET, HEAD, POST");
  all.push_back(site.press(open, site.get(open)));
  for (const auto& answer : all) {
    CHECK(header_of(answer, "Referrer-Policy") == "no-referrer");
    CHECK(header_of(answer, "X-Content-Type-Options") == "nosniff");
    CHECK(header_of(answer, "X-Frame-Options") == "DENY");
    CHECK(header_of(answer, "Content-Security-Policy") ==
          "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    CHECK(header_of(answer, "X-Robots-Tag") == "noindex, nofollow");
    CHECK(header_of(answer, "Set-Cookie").empty());
  }
  CHECK(header_of(all[0], "Cache-Control") == "no-store");
  CHECK(header_of(all[3], "Cache-Control") == "public, max-age=3600");
  CHECK(header_of(all[3], "Content-Type") == "text/css; charset=utf-8");
  CHECK(header_of(all[4], "Cache-Control").empty());  // the plugin's own word stands
  CHECK(all[5].status == 503);
}

TEST_CASE("the token stands in no page and in no log line") {
  Captured log;
  std::string pages;
  std::vector<std::string> secrets;
  {
    Site site;
    const auto path = path_of(site.hire("14"));
    secrets.push_back(token_of(path));
    const auto visit = [&](const core::HttpResponse& answer) {
      pages += answer.body;
      for (const auto& [name, value] : answer.headers) pages += name + ": " + value + "\n";
    };
    const auto form = site.get(path);
    visit(form);
    CHECK_THAT(form.body, Contains("<form method=\"post\" action=\"?\">"));
    visit(site.post(path, ""));
    visit(site.press(path, form, {{"origin", "https://evil.example"}}));
    visit(site.get(path + "x"));
    site.fill_disk();
    visit(site.press(path, form));
    site.free_disk();
    site.pass(6 * 24h);
    const auto expired = site.get(path);
    visit(expired);
    visit(site.press(path, expired));
    visit(site.get(path));
    const auto newer = path_of(site.newest_link("14"));
    secrets.push_back(token_of(newer));
    visit(site.press(newer, site.get(newer)));
    visit(site.get(newer));
    CHECK(site.user("14").connection == Connection::connected);
  }
  const auto lines = log.text();
  CHECK_THAT(lines, Contains("comes from another site"));  // the capture captures
  for (const auto& secret : secrets) {
    CHECK_THAT(pages, !Contains(secret));
    CHECK_THAT(lines, !Contains(secret));
    CHECK_THAT(lines, !Contains(secret.substr(30)));
  }
  CHECK_THAT(pages, !Contains("anna.14@example.com"));
  CHECK_THAT(lines, !Contains("anna.14@example.com"));
}

TEST_CASE("what the client says about the host changes no page") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto plain = site.get(path);
  const auto claimed = site.get(path, {{"host", "evil.example"},
                                       {"x-forwarded-host", "evil.example"},
                                       {"x-forwarded-proto", "http"},
                                       {"forwarded", "host=evil.example"}});
  CHECK(claimed.body == plain.body);
  CHECK(claimed.headers == plain.headers);
  site.pass(6 * 24h);
  const auto expired = site.get(path);
  (void)site.press(path, expired, {{"host", "evil.example"}, {"x-forwarded-host", "evil.example"}});
  CHECK_THAT(site.newest_link("14"), Catch::StartsWith("https://invite.example.com/v/"));
  CHECK(site.newest_link("14").find(token_of(path)) == std::string::npos);
}

// ---- trouble, and everything else on the listener ----------------------------------------------------------------

TEST_CASE("while nothing can be written the page says so, and the same form works afterwards") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto form = site.get(path);
  site.fill_disk();
  CHECK(site.get(path).status == 200);  // looking needs no write
  const auto answer = site.press(path, form, {{"accept-language", "en"}});
  CHECK(answer.status == 503);
  CHECK_THAT(answer.body, Contains("Temporarily unavailable"));
  CHECK(site.provider.made.empty());
  site.free_disk();
  CHECK_THAT(site.press(path, form).body, Contains("Your email address is confirmed"));
}

TEST_CASE("a plugin's route is asked for what is not a link, and never sees one") {
  std::vector<std::string> seen;
  Site site({.base_url = "https://invite.example.com"},
            [&seen](const core::HttpRequest& request) -> std::optional<awaitable<core::HttpResponse>> {
              seen.push_back(request.method + " " + request.path);
              const auto answer = []() -> awaitable<core::HttpResponse> {
                core::HttpResponse response;
                response.status = 202;
                response.body = "taken";
                co_return response;
              };
              if (!request.path.starts_with("/hr/")) return std::nullopt;
              return answer();
            });
  const auto path = path_of(site.hire("14"));
  (void)site.get(path);
  (void)site.post(path, "");
  (void)site.get("/v/none");
  (void)site.get("/style.css");
  CHECK(seen.empty());
  const auto answer = site.post("/hr/push", "{}");
  CHECK(answer.status == 202);
  CHECK(answer.body == "taken");
  CHECK(site.get("/other").status == 404);
  CHECK(seen == std::vector<std::string>{"POST /hr/push", "GET /other"});
}

TEST_CASE("nothing else is on the public listener") {
  Site site;
  for (const auto* path : {"/", "/v", "/V/x", "/openapi.json", "/v1/status", "/v1/users", "/favicon.ico", "/style.css/",
                           "/../etc/passwd", "//v/x"}) {
    CAPTURE(path);
    CHECK(site.get(path).status == 404);
    CHECK_THAT(site.get(path, {{"accept-language", "sv"}}).body, Contains("<html lang=\"sv\">"));
  }
}

TEST_CASE("over a real connection HEAD gives the page's headers without its body, and changes nothing") {
  Site site;
  const auto path = path_of(site.hire("14"));
  const auto bound = site.server.listen("127.0.0.1:0");
  REQUIRE(bound);
  const auto port = static_cast<std::uint16_t>(std::stoi(bound->substr(bound->rfind(':') + 1)));
  const auto before = site.dump();
  Running loop(site.io);
  const auto head = [&] {
    RawClient client(port);
    client.say("HEAD " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return client.hear_all();
  }();
  const auto get = [&] {
    RawClient client(port);
    client.say("GET " + path + "?lang=en HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return client.answer();
  }();
  const auto refused = [&] {
    RawClient client(port);
    client.say("GET " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
    return client.hear_all();
  }();
  loop.stop();
  CHECK_THAT(refused, Catch::StartsWith("HTTP/1.1 400"));
  CHECK_THAT(refused,
             Contains("Referrer-Policy: no-referrer") && Contains("Content-Security-Policy: default-src 'none'"));
  CHECK_THAT(head, Catch::StartsWith("HTTP/1.1 200"));
  CHECK_THAT(head, Contains("Referrer-Policy: no-referrer"));
  CHECK_THAT(head, Catch::EndsWith("\r\n\r\n"));
  CHECK(get.status == 200);
  CHECK_THAT(get.body, Contains("Confirm your email address"));
  CHECK(site.dump() == before);
}

TEST_CASE("a plugin's path takes a mebibyte, our own pages stay small") {
  std::vector<std::size_t> taken;
  const auto is_plugins = [](std::string_view path) { return path.starts_with("/hr/"); };
  Site site({.base_url = "https://invite.example.com", .plugin_path = is_plugins},
            [&](const core::HttpRequest& request) -> std::optional<awaitable<core::HttpResponse>> {
              if (!is_plugins(request.path)) return std::nullopt;
              taken.push_back(request.body.size());
              const auto answer = []() -> awaitable<core::HttpResponse> { co_return core::HttpResponse{}; };
              return answer();
            });
  const auto bound = site.server.listen("127.0.0.1:0");
  REQUIRE(bound);
  const auto port = static_cast<std::uint16_t>(std::stoi(bound->substr(bound->rfind(':') + 1)));
  Running loop(site.io);
  const auto status = [&](const std::string& path, std::size_t bytes) {
    RawClient client(port);
    client.say("POST " + path +
               " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n");
    if (bytes <= web::plugin_body_bytes) client.say(std::string(bytes, 'x'));
    return client.answer().status;
  };
  const auto whole = status("/hr/push", std::size_t{1} << 20);
  const auto more = status("/hr/push", (std::size_t{1} << 20) + 1);
  const auto page = status("/v/none", 5 * 1024);
  loop.stop();
  CHECK(whole == 200);
  CHECK(more == 413);
  CHECK(page == 413);
  CHECK(taken == std::vector<std::size_t>{std::size_t{1} << 20});
}

TEST_CASE("a plugin's answer has the type that it names, or none; one that failed is 503") {
  model::SourceReply reply;
  reply.status = 204;
  CHECK(header_of(web::plugin_answer(reply), "Content-Type").empty());
  CHECK(web::plugin_answer(reply).headers.size() == 1);
  reply.status = 200;
  reply.content_type = "application/scim+json";
  reply.body = "{}";
  CHECK(header_of(web::plugin_answer(reply), "Content-Type") == "application/scim+json");
  CHECK(web::plugin_answer(reply).body == "{}");
  const auto failed = web::plugin_answer(core::fail(core::ErrorKind::unavailable, "plugin_retry", "secret inside"));
  CHECK(failed.status == 503);
  CHECK(failed.body == "The source cannot answer now.\n");
}
