// What is written to stderr while it lives: the log, as long as no test starts another.
//
//   CapturedLog log;   …   CHECK_THAT(log.text(), Contains("source.failed"));
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

#include "support/temp_folder.hpp"

namespace invited::test {

class CapturedLog {
public:
  CapturedLog() : saved_(::dup(STDERR_FILENO)) {
    const int file = ::open((folder_ / "stderr").c_str(), O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(file, STDERR_FILENO);
    ::close(file);
  }
  ~CapturedLog() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  // All of it so far.
  [[nodiscard]] std::string text() const {
    std::ifstream in(folder_ / "stderr");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] std::size_t count(const std::string& words) const {
    const std::string all = text();
    std::size_t found = 0;
    for (auto at = all.find(words); at != std::string::npos; at = all.find(words, at + words.size())) ++found;
    return found;
  }

private:
  TempFolder folder_;
  int saved_;
};

}  // namespace invited::test
