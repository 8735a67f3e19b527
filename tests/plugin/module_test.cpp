// Every way for a module to be wrong, with the exact sentence an operator reads.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "bench.hpp"
#include "plugin/module.hpp"

using namespace invited;
using namespace invited::test;
using plugin::LoaderPolicy;
using plugin::Module;

namespace fs = std::filesystem;

namespace {

fs::path specimen(const std::string& name) {
  return fs::path(INVITED_BINARY_DIR) / "tests/specimens" / (name + ".so");
}

// A plugin folder with copies, so that modes can be spoilt.
struct Folder {
  TempFolder root;
  fs::path plugins = root / "plugins";
  Folder() { fs::create_directory(plugins); }
  fs::path add(const std::string& name) const {
    const fs::path file = plugins / (name + ".so");
    fs::copy_file(specimen(name), file, fs::copy_options::overwrite_existing);
    ::chmod(file.c_str(), 0644);
    return file;
  }
  [[nodiscard]] LoaderPolicy policy() const { return {{plugins}, ::geteuid()}; }
  [[nodiscard]] std::string refusal(const fs::path& file) const {
    const auto module = Module::load(file, policy());
    return module ? std::string("loaded") : module.error().message;
  }
};

void write_file(const fs::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
  ::chmod(file.c_str(), 0644);
}

std::string read_whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a module that is wrong in itself is refused with what is wrong") {
  const std::pair<const char*, const char*> table[] = {
      {"no_entry", "not an invited plugin module: it does not export invited_module_v1"},
      {"wrong_major", "speaks contract version 9; this daemon speaks version 1"},
      {"newer_minor", "needs contract 1.1; this daemon offers 1.0: update invited"},
      {"null_module", "refuses this daemon (contract 1.0)"},
      {"short_module", "its module struct is too short: 8 bytes, the contract needs 24"},
      {"null_plugins", "offers no plugins"},
      {"no_plugins", "offers no plugins"},
      {"null_plugin", "plugin 0 of its list is null"},
      {"short_plugin", "the descriptor of plugin 0 is too short: 48 bytes, the contract needs 72"},
      {"null_role", "plugin \"specimen\" has the unknown role \"\""},
      {"unknown_role", "plugin \"specimen\" has the unknown role \"invited.teapot/1\""},
      {"null_name", "plugin 0 has a bad name \"\"; allowed: a-z, 0-9 and _, a letter first, at most 64"},
      {"bad_name", "plugin 0 has a bad name \"Not a Name\\u{a}\"; allowed: a-z, 0-9 and _, a letter first, at most 64"},
      {"null_create", "plugin \"specimen\" lacks create"},
      {"null_operations", "plugin \"specimen\" has no operations"},
      {"short_operations", "the operations table of plugin \"specimen\" is too short: 16 bytes, the contract needs 40"},
      {"null_send", "plugin \"specimen\" lacks the operation send"},
      {"capability_without_function", "plugin \"specimen\" claims the capability PROBE without its function"},
      {"unknown_capability", "plugin \"specimen\" claims unknown capabilities (0x40000000)"},
      {"same_name_twice", "offers plugin \"specimen\" twice"},
  };
  const Folder folder;
  for (const auto& [name, wanted] : table) {
    CAPTURE(name);
    CHECK(folder.refusal(folder.add(name)) == wanted);
  }
  for (const char* name : {"bad_schema", "schema_not_an_object"}) {
    CAPTURE(name);
    CHECK_THAT(folder.refusal(folder.add(name)),
               Catch::StartsWith("the configuration schema of plugin \"specimen\" is unusable: "));
  }
}

TEST_CASE("a good module is loaded with what it offers") {
  const Folder folder;
  const auto module = Module::load(folder.add("good_source"), folder.policy());
  REQUIRE(module);
  CHECK((*module)->file() == fs::canonical(folder.plugins) / "good_source.so");
  REQUIRE((*module)->plugins().size() == 1);
  CHECK((*module)->find(INVITED_ROLE_SOURCE, "good_source") == (*module)->plugins()[0]);
  CHECK((*module)->find(INVITED_ROLE_TRANSPORT, "good_source") == nullptr);
  CHECK((*module)->find(INVITED_ROLE_SOURCE, "other") == nullptr);
}

TEST_CASE("a module that others may change is refused") {
  const Folder folder;
  const fs::path file = folder.add("good_transport");
  const std::string real = fs::canonical(file).string();
  ::chmod(file.c_str(), 0664);
  CHECK(folder.refusal(file) == "file " + real + " may be written by others (mode 0664); run chmod go-w on it");
  ::chmod(file.c_str(), 0646);
  CHECK(folder.refusal(file) == "file " + real + " may be written by others (mode 0646); run chmod go-w on it");
  ::chmod(file.c_str(), 0644);
  ::chmod(folder.plugins.c_str(), 0777);
  CHECK(folder.refusal(file) == "folder " + fs::canonical(folder.plugins).string() +
                                    " may be written by others (mode 0777); run chmod go-w on it");
  ::chmod(folder.plugins.c_str(), 0755);
  CHECK(folder.refusal(file) == "loaded");
  // A folder between counts as well.
  const fs::path deep = folder.plugins / "extra";
  fs::create_directory(deep);
  fs::copy_file(file, deep / "good_transport.so");
  ::chmod(deep.c_str(), 0775);
  CHECK(folder.refusal(deep / "good_transport.so") ==
        "folder " + fs::canonical(deep).string() + " may be written by others (mode 0775); run chmod go-w on it");
}

TEST_CASE("a module of a stranger is refused") {
  if (::geteuid() != 0) return;  // only root can give files away
  const Folder folder;
  const fs::path file = folder.add("good_transport");
  REQUIRE(::chown(file.c_str(), 4711, 0) == 0);
  CHECK(folder.refusal(file) == "file " + fs::canonical(file).string() +
                                    " belongs to uid 4711; only root's and the daemon's own (uid 0) are trusted");
  CHECK(Module::load(file, {{folder.plugins}, 4711}));
}

TEST_CASE("a module outside the plugin folders is refused, also behind a link") {
  const Folder folder;
  const fs::path outside = folder.root / "good_transport.so";
  fs::copy_file(specimen("good_transport"), outside);
  const std::string dirs = folder.plugins.string();
  CHECK(folder.refusal(outside) == "outside the plugin folders (" + dirs + ")");
  const fs::path link = folder.plugins / "linked.so";
  fs::create_symlink(outside, link);
  CHECK(folder.refusal(link) ==
        "outside the plugin folders (" + dirs + "); it is a link to " + fs::canonical(outside).string());
  CHECK_THAT(folder.refusal(folder.plugins / ".." / "good_transport.so"),
             Catch::StartsWith("outside the plugin folders"));
  CHECK(folder.refusal(folder.plugins / "absent.so") == "no such file");
  CHECK(Module::load(outside, {}).error().message == "outside the plugin folders (none configured)");
  // A folder whose name merely begins alike is another folder.
  const fs::path alike = folder.root / "plugins2";
  fs::create_directory(alike);
  fs::copy_file(specimen("good_transport"), alike / "good_transport.so");
  CHECK(folder.refusal(alike / "good_transport.so") == "outside the plugin folders (" + dirs + ")");
}

TEST_CASE("what is no shared object of this machine is refused before anything is opened") {
  const Folder folder;
  const std::string good = read_whole(specimen("good_transport"));
  const fs::path file = folder.plugins / "odd.so";
  write_file(file, "");
  CHECK(folder.refusal(file) == "not a shared object (no ELF file)");
  write_file(file, "#!/bin/sh\n" + std::string(1000, 'x'));
  CHECK(folder.refusal(file) == "not a shared object (no ELF file)");
  write_file(file, good.substr(0, good.size() / 2));
  CHECK(folder.refusal(file) == "a damaged shared object: its section table lies outside the file");
  std::string foreign = good;
  foreign[18] = 8;  // EM_MIPS
  foreign[19] = 0;
  write_file(file, foreign);
  CHECK(folder.refusal(file) == "a shared object for another machine");
  std::string object = good;
  object[16] = 1;  // ET_REL
  write_file(file, object);
  CHECK(folder.refusal(file) == "an ELF file, but not a shared object");
  fs::remove(file);
  fs::create_directory(file);
  CHECK(folder.refusal(file) == "not a regular file");
}

TEST_CASE("modules are found by folder order and name; an earlier folder hides a later one") {
  TempFolder root;
  for (const char* dir : {"one", "two"}) fs::create_directory(root / dir);
  for (const char* file : {"one/b.so", "one/a.so", "one/readme.txt", "two/a.so", "two/c.so"})
    write_file(root / file, "x");
  CHECK(plugin::find_modules({root / "one", root / "absent", root / "two"}) ==
        std::vector<fs::path>{root / "one/a.so", root / "one/b.so", root / "two/c.so"});
}

TEST_CASE("a table that is linked in is checked like one that was loaded") {
  REQUIRE(Module::from_table(fake::module, "built-in"));
  invited_module none = fake::module;
  none.plugin_count = 0;
  CHECK(Module::from_table(none, "built-in").error().message == "offers no plugins");
  none.plugin_count = 65;
  CHECK(Module::from_table(none, "built-in").error().message == "offers 65 plugins; at most 64 are believed");
  invited_plugin broken = fake::identity;
  const invited_plugin* const list[] = {&broken};
  const invited_module module = {sizeof module, 0, 1, 0, list};
  invited_identity table = fake::identity_table;
  broken.operations = &table;
  table.lookup = nullptr;
  CHECK(Module::from_table(module, "x").error().message ==
        "plugin \"fake_identity\" claims the capability LOOKUP without its function");
  table.ensure_account = nullptr;
  CHECK(Module::from_table(module, "x").error().message ==
        "plugin \"fake_identity\" lacks the operation ensure_account");
  broken.destroy = nullptr;
  CHECK(Module::from_table(module, "x").error().message == "plugin \"fake_identity\" lacks destroy");
  invited_source sources = fake::source_table;
  broken = fake::source;
  broken.operations = &sources;
  sources.handle = nullptr;
  CHECK(Module::from_table(module, "x").error().message ==
        "plugin \"fake_source\" claims the capability HANDLE_RECORD without its function");
  broken.config_schema = nullptr;
  sources = fake::source_table;
  CHECK(Module::from_table(module, "x").error().message == "plugin \"fake_source\" has no configuration schema");
}
