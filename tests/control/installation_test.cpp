#include "control/office.hpp"

using namespace invited;
using namespace invited::test;
using Catch::Matchers::Contains;

TEST_CASE("domains are added by assertion, listed and removed") {
  Office office;
  const auto added =
      office.ask("POST", "/v1/domains", R"({"name":"Company.EXAMPLE","method":"assertion"})", an_admin());
  CHECK(added.status == 201);
  CHECK(added.text("/name") == "company.example");
  CHECK(added.text("/state") == "verified");
  CHECK(added.text("/actor") == "uid:60004");
  CHECK(office.ask("GET", "/v1/domains", "", viewer()).each("name") == std::vector<std::string>{"company.example"});
  CHECK(office.ask("DELETE", "/v1/domains/company.example", "", an_admin()).status == 200);
  CHECK(office.ask("GET", "/v1/domains").items().empty());
  const auto gone = office.ask("DELETE", "/v1/domains/company.example", "", an_admin());
  CHECK(gone.status == 404);
  CHECK(gone.code() == "unknown_domain");
  CHECK(office.ask("POST", "/v1/domains", R"({"name":"not a domain","method":"assertion"})", an_admin()).status == 422);
  CHECK(office.ask("POST", "/v1/domains", R"({"name":"company.example","method":"mail"})", an_admin()).status == 422);
}

TEST_CASE("a domain is proven by its DNS record: added, looked up, shown") {
  Office office;
  const auto dry = office.ask("POST", "/v1/domains?dry_run=true", R"({"name":"company.example"})", an_admin());
  CHECK(dry.status == 200);
  CHECK(dry.text("/record") == "null");
  CHECK(office.ask("GET", "/v1/domains/company.example").code() == "unknown_domain");

  const auto added = office.ask("POST", "/v1/domains", R"({"name":"Company.example"})", an_admin());
  CHECK(added.status == 201);
  CHECK(added.text("/state") == "pending");
  CHECK(added.text("/method") == "dns");
  CHECK(added.text("/record/name") == "_invited-challenge.company.example");
  CHECK(added.text("/record/type") == "TXT");
  CHECK_THAT(added.text("/record/value"), Catch::StartsWith("invited-verification="));
  CHECK(added.text("/checked_at") == "null");
  CHECK(added.text("/next_check_at") == "2026-11-30T11:00:00Z");
  CHECK(office.ask("POST", "/v1/domains", R"({"name":"company.example","method":"dns"})", an_admin())
            .text("/record/value") == added.text("/record/value"));

  const auto verify = [&](const std::string& query = "") {
    return office.ask("POST", "/v1/domains/company.example/verify" + query, "", an_admin());
  };
  CHECK(verify().text("/check/found") == "missing");
  office.dns.records[added.text("/record/name")] = {"v=spf1 -all"};
  const auto wrong = verify();
  CHECK(wrong.text("/check/found") == "wrong");
  CHECK(wrong.text("/check/seen/0") == "v=spf1 -all");
  office.dns.trouble = "No DNS server answered in time.";
  const auto silent = verify();
  CHECK(silent.status == 200);
  CHECK(silent.text("/check/found") == "no_answer");
  CHECK(silent.text("/detail") == "No DNS server answered in time. Nothing changes.");
  office.dns.trouble.clear();
  office.dns.records[added.text("/record/name")] = {added.text("/record/value")};
  CHECK(verify("?dry_run=true").text("/state") == "verified");
  CHECK(office.ask("GET", "/v1/domains/company.example", "", viewer()).text("/state") == "pending");
  CHECK(verify().text("/state") == "verified");
  const auto shown = office.ask("GET", "/v1/domains/company.example", "", viewer());
  CHECK(shown.text("/detail") == "The record is there.");
  CHECK(shown.text("/checked_at") == "2026-11-30T10:00:00Z");
  CHECK(shown.text("/next_check_at") == "2026-12-01T10:00:00Z");

  CHECK(office.ask("POST", "/v1/domains", R"({"name":"company.example","method":"assertion"})", an_admin()).code() ==
        "already_proven");
  CHECK(office.ask("POST", "/v1/domains/other.example/verify", "", an_admin()).code() == "unknown_domain");
  CHECK(office.ask("POST", "/v1/domains/company.example/verify", "", an_operator()).status == 403);
  CHECK(office.ask("POST", "/v1/domains", R"({"name":"company.example"})", an_operator()).status == 403);
  REQUIRE(office.ask("POST", "/v1/domains", R"({"name":"asserted.example","method":"assertion"})", an_admin()).status ==
          201);
  const auto nothing = office.ask("POST", "/v1/domains/asserted.example/verify", "", an_admin());
  CHECK(nothing.status == 409);
  CHECK(nothing.code() == "nothing_to_check");
}

TEST_CASE("sources, transports and plugins are listed as they are") {
  Office office;
  const auto sources = office.ask("GET", "/v1/sources", "", viewer());
  CHECK(sources.each("name") == std::vector<std::string>{"by-hand", "files"});
  CHECK(sources.text("/items/0/detail") == "takes what is pushed to it");
  office.files.trouble = "the folder is away";
  (void)office.ask("POST", "/v1/syncs?source=files");
  CHECK(office.ask("GET", "/v1/sources").text("/items/1/state") == "failing");
  CHECK(office.ask("GET", "/v1/sources").text("/items/1/detail") == "the folder is away");

  const auto transports = office.ask("GET", "/v1/transports", "", viewer());
  CHECK(transports.each("name") == std::vector<std::string>{"post", "spare"});
  CHECK(transports.text("/items/0/in_use") == "true");
  CHECK(transports.text("/items/1/in_use") == "false");

  CHECK(office.ask("GET", "/v1/plugins", "", viewer()).each("name") == std::vector<std::string>{"smtp"});
  CHECK(office.ask("GET", "/v1/plugins/smtp", "", viewer()).text("/roles/0") == "transport");
  CHECK(office.ask("GET", "/v1/plugins/none").code() == "unknown_plugin");
  CHECK(office.ask("POST", "/v1/plugins/check", R"({"path":"/good.so"})", an_admin()).text("/ok") == "true");
  CHECK(office.ask("POST", "/v1/plugins/check", R"({"path":"/bad.so"})", an_admin()).text("/ok") == "false");
  CHECK(office.ask("POST", "/v1/plugins/check", R"({"path":"bad.so"})", an_admin()).status == 422);
}

TEST_CASE("a transport is tested without a mail, and let go when it is paused") {
  Office office;
  const auto good = office.ask("POST", "/v1/transports/post/test");
  CHECK(good.text("/ok") == "true");
  CHECK(good.text("/message") == "mail.example.com answers");
  office.postbox.trouble = "no route to host";
  const auto bad = office.ask("POST", "/v1/transports/post/test");
  CHECK(bad.status == 200);
  CHECK(bad.text("/ok") == "false");
  CHECK(bad.text("/message") == "no route to host");
  CHECK(office.ask("POST", "/v1/transports/none/test").code() == "unknown_transport");
  CHECK(office.ask("POST", "/v1/transports/none/resume").status == 404);

  office.postbox.next = {.delivery = {},
                         .status = model::VerdictStatus::retry,
                         .transport_trouble = true,
                         .phase = "connect",
                         .detail = "no route to host"};
  office.hire("14");
  const auto paused = office.ask("GET", "/v1/transports");
  CHECK(paused.text("/items/0/state") == "paused");
  CHECK(paused.text("/items/0/detail") == "no route to host");
  CHECK(paused.text("/items/0/retry_at") != "null");
  const auto status = office.ask("GET", "/v1/status");
  CHECK(status.text("/sending") == "false");
  CHECK(status.text("/ready") == "false");
  CHECK_THAT(status.text("/waits_for/0"), Contains("no route to host"));
  // W14: not "now" and nothing else.
  const auto last_reason = [&office] {
    return office.ask("GET", "/v1/users/14/why").body.at("reasons").as_array().back().as_object();
  };
  CHECK(last_reason().at("code") == "sending_waits");
  CHECK(std::string(last_reason().at("text").as_string()) == status.text("/waits_for/0"));
  CHECK(office.ask("POST", "/v1/transports/post/resume").text("/state") == "ready");
  CHECK(last_reason().at("code") == "mail_on_its_way");
  office.postbox.next.status = model::VerdictStatus::accepted;
  office.postbox.next.transport_trouble = false;
  office.call(office.work_off());
  CHECK(office.invitation("14").state == model::InvitationState::sent);
}

TEST_CASE("the status counts, and names what is held and what sending waits for") {
  Office office;
  office.hire("1");
  office.postbox.next.status = model::VerdictStatus::rejected;
  office.postbox.next.detail = "550 no such mailbox";
  office.hire("2");
  const auto status = office.ask("GET", "/v1/status", "", viewer());
  CHECK(status.text("/version") == "1.2.3");
  CHECK(status.text("/organisation") == "Example AB");
  CHECK(status.text("/now") == "2026-11-30T10:00:00Z");
  CHECK(status.text("/ready") == "true");
  CHECK(status.text("/counts/users") == "2");
  CHECK(status.text("/counts/invitations_sent") == "1");
  CHECK(status.text("/held/0/user") == "2");
  CHECK(status.text("/held/0/detail") == "550 no such mailbox");
  CHECK(status.text("/next/user") == "1");
  CHECK(status.text("/next/action") == "expire");
  office.gate.hold("The state folder was copied.");
  const auto held = office.ask("GET", "/v1/status");
  CHECK(held.text("/sending") == "false");
  CHECK_THAT(held.text("/waits_for/0"),
             Contains("The state folder was copied.") && Contains("invitectl state confirm"));
}

TEST_CASE("the status says how the identity provider does, and when it is asked again") {
  Office office;
  REQUIRE(office.ask("POST", "/v1/domains", R"({"name":"verified.example","method":"assertion"})", an_admin()).status ==
          201);
  CHECK(office.ask("GET", "/v1/status").text("/identities/0/state") == "ready");
  office.provider.away = true;
  office.add(R"({"user_id":"14","name":"Verified","login_email":"e@verified.example"})");
  office.call(office.work_off());
  const auto status = office.ask("GET", "/v1/status");
  CHECK(status.text("/identities/0/state") == "failing");
  CHECK(status.text("/identities/0/waiting") == "1");
  CHECK_THAT(status.text("/identities/0/detail"), Contains("1 failed so far; last word: "));
  CHECK(status.text("/identities/0/retry_at") > "2026-11-30T10:00:00Z");
}

TEST_CASE("an operator confirms the state: durable first, then mails go") {
  Office office;
  office.gate.hold("The state folder was copied.");
  office.hire("14");
  CHECK(office.postbox.sent.empty());
  CHECK(office.ask("POST", "/v1/state/confirm?dry_run=true").text("/sending") == "false");
  CHECK(office.confirmations.empty());
  office.fill_disk();
  CHECK(office.ask("POST", "/v1/state/confirm").status == 503);
  CHECK_FALSE(office.gate.open());
  office.free_disk();
  CHECK(office.ask("POST", "/v1/state/confirm").text("/sending") == "true");
  CHECK(office.audit("state").front().actor == "uid:60003");
  office.call(office.work_off());
  CHECK(office.postbox.sent.size() == 1);
}

TEST_CASE("the audit is listed newest first, by subject and page, and verified") {
  Office office;
  office.hire("1");
  office.hire("2");
  const auto all = office.ask("GET", "/v1/audit", "", viewer());
  REQUIRE(all.items().size() == 6);
  CHECK(all.text("/items/0/seq") == "6");
  CHECK(all.text("/items/5/action") == "user.created");
  CHECK(office.ask("GET", "/v1/audit?subject=user:2").items().size() == 3);
  std::vector<std::int64_t> seen;
  std::string cursor;
  for (int page = 0; page < 9; ++page) {
    const auto answer = office.ask("GET", "/v1/audit?limit=4" + (cursor.empty() ? "" : "&cursor=" + cursor));
    for (const auto& event : answer.items()) seen.push_back(event.at("seq").as_int64());
    if (answer.body.at("next_cursor").is_null()) break;
    cursor = answer.text("/next_cursor");
  }
  CHECK(seen == std::vector<std::int64_t>{6, 5, 4, 3, 2, 1});
  CHECK(office.ask("GET", "/v1/audit?cursor=zzz").code() == "bad_cursor");

  const auto whole = office.ask("GET", "/v1/audit/verify");
  CHECK(whole.text("/ok") == "true");
  CHECK(whole.text("/checked") == "6");
  office.in_store(
      [](store::Db& db) { return db.run("UPDATE audit_events SET actor = 'somebody else' WHERE seq = 3"); });
  const auto broken = office.ask("GET", "/v1/audit/verify");
  CHECK(broken.text("/ok") == "false");
  CHECK(broken.text("/first_bad_seq") == "3");
}

TEST_CASE("what happens is followed from a number on, and a quiet stream says that it lives") {
  Office office;
  office.hire("1");
  const auto events = office.ask("GET", "/v1/events?from=2", "", viewer());
  CHECK(events.raw.endless);
  const auto old = office.lines(events, "AuditEvent", 2);
  REQUIRE(old.size() == 2);
  CHECK(old[0].at("seq") == 2);
  CHECK(old[1].at("seq") == 3);
  const auto quiet = office.lines(events, "AuditEvent", 1);
  CHECK(quiet.front().at("event") == "ping");
  office.hire("2");
  CHECK(office.lines(events, "AuditEvent", 1).front().at("subject") == "user:2");

  const auto from_now = office.ask("GET", "/v1/events?subject=user:3");
  office.hire("4");
  office.hire("3");
  CHECK(office.lines(from_now, "AuditEvent", 1).front().at("subject") == "user:3");
}

TEST_CASE("the description of the API is served") {
  Office office;
  const auto answer = office.ask("GET", "/openapi.json", "", viewer());
  CHECK(answer.text("/openapi") == "3.1.0");
  CHECK(answer.text("/info/version") == "1.2.3");
}
