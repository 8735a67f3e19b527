// Whose trouble is it: one message's, the transport's, or nobody's?
#include <algorithm>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <catch2/catch.hpp>
#include <map>

#include "collector.hpp"
#include "scripted_server.hpp"

using namespace invited::smtp;
using namespace invited::test;
using namespace std::chrono_literals;

namespace {

ScriptedServer::Options lock_step() {
  ScriptedServer::Options options;
  options.ehlo = "250-scripted\r\n250 8BITMIME\r\n";
  return options;
}

// Counts warnings.
struct Warnings {
  std::atomic<int> count{0};
  void watch(PoolOptions& options) {
    options.log = [this](LogLevel level, const std::string&) {
      if (level == LogLevel::warning) ++count;
    };
  }
};

}  // namespace

// ---- a refused final dot

TEST_CASE("a server that keeps the transaction of a refused dot open costs the next mail nothing") {
  for (const bool pipelining : {true, false}) {
    for (const char* refusal : {"554 5.7.1 over quota\r\n", "450 4.7.1 later\r\n"}) {
      INFO(pipelining << refusal);
      // As Postfix with smtpd_end_of_data_restrictions.
      ScriptedServer server(pipelining ? ScriptedServer::Options{} : lock_step(),
                            [open = std::map<unsigned, bool>(), to = std::map<unsigned, std::string>(), refusal](
                                unsigned connection, std::string_view line) mutable {
                              if (line.starts_with("MAIL")) {
                                if (open[connection]) return ScriptedServer::say("503 5.5.1 nested MAIL command\r\n");
                                open[connection] = true;
                              }
                              if (line == "RSET") open[connection] = false;
                              if (line.starts_with("RCPT")) to[connection] = std::string(line);
                              if (line == "<message>") {
                                if (to[connection] == "RCPT TO:<3@example.org>") return ScriptedServer::say(refusal);
                                open[connection] = false;
                              }
                              return ScriptedServer::proper();
                            });
      PoolOptions options = pool_options(server.port(), 1);
      Warnings warnings;
      warnings.watch(options);
      Collector desk(std::move(options));
      desk.send(numbers(3));
      REQUIRE(desk.wait_for(3));
      desk.send({"4"});
      REQUIRE(desk.wait_for(4));
      desk.send({"3", "5", "6"});
      REQUIRE(desk.wait_for(6));
      for (const char* id : {"1", "2", "4", "5", "6"}) {
        INFO(id << ": " << desk.verdict(id).detail);
        CHECK(desk.outcome(id) == "accepted");
      }
      CHECK(desk.outcome("3") == (refusal[0] == '5' ? "rejected" : "retry"));
      CHECK(warnings.count == 0);
      for (const auto& mail : server.seen().mails) CHECK(mail.content.find(mail.to.substr(0, 1)) != std::string::npos);
    }
  }
}

// ---- one recipient the relay does not send to

namespace {

ScriptedServer::Script relay_for_all_but_stranger(const char* answer) {
  return [answer](unsigned, std::string_view line) {
    return line == "RCPT TO:<stranger@example.org>" ? ScriptedServer::say(answer) : ScriptedServer::proper();
  };
}

}  // namespace

TEST_CASE("a relay that has just taken another recipient refuses this one, not us") {
  for (const char* answer : {"554 5.7.1 <stranger@example.org>: Relay access denied\r\n",
                             "530 5.7.0 Authentication required\r\n", "550 relaying denied\r\n"}) {
    ScriptedServer server({}, relay_for_all_but_stranger(answer));
    Collector desk(pool_options(server.port(), 1));
    desk.send({"1"});
    REQUIRE(desk.wait_for(1));
    desk.send({"stranger", "2"});
    REQUIRE(desk.wait_for(3));
    INFO(desk.verdict("stranger").detail);
    CHECK(desk.outcome("stranger") == "rejected");
    CHECK(desk.verdict("stranger").detail.find("The relay does not send to this recipient's domain") !=
          std::string::npos);
    CHECK(desk.outcome("2") == "accepted");
  }
}

TEST_CASE("a temporary refusal of that kind is the recipient's as well, and counted") {
  ScriptedServer server({}, relay_for_all_but_stranger("454 4.7.1 Relay access denied\r\n"));
  Collector desk(pool_options(server.port(), 1));
  desk.send({"1"});
  REQUIRE(desk.wait_for(1));
  desk.send({"stranger"});
  REQUIRE(desk.wait_for(2));
  CHECK(desk.outcome("stranger") == "retry");
}

TEST_CASE("a message that once brought the transport's trouble goes behind the others, until one was accepted") {
  ScriptedServer server({}, relay_for_all_but_stranger("554 5.7.1 Relay access denied\r\n"));
  Collector desk(pool_options(server.port(), 2));
  desk.send({"stranger"});
  REQUIRE(desk.wait_for(1));
  CHECK(desk.outcome("stranger") == "retry/transport");
  desk.send({"stranger", "1", "2"});
  REQUIRE(desk.wait_for_total(4));
  CHECK(desk.outcome("stranger") == "rejected");
  CHECK(desk.outcome("1") == "accepted");
  CHECK(desk.outcome("2") == "accepted");
  // Alone, it is tried all the same.
  ScriptedServer nobody({}, relay_for_all_but_stranger("554 5.7.1 Relay access denied\r\n"));
  Collector lonely(pool_options(nobody.port(), 2));
  lonely.send({"stranger"});
  REQUIRE(lonely.wait_for_total(1));
  lonely.send({"stranger"});
  REQUIRE(lonely.wait_for_total(2));
  CHECK(lonely.outcome("stranger") == "retry/transport");
}

// ---- connections that end

TEST_CASE("in quiet times a recipient at whom the server hangs up is its own trouble") {
  static const char* const PLACES[] = {"RCPT TO:<bad@example.org>", "DATA"};
  for (const char* place : PLACES) {
    INFO(place);
    ScriptedServer server(lock_step(), [place, bad = false](unsigned, std::string_view line) mutable {
      if (line.starts_with("RCPT")) bad = line == "RCPT TO:<bad@example.org>";
      return bad && line == place ? ScriptedServer::hang_up() : ScriptedServer::proper();
    });
    Collector desk(pool_options(server.port(), 1));
    desk.send({"bad"});
    REQUIRE(desk.wait_for(1));
    INFO(desk.verdict("bad").detail);
    CHECK(desk.outcome("bad") == "retry");
    desk.send({"1"});
    REQUIRE(desk.wait_for(2));
    CHECK(desk.outcome("1") == "accepted");
    desk.send({"bad"});
    REQUIRE(desk.wait_for_total(3));
    CHECK(desk.outcome("bad") == "retry");
  }
}

TEST_CASE("a server that hangs up at three different messages is the transport's trouble") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line.starts_with("RCPT") ? ScriptedServer::hang_up() : ScriptedServer::proper();
  });
  Collector desk(pool_options(server.port(), 1));
  desk.send(numbers(5));
  REQUIRE(desk.wait_for(5));
  for (const std::string& id : numbers(5)) CHECK(desk.outcome(id) == "retry/transport");
  CHECK(server.seen().connections == 3);
}

TEST_CASE(
    "a server that takes one mail per connection gets all of them, without a warning and without a second bounce") {
  for (const char* farewell : {"421 4.7.0 one is enough\r\n", ""}) {
    for (const bool pipelining : {true, false}) {
      INFO(farewell << pipelining);
      ScriptedServer server(
          pipelining ? ScriptedServer::Options{} : lock_step(),
          [farewell, count = std::map<unsigned, int>()](unsigned connection, std::string_view line) mutable {
            return line.starts_with("MAIL") && ++count[connection] > 1 ? ScriptedServer::hang_up(farewell)
                                                                       : ScriptedServer::proper();
          });
      PoolOptions options = pool_options(server.port(), 4);
      Warnings warnings;
      warnings.watch(options);
      Collector desk(std::move(options));
      desk.send(numbers(40));
      REQUIRE(desk.wait_for(40));
      for (const std::string& id : numbers(40)) {
        INFO(id << ": " << desk.verdict(id).detail);
        CHECK(desk.outcome(id) == "accepted");
      }
      CHECK(warnings.count == 0);
      CHECK(server.seen().connections <= 44);
    }
  }
}

// ---- back-off

TEST_CASE("after a failure that everybody was told of the next hand-over knocks at once, once a second") {
  PoolOptions options = pool_options(1, 4);
  options.back_off_first = options.back_off_longest = 100s;
  SECTION("the server is there again") {
    ScriptedServer server({}, [](unsigned connection, std::string_view line) {
      return connection == 1 && line == "<connect>" ? ScriptedServer::hang_up("421 closed\r\n")
                                                    : ScriptedServer::proper();
    });
    options.server.port = server.port();
    Collector desk(options);
    desk.send({"1"});
    REQUIRE(desk.wait_for(1));
    CHECK(desk.outcome("1") == "retry/transport");
    desk.send(numbers(5));
    REQUIRE(desk.wait_for_total(6));
    for (const std::string& id : numbers(5)) CHECK(desk.outcome(id) == "accepted");
  }
  SECTION("it is not") {
    ScriptedServer server({}, [](unsigned, std::string_view line) {
      return line == "<connect>" ? ScriptedServer::hang_up("421 closed\r\n") : ScriptedServer::proper();
    });
    options.server.port = server.port();
    Collector desk(std::move(options));
    desk.send({"1"});
    REQUIRE(desk.wait_for(1));
    desk.send({"2", "3"});
    REQUIRE(desk.wait_for(3));
    desk.send({"4"});
    REQUIRE(desk.wait_for(4));
    CHECK(desk.outcome("4") == "retry/transport");
    CHECK(server.seen().connections == 2);
  }
}

TEST_CASE("a good probe ends the back-off") {
  ScriptedServer server({}, [](unsigned connection, std::string_view line) {
    return connection <= 2 && line == "<connect>" ? ScriptedServer::hang_up("421 closed\r\n")
                                                  : ScriptedServer::proper();
  });
  PoolOptions options = pool_options(server.port(), 1);
  options.back_off_first = options.back_off_longest = 100s;
  Collector desk(std::move(options));
  desk.send({"1"});
  REQUIRE(desk.wait_for(1));
  desk.send({"2"});
  REQUIRE(desk.wait_for(2));
  barrier(desk.pool);
  desk.send({"3"});
  REQUIRE(desk.wait_for(3));
  CHECK(desk.outcome("3") == "accepted");
}

TEST_CASE("four connections that fail at once are one failure") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line == "<connect>" ? ScriptedServer::hang_up("421 closed\r\n") : ScriptedServer::proper();
  });
  PoolOptions options = pool_options(server.port(), 4);
  options.back_off_first = 100s;
  options.back_off_longest = 10'000s;
  Collector desk(std::move(options));
  desk.send(numbers(4));
  REQUIRE(desk.wait_for(4));
  CHECK(desk.verdict("1").retry_after_s >= 49);
  CHECK(desk.verdict("1").retry_after_s <= 101);
}

TEST_CASE("a connection that ends within the TLS handshake is no wrong set-up") {
  ScriptedServer server({}, [](unsigned, std::string_view) { return ScriptedServer::hang_up(); });
  PoolOptions options = pool_options(server.port(), 1);
  options.session.tls = TlsMode::implicit;
  Collector desk(std::move(options));
  desk.send({"1"});
  REQUIRE(desk.wait_for(1));
  INFO(desk.verdict("1").detail);
  CHECK(desk.outcome("1") == "retry/transport");
  CHECK(desk.verdict("1").phase == Phase::tls);
  CHECK(desk.verdict("1").retry_after_s == 60);
}

TEST_CASE("a server that is silent at QUIT does not keep the place from a new connection") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line == "QUIT" ? ScriptedServer::fall_silent() : ScriptedServer::proper();
  });
  PoolOptions options = pool_options(server.port(), 1);
  options.session.max_messages = 1;
  options.session.limits.quit = 1h;
  Collector desk(std::move(options));
  desk.send({"1", "2"});
  REQUIRE(desk.wait_for(2));
  CHECK(desk.outcome("2") == "accepted");
  desk.pool.stop(20ms);
}

// ---- taken back

TEST_CASE("what is cancelled before its final dot is out is taken back from its connection") {
  const auto taken_back = [](Collector& desk, const std::string& id) {
    INFO(id << ": " << desk.verdict(id).detail);
    CHECK(desk.outcome(id) == "cancelled/transport");
    CHECK(desk.verdict(id).detail.find("taken back before it was sent") != std::string::npos);
  };
  const MessagePtr one = mail("1");
  const MessagePtr two = mail("2");
  SECTION("the server has not answered RCPT") {
    ScriptedServer server({}, [](unsigned connection, std::string_view line) {
      return connection == 1 && line.starts_with("RCPT") ? ScriptedServer::fall_silent() : ScriptedServer::proper();
    });
    Collector desk(pool_options(server.port(), 1));
    desk.pool.submit({one});
    REQUIRE(server.wait_for([](const auto& seen) { return seen.has("1 RCPT TO:<1@example.org>"); }));
    desk.pool.cancel({one});
    REQUIRE(desk.wait_for(1));
    taken_back(desk, "1");
    desk.send({"3"});
    REQUIRE(desk.wait_for(2));
    CHECK(desk.outcome("3") == "accepted");
  }
  SECTION("354 is there, the outcome before it is not settled") {
    ScriptedServer server;
    Collector desk(pool_options(server.port(), 1), false);
    desk.pool.submit({one, two});
    REQUIRE(desk.wait_for(1));
    REQUIRE(server.wait_for(
        [](const auto& seen) { return seen.has("1 RCPT TO:<2@example.org>") && seen.lines.back() == "1 DATA"; }));
    barrier(desk.pool);
    desk.pool.cancel({one, two});
    REQUIRE(desk.wait_for(2));
    CHECK(desk.outcome("1") == "accepted");
    taken_back(desk, "2");
    desk.pool.settled("1");
    desk.send({"3"});
    REQUIRE(desk.wait_for(3));
    CHECK(desk.outcome("3") == "accepted");
    CHECK(server.seen().mails.size() == 2);
  }
  SECTION("its envelope is behind another one's final dot, which is waited for") {
    ScriptedServer::Options slow;
    slow.delay = 30ms;
    ScriptedServer server(slow);
    Collector desk(pool_options(server.port(), 1));
    desk.pool.submit({one, two});
    REQUIRE(server.wait_for([](const auto& seen) { return seen.has("1 <message>"); }));
    desk.pool.cancel({one, two});
    REQUIRE(desk.wait_for(2));
    CHECK(desk.outcome("1") == "accepted");
    taken_back(desk, "2");
    CHECK(server.seen().mails.size() == 1);
  }
  SECTION("half of its content is out") {
    // A server that does not read: the content stays in the sockets' buffers, the final dot on this side.
    boost::asio::io_context io;
    boost::asio::ip::tcp::acceptor acceptor(io, {boost::asio::ip::address_v4::loopback(), 0});
    Collector desk(pool_options(acceptor.local_endpoint().port(), 1));
    std::string body;
    for (int i = 0; i < 400'000; ++i) body += "0123456789012345678901234567890123456789\r\n";
    const MessagePtr large = mail("large", body);
    desk.pool.submit({large, two});
    auto socket = acceptor.accept();
    const auto say = [&](std::string_view text) { boost::asio::write(socket, boost::asio::buffer(text)); };
    std::string heard;
    const auto hear = [&](std::string_view until) {
      while (heard.find(until) == std::string::npos) {
        char byte = 0;
        boost::asio::read(socket, boost::asio::buffer(&byte, 1));
        heard += byte;
      }
    };
    say("220 x\r\n");
    hear("EHLO invited.example\r\n");
    say("250-x\r\n250 PIPELINING\r\n");
    hear("DATA\r\n");
    say("250 Ok\r\n250 Ok\r\n354 go\r\n");
    hear("Subject: large\r\n\r\n0123");
    desk.pool.cancel({large, two});
    REQUIRE(desk.wait_for(2));
    taken_back(desk, "large");
    CHECK(desk.outcome("2") == "cancelled");
    // Whatever else arrives, no final dot does.
    boost::system::error_code end;
    std::string rest;
    boost::asio::read(socket, boost::asio::dynamic_buffer(rest), end);
    CHECK(rest.find("\r\n.\r\n") == std::string::npos);
  }
}
