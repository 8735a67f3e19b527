// Plain HTTP/1.1 requests and answers, as handlers see them: no Beast type leaves core/http_server.cpp.
//
//   asio::awaitable<HttpResponse> hello(HttpRequest request) {
//     HttpResponse answer;
//     answer.headers.emplace_back("content-type", "text/plain; charset=utf-8");
//     answer.body = "Hello " + request.query_value("name").value_or("you") + "\n";
//     co_return answer;
//   }
//
// The server adds Date, Content-Length or Transfer-Encoding, and Connection; what a handler sets of these is ignored,
// except `Connection: close`.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace invited::core {

// Who is on the other end. For a Unix socket the kernel's word at connect time, never a claim of the peer.
struct HttpPeer {
  bool local = false;  // Unix socket: uid, gid, pid and groups are valid
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int32_t pid = 0;
  std::vector<std::uint32_t> groups;  // supplementary groups at connect time (SO_PEERGROUPS)
  std::string address;                // TCP: textual address without port
};

struct HttpRequest {
  std::string method;  // "GET", also for HEAD: the server drops the body
  std::string path;    // raw: decoding segments is up to the router; starts with '/'
  std::vector<std::pair<std::string, std::string>> query;    // decoded by parse_form(), in order
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  HttpPeer peer;

  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const;  // "" when absent
  [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;
};

// Gives the next piece of a streamed body, nothing at its end; an empty piece is skipped. Cancelled (operation_aborted)
// when the client goes away. Whatever it throws cuts the answer short, so that the client sees it is not whole.
using HttpBodyStream = std::function<boost::asio::awaitable<std::optional<std::string>>()>;

struct HttpResponse {
  unsigned status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  HttpBodyStream stream;  // when set, `body` is ignored and the answer is chunked
  bool endless = false;   // the stream has no end of its own: a stop of the server need not wait for one
};

// Takes the request by value and runs to its end even if the client leaves meanwhile. It may throw: the client sees
// 500.
using HttpHandler = std::function<boost::asio::awaitable<HttpResponse>(HttpRequest)>;

// "%C3%A5" → "å". Nothing for a '%' without two hexadecimal digits after it. '+' stays a plus. [any-thread]
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
// Everything but letters, digits and "-._~" becomes %XX: fit for a path segment or a query. [any-thread]
[[nodiscard]] std::string percent_encode(std::string_view text);
// A query or an application/x-www-form-urlencoded body: pairs in order, '+' is a space, a name without '=' has an empty
// value. Nothing if any part is badly encoded. [any-thread]
[[nodiscard]] std::optional<std::vector<std::pair<std::string, std::string>>> parse_form(std::string_view text);

}  // namespace invited::core
