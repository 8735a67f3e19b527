#include "smtp_verdict.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace invited::smtp;

namespace {

Reply reply(std::string_view text) {
  ReplyParser parser;
  parser.feed(std::string(text) + "\r\n");
  REQUIRE(parser.state() == ReplyParser::State::complete);
  return parser.reply();
}

struct Case {
  Phase phase;
  const char* answer;
  Outcome outcome;
  Scope scope;
};

constexpr Scope M = Scope::message;
constexpr Scope T = Scope::transport;

}  // namespace

TEST_CASE("the phase of the dialogue decides what an answer means") {
  static const Case CASES[] = {
      // Accepted.
      {Phase::dot, "250 2.0.0 Ok: queued as 4F2", Outcome::accepted, M},
      {Phase::dot, "250", Outcome::accepted, M},
      {Phase::data, "354 go on", Outcome::accepted, M},
      {Phase::rcpt, "251 will forward", Outcome::accepted, M},
      // About us: nobody's invitation fails.
      {Phase::greeting, "554 5.7.1 no service for you", Outcome::retry, T},
      {Phase::greeting, "421 busy", Outcome::retry, T},
      {Phase::greeting, "450 later", Outcome::retry, T},
      {Phase::hello, "550 5.7.1 bad name", Outcome::retry, T},
      {Phase::hello, "504 5.5.2 helo command rejected", Outcome::retry, T},
      {Phase::starttls, "454 TLS not available", Outcome::retry, T},
      {Phase::starttls, "501 syntax", Outcome::retry, T},
      {Phase::auth, "535 5.7.8 bad credentials", Outcome::retry, T},
      {Phase::auth, "454 4.7.0 later", Outcome::retry, T},
      {Phase::auth, "534 5.7.9 too weak", Outcome::retry, T},
      {Phase::mail, "550 5.1.8 bad sender", Outcome::retry, T},
      {Phase::mail, "550 5.7.1 not allowed", Outcome::retry, T},
      {Phase::mail, "530 5.7.0 authentication required", Outcome::retry, T},
      {Phase::mail, "503 bad sequence", Outcome::retry, T},
      {Phase::mail, "452 4.3.1 out of space", Outcome::retry, T},
      {Phase::mail, "451 4.7.1 slow down", Outcome::retry, T},
      // MAIL also names size and bytes: that is the message's.
      {Phase::mail, "552 5.3.4 too big", Outcome::rejected, M},
      {Phase::mail, "552 message size exceeds limit", Outcome::rejected, M},
      {Phase::mail, "550 5.6.7 SMTPUTF8 needed", Outcome::rejected, M},
      // About the recipient.
      {Phase::rcpt, "550 5.1.1 user unknown", Outcome::rejected, M},
      {Phase::rcpt, "550 no such user", Outcome::rejected, M},
      {Phase::rcpt, "500 5.3.0 Error: command failed", Outcome::rejected, M},
      {Phase::rcpt, "552 5.2.2 mailbox full", Outcome::rejected, M},
      {Phase::rcpt, "550 5.4.1 recipient address rejected: access denied", Outcome::rejected, M},
      {Phase::rcpt, "550 5.7.1 <x@client host.example>: recipient address rejected", Outcome::rejected, M},
      {Phase::rcpt, "501 5.1.3 bad address", Outcome::rejected, M},
      {Phase::rcpt, "553 mailbox name not allowed", Outcome::rejected, M},
      {Phase::rcpt, "521 host does not accept mail", Outcome::rejected, M},
      {Phase::rcpt, "450 4.2.0 greylisted", Outcome::retry, M},
      {Phase::rcpt, "450 4.7.1 greylisted", Outcome::retry, M},
      {Phase::rcpt, "451 4.3.0 temporary lookup failure", Outcome::retry, M},
      {Phase::rcpt, "452 4.2.2 mailbox full", Outcome::retry, M},
      {Phase::rcpt, "450 mailbox busy", Outcome::retry, M},
      // At RCPT, and yet about us or the server.
      {Phase::rcpt, "421 4.7.0 too many", Outcome::retry, T},
      {Phase::rcpt, "452 4.3.1 insufficient storage", Outcome::retry, T},
      {Phase::rcpt, "451 4.3.2 not accepting", Outcome::retry, T},
      {Phase::rcpt, "530 5.7.0 must issue a STARTTLS command first", Outcome::retry, T},
      {Phase::rcpt, "550 5.7.0 authentication needed", Outcome::retry, T},
      {Phase::rcpt, "554 5.7.1 <a@b.example>: Relay access denied", Outcome::retry, T},
      {Phase::rcpt, "454 4.7.1 <a@b.example>: Relay access denied", Outcome::retry, T},
      {Phase::rcpt, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using list.example", Outcome::retry,
       T},
      {Phase::rcpt, "550 5.1.8 <s@x.example>: Sender address rejected: Domain not found", Outcome::retry, T},
      {Phase::rcpt, "503 5.5.1 need MAIL", Outcome::retry, T},
      {Phase::rcpt, "502 not implemented", Outcome::retry, T},
      {Phase::rcpt, "554 5.7.1 <relay access denied@b.example>: no such user", Outcome::rejected, M},
      // DATA.
      {Phase::data, "554 5.7.1 policy", Outcome::rejected, M},
      {Phase::data, "451 4.3.0 try later", Outcome::retry, M},
      {Phase::data, "503 5.5.1 improper pipelining", Outcome::retry, T},
      {Phase::data, "421 bye", Outcome::retry, T},
      {Phase::data, "250 what", Outcome::retry, T},
      // The content.
      {Phase::dot, "550 5.7.1 looks like spam", Outcome::rejected, M},
      {Phase::dot, "554 transaction failed", Outcome::rejected, M},
      {Phase::dot, "552 5.3.4 too big", Outcome::rejected, M},
      {Phase::dot, "552 5.2.2 mailbox full", Outcome::rejected, M},
      {Phase::dot, "550 5.7.26 unauthenticated sender", Outcome::retry, T},
      {Phase::dot, "451 4.6.0 try later", Outcome::retry, M},
      {Phase::dot, "452 4.3.1 disk full", Outcome::retry, T},
      {Phase::dot, "421 4.3.2 shutting down", Outcome::retry, T},
      {Phase::dot, "354 what", Outcome::unknown, M},
      // Refusals of us that big servers give where they give any: at RCPT or at the dot.
      {Phase::rcpt, "550 5.7.1 Client host rejected: Access denied", Outcome::retry, T},
      {Phase::dot, "554 5.7.1 <x[192.0.2.1]>: Client host rejected: Access denied", Outcome::retry, T},
      {Phase::rcpt, "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", Outcome::retry, T},
      {Phase::dot, "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP", Outcome::retry,
       T},
      {Phase::rcpt, "550 5.7.708 Access denied", Outcome::retry, T},
      {Phase::dot, "554 5.2.252 SendAsDenied; us not allowed to send as him", Outcome::retry, T},
      {Phase::dot, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", Outcome::retry, T},
      {Phase::dot, "550 The from address does not match a verified Sender Identity.", Outcome::retry, T},
      {Phase::rcpt, "550 5.4.5 Daily user sending limit exceeded.", Outcome::retry, T},
      {Phase::dot, "550 5.4.5 Daily user sending limit exceeded.", Outcome::retry, T},
      {Phase::dot, "550 Daily user sending limit exceeded", Outcome::retry, T},
      {Phase::dot, "550 5.7.1 <client host rejected@b.example>: no such user", Outcome::rejected, M},
  };
  for (const Case& c : CASES) {
    const Verdict verdict = judge(c.phase, reply(c.answer));
    INFO(name_of(c.phase) << ": " << c.answer << " gave " << name_of(verdict.outcome));
    CHECK(verdict.outcome == c.outcome);
    CHECK(verdict.scope == c.scope);
    CHECK(verdict.phase == c.phase);
  }
}

TEST_CASE("in no phase does a 4xx or a 421 fail an invitation, and none about us does") {
  for (int p = static_cast<int>(Phase::greeting); p <= static_cast<int>(Phase::quit); ++p) {
    const auto phase = static_cast<Phase>(p);
    for (int code = 400; code < 600; ++code) {
      for (const char* enhanced : {"", "1.1", "1.8", "2.2", "3.1", "3.4", "5.1", "7.0", "7.1", "7.8", "7.26"}) {
        std::string text = std::to_string(code) + ' ';
        if (*enhanced != '\0') text += std::to_string(code / 100) + '.' + enhanced + ' ';
        const Verdict verdict = judge(phase, reply(text + "words"));
        INFO(name_of(phase) << ": " << text);
        CHECK(verdict.outcome != Outcome::accepted);
        CHECK(verdict.outcome != Outcome::unknown);
        if (code < 500) CHECK(verdict.outcome == Outcome::retry);
        if (code == 421) CHECK(verdict.scope == Scope::transport);
        if (verdict.outcome == Outcome::rejected) CHECK(verdict.scope == Scope::message);
        if (verdict.outcome == Outcome::retry) CHECK(verdict.retry_after_s > 0);
        if (phase < Phase::mail) CHECK(verdict.scope == Scope::transport);
      }
    }
  }
}

TEST_CASE("a lost connection is retried before the final dot and unknown after it") {
  for (const Phase phase :
       {Phase::connect, Phase::greeting, Phase::auth, Phase::mail, Phase::rcpt, Phase::data, Phase::body}) {
    const Verdict verdict = no_answer("relay.example:25", phase, "the connection was reset");
    CHECK(verdict.outcome == Outcome::retry);
    CHECK(verdict.scope == Scope::transport);
  }
  const Verdict unknown = no_answer("relay.example:25", Phase::dot, "the connection was reset");
  CHECK(unknown.outcome == Outcome::unknown);
  CHECK(unknown.detail ==
        "relay.example:25: the connection was reset after the whole message was sent: it may have been taken.");
}

TEST_CASE("the operator reads which server, which phase, its words and what to do") {
  const auto say_of = [](Phase phase, const char* text) {
    const Reply r = reply(text);
    return say("relay.example:25", phase, r, judge(phase, r));
  };
  CHECK(say_of(Phase::rcpt, "550 5.1.1 <anna.berg@example.com>: User unknown") ==
        "relay.example:25 answered 550 5.1.1 to RCPT: \"<a***@example.com>: User unknown\". Check the address.");
  CHECK(say_of(Phase::auth, "535 5.7.8 Error: authentication failed") ==
        "relay.example:25 answered 535 5.7.8 to AUTH: \"Error: authentication failed\". Check the user name and the "
        "password "
        "credential of this transport.");
  CHECK(say_of(Phase::greeting, "554 go away") ==
        "relay.example:25 greeted with 554: \"go away\". The server does not want this host; check that it may send "
        "through it.");
  CHECK(say_of(Phase::dot, "250 2.0.0 Ok: queued as 4F2") ==
        "relay.example:25 answered 250 2.0.0 to end of message: \"Ok: queued as 4F2\".");
}

TEST_CASE("what the server quotes of a mail or a login does not get into a sentence or an id") {
  const auto say_of = [](Phase phase, const char* text) {
    const Reply r = reply(text);
    return say("r:25", phase, r, judge(phase, r));
  };
  CHECK(say_of(Phase::dot, "554 5.7.1 phishing: https://i.example/v/AbC_dEf-0123456789abcdefXYZ?x=1 see terms") ==
        "r:25 answered 554 5.7.1 to end of message: \"phishing: https://i.example/*** see terms\". The server does not "
        "want this message; its words say why.");
  CHECK(say_of(Phase::dot, "250 2.0.0 Ok AbC_dEf-0123456789abcdefXYZ").find("AbC") == std::string::npos);
  CHECK(say_of(Phase::auth, "535 5.7.8 authentication failed for AGludml0ZWQAcGVuY2ls").find("AGlu") ==
        std::string::npos);
  CHECK(say_of(Phase::auth, "535 5.7.8 not decoded: cGVuY2ls").find("cGVu") == std::string::npos);
  CHECK(
      judge(Phase::dot, reply("250 queued as https://i.example/v/AbC_dEf-0123456789abcdefXYZ")).remote_id.find("AbC") ==
      std::string::npos);
}

TEST_CASE("a server that is only busy at the login does not send anybody looking for the password") {
  for (const char* text : {"421 4.3.0 busy", "454 4.7.0 Temporary authentication failure", "432 4.7.12 later"}) {
    const Reply r = reply(text);
    const std::string sentence = say("r:25", Phase::auth, r, judge(Phase::auth, r));
    INFO(sentence);
    CHECK(sentence.find("password") == std::string::npos);
    CHECK(sentence.ends_with("It is tried again by itself."));
  }
}

TEST_CASE("the advice to a refusal about us names what to look at") {
  const auto say_of = [](Phase phase, const char* text) {
    const Reply r = reply(text);
    return say("r:25", phase, r, judge(phase, r));
  };
  CHECK(say_of(Phase::dot, "550 5.7.60 SMTP; Client does not have permissions to send as this sender")
            .ends_with("may send through the server, and with this sender address."));
  CHECK(say_of(Phase::dot, "550 5.4.5 Daily user sending limit exceeded.")
            .ends_with("The server takes no more from this login or host for now: its sending limit is reached."));
}

TEST_CASE("the server's name for a message is kept where it gives one") {
  CHECK(judge(Phase::dot, reply("250 2.0.0 Ok: queued as 4F2xyz")).remote_id == "4F2xyz");
  CHECK(judge(Phase::dot, reply("250 OK id=1abc-0002")).remote_id == "1abc-0002");
  CHECK(judge(Phase::dot, reply("250 fine")).remote_id.empty());
  CHECK(judge(Phase::dot, reply("250 Ok: queued as AbC_dEf-0123456789abcdefXYZ")).remote_id.empty());
}
