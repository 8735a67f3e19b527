// All plugins of the daemon: modules found and loaded, instances made from the configuration, and their orderly end.
//
//   Registry registry(setup);
//   config::Errors errors = co_await registry.load_all(std::move(instances));  // every error, with its place
//   model::Transport* smarthost = registry.transport("smarthost");
//   …
//   std::vector<std::string> left_behind = co_await registry.stop(10s);
//
// All [core-thread]. load_all(), list(), describe() and check() read the plugin folders and run module entries: they
// take milliseconds. Modules stay loaded as long as the registry lives. When stop() names instances that did not come
// back, their code may still run: the process has to end without running destructors (std::_Exit).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "plugin/adapters.hpp"
#include "plugin/host.hpp"
#include "plugin/module.hpp"

namespace invited::plugin {

struct PluginInfo {
  std::string role;  // "source", "transport", "identity"
  std::string name;
  std::string version;
  std::vector<std::string> capabilities;  // "fetch", "handle_record", …
  std::string schema;                     // JSON Schema text
};

struct ModuleInfo {
  std::string file;
  std::vector<PluginInfo> plugins;
  std::string error;  // why it is refused; then there are no plugins
};

struct InstanceInfo {
  std::string role;
  std::string name;
  std::string plugin;
  std::string module;
  std::string state;  // "running", "stuck", "stopped"
  std::uint64_t misbehaviour = 0;
  std::string last_misbehaviour;
  std::size_t open_calls = 0;
  std::uint32_t window = 1;
  std::vector<std::string> routes;
};

struct Listing {
  std::vector<ModuleInfo> modules;
  std::vector<InstanceInfo> instances;
};

struct Setup {
  boost::asio::any_io_executor core;
  core::Clock* clock = nullptr;
  std::vector<std::filesystem::path> plugin_dirs;
  SecretPlaces secrets;
  HttpPolicy http;
  std::vector<std::string> reserved_routes;  // the daemon's own paths on the public listener
  StateStore* state = nullptr;               // null: invited.state/1 is not offered
  CallLimits limits;
};

class Registry {
public:
  explicit Registry(Setup setup);  // throws std::runtime_error if libcurl cannot start
  ~Registry();                     // without a stop() before, instances are left behind
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // A module that is part of the program; found before any file. `table` lives as long as the process.
  [[nodiscard]] core::Result<void> add_linked(const invited_module& table, std::string name);

  // Makes every instance: module, configuration by its schema, create(). Goes on after an error, so that all are told;
  // with errors, stop() is all that is left to do. Once.
  [[nodiscard]] boost::asio::awaitable<config::Errors> load_all(std::vector<config::Instance> instances);

  // In the order of the configuration; null for a name that is not there. Good until stop().
  [[nodiscard]] const std::vector<std::unique_ptr<SourceAdapter>>& sources() const { return sources_; }
  [[nodiscard]] const std::vector<std::unique_ptr<TransportAdapter>>& transports() const { return transports_; }
  [[nodiscard]] const std::vector<std::unique_ptr<IdentityAdapter>>& identities() const { return identities_; }
  [[nodiscard]] SourceAdapter* source(std::string_view name) const;
  [[nodiscard]] TransportAdapter* transport(std::string_view name) const;
  [[nodiscard]] IdentityAdapter* identity(std::string_view name) const;
  // The source that serves this path of the public listener, or null.
  [[nodiscard]] SourceAdapter* route(std::string_view path) const;

  // Every module of the folders, also those nothing uses or that are refused, and every instance.
  [[nodiscard]] Listing list();
  // All plugins of that name (one per role at most); `not_found` with what there is.
  [[nodiscard]] core::Result<std::vector<PluginInfo>> describe(std::string_view plugin);
  // Loads and checks one file of the plugin folders: NAME, NAME.so or a path; the error says what is wrong with it.
  [[nodiscard]] core::Result<ModuleInfo> check(std::string_view file_or_name);

  // Ends all instances at the same time, each within about three times `limit`. Answers those that did not come back.
  [[nodiscard]] boost::asio::awaitable<std::vector<std::string>> stop(core::Milliseconds limit);

private:
  using ModulePtr = std::shared_ptr<const Module>;
  struct Found {
    ModulePtr module;
    const invited_plugin* plugin = nullptr;
  };

  core::Result<ModulePtr> open(const std::filesystem::path& file);
  core::Result<Found> find(std::string_view role, std::string_view name);
  boost::asio::awaitable<config::Errors> add(config::Instance wanted);

  const std::vector<std::filesystem::path> dirs_;
  Environment environment_;
  std::vector<ModulePtr> linked_;
  std::map<std::filesystem::path, ModulePtr> modules_;  // by canonical path
  std::vector<std::shared_ptr<Instance>> instances_;
  std::vector<std::unique_ptr<SourceAdapter>> sources_;
  std::vector<std::unique_ptr<TransportAdapter>> transports_;
  std::vector<std::unique_ptr<IdentityAdapter>> identities_;
  bool stopped_ = false;
};

}  // namespace invited::plugin
