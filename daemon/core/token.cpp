#include "core/token.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "core/encoding.hpp"

namespace invited::core {

namespace {

constexpr std::uint8_t token_version = 1;
constexpr std::size_t gate_bytes = 4;
constexpr std::size_t secret_bytes = 20;
constexpr std::size_t gate_at = 1 + std::tuple_size_v<Selector>;
constexpr std::size_t secret_at = gate_at + gate_bytes;
constexpr std::size_t token_bytes = secret_at + secret_bytes;
constexpr std::size_t text_length = (token_bytes * 8 + 4) / 5;
static_assert(text_length <= 64);

using TokenBytes = std::array<std::byte, token_bytes>;
using Mac = std::array<unsigned char, crypto_auth_hmacsha256_BYTES>;

const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}
unsigned char* raw(std::byte* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}

// Version in the upper three bits, key id in the lower five.
constexpr std::byte header_of(std::uint8_t key_id) {
  return static_cast<std::byte>(token_version << 5 | key_id);
}

// Starts from a copy of the keyed state: the key's two SHA-256 blocks are hashed once per key, not per token.
class Hmac {
public:
  explicit Hmac(const crypto_auth_hmacsha256_state& keyed) : state_(keyed) {}
  ~Hmac() { sodium_memzero(&state_, sizeof state_); }
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;

  Hmac& add(std::span<const std::byte> bytes) {
    crypto_auth_hmacsha256_update(&state_, raw(bytes.data()), bytes.size());
    return *this;
  }
  Mac finish() {
    Mac mac;
    crypto_auth_hmacsha256_final(&state_, mac.data());
    return mac;
  }

private:
  crypto_auth_hmacsha256_state state_;
};

void put_gate(TokenBytes& token, const crypto_auth_hmacsha256_state& gate_state) {
  Mac mac = Hmac(gate_state).add(std::span(token).first(gate_at)).finish();
  std::memcpy(token.data() + gate_at, mac.data(), gate_bytes);
}

std::optional<TokenBytes> decode(std::string_view text) {
  if (text.size() != text_length) return std::nullopt;
  const auto bytes = from_base32(text);
  if (!bytes || bytes->size() != token_bytes) return std::nullopt;
  TokenBytes token;
  std::copy(bytes->begin(), bytes->end(), token.begin());
  return token;
}

}  // namespace

// What a key is turned into for use. Lives behind a pointer so that sodium.h stays in this file.
struct TokenRing::Key {
  std::uint8_t id = 0;
  crypto_auth_hmacsha256_state gate{};
  crypto_auth_hmacsha256_state secret{};

  explicit Key(const TokenKey& key) : id(key.id) {
    crypto_auth_hmacsha256_init(&gate, raw(key.gate_key.data()), key.gate_key.size());
    crypto_auth_hmacsha256_init(&secret, raw(key.token_key.data()), key.token_key.size());
  }
  Key(const Key&) = default;
  Key& operator=(const Key&) = default;
  ~Key() {
    sodium_memzero(&gate, sizeof gate);
    sodium_memzero(&secret, sizeof secret);
  }

  [[nodiscard]] TokenBytes token(const Selector& selector, const Salt& salt, std::uint32_t generation,
                                 std::string_view purpose) const {
    TokenBytes bytes;
    bytes[0] = header_of(id);
    std::copy(selector.begin(), selector.end(), bytes.begin() + 1);
    put_gate(bytes, gate);
    std::array<std::byte, 4> counted;
    for (std::size_t i = 0; i < 4; ++i) counted[i] = static_cast<std::byte>(generation >> (24 - 8 * i) & 0xff);
    // Everything before the purpose has a fixed length, so no two inputs run together to the same bytes.
    Mac mac = Hmac(secret)
                  .add(std::span(bytes).first(1))
                  .add(salt)
                  .add(selector)
                  .add(counted)
                  .add(std::as_bytes(std::span(purpose)))
                  .finish();
    std::memcpy(bytes.data() + secret_at, mac.data(), secret_bytes);
    sodium_memzero(mac.data(), mac.size());
    return bytes;
  }
};

TokenKey::~TokenKey() {
  sodium_memzero(gate_key.data(), gate_key.size());
  sodium_memzero(token_key.data(), token_key.size());
}

TokenKey TokenKey::from_master(std::uint8_t id, std::span<const std::byte, 32> master) {
  static_assert(crypto_kdf_KEYBYTES == 32);
  constexpr char context[crypto_kdf_CONTEXTBYTES + 1] = "invlinks";
  TokenKey key;
  key.id = id;
  crypto_kdf_derive_from_key(raw(key.gate_key.data()), key.gate_key.size(), 1, context, raw(master.data()));
  crypto_kdf_derive_from_key(raw(key.token_key.data()), key.token_key.size(), 2, context, raw(master.data()));
  return key;
}

TokenRing::TokenRing(std::vector<TokenKey> keys) {
  if (sodium_init() < 0) throw std::runtime_error("libsodium cannot be started");
  if (keys.empty()) throw std::invalid_argument("TokenRing: at least one key is needed");
  std::vector<Key> ring;
  ring.reserve(keys.size());
  for (const TokenKey& key : keys) {
    if (key.id > 31) throw std::invalid_argument("TokenRing: a key id is over 31");
    const bool taken = std::any_of(ring.begin(), ring.end(), [&](const Key& k) { return k.id == key.id; });
    if (taken) throw std::invalid_argument("TokenRing: two keys have the same id");
    ring.emplace_back(key);
  }
  keys_ = std::make_shared<const std::vector<Key>>(std::move(ring));
}

const TokenRing::Key* TokenRing::find(std::uint8_t key_id) const {
  const auto found = std::find_if(keys_->begin(), keys_->end(), [&](const Key& key) { return key.id == key_id; });
  return found == keys_->end() ? nullptr : &*found;
}

std::uint8_t TokenRing::current_key_id() const {
  return keys_->back().id;
}

std::optional<std::string> TokenRing::make(std::uint8_t key_id, const Selector& selector, const Salt& salt,
                                           std::uint32_t generation, std::string_view purpose) const {
  const Key* key = find(key_id);
  if (key == nullptr) return std::nullopt;
  return to_base32(key->token(selector, salt, generation, purpose));
}

std::optional<Selector> TokenRing::selector_of(std::string_view token) const {
  const auto given = decode(token);
  if (!given || std::to_integer<unsigned>((*given)[0]) >> 5 != token_version) return std::nullopt;
  const Key* key = find(std::to_integer<std::uint8_t>((*given)[0] & std::byte{31}));
  if (key == nullptr) return std::nullopt;
  TokenBytes genuine = *given;
  put_gate(genuine, key->gate);
  if (sodium_memcmp(genuine.data() + gate_at, given->data() + gate_at, gate_bytes) != 0) return std::nullopt;
  Selector selector;
  std::copy_n(given->begin() + 1, selector.size(), selector.begin());
  return selector;
}

bool TokenRing::matches(std::string_view token, const Selector& selector, const Salt& salt, std::uint32_t generation,
                        std::string_view purpose) const {
  const auto given = decode(token);
  if (!given) return false;
  const Key* key = find(std::to_integer<std::uint8_t>((*given)[0] & std::byte{31}));
  if (key == nullptr) return false;
  TokenBytes genuine = key->token(selector, salt, generation, purpose);
  const bool equal = sodium_memcmp(genuine.data(), given->data(), genuine.size()) == 0;
  sodium_memzero(genuine.data(), genuine.size());
  return equal;
}

}  // namespace invited::core
