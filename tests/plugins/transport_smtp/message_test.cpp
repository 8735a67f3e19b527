#include "smtp_message.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "smtp_url.hpp"

using namespace invited::smtp;

namespace {

Message mail(std::string bytes) {
  Message message;
  message.id = "1";
  message.from = "no-reply@example.com";
  message.to = "anna@example.com";
  message.bytes = std::move(bytes);
  return message;
}

std::string refusal(std::string bytes) {
  Message message = mail(std::move(bytes));
  return inspect(message).value_or("");
}

std::string stuffed(std::string_view bytes) {
  std::string out;
  append_stuffed(out, bytes);
  return out;
}

// The receiver's side of RFC 5321 §4.5.2.
std::string unstuffed(std::string_view bytes) {
  std::string out;
  bool line_start = true;
  for (const char c : bytes) {
    if (!(line_start && c == '.')) out += c;
    line_start = c == '\n';
  }
  return out;
}

}  // namespace

TEST_CASE("a bare CR or LF anywhere keeps the message off the wire") {
  CHECK(refusal("A: b\r\n\r\nfine\r\n").empty());
  CHECK(refusal("A: b\r\n\r\nno end").empty());
  CHECK(refusal("A: b\r\n\r\nx\ny\r\n") == "the message has a bare LF in line 3; nothing was sent");
  CHECK(refusal("A: b\r\n\r\nx\ry\r\n") == "the message has a bare CR in line 3; nothing was sent");
  CHECK(refusal("A: b\r\n\r\nx\r\r\n") == "the message has a bare CR in line 3; nothing was sent");
  CHECK(refusal("A: b\r\n\r\nx\r") == "the message has a bare CR in line 3; nothing was sent");
  CHECK(refusal("\nA: b\r\n") == "the message has a bare LF in line 1; nothing was sent");
  CHECK(refusal("A: b\r\n\r\nx\n.\r\nMAIL FROM:<a@b>\r\n") == "the message has a bare LF in line 3; nothing was sent");
  CHECK(refusal("A: b\r\n\r\nx\r\n.\nMAIL FROM:<a@b>\r\n") == "the message has a bare LF in line 4; nothing was sent");
  CHECK(refusal("A: b\r\n\r\nx\r.\r\n") == "the message has a bare CR in line 3; nothing was sent");
}

TEST_CASE("other bytes that no mail may have are refused with their place") {
  CHECK(refusal("A: b\r\n\r\n" + std::string(998, 'x') + "\r\n").empty());
  CHECK(refusal("A: b\r\n\r\n" + std::string(999, 'x') + "\r\n") ==
        "the message has 999 octets in line 3, at most 998 are allowed; nothing was sent");
  CHECK(refusal(std::string("A: b\r\n\r\n\0x\r\n", 12)) == "the message has a NUL octet; nothing was sent");
  CHECK(refusal("") == "the message is empty; nothing was sent");
}

TEST_CASE("an address cannot carry a second command") {
  const auto with_to = [](std::string to) {
    Message message = mail("A: b\r\n\r\n");
    message.to = std::move(to);
    return inspect(message).value_or("");
  };
  CHECK(with_to("anna@example.com").empty());
  CHECK(with_to("\"anna berg>\"@example.com").empty());
  for (const std::string bad :
       {"a@b>\r\nRCPT TO:<c@d", "a@b> SIZE=1", "a b@c", "<a@b>", "a@b\n", "\"a@b", "\"a\\", "a@b\x7f"}) {
    INFO(bad);
    CHECK_FALSE(with_to(bad).empty());
  }
  CHECK(with_to("") == "the message has no recipient address; nothing was sent");
  CHECK(with_to("anna") == "the message has no recipient address; nothing was sent");
}

TEST_CASE("what a message needs of the server is seen in its bytes") {
  Message ascii = mail("A: b\r\n\r\nx\r\n");
  CHECK_FALSE(inspect(ascii));
  CHECK_FALSE(ascii.eight_bit);
  CHECK_FALSE(ascii.smtputf8);
  Message body = mail("A: b\r\n\r\n\xc3\xa5\r\n");
  CHECK_FALSE(inspect(body));
  CHECK(body.eight_bit);
  CHECK_FALSE(body.smtputf8);
  Message header = mail("A: \xc3\xa5\r\n\r\nx\r\n");
  CHECK_FALSE(inspect(header));
  CHECK(header.smtputf8);
  Message address = mail("A: b\r\n\r\nx\r\n");
  address.to = "\xc3\xa5sa@example.com";
  CHECK_FALSE(inspect(address));
  CHECK(address.smtputf8);
}

TEST_CASE("dot-stuffing is undone by a receiver to the same bytes") {
  CHECK(stuffed(".\r\n") == "..\r\n");
  CHECK(stuffed("a\r\n.\r\n..b\r\n") == "a\r\n..\r\n...b\r\n");
  CHECK(stuffed("a") == "a\r\n");
  CHECK(stuffed("a.b\r\n") == "a.b\r\n");
  std::minstd_rand random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (unsigned i = random() % 60; i > 0; --i) {
      static const char* const PIECES[] = {".", "..", "\r\n", "x", "\r\n.\r\n", "QUIT"};
      bytes += PIECES[random() % 6];
    }
    bytes += "\r\n";
    const std::string wire = stuffed(bytes);
    REQUIRE(unstuffed(wire) == bytes);
    REQUIRE(("\r\n" + wire).find("\r\n.\r\n") == std::string::npos);
  }
}

TEST_CASE("the URL says host, port and manner, and nothing else") {
  const auto server = [](std::string_view url) { return std::get<Server>(parse_url(url)); };
  const auto wrong = [](std::string_view url) { return std::get<std::string>(parse_url(url)); };
  CHECK(server("smtp://relay.example").text() == "relay.example:25");
  CHECK(server("smtps://Relay.Example/").text() == "relay.example:465");
  CHECK(server("smtps://relay.example").implicit_tls);
  CHECK(server("smtp://[::1]:2525").text() == "[::1]:2525");
  for (const char* near : {"smtp://localhost", "smtp://127.0.0.1:25", "smtp://127.9.9.9", "smtp://[::1]"})
    CHECK(server(near).is_loopback());
  for (const char* far : {"smtp://localhost.example", "smtp://127.example", "smtp://10.0.0.1", "smtp://[::2]"})
    CHECK_FALSE(server(far).is_loopback());
  CHECK(wrong("relay.example") == "the URL must begin with smtp:// or smtps://");
  CHECK(wrong("smtp://u:p@relay.example") ==
        "a user name or password does not belong into the URL: use \"username\" and \"password_credential\"");
  CHECK(wrong("smtp://") == "the URL names no host");
  CHECK(wrong("smtp://a b") == "the host in the URL is no host name; write international names in their xn-- form");
  for (const char* port : {"smtp://a:", "smtp://a:0", "smtp://a:65536", "smtp://a:x", "smtp://a:25x", "smtp://[::1]:"})
    CHECK(wrong(port) == "the port in the URL is not a number from 1 to 65535");
  CHECK(wrong("smtp://[::1") == "the URL has a '[' without a ']'");
  CHECK(wrong("smtp://[nonsense]") == "what stands in brackets in the URL is no IPv6 address");
  CHECK(wrong("smtp://a/b") == "nothing may follow host and port in the URL");
}
