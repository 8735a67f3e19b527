// What a source says about one person, and what became of it (PRODUCT §6).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace invited::model {

// Only the fields present change anything; an empty value clears where clearing is allowed.
struct SourceRecord {
  std::vector<std::pair<std::string, std::string>> fields;
  std::int64_t line = 0;  // in the file it came from; 0: no file
};

// `noted` is about the file and not about one person.
enum class RowOutcome : std::uint8_t { created, updated, unchanged, ignored, rejected, noted };
[[nodiscard]] std::string_view to_text(RowOutcome);

// One result per row. `result()` is the stable text of PRODUCT §6: "created", "ignored: invalid_email".
struct RowResult {
  std::int64_t line = 0;
  std::string user;  // user-id, as far as known
  RowOutcome outcome = RowOutcome::unchanged;
  std::string reason;                          // stable code for ignored and rejected
  RowOutcome applied = RowOutcome::unchanged;  // what the row's other columns did
  std::string column;                          // the field it is about
  std::string message;                         // one sentence for a person
  std::string file_column = {};                // what the file calls that field; empty: the same
  [[nodiscard]] std::string result() const;
};

// A row the source itself could not read.
struct BadRow {
  std::int64_t line = 0;
  std::string column;
  std::string reason;
  std::string message;
};

// What a source says about its file, besides its rows.
struct Remark {
  std::int64_t line = 0;
  std::string column;
  std::string reason;
  std::string message;
};

// What a source says before its first row.
struct Announcement {
  std::int64_t rows = -1;                                    // about so many will come; -1: not known
  std::vector<std::pair<std::string, std::string>> columns;  // field → what the file calls it
};

}  // namespace invited::model
