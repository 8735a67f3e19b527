#include "model/text.hpp"

#include <unicode/translit.h>
#include <unicode/unistr.h>

#include <algorithm>
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

}  // namespace

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
