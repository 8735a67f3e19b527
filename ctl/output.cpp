#include "output.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdlib>

#include "text.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

bool set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

// A step of a review flow reads "payroll (after manager)"; what else has no name stays JSON.
std::string word_of(const json::value& item) {
  if (item.is_string()) return std::string(item.get_string());
  std::string text = text_of(item, "name");
  if (text.empty()) return json::serialize(item);
  if (const std::string after = text_of(item, "after"); !after.empty()) text += " (after " + after + ")";
  return text;
}

std::string joined(const json::array& items) {
  std::string text;
  for (const auto& item : items) {
    if (!text.empty()) text += ", ";
    text += word_of(item);
  }
  return text;
}

// A value without any regard to how it will be shown.
std::string plain(const json::value* value) {
  if (value == nullptr || value->is_null()) return {};
  if (const auto* text = value->if_string()) return {text->data(), text->size()};
  if (const auto* items = value->if_array()) return joined(*items);
  return json::serialize(*value);
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

Ink ink_of(std::string_view word) {
  for (const auto good : {"connected", "accepted", "verified", "approved", "ready", "created", "done"}) {
    if (word == good) return Ink::good;
  }
  for (const auto bad : {"failed", "failing", "uncertain", "lapsed"}) {
    if (word == bad) return Ink::bad;
  }
  if (word.starts_with("rejected")) return Ink::bad;
  for (const auto warn : {"held", "paused", "deferred", "expired", "stopped"}) {
    if (word == warn) return Ink::warn;
  }
  return word.starts_with("ignored") ? Ink::warn : Ink::plain;
}

constexpr std::size_t gap = 2;

}  // namespace

Output::Output(const Settings& settings)
    : settings_(settings), terminal_(::isatty(STDOUT_FILENO) == 1), error_terminal_(::isatty(STDERR_FILENO) == 1) {
  const char* term = std::getenv("TERM");
  colour_ =
      terminal_ && !settings.no_color && !set("NO_COLOR") && (term == nullptr || std::string_view(term) != "dumb");
  winsize size{};
  if (terminal_ && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) width_ = size.ws_col;
}

std::string Output::paint(Ink ink, std::string text) const {
  if (!colour_ || ink == Ink::plain || text.empty()) return text;
  const char* code = "0";
  switch (ink) {
    case Ink::plain:
      break;
    case Ink::bold:
      code = "1";
      break;
    case Ink::dim:
      code = "2";
      break;
    case Ink::good:
      code = "32";
      break;
    case Ink::warn:
      code = "33";
      break;
    case Ink::bad:
      code = "31";
      break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

Moments Output::moments(std::string_view zone) const {
  return {zone, settings_.utc, core::SystemClock().now()};
}

void Output::line(std::string_view text) const {
  fmt::print("{}\n", text);
}

void Output::remark(std::string_view text) const {
  if (settings_.quiet) return;
  std::fflush(stdout);
  fmt::print(stderr, "{}\n", text);
}

void Output::document(std::string_view body) const {
  while (body.ends_with('\n')) body.remove_suffix(1);
  line(body);
}

RowWriter::RowWriter(const Output& output, std::vector<api::Column> columns, Moments moments)
    : output_(output), columns_(std::move(columns)), moments_(moments) {}

std::string RowWriter::cell(const json::value& row, const api::Column& column) const {
  const auto* value = member(row, column.field);
  if (value != nullptr && value->is_bool()) return value->get_bool() ? "yes" : "no";
  const std::string text = plain(value);
  return Moments::parse(text) ? moments_.instant(text) : printable(text);
}

void RowWriter::settle_widths(std::span<const json::value> rows) {
  widths_.clear();
  for (const auto& column : columns_) {
    std::size_t width = columns(column.title);
    for (const auto& row : rows) width = std::max(width, columns(cell(row, column)));
    if (rows.empty()) width = std::max<std::size_t>(width, column.width);
    widths_.push_back(width);
  }
  if (output_.width() == 0) return;
  // Too wide for the terminal: the widest give way first, none below its title or 8 columns.
  const auto total = [&] {
    std::size_t sum = 0;
    for (const auto width : widths_) sum += width + gap;
    return sum - gap;
  };
  while (!widths_.empty() && total() > output_.width()) {
    const auto widest = std::ranges::max_element(widths_);
    if (*widest <= 8) break;
    const auto excess = total() - output_.width();
    const auto second = [&] {
      std::size_t most = 8;
      for (auto at = widths_.begin(); at != widths_.end(); ++at) {
        if (at != widest) most = std::max(most, *at);
      }
      return most;
    }();
    const auto step = *widest > second ? std::min(excess, *widest - second) : 1;
    *widest -= step;
  }
}

void RowWriter::write(const json::value& row) const {
  switch (output_.format()) {
    case Format::json:
    case Format::ndjson:
      output_.line(json::serialize(row));
      return;
    case Format::name:
      output_.line(printable(plain(columns_.empty() ? nullptr : member(row, columns_.front().field))));
      return;
    case Format::csv: {
      std::string text;
      for (const auto& column : columns_) {
        if (&column != &columns_.front()) text += ',';
        text += csv_cell(plain(member(row, column.field)));
      }
      output_.line(text);
      return;
    }
    case Format::table:
      break;
  }
  std::string text;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::string shown = cell(row, columns_[i]);
    const Ink ink = ink_of(shown);
    const bool last = i + 1 == columns_.size();
    if (output_.terminal()) shown = clipped(shown, std::max<std::size_t>(widths_[i], 1));
    const auto used = columns(shown);
    text += output_.paint(ink, shown);
    if (!last) text.append((used < widths_[i] ? widths_[i] - used : 0) + gap, ' ');
  }
  while (text.ends_with(' ')) text.pop_back();
  output_.line(text);
}

void RowWriter::rows(std::span<const json::value> rows) {
  if (!begun_) {
    begun_ = true;
    if (output_.format() == Format::table) {
      settle_widths(rows);
      std::string header;
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        const std::string title(columns_[i].title);
        header += i + 1 == columns_.size() ? title : padded(title, widths_[i] + gap);
      }
      output_.line(output_.paint(Ink::bold, header));
    } else if (output_.format() == Format::csv) {
      std::string header;
      for (const auto& column : columns_) {
        if (&column != &columns_.front()) header += ',';
        header += csv_cell(std::string(column.field));
      }
      output_.line(header);
    }
  }
  for (const auto& row : rows) write(row);
}

void RowWriter::row(const json::value& row) {
  if (!begun_) rows({});
  write(row);
}

std::vector<api::Column> columns_for(const api::Command& command, const json::value& document) {
  if (!command.columns.empty() || !document.is_object()) return command.columns;
  std::vector<api::Column> columns;
  for (const auto& member : document.get_object()) {
    const std::string_view name(member.key().data(), member.key().size());
    columns.push_back({.field = name, .title = name});
  }
  return columns;
}

}  // namespace invited::ctl
