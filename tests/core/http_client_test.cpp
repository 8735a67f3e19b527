#include <catch2/catch.hpp>

#include "core/http_client.hpp"
#include "core/http_fixture.hpp"

namespace asio = boost::asio;
using namespace invited::core;
using namespace invited::test;
using namespace std::chrono_literals;

namespace {

asio::awaitable<HttpResponse> handle(HttpRequest request) {
  HttpResponse answer;
  answer.headers.emplace_back("X-Method", request.method);
  if (request.path == "/missing") {
    answer.status = 404;
    answer.body = "no such thing";
  } else if (request.path == "/large") {
    answer.body = std::string(1'000'000, 'l');
  } else if (request.path == "/large-stream") {
    auto left = std::make_shared<int>(3);
    answer.stream = [left]() -> asio::awaitable<std::optional<std::string>> {
      if ((*left)-- == 0) co_return std::nullopt;
      co_return std::optional<std::string>(std::string(500'000, 's'));
    };
  } else if (request.path == "/stream") {
    auto left = std::make_shared<int>(1000);
    answer.stream = [left]() -> asio::awaitable<std::optional<std::string>> {
      if ((*left)-- == 0) co_return std::nullopt;
      co_return std::optional<std::string>("0123456789");
    };
  } else {
    answer.body = request.method + " " + request.path + " " + std::string(request.header("x-a")) + " " + request.body;
  }
  co_return answer;
}

// Answers each connection of a listening socket with fixed bytes, then closes it.
class Scripted {
public:
  explicit Scripted(std::vector<std::string> answers) : answers_(std::move(answers)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(socket_.get(), 5) == 0);
    thread_ = std::thread([this] {
      for (const std::string& answer : answers_) {
        const Descriptor peer(::accept(socket_.get(), nullptr, nullptr));
        if (!peer) return;
        ++accepted;
        std::array<char, 4096> request;
        if (::recv(peer.get(), request.data(), request.size(), 0) <= 0) continue;
        ::send(peer.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      }
    });
  }
  ~Scripted() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::filesystem::path path() { return folder_ / "s"; }
  std::atomic<int> accepted{0};

private:
  TempFolder folder_;
  std::vector<std::string> answers_;
  Descriptor socket_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::thread thread_;
};

std::string header_of(const ClientResponse& answer, std::string_view name) {
  for (const auto& [key, value] : answer.headers)
    if (key == name) return value;
  return "";
}

}  // namespace

TEST_CASE("the client sends method, path, headers and body, and keeps its connection") {
  TestServer server({}, handle);
  UnixHttpClient client(server.unix_path());
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.send({.method = "POST", .target = "/x?y=1", .headers = {{"X-A", "b"}}, .body = "hello"});
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(answer->body == "POST /x b hello");
    CHECK(header_of(*answer, "x-method") == "POST");
  }
  CHECK(server.connections() == 1);
  const auto head = client.send({.method = "HEAD", .target = "/"});
  REQUIRE(head);
  CHECK(head->body.empty());
  CHECK(client.send({.target = "/again"})->body == "GET /again  ");
  CHECK(server.connections() == 1);
}

TEST_CASE("a sink gets a stream piece by piece, may end it, and an error's body is never its") {
  TestServer server({}, handle);
  UnixHttpClient client(server.unix_path());
  std::string got;
  const auto whole = client.send({.target = "/stream"}, [&](std::string_view piece) {
    got += piece;
    return true;
  });
  REQUIRE(whole);
  CHECK(got.size() == 10'000);
  CHECK(whole->body.empty());
  int pieces = 0;
  const auto ended = client.send({.target = "/stream"}, [&](std::string_view) { return ++pieces < 2; });
  REQUIRE(ended);
  CHECK(ended->status == 200);
  CHECK(pieces == 2);
  pieces = 0;
  const auto missing = client.send({.target = "/missing"}, [&](std::string_view) { return ++pieces > 0; });
  REQUIRE(missing);
  CHECK(missing->status == 404);
  CHECK(missing->body == "no such thing");
  CHECK(pieces == 0);
}

TEST_CASE("a large answer arrives whole, by length and in chunks, with and without a sink") {
  TestServer server({}, handle);
  UnixHttpClient client(server.unix_path());
  for (int i = 0; i < 3; ++i) {
    CHECK(client.send({.target = "/large"})->body == std::string(1'000'000, 'l'));
    CHECK(client.send({.target = "/large-stream"})->body == std::string(1'500'000, 's'));
    std::size_t got = 0;
    const auto count = [&](std::string_view piece) { return (got += piece.size()) > 0; };
    CHECK(client.send({.target = "/large"}, count)->body.empty());
    CHECK(client.send({.target = "/large-stream"}, count)->body.empty());
    CHECK(got == 2'500'000);
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("a refused body's answer is seen although not all of the body could be sent") {
  HttpServerLimits limits;
  limits.body_bytes = 1000;
  TestServer server(limits, handle);
  UnixHttpClient client(server.unix_path());
  for (const std::size_t size : {1'001U, 5'000'000U}) {
    const auto answer = client.send({.method = "POST", .target = "/", .body = std::string(size, 'b')});
    REQUIRE(answer);
    CHECK(answer->status == 413);
  }
  CHECK(client.send({.target = "/"})->status == 200);
}

TEST_CASE("a kept connection that the daemon closed while idle is replaced without anybody noticing") {
  HttpServerLimits limits;
  limits.idle_time = 1ms;
  TestServer server(limits, handle);
  UnixHttpClient client(server.unix_path());
  for (int i = 0; i < 3; ++i) {
    CHECK(client.send({.method = "POST", .target = "/"})->status == 200);
    CHECK(server.eventually([&] { return server.server().connections() == 0; }));
  }
}

TEST_CASE("nobody listening, a missing file and a broken connection are told apart from an answer") {
  TempFolder folder;
  CHECK(UnixHttpClient(folder / "none").send({}).error().code == "not_listening");
  CHECK(UnixHttpClient(folder / std::string(120, 'x')).send({}).error().code == "bad_socket_path");
  {
    Scripted scripted({"", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
                       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab"});
    UnixHttpClient client(scripted.path());
    const auto nothing = client.send({});
    REQUIRE_FALSE(nothing);
    CHECK(nothing.error().code == "connection_lost");
    CHECK(nothing.error().kind == ErrorKind::unavailable);
    CHECK(scripted.accepted == 1);  // a first request is not repeated
    CHECK(client.send({}).error().code == "bad_answer");
    CHECK(client.send({}).error().code == "connection_lost");
    CHECK(client.send({}).error().code == "bad_answer");
  }
}

TEST_CASE("100 Continue is passed over on the way to the answer") {
  Scripted scripted({"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"});
  UnixHttpClient client(scripted.path());
  const auto answer = client.send({.method = "POST"});
  REQUIRE(answer);
  CHECK(answer->status == 201);
  CHECK(answer->body == "ok");
}

TEST_CASE("a target or header that would break the request's frame is refused before anything is sent") {
  UnixHttpClient client("/nonexistent");
  CHECK(client.send({.target = "/a b"}).error().code == "bad_request");
  CHECK(client.send({.target = "/a\r\nX: y"}).error().code == "bad_request");
  CHECK(client.send({.method = "GET / HTTP/1.1\r\n\r\nGET"}).error().code == "bad_request");
  CHECK(client.send({.headers = {{"X", "y\nZ: 1"}}}).error().code == "bad_request");
}
