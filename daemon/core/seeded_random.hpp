// Randomness that one 64-bit seed replays, on every machine: xoshiro256** seeded by splitmix64. For
// rehearsals, tests and the simulator only; nothing secret may come from it.
//
//   SeededRandom random(seed);   INFO("seed " << seed);
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/random.hpp"

namespace invited::core {

class SeededRandom final : public Random {
public:
  explicit SeededRandom(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31);
    }
  }

  [[nodiscard]] std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  void fill(std::span<std::byte> out) override {
    for (std::size_t i = 0; i < out.size();) {
      std::uint64_t word = next();
      for (int byte = 0; byte < 8 && i < out.size(); ++byte, word >>= 8) out[i++] = static_cast<std::byte>(word & 0xff);
    }
  }

private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace invited::core
