// invited: the daemon's command line. Exit codes are those of sysexits.h: 64 usage, 69 unavailable, 70 internal, 74
// I/O, 78 configuration.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sysexits.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <csignal>
#include <cstdio>
#include <iostream>

#include "app/daemon.hpp"
#include "app/rehearse.hpp"
#include "core/log.hpp"

namespace {

namespace po = boost::program_options;

int run(int argc, char** argv) {
  const std::string default_file = invited::config::default_file().string();
  po::options_description options("invited - from the people an HR system knows to a working sign-in\n\nOptions");
  std::string file;
  invited::control::RehearsalRequest rehearsal;
  options.add_options()("config", po::value<std::string>(&file)->value_name("FILE"),
                        fmt::format("configuration; without it\n{}", default_file).c_str())(
      "check-config", "check the configuration and every plugin in it, then exit: 0 good, 78 with every error told")(
      "rehearse", "play the coming days on a copy of the state (--database), then exit; see invitectl rehearse --help")(
      "database", po::value<std::string>()->value_name("FILE"), "rehearse: a copy of the state; it is changed")(
      "from", po::value<std::string>(&rehearsal.from)->value_name("DAY"), "rehearse: first day")(
      "to", po::value<std::string>(&rehearsal.to)->value_name("DAY"), "rehearse: last day")(
      "out", po::value<std::string>()->value_name("DIR"), "rehearse: folder for the files; - writes events")(
      "transport-down", po::value(&rehearsal.transport_down)->value_name("LENGTH@TIME"),
      "rehearse: an outage, such as 3h@2026-10-25T08:00")(
      "confirm-after", po::value<std::string>(&rehearsal.confirm_after)->value_name("LENGTH"),
      "rehearse: everybody confirms so long after the mail")(
      "seed", po::value<std::int64_t>(&rehearsal.seed)->value_name("N"), "rehearse: another number, other ids")(
      "no-mails", "rehearse: leave the mails out")("version", "print the version")("help", "print this");
  po::variables_map given;
  try {
    const auto parsed = po::parse_command_line(argc, argv, options);
    if (const auto stray = po::collect_unrecognized(parsed.options, po::include_positional); !stray.empty()) {
      fmt::print(stderr,
                 "invited: \"{}\" is not understood; a configuration is given with --config FILE\n"
                 "Try: invited --help\n",
                 stray.front());
      return EX_USAGE;
    }
    po::store(parsed, given);
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
  const bool only_check = given.contains("check-config");
  // To a daemon SIGHUP means "reload", also before it serves; to what ends by itself, that its terminal is gone.
  if (!only_check && !given.contains("rehearse")) (void)std::signal(SIGHUP, SIG_IGN);
  const std::filesystem::path path = file.empty() ? default_file : file;
  auto [config, errors] = invited::config::load_draft(path);
  for (const auto& error : errors) fmt::print(stderr, "{}\n", invited::config::line(error));
  if (!config || (!errors.empty() && !only_check)) return EX_CONFIG;
  // A check says what is wrong, or "good": not how the plugins were loaded.
  invited::core::log::start(only_check ? std::max(config->log_level, invited::core::log::Level::warning)
                                       : config->log_level);
  if (only_check) {
    const int code = invited::app::check_config(*config, errors.empty());
    if (code == EX_OK) fmt::print(stderr, "{}: good\n", path.string());
    return code;
  }
  if (given.contains("rehearse")) {
    if (!given.contains("database") || !given.contains("out")) {
      fmt::print(stderr, "invited: --rehearse needs --database, --from, --to and --out\nTry: invited --help\n");
      return EX_USAGE;
    }
    rehearsal.mails = !given.contains("no-mails");
    ::prctl(PR_SET_DUMPABLE, 0);
    return invited::app::rehearse(*config, given["database"].as<std::string>(), rehearsal,
                                  given["out"].as<std::string>());
  }
  // No core file, no ptrace by others: live links and credentials are in memory (PRODUCT §7 rule 8).
  ::prctl(PR_SET_DUMPABLE, 0);
  return invited::app::run(std::move(*config), {.config_file = path});
}

}  // namespace

int main(int argc, char** argv) {
  // Whoever reads our lines, or the other end of a pipe, may leave: a write that fails says so.
  (void)std::signal(SIGPIPE, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    (void)std::fprintf(stderr, "invited: %s\n", e.what());  // fmt throws when nobody reads it
    return EX_SOFTWARE;
  }
}
