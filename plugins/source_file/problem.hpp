// Why a file cannot be read as a whole.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace invited::file {

// what() is a sentence without file, line and column.
class Problem : public std::runtime_error {
public:
  // Line and column (of the cell): 0 where there is none. The reason is stable: "unknown_column".
  Problem(std::int64_t line, std::int64_t column, std::string reason, const std::string& message)
      : std::runtime_error(message), line_(line), column_(column), reason_(std::move(reason)) {}
  std::int64_t line() const { return line_; }
  std::int64_t column() const { return column_; }
  const std::string& reason() const { return reason_; }
  // "line 1, column 3: …", with what is known.
  std::string text() const {
    std::string place;
    if (line_ > 0) place = "line " + std::to_string(line_);
    if (column_ > 0) place += ", column " + std::to_string(column_);
    return place.empty() ? what() : place + ": " + what();
  }

private:
  std::int64_t line_;
  std::int64_t column_;
  std::string reason_;
};

}  // namespace invited::file
