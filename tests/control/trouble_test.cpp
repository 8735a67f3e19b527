// What cannot be done now, and what breaks inside.
#include "control/office.hpp"

using namespace invited;
using namespace invited::test;

TEST_CASE("while the disk is full every change is 503, nothing happened, and looking goes on") {
  Office office;
  office.add(R"({"user_id":"planned","name":"P","login_email":"p@example.com","start_date":"2027-03-01"})");
  office.add(
      R"({"user_id":"review","name":"R","login_email":"r@example.com","start_date":"2026-12-01","in_review":true})");
  office.hire("open");
  office.postbox.next.status = model::VerdictStatus::rejected;
  office.hire("held");
  const auto plan =
      office.ask("POST", "/v1/plans", R"({"kind":"send-verification","filter":{"all":true}})").text("/plan");
  const auto of = [&](const std::string& user) { return "/v1/invitations/" + office.invitation(user).key.text(); };
  const std::vector<std::array<std::string, 3>> changes{
      {"POST", "/v1/users", R"({"user_id":"new","name":"N"})"},
      {"PATCH", "/v1/users/open", R"({"alias":"x"})"},
      {"POST", "/v1/users/planned/send-verification", ""},
      {"POST", "/v1/users/open/disconnect", ""},
      {"POST", "/v1/users/open/disable", ""},
      {"POST", of("open") + "/revoke", ""},
      {"POST", of("held") + "/release", ""},
      {"POST", of("held") + "/discard", ""},
      {"POST", "/v1/reviews/review/approve", ""},
      {"POST", "/v1/reviews/review/reject", R"({"reason":"no"})"},
      {"POST", "/v1/domains", R"({"name":"company.example","method":"assertion"})"},
      {"POST", "/v1/plans", R"({"kind":"send-verification","filter":{"all":true}})"},
      {"POST", "/v1/plans/" + plan + "/run", ""},
      {"POST", "/v1/state/confirm", ""}};
  const auto before = office.dump();
  office.fill_disk();
  for (const auto& [method, target, body] : changes) {
    CAPTURE(method, target);
    const auto answer = office.ask(method, target, body, an_admin());
    CHECK(answer.status == 503);
    CHECK(answer.code() == "state_not_writable");
    CHECK(office.dump() == before);
  }
  CHECK(office.ask("GET", "/v1/users").status == 200);
  CHECK(office.ask("GET", "/v1/status").status == 200);
  office.free_disk();
  office.postbox.next.status = model::VerdictStatus::accepted;
  for (const auto& [method, target, body] : changes) {
    if (target.ends_with("/discard") || target.ends_with("/reject") || target.ends_with("/revoke"))
      continue;  // another one of the list took its place
    CAPTURE(method, target);
    CHECK(office.ask(method, target, body, an_admin()).status < 300);
  }
}

TEST_CASE("what breaks inside is a problem document, not a broken connection, and gives nothing away") {
  Office office;
  office.desk.plugins.describe = [](const std::string&) -> core::Result<json::object> {
    throw std::runtime_error("secret detail");
  };
  const auto answer = office.ask("GET", "/v1/plugins/smtp");
  CHECK(answer.status == 500);
  CHECK(answer.code() == "internal");
  CHECK_THAT(answer.raw.body, !Catch::Contains("secret detail"));
  office.desk.plugins.describe = [](const std::string&) -> core::Result<json::object> {
    throw store::Conflict("another state");
  };
  const auto conflict = office.ask("GET", "/v1/plugins/smtp");
  CHECK(conflict.status == 409);
  CHECK(conflict.code() == "changed_meanwhile");
}
