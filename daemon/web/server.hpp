// The public listener: the landing page of a link, the self-service page, their style sheet, and the routes that source
// plugins registered. Nothing else is shown to the world.
//
// HEAD and GET change nothing; a POST from our own form confirms, and repeating it is harmless (PRODUCT §4). The token
// is in the path: it is never logged, and every answer carries no-referrer, no-store and a policy that loads nothing
// from elsewhere.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/http_server.hpp"
#include "core/result.hpp"
#include "model/policy.hpp"
#include "model/ports.hpp"
#include "render/templates.hpp"
#include "service/links.hpp"
#include "service/self_service.hpp"
#include "web/pages.hpp"
#include "web/rate.hpp"

namespace invited::web {

// Where the client's address comes from: the connection, or a header that the proxy in front sets.
enum class ClientAddress : std::uint8_t { connection, x_real_ip, x_forwarded_for };

struct Settings {
  std::string base_url;  // "https://invite.example.com"
  ClientAddress client_address = ClientAddress::connection;
  // A path below a prefix that a plugin registered: its requests may carry up to plugin_body_bytes. May be empty.
  std::function<bool(std::string_view path)> plugin_path = {};
};

inline constexpr std::uint64_t plugin_body_bytes = std::uint64_t{1} << 20;

// What a client of a plugin's route sees; 503 for an error.
[[nodiscard]] core::HttpResponse plugin_answer(const core::Result<model::SourceReply>& reply);

// Answers a request under a prefix that a plugin registered; nothing if no plugin wants this path.
using PluginRoutes = std::function<std::optional<boost::asio::awaitable<core::HttpResponse>>(const core::HttpRequest&)>;

class Server {
public:
  // Everything outlives the server.
  Server(boost::asio::any_io_executor executor, core::Clock& clock, service::Links& links,
         service::SelfService& self_service, std::shared_ptr<const render::Templates> templates,
         const model::Policies& policies, Settings settings, PluginRoutes routes);

  core::Result<std::string> listen(const std::string& address_and_port);
  boost::asio::awaitable<void> stop(core::Milliseconds grace);
  // One request; the tests' door. [core-thread]
  boost::asio::awaitable<core::HttpResponse> handle(core::HttpRequest request);
  // New texts and templates from now on.
  void use(std::shared_ptr<const render::Templates> templates) { templates_ = std::move(templates); }

private:
  boost::asio::awaitable<core::HttpResponse> answer(core::HttpRequest request);
  boost::asio::awaitable<core::HttpResponse> link_page(core::HttpRequest request, std::string token,
                                                       std::string client);
  boost::asio::awaitable<core::HttpResponse> self_service_page(core::HttpRequest request, std::string token,
                                                               std::string client);
  boost::asio::awaitable<core::HttpResponse> renew(std::string token, std::string proof, PageAsk ask);
  [[nodiscard]] core::HttpResponse show(const PageAnswer& answer) const;
  [[nodiscard]] std::string client_of(const core::HttpRequest& request) const;
  [[nodiscard]] core::HttpResponse not_allowed(const PageAsk& ask) const;
  // False, with a word in the log, for what no press of our button can have sent.
  [[nodiscard]] bool from_our_form(const core::HttpRequest& request, const std::string& client) const;

  core::Clock& clock_;
  service::Links& links_;
  service::SelfService& self_service_;
  std::shared_ptr<const render::Templates> templates_;
  const model::Policies& policies_;
  Settings settings_;
  std::string origin_;
  PluginRoutes routes_;
  Rate visits_;
  Rate pages_;
  Rate posts_;
  core::HttpServer http_;
};

}  // namespace invited::web
