// The conversation with the daemon: requests over the control socket, and every way it can say no turned into a
// Failure.
#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <string>

#include "api/commands.hpp"
#include "core/http_client.hpp"
#include "invocation.hpp"

namespace invited::ctl {

class Session {
public:
  explicit Session(const Settings& settings);

  struct Answer {
    unsigned status = 0;
    std::string body;
    boost::json::value document;  // null for an empty body
  };

  // Throws Failure unless the daemon answers 2xx with JSON or nothing.
  Answer ask(const api::Command& command, const core::ClientRequest& request);

  // One line of a stream; false ends it early.
  using LineSink = std::function<bool(std::string_view line)>;
  // Returns at the stream's end; true if the daemon ended it in order, false if the connection broke.
  bool follow(const api::Command& command, const core::ClientRequest& request, const LineSink& sink);

  // The body of an answer as it comes. Throws Failure unless the daemon answers 2xx and gives all of it.
  void download(const api::Command& command, const core::ClientRequest& request,
                const std::function<void(std::string_view piece)>& sink);

  // IANA zone that the daemon named with its last answer; empty before that.
  [[nodiscard]] const std::string& zone() const { return zone_; }

private:
  void note(const core::ClientResponse& response);

  std::string socket_;
  core::UnixHttpClient client_;
  std::string zone_;
};

}  // namespace invited::ctl
