#include "plugin/abi_text.hpp"

#include <cstdint>

namespace invited::plugin {

std::string_view status_text(invited_status status) noexcept {
  switch (status) {
    case INVITED_OK:
      return "OK";
    case INVITED_RETRY:
      return "RETRY";
    case INVITED_REJECTED:
      return "REJECTED";
    case INVITED_UNKNOWN:
      return "UNKNOWN";
    case INVITED_CANCELLED:
      return "CANCELLED";
    case INVITED_BAD_CONFIG:
      return "BAD_CONFIG";
    case INVITED_UNSUPPORTED:
      return "UNSUPPORTED";
    default:
      return "INTERNAL";
  }
}

invited_status known_status(invited_status status) noexcept {
  return status >= INVITED_OK && status <= INVITED_INTERNAL ? status : INVITED_INTERNAL;
}

std::string clipped(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const auto first = static_cast<unsigned char>(text[at]);
    if (first < 0x80) {
      ++at;
      continue;
    }
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || at + length > text.size()) return false;
    std::uint32_t point = first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xc0) != 0x80) return false;
      point = (point << 6) | (next & 0x3fU);
    }
    constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < smallest[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    at += length;
  }
  return true;
}

}  // namespace invited::plugin
