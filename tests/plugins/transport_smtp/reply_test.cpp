#include "smtp_reply.hpp"

#include <catch2/catch.hpp>

using namespace invited::smtp;

namespace {

using State = ReplyParser::State;

// Feeds `bytes` in pieces of `step` and collects what comes out, "code|line|line", or "broken: why".
std::vector<std::string> parse(std::string_view bytes, std::size_t step) {
  ReplyParser parser;
  std::vector<std::string> out;
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, step);
    bytes.remove_prefix(piece.size());
    while (!piece.empty()) {
      const std::size_t used = parser.feed(piece);
      piece.remove_prefix(used);
      if (parser.state() == State::broken) {
        out.push_back("broken: " + parser.fault());
        return out;
      }
      if (parser.state() == State::complete) {
        std::string text = parser.reply().code_text();
        for (const std::string& line : parser.reply().lines) text += '|' + line;
        out.push_back(text);
      }
    }
  }
  if (parser.partial()) out.push_back("partial");
  return out;
}

Reply one(std::string_view bytes) {
  ReplyParser parser;
  REQUIRE(parser.feed(bytes) == bytes.size());
  REQUIRE(parser.state() == State::complete);
  return parser.reply();
}

}  // namespace

TEST_CASE("replies come out the same however the bytes are cut") {
  const std::string bytes =
      "220 relay.example ESMTP\r\n250-relay.example\r\n250-PIPELINING\r\n250 SIZE 100\r\n250 2.1.0 Ok\r\n550-5.1.1 "
      "no\r\n"
      "550 5.1.1 user\r\n354\r\n421 \r\n";
  const std::vector<std::string> expected = {"220|relay.example ESMTP",
                                             "250|relay.example|PIPELINING|SIZE 100",
                                             "250 2.1.0|2.1.0 Ok",
                                             "550 5.1.1|5.1.1 no|5.1.1 user",
                                             "354|",
                                             "421|"};
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    INFO("pieces of " << step);
    REQUIRE(parse(bytes, step) == expected);
  }
}

TEST_CASE("what is no SMTP reply is named, not guessed") {
  CHECK(parse("HTTP/1.1 400 Bad Request\r\n", 7) ==
        std::vector<std::string>{"broken: something that is no SMTP answer: \"HTTP/1.1 400 Bad Request\""});
  for (const char* bad :
       {"\r\n", "25\r\n", "2x0 ok\r\n", "150 ok\r\n", "650 ok\r\n", "250+ok\r\n", "2500 ok\r\n", " 250 ok\r\n"}) {
    INFO(bad);
    CHECK(parse(bad, 3).at(0).starts_with("broken: something that is no SMTP answer"));
  }
  CHECK(parse("250-a\r\n251 b\r\n", 100) ==
        std::vector<std::string>{"broken: an answer whose lines disagree: 250 and 251"});
  CHECK(parse(std::string("\0\x16\x03\x01\r\n", 6), 100).at(0) == "broken: something that is no SMTP answer: \"????\"");
}

TEST_CASE("a line is cut at its limit, an endless reply is an error, and neither grows memory") {
  const Reply cut = one("250 " + std::string(20'000, 'x') + "\r\n");
  CHECK(cut.code == 250);
  CHECK(cut.lines.at(0).size() == ReplyParser::MAX_LINE - 4);

  ReplyParser line;
  const std::string piece(4096, 'x');
  std::size_t fed = line.feed("250 ");
  for (int i = 0; i < 512 && line.state() == State::reading; ++i) fed += line.feed(piece);
  CHECK(line.state() == State::broken);
  CHECK(fed <= ReplyParser::MAX_REPLY + piece.size() + 4);
  CHECK(line.fault() == "an answer of more than 64 KiB");
  CHECK(line.feed("250 ok\r\n") == 0);

  ReplyParser lines;
  int count = 0;
  for (; count < 100'000 && lines.state() == State::reading; ++count) lines.feed("250-more\r\n");
  CHECK(lines.state() == State::broken);
  CHECK(count < 7'000);
}

TEST_CASE("enhanced codes count only where they are well-formed and agree with the reply") {
  CHECK(one("550 5.1.1 x\r\n").enhanced == EnhancedCode{5, 1, 1});
  CHECK(one("550 5.7.123\r\n").enhanced == EnhancedCode{5, 7, 123});
  for (const char* none : {"550 4.1.1 x\r\n", "250 5.1.1 x\r\n", "550 5.1 x\r\n", "550 5.1.1234 x\r\n",
                           "550 5.1.1x\r\n", "550 5..1 x\r\n", "550 55.1.1 x\r\n", "354 3.0.0 x\r\n"}) {
    INFO(none);
    CHECK_FALSE(one(none).enhanced.present());
  }
}

TEST_CASE("a server's words are fit for a log") {
  CHECK(one("550-5.1.1 No such\x1b[31m user\r\n550 5.1.1 here\t \x07now\r\n").words() == "No such?[31m user here ?now");
  CHECK(one("550 a\xe2\x80\xae"
            "b\xff"
            "c\xc3\xa9\r\n")
            .words() == "a?b?c\xc3\xa9");
  CHECK(one("550 " + std::string(1000, 'y') + "\r\n").words(10) == "yyyyyyyyyy");
  CHECK(printable("\xc3\xa9\xc3\xa9\xc3\xa9", 5) == "\xc3\xa9\xc3\xa9");
}

TEST_CASE("addresses in a server's words are masked") {
  CHECK(mask_addresses("<anna.berg@example.com>: unknown") == "<a***@example.com>: unknown");
  CHECK(mask_addresses("a@b, c@d and @ and x@") == "a***@b, c***@d and @ and x@");
  CHECK(mask_addresses("\"anna berg\"@example.com no") == "\"***@example.com no");
  CHECK(mask_addresses("no address") == "no address");
  CHECK(mask_addresses("\xc3\xa5sa@example.com") == "\xc3\xa5***@example.com");
}

TEST_CASE("words that could give away a link or a login are masked, those that help an operator stay") {
  static const std::pair<const char*, const char*> CASES[] = {
      {"see https://invite.example/v/AbCdEf?x=1 now", "see https://invite.example/*** now"},
      {"(https://invite.example:8443?t=AbC)", "(https://invite.example:8443/***"},
      {"<http://u:p@h.example/x> http://h.example", "<http://h.example/***> http://h.example"},
      {"HTTPS://[2001:db8::1]/v/AbC", "HTTPS://[2001:db8::1]/***"},
      {"link invite.example/v/AbCdEfGhIjKlMnOpQrStUvWxYz refused", "link invite.*** refused"},
      {"token AbC_dEf-0123456789abcdefXYZ bad", "token *** bad"},
      {"0123456789abcdef0123", "***"},
      {"abcdefghijklmnopqrstuvwxyz", "***"},
      // Kept.
      {"queued as 4F2A09C1B2", "queued as 4F2A09C1B2"},
      {"queued as 4bXyz12AbCzQ3k", "queued as 4bXyz12AbCzQ3k"},
      {"id=1rABCd-00000000Xyz-1AbC", "***"},
      {"id 1rABCd-00000000Xyz-1AbC", "id 1rABCd-00000000Xyz-1AbC"},
      {"5.7.1 reject_unauth_destination, content-filter-and-more-words",
       "5.7.1 reject_unauth_destination, "
       "content-filter-and-more-words"},
      {"<anna.berg@example.com>: unknown", "<a***@example.com>: unknown"},
      {"mx1.mail.example.com said no", "mx1.mail.example.com said no"},
  };
  for (const auto& [text, expected] : CASES) CHECK(discreet(text) == expected);
  static const std::pair<const char*, const char*> AT_LOGIN[] = {
      {"Error: authentication failed", "Error: authentication failed"},
      {"Username and Password not accepted. SCRAM is off", "Username and Password not accepted. SCRAM is off"},
      {"bad: AGludml0ZWQAcGVuY2ls", "bad: ***"},
      {"bad: cGVuY2ls", "bad: ***"},
      {"bad: c2VjcmV0Cg==", "bad: ***"},
      {"user anna, secret hunter2", "user anna, secret ***"},
  };
  for (const auto& [text, expected] : AT_LOGIN) CHECK(discreet(text, true) == expected);
}
