#include "plugin/abi_text.hpp"

#include "core/log.hpp"

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
  if (text.size() <= max_bytes) return core::log::printable(text);
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return core::log::printable(text.substr(0, end)) + "…";
}

}  // namespace invited::plugin
