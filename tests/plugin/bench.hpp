// A core thread (the test's own), a clock that moves when told, and plugins that are plain C tables with scripted
// functions: what the plugin layer is tried on without a module in sight.
//
//   Bench bench;
//   Script script;
//   script.send = [&](const invited_host* host, invited_call* call, auto messages, auto count) { … };
//   auto instance = bench.make(script, INVITED_ROLE_TRANSPORT);
//   bench.until([&] { return verdicts.size() == 1; });
#pragma once

#include <invited/identity.h>
#include <invited/services.h>
#include <invited/source.h>
#include <invited/transport.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "plugin/abi_text.hpp"
#include "plugin/adapters.hpp"
#include "plugin/host.hpp"
#include "support/manual_clock.hpp"
#include "support/run.hpp"
#include "support/temp_folder.hpp"

namespace invited::test {

namespace asio = boost::asio;
using core::Milliseconds;
using namespace std::chrono_literals;

// What a fake plugin does. Set before make(); called on the instance's thread, cancel and settled on the core's.
struct Script {
  std::function<invited_status(const invited_host*, invited_call*, std::string)> create;
  std::function<void()> destroy;
  std::function<void(invited_call*)> cancel;
  std::function<std::uint32_t()> window;
  std::function<void(const invited_host*, invited_call*, const invited_message* const*, std::uint64_t)> send;
  std::function<void(std::string)> settled;
  std::function<void(const invited_host*, invited_call*)> probe;
  std::function<void(const invited_host*, invited_call*, std::string)> fetch;
  std::function<void(const invited_host*, invited_call*, const invited_request*)> handle;
  std::function<void(const invited_host*, invited_call*, const invited_export*)> export_records;
  std::function<void(const invited_host*, invited_call*, const invited_report*)> finish;
  std::function<void(const invited_host*, invited_call*, const invited_account_request*)> ensure_account;
  std::function<void(const invited_host*, invited_call*, std::string)> about;  // remove, reset and lookup

  const invited_host* host = nullptr;
  std::atomic<bool> destroyed{false};
};

namespace fake {

// create() gets no pointer of ours, so the script comes this way.
inline Script*& next() {
  static Script* script = nullptr;
  return script;
}
inline Script& of(void* self) {
  return *static_cast<Script*>(self);
}

inline invited_status create(const invited_host* host, invited_call* call, invited_str config, void** ret_self) {
  Script& script = *next();
  script.host = host;
  const invited_status status =
      script.create ? script.create(host, call, std::string(plugin::view(config))) : INVITED_OK;
  if (status == INVITED_OK) *ret_self = &script;
  return status;
}
inline void destroy(void* self) {
  if (of(self).destroy) of(self).destroy();
  of(self).destroyed = true;
}
inline void cancel(void* self, invited_call* call) {
  if (of(self).cancel) of(self).cancel(call);
}
inline std::uint32_t window(void* self) {
  return of(self).window ? of(self).window() : 1;
}
inline void send(void* self, invited_call* call, const invited_message* const* messages, std::uint64_t count) {
  of(self).send(of(self).host, call, messages, count);
}
inline void settled(void* self, invited_str id) {
  if (of(self).settled) of(self).settled(std::string(plugin::view(id)));
}
inline void probe(void* self, invited_call* call) {
  of(self).probe(of(self).host, call);
}
inline void fetch(void* self, invited_call* call, invited_str cursor) {
  of(self).fetch(of(self).host, call, std::string(plugin::view(cursor)));
}
inline void handle(void* self, invited_call* call, const invited_request* request) {
  of(self).handle(of(self).host, call, request);
}
inline void export_records(void* self, invited_call* call, const invited_export* part) {
  of(self).export_records(of(self).host, call, part);
}
inline void finish(void* self, invited_call* call, const invited_report* report) {
  of(self).finish(of(self).host, call, report);
}
inline void ensure_account(void* self, invited_call* call, const invited_account_request* request) {
  of(self).ensure_account(of(self).host, call, request);
}
inline void about(void* self, invited_call* call, invited_str id) {
  of(self).about(of(self).host, call, std::string(plugin::view(id)));
}

inline constexpr const char* schema = R"({"type": "object"})";
inline const invited_source source_table = {sizeof(invited_source), 0, window, fetch, handle, export_records, finish};
inline const invited_transport transport_table = {sizeof(invited_transport), 0, window, send, settled, probe};
inline const invited_identity identity_table = {
    sizeof(invited_identity), 0, window, ensure_account, about, about, about};

inline const invited_plugin source = {
    sizeof(invited_plugin), 63, INVITED_ROLE_SOURCE, "fake_source", "1.0.0", schema, create, destroy, cancel,
    &source_table};
inline const invited_plugin push_only = {sizeof(invited_plugin),
                                         INVITED_SOURCE_HANDLE_RECORD,
                                         INVITED_ROLE_SOURCE,
                                         "push_only",
                                         "1.0.0",
                                         schema,
                                         create,
                                         destroy,
                                         cancel,
                                         &source_table};
inline const invited_plugin transport = {
    sizeof(invited_plugin), 7, INVITED_ROLE_TRANSPORT, "fake_transport", "1.0.0", schema, create, destroy, cancel,
    &transport_table};
inline const invited_plugin identity = {
    sizeof(invited_plugin), 7, INVITED_ROLE_IDENTITY, "fake_identity", "1.0.0", schema, create, destroy, cancel,
    &identity_table};
inline const invited_plugin bare_identity = {
    sizeof(invited_plugin), 0, INVITED_ROLE_IDENTITY, "bare_identity", "1.0.0", schema, create, destroy, cancel,
    &identity_table};
inline const invited_plugin* const plugins[] = {&source, &push_only, &transport, &identity, &bare_identity};
inline const invited_module module = {sizeof(invited_module), 0, 5, 0, plugins};

}  // namespace fake

class FakeState final : public plugin::StateStore {
public:
  std::map<std::string, std::string> values;  // "owner key"
  bool broken = false;

  asio::awaitable<core::Result<std::optional<std::string>>> get(std::string owner, std::string key) override {
    const auto at = values.find(owner + " " + key);
    if (broken) co_return core::fail(core::ErrorKind::unavailable, "broken", "the disk is full");
    co_return at == values.end() ? std::nullopt : std::optional<std::string>(at->second);
  }
  asio::awaitable<core::Result<void>> put(std::string owner, std::string key, std::string value, std::size_t) override {
    if (broken) co_return core::fail(core::ErrorKind::unavailable, "broken", "the disk is full");
    values[owner + " " + key] = value;
    co_return core::Result<void>();
  }
  asio::awaitable<core::Result<void>> remove(std::string owner, std::string key) override {
    values.erase(owner + " " + key);
    co_return core::Result<void>();
  }
};

// A place where a plugin's thread waits until the test lets it go on.
class Latch {
public:
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

class Bench {
public:
  Bench() {
    environment.core = io.get_executor();
    environment.gate = std::make_shared<plugin::CoreGate>(io.get_executor());
    environment.clock = &clock;
    environment.secrets =
        std::make_shared<const plugin::Secrets>(plugin::SecretPlaces{folder / "credentials", folder / "secrets"});
    environment.routes = std::make_shared<plugin::Routes>(std::vector<std::string>{"/i/", "/healthz"});
    environment.state = &state;
  }
  ~Bench() {
    for (const auto& instance : instances_) stop(*instance);
  }

  std::shared_ptr<plugin::Instance> make(Script& script, std::string name = "one",
                                         const invited_plugin& which = fake::transport, std::string config = "{}") {
    const auto made = prepare(script, std::move(name), which, std::move(config));
    const auto created = run(io, made->create());
    if (!created) FAIL(created.error().message);
    return made;
  }
  // Not yet created.
  std::shared_ptr<plugin::Instance> prepare(Script& script, std::string name, const invited_plugin& which,
                                            std::string config = "{}") {
    fake::next() = &script;
    if (!module_) module_ = plugin::Module::from_table(fake::module, "fake").value();
    instances_.push_back(plugin::Instance::make(module_, which, std::move(name), std::move(config), environment));
    return instances_.back();
  }

  // Runs the core until it is so; fails the test if it never is.
  void until(const std::function<bool()>& so, std::chrono::seconds longest = 20s) {
    const auto end = std::chrono::steady_clock::now() + longest;
    while (!so()) {
      if (std::chrono::steady_clock::now() > end) FAIL("did not come about");
      io.run_one_for(20ms);
    }
    settle(io);
  }
  void pass(Milliseconds time) {
    settle(io);
    clock.advance(time);
    settle(io);
  }
  template <class T>
  T wait(asio::awaitable<T> task) {
    return run(io, std::move(task));
  }
  // Time moves while waiting, for what only ends by a limit.
  bool stop(plugin::Instance& instance, Milliseconds limit = 1s) {
    std::optional<bool> ended;
    asio::co_spawn(io, instance.stop(limit), [&](std::exception_ptr, bool clean) { ended = clean; });
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!ended && std::chrono::steady_clock::now() < end) {
      io.run_one_for(20ms);
      if (hurry) pass(limit);
    }
    if (!ended) throw std::runtime_error("a plugin instance could not be stopped");
    return *ended;
  }

  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> working{io.get_executor()};
  ManualClock clock;
  TempFolder folder;
  FakeState state;
  plugin::Environment environment;
  bool hurry = false;

private:
  std::shared_ptr<const plugin::Module> module_;
  std::vector<std::shared_ptr<plugin::Instance>> instances_;
};

inline invited_str text(std::string_view words) {
  return plugin::borrow(words);
}

}  // namespace invited::test
