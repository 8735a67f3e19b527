#include "control/office.hpp"

#include <boost/json/serialize.hpp>

using namespace invited;
using namespace invited::test;
using Catch::Matchers::Contains;

namespace {

constexpr const char* anna =
    R"({"user_id":"14","name":"Anna Berg","login_email":"anna@example.com","start_date":"2026-11-30"})";

// Without what is drawn at random.
json::value scrubbed(json::value value) {
  if (auto* object = value.if_object()) {
    for (const auto* name : {"key", "message_id"}) {
      if (object->contains(name)) (*object)[name] = "…";
    }
    if (object->contains("generation")) (*object)["id"] = "…";  // an invitation's
    for (auto& member : *object) member.value() = scrubbed(std::move(member.value()));
  }
  return value;
}

}  // namespace

TEST_CASE("a user added by hand is invited by the rules; the answer is the user with her invitation") {
  Office office;
  const auto answer = office.ask("POST", "/v1/users", anna);
  CHECK(answer.status == 201);
  CHECK(answer.text("/result") == "created");
  CHECK(answer.text("/user/id") == "14");
  CHECK(answer.text("/user/start_date") == "2026-11-30");
  CHECK(answer.text("/user/connection") == "pending");
  CHECK(answer.text("/user/invitation/state") == "released");
  CHECK(office.postbox.sent == std::vector<std::string>{"anna@example.com"});
  const auto shown = office.ask("GET", "/v1/users/14", "", viewer());
  CHECK(shown.text("/invitation/state") == "sent");
  CHECK(shown.text("/invitation/delivery/state") == "accepted");
  CHECK(shown.text("/zone") == "Europe/Stockholm");
  CHECK(office.ask("GET", "/v1/users/14").text("/source") == "by-hand");
}

TEST_CASE("who did it stands in every audit event of a change") {
  Office office;
  office.add(R"({"user_id":"14","name":"Anna Berg","login_email":"anna@example.com"})");
  (void)office.ask("PATCH", "/v1/users/14", R"({"department":"Sales"})");
  (void)office.ask("POST", "/v1/users/14/send-verification");
  (void)office.ask("POST", "/v1/users/14/disable", "", an_admin());
  (void)office.ask("POST", "/v1/users/14/enable", "", peer(0, {}));
  (void)office.ask("POST", "/v1/domains", R"({"name":"company.example","method":"assertion"})", an_admin());
  (void)office.ask("DELETE", "/v1/domains/company.example", "", an_admin());
  std::map<std::string, std::string> actor_of;
  for (const auto& event : office.audit()) actor_of[event.action] = event.actor;
  CHECK(actor_of.at("user.created") == "uid:60003");
  CHECK(actor_of.at("user.updated") == "uid:60003");
  CHECK(actor_of.at("invitation.released") == "uid:60003");
  CHECK(actor_of.at("user.disabled") == "uid:60004");
  CHECK(actor_of.at("user.enabled") == "uid:0 (root)");
  CHECK(actor_of.at("domain.verified") == "uid:60004");
  CHECK(actor_of.at("domain.removed") == "uid:60004");
  CHECK(actor_of.at("invitation.sent") == "daemon");
}

TEST_CASE("every field of the table reaches the user") {
  Office office;
  office.add(
      R"({"user_id":"14","name":"Anna Berg","given_name":"Anna","family_name":"Berg","login_email":"anna@example.com",
    "confirm_email":"anna@example.com","company":"fi","department":"Sales","roles":["planner","boss"],"locale":"sv","start_date":"2027-02-01",
    "end_date":"2027-12-31","employment_template":"T1","alias":"ab","signature":"AB","card_id":"77","external_ref":"x-1",
    "authorised_companies":["fi","se"],"enabled":false,"in_review":true})");
  const auto user = office.ask("GET", "/v1/users/14");
  CHECK(user.text("/given_name") == "Anna");
  CHECK(user.text("/family_name") == "Berg");
  CHECK(user.text("/company") == "fi");
  CHECK(user.text("/zone") == "Europe/Helsinki");
  CHECK(user.text("/department") == "Sales");
  CHECK(user.text("/roles") == R"(["boss","planner"])");
  CHECK(user.text("/authorised_companies") == R"(["fi","se"])");
  CHECK(user.text("/locale") == "sv");
  CHECK(user.text("/end_date") == "2027-12-31");
  CHECK(user.text("/employment_template") == "T1");
  CHECK(user.text("/alias") == "ab");
  CHECK(user.text("/signature") == "AB");
  CHECK(user.text("/card_id") == "77");
  CHECK(user.text("/external_ref") == "x-1");
  CHECK(user.text("/enabled") == "false");
  CHECK(user.text("/review") == "pending");
  // An empty value clears what may be cleared.
  const auto cleared = office.ask("PATCH", "/v1/users/14", R"({"department":"","roles":[],"end_date":""})");
  CHECK(cleared.text("/result") == "updated");
  CHECK(cleared.text("/user/department") == "");
  CHECK(cleared.text("/user/roles") == "[]");
  CHECK(cleared.text("/user/end_date") == "null");
}

TEST_CASE("a user-id is taken once, whatever the case") {
  Office office;
  office.add(R"({"user_id":"Anna","name":"Anna Berg"})");
  const auto before = office.dump();
  const auto again = office.ask("POST", "/v1/users", R"({"user_id":"anna","name":"Another"})");
  CHECK(again.status == 409);
  CHECK(again.code() == "user_exists");
  CHECK(office.dump() == before);
  CHECK(office.ask("GET", "/v1/users/ANNA").text("/id") == "Anna");
  CHECK(office.ask("PATCH", "/v1/users/aNNa", R"({"alias":"ab"})").text("/user/id") == "Anna");
}

TEST_CASE("a bad login email does not stop the other fields, and says so") {
  Office office;
  const auto answer =
      office.ask("POST", "/v1/users", R"({"user_id":"14","name":"Anna Berg","login_email":"not an address"})");
  CHECK(answer.status == 201);
  CHECK(answer.text("/result") == "ignored: invalid_email");
  CHECK(answer.text("/applied") == "created");
  CHECK(answer.text("/column") == "login_email");
  CHECK(answer.text("/user/login_email") == "");
}

TEST_CASE("what cannot be taken is told with its field, and changes nothing") {
  Office office;
  office.add(R"({"user_id":"14","name":"Anna Berg"})");
  const auto before = office.dump();
  const auto refused = [&](const std::string& method, const std::string& target, const std::string& body,
                           unsigned status, const std::string& code, const std::string& where) {
    CAPTURE(body);
    const auto answer = office.ask(method, target, body);
    CHECK(answer.status == status);
    CHECK(answer.code() == code);
    CHECK(answer.text("/errors/0/where") == where);
    CHECK(office.dump() == before);
  };
  refused("POST", "/v1/users", "{", 400, "bad_request", "");
  refused("POST", "/v1/users", "[]", 400, "bad_request", "");
  refused("POST", "/v1/users", R"({"name":"No Id"})", 422, "user_id_missing", "/user_id");
  refused("POST", "/v1/users", R"({"user_id":"","name":"No Id"})", 422, "bad_request", "/user_id");
  refused("POST", "/v1/users", R"({"user_id":"15","name":"A","colour":"red"})", 422, "bad_request", "/colour");
  refused("POST", "/v1/users", R"({"user_id":"15","name":"A","start_date":"tomorrow"})", 422, "bad_request",
          "/start_date");
  refused("POST", "/v1/users", R"({"user_id":"15"})", 422, "name_missing", "/name");
  refused("POST", "/v1/users", R"({"user_id":"15","name":"A","company":"none"})", 422, "unknown_company", "/company");
  refused("POST", "/v1/users", R"({"user_id":"15","name":"A","end_date":"2027-01-01"})", 422, "start_date_missing",
          "/start_date");
  refused("POST", "/v1/users",
          R"({"user_id":"15","name":"A","login_email":"a@example.com","confirm_email":"b@example.com"})", 422,
          "confirm_mismatch", "/confirm_email");
  refused("PATCH", "/v1/users/14", R"({"login_email":""})", 422, "bad_request", "/login_email");
  refused("PATCH", "/v1/users/14", R"({"user_id":"15"})", 422, "bad_request", "/user_id");
  refused("PATCH", "/v1/users/14?dry_run=maybe", R"({"alias":"a"})", 422, "bad_request", "query:dry_run");
  refused("GET", "/v1/users?limit=many", "", 422, "bad_request", "query:limit");
}

TEST_CASE("somebody unknown is not found") {
  Office office;
  for (const auto* target : {"/v1/users/none", "/v1/users/none/why"}) {
    const auto answer = office.ask("GET", target);
    CHECK(answer.status == 404);
    CHECK(answer.code() == "unknown_user");
  }
  for (const auto* verb : {"send-verification", "disconnect", "reset-password", "enable", "disable"})
    CHECK(office.ask("POST", std::string("/v1/users/none/") + verb).code() == "unknown_user");
  CHECK(office.ask("PATCH", "/v1/users/none", R"({"alias":"a"})").status == 404);
}

TEST_CASE("a path that is not there is 404, another method of one that is 405 with what it takes") {
  Office office;
  CHECK(office.ask("GET", "/v2/users").code() == "unknown_path");
  CHECK(office.ask("GET", "/").status == 404);
  // What is no text is nobody's id, and the answer can be read all the same.
  CHECK(office.ask("GET", "/v1/users/%ff").code() == "unknown_path");
  CHECK(office.ask("GET", "/v1/users?search=%ff").status == 422);
  const auto answer = office.ask("DELETE", "/v1/users");
  CHECK(answer.status == 405);
  CHECK(answer.code() == "method_not_allowed");
  std::string allow;
  for (const auto& [name, value] : answer.raw.headers) {
    if (name == "Allow") allow = value;
  }
  CHECK_THAT(allow, Contains("GET") && Contains("POST"));
}

TEST_CASE("the list takes every filter, and pages without leaving out or repeating anybody") {
  Office office;
  office.add(
      R"({"user_id":"1","name":"Anna Berg","login_email":"anna@example.com","start_date":"2026-11-30","department":"Sales","roles":["boss"]})");
  office.add(R"({"user_id":"2","name":"Bo Ek","company":"fi","authorised_companies":["se"],"enabled":false})");
  office.add(R"({"user_id":"3","name":"Cia Dahl","start_date":"2027-03-01","login_email":"cia@example.com"})");
  const auto who = [&](const std::string& query) { return office.ask("GET", "/v1/users?" + query).each("id"); };
  using List = std::vector<std::string>;
  CHECK(who("") == List{"1", "2", "3"});
  CHECK(who("company=fi") == List{"2"});
  CHECK(who("department=Sales") == List{"1"});
  CHECK(who("authorised_company=se") == List{"2"});
  CHECK(who("role=boss") == List{"1"});
  CHECK(who("enabled=false") == List{"2"});
  CHECK(who("connection=pending") == List{"1"});
  CHECK(who("login_email_saved=true") == List{"1", "3"});
  CHECK(who("login_email_saved=false") == List{"2"});
  CHECK(who("start_before=2027-01-01") == List{"1"});
  CHECK(who("start_after=2027-01-01") == List{"3"});
  CHECK(who("invitation=scheduled") == List{"3"});
  CHECK(who("search=DAHL") == List{"3"});
  CHECK(who("search=a&enabled=true&connection=not_connected") == List{"3"});
  CHECK(who("search=nobody").empty());
  CHECK(office.ask("GET", "/v1/users?connection=maybe").status == 422);

  List seen;
  std::string cursor;
  for (int page = 0; page < 5; ++page) {
    const auto answer = office.ask("GET", "/v1/users?limit=2" + (cursor.empty() ? "" : "&cursor=" + cursor));
    for (const auto& id : answer.each("id")) seen.push_back(id);
    if (answer.body.at("next_cursor").is_null()) break;
    cursor = answer.text("/next_cursor");
  }
  CHECK(seen == List{"1", "2", "3"});
  CHECK(office.ask("GET", "/v1/users?cursor=zzz").code() == "bad_cursor");
}

TEST_CASE("send verification sends now, and says why it cannot") {
  Office office;
  office.add(R"({"user_id":"14","name":"Anna Berg","login_email":"anna@example.com","start_date":"2027-03-01"})");
  CHECK(office.postbox.sent.empty());
  const auto answer = office.ask("POST", "/v1/users/14/send-verification");
  CHECK(answer.text("/action") == "send");
  CHECK(answer.text("/user/invitation/state") == "released");
  CHECK(office.postbox.sent.size() == 1);

  office.add(R"({"user_id":"15","name":"No Address"})");
  const auto none = office.ask("POST", "/v1/users/15/send-verification");
  CHECK(none.status == 409);
  CHECK(none.code() == "no_login_email");
  office.add(
      R"({"user_id":"16","name":"In Review","login_email":"c@example.com","start_date":"2026-12-01","in_review":true})");
  CHECK(office.ask("POST", "/v1/users/16/send-verification").code() == "in_review");
  office.add(R"({"user_id":"17","name":"Gone","login_email":"d@example.com","enabled":false})");
  CHECK(office.ask("POST", "/v1/users/17/send-verification").code() == "disabled");
  CHECK(office.ask("POST", "/v1/domains", R"({"name":"verified.example","method":"assertion"})", an_admin()).status ==
        201);
  office.provider.away = true;
  office.add(R"({"user_id":"18","name":"Verified","login_email":"e@verified.example"})");
  const auto verified = office.ask("POST", "/v1/users/18/send-verification");
  CHECK(verified.text("/action") == "connect");
  CHECK(verified.text("/reason") == "verified_domain");
  CHECK(office.postbox.sent.size() == 1);
}

TEST_CASE("send verification says of a confirmation that waits at the provider that it is one") {
  Office office;
  office.provider.away = true;
  const auto token = office.hire("14").substr(std::string("https://invite.example.com/v/").size());
  const auto view = office.call(office.links.open(token));
  (void)office.call(office.links.confirm(token, view.form_proof));
  const auto answer = office.ask("POST", "/v1/users/14/send-verification");
  CHECK(answer.text("/action") == "connect");
  CHECK(answer.text("/reason") == "confirmed");
}

TEST_CASE("a connected user is disconnected, reset, and keeps her login email until then") {
  Office office;
  const auto token = office.hire("14").substr(std::string("https://invite.example.com/v/").size());
  CHECK(office.ask("POST", "/v1/users/14/reset-password").code() == "not_connected");
  const auto view = office.call(office.links.open(token));
  (void)office.call(office.links.confirm(token, view.form_proof));
  const auto connected = office.ask("GET", "/v1/users/14");
  CHECK(connected.text("/connection") == "connected");
  CHECK(connected.text("/sign_in_url") == "https://login.example.com/start");
  CHECK(office.ask("PATCH", "/v1/users/14", R"({"login_email":"new@example.com"})").text("/result") ==
        "ignored: connected");
  CHECK(office.ask("POST", "/v1/users/14/send-verification").code() == "connected");
  CHECK(office.ask("POST", "/v1/users/14/reset-password").status == 200);
  CHECK(office.ask("POST", "/v1/users/14/disconnect").text("/connection") == "not_connected");
  CHECK(office.provider.asked == std::vector<std::string>{"reset", "remove"});
  CHECK(office.ask("POST", "/v1/users/14/disconnect").code() == "not_connected");
  CHECK(office.ask("PATCH", "/v1/users/14", R"({"login_email":"new@example.com"})").text("/result") == "updated");
}

TEST_CASE("a dry run gives the answer of the real run and changes nothing") {
  Office office;
  office.add(R"({"user_id":"planned","name":"P","login_email":"p@example.com","start_date":"2027-03-01"})");
  office.add(
      R"({"user_id":"review","name":"R","login_email":"r@example.com","start_date":"2026-12-01","in_review":true})");
  office.add(
      R"({"user_id":"review2","name":"R","login_email":"r2@example.com","start_date":"2026-12-01","in_review":true})");
  const auto token = office.hire("used").substr(std::string("https://invite.example.com/v/").size());
  (void)office.call(office.links.confirm(token, office.call(office.links.open(token)).form_proof));
  office.hire("open");
  office.postbox.next.status = model::VerdictStatus::rejected;
  office.hire("held");
  office.hire("held2");
  office.postbox.next.status = model::VerdictStatus::accepted;
  const auto of = [&](const std::string& user) { return "/v1/invitations/" + office.invitation(user).key.text(); };
  struct Case {
    std::string method;
    std::string target;
    std::string body;
  };
  const std::vector<Case> cases{{"POST", "/v1/users", anna},
                                {"PATCH", "/v1/users/planned", R"({"start_date":"2027-04-01","alias":"x"})"},
                                {"POST", "/v1/users/planned/send-verification", ""},
                                {"POST", "/v1/users/planned/disable", ""},
                                {"POST", "/v1/users/planned/enable", ""},
                                {"POST", "/v1/users/used/reset-password", ""},
                                {"POST", "/v1/users/used/disconnect", ""},
                                {"POST", of("open") + "/revoke", ""},
                                {"POST", of("held") + "/release", ""},
                                {"POST", of("held2") + "/discard", ""},
                                {"POST", "/v1/reviews/review/approve", ""},
                                {"POST", "/v1/reviews/review2/reject", R"({"reason":"wrong person"})"},
                                {"POST", "/v1/domains", R"({"name":"verified.example","method":"assertion"})"},
                                {"DELETE", "/v1/domains/verified.example", ""},
                                {"POST", "/v1/transports/post/resume", ""}};
  for (const auto& [method, target, body] : cases) {
    CAPTURE(method, target);
    const auto before = office.dump();
    const auto mails = office.postbox.sent.size();
    const auto rehearsed = office.ask(method, target + "?dry_run=true", body, an_admin());
    CHECK(rehearsed.status == 200);
    CHECK(office.dump() == before);
    CHECK(office.postbox.sent.size() == mails);
    const auto real = office.ask(method, target, body, an_admin());
    CHECK(real.status / 100 == 2);
    CHECK(json::serialize(scrubbed(rehearsed.body)) == json::serialize(scrubbed(real.body)));
    if (target != "/v1/transports/post/resume") CHECK(office.dump() != before);
  }
  // What is refused is refused in a dry run, too.
  const auto before = office.dump();
  CHECK(office.ask("POST", "/v1/users?dry_run=true", anna).code() == "user_exists");
  CHECK(office.ask("POST", "/v1/users/none/disable?dry_run=true").code() == "unknown_user");
  CHECK(office.ask("POST", "/v1/users?dry_run=true", R"({"user_id":"99","name":"X","company":"none"})").code() ==
        "unknown_company");
  CHECK(office.dump() == before);
}

TEST_CASE("a source that refuses a record is heard, and one that gives nothing is told apart") {
  Office office;
  office.by_hand.refuses_with = 422;
  const auto answer = office.ask("POST", "/v1/users", anna);
  CHECK(answer.status == 422);
  CHECK(answer.text("/detail") == "this record is not wanted here");
  office.by_hand.refuses_with = 200;
  CHECK(office.ask("POST", "/v1/users", anna).code() == "source_gave_nothing");
}
