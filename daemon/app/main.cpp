// invited: the daemon's command line. Exit codes are those of sysexits.h: 64 usage, 69 unavailable, 70 internal, 74
// I/O, 78 configuration.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sysexits.h>

#include <boost/program_options.hpp>
#include <iostream>

#include "app/daemon.hpp"
#include "core/log.hpp"

namespace {

namespace po = boost::program_options;

int run(int argc, char** argv) {
  po::options_description options("invited - from the people an HR system knows to a working sign-in\n\nOptions");
  std::string file;
  options.add_options()("config", po::value<std::string>(&file)->value_name("FILE"),
                        "configuration (default: /etc/invited/invited.yaml)")(
      "check-config", "check the configuration and every plugin in it, then exit: 0 good, 78 with every error told")(
      "version", "print the version")("help", "print this");
  po::variables_map given;
  try {
    po::store(po::parse_command_line(argc, argv, options), given);
    po::notify(given);
  } catch (const po::error& e) {
    fmt::print(stderr, "invited: {}\nTry: invited --help\n", e.what());
    return EX_USAGE;
  }
  if (given.contains("help")) {
    std::cout << options;
    return EX_OK;
  }
  if (given.contains("version")) {
    fmt::print("invited {}\n", INVITED_VERSION);
    return EX_OK;
  }
  const std::filesystem::path path = file.empty() ? invited::config::default_file() : std::filesystem::path(file);
  auto config = invited::config::load(path);
  if (!config) {
    for (const auto& error : config.error()) fmt::print(stderr, "{}\n", invited::config::line(error));
    return EX_CONFIG;
  }
  invited::core::log::start(config->log_level);
  if (given.contains("check-config")) {
    const int code = invited::app::check_config(*config);
    if (code == EX_OK) fmt::print(stderr, "{}: good\n", path.string());
    return code;
  }
  // No core file, no ptrace by others: live links and credentials are in memory (PRODUCT §7 rule 8).
  ::prctl(PR_SET_DUMPABLE, 0);
  return invited::app::run(std::move(*config), {.config_file = path});
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    fmt::print(stderr, "invited: {}\n", e.what());
    return EX_SOFTWARE;
  }
}
