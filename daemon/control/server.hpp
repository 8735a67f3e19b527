// The control socket: HTTP/1.1 and JSON on a Unix socket, everything routed and checked by the one command table
// (api/commands.hpp).
//
// A handler is keyed by its command's id; the constructor refuses to build a server in which a command has no handler.
// Each request is known by its peer's uid and groups; each change carries the actor into the audit. [core-thread]
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/object.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/commands.hpp"
#include "control/jobs.hpp"
#include "control/roles.hpp"
#include "core/http_server.hpp"
#include "core/task_scope.hpp"
#include "service/batches.hpp"
#include "service/bulk.hpp"
#include "service/catch_up.hpp"
#include "service/delivery.hpp"
#include "service/domains.hpp"
#include "service/fetching.hpp"
#include "service/queries.hpp"
#include "service/reviews.hpp"
#include "service/self_service.hpp"
#include "service/users.hpp"

namespace invited::control {

// One request that passed routing, role and argument checks.
struct Call {
  const api::Command* command = nullptr;
  boost::json::object values;
  bool dry_run = false;
  std::string actor;
  core::HttpRequest request;

  [[nodiscard]] std::string text(std::string_view field) const;  // "" when absent
  [[nodiscard]] std::int64_t integer(std::string_view field, std::int64_t fallback) const;
  [[nodiscard]] bool flag(std::string_view field) const;
};

// `look` sees what the change left, also in a dry run. [store's thread]
[[nodiscard]] inline service::Act act_of(const Call& call, std::function<void(store::Db&)> look = {}) {
  return {call.actor, call.dry_run, std::move(look)};
}

using Handler = std::function<boost::asio::awaitable<core::HttpResponse>(Call)>;
using Handlers = std::map<std::string_view, Handler>;

struct TransportInfo {
  std::string name;
  std::string plugin;
  model::Transport* port = nullptr;
  bool in_use = false;
};

// What a rehearsal is asked for, as it was said: days, outages ("3h@2026-10-25T08:00"), a length ("2d") or nothing.
struct RehearsalRequest {
  std::string from;
  std::string to;
  std::vector<std::string> transport_down;
  std::string confirm_after;
  std::int64_t seed = 1;
  bool mails = true;
};

// What the plugin layer tells about modules; the app binds it to the registry.
struct PluginDesk {
  std::function<boost::json::array()> list;
  std::function<core::Result<boost::json::object>(const std::string& name)> describe;
  std::function<boost::json::object(const std::string& path)> check;
};

// Everything the handlers use; all of it outlives the server.
struct Desk {
  core::Clock& clock;
  core::TaskScope& scope;
  const model::Policies& policies;
  service::Queries& queries;
  service::Users& users;
  service::SelfService& self_service;
  service::Reviews& reviews;
  service::Domains& domains;
  service::Bulk& bulk;
  service::Batches& batches;
  service::Fetching& fetching;
  service::Delivery& delivery;
  service::SendingGate& gate;
  store::Store& store;
  Jobs& jobs;
  std::vector<TransportInfo> transports;
  PluginDesk plugins;
  std::string identity;  // instance name
  std::string identity_plugin;
  std::string version;
  core::Instant started_at;
  std::uint64_t import_bytes = 64ULL * 1024 * 1024;
  // The banner's sentence for a reason to show it; `locale` is "sv" or "en".
  std::function<std::string(std::string_view reason, std::string_view locale, const std::string& organisation)>
      banner_text;
  // Begins a rehearsal; its events as they come (schema RehearsalEvent). Dropping the stream ends it.
  std::function<core::Result<core::HttpBodyStream>(RehearsalRequest)> rehearse;
  // Makes an operator's confirmation durable, with its audit event; the gate is opened after it.
  std::function<boost::asio::awaitable<void>(std::string actor)> confirm_state;
  // Makes durable that somebody asked for something that changes no row by itself.
  std::function<boost::asio::awaitable<void>(std::string actor, std::string action, std::string subject)> note;
};

class Server {
public:
  Server(boost::asio::any_io_executor executor, Desk& desk, const RoleGroups& groups);

  core::Result<std::string> listen(const std::filesystem::path& socket, unsigned mode);
  core::Result<std::string> adopt(int descriptor);
  boost::asio::awaitable<void> stop(core::Milliseconds grace);

  // One request from a peer; the tests' door. [core-thread]
  boost::asio::awaitable<core::HttpResponse> handle(core::HttpRequest request);

private:
  boost::asio::awaitable<core::HttpResponse> answer_to(core::HttpRequest request);
  Desk& desk_;
  Roles roles_;
  Handlers handlers_;
  core::HttpServer http_;
};

// How large the body may be that follows this head: a file's as `import_bytes` only for who may send it, so that nobody
// else can make the daemon hold it. [any-thread]
[[nodiscard]] std::uint64_t body_bytes_for(const core::HttpRequest& head, const Roles& roles,
                                           std::uint64_t import_bytes);

// Why no mail leaves at the moment, a sentence each; empty while mails leave.
[[nodiscard]] std::vector<std::string> why_nothing_leaves(const Desk& desk);
// The one filter over users out of a command's arguments.
[[nodiscard]] model::UserFilter filter_of(const boost::json::object& values);
// The source that takes a file for import: the one that is named, else the first that reads files.
[[nodiscard]] core::Result<std::string> import_source(const Desk& desk, const Call& call);
// The request's body as a file for that source.
[[nodiscard]] model::SourcePush import_push(Call& call);

void add_user_handlers(Handlers& handlers, Desk& desk);
void add_export_handlers(Handlers& handlers, Desk& desk);
void add_invitation_handlers(Handlers& handlers, Desk& desk);
void add_review_handlers(Handlers& handlers, Desk& desk);
void add_batch_handlers(Handlers& handlers, Desk& desk);
void add_installation_handlers(Handlers& handlers, Desk& desk);
void add_running_handlers(Handlers& handlers, Desk& desk);
void add_future_handlers(Handlers& handlers, Desk& desk);

// Goes on with bulk runs that an earlier run of the daemon left in the middle, each as a job.
boost::asio::awaitable<void> resume_bulk(Desk* desk);
// Likewise with batches that were being let go or discarded.
boost::asio::awaitable<void> resume_batches(Desk* desk);

}  // namespace invited::control
