// The only place that draws randomness. SystemRandom asks the kernel through libsodium and aborts the
// process if it cannot; the simulator passes a seeded generator so that one seed replays a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace invited::core {

class Random {
public:
  virtual ~Random() = default;
  // Fills `out` with random bytes. [any-thread for SystemRandom]
  virtual void fill(std::span<std::byte> out) = 0;
  // Uniform in [0, bound); bound > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
};

class SystemRandom final : public Random {
public:
  SystemRandom();  // initialises libsodium; throws std::runtime_error if the generator cannot start
  void fill(std::span<std::byte> out) override;
};

}  // namespace invited::core
