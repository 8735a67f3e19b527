#include "source_file.hpp"

#include <sodium.h>

#include <array>

namespace invited::file {

namespace {

// Each row leaves a result that is kept to the end of its file.
constexpr std::int64_t kMostRows = 500'000;

constexpr char kSchema[] = R"json({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "file",
  "description": "Reads delimited text whose first line names the columns, by the API's field names or by those of the HR system's template Employees/users: from a folder, and from invitectl user import. Writes the same for invitectl user export.",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "path": {
      "type": "string", "format": "path", "minLength": 1,
      "description": "Folder to read *.csv, *.txt and *.tsv from. A file is taken at once when it is renamed into the folder, else when it stood still for two seconds; then it moves to done/ or failed/ with its results beside it. Without a path only imports are taken."
    },
    "profile": {
      "type": "string", "enum": ["auto", "api", "flex-employees-users"], "default": "auto",
      "description": "Whose names the first line uses: the API's (user_id, login_email), or those of the HR system's template, Swedish or English (Användar-id, E-post Visma Connect); auto looks at the first line."
    },
    "encoding": {
      "type": "string", "enum": ["auto", "utf-8", "windows-1252"], "default": "auto",
      "description": "auto: UTF-8, with or without a byte order mark; a file of the HR system's template that is none is read as Windows-1252."
    },
    "date_order": {
      "type": "string", "enum": ["ymd", "dmy", "mdy"], "default": "ymd",
      "description": "How the HR system's template writes dates, whatever stands between the numbers; a year in front is understood in any case."
    },
    "employment_number": {
      "type": "string", "enum": ["auto", "external_ref"], "default": "auto",
      "description": "What the template's employment number is: the user-id where the file has no column for that, else the external reference; or always the external reference, by which people are found whose user-id the file does not know."
    },
    "delimiter": {
      "type": "string", "enum": ["auto", "comma", "semicolon", "tab"], "default": "auto",
      "description": "What stands between cells; auto takes it from the first line."
    },
    "max_mib": {"type": "integer", "minimum": 1, "maximum": 1024, "default": 64, "description": "A larger file is refused."}
  }
})json";

Layout layout_of(const Json& config) {
  Layout layout;
  const std::string delimiter = config.text("delimiter");
  if (delimiter == "comma") layout.delimiter = Delimiter::comma;
  if (delimiter == "semicolon") layout.delimiter = Delimiter::semicolon;
  if (delimiter == "tab") layout.delimiter = Delimiter::tab;
  layout.profile = profile_of(config.text("profile")).value_or(Profile::automatic);
  const std::string encoding = config.text("encoding");
  if (encoding == "utf-8") layout.encoding = Encoding::utf8;
  if (encoding == "windows-1252") layout.encoding = Encoding::windows_1252;
  const std::string order = config.text("date_order");
  if (order == "dmy") layout.date_order = DateOrder::dmy;
  if (order == "mdy") layout.date_order = DateOrder::mdy;
  layout.number_is_reference = config.text("employment_number") == "external_ref";
  return layout;
}

class Emitting final : public Rows {
public:
  Emitting(Intake& out, std::int64_t expected) : out_(out), expected_(expected) {}
  void header(std::int64_t line, const Header& header) override {
    std::vector<invited_pair> names;
    for (const Column& column : header.columns) {
      if (!column.key.empty() && column.key != column.name) names.push_back({borrow(column.key), borrow(column.name)});
    }
    out_.announce(expected_, names);
    for (const Note& note : header.notes) out_.note(line, "", note.reason, note.message);
  }
  bool row(std::int64_t line, std::span<const Cell> cells) override {
    pairs_.clear();
    for (const Cell& cell : cells) pairs_.push_back({borrow(cell.key), borrow(cell.value)});
    return out_.emit(pairs_, line);
  }
  bool bad_row(std::int64_t line, std::string_view column, std::string_view reason, std::string_view message) override {
    out_.reject_row(line, column, reason, message);
    return !out_.cancelled();
  }

private:
  Intake& out_;
  std::int64_t expected_;
  std::vector<invited_pair> pairs_;
};

[[noreturn]] void stopped() {
  throw Failure(Status::cancelled, "stopped before the end of the file");
}

class Hash {
public:
  Hash() { crypto_generichash_init(&state_, nullptr, 0, size); }
  void add(std::string_view bytes) {
    crypto_generichash_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  }
  std::string hex() {
    std::array<unsigned char, size> sum{};
    crypto_generichash_final(&state_, sum.data(), sum.size());
    std::array<char, 2 * size + 1> text{};
    sodium_bin2hex(text.data(), text.size(), sum.data(), sum.size());
    return text.data();
  }

private:
  static constexpr std::size_t size = 16;
  crypto_generichash_state state_{};
};

void cell(std::string& table, std::string_view value) {
  append_cell(table, guarded(value), ',');
}

std::string result_of(const RowResult& row) {
  const std::string reason = row.reason.empty() ? std::string() : ": " + std::string(row.reason);
  switch (row.outcome) {
    case Outcome::created:
      return "created" + reason;
    case Outcome::updated:
      return "updated" + reason;
    case Outcome::unchanged:
      return "unchanged" + reason;
    case Outcome::ignored:
      return "ignored" + reason;
    case Outcome::rejected:
      return "rejected" + reason;
    case Outcome::noted:
      return "noted" + reason;
  }
  return "unknown" + reason;
}

}  // namespace

std::string result_table(const Report& report) {
  std::string table = "line,user_id,result,column,message\r\n";
  for (const RowResult& row : report.results) {
    if (row.line > 0) table += std::to_string(row.line);
    table += ',';
    cell(table, row.user_id);
    table += ',';
    cell(table, result_of(row));
    table += ',';
    cell(table, row.column);
    table += ',';
    cell(table, row.message);
    table += "\r\n";
  }
  return table;
}

FileSource::FileSource(Host host, const Json& config)
    : host_(host), layout_(layout_of(config)), max_bytes_(config.integer("max_mib", 64) << 20) {
  if (const std::string path = config.text("path"); !path.empty())
    folder_.emplace(path, host_, [h = host_] { changed(h); });
}

void FileSource::look_again_in(std::int64_t ms) {
  if (host_.offers(INVITED_SCHEDULE_1)) again_ = host_.schedule().after(ms, [h = host_] { changed(h); });
}

void FileSource::check_size(std::int64_t size) const {
  if (size > max_bytes_)
    throw Problem(0, 0, "too_large",
                  "the file has " + std::to_string(size) + " bytes; at most " + std::to_string(max_bytes_) +
                      " are taken (max_mib)");
}

void FileSource::check_rows(std::int64_t rows) {
  if (rows > kMostRows)
    throw Problem(0, 0, "too_many_rows",
                  "the file has " + std::to_string(rows) + " rows; at most " + std::to_string(kMostRows) +
                      " are taken at once: split it");
}

// Everything that must be known before the first row: throws Problem. Answers the hash.
std::string FileSource::check(TakenFile& file, FileCheck& whole) const {
  if (!file.readable()) throw Problem(0, 0, "unreadable", "invited may not read the file: check its owner and mode");
  check_size(file.size());
  Hash hash;
  for (std::string_view block = file.read(); !block.empty(); block = file.read()) {
    hash.add(block);
    whole.feed(block);
  }
  whole.finish();
  check_rows(whole.rows());
  file.rewind();
  return hash.hex();
}

Page FileSource::fetch(std::string_view cursor, Intake& out) {
  pending_.reset();
  if (!folder_) return {.cursor = std::string(cursor)};
  Look look;
  try {
    look = folder_->look();
  } catch (const Failure&) {
    look_again_in(10'000);
    throw;
  }
  if (look.again_in_ms) look_again_in(*look.again_in_ms + 10);
  const bool soon = look.again_in_ms.has_value();
  if (!look.file) return {.cursor = std::string(cursor), .soon = soon};

  Pending pending{std::move(*look.file), {}, Folder::Shelf::done};
  TakenFile& file = pending.file;
  try {
    FileCheck whole;
    pending.cursor = file.name() + ":" + check(file, whole);
    Emitting rows(out, whole.rows());
    CsvReader reader(layout_, rows, whole.looks_like_windows_1252());
    for (std::string_view block = file.read(); !block.empty(); block = file.read()) {
      if (!reader.feed(block)) stopped();
    }
    if (!reader.finish()) stopped();
  } catch (const Problem& problem) {
    out.reject_row(problem.line(), problem.column() > 0 ? std::to_string(problem.column()) : "", problem.reason(),
                   problem.text());
    host_.log(LogLevel::warning, "a file cannot be read: " + problem.text(),
              {{"file", file.name()}, {"folder", folder_->path()}});
    pending.shelf = Folder::Shelf::failed;
    if (pending.cursor.empty()) pending.cursor = file.name() + ":" + problem.reason();
  } catch (const Failure&) {
    look_again_in(Folder::still_ms);
    throw;
  }
  Page page{.cursor = pending.cursor, .more = look.more, .settle = true, .soon = soon};
  pending_.emplace(std::move(pending));
  return page;
}

void FileSource::finish(const Report& report) {
  // Without the file in hand (a restart in between) it is still where it was, and is read again.
  if (!pending_ || pending_->cursor != report.cursor) return;
  const Pending pending = std::move(*pending_);
  pending_.reset();
  try {
    folder_->settle(pending.file, pending.shelf, result_table(report));
  } catch (const Failure&) {
    look_again_in(10'000);
    throw;
  }
  host_.log(LogLevel::info, pending.shelf == Folder::Shelf::done ? "a file is done" : "a file is set aside in failed/",
            {{"file", pending.file.name()}, {"rows", std::to_string(report.results.size())}});
}

void FileSource::on_import(const ImportFile& file, Intake& out) {
  try {
    if (file.format == "xlsx" || file.format == "xls")
      throw Problem(0, 0, "not_text", "workbooks are not read yet; save the file as \"CSV UTF-8\"");
    check_size(static_cast<std::int64_t>(file.bytes.size()));
    FileCheck whole;
    whole.feed(file.bytes);
    whole.finish();
    check_rows(whole.rows());
    Layout layout = layout_;
    if (const auto asked_for = profile_of(file.format)) layout.profile = *asked_for;
    Emitting rows(out, whole.rows());
    CsvReader reader(layout, rows, whole.looks_like_windows_1252());
    if (!reader.feed(file.bytes) || !reader.finish()) stopped();
  } catch (const Problem& problem) {
    const std::string name = file.file_name.empty() ? "the file" : std::string(file.file_name);
    throw Failure(Status::rejected, name + (problem.line() > 0 ? ", " : ": ") + problem.text());
  }
}

void FileSource::export_records(const ExportPart& part, ExportCall& out) {
  (void)out.write(lines_of(part));
}

}  // namespace invited::file

INVITED_MODULE(invited::offer<invited::file::FileSource>("file", "1.0.0", invited::file::kSchema));
