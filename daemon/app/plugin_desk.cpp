#include "app/plugin_desk.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

namespace invited::app {

namespace json = boost::json;

namespace {

// A module's plugins of one name become one entry: a plugin may serve several roles.
json::array plugins_json(const plugin::ModuleInfo& module, const std::vector<plugin::InstanceInfo>& instances) {
  json::array all;
  if (!module.error.empty()) {
    all.push_back(json::object{{"name", std::filesystem::path(module.file).stem().string()},
                               {"version", ""},
                               {"summary", "refused: " + module.error},
                               {"file", module.file},
                               {"roles", json::array{}},
                               {"capabilities", json::array{}},
                               {"instances", json::array{}}});
    return all;
  }
  for (const auto& info : module.plugins) {
    json::array capabilities;
    for (const auto& capability : info.capabilities) capabilities.emplace_back(capability);
    json::array used;
    std::string summary;
    for (const auto& instance : instances) {
      if (instance.plugin != info.name || instance.role != info.role) continue;
      used.emplace_back(instance.name);
      if (instance.state != "running") summary += fmt::format("{} is {}. ", instance.name, instance.state);
      if (instance.misbehaviour > 0)
        summary += fmt::format("{} broke the contract {} times, last: {}. ", instance.name, instance.misbehaviour,
                               instance.last_misbehaviour);
    }
    all.push_back(json::object{{"name", info.name},
                               {"version", info.version},
                               {"summary", summary},
                               {"file", module.file},
                               {"abi", "1"},
                               {"roles", json::array{json::value(info.role)}},
                               {"capabilities", std::move(capabilities)},
                               {"instances", std::move(used)}});
  }
  return all;
}

}  // namespace

control::PluginDesk plugin_desk(plugin::Registry& registry) {
  control::PluginDesk desk;
  desk.list = [&registry] {
    const auto listing = registry.list();
    json::array all;
    for (const auto& module : listing.modules) {
      for (auto& entry : plugins_json(module, listing.instances)) all.push_back(std::move(entry));
    }
    return all;
  };
  desk.describe = [&registry](const std::string& name) -> core::Result<json::object> {
    const auto found = registry.describe(name);
    if (!found) return core::fail(found.error());
    const plugin::ModuleInfo module{.file = {}, .plugins = *found, .error = {}};
    json::object body = plugins_json(module, registry.list().instances).front().as_object();
    boost::system::error_code error;
    auto schema = json::parse(found->front().schema, error);
    body["config_schema"] = error ? json::value(nullptr) : std::move(schema);
    return body;
  };
  desk.check = [&registry](const std::string& path) {
    const auto checked = registry.check(path);
    if (!checked)
      return json::object{{"ok", false}, {"name", path}, {"message", checked.error().message}, {"plugin", nullptr}};
    const auto plugins = plugins_json(*checked, {});
    return json::object{{"ok", true},
                        {"name", path},
                        {"message", fmt::format("{} may be loaded.", checked->file)},
                        {"plugin", plugins.empty() ? json::value(nullptr) : plugins.front()}};
  };
  return desk;
}

}  // namespace invited::app
