#include "text.hpp"

#include <fmt/format.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "core/log.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

std::size_t columns_of(UChar32 character) {
  if (character < 0) return 1;
  switch (u_charType(character)) {
    case U_NON_SPACING_MARK:
    case U_ENCLOSING_MARK:
    case U_FORMAT_CHAR:
      return 0;
    default:
      break;
  }
  const auto width = u_getIntPropertyValue(character, UCHAR_EAST_ASIAN_WIDTH);
  return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

}  // namespace

std::string printable(std::string_view text) {
  return core::log::printable(text);
}

std::size_t columns(std::string_view utf8) {
  std::size_t total = 0;
  const auto length = static_cast<std::int32_t>(utf8.size());
  for (std::int32_t i = 0; i < length;) {
    UChar32 character = 0;
    U8_NEXT(utf8.data(), i, length, character);
    total += columns_of(character);
  }
  return total;
}

std::string padded(std::string text, std::size_t width) {
  const auto used = columns(text);
  if (used < width) text.append(width - used, ' ');
  return text;
}

std::string clipped(const std::string& text, std::size_t width) {
  if (columns(text) <= width) return text;
  if (width == 0) return {};
  std::size_t used = 0;
  std::int32_t end = 0;
  const auto length = static_cast<std::int32_t>(text.size());
  for (std::int32_t i = 0; i < length;) {
    UChar32 character = 0;
    U8_NEXT(text.data(), i, length, character);
    used += columns_of(character);
    if (used > width - 1) break;
    end = i;
  }
  return text.substr(0, static_cast<std::size_t>(end)) + "…";
}

std::string counted(std::int64_t number, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", number, number == 1 ? one : many);
}

const json::value* member(const json::value& document, std::string_view path) {
  const json::value* at = &document;
  while (true) {
    const auto* object = at->if_object();
    if (object == nullptr) return nullptr;
    const auto dot = path.find('.');
    const auto name = path.substr(0, dot);
    at = object->if_contains({name.data(), name.size()});
    if (at == nullptr || dot == std::string_view::npos) return at;
    path.remove_prefix(dot + 1);
  }
}

std::string text_of(const json::value& document, std::string_view path) {
  const auto* value = member(document, path);
  if (value == nullptr || value->is_null()) return {};
  if (const auto* text = value->if_string()) return printable({text->data(), text->size()});
  return printable(json::serialize(*value));
}

std::int64_t number_of(const json::value& document, std::string_view path) {
  const auto* value = member(document, path);
  if (value == nullptr) return 0;
  if (value->is_int64()) return value->get_int64();
  if (value->is_uint64()) return static_cast<std::int64_t>(value->get_uint64());
  return 0;
}

bool bool_of(const json::value& document, std::string_view path) {
  const auto* value = member(document, path);
  return value != nullptr && value->is_bool() && value->get_bool();
}

}  // namespace invited::ctl
