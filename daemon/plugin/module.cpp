#include "plugin/module.hpp"

#include <elf.h>
#include <fmt/format.h>
#include <invited/identity.h>
#include <invited/source.h>
#include <invited/transport.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/dll/library_info.hpp>
#include <boost/dll/shared_library.hpp>
#include <fstream>
#include <set>
#include <span>
#include <utility>

#include "config/schema.hpp"
#include "plugin/abi_text.hpp"

namespace invited::plugin {

namespace fs = std::filesystem;
using core::ErrorKind;
using core::fail;
using core::Result;

namespace {

constexpr std::string_view entry_prefix = "invited_module_v";
constexpr const char* entry_name = "invited_module_v1";
constexpr std::uint32_t most_plugins = 64;

using Entry = const invited_module*(std::uint32_t);

Result<void> refuse(const fs::path& file, std::string message) {
  return fail(ErrorKind::invalid, "plugin_refused", std::move(message), file.string());
}

// ---- before anything is opened ----

Result<void> check_ownership(const fs::path& path, const char* what, const fs::path& file, const LoaderPolicy& policy) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return refuse(file, fmt::format("{} {} cannot be read", what, path.string()));
  if (status.st_uid != 0 && status.st_uid != policy.owner)
    return refuse(file, fmt::format("{} {} belongs to uid {}; only root's and the daemon's own (uid {}) are trusted",
                                    what, path.string(), status.st_uid, policy.owner));
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return refuse(file, fmt::format("{} {} may be written by others (mode {:04o}); run chmod go-w on it", what,
                                    path.string(), status.st_mode & 07777U));
  return {};
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto [at_folder, at_path] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  (void)at_path;
  return at_folder == folder.end();
}

// The canonical path of the module, if it and the folders down to it may be trusted.
Result<fs::path> trusted_path(const fs::path& file, const LoaderPolicy& policy) {
  std::error_code error;
  fs::path real = fs::canonical(file, error);
  if (error) return fail(ErrorKind::not_found, "plugin_not_found", "no such file", file.string());
  for (const fs::path& dir : policy.dirs) {
    const fs::path folder = fs::canonical(dir, error);
    if (error || !is_below(real, folder)) continue;
    for (fs::path at = real.parent_path(); is_below(at, folder); at = at.parent_path()) {
      if (auto good = check_ownership(at, "folder", file, policy); !good) return fail(good.error());
      if (at == at.parent_path()) break;
    }
    if (!fs::is_regular_file(real, error)) return fail(refuse(file, "not a regular file").error());
    if (auto good = check_ownership(real, "file", file, policy); !good) return fail(good.error());
    return real;
  }
  std::string dirs;
  for (const fs::path& dir : policy.dirs) dirs += (dirs.empty() ? "" : ", ") + dir.string();
  const bool linked = real != file.lexically_normal();
  return fail(refuse(file, fmt::format("outside the plugin folders ({}){}", dirs.empty() ? "none configured" : dirs,
                                       linked ? "; it is a link to " + real.string() : ""))
                  .error());
}

// ---- before any of its code runs ----

#if defined(__x86_64__)
constexpr Elf64_Half this_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half this_machine = EM_AARCH64;
#else
#error "name this machine's ELF type here"
#endif

// library_info trusts what it reads, so the frame of the file is checked first.
Result<void> check_elf(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  Elf64_Ehdr header{};
  in.read(reinterpret_cast<char*>(&header), sizeof header);
  if (!in || std::string_view(reinterpret_cast<const char*>(header.e_ident), SELFMAG) != ELFMAG)
    return refuse(file, "not a shared object (no ELF file)");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != this_machine)
    return refuse(file, "a shared object for another machine");
  if (header.e_type != ET_DYN) return refuse(file, "an ELF file, but not a shared object");
  in.seekg(0, std::ios::end);
  const auto size = static_cast<std::uint64_t>(in.tellg());
  const std::uint64_t table = std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr);
  if (header.e_shnum == 0 || header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= header.e_shnum ||
      header.e_shoff > size || table > size - header.e_shoff)
    return refuse(file, "a damaged shared object: its section table lies outside the file");
  return {};
}

Result<void> check_exports(const fs::path& file) {
  std::vector<std::string> exports;
  try {
    exports = boost::dll::library_info(file).symbols();
  } catch (const std::exception& error) {
    return refuse(file, fmt::format("a damaged shared object: {}", error.what()));
  }
  std::string others;
  for (const std::string& symbol : exports) {
    if (symbol == entry_name) return {};
    const std::string_view rest = std::string_view(symbol).substr(std::min(symbol.size(), entry_prefix.size()));
    if (symbol.starts_with(entry_prefix) && !rest.empty() &&
        rest.find_first_not_of("0123456789") == std::string_view::npos)
      others += (others.empty() ? "" : ", ") + std::string(rest);
  }
  if (!others.empty())
    return refuse(file,
                  fmt::format("speaks contract version {}; this daemon speaks version {}", others, INVITED_ABI_MAJOR));
  return refuse(file, fmt::format("not an invited plugin module: it does not export {}", entry_name));
}

// ---- what its entry answered ----

struct Capability {
  std::uint32_t bit;
  const char* name;
  bool has_function;
};

Result<void> check_capabilities(const fs::path& file, const invited_plugin& plugin, std::span<const Capability> known) {
  std::uint32_t rest = plugin.capabilities;
  for (const Capability& one : known) {
    if ((rest & one.bit) != 0 && !one.has_function)
      return refuse(file,
                    fmt::format("plugin \"{}\" claims the capability {} without its function", plugin.name, one.name));
    rest &= ~one.bit;
  }
  if (rest != 0)
    return refuse(file, fmt::format("plugin \"{}\" claims unknown capabilities ({:#x})", plugin.name, rest));
  return {};
}

Result<void> short_struct(const fs::path& file, std::string_view what, std::uint64_t size, std::uint64_t needed) {
  return refuse(file, fmt::format("{} is too short: {} bytes, the contract needs {}", what, size, needed));
}

template <class T>
Result<const T*> operations_of(const fs::path& file, const invited_plugin& plugin, std::size_t needed) {
  if (plugin.operations == nullptr)
    return fail(refuse(file, fmt::format("plugin \"{}\" has no operations", plugin.name)).error());
  const auto* operations = static_cast<const T*>(plugin.operations);
  if (operations->struct_size < needed)
    return fail(short_struct(file, fmt::format("the operations table of plugin \"{}\"", plugin.name),
                             operations->struct_size, needed)
                    .error());
  return operations;
}

template <class T, class Field>
constexpr std::size_t end_of(std::size_t offset, Field T::*) {
  return offset + sizeof(Field);
}

Result<void> check_source(const fs::path& file, const invited_plugin& plugin) {
  const auto table =
      operations_of<invited_source>(file, plugin, end_of(offsetof(invited_source, finish), &invited_source::finish));
  if (!table) return fail(table.error());
  const invited_source& source = **table;
  const bool handles = source.handle != nullptr;
  const Capability known[] = {{INVITED_SOURCE_FETCH, "FETCH", source.fetch != nullptr},
                              {INVITED_SOURCE_FINISH, "FINISH", source.finish != nullptr},
                              {INVITED_SOURCE_HANDLE_RECORD, "HANDLE_RECORD", handles},
                              {INVITED_SOURCE_HANDLE_IMPORT, "HANDLE_IMPORT", handles},
                              {INVITED_SOURCE_HANDLE_HTTP, "HANDLE_HTTP", handles},
                              {INVITED_SOURCE_EXPORT, "EXPORT", source.export_records != nullptr}};
  return check_capabilities(file, plugin, known);
}

Result<void> check_transport(const fs::path& file, const invited_plugin& plugin) {
  const auto table = operations_of<invited_transport>(
      file, plugin, end_of(offsetof(invited_transport, probe), &invited_transport::probe));
  if (!table) return fail(table.error());
  const invited_transport& transport = **table;
  if (transport.send == nullptr)
    return refuse(file, fmt::format("plugin \"{}\" lacks the operation send", plugin.name));
  const Capability known[] = {{INVITED_TRANSPORT_SETTLED, "SETTLED", transport.settled != nullptr},
                              {INVITED_TRANSPORT_PROBE, "PROBE", transport.probe != nullptr},
                              {INVITED_TRANSPORT_IDEMPOTENT, "IDEMPOTENT", true}};
  return check_capabilities(file, plugin, known);
}

Result<void> check_identity(const fs::path& file, const invited_plugin& plugin) {
  const auto table = operations_of<invited_identity>(
      file, plugin, end_of(offsetof(invited_identity, lookup), &invited_identity::lookup));
  if (!table) return fail(table.error());
  const invited_identity& identity = **table;
  if (identity.ensure_account == nullptr)
    return refuse(file, fmt::format("plugin \"{}\" lacks the operation ensure_account", plugin.name));
  const Capability known[] = {
      {INVITED_IDENTITY_REMOVE_CONNECTION, "REMOVE_CONNECTION", identity.remove_connection != nullptr},
      {INVITED_IDENTITY_RESET_PASSWORD, "RESET_PASSWORD", identity.reset_password != nullptr},
      {INVITED_IDENTITY_LOOKUP, "LOOKUP", identity.lookup != nullptr}};
  return check_capabilities(file, plugin, known);
}

bool is_plugin_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name[0] < 'a' || name[0] > 'z') return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

Result<void> check_plugin(const fs::path& file, std::uint32_t index, const invited_plugin* plugin) {
  if (plugin == nullptr) return refuse(file, fmt::format("plugin {} of its list is null", index));
  constexpr std::size_t needed = end_of(offsetof(invited_plugin, operations), &invited_plugin::operations);
  if (plugin->struct_size < needed)
    return short_struct(file, fmt::format("the descriptor of plugin {}", index), plugin->struct_size, needed);
  if (plugin->name == nullptr || !is_plugin_name(plugin->name))
    return refuse(
        file, fmt::format("plugin {} has a bad name \"{}\"; allowed: a-z, 0-9 and _, a letter first, at most 64", index,
                          plugin->name == nullptr ? "" : clipped(plugin->name, 64)));
  if (plugin->version == nullptr) return refuse(file, fmt::format("plugin \"{}\" has no version", plugin->name));
  if (plugin->create == nullptr || plugin->destroy == nullptr)
    return refuse(
        file, fmt::format("plugin \"{}\" lacks {}", plugin->name, plugin->create == nullptr ? "create" : "destroy"));
  const std::string_view role = plugin->role == nullptr ? "" : plugin->role;
  Result<void> good;
  if (role == INVITED_ROLE_SOURCE)
    good = check_source(file, *plugin);
  else if (role == INVITED_ROLE_TRANSPORT)
    good = check_transport(file, *plugin);
  else if (role == INVITED_ROLE_IDENTITY)
    good = check_identity(file, *plugin);
  else
    return refuse(file, fmt::format("plugin \"{}\" has the unknown role \"{}\"", plugin->name, clipped(role, 64)));
  if (!good) return good;
  if (plugin->config_schema == nullptr)
    return refuse(file, fmt::format("plugin \"{}\" has no configuration schema", plugin->name));
  if (auto schema = config::Schema::parse(plugin->config_schema); !schema)
    return refuse(file, fmt::format("the configuration schema of plugin \"{}\" is unusable: {}", plugin->name,
                                    schema.error().message));
  return {};
}

Result<void> check_table(const fs::path& file, const invited_module* module) {
  if (module == nullptr)
    return refuse(file, fmt::format("refuses this daemon (contract {}.{})", INVITED_ABI_MAJOR, INVITED_ABI_MINOR));
  constexpr std::size_t needed = end_of(offsetof(invited_module, plugins), &invited_module::plugins);
  if (module->struct_size < needed) return short_struct(file, "its module struct", module->struct_size, needed);
  if (module->abi_minor_required > INVITED_ABI_MINOR)
    return refuse(file, fmt::format("needs contract {}.{}; this daemon offers {}.{}: update invited", INVITED_ABI_MAJOR,
                                    module->abi_minor_required, INVITED_ABI_MAJOR, INVITED_ABI_MINOR));
  if (module->plugin_count == 0 || module->plugins == nullptr) return refuse(file, "offers no plugins");
  if (module->plugin_count > most_plugins)
    return refuse(file, fmt::format("offers {} plugins; at most {} are believed", module->plugin_count, most_plugins));
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (std::uint32_t i = 0; i < module->plugin_count; ++i) {
    const invited_plugin* plugin = module->plugins[i];
    if (auto good = check_plugin(file, i, plugin); !good) return good;
    if (!seen.emplace(plugin->role, plugin->name).second)
      return refuse(file, fmt::format("offers plugin \"{}\" twice", plugin->name));
  }
  return {};
}

}  // namespace

struct Module::Impl {
  boost::dll::shared_library library;  // empty for a table that is linked in
  fs::path file;
  const invited_module* table = nullptr;
};

Module::Module(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Module::~Module() = default;

Result<std::shared_ptr<const Module>> Module::load(const fs::path& file, const LoaderPolicy& policy) {
  const auto real = trusted_path(file, policy);
  if (!real) return fail(real.error());
  if (auto good = check_elf(*real); !good) return fail(good.error());
  if (auto good = check_exports(*real); !good) return fail(good.error());
  auto impl = std::make_unique<Impl>();
  impl->file = *real;
  try {
    using boost::dll::load_mode::rtld_local;
    using boost::dll::load_mode::rtld_now;
    impl->library.load(*real, rtld_now | rtld_local);
    impl->table = impl->library.get<Entry>(entry_name)(INVITED_ABI_MINOR);
  } catch (const std::exception& error) {
    return fail(refuse(*real, fmt::format("cannot be loaded: {}", error.what())).error());
  } catch (...) {
    return fail(refuse(*real, "its entry threw something").error());
  }
  if (auto good = check_table(*real, impl->table); !good) return fail(good.error());
  return std::shared_ptr<const Module>(new Module(std::move(impl)));
}

Result<std::shared_ptr<const Module>> Module::from_table(const invited_module& table, std::string name) {
  auto impl = std::make_unique<Impl>();
  impl->file = std::move(name);
  impl->table = &table;
  if (auto good = check_table(impl->file, impl->table); !good) return fail(good.error());
  return std::shared_ptr<const Module>(new Module(std::move(impl)));
}

const fs::path& Module::file() const {
  return impl_->file;
}

std::vector<const invited_plugin*> Module::plugins() const {
  return {impl_->table->plugins, impl_->table->plugins + impl_->table->plugin_count};
}

const invited_plugin* Module::find(std::string_view role, std::string_view name) const {
  for (const invited_plugin* plugin : plugins())
    if (role == plugin->role && name == plugin->name) return plugin;
  return nullptr;
}

std::vector<fs::path> find_modules(const std::vector<fs::path>& dirs) {
  std::vector<fs::path> found;
  std::set<std::string> names;
  for (const fs::path& dir : dirs) {
    std::vector<fs::path> here;
    std::error_code error;
    for (fs::directory_iterator at(dir, error), end; !error && at != end; at.increment(error))
      if (at->path().extension() == ".so") here.push_back(at->path());
    std::sort(here.begin(), here.end());
    for (fs::path& file : here)
      if (names.insert(file.stem().string()).second) found.push_back(std::move(file));
  }
  return found;
}

}  // namespace invited::plugin
