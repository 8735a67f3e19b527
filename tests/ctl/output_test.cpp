#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "fake_daemon.hpp"
#include "invitectl.hpp"

using namespace invited::test;
using Catch::Matchers::Contains;
namespace json = boost::json;

namespace {

Outcome show(const std::string& path, const std::string& body, const std::vector<std::string>& arguments,
             Surroundings more = {}) {
  FakeDaemon daemon;
  daemon.answer("GET", path, 200, body);
  more.socket = daemon.socket();
  auto outcome = invitectl(arguments, more);
  CHECK(daemon.complaints() == "");
  return outcome;
}

constexpr const char* users =
    R"({"items":[{"id":"14","name":"Åsa Öberg","login_email":"a@b.example","company":"north","department":"Sales, north","start_date":"2026-12-01","enabled":true,"connection":"connected","invitation":{"state":"connected"}},
                 {"id":"15","name":"林檎","login_email":"","company":"","department":"","start_date":null,"enabled":false,"connection":"not_connected","invitation":null}],
        "next_cursor":"abc","total":1234})";

}  // namespace

TEST_CASE("--json passes a document on as it came") {
  const std::string body = R"({ "id":"14",  "new_member":{"x":[1,2.50]}, "name":"\u001b[2J" })";
  CHECK(show("/v1/users/14", body, {"user", "show", "14", "--json"}).out == body + "\n");
  CHECK(show("/v1/users", users, {"user", "list", "--limit", "2", "--json"}).out == std::string(users) + "\n");
}

TEST_CASE("a table is aligned by what eyes see, and says how much more there is") {
  const auto outcome = show("/v1/users", users, {"user", "list", "--limit", "2"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out ==
        "USER  NAME       LOGIN EMAIL  COMPANY  DEPARTMENT    START       ENABLED  CONNECTION     INVITATION\n"
        "14    Åsa Öberg  a@b.example  north    Sales, north  2026-12-01  yes      connected      connected\n"
        "15    林檎                                                       no       not_connected\n");
  CHECK_THAT(outcome.err, Contains("2 of 1234 shown"));
}

TEST_CASE("csv, ndjson and name are for programs") {
  CHECK(show("/v1/users", users, {"user", "list", "--limit", "2", "-o", "csv"}).out ==
        "id,name,login_email,company,department,start_date,enabled,connection,invitation.state\n"
        "14,Åsa Öberg,a@b.example,north,\"Sales, north\",2026-12-01,true,connected,connected\n"
        "15,林檎,,,,,false,not_connected,\n");
  CHECK(show("/v1/users", users, {"user", "list", "--limit", "2", "-o", "name"}).out == "14\n15\n");
  const auto lines = show("/v1/users", users, {"user", "list", "--limit", "2", "-o", "ndjson"}).out;
  CHECK(json::parse(lines.substr(0, lines.find('\n'))).at("id") == "14");
  const auto empty = show("/v1/users", R"({"items":[],"next_cursor":null})", {"user", "list", "-o", "csv"});
  CHECK(empty.out == "id,name,login_email,company,department,start_date,enabled,connection,invitation.state\n");
}

TEST_CASE("what was done to one user is a row for programs, and its name is the user-id") {
  const std::string body = R"({"result":"updated","column":"","message":"","user":{"id":"14","name":"Anna"}})";
  const auto done = [&](const std::string& form) {
    FakeDaemon daemon;
    daemon.answer("PATCH", "/v1/users/14", 200, body);
    return invitectl({"user", "set", "14", "--alias", "a", "-o", form}, {.socket = daemon.socket()}).out;
  };
  CHECK(done("name") == "14\n");
  CHECK(done("csv") == "user.id,result,column,message\n14,updated,,\n");
}

TEST_CASE("a name cannot move the cursor, turn the line round or forge a row") {
  const std::string hostile =
      R"({"items":[{"id":"14","name":"\u001b[2J\u202Egnp\nfake  row\u0007"}],"next_cursor":null})";
  const auto outcome = show("/v1/users", hostile, {"user", "list"});
  CHECK_THAT(outcome.out, !Contains("\x1b") && !Contains("\xe2\x80\xae") && !Contains("\a") && !Contains("\nfake"));
  const auto one = show("/v1/users/14", R"({"id":"14","name":"\u001b[2J\u202Egnp\nfake"})", {"user", "show", "14"});
  CHECK_THAT(one.out, !Contains("\x1b") && !Contains("\xe2\x80\xae") && !Contains("\nfake"));
  const auto names =
      show("/v1/users", R"({"items":[{"id":"1\n4\u001b[2J"}],"next_cursor":null})", {"user", "list", "-o", "name"});
  CHECK_THAT(names.out, !Contains("\x1b"));
}

TEST_CASE("colours and clipping are for terminals, and may be switched off") {
  const std::string body = R"({"items":[{"id":"14","name":")" + std::string(120, 'n') +
                           R"(","connection":"connected"}],"next_cursor":null})";
  const auto terminal = show("/v1/users", body, {"user", "list"}, {.terminal = true});
  CHECK_THAT(terminal.out, Contains("\x1b[1m") && Contains("\x1b[32mconnected") && Contains("…"));
  for (const Surroundings& plain : {Surroundings{.terminal = true, .environment = {"NO_COLOR=1"}},
                                    Surroundings{.terminal = true, .environment = {"TERM=dumb"}}}) {
    CHECK_THAT(show("/v1/users", body, {"user", "list"}, plain).out, !Contains("\x1b"));
  }
  CHECK_THAT(show("/v1/users", body, {"user", "list", "--no-color"}, {.terminal = true}).out, !Contains("\x1b"));
  const auto piped = show("/v1/users", body, {"user", "list"});
  CHECK_THAT(piped.out, !Contains("\x1b") && Contains(std::string(120, 'n')));
}

TEST_CASE("times are the organisation's, with the offset; --utc and json keep UTC") {
  const std::string body =
      R"({"items":[{"name":"a.example","state":"verified","since":"2026-07-01T08:00:00Z"},{"name":"b.example","since":"2026-12-01T08:00:00Z"}],"next_cursor":null})";
  CHECK_THAT(show("/v1/domains", body, {"domain", "list"}).out,
             Contains("2026-07-01 10:00 +02:00") && Contains("2026-12-01 09:00 +01:00"));
  CHECK_THAT(show("/v1/domains", body, {"domain", "list", "--utc"}).out, Contains("2026-07-01 08:00 +00:00"));
  CHECK_THAT(show("/v1/domains", body, {"domain", "list", "-o", "csv"}).out, Contains("2026-07-01T08:00:00Z"));
}

TEST_CASE("user show tells the whole story of one user") {
  const auto outcome = show(
      "/v1/users/14",
      R"({"id":"14","key":"0192","name":"A. Example","login_email":"a@b.example","connection":"pending","enabled":true,"company":"north",
         "roles":["boss","clerk"],"start_date":"2026-12-01","review":"approved","sign_in_url":null,
         "invitation":{"id":"i-1","state":"sent","generation":2,"login_email":"a@b.example","due_local":null,"due_zone":null,
           "released_at":"2026-11-30T08:00:00Z","accepted_at":"2026-11-30T08:00:01Z","ends_at":"2026-12-04T23:00:00Z","held":"","end_reason":"",
           "delivery":{"state":"accepted","attempts":2,"next_at":null,"detail":"250 queued as 7","message_id":"m@x"}}})",
      {"user", "show", "14"});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("14  A. Example") && Contains("pending") && Contains("boss, clerk") &&
                              Contains("Invitation 2: sent") &&
                              Contains("accepted by the next mail server (2 attempts)") &&
                              Contains("250 queued as 7") && Contains("Sat 2026-12-05 00:00 +01:00"));
  CHECK_THAT(outcome.err, Contains("invitectl why 14"));
}

TEST_CASE("a held invitation comes with the command that lets it go on") {
  const auto outcome =
      show("/v1/invitations/i-1",
           R"({"id":"i-1","user":"14","state":"released","generation":1,"held":"delivery_gave_up","delivery":null})",
           {"invitation", "show", "i-1"});
  CHECK_THAT(outcome.out, Contains("delivery gave up") && Contains("invitectl invitation release i-1"));
}

TEST_CASE("why says what happens next, because of what, and what would change it") {
  const auto outcome = show(
      "/v1/users/14/why",
      R"({"user":"14","next":{"user":"14","action":"send","local":"2126-11-30T09:00","zone":"Europe/Stockholm","at":"2126-11-30T08:00:00Z","reason":"start_later"},
         "reasons":[{"code":"hire","text":"A new hire."},{"code":"start_later","text":"Starts on 2126-12-01."}],
         "if":[{"change":"approved today","next":null}]})",
      {"why", "14"});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("the mail goes out Sat 2126-11-30 at 09:00 (Europe/Stockholm), in ") &&
                              Contains("A new hire.  [hire]") && Contains("approved today: nothing happens by itself"));
  const auto nothing =
      show("/v1/users/14/why", R"({"user":"14","next":null,"reasons":[{"code":"connected","text":"Connected."}]})",
           {"why", "14"});
  CHECK_THAT(nothing.out, Contains("nothing happens by itself"));
}

TEST_CASE("plan show goes by day and hour") {
  const auto outcome = show(
      "/v1/plan",
      R"({"items":[{"user":"14","name":"A","action":"send","local":"2026-11-30T09:00","zone":"Europe/Stockholm","at":"2026-11-30T08:00:00Z","reason":"start_later","text":"starts on 2026-12-01"},
                  {"user":"2","name":"B","action":"expire","local":null,"at":"2026-11-30T23:00:00Z","reason":"link_open","text":""}],"next_cursor":null})",
      {"plan", "show"});
  CHECK(outcome.out ==
        "Mon 2026-11-30  Europe/Stockholm\n"
        "  09:00  14    A     send     starts on 2026-12-01\n"
        "\n"
        "Tue 2026-12-01  Europe/Stockholm\n"
        "  00:00  2     B     expire   link_open\n");
}

TEST_CASE("--utc is for every hour: of the plan, of why and of status") {
  const std::string next =
      R"({"user":"14","name":"A","action":"send","local":"2126-12-01T00:30","zone":"Europe/Stockholm","at":"2126-11-30T23:30:00Z","reason":"start_later","text":"t"})";
  CHECK(show("/v1/plan", R"({"items":[)" + next + R"(],"next_cursor":null})", {"plan", "show", "--utc"}).out ==
        "Sat 2126-11-30  Etc/UTC\n"
        "  23:30  14    A     send     t\n");
  CHECK_THAT(
      show("/v1/users/14/why", R"({"user":"14","next":)" + next + R"(,"reasons":[]})", {"why", "14", "--utc"}).out,
      Contains("the mail goes out Sat 2126-11-30 at 23:30 (Etc/UTC), in "));
  CHECK_THAT(show("/v1/status", R"({"version":"1","ready":true,"counts":{},"held":[],"next":)" + next + "}",
                  {"status", "--utc"})
                 .out,
             Contains("14: the mail goes out Sat 2126-11-30 at 23:30 (Etc/UTC), in "));
}

TEST_CASE("a mail in the hands of the mail server has no next try") {
  const auto shown = [](const std::string& state) {
    return show("/v1/invitations/i-1",
                R"({"id":"i-1","user":"14","state":"released","generation":1,"held":"","delivery":{"state":")" + state +
                    R"(","attempts":1,"next_at":"2026-12-01T08:00:00Z","detail":"","message_id":"m@x"}})",
                {"invitation", "show", "i-1"})
        .out;
  };
  CHECK_THAT(shown("claimed"), Contains("mail            with the mail server now\n") && !Contains("next try"));
  CHECK_THAT(shown("deferred"), Contains("next try"));
}

TEST_CASE("a check that has nothing to tell ends after its ok") {
  const auto tested = [](const std::string& message) {
    FakeDaemon daemon;
    daemon.answer("POST", "/v1/transports/relay/test", 200,
                  R"({"ok":true,"name":"relay","message":")" + message + "\"}");
    return invitectl({"transport", "test", "relay"}, {.socket = daemon.socket()}).out;
  };
  CHECK(tested("") == "relay: ok\n");
  CHECK(tested("greets") == "relay: ok: greets\n");
}

TEST_CASE("status puts what waits for a person where it is seen") {
  const auto outcome = show(
      "/v1/status",
      R"({"version":"0.1.0","organisation":"Example AB","ready":true,"sending":false,"started_at":"2026-11-30T08:00:00Z",
        "waits_for":["Sending waits for: invitectl state confirm"],"counts":{"users":412,"not_connected":3},
        "held":[{"invitation":"i-1","user":"14","reason":"delivery_rejected","detail":"550 no such user"}],
        "transports":[{"name":"relay","plugin":"smtp","state":"paused","detail":"No answer."}],
        "sources":[{"name":"hr","plugin":"file","state":"idle","last_run_at":"2026-11-30T08:00:00Z"}]})",
      {"status"});
  CHECK(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("invited 0.1.0 at Example AB") && Contains("invitectl state confirm") &&
                              Contains("not connected") && Contains("     412") && Contains("550 no such user") &&
                              Contains("invitectl invitation release i-1") && Contains("paused: No answer.") &&
                              Contains("hr"));
}

TEST_CASE("a plugin's configuration is told field by field") {
  const auto outcome =
      show("/v1/plugins/smtp",
           R"({"name":"smtp","version":"1.0","roles":["transport"],"config_schema":{"type":"object","required":["url"],
         "properties":{"url":{"type":"string","description":"Where to"},"connections":{"type":"integer","default":4}}}})",
           {"plugin", "describe", "smtp"});
  CHECK_THAT(outcome.out, Contains("string, required: Where to") && Contains("integer, default 4"));
}

TEST_CASE("nothing found is said, on standard error") {
  const auto outcome = show("/v1/reviews", R"({"items":[],"next_cursor":null})", {"review", "list"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out.empty());
  CHECK_THAT(outcome.err, Contains("Nothing found"));
}

TEST_CASE("an answer that could not be written is not done") {
  FakeDaemon daemon;
  daemon.answer("GET", "/v1/users", 200, users);
  const std::string command =
      std::string(INVITECTL) + " --socket " + daemon.socket() + " user list --limit 2 > /dev/full 2> /dev/null";
  CHECK(WEXITSTATUS(std::system(command.c_str())) == 1);
}

TEST_CASE("a domain tells what is to be published, and what the last look found") {
  const auto domain = [](const std::string& rest, const std::string& state) {
    return R"({"name":"company.example","state":")" + state +
           R"(","method":"dns","actor":"uid:0","since":"2026-07-01T08:00:00Z",
               "record":{"name":"_invited-challenge.company.example","type":"TXT","value":"invited-verification=abc"},
               "failing_since":null,)" +
           rest + "}";
  };
  const auto added = show("/v1/domains/company.example",
                          domain(R"("checked_at":null,"next_check_at":null,"lapses_at":null,"detail":"")", "pending"),
                          {"domain", "show", "company.example"});
  CHECK(added.out ==
        "company.example: pending\n"
        "  known by        dns\n"
        "  since           2026-07-01 10:00 +02:00\n"
        "  added by        uid:0\n"
        "  record          _invited-challenge.company.example  TXT\n"
        "  value           invited-verification=abc\n"
        "Publish the record, then: invitectl domain verify company.example\n");
  const auto failing = show("/v1/domains/company.example",
                            domain(R"("checked_at":"2026-07-02T08:00:00Z","next_check_at":"2026-07-03T08:00:00Z",
                     "lapses_at":"2026-07-05T08:00:00Z","detail":"There is no TXT record of that name.")",
                                   "verified"),
                            {"domain", "show", "company.example"});
  CHECK_THAT(failing.out, Contains("last look       2026-07-02 10:00 +02:00  There is no TXT record of that name.\n") &&
                              Contains("lapses          2026-07-05 10:00 +02:00  unless the record comes back\n") &&
                              Contains("next look       2026-07-03 10:00 +02:00\n") && !Contains("Publish"));
  CHECK_THAT(
      show("/v1/domains/company.example", domain(R"("detail":"")", "lapsed"), {"domain", "show", "company.example"})
          .out,
      Contains("New users of this domain get mails") && Contains("Publish the record"));
}

TEST_CASE("a look that does not find the record is a failure to a script, and shows what is there instead") {
  const auto verify = [](const std::string& found, const std::string& seen) {
    FakeDaemon daemon;
    daemon.answer(
        "POST", "/v1/domains/company.example/verify", 200,
        R"({"name":"company.example","state":"pending","check":{"found":")" + found + R"(","seen":)" + seen + "}}");
    return invitectl({"domain", "verify", "company.example"}, {.socket = daemon.socket()});
  };
  CHECK(verify("right", "[]").code == 0);
  CHECK(verify("missing", "[]").code == 1);
  CHECK(verify("no_answer", "[]").code == 1);
  const auto wrong = verify("wrong", R"(["v=spf1 -all","\u001b[2J"])");
  CHECK(wrong.code == 1);
  CHECK_THAT(wrong.out, Contains("seen instead    v=spf1 -all\n") && !Contains("\x1b"));
}
