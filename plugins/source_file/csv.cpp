#include "csv.hpp"

#include <csv.h>
#include <invited/source.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <utility>

namespace invited::file {

namespace {

constexpr std::array<std::string_view, 22> known{
    INVITED_KEY_USER_ID,     INVITED_KEY_NAME,         INVITED_KEY_GIVEN_NAME,
    INVITED_KEY_FAMILY_NAME, INVITED_KEY_LOGIN_EMAIL,  INVITED_KEY_CONFIRM_EMAIL,
    INVITED_KEY_COMPANY,     INVITED_KEY_DEPARTMENT,   INVITED_KEY_ROLES,
    INVITED_KEY_LOCALE,      INVITED_KEY_START_DATE,   INVITED_KEY_END_DATE,
    INVITED_KEY_ALIAS,       INVITED_KEY_SIGNATURE,    INVITED_KEY_EMPLOYMENT_TEMPLATE,
    INVITED_KEY_CARD_ID,     INVITED_KEY_EXTERNAL_REF, INVITED_KEY_AUTHORISED_COMPANIES,
    INVITED_KEY_ENABLED,     INVITED_KEY_IN_REVIEW,    INVITED_KEY_WITHDRAWN,
    INVITED_KEY_VERSION};

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto from = text.find_first_not_of(blanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(blanks) - from + 1);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

bool is_known(std::string_view name) {
  return std::find(known.begin(), known.end(), name) != known.end();
}

// A field of the customer's own: x_ and at least one letter, digit or _.
bool is_own(std::string_view name) {
  return name.size() > 2 && name.starts_with("x_") && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

// Where the first byte stands that no UTF-8 text has there.
std::optional<std::size_t> not_utf8(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::size_t i = 0;
  while (i < text.size()) {
    const unsigned char first = byte(i);
    if (first < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                               : first >= 0xE0 && first <= 0xEF ? 3
                               : first >= 0xF0 && first <= 0xF4 ? 4
                                                                : 0;
    if (length == 0 || i + length > text.size()) return i;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return i;
    }
    // Overlong forms, surrogates, beyond the last character.
    const unsigned char second = byte(i + 1);
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
        (first == 0xF4 && second > 0x8F))
      return i;
    i += length;
  }
  return std::nullopt;
}

std::string hex(unsigned char byte) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  return {'0', 'x', kDigits[byte >> 4], kDigits[byte & 0xF]};
}

// For a message: short, and without what would disturb a terminal.
std::string shown(std::string_view text) {
  std::string result = "\"";
  for (const char c : text.substr(0, 60)) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte >= 0x7F ? '?' : c;
  }
  return result + (text.size() > 60 ? "…\"" : "\"");
}

// Changes of a letter from one word to the other; two neighbours in the wrong order are one change.
std::size_t distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * width);
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      std::size_t& here = table[i * width + j];
      if (i == 0 || j == 0) {
        here = i + j;
        continue;
      }
      const std::size_t changed = table[(i - 1) * width + j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      here = std::min({changed, table[(i - 1) * width + j] + 1, table[i * width + j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        here = std::min(here, table[(i - 2) * width + j - 2] + 1);
    }
  }
  return table.back();
}

std::string did_you_mean(std::string_view name) {
  if (name.size() > 40) return {};
  std::size_t best = std::max<std::size_t>(1, name.size() / 3) + 1;
  std::string_view nearest;
  for (const std::string_view candidate : known) {
    const std::size_t apart = distance(name, candidate);
    if (apart < best) {
      best = apart;
      nearest = candidate;
    }
  }
  return nearest.empty() ? std::string() : "; did you mean \"" + std::string(nearest) + "\"?";
}

// What stands between the names of a first line: whatever makes the most known names of it.
char detect(std::string_view line) {
  char best = ',';
  std::pair<std::size_t, std::size_t> most{0, 0};
  for (const char candidate : {',', ';', '\t'}) {
    std::pair<std::size_t, std::size_t> count{0, 0};  // known names, names
    bool quoted = false;
    std::size_t from = 0;
    for (std::size_t i = 0; i <= line.size(); ++i) {
      if (i < line.size() && line[i] == '"') quoted = !quoted;
      if (i < line.size() && (quoted || line[i] != candidate)) continue;
      std::string_view name = trimmed(line.substr(from, i - from));
      if (name.size() >= 2 && name.front() == '"' && name.back() == '"')
        name = trimmed(name.substr(1, name.size() - 2));
      const std::string folded = lower(name);
      if (is_known(folded) || is_own(folded)) ++count.first;
      ++count.second;
      from = i + 1;
    }
    if (count > most) {
      most = count;
      best = candidate;
    }
  }
  return best;
}

char character(Delimiter delimiter, std::string_view line) {
  switch (delimiter) {
    case Delimiter::comma:
      return ',';
    case Delimiter::semicolon:
      return ';';
    case Delimiter::tab:
      return '\t';
    case Delimiter::automatic:
      break;
  }
  return detect(line);
}

[[noreturn]] void empty_file() {
  throw Problem(0, 0, "no_header",
                "the file is empty: its first line has to name the columns, such as user_id,name,login_email");
}

}  // namespace

std::span<const std::string_view> known_columns() {
  return known;
}

std::string Problem::text() const {
  std::string place;
  if (line_ > 0) place = "line " + std::to_string(line_);
  if (column_ > 0) place += ", column " + std::to_string(column_);
  return place.empty() ? what() : place + ": " + what();
}

// ---- the whole file ----

void FileCheck::feed(std::string_view bytes) {
  if (start_.size() < 4) {
    start_ += bytes.substr(0, 4 - start_.size());
    const std::string_view start = start_;
    if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF"))
      throw Problem(1, 0, "not_utf8", "the file is UTF-16; save it as \"CSV UTF-8\"");
    if (start.starts_with("PK\x03\x04"))
      throw Problem(0, 0, "not_text",
                    "the file is a workbook (XLSX) or an archive, not delimited text; save it as \"CSV UTF-8\"");
    if (start.starts_with(std::string_view("\xD0\xCF\x11\xE0", 4)))
      throw Problem(0, 0, "not_text",
                    "the file is an old workbook (XLS), not delimited text; save it as \"CSV UTF-8\"");
  }
  const auto nul = bytes.find('\0');
  for (const char c : bytes.substr(0, nul)) {
    if (c == '\n' ? !after_cr_ : c == '\r') ++line_;
    after_cr_ = c == '\r';
    has_text_ =
        has_text_ || (static_cast<unsigned char>(c) > 0x20 && byte_order_mark.find(c) == std::string_view::npos);
  }
  if (nul != std::string_view::npos)
    throw Problem(line_, 0, "nul", "there is a NUL byte, so this is no text in UTF-8; save it as \"CSV UTF-8\"");
}

void FileCheck::finish() const {
  if (!has_text_) empty_file();
}

// ---- rows ----

// libcsv, for one row at a time: it gets whole lines, so it is never further than the row that is wanted.
struct CsvReader::Parser {
  csv_parser csv{};
  std::string text;
  struct Part {
    std::size_t from, size;
  };
  std::vector<Part> parts;
  bool row_done = false;

  explicit Parser(char delimiter) {
    if (csv_init(&csv, CSV_STRICT) != 0) throw std::bad_alloc();
    csv_set_delim(&csv, static_cast<unsigned char>(delimiter));
    csv_set_blk_size(&csv, 4096);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() { csv_free(&csv); }

  void clear() {
    text.clear();
    parts.clear();
    row_done = false;
  }
  // Exceptions must not pass through the library: room is made before it is called.
  bool parse(std::string_view bytes) {
    text.reserve(text.size() + bytes.size() + csv.entry_pos);
    parts.reserve(parts.size() + bytes.size() + 1);
    const std::size_t taken = csv_parse(&csv, bytes.data(), bytes.size(), &cell, &row, this);
    if (taken == bytes.size()) return true;
    if (csv_error(&csv) != CSV_EPARSE) throw std::bad_alloc();
    return false;
  }
  std::string_view part(std::size_t i) const { return std::string_view(text).substr(parts[i].from, parts[i].size); }

  static void cell(void* data, std::size_t size, void* user) {
    auto& self = *static_cast<Parser*>(user);
    self.parts.push_back({self.text.size(), size});
    self.text.append(static_cast<const char*>(data), size);
  }
  static void row(int, void* user) { static_cast<Parser*>(user)->row_done = true; }
};

CsvReader::CsvReader(Delimiter delimiter, Rows& rows) : rows_(rows), wanted_(delimiter) {}
CsvReader::~CsvReader() = default;

bool CsvReader::feed(std::string_view bytes) {
  constexpr std::size_t piece = std::size_t{64} * 1024;
  while (!bytes.empty()) {
    buffer_ += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    if (!work(false)) return false;
  }
  return true;
}

bool CsvReader::finish() {
  if (!work(true)) return false;
  if (columns_.empty()) empty_file();
  return true;
}

bool CsvReader::is_blank(std::string_view line) const {
  return std::all_of(line.begin(), line.end(), [this](char c) {
    return c == ' ' || c == '\r' || c == '\n' || (c == '\t' && delimiter_ != '\t' && delimiter_ != 0);
  });
}

bool CsvReader::work(bool at_end) {
  if (!started_) {
    if (buffer_.size() < byte_order_mark.size() && !at_end) return true;
    if (buffer_.starts_with(byte_order_mark)) buffer_.erase(0, byte_order_mark.size());
    started_ = true;
  }
  for (;;) {
    std::size_t end = buffer_.find_first_of("\r\n", searched_);
    bool ended = end != std::string::npos;
    if (ended && buffer_[end] == '\r' && end + 1 == buffer_.size() && !at_end) {
      searched_ = end;  // whether an LF follows is in the next piece
      break;
    }
    if (ended) {
      end += buffer_.compare(end, 2, "\r\n") == 0 ? 2 : 1;
    } else if (at_end && parsed_ < buffer_.size()) {
      end = buffer_.size();
    } else {
      searched_ = buffer_.size();
      if (at_end) {
        if (skipping_ && !take_line(buffer_.size(), false)) return false;
        if (parsed_ == row_start_) break;
        // A quote that is open at the end of the file.
        if (!reject("unbalanced_quote", "a quoted cell begins here and is never closed", true)) return false;
        continue;
      }
      // One line that goes on and on is let go piece by piece.
      if (buffer_.size() - parsed_ > longest_row && !skipping_) {
        if (delimiter_ == 0) throw Problem(line_, 0, "row_too_long", "the first line is longer than 1 MiB");
        if (parsed_ > row_start_) {
          if (!reject("unbalanced_quote", "a quoted cell begins here and is not closed within 1 MiB", true))
            return false;
          continue;
        }
        skipping_ = true;
      }
      if (skipping_) {
        buffer_.erase(row_start_);
        parsed_ = searched_ = row_start_;
      }
      break;
    }
    if (!take_line(end, ended)) return false;
  }
  buffer_.erase(0, row_start_);
  parsed_ -= row_start_;
  searched_ -= row_start_;
  second_line_ -= std::min(second_line_, row_start_);
  row_start_ = 0;
  return true;
}

// The line that ends at `end` in the buffer and begins where the parser is.
bool CsvReader::take_line(std::size_t end, bool ended) {
  const auto line = std::string_view(buffer_).substr(parsed_, end - parsed_);
  const bool first = parsed_ == row_start_;
  const auto skip_to_end = [&] {
    row_start_ = parsed_ = searched_ = end;
    ++line_;
  };
  if (skipping_ || (first && line.size() > longest_row)) {
    skipping_ = false;
    if (delimiter_ == 0) throw Problem(line_, 0, "row_too_long", "the first line is longer than 1 MiB");
    const std::int64_t here = line_;
    skip_to_end();
    return rows_.bad_row(here, "", "row_too_long", "the row is longer than 1 MiB");
  }
  if (first && is_blank(line)) {
    skip_to_end();
    return true;
  }
  if (delimiter_ == 0) begin(line);
  if (first) parser_->clear();
  const bool good = parser_->parse(line) && (ended || parser_->parse("\n"));
  parsed_ = searched_ = end;
  ++lines_in_row_;
  if (first) second_line_ = end;
  if (!good)
    return reject("unbalanced_quote",
                  "a quote stands inside a cell; quotes belong around the whole cell, and inside it they are doubled",
                  true);
  if (parser_->row_done) return end_row();
  if (end - row_start_ > longest_row)
    return reject("unbalanced_quote", "a quoted cell begins here and is not closed within 1 MiB", true);
  return true;
}

void CsvReader::begin(std::string_view line) {
  delimiter_ = character(wanted_, trimmed(line));
  parser_ = std::make_unique<Parser>(delimiter_);
}

// Goes on after the row. A quote that was opened by mistake swallows the lines below: they are read again as rows of
// their own, which no line can be twice, since it would need a quote to begin with and none to get that far.
bool CsvReader::reject(std::string_view reason, std::string_view message, bool resume_at_second_line) {
  if (columns_.empty())
    throw Problem(line_, static_cast<std::int64_t>(parser_->parts.size()) + 1, std::string(reason),
                  std::string(message));
  const std::int64_t here = line_;
  const std::size_t cell = parser_->parts.size();
  const std::string column = reason == "unbalanced_quote" && cell < columns_.size() ? columns_[cell] : std::string();
  const bool resume = resume_at_second_line && lines_in_row_ > 1;
  line_ += resume ? 1 : lines_in_row_;
  row_start_ = parsed_ = searched_ = resume ? second_line_ : parsed_;
  lines_in_row_ = 0;
  parser_ = std::make_unique<Parser>(delimiter_);
  return rows_.bad_row(here, column, reason, message);
}

bool CsvReader::end_row() {
  if (columns_.empty()) {
    take_header();
  } else {
    auto& parts = parser_->parts;
    while (parts.size() > columns_.size() && parts.back().size == 0) parts.pop_back();
    const bool empty = std::all_of(parts.begin(), parts.end(), [](const auto& part) { return part.size == 0; });
    if (!empty && parts.size() != columns_.size()) {
      const std::string message = "the row has " + std::to_string(parts.size()) +
                                  (parts.size() == 1 ? " cell" : " cells") + " where the first line names " +
                                  std::to_string(columns_.size()) + " columns";
      return reject("wrong_cell_count", message, true);
    }
    if (!empty && !take_cells()) return false;
  }
  row_start_ = parsed_;
  line_ += std::exchange(lines_in_row_, 0);
  return true;
}

void CsvReader::take_header() {
  auto& parts = parser_->parts;
  while (!parts.empty() && trimmed(parser_->part(parts.size() - 1)).empty()) parts.pop_back();
  if (parts.empty()) throw Problem(line_, 0, "no_header", "the first line names no column");
  std::vector<std::string> names;
  std::size_t good = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    names.push_back(lower(trimmed(parser_->part(i))));
    if (is_known(names.back()) || is_own(names.back())) ++good;
  }
  const auto column = [](std::size_t i) { return static_cast<std::int64_t>(i) + 1; };
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const auto wrong = not_utf8(names[i]))
      throw Problem(line_, column(i), "not_utf8",
                    "the column's name is not UTF-8 (byte " + hex(static_cast<unsigned char>(names[i][*wrong])) +
                        "); save the file as \"CSV UTF-8\"");
  }
  if (good == 0)
    throw Problem(line_, 1, "no_header",
                  "the first line has to name the columns, such as user_id,name,login_email; it begins with " +
                      shown(names.front()));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) throw Problem(line_, column(i), "unnamed_column", "the column has no name");
    if (!is_known(names[i]) && !is_own(names[i]))
      throw Problem(line_, column(i), "unknown_column",
                    shown(names[i]) + " is no field of a user" + did_you_mean(names[i]));
    const auto before =
        std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) - names.begin();
    if (static_cast<std::size_t>(before) < i)
      throw Problem(line_, column(i), "duplicate_column",
                    '"' + names[i] + "\" is column " + std::to_string(before + 1) + " already");
  }
  if (std::find(names.begin(), names.end(), INVITED_KEY_USER_ID) == names.end())
    throw Problem(line_, 0, "no_user_id", "there is no column \"user_id\", so nobody can be told apart");
  columns_ = std::move(names);
}

bool CsvReader::take_cells() {
  cells_.clear();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::string_view value = parser_->part(i);
    if (const auto wrong = not_utf8(value)) {
      const std::string message = "the cell is not UTF-8 (byte " + hex(static_cast<unsigned char>(value[*wrong])) +
                                  " at position " + std::to_string(*wrong + 1) + "); save the file as \"CSV UTF-8\"";
      return rows_.bad_row(line_, columns_[i], "not_utf8", message);
    }
    cells_.push_back({columns_[i], value});
  }
  return rows_.row(line_, cells_);
}

}  // namespace invited::file
