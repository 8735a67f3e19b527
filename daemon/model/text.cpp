#include "model/text.hpp"

#include <fmt/format.h>
#include <unicode/normalizer2.h>
#include <unicode/translit.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>

namespace invited::model {

namespace {

icu::UnicodeString wide(std::string_view text) {
  return icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

std::unique_ptr<icu::Transliterator> make_speller() {
  UErrorCode error = U_ZERO_ERROR;
  std::unique_ptr<icu::Transliterator> made(
      icu::Transliterator::createInstance("Any-Latin; Latin-ASCII; Lower", UTRANS_FORWARD, error));
  if (U_FAILURE(error) || made == nullptr)
    throw std::runtime_error("ICU has no transliteration to plain letters: its data (libicu) is not complete");
  return made;
}

bool forbidden(UChar32 c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029 || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) || (c & 0xFFFE) == 0xFFFE ||
         (c >= 0xE0000 && c <= 0xE007F);
}

}  // namespace

std::optional<std::string> unprintable(std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  for (std::int32_t i = 0, n = static_cast<std::int32_t>(text.size()); i < n;) {
    const auto octet = static_cast<std::size_t>(i) + 1;
    UChar32 c = 0;
    U8_NEXT(bytes, i, n, c);
    if (c < 0) return fmt::format("is not valid UTF-8 at octet {}", octet);
    if (forbidden(c)) return fmt::format("has U+{:04X} at octet {}", static_cast<unsigned>(c), octet);
  }
  return std::nullopt;
}

std::string tidied(std::string_view text) {
  const auto plain = [](char c) { return c >= ' ' && c <= '~'; };
  if (std::all_of(text.begin(), text.end(), plain)) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return std::string(text);
  }
  const icu::UnicodeString all = wide(text);
  constexpr UChar32 replacement = 0xFFFD;
  if (all.indexOf(replacement) >= 0) return std::string(text);
  constexpr UChar32 zero_width_no_break_space = 0xFEFF;
  const auto blank = [](UChar32 c) { return u_isUWhiteSpace(c) != 0 || c == zero_width_no_break_space; };
  int32_t begin = 0;
  int32_t end = all.length();
  while (begin < end && blank(all.char32At(begin))) begin = all.moveIndex32(begin, 1);
  while (end > begin && blank(all.char32At(end - 1))) end = all.moveIndex32(end, -1);
  UErrorCode error = U_ZERO_ERROR;
  const auto* composer = icu::Normalizer2::getNFCInstance(error);
  if (U_FAILURE(error)) throw std::runtime_error("ICU has no normalisation: its data (libicu) is not complete");
  std::string out;
  composer->normalize(all.tempSubStringBetween(begin, end), error).toUTF8String(out);
  return U_FAILURE(error) ? std::string(text) : out;
}

std::string folded(std::string_view text) {
  bool ascii = true;
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    ascii = ascii && static_cast<unsigned char>(c) < 0x80;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  if (ascii) return out;
  std::string wide_folded;
  wide(text).foldCase().toUTF8String(wide_folded);
  return wide_folded;
}

bool equal_folded(std::string_view a, std::string_view b) {
  return folded(a) == folded(b);
}

std::string plain_letters(std::string_view text) {
  // Made once: it is slow to make, and constant in use.
  static const std::unique_ptr<const icu::Transliterator> speller = make_speller();
  icu::UnicodeString spelled = wide(text);
  speller->transliterate(spelled);
  std::string out;
  spelled.toUTF8String(out);
  out.erase(std::remove_if(out.begin(), out.end(),
                           [](char c) { return !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')); }),
            out.end());
  return out;
}

}  // namespace invited::model
