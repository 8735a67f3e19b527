#include "web/server.hpp"

#include <algorithm>
#include <array>
#include <boost/algorithm/string/predicate.hpp>
#include <boost/asio/ip/address.hpp>

#include "core/events.hpp"
#include "core/log.hpp"
#include "store/store.hpp"

namespace invited::web {

namespace {

using boost::asio::awaitable;
using core::HttpRequest;
using core::HttpResponse;

constexpr std::string_view link_prefix = "/v/";
constexpr std::string_view self_service_prefix = "/s/";
constexpr std::size_t longest_link = 100;  // octets of a path that tell links apart

// A field of our form; empty if it is absent or the body is no form.
std::string form_field(std::string_view body, std::string_view name) {
  const auto fields = core::parse_form(body);
  if (!fields) return {};
  const auto found =
      std::find_if(fields->begin(), fields->end(), [&](const auto& field) { return field.first == name; });
  return found == fields->end() ? std::string() : found->second;
}

// On every answer; a plugin's own word stands where it says one.
void harden(HttpResponse& response) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> fixed{{
      {"Cache-Control", "no-store"},
      {"Referrer-Policy", "no-referrer"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"X-Robots-Tag", "noindex, nofollow"},
      {"Content-Security-Policy",
       "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Permissions-Policy", "interest-cohort=()"},
  }};
  for (const auto& [name, value] : fixed) {
    const bool set =
        std::any_of(response.headers.begin(), response.headers.end(),
                    [&, field = name](const auto& header) { return boost::algorithm::iequals(header.first, field); });
    if (!set) response.headers.emplace_back(name, value);
  }
}

void log_failure(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    core::log::error(core::events::internal_error, "A page could not be answered", {{"why", e.what()}});
  } catch (...) {
    core::log::error(core::events::internal_error, "A page could not be answered", {});
  }
}

core::HttpServerLimits limits_of(const Settings& settings) {
  core::HttpServerLimits limits;
  limits.refusal = [](unsigned status, std::string_view text) {
    HttpResponse answer;
    answer.status = status;
    answer.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
    answer.body = std::string(text) + "\n";
    harden(answer);
    return answer;
  };
  // Behind a proxy everybody comes from one address; the proxy keeps the peace then.
  if (settings.client_address != ClientAddress::connection) limits.connections_per_peer = limits.connections;
  if (settings.plugin_path)
    limits.body_bytes_for = [is_plugins = settings.plugin_path, ours = limits.body_bytes](const HttpRequest& head) {
      return is_plugins(head.path) ? plugin_body_bytes : ours;
    };
  return limits;
}

// The address of "192.0.2.7", "192.0.2.7:4711", "[2001:db8::1]:4711" or "2001:db8::1"; nothing for other texts.
std::optional<boost::asio::ip::address> address_of(std::string_view text) {
  if (text.starts_with('[')) {
    text = text.substr(1, text.find(']') == std::string_view::npos ? 0 : text.find(']') - 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    text = text.substr(0, text.find(':'));
  }
  boost::system::error_code error;
  auto address = boost::asio::ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
  return address;
}

// One household or server has a whole /64 of IPv6, and could otherwise come as 2^64 clients.
std::string rate_key(const std::string& client) {
  const auto address = address_of(client);
  if (!address || address->is_v4()) return address ? address->to_string() : client;
  auto bytes = address->to_v6().to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  return boost::asio::ip::make_address_v6(bytes).to_string() + "/64";
}

PageAsk asked(const HttpRequest& request) {
  PageAsk ask{.query_language = request.query_value("lang").value_or(""),
              .accept_language = std::string(request.header("accept-language"))};
  // Our forms carry the language of the page that they stood on.
  if (request.method == "POST")
    if (auto language = form_field(request.body, "lang"); !language.empty()) ask.query_language = std::move(language);
  return ask;
}

std::string origin_of(const std::string& url) {
  const auto scheme = url.find("://");
  const auto slash = url.find('/', scheme == std::string::npos ? 0 : scheme + 3);
  return url.substr(0, slash);
}

}  // namespace

HttpResponse plugin_answer(const core::Result<model::SourceReply>& reply) {
  HttpResponse response;
  response.headers = {{"Cache-Control", "no-store"}};
  if (!reply) {
    response.status = 503;
    response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    response.body = "The source cannot answer now.\n";
    return response;
  }
  response.status = reply->status;
  if (!reply->content_type.empty()) response.headers.emplace_back("Content-Type", reply->content_type);
  response.body = reply->body;
  return response;
}

Server::Server(boost::asio::any_io_executor executor, core::Clock& clock, service::Links& links,
               service::SelfService& self_service, std::shared_ptr<const render::Templates> templates,
               const model::Policies& policies, Settings settings, PluginRoutes routes)
    : clock_(clock),
      links_(links),
      self_service_(self_service),
      templates_(std::move(templates)),
      policies_(policies),
      settings_(std::move(settings)),
      origin_(origin_of(settings_.base_url)),
      routes_(std::move(routes)),
      visits_(3'000, core::Milliseconds{60'000}, 50'000),
      pages_(120, core::Milliseconds{60'000}, 50'000),
      posts_(20, core::Milliseconds{60'000}, 50'000),
      http_(
          std::move(executor), limits_of(settings_), [this](HttpRequest request) { return handle(std::move(request)); },
          log_failure) {}

core::Result<std::string> Server::listen(const std::string& address_and_port) {
  return http_.listen_tcp(address_and_port);
}
awaitable<void> Server::stop(core::Milliseconds grace) {
  return http_.stop(clock_, grace);
}

std::string Server::client_of(const HttpRequest& request) const {
  std::string_view header;
  if (settings_.client_address == ClientAddress::x_real_ip) header = request.header("x-real-ip");
  if (settings_.client_address == ClientAddress::x_forwarded_for) {
    // The last entry is the one our own proxy wrote; what stands before it is anybody's claim.
    // Some proxies add a line of their own below what came.
    for (const auto& [name, value] : request.headers) {
      if (name == "x-forwarded-for") header = value;
    }
    header = header.substr(header.rfind(',') == std::string_view::npos ? 0 : header.rfind(',') + 1);
  }
  while (!header.empty() && header.front() == ' ') header.remove_prefix(1);
  while (!header.empty() && header.back() == ' ') header.remove_suffix(1);
  if (const auto address = address_of(header)) return address->to_string();
  return request.peer.address;
}

bool Server::from_our_form(const HttpRequest& request, const std::string& client) const {
  const auto site = request.header("sec-fetch-site");
  const auto origin = request.header("origin");
  const auto mode = request.header("sec-fetch-mode");
  std::string_view why;
  if (!site.empty() && site != "same-origin" && site != "none") why = "it comes from another site";
  // Browsers write "null" for forms of a no-referrer page.
  if (!origin.empty() && origin != "null" && origin != origin_) why = "it comes from another site";
  if (!mode.empty() && mode != "navigate") why = "a script sent it";
  // Chromium says when a person's hand was behind it; mail scanners that submit forms by script run that browser.
  if (!mode.empty() && !request.header("sec-ch-ua").empty() && request.header("sec-fetch-user").empty())
    why = "a script submitted it";
  if (!why.empty())
    core::log::warning(core::events::web_refused, "A form was refused, and nothing was changed",
                       {{"client", client}, {"why", std::string(why)}});
  return why.empty();
}

HttpResponse Server::not_allowed(const PageAsk& ask) const {
  auto response = show(plain_page(405, render::MethodNotAllowedPage{}, policies_, ask));
  response.headers.emplace_back("Allow", "GET, HEAD, POST");
  return response;
}

HttpResponse Server::show(const PageAnswer& answer) const {
  HttpResponse response;
  response.status = answer.status;
  response.headers = {{"Content-Type", "text/html; charset=utf-8"}, {"Vary", "Accept-Language"}};
  response.body = render::render_page(*templates_, answer.page);
  return response;
}

awaitable<HttpResponse> Server::handle(HttpRequest request) {
  const PageAsk ask = asked(request);
  HttpResponse response;
  std::exception_ptr failure;
  bool unavailable = false;
  try {
    response = co_await answer(std::move(request));
  } catch (const store::Unavailable&) {
    unavailable = true;
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) log_failure(failure);
  if (failure || unavailable) response = show(plain_page(503, render::UnavailablePage{}, policies_, ask));
  harden(response);
  co_return response;
}

awaitable<HttpResponse> Server::answer(HttpRequest request) {
  const PageAsk ask = asked(request);
  if (request.path == "/style.css" && request.method == "GET") {
    HttpResponse response;
    response.headers = {{"Content-Type", "text/css; charset=utf-8"}, {"Cache-Control", "public, max-age=3600"}};
    response.body = std::string(templates_->stylesheet());
    co_return response;
  }
  // Links come first: whatever plugins registered, none of them sees a token.
  const bool link = request.path.starts_with(link_prefix);
  if (link || request.path.starts_with(self_service_prefix)) {
    const std::string client = client_of(request);
    // An office, or everybody behind a proxy that names nobody, is one address: what is scarce is scarce for each link.
    const std::string key = rate_key(client);
    const std::string at_link = key + request.path.substr(0, longest_link);
    const auto now = clock_.monotonic();
    if (!visits_.take(key, now) || !pages_.take(at_link, now) ||
        (request.method == "POST" && !posts_.take(at_link, now)))
      co_return show(plain_page(429, render::TooManyRequestsPage{}, policies_, ask));
    std::string token = request.path.substr(link ? link_prefix.size() : self_service_prefix.size());
    if (link) co_return co_await link_page(std::move(request), std::move(token), client);
    co_return co_await self_service_page(std::move(request), std::move(token), client);
  }
  if (routes_) {
    if (auto answered = routes_(request)) co_return co_await std::move(*answered);
  }
  co_return show(plain_page(404, render::NotFoundPage{}, policies_, ask));
}

awaitable<HttpResponse> Server::link_page(HttpRequest request, std::string token, std::string client) {
  PageAsk ask = asked(request);
  if (request.method == "GET") {
    const auto view = co_await links_.open(token);
    co_return show(page_of(view, policies_, ask));
  }
  if (request.method != "POST") co_return not_allowed(ask);
  if (!from_our_form(request, client)) {
    ask.posted = true;
    const auto view = co_await links_.open(token);
    PageAnswer refused = page_of(view, policies_, ask);
    if (refused.status == 200) refused.status = 403;
    co_return show(refused);
  }
  const std::string proof = form_field(request.body, "nonce");
  if (form_field(request.body, "do") == "resend") co_return co_await renew(std::move(token), proof, std::move(ask));
  auto view = co_await links_.confirm(token, proof);
  ask.posted = view.state == service::LinkState::open;
  if (view.state == service::LinkState::connecting) {
    // Most providers answer at once: a moment's patience spares the person a page that says "soon".
    for (int look = 0; look < 20 && view.state == service::LinkState::connecting; ++look) {
      co_await clock_.sleep_for(core::Milliseconds{100});
      view = co_await links_.open(token);
    }
    ask.just_confirmed = view.state == service::LinkState::connected;
  }
  co_return show(page_of(view, policies_, ask));
}

awaitable<HttpResponse> Server::self_service_page(HttpRequest request, std::string token, std::string client) {
  using service::SelfServiceState;
  PageAsk ask = asked(request);
  service::TypedAddress typed;
  if (request.method == "GET") {
    const auto view = co_await self_service_.open(token);
    co_return show(page_of(view, typed, policies_, ask));
  }
  if (request.method != "POST") co_return not_allowed(ask);
  if (!from_our_form(request, client)) {
    ask.posted = true;
    const auto view = co_await self_service_.open(token);
    PageAnswer refused = page_of(view, typed, policies_, ask);
    if (refused.status == 200) refused.status = 403;
    co_return show(refused);
  }
  constexpr std::size_t enough = 1'000;  // no address is longer; what is typed comes back in the page
  typed.email = form_field(request.body, "email").substr(0, enough);
  typed.confirm_email = form_field(request.body, "confirm_email").substr(0, enough);
  typed.form_proof = form_field(request.body, "nonce");
  auto view = co_await self_service_.save(token, typed);
  if (view.state == SelfServiceState::connecting) {
    // As after a confirmation: most providers answer at once.
    for (int look = 0; look < 20 && view.state == SelfServiceState::connecting; ++look) {
      co_await clock_.sleep_for(core::Milliseconds{100});
      view = co_await self_service_.open(token);
    }
    ask.just_confirmed = view.state == SelfServiceState::connected;
  }
  co_return show(page_of(view, typed, policies_, ask));
}

awaitable<HttpResponse> Server::renew(std::string token, std::string proof, PageAsk ask) {
  using service::RenewResult;
  const auto before = co_await links_.open(token);
  const auto renewed = co_await links_.renew(token, std::move(proof));
  PageAnswer answer = page_of(before, policies_, ask);  // in the person's language
  switch (renewed) {
    case RenewResult::sent:
      answer.status = 200;
      answer.page.state = render::RequestedPage{before.masked_email};
      co_return show(answer);
    case RenewResult::connecting:
      answer.status = 200;
      answer.page.state = render::ConnectingPage{};
      co_return show(answer);
    case RenewResult::too_soon:
      answer.status = 429;
      answer.page.state = render::TooManyRequestsPage{};
      co_return show(answer);
    case RenewResult::form_not_ours:
      co_return show(answer);
    case RenewResult::not_possible:
      break;
  }
  ask.no_renewal = true;
  const auto view = co_await links_.open(std::move(token));
  co_return show(page_of(view, policies_, ask));
}

}  // namespace invited::web
