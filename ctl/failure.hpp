// The one way out of invitectl that is not success: thrown where it is noticed, printed and turned into the exit code
// in main(). The codes are public (see invitectl --help).
#pragma once

#include <boost/json/object.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace invited::ctl {

enum Exit : int {
  exit_done = 0,
  exit_failed = 1,
  exit_usage = 2,  // or not confirmed
  exit_partly = 3,
  exit_forbidden = 4,
  exit_not_found = 5,
  exit_unreachable = 69,
  exit_interrupted = 130,
};

struct Failure : std::runtime_error {
  Failure(Exit exit_with, std::string problem_code, const std::string& sentence, std::string what_to_do = {})
      : std::runtime_error(sentence),
        exit_code(exit_with),
        code(std::move(problem_code)),
        advice(std::move(what_to_do)) {}

  Exit exit_code;
  std::string code;             // stable name, as in problem documents
  std::string advice;           // what to do now; may be empty
  boost::json::object problem;  // the daemon's own document; empty: the failure is ours
};

}  // namespace invited::ctl
