#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <fstream>

#include "core/http_fixture.hpp"
#include "support/manual_clock.hpp"
#include "support/run.hpp"

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace invited::core;
using namespace invited::test;
using namespace std::chrono_literals;

namespace {

// What the handlers below leave behind for the test to see.
struct Seen {
  std::atomic<int> requests{0};
  std::atomic<int> waiting{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> finished{0};
  std::atomic<bool> let_go{false};  // ends /held
};

asio::awaitable<void> forever() {
  asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await never.async_wait(asio::use_awaitable);
}

asio::awaitable<std::optional<std::string>> count_down(std::shared_ptr<int> left) {
  if (*left == 0) co_return std::nullopt;
  std::string piece = std::to_string((*left)--) + "\n";
  co_return piece;
}

asio::awaitable<std::optional<std::string>> one_then_wait(std::shared_ptr<int> given, Seen* seen) {
  if ((*given)++ == 0) co_return std::optional<std::string>("first\n");
  ++seen->waiting;
  try {
    co_await forever();
  } catch (const boost::system::system_error&) {
    ++seen->cancelled;
    throw;
  }
  co_return std::nullopt;
}

asio::awaitable<std::optional<std::string>> one_then_pause(std::shared_ptr<int> given) {
  if ((*given)++ == 0) co_return std::optional<std::string>("first\n");
  asio::steady_timer timer(co_await asio::this_coro::executor, 50ms);
  co_await timer.async_wait(asio::use_awaitable);
  co_return std::nullopt;
}

asio::awaitable<std::optional<std::string>> one_then_fail(std::shared_ptr<int> given) {
  if ((*given)++ == 0) co_return std::optional<std::string>("first\n");
  throw std::runtime_error("the list broke off");
}

asio::awaitable<HttpResponse> handle(HttpRequest request, Seen* seen) {
  ++seen->requests;
  HttpResponse answer;
  answer.headers.emplace_back("Content-Type", "text/plain");
  if (request.path == "/echo") {
    answer.body = request.method + " " + request.body;
    for (const auto& [name, value] : request.query) answer.body += " [" + name + "=" + value + "]";
  } else if (request.path == "/headers") {
    for (const auto& [name, value] : request.headers) answer.body += name + "=" + value + "\n";
  } else if (request.path == "/peer") {
    answer.body = request.peer.local ? "uid " + std::to_string(request.peer.uid) : "from " + request.peer.address;
    for (const auto group : request.peer.groups) answer.body += " g" + std::to_string(group);
  } else if (request.path == "/throw") {
    throw std::runtime_error("secret detail");
  } else if (request.path == "/inject") {
    answer.headers.emplace_back("Location", "/x\r\nSet-Cookie: a=b");
  } else if (request.path == "/status-100") {
    answer.status = 100;
  } else if (request.path == "/nothing") {
    answer.status = 204;
    answer.body = "must not be sent";
  } else if (request.path == "/own-framing") {
    answer.headers.emplace_back("content-length", "9999");
    answer.headers.emplace_back("Transfer-Encoding", "chunked");
    answer.headers.emplace_back("Date", "yesterday");
    answer.body = "short";
  } else if (request.path == "/close") {
    answer.headers.emplace_back("Connection", "close");
    answer.body = "bye";
  } else if (request.path == "/large") {
    answer.body = std::string(5'000'000, 'l');
  } else if (request.path == "/stream") {
    auto left = std::make_shared<int>(std::stoi(request.query_value("n").value_or("3")));
    answer.stream = [left] { return count_down(left); };
  } else if (request.path == "/large-stream") {
    auto left = std::make_shared<int>(3);
    answer.stream = [left]() -> asio::awaitable<std::optional<std::string>> {
      if ((*left)-- == 0) co_return std::nullopt;
      co_return std::optional<std::string>(std::string(1'000'000, 's'));
    };
  } else if (request.path == "/events") {
    auto given = std::make_shared<int>(0);
    answer.stream = [given, seen] { return one_then_wait(given, seen); };
    answer.endless = request.query_value("endless").has_value();
  } else if (request.path == "/paced") {
    auto given = std::make_shared<int>(0);
    answer.stream = [given] { return one_then_pause(given); };
  } else if (request.path == "/broken-stream") {
    auto given = std::make_shared<int>(0);
    answer.stream = [given] { return one_then_fail(given); };
  } else if (request.path == "/wait") {
    ++seen->waiting;
    try {
      co_await forever();
    } catch (const boost::system::system_error&) {
      ++seen->cancelled;
      throw;
    }
  } else if (request.path == "/slow") {
    ++seen->waiting;
    asio::steady_timer timer(co_await asio::this_coro::executor, 50ms);
    co_await timer.async_wait(asio::use_awaitable);
    ++seen->finished;
    answer.body = "slow";
  } else if (request.path == "/held") {
    ++seen->waiting;
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!seen->let_go) {
      timer.expires_after(1ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
    answer.body = "held";
  } else {
    answer.body = request.method + " " + request.path;
  }
  co_return answer;
}

struct Fixture {
  Seen seen;
  TestServer server;

  explicit Fixture(HttpServerLimits limits = {})
      : server(std::move(limits), [this](HttpRequest request) { return handle(std::move(request), &seen); }) {}

  RawAnswer ask(const std::string& bytes) {
    RawClient client(server.unix_path());
    client.say(bytes);
    return client.answer();
  }
  RawAnswer get(const std::string& target) { return ask("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n"); }
};

std::string get_of(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
}

HttpServerLimits quick(Milliseconds header, Milliseconds body, Milliseconds idle) {
  HttpServerLimits limits;
  limits.header_time = header;
  limits.body_time = body;
  limits.idle_time = idle;
  return limits;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "a request is answered over TCP and over a Unix socket, and the connection kept") {
  RawClient tcp(server.port());
  RawClient local(server.unix_path());
  for (RawClient* client : {&tcp, &local}) {
    for (int i = 0; i < 3; ++i) {
      client->say(get_of("/a/b%2Fc?x=1"));
      const RawAnswer answer = client->answer();
      CHECK(answer.status == 200);
      CHECK(answer.body == "GET /a/b%2Fc");  // raw: the router decodes by segment
      CHECK(answer.says("HTTP/1.1 200 OK\r\n"));
      CHECK_FALSE(answer.says("Connection:"));
    }
  }
  CHECK(server.connections() == 2);
  tcp.leave();
  local.leave();
  CHECK(server.eventually([&] { return server.server().connections() == 0; }));
}

TEST_CASE_METHOD(Fixture, "no header tells what software answers; Date is there") {
  const RawAnswer answer = get("/");
  CHECK_FALSE(answer.says("Server:"));
  CHECK_FALSE(answer.says("Beast"));
  CHECK_THAT(answer.head, Catch::Contains("\r\nDate: ") && Catch::Contains(" GMT\r\n"));
}

TEST_CASE_METHOD(Fixture,
                 "requests sent in one go are answered in order, also those behind a slow one, a body or a stream") {
  RawClient client(server.unix_path());
  client.say(
      get_of("/slow") + "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + get_of("/stream?n=2") +
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;ext=1\r\nf\r\n0\r\n\r\n" +
      get_of("/large-stream") + get_of("/last"));
  CHECK(client.answer().body == "slow");
  CHECK(client.answer().body == "POST abc");
  CHECK(client.answer().body == "2\n1\n");
  CHECK(client.answer().body == "POST def");
  CHECK(client.answer().body.size() == 3'000'000);
  CHECK(client.answer().body == "GET /last");
}

TEST_CASE_METHOD(Fixture, "a request that comes byte by byte is read as one that comes whole") {
  RawClient client(server.unix_path());
  for (const char c : std::string("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"))
    client.say({&c, 1});
  CHECK(client.answer().body == "POST abc");
}

TEST_CASE_METHOD(Fixture, "HEAD is answered as GET, with the same Content-Length and no body") {
  RawClient client(server.unix_path());
  client.say("HEAD /echo?a=b HTTP/1.1\r\nHost: x\r\n\r\n");
  const RawAnswer head = client.answer(true);
  client.say(get_of("/echo?a=b"));
  const RawAnswer full = client.answer();
  CHECK(full.body == "GET  [a=b]");
  CHECK(head.says("Content-Length: 10\r\n"));
  CHECK(full.says("Content-Length: 10\r\n"));
  client.say("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n" + get_of("/after"));
  CHECK(client.answer(true).says("Transfer-Encoding: chunked"));
  CHECK(client.answer().body == "GET /after");
}

TEST_CASE_METHOD(Fixture, "the query is decoded in order, and a badly encoded one refused") {
  CHECK(get("/echo?q=%C3%A5+b&q=%2B&flag").body == "GET  [q=å b] [q=+] [flag=]");
  CHECK(get("/echo?").body == "GET ");
  CHECK(get("/echo?q=%").status == 400);
  CHECK(get("/echo?q=%zz").status == 400);
}

TEST_CASE_METHOD(Fixture, "an absolute target is taken by its path; what is no path is refused") {
  CHECK(get("http://example.com/echo?a=1").body == "GET  [a=1]");
  CHECK(get("HTTPS://example.com").body == "GET /");
  CHECK(get("*").status == 400);
  CHECK(get("echo").status == 400);
  CHECK(get("ftp://example.com/").status == 400);
  CHECK(get("http://example.com?x").status == 400);
  CHECK(get("/a#b").status == 400);
  CHECK(ask("CONNECT example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n").status == 400);
}

TEST_CASE_METHOD(Fixture, "what two servers in a row could read differently is refused and the connection closed") {
  const auto [why, request] = GENERATE(table<std::string, std::string>({
      {"two lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"},
      {"one length twice", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"},
      {"a list of lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc"},
      {"length and encoding",
       "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"encoding and length",
       "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"},
      {"two encodings",
       "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"another encoding", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n"},
      {"another encoding and a length",
       "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc"},
      {"an encoding before chunked",
       "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
      {"chunked twice", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
      {"chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"space before the colon", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc"},
      {"a negative length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"},
      {"a length with a plus", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc"},
      {"a length in hexadecimal", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc"},
      {"a length past 64 bits", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551619\r\n\r\nabc"},
      {"an empty length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nabc"},
      {"a bad chunk size", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
      {"a chunk size past 64 bits",
       "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n"},
      {"a chunk longer than it says",
       "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n"},
      {"bare line feeds", "GET / HTTP/1.1\nHost: x\n\n\r\n\r\n"},
      {"a bare carriage return", "GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n"},
      {"NUL in a header", std::string("GET / HTTP/1.1\r\nHost: x\0y\r\n\r\n", 29)},
      {"no Host", "GET / HTTP/1.1\r\n\r\n"},
      {"two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"},
      {"another version", "GET / HTTP/2.0\r\nHost: x\r\n\r\n"},
      {"no version", "GET /\r\n\r\n"},
      {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15)},
  }));
  CAPTURE(why);
  RawClient client(server.unix_path());
  client.say(request + get_of("/smuggled"));
  const RawAnswer answer = client.answer();
  CHECK(answer.status >= 400);
  CHECK(answer.status < 600);
  CHECK(answer.status != 500);
  CHECK(answer.says("Connection: close"));
  CHECK(answer.says("text/plain"));
  CHECK(client.closed());
  CHECK(seen.requests == 0);
}

TEST_CASE_METHOD(Fixture, "trailers of a chunked body do not become headers") {
  const RawAnswer answer =
      ask("POST /headers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Admin: yes\r\n\r\n");
  CHECK(answer.status == 200);
  CHECK(answer.body == "host=x\ntransfer-encoding=chunked\n");
}

TEST_CASE("a header of the limit's size is taken, a larger one answered 431") {
  HttpServerLimits limits;
  limits.header_bytes = 1024;
  Fixture f(limits);
  const auto with_header_of = [](std::size_t size) {
    const std::string begin = "GET / HTTP/1.1\r\nHost: x\r\nX-Long: ";
    return begin + std::string(size - begin.size() - 4, 'h') + "\r\n\r\n";
  };
  CHECK(f.ask(with_header_of(1000)).status == 200);
  CHECK(f.ask(with_header_of(1100)).status == 431);
  CHECK(f.ask(with_header_of(300'000)).status == 431);
  CHECK(f.ask("GET /" + std::string(300'000, 'p')).status == 431);
  std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 10'000; ++i) many += "a:b\r\n";
  CHECK(f.ask(many).status == 431);
  CHECK(f.seen.requests == 1);
}

TEST_CASE("the header's limit is for the whole of it, however short its lines are") {
  Fixture f;
  const auto with_fields = [](int count) {
    std::string request = "GET / HTTP/1.1\r\nHost: x\r\n";
    for (int i = 0; i < count; ++i) request += "a: bcdefg\r\n";
    return request + "\r\n";
  };
  RawClient client(f.server.unix_path());
  for (int i = 0; i < 2; ++i) {
    client.say(with_fields(700));  // on the same connection each header has the whole limit
    CHECK(client.answer().status == 200);
  }
  for (const int count : {800, 2'000, 10'000}) {
    CAPTURE(count);
    CHECK(f.ask(with_fields(count)).status == 431);
  }
  CHECK(f.seen.requests == 2);
}

TEST_CASE("a body of the limit's size is taken, a larger one answered 413, by length or by chunks, before it is read") {
  HttpServerLimits limits;
  limits.body_bytes = 10;
  limits.body_bytes_for = [](const HttpRequest& head) -> std::uint64_t {
    const bool ours = head.peer.local && head.peer.uid == ::getuid() && head.body.empty();
    return ours && head.method == "POST" && head.path == "/headers" ? 1'000'000 : 0;
  };
  Fixture f(limits);
  const auto by_length = [](const std::string& path, std::size_t size) {
    return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
           std::string(size, 'b');
  };
  const auto by_chunks = [](const std::string& path, std::size_t count) {
    std::string request = "POST " + path + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t i = 0; i < count; ++i) request += "1\r\nb\r\n";
    return request + "0\r\n\r\n";
  };
  CHECK(f.ask(by_length("/echo", 10)).status == 200);
  CHECK(f.ask(by_chunks("/echo", 10)).status == 200);
  CHECK(f.ask(by_length("/headers", 1'000'000)).status == 200);
  CHECK(f.ask(by_chunks("/headers", 100'000)).status == 200);
  CHECK(f.seen.requests == 4);
  CHECK(f.ask(by_length("/echo", 11)).status == 413);
  CHECK(f.ask(by_chunks("/echo", 11)).status == 413);
  CHECK(f.ask(by_length("/headers", 1'000'001)).status == 413);
  CHECK(f.ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n").status == 413);
  CHECK(f.ask("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nabc").status == 413);
  CHECK(f.seen.requests == 4);
}

TEST_CASE("a client that waits for 100 Continue is told to go on, or that its body is too large") {
  HttpServerLimits limits;
  limits.body_bytes = 10;
  Fixture f(limits);
  RawClient client(f.server.unix_path());
  client.say("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  CHECK(client.answer().status == 100);
  client.say("abc");
  CHECK(client.answer().body == "POST abc");
  client.say("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
  CHECK(client.answer().status == 413);
  CHECK(f.ask("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: dinner\r\nContent-Length: 1\r\n\r\n").status == 417);
}

TEST_CASE("a header that takes too long is answered 408, however steadily it drips") {
  Fixture f(quick(100ms, 10s, 10s));
  RawClient client(f.server.unix_path());
  client.say("GET / HTTP/1.1\r\nHost: x\r\n");
  std::thread dripping([&client] {
    while (client.say("X: y\r\n")) std::this_thread::yield();
  });
  // The dripping client is soon over the size limit too; either way it is told and cut off.
  const RawAnswer answer = client.answer();
  CHECK((answer.status == 408 || answer.status == 431));
  client.say_no_more();
  dripping.join();

  RawClient silent(f.server.unix_path());
  silent.say("GET / HT");
  CHECK(silent.answer().status == 408);
  CHECK(f.seen.requests == 0);
}

TEST_CASE("a body that takes too long is answered 408") {
  Fixture f(quick(10s, 100ms, 10s));
  RawClient client(f.server.unix_path());
  client.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab");
  const RawAnswer answer = client.answer();
  CHECK(answer.status == 408);
  CHECK(answer.says("Connection: close"));
  CHECK(client.closed());
  CHECK(f.seen.requests == 0);
}

TEST_CASE(
    "a connection that says nothing is closed without a word, a new one after header_time, a kept one after "
    "idle_time") {
  Fixture f(quick(100ms, 10s, 150ms));
  RawClient fresh(f.server.unix_path());
  CHECK(fresh.hear_all().empty());
  RawClient kept(f.server.unix_path());
  kept.say(get_of("/"));
  CHECK(kept.answer().status == 200);
  CHECK(kept.hear_all().empty());
  CHECK(f.server.connections() == 0);
}

TEST_CASE("a client that does not take its answer is dropped after body_time") {
  Fixture f(quick(10s, 100ms, 10s));
  RawClient client(f.server.unix_path());
  client.say(get_of("/large"));
  CHECK(f.server.eventually([&] { return f.seen.requests == 1 && f.server.server().connections() == 0; }));
  RawClient streaming(f.server.unix_path());
  streaming.say(get_of("/large-stream"));
  CHECK(f.server.eventually([&] { return f.seen.requests == 2 && f.server.server().connections() == 0; }));
}

TEST_CASE("slow clients cost one connection each and never the loop") {
  Fixture f(quick(10s, 10s, 10s));
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(std::make_unique<RawClient>(f.server.unix_path()));
    slow.back()->say("GET / HTTP/1.1\r\nHos");
  }
  CHECK(f.get("/quick").body == "GET /quick");
  CHECK(f.server.eventually([&] { return f.server.server().connections() >= 50; }));
}

TEST_CASE("a connection over the caps is told 503; ended ones make room") {
  HttpServerLimits limits;
  const bool per_peer = GENERATE(false, true);
  (per_peer ? limits.connections_per_peer : limits.connections) = 2;
  Fixture f(limits);
  RawClient one(f.server.unix_path());
  RawClient two(f.server.unix_path());
  one.say(get_of("/"));
  two.say(get_of("/"));
  CHECK(one.answer().status == 200);
  CHECK(two.answer().status == 200);
  RawClient three(f.server.unix_path());
  const RawAnswer refused = three.answer();
  CHECK(refused.status == 503);
  CHECK(refused.whole);
  // Another peer (the loopback address is not our uid) is only affected by the cap on all.
  RawClient other(f.server.port());
  other.say(get_of("/"));
  CHECK(other.answer().status == (per_peer ? 200 : 503));
  two.leave();
  CHECK(f.server.eventually([&] { return f.server.server().connections() == (per_peer ? 2U : 1U); }));
  CHECK(f.get("/again").body == "GET /again");
}

TEST_CASE("accepting goes on after a refusal that cannot be worded, which is reported") {
  HttpServerLimits limits;
  limits.connections = 1;
  limits.refusal = [thrown = false](unsigned status, std::string_view text) mutable {
    if (!std::exchange(thrown, true)) throw std::runtime_error("no words");
    HttpResponse answer;
    answer.status = status;
    answer.body = text;
    return answer;
  };
  Fixture f(limits);
  RawClient one(f.server.unix_path());
  one.say(get_of("/"));
  CHECK(one.answer().status == 200);
  RawClient unanswered(f.server.unix_path());
  CHECK(unanswered.closed());
  CHECK(f.server.eventually([&] { return f.server.errors() == std::vector<std::string>{"no words"}; }));
  RawClient refused(f.server.unix_path());
  CHECK(refused.answer().status == 503);
  one.leave();
  CHECK(f.server.eventually([&] { return f.server.server().connections() == 0; }));
  CHECK(f.get("/again").body == "GET /again");
}

#ifndef __SANITIZE_ADDRESS__  // UBSan's own check of a vptr opens a pipe, and takes its failure for a bad object
TEST_CASE_METHOD(Fixture, "running out of descriptors is reported and passes: who waited is answered then") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next = ::dup(0);
  ::close(next);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next) + 1;  // room for the client's end, none for the server's
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
  RawClient client(server.unix_path());
  client.say(get_of("/late"));
  const bool reported = server.eventually([&] { return !server.errors().empty(); });
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(reported);
  CHECK(client.answer().body == "GET /late");
  CHECK(server.errors().size() < 10);  // it paused in between, it did not spin
}
#endif

TEST_CASE_METHOD(Fixture, "the peer is the kernel's word: uid and groups on a Unix socket, the address on TCP") {
  CHECK_THAT(get("/peer").body, Catch::StartsWith("uid " + std::to_string(::getuid())));
  RawClient tcp(server.port());
  tcp.say(get_of("/peer"));
  CHECK(tcp.answer().body == "from 127.0.0.1");
}

TEST_CASE_METHOD(Fixture, "all supplementary groups are known, also when they are many") {
  if (::getuid() != 0) return;  // only root may choose its groups
  constexpr gid_t first = 50'000;
  constexpr int count = 100;
  std::array<int, 2> pipe_ends{};
  REQUIRE(::pipe(pipe_ends.data()) == 0);
  const std::string path = server.unix_path();
  const pid_t child = ::fork();
  if (child == 0) {
    // Only system calls from here on: the parent has threads.
    std::array<gid_t, count> groups;
    for (int i = 0; i < count; ++i) groups.at(i) = first + i;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    constexpr std::string_view request = "GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    std::array<char, 4096> piece;
    bool good = ::setgroups(count, groups.data()) == 0 &&
                ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                ::write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size());
    for (ssize_t n = 0; good && (n = ::read(fd, piece.data(), piece.size())) > 0;)
      good = ::write(pipe_ends[1], piece.data(), static_cast<std::size_t>(n)) == n;
    ::_exit(good ? 0 : 1);
  }
  ::close(pipe_ends[1]);
  std::string heard;
  std::array<char, 4096> piece;
  for (ssize_t n = 0; (n = ::read(pipe_ends[0], piece.data(), piece.size())) > 0;)
    heard.append(piece.data(), static_cast<std::size_t>(n));
  ::close(pipe_ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  for (int i = 0; i < count; ++i) CHECK_THAT(heard, Catch::Contains(" g" + std::to_string(first + i)));
}

TEST_CASE_METHOD(Fixture, "a handler that throws is a 500 without detail, reported here, and the connection goes on") {
  RawClient client(server.unix_path());
  client.say(get_of("/throw") + get_of("/after"));
  const RawAnswer answer = client.answer();
  CHECK(answer.status == 500);
  CHECK(answer.body.find("secret") == std::string::npos);
  CHECK(client.answer().body == "GET /after");
  CHECK(server.errors() == std::vector<std::string>{"secret detail"});
}

TEST_CASE_METHOD(Fixture, "an answer that cannot be sent safely is a 500 and reported") {
  const RawAnswer injected = get("/inject");
  CHECK(injected.status == 500);
  CHECK_FALSE(injected.says("Set-Cookie"));
  CHECK(get("/status-100").status == 500);
  CHECK(server.errors().size() == 2);
}

TEST_CASE_METHOD(Fixture, "framing is the server's: what a handler says about it is not sent") {
  const RawAnswer answer = get("/own-framing");
  CHECK(answer.body == "short");
  CHECK(answer.says("Content-Length: 5\r\n"));
  CHECK_FALSE(answer.says("9999"));
  CHECK_FALSE(answer.says("ransfer"));
  CHECK_FALSE(answer.says("yesterday"));
  RawClient client(server.unix_path());
  client.say(get_of("/nothing") + get_of("/after"));
  const RawAnswer nothing = client.answer();
  CHECK(nothing.status == 204);
  CHECK_FALSE(nothing.says("Content-Length"));
  CHECK(client.answer().body == "GET /after");
}

TEST_CASE_METHOD(Fixture,
                 "either side may end the connection after an answer; HTTP/1.0 does unless it asks to keep it") {
  const auto [request, closes] = GENERATE(table<std::string, bool>({
      {"GET /close HTTP/1.1\r\nHost: x\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", true},
      {"GET / HTTP/1.0\r\n\r\n", true},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", false},
  }));
  CAPTURE(request);
  RawClient client(server.unix_path());
  client.say(request);
  const RawAnswer answer = client.answer();
  CHECK(answer.status == 200);
  CHECK(answer.says("Connection: close") == closes);
  if (closes) {
    CHECK(client.closed());
  } else {
    client.say(get_of("/again"));
    CHECK(client.answer().body == "GET /again");
  }
}

TEST_CASE_METHOD(Fixture, "a large answer arrives whole") {
  const RawAnswer answer = get("/large");
  CHECK(answer.whole);
  CHECK(answer.body == std::string(5'000'000, 'l'));
}

TEST_CASE_METHOD(Fixture, "a stream is chunked in HTTP/1.1 and ends with the connection in HTTP/1.0") {
  const RawAnswer chunked = get("/stream?n=3");
  CHECK(chunked.whole);
  CHECK(chunked.body == "3\n2\n1\n");
  const RawAnswer plain = ask("GET /stream?n=3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(plain.body == "3\n2\n1\n");
  CHECK_FALSE(plain.says("chunked"));
  CHECK(plain.says("Connection: close"));
  CHECK(get("/stream?n=0").whole);
}

TEST_CASE_METHOD(Fixture, "each piece of a stream is there as soon as it is given") {
  RawClient client(server.unix_path());
  client.say(get_of("/events"));
  CHECK_THAT(client.hear_until("first\n"), Catch::EndsWith("6\r\nfirst\n"));
  CHECK(server.eventually([&] { return seen.waiting == 1; }));
  CHECK(seen.cancelled == 0);
}

TEST_CASE_METHOD(Fixture, "a stream is cancelled when its client leaves, also one that has sent its next requests") {
  const bool pipelined = GENERATE(false, true);
  const bool over_tcp = GENERATE(false, true);
  {
    RawClient client = over_tcp ? RawClient(server.port()) : RawClient(server.unix_path());
    client.say(get_of("/events") + (pipelined ? get_of("/next") : ""));
    client.hear_until("first\n");
    CHECK(server.eventually([&] { return seen.waiting == 1; }));
    CHECK(server.connections() == 1);
  }
  CHECK(server.eventually([&] { return seen.cancelled == 1 && server.server().connections() == 0; }));
  CHECK(server.errors().empty());
}

TEST_CASE_METHOD(Fixture, "a request sent while a stream is on its way is answered after it, byte for byte") {
  RawClient client(server.unix_path());
  client.say(get_of("/paced"));
  CHECK_THAT(client.hear_until("first\n"), Catch::EndsWith("first\n"));
  const std::string body(3'000, 'b');  // more than the watch reads at once
  client.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n" + body);
  CHECK(client.hear_until("0\r\n\r\n") == "\r\n0\r\n\r\n");
  CHECK(client.answer().body == "POST " + body);
}

TEST_CASE_METHOD(Fixture, "a stream that fails is visibly cut short, reported, and nothing follows it") {
  RawClient client(server.unix_path());
  client.say(get_of("/broken-stream") + get_of("/after"));
  const RawAnswer answer = client.answer();
  CHECK(answer.body == "first\n");
  CHECK_FALSE(answer.whole);
  CHECK(client.closed());
  CHECK(server.errors() == std::vector<std::string>{"the list broke off"});
}

TEST_CASE_METHOD(Fixture, "a request runs to its end although its client has left") {
  {
    RawClient client(server.unix_path());
    client.say(get_of("/slow"));
    CHECK(server.eventually([&] { return seen.waiting == 1; }));
  }
  CHECK(server.eventually([&] { return seen.finished == 1; }));
}

TEST_CASE_METHOD(Fixture, "a client that has said all it will is still answered") {
  RawClient client(server.unix_path());
  client.say(get_of("/slow"));
  client.say_no_more();
  CHECK(client.answer().body == "slow");
  RawClient torn(server.unix_path());
  torn.say("GET / HTT");
  torn.say_no_more();
  CHECK(torn.hear_all().empty());
}

TEST_CASE_METHOD(Fixture, "stop lets what is in progress finish, ends what is idle, and takes nothing new") {
  RawClient idle(server.unix_path());
  idle.say(get_of("/"));
  CHECK(idle.answer().status == 200);
  RawClient busy(server.unix_path());
  busy.say(get_of("/held"));
  CHECK(server.eventually([&] { return seen.waiting == 1; }));
  auto stopped = server.stop(1h);  // the grace is for who is busy; nobody waits for it to be over
  CHECK(idle.closed());
  seen.let_go = true;
  const RawAnswer answer = busy.answer();
  CHECK(answer.body == "held");
  CHECK(answer.says("Connection: close"));
  CHECK(stopped.wait_for(10s) == std::future_status::ready);
  CHECK_FALSE(fs::exists(server.unix_path()));
  CHECK_THROWS(RawClient(server.unix_path()));
  CHECK_THROWS(RawClient(server.port()));
  CHECK(server.connections() == 0);
}

TEST_CASE_METHOD(Fixture, "stop waits for no stream that has no end of its own") {
  RawClient following(server.unix_path());
  following.say(get_of("/events?endless"));
  CHECK(server.eventually([&] { return seen.waiting == 1; }));
  RawClient asked_late(server.unix_path());
  asked_late.say(get_of("/held"));
  CHECK(server.eventually([&] { return seen.waiting == 2; }));
  auto stopped = server.stop(1h);
  const RawAnswer answer = following.answer();
  CHECK(answer.body == "first\n");
  CHECK_FALSE(answer.whole);
  CHECK(seen.cancelled == 1);
  seen.let_go = true;
  CHECK(asked_late.answer().body == "held");
  CHECK(stopped.wait_for(10s) == std::future_status::ready);
  CHECK(server.errors().empty());
}

TEST_CASE_METHOD(Fixture, "what is not done within the grace is cancelled, requests and streams alike") {
  RawClient waiting(server.unix_path());
  waiting.say(get_of("/wait"));
  RawClient streaming(server.unix_path());
  streaming.say(get_of("/events"));
  CHECK(server.eventually([&] { return seen.waiting == 2; }));
  auto stopped = server.stop(50ms);
  CHECK(stopped.wait_for(10s) == std::future_status::ready);
  CHECK(seen.cancelled == 2);
  CHECK(server.connections() == 0);
  CHECK(server.errors().empty());
}

TEST_CASE("an address that cannot be listened on is refused with the reason") {
  asio::io_context io;
  HttpServer server(io.get_executor(), {}, {}, [](std::exception_ptr) {});
  for (const std::string bad :
       {"", "8620", "localhost:8620", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1:80 ", "::1:80", "[127.0.0.1]:80", "256.0.0.1:80"}) {
    CAPTURE(bad);
    const auto bound = server.listen_tcp(bad);
    REQUIRE_FALSE(bound);
    CHECK(bound.error().kind == ErrorKind::invalid);
  }
  const std::string first = server.listen_tcp("127.0.0.1:0").value();
  const auto second = server.listen_tcp(first);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == "address_in_use");
  settle(io);
}

TEST_CASE("a Unix socket is made with exactly its mode, whatever the umask, and never over something else") {
  TempFolder folder;
  asio::io_context io;
  HttpServer server(io.get_executor(), {}, {}, [](std::exception_ptr) {});
  const auto mode_of = [](const fs::path& path) {
    struct stat about{};
    REQUIRE(::lstat(path.c_str(), &about) == 0);
    return about.st_mode & 07777;
  };
  const mode_t old = ::umask(GENERATE(0, 022, 0777));
  const auto made = server.listen_unix(folder / "s", 0660);
  ::umask(old);
  REQUIRE(made);
  CHECK(*made == (folder / "s").string());
  CHECK(mode_of(folder / "s") == 0660);

  CHECK(server.listen_unix(folder / "s", 0600).error().code == "socket_in_use");
  CHECK(mode_of(folder / "s") == 0660);

  std::ofstream(folder / "file") << "precious";
  CHECK(server.listen_unix(folder / "file", 0600).error().code == "not_a_socket");
  CHECK(fs::file_size(folder / "file") == 8);
  fs::create_symlink(folder / "s", folder / "link");
  CHECK(server.listen_unix(folder / "link", 0600).error().code == "not_a_socket");
  fs::create_symlink(folder / "nowhere", folder / "dangling");
  CHECK(server.listen_unix(folder / "dangling", 0600).error().code == "not_a_socket");
  CHECK_FALSE(fs::exists(folder / "nowhere"));

  CHECK(server.listen_unix(folder / std::string(120, 'x'), 0600).error().code == "bad_socket_path");
  CHECK(server.listen_unix("", 0600).error().kind == ErrorKind::invalid);
  CHECK(server.listen_unix(folder / "none" / "s", 0600).error().kind == ErrorKind::not_found);
  settle(io);
}

TEST_CASE("a stale socket that nobody listens on is replaced") {
  TempFolder folder;
  {
    // Bound and closed again, as a killed daemon leaves it.
    const Descriptor left(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, (folder / "s").c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(left.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  REQUIRE(fs::is_socket(folder / "s"));
  asio::io_context io;
  HttpServer server(io.get_executor(), {}, {}, [](std::exception_ptr) {});
  CHECK(server.listen_unix(folder / "s", 0600));
  settle(io);
}

TEST_CASE("a socket file that somebody has put in place of ours is not removed at the end") {
  TempFolder folder;
  asio::io_context io;
  ManualClock clock;
  HttpServer server(io.get_executor(), {}, {}, [](std::exception_ptr) {});
  REQUIRE(server.listen_unix(folder / "s", 0600));
  fs::rename(folder / "s", folder / "old");
  HttpServer successor(io.get_executor(), {}, {}, [](std::exception_ptr) {});
  REQUIRE(successor.listen_unix(folder / "s", 0600));
  run(io, server.stop(clock, 0ms));
  CHECK(fs::exists(folder / "s"));
  run(io, successor.stop(clock, 0ms));
  CHECK_FALSE(fs::exists(folder / "s"));
}

TEST_CASE_METHOD(Fixture, "a socket from the service manager is adopted if it listens, and its file is left alone") {
  TempFolder folder;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (folder / "s").c_str(), sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK(server.on_thread([&] { return server.server().adopt_listening_socket(fd); }).error().code ==
        "not_a_listening_socket");
  REQUIRE(::listen(fd, 5) == 0);
  const auto adopted = server.on_thread([&] { return server.server().adopt_listening_socket(fd); });
  REQUIRE(adopted);
  CHECK(*adopted == (folder / "s").string());
  CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  RawClient client(folder / "s");
  client.say(get_of("/adopted"));
  CHECK(client.answer().body == "GET /adopted");
  CHECK(server.on_thread([&] { return server.server().adopt_listening_socket(-1); }).error().kind ==
        ErrorKind::invalid);
  client.leave();
  server.stop(0ms).wait();
  CHECK(fs::exists(folder / "s"));
}

TEST_CASE("a server and its io_context may be destroyed with connections open") {
  Seen seen;
  TempFolder folder;
  auto io = std::make_unique<asio::io_context>();
  auto server = std::make_unique<HttpServer>(
      io->get_executor(), HttpServerLimits{},
      [&seen](HttpRequest request) { return handle(std::move(request), &seen); }, [](std::exception_ptr) {});
  REQUIRE(server->listen_unix(folder / "s", 0600));
  std::vector<std::unique_ptr<RawClient>> clients;
  for (const std::string path : {"", "/wait", "/events", "/large", "/slow"}) {
    clients.push_back(std::make_unique<RawClient>(folder / "s"));
    clients.back()->say(path.empty() ? "GET / HT" : get_of(path));
  }
  settle(*io);
  CHECK(server->connections() == 5);
  const bool run_on = GENERATE(false, true);
  server.reset();
  if (run_on) settle(*io);
  CHECK((!run_on || seen.cancelled == 2));
  io.reset();
}
