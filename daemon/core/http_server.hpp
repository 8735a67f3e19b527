// A small HTTP/1.1 server on one listening socket, TCP or Unix: used by the control socket and by the
// landing pages. Beast stays inside the .cpp.
//
// Limits are part of the contract (reliability: a slow or hostile client costs one connection, never the
// loop): header size and time, body size and time, idle time, connections in all and per peer. A request over a limit
// is answered 431, 413 or 408 and the connection closed. Handlers may throw: the client sees 500, the
// exception goes to `on_error`. HEAD is answered as GET without a body. Paths are handed over undecoded.
// Whatever two servers in a row could read differently (several lengths, a length and an encoding, other encodings,
// no Host) is refused and the connection closed. No header tells what software this is.
//
//   HttpServer server(io.get_executor(), limits, handler, on_error);
//   Result<std::string> bound = server.listen_tcp("127.0.0.1:8620");
//   …
//   co_await server.stop(clock, 5s);
//
// Everything is [core-thread], the executor's. stop() is awaited before the object ends; destroying it without that
// cancels what is in progress, and the io_context must then run or be destroyed before what the handler uses is.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/clock.hpp"
#include "core/http_message.hpp"
#include "core/result.hpp"

namespace invited::core {

struct HttpServerLimits {
  std::uint32_t header_bytes = 8 * 1024;
  std::uint64_t body_bytes = 4 * 1024;
  // Raises body_bytes for one request (imports) by its head and who sends it: the body is not there yet. May be empty.
  std::function<std::uint64_t(const HttpRequest& head)> body_bytes_for;
  Milliseconds header_time{10'000};       // for a whole header; on a new connection from accept on
  Milliseconds body_time{30'000};         // for a whole request body, and for each 64 KiB of an answer to be taken
  Milliseconds idle_time{60'000};         // between two requests
  std::size_t connections = 1024;         // one more is told 503 and closed
  std::size_t connections_per_peer = 64;  // by uid, IPv4 address or IPv6 /64
  // Words what is said without the handler (a body over the limit, what is not HTTP); plain text if empty.
  std::function<HttpResponse(unsigned status, std::string_view text)> refusal;
};

class HttpServer {
public:
  using ErrorHandler = std::function<void(std::exception_ptr)>;

  HttpServer(boost::asio::any_io_executor executor, HttpServerLimits limits, HttpHandler handler,
             ErrorHandler on_error);
  ~HttpServer();

  // Each returns the bound endpoint as text ("127.0.0.1:8620", "/run/invited/control.sock") or why not. A server may
  // listen on several. The address is a literal one; port 0 takes a free port. Errors: `invalid` for an address or path
  // that cannot be one, `conflict` (address_in_use, socket_in_use, not_a_socket), `forbidden`, `not_found` (the
  // folder), `unavailable`.
  Result<std::string> listen_tcp(const std::string& address_and_port);
  // Replaces a stale socket file that nobody listens on; refuses one that somebody does, or a file of another kind
  // (links are not followed). The file is never open wider than `mode`, and removed again by stop().
  Result<std::string> listen_unix(const std::filesystem::path& path, unsigned mode);
  // Takes a listening socket that the service manager opened (sd::listen_fds()). The server's from here on, except
  // after `invalid` (not_a_listening_socket).
  Result<std::string> adopt_listening_socket(int descriptor);

  // Stops accepting, ends idle connections and endless streams, lets requests in progress finish until `grace` is over.
  boost::asio::awaitable<void> stop(Clock& clock, Milliseconds grace);
  [[nodiscard]] std::size_t connections() const;

private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace invited::core
