// The banner and the self-service page as the HR system asks for them, and the sign-in that a user is shown with.
#include "control/office.hpp"

using namespace invited;
using namespace invited::test;
using Catch::Matchers::Contains;

namespace {

struct Preparing : Office {
  Preparing() {
    set_organisation([](model::Policy& policy) {
      policy.phase = model::Phase::preparation;
      policy.sign_in.url = "https://portal.example.com";
      policy.sign_in.help_sv = "Samma lösenord som i e-posten.";
      policy.sign_in.help_en = "The password of your mail.";
    });
    add(R"({"user_id":"14","name":"Anna Berg"})");
  }
};

}  // namespace

TEST_CASE("the banner says whether, why and what, in the language asked for") {
  Preparing office;
  const auto banner = office.ask("GET", "/v1/users/14/banner", "", viewer());
  CHECK(banner.status == 200);
  CHECK(banner.text("/show") == "true");
  CHECK(banner.text("/phase") == "preparation");
  CHECK(banner.text("/connection") == "not_connected");
  CHECK(banner.text("/reason") == "not_connected");
  CHECK(banner.text("/locale") == "sv");
  CHECK(banner.text("/text") == "Example AB not_connected sv");
  CHECK(office.ask("GET", "/v1/users/14/banner?locale=en").text("/text") == "Example AB not_connected en");
  CHECK(office.ask("GET", "/v1/users/14/banner?locale=de").status >= 400);
  CHECK(office.ask("GET", "/v1/users/99/banner").code() == "unknown_user");
  (void)office.ask("POST", "/v1/users/14/disable");
  const auto hidden = office.ask("GET", "/v1/users/14/banner");
  CHECK(hidden.text("/show") == "false");
  CHECK(hidden.text("/reason") == "disabled");
  CHECK(hidden.text("/text") == "null");
}

TEST_CASE("a live company has no banner and no page") {
  Office office;
  office.add(R"({"user_id":"14","name":"Anna Berg"})");
  CHECK(office.ask("GET", "/v1/users/14/banner").text("/reason") == "live");
  const auto refused = office.ask("POST", "/v1/users/14/self-service");
  CHECK(refused.status == 409);
  CHECK(refused.code() == "phase_live");
}

TEST_CASE("a self-service page is made by an operator, kept out of the record, and needs no page in a dry run") {
  Preparing office;
  CHECK(office.ask("POST", "/v1/users/14/self-service", "", viewer()).status == 403);
  const auto trial = office.ask("POST", "/v1/users/14/self-service?dry_run=true");
  CHECK(trial.status == 200);
  CHECK(trial.text("/url") == "null");
  const auto made = office.ask("POST", "/v1/users/14/self-service");
  CHECK_THAT(made.text("/url"), Catch::Matchers::StartsWith("https://invite.example.com/s/"));
  CHECK(made.text("/expires_at") == "2026-11-30T10:30:00Z");
  const auto token = made.text("/url").substr(made.text("/url").rfind('/') + 1);
  CHECK(office.call(office.self_service.open(token)).state == service::SelfServiceState::form);
  CHECK(office.dump().find(token) == std::string::npos);
  CHECK(office.audit("user:14").front().action == "self_service.made");
  CHECK(office.audit("user:14").front().actor == "uid:60003");
}

TEST_CASE("a connected user is shown with the address and the words to sign in by; nobody else is") {
  Preparing office;
  CHECK(office.ask("GET", "/v1/users/14").text("/sign_in_url") == "null");
  CHECK(office.ask("GET", "/v1/users/14").text("/sign_in_help") == "null");
  (void)office.ask("POST", "/v1/domains", R"({"name":"example.com","method":"assertion"})", an_admin());
  (void)office.ask("PATCH", "/v1/users/14", R"({"login_email":"anna@example.com"})");
  const auto shown = office.ask("GET", "/v1/users/14");
  REQUIRE(shown.text("/connection") == "connected");
  CHECK(shown.text("/sign_in_url") == "https://portal.example.com");
  CHECK(shown.text("/sign_in_help") == "Samma lösenord som i e-posten.");
  CHECK(shown.text("/sign_in_mail") == "null");
  (void)office.ask("PATCH", "/v1/users/14", R"({"locale":"en"})");
  CHECK(office.ask("GET", "/v1/users/14").text("/sign_in_help") == "The password of your mail.");
}

TEST_CASE("the mail \"your sign-in is ready\" is shown with its user") {
  Preparing office;
  office.set_organisation([](model::Policy& policy) { policy.sign_in.ready_mail = true; });
  (void)office.ask("POST", "/v1/domains", R"({"name":"example.com","method":"assertion"})", an_admin());
  (void)office.ask("PATCH", "/v1/users/14", R"({"login_email":"anna@example.com"})");
  office.call(office.work_off());
  const auto shown = office.ask("GET", "/v1/users/14");
  CHECK(shown.text("/sign_in_mail/state") == "accepted");
  CHECK(shown.text("/invitation/delivery") == "null");
  CHECK(office.postbox.sent == std::vector<std::string>{"anna@example.com"});
}
