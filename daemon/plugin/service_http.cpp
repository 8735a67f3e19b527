#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/log.hpp"
#include "plugin/abi_text.hpp"
#include "plugin/host.hpp"
#include "plugin/host_table.hpp"

namespace invited::plugin {

namespace {

constexpr std::uint64_t most_headers = 1000;
constexpr core::Milliseconds longest_request = std::chrono::hours(1);

// The plugin's `done`, guarded: it is foreign code on our thread.
void hand_over(Instance& instance, invited_http_done done, void* user, const HttpResult& result) noexcept {
  try {
    if (result.status == INVITED_OK) {
      std::vector<invited_pair> headers;
      headers.reserve(result.headers.size());
      for (const auto& [name, value] : result.headers) headers.push_back({borrow(name), borrow(value)});
      const invited_http_response response{sizeof response, result.http_status, headers.data(), headers.size(),
                                           borrow(result.body)};
      done(user, INVITED_OK, &response, nullptr);
    } else {
      const invited_error error{sizeof error, result.status, 0, borrow(result.error), {nullptr, 0}};
      done(user, result.status, nullptr, &error);
    }
  } catch (...) {
    instance.misbehaved("a function given to http/1 threw");
  }
}

invited_status refused_status(const core::Error& error) {
  return error.kind == core::ErrorKind::unavailable ? INVITED_CANCELLED : INVITED_REJECTED;
}

// What the plugin asked for, within its call's deadline; or why not.
tl::expected<HttpRequest, HttpResult> translate(Instance& instance, const invited_http_request* raw, const Call* call) {
  const auto refuse = [](invited_status status, std::string why) {
    HttpResult result;
    result.status = status;
    result.error = std::move(why);
    return tl::unexpected<HttpResult>(std::move(result));
  };
  if (raw == nullptr || !INVITED_HAS(raw, invited_http_request, max_response_bytes)) {
    instance.misbehaved("http/1 without a whole request");
    return refuse(INVITED_REJECTED, "no whole request");
  }
  HttpRequest request;
  if (raw->method.size > 0) request.method = view(raw->method);
  request.url = view(raw->url);
  request.body = view(raw->body);
  if (raw->header_count > most_headers) return refuse(INVITED_REJECTED, "too many headers");
  for (std::uint64_t i = 0; raw->headers != nullptr && i < raw->header_count; ++i)
    request.headers.emplace_back(view(raw->headers[i].key), view(raw->headers[i].value));
  if (raw->timeout_ms > 0) request.timeout = core::Milliseconds(raw->timeout_ms);
  if (raw->max_response_bytes != 0) request.max_response_bytes = raw->max_response_bytes;
  request.timeout = std::min(request.timeout, longest_request);
  request.owner = &instance;
  if (call != nullptr) {
    if (call->cancel_requested()) return refuse(INVITED_CANCELLED, "the call is cancelled");
    request.call = call->handle();
    request.timeout = std::min(request.timeout, call->deadline() - instance.clock().monotonic());
    if (request.timeout <= core::Milliseconds(0)) return refuse(INVITED_CANCELLED, "the call's deadline is over");
  }
  return request;
}

}  // namespace

const invited_http HttpService::table = {sizeof(invited_http), 0, &HttpService::start, &HttpService::wait};

core::Result<void> HttpService::launch(Instance& instance, HttpRequest request, const Call* call) {
  {
    // Under the lock, so that the end of the instance comes before this or finds the request.
    const std::lock_guard lock(instance.mutex_);
    if (instance.http_closed_)
      return core::fail(core::ErrorKind::unavailable, "http_stopping", "the daemon is stopping");
    ++instance.http_requests_;
    const auto started = instance.environment_.http->start(std::move(request));
    if (!started) {
      --instance.http_requests_;
      return started;
    }
  }
  // The hint may have come before the request was there to be ended.
  if (call != nullptr && call->cancel_requested()) instance.environment_.http->cancel(&instance, call->handle());
  return {};
}

invited_status HttpService::start(const invited_host* host, invited_call* handle, const invited_http_request* raw,
                                  invited_http_done done, void* user) {
  return wall("http/1 start", INVITED_INTERNAL, [&]() -> invited_status {
    const auto instance = Instance::of(host).shared_from_this();
    if (done == nullptr) {
      instance->misbehaved("http/1 start() without a function to call");
      return INVITED_REJECTED;
    }
    const auto call = handle != nullptr ? instance->open_call<Call>(handle, "http/1 start()") : nullptr;
    if (handle != nullptr && !call) return INVITED_REJECTED;
    auto request = translate(*instance, raw, call.get());
    if (!request) return request.error().status;
    // The reference goes to the core with the last word: were it the last one and dropped here, on the client's thread,
    // the instance would take the client with it, which cannot wait for its own thread.
    request->done = [mine = std::shared_ptr<Instance>(instance), done, user](HttpResult result) mutable {
      hand_over(*mine, done, user, result);
      --mine->http_requests_;
      const std::shared_ptr<CoreGate> gate = mine->environment_.gate;
      gate->post([last = std::move(mine)] { last->quiet_wakeup_.ring(); });
    };
    const auto started = launch(*instance, std::move(*request), call.get());
    if (started) return INVITED_OK;
    core::log::warning({"plugin.http", ""}, "A request of a plugin was refused: " + started.error().message,
                       {{"plugin", instance->plugin().name}, {"instance", instance->name()}});
    return refused_status(started.error());
  });
}

invited_status HttpService::wait(const invited_host* host, invited_call* handle, const invited_http_request* raw,
                                 invited_http_done done, void* user) {
  return wall("http/1 wait", INVITED_INTERNAL, [&]() -> invited_status {
    const auto instance = Instance::of(host).shared_from_this();
    if (done == nullptr) {
      instance->misbehaved("http/1 wait() without a function to call");
      return INVITED_REJECTED;
    }
    const auto answer = [&](invited_status status, std::string why) {
      HttpResult result;
      result.status = status;
      result.error = std::move(why);
      hand_over(*instance, done, user, result);
      return status;
    };
    if (!instance->thread_.is_current()) {
      // On the core thread or the client's own this would wait for itself.
      instance->misbehaved("http/1 wait() on another thread than the instance's own");
      return answer(INVITED_REJECTED, "wait() is for the instance's own thread");
    }
    const auto call = handle != nullptr ? instance->open_call<Call>(handle, "http/1 wait()") : nullptr;
    if (handle != nullptr && !call) return answer(INVITED_REJECTED, "the call is not open");
    auto request = translate(*instance, raw, call.get());
    if (!request) return answer(request.error().status, request.error().error);
    const auto promise = std::make_shared<std::promise<HttpResult>>();
    std::future<HttpResult> arriving = promise->get_future();
    // Whoever waits here holds the instance.
    request->done = [plain = instance.get(), promise](HttpResult result) {
      --plain->http_requests_;
      promise->set_value(std::move(result));
    };
    const auto started = launch(*instance, std::move(*request), call.get());
    if (!started) return answer(refused_status(started.error()), started.error().message);
    const HttpResult result = arriving.get();
    hand_over(*instance, done, user, result);
    return result.status;
  });
}

}  // namespace invited::plugin
