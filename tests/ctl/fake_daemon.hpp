// A daemon that says what the test scripts, and remembers what it was asked.
//
//   FakeDaemon daemon;
//   daemon.answer("GET", "/v1/users/14", 200, R"({"id":"14"})");
//   Outcome outcome = invitectl({"user", "show", "14"}, {.socket = daemon.socket()});
//   daemon.asked().at(0).path == "/v1/users/14";
//
// Every request that has no script, or that does not pass api::read_arguments, is answered 418 and makes the test fail.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/http_message.hpp"

namespace invited::test {

class FakeDaemon {
public:
  FakeDaemon();
  ~FakeDaemon();

  // The next request of this kind gets this answer; the last one given is repeated.
  void answer(const std::string& method, const std::string& path, unsigned status, const std::string& body);
  // A stream of these pieces. `then`: how it goes on after the last.
  enum class Then { end, break_off, hang };
  void stream(const std::string& path, std::vector<std::string> pieces, Then then = Then::end,
              const std::string& method = "GET");

  [[nodiscard]] std::string socket() const;
  [[nodiscard]] std::vector<core::HttpRequest> asked() const;
  // "POST /v1/plans; POST /v1/plans/7/run"
  [[nodiscard]] std::string asked_for() const;
  // What was wrong with requests, one a line; "" when all were as the command table says.
  [[nodiscard]] std::string complaints() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace invited::test
