#include "smtp_session.hpp"

#include <gsasl.h>

#include <catch2/catch.hpp>
#include <deque>
#include <random>
#include <set>

using namespace invited::smtp;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view EHLO_ALL =
    "250-relay.example\r\n250-PIPELINING\r\n250-SIZE 10000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 "
    "ENHANCEDSTATUSCODES\r\n";

MessagePtr mail(std::string id, std::string body = "hello\r\n") {
  auto message = std::make_shared<Message>();
  message->id = id;
  message->from = "us@example.com";
  message->to = id + "@example.org";
  message->bytes = "Subject: " + id + "\r\n\r\n" + body;
  REQUIRE_FALSE(inspect(*message));
  return message;
}

// The other two sides of a session, owner and server, played by the test.
class Desk : public SessionOwner {
public:
  explicit Desk(Session::Purpose purpose = Session::Purpose::deliver) : session(settings_, *this, purpose) {}
  explicit Desk(SessionSettings settings, Session::Purpose purpose = Session::Purpose::deliver)
      : settings_(std::move(settings)), session(settings_, *this, purpose) {}

  static SessionSettings plain() {
    SessionSettings settings;
    settings.server = "relay.example:25";
    settings.helo_name = "invited.example";
    settings.tls = TlsMode::none;
    return settings;
  }

  MessagePtr take(bool) override {
    if (waiting.empty()) return nullptr;
    MessagePtr message = waiting.front();
    waiting.pop_front();
    ++taken;
    held.insert(message->id);
    return message;
  }
  void verdict(const MessagePtr& message, Verdict v) override {
    note(message->id, std::string(name_of(v.outcome)) + (v.scope == Scope::transport ? "/transport" : ""), v);
    if (!settles_at_once) unsettled.insert(message->id);
  }
  void refused(const MessagePtr& message, Verdict v) override { note(message->id, "refused", v); }
  void give_back(const MessagePtr& message, Verdict v, Parting parting) override {
    note(message->id, "back", v);
    last_parting = parting;
  }
  void recipient_taken() override { ++recipients; }
  bool relays_for_others() override { return false; }
  void release(const MessagePtr& message) override { note(message->id, "released", {}); }
  bool may_finish() override { return unsettled.empty(); }

  void settle(const std::string& id) {
    unsettled.erase(id);
    session.poke();
  }
  // Everything the session wrote since the last call; line ends as "|".
  std::string sent() {
    std::string all;
    for (std::string_view piece = session.chunk(); !piece.empty(); piece = session.chunk()) {
      all += piece;
      session.wrote(piece.size());
    }
    std::string shown;
    for (const char c : all) {
      if (c == '\n') shown += '|';
      if (c != '\r' && c != '\n') shown += c;
    }
    return shown;
  }
  // The server says this, and then the session writes that.
  std::string says(std::string_view bytes) {
    session.received(bytes);
    return sent();
  }
  // All that happened to messages since the last call: "1 accepted, 2 back".
  std::string happened() { return std::exchange(events, {}); }
  void open(std::string_view ehlo = EHLO_ALL) {
    session.connected("192.0.2.1");
    REQUIRE(sent().empty());
    REQUIRE(says("220 relay.example ESMTP\r\n") == "EHLO invited.example|");
    REQUIRE(says(ehlo).find("EHLO") == std::string::npos);
    REQUIRE(session.ready());
  }
  bool closed() const { return session.want() == Session::Want::close; }

  std::deque<MessagePtr> waiting;
  std::set<std::string> unsettled;
  std::set<std::string> held;
  bool settles_at_once = false;
  int taken = 0;
  int recipients = 0;
  Parting last_parting = Parting::broken;
  std::string detail;  // of the last event
  Verdict last;

private:
  void note(const std::string& id, const std::string& what, const Verdict& v) {
    if (!events.empty()) events += ", ";
    events += id + ' ' + what;
    detail = v.detail;
    last = v;
    // Comes back once, and only what was taken.
    REQUIRE(held.erase(id) == 1);
  }
  SessionSettings settings_ = plain();
  std::string events;

public:
  Session session;
};

std::string content(const std::string& id) {
  return "Subject: " + id + "||hello|.|";
}
std::string envelope(const std::string& id) {
  return "MAIL FROM:<us@example.com> SIZE=" + std::to_string(id.size() + 20) + "|RCPT TO:<" + id +
         "@example.org>|DATA|";
}

}  // namespace

TEST_CASE("a mail costs one round trip: the dot of one travels with MAIL, RCPT and DATA of the next") {
  Desk desk;
  desk.settles_at_once = true;
  desk.open();
  for (const char* id : {"1", "2", "3"}) desk.waiting.push_back(mail(id));
  desk.session.poke();
  CHECK(desk.sent() == envelope("1"));
  CHECK(desk.says("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n") == content("1") + envelope("2"));
  CHECK(desk.says("250 2.0.0 Ok: queued as A\r\n250 Ok\r\n250 Ok\r\n354 go\r\n") == content("2") + envelope("3"));
  CHECK(desk.says("250 2.0.0 Ok: queued as B\r\n250 Ok\r\n250 Ok\r\n354 go\r\n") == content("3"));
  CHECK(desk.says("250 2.0.0 Ok: queued as C\r\n").empty());
  CHECK(desk.happened() == "1 accepted, 2 accepted, 3 accepted");
  CHECK(desk.last.remote_id == "C");
  CHECK(desk.session.idle());
  // A mail that comes while a dot is unanswered goes behind it at once.
  desk.waiting.push_back(mail("4"));
  desk.session.poke();
  desk.sent();
  CHECK(desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n") == content("4"));
  desk.waiting.push_back(mail("5"));
  desk.session.poke();
  CHECK(desk.sent() == envelope("5"));
}

TEST_CASE("the next final dot waits until the last outcome is settled, MAIL, RCPT and DATA do not") {
  Desk desk;
  desk.open();
  desk.waiting = {mail("1"), mail("2"), mail("3")};
  desk.session.poke();
  CHECK(desk.sent() == envelope("1"));
  CHECK(desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n") == content("1") + envelope("2"));
  CHECK(desk.says("250 queued\r\n250 Ok\r\n250 Ok\r\n354 go\r\n").empty());
  CHECK(desk.happened() == "1 accepted");
  CHECK(desk.session.wait().phase == Phase::settle);
  desk.session.poke();
  CHECK(desk.sent().empty());
  desk.settle("1");
  CHECK(desk.sent() == content("2") + envelope("3"));
}

TEST_CASE("an outcome that is never settled ends the connection instead of holding a server's DATA for ever") {
  Desk desk;
  desk.open();
  desk.waiting = {mail("1"), mail("2")};
  desk.session.poke();
  desk.sent();
  desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n");
  desk.says("250 queued\r\n250 Ok\r\n250 Ok\r\n354 go\r\n");
  desk.happened();
  desk.session.timed_out();
  CHECK(desk.happened() == "2 back");
  CHECK(desk.closed());
}

TEST_CASE("answers mean the same however the packets cut them") {
  const std::string answers =
      "250 Ok\r\n550 5.1.1 unknown\r\n554 no valid recipients\r\n250 reset\r\n250 Ok\r\n250-Ok\r\n250 Ok\r\n354 "
      "go\r\n250 queued\r\n";
  for (std::size_t step = 1; step < answers.size(); ++step) {
    INFO("pieces of " << step);
    Desk desk;
    desk.settles_at_once = true;
    desk.open();
    desk.waiting = {mail("1"), mail("2")};
    desk.session.poke();
    std::string wire = desk.sent();
    for (std::size_t at = 0; at < answers.size(); at += step) {
      // A server does not answer what it was not asked: cut where the questions end.
      std::string piece = answers.substr(at, step);
      while (!piece.empty()) {
        std::size_t end = piece.find('\n');
        end = end == std::string::npos ? piece.size() : end + 1;
        wire += desk.says(piece.substr(0, end));
        piece.erase(0, end);
      }
    }
    CHECK(wire == envelope("1") + "RSET|" + envelope("2") + content("2"));
    CHECK(desk.happened() == "1 rejected, 2 accepted");
    CHECK(desk.session.idle());
  }
}

TEST_CASE("a refused recipient with DATA granted is ended by a lone dot, without RSET, and the connection goes on") {
  Desk desk;
  desk.settles_at_once = true;
  desk.open();
  desk.waiting = {mail("1"), mail("2")};
  desk.session.poke();
  desk.sent();
  CHECK(desk.says("250 Ok\r\n550 5.1.1 unknown\r\n354 go\r\n") == ".|" + envelope("2"));
  CHECK(desk.happened() == "1 rejected");
  CHECK(desk.says("554 5.5.1 no valid recipients\r\n250 Ok\r\n250 Ok\r\n354 go\r\n") == content("2"));
  CHECK(desk.says("250 queued\r\n").empty());
  CHECK(desk.happened() == "2 accepted");
  CHECK_FALSE(desk.closed());
}

TEST_CASE("a refused sender or DATA keeps the connection, with RSET only where a transaction is open") {
  SECTION("MAIL refused: nothing to reset") {
    Desk desk;
    desk.settles_at_once = true;
    desk.open();
    desk.waiting = {mail("1"), mail("2")};
    desk.session.poke();
    desk.sent();
    CHECK(desk.says("550 5.1.8 who\r\n503 need MAIL\r\n503 need RCPT\r\n") == envelope("2"));
    CHECK(desk.happened() == "1 retry/transport");
  }
  SECTION("DATA refused with an accepted recipient") {
    Desk desk;
    desk.settles_at_once = true;
    desk.open();
    desk.waiting = {mail("1"), mail("2")};
    desk.session.poke();
    desk.sent();
    CHECK(desk.says("250 Ok\r\n250 Ok\r\n451 4.3.0 later\r\n") == "RSET|" + envelope("2"));
    CHECK(desk.happened() == "1 retry");
    CHECK(desk.says("250 reset\r\n250 Ok\r\n250 Ok\r\n354 go\r\n") == content("2"));
  }
  SECTION(
      "MAIL refused and yet 354 with an accepted recipient: an empty mail would be delivered, so the connection ends") {
    Desk desk;
    desk.settles_at_once = true;
    desk.open();
    desk.waiting = {mail("1")};
    desk.session.poke();
    desk.sent();
    CHECK(desk.says("552 5.3.4 too big\r\n250 Ok\r\n354 go\r\n").empty());
    CHECK(desk.happened() == "1 rejected");
    CHECK(desk.closed());
  }
}

TEST_CASE("without PIPELINING each command waits for its answer") {
  Desk desk;
  desk.settles_at_once = true;
  desk.open("250-relay.example\r\n250 8BITMIME\r\n");
  desk.waiting = {mail("1"), mail("2"), mail("3")};
  desk.session.poke();
  CHECK(desk.sent() == "MAIL FROM:<us@example.com>|");
  CHECK(desk.says("250 Ok\r\n") == "RCPT TO:<1@example.org>|");
  CHECK(desk.says("250 Ok\r\n") == "DATA|");
  CHECK(desk.says("354 go\r\n") == content("1"));
  CHECK(desk.says("250 queued\r\n") == "MAIL FROM:<us@example.com>|");
  CHECK(desk.says("250 Ok\r\n") == "RCPT TO:<2@example.org>|");
  CHECK(desk.says("550 no\r\n") == "RSET|");
  CHECK(desk.says("250 Ok\r\n") == "MAIL FROM:<us@example.com>|");
  CHECK(desk.happened() == "1 accepted, 2 rejected");
}

TEST_CASE("a server that knows no EHLO gets HELO and lock-step, but only where nothing needs EHLO") {
  Desk desk;
  desk.session.connected("192.0.2.1");
  desk.says("220 old\r\n");
  CHECK(desk.says("502 what\r\n") == "HELO invited.example|");
  CHECK(desk.says("250 hello\r\n").empty());
  CHECK(desk.session.ready());
  CHECK(desk.session.summary() == "SMTP, clear text");

  SessionSettings settings = Desk::plain();
  settings.tls = TlsMode::starttls;
  Desk strict(settings);
  strict.session.connected("192.0.2.1");
  strict.says("220 old\r\n");
  CHECK(strict.says("502 what\r\n").empty());
  CHECK(strict.closed());
}

TEST_CASE("without a name of its own the client presents its address") {
  SessionSettings settings = Desk::plain();
  settings.helo_name.clear();
  Desk four(settings);
  four.session.connected("192.0.2.1");
  CHECK(four.says("220 x\r\n") == "EHLO [192.0.2.1]|");
  Desk six(settings);
  six.session.connected("2001:db8::1");
  CHECK(six.says("220 x\r\n") == "EHLO [IPv6:2001:db8::1]|");
}

TEST_CASE("STARTTLS: the answers before it are forgotten, injected bytes end it, and there is no fallback") {
  SessionSettings settings = Desk::plain();
  settings.tls = TlsMode::starttls;
  Desk desk(settings);
  desk.waiting = {mail("1")};
  desk.session.connected("192.0.2.1");
  desk.says("220 x\r\n");
  SECTION("the handshake comes at once and EHLO is said again") {
    CHECK(desk.says("250-x\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 STARTTLS\r\n") == "STARTTLS|");
    CHECK(desk.says("220 go\r\n").empty());
    CHECK(desk.session.want() == Session::Want::start_tls);
    desk.session.tls_established();
    CHECK(desk.sent() == "EHLO invited.example|");
    // What was offered in the clear does not count any more.
    CHECK(desk.says("250 x\r\n") == "MAIL FROM:<us@example.com>|");
  }
  SECTION("bytes behind the answer to STARTTLS") {
    desk.says("250-x\r\n250 STARTTLS\r\n");
    CHECK(desk.says("220 go\r\n250-injected\r\n").empty());
    CHECK(desk.closed());
    CHECK(desk.session.failure().detail.find("tampering") != std::string::npos);
    CHECK(desk.taken == 0);
  }
  SECTION("an answer to EHLO before it is asked") {
    Desk eager(settings);
    eager.session.connected("192.0.2.1");
    CHECK(eager.says("220 x\r\n250 injected\r\n").find("EHLO") != std::string::npos);
    CHECK(eager.closed());
    CHECK(eager.session.failure().detail ==
          "relay.example:25: it answered 250 before it was asked; it is tried again by itself.");
  }
  SECTION("not offered") {
    CHECK(desk.says("250-x\r\n250 PIPELINING\r\n").empty());
    CHECK(desk.closed());
    CHECK(desk.session.failure().detail ==
          "relay.example:25: it does not offer STARTTLS, and TLS is required; use a server that does, an smtps:// URL, "
          "or, if "
          "the network in between is yours, \"starttls: never\".");
  }
  SECTION("refused") {
    desk.says("250-x\r\n250 STARTTLS\r\n");
    CHECK(desk.says("454 TLS not available\r\n").empty());
    CHECK(desk.closed());
    CHECK(desk.session.failure().scope == Scope::transport);
  }
  CHECK(desk.happened().empty());
}

TEST_CASE("421 at any time: the message goes back, an answered one keeps its answer") {
  Desk desk;
  desk.settles_at_once = true;
  desk.open();
  desk.waiting = {mail("1"), mail("2")};
  desk.session.poke();
  desk.sent();
  SECTION("to MAIL") {
    desk.says("421 4.3.2 bye\r\n");
    CHECK(desk.happened() == "1 back");
  }
  SECTION("to RCPT") {
    desk.says("250 Ok\r\n421 bye\r\n");
    CHECK(desk.happened() == "1 back");
  }
  SECTION("to DATA") {
    desk.says("250 Ok\r\n250 Ok\r\n421 bye\r\n");
    CHECK(desk.happened() == "1 back");
  }
  SECTION("to the final dot: not taken, and the follower goes back") {
    desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n");
    desk.says("421 bye\r\n");
    CHECK(desk.happened() == "1 retry/transport, 2 back");
  }
  SECTION("to the follower's MAIL") {
    desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n");
    desk.says("250 queued\r\n421 bye\r\n");
    CHECK(desk.happened() == "1 accepted, 2 back");
  }
  CHECK(desk.closed());
  CHECK(desk.session.failure().scope == Scope::transport);
}

TEST_CASE("a connection that goes: before the dot the message goes back, after it nobody knows") {
  Desk desk;
  desk.settles_at_once = true;
  desk.open();
  desk.waiting = {mail("1"), mail("2")};
  desk.session.poke();
  desk.sent();
  SECTION("before DATA is answered") {
    desk.says("250 Ok\r\n");
    desk.session.lost("the connection was reset");
    CHECK(desk.happened() == "1 back");
  }
  SECTION("with the dot queued but not handed to the socket") {
    desk.session.received("250 Ok\r\n250 Ok\r\n354 go\r\n");
    desk.session.lost("the connection was reset");
    CHECK(desk.happened() == "1 back, 2 back");
    CHECK(desk.detail == "relay.example:25: the connection was reset; it is tried again by itself.");
  }
  SECTION("with the dot out") {
    desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n");
    desk.session.lost("the connection was reset");
    CHECK(desk.happened() == "1 unknown, 2 back");
  }
  SECTION("with the dot answered") {
    desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n");
    desk.says("250 queued\r\n");
    desk.session.lost("the connection was reset");
    CHECK(desk.happened() == "1 accepted, 2 back");
  }
  SECTION("no answer to the dot in time, nobody prepared behind it") {
    desk.waiting.clear();
    desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n");
    CHECK(desk.session.wait().phase == Phase::dot);
    CHECK(desk.session.wait().limit == 600s);
    desk.session.timed_out();
    CHECK(desk.happened() == "1 unknown");
    CHECK(desk.detail ==
          "relay.example:25: no answer to end of message within 600 s after the whole message was sent: it may have "
          "been taken.");
  }
  CHECK(desk.closed());
}

TEST_CASE("a refused dot: RSET before the next MAIL, or the mail behind it goes back when the server is out of step") {
  Desk desk;
  desk.settles_at_once = true;
  desk.open();
  desk.waiting = {mail("1")};
  desk.session.poke();
  desk.sent();
  desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n");
  SECTION("nothing behind it") {
    desk.says("554 5.7.1 no\r\n");
    desk.waiting = {mail("2")};
    desk.session.poke();
    CHECK(desk.sent() == "RSET|" + envelope("2"));
    CHECK(desk.happened() == "1 rejected");
    return;
  }
  desk.waiting = {mail("2"), mail("3")};
  desk.session.poke();
  CHECK(desk.sent() == envelope("2"));
  CHECK(desk.says("450 4.7.1 later\r\n").empty());
  SECTION("a server that ended the transaction") {
    CHECK(desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n") == content("2") + envelope("3"));
    CHECK(desk.happened() == "1 retry");
    return;
  }
  CHECK(desk.says("503 5.5.1 nested MAIL command\r\n250 Ok\r\n").empty());
  CHECK(desk.happened() == "1 retry, 2 back");
  CHECK(desk.last_parting == Parting::blameless);
  SECTION("and it wants the content: not even a lone dot, it would go to 1") {
    CHECK(desk.says("354 go\r\n").empty());
    CHECK(desk.closed());
  }
  SECTION("and it does not: QUIT") {
    CHECK(desk.says("554 5.5.1 no\r\n") == "QUIT|");
    desk.says("221 bye\r\n");
    CHECK(desk.closed());
  }
  CHECK(desk.session.failure().outcome == Outcome::accepted);
  CHECK(desk.taken == 2);
}

TEST_CASE("a large message is not unknown while its dot has not been handed to the socket") {
  Desk desk;
  desk.settles_at_once = true;
  desk.open("250-x\r\n250 PIPELINING\r\n");
  std::string body;
  for (int i = 0; i < 20'000; ++i) body += "0123456789\r\n";
  desk.waiting = {mail("1", body)};
  desk.session.poke();
  desk.sent();
  desk.session.received("250 Ok\r\n250 Ok\r\n354 go\r\n");
  const std::string_view piece = desk.session.chunk();
  CHECK(piece.size() == 64 * 1024);
  desk.session.wrote(piece.size());
  SECTION("lost: it goes back") {
    desk.session.lost("the connection was reset");
    CHECK(desk.happened() == "1 back");
  }
  SECTION("refused in the middle: that is the verdict, and the connection ends") {
    desk.session.received("552 5.3.4 too big\r\n");
    CHECK(desk.happened() == "1 rejected");
    CHECK(desk.closed());
  }
  SECTION("accepted in the middle: a lie") {
    desk.session.received("250 queued\r\n");
    CHECK(desk.happened() == "1 back");
    CHECK(desk.closed());
  }
}

TEST_CASE("a dot that takes long does not hold up the mail behind it") {
  Desk desk;
  desk.settles_at_once = true;
  desk.open();
  desk.waiting = {mail("1"), mail("2")};
  desk.session.poke();
  desk.sent();
  desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n");
  CHECK(desk.session.wait().limit == 10s);
  desk.session.timed_out();
  CHECK(desk.happened() == "2 released");
  CHECK(desk.session.wait().limit == 600s);
  CHECK_FALSE(desk.session.can_begin());
  // The transaction of 2 stands open at the server: the connection ends with the answer for 1, and 2's dot is never
  // sent.
  CHECK(desk.says("250 queued\r\n250 Ok\r\n250 Ok\r\n354 go\r\n").empty());
  CHECK(desk.happened() == "1 accepted");
  CHECK(desk.closed());
}

TEST_CASE("garbage, answers out of turn and nonsense end the connection in the state the messages are in") {
  struct Case {
    const char* before;  // answers that make sense
    const char* bytes;
    const char* expected;
  };
  static const Case CASES[] = {
      {"", "garbage\r\n", "1 back"},
      {"", "354 go\r\n", "1 back"},
      {"250 Ok\r\n", "354 go\r\n", "1 back"},
      {"250 Ok\r\n250 Ok\r\n", "250 Ok\r\n", "1 back"},
      {"250 Ok\r\n250 Ok\r\n354 go\r\n", "garbage\r\n", "1 unknown, 2 back"},
      {"250 Ok\r\n250 Ok\r\n354 go\r\n", "354 again\r\n", "1 unknown, 2 back"},
      {"250 Ok\r\n250 Ok\r\n354 go\r\n", "250-a\r\n550 b\r\n", "1 unknown, 2 back"},
      {"250 Ok\r\n250 Ok\r\n354 go\r\n", "250 one\r\n250 one too many\r\n250 Ok\r\n250 Ok\r\n354 go\r\n",
       "1 accepted, 2 back"},
      {"250 Ok\r\n250 Ok\r\n354 go\r\n", "250 queued\r\n250 Ok\r\n250 Ok\r\n354 go\r\n250 I know it\r\n",
       "1 accepted, 2 back"},
  };
  for (const Case& c : CASES) {
    Desk desk;
    desk.settles_at_once = true;
    desk.open();
    desk.waiting = {mail("1"), mail("2")};
    desk.session.poke();
    desk.sent();
    desk.says(c.before);
    desk.says(c.bytes);
    INFO(c.before << " then " << c.bytes);
    CHECK(desk.happened() == c.expected);
    CHECK(desk.closed());
  }
  Desk endless;
  endless.open();
  endless.waiting = {mail("1")};
  endless.session.poke();
  endless.sent();
  endless.session.received("250-" + std::string(2'000'000, 'x'));
  CHECK(endless.happened() == "1 back");
  CHECK(endless.detail == "relay.example:25: it sent an answer of more than 64 KiB; it is tried again by itself.");
}

TEST_CASE("what a message needs and the server lacks is said before a byte of it is sent") {
  Desk desk;
  desk.open("250-x\r\n250 SIZE 100\r\n");
  auto utf8 = mail("1");
  utf8->to = "\xc3\xa5sa@example.org";
  REQUIRE_FALSE(inspect(*utf8));
  desk.waiting = {utf8, mail("2", "\xc3\xa5\r\n"), mail("3", std::string(500, 'x') + "\r\n")};
  desk.session.poke();
  CHECK(desk.sent().empty());
  CHECK(desk.happened() == "1 refused, 2 refused, 3 refused");
  CHECK(desk.detail == "relay.example:25 takes messages of at most 100 octets, this one has 516.");
  CHECK(desk.last.outcome == Outcome::rejected);

  Desk able;
  able.open();
  able.waiting = {utf8};
  able.session.poke();
  CHECK(able.sent() == "MAIL FROM:<us@example.com> SIZE=21 SMTPUTF8|RCPT TO:<\xc3\xa5sa@example.org>|DATA|");
  Desk eight;
  eight.open();
  eight.waiting = {mail("2", "\xc3\xa5\r\n")};
  eight.session.poke();
  CHECK(eight.sent() == "MAIL FROM:<us@example.com> SIZE=18 BODY=8BITMIME|RCPT TO:<2@example.org>|DATA|");
}

TEST_CASE("after so many messages the connection is ended politely") {
  SessionSettings settings = Desk::plain();
  settings.max_messages = 2;
  Desk desk(settings);
  desk.settles_at_once = true;
  desk.open();
  desk.waiting = {mail("1"), mail("2"), mail("3")};
  desk.session.poke();
  desk.sent();
  desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n");
  CHECK(desk.says("250 Ok\r\n250 Ok\r\n250 Ok\r\n354 go\r\n") == content("2"));
  CHECK(desk.says("250 queued\r\n") == "QUIT|");
  CHECK(desk.happened() == "1 accepted, 2 accepted");
  CHECK(desk.taken == 2);
  desk.says("221 bye\r\n");
  CHECK(desk.closed());
  CHECK(desk.session.failure().outcome == Outcome::accepted);
}

TEST_CASE("an idle connection ends without a word of failure, whoever ends it") {
  Desk ours;
  ours.open();
  CHECK(ours.session.wait().phase == Phase::idle);
  ours.session.timed_out();
  CHECK(ours.sent() == "QUIT|");
  ours.session.timed_out();
  CHECK(ours.closed());
  CHECK(ours.session.failure().outcome == Outcome::accepted);
  Desk theirs;
  theirs.open();
  theirs.says("421 4.4.2 timeout\r\n");
  CHECK(theirs.closed());
  CHECK(theirs.session.failure().outcome == Outcome::accepted);
  Desk busy;
  busy.open();
  busy.says("451 4.4.2 timeout, closing\r\n");
  CHECK(busy.closed());
  CHECK(busy.session.failure().outcome == Outcome::accepted);
  Desk gone;
  gone.open();
  gone.session.lost("the server closed the connection");
  CHECK(gone.session.failure().outcome == Outcome::accepted);
}

TEST_CASE("stopping: what has no dot goes back, a dot that is out is waited for") {
  Desk desk;
  desk.settles_at_once = true;
  desk.open();
  desk.waiting = {mail("1"), mail("2")};
  desk.session.poke();
  desk.sent();
  SECTION("envelope only") {
    desk.session.abandon();
    CHECK(desk.happened() == "1 back");
    CHECK(desk.closed());
  }
  SECTION("dot out") {
    desk.says("250 Ok\r\n250 Ok\r\n354 go\r\n");
    desk.session.abandon();
    CHECK(desk.happened() == "2 released");
    CHECK_FALSE(desk.closed());
    desk.says("250 queued\r\n");
    CHECK(desk.happened() == "1 accepted");
    CHECK(desk.closed());
  }
}

TEST_CASE("a probe greets, says NOOP and quits without a mail") {
  Desk desk(Session::Purpose::probe);
  desk.session.connected("192.0.2.1");
  desk.says("220 x\r\n");
  CHECK(desk.says(EHLO_ALL) == "NOOP|");
  CHECK(desk.says("250 Ok\r\n") == "QUIT|");
  desk.says("221 bye\r\n");
  CHECK(desk.closed());
  CHECK(desk.session.failure().outcome == Outcome::accepted);
  CHECK(desk.session.summary() == "ESMTP, clear text, PIPELINING, 8BITMIME, SMTPUTF8, SIZE 10000");
}

// ---- login

namespace {

std::string base64(std::string_view text) {
  char* out = nullptr;
  std::size_t size = 0;
  REQUIRE(gsasl_base64_to(text.data(), text.size(), &out, &size) == GSASL_OK);
  std::string result(out, size);
  gsasl_free(out);
  return result;
}

// The server's half of a SASL login.
class SaslServer {
public:
  SaslServer(const char* mechanism, std::string password) : password_(std::move(password)) {
    REQUIRE(gsasl_init(&context_) == GSASL_OK);
    gsasl_callback_hook_set(context_, this);
    gsasl_callback_set(context_, [](Gsasl* context, Gsasl_session* session, Gsasl_property property) -> int {
      auto* self = static_cast<SaslServer*>(gsasl_callback_hook_get(context));
      if (property != GSASL_PASSWORD) return GSASL_NO_CALLBACK;
      return gsasl_property_set(session, GSASL_PASSWORD, self->password_.c_str());
    });
    REQUIRE(gsasl_server_start(context_, mechanism, &session_) == GSASL_OK);
  }
  ~SaslServer() {
    gsasl_finish(session_);
    gsasl_done(context_);
  }
  int step(const std::string& in, std::string& out) {
    char* raw = nullptr;
    const int result = gsasl_step64(session_, in.c_str(), &raw);
    out = raw == nullptr ? "" : raw;
    gsasl_free(raw);
    return result;
  }

private:
  std::string password_;
  Gsasl* context_ = nullptr;
  Gsasl_session* session_ = nullptr;
};

SessionSettings with_login(bool protected_line = true) {
  SessionSettings settings = Desk::plain();
  settings.username = "invited";
  settings.password = [] { return std::optional<std::string>("pencil"); };
  settings.clear_text_auth = protected_line;
  return settings;
}

std::string offer(const char* mechanisms) {
  return "250-x\r\n250-PIPELINING\r\n250 AUTH " + std::string(mechanisms) + "\r\n";
}

std::string line(std::string text) {
  REQUIRE(text.ends_with('|'));
  text.pop_back();
  return text;
}

// Logs in by SCRAM at a server that knows `password`; returns what the session did last.
void scram(Desk& desk, const char* mechanism, const std::string& password) {
  desk.session.connected("192.0.2.1");
  desk.says("220 x\r\n");
  const std::string first = line(desk.says(offer("LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256")));
  const std::string command = "AUTH " + std::string(mechanism) + ' ';
  REQUIRE(first.starts_with(command));
  SaslServer server(mechanism, password);
  std::string challenge;
  REQUIRE(server.step(first.substr(command.size()), challenge) == GSASL_NEEDS_MORE);
  const std::string second = line(desk.says("334 " + challenge + "\r\n"));
  const int result = server.step(second, challenge);
  if (result != GSASL_OK) {
    desk.says("535 5.7.8 no\r\n");
    return;
  }
  CHECK(desk.says("334 " + challenge + "\r\n") == "|");
  desk.says("235 2.7.0 welcome\r\n");
}

}  // namespace

TEST_CASE("SCRAM-SHA-256 is taken before everything else and proves both sides") {
  Desk desk(with_login());
  scram(desk, "SCRAM-SHA-256", "pencil");
  CHECK(desk.session.ready());
  CHECK(desk.session.summary() == "ESMTP, clear text, AUTH SCRAM-SHA-256, PIPELINING");
}

TEST_CASE("a wrong password pauses the transport and says what to check") {
  Desk desk(with_login());
  desk.waiting = {mail("1")};
  scram(desk, "SCRAM-SHA-256", "other");
  CHECK(desk.closed());
  CHECK(desk.happened().empty());
  CHECK(desk.session.failure().scope == Scope::transport);
  CHECK(desk.session.failure().detail ==
        "relay.example:25 answered 535 5.7.8 to AUTH: \"no\". Check the user name and the password credential of this "
        "transport.");
}

TEST_CASE("a server that cannot prove that it knows the password is not believed") {
  Desk desk(with_login());
  desk.session.connected("192.0.2.1");
  desk.says("220 x\r\n");
  desk.says(offer("SCRAM-SHA-256"));
  SECTION("it just says yes") {
    desk.says("235 welcome\r\n");
    CHECK(desk.session.failure().detail ==
          "relay.example:25: the server accepted the login without proving that it knows the password.");
  }
  SECTION("it sends nonsense") {
    CHECK(desk.says("334 " + base64("r=evil,s=eA==,i=1") + "\r\n").empty());
    CHECK(desk.session.failure().detail.find("is wrong") != std::string::npos);
  }
  SECTION("its proof is of another password") {
    SaslServer server("SCRAM-SHA-256", "pencil");
    CHECK(desk.says("334 !!!\r\n").empty());
  }
  CHECK(desk.closed());
  CHECK_FALSE(desk.session.was_ready());
}

TEST_CASE("PLAIN and LOGIN only where the password cannot be read on the way") {
  SECTION("PLAIN on a protected line") {
    Desk desk(with_login());
    desk.session.connected("192.0.2.1");
    desk.says("220 x\r\n");
    CHECK(desk.says(offer("LOGIN PLAIN")) == "AUTH PLAIN " + base64(std::string_view("\0invited\0pencil", 15)) + "|");
    desk.says("235 ok\r\n");
    CHECK(desk.session.ready());
  }
  SECTION("LOGIN where there is nothing else") {
    Desk desk(with_login());
    desk.session.connected("192.0.2.1");
    desk.says("220 x\r\n");
    CHECK(desk.says(offer("login")) == "AUTH LOGIN|");
    CHECK(desk.says("334 " + base64("User Name") + "\r\n") == base64("invited") + "|");
    CHECK(desk.says("334 " + base64("Password") + "\r\n") == base64("pencil") + "|");
    desk.says("235 ok\r\n");
    CHECK(desk.session.ready());
  }
  SECTION("not in clear text") {
    Desk desk(with_login(false));
    desk.session.connected("192.0.2.1");
    desk.says("220 x\r\n");
    CHECK(desk.says(offer("LOGIN PLAIN CRAM-MD5")).empty());
    CHECK(desk.closed());
    CHECK(desk.session.failure().detail ==
          "relay.example:25: a user name is configured, but the server offers only LOGIN PLAIN CRAM-MD5; without TLS "
          "only SCRAM "
          "may be used, the password would be readable on the way.");
  }
  SECTION("an endless dialogue is ended") {
    Desk desk(with_login());
    desk.session.connected("192.0.2.1");
    desk.says("220 x\r\n");
    desk.says(offer("PLAIN"));
    for (int i = 0; i < 20 && !desk.closed(); ++i) desk.says("334 \r\n");
    CHECK(desk.closed());
  }
  SECTION("no password to be had") {
    SessionSettings settings = with_login();
    settings.password = [] { return std::nullopt; };
    Desk desk(settings);
    desk.session.connected("192.0.2.1");
    desk.says("220 x\r\n");
    CHECK(desk.says(offer("PLAIN")).empty());
    CHECK(desk.session.failure().detail == "relay.example:25: the password credential cannot be read.");
  }
}

TEST_CASE("a server that offers SCRAM and refuses it gets PLAIN, under TLS only") {
  for (const char* refusal : {"504 5.5.4 mechanism not available\r\n", "535 5.7.8 no\r\n"}) {
    for (const bool under_tls : {true, false}) {
      INFO(refusal << under_tls);
      SessionSettings settings = with_login();
      if (under_tls) settings.tls = TlsMode::implicit;
      Desk desk(settings);
      desk.session.connected("192.0.2.1");
      desk.says("220 x\r\n");
      REQUIRE(desk.says(offer("SCRAM-SHA-256 SCRAM-SHA-1 PLAIN")).starts_with("AUTH SCRAM-SHA-256 "));
      const std::string next = desk.says(refusal);
      if (!under_tls) {
        CHECK(next.empty());
        CHECK(desk.closed());
        continue;
      }
      CHECK(next == "AUTH PLAIN " + base64(std::string_view("\0invited\0pencil", 15)) + "|");
      SECTION("good") {
        desk.says("235 ok\r\n");
        CHECK(desk.session.ready());
      }
      SECTION("refused as well: that is the end") {
        CHECK(desk.says("535 5.7.8 no\r\n").empty());
        CHECK(desk.closed());
      }
    }
  }
}

TEST_CASE("the old way to offer a login is understood") {
  Desk desk(with_login());
  desk.session.connected("192.0.2.1");
  desk.says("220 x\r\n");
  CHECK(desk.says("250-x\r\n250 AUTH=PLAIN LOGIN\r\n").starts_with("AUTH PLAIN "));
}

// ---- everything at random

TEST_CASE("whatever a server says, every message comes back once, and only an answered or unanswered dot is final") {
  static const char* const SAYINGS[] = {
      "250 Ok\r\n",       "250 Ok\r\n",  "250 Ok\r\n",  "354 go\r\n",   "354 go\r\n", "550 5.1.1 no\r\n",
      "451 later\r\n",    "421 bye\r\n", "garbage\r\n", "250-more\r\n", "2",          "50 Ok\r\n",
      "503 sequence\r\n", "\r\n",        "235 hm\r\n"};
  std::minstd_rand random(11);
  int finals = 0;
  for (int round = 0; round < 20'000; ++round) {
    Desk desk;
    desk.settles_at_once = random() % 2 == 0;
    desk.open(random() % 2 == 0 ? EHLO_ALL : "250 x\r\n");
    for (const char* id : {"1", "2", "3"}) desk.waiting.push_back(mail(id));
    desk.session.poke();
    std::string wire = desk.sent();
    std::string events;
    for (int step = 0; step < 25 && !desk.closed(); ++step) {
      const unsigned dice = random() % 40;
      if (dice == 0) {
        desk.session.timed_out();
      } else if (dice == 1) {
        desk.session.lost("reset");
      } else if (dice < 8 && !desk.unsettled.empty()) {
        desk.settle(*desk.unsettled.begin());
      } else {
        const bool sensible = random() % 8 != 0;
        const char* fitting = desk.session.wait().phase == Phase::data ? "354 go\r\n" : "250 Ok\r\n";
        desk.session.received(sensible ? fitting : SAYINGS[random() % std::size(SAYINGS)]);
      }
      const std::size_t open_outcomes = desk.unsettled.size();
      const std::string more = desk.sent();
      if (open_outcomes != 0) REQUIRE(more.find("hello|.|") == std::string::npos);
      wire += more;
      events += desk.happened();
    }
    desk.session.lost("end");
    events += desk.happened();
    REQUIRE(desk.held.empty());
    int accepted = 0;
    for (std::size_t at = events.find("accepted"); at != std::string::npos; at = events.find("accepted", at + 1))
      ++accepted;
    int dots = 0;
    for (std::size_t at = wire.find("hello|.|"); at != std::string::npos; at = wire.find("hello|.|", at + 1)) ++dots;
    REQUIRE(accepted <= dots);
    finals += accepted;
  }
  CHECK(finals > 10'000);
}
