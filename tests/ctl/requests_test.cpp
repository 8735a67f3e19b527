// What invitectl asks for: method, path, query and body of each call as the public shape has them.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "core/http_message.hpp"
#include "fake_daemon.hpp"
#include "invitectl.hpp"
#include "support/temp_folder.hpp"

using namespace invited::test;
namespace json = boost::json;

namespace {

struct Asked {
  std::string line;  // "POST /v1/users?dry_run=true"
  json::value body;  // null when empty
  int code = 0;
};

Asked ask(const std::vector<std::string>& arguments, const std::string& method, const std::string& path,
          const std::string& answer =
              R"({"id":"14","name":"x","result":"created","user":{"id":"14"},"ok":true,"items":[],"next_cursor":null})",
          const Surroundings& more = {}) {
  FakeDaemon daemon;
  daemon.answer(method, path, 200, answer);
  Surroundings surroundings = more;
  surroundings.socket = daemon.socket();
  const auto outcome = invitectl(arguments, surroundings);
  CHECK(daemon.complaints() == "");
  Asked asked;
  asked.code = outcome.code;
  REQUIRE(daemon.asked().size() == 1);
  const auto request = daemon.asked().front();
  asked.line = request.method + " " + request.path;
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    asked.line += separator + name + "=" + value;
    separator = '&';
  }
  if (!request.body.empty()) asked.body = json::parse(request.body);
  return asked;
}

}  // namespace

TEST_CASE("user add sends the record's field names and leaves out what was not said") {
  const auto asked = ask({"user",
                          "add",
                          "--id",
                          "14",
                          "--name",
                          "A. Example",
                          "--login-email",
                          "a@b.example",
                          "--start-date",
                          "2026-12-01",
                          "--roles",
                          "boss,clerk",
                          "--roles",
                          "guard",
                          "--alias",
                          "ae",
                          "--in-review",
                          "--authorised-companies",
                          "north",
                          "--employment-template",
                          "t",
                          "--enabled",
                          "false"},
                         "POST", "/v1/users");
  CHECK(asked.line == "POST /v1/users");
  CHECK(asked.body ==
        json::parse(R"({"user_id":"14","name":"A. Example","login_email":"a@b.example","start_date":"2026-12-01",
    "roles":["boss","clerk","guard"],"alias":"ae","in_review":true,"authorised_companies":["north"],
    "employment_template":"t","enabled":false})"));
  CHECK(asked.code == 0);
}

TEST_CASE("user set changes only what is said, and an empty value clears") {
  const auto asked = ask({"user", "set", "14", "--login-email", "a@b.example", "--confirm-email", "a@b.example",
                          "--alias", "", "--department=", "--end-date", ""},
                         "PATCH", "/v1/users/14");
  CHECK(asked.body ==
        json::parse(
            R"({"login_email":"a@b.example","confirm_email":"a@b.example","alias":"","department":"","end_date":""})"));
}

TEST_CASE("a user-id is one path segment, whatever stands in it") {
  CHECK(ask({"why", "a/b ?#å"}, "GET", "/v1/users/a%2Fb%20%3F%23%C3%A5/why").code == 0);
  CHECK(ask({"user", "show", "status"}, "GET", "/v1/users/status").code == 0);
  CHECK(ask({"user", "show", "--", "-14"}, "GET", "/v1/users/-14").code == 0);
}

TEST_CASE("dry run travels with everything that changes") {
  CHECK(ask({"user", "add", "--id", "14", "--dry-run"}, "POST", "/v1/users").line == "POST /v1/users?dry_run=true");
  CHECK(ask({"user", "set", "14", "-n", "--name", "x"}, "PATCH", "/v1/users/14").line ==
        "PATCH /v1/users/14?dry_run=true");
  CHECK(ask({"user", "disconnect", "14", "-n"}, "POST", "/v1/users/14/disconnect").line ==
        "POST /v1/users/14/disconnect?dry_run=true");
  CHECK(ask({"user", "send-verification", "14", "-n"}, "POST", "/v1/users/14/send-verification").line ==
        "POST /v1/users/14/send-verification?dry_run=true");
  CHECK(ask({"domain", "add", "company.example", "--assert", "-n"}, "POST", "/v1/domains").line ==
        "POST /v1/domains?dry_run=true");
  CHECK(ask({"state", "confirm", "-n"}, "POST", "/v1/state/confirm").line == "POST /v1/state/confirm?dry_run=true");
  CHECK(ask({"review", "approve", "14"}, "POST", "/v1/reviews/14/approve").line == "POST /v1/reviews/14/approve");
}

TEST_CASE("the calls of the public shape reach their paths") {
  const auto domain = ask({"domain", "add", "company.example", "--assert", "--yes"}, "POST", "/v1/domains");
  CHECK(domain.body == json::parse(R"({"name":"company.example","method":"assertion"})"));
  CHECK(ask({"domain", "add", "company.example", "--method", "assertion", "--yes"}, "POST", "/v1/domains").body ==
        domain.body);
  CHECK(ask({"domain", "add", "company.example"}, "POST", "/v1/domains").body ==
        json::parse(R"({"name":"company.example"})"));
  CHECK(ask({"domain", "add", "company.example", "--method", "dns"}, "POST", "/v1/domains").body ==
        json::parse(R"({"name":"company.example","method":"dns"})"));
  CHECK(ask({"domain", "show", "company.example"}, "GET", "/v1/domains/company.example").code == 0);
  CHECK(ask({"domain", "verify", "*.company.example", "-n"}, "POST", "/v1/domains/%2A.company.example/verify").line ==
        "POST /v1/domains/%2A.company.example/verify?dry_run=true");
  CHECK(ask({"domain", "remove", "*.company.example"}, "DELETE", "/v1/domains/%2A.company.example").code == 0);
  CHECK(ask({"review", "reject", "14", "--reason", "wrong person"}, "POST", "/v1/reviews/14/reject").body ==
        json::parse(R"({"reason":"wrong person"})"));
  CHECK(ask({"review", "list", "--json"}, "GET", "/v1/reviews").line == "GET /v1/reviews?limit=100");
  CHECK(ask({"plan", "show", "--until", "60d", "--json"}, "GET", "/v1/plan").line ==
        "GET /v1/plan?until=60d&limit=100");
  CHECK(ask({"audit", "list", "--subject", "user:14", "--limit", "5"}, "GET", "/v1/audit").line ==
        "GET /v1/audit?subject=user:14&limit=5");
  CHECK(ask({"transport", "resume", "relay"}, "POST", "/v1/transports/relay/resume").code == 0);
  CHECK(ask({"invitation", "release", "x"}, "POST", "/v1/invitations/x/release").code == 0);
  CHECK(ask({"invitation", "revoke", "x", "--yes"}, "POST", "/v1/invitations/x/revoke").code == 0);
}

TEST_CASE("a filter of the list is the query") {
  CHECK(ask({"user", "list", "--company", "north", "--enabled", "true", "--connection", "pending", "--search", "å b",
             "--limit", "7", "--start-before", "2026-12-01", "--invitation", "sent"},
            "GET", "/v1/users")
            .line ==
        "GET /v1/users?company=north&enabled=true&connection=pending&start_before=2026-12-01&invitation=sent&search=å "
        "b&limit=7");
}

TEST_CASE("a plugin file is named by its absolute path, since the daemon looks for it") {
  const auto asked = ask({"plugin", "check", "../some/./thing.so"}, "POST", "/v1/plugins/check");
  const std::string path(asked.body.at("path").as_string());
  CHECK(path == (std::filesystem::current_path() / "../some/thing.so").lexically_normal().string());
}

TEST_CASE("the socket is named by the option, else by the environment; the option may stand anywhere") {
  FakeDaemon daemon;
  daemon.answer("GET", "/v1/status", 200, R"({"version":"1"})");
  CHECK(invitectl({"status"}, {.environment = {"INVITED_SOCKET=" + daemon.socket()}}).code == 0);
  CHECK(invitectl({"status", "--socket", daemon.socket()}, {.environment = {"INVITED_SOCKET=/nonexistent"}}).code == 0);
  CHECK(invitectl({"status"}, {.environment = {"INVITED_SOCKET=/nonexistent"}}).code == 69);
}

TEST_CASE("lists are read page by page up to the limit, and whole with --all") {
  FakeDaemon daemon;
  daemon.answer("GET", "/v1/users", 200, R"({"items":[{"id":"1"},{"id":"2"}],"next_cursor":"c2","total":5})");
  daemon.answer("GET", "/v1/users", 200, R"({"items":[{"id":"3"},{"id":"4"}],"next_cursor":"c4"})");
  daemon.answer("GET", "/v1/users", 200, R"({"items":[{"id":"5"}],"next_cursor":null})");
  const auto all = invitectl({"user", "list", "--all", "--json"}, {.socket = daemon.socket()});
  CHECK(all.code == 0);
  CHECK(json::parse(all.out) ==
        json::parse(
            R"({"items":[{"id":"1"},{"id":"2"},{"id":"3"},{"id":"4"},{"id":"5"}],"next_cursor":null,"total":5})"));
  const auto asked = daemon.asked();
  REQUIRE(asked.size() == 3);
  CHECK(asked[0].query == std::vector<std::pair<std::string, std::string>>{{"limit", "1000"}});
  CHECK(asked[1].query_value("cursor") == "c2");
  CHECK(asked[2].query_value("cursor") == "c4");
}

TEST_CASE("a limit over several pages asks for the rest only") {
  FakeDaemon daemon;
  daemon.answer("GET", "/v1/users", 200, R"({"items":[{"id":"1"},{"id":"2"}],"next_cursor":"c2"})");
  daemon.answer("GET", "/v1/users", 200, R"({"items":[{"id":"3"}],"next_cursor":"c3"})");
  const auto three = invitectl({"user", "list", "--limit", "3", "-o", "name"}, {.socket = daemon.socket()});
  CHECK(three.out == "1\n2\n3\n");
  REQUIRE(daemon.asked().size() == 2);
  CHECK(daemon.asked()[1].query_value("limit") == "1");
}

TEST_CASE("a daemon that answers the same page for ever is not read for ever") {
  FakeDaemon daemon;
  daemon.answer("GET", "/v1/users", 200, R"({"items":[{"id":"1"}],"next_cursor":"same"})");
  const auto outcome = invitectl({"user", "list", "--all", "-o", "name"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 1);
  CHECK(daemon.asked().size() == 2);
}

TEST_CASE("user export asks with the list's filter and writes the file to standard output as it is") {
  FakeDaemon daemon;
  daemon.stream("/v1/exports", {"\xEF\xBB\xBFUser-ID;Name\r\n", "14;\"A;\x1B\"\r\n"});
  const auto outcome = invitectl({"user", "export", "--company", "north", "--connection", "connected", "--profile",
                                  "flex-employees-users", "--language", "en", "--delimiter", "semicolon"},
                                 {.socket = daemon.socket()});
  CHECK(outcome.code == 0);
  CHECK(outcome.out == "\xEF\xBB\xBFUser-ID;Name\r\n14;\"A;\x1B\"\r\n");
  CHECK(outcome.err == "");
  REQUIRE(daemon.asked().size() == 1);
  CHECK(daemon.asked()[0].query == std::vector<std::pair<std::string, std::string>>{{"company", "north"},
                                                                                    {"connection", "connected"},
                                                                                    {"profile", "flex-employees-users"},
                                                                                    {"language", "en"},
                                                                                    {"delimiter", "semicolon"}});
  CHECK(daemon.complaints() == "");
}

TEST_CASE("user export that is cut short says so and does not end well") {
  FakeDaemon daemon;
  daemon.stream("/v1/exports", {"User-ID;Name\r\n"}, FakeDaemon::Then::break_off);
  const auto outcome = invitectl({"user", "export"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 69);
  CHECK(outcome.out == "User-ID;Name\r\n");
  CHECK_THAT(outcome.err, Catch::Contains("not the whole of it"));
}

TEST_CASE("user export has one form") {
  FakeDaemon daemon;
  daemon.answer("GET", "/v1/exports", 409,
                R"({"title":"No","detail":"An export is being written just now.","code":"export_running"})");
  CHECK(invitectl({"user", "export", "--json"}, {.socket = daemon.socket()}).code == 2);
  CHECK(invitectl({"user", "export", "--language", "fi"}, {.socket = daemon.socket()}).code == 2);
  CHECK(daemon.asked().empty());
  const auto busy = invitectl({"user", "export"}, {.socket = daemon.socket()});
  CHECK(busy.code == 1);
  CHECK(busy.out == "");
  CHECK_THAT(busy.err, Catch::Contains("An export is being written just now."));
}

TEST_CASE("an empty page with a next one does not end the list: who fits may be further away") {
  FakeDaemon daemon;
  daemon.answer("GET", "/v1/users", 200, R"({"items":[],"next_cursor":"c2"})");
  daemon.answer("GET", "/v1/users", 200, R"({"items":[{"id":"1"}],"next_cursor":null})");
  CHECK(invitectl({"user", "list", "--all", "-o", "name"}, {.socket = daemon.socket()}).out == "1\n");
  CHECK(daemon.asked().size() == 2);
}
