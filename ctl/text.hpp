// Text for a terminal: nothing in it may move the cursor, and columns are counted as eyes see them.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace invited::ctl {

// Control, bidi and invisible characters escaped.
[[nodiscard]] std::string printable(std::string_view text);
// Columns on a terminal: 0 for combining marks, 2 for wide characters.
[[nodiscard]] std::size_t columns(std::string_view utf8);
[[nodiscard]] std::string padded(std::string text, std::size_t width);
// At most `width` columns, with … where something was left out. Whole characters only.
[[nodiscard]] std::string clipped(const std::string& text, std::size_t width);

// "1 mail", "2 mails"; many: "mails".
[[nodiscard]] std::string counted(std::int64_t number, std::string_view one, std::string_view many);

// Reading the daemon's documents: a missing or differently typed member is empty, never an error, because answers may
// grow. "invitation.state" looks into objects.
[[nodiscard]] const boost::json::value* member(const boost::json::value& document, std::string_view path);
[[nodiscard]] std::string text_of(const boost::json::value& document, std::string_view path);  // printable
[[nodiscard]] std::int64_t number_of(const boost::json::value& document, std::string_view path);
[[nodiscard]] bool bool_of(const boost::json::value& document, std::string_view path);

}  // namespace invited::ctl
