// How often one address may do what costs us something: a token bucket per key, the oldest forgotten first.
//
//   if (!rate.take(peer, clock.monotonic())) return too_many_requests();
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>

#include "core/clock.hpp"

namespace invited::web {

class Rate {
public:
  // `burst` at once, refilled over `period`; at most `most_keys` are remembered.
  Rate(double burst, core::Milliseconds period, std::size_t most_keys)
      : burst_(burst), period_(period), most_keys_(most_keys) {}
  // True if the key may; takes one from its bucket. [core-thread]
  [[nodiscard]] bool take(const std::string& key, core::Milliseconds now);

private:
  struct Bucket {
    std::string key;
    double left;
    core::Milliseconds at;
  };
  double burst_;
  core::Milliseconds period_;
  std::size_t most_keys_;
  std::list<Bucket> buckets_;  // most recently used first
  std::unordered_map<std::string, std::list<Bucket>::iterator> by_key_;
};

}  // namespace invited::web
