// Delimited text as rows of named cells: the seam between this plugin and the CSV library behind it.
//
// The first line names the columns, as a profile knows them (profile.hpp). Everything wrong with the file as a whole
// is a Problem, thrown before any row is told; everything wrong with one row is told as a bad row, and the others go
// on. Memory is bounded by the longest row allowed, whatever the file's size.
//
//   struct Print : Rows { bool row(…) override; bool bad_row(…) override; } print;
//   FileCheck check;                                // first over the whole file: what no row should come before
//   while (read(block)) check.feed(block);
//   check.finish();
//   CsvReader reader(Layout{}, print, check.looks_like_windows_1252());
//   while (read(block)) if (!reader.feed(block)) return;
//   reader.finish();
//
// Lines and columns count from 1; a row's line is its first one, line breaks inside quotes counted. A line ends with
// CRLF, LF or CR. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "profile.hpp"
#include "text.hpp"

namespace invited::file {

struct Cell {
  std::string_view key;  // of a record
  std::string_view value;
};

// Who takes the rows. They answer false to stop the reader; what they are given is borrowed.
class Rows {
public:
  virtual ~Rows() = default;
  // Once, before the first row.
  virtual void header(std::int64_t /*line*/, const Header& /*header*/) {}
  virtual bool row(std::int64_t line, std::span<const Cell> cells) = 0;
  // The column's key, or what the file calls one that is not used, or nothing; a stable reason ("wrong_cell_count"); a
  // sentence.
  virtual bool bad_row(std::int64_t line, std::string_view column, std::string_view reason,
                       std::string_view message) = 0;
};

// What is looked for in the whole file before its first row counts: another encoding, another kind of file, NUL.
class FileCheck {
public:
  // Throws Problem.
  void feed(std::string_view bytes);
  // Throws Problem for a file without anything in it.
  void finish() const;
  // So many at most, after finish().
  std::int64_t rows() const { return lines_with_text_ - 1; }
  bool looks_like_windows_1252() const { return encoding_.looks_like_windows_1252(); }

private:
  std::string start_;
  std::int64_t line_ = 1;
  std::int64_t lines_with_text_ = 0;
  bool line_has_text_ = false;
  bool after_cr_ = false;
  EncodingScan encoding_;
};

class CsvReader {
public:
  // A row may have so many bytes.
  static constexpr std::size_t longest_row = std::size_t{1} << 20;

  // The last argument is what a FileCheck said of the file.
  CsvReader(const Layout& layout, Rows& rows, bool looks_like_windows_1252 = false);
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;
  ~CsvReader();

  // Any piece of the file, in order. False: the taker said stop. Throws Problem, about the first line only.
  bool feed(std::string_view bytes);
  // The file ends here.
  bool finish();

private:
  struct Parser;
  bool work(bool at_end);
  bool take_line(std::size_t end, bool ended);
  void begin(std::string_view line);
  bool end_row();
  bool reject(std::string_view reason, std::string_view message, bool resume_at_second_line);
  static std::string shown_as(const Column& column);
  void take_header();
  bool take_cells();
  bool is_blank(std::string_view line) const;

  Rows& rows_;
  Layout layout_;
  bool windows_1252_;
  char delimiter_ = 0;  // 0: the first line has not come yet
  std::unique_ptr<Parser> parser_;
  std::vector<Column> columns_;

  std::string buffer_;
  std::size_t row_start_ = 0;    // in buffer_
  std::size_t parsed_ = 0;       // what the parser has seen
  std::size_t searched_ = 0;     // where the next line end may be
  std::size_t second_line_ = 0;  // where the row's second line begins, once there is one
  std::int64_t line_ = 1;        // of row_start_
  std::int64_t lines_in_row_ = 0;
  bool started_ = false;   // the byte order mark is dealt with
  bool skipping_ = false;  // inside a line that was too long
  std::vector<Cell> cells_;
  std::vector<std::string> changed_;  // values of this row that are not as the file has them
};

}  // namespace invited::file
