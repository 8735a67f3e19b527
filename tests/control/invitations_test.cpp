#include "control/office.hpp"

using namespace invited;
using namespace invited::test;
using Catch::Matchers::Contains;
using namespace std::chrono_literals;

TEST_CASE("invitations are listed newest first, by state, user and held, page by page") {
  Office office;
  office.hire("1");
  office.add(R"({"user_id":"2","name":"Later","login_email":"later@example.com","start_date":"2027-03-01"})");
  office.postbox.next.status = model::VerdictStatus::rejected;
  office.postbox.next.detail = "550 no such mailbox";
  office.hire("3");
  const auto who = [&](const std::string& query) {
    return office.ask("GET", "/v1/invitations?" + query, "", viewer()).each("user");
  };
  using List = std::vector<std::string>;
  CHECK(who("") == List{"3", "2", "1"});
  CHECK(who("state=sent") == List{"1"});
  CHECK(who("state=scheduled") == List{"2"});
  CHECK(who("held=true") == List{"3"});
  CHECK(who("held=false") == List{"2", "1"});
  CHECK(who("user=2") == List{"2"});
  CHECK(who("user=none").empty());
  List seen;
  std::string cursor;
  for (int page = 0; page < 5; ++page) {
    const auto answer = office.ask("GET", "/v1/invitations?limit=2" + (cursor.empty() ? "" : "&cursor=" + cursor));
    for (const auto& user : answer.each("user")) seen.push_back(user);
    if (answer.body.at("next_cursor").is_null()) break;
    cursor = answer.text("/next_cursor");
  }
  CHECK(seen == List{"3", "2", "1"});
  CHECK(office.ask("GET", "/v1/invitations?cursor=zzz").code() == "bad_cursor");

  const auto scheduled = office.ask("GET", "/v1/invitations/" + office.invitation("2").key.text());
  CHECK(scheduled.text("/due_local") == "2027-02-28T09:00");
  CHECK(scheduled.text("/due_zone") == "Europe/Stockholm");
  const auto held = office.ask("GET", "/v1/invitations/" + office.invitation("3").key.text());
  CHECK(held.text("/held") == "delivery_rejected");
  CHECK(held.text("/delivery/detail") == "550 no such mailbox");
  CHECK(held.text("/attempts/0/outcome") == "rejected");
  CHECK(held.text("/attempts/0/code") == "250");
}

TEST_CASE("a held invitation is released to be tried again, or discarded for good") {
  Office office;
  office.postbox.next.status = model::VerdictStatus::rejected;
  office.hire("14");
  const auto path = "/v1/invitations/" + office.invitation("14").key.text();
  office.postbox.next.status = model::VerdictStatus::accepted;
  SECTION("released") {
    CHECK(office.ask("POST", path + "/release").text("/held") == "");
    CHECK(office.ask("GET", path).text("/state") == "sent");
    CHECK(office.postbox.sent.size() == 2);
    CHECK(office.ask("POST", path + "/release").code() == "not_held");
  }
  SECTION("discarded") {
    CHECK(office.ask("POST", path + "/discard").text("/state") == "cancelled");
    CHECK(office.postbox.sent.size() == 1);
    CHECK(office.ask("POST", path + "/discard").status == 409);
  }
}

TEST_CASE("a revoked invitation's link is over") {
  Office office;
  office.hire("14");
  const auto path = "/v1/invitations/" + office.invitation("14").key.text();
  const auto answer = office.ask("POST", path + "/revoke");
  CHECK(answer.text("/state") == "revoked");
  CHECK(answer.text("/ended_at") == "2026-11-30T10:00:00Z");
  CHECK(office.ask("POST", path + "/revoke").code() == "no_open_link");
}

TEST_CASE("an invitation that is not there is not found") {
  Office office;
  for (const auto* id : {"none", "00000000-0000-7000-8000-000000000000"}) {
    CHECK(office.ask("GET", std::string("/v1/invitations/") + id).code() == "unknown_invitation");
    for (const auto* verb : {"release", "discard", "revoke"}) {
      const auto answer = office.ask("POST", std::string("/v1/invitations/") + id + "/" + verb);
      CHECK(answer.status == 404);
      CHECK(answer.code() == "unknown_invitation");
    }
  }
}

TEST_CASE("reviews wait, are approved and rejected, with what happens next") {
  Office office;
  office.add(
      R"({"user_id":"1","name":"Soon","login_email":"a@example.com","start_date":"2026-12-01","in_review":true})");
  office.add(
      R"({"user_id":"2","name":"Later","login_email":"b@example.com","start_date":"2027-03-01","in_review":true})");
  office.add(
      R"({"user_id":"3","name":"Wrong","login_email":"c@example.com","start_date":"2027-03-01","in_review":true})");
  using List = std::vector<std::string>;
  CHECK(office.ask("GET", "/v1/reviews", "", viewer()).each("user") == List{"1", "2", "3"});
  CHECK(office.postbox.sent.empty());
  const auto first = office.ask("GET", "/v1/reviews?limit=2");
  CHECK(first.each("user") == List{"1", "2"});
  CHECK(office.ask("GET", "/v1/reviews?limit=2&cursor=" + first.text("/next_cursor")).each("user") == List{"3"});
  CHECK(office.ask("GET", "/v1/reviews?cursor=zzz").code() == "bad_cursor");

  const auto soon = office.ask("POST", "/v1/reviews/1/approve");
  CHECK(soon.text("/state") == "approved");
  CHECK(soon.text("/actor") == "uid:60003");
  CHECK(soon.text("/decided_at") == "2026-11-30T10:00:00Z");
  CHECK(soon.text("/flow") == "default");
  CHECK(soon.text("/steps/0/name") == "approval");
  CHECK(soon.text("/steps/0/state") == "approved");
  CHECK(soon.text("/steps/0/actor") == "uid:60003");
  CHECK(soon.text("/next/action") == "deliver");
  CHECK(office.postbox.sent.size() == 1);
  const auto later = office.ask("POST", "/v1/reviews/2/approve");
  CHECK(later.text("/next/action") == "send");
  CHECK(later.text("/next/local") == "2027-02-28T09:00");
  CHECK(office.ask("POST", "/v1/reviews/3/reject").status == 422);  // a reason is wanted
  const auto wrong = office.ask("POST", "/v1/reviews/3/reject", R"({"reason":"not hired"})");
  CHECK(wrong.text("/state") == "rejected");
  CHECK(wrong.text("/reason") == "not hired");
  CHECK(wrong.text("/next") == "null");
  CHECK(office.ask("POST", "/v1/reviews/3/approve").code() == "not_in_review");
  CHECK(office.ask("POST", "/v1/reviews/none/approve").code() == "unknown_user");
  CHECK(office.ask("GET", "/v1/reviews").items().empty());
  CHECK(office.ask("GET", "/v1/reviews?state=approved").each("user") == List{"1", "2"});
  CHECK(office.ask("GET", "/v1/reviews?state=rejected&limit=1").each("user") == List{"3"});
  CHECK(office.ask("GET", "/v1/reviews/3", "", viewer()).text("/reason") == "not hired");
  const auto again = office.ask("POST", "/v1/reviews/3/reopen");
  CHECK(again.text("/state") == "pending");
  CHECK(again.text("/open_steps/0") == "approval");
  CHECK(office.ask("GET", "/v1/reviews?step=approval").each("user") == List{"3"});
  CHECK(office.ask("GET", "/v1/reviews?step=other").items().empty());
  CHECK(office.ask("POST", "/v1/reviews/3/approve", R"({"step":"other"})").code() == "unknown_step");
  CHECK(office.ask("POST", "/v1/reviews/3/approve?dry_run=true", R"({"step":"approval"})").text("/state") ==
        "approved");
  CHECK(office.ask("GET", "/v1/reviews/3").text("/state") == "pending");
  CHECK(office.ask("POST", "/v1/reviews/1/reopen").code() == "mail_is_out");
  CHECK(office.ask("GET", "/v1/flows", "", viewer()).text("/items/0/steps/0/name") == "approval");
  CHECK(office.ask("GET", "/v1/templates", "", viewer()).items().empty());
  CHECK(office.postbox.sent.size() == 1);
}

TEST_CASE("the plan and why say the same next act, and look only as far as they are asked") {
  Office office;
  office.add(R"({"user_id":"Later","name":"Later","login_email":"b@example.com","start_date":"2027-03-01"})");
  office.add(
      R"({"user_id":"soon","name":"Soon","login_email":"a@example.com","start_date":"2026-12-10","end_date":"2026-12-31"})");
  using List = std::vector<std::string>;
  const auto plan = office.ask("GET", "/v1/plan?until=365d", "", viewer());
  CHECK(plan.each("user") == List{"soon", "soon", "Later"});
  CHECK(plan.each("action") == List{"send", "disable", "send"});
  CHECK(plan.text("/items/0/local") == "2026-12-09T09:00");
  CHECK(plan.text("/items/1/local") == "2027-01-06T00:00");
  CHECK(office.ask("GET", "/v1/plan").each("action") == List{"send", "disable"});  // 60 days
  CHECK(office.ask("GET", "/v1/plan?until=2026-12-08").items().empty());
  CHECK(office.ask("GET", "/v1/plan?until=2026-12-09").each("user") == List{"soon"});
  CHECK(office.ask("GET", "/v1/plan?until=192h").items().empty());
  CHECK(office.ask("GET", "/v1/plan?until=30w&user=LATER").each("user") == List{"Later"});
  CHECK(office.ask("GET", "/v1/plan?until=365d&user=none").status == 404);
  for (const auto* bad : {"soon", "5", "5m", "d", "-1d", "2026-13-01", "99999999d"})
    CHECK(office.ask("GET", std::string("/v1/plan?until=") + bad).code() == "bad_until");
  const auto first = office.ask("GET", "/v1/plan?until=365d&limit=2");
  CHECK(first.each("user") == List{"soon", "soon"});
  CHECK(office.ask("GET", "/v1/plan?until=365d&limit=2&cursor=" + first.text("/next_cursor")).each("user") ==
        List{"Later"});
  CHECK(office.ask("GET", "/v1/plan?cursor=zzz").code() == "bad_cursor");

  const auto why = office.ask("GET", "/v1/users/soon/why", "", viewer());
  CHECK(why.body.at("next") == plan.items().front());
  CHECK_FALSE(why.body.at("reasons").as_array().empty());
  CHECK(why.text("/if/0/change") == "send verification now");
  CHECK(why.text("/if/0/next/reason") == "asked");
}

TEST_CASE("why says what an approval would change") {
  Office office;
  office.add(
      R"({"user_id":"1","name":"Soon","login_email":"a@example.com","start_date":"2026-12-01","in_review":true})");
  const auto why = office.ask("GET", "/v1/users/1/why");
  CHECK(why.text("/next") == "null");
  CHECK(why.text("/if/0/change") == "approved today");
  CHECK(why.text("/if/0/next/action") == "send");
}
