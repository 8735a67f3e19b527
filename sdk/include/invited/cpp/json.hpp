// A read-only JSON document for module authors who want nothing but this SDK: enough for a configuration and for the
// answers of a provider. Strict RFC 8259: no comments, no trailing commas, no duplicate keys, valid UTF-8 only.
//
//   const Json config = Json::parse(R"({"url": "https://id.example", "retries": 3})");
//   std::string url = config.at("url").as_text();      // throws JsonError when absent or no text
//   int64_t retries = config.integer("retries", 5);    // 5 when absent or null
//   body += json_quoted(user_name);                    // the only thing needed for writing
//
// A Json is a value: it owns what it shows and may be read from any thread. References it gives live as long as it.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

namespace invited {

// Text that is no JSON (the message names line and column, both from 1), or a value of another kind than asked for.
class JsonError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

class Json {
public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;  // in the order of the text
  enum class Kind { null, boolean, integer, number, text, array, object };

  Json() = default;

  // Throws JsonError. An array or object inside another counts as one level of depth.
  static Json parse(std::string_view text, std::size_t max_depth = 64);

  Kind kind() const noexcept { return static_cast<Kind>(value_.index()); }
  bool is_null() const noexcept { return kind() == Kind::null; }
  bool is_text() const noexcept { return kind() == Kind::text; }
  bool is_array() const noexcept { return kind() == Kind::array; }
  bool is_object() const noexcept { return kind() == Kind::object; }

  // The value as this kind; JsonError when it is another one. Integers are those written without fraction and
  // exponent that fit 64 bits; as_number() takes every number.
  bool as_bool() const { return get<bool>("true or false"); }
  std::int64_t as_integer() const { return get<std::int64_t>("an integer"); }
  double as_number() const {
    if (const auto* whole = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*whole);
    return get<double>("a number");
  }
  const std::string& as_text() const { return get<std::string>("text"); }
  const Array& as_array() const { return get<Array>("an array"); }
  const Object& as_object() const { return get<Object>("an object"); }

  // The member of an object; null when this is no object or has no such member.
  const Json* find(std::string_view key) const noexcept {
    if (const auto* object = std::get_if<Object>(&value_)) {
      for (const Member& member : *object) {
        if (member.first == key) return &member.second;
      }
    }
    return nullptr;
  }
  const Json& at(std::string_view key) const {
    if (const Json* found = find(key)) return *found;
    throw JsonError('"' + std::string(key) + "\" is missing");
  }

  // The member, or `fallback` when it is absent or null; JsonError naming the key when it is of another kind.
  std::string text(std::string_view key, std::string_view fallback = {}) const {
    return member(key, std::string(fallback), &Json::as_text);
  }
  std::int64_t integer(std::string_view key, std::int64_t fallback = 0) const {
    return member(key, fallback, &Json::as_integer);
  }
  double number(std::string_view key, double fallback = 0) const { return member(key, fallback, &Json::as_number); }
  bool boolean(std::string_view key, bool fallback = false) const { return member(key, fallback, &Json::as_bool); }

private:
  class Reader;

  template <class T>
  const T& get(const char* wanted) const {
    if (const T* found = std::get_if<T>(&value_)) return *found;
    throw JsonError(std::string("must be ") + wanted);
  }

  template <class T, class Result>
  T member(std::string_view key, T fallback, Result (Json::*as)() const) const {
    const Json* found = find(key);
    if (!found || found->is_null()) return fallback;
    try {
      return (found->*as)();
    } catch (const JsonError& error) {
      throw JsonError('"' + std::string(key) + "\" " + error.what());
    }
  }

  // The order is that of Kind.
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

class Json::Reader {
public:
  Reader(std::string_view text, std::size_t max_depth) : text_(text), depth_left_(max_depth) {}

  Json document() {
    Json result = value();
    skip_space();
    if (at_ != text_.size()) fail("something follows the value");
    return result;
  }

private:
  [[noreturn]] void fail(const char* what) const {
    std::size_t line = 1;
    std::size_t column = 1;
    for (std::size_t i = 0; i < at_ && i < text_.size(); ++i) {
      if (text_[i] == '\n') {
        ++line;
        column = 1;
      } else {
        ++column;
      }
    }
    throw JsonError("line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what);
  }

  char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char wanted) noexcept {
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  void skip_space() noexcept {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }

  Json value() {
    skip_space();
    if (at_ == text_.size()) fail("the text ends where a value is expected");
    Json result;
    switch (peek()) {
      case '{':
        result.value_ = object();
        break;
      case '[':
        result.value_ = array();
        break;
      case '"':
        result.value_ = string();
        break;
      case 't':
        word("true");
        result.value_ = true;
        break;
      case 'f':
        word("false");
        result.value_ = false;
        break;
      case 'n':
        word("null");
        break;
      default:
        number(result);
        break;
    }
    return result;
  }

  void word(std::string_view wanted) {
    if (text_.substr(at_, wanted.size()) != wanted) fail("not a JSON value");
    at_ += wanted.size();
  }

  void enter() {
    if (depth_left_ == 0) fail("nested too deeply");
    --depth_left_;
    ++at_;
  }

  Array array() {
    enter();
    Array result;
    skip_space();
    if (!take(']')) {
      do {
        result.push_back(value());
        skip_space();
      } while (take(','));
      if (!take(']')) fail("',' or ']' expected");
    }
    ++depth_left_;
    return result;
  }

  Object object() {
    const std::size_t begin = at_;
    enter();
    Object result;
    skip_space();
    if (!take('}')) {
      do {
        skip_space();
        if (peek() != '"') fail("a key in double quotes expected");
        std::string key = string();
        skip_space();
        if (!take(':')) fail("':' expected");
        Json member = value();
        result.emplace_back(std::move(key), std::move(member));
        skip_space();
      } while (take(','));
      if (!take('}')) fail("',' or '}' expected");
    }
    refuse_duplicates(result, begin);
    ++depth_left_;
    return result;
  }

  void refuse_duplicates(const Object& object, std::size_t begin) {
    std::vector<std::string_view> keys;
    keys.reserve(object.size());
    for (const Member& member : object) keys.emplace_back(member.first);
    std::sort(keys.begin(), keys.end());
    if (std::adjacent_find(keys.begin(), keys.end()) != keys.end()) {
      at_ = begin;
      fail("a key stands twice in this object");
    }
  }

  std::string string() {
    ++at_;
    std::string result;
    for (;;) {
      if (at_ == text_.size()) fail("the text ends inside a string");
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte == '"') {
        ++at_;
        return result;
      }
      if (byte < 0x20) fail("a control character inside a string");
      if (byte == '\\') {
        escape(result);
      } else if (byte < 0x80) {
        result.push_back(text_[at_++]);
      } else {
        utf8(result);
      }
    }
  }

  void escape(std::string& out) {
    ++at_;
    if (at_ == text_.size()) fail("the text ends inside a string");
    switch (text_[at_]) {
      case '"':
        out.push_back('"');
        break;
      case '\\':
        out.push_back('\\');
        break;
      case '/':
        out.push_back('/');
        break;
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u':
        unicode(out);
        return;
      default:
        fail("unknown escape");
    }
    ++at_;
  }

  std::uint32_t four_digits() {
    std::uint32_t code = 0;
    if (text_.size() - at_ < 5) fail("four hexadecimal digits expected");
    const char* first = text_.data() + at_ + 1;
    const auto [end, error] = std::from_chars(first, first + 4, code, 16);
    if (error != std::errc{} || end != first + 4) fail("four hexadecimal digits expected");
    at_ += 5;
    return code;
  }

  void unicode(std::string& out) {
    std::uint32_t code = four_digits();
    if (code >= 0xDC00 && code <= 0xDFFF) fail("half a surrogate pair");
    if (code >= 0xD800 && code <= 0xDBFF) {
      if (!take('\\') || peek() != 'u') fail("half a surrogate pair");
      const std::uint32_t low = four_digits();
      if (low < 0xDC00 || low > 0xDFFF) fail("half a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xC0 | (code >> 6));
      put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      put(0xE0 | (code >> 12));
      put(0x80 | ((code >> 6) & 0x3F));
      put(0x80 | (code & 0x3F));
    } else {
      put(0xF0 | (code >> 18));
      put(0x80 | ((code >> 12) & 0x3F));
      put(0x80 | ((code >> 6) & 0x3F));
      put(0x80 | (code & 0x3F));
    }
  }

  void utf8(std::string& out) {
    const auto byte = [this](std::size_t i) -> std::uint32_t {
      return at_ + i < text_.size() ? static_cast<unsigned char>(text_[at_ + i]) : 0U;
    };
    const std::uint32_t lead = byte(0);
    std::size_t size = 0;
    // The second byte's range keeps out overlong forms, surrogates and what lies beyond U+10FFFF.
    std::uint32_t low = 0x80;
    std::uint32_t high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
      size = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      size = 3;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      size = 4;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    }
    bool good = size != 0 && byte(1) >= low && byte(1) <= high;
    for (std::size_t i = 2; good && i < size; ++i) good = byte(i) >= 0x80 && byte(i) <= 0xBF;
    if (!good) fail("not UTF-8");
    out.append(text_.substr(at_, size));
    at_ += size;
  }

  std::size_t digits() {
    const std::size_t begin = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    if (at_ == begin) fail(begin == number_begin_ ? "not a JSON value" : "a digit expected");
    return at_ - begin;
  }

  void number(Json& result) {
    number_begin_ = at_;
    const std::size_t begin = at_;
    take('-');
    const std::size_t whole_begin = at_;
    const std::size_t whole_digits = digits();
    const bool zero = text_[whole_begin] == '0';
    if (zero && whole_digits > 1) {
      at_ = whole_begin;
      fail("a number with a leading zero");
    }
    std::int64_t magnitude = zero ? 0 : static_cast<std::int64_t>(whole_digits);  // power of ten of the first digit
    bool integer = true;
    if (take('.')) {
      integer = false;
      const std::size_t fraction = at_;
      digits();
      if (zero) {
        for (std::size_t i = fraction; i < at_ && text_[i] == '0'; ++i) --magnitude;
      }
    }
    if (take('e') || take('E')) {
      integer = false;
      const bool negative = peek() == '-';
      if (!take('-')) take('+');
      const std::size_t exponent_begin = at_;
      digits();
      std::int64_t exponent = 0;
      const auto parsed = std::from_chars(text_.data() + exponent_begin, text_.data() + at_, exponent);
      if (parsed.ec != std::errc{}) exponent = INT64_MAX / 2;
      magnitude += negative ? -std::min(exponent, INT64_MAX / 2) : std::min(exponent, INT64_MAX / 2);
    }
    const char* first = text_.data() + begin;
    const char* last = text_.data() + at_;
    if (integer && !(text_[begin] == '-' && zero)) {
      std::int64_t whole = 0;
      if (std::from_chars(first, last, whole).ec == std::errc{}) {
        result.value_ = whole;
        return;
      }
    }
    double real = 0;
    if (std::from_chars(first, last, real).ec == std::errc::result_out_of_range) {
      at_ = begin;
      if (magnitude > 0) fail("a number too large");
      real = 0;  // too small to tell from zero
      at_ = static_cast<std::size_t>(last - text_.data());
    }
    result.value_ = real;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_left_;
  std::size_t number_begin_ = 0;
};

inline Json Json::parse(std::string_view text, std::size_t max_depth) {
  return Reader(text, max_depth).document();
}

// `text` as a JSON string with its quotes. Expects UTF-8, which goes through as it is; control characters are escaped.
inline std::string json_quoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\u00";
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 0xF]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
  return out;
}

}  // namespace invited
