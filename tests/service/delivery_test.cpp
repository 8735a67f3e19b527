#include "service/delivery.hpp"

#include <catch2/catch.hpp>

#include "core/encoding.hpp"
#include "model/retry.hpp"
#include "service/bench.hpp"
#include "store/deliveries.hpp"

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using model::DeliveryState;
using model::VerdictStatus;
using Words = std::vector<std::string>;

namespace {

struct Office : Bench {
  explicit Office(model::Policies policies = stockholm()) : Bench(std::move(policies)) { at("2026-10-20T08:00:00Z"); }
  void hire(const std::string& id) {
    row({{"user_id", id}, {"name", id}, {"login_email", id + "@example.com"}, {"start_date", "2026-10-20"}});
  }
  void say(VerdictStatus status) {
    transport.script = [status](const model::OutgoingMail&) { return verdict(status); };
  }
  void silence() {
    transport.script = [](const model::OutgoingMail&) -> std::optional<model::Verdict> { return std::nullopt; };
  }
  // Every copy of every mail is the same mail.
  bool copies_equal() {
    std::map<core::Id, model::OutgoingMail> first;
    for (const auto& mail : transport.mails) {
      const auto& before = first.emplace(mail.delivery, mail).first->second;
      const auto line = [](const std::string& bytes) { return bytes.substr(0, bytes.find('\n', bytes.find("/v/"))); };
      if (before.message_id != mail.message_id || before.envelope_to != mail.envelope_to ||
          line(before.bytes) != line(mail.bytes))
        return false;
    }
    return true;
  }
};

}  // namespace

TEST_CASE("PRODUCT §3: the link dies at the first instant of the sixth local date") {
  struct Vector {
    std::string zone, accepted, ends;
  };
  for (const auto& v : std::vector<Vector>{{"Europe/Stockholm", "2026-10-23T07:00:00Z", "2026-10-27T23:00:00Z"},
                                           {"Europe/Stockholm", "2026-03-27T08:00:00Z", "2026-03-31T22:00:00Z"},
                                           {"Europe/Stockholm", "2026-12-23T08:00:00Z", "2026-12-27T23:00:00Z"},
                                           {"America/Santiago", "2026-09-01T13:00:00Z", "2026-09-06T04:00:00Z"},
                                           {"Africa/Cairo", "2026-04-19T07:00:00Z", "2026-04-23T22:00:00Z"},
                                           {"Pacific/Auckland", "2026-09-23T21:00:00Z", "2026-09-28T11:00:00Z"}}) {
    CAPTURE(v.zone, v.accepted);
    Bench b(stockholm([&](model::Policy& p) { p.zone = v.zone; }));
    b.at(v.accepted);
    b.row({{"user_id", "a"}, {"name", "A"}, {"login_email", "a@example.com"}, {"start_date", "2026-01-01"}});
    b.pump();
    REQUIRE(b.state("a") == "sent");
    CHECK(model::to_utc_text(b.invitation("a").ends_at.value()) == v.ends);
    b.clock.set_wall(*b.invitation("a").ends_at - 1ms);
    CHECK(b.go(b.links.open(b.link("a"))).state == service::LinkState::open);
    b.clock.set_wall(*b.invitation("a").ends_at);
    CHECK(b.go(b.links.open(b.link("a"))).state == service::LinkState::expired);
  }
}

TEST_CASE("the claim is durable before the transport sees the mail, the outcome before it is told settled") {
  Office b;
  b.hire("a");
  DeliveryState at_hand_over{};
  std::string invitation_then;
  b.transport.script = [&](const model::OutgoingMail& mail) {
    at_hand_over = store::deliveries::get(*b.db, mail.delivery)->state;
    invitation_then = b.state("a");
    CHECK(b.transport.settled_mails.empty());
    return verdict(VerdictStatus::accepted);
  };
  b.pump();
  CHECK(at_hand_over == DeliveryState::claimed);
  CHECK(invitation_then == "released");
  CHECK(b.delivery("a").state == DeliveryState::accepted);
  CHECK(b.transport.settled_mails == std::vector<core::Id>{b.delivery("a").key});
}

TEST_CASE("the window bounds how many mails are outstanding") {
  Office b;
  b.silence();
  b.transport.places = 3;
  for (int i = 0; i < 10; ++i) b.hire(std::to_string(i));
  b.pump();
  CHECK(b.transport.mails.size() == 3);
  CHECK(b.outbox->status().outstanding == 3);
  b.transport.answer(b.transport.mails[0].delivery, verdict(VerdictStatus::accepted));
  b.pump();
  CHECK(b.transport.mails.size() == 4);
}

TEST_CASE("refused for now: tried again with growing pauses, the same mail each time, until it is given up and held") {
  Office b;
  b.hire("a");
  b.say(VerdictStatus::retry);
  b.pump();
  CHECK(b.delivery("a").state == DeliveryState::deferred);
  CHECK(b.delivery("a").failures == 1);
  const auto first_pause = *b.delivery("a").next_at - b.clock.now();
  CHECK(first_pause >= 1min);
  CHECK(first_pause <= 75s);
  while (b.delivery("a").next_at) {
    b.clock.advance(*b.delivery("a").next_at - b.clock.now());
    b.pump();
    REQUIRE(b.transport.mails.size() <= 12);
  }
  CHECK(b.copies_equal());
  CHECK(b.invitation("a").held_reason == "delivery_gave_up");
  CHECK(b.state("a") == "released");
  b.say(VerdictStatus::accepted);
  REQUIRE(b.go(b.users.release(b.invitation("a").key, by_admin)));
  b.pump();
  CHECK(b.state("a") == "sent");
  CHECK(b.copies_equal());
}

TEST_CASE("refused for good: held for a person, who may let it go or discard it") {
  Office b;
  b.hire("let_go");
  b.hire("discarded");
  b.say(VerdictStatus::rejected);
  b.pump();
  for (const std::string id : {"let_go", "discarded"}) {
    CHECK(b.invitation(id).held_reason == "delivery_rejected");
    CHECK(b.delivery(id).state == DeliveryState::rejected);
  }
  CHECK(b.go(b.queries.counts()).held == 2);
  b.say(VerdictStatus::accepted);
  REQUIRE(b.go(b.users.release(b.invitation("let_go").key, by_admin)));
  REQUIRE(b.go(b.users.discard(b.invitation("discarded").key, by_admin)));
  b.pump();
  CHECK(b.states("let_go") == Words{"sent"});
  CHECK(b.states("discarded") == Words{"cancelled"});
  CHECK(b.mails_to("discarded") == 1);
  CHECK(b.copies_equal());
  CHECK(b.go(b.users.release(b.invitation("let_go").key, by_admin)).error().code == "not_held");
  CHECK(b.go(b.users.discard(b.invitation("let_go").key, by_admin)).error().code == "mail_is_out");
}

TEST_CASE("a mail that cannot be made is held with the reason and keeps no place") {
  Office b;
  b.transport.places = 1;
  b.writer.broken = "mail.sv.txt:7: unknown section";
  b.hire("a");
  b.hire("b");
  b.pump();
  CHECK(b.transport.mails.empty());
  CHECK(b.invitation("a").held_reason == "render_failed");
  CHECK(b.delivery("b").detail == "mail.sv.txt:7: unknown section");
  CHECK(b.outbox->status().outstanding == 0);
}

TEST_CASE(
    "no answer after the final dot: at most three copies in all, all equal, then shown to a person as sent for all we "
    "know") {
  Office b;
  b.hire("a");
  b.say(VerdictStatus::unknown);
  for (int i = 0; i < 10; ++i) {
    b.pump();
    b.clock.advance(6h);
  }
  CHECK(b.transport.mails.size() == 3);
  CHECK(b.copies_equal());
  CHECK(b.delivery("a").state == DeliveryState::uncertain);
  CHECK_FALSE(b.delivery("a").next_at);
  CHECK(b.state("a") == "sent");
  CHECK(b.invitation("a").held_reason == "delivery_uncertain");
  b.connect("a");
  CHECK(b.connection("a") == "connected");
}

TEST_CASE("found claimed at start: the same mail goes out again, three times in all") {
  Office b;
  b.hire("a");
  b.silence();
  for (int run = 0; run < 6; ++run) {
    b.pump();
    b.restart();
    b.go(b.outbox->rescue());
  }
  CHECK(b.transport.mails.size() == 3);
  CHECK(b.copies_equal());
  CHECK(b.invitation("a").held_reason == "delivery_uncertain");
  CHECK(b.state("a") == "sent");
}

TEST_CASE("found claimed at start and accepted at the next try: sent, not held") {
  Office b;
  b.hire("a");
  b.silence();
  b.pump();
  b.restart();
  CHECK(b.go(b.outbox->rescue()) == 1);
  CHECK(b.go(b.outbox->rescue()) == 0);
  b.say(VerdictStatus::accepted);
  b.pump();
  CHECK(b.transport.mails.size() == 2);
  CHECK(b.state("a") == "sent");
  CHECK(b.invitation("a").held_reason.empty());
}

TEST_CASE("whoever is cancelled while the mail is with the transport gets no second copy, whatever the outcome was") {
  for (const auto status : {VerdictStatus::retry, VerdictStatus::unknown, VerdictStatus::rejected}) {
    CAPTURE(static_cast<int>(status));
    Office b;
    b.hire("a");
    b.silence();
    b.pump();
    REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
    CHECK(b.state("a") == "cancelled");
    b.transport.answer(b.transport.mails[0].delivery, verdict(status));
    b.say(VerdictStatus::accepted);
    b.clock.advance(24h);
    b.pump();
    CHECK(b.transport.mails.size() == 1);
    CHECK(b.delivery("a").state == DeliveryState::cancelled);
    CHECK(b.invitation("a").held_reason.empty());
  }
}

TEST_CASE("W9 W10 mails that are with the transport and not wanted any more are asked back, once; the others go on") {
  Office b;
  b.hire("a");
  b.hire("b");
  b.silence();
  b.pump();
  CHECK_FALSE(b.go(b.outbox->recall_unwanted()));
  REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
  CHECK(b.go(b.outbox->recall_unwanted()));
  CHECK_FALSE(b.go(b.outbox->recall_unwanted()));
  CHECK(b.transport.recalls == 1);
  for (const auto& mail : std::vector(b.transport.mails))
    b.transport.answer(mail.delivery, {.status = VerdictStatus::retry, .taken_back = true});
  settle(b.io);
  CHECK(b.delivery("a").state == DeliveryState::cancelled);
  CHECK(b.delivery("b").state == DeliveryState::deferred);
  CHECK(b.delivery("b").failures == 0);
  CHECK_FALSE(b.outbox->status().paused);
  b.say(VerdictStatus::accepted);
  b.pump();
  CHECK(b.mails_to("a") == 1);
  CHECK(b.mails_to("b") == 2);
  CHECK(b.state("b") == "sent");
}

TEST_CASE("whoever is cancelled while the daemon is down with the mail claimed gets no second copy") {
  Office b;
  b.hire("a");
  b.hire("b");
  b.silence();
  b.pump();
  REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
  b.restart();
  CHECK(b.go(b.outbox->rescue()) == 2);
  b.say(VerdictStatus::accepted);
  b.pump();
  CHECK(b.mails_to("a") == 1);
  CHECK(b.mails_to("b") == 2);
  CHECK(b.delivery("a").state == DeliveryState::cancelled);
}

TEST_CASE("a link confirmed before the outcome was known: no second copy") {
  Office b;
  b.hire("a");
  b.silence();
  b.pump();
  b.connect("a");
  CHECK(b.connection("a") == "connected");
  b.transport.answer(b.transport.mails[0].delivery, verdict(VerdictStatus::unknown));
  b.clock.advance(24h);
  b.pump();
  CHECK(b.transport.mails.size() == 1);
}

TEST_CASE("the transport's own trouble pauses everything and counts against no mail") {
  Office b;
  b.hire("a");
  b.hire("b");
  auto trouble = verdict(VerdictStatus::retry, "connection refused");
  trouble.transport_trouble = true;
  b.transport.script = [&](const model::OutgoingMail&) { return trouble; };
  b.pump();
  CHECK(b.outbox->status().paused);
  CHECK(b.outbox->status().trouble == "connection refused");
  CHECK(b.delivery("a").failures == 0);
  const auto tried = b.transport.mails.size();
  b.pump();
  CHECK(b.transport.mails.size() == tried);
  b.say(VerdictStatus::accepted);
  b.clock.advance(2s);
  b.pump();
  CHECK(b.state("a") == "sent");
  CHECK(b.state("b") == "sent");
  CHECK_FALSE(b.outbox->status().paused);
  CHECK(b.outbox->status().accepted == 2);
}

TEST_CASE("an operator ends the pause of a transport") {
  Office b;
  b.hire("a");
  auto trouble = verdict(VerdictStatus::retry, "down");
  trouble.transport_trouble = true;
  trouble.retry_after = 1h;
  b.transport.script = [&](const model::OutgoingMail&) { return trouble; };
  b.pump();
  CHECK(b.outbox->status().resumes_in >= 1h);
  b.say(VerdictStatus::accepted);
  b.outbox->resume();
  b.pump();
  CHECK(b.state("a") == "sent");
}

TEST_CASE("a closed gate lets no mail out, an opened one all") {
  Office b;
  b.hire("a");
  b.gate.hold("the state was copied");
  b.pump();
  CHECK(b.transport.mails.empty());
  bool opened = false;
  b.gate.on_open([&] { opened = true; });
  b.gate.confirm();
  CHECK(opened);
  b.pump();
  CHECK(b.state("a") == "sent");
}

TEST_CASE(
    "the mail never promises a later end than the link has, also when it was accepted days after it was written") {
  Office b;
  b.hire("a");
  b.silence();
  b.pump();
  const auto promised = b.transport.mails[0].bytes;
  b.clock.advance(48h);
  b.transport.answer(b.transport.mails[0].delivery, verdict(VerdictStatus::accepted));
  b.pump();
  const auto last_day = model::parse_date(promised.substr(promised.size() - 11, 10)).value();
  CHECK(model::first_instant_of(model::add_days(last_day, 1), "Europe/Stockholm") <= *b.invitation("a").ends_at);
}

TEST_CASE("each accepted mail closes the hire and leaves one audit event for each step") {
  Office b;
  b.hire("a");
  b.pump();
  CHECK(b.audit("a") == Words{"user.created", "invitation.released start_tomorrow_or_earlier", "invitation.sent"});
  CHECK_FALSE(b.go(b.queries.verify_audit()).broken);
}

TEST_CASE("one that is due and breaks a rule is held and shown, and the others go out") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  for (const std::string id : {"a", "b", "c"})
    b.row({{"user_id", id}, {"name", id}, {"login_email", id + "@example.com"}, {"start_date", "2026-12-01"}});
  b.refuse_rows("deliveries", "b");
  b.at("2026-11-30T08:00:00Z");
  b.pump();
  CHECK(b.mails_to("a") == 1);
  CHECK(b.mails_to("c") == 1);
  CHECK(b.state("b") == "scheduled");
  CHECK(b.invitation("b").held_reason == "internal_error");
}

TEST_CASE("an outcome that breaks a rule waits by itself; those that came with it are stored at once") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  for (const std::string id : {"a", "b", "c"})
    b.row({{"user_id", id}, {"name", id}, {"login_email", id + "@example.com"}, {"start_date", "2026-10-21"}});
  b.db->raw().exec(
      "CREATE TEMP TRIGGER refused BEFORE UPDATE ON main.invitations WHEN NEW.state = 'sent' AND NEW.user = x'" +
      core::to_hex(b.user("b")->key.bytes) + "' BEGIN SELECT RAISE(ABORT, 'planted'); END");
  REQUIRE(b.go(b.outbox->pass()) == 3);
  settle(b.io);
  CHECK(b.state("a") == "sent");
  CHECK(b.state("b") == "released");
  CHECK(b.state("c") == "sent");
  CHECK(b.outbox->status().outstanding == 1);
  b.db->raw().exec("DROP TRIGGER refused");
  b.clock.advance(1s);
  settle(b.io);
  CHECK(b.state("b") == "sent");
  CHECK(b.outbox->status().outstanding == 0);
}

TEST_CASE("an outcome that breaks a rule again and again sets its mail aside for a person") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  b.row({{"user_id", "b"}, {"name", "b"}, {"login_email", "b@example.com"}, {"start_date", "2026-10-21"}});
  b.db->raw().exec(
      "CREATE TEMP TRIGGER refused BEFORE UPDATE ON main.invitations WHEN NEW.state = 'sent' BEGIN SELECT "
      "RAISE(ABORT, 'planted'); END");
  REQUIRE(b.go(b.outbox->pass()) == 1);
  for (int i = 0; i < 5; ++i) {
    settle(b.io);
    b.clock.advance(1s);
  }
  settle(b.io);
  CHECK(b.outbox->status().outstanding == 0);
  CHECK(b.delivery("b").state == DeliveryState::uncertain);
  CHECK_FALSE(b.delivery("b").next_at);
  const auto why = b.go(b.queries.why("b"));
  REQUIRE(why);
  CHECK(why->now.reason() == "held");
}

TEST_CASE("W11 after an outage the earliest start goes first, wherever the people are") {
  model::Policies base = stockholm();
  auto companies = base.companies();
  companies.at("north").zone = "America/New_York";
  Bench b(model::Policies(base.organisation(), companies), 10min, 4, model::Brakes{.batch = 0});
  b.at("2026-10-20T08:00:00Z");
  const auto hire = [&](const std::string& id, const std::string& company, const std::string& start) {
    REQUIRE(b.row({{"user_id", id},
                   {"name", id},
                   {"login_email", id + "@example.com"},
                   {"company", company},
                   {"start_date", start}}) == "created");
  };
  for (int n = 0; n < 200; ++n) hire("late" + std::to_string(n), "north", "2026-11-25");
  hire("early", "", "2026-11-23");
  b.at("2026-11-30T15:00:00Z");
  b.go(b.scheduler.pass());
  b.go(b.outbox->pass());
  settle(b.io);
  REQUIRE_FALSE(b.transport.mails.empty());
  CHECK(b.transport.mails.front().envelope_to == "early@example.com");
}

TEST_CASE("a writer that breaks on one mail holds that one, and the others go out") {
  Bench b;
  b.at("2026-10-20T08:00:00Z");
  b.writer.throws_for = "a";
  for (const std::string id : {"a", "b"})
    b.row({{"user_id", id}, {"name", id}, {"login_email", id + "@example.com"}, {"start_date", "2026-10-21"}});
  b.pump();
  CHECK(b.mails_to("b") == 1);
  CHECK(b.invitation("a").held_reason == "render_failed");
  CHECK(b.outbox->status().outstanding == 0);
}
