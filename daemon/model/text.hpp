// Comparing names the way people do, and spelling them with the plain letters that user-ids and addresses are made of.
// All of it may be called from any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace invited::model {

// Case folded by Unicode's rules: two texts that differ only in case have the same form. Not UTF-8: folded octet-wise.
[[nodiscard]] std::string folded(std::string_view text);
[[nodiscard]] bool equal_folded(std::string_view a, std::string_view b);

// As it looks: without white space at its ends, the no-break kinds included, each letter with its accents as one (NFC).
// Not UTF-8: unchanged.
[[nodiscard]] std::string tidied(std::string_view text);

// What a mail carries of a name and of a paragraph of help, in octets: more is refused where it comes in.
inline constexpr std::size_t max_name_octets = 256;
inline constexpr std::size_t max_help_octets = 2000;

// What is wrong with a text that may stand in no mail and on no page, at its first such place: "has U+202E at octet 3",
// "is not valid UTF-8 at octet 3". Control characters could end a header; line and paragraph separators and direction
// overrides could make a name read as something that it is not.
[[nodiscard]] std::optional<std::string> unprintable(std::string_view text);

// Lower-case ASCII letters and digits: "Åsa-Karin Öberg" is "asakarinoberg". What has no such spelling is left out.
[[nodiscard]] std::string plain_letters(std::string_view text);

}  // namespace invited::model
