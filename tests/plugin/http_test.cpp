// The HTTP client of the plugins against a scripted server on loopback: policy, limits, what each way to fail is
// called.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <list>

#include "bench.hpp"
#include "plugin/http_client.hpp"

using namespace invited;
using namespace invited::test;
using plugin::HttpClient;
using plugin::HttpPolicy;
using plugin::HttpRequest;
using plugin::HttpResult;

namespace {

// Answers by path; each connection has a thread, ended by the destructor.
class Server {
public:
  Server() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 64) == 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept(); });
  }
  ~Server() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (Connection& one : connections_) {
      ::shutdown(one.socket, SHUT_RDWR);
      one.thread.join();
      ::close(one.socket);
    }
    ::close(listener_);
  }
  [[nodiscard]] std::string url(const std::string& path, const std::string& host = "127.0.0.1") const {
    return "http://" + host + ":" + std::to_string(port_) + path;
  }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int requests(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return requests_[path];
  }

private:
  struct Connection {
    int socket;
    std::thread thread;
  };

  void accept() {
    for (;;) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;
      connections_.push_back({socket, {}});
      connections_.back().thread = std::thread([this, socket] {
        while (serve(socket)) {
        }
        ::shutdown(socket, SHUT_RDWR);
      });
    }
  }

  bool serve(int socket) {
    std::string got;
    char piece[4096];
    std::size_t head_end = 0;
    std::size_t body_size = 0;
    while (head_end == 0 || got.size() < head_end + body_size) {
      const ssize_t size = ::recv(socket, piece, sizeof piece, 0);
      if (size <= 0) return false;
      got.append(piece, static_cast<std::size_t>(size));
      if (const auto at = got.find("\r\n\r\n"); head_end == 0 && at != std::string::npos) {
        head_end = at + 4;
        if (const auto length = got.find("Content-Length: "); length != std::string::npos)
          body_size = std::stoul(got.substr(length + 16));
      }
    }
    const auto blank = got.find(' ');
    const std::string path = got.substr(blank + 1, got.find(' ', blank + 1) - blank - 1);
    {
      const std::lock_guard lock(mutex_);
      ++requests_[path];
    }
    const auto answer = [&](const std::string& head, const std::string& body) {
      const std::string all =
          "HTTP/1.1 " + head + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
      return ::send(socket, all.data(), all.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(all.size());
    };
    if (path == "/echo") return answer("200 OK\r\nX-Reply: Yes ", got);
    if (path == "/missing") return answer("404 Not Found", "no");
    if (path == "/here") return answer("302 Found\r\nLocation: /echo", "");
    if (path == "/loop") return answer("302 Found\r\nLocation: /loop", "");
    if (path == "/away") return answer("302 Found\r\nLocation: " + url("/echo", "localhost"), "away");
    if (path == "/big") return answer("200 OK", std::string(100'000, 'x'));
    if (path == "/headers")
      return answer("200 OK\r\nX: " + std::string(90'000, 'x') + "\r\nY: " + std::string(90'000, 'y') +
                        "\r\nZ: " + std::string(90'000, 'z'),
                    "");
    if (path == "/hang") return ::recv(socket, piece, sizeof piece, 0) > 0;
    if (path == "/half") {
      const std::string half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
      ::send(socket, half.data(), half.size(), MSG_NOSIGNAL);
    }
    return false;  // "/drop", "/half"
  }

  int listener_ = -1;
  int port_ = 0;
  std::thread acceptor_;
  std::list<Connection> connections_;  // of the acceptor until it is joined
  std::mutex mutex_;
  std::map<std::string, int> requests_;
};

HttpRequest get(std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  request.timeout = 10s;
  return request;
}

HttpResult fetch(HttpClient& client, HttpRequest request) {
  auto promise = std::make_shared<std::promise<HttpResult>>();
  auto arriving = promise->get_future();
  request.done = [promise](HttpResult result) { promise->set_value(std::move(result)); };
  const auto started = client.start(std::move(request));
  if (!started) {
    HttpResult refused;
    refused.status = -1;
    refused.error = started.error().message;
    return refused;
  }
  if (arriving.wait_for(20s) != std::future_status::ready) throw std::runtime_error("no answer");
  return arriving.get();
}

std::string header(const HttpResult& result, std::string_view name) {
  for (const auto& [key, value] : result.headers)
    if (key == name) return value;
  return "(none)";
}

int closed_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

}  // namespace

TEST_CASE("a request goes out as asked, and any answer of the server is OK") {
  Server server;
  HttpClient client({});
  HttpRequest request = get(server.url("/echo"));
  request.method = "POST";
  request.headers = {{"X-Mine", "yes"}, {"X-Empty", ""}};
  request.body = std::string("zero\0byte", 9);
  const HttpResult answer = fetch(client, std::move(request));
  CHECK(answer.status == INVITED_OK);
  CHECK(answer.http_status == 200);
  CHECK(header(answer, "x-reply") == "Yes");
  CHECK_THAT(answer.body, Catch::StartsWith("POST /echo HTTP/1.1\r\n"));
  CHECK_THAT(answer.body, Catch::Contains("\r\nX-Mine: yes\r\n"));
  CHECK_THAT(answer.body, Catch::Contains("\r\nX-Empty:\r\n"));
  CHECK_THAT(answer.body, Catch::Contains("\r\nUser-Agent: invited\r\n"));
  CHECK_THAT(answer.body, !Catch::Contains("Content-Type") && !Catch::Contains("Expect"));
  CHECK_THAT(answer.body, Catch::EndsWith(std::string("\r\n\r\nzero\0byte", 13)));
  for (const char* method : {"GET", "HEAD", "DELETE", "PUT", "PATCH"}) {
    HttpRequest other = get(server.url("/missing"));
    other.method = method;
    // The server sends a body to HEAD too, which ends that connection.
    CHECK(fetch(client, other).http_status == 404);
  }
}

TEST_CASE("redirects are followed on the same host and by GET alone") {
  Server server;
  HttpClient client({});
  const HttpResult here = fetch(client, get(server.url("/here")));
  CHECK(here.http_status == 200);
  CHECK_THAT(here.body, Catch::StartsWith("GET /echo "));
  const HttpResult away = fetch(client, get(server.url("/away")));
  CHECK(away.status == INVITED_OK);
  CHECK(away.http_status == 302);
  CHECK(away.body == "away");
  CHECK(fetch(client, get(server.url("/loop"))).http_status == 302);
  CHECK(server.requests("/loop") == 6);
  HttpRequest post = get(server.url("/here"));
  post.method = "POST";
  CHECK(fetch(client, post).http_status == 302);
}

TEST_CASE("each way to fail has its name") {
  Server server;
  HttpClient client({});
  SECTION("nobody listens: nothing was sent") {
    CHECK(fetch(client, get("http://127.0.0.1:" + std::to_string(closed_port()) + "/")).status == INVITED_RETRY);
  }
  SECTION("no such name: nothing was sent") {
    CHECK(fetch(client, get("https://no-such-host.invalid/")).status == INVITED_RETRY);
  }
  SECTION("no TLS: nothing was sent") {
    HttpRequest request = get("https://127.0.0.1:" + std::to_string(server.port()) + "/");
    request.timeout = 200ms;  // the server waits for the end of what it takes for a request
    CHECK(fetch(client, request).status == INVITED_RETRY);
  }
  SECTION("the connection breaks before the answer") {
    CHECK(fetch(client, get(server.url("/drop"))).status == INVITED_UNKNOWN);
  }
  SECTION("the connection breaks within the answer") {
    CHECK(fetch(client, get(server.url("/half"))).status == INVITED_UNKNOWN);
  }
  SECTION("no answer in time") {
    HttpRequest slow = get(server.url("/hang"));
    slow.timeout = 100ms;
    CHECK(fetch(client, slow).status == INVITED_UNKNOWN);
  }
  SECTION("an answer over the limit") {
    HttpRequest big = get(server.url("/big"));
    big.max_response_bytes = 99'999;
    const HttpResult answer = fetch(client, std::move(big));
    CHECK(answer.status == INVITED_REJECTED);
    CHECK(answer.error == "the answer is larger than 99999 bytes");
    HttpRequest fits = get(server.url("/big"));
    fits.max_response_bytes = 100'000;
    CHECK(fetch(client, fits).body.size() == 100'000);
  }
  SECTION("headers over the limit") {
    CHECK(fetch(client, get(server.url("/headers"))).status == INVITED_REJECTED);
  }
}

TEST_CASE("a POST is never sent a second time by itself") {
  Server server;
  HttpClient client({});
  CHECK(fetch(client, get(server.url("/echo"))).http_status == 200);  // leaves a connection to ride on
  HttpRequest post = get(server.url("/drop"));
  post.method = "POST";
  CHECK(fetch(client, post).status == INVITED_UNKNOWN);
  CHECK(server.requests("/drop") == 1);
}

TEST_CASE("what the policy forbids never starts, with a reason an operator understands") {
  HttpPolicy policy;
  policy.hosts = {"provider.example", "127.0.0.1", "plain.example"};
  policy.plain_text_hosts = {"plain.example"};
  HttpClient client(policy);
  const auto refused = [&](HttpRequest request) {
    request.done = [](HttpResult) {};
    const auto started = client.start(std::move(request));
    return started ? std::string("started") : started.error().message;
  };
  CHECK(refused(get("http://provider.example/")) ==
        "http:// is allowed to this machine only; use https for provider.example");
  CHECK(refused(get("https://other.example/")) == "the host other.example is not among the allowed ones");
  CHECK(refused(get("ftp://provider.example/")) == "the scheme ftp is not allowed; use https");
  CHECK(refused(get("file:///etc/passwd")) == "not a URL with a host");
  CHECK(refused(get("nonsense")) != "started");
  CHECK(refused(get("")) == "not a URL with a host");
  CHECK(refused(get("https://name:password@provider.example/")) ==
        "a URL must not hold a name or password; use a header");
  HttpRequest request = get("https://provider.example/");
  request.body = "x";
  CHECK(refused(request) == "GET with a body");
  request = get("https://provider.example/");
  request.headers = {{"X", "a\r\nY: b"}};
  CHECK(refused(request) == "control characters in the header X");
  request.headers = {{"X Y", "a"}};
  CHECK(refused(request) == "bad header name \"X Y\"");
  request.headers = {{"Content-Length", "5"}};
  CHECK(refused(request) == "the header Content-Length is set by the client alone");
  request = get("https://provider.example/");
  request.method = "GET /x HTTP/1.1\r\n";
  CHECK(refused(request) == "the method is not a word");
}

TEST_CASE("the environment's proxy is not used") {
  Server server;
  const std::string nowhere = "http://127.0.0.1:" + std::to_string(closed_port());
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy"}) ::setenv(name, nowhere.c_str(), 1);
  HttpClient client({});
  CHECK(fetch(client, get(server.url("/echo"))).http_status == 200);
  HttpPolicy proxied;
  proxied.proxy = nowhere;
  HttpClient by_proxy(proxied);
  CHECK(fetch(by_proxy, get(server.url("/echo"))).status == INVITED_RETRY);
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy"}) ::unsetenv(name);
}

TEST_CASE("requests of a plugin end with its call, and all of them before it is destroyed") {
  Server server;
  Bench bench;
  bench.environment.http = std::make_shared<HttpClient>(HttpPolicy{});
  Script script;
  const auto instance = bench.make(script, "idp", fake::identity);
  plugin::IdentityAdapter identity(instance);
  const auto& http = *static_cast<const invited_http*>(script.host->service(script.host, INVITED_HTTP_1));
  struct Seen {
    std::mutex mutex;
    std::vector<std::string> all;
    std::vector<std::thread::id> threads;
    void add(std::string what) {
      const std::lock_guard lock(mutex);
      all.push_back(std::move(what));
      threads.push_back(std::this_thread::get_id());
    }
    std::vector<std::string> list() {
      const std::lock_guard lock(mutex);
      return all;
    }
  } seen;
  const invited_http_done done = [](void* user, invited_status status, const invited_http_response* response,
                                    const invited_error* error) {
    std::string what(plugin::status_text(status));
    if (response != nullptr) what += " " + std::to_string(response->http_status);
    if (error != nullptr) what += " " + std::string(plugin::view(error->message));
    static_cast<Seen*>(user)->add(std::move(what));
  };
  const auto request_to = [](const std::string& url, std::string_view method = "") {
    invited_http_request request{};
    request.struct_size = sizeof request;
    request.url = text(url);
    request.method = text(method);
    return request;
  };
  const std::string echo = server.url("/echo");
  const std::string hang = server.url("/hang");
  const std::string far = "http://far.example/";
  std::thread::id own;

  SECTION("waiting on the own thread") {
    script.about = [&](const invited_host* host, invited_call* call, std::string) {
      own = std::this_thread::get_id();
      const auto good = request_to(echo);
      const auto bad = request_to(far);
      host->complete(host, call,
                     http.wait(host, call, &good, done, &seen) == INVITED_OK &&
                             http.wait(host, call, &bad, done, &seen) == INVITED_REJECTED
                         ? INVITED_OK
                         : INVITED_INTERNAL);
    };
    std::optional<model::ProviderAnswer> answer;
    asio::co_spawn(bench.io, identity.reset_password("u"),
                   [&](std::exception_ptr, model::ProviderAnswer a) { answer = std::move(a); });
    bench.until([&] { return answer.has_value(); });
    CHECK(answer->status == model::ProviderStatus::done);
    CHECK(seen.list() == std::vector<std::string>{
                             "OK 200", "REJECTED http:// is allowed to this machine only; use https for far.example"});
    CHECK(seen.threads == std::vector<std::thread::id>{own, own});
  }
  SECTION("waiting on another thread is refused") {
    const auto request = request_to(echo);
    CHECK(http.wait(script.host, nullptr, &request, done, &seen) == INVITED_REJECTED);
    CHECK(seen.list().size() == 1);
    CHECK(instance->misbehaviour() == 1);
    CHECK(http.start(script.host, nullptr, &request, nullptr, nullptr) == INVITED_REJECTED);
    CHECK(http.start(script.host, nullptr, nullptr, done, &seen) == INVITED_REJECTED);
    CHECK(http.start(script.host, reinterpret_cast<invited_call*>(std::uintptr_t{7}), &request, done, &seen) ==
          INVITED_REJECTED);
    CHECK(seen.list().size() == 1);
  }
  SECTION("completing from the client's thread") {
    const auto request = request_to(echo);
    REQUIRE(http.start(script.host, nullptr, &request, done, &seen) == INVITED_OK);
    bench.until([&] { return seen.list().size() == 1; });
    CHECK(seen.list()[0] == "OK 200");
  }
  SECTION("a GET that hangs ends when its call is cancelled") {
    std::atomic<bool> begun{false};
    script.about = [&](const invited_host* host, invited_call* call, std::string) {
      const auto request = request_to(hang);
      begun = true;
      host->complete(host, call, http.wait(host, call, &request, done, &seen));
    };
    asio::co_spawn(bench.io, identity.lookup("u"), [](std::exception_ptr, model::ProviderAnswer) {});
    bench.until([&] { return begun && server.requests("/hang") == 1; });
    CHECK(bench.stop(*instance));
    CHECK(seen.list() == std::vector<std::string>{"UNKNOWN cancelled before the answer came"});
  }
  SECTION("requests that belong to no call end before destroy") {
    bool done_before_destroy = false;
    script.destroy = [&] { done_before_destroy = seen.list().size() == 2; };
    const auto request = request_to(hang);
    const auto posted = request_to(hang, "POST");
    REQUIRE(http.start(script.host, nullptr, &request, done, &seen) == INVITED_OK);
    REQUIRE(http.start(script.host, nullptr, &posted, done, &seen) == INVITED_OK);
    bench.until([&] { return server.requests("/hang") == 2; });
    CHECK(bench.stop(*instance));
    CHECK(done_before_destroy);
    CHECK(http.start(script.host, nullptr, &request, done, &seen) == INVITED_CANCELLED);
  }
  bench.stop(*instance);
}
