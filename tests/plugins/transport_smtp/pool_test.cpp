#include "smtp_pool.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <map>
#include <set>

#include "collector.hpp"
#include "scripted_server.hpp"

using namespace invited::smtp;
using namespace invited::test;
using namespace std::chrono_literals;
using Answer = ScriptedServer::Answer;

namespace {

// How often each recipient's mail was taken by the server.
std::map<std::string, int> copies(const ScriptedServer::Seen& seen) {
  std::map<std::string, int> count;
  for (const auto& mail : seen.mails) ++count[mail.to];
  return count;
}

}  // namespace

TEST_CASE("every mail arrives once, byte for byte, over no more connections than allowed") {
  for (const bool pipelining : {true, false}) {
    ScriptedServer::Options options;
    if (!pipelining) options.ehlo = "250-scripted\r\n250 8BITMIME\r\n";
    ScriptedServer server(options);
    Collector desk(pool_options(server.port(), 4));
    desk.send(numbers(300));
    desk.pool.submit({mail("dots", "..\r\n.\r\n.x\r\n\r\nend")});
    REQUIRE(desk.wait_for(301));
    const auto seen = server.seen();
    CHECK(seen.connections <= 4);
    CHECK(seen.mails.size() == 301);
    for (const auto& [to, count] : copies(seen)) {
      INFO(to);
      CHECK(count == 1);
    }
    for (const auto& mail : seen.mails) {
      CHECK(mail.from == "us@example.com");
      if (mail.to == "dots@example.org") CHECK(mail.content == "Subject: dots\r\n\r\n..\r\n.\r\n.x\r\n\r\nend\r\n");
    }
    CHECK(desk.outcome("7") == "accepted");
    CHECK(desk.surplus() == 0);
  }
}

TEST_CASE("answers that arrive byte by byte are the same answers") {
  ScriptedServer::Options options;
  options.byte_by_byte = true;
  ScriptedServer server(options, [](unsigned, std::string_view line) {
    return line == "RCPT TO:<2@example.org>" ? ScriptedServer::say("550-5.1.1 no\r\n550 5.1.1 such user\r\n")
                                             : ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 1));
  desk.send(numbers(5));
  REQUIRE(desk.wait_for(5));
  CHECK(desk.outcome("1") == "accepted");
  CHECK(desk.outcome("2") == "rejected");
  CHECK(desk.outcome("3") == "accepted");
  CHECK(server.seen().connections == 1);
}

TEST_CASE("refused recipients cost no connection") {
  for (const bool grants_data : {true, false}) {
    ScriptedServer server({}, [grants_data, refused = false](unsigned, std::string_view line) mutable {
      if (line.starts_with("RCPT")) {
        refused = line.find("0@") != std::string_view::npos;
        if (refused) return ScriptedServer::say("550 5.1.1 unknown\r\n");
      }
      if (line == "DATA" && refused)
        return ScriptedServer::say(grants_data ? "354 go\r\n" : "554 5.5.1 no valid recipients\r\n");
      if (line == "<message>" && refused) return ScriptedServer::say("554 5.5.1 no valid recipients\r\n");
      return ScriptedServer::proper();
    });
    Collector desk(pool_options(server.port(), 1));
    desk.send(numbers(100));
    REQUIRE(desk.wait_for(100));
    const auto seen = server.seen();
    CHECK(seen.connections == 1);
    CHECK(seen.mails.size() == 90);
    CHECK(desk.outcome("50") == "rejected");
    CHECK(desk.outcome("51") == "accepted");
    CHECK(seen.has("1 RSET") == !grants_data);
  }
}

TEST_CASE("421 in the middle of a bulk: reconnected, nothing lost, nothing twice") {
  // Each connection is told to go at its tenth MAIL.
  ScriptedServer server({}, [counts = std::map<unsigned, int>()](unsigned connection, std::string_view line) mutable {
    if (line.starts_with("MAIL") && ++counts[connection] == 10) return ScriptedServer::hang_up("421 4.7.0 enough\r\n");
    return ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 2));
  desk.send(numbers(100));
  REQUIRE(desk.wait_for(100));
  for (const std::string& id : numbers(100)) {
    INFO(id << ": " << desk.verdict(id).detail);
    CHECK(desk.outcome(id) == "accepted");
  }
  for (const auto& [to, count] : copies(server.seen())) CHECK(count == 1);
  CHECK(desk.surplus() == 0);
}

TEST_CASE("a server that only ever says 421 gets a pause, not a storm") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line == "<connect>" ? ScriptedServer::hang_up("421 4.3.2 closed\r\n") : ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 4));
  desk.send(numbers(20));
  REQUIRE(desk.wait_for(20));
  for (const std::string& id : numbers(20)) CHECK(desk.outcome(id) == "retry/transport");
  CHECK(desk.verdict("1").detail.find("greeted with 421 4.3.2: \"closed\"") != std::string::npos);
  CHECK(desk.verdict("1").phase == Phase::greeting);
  CHECK(server.seen().connections <= 4);
}

TEST_CASE("a server that allows fewer connections than configured gets everything over those") {
  ScriptedServer server({}, [](unsigned connection, std::string_view line) {
    return connection > 2 && line == "<connect>" ? ScriptedServer::hang_up("421 4.7.0 too many connections\r\n")
                                                 : ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 4));
  desk.send(numbers(2));
  REQUIRE(desk.wait_for(2));
  REQUIRE(server.wait_for([](const auto& seen) { return seen.connections >= 2; }));
  desk.send(numbers(202));
  REQUIRE(desk.wait_for(202));
  for (const std::string& id : numbers(202)) CHECK(desk.outcome(id) == "accepted");
}

TEST_CASE("a drop after the dot is unknown for that mail alone") {
  ScriptedServer server({}, [n = 0](unsigned, std::string_view line) mutable {
    if (line == "<message>" && ++n == 5) return ScriptedServer::hang_up();
    return ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 1));
  desk.send(numbers(10));
  REQUIRE(desk.wait_for(10));
  for (const std::string& id : numbers(10)) CHECK(desk.outcome(id) == (id == "5" ? "unknown" : "accepted"));
  CHECK(desk.verdict("5").phase == Phase::dot);
  CHECK(server.seen().connections == 2);
}

TEST_CASE("one recipient at which the server hangs up does not stop the others, and is its own trouble") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line == "RCPT TO:<1@example.org>" ? ScriptedServer::hang_up() : ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 1));
  desk.send(numbers(10));
  REQUIRE(desk.wait_for(10));
  CHECK(desk.outcome("1") == "retry");
  for (int i = 2; i <= 10; ++i) CHECK(desk.outcome(std::to_string(i)) == "accepted");
}

TEST_CASE("nobody listens: everything is retried later, and the reason is plain") {
  std::uint16_t port = 0;
  {
    ScriptedServer gone;
    port = gone.port();
  }
  Collector desk(pool_options(port));
  desk.send(numbers(5));
  REQUIRE(desk.wait_for(5));
  for (const std::string& id : numbers(5)) CHECK(desk.outcome(id) == "retry/transport");
  CHECK(desk.verdict("1").detail == "127.0.0.1:" + std::to_string(port) +
                                        ": nothing listens there (connection refused); it is tried again by itself.");
  CHECK(desk.verdict("1").phase == Phase::connect);
}

TEST_CASE("on the wire: the second final dot waits for settled, its envelope does not") {
  ScriptedServer server;
  Collector desk(pool_options(server.port(), 1), false);
  desk.send(numbers(3));
  REQUIRE(desk.wait_for(1));
  REQUIRE(server.wait_for(
      [](const auto& seen) { return seen.has("1 RCPT TO:<2@example.org>") && seen.lines.back() == "1 DATA"; }));
  desk.pool.settled("unheard of");
  barrier(desk.pool);
  CHECK(server.seen().mails.size() == 1);
  desk.pool.settled("1");
  REQUIRE(desk.wait_for(2));
  CHECK(server.seen().mails.size() == 2);
  desk.pool.settled("2");
  REQUIRE(desk.wait_for(3));
}

TEST_CASE("an outcome that is not settled binds the next connection as well") {
  ScriptedServer server({}, [](unsigned connection, std::string_view line) {
    if (connection == 1 && line == "RCPT TO:<2@example.org>") return ScriptedServer::hang_up();
    return ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 1), false);
  desk.send(numbers(2));
  REQUIRE(server.wait_for([](const auto& seen) { return seen.has("2 DATA"); }));
  barrier(desk.pool);
  CHECK(desk.count() == 1);
  CHECK(server.seen().mails.size() == 1);
  desk.pool.settled("1");
  REQUIRE(desk.wait_for(2));
  CHECK(server.seen().mails.size() == 2);
}

TEST_CASE("silence in any phase ends with the phase's own limit") {
  struct Case {
    const char* line;
    const char* outcome;
    const char* words;
  };
  static const Case CASES[] = {
      {"<connect>", "retry/transport", "no answer to greeting"},
      {"EHLO invited.example", "retry/transport", "no answer to EHLO"},
      {"MAIL FROM:<us@example.com>", "retry/transport", "no answer to MAIL"},
      {"RCPT TO:<1@example.org>", "retry/transport", "no answer to RCPT"},
      {"DATA", "retry/transport", "no answer to DATA"},
      {"<message>", "unknown", "no answer to end of message"},
  };
  for (const Case& c : CASES) {
    INFO(c.line);
    ScriptedServer server({}, [&c](unsigned, std::string_view line) {
      return line == c.line ? ScriptedServer::fall_silent() : ScriptedServer::proper();
    });
    PoolOptions options = pool_options(server.port(), 1);
    Limits& limits = options.session.limits;
    limits.greeting = limits.command = limits.data = limits.dot = 50ms;
    Collector desk(std::move(options));
    desk.send({"1"});
    REQUIRE(desk.wait_for(1));
    CHECK(desk.outcome("1") == c.outcome);
    CHECK(desk.verdict("1").detail.find(c.words) != std::string::npos);
  }
}

TEST_CASE("a server that drips its answer does not stretch the limit") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line.starts_with("RCPT") ? ScriptedServer::drip() : ScriptedServer::proper();
  });
  PoolOptions options = pool_options(server.port(), 1);
  options.session.limits.command = 100ms;
  Collector desk(std::move(options));
  desk.send({"1"});
  REQUIRE(desk.wait_for(1));
  CHECK(desk.outcome("1") == "retry/transport");
  CHECK(desk.verdict("1").detail.find("no answer to RCPT within 1 s") != std::string::npos);
}

TEST_CASE("a server with a line of 2 MB is cut off") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line.starts_with("RCPT") ? ScriptedServer::say("250-" + std::string(2'000'000, 'x'))
                                    : ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 1));
  desk.send({"1"});
  REQUIRE(desk.wait_for(1));
  CHECK(desk.outcome("1") == "retry/transport");
  CHECK(desk.verdict("1").detail.find("an answer of more than 64 KiB") != std::string::npos);
}

TEST_CASE("a server that stops working in the middle is the transport's trouble, not that of the next mails") {
  ScriptedServer server({}, [rcpts = 0](unsigned, std::string_view line) mutable {
    return line.starts_with("RCPT") && ++rcpts > 10 ? ScriptedServer::hang_up() : ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 1));
  desk.send(numbers(13));
  REQUIRE(desk.wait_for(13));
  for (int i = 1; i <= 10; ++i) CHECK(desk.outcome(std::to_string(i)) == "accepted");
  for (int i = 11; i <= 13; ++i) CHECK(desk.outcome(std::to_string(i)) == "retry/transport");
}

TEST_CASE("a final dot that takes long does not hold up the others") {
  ScriptedServer server({}, [](unsigned connection, std::string_view line) {
    return connection == 1 && line == "<message>" ? ScriptedServer::fall_silent() : ScriptedServer::proper();
  });
  PoolOptions options = pool_options(server.port(), 2);
  options.session.limits.patience = 50ms;
  options.session.limits.dot = 400ms;
  Collector desk(std::move(options));
  desk.send(numbers(10));
  REQUIRE(desk.wait_for(9));
  CHECK(desk.count() == 9);
  REQUIRE(desk.wait_for(10));
  int unknown = 0;
  for (const std::string& id : numbers(10)) unknown += desk.outcome(id) == "unknown" ? 1 : 0;
  CHECK(unknown == 1);
  CHECK(server.seen().mails.size() == 9);
}

TEST_CASE(
    "a server that is slow with every dot gets one mail at a time a connection, and no connection is thrown away") {
  ScriptedServer::Options slow;
  slow.delay = 40ms;
  ScriptedServer server(slow);
  PoolOptions options = pool_options(server.port(), 1);
  options.session.limits.patience = 20ms;
  Collector desk(std::move(options));
  desk.send(numbers(6));
  REQUIRE(desk.wait_for(6));
  for (const std::string& id : numbers(6)) CHECK(desk.outcome(id) == "accepted");
  CHECK(server.seen().connections == 2);
}

TEST_CASE("with two outcomes not settled a connection begins nothing more") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line.starts_with("RCPT") ? ScriptedServer::say("550 5.1.1 unknown\r\n") : ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 1), false);
  desk.send(numbers(5));
  REQUIRE(desk.wait_for(2));
  barrier(desk.pool);
  CHECK(desk.count() == 2);
  desk.pool.settled("1");
  REQUIRE(desk.wait_for(3));
}

TEST_CASE("an idle connection says QUIT, and the next mail opens a new one") {
  ScriptedServer server;
  PoolOptions options = pool_options(server.port(), 1);
  options.session.limits.idle = 30ms;
  Collector desk(std::move(options));
  desk.send({"1"});
  REQUIRE(server.wait_for([](const auto& seen) { return seen.has("1 QUIT"); }));
  desk.send({"2"});
  REQUIRE(desk.wait_for(2));
  CHECK(desk.outcome("2") == "accepted");
  CHECK(server.seen().connections == 2);
}

TEST_CASE("stop() gives every message its verdict within the limit") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line == "<message>" ? ScriptedServer::fall_silent() : ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 2));
  desk.send(numbers(20));
  REQUIRE(server.wait_for([](const auto& seen) { return seen.has("1 <message>") && seen.has("2 <message>"); }));
  desk.pool.stop(50ms);
  REQUIRE(desk.count() == 20);
  int unknown = 0;
  int cancelled = 0;
  for (const std::string& id : numbers(20)) {
    if (desk.outcome(id) == "unknown") ++unknown;
    if (desk.outcome(id) == "cancelled") ++cancelled;
  }
  CHECK(unknown == 2);
  CHECK(cancelled == 18);
  CHECK(desk.surplus() == 0);
  desk.pool.stop(50ms);
}

TEST_CASE("stop() waits for the answer to a dot that is out") {
  ScriptedServer::Options slow;
  slow.delay = 30ms;
  ScriptedServer server(slow);
  Collector desk(pool_options(server.port(), 1));
  desk.send(numbers(3));
  REQUIRE(server.wait_for([](const auto& seen) { return seen.has("1 <message>"); }));
  desk.pool.stop(5s);
  CHECK(desk.outcome("1") == "accepted");
  CHECK(desk.outcome("2") == "cancelled");
  CHECK(desk.outcome("3") == "cancelled");
}

TEST_CASE("what is cancelled before a connection has it is never sent") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line == "<connect>" ? ScriptedServer::fall_silent() : ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 1));
  auto message = mail("1");
  desk.pool.submit({message, mail("2")});
  REQUIRE(server.wait_for([](const auto& seen) { return seen.has("1 <connect>"); }));
  desk.pool.cancel({message});
  REQUIRE(desk.wait_for(1));
  CHECK(desk.outcome("1") == "cancelled");
  CHECK(desk.outcome("2") == "none");
}

TEST_CASE("a message past its time is not begun") {
  ScriptedServer server;
  Collector desk(pool_options(server.port(), 1));
  auto late = mail("1");
  late->begin_by_ms = monotonic_ms() - 1;
  desk.pool.submit({late, mail("2")});
  REQUIRE(desk.wait_for(2));
  CHECK(desk.outcome("1") == "retry/transport");
  CHECK(desk.outcome("2") == "accepted");
  CHECK(server.seen().mails.size() == 1);
}

TEST_CASE("a message whose owner wants an answer gets one though the server is silent") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line == "<message>" ? ScriptedServer::fall_silent() : ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 1));
  auto message = mail("1");
  message->answer_by_ms = monotonic_ms() + 200;
  desk.pool.submit({message});
  REQUIRE(desk.wait_for(1));
  CHECK(desk.outcome("1") == "unknown");
}

TEST_CASE("a message that may not be sent does not even open a connection") {
  ScriptedServer server;
  Collector desk(pool_options(server.port(), 1));
  desk.pool.submit({mail("1", "a\nb\r\n")});
  REQUIRE(desk.wait_for(1));
  CHECK(desk.outcome("1") == "rejected");
  CHECK(desk.verdict("1").detail == "the message has a bare LF in line 3; nothing was sent");
  CHECK(server.seen().connections == 0);
}

TEST_CASE("clear text that comes before the TLS handshake ends the connection, in the same packet or the next") {
  for (const bool same_packet : {true, false}) {
    ScriptedServer::Options options;
    options.ehlo = "250-scripted\r\n250 STARTTLS\r\n";
    options.byte_by_byte = !same_packet;
    ScriptedServer server(options, [](unsigned, std::string_view line) {
      return line == "STARTTLS" ? ScriptedServer::say("220 go\r\n250-injected\r\n250 PIPELINING\r\n")
                                : ScriptedServer::proper();
    });
    PoolOptions wanted = pool_options(server.port(), 1);
    wanted.session.tls = TlsMode::starttls;
    Collector desk(std::move(wanted));
    desk.send({"1"});
    REQUIRE(desk.wait_for(1));
    CHECK(desk.outcome("1") == "retry/transport");
    const Verdict verdict = desk.verdict("1");
    INFO(verdict.detail);
    CHECK((verdict.phase == Phase::starttls || verdict.phase == Phase::tls));
    if (same_packet) CHECK(verdict.detail.find("tampering") != std::string::npos);
    CHECK(server.seen().mails.empty());
  }
}

TEST_CASE("a probe goes through everything but a mail") {
  ScriptedServer server;
  Collector desk(pool_options(server.port(), 1));
  std::promise<std::pair<Verdict, std::string>> promise;
  desk.pool.probe([&](const Verdict& failure, const std::string& summary) { promise.set_value({failure, summary}); });
  auto future = promise.get_future();
  REQUIRE(future.wait_for(10s) == std::future_status::ready);
  const auto [failure, summary] = future.get();
  CHECK(failure.outcome == Outcome::accepted);
  CHECK(summary == "ESMTP, clear text, PIPELINING, 8BITMIME, SMTPUTF8");
  CHECK(server.seen().lines == std::vector<std::string>{"1 <connect>", "1 EHLO invited.example", "1 NOOP", "1 QUIT"});
}

TEST_CASE("a CA file that cannot be read is an error at once") {
  PoolOptions options = pool_options(1);
  options.session.tls = TlsMode::implicit;
  options.ca_file = "/nonexistent/ca.pem";
  CHECK_THROWS_WITH(Pool(std::move(options), [](const MessagePtr&, const Verdict&) {}),
                    Catch::Matchers::StartsWith("the CA file /nonexistent/ca.pem cannot be read: "));
}
