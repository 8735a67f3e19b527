#include "plugin/http_client.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <list>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "plugin/abi_text.hpp"

namespace invited::plugin {

using core::ErrorKind;
using core::fail;
using core::Result;

namespace {

constexpr int most_redirects = 5;
constexpr std::size_t most_header_bytes = std::size_t{256} * 1024;
constexpr std::size_t most_url_bytes = std::size_t{16} * 1024;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

struct Origin {
  std::string scheme, host, port;
  bool credentials = false;
  bool operator==(const Origin& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
};

std::optional<Origin> origin_of(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return std::nullopt;
  const auto part = [&](CURLUPart which, unsigned flags) {
    char* text = nullptr;
    std::string out;
    if (curl_url_get(parsed.get(), which, &text, flags) == CURLUE_OK) out = text;
    curl_free(text);
    return out;
  };
  Origin origin{part(CURLUPART_SCHEME, 0), lower(part(CURLUPART_HOST, 0)), part(CURLUPART_PORT, CURLU_DEFAULT_PORT)};
  origin.credentials = !part(CURLUPART_USER, 0).empty() || !part(CURLUPART_PASSWORD, 0).empty();
  if (origin.host.empty()) return std::nullopt;
  return origin;
}

bool is_loopback(const sockaddr& address) {
  if (address.sa_family == AF_INET)
    return (ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24) == 127;
  if (address.sa_family == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
  }
  return false;
}

bool is_loopback_name(std::string_view host) {
  if (host == "localhost") return true;
  sockaddr_in v4{.sin_family = AF_INET};
  sockaddr_in6 v6{.sin6_family = AF_INET6};
  std::string bare(host);
  if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']') bare = bare.substr(1, bare.size() - 2);
  if (::inet_pton(AF_INET, bare.c_str(), &v4.sin_addr) == 1) return is_loopback(reinterpret_cast<sockaddr&>(v4));
  if (::inet_pton(AF_INET6, bare.c_str(), &v6.sin6_addr) == 1) return is_loopback(reinterpret_cast<sockaddr&>(v6));
  return false;
}

bool is_token(std::string_view text) {
  if (text.empty() || text.size() > 256) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// One request on its way through perhaps several transfers (redirects).
struct Transfer {
  HttpRequest request;
  Origin origin;
  bool plain_text_is_loopback_only = false;
  CURL* easy = nullptr;
  curl_slist* header_list = nullptr;
  std::array<char, CURL_ERROR_SIZE> error_text{};
  HttpResult result;
  std::size_t header_bytes = 0;
  int redirects = 0;
  core::Milliseconds spent{0};
  bool sent_before = false;  // in an earlier transfer of this request
  bool too_large = false;
  bool wrong_address = false;

  Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    curl_slist_free_all(header_list);
  }

  [[nodiscard]] bool is_safe() const { return request.method == "GET" || request.method == "HEAD"; }
  [[nodiscard]] bool sent() const {
    long bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes);
    return sent_before || bytes > 0;
  }
};

std::size_t on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.result.body.size() + size > static_cast<std::size_t>(transfer.request.max_response_bytes)) {
    transfer.too_large = true;
    return 0;
  }
  transfer.result.body.append(data, size);
  return size;
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::string_view line(data, size);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  transfer.header_bytes += size;
  if (transfer.header_bytes > most_header_bytes) {
    transfer.too_large = true;
    return 0;
  }
  if (line.starts_with("HTTP/")) {  // a new head: 1xx answers come before the real one
    transfer.result.headers.clear();
    return size;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  transfer.result.headers.emplace_back(lower(line.substr(0, colon)), value);
  return size;
}

// The name was looked at before; this looks at what it resolved to.
curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.plain_text_is_loopback_only && !is_loopback(address->addr)) {
    transfer.wrong_address = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void check_set(CURLcode code) {
  if (code != CURLE_OK) throw std::runtime_error(curl_easy_strerror(code));
}

}  // namespace

struct HttpClient::Impl {
  struct Ending {
    const void* owner;
    const void* call;  // null: all of the owner
  };

  HttpPolicy policy;
  CURLM* multi = nullptr;
  std::thread thread;
  std::list<std::unique_ptr<Transfer>> running;  // of the thread

  std::mutex mutex;
  std::vector<std::unique_ptr<Transfer>> starting;
  std::vector<Ending> ending;
  bool quit = false;

  void run();
  void launch(std::unique_ptr<Transfer> transfer);
  void set_up(Transfer& transfer);
  void end_matching(const Ending& which);
  void finished(CURL* easy, CURLcode code);
  bool follow(Transfer& transfer);
  void give(std::list<std::unique_ptr<Transfer>>::iterator at, HttpResult result);
  [[nodiscard]] Result<Origin> allowed(const HttpRequest& request) const;
};

HttpClient::HttpClient(HttpPolicy policy) : impl_(std::make_unique<Impl>()) {
  impl_->policy = std::move(policy);
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw std::runtime_error("libcurl cannot start");
  impl_->multi = curl_multi_init();
  if (impl_->multi == nullptr) throw std::runtime_error("libcurl cannot make a multi handle");
  curl_multi_setopt(impl_->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(impl_->policy.connections));
  curl_multi_setopt(impl_->multi, CURLMOPT_MAXCONNECTS, static_cast<long>(impl_->policy.connections));
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_setname_np(impl_->thread.native_handle(), "plugin-http");
}

HttpClient::~HttpClient() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->quit = true;
  }
  curl_multi_wakeup(impl_->multi);
  impl_->thread.join();
  curl_multi_cleanup(impl_->multi);
  curl_global_cleanup();
}

Result<void> HttpClient::start(HttpRequest request) {
  if (request.method.empty()) request.method = "GET";
  auto origin = impl_->allowed(request);
  if (!origin) return fail(origin.error());
  auto transfer = std::make_unique<Transfer>();
  transfer->plain_text_is_loopback_only =
      origin->scheme == "http" && !contains(impl_->policy.plain_text_hosts, origin->host);
  transfer->origin = std::move(*origin);
  transfer->request = std::move(request);
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->quit) return fail(ErrorKind::unavailable, "http_stopping", "the daemon is stopping");
    impl_->starting.push_back(std::move(transfer));
  }
  curl_multi_wakeup(impl_->multi);
  return {};
}

void HttpClient::cancel(const void* owner, const void* call) {
  if (call == nullptr) return;
  const std::lock_guard lock(impl_->mutex);
  impl_->ending.push_back({owner, call});
  curl_multi_wakeup(impl_->multi);
}

void HttpClient::abort(const void* owner) {
  const std::lock_guard lock(impl_->mutex);
  impl_->ending.push_back({owner, nullptr});
  curl_multi_wakeup(impl_->multi);
}

Result<Origin> HttpClient::Impl::allowed(const HttpRequest& request) const {
  const auto refuse = [](ErrorKind kind, std::string message) {
    return fail(kind, "http_refused", std::move(message));
  };
  if (request.url.size() > most_url_bytes || request.url.find('\0') != std::string::npos)
    return refuse(ErrorKind::invalid, "the URL is too long or holds a zero byte");
  auto origin = origin_of(request.url);
  if (!origin) return refuse(ErrorKind::invalid, "not a URL with a host");
  if (origin->scheme != "https" && origin->scheme != "http")
    return refuse(ErrorKind::forbidden,
                  fmt::format("the scheme {} is not allowed; use https", clipped(origin->scheme, 20)));
  if (origin->credentials) return refuse(ErrorKind::forbidden, "a URL must not hold a name or password; use a header");
  if (!policy.hosts.empty() && !contains(policy.hosts, origin->host))
    return refuse(ErrorKind::forbidden, fmt::format("the host {} is not among the allowed ones", origin->host));
  if (origin->scheme == "http" && !is_loopback_name(origin->host) && !contains(policy.plain_text_hosts, origin->host))
    return refuse(ErrorKind::forbidden,
                  fmt::format("http:// is allowed to this machine only; use https for {}", origin->host));
  if (!is_token(request.method)) return refuse(ErrorKind::invalid, "the method is not a word");
  if ((request.method == "GET" || request.method == "HEAD") && !request.body.empty())
    return refuse(ErrorKind::invalid, fmt::format("{} with a body", request.method));
  if (request.max_response_bytes < 0) return refuse(ErrorKind::invalid, "max_response_bytes is negative");
  std::size_t bytes = 0;
  for (const auto& [name, value] : request.headers) {
    bytes += name.size() + value.size();
    if (!is_token(name)) return refuse(ErrorKind::invalid, fmt::format("bad header name \"{}\"", clipped(name, 40)));
    for (const char c : value)
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
        return refuse(ErrorKind::invalid, fmt::format("control characters in the header {}", name));
    const std::string small = lower(name);
    for (const std::string_view own :
         {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te"})
      if (small == own)
        return refuse(ErrorKind::invalid, fmt::format("the header {} is set by the client alone", name));
  }
  if (bytes > most_header_bytes) return refuse(ErrorKind::too_large, "too many bytes of headers");
  return std::move(*origin);
}

void HttpClient::Impl::set_up(Transfer& transfer) {
  const HttpRequest& request = transfer.request;
  CURL* easy = transfer.easy = curl_easy_init();
  if (easy == nullptr) throw std::runtime_error("libcurl has no handle left");
  const core::Milliseconds left = std::max(request.timeout - transfer.spent, core::Milliseconds(1));
  const auto set = [easy](CURLoption option, auto value) { check_set(curl_easy_setopt(easy, option, value)); };
  set(CURLOPT_PRIVATE, &transfer);
  set(CURLOPT_ERRORBUFFER, transfer.error_text.data());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(left, core::Milliseconds(10'000)).count()));
  set(CURLOPT_PROXY, policy.proxy.c_str());  // "" also switches the environment's proxies off
  set(CURLOPT_NOPROXY, "");                  // and its exceptions
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!policy.ca_file.empty()) set(CURLOPT_CAINFO, policy.ca_file.c_str());
  set(CURLOPT_USERAGENT, "invited");
  set(CURLOPT_WRITEFUNCTION, &on_body);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  set(CURLOPT_OPENSOCKETDATA, &transfer);
  if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET") {
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
      set(CURLOPT_POSTFIELDS, request.body.data());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    }
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  // On an old connection that turns out dead libcurl sends again by itself, and nobody could know of the first time.
  if (!transfer.is_safe() && request.method != "PUT" && request.method != "DELETE") set(CURLOPT_FRESH_CONNECT, 1L);
  const auto add_header = [&](const std::string& line) {
    curl_slist* longer = curl_slist_append(transfer.header_list, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    transfer.header_list = longer;
  };
  bool has_type = false;
  if (transfer.header_list == nullptr) {
    for (const auto& [name, value] : request.headers) {
      has_type = has_type || lower(name) == "content-type";
      add_header(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
    }
    add_header("Expect:");
    if (!has_type) add_header("Content-Type:");  // else libcurl says form data
  }
  set(CURLOPT_HTTPHEADER, transfer.header_list);
}

void HttpClient::Impl::launch(std::unique_ptr<Transfer> transfer) {
  const auto at = running.insert(running.end(), std::move(transfer));
  try {
    set_up(**at);
    if (const CURLMcode code = curl_multi_add_handle(multi, (*at)->easy); code != CURLM_OK)
      throw std::runtime_error(curl_multi_strerror(code));
  } catch (const std::exception& error) {
    give(at, {.status = INVITED_RETRY, .error = error.what()});
  }
}

void HttpClient::Impl::give(std::list<std::unique_ptr<Transfer>>::iterator at, HttpResult result) {
  const std::unique_ptr<Transfer> transfer = std::move(*at);
  running.erase(at);
  if (transfer->easy != nullptr) curl_multi_remove_handle(multi, transfer->easy);
  transfer->request.done(std::move(result));
}

void HttpClient::Impl::end_matching(const Ending& which) {
  for (auto at = running.begin(); at != running.end();) {
    const auto current = at++;
    const Transfer& transfer = **current;
    if (transfer.request.owner != which.owner) continue;
    if (which.call != nullptr) {
      if (transfer.request.call != which.call) continue;
      if (transfer.sent() && !transfer.is_safe()) continue;
    }
    const bool sent = transfer.sent();
    give(current, {.status = sent ? INVITED_UNKNOWN : INVITED_CANCELLED,
                   .error = sent ? "cancelled before the answer came" : "cancelled before anything was sent"});
  }
}

// True: another transfer of the same request is under way.
bool HttpClient::Impl::follow(Transfer& transfer) {
  const int status = transfer.result.http_status;
  const bool redirect = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  char* target = nullptr;
  if (!redirect || !transfer.is_safe() || transfer.redirects >= most_redirects) return false;
  if (curl_easy_getinfo(transfer.easy, CURLINFO_REDIRECT_URL, &target) != CURLE_OK || target == nullptr) return false;
  const auto origin = origin_of(target);
  if (!origin || !(*origin == transfer.origin) || origin->credentials) return false;
  curl_off_t microseconds = 0;
  curl_easy_getinfo(transfer.easy, CURLINFO_TOTAL_TIME_T, &microseconds);
  transfer.spent += core::Milliseconds(microseconds / 1000 + 1);
  if (transfer.spent >= transfer.request.timeout) return false;
  transfer.request.url = target;
  ++transfer.redirects;
  transfer.sent_before = true;
  transfer.result = {};
  curl_multi_remove_handle(multi, transfer.easy);
  curl_easy_cleanup(transfer.easy);
  transfer.easy = nullptr;
  set_up(transfer);
  if (curl_multi_add_handle(multi, transfer.easy) != CURLM_OK)
    throw std::runtime_error("libcurl takes no more requests");
  return true;
}

void HttpClient::Impl::finished(CURL* easy, CURLcode code) {
  const auto at = std::find_if(running.begin(), running.end(), [&](const auto& one) { return one->easy == easy; });
  if (at == running.end()) return;
  Transfer& transfer = **at;
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    transfer.result.http_status = static_cast<int>(status);
    try {
      if (follow(transfer)) return;
    } catch (const std::exception& error) {
      return give(at, {.status = INVITED_UNKNOWN, .error = error.what()});
    }
    return give(at, std::move(transfer.result));
  }
  const char* text = transfer.error_text[0] != '\0' ? transfer.error_text.data() : curl_easy_strerror(code);
  if (transfer.too_large)
    return give(at, {.status = INVITED_REJECTED,
                     .error = fmt::format("the answer is larger than {} bytes", transfer.request.max_response_bytes)});
  if (transfer.wrong_address)
    return give(at, {.status = INVITED_REJECTED,
                     .error = fmt::format("http:// is allowed to this machine only, and {} is elsewhere",
                                          transfer.origin.host)});
  give(at, {.status = transfer.sent() ? INVITED_UNKNOWN : INVITED_RETRY, .error = text});
}

void HttpClient::Impl::run() {
  for (;;) {
    std::vector<std::unique_ptr<Transfer>> start_now;
    std::vector<Ending> end_now;
    bool quit_now = false;
    {
      const std::lock_guard lock(mutex);
      start_now.swap(starting);
      end_now.swap(ending);
      quit_now = quit;
    }
    for (auto& transfer : start_now) launch(std::move(transfer));
    for (const Ending& which : end_now) end_matching(which);
    if (quit_now) {
      while (!running.empty()) {
        const bool sent = running.front()->sent();
        give(running.begin(),
             {.status = sent ? INVITED_UNKNOWN : INVITED_CANCELLED, .error = "the daemon is stopping"});
      }
      return;
    }
    int active = 0;
    curl_multi_perform(multi, &active);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left))
      if (message->msg == CURLMSG_DONE) finished(message->easy_handle, message->data.result);
    curl_multi_poll(multi, nullptr, 0, 60'000, nullptr);
  }
}

}  // namespace invited::plugin
