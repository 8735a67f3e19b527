// An HttpServer on a thread of its own, and a client that says exactly the bytes a test wants said.
//
//   TestServer server(limits, handler);
//   RawClient client(server.unix_path());
//   client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
//   RawAnswer answer = client.answer();
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch.hpp>
#include <cstring>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "core/clock.hpp"
#include "core/descriptor.hpp"
#include "core/http_server.hpp"
#include "support/temp_folder.hpp"

namespace invited::test {

struct RawAnswer {
  unsigned status = 0;
  std::string head;  // status line and headers, as they came
  std::string body;  // decoded if chunked
  bool whole = false;

  [[nodiscard]] bool says(std::string_view part) const { return head.find(part) != std::string::npos; }
};

class RawClient {
public:
  explicit RawClient(const std::filesystem::path& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    open(reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  explicit RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    open(reinterpret_cast<sockaddr*>(&address), sizeof address);
  }

  // False if the server has closed already.
  bool say(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  void say_no_more() { ::shutdown(socket_.get(), SHUT_WR); }
  void leave() { socket_ = Descriptor(); }

  // One more piece of what the server says; empty at its end.
  std::string hear() {
    std::array<char, 4096> piece;
    const ssize_t n = ::recv(socket_.get(), piece.data(), piece.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) throw std::runtime_error("the server says nothing");
    return n <= 0 ? std::string() : std::string(piece.data(), static_cast<std::size_t>(n));
  }
  std::string hear_until(std::string_view mark) {
    while (heard_.find(mark) == std::string::npos) {
      const std::string piece = hear();
      if (piece.empty()) break;
      heard_ += piece;
    }
    const std::size_t at = heard_.find(mark);
    return take(at == std::string::npos ? heard_.size() : at + mark.size());
  }
  std::string hear_all() {
    while (true) {
      const std::string piece = hear();
      if (piece.empty()) return take(heard_.size());
      heard_ += piece;
    }
  }
  bool closed() { return heard_.empty() && hear().empty(); }

  RawAnswer answer(bool without_body = false) {
    RawAnswer answer;
    answer.head = hear_until("\r\n\r\n");
    if (answer.head.size() < 16) return answer;
    answer.status = static_cast<unsigned>(std::stoul(answer.head.substr(9, 3)));
    if (without_body || answer.status == 204 || answer.status == 100) {
      answer.whole = true;
    } else if (answer.says("Transfer-Encoding: chunked")) {
      while (true) {
        const std::string size_line = hear_until("\r\n");
        if (size_line.empty()) return answer;
        const std::size_t size = std::stoul(size_line, nullptr, 16);
        const std::string chunk = hear_exactly(size + 2);
        if (chunk.size() != size + 2) return answer;
        answer.body += chunk.substr(0, size);
        if (size == 0) break;
      }
      answer.whole = true;
    } else if (const std::size_t at = answer.head.find("Content-Length: "); at != std::string::npos) {
      const std::size_t size = std::stoul(answer.head.substr(at + 16));
      answer.body = hear_exactly(size);
      answer.whole = answer.body.size() == size;
    } else {
      answer.body = hear_all();
    }
    return answer;
  }

private:
  using Descriptor = core::Descriptor;

  void open(const sockaddr* address, socklen_t length) {
    const timeval longest{10, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest);
    if (::connect(socket_.get(), address, length) != 0) throw std::runtime_error("cannot connect");
  }
  std::string take(std::size_t size) {
    std::string taken = heard_.substr(0, size);
    heard_.erase(0, size);
    return taken;
  }
  std::string hear_exactly(std::size_t size) {
    while (heard_.size() < size) {
      const std::string piece = hear();
      if (piece.empty()) break;
      heard_ += piece;
    }
    return take(std::min(size, heard_.size()));
  }

  Descriptor socket_;
  std::string heard_;
};

class TestServer {
public:
  TestServer(core::HttpServerLimits limits, core::HttpHandler handler)
      : work_(io_.get_executor()),
        server_(std::make_unique<core::HttpServer>(io_.get_executor(), std::move(limits), std::move(handler),
                                                   [this](std::exception_ptr error) { note(error); })) {
    unix_path_ = server_->listen_unix(folder_ / "s", 0600).value();
    const std::string bound = server_->listen_tcp("127.0.0.1:0").value();
    port_ = static_cast<std::uint16_t>(std::stoul(bound.substr(bound.rfind(':') + 1)));
    thread_ = std::thread([this] { io_.run(); });
  }
  ~TestServer() {
    on_thread([this] { server_.reset(); });
    work_.reset();
    thread_.join();
  }

  // Runs `what` on the server's thread and gives its result.
  template <class F>
  std::invoke_result_t<F> on_thread(F what) {
    std::packaged_task<std::invoke_result_t<F>()> task(std::move(what));
    auto result = task.get_future();
    // The task goes with the handler: here it would be gone as soon as its result is taken, its last steps still to do.
    boost::asio::post(io_, [task = std::move(task)]() mutable { task(); });
    return result.get();
  }
  std::future<void> stop(core::Milliseconds grace) {
    return boost::asio::co_spawn(io_, server_->stop(clock_, grace), boost::asio::use_future);
  }
  std::size_t connections() {
    return on_thread([this] { return server_->connections(); });
  }
  // Waits, bounded, for something that the other thread brings about.
  template <class F>
  bool eventually(F condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < end) {
      if (on_thread(condition)) return true;
      std::this_thread::yield();
    }
    return false;
  }

  [[nodiscard]] const std::filesystem::path& unix_path() const { return unix_path_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  core::HttpServer& server() { return *server_; }
  boost::asio::io_context& io() { return io_; }
  std::vector<std::string> errors() {
    const std::lock_guard lock(mutex_);
    return errors_;
  }

private:
  void note(const std::exception_ptr& error) {
    const std::lock_guard lock(mutex_);
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      errors_.emplace_back(e.what());
    }
  }

  TempFolder folder_;
  std::mutex mutex_;
  std::vector<std::string> errors_;
  core::SystemClock clock_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::unique_ptr<core::HttpServer> server_;
  std::filesystem::path unix_path_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace invited::test
