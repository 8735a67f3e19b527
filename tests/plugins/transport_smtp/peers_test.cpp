#include <catch2/catch.hpp>
#include <future>

#include "collector.hpp"
#include "peers.hpp"

using namespace invited::smtp;
using namespace invited::test;
using namespace std::chrono_literals;

namespace {

// aiosmtpd with what the tests need of it.
class Aiosmtpd {
public:
  explicit Aiosmtpd(const std::string& mode, bool login = false,
                    const std::string& names = "DNS:localhost,IP:127.0.0.1") {
    make_certificate(cert(), key(), names);
    std::vector<std::string> command = {"/usr/bin/python3", INVITED_SOURCE_DIR "/tests/plugins/transport_smtp/peer.py",
                                        cert(), key(), mode};
    if (login) command.emplace_back("login");
    child_ = std::make_unique<Child>(std::move(command), /*quiet=*/true);
    const std::string line = child_->line().value_or("");
    REQUIRE(line.starts_with("PORT "));
    port_ = static_cast<std::uint16_t>(std::stoi(line.substr(5)));
  }
  [[nodiscard]] std::string cert() const { return folder_ / "cert.pem"; }
  [[nodiscard]] std::string key() const { return folder_ / "key.pem"; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  std::string mail() { return child_->line().value_or("no mail"); }

private:
  ScratchFolder folder_;
  std::unique_ptr<Child> child_;
  std::uint16_t port_ = 0;
};

PoolOptions options_for(const Aiosmtpd& peer, TlsMode mode) {
  PoolOptions options = pool_options(peer.port(), 1);
  options.server.host = "localhost";
  options.server.implicit_tls = mode == TlsMode::implicit;
  options.session.tls = mode;
  options.ca_file = peer.cert();
  return options;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("smtp-sink takes 2,000 mails over 8 connections, each answered once") {
  const std::uint16_t port = free_port();
  auto sink = start_sink(port);
  Collector desk(pool_options(port, 8));
  std::vector<std::string> ids;
  for (int i = 0; i < 2000; ++i) ids.push_back(std::to_string(i));
  desk.send(ids);
  REQUIRE(desk.wait_for(2000));
  for (const std::string& id : ids) REQUIRE(desk.outcome(id) == "accepted");
  CHECK(desk.surplus() == 0);
}

TEST_CASE("smtp-sink in its moods: refused, deferred, hung up") {
  struct Case {
    std::vector<std::string> options;
    const char* outcome;
  };
  static const Case CASES[] = {
      {{"-f", "rcpt"}, "rejected"},
      {{"-r", "rcpt"}, "retry"},
      {{"-q", "rcpt"}, "retry"},
      {{"-Q", "rcpt"}, "retry/transport"},
      {{"-f", "connect"}, "retry/transport"},
      {{"-q", "connect"}, "retry/transport"},
      {{"-f", "mail"}, "retry/transport"},
      {{"-f", "."}, "rejected"},
      {{"-r", "."}, "retry"},
      {{"-q", "."}, "unknown"},
      {{"-Q", "."}, "retry/transport"},
      {{"-f", "data"}, "rejected"},
      {{"-q", "data"}, "retry"},
      {{"-p"}, "accepted"},
      {{"-e"}, "accepted"},
  };
  for (const Case& c : CASES) {
    const std::uint16_t port = free_port();
    auto sink = start_sink(port, c.options);
    Collector desk(pool_options(port, 1));
    desk.send({"1"});
    REQUIRE(desk.wait_for(1));
    INFO(c.options.front() << ' ' << c.options.back() << ": " << desk.verdict("1").detail);
    CHECK(desk.outcome("1") == c.outcome);
  }
}

TEST_CASE("Postfix refuses mails at their end and the innocent mails around them are taken") {
  if (!Postfix::possible()) {
    WARN("needs root and Postfix: not run");
    return;
  }
  Postfix postfix(
      {"smtpd_end_of_data_restrictions = check_recipient_access "
       "inline:{{over@example.net=REJECT over quota},{later@example.net=450 4.7.1 later}}"});
  for (const bool pipelining : {true, false}) {
    for (const char* refused : {"over", "later"}) {
      Collector desk(pool_options(postfix.port(pipelining), 1));
      std::vector<MessagePtr> messages;
      for (const char* id : {"1", "2", refused, "3", "4"}) messages.push_back(mail(id));
      messages.push_back(mail(std::string(refused) + "2"));
      for (const MessagePtr& message : messages) message->to = message->id + "@example.net";
      messages.back()->to = std::string(refused) + "@example.net";
      desk.pool.submit(messages);
      REQUIRE(desk.wait_for(6));
      // The refused one came last: the next mail finds what it left.
      auto last = mail("5");
      last->to = "5@example.net";
      desk.pool.submit({last});
      REQUIRE(desk.wait_for(7));
      for (const char* id : {"1", "2", "3", "4", "5"}) {
        INFO(pipelining << ' ' << refused << ' ' << id << ": " << desk.verdict(id).detail);
        CHECK(desk.outcome(id) == "accepted");
      }
      INFO(desk.verdict(refused).detail);
      CHECK(desk.outcome(refused) == (refused == std::string("over") ? "rejected" : "retry"));
      CHECK(desk.outcome(std::string(refused) + "2") == desk.outcome(refused));
    }
  }
}

TEST_CASE("STARTTLS with a certificate that fits, login, UTF-8, and a refused recipient on the same connection") {
  Aiosmtpd peer("starttls", true);
  PoolOptions options = options_for(peer, TlsMode::starttls);
  options.session.username = "invited";
  options.session.password = [] { return std::optional<std::string>("pencil"); };
  Collector desk(std::move(options));
  auto utf8 = mail("2", "\xc3\xa5\r\n");
  utf8->to = "\xc3\xa5sa@example.org";
  desk.pool.submit({mail("1"), mail("unknown"), utf8});
  REQUIRE(desk.wait_for(3));
  INFO(desk.verdict("1").detail << " / " << desk.verdict("2").detail);
  CHECK(desk.outcome("1") == "accepted");
  CHECK(desk.verdict("1").remote_id == "peer-1");
  CHECK(desk.outcome("unknown") == "rejected");
  CHECK(holds(desk.verdict("unknown").detail, "<u***@example.org>: no such user"));
  CHECK(desk.outcome("2") == "accepted");
  const std::string first = peer.mail();
  CHECK(holds(first, R"("tls": true, "login": true)"));
  CHECK(holds(first, R"("utf8": false)"));
  const std::string second = peer.mail();
  CHECK(holds(second, R"("to": ["\u00e5sa@example.org"], "utf8": true)"));
}

TEST_CASE("TLS from the first byte, and a probe that says what it found") {
  Aiosmtpd peer("smtps");
  Collector desk(options_for(peer, TlsMode::implicit));
  desk.send({"1"});
  REQUIRE(desk.wait_for(1));
  INFO(desk.verdict("1").detail);
  CHECK(desk.outcome("1") == "accepted");

  std::promise<std::pair<Verdict, std::string>> promise;
  desk.pool.probe([&](const Verdict& failure, const std::string& summary) { promise.set_value({failure, summary}); });
  auto future = promise.get_future();
  REQUIRE(future.wait_for(10s) == std::future_status::ready);
  const auto [failure, summary] = future.get();
  CHECK(failure.outcome == Outcome::accepted);
  CHECK(holds(summary, "ESMTP, TLS"));
  CHECK(holds(summary, "(TLSv1.3)"));
}

TEST_CASE("a certificate of an unknown authority or for another name is not accepted, and no mail leaves") {
  SECTION("unknown authority, STARTTLS") {
    Aiosmtpd peer("starttls");
    Aiosmtpd other("clear");
    PoolOptions options = options_for(peer, TlsMode::starttls);
    options.ca_file = other.cert();
    Collector desk(std::move(options));
    desk.send({"1"});
    REQUIRE(desk.wait_for(1));
    CHECK(desk.outcome("1") == "retry/transport");
    CHECK(desk.verdict("1").phase == Phase::tls);
    CHECK(holds(desk.verdict("1").detail, "its certificate is not accepted: "));
  }
  SECTION("another name") {
    Aiosmtpd peer("smtps", false, "DNS:elsewhere.example");
    Collector desk(options_for(peer, TlsMode::implicit));
    desk.send({"1"});
    REQUIRE(desk.wait_for(1));
    CHECK(desk.outcome("1") == "retry/transport");
    INFO(desk.verdict("1").detail);
    CHECK(holds(desk.verdict("1").detail,
                "its certificate is not accepted: hostname mismatch (expected a certificate for localhost"));
  }
  SECTION("an address in the URL wants the address in the certificate") {
    Aiosmtpd fits("smtps", false, "IP:127.0.0.1");
    PoolOptions options = options_for(fits, TlsMode::implicit);
    options.server.host = "127.0.0.1";
    Collector desk(std::move(options));
    desk.send({"1"});
    REQUIRE(desk.wait_for(1));
    CHECK(desk.outcome("1") == "accepted");
    Aiosmtpd lacks("smtps", false, "DNS:localhost");
    PoolOptions wrong = options_for(lacks, TlsMode::implicit);
    wrong.server.host = "127.0.0.1";
    Collector other(std::move(wrong));
    other.send({"1"});
    REQUIRE(other.wait_for(1));
    CHECK(other.outcome("1") == "retry/transport");
  }
  SECTION("a server that speaks clear text where TLS is expected") {
    Aiosmtpd peer("clear");
    Collector desk(options_for(peer, TlsMode::implicit));
    desk.send({"1"});
    REQUIRE(desk.wait_for(1));
    CHECK(desk.outcome("1") == "retry/transport");
    CHECK(desk.verdict("1").phase == Phase::tls);
  }
}

TEST_CASE("a wrong password at a real server pauses the transport") {
  Aiosmtpd peer("starttls", true);
  PoolOptions options = options_for(peer, TlsMode::starttls);
  options.session.username = "invited";
  options.session.password = [] { return std::optional<std::string>("wrong"); };
  Collector desk(std::move(options));
  desk.send({"1"});
  REQUIRE(desk.wait_for(1));
  CHECK(desk.outcome("1") == "retry/transport");
  CHECK(desk.verdict("1").phase == Phase::auth);
  CHECK(desk.verdict("1").code == 535);
}
