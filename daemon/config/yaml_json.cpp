#include "config/yaml_json.hpp"

#include <fmt/format.h>
#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <charconv>
#include <cstdint>
#include <optional>
#include <sstream>
#include <utility>

namespace invited::config {

namespace json = boost::json;

namespace {

constexpr std::size_t max_errors = 50;

core::Error invalid(std::string code, std::string message, std::string location) {
  return {core::ErrorKind::invalid, std::move(code), std::move(message), std::move(location)};
}

// Offset → place. Asked for rising offsets it reads the text once in all, however long its lines are.
class Locator {
public:
  explicit Locator(std::string_view text) : text_(text) {}

  Position find(std::size_t offset) {
    if (offset < at_) {
      at_ = 0;
      position_ = {};
    }
    for (; at_ < std::min(offset, text_.size()); ++at_) {
      if (text_[at_] == '\n') {
        ++position_.line;
        position_.column = 1;
      } else if ((static_cast<unsigned char>(text_[at_]) & 0xC0U) != 0x80U) {
        ++position_.column;
      }
    }
    return position_;
  }

private:
  std::string_view text_;
  std::size_t at_ = 0;
  Position position_;
};

// Length of the well-formed UTF-8 sequence at `text`, 0 if there is none (overlong, surrogate, beyond U+10FFFF).
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0U) == 0x80U; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    if (lead == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (lead == 0xF0 && byte(1) < 0x90) return 0;
    if (lead == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

// yaml-cpp replaces bad bytes silently and takes U+0004 for the end of the file, so the text is looked at first.
std::optional<core::Error> check_characters(std::string_view text, std::string_view file) {
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    const auto refuse = [&](std::string code, std::string message) {
      return invalid(std::move(code), std::move(message), place(file, Locator(text).find(at)));
    };
    if (c == '\t') return refuse("yaml_tab", "a tab character; use spaces (inside a quoted text write \\t)");
    if (c == '\r' && (at + 1 == text.size() || text[at + 1] != '\n')) {
      return refuse("yaml_control_character", "a carriage return without a line feed; use ordinary line ends");
    }
    if ((c < 0x20 && c != '\n' && c != '\r') || c == 0x7F) {
      return refuse("yaml_control_character", fmt::format("the control character U+{:04X}; remove it", c));
    }
    const auto length = utf8_sequence(text.substr(at));
    if (length == 0) {
      return refuse("yaml_not_utf8", fmt::format("the byte 0x{:02X} is not valid UTF-8; save the file as UTF-8", c));
    }
    at += length;
  }
  return std::nullopt;
}

// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?  The number as JSON writes it; `whole` if there is no fraction or
// exponent.
bool is_json_number(std::string_view text, bool& whole) {
  std::size_t at = 0;
  const auto digits = [&] {
    const auto from = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - from;
  };
  whole = true;
  if (at < text.size() && text[at] == '-') ++at;
  const auto first = at;
  const auto count = digits();
  if (count == 0 || (count > 1 && text[first] == '0')) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    whole = false;
    if (digits() == 0) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    whole = false;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

json::value plain_scalar(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  bool whole = false;
  if (is_json_number(text, whole)) {
    const char* const end = text.data() + text.size();
    if (whole) {
      std::int64_t number = 0;
      // More digits than 64 bits hold are an identifier, not an amount: kept as text, nothing is lost.
      if (std::from_chars(text.data(), end, number).ec == std::errc{}) return number;
    } else {
      double number = 0;
      if (std::from_chars(text.data(), end, number).ec == std::errc{}) return number;
    }
  }
  return json::value(text);
}

struct Stop {};

class Builder final : public YAML::EventHandler {
public:
  Builder(std::string_view text, std::string_view file, Errors& errors)
      : text_(text), locator_(text), file_(file), errors_(errors) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (!seen_document_) {
      seen_document_ = true;
      return;
    }
    const auto offset = offset_of(mark);
    if (text_.substr(offset, 3) == "---" || explicit_end_before(offset)) {
      report("yaml_second_document", "a second document; the file must hold one", locator_.find(offset));
    } else {
      report("yaml_structure", "this line does not belong to what stands above it; check its indentation",
             locator_.find(offset));
    }
    throw Stop{};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { scalar(mark, nullptr, true); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    report_anchor(mark);
    scalar(mark, nullptr, false);
  }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override { report_anchor(mark); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
    const bool plain = tag == "?";
    if (tagged(mark, tag)) report_tag(mark);
    if (!plain && !closed(offset_of(mark))) {
      report("yaml_structure", "a quoted text begins here and is never closed", position_of(mark));
      throw Stop{};
    }
    if (expects_key() && plain && value == "<<") {
      report("yaml_merge_key", "the merge key << is not supported; write the keys out", position_of(mark));
    }
    scalar(mark, plain ? plain_scalar(value) : json::value(value), plain);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, false);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
    open(mark, tag, true);
  }
  void OnMapEnd() override { close(); }

  YamlDocument document;

private:
  struct Frame {
    bool mapping = false;
    bool skipped = false;  // its key was refused: read on for more errors, keep nothing
    std::string pointer;
    json::object object;
    json::array array;
    std::optional<std::string> key;
    bool key_refused = false;
    std::map<std::string, Position, std::less<>> keys;
  };

  std::size_t offset_of(const YAML::Mark& mark) const {
    return std::min(text_.size(), static_cast<std::size_t>(std::max(0, mark.pos)));
  }
  Position position_of(const YAML::Mark& mark) { return locator_.find(offset_of(mark)); }

  bool explicit_end_before(std::size_t offset) const {
    const auto before = text_.substr(0, offset);
    return before.starts_with("---\n")
               ? before.find("\n---", 3) != std::string_view::npos || before.find("\n...") != std::string_view::npos
               : before.find("\n---") != std::string_view::npos || before.find("\n...") != std::string_view::npos;
  }

  void report(std::string code, std::string message, Position position) {
    errors_.push_back(invalid(std::move(code), std::move(message), place(file_, position)));
    if (errors_.size() >= max_errors) throw Stop{};
  }
  void report_anchor(const YAML::Mark& mark) {
    report("yaml_anchor", "anchors (&) and aliases (*) are not supported; write the value out", position_of(mark));
  }
  void report_tag(const YAML::Mark& mark) {
    report("yaml_tag", "tags (!) are not supported; put text in quotes", position_of(mark));
  }
  // yaml-cpp gives "?" for plain, "!" for quoted: a person's own "!" is told from a quote by the character that stands
  // there.
  bool tagged(const YAML::Mark& mark, const std::string& tag) const {
    if (tag != "?" && tag != "!" && !tag.empty()) return true;
    const auto offset = offset_of(mark);
    return offset < text_.size() && text_[offset] == '!';
  }

  // yaml-cpp takes the end of the file for a closing quote.
  bool closed(std::size_t offset) const {
    const char quote = offset < text_.size() ? text_[offset] : '\0';
    if (quote != '"' && quote != '\'') return true;
    for (std::size_t at = offset + 1; at < text_.size(); ++at) {
      if (quote == '"' && text_[at] == '\\') {
        ++at;
      } else if (text_[at] == quote) {
        if (quote == '"' || at + 1 == text_.size() || text_[at + 1] != quote) return true;
        ++at;
      }
    }
    return false;
  }

  bool expects_key() const { return !frames_.empty() && frames_.back().mapping && !frames_.back().key; }

  void take_key(const YAML::Mark& mark, const json::value& value, bool plain) {
    auto& frame = frames_.back();
    const auto position = position_of(mark);
    frame.key_refused = frame.skipped;
    if (!value.is_string()) {
      frame.key = std::string{};
      frame.key_refused = true;
      report("yaml_key", plain ? "a key must be text; put it in quotes if that is what you mean" : "a key must be text",
             position);
      return;
    }
    frame.key = std::string(value.get_string());
    const auto [known, added] = frame.keys.emplace(*frame.key, position);
    if (!added) {
      frame.key_refused = true;
      report("yaml_duplicate_key",
             fmt::format("the key \"{}\" stands here a second time; the first is in line {}", *frame.key,
                         known->second.line),
             position);
    }
  }

  // Notes where the next value stands and gives its pointer.
  std::string enter(const YAML::Mark& mark, bool& skipped) {
    if (frames_.empty()) {
      document.positions.set("", position_of(mark));
      skipped = false;
      return {};
    }
    auto& frame = frames_.back();
    skipped = frame.skipped || (frame.mapping && frame.key_refused);
    if (frame.mapping) {
      auto pointer = pointer_append(frame.pointer, *frame.key);
      if (!skipped) document.positions.set(pointer, frame.keys.find(*frame.key)->second);
      return pointer;
    }
    auto pointer = pointer_append(frame.pointer, std::to_string(frame.array.size()));
    if (!skipped) document.positions.set(pointer, position_of(mark));
    return pointer;
  }

  void keep(json::value value) {
    if (frames_.empty()) {
      document.value = std::move(value);
      return;
    }
    auto& frame = frames_.back();
    if (!frame.mapping) {
      frame.array.push_back(std::move(value));
      return;
    }
    if (!frame.key_refused && !frame.skipped) frame.object.emplace(*frame.key, std::move(value));
    frame.key.reset();
  }

  void scalar(const YAML::Mark& mark, json::value value, bool plain) {
    if (expects_key()) {
      take_key(mark, value, plain);
      return;
    }
    bool skipped = false;
    enter(mark, skipped);
    keep(std::move(value));
  }

  void open(const YAML::Mark& mark, const std::string& tag, bool mapping) {
    if (tagged(mark, tag)) report_tag(mark);
    if (frames_.size() >= static_cast<std::size_t>(max_yaml_depth)) {
      report("yaml_too_deep", fmt::format("more than {} levels inside each other", max_yaml_depth), position_of(mark));
      throw Stop{};
    }
    if (expects_key()) {
      report("yaml_key", "a key must be text, not a list or a mapping", position_of(mark));
      throw Stop{};
    }
    Frame frame;
    frame.mapping = mapping;
    frame.pointer = enter(mark, frame.skipped);
    frames_.push_back(std::move(frame));
  }

  void close() {
    auto frame = std::move(frames_.back());
    frames_.pop_back();
    keep(frame.mapping ? json::value(std::move(frame.object)) : json::value(std::move(frame.array)));
  }

  std::string_view text_;
  Locator locator_;
  std::string_view file_;
  Errors& errors_;
  bool seen_document_ = false;
  std::vector<Frame> frames_;
};

core::Error explain(const YAML::Exception& exception, std::string_view text, std::string_view file) {
  namespace Msg = YAML::ErrorMsg;
  struct Row {
    const char* theirs;
    const char* code;
    const char* ours;
  };
  static constexpr const char* indentation = "this line does not fit the ones above it; check its indentation";
  static const std::array<Row, 14> rows{{
      {Msg::END_OF_MAP, "yaml_structure", indentation},
      {Msg::END_OF_SEQ, "yaml_structure", indentation},
      {Msg::END_OF_MAP_FLOW, "yaml_structure", "a { is not closed by } or a comma is missing before this place"},
      {Msg::END_OF_SEQ_FLOW, "yaml_structure", "a [ is not closed by ] or a comma is missing before this place"},
      {Msg::FLOW_END, "yaml_structure", "a ] or } closes nothing, or not what was opened last"},
      {Msg::MAP_VALUE, "yaml_structure",
       "a \": \" that does not belong here; check the indentation, or put text that contains it in quotes"},
      {Msg::MAP_KEY, "yaml_structure", "a key that does not belong here; check its indentation"},
      {Msg::BLOCK_ENTRY, "yaml_structure", "a \"- \" that does not belong here; check its indentation"},
      {Msg::EOF_IN_SCALAR, "yaml_structure", "a quoted text is not closed before the end of the file"},
      {Msg::DOC_IN_SCALAR, "yaml_structure", "a quoted text is not closed before the document ends"},
      {Msg::UNKNOWN_TOKEN, "yaml_structure", "a character that cannot begin a value; put the text in quotes"},
      {Msg::TAB_IN_INDENTATION, "yaml_tab", "a tab character; use spaces"},
      {Msg::ALIAS_CONTENT, "yaml_anchor", "anchors (&) and aliases (*) are not supported; write the value out"},
      {Msg::MULTIPLE_TAGS, "yaml_tag", "tags (!) are not supported; put text in quotes"},
  }};
  const Position position = exception.mark.is_null()
                                ? Position{}
                                : Locator(text).find(static_cast<std::size_t>(std::max(0, exception.mark.pos)));
  for (const auto& row : rows) {
    if (exception.msg == row.theirs) return invalid(row.code, row.ours, place(file, position));
  }
  if (exception.msg.find("anchor") != std::string::npos || exception.msg.find("alias") != std::string::npos) {
    return invalid("yaml_anchor", "anchors (&) and aliases (*) are not supported; write the value out",
                   place(file, position));
  }
  return invalid("yaml_structure", fmt::format("this is not YAML: {}", exception.msg), place(file, position));
}

}  // namespace

void Positions::set(std::string pointer, Position position) {
  by_pointer_.insert_or_assign(std::move(pointer), position);
}

Position Positions::find(std::string_view pointer) const {
  while (true) {
    if (const auto found = by_pointer_.find(pointer); found != by_pointer_.end()) return found->second;
    const auto slash = pointer.rfind('/');
    if (slash == std::string_view::npos) return {};
    pointer = pointer.substr(0, slash);
  }
}

std::string place(std::string_view file, Position position) {
  return fmt::format("{}:{}:{}", file, position.line, position.column);
}

std::string pointer_append(std::string_view pointer, std::string_view token) {
  std::string whole(pointer);
  whole += '/';
  for (const char c : token) {
    if (c == '~') {
      whole += "~0";
    } else if (c == '/') {
      whole += "~1";
    } else {
      whole += c;
    }
  }
  return whole;
}

tl::expected<YamlDocument, Errors> parse_yaml(std::string_view text, std::string_view file) {
  if (text.size() > max_yaml_bytes) {
    return tl::unexpected(Errors{{core::ErrorKind::too_large, "yaml_too_large",
                                  fmt::format("the file is larger than {} bytes", max_yaml_bytes), place(file, {})}});
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (auto error = check_characters(text, file)) return tl::unexpected(Errors{std::move(*error)});

  Errors errors;
  Builder builder(text, file, errors);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop&) {
    // Reported already.
  } catch (const YAML::Exception& exception) {
    errors.push_back(explain(exception, text, file));
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  if (builder.document.positions.empty()) builder.document.positions.set("", {});
  return std::move(builder.document);
}

}  // namespace invited::config
