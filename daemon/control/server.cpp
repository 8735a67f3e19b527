#include "control/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/value.hpp>

#include "api/request.hpp"
#include "control/answers.hpp"
#include "core/events.hpp"
#include "core/log.hpp"
#include "store/store.hpp"

namespace invited::control {

namespace {

Handlers all_handlers(Desk& desk) {
  Handlers handlers;
  add_user_handlers(handlers, desk);
  add_export_handlers(handlers, desk);
  add_invitation_handlers(handlers, desk);
  add_review_handlers(handlers, desk);
  add_batch_handlers(handlers, desk);
  add_installation_handlers(handlers, desk);
  add_running_handlers(handlers, desk);
  add_future_handlers(handlers, desk);
  for (const api::Command& command : api::commands()) {
    if (!command.method.empty() && !handlers.contains(command.id))
      throw std::logic_error("no handler for the command " + std::string(command.id));
  }
  return handlers;
}

constexpr std::uint64_t usual_body_bytes = 1024 * 1024;

core::HttpServerLimits limits_of(const Desk& desk, const Roles& roles) {
  core::HttpServerLimits limits;
  limits.body_bytes = usual_body_bytes;
  limits.body_bytes_for = [most = desk.import_bytes, &roles](const core::HttpRequest& head) {
    return body_bytes_for(head, roles, most);
  };
  limits.body_time = core::Milliseconds{120'000};
  limits.connections = 256;
  limits.refusal = [](unsigned status, std::string_view text) {
    const std::string code = status == 413   ? "too_large"
                             : status == 503 ? "too_many_connections"
                             : status == 500 ? "internal"
                                             : "not_understood";
    return problem(status, code, std::string(text));
  };
  return limits;
}

void log_failure(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    core::log::error(core::events::internal_error, "A control request failed inside the daemon", {{"why", e.what()}});
  } catch (...) {
    core::log::error(core::events::internal_error, "A control request failed inside the daemon", {});
  }
}

core::HttpResponse no_route(const api::NoRoute& none) {
  if (none.allowed.empty())
    return problem(404, "unknown_path", "There is nothing at this path; /openapi.json lists what there is.");
  auto response = problem(405, "method_not_allowed", "This path takes other methods.");
  std::string allowed;
  for (const auto method : none.allowed) allowed += (allowed.empty() ? "" : ", ") + std::string(method);
  response.headers.emplace_back("Allow", allowed);
  return response;
}

}  // namespace

std::uint64_t body_bytes_for(const core::HttpRequest& head, const Roles& roles, std::uint64_t import_bytes) {
  const auto routed = api::route(head.method, head.path);
  if (!routed) return usual_body_bytes;
  const auto& arguments = routed->command->arguments;
  const bool file = std::ranges::find(arguments, api::In::raw, &api::Argument::in) != arguments.end();
  const auto role = roles.of(head.peer);
  return file && role && *role >= routed->command->role ? import_bytes : usual_body_bytes;
}

std::string Call::text(std::string_view field) const {
  const auto* value = values.if_contains(field);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::int64_t Call::integer(std::string_view field, std::int64_t fallback) const {
  const auto* value = values.if_contains(field);
  return value != nullptr && value->is_int64() ? value->as_int64() : fallback;
}

bool Call::flag(std::string_view field) const {
  const auto* value = values.if_contains(field);
  return value != nullptr && value->is_bool() && value->as_bool();
}

Server::Server(boost::asio::any_io_executor executor, Desk& desk, const RoleGroups& groups)
    : desk_(desk),
      roles_(groups),
      handlers_(all_handlers(desk)),
      http_(
          std::move(executor), limits_of(desk, roles_),
          [this](core::HttpRequest request) { return handle(std::move(request)); }, log_failure) {}

core::Result<std::string> Server::listen(const std::filesystem::path& socket, unsigned mode) {
  return http_.listen_unix(socket, mode);
}
core::Result<std::string> Server::adopt(int descriptor) {
  return http_.adopt_listening_socket(descriptor);
}
boost::asio::awaitable<void> Server::stop(core::Milliseconds grace) {
  return http_.stop(desk_.clock, grace);
}

boost::asio::awaitable<core::HttpResponse> Server::handle(core::HttpRequest request) {
  auto response = co_await answer_to(std::move(request));
  // Times for people are local to the organisation, wherever the client runs.
  response.headers.emplace_back("Invited-Time-Zone", desk_.policies.organisation().zone);
  co_return response;
}

boost::asio::awaitable<core::HttpResponse> Server::answer_to(core::HttpRequest request) {
  const auto role = roles_.of(request.peer);
  const std::string actor = actor_of(request.peer);
  const auto deny = [&](std::string_view needed) {
    core::log::warning(core::events::control_denied, "A request on the control socket was refused",
                       {{"actor", actor},
                        {"method", request.method},
                        {"path", core::log::printable(request.path)},
                        {"role_needed", std::string(needed)}});
    return problem(403, "not_permitted",
                   fmt::format("{} may not do this: it needs the role {}. An administrator gives roles by Unix group.",
                               actor, needed));
  };
  if (!role) co_return deny("viewer");
  const auto routed = api::route(request.method, request.path);
  if (!routed) co_return no_route(routed.error());
  const api::Command& command = *routed->command;
  if (*role < command.role) co_return deny(api::to_text(command.role));
  auto input = api::read_arguments(command, routed->path, request.query, request.body);
  if (!input) {
    std::vector<ProblemDetail> errors;
    for (const auto& error : input.error()) errors.push_back({error.where, error.code, error.message});
    const unsigned status = errors.front().code == "bad_json" ? 400 : 422;
    co_return problem(status, "bad_request", errors.front().message, errors);
  }
  Call call{&command, std::move(input->values), input->dry_run, actor, std::move(request)};
  bool full = false;
  bool conflict = false;
  try {
    co_return co_await handlers_.at(command.id)(std::move(call));
  } catch (const store::Unavailable&) {
    full = true;
  } catch (const store::Conflict&) {
    conflict = true;
  } catch (...) {
    log_failure(std::current_exception());
  }
  if (full)
    co_return problem(503, "state_not_writable",
                      "The state cannot be written now (disk full?): free space, then try again. Nothing was changed.");
  if (conflict)
    co_return problem(409, "changed_meanwhile",
                      "Somebody else changed this in the same moment: look again, then repeat. Nothing was changed.");
  co_return problem(500, "internal",
                    "The request failed inside the daemon: its journal says why (journalctl -u invited).");
}

}  // namespace invited::control
