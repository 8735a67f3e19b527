#include "app/keys.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include "core/encoding.hpp"
#include "core/file.hpp"

namespace invited::app {

namespace {

using Master = std::array<std::byte, 32>;

// 64 hexadecimal digits, or any text of at least 32 octets: hashed to a master key either way.
core::Result<core::TokenKey> key_of(std::uint8_t id, std::string_view text, const std::string& where) {
  if (text.size() < 32)
    return core::fail(core::ErrorKind::invalid, "weak_key",
                      "A link key needs at least 32 octets of randomness (openssl rand -hex 32).", where);
  Master master{};
  crypto_generichash(reinterpret_cast<unsigned char*>(master.data()), master.size(),
                     reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr, 0);
  core::TokenKey key = core::TokenKey::from_master(id, master);
  sodium_memzero(master.data(), master.size());
  return key;
}

core::Result<core::TokenKey> own_key(const std::filesystem::path& file, core::Random& random) {
  auto text = core::read_file(file, 4'096);
  if (!text && text.error().kind == core::ErrorKind::not_found) {
    Master fresh{};
    random.fill(fresh);
    if (auto written = core::write_file_atomically(file, core::to_hex(fresh) + "\n", 0600); !written)
      return core::fail(written.error());
    text = core::read_file(file, 4'096);
  }
  if (!text) return core::fail(text.error());
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return key_of(0, *text, file.string());
}

// No second start mends a credential that is missing or open to others, so it is a mistake of the configuration; a disk
// that fails may come back.
core::Error at_its_place(const config::Config& config, std::size_t index, const core::Error& why) {
  auto error = config::error_at({config.file->name, config.file->positions},
                                fmt::format("/link_keys/{}/credential", index), why.code, why.message);
  if (why.kind == core::ErrorKind::unavailable) error.kind = why.kind;
  return error;
}

}  // namespace

core::Result<std::vector<core::TokenKey>> load_link_keys(const config::Config& config, const plugin::Secrets& secrets,
                                                         core::Random& random) {
  std::vector<core::TokenKey> keys;
  if (config.link_keys.empty()) {
    auto key = own_key(config.state_dir / "link.key", random);
    if (!key) return core::fail(key.error());
    keys.push_back(*key);
    return keys;
  }
  for (std::size_t i = 0; i < config.link_keys.size(); ++i) {
    const config::LinkKey& wanted = config.link_keys[i];
    core::Result<core::TokenKey> key = core::fail(core::ErrorKind::internal, "no_key", "");
    const auto read = secrets.read(wanted.credential, [&](std::string_view value) {
      key = key_of(wanted.id, value, "credential " + wanted.credential);
    });
    if (!read) key = core::fail(read.error());
    if (!key) return core::fail(at_its_place(config, i, key.error()));
    keys.push_back(*key);
  }
  return keys;
}

}  // namespace invited::app
