// The composition root: the one place that makes long-lived objects, in the order of their dependence, and ends them in
// reverse.
//
//   return app::run(config, options);     // until SIGTERM; an exit code of sysexits.h
#pragma once

#include <filesystem>
#include <string>

#include "config/config.hpp"

namespace invited::app {

struct Options {
  std::filesystem::path config_file;
};

// Checks what the file cannot know alone: loads every module, validates and creates every instance, ends them again.
// Prints every error; 0 or 78. `good`: nothing was wrong with the file so far.
[[nodiscard]] int check_config(const config::Config& config, bool good);

// Runs the daemon in the foreground. 0 after an orderly end; 69 unavailable (state or socket in use), 70 internal, 74
// I/O, 78 configuration.
[[nodiscard]] int run(config::Config config, const Options& options);

}  // namespace invited::app
