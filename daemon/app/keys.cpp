#include "app/keys.hpp"

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
  for (const config::LinkKey& wanted : config.link_keys) {
    core::Result<core::TokenKey> key = core::fail(core::ErrorKind::internal, "no_key", "");
    const auto read = secrets.read(wanted.credential, [&](std::string_view value) {
      key = key_of(wanted.id, value, "credential " + wanted.credential);
    });
    if (!read) return core::fail(read.error());
    if (!key) return core::fail(key.error());
    keys.push_back(*key);
  }
  return keys;
}

}  // namespace invited::app
