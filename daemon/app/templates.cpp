#include "app/templates.hpp"

#include <filesystem>

namespace invited::app {

namespace {

// PREFIX/sbin → PREFIX/share/invited, and the same in a build folder.
std::filesystem::path share_folder() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return program.parent_path().parent_path() / "share" / "invited";
}

}  // namespace

core::Result<std::shared_ptr<const render::Templates>> load_templates(const config::Config& config) {
  render::TemplateFolders folders;
  if (config.templates_dir) {
    // A folder that is not there would be passed over, and other texts than the operator's would go out.
    if (auto there = config::check_folder(config, "/templates_dir", *config.templates_dir); !there)
      return core::fail(there.error());
    folders.templates.push_back(*config.templates_dir);
  }
  folders.templates.push_back(share_folder() / "templates");
  folders.translations = share_folder() / "locale";
  auto loaded = render::Templates::load(folders);
  if (!loaded) return core::fail(loaded.error());
  return std::make_shared<const render::Templates>(std::move(*loaded));
}

std::string message_id_domain(const config::Config& config) {
  const auto& address = config.mail.from.address;
  return address.substr(address.rfind('@') + 1);
}

}  // namespace invited::app
