// The file invited.yaml as typed values.
//
// Loading is one pass from text to structs: YAML, then the schema (config/invited.schema.json, compiled in), then what
// a schema cannot say: time zones, addresses, URLs, names that must exist. All errors are collected, each as
// "invited.yaml:12:3" + "/mail/from: what is wrong; what is allowed". Nothing secret stands in the file: keys
// and passwords are credentials, referred to by name.
//
//   auto config = config::load("/etc/invited/invited.yaml");
//   if (!config) for (const auto& error : config.error()) std::cerr << config::line(error) << '\n';   // exit 78
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.hpp"
#include "config/yaml_json.hpp"
#include "core/log.hpp"
#include "core/result.hpp"
#include "model/batch.hpp"
#include "model/policy.hpp"

namespace invited::config {

enum class Role : std::uint8_t { source, transport, identity };
enum class ClientAddressHeader : std::uint8_t { none, x_real_ip, x_forwarded_for };

// The text of a file, kept for the errors that are found later.
struct SourceFile {
  std::string name;  // as the operator gave it
  std::filesystem::path folder;
  std::filesystem::path state_dir;  // as the file says, absolute
  Positions positions;
};

// One configured plugin instance. `config` is what the file says, until apply_schema() has completed it.
struct Instance {
  Role role = Role::source;
  std::string name;
  std::string plugin;
  int interval_s = 300;  // sources only
  boost::json::value config;
  bool embedded = false;  // a default the file does not mention
  std::shared_ptr<const SourceFile> file;
  std::string pointer;  // of the config in the file: "/sources/1/config"; of the list if embedded
};

struct MailAddress {
  std::string name;     // may be empty; UTF-8
  std::string address;  // ASCII, the domain in lower case
};

struct Mail {
  MailAddress from;
  std::optional<MailAddress> reply_to;
  std::string transport;  // names one of Config::transports
  int max_attempts = 12;
};

struct Web {
  std::string listen;    // "127.0.0.1:8620", "[::1]:0"; port 0 takes a free one
  std::string base_url;  // "https://invite.example.com", no slash at the end
  ClientAddressHeader client_address_header = ClientAddressHeader::none;
};

struct Control {
  std::filesystem::path socket;
  std::string viewer_group;
  std::string operator_group;
  std::string admin_group;
};

struct LinkKey {
  std::uint8_t id = 0;
  std::string credential;
};

struct Limits {
  int cooldown_minutes = 10;
  int new_links_per_hour = 3;
  int self_service_minutes = 30;
  int import_max_mib = 64;
};

struct Dns {
  std::vector<std::string> servers;  // "192.0.2.53:53", "[2001:db8::53]:53"; empty: those of /etc/resolv.conf
  int timeout_ms = 2'000;
  int tries = 2;
};

struct Domains {
  int recheck_hours = 24;
  int pending_recheck_minutes = 60;
  int lapse_after_days = 3;
};

// All paths are absolute.
struct Config {
  // Every company's policy is complete: where it is silent the organisation's values stand in it.
  model::Policies policies{model::Policy{}, {}};
  std::filesystem::path state_dir;
  Control control;
  Web web;
  Mail mail;
  std::vector<Instance> sources;  // at least one of each
  std::vector<Instance> transports;
  std::vector<Instance> identities;
  std::string identity;  // names one of identities
  std::vector<std::filesystem::path> plugin_dirs;
  std::optional<std::filesystem::path> templates_dir;
  std::vector<LinkKey> link_keys;  // the last makes new links; empty: the daemon keeps a key of its own in state_dir
  Limits limits;
  model::Brakes brakes;
  Dns dns;
  Domains domains;
  core::log::Level log_level = core::log::Level::info;
  std::shared_ptr<const SourceFile> file;

  // "invited.yaml:12:3", for errors about a value of the file that are found elsewhere.
  [[nodiscard]] std::string where(std::string_view pointer) const;
};

// Reads and checks the file. Opens nothing but it and the zone files; creates nothing. Blocks on the disk. [any-thread]
[[nodiscard]] tl::expected<Config, Errors> load(const std::filesystem::path& file);

// The same from text: `name` is what errors say, relative paths count from `folder` (absolute).
[[nodiscard]] tl::expected<Config, Errors> parse(std::string_view text, std::string_view name,
                                                 const std::filesystem::path& folder);

// For a check that shall tell everything at once: what could be read of a file that is wrong somewhere, without the
// plugin instances that an error is about; nothing if the errors leave unknown where plugins are, or which. `errors` as
// load() gives them.
struct Draft {
  std::optional<Config> config;
  Errors errors;
};
[[nodiscard]] Draft load_draft(const std::filesystem::path& file);
[[nodiscard]] Draft parse_draft(std::string_view text, std::string_view name, const std::filesystem::path& folder);

// Where the file is looked for if nobody says: /etc/invited/invited.yaml, or below the prefix of the installation.
[[nodiscard]] std::filesystem::path default_file();

// Whether the folder that the file names at `pointer` is there; load() does not look. Error: `invalid`, with the place
// in the file and what is wrong with the folder. Blocks on the disk. [any-thread]
[[nodiscard]] core::Result<void> check_folder(const Config& config, std::string_view pointer,
                                              const std::filesystem::path& folder);

// Checks an instance's config against its plugin's schema; if it is good, fills in defaults (those in the state folder
// too) and makes paths absolute.
// On errors the instance is left as it was.
[[nodiscard]] Errors apply_schema(Instance& instance, std::string_view plugin_schema);

// "invited.yaml:12:3: /mail/from: …", one line for an operator.
[[nodiscard]] std::string line(const core::Error& error);
// The JSON Schema of the file, as shipped.
[[nodiscard]] std::string_view schema_text();
// "source", "transport", "identity"
[[nodiscard]] std::string_view text(Role role);

}  // namespace invited::config
