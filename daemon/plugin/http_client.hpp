// The one HTTP client of all plugins: a libcurl multi handle on a thread of its own, one policy for everybody.
//
//   HttpClient client(policy);
//   HttpRequest request;  request.url = "https://provider.example/v1/users";  request.owner = this;
//   request.done = [](HttpResult result) { … };                 // on the client's thread
//   if (auto started = client.start(std::move(request)); !started) …   // refused by the policy: done never comes
//
// Policy: https only, except to this machine's own loopback and to hosts named by the operator; TLS 1.2 or newer with
// verification; no proxy but the configured one (never from the environment); redirects are followed for GET and HEAD
// and only within scheme, host and port, otherwise the 3xx is the answer; headers, body and time are limited; a request
// that may not be repeated never rides on an old connection, where libcurl would repeat it by itself.
#pragma once

#include <invited/abi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace invited::plugin {

struct HttpPolicy {
  std::string proxy;                          // empty: none
  std::string ca_file;                        // empty: the system's
  std::vector<std::string> hosts;             // lower case; empty: any host
  std::vector<std::string> plain_text_hosts;  // besides loopback, where http:// is allowed
  std::size_t connections = 32;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// As services.h says: `status` OK with an answer of any http_status, or RETRY, UNKNOWN, REJECTED, CANCELLED with
// `error`.
struct HttpResult {
  invited_status status = INVITED_OK;
  int http_status = 0;
  HttpHeaders headers;  // names in lower case
  std::string body;
  std::string error;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  HttpHeaders headers;
  std::string body;
  core::Milliseconds timeout{30'000};
  std::int64_t max_response_bytes = std::int64_t{8} << 20;
  const void* owner = nullptr;           // for abort()
  const void* call = nullptr;            // for cancel(); may be null
  std::function<void(HttpResult)> done;  // exactly once, on the client's thread; must not throw or block
};

class HttpClient {
public:
  explicit HttpClient(HttpPolicy policy);  // throws std::runtime_error if libcurl cannot start
  ~HttpClient();                           // ends what is under way (their `done` comes), then the thread
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Error: `forbidden` (policy) or `invalid` (not sensible); nothing was started. [any-thread]
  [[nodiscard]] core::Result<void> start(HttpRequest request);
  // Ends the requests of that call which are harmless to end: those of which nothing was sent, and GET and HEAD. Others
  // run on to their answer or timeout, so that no needless doubt arises. [any-thread]
  void cancel(const void* owner, const void* call);
  // Ends all requests of that owner. [any-thread]
  void abort(const void* owner);

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace invited::plugin
