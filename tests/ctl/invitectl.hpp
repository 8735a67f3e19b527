// Runs the built invitectl as a process of its own, bounded in time.
#pragma once

#include <string>
#include <vector>

namespace invited::test {

struct Surroundings {
  std::string socket;           // --socket; empty: not given
  std::string input;            // standard input, then its end
  bool terminal = false;        // all three streams on a terminal: `out` has what it shows
  std::string type_after;       // terminal: when this has been shown …
  std::string type;             // … this is typed
  std::string interrupt_after;  // SIGINT when this has been shown on any stream
  std::vector<std::string> environment;
};

struct Outcome {
  int code = -1;  // 128 + signal if it was killed
  std::string out;
  std::string err;
};

[[nodiscard]] Outcome invitectl(std::vector<std::string> arguments, const Surroundings& surroundings = {});

}  // namespace invited::test
