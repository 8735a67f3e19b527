// Our own row identifiers: UUIDv7 (RFC 9562), so that they grow with time and need no central counter.
//
//   Id id = IdSource(clock, random).next();   std::string text = id.text();
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/random.hpp"

namespace invited::core {

struct Id {
  std::array<std::byte, 16> bytes{};

  [[nodiscard]] std::string text() const;                               // 36 lower-case characters
  [[nodiscard]] static std::optional<Id> parse(std::string_view text);  // nothing but that form
  [[nodiscard]] bool is_nil() const { return *this == Id{}; }
  auto operator<=>(const Id&) const = default;
};

// Makes ids that never go back, also when the clock does (the counter part grows within a millisecond).
// Not thread-safe: one per thread that makes ids.
class IdSource {
public:
  IdSource(const Clock& clock, Random& random) : clock_(clock), random_(random) {}
  [[nodiscard]] Id next();

private:
  const Clock& clock_;
  Random& random_;
  std::int64_t last_ms_ = 0;
  std::uint32_t counter_ = 0;
};

}  // namespace invited::core

template <>
struct std::hash<invited::core::Id> {
  std::size_t operator()(const invited::core::Id& id) const noexcept;
};
