// An SMTP server that does what a test tells it: answers of its choice in one packet or byte by byte, silence, a closed
// connection, all on a thread of its own on loopback. What it is not told it does as a server should.
//
//   ScriptedServer server({}, [](unsigned connection, std::string_view line) -> ScriptedServer::Answer {
//     if (connection == 1 && line == "DATA") return ScriptedServer::hang_up("421 bye\r\n");
//     return ScriptedServer::proper();
//   });
//   … server.port() …
//   REQUIRE(server.wait_for([](const auto& seen) { return seen.mails.size() == 3; }));
//
// Lines are commands as sent, "<connect>", and "<message>" when a final dot came. The script runs on the server's
// thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace invited::test {

class ScriptedServer {
public:
  struct Options {
    std::string ehlo = "250-scripted\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n";
    bool byte_by_byte = false;
    std::chrono::milliseconds delay{0};  // before each batch of answers
    bool keep_mails = true;
  };
  struct Answer {
    std::optional<std::string> bytes;  // nothing: as a server should
    bool close = false;
    bool mute = false;
    bool drip = false;
  };
  static Answer proper() { return {}; }
  static Answer say(std::string bytes) { return {std::move(bytes), false, false}; }
  static Answer hang_up(std::string last_words = {}) { return {std::move(last_words), true, false}; }
  // Says this and then nothing any more, with the connection open.
  static Answer fall_silent(std::string last_words = {}) { return {std::move(last_words), false, true}; }
  // Begins an answer and adds an octet every few milliseconds, without an end.
  static Answer drip() { return {"250-", false, true, true}; }
  using Script = std::function<Answer(unsigned connection, std::string_view line)>;

  struct Mail {
    unsigned connection = 0;
    std::string from, to, content;  // unstuffed, without the final dot
  };
  struct Seen {
    unsigned connections = 0;
    std::vector<std::string> lines;  // "1 EHLO x"
    std::vector<Mail> mails;         // those answered with 250
    std::size_t mail_count = 0;
    [[nodiscard]] bool has(std::string_view line) const {
      for (const std::string& l : lines)
        if (l == line) return true;
      return false;
    }
  };

  explicit ScriptedServer(Options options, Script script = {})
      : options_(std::move(options)),
        script_(std::move(script)),
        acceptor_(io_, {boost::asio::ip::address_v4::loopback(), 0}) {
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  ScriptedServer() : ScriptedServer(Options{}) {}
  ~ScriptedServer() {
    boost::asio::post(io_, [this] { io_.stop(); });
    thread_.join();
  }

  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  // True as soon as `condition` holds; false after 10 s.
  template <class Condition>
  bool wait_for(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return condition(seen_); });
  }
  Seen seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

private:
  using Tcp = boost::asio::ip::tcp;
  using Error = boost::system::error_code;

  struct Client : std::enable_shared_from_this<Client> {
    Client(ScriptedServer& owner, Tcp::socket peer, unsigned n)
        : server(owner), socket(std::move(peer)), number(n), timer(owner.io_) {}

    void start() {
      Error ignored;
      socket.set_option(Tcp::no_delay(true), ignored);
      handle("<connect>");
      flush();
    }
    void read() {
      socket.async_read_some(boost::asio::buffer(buffer),
                             [self = shared_from_this()](const Error& error, std::size_t count) {
                               if (error) return;
                               self->input.append(self->buffer.data(), count);
                               self->lines();
                               self->flush();
                             });
    }
    void lines() {
      std::size_t begin = 0;
      while (!closing && !mute) {
        const std::size_t end = input.find("\r\n", begin);
        if (end == std::string::npos) break;
        const std::string_view line = std::string_view(input).substr(begin, end - begin);
        begin = end + 2;
        if (!in_data) {
          handle(line);
        } else if (line == ".") {
          in_data = false;
          handle("<message>");
          from.clear();
          to.clear();
          content.clear();
        } else {
          content.append(line.starts_with('.') ? line.substr(1) : line).append("\r\n");
        }
      }
      input.erase(0, begin);
    }
    void handle(std::string_view line) {
      {
        const std::lock_guard lock(server.mutex_);
        if (server.options_.keep_mails) server.seen_.lines.push_back(std::to_string(number) + ' ' + std::string(line));
      }
      Answer answer = server.script_ ? server.script_(number, line) : Answer{};
      const std::string bytes = answer.bytes ? *answer.bytes : usual(line);
      if (line == "DATA" && bytes.starts_with("354")) in_data = true;
      if (line == "<message>" && bytes.starts_with("250")) {
        const std::lock_guard lock(server.mutex_);
        ++server.seen_.mail_count;
        if (server.options_.keep_mails) server.seen_.mails.push_back({number, from, to, content});
      }
      output += bytes;
      mute = mute || answer.mute;
      dripping = dripping || answer.drip;
      closing = closing || answer.close || (line == "QUIT" && !answer.bytes);
      server.changed_.notify_all();
    }
    std::string usual(std::string_view line) {
      if (line == "<connect>") return "220 scripted ESMTP\r\n";
      if (line.starts_with("EHLO")) return server.options_.ehlo;
      if (line.starts_with("MAIL FROM:<")) {
        from = line.substr(11, line.find('>') - 11);
        return "250 2.1.0 Ok\r\n";
      }
      if (line.starts_with("RCPT TO:<")) {
        to = line.substr(9, line.find('>') - 9);
        return "250 2.1.5 Ok\r\n";
      }
      if (line == "DATA") return to.empty() ? "503 5.5.1 need RCPT\r\n" : "354 go\r\n";
      if (line == "<message>") return "250 2.0.0 Ok: queued as " + std::to_string(number) + "\r\n";
      if (line == "QUIT") return "221 bye\r\n";
      if (line == "RSET") from.clear(), to.clear();
      return "250 Ok\r\n";
    }
    void flush() {
      if (output.empty()) return end_or_read();
      if (server.options_.delay.count() == 0) return send();
      timer.expires_after(server.options_.delay);
      timer.async_wait([self = shared_from_this()](const Error& error) {
        if (!error) self->send();
      });
    }
    void send() {
      const std::size_t size = server.options_.byte_by_byte ? 1 : output.size();
      boost::asio::async_write(socket, boost::asio::buffer(output.data(), size),
                               [self = shared_from_this(), size](const Error& error, std::size_t) {
                                 if (error) return;
                                 self->output.erase(0, size);
                                 self->output.empty() ? self->end_or_read() : self->send();
                               });
    }
    void end_or_read() {
      if (dripping) {
        timer.expires_after(std::chrono::milliseconds(5));
        timer.async_wait([self = shared_from_this()](const Error& error) {
          if (error) return;
          self->output = "x";
          self->send();
        });
        return;
      }
      if (!closing) return read();
      Error ignored;
      socket.shutdown(Tcp::socket::shutdown_both, ignored);
      socket.close(ignored);
    }

    ScriptedServer& server;
    Tcp::socket socket;
    unsigned number;
    boost::asio::steady_timer timer;
    std::array<char, 65536> buffer{};
    std::string input, output, from, to, content;
    bool in_data = false;
    bool closing = false;
    bool mute = false;
    bool dripping = false;
  };

  void accept() {
    acceptor_.async_accept([this](const Error& error, Tcp::socket socket) {
      if (error) return;
      unsigned number = 0;
      {
        const std::lock_guard lock(mutex_);
        number = ++seen_.connections;
      }
      std::make_shared<Client>(*this, std::move(socket), number)->start();
      accept();
    });
  }

  Options options_;
  Script script_;
  boost::asio::io_context io_{1};
  Tcp::acceptor acceptor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Seen seen_;
  std::thread thread_;
};

}  // namespace invited::test
