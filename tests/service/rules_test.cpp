// PRODUCT §2, W0 to W14, as the services act on them. What decide() alone answers is in tests/model/decision_test.cpp.
#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "store/domains.hpp"

using namespace invited;
using namespace invited::test;
using service::LinkState;
using Words = std::vector<std::string>;

namespace {

// A Tuesday; the 14 hires below start far off, tomorrow, or when the test says.
struct Office : Bench {
  using Bench::Bench;
  explicit Office(model::Policies policies = stockholm()) : Bench(std::move(policies)) { at("2026-10-20T08:00:00Z"); }
  std::string hire(const std::string& id, const std::string& start, Row more = {}) {
    Row fields{{"user_id", id}, {"name", "Person " + id}, {"login_email", id + "@example.com"}, {"start_date", start}};
    for (auto& field : more) fields.push_back(std::move(field));
    return row(fields);
  }
  void verify_domain(const std::string& name) {
    REQUIRE(go(domains.assert_verified(name, by_admin)));
    go(domains.pass());
  }
};

}  // namespace

TEST_CASE("W0: a hire is invited by itself, an existing user whose login email is saved waits for a person") {
  Office b;
  b.hire("hire", "2026-10-21");
  b.row({{"user_id", "clerk"}, {"name", "Clerk"}, {"login_email", "clerk@example.com"}});
  b.pump();
  CHECK(b.state("hire") == "sent");
  CHECK(b.state("clerk").empty());
  CHECK(b.connection("clerk") == "not_connected");
  CHECK(b.go(b.queries.why("clerk"))->now.reason() == "not_a_hire");
}

TEST_CASE("W0: the first login email saved for a hire counts, also when it comes later") {
  Office b;
  b.row({{"user_id", "a"}, {"name", "A"}, {"start_date", "2026-12-01"}});
  CHECK(b.state("a").empty());
  CHECK(b.row({{"user_id", "a"}, {"login_email", "a@example.com"}}) == "updated");
  CHECK(b.state("a") == "scheduled");
}

TEST_CASE(
    "W0: a re-hire who is not connected is invited again by itself, a second job of a connected user is no hire") {
  Office b;
  b.hire("back", "2026-10-20", {{"end_date", "2026-10-21"}});
  b.pump();
  b.at("2026-11-03T08:00:00Z");
  b.go(b.sweep.expire());
  b.go(b.sweep.disable_leavers());
  CHECK_FALSE(b.user("back")->enabled);
  b.row({{"user_id", "back"}, {"start_date", "2026-11-04"}, {"end_date", ""}});
  CHECK(b.user("back")->enabled);
  b.pump();
  CHECK(b.mails_to("back") == 2);
  CHECK(b.state("back") == "sent");

  b.hire("stays", "2026-11-03", {{"end_date", "2026-11-20"}});
  b.pump();
  b.connect("stays");
  REQUIRE(b.connection("stays") == "connected");
  b.at("2026-11-04T08:00:00Z");
  b.row({{"user_id", "stays"}, {"start_date", "2026-12-01"}, {"end_date", ""}});
  b.at("2026-12-02T08:00:00Z");
  b.pump();
  REQUIRE(b.go(b.users.disconnect("stays", by_admin)));
  b.row({{"user_id", "stays"}, {"department", "Sales"}});
  b.pump();
  CHECK(b.mails_to("stays") == 1);
  CHECK(b.connection("stays") == "not_connected");
}

TEST_CASE("W0: a company may invite everybody or nobody by itself") {
  Office all(stockholm([](model::Policy& p) { p.auto_invite = model::AutoInvite::all; }));
  all.row({{"user_id", "clerk"}, {"name", "Clerk"}, {"login_email", "clerk@example.com"}});
  all.pump();
  CHECK(all.state("clerk") == "sent");
  Office none(stockholm([](model::Policy& p) { p.auto_invite = model::AutoInvite::none; }));
  none.hire("hire", "2026-10-21");
  none.hire("reviewed", "2026-10-21", {{"in_review", "yes"}});
  none.pump();
  CHECK(none.state("hire").empty());
  CHECK(none.state("reviewed").empty());
  CHECK(none.send("hire") == "ok");
}

TEST_CASE("W1: a hire who started, starts today or tomorrow is invited at once") {
  Office b;
  for (const std::string start : {"2026-01-01", "2026-10-20", "2026-10-21"}) {
    const std::string id = "u" + start;
    b.hire(id, start);
    CHECK(b.state(id) == "released");
  }
  b.pump();
  CHECK(b.transport.mails.size() == 3);
}

TEST_CASE("W2: a hire who starts later is invited at 09:00 local on the day before, not a second earlier") {
  Office b;
  b.hire("a", "2026-10-26");  // the day before is the 25 hours long Sunday
  CHECK(b.state("a") == "scheduled");
  b.at("2026-10-25T07:59:59Z");
  b.pump();
  CHECK(b.state("a") == "scheduled");
  CHECK(b.transport.mails.empty());
  b.at("2026-10-25T08:00:00Z");
  b.pump();
  CHECK(b.state("a") == "sent");
  CHECK(b.connection("a") == "pending");
}

TEST_CASE("W3: nothing is sent before the last approval; W1 or W2 applies in that moment") {
  Office b;
  b.hire("soon", "2026-10-21", {{"in_review", "true"}});
  b.hire("later", "2026-12-01", {{"in_review", "true"}});
  b.hire("missed", "2026-10-23", {{"in_review", "true"}});
  CHECK(b.state("soon") == "draft");
  b.at("2026-10-22T12:00:00Z");
  b.pump();
  CHECK(b.transport.mails.empty());
  CHECK(b.send("soon") == "in_review");
  for (const std::string id : {"soon", "later", "missed"}) CHECK(b.go(b.reviews.approve(id, "", by_admin)));
  CHECK(b.state("soon") == "released");
  CHECK(b.state("later") == "scheduled");
  CHECK(b.state("missed") == "released");
  b.pump();
  CHECK(b.transport.mails.size() == 2);
  const auto again = b.go(b.reviews.approve("soon", "", by_admin));
  REQUIRE_FALSE(again);
  CHECK(again.error().code == "not_in_review");
}

TEST_CASE(
    "W4: in a verified domain there is never a mail: hires, existing users, after the last approval, by explicit "
    "send") {
  Office b;
  b.verify_domain("example.com");
  b.hire("hire", "2026-12-01");
  b.row({{"user_id", "clerk"}, {"name", "Clerk"}, {"login_email", "clerk@example.com"}});
  b.hire("reviewed", "2026-12-01", {{"in_review", "true"}});
  b.pump();
  CHECK(b.connection("hire") == "connected");
  CHECK(b.connection("clerk") == "connected");
  CHECK(b.state("reviewed") == "draft");
  CHECK(b.send("reviewed") == "in_review");
  CHECK(b.go(b.reviews.approve("reviewed", "", by_admin)));
  b.pump();
  CHECK(b.connection("reviewed") == "connected");
  REQUIRE(b.go(b.users.disconnect("clerk", by_admin)));
  b.pump();
  CHECK(b.connection("clerk") == "not_connected");
  CHECK(b.send("clerk") == "ok");
  b.pump();
  CHECK(b.connection("clerk") == "connected");
  CHECK(b.transport.mails.empty());
  CHECK(b.identity.accounts.size() == 3);
}

TEST_CASE("W5: a start that moves before release is planned again, to tomorrow or earlier at once") {
  Office b;
  b.hire("a", "2026-12-01");
  b.row({{"user_id", "a"}, {"start_date", "2026-12-10"}});
  CHECK(b.state("a") == "scheduled");
  b.at("2026-11-30T08:00:00Z");
  b.pump();
  CHECK(b.transport.mails.empty());
  b.row({{"user_id", "a"}, {"start_date", "2026-11-01"}});
  b.pump();
  CHECK(b.state("a") == "sent");
  CHECK(b.states("a").size() == 1);
}

TEST_CASE("W6: a start that moves after the mail was accepted sends nothing again") {
  Office b;
  b.hire("a", "2026-10-21");
  b.pump();
  b.row({{"user_id", "a"}, {"start_date", "2026-12-10"}});
  b.at("2026-12-09T08:00:00Z");
  b.go(b.sweep.expire());
  b.pump();
  CHECK(b.mails_to("a") == 1);
  CHECK(b.state("a") == "expired");
}

TEST_CASE("W7: a domain that becomes verified connects those who wait, withdraws planned mails, one audit event each") {
  Office b;
  b.hire("planned", "2026-12-01");
  b.hire("sent", "2026-10-21");
  b.pump();
  b.transport.script = [](const model::OutgoingMail&) { return verdict(model::VerdictStatus::retry); };
  b.hire("queued", "2026-10-21");
  b.pump();
  const auto link = b.link("sent");
  b.verify_domain("example.com");
  for (const std::string id : {"planned", "sent", "queued"}) {
    CAPTURE(id);
    CHECK(b.state(id) == "verified");
    const auto events = b.audit(id);
    CHECK(std::count(events.begin(), events.end(), "invitation.verified verified_domain") == 1);
  }
  CHECK(b.delivery("queued").state == model::DeliveryState::cancelled);
  const auto mails = b.transport.mails.size();
  b.at("2026-11-30T09:00:00Z");
  b.pump();
  CHECK(b.transport.mails.size() == mails);
  for (const std::string id : {"planned", "sent", "queued"}) CHECK(b.connection(id) == "connected");
  CHECK(b.go(b.links.open(link)).state == LinkState::connected);
}

TEST_CASE("W8: a domain that stops being verified changes nobody who is connected; new users get mails") {
  Office b;
  b.verify_domain("example.com");
  b.hire("before", "2026-10-21");
  b.pump();
  REQUIRE(b.go(b.domains.remove("example.com", by_admin)));
  b.hire("after", "2026-10-21");
  b.pump();
  CHECK(b.connection("before") == "connected");
  CHECK(b.connection("after") == "pending");
  CHECK(b.mails_to("after") == 1);
  CHECK(b.mails_to("before") == 0);
  const auto unknown = b.go(b.domains.remove("example.com", by_admin));
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == "unknown_domain");
}

TEST_CASE("W9: another login email while pending ends the old link for good and is planned again") {
  Office b;
  b.hire("a", "2026-10-21");
  b.pump();
  const auto old = b.link("a");
  CHECK(b.row({{"user_id", "a"}, {"login_email", "a.new@example.com"}}) == "updated");
  CHECK(b.go(b.links.open(old)).state == LinkState::superseded);
  b.pump();
  CHECK(b.states("a") == Words{"superseded", "sent"});
  CHECK(b.transport.mails.back().envelope_to == "a.new@example.com");
  const auto view = b.go(b.links.open(old));
  CHECK(view.state == LinkState::superseded);
  CHECK(view.newer_sent_at == b.invitation("a").accepted_at);
  CHECK(b.confirm(old) == LinkState::superseded);
  b.connect("a");
  CHECK(b.identity.accounts.begin()->second == "a.new@example.com");
}

TEST_CASE(
    "W9: an address asked for by hand is planned again as it was asked for; before its day it waits for its day") {
  Office b;
  b.row({{"user_id", "clerk"}, {"name", "Clerk"}, {"login_email", "clerk@example.com"}});
  REQUIRE(b.send("clerk") == "ok");
  b.pump();
  b.row({{"user_id", "clerk"}, {"login_email", "clerk2@example.com"}});
  b.pump();
  CHECK(b.states("clerk") == Words{"superseded", "sent"});
  CHECK(b.invitation("clerk").cause == model::InvitationCause::asked);

  b.hire("later", "2026-12-01");
  REQUIRE(b.send("later") == "ok");
  b.pump();
  b.row({{"user_id", "later"}, {"login_email", "later2@example.com"}});
  CHECK(b.states("later") == Words{"superseded", "scheduled"});
  CHECK(b.connection("later") == "not_connected");
  CHECK(b.go(b.users.set_enabled("later", false, by_admin)));
  CHECK(b.state("later") == "cancelled");
}

TEST_CASE("W9: other letters of the same mailbox are no other address") {
  Office b;
  b.hire("a", "2026-10-21");
  b.pump();
  CHECK(b.row({{"user_id", "a"}, {"login_email", "A@Example.com"}}) == "updated");
  b.pump();
  CHECK(b.states("a") == Words{"sent"});
  CHECK(b.user("a")->login_email == "A@Example.com");
}

TEST_CASE("W10: disabled, withdrawn or rejected before release is cancelled, with the reason kept") {
  Office b;
  b.hire("disabled", "2026-12-01");
  b.hire("withdrawn", "2026-12-01");
  b.hire("rejected", "2026-12-01", {{"in_review", "true"}});
  CHECK(b.go(b.users.set_enabled("disabled", false, by_admin)));
  b.row({{"user_id", "withdrawn"}, {"withdrawn", "true"}});
  CHECK(b.go(b.reviews.reject("rejected", "wrong person", by_admin)));
  CHECK(b.invitation("disabled").end_reason == "disabled");
  CHECK(b.invitation("withdrawn").end_reason == "withdrawn");
  CHECK(b.invitation("rejected").end_reason == "review_rejected");
  b.at("2026-12-02T08:00:00Z");
  b.pump();
  CHECK(b.transport.mails.empty());
  for (const std::string id : {"disabled", "withdrawn", "rejected"}) {
    CHECK(b.state(id) == "cancelled");
    CHECK(b.send(id) != "ok");
  }
}

TEST_CASE("W10: whoever is enabled again or no longer withdrawn is planned again") {
  Office b;
  b.hire("a", "2026-12-01");
  b.hire("b", "2026-12-01");
  REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
  REQUIRE(b.go(b.users.set_enabled("a", true, by_admin)));
  b.row({{"user_id", "b"}, {"withdrawn", "true"}});
  b.row({{"user_id", "b"}, {"withdrawn", "false"}});
  CHECK(b.states("a") == Words{"cancelled", "scheduled"});
  CHECK(b.states("b") == Words{"cancelled", "scheduled"});
}

TEST_CASE("W11: after a pause the sources come first, then the overdue, earliest start first, nothing twice") {
  Office b;
  b.hire("third", "2026-11-20");
  b.hire("first", "2026-11-05");
  b.hire("second", "2026-11-10");
  b.hire("gone", "2026-11-06");
  b.gate.expect_sources({"hr"});
  b.at("2026-12-01T08:00:00Z");
  b.pump();
  CHECK(b.transport.mails.empty());
  b.row({{"user_id", "gone"}, {"withdrawn", "true"}});
  b.gate.source_settled("hr");
  b.transport.places = 1;
  b.pump();
  Words order;
  for (const auto& mail : b.transport.mails) order.push_back(mail.envelope_to);
  CHECK(order == Words{"first@example.com", "second@example.com", "third@example.com"});
  b.pump();
  CHECK(b.transport.mails.size() == 3);
}

TEST_CASE("W12: send verification sends now whatever the date says, and says why where it cannot") {
  Office b;
  b.hire("later", "2026-12-01");
  CHECK(b.send("LATER") == "ok");
  b.pump();
  CHECK(b.states("later") == Words{"sent"});
  b.row({{"user_id", "bare"}, {"name", "Bare"}});
  CHECK(b.send("bare") == "no_login_email");
  CHECK(b.send("nobody") == "unknown_user");
  CHECK(b.send("later") == "ok");  // pressed again: a new mail, the older link is over
  b.pump();
  CHECK(b.states("later") == Words{"superseded", "sent"});
  b.connect("later");
  CHECK(b.send("later") == "connected");
}

TEST_CASE("W12: asked for while the mail is on its way, the same mail goes on") {
  Office b;
  b.transport.script = [](const model::OutgoingMail&) { return verdict(model::VerdictStatus::retry); };
  b.hire("a", "2026-10-21");
  b.pump();
  CHECK(b.send("a") == "ok");
  b.pump();
  CHECK(b.states("a") == Words{"released"});
  CHECK(b.mails_to("a") == 1);
}

TEST_CASE("W14: for every user there is an answer to what happens next, with a stable code") {
  Office b;
  b.hire("planned", "2026-12-01");
  b.hire("reviewed", "2026-12-01", {{"in_review", "true"}});
  b.hire("sent", "2026-10-21");
  b.row({{"user_id", "clerk"}, {"name", "Clerk"}, {"login_email", "clerk@example.com"}});
  b.pump();
  const auto answer = [&](const std::string& id) { return std::string(b.go(b.queries.why(id))->now.reason()); };
  CHECK(answer("planned") == "start_later");
  CHECK(answer("reviewed") == "in_review");
  CHECK(answer("sent") == "link_open");
  CHECK(answer("clerk") == "not_a_hire");
  const auto plan = b.go(b.queries.plan(b.clock.now() + std::chrono::hours{24 * 60}, std::nullopt, 100));
  Words acts;
  for (const auto& item : plan.items)
    acts.push_back(item.user_id + " " + std::string(model::to_text(item.decision.action)));
  CHECK(acts == Words{"sent expire", "planned send"});
}
