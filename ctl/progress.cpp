#include "progress.hpp"

#include <fmt/format.h>

#include "text.hpp"

namespace invited::ctl {

namespace {

constexpr std::int64_t rows_a_line = 10'000;  // where the total is not known
constexpr std::int64_t few = 100;             // done before anybody has read a line about it

}  // namespace

Progress::Progress(const Output& output, const core::Clock& clock, std::string what)
    : output_(output), clock_(clock), what_(std::move(what)), began_(clock.monotonic()) {}

Progress::~Progress() {
  clear();
}

void Progress::clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

std::string Progress::remaining(std::int64_t done, std::int64_t total) const {
  const auto gone = clock_.monotonic() - began_;
  if (done <= first_ || gone.count() < 1000 || done >= total) return {};
  const auto left = gone.count() * (total - done) / (done - first_) / 1000;
  if (left < 90) return fmt::format(", about {} s left", left + 1);
  if (left < 90 * 60) return fmt::format(", about {} min left", left / 60 + 1);
  return fmt::format(", about {} h left", left / 3600 + 1);
}

void Progress::update(std::int64_t done, std::int64_t total, std::int64_t failed) {
  if (output_.quiet()) return;
  if (first_ < 0) first_ = done;
  std::string text = fmt::format("{} {}", what_, done);
  if (total > 0) text += fmt::format(" of {}, {} %{}", total, done * 100 / total, remaining(done, total));
  if (failed > 0) text += fmt::format(", {} failed", failed);
  if (output_.error_terminal()) {
    const auto now = clock_.monotonic();
    if (now - drawn_at_ < core::Milliseconds(100) && done < total) return;
    drawn_at_ = now;
    fmt::print(stderr, "\r\x1b[K{}", text);
    std::fflush(stderr);
    drawn_ = true;
    return;
  }
  if (total > 0 && total < few) return;
  const auto tenth = total > 0 ? done * 10 / total : done / rows_a_line;
  if (tenth <= tenth_) return;
  tenth_ = tenth;
  output_.remark(text);
}

}  // namespace invited::ctl
