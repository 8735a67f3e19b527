#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <filesystem>

#include "fake_daemon.hpp"
#include "invitectl.hpp"
#include "support/temp_folder.hpp"

using namespace invited::test;
using Catch::Matchers::Contains;
namespace json = boost::json;

namespace {

std::string problem(unsigned status, const std::string& code, const std::string& detail) {
  return json::serialize(json::object{{"type", "urn:invited:problem:" + code},
                                      {"title", "No"},
                                      {"status", status},
                                      {"code", code},
                                      {"detail", detail}});
}

}  // namespace

TEST_CASE("exit 0: done, and nothing on standard error") {
  FakeDaemon daemon;
  daemon.answer("GET", "/v1/users/14", 200, R"({"id":"14","name":"A. Example"})");
  const auto outcome = invitectl({"-q", "user", "show", "14"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 0);
  CHECK(outcome.err.empty());
  CHECK_THAT(outcome.out, Contains("14  A. Example"));
  CHECK(daemon.complaints().empty());
}

TEST_CASE("the problem's status decides the exit code") {
  const std::vector<std::pair<unsigned, int>> expected{{400, 2}, {403, 4}, {404, 5}, {409, 1},
                                                       {413, 1}, {422, 2}, {500, 1}, {503, 1}};
  for (const auto& [status, code] : expected) {
    CAPTURE(status);
    FakeDaemon daemon;
    daemon.answer("GET", "/v1/users/14", status, problem(status, "some_code", "What happened."));
    const auto outcome = invitectl({"user", "show", "14"}, {.socket = daemon.socket()});
    CHECK(outcome.code == code);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains("invitectl: What happened."));
  }
}

TEST_CASE("a refusal says what to do: the role that is missing, where to look things up") {
  FakeDaemon daemon;
  daemon.answer("POST", "/v1/plugins/check", 403, problem(403, "forbidden", "You may not do that."));
  const auto refused = invitectl({"plugin", "check", "/x.so"}, {.socket = daemon.socket()});
  CHECK(refused.code == 4);
  CHECK_THAT(refused.err, Contains("role admin"));
  daemon.answer("GET", "/v1/users/15/why", 404, problem(404, "unknown_user", "There is no user 15."));
  const auto unknown = invitectl({"why", "15"}, {.socket = daemon.socket()});
  CHECK(unknown.code == 5);
  CHECK_THAT(unknown.err, Contains("user list --search"));
  daemon.answer("POST", "/v1/users/14/disconnect", 409, problem(409, "not_connected", "No connection."));
  CHECK_THAT(invitectl({"user", "disconnect", "14", "--yes"}, {.socket = daemon.socket()}).err,
             Contains("See why: invitectl why 14\n"));
  daemon.answer("POST", "/v1/users/a%20b/send-verification", 409, problem(409, "in_review", "In review."));
  CHECK_THAT(invitectl({"user", "send-verification", "a b"}, {.socket = daemon.socket()}).err,
             Contains("See why: invitectl why 'a b'\n"));
}

TEST_CASE("with --json the problem document itself stands on standard error, alone") {
  FakeDaemon daemon;
  const auto document = problem(404, "unknown_user", "There is no user 15.");
  daemon.answer("GET", "/v1/users/15", 404, document);
  const auto outcome = invitectl({"user", "show", "15", "--json"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 5);
  CHECK(outcome.out.empty());
  CHECK(json::parse(outcome.err) == json::parse(document));
}

TEST_CASE("all errors of a refused request are shown with their places") {
  FakeDaemon daemon;
  daemon.answer("POST", "/v1/users", 422,
                R"({"type":"urn:x","title":"Bad","status":422,"code":"invalid","detail":"Two fields are wrong.",
                    "errors":[{"where":"/company","code":"unknown","message":"there is no company x"},
                              {"where":"/locale","code":"not_a_choice","message":"sv or en"}]})");
  const auto outcome = invitectl({"user", "add", "--id", "14", "--company", "x"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Contains("/company: there is no company x") && Contains("/locale: sv or en"));
}

TEST_CASE("exit 69: nobody listens, and it is said on which socket") {
  TempFolder folder;
  const auto path = (folder / "none.sock").string();
  const auto outcome = invitectl({"status"}, {.socket = path});
  CHECK(outcome.code == 69);
  CHECK_THAT(outcome.err, Contains(path) && Contains("systemctl status invited"));
  const auto as_json = invitectl({"status", "--json"}, {.socket = path});
  CHECK(as_json.code == 69);
  CHECK(json::parse(as_json.err).at("code") == "not_listening");
}

TEST_CASE("exit 4: a socket that may not be opened") {
  if (::geteuid() == 0) {
    SUCCEED("root may open every socket");
    return;
  }
  FakeDaemon daemon;
  std::filesystem::permissions(daemon.socket(), std::filesystem::perms::none);
  const auto refused = invitectl({"status"}, {.socket = daemon.socket()});
  CHECK(refused.code == 4);
  CHECK_THAT(refused.err, Contains(daemon.socket()) && Contains("invited-viewer"));
}

TEST_CASE("exit 4: a socket in a folder that may not be entered names the folder, and no group") {
  if (::geteuid() == 0) {
    SUCCEED("root may enter every folder");
    return;
  }
  TempFolder folder;
  const auto inner = folder / "run";
  std::filesystem::create_directory(inner);
  std::filesystem::permissions(inner, std::filesystem::perms::none);
  const auto refused = invitectl({"status"}, {.socket = (inner / "control.sock").string()});
  CHECK(refused.code == 4);
  CHECK_THAT(refused.err, Contains("You may not enter " + inner.string() + ",") && Contains("chmod 755") &&
                              !Contains("invited-viewer"));
}

TEST_CASE("exit 2: wrong usage, told with the verb's help, without asking the daemon") {
  FakeDaemon daemon;
  const std::vector<std::vector<std::string>> wrong{
      {},
      {"user"},
      {"user", "explode"},
      {"user", "add"},
      {"user", "show"},
      {"user", "show", "14", "15"},
      {"user", "set", "14"},
      {"user", "add", "--id", "14", "--start-date", "tomorrow"},
      {"user", "add", "--id", "14", "--enabled", "maybe"},
      {"user", "list", "--connection", "maybe"},
      {"user", "list", "--limit", "-1"},
      {"user", "list", "-o", "xml"},
      {"user", "list", "--json", "-o", "csv"},
      {"user", "show", "14", "--dry-run"},
      {"domain", "add", "--yes"},
      {"domain", "add", "company.example", "--assert", "--method", "dns"},
      {"review", "reject", "14"},
      {"user", "send-verification"},
      {"user", "send-verification", "--yes"},
      {"user", "send-verification", "14", "--company", "north"},
      {"user", "send-verification", "14", "--include-recent"},
      {"user", "send-verification", "14", "--expect", "1"},
      {"user", "send-verification", "--all", "--company", "north"},
      {"user", "send-verification", "--all", "--expect", "-4"},
      {"user", "send-verification", "--all", "--expect", "many"},
      {"completion", "tcsh"},
  };
  for (const auto& arguments : wrong) {
    std::string shown;
    for (const auto& argument : arguments) shown += argument + " ";
    CAPTURE(shown);
    const auto outcome = invitectl(arguments, {.socket = daemon.socket()});
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains("--help"));
  }
  CHECK(daemon.asked().empty());
}

TEST_CASE("help is an answer, not an error") {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"user", "--help"}, {"user", "add", "--help"}, {"why", "-h"}}) {
    const auto outcome = invitectl(arguments);
    CHECK(outcome.code == 0);
    CHECK(outcome.err.empty());
    CHECK_THAT(outcome.out, Contains("Usage: invitectl"));
  }
  CHECK_THAT(invitectl({"domain", "add", "--help"}).out, Contains("role admin") && Contains("--assert"));
  CHECK_THAT(invitectl({"version"}).out, Contains("invitectl "));
  CHECK(invitectl({"--version"}).out == invitectl({"version"}).out);
}

TEST_CASE("what cannot be taken back is not done without a yes") {
  FakeDaemon daemon;
  daemon.answer("POST", "/v1/users/14/disconnect", 200, R"({"id":"14","connection":"not_connected","enabled":true})");
  const auto silent = invitectl({"user", "disconnect", "14"}, {.socket = daemon.socket()});
  CHECK(silent.code == 2);
  CHECK_THAT(silent.err, Contains("--yes"));
  const auto piped = invitectl({"user", "disconnect", "14"}, {.socket = daemon.socket(), .input = "yes\n"});
  CHECK(piped.code == 2);
  const auto refused =
      invitectl({"user", "disconnect", "14"},
                {.socket = daemon.socket(), .terminal = true, .type_after = "Type yes", .type = "no\n"});
  CHECK(refused.code == 2);
  CHECK(daemon.asked().empty());
  const auto typed =
      invitectl({"user", "disconnect", "14"},
                {.socket = daemon.socket(), .terminal = true, .type_after = "Type yes", .type = "yes\n"});
  CHECK(typed.code == 0);
  const auto said = invitectl({"user", "disconnect", "14", "-y"}, {.socket = daemon.socket()});
  CHECK(said.code == 0);
  CHECK(said.out == "14: enabled, not connected\n");
  CHECK(daemon.asked().size() == 2);
}

TEST_CASE("a check that fails is exit 1 though the request went well") {
  FakeDaemon daemon;
  daemon.answer("POST", "/v1/transports/relay/test", 200,
                R"({"ok":false,"name":"relay","message":"No answer from port 25."})");
  const auto outcome = invitectl({"transport", "test", "relay"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 1);
  CHECK(outcome.out == "relay: not ok: No answer from port 25.\n");
}

TEST_CASE("a user added without the login email that was given is exit 3") {
  FakeDaemon daemon;
  daemon.answer(
      "POST", "/v1/users", 201,
      R"({"result":"ignored: invalid_email","reason":"invalid_email","applied":"created","column":"login_email",
                    "message":"The address has no domain.","user":{"id":"14"}})");
  const auto outcome = invitectl({"user", "add", "--id", "14", "--login-email", "a"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 3);
  CHECK_THAT(outcome.out, Contains("14: created, login_email ignored: invalid_email\nThe address has no domain."));
}

TEST_CASE("an answer that is not JSON is told as such") {
  FakeDaemon daemon;
  daemon.answer("GET", "/v1/status", 200, "<html>");
  const auto outcome = invitectl({"status"}, {.socket = daemon.socket()});
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, Contains("not JSON"));
  daemon.answer("GET", "/v1/users/14", 502, "\x1b[31mBad gateway");
  const auto gateway = invitectl({"user", "show", "14"}, {.socket = daemon.socket()});
  CHECK(gateway.code == 1);
  CHECK_THAT(gateway.err, Contains("502") && !Contains("\x1b"));
}
