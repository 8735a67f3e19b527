#include "csv.hpp"

#include <csv.h>

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "text.hpp"

namespace invited::file {

namespace {

// What stands between the names of a first line: whatever makes the most known names of it.
char detect(std::string_view line, Profile profile) {
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
      if (knows_name(profile, name)) ++count.first;
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

char character(const Layout& layout, std::string_view line) {
  switch (layout.delimiter) {
    case Delimiter::comma:
      return ',';
    case Delimiter::semicolon:
      return ';';
    case Delimiter::tab:
      return '\t';
    case Delimiter::automatic:
      break;
  }
  return detect(line, layout.profile);
}

[[noreturn]] void empty_file() {
  throw Problem(0, 0, "no_header",
                "the file is empty: its first line has to name the columns, such as user_id,name,login_email");
}

}  // namespace

// ---- the whole file ----

void FileCheck::feed(std::string_view bytes) {
  encoding_.feed(bytes);
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
    if (c == '\n' ? !after_cr_ : c == '\r') {
      ++line_;
      line_has_text_ = false;
    }
    after_cr_ = c == '\r';
    const bool is_text = static_cast<unsigned char>(c) > 0x20 && byte_order_mark.find(c) == std::string_view::npos;
    if (is_text && !std::exchange(line_has_text_, true)) ++lines_with_text_;
  }
  if (nul != std::string_view::npos)
    throw Problem(line_, 0, "nul", "there is a NUL byte, so this is no text in UTF-8; save it as \"CSV UTF-8\"");
}

void FileCheck::finish() const {
  if (lines_with_text_ == 0) empty_file();
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

CsvReader::CsvReader(const Layout& layout, Rows& rows, bool looks_like_windows_1252)
    : rows_(rows),
      layout_(layout),
      windows_1252_(layout.encoding == Encoding::windows_1252 ||
                    (layout.encoding == Encoding::automatic && looks_like_windows_1252)) {}
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
  const auto readable = windows_1252_ ? from_windows_1252(line) : std::nullopt;
  delimiter_ = character(layout_, trimmed(readable ? std::string_view(*readable) : line));
  parser_ = std::make_unique<Parser>(delimiter_);
}

// For the daemon, which knows what the file calls the columns that are used.
std::string CsvReader::shown_as(const Column& column) {
  return column.key.empty() ? column.name : column.key;
}

// Goes on after the row. A quote that was opened by mistake swallows the lines below: they are read again as rows of
// their own, which no line can be twice, since it would need a quote to begin with and none to get that far.
bool CsvReader::reject(std::string_view reason, std::string_view message, bool resume_at_second_line) {
  if (columns_.empty())
    throw Problem(line_, static_cast<std::int64_t>(parser_->parts.size()) + 1, std::string(reason),
                  std::string(message));
  const std::int64_t here = line_;
  const std::size_t cell = parser_->parts.size();
  const std::string column =
      reason == "unbalanced_quote" && cell < columns_.size() ? shown_as(columns_[cell]) : std::string();
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
  std::vector<std::string> raw;
  raw.reserve(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) raw.emplace_back(trimmed(parser_->part(i)));
  std::vector<std::string> names = raw;
  if (windows_1252_) {
    for (std::string& name : names) {
      if (auto readable = from_windows_1252(name)) name = *std::move(readable);
    }
  }
  Header header = read_header(names, line_, layout_);
  if (windows_1252_ && layout_.encoding == Encoding::automatic) {
    if (header.profile == Profile::api) {
      // The API's own form is UTF-8: what is not is told where it stands.
      windows_1252_ = false;
      header = read_header(raw, line_, layout_);
    } else {
      header.notes.push_back({"read_as_windows_1252",
                              "The file is not UTF-8: it is read as text of Windows (code page 1252). If names look "
                              "wrong, save it as \"CSV UTF-8\"."});
    }
  }
  rows_.header(line_, header);
  columns_ = std::move(header.columns);
  changed_.resize(columns_.size());
}

bool CsvReader::take_cells() {
  cells_.clear();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    if (column.key.empty()) continue;
    std::string_view value = parser_->part(i);
    const auto wrong = not_utf8(value);
    if (windows_1252_ && std::any_of(value.begin(), value.end(), [](char c) { return (c & 0x80) != 0; })) {
      auto readable = from_windows_1252(value);
      if (!readable)
        return rows_.bad_row(line_, column.key, "not_text",
                             "the cell has a byte that stands for no character in code page 1252; save the file as "
                             "\"CSV UTF-8\"");
      changed_[i] = *std::move(readable);
      value = changed_[i];
    } else if (wrong) {
      const std::string message = "the cell is not UTF-8 (byte " + hex(value[*wrong]) + " at position " +
                                  std::to_string(*wrong + 1) + "); save the file as \"CSV UTF-8\"";
      return rows_.bad_row(line_, column.key, "not_utf8", message);
    }
    value = unguarded(value);
    if (auto normal = normal_form(column.form, layout_.date_order, value)) {
      changed_[i] = *std::move(normal);
      value = changed_[i];
    }
    cells_.push_back({column.key, value});
  }
  return rows_.row(line_, cells_);
}

}  // namespace invited::file
