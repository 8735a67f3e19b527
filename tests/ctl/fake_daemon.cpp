#include "fake_daemon.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "api/request.hpp"
#include "core/clock.hpp"
#include "core/http_server.hpp"
#include "support/temp_folder.hpp"

namespace invited::test {

namespace asio = boost::asio;

namespace {

struct Script {
  core::HttpResponse response;
  std::vector<std::string> pieces;
  FakeDaemon::Then then = FakeDaemon::Then::end;
  bool streams = false;
};

struct Telling {
  std::deque<std::string> pieces;
  FakeDaemon::Then then;
};

asio::awaitable<std::optional<std::string>> tell(std::shared_ptr<Telling> telling) {
  if (!telling->pieces.empty()) {
    std::optional<std::string> piece = std::move(telling->pieces.front());
    telling->pieces.pop_front();
    co_return piece;
  }
  if (telling->then == FakeDaemon::Then::break_off) throw std::runtime_error("the scripted stream breaks off");
  if (telling->then == FakeDaemon::Then::hang) {
    core::SystemClock clock;
    co_await clock.sleep_for(std::chrono::seconds(30));
  }
  co_return std::nullopt;
}

}  // namespace

struct FakeDaemon::Impl {
  Impl()
      : server(
            io.get_executor(), {}, [this](core::HttpRequest request) { return serve(std::move(request)); },
            [](const std::exception_ptr&) {}) {
    const auto bound = server.listen_unix(socket, 0600);
    if (!bound) throw std::runtime_error(bound.error().message);
    thread = std::thread([this] { io.run(); });
  }

  ~Impl() {
    asio::co_spawn(io, stop(), [](const std::exception_ptr&) {});
    thread.join();
  }

  asio::awaitable<void> stop() {
    core::SystemClock clock;
    co_await server.stop(clock, core::Milliseconds(0));
    io.stop();
  }

  void check(const core::HttpRequest& request) {
    const std::string what = request.method + " " + request.path + ": ";
    const auto routed = api::route(request.method, request.path);
    if (!routed) {
      complaints += what + "no such command\n";
      return;
    }
    const auto input = api::read_arguments(*routed->command, routed->path, request.query, request.body);
    if (input) return;
    for (const auto& error : input.error()) complaints += what + error.where + " " + error.code + "\n";
  }

  asio::awaitable<core::HttpResponse> serve(core::HttpRequest request) {
    const std::lock_guard lock(mutex);
    check(request);
    asked.push_back(request);
    auto& queue = scripts[request.method + " " + request.path];
    if (queue.empty()) {
      complaints += request.method + " " + request.path + ": not scripted\n";
      core::HttpResponse refused;
      refused.status = 418;
      co_return refused;
    }
    const Script script = queue.front();
    if (queue.size() > 1) queue.pop_front();
    core::HttpResponse response = script.response;
    response.headers.emplace_back("Invited-Time-Zone", "Europe/Stockholm");
    if (script.streams) {
      auto telling = std::make_shared<Telling>(Telling{{script.pieces.begin(), script.pieces.end()}, script.then});
      response.stream = [telling] { return tell(telling); };
    }
    co_return response;
  }

  TempFolder folder;
  std::filesystem::path socket = folder / "control.sock";
  mutable std::mutex mutex;
  std::map<std::string, std::deque<Script>> scripts;
  std::vector<core::HttpRequest> asked;
  std::string complaints;
  asio::io_context io{1};
  core::HttpServer server;
  std::thread thread;
};

FakeDaemon::FakeDaemon() : impl_(std::make_unique<Impl>()) {}
FakeDaemon::~FakeDaemon() = default;

void FakeDaemon::answer(const std::string& method, const std::string& path, unsigned status, const std::string& body) {
  Script script;
  script.response.status = status;
  script.response.body = body;
  script.response.headers.emplace_back("Content-Type", status < 300 ? "application/json" : "application/problem+json");
  const std::lock_guard lock(impl_->mutex);
  impl_->scripts[method + " " + path].push_back(std::move(script));
}

void FakeDaemon::stream(const std::string& path, std::vector<std::string> pieces, Then then,
                        const std::string& method) {
  Script script;
  script.response.headers.emplace_back("Content-Type", "application/x-ndjson");
  script.pieces = std::move(pieces);
  script.then = then;
  script.streams = true;
  const std::lock_guard lock(impl_->mutex);
  impl_->scripts[method + " " + path].push_back(std::move(script));
}

std::string FakeDaemon::socket() const {
  return impl_->socket.string();
}

std::vector<core::HttpRequest> FakeDaemon::asked() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->asked;
}

std::string FakeDaemon::asked_for() const {
  std::string text;
  for (const auto& request : asked()) text += (text.empty() ? "" : "; ") + request.method + " " + request.path;
  return text;
}

std::string FakeDaemon::complaints() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->complaints;
}

}  // namespace invited::test
