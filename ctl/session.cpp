#include "session.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <filesystem>

#include "api/request.hpp"
#include "failure.hpp"
#include "text.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

Exit exit_for(unsigned status) {
  switch (status) {
    case 400:
    case 422:
      return exit_usage;
    case 401:
    case 403:
      return exit_forbidden;
    case 404:
      return exit_not_found;
    default:
      return exit_failed;
  }
}

// The user that the request is about, as a shell takes it.
std::string user_of(const core::ClientRequest& request) {
  const std::string_view target = request.target;
  const auto routed = api::route(request.method, target.substr(0, target.find('?')));
  if (!routed || routed->path.empty()) return "USER";
  std::string id = printable(routed->path.front().second);
  const bool plain = std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-' || c == '@';
  });
  if (plain) return id;
  return id.find('\'') == std::string::npos ? "'" + id + "'" : "USER";
}

std::string advice_for(unsigned status, const api::Command& command, const core::ClientRequest& request,
                       std::string_view code = {}) {
  switch (status) {
    case 403:
      if (code == "four_eyes") return "A colleague can: invitectl review list shows what waits";
      return fmt::format("This needs the role {}: ask to be made a member of its group", api::to_text(command.role));
    case 404:
      if (command.path.find("/users/") != std::string_view::npos)
        return "Look it up: invitectl user list --search TEXT";
      if (!command.noun.empty() && api::find(std::string(command.noun) + ".list") != nullptr) {
        return fmt::format("See what there is: invitectl {} list", command.noun);
      }
      return {};
    case 409:
      if (command.path.find("/users/{id}") != std::string_view::npos)
        return "See why: invitectl why " + user_of(request);
      return {};
    case 503:
      return "Try again in a while; invitectl status says what is the matter";
    case 500:
      return "The daemon's log says more: journalctl -u invited";
    default:
      return {};
  }
}

std::string member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains({name.data(), name.size()});
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

[[noreturn]] void throw_problem(const api::Command& command, const core::ClientRequest& request,
                                const core::ClientResponse& response) {
  boost::system::error_code error;
  const auto document = json::parse(response.body, error);
  if (error || !document.is_object()) {
    throw Failure(exit_for(response.status), "refused",
                  fmt::format("The daemon refused ({}){}", response.status,
                              response.body.empty() ? "" : ": " + printable(response.body.substr(0, 200))),
                  advice_for(response.status, command, request));
  }
  const auto& problem = document.get_object();
  std::string sentence = member(problem, "detail");
  if (sentence.empty()) sentence = member(problem, "title");
  if (sentence.empty()) sentence = fmt::format("The daemon refused ({})", response.status);
  sentence = printable(sentence);
  if (const auto* errors = problem.if_contains("errors"); errors != nullptr && errors->is_array()) {
    for (const auto& one : errors->get_array()) {
      if (!one.is_object()) continue;
      const auto& item = one.get_object();
      if (errors->get_array().size() == 1 && member(item, "message") == member(problem, "detail")) continue;
      sentence += fmt::format("\n  {}: {}", printable(member(item, "where")), printable(member(item, "message")));
    }
  }
  const std::string code = member(problem, "code");
  Failure failure(exit_for(response.status), code, sentence, advice_for(response.status, command, request, code));
  failure.problem = problem;
  throw failure;
}

Failure unreachable(const core::Error& error, const std::string& socket) {
  if (error.kind == core::ErrorKind::forbidden) {
    // No group of the socket helps whom the folder before it keeps out.
    const auto folder = std::filesystem::path(socket).parent_path();
    if (!folder.empty() && ::access(folder.c_str(), X_OK) != 0)
      return {exit_forbidden, error.code,
              fmt::format("You may not enter {}, the folder of the socket {}", folder.string(), socket),
              fmt::format("It is for all to enter where systemd or the daemon made it: chmod 755 {}", folder.string())};
    return {exit_forbidden, error.code, error.message,
            "As installed its group is invited-viewer, which operators and admins need beside their own: usermod -aG "
            "invited-viewer NAME, then sign in anew"};
  }
  if (error.kind == core::ErrorKind::internal) return {exit_failed, error.code, error.message};
  if (error.kind == core::ErrorKind::invalid) return {exit_usage, error.code, error.message};
  return {
      exit_unreachable, error.code, error.message,
      fmt::format("Look: systemctl status invited; another socket than {}: --socket PATH or INVITED_SOCKET", socket)};
}

// A piece of a body may end in the middle of a line.
class Lines {
public:
  explicit Lines(const Session::LineSink& sink) : sink_(sink) {}

  bool take(std::string_view piece) {
    while (true) {
      const auto end = piece.find('\n');
      rest_ += piece.substr(0, end);
      if (end == std::string_view::npos) return true;
      piece.remove_prefix(end + 1);
      const std::string line = std::exchange(rest_, {});
      if (!line.empty() && !sink_(line)) {
        stopped = true;
        return false;
      }
    }
  }

  bool stopped = false;

private:
  const Session::LineSink& sink_;
  std::string rest_;
};

}  // namespace

Session::Session(const Settings& settings) : socket_(settings.socket), client_(settings.socket) {}

void Session::note(const core::ClientResponse& response) {
  const auto found =
      std::ranges::find(response.headers, "invited-time-zone", &std::pair<std::string, std::string>::first);
  if (found != response.headers.end()) zone_ = found->second;
}

Session::Answer Session::ask(const api::Command& command, const core::ClientRequest& request) {
  auto response = client_.send(request);
  if (!response) throw unreachable(response.error(), socket_);
  note(*response);
  if (response->status < 200 || response->status > 299) throw_problem(command, request, *response);
  Answer answer{response->status, std::move(response->body), nullptr};
  if (answer.body.empty()) return answer;
  boost::system::error_code error;
  answer.document = json::parse(answer.body, error);
  if (error) {
    throw Failure(exit_failed, "bad_answer", fmt::format("The daemon's answer is not JSON: {}", error.message()),
                  "Is this the socket of invited?");
  }
  return answer;
}

bool Session::follow(const api::Command& command, const core::ClientRequest& request, const LineSink& sink) {
  Lines lines(sink);
  bool began = false;
  const auto response = client_.send(request, [&](std::string_view piece) {
    began = true;
    return lines.take(piece);
  });
  if (!response) {
    if (lines.stopped) return true;
    if (began) return false;
    throw unreachable(response.error(), socket_);
  }
  note(*response);
  if (response->status < 200 || response->status > 299) throw_problem(command, request, *response);
  return true;
}

void Session::download(const api::Command& command, const core::ClientRequest& request,
                       const std::function<void(std::string_view piece)>& sink) {
  bool began = false;
  const auto response = client_.send(request, [&](std::string_view piece) {
    began = true;
    sink(piece);
    return true;
  });
  if (!response && began) {
    throw Failure(exit_unreachable, "not_whole", "The answer broke off: what was written is not the whole of it",
                  "Try again; the daemon's log may say more: journalctl -u invited");
  }
  if (!response) throw unreachable(response.error(), socket_);
  note(*response);
  if (response->status < 200 || response->status > 299) throw_problem(command, request, *response);
}

}  // namespace invited::ctl
