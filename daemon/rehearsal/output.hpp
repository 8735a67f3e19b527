// Where the files of a rehearsal go: a folder, or a stream to whoever asked for it (app/rehearse.cpp has both).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace invited::rehearsal {

class Output {
public:
  virtual ~Output() = default;
  // Adds to a file, which begins with the first piece; `name` is relative ("mails/000001.eml"). A piece of a text file
  // ends at the end of a line. Throws std::runtime_error when it cannot be written.
  virtual void write(const std::string& name, std::string_view bytes) = 0;
  // How many of the days are over.
  virtual void progress(std::int64_t days, std::int64_t of) = 0;
};

}  // namespace invited::rehearsal
