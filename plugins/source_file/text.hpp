// Bytes, letters and places of a text file: which encoding it has, and how names in it are compared and shown.
//
//   EncodingScan scan;  while (read(block)) scan.feed(block);
//   if (scan.looks_like_windows_1252()) cell = from_windows_1252(cell);
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace invited::file {

inline constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

// Without blanks and line ends around it.
std::string_view trimmed(std::string_view text);

// ASCII letters in lower case, the rest as it is.
std::string lower(std::string_view text);

// Where the first byte stands that no UTF-8 text has there.
std::optional<std::size_t> not_utf8(std::string_view text);

// Letters and digits alone, in lower case, so that "Kort-/Brick-ID *" and "kort / brick id" are the same name. UTF-8.
std::string name_key(std::string_view text);

// In quotes for a message: short, and without what would disturb a terminal.
std::string shown(std::string_view text);

// "0xE4"
std::string hex(char byte);

// The text in UTF-8; nothing if a byte stands for no character.
std::optional<std::string> from_windows_1252(std::string_view text);

// Looks through a whole file, piece by piece: is it UTF-8?
class EncodingScan {
public:
  void feed(std::string_view bytes);
  // Bytes that are no UTF-8, and nothing longer than a byte that is: text of an older Windows. A file of UTF-8 with a
  // damaged place is not taken for that.
  bool looks_like_windows_1252() const { return (bad_ > 0 || left_ > 0) && good_ == 0; }

private:
  std::uint64_t good_ = 0;  // characters of several bytes
  std::uint64_t bad_ = 0;
  unsigned left_ = 0;  // bytes of the character that are still to come
  unsigned char low_ = 0x80, high_ = 0xBF;
};

}  // namespace invited::file
