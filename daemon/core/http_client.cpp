#include "core/http_client.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <cerrno>
#include <optional>

namespace invited::core {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

namespace {

constexpr std::uint32_t header_limit = 256 * 1024;

bool has_line_break(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

bool may_repeat(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE";
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace

struct UnixHttpClient::Impl {
  explicit Impl(std::filesystem::path file) : path(std::move(file)), socket(context) {}

  std::filesystem::path path;
  asio::io_context context{1};
  asio::local::stream_protocol::socket socket;
  beast::flat_buffer buffer;
  bool answered_before = false;  // the kept connection has given an answer already

  void disconnect() {
    error_code ignored;
    socket.close(ignored);
    buffer.clear();
    answered_before = false;
  }

  // A kept connection that the daemon has closed meanwhile is readable and empty.
  void drop_if_stale() {
    if (!socket.is_open()) return;
    char byte = 0;
    const ssize_t n = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) disconnect();
  }

  Result<void> connect() {
    if (socket.is_open()) return {};
    error_code error;
    if (path.native().size() >= sizeof(sockaddr_un::sun_path))
      return fail(ErrorKind::invalid, "bad_socket_path",
                  fmt::format("The path is too long for a socket: {}", path.string()), path.string());
    socket.connect(asio::local::stream_protocol::endpoint(path.string()), error);
    if (!error) return {};
    disconnect();
    if (error == boost::system::errc::permission_denied)
      return fail(ErrorKind::forbidden, "socket_forbidden",
                  fmt::format("You may not open {}: ask to be made a member of its group", path.string()),
                  path.string());
    return fail(ErrorKind::unavailable, "not_listening",
                fmt::format("Nobody listens on {}: {}. Is the daemon running?", path.string(), error.message()),
                path.string());
  }

  tl::unexpected<Error> lost(const error_code& error) {
    disconnect();
    // What is wrong with the form of an answer is the daemon's fault; the rest is a connection that broke.
    const bool form = error.category() == make_error_code(http::error::bad_method).category() &&
                      error != http::error::end_of_stream && error != http::error::partial_message;
    if (form)
      return fail(ErrorKind::internal, "bad_answer",
                  fmt::format("The answer on {} is not HTTP: {}", path.string(), error.message()), path.string());
    return fail(ErrorKind::unavailable, "connection_lost",
                fmt::format("The connection to {} broke off: {}. What was asked for may have been done", path.string(),
                            error.message()),
                path.string());
  }

  // `silent` is set if the connection ended before a byte of the answer.
  Result<ClientResponse> exchange(const ClientRequest& request, const BodySink& sink, bool& silent) {
    silent = false;
    std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n", request.method, request.target);
    for (const auto& [name, value] : request.headers) head += fmt::format("{}: {}\r\n", name, value);
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH")
      head += fmt::format("Content-Length: {}\r\n", request.body.size());
    head += "\r\n";
    const std::array<asio::const_buffer, 2> buffers{asio::buffer(head), asio::buffer(request.body)};
    error_code error;
    asio::write(socket, buffers, error);
    // A daemon that refuses a body answers before it has read all of it: the answer counts, not the failed write.
    const bool write_failed = static_cast<bool>(error);
    const error_code write_error = error;

    std::optional<http::response_parser<http::buffer_body>> parser;
    unsigned status = 0;
    do {
      parser.emplace();
      parser->header_limit(header_limit);
      parser->body_limit(boost::none);
      if (request.method == "HEAD") parser->skip(true);
      http::read_header(socket, buffer, *parser, error);
      if (error) {
        silent = error == http::error::end_of_stream || error == boost::system::errc::connection_reset;
        return lost(write_failed ? write_error : error);
      }
      status = parser->get().result_int();
    } while (status / 100 == 1);  // 100 Continue: the answer proper follows

    ClientResponse answer;
    answer.status = status;
    for (const auto& field : parser->get())
      answer.headers.emplace_back(lower(std::string_view(field.name_string().data(), field.name_string().size())),
                                  std::string(field.value()));
    const bool to_sink = sink && status / 100 == 2;
    std::array<char, 64 * 1024> piece;
    while (!parser->is_done()) {
      parser->get().body().data = piece.data();
      parser->get().body().size = piece.size();
      parser->get().body().more = true;
      http::read_some(socket, buffer, *parser, error);
      if (error == http::error::need_buffer) error = {};  // the piece is full, the body goes on
      if (error) return lost(error);
      const std::string_view got(piece.data(), piece.size() - parser->get().body().size);
      if (got.empty()) continue;
      if (!to_sink) {
        answer.body.append(got);
      } else if (!sink(got)) {
        disconnect();
        return answer;
      }
    }
    answered_before = true;
    if (!parser->keep_alive() || write_failed) disconnect();
    return answer;
  }
};

UnixHttpClient::UnixHttpClient(std::filesystem::path socket) : impl_(std::make_unique<Impl>(std::move(socket))) {}

UnixHttpClient::~UnixHttpClient() = default;

Result<ClientResponse> UnixHttpClient::send(const ClientRequest& request, const BodySink& sink) {
  bool broken =
      has_line_break(request.method) || has_line_break(request.target) || request.target.find(' ') != std::string::npos;
  for (const auto& [name, value] : request.headers) broken = broken || has_line_break(name) || has_line_break(value);
  if (broken)
    return fail(ErrorKind::invalid, "bad_request",
                "The request's target or a header holds a character that cannot be sent");

  impl_->drop_if_stale();
  if (auto connected = impl_->connect(); !connected) return fail(connected.error());
  const bool kept = impl_->answered_before;
  bool silent = false;
  auto answer = impl_->exchange(request, sink, silent);
  // The daemon may close a kept connection just as we write to it.
  if (answer || !silent || !kept || !may_repeat(request.method)) return answer;
  if (auto connected = impl_->connect(); !connected) return fail(connected.error());
  return impl_->exchange(request, sink, silent);
}

}  // namespace invited::core
