// Comparing names the way people do, and spelling them with the plain letters that user-ids and addresses are made of.
// All of it may be called from any thread.
#pragma once

#include <string>
#include <string_view>

namespace invited::model {

// Case folded by Unicode's rules: two texts that differ only in case have the same form. Not UTF-8: folded octet-wise.
[[nodiscard]] std::string folded(std::string_view text);
[[nodiscard]] bool equal_folded(std::string_view a, std::string_view b);

// As it looks: without white space at its ends, the no-break kinds included, each letter with its accents as one (NFC).
// Not UTF-8: unchanged.
[[nodiscard]] std::string tidied(std::string_view text);

// Lower-case ASCII letters and digits: "Åsa-Karin Öberg" is "asakarinoberg". What has no such spelling is left out.
[[nodiscard]] std::string plain_letters(std::string_view text);

}  // namespace invited::model
