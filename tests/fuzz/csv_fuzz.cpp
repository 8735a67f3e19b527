// Delimited text as the source "file" reads it, for libFuzzer: no crash, no hang, lines that only go up, rows that are
// whole, and the same answer however the file is cut into pieces.
//
// Built and run by ./dev fuzz.
// sources: plugins/source_file/csv.cpp plugins/source_file/profile.cpp plugins/source_file/text.cpp
// flags: -Isdk/include -Iplugins/source_file -lcsv
#include <cstdlib>
#include <string>
#include <vector>

#include "csv.hpp"

using namespace invited::file;

namespace {

void require(bool good) {
  if (!good) std::abort();
}

class Recording final : public Rows {
public:
  bool row(std::int64_t line, std::span<const Cell> cells) override {
    at(line);
    for (const Cell& cell : cells) text += std::string(cell.key) + "=" + std::string(cell.value) + "|";
    require(columns_ == 0 || cells.size() == columns_);
    columns_ = cells.size();
    return true;
  }
  bool bad_row(std::int64_t line, std::string_view column, std::string_view reason, std::string_view message) override {
    at(line);
    require(!reason.empty() && !message.empty());
    text += std::string(column) + "!" + std::string(reason) + "|";
    return true;
  }
  std::string text;

private:
  void at(std::int64_t line) {
    require(line > last_);
    last_ = line;
    text += std::to_string(line) + ":";
  }
  std::int64_t last_ = 1;
  std::size_t columns_ = 0;
};

std::string read(std::string_view bytes, std::size_t piece) {
  Recording rows;
  try {
    FileCheck check;
    for (std::size_t from = 0; from < bytes.size(); from += piece) check.feed(bytes.substr(from, piece));
    check.finish();
    CsvReader reader(Layout{}, rows, check.looks_like_windows_1252());
    for (std::size_t from = 0; from < bytes.size(); from += piece) require(reader.feed(bytes.substr(from, piece)));
    require(reader.finish());
  } catch (const Problem& problem) {
    require(rows.text.empty() && !problem.reason().empty());
    return problem.text();
  }
  return rows.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // Behind a good first line most of what follows reaches the rows.
  for (const std::string& file : {std::string(bytes), "user_id,name\n" + std::string(bytes),
                                  "User-ID;Name;User is enabled;Start date;Language;Shoes\n" + std::string(bytes)}) {
    const std::string whole = read(file, file.size() + 1);
    require(read(file, 1) == whole);
    require(read(file, 7) == whole);
  }
  return 0;
}
