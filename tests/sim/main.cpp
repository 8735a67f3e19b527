// Runs the simulation for many seeds, each twice: the same seed must give the same events. Prints the seed that failed.
//
//   invited_sim --seeds 20                  seeds 1 … 20
//   invited_sim --seed 17 --log             one seed, every event
//   invited_sim --minutes 30                as many seeds as fit
//   invited_sim --seeds 40 --must-find      succeeds when an invariant is broken (for planted bugs)
#include <boost/program_options.hpp>
#include <cstdio>
#include <iostream>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "sim/simulation.hpp"

int main(int argc, char** argv) {
  namespace options = boost::program_options;
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;
  int minutes = 0;
  invited::sim::Settings settings;
  options::options_description known("invited_sim");
  known.add_options()("help", "this text")("seed", options::value(&seed), "the first seed (1)")(
      "seeds", options::value(&seeds), "how many seeds (1)")(
      "minutes", options::value(&minutes), "go on with new seeds for so long")("days", options::value(&settings.days),
                                                                               "simulated days with faults (8)")(
      "people", options::value(&settings.people), "people (8)")("log", "print every event")(
      "must-find", "succeed when an invariant is broken");
  options::variables_map given;
  try {
    options::store(options::parse_command_line(argc, argv, known), given);
    options::notify(given);
  } catch (const options::error& e) {
    std::cerr << "invited_sim: " << e.what() << "\n" << known;
    return 2;
  }
  if (given.contains("help")) {
    std::cout << known;
    return 0;
  }
  settings.print = given.contains("log");
  const bool must_find = given.contains("must-find");
  invited::core::log::set_level(invited::core::log::Level::error);

  invited::core::SystemClock clock;
  const auto end = clock.monotonic() + std::chrono::minutes{minutes};
  long mails = 0;
  long copies = 0;
  long crashes = 0;
  long connected = 0;
  long judged = 0;
  std::uint64_t done = 0;
  for (std::uint64_t i = 0; minutes > 0 ? clock.monotonic() < end : i < seeds; ++i) {
    settings.seed = seed + i;
    const auto first = invited::sim::simulate(settings);
    if (!first.violation.empty()) {
      if (must_find) {
        std::printf("seed %llu finds it: %s\n", static_cast<unsigned long long>(settings.seed),
                    first.violation.c_str());
        return 0;
      }
      for (const auto& line : first.tail) std::fprintf(stderr, "%s\n", line.c_str());
      std::fprintf(stderr, "seed %llu: %s\nagain with: invited_sim --seed %llu --people %d --days %d --log\n",
                   static_cast<unsigned long long>(settings.seed), first.violation.c_str(),
                   static_cast<unsigned long long>(settings.seed), settings.people, settings.days);
      return 1;
    }
    if (const auto again = invited::sim::simulate(settings); again.hash != first.hash) {
      std::fprintf(stderr, "seed %llu: two runs differ (%016llx, %016llx)\n",
                   static_cast<unsigned long long>(settings.seed), static_cast<unsigned long long>(first.hash),
                   static_cast<unsigned long long>(again.hash));
      return 1;
    }
    mails += first.mails;
    copies += first.copies;
    crashes += first.crashes;
    connected += first.connected;
    judged += first.judged;
    ++done;
  }
  if (must_find) {
    std::fprintf(stderr, "%llu seeds, and the planted bug was not found\n", static_cast<unsigned long long>(done));
    return 1;
  }
  std::printf(
      "%llu seeds, each twice with the same events: %ld mails in %ld copies, %ld crashes, %ld accounts, %ld "
      "invitations that had to arrive\n",
      static_cast<unsigned long long>(done), mails, copies, crashes, connected, judged);
  return 0;
}
