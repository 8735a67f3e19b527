// What `invitectl plugin …` shows, from the registry.
#pragma once

#include "control/server.hpp"
#include "plugin/registry.hpp"

namespace invited::app {

[[nodiscard]] control::PluginDesk plugin_desk(plugin::Registry& registry);

}  // namespace invited::app
