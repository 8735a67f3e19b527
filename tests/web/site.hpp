// A web server over the scripted world, and a browser that reads its pages.
#pragma once

#include <regex>

#include "render/templates.hpp"
#include "web/server.hpp"
#include "web/world.hpp"

namespace invited::test {

inline std::shared_ptr<const render::Templates> shipped_templates() {
  static const auto loaded = [] {
    const std::filesystem::path share = std::filesystem::path(INVITED_BINARY_DIR) / "share" / "invited";
    auto result = render::Templates::load({{share / "templates"}, share / "locale"});
    if (!result) throw std::runtime_error(result.error().message);
    return std::make_shared<const render::Templates>(std::move(*result));
  }();
  return loaded;
}

inline std::string path_of(const std::string& link) {
  return link.substr(link.find("/v/"));
}
inline std::string token_of(const std::string& link) {
  return link.substr(link.find("/v/") + 3);
}

inline std::string header_of(const core::HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

// The hidden field of the page's form.
inline std::string nonce_of(const core::HttpResponse& page) {
  std::smatch found;
  return std::regex_search(page.body, found, std::regex("name=\"nonce\" value=\"([^\"]*)\"")) ? found[1].str()
                                                                                              : std::string();
}

struct Site : World {
  web::PluginRoutes routes;
  web::Server server;

  explicit Site(web::Settings settings = {.base_url = "https://invite.example.com"},
                web::PluginRoutes plugin_routes = {})
      : server(io.get_executor(), clock, links, self_service, shipped_templates(), *policies, std::move(settings),
               std::move(plugin_routes)) {}

  core::HttpResponse ask(core::HttpRequest request) {
    if (request.peer.address.empty()) request.peer.address = "192.0.2.7";
    return call(server.handle(std::move(request)));
  }
  core::HttpResponse get(const std::string& path, Fields headers = {}, Fields query = {}) {
    core::HttpRequest request;
    request.method = "GET";
    request.path = path;
    request.query = std::move(query);
    request.headers = std::move(headers);
    return ask(std::move(request));
  }
  core::HttpResponse post(const std::string& path, const std::string& body, Fields headers = {}) {
    core::HttpRequest request;
    request.method = "POST";
    request.path = path;
    request.body = body;
    request.headers = std::move(headers);
    return ask(std::move(request));
  }
  // What the button of the page sends.
  core::HttpResponse press(const std::string& path, const core::HttpResponse& page, Fields headers = {}) {
    const bool resend = page.body.find("value=\"resend\"") != std::string::npos;
    return post(path, std::string("do=") + (resend ? "resend" : "confirm") + "&nonce=" + nonce_of(page) + "&lang=en",
                std::move(headers));
  }
};

}  // namespace invited::test
