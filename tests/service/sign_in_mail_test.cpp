// "Your sign-in is ready": the mail that a company may want for those whom a verified domain connects. As sure as the
// verification mail, and nothing depends on it.
#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "store/deliveries.hpp"
#include "store/users.hpp"

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using model::DeliveryKind;
using model::VerdictStatus;
using Words = std::vector<std::string>;

namespace {

model::Policies telling(bool ready_mail = true) {
  return stockholm([ready_mail](model::Policy& policy) { policy.sign_in.ready_mail = ready_mail; });
}

struct Telling : Bench {
  explicit Telling(bool ready_mail = true) : Bench(telling(ready_mail)) {
    at("2026-10-20T08:00:00Z");
    verify();
  }
  explicit Telling(model::Policies policies) : Bench(std::move(policies)) {
    at("2026-10-20T08:00:00Z");
    verify();
  }
  void verify() { (void)go(domains.assert_verified("example.com", by_admin)); }
  void hire(const std::string& id, const std::string& domain = "example.com") {
    row({{"user_id", id}, {"name", id}, {"login_email", id + "@" + domain}, {"start_date", "2026-12-01"}});
  }
  std::optional<model::Delivery> mail(const std::string& id) {
    return store::deliveries::of_invitation(*db, invitation(id).key, DeliveryKind::sign_in_ready);
  }
  // Connected, and the mail queued and not handed over yet.
  void connected(const std::string& id) {
    hire(id);
    ask_provider();
    REQUIRE(connection(id) == "connected");
  }
};

}  // namespace

TEST_CASE("W4: without the setting a verified domain sends nothing at all") {
  Telling b(false);
  b.hire("a");
  b.pump();
  CHECK(b.connection("a") == "connected");
  CHECK(b.transport.mails.empty());
  CHECK_FALSE(b.mail("a"));
}

TEST_CASE("the mail is queued in the transaction that connects, goes out once and moves nothing") {
  Telling b;
  b.hire("a");
  CHECK_FALSE(b.mail("a"));
  b.ask_provider();
  CHECK(b.connection("a") == "connected");
  REQUIRE(b.mail("a"));
  CHECK(b.mail("a")->state == model::DeliveryState::queued);
  const auto before = b.invitation("a");
  for (int i = 0; i < 5; ++i) {
    b.pump();
    b.clock.advance(24h);
  }
  CHECK(b.mails_to("a") == 1);
  CHECK(b.transport.mails.front().bytes == "a\nsign in\nhttps://login.example.com\n");
  CHECK(b.transport.mails.front().message_id == b.mail("a")->message_id);
  CHECK(b.mail("a")->state == model::DeliveryState::accepted);
  CHECK(b.invitation("a").state == before.state);
  CHECK_FALSE(b.invitation("a").accepted_at);
  CHECK(b.audit("a").back() == "sign_in_mail.accepted");
  CHECK(b.go(b.queries.user("a"))->sign_in_mail->state == model::DeliveryState::accepted);
}

TEST_CASE("only a connection that a verified domain made has the mail") {
  Telling b;
  b.row({{"user_id", "c"}, {"name", "C"}, {"login_email", "c@other.example"}, {"start_date", "2026-10-20"}});
  b.pump();
  b.connect("c");
  CHECK(b.connection("c") == "connected");
  CHECK(b.mails_to("c") == 1);  // the verification
  CHECK_FALSE(b.mail("c"));
}

TEST_CASE("W7: a domain that becomes verified while a mail waits, or is out, leads to the mail too") {
  Telling b;
  b.hire("planned", "late.example");
  b.row({{"user_id", "out"}, {"name", "O"}, {"login_email", "out@late.example"}, {"start_date", "2026-10-20"}});
  b.pump();
  CHECK(b.state("planned") == "scheduled");
  CHECK(b.state("out") == "sent");
  REQUIRE(b.go(b.domains.assert_verified("late.example", by_admin)));
  for (int i = 0; i < 3; ++i) {
    b.go(b.domains.pass());
    b.pump();
  }
  for (const auto* id : {"planned", "out"}) {
    CAPTURE(id);
    CHECK(b.connection(id) == "connected");
    CHECK(b.invitation(id).cause == model::InvitationCause::verified_domain);
    REQUIRE(b.mail(id));
    CHECK(b.mail(id)->state == model::DeliveryState::accepted);
  }
  CHECK(b.mails_to("planned") == 1);
  CHECK(b.mails_to("out") == 2);
}

TEST_CASE("a kill in the middle repeats it with the same Message-ID; three uncertain ends and it is only shown") {
  Telling b;
  b.connected("a");
  b.transport.script = [](const model::OutgoingMail&) { return std::nullopt; };  // no word ever comes
  std::string message_id;
  for (int run = 0; run < 3; ++run) {
    b.clock.advance(1h);
    b.go(b.outbox->pass());
    REQUIRE(b.mails_to("a") == static_cast<std::size_t>(run + 1));
    if (run == 0) message_id = b.transport.mails.front().message_id;
    CHECK(b.transport.mails.back().message_id == message_id);
    b.restart();
    b.go(b.outbox->rescue());
  }
  b.clock.advance(48h);
  b.go(b.outbox->pass());
  CHECK(b.mails_to("a") == 3);
  CHECK(b.state("a") == "connected");
  CHECK(b.invitation("a").held_reason.empty());
  CHECK(b.connection("a") == "connected");
  const auto events = b.audit("a");
  CHECK(std::count(events.begin(), events.end(), "sign_in_mail.failed") == 1);
}

TEST_CASE("a mail that is refused for good is told and holds nobody") {
  Telling b;
  b.connected("a");
  b.transport.script = [](const model::OutgoingMail&) { return verdict(VerdictStatus::rejected, "550 no such user"); };
  b.pump();
  CHECK(b.mail("a")->state == model::DeliveryState::rejected);
  CHECK(b.mail("a")->detail == "550 no such user");
  CHECK(b.state("a") == "connected");
  CHECK(b.invitation("a").held_reason.empty());
  CHECK(b.audit("a").back() == "sign_in_mail.failed");
  CHECK(b.send("a") == "connected");  // W12 has nothing to do with it
}

TEST_CASE("deleting the connection or disabling the user takes a waiting mail back") {
  Telling b;
  b.connected("a");
  SECTION("disconnected") {
    REQUIRE(b.go(b.users.disconnect("a", by_admin)));
  }
  SECTION("disabled") {
    REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
  }
  CHECK(b.mail("a")->state == model::DeliveryState::cancelled);
  b.pump();
  CHECK(b.mails_to("a") == 0);
}

TEST_CASE("a mail that is with the transport when the connection is deleted is not tried again") {
  Telling b;
  b.connected("a");
  std::optional<core::Id> under_way;
  b.transport.script = [&](const model::OutgoingMail& mail) -> std::optional<model::Verdict> {
    under_way = mail.delivery;
    return std::nullopt;
  };
  b.go(b.outbox->pass());
  REQUIRE(under_way);
  REQUIRE(b.go(b.users.disconnect("a", by_admin)));
  b.transport.answer(*under_way, verdict(VerdictStatus::retry, "421 later"));
  settle(b.io);
  CHECK(b.mail("a")->state == model::DeliveryState::cancelled);
  b.clock.advance(24h);
  b.pump();
  CHECK(b.mails_to("a") == 1);
}

TEST_CASE("a connection made anew has a mail of its own") {
  Telling b;
  b.connected("a");
  b.pump();
  CHECK(b.mails_to("a") == 1);
  REQUIRE(b.go(b.users.disconnect("a", by_admin)));
  CHECK(b.send("a") == "ok");
  b.pump();
  CHECK(b.connection("a") == "connected");
  b.pump();
  CHECK(b.mails_to("a") == 2);
}

TEST_CASE("the fence and the gate of sending hold it like every mail") {
  Telling b;
  b.connected("a");
  b.gate.hold("restored from a backup");
  b.go(b.outbox->pass());
  CHECK(b.mails_to("a") == 0);
  b.gate.confirm();
  b.go(b.outbox->pass());
  CHECK(b.mails_to("a") == 1);
}

TEST_CASE("an address that moves out of the verified domain before the provider answered is verified like any other") {
  Telling b;
  b.hire("a");
  b.row({{"user_id", "a"}, {"login_email", "a@other.example"}});
  REQUIRE(b.send("a") == "ok");
  b.pump();
  b.connect("a");
  CHECK(b.connection("a") == "connected");
  CHECK_FALSE(b.mail("a"));
}

TEST_CASE("what takes the place of an offer of a verified domain is a hire's, or asked for, never the domain's") {
  Telling b;
  b.hire("hire");
  b.row({{"user_id", "old"}, {"name", "O"}, {"login_email", "old@example.com"}});
  for (const std::string id : {"hire", "old"}) {
    REQUIRE(b.state(id) == "verified");
    auto user = b.user(id).value();
    user.login_email = user.login_email_canonical = id + "@other.example";
    user.login_email_domain = "other.example";
    store::users::update(*b.db, user);
    b.planner->apply(*b.db, user.key, "somebody", b.clock.now(), {.asked = true});
  }
  CHECK(b.states("hire") == Words{"superseded", "released"});
  CHECK(b.invitation("hire").cause == model::InvitationCause::hire);
  CHECK(b.invitation("old").cause == model::InvitationCause::asked);
}

TEST_CASE("a row that disables the person stops the mail that has not gone out yet") {
  Telling b;
  b.connected("a");
  REQUIRE(b.mail("a"));
  CHECK(b.row({{"user_id", "a"}, {"enabled", "false"}}) == "updated");
  b.pump();
  CHECK(b.transport.mails.empty());
}
