#include "text.hpp"

#include <array>

namespace invited::file {

namespace {

// What the first byte of a character of several asks of the next one; `left` 0: it is no such byte.
struct Lead {
  unsigned left = 0;
  unsigned char low = 0x80, high = 0xBF;
};

// Without overlong forms, surrogates and what is beyond the last character.
Lead lead_of(unsigned char first) {
  if (first >= 0xC2 && first <= 0xDF) return {1};
  if (first == 0xE0) return {2, 0xA0, 0xBF};
  if (first == 0xED) return {2, 0x80, 0x9F};
  if (first >= 0xE1 && first <= 0xEF) return {2};
  if (first == 0xF0) return {3, 0x90, 0xBF};
  if (first == 0xF4) return {3, 0x80, 0x8F};
  if (first >= 0xF1 && first <= 0xF3) return {3};
  return {};
}

void append_utf8(std::string& text, unsigned point) {
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += static_cast<char>(0xC0 | (point >> 6));
    text += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    text += static_cast<char>(0xE0 | (point >> 12));
    text += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (point & 0x3F));
  }
}

}  // namespace

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

std::optional<std::size_t> not_utf8(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::size_t i = 0;
  while (i < text.size()) {
    if (byte(i) < 0x80) {
      ++i;
      continue;
    }
    const Lead lead = lead_of(byte(i));
    if (lead.left == 0 || i + lead.left >= text.size() || byte(i + 1) < lead.low || byte(i + 1) > lead.high) return i;
    for (std::size_t k = 2; k <= lead.left; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return i;
    }
    i += lead.left + 1;
  }
  return std::nullopt;
}

std::string name_key(std::string_view text) {
  std::string key;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_ascii_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
    if (byte == 0xC2) {
      ++i;  // signs, and the blank that does not break
    } else if (byte == 0xC3 && i + 1 < text.size()) {
      // U+00C0 to U+00FF: the letters of western Europe, small ones 0x20 above the capitals.
      const auto second = static_cast<unsigned char>(text[++i]);
      key += '\xC3';
      key += static_cast<char>(second < 0xA0 ? second + 0x20 : second);
    } else if (is_ascii_letter) {
      key += static_cast<char>(byte | 0x20);
    } else if (byte >= 0x80 || (byte >= '0' && byte <= '9')) {
      key += text[i];
    }
  }
  return key;
}

std::string shown(std::string_view text) {
  constexpr std::size_t most = 60;
  std::string_view part = text.substr(0, most);
  while (part.size() < text.size() && !part.empty() && (static_cast<unsigned char>(text[part.size()]) & 0xC0) == 0x80)
    part.remove_suffix(1);
  const bool whole_letters = !not_utf8(part);
  std::string result = "\"";
  for (const char c : part) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte == 0x7F || (byte > 0x7F && !whole_letters) ? '?' : c;
  }
  return result + (part.size() < text.size() ? "…\"" : "\"");
}

std::string hex(char byte) {
  static constexpr char digits[] = "0123456789ABCDEF";
  const auto value = static_cast<unsigned char>(byte);
  return {'0', 'x', digits[value >> 4], digits[value & 0xF]};
}

std::optional<std::string> from_windows_1252(std::string_view text) {
  // 0x80 to 0x9F; 0: stands for nothing.
  static constexpr std::array<std::uint16_t, 32> above{0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                                       0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
                                                       0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                       0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};
  std::string result;
  result.reserve(text.size() + 8);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const unsigned point = byte >= 0x80 && byte < 0xA0 ? above[byte - 0x80] : byte;
    if (point == 0 && byte != 0) return std::nullopt;
    append_utf8(result, point);
  }
  return result;
}

void EncodingScan::feed(std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (left_ > 0) {
      if (byte >= low_ && byte <= high_) {
        low_ = 0x80;
        high_ = 0xBF;
        if (--left_ == 0) ++good_;
        continue;
      }
      ++bad_;
      left_ = 0;
    }
    if (byte < 0x80) continue;
    const Lead lead = lead_of(byte);
    if (lead.left == 0) ++bad_;
    left_ = lead.left;
    low_ = lead.low;
    high_ = lead.high;
  }
}

}  // namespace invited::file
