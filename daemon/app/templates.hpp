// What mails and pages are made from, as the configuration says: the daemon and a rehearsal load the same.
#pragma once

#include <memory>
#include <string>

#include "config/config.hpp"
#include "core/result.hpp"
#include "render/templates.hpp"

namespace invited::app {

// Blocks on the disk. The shipped templates and translations lie beside the program. Errors: a templates_dir that is no
// folder, a file that is none or has a mistake; with the place.
[[nodiscard]] core::Result<std::shared_ptr<const render::Templates>> load_templates(const config::Config& config);

// The right side of Message-IDs: the sender's domain.
[[nodiscard]] std::string message_id_domain(const config::Config& config);

}  // namespace invited::app
