// The link's token: derived, not stored (reliability notes 5.3; PRODUCT §7 rules 3 and 8).
//
//   version | key id | selector (96 random bits, in the row) | gate (32 bits) | secret (160 bits)
//
// gate   = HMAC-SHA-256(gate key, version, key id, selector), cut: a forgery is refused without a disk read.
// secret = HMAC-SHA-256(token key, salt, selector, generation, purpose), cut: needs the row's salt and the key,
//          so a thief of the database alone or of the key alone has nothing; erasing the salt kills the link.
// Text form: lower-case base32 without padding, 60 characters, ends in a letter or digit.
//
//   TokenRing ring({TokenKey::from_master(0, master)});
//   std::string token = *ring.make(ring.current_key_id(), row.selector, row.salt, row.generation, "verify");
//   …
//   auto selector = ring.selector_of(token);                 // nothing: never ours, no database read
//   bool genuine = ring.matches(token, row.selector, row.salt, row.generation, "verify");
//
// A ring does not change after it is made. [any-thread]
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace invited::core {

using Selector = std::array<std::byte, 12>;
using Salt = std::array<std::byte, 16>;

// One key pair; wiped on destruction. `id` is 0…31 and travels in the token, so that two keys may live at a time.
struct TokenKey {
  std::uint8_t id = 0;
  std::array<std::byte, 32> gate_key{};
  std::array<std::byte, 32> token_key{};
  ~TokenKey();
  // Derives both from one 32-byte master secret, as read from a credential.
  static TokenKey from_master(std::uint8_t id, std::span<const std::byte, 32> master);
};

class TokenRing {
public:
  // The last key makes new tokens; all of them verify. Throws std::invalid_argument for no key at all, an id over 31 or
  // an id that occurs twice.
  explicit TokenRing(std::vector<TokenKey> keys);

  [[nodiscard]] std::uint8_t current_key_id() const;
  // The token for a row; the same inputs give the same token for ever. Nothing if the key id is not in the ring.
  [[nodiscard]] std::optional<std::string> make(std::uint8_t key_id, const Selector& selector, const Salt& salt,
                                                std::uint32_t generation, std::string_view purpose) const;
  // The selector of a token whose form and gate are right: only then is a database read worth it. Constant time in the
  // gate.
  [[nodiscard]] std::optional<Selector> selector_of(std::string_view token) const;
  // True if `token` is exactly the one `make` gives for this row. Constant time.
  [[nodiscard]] bool matches(std::string_view token, const Selector& selector, const Salt& salt,
                             std::uint32_t generation, std::string_view purpose) const;

private:
  struct Key;
  [[nodiscard]] const Key* find(std::uint8_t key_id) const;
  std::shared_ptr<const std::vector<Key>> keys_;  // shared by copies; wiped with the last one
};

}  // namespace invited::core
