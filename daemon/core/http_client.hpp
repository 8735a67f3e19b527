// A blocking HTTP/1.1 client over a Unix socket, for invitectl and tests. Not for the core thread.
//
//   UnixHttpClient client("/run/invited/control.sock");
//   Result<ClientResponse> answer = client.send({.target = "/v1/status"});
//
// One thread at a time per client; no limit on time (a job may be watched for hours).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace invited::core {

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, already encoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct ClientResponse {
  unsigned status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// Called for each piece of the body as it arrives; returning false ends the request early.
using BodySink = std::function<bool(std::string_view piece)>;

class UnixHttpClient {
public:
  explicit UnixHttpClient(std::filesystem::path socket);
  ~UnixHttpClient();
  // Errors: `unavailable` when nobody listens (`not_listening`) or the connection breaks off (`connection_lost`),
  // `forbidden` when the socket may not be opened, `internal` when the answer is not HTTP. An answer of any status is a
  // value. The connection is kept for the next request; if the daemon has closed it meanwhile, a new one is made, and a
  // request that may be repeated (GET, HEAD, PUT, DELETE) is sent again. With a sink, `body` of the answer stays empty
  // on 2xx. Header names of the answer are in lower case.
  Result<ClientResponse> send(const ClientRequest& request, const BodySink& sink = {});

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace invited::core
