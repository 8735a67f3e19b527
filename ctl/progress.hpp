// How far a job is, on standard error: one line redrawn on a terminal, else a line every 10 %
// (every 10,000 where nobody knows the total).
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.hpp"
#include "output.hpp"

namespace invited::ctl {

class Progress {
public:
  Progress(const Output& output, const core::Clock& clock, std::string what);
  ~Progress();  // takes its line off the terminal
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::int64_t done, std::int64_t total, std::int64_t failed);  // total 0: not known
  void clear();  // before something else is written; the next update draws again

private:
  [[nodiscard]] std::string remaining(std::int64_t done, std::int64_t total) const;

  const Output& output_;
  const core::Clock& clock_;
  std::string what_;
  core::Milliseconds began_;
  core::Milliseconds drawn_at_{-1000};
  std::int64_t first_ = -1;
  std::int64_t tenth_ = 0;
  bool drawn_ = false;
};

}  // namespace invited::ctl
