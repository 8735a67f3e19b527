// One run from one seed: some days with everything that goes wrong, then some days in which nothing does, then the
// reckoning.
//
//   Outcome outcome = simulate({.seed = 7, .people = 8, .days = 8});
#pragma once

#include <cstdint>
#include <deque>
#include <string>

namespace invited::sim {

struct Settings {
  std::uint64_t seed = 1;
  int people = 8;
  int days = 8;
  bool print = false;  // every event to stderr
};

struct Outcome {
  std::string violation;  // empty: every invariant held
  std::uint64_t hash = 0;
  std::deque<std::string> tail;  // the last events
  int mails = 0;
  int copies = 0;
  int crashes = 0;
  int connected = 0;
  int judged = 0;  // people of whom I1 could say that an invitation was due
};

[[nodiscard]] Outcome simulate(const Settings& settings);

}  // namespace invited::sim
