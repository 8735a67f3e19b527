#include "plugin/registry.hpp"

#include <fmt/format.h>
#include <invited/identity.h>
#include <invited/source.h>
#include <invited/transport.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <set>
#include <span>
#include <utility>

#include "config/schema.hpp"
#include "core/events.hpp"
#include "core/log.hpp"
#include "core/task_scope.hpp"
#include "plugin/abi_text.hpp"

namespace invited::plugin {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace log = core::log;
namespace events = core::events;
using core::ErrorKind;
using core::fail;
using core::Result;

namespace {

std::string_view role_id(config::Role role) {
  switch (role) {
    case config::Role::source:
      return INVITED_ROLE_SOURCE;
    case config::Role::transport:
      return INVITED_ROLE_TRANSPORT;
    case config::Role::identity:
      break;
  }
  return INVITED_ROLE_IDENTITY;
}

std::string_view role_word(std::string_view id) {
  if (id == INVITED_ROLE_SOURCE) return "source";
  return id == INVITED_ROLE_TRANSPORT ? "transport" : "identity";
}

struct CapabilityName {
  std::uint32_t bit;
  const char* name;
};

constexpr CapabilityName source_capabilities[] = {
    {INVITED_SOURCE_FETCH, "fetch"},
    {INVITED_SOURCE_FINISH, "finish"},
    {INVITED_SOURCE_HANDLE_RECORD, "handle_record"},
    {INVITED_SOURCE_HANDLE_IMPORT, "handle_import"},
    {INVITED_SOURCE_HANDLE_HTTP, "handle_http"},
    {INVITED_SOURCE_EXPORT, "export"},
};
constexpr CapabilityName transport_capabilities[] = {
    {INVITED_TRANSPORT_SETTLED, "settled"},
    {INVITED_TRANSPORT_PROBE, "probe"},
    {INVITED_TRANSPORT_IDEMPOTENT, "idempotent"},
};
constexpr CapabilityName identity_capabilities[] = {
    {INVITED_IDENTITY_REMOVE_CONNECTION, "remove_connection"},
    {INVITED_IDENTITY_RESET_PASSWORD, "reset_password"},
    {INVITED_IDENTITY_LOOKUP, "lookup"},
};

std::span<const CapabilityName> capability_names(std::string_view role) {
  if (role == INVITED_ROLE_SOURCE) return source_capabilities;
  if (role == INVITED_ROLE_TRANSPORT) return transport_capabilities;
  return identity_capabilities;
}

PluginInfo info_of(const invited_plugin& plugin) {
  PluginInfo info;
  info.role = role_word(plugin.role);
  info.name = plugin.name;
  info.version = plugin.version;
  info.schema = plugin.config_schema;
  for (const auto& [bit, name] : capability_names(plugin.role))
    if ((plugin.capabilities & bit) != 0) info.capabilities.emplace_back(name);
  return info;
}

ModuleInfo info_of(const Module& module) {
  ModuleInfo info;
  info.file = module.file().string();
  for (const invited_plugin* plugin : module.plugins()) info.plugins.push_back(info_of(*plugin));
  return info;
}

// An error at `pointer`, counted from the entry of the instance in its file ("/sources/1").
core::Error at_entry(const config::Instance& instance, std::string_view pointer, std::string code,
                     std::string message) {
  if (!instance.file) return {ErrorKind::invalid, std::move(code), std::move(message), ""};
  const std::string_view base = std::string_view(instance.pointer).substr(0, instance.pointer.rfind('/'));
  return config::error_at({instance.file->name, instance.file->positions, base}, pointer, std::move(code),
                          std::move(message));
}

template <class Adapter>
Adapter* by_name(const std::vector<std::unique_ptr<Adapter>>& all, std::string_view name) {
  const auto at = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one->name() == name; });
  return at == all.end() ? nullptr : at->get();
}

}  // namespace

Registry::Registry(Setup setup) : dirs_(std::move(setup.plugin_dirs)) {
  environment_.core = setup.core;
  environment_.gate = std::make_shared<CoreGate>(setup.core);
  environment_.clock = setup.clock;
  environment_.secrets = std::make_shared<const Secrets>(std::move(setup.secrets));
  environment_.http = std::make_shared<HttpClient>(std::move(setup.http));
  environment_.routes = std::make_shared<Routes>(std::move(setup.reserved_routes));
  environment_.state = setup.state;
  environment_.limits = setup.limits;
}

Registry::~Registry() {
  for (const auto& instance : instances_) instance->abandon();
  environment_.gate->close();
}

Result<void> Registry::add_linked(const invited_module& table, std::string name) {
  auto module = Module::from_table(table, std::move(name));
  if (!module) return fail(module.error());
  linked_.push_back(std::move(*module));
  return {};
}

Result<Registry::ModulePtr> Registry::open(const fs::path& file) {
  std::error_code error;
  const fs::path real = fs::canonical(file, error);
  if (!error)
    if (const auto known = modules_.find(real); known != modules_.end()) return known->second;
  auto module = Module::load(file, {dirs_, ::geteuid()});
  if (!module) return fail(module.error());
  return modules_.emplace((*module)->file(), *module).first->second;
}

Result<Registry::Found> Registry::find(std::string_view role, std::string_view name) {
  for (const ModulePtr& module : linked_)
    if (const invited_plugin* plugin = module->find(role, name)) return Found{module, plugin};
  // By the name of its file first, so that nothing else needs to be loaded.
  for (const std::string& stem : {std::string(name), fmt::format("{}_{}", role_word(role), name)}) {
    for (const fs::path& dir : dirs_) {
      const fs::path file = dir / (stem + ".so");
      std::error_code error;
      if (!fs::exists(fs::symlink_status(file, error))) continue;
      auto module = open(file);
      if (!module) return fail(module.error());
      if (const invited_plugin* plugin = (*module)->find(role, name)) return Found{*module, plugin};
      break;
    }
  }
  std::vector<std::string> offered;
  for (const ModulePtr& module : linked_)
    for (const invited_plugin* plugin : module->plugins())
      if (role == plugin->role) offered.emplace_back(plugin->name);
  for (const fs::path& file : find_modules(dirs_)) {
    auto module = open(file);
    if (!module) {
      log::warning(events::plugin_refused, "Plugin module refused: " + module.error().message,
                   {{"file", module.error().location}});
      continue;
    }
    if (const invited_plugin* plugin = (*module)->find(role, name)) return Found{*module, plugin};
    for (const invited_plugin* plugin : (*module)->plugins())
      if (role == plugin->role) offered.emplace_back(plugin->name);
  }
  std::sort(offered.begin(), offered.end());
  offered.erase(std::unique(offered.begin(), offered.end()), offered.end());
  std::string names;
  for (const std::string& one : offered) names += (names.empty() ? "" : ", ") + one;
  return fail(ErrorKind::not_found, "unknown_plugin",
              fmt::format("no {} plugin \"{}\"{}; there {}", role_word(role), clipped(name, 64),
                          config::suggest(name, offered), names.empty() ? "is none" : "is: " + names));
}

asio::awaitable<config::Errors> Registry::add(config::Instance wanted) {
  config::Errors errors;
  const auto found = find(role_id(wanted.role), wanted.plugin);
  if (!found) {
    const core::Error& error = found.error();
    log::error(events::plugin_refused, "Plugin refused: " + error.message,
               {{"plugin", wanted.plugin}, {"file", error.location}});
    errors.push_back(
        at_entry(wanted, "/plugin", error.code,
                 error.location.empty() ? error.message : fmt::format("{}: {}", error.location, error.message)));
    co_return errors;
  }
  config::Errors wrong = config::apply_schema(wanted, found->plugin->config_schema);
  if (!wrong.empty()) {
    co_return wrong;
  }
  auto instance =
      Instance::make(found->module, *found->plugin, wanted.name, boost::json::serialize(wanted.config), environment_);
  instances_.push_back(instance);
  std::unique_ptr<SourceAdapter> source;
  if (wanted.role == config::Role::source)
    source = std::make_unique<SourceAdapter>(instance, std::chrono::seconds(wanted.interval_s));
  const Result<void> made = co_await instance->create();
  if (!made) {
    const std::string& field = made.error().location;
    errors.push_back(at_entry(wanted, field.starts_with('/') ? "/config" + field : "/config", made.error().code,
                              made.error().message));
    co_return errors;
  }
  log::info(events::plugin_loaded, "Plugin instance made",
            {{"plugin", wanted.plugin},
             {"instance", wanted.name},
             {"version", found->plugin->version},
             {"file", found->module->file().string()}});
  switch (wanted.role) {
    case config::Role::source:
      sources_.push_back(std::move(source));
      break;
    case config::Role::transport:
      transports_.push_back(std::make_unique<TransportAdapter>(instance));
      break;
    case config::Role::identity:
      identities_.push_back(std::make_unique<IdentityAdapter>(instance));
      break;
  }
  co_return errors;
}

asio::awaitable<config::Errors> Registry::load_all(std::vector<config::Instance> instances) {
  config::Errors errors;
  for (config::Instance& wanted : instances) {
    const config::Errors wrong = co_await add(std::move(wanted));
    errors.insert(errors.end(), wrong.begin(), wrong.end());
  }
  co_return errors;
}

SourceAdapter* Registry::source(std::string_view name) const {
  return by_name(sources_, name);
}
TransportAdapter* Registry::transport(std::string_view name) const {
  return by_name(transports_, name);
}
IdentityAdapter* Registry::identity(std::string_view name) const {
  return by_name(identities_, name);
}

SourceAdapter* Registry::route(std::string_view path) const {
  const auto owner = environment_.routes->find(path);
  return owner ? source(*owner) : nullptr;
}

Listing Registry::list() {
  Listing listing;
  for (const ModulePtr& module : linked_) listing.modules.push_back(info_of(*module));
  for (const fs::path& file : find_modules(dirs_)) {
    if (auto module = open(file)) {
      listing.modules.push_back(info_of(**module));
    } else {
      ModuleInfo refused;
      refused.file = file.string();
      refused.error = module.error().message;
      listing.modules.push_back(std::move(refused));
    }
  }
  for (const auto& instance : instances_) {
    InstanceInfo info;
    info.role = instance->role();
    info.name = instance->name();
    info.plugin = instance->plugin().name;
    info.module = instance->module()->file().string();
    info.state = instance->stuck() ? "stuck" : instance->created() ? "running" : "stopped";
    info.misbehaviour = instance->misbehaviour();
    info.last_misbehaviour = instance->last_misbehaviour();
    info.open_calls = instance->open_calls();
    info.window = instance->window();
    if (info.role == "source") info.routes = environment_.routes->of(info.name);
    listing.instances.push_back(std::move(info));
  }
  return listing;
}

Result<std::vector<PluginInfo>> Registry::describe(std::string_view plugin) {
  std::vector<PluginInfo> found;
  std::set<std::string> names;
  for (const ModuleInfo& module : list().modules) {
    for (const PluginInfo& info : module.plugins) {
      names.insert(info.name);
      const bool hidden =
          std::any_of(found.begin(), found.end(), [&](const PluginInfo& one) { return one.role == info.role; });
      if (info.name == plugin && !hidden) found.push_back(info);
    }
  }
  if (!found.empty()) return found;
  return fail(ErrorKind::not_found, "unknown_plugin",
              fmt::format("no plugin \"{}\"{}", clipped(plugin, 64),
                          config::suggest(plugin, std::vector<std::string>(names.begin(), names.end()))));
}

Result<ModuleInfo> Registry::check(std::string_view file_or_name) {
  fs::path file(file_or_name);
  if (!file.has_parent_path()) {
    if (file.extension() != ".so") file += ".so";
    for (const fs::path& dir : dirs_) {
      std::error_code error;
      if (!fs::exists(fs::symlink_status(dir / file, error))) continue;
      file = dir / file;
      break;
    }
  }
  auto module = open(file);
  if (!module) return fail(module.error());
  return info_of(**module);
}

asio::awaitable<std::vector<std::string>> Registry::stop(core::Milliseconds limit) {
  const auto left_behind = std::make_shared<std::vector<std::string>>();
  if (std::exchange(stopped_, true)) co_return *left_behind;
  core::TaskScope scope(environment_.core, [](std::string_view name, std::exception_ptr) {
    log::error(events::internal_error, "a plugin instance could not be stopped", {{"instance", std::string(name)}});
  });
  // Parameters by value: a lambda that is a coroutine must not lean on captures.
  const auto stop_one = [](std::shared_ptr<Instance> instance, core::Milliseconds most,
                           std::shared_ptr<std::vector<std::string>> left) -> asio::awaitable<void> {
    const bool ended = co_await instance->stop(most);
    if (!ended) left->push_back(instance->name());
  };
  for (const auto& instance : instances_) scope.spawn(instance->name(), stop_one(instance, limit, left_behind));
  co_await scope.join();
  co_return *left_behind;
}

}  // namespace invited::plugin
