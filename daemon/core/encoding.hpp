// Bytes as text: hexadecimal, base32 (RFC 4648 alphabet, lower case, no padding), and whether they are UTF-8.
//
//   std::string text = to_base32(bytes);                  // "ge3dk…"
//   std::optional<std::vector<std::byte>> back = from_base32(text);
//
// Decoding is strict: there is exactly one text for each sequence of bytes, so whatever decodes also encodes to the
// same text again. Pure functions. [any-thread]
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace invited::core {

[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);  // lower case
// Nothing for an odd length, an upper-case letter or any other character.
[[nodiscard]] std::optional<std::vector<std::byte>> from_hex(std::string_view text);

[[nodiscard]] std::string to_base32(std::span<const std::byte> bytes);
// Nothing for an upper-case letter, padding, a length no encoder makes, or left-over bits that are not zero.
[[nodiscard]] std::optional<std::vector<std::byte>> from_base32(std::string_view text);

// As RFC 3629 says: no surrogates, nothing longer than needed.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace invited::core
