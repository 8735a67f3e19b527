#include "core/http_server.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <ctime>
#include <map>
#include <set>
#include <stdexcept>
#include <variant>

#include "core/descriptor.hpp"
#include "core/listening_socket.hpp"
#include "core/task_scope.hpp"
#include "core/wakeup.hpp"

namespace invited::core {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

namespace {

using Protocol = asio::generic::stream_protocol;
using Socket = Protocol::socket;
using Acceptor = asio::basic_socket_acceptor<Protocol>;

// A write must make this much progress within HttpServerLimits::body_time.
constexpr std::size_t piece_bytes = 64 * 1024;
// After an answer that ends the connection we read on for so long, and so much: closing with unread bytes would reset
// the connection and could take the answer away from a client that is still sending.
constexpr Milliseconds linger_time{2'000};
constexpr std::size_t linger_bytes = 1024 * 1024;
constexpr Milliseconds accept_pause{100};
constexpr Milliseconds cancel_again{20};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

struct Refusal {
  unsigned status;
  std::string reason;
};

using Parser = http::request_parser<http::string_body>;

// Beast refuses most that is ambiguous; what it lets through and two servers in a row could read differently is refused
// here (RFC 9112, 3.2, 6.1 and 6.3).
std::optional<Refusal> ambiguity(const http::request<http::string_body>& message) {
  std::size_t hosts = 0;
  std::size_t lengths = 0;
  std::size_t encodings = 0;
  for (const auto& field : message) {
    switch (field.name()) {
      case http::field::host:
        ++hosts;
        break;
      case http::field::content_length:
        ++lengths;
        if (field.value().find_first_not_of("0123456789") != std::string_view::npos)
          return Refusal{400, "The Content-Length is not one number."};
        break;
      case http::field::transfer_encoding:
        ++encodings;
        if (lower(std::string_view(field.value().data(), field.value().size())) != "chunked")
          return Refusal{501, "The only transfer encoding understood is chunked."};
        break;
      default:
        break;
    }
  }
  const bool http_1_1 = message.version() >= 11;
  if (hosts > 1 || (hosts == 0 && http_1_1)) return Refusal{400, "Exactly one Host header is needed."};
  if (lengths > 1 || encodings > 1 || (lengths > 0 && encodings > 0) || (encodings > 0 && !http_1_1))
    return Refusal{400, "The length of the body is given in more than one way."};
  return std::nullopt;
}

std::variant<HttpRequest, Refusal> request_of(const http::request<http::string_body>& message) {
  if (auto refusal = ambiguity(message)) return std::move(*refusal);
  HttpRequest request;
  request.method = std::string(message.method_string());
  if (request.method == "HEAD") request.method = "GET";
  std::string_view target(message.target().data(), message.target().size());
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (lower(target.substr(0, scheme.size())) != scheme) continue;
    const std::size_t path = target.find_first_of("/?", scheme.size());
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    if (target.front() == '?') return Refusal{400, "The path is missing."};
    break;
  }
  if (target.empty() || target.front() != '/' || target.find('#') != std::string_view::npos)
    return Refusal{400, "The request target is not a path."};
  const std::size_t question = target.find('?');
  request.path = std::string(target.substr(0, question));
  if (question != std::string_view::npos) {
    auto query = parse_form(target.substr(question + 1));
    if (!query) return Refusal{400, "The query is badly encoded."};
    request.query = std::move(*query);
  }
  for (const auto& field : message)
    request.headers.emplace_back(lower(std::string_view(field.name_string().data(), field.name_string().size())),
                                 std::string(field.value()));
  return request;
}

// What to say to a request that could not be read; nothing if nobody is there to listen.
std::optional<Refusal> refusal_of(const error_code& error, bool timed_out) {
  if (timed_out) return Refusal{408, "The request took too long to arrive."};
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return Refusal{431, "The request's header is over the limit."};
  if (error == http::error::bad_version) return Refusal{505, "Only HTTP/1.1 and HTTP/1.0 are spoken here."};
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  if (error.category() == make_error_code(http::error::bad_method).category())
    return Refusal{400, fmt::format("The request is not HTTP: {}.", error.message())};
  return std::nullopt;
}

std::string_view reason_of(unsigned status) {
  const auto reason = http::obsolete_reason(http::int_to_status(status));
  return {reason.data(), reason.size()};
}

HttpResponse plain_answer(unsigned status, std::string_view text) {
  HttpResponse answer;
  answer.status = status;
  answer.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  answer.headers.emplace_back("Cache-Control", "no-store");
  answer.body = fmt::format("{} {}\n{}\n", status, reason_of(status), text);
  return answer;
}

bool may_have_body(unsigned status) {
  return status != 204 && status != 304;
}

void check_answer(const HttpResponse& answer) {
  constexpr std::string_view token = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  if (answer.status < 200 || answer.status > 599)
    throw std::logic_error(fmt::format("a handler answered with status {}", answer.status));
  for (const auto& [name, value] : answer.headers) {
    const bool bad_name = name.empty() || name.find_first_not_of(token) != std::string::npos;
    const bool bad_value = std::any_of(value.begin(), value.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    });
    if (bad_name || bad_value)
      throw std::logic_error(fmt::format("a handler set a header that cannot be sent: {}", name));
  }
}

enum class Framing { length, chunked, until_close };

std::string head_of(const HttpResponse& answer, Framing framing, bool keep_alive, unsigned version,
                    std::string_view date) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", answer.status, reason_of(answer.status), date);
  for (const auto& [name, value] : answer.headers) {
    const std::string known = lower(name);
    const bool ours =
        known == "date" || known == "content-length" || known == "transfer-encoding" || known == "connection";
    if (!ours) head += fmt::format("{}: {}\r\n", name, value);
  }
  if (may_have_body(answer.status)) {
    if (framing == Framing::length) head += fmt::format("Content-Length: {}\r\n", answer.body.size());
    if (framing == Framing::chunked) head += "Transfer-Encoding: chunked\r\n";
  }
  if (!keep_alive) head += "Connection: close\r\n";
  if (keep_alive && version < 11) head += "Connection: keep-alive\r\n";
  return head + "\r\n";
}

bool asks_to_close(const HttpResponse& answer) {
  return std::any_of(answer.headers.begin(), answer.headers.end(), [](const auto& field) {
    return lower(field.first) == "connection" && lower(field.second) == "close";
  });
}

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  struct Listener {
    std::shared_ptr<Acceptor> acceptor;
    std::filesystem::path socket_file;  // ours to remove; empty for TCP and for adopted sockets
    ino_t inode = 0;
  };

  struct Connection : std::enable_shared_from_this<Connection> {
    std::shared_ptr<Impl> server;
    Socket socket;
    asio::steady_timer timer;
    asio::steady_timer stopped;  // never expires; stop() cancels it
    beast::flat_buffer buffer;
    SocketPeer peer;
    bool idle = false;       // nothing of a request has come yet: stop() may end it
    bool endless = false;    // streams what has no end of its own: stop() may end it
    bool timed_out = false;  // the deadline has cancelled the socket's operations
    std::uint64_t phase = 0;

    Connection(std::shared_ptr<Impl> owner, Socket accepted, SocketPeer from)
        : server(std::move(owner)),
          socket(std::move(accepted)),
          timer(socket.get_executor()),
          stopped(socket.get_executor(), asio::steady_timer::time_point::max()),
          buffer(server->limits.header_bytes + 16 * 1024),
          peer(std::move(from)) {
      server->connections.insert(this);
      ++server->by_peer[peer.key];
    }
    ~Connection() {
      server->connections.erase(this);
      const auto count = server->by_peer.find(peer.key);
      if (--count->second == 0) server->by_peer.erase(count);
      server->ended.ring();
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // From now on what is done on the socket has `time` left; disarm() or the next arm() ends that.
    void arm(Milliseconds time) {
      timed_out = false;
      expire_after(std::min<Milliseconds>(time, std::chrono::hours(24 * 365)), ++phase);
    }
    void expire_after(Milliseconds time, std::uint64_t armed) {
      timer.expires_after(time);
      timer.async_wait([self = weak_from_this(), armed](const error_code& error) {
        const auto connection = self.lock();
        // An expiry that was queued before the phase ended must not hit the next one.
        if (error || !connection || connection->phase != armed) return;
        connection->timed_out = true;
        connection->socket.cancel();
        // A read that has just completed is past cancelling, and the next one of the same phase would have no end.
        connection->expire_after(cancel_again, armed);
      });
    }
    void disarm() {
      ++phase;
      timer.cancel();
    }
  };

  using ConnectionPtr = std::shared_ptr<Connection>;

  Impl(asio::any_io_executor on, HttpServerLimits bounds, HttpHandler answer, ErrorHandler report)
      : executor(std::move(on)),
        limits(std::move(bounds)),
        handler(std::move(answer)),
        on_error(std::move(report)),
        scope(executor, [report = on_error](std::string_view, std::exception_ptr error) { report(error); }),
        ended(executor) {}

  asio::any_io_executor executor;
  HttpServerLimits limits;
  HttpHandler handler;
  ErrorHandler on_error;
  TaskScope scope;
  Wakeup ended;
  std::vector<Listener> listeners;
  std::set<Connection*> connections;
  std::map<std::string, std::size_t> by_peer;
  bool stopping = false;
  std::time_t date_second = -1;
  std::string date_text;

  [[nodiscard]] HttpResponse refused(unsigned status, std::string_view text) const {
    return limits.refusal ? limits.refusal(status, text) : plain_answer(status, text);
  }

  Result<std::string> listen_on(Descriptor descriptor, std::filesystem::path socket_file) {
    Listener listener;
    listener.acceptor = std::make_shared<Acceptor>(executor);
    const int domain = socket_domain(descriptor.get());
    const Protocol protocol(domain, domain == AF_UNIX ? 0 : IPPROTO_TCP);
    error_code error;
    listener.acceptor->assign(protocol, descriptor.get(), error);
    if (error) return fail(ErrorKind::internal, "cannot_listen", "Cannot watch the socket: " + error.message());
    std::string bound = endpoint_text(descriptor.release());
    // An adopted one may block, and who was there to be accepted may be gone by then.
    listener.acceptor->non_blocking(true, error);
    if (error) return fail(ErrorKind::internal, "cannot_listen", "Cannot watch the socket: " + error.message());
    if (!socket_file.empty()) {
      struct stat file{};
      if (::lstat(socket_file.c_str(), &file) == 0) listener.inode = file.st_ino;
      listener.socket_file = std::move(socket_file);
    }
    scope.spawn("http accept " + bound, accept_loop(shared_from_this(), listener.acceptor, protocol));
    listeners.push_back(std::move(listener));
    return bound;
  }

  void close_listeners() {
    for (Listener& listener : listeners) {
      error_code ignored;
      listener.acceptor->close(ignored);
      struct stat file{};
      const bool ours = !listener.socket_file.empty() && ::lstat(listener.socket_file.c_str(), &file) == 0 &&
                        S_ISSOCK(file.st_mode) && file.st_ino == listener.inode;
      if (ours) ::unlink(listener.socket_file.c_str());
    }
    listeners.clear();
  }

  const std::string& date() {
    const std::time_t now = std::chrono::system_clock::to_time_t(SystemClock().now());
    if (now != date_second) {
      date_second = now;
      date_text = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(now));
    }
    return date_text;
  }

  static asio::awaitable<void> accept_loop(std::shared_ptr<Impl> self, std::shared_ptr<Acceptor> acceptor,
                                           Protocol protocol) {
    while (!self->stopping) {
      error_code error;
      co_await acceptor->async_wait(Acceptor::wait_read, asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted || !acceptor->is_open()) co_return;
      if (!error) error = self->accept_one(*acceptor, protocol);
      if (!error) continue;
      // Out of descriptors or memory: it passes, and until then accepting again at once would only spin.
      self->report(std::make_exception_ptr(boost::system::system_error(error, "accept")));
      asio::steady_timer pause(self->executor, accept_pause);
      co_await pause.async_wait(asio::use_awaitable);
    }
  }

  // The error is one for which to wait.
  error_code accept_one(Acceptor& acceptor, const Protocol& protocol) {
    // By hand: Asio's accept leaves a moment in which a child of this process would inherit the connection.
    Descriptor accepted(::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!accepted) {
      const bool gone = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
      return gone ? error_code() : error_code(errno, boost::system::system_category());
    }
    Socket socket(executor);
    error_code error;
    socket.assign(protocol, accepted.get(), error);
    if (error) return error;
    accepted.release();
    // What goes wrong with one connection (no memory, a refusal that throws) is not the end of accepting.
    try {
      take(std::move(socket));
    } catch (...) {
      report(std::current_exception());
    }
    return {};
  }

  // For those who must go on whatever becomes of the report.
  void report(const std::exception_ptr& error) const noexcept {
    try {
      on_error(error);
    } catch (...) {
      // There is nobody left to tell.
    }
  }

  void take(Socket socket) {
    auto peer = peer_of(socket.native_handle());
    if (!peer) return;
    if (!peer->http.local) {
      const int on = 1;
      ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    const auto count = by_peer.find(peer->key);
    const bool full = connections.size() >= limits.connections ||
                      (count != by_peer.end() && count->second >= limits.connections_per_peer);
    if (full) {
      // Said in one go and without waiting: a connection too many must not cost a coroutine.
      const HttpResponse answer = refused(503, "There are too many connections. Try again later.");
      const std::string text = head_of(answer, Framing::length, false, 11, date()) + answer.body;
      [[maybe_unused]] const ssize_t sent =
          ::send(socket.native_handle(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      ::shutdown(socket.native_handle(), SHUT_WR);
      return;
    }
    scope.spawn("http connection",
                serve(std::make_shared<Connection>(shared_from_this(), std::move(socket), std::move(*peer))));
  }

  // Sends head and body; false if the client does not take them.
  static asio::awaitable<bool> send_whole(ConnectionPtr connection, std::string head, std::string body) {
    std::string_view rest = body;
    do {
      const std::string_view piece = rest.substr(0, piece_bytes);
      std::array<asio::const_buffer, 2> buffers{asio::buffer(head), asio::buffer(piece.data(), piece.size())};
      connection->arm(connection->server->limits.body_time);
      error_code error;
      co_await asio::async_write(connection->socket, buffers, asio::redirect_error(asio::use_awaitable, error));
      connection->disarm();
      if (error) co_return false;
      head.clear();
      rest.remove_prefix(piece.size());
    } while (!rest.empty());
    co_return true;
  }

  struct StreamEnd {
    bool whole = false;        // the last piece is with the kernel
    bool client_left = false;  // seen by the watch, or by a write
    std::exception_ptr error;  // thrown by the stream
  };

  static asio::awaitable<void> pump(ConnectionPtr connection, HttpBodyStream stream, bool chunked,
                                    std::shared_ptr<StreamEnd> end) {
    try {
      while (true) {
        auto next = stream();
        const std::optional<std::string> piece = co_await std::move(next);
        if (!piece) break;
        for (std::string_view rest = *piece; !rest.empty();) {
          const std::string_view part = rest.substr(0, piece_bytes);
          rest.remove_prefix(part.size());
          std::string framed = chunked ? fmt::format("{:x}\r\n{}\r\n", part.size(), part) : std::string(part);
          auto sending = send_whole(connection, std::move(framed), {});
          if (!co_await std::move(sending)) {
            end->client_left = true;
            co_return;
          }
        }
      }
      if (chunked) {
        auto sending = send_whole(connection, "0\r\n\r\n", {});
        end->whole = co_await std::move(sending);
        end->client_left = !end->whole;
      } else {
        end->whole = true;
      }
    } catch (...) {
      end->error = std::current_exception();
    }
  }

  // Returns when the client leaves. What it sends meanwhile is the beginning of its next request.
  static asio::awaitable<void> watch(ConnectionPtr connection, std::shared_ptr<StreamEnd> end) {
    constexpr std::size_t step = 1024;
    while (connection->buffer.size() + step <= connection->buffer.max_size()) {
      error_code error;
      const std::size_t n = co_await connection->socket.async_read_some(
          connection->buffer.prepare(step), asio::redirect_error(asio::use_awaitable, error));
      if (error) {
        end->client_left = end->client_left || error != asio::error::operation_aborted;
        co_return;
      }
      connection->buffer.commit(n);
    }
    // The buffer is full of requests to come; from here on only a failing write tells that the client is gone.
    asio::steady_timer never(connection->socket.get_executor(), asio::steady_timer::time_point::max());
    error_code cancelled;
    co_await never.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }

  // Returns when the server stops, if the stream would not end by itself.
  static asio::awaitable<void> until_stop(ConnectionPtr connection) {
    if (connection->endless && connection->server->stopping) co_return;
    error_code cancelled;
    co_await connection->stopped.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }

  // Sends a streamed body after its head; true if it went out whole.
  static asio::awaitable<bool> send_stream(ConnectionPtr connection, HttpBodyStream stream, bool chunked) {
    using namespace asio::experimental::awaitable_operators;  // NOLINT(google-build-using-namespace)
    const auto end = std::make_shared<StreamEnd>();
    auto first = pump(connection, std::move(stream), chunked, end) || watch(connection, end) || until_stop(connection);
    co_await std::move(first);
    const bool stopped = connection->server->scope.stopping() || (connection->endless && connection->server->stopping);
    if (end->error && !end->client_left && !stopped) connection->server->on_error(end->error);
    co_return end->whole;
  }

  static asio::awaitable<void> linger(ConnectionPtr connection) {
    error_code error;
    connection->socket.shutdown(Socket::shutdown_send, error);
    if (error) co_return;
    connection->arm(linger_time);
    std::array<char, 4096> discarded;
    for (std::size_t total = 0; total < linger_bytes && !error;)
      total += co_await connection->socket.async_read_some(asio::buffer(discarded),
                                                           asio::redirect_error(asio::use_awaitable, error));
    connection->disarm();
  }

  static asio::awaitable<void> refuse(ConnectionPtr connection, Refusal refusal, bool head_only) {
    HttpResponse answer = connection->server->refused(refusal.status, refusal.reason);
    std::string head = head_of(answer, Framing::length, false, 11, connection->server->date());
    if (head_only) answer.body.clear();
    auto sending = send_whole(connection, std::move(head), std::move(answer.body));
    const bool sent = co_await std::move(sending);
    if (!sent) co_return;
    auto closing = linger(connection);
    co_await std::move(closing);
  }

  // Waits for the first byte of a request; false if none comes.
  static asio::awaitable<bool> await_request(ConnectionPtr connection, bool first) {
    const HttpServerLimits& limits = connection->server->limits;
    // A new connection has the time for its first header at once: one that never speaks is gone as soon as a slow one.
    connection->arm(first ? limits.header_time : limits.idle_time);
    if (connection->buffer.size() == 0) {
      connection->idle = true;
      error_code error;
      const std::size_t n = co_await connection->socket.async_read_some(
          connection->buffer.prepare(4096), asio::redirect_error(asio::use_awaitable, error));
      connection->idle = false;
      if (error) co_return false;
      connection->buffer.commit(n);
    }
    if (!first) connection->arm(limits.header_time);
    co_return true;
  }

  // Beast holds each line against the limit; many short ones are counted here.
  static asio::awaitable<error_code> read_header(ConnectionPtr connection, std::shared_ptr<Parser> parser) {
    const std::size_t most = connection->server->limits.header_bytes;
    std::size_t taken = 0;
    error_code error;
    while (!error && !parser->is_header_done()) {
      taken += co_await http::async_read_some(connection->socket, connection->buffer, *parser,
                                              asio::redirect_error(asio::use_awaitable, error));
      if (!error && taken > most) error = http::error::header_limit;
    }
    co_return error;
  }

  // Reads the body that belongs to a header; what to answer if that fails. Status 0: the client is gone.
  static asio::awaitable<std::optional<Refusal>> read_body(ConnectionPtr connection, std::shared_ptr<Parser> parser,
                                                           std::uint64_t limit) {
    const Refusal too_large{413, fmt::format("The request's body is over the limit of {} bytes.", limit)};
    if (parser->content_length() && *parser->content_length() > limit) co_return too_large;
    parser->body_limit(limit);
    connection->arm(connection->server->limits.body_time);
    const auto expect = parser->get()[http::field::expect];
    if (!expect.empty() && parser->get().version() >= 11) {
      if (lower(std::string_view(expect.data(), expect.size())) != "100-continue")
        co_return Refusal{417, "The only expectation understood is 100-continue."};
      if (!parser->is_done() && connection->buffer.size() == 0) {
        constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        error_code error;
        co_await asio::async_write(connection->socket, asio::buffer(go_on.data(), go_on.size()),
                                   asio::redirect_error(asio::use_awaitable, error));
        if (error) co_return Refusal{0, {}};
      }
    }
    if (parser->is_done()) co_return std::nullopt;
    error_code error;
    co_await http::async_read(connection->socket, connection->buffer, *parser,
                              asio::redirect_error(asio::use_awaitable, error));
    if (!error) co_return std::nullopt;
    if (error == http::error::body_limit) co_return too_large;
    co_return refusal_of(error, connection->timed_out).value_or(Refusal{0, {}});
  }

  // Reads, answers and keeps alive until one side has enough.
  static asio::awaitable<void> serve(ConnectionPtr connection) {
    const std::shared_ptr<Impl> server = connection->server;
    for (bool first = true; !server->stopping; first = false) {
      auto waiting = await_request(connection, first);
      if (!co_await std::move(waiting)) co_return;

      const auto parser = std::make_shared<Parser>();
      parser->header_limit(server->limits.header_bytes);
      parser->body_limit(boost::none);  // known once method and path are
      auto heading = read_header(connection, parser);
      error_code error = co_await std::move(heading);
      std::optional<Refusal> refusal;
      std::variant<HttpRequest, Refusal> read = Refusal{0, {}};
      if (error) {
        refusal = refusal_of(error, connection->timed_out);
        if (!refusal) co_return;
      } else {
        // The header is taken before the body is read: trailers of a chunked body must not become headers.
        read = request_of(parser->get());
        if (const auto* wrong = std::get_if<Refusal>(&read)) refusal = *wrong;
      }
      const bool head_only = !error && parser->get().method() == http::verb::head;
      if (!refusal) {
        auto& request = std::get<HttpRequest>(read);
        request.peer = connection->peer.http;
        std::uint64_t limit = server->limits.body_bytes;
        if (server->limits.body_bytes_for) limit = std::max(limit, server->limits.body_bytes_for(request));
        auto reading = read_body(connection, parser, limit);
        refusal = co_await std::move(reading);
      }
      if (refusal) {
        if (refusal->status == 0) co_return;
        auto refusing = refuse(connection, *refusal, head_only);
        co_await std::move(refusing);
        co_return;
      }
      connection->disarm();

      auto request = std::move(std::get<HttpRequest>(read));
      request.body = std::move(parser->get().body());
      HttpResponse answer;
      std::exception_ptr failure;
      try {
        auto answering = server->handler(std::move(request));
        answer = co_await std::move(answering);
        check_answer(answer);
      } catch (...) {
        failure = std::current_exception();
      }
      if (failure) {
        if (server->scope.stopping()) co_return;
        server->on_error(failure);
        answer = connection->server->refused(500, "Something went wrong here. It has been logged.");
      }

      const unsigned version = parser->get().version();
      const bool streams = static_cast<bool>(answer.stream);
      const Framing framing = !streams ? Framing::length : (version >= 11 ? Framing::chunked : Framing::until_close);
      bool keep_alive =
          parser->keep_alive() && !server->stopping && !asks_to_close(answer) && framing != Framing::until_close;
      std::string head = head_of(answer, framing, keep_alive, version, server->date());
      const bool body = !head_only && may_have_body(answer.status);
      auto sending = send_whole(connection, std::move(head), body && !streams ? std::move(answer.body) : std::string());
      if (!co_await std::move(sending)) co_return;
      if (body && streams) {
        connection->endless = answer.endless;
        auto streaming = send_stream(connection, std::move(answer.stream), framing == Framing::chunked);
        // Without its last chunk the answer is visibly cut short; nothing may follow it.
        if (!co_await std::move(streaming)) co_return;
        connection->endless = false;
      }
      if (keep_alive) continue;
      // A client that keeps its end open must not hold up a stop(), unless it has said more than we have read.
      const bool said_more = connection->buffer.size() > 0 || connection->socket.available(error) > 0;
      if (server->stopping && !said_more) co_return;
      auto closing = linger(connection);
      co_await std::move(closing);
      co_return;
    }
  }

  // The parameter keeps it alive as long as the stop lasts.
  static asio::awaitable<void> stop(std::shared_ptr<Impl> impl, Clock* clock, Milliseconds grace) {
    impl->stopping = true;
    impl->close_listeners();
    for (Connection* connection : impl->connections) {
      if (connection->idle) connection->socket.cancel();
      if (connection->endless) connection->stopped.cancel();
    }
    const Milliseconds end = clock->monotonic() + std::min<Milliseconds>(grace, std::chrono::hours(24));
    while (!impl->connections.empty() && clock->monotonic() < end) {
      auto waiting = impl->ended.wait_for(*clock, end - clock->monotonic());
      co_await std::move(waiting);
    }
    impl->scope.stop();
    auto joining = impl->scope.join();
    co_await std::move(joining);
  }
};

HttpServer::HttpServer(asio::any_io_executor executor, HttpServerLimits limits, HttpHandler handler,
                       ErrorHandler on_error)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(limits), std::move(handler), std::move(on_error))) {}

HttpServer::~HttpServer() {
  impl_->stopping = true;
  impl_->close_listeners();
  impl_->scope.stop();
}

Result<std::string> HttpServer::listen_tcp(const std::string& address_and_port) {
  auto socket = open_tcp_listener(address_and_port);
  if (!socket) return fail(socket.error());
  return impl_->listen_on(std::move(*socket), {});
}

Result<std::string> HttpServer::listen_unix(const std::filesystem::path& path, unsigned mode) {
  auto socket = open_unix_listener(path, mode);
  if (!socket) return fail(socket.error());
  return impl_->listen_on(std::move(*socket), path);
}

Result<std::string> HttpServer::adopt_listening_socket(int descriptor) {
  if (auto usable = check_listener(descriptor); !usable) return fail(usable.error());
  return impl_->listen_on(Descriptor(descriptor), {});
}

asio::awaitable<void> HttpServer::stop(Clock& clock, Milliseconds grace) {
  return Impl::stop(impl_, &clock, grace);
}

std::size_t HttpServer::connections() const {
  return impl_->connections.size();
}

}  // namespace invited::core
