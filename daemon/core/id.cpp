#include "core/id.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/encoding.hpp"

namespace invited::core {

namespace {
// After each group of digits but the last: 8-4-4-4-12.
constexpr std::array<std::size_t, 4> dashes{8, 13, 18, 23};
}  // namespace

std::string Id::text() const {
  std::string text = to_hex(bytes);
  for (const std::size_t at : dashes) text.insert(at, 1, '-');
  return text;
}

std::optional<Id> Id::parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  std::string digits;
  digits.reserve(32);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::find(dashes.begin(), dashes.end(), i) == dashes.end())
      digits += text[i];
    else if (text[i] != '-')
      return std::nullopt;
  }
  const auto decoded = from_hex(digits);
  if (!decoded) return std::nullopt;
  Id id;
  std::copy(decoded->begin(), decoded->end(), id.bytes.begin());
  return id;
}

Id IdSource::next() {
  // 48 bits of time | 7 | 12 bits of counter | variant, 20 bits of counter | 42 random bits.
  std::array<std::byte, 10> noise{};
  random_.fill(noise);
  const std::int64_t now_ms = std::max<std::int64_t>(clock_.now().time_since_epoch().count(), 0);
  // A fresh counter starts in its lower half, so that it has room to grow before the next millisecond.
  std::uint32_t fresh = 0;
  std::memcpy(&fresh, noise.data(), sizeof fresh);
  fresh >>= 1;
  if (now_ms > last_ms_) {
    last_ms_ = now_ms;
    counter_ = fresh;
  } else if (++counter_ == 0) {
    ++last_ms_;
    counter_ = fresh;
  }

  Id id;
  for (std::size_t i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::byte>(last_ms_ >> (40 - 8 * i) & 0xff);
  id.bytes[6] = static_cast<std::byte>(0x70 | (counter_ >> 28));
  id.bytes[7] = static_cast<std::byte>(counter_ >> 20 & 0xff);
  id.bytes[8] = static_cast<std::byte>(0x80 | (counter_ >> 14 & 0x3f));
  id.bytes[9] = static_cast<std::byte>(counter_ >> 6 & 0xff);
  id.bytes[10] = static_cast<std::byte>((counter_ & 0x3f) << 2) | (noise[4] & static_cast<std::byte>(0x03));
  std::copy(noise.begin() + 5, noise.end(), id.bytes.begin() + 11);
  return id;
}

}  // namespace invited::core

std::size_t std::hash<invited::core::Id>::operator()(const invited::core::Id& id) const noexcept {
  // The halves are time with counter, and counter with noise: either alone would cluster.
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, id.bytes.data(), 8);
  std::memcpy(&low, id.bytes.data() + 8, 8);
  std::uint64_t mixed = (high ^ (low * 0x9e3779b97f4a7c15ULL)) * 0xbf58476d1ce4e5b9ULL;
  mixed ^= mixed >> 31;
  return static_cast<std::size_t>(mixed);
}
