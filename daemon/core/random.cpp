#include "core/random.hpp"

#include <sodium.h>

#include <stdexcept>

namespace invited::core {

std::uint64_t Random::below(std::uint64_t bound) {
  if (bound == 0) throw std::invalid_argument("Random::below: the bound must be positive");
  // 2^64 mod bound values at the low end would come up once too often: they are drawn again.
  const std::uint64_t uneven = (0 - bound) % bound;
  std::uint64_t draw = 0;
  do {
    fill(std::as_writable_bytes(std::span(&draw, 1)));
  } while (draw < uneven);
  return draw % bound;
}

SystemRandom::SystemRandom() {
  if (sodium_init() < 0) throw std::runtime_error("the system's random generator cannot be started");
}

void SystemRandom::fill(std::span<std::byte> out) {
  randombytes_buf(out.data(), out.size());
}

}  // namespace invited::core
