// Text and statuses between the C contract and the daemon.
//
//   std::string detail(plugin::view(verdict->detail));
//
// Pure functions. [any-thread]
#pragma once

#include <invited/abi.h>

#include <string>
#include <string_view>

namespace invited::plugin {

// Null with a size, which no well-behaved plugin hands over, counts as nothing.
[[nodiscard]] inline std::string_view view(invited_str text) noexcept {
  return text.data == nullptr ? std::string_view{} : std::string_view(text.data, static_cast<std::size_t>(text.size));
}

// Valid as long as `text` is.
[[nodiscard]] inline invited_str borrow(std::string_view text) noexcept {
  return {text.data(), text.size()};
}

// "OK", "RETRY", …; "INTERNAL" for what this daemon does not know.
[[nodiscard]] std::string_view status_text(invited_status status) noexcept;

// `status` if it is one of abi.h, else INVITED_INTERNAL.
[[nodiscard]] invited_status known_status(invited_status status) noexcept;

// What plugins say to people: at most `max_bytes` of `text`, cut between characters, and printable (core/log.hpp), so
// always UTF-8. Escapes may make it longer. Not for names and keys that something is found by.
[[nodiscard]] std::string clipped(std::string_view text, std::size_t max_bytes);

}  // namespace invited::plugin
