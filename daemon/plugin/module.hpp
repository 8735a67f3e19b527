// Plugin modules: found, looked at before any of their code runs, loaded, checked against the contract.
//
//   LoaderPolicy policy{{"/usr/lib/invited/plugins"}, ::geteuid()};
//   auto module = Module::load("/usr/lib/invited/plugins/transport_smtp.so", policy);
//   if (!module) log(module.error().message);
//   const invited_plugin* smtp = (*module)->find(INVITED_ROLE_TRANSPORT, "smtp");
//
// A module is kept open as long as the object lives: whoever runs its code holds the shared_ptr. Errors are one
// sentence for an operator, with the file as Error::location. Blocking on the disk; one thread at a time.
#pragma once

#include <invited/abi.h>
#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace invited::plugin {

struct LoaderPolicy {
  std::vector<std::filesystem::path> dirs;  // absolute; the only places that code is taken from
  uid_t owner = 0;                          // besides root, who may own modules and their folders: the daemon's own uid
};

class Module {
public:
  // Refuses, with nothing of the file having run: a file outside the folders (also through a link), a file or folder
  // that others may write to or own, no shared object of this machine, no entry of major 1 (a different major is
  // named). Refuses after its entry ran: what from_table() refuses. Never throws for what a file holds.
  [[nodiscard]] static core::Result<std::shared_ptr<const Module>> load(const std::filesystem::path& file,
                                                                        const LoaderPolicy& policy);
  // The same checks on a table that is linked in; `table` must outlive every instance made of it. Refuses a need for a
  // newer minor, short or empty structs, an unknown role, a bad name or schema, a missing operation, a capability
  // without its function, one plugin twice.
  [[nodiscard]] static core::Result<std::shared_ptr<const Module>> from_table(const invited_module& table,
                                                                              std::string name);

  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  [[nodiscard]] const std::filesystem::path& file() const;  // canonical; the name for a linked-in table
  [[nodiscard]] std::vector<const invited_plugin*> plugins() const;
  [[nodiscard]] const invited_plugin* find(std::string_view role, std::string_view name) const;  // null: not here

private:
  struct Impl;
  explicit Module(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Every NAME.so in the folders, in order, sorted by name; a name in an earlier folder hides the same in a later one.
// A folder that cannot be read has none.
[[nodiscard]] std::vector<std::filesystem::path> find_modules(const std::vector<std::filesystem::path>& dirs);

}  // namespace invited::plugin
