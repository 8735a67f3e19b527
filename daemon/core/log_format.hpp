// How an event looks as a line of text and as journal fields; and where stderr leads. Used by core/log.cpp and its
// tests; everybody else writes through core/log.hpp.
//
//   text_line(event, "Mail accepted", fields)  →  delivery.accepted Mail accepted user=0192… reason="no such user"
//
// Pure functions. [any-thread]
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/log.hpp"

namespace invited::core::log {

// Printable, on one line; a value that holds a space, a quote or nothing at all stands in quotes.
[[nodiscard]] std::string text_line(const Event& event, std::string_view sentence, std::span<const Field> fields);
// NAME=value entries as sd_journal_sendv takes them. Field `user` becomes INVITED_USER=; a name that the journal would
// refuse is spelled with underscores. MESSAGE_ID= only for 32 hexadecimal digits.
[[nodiscard]] std::vector<std::string> journal_fields(Level level, const Event& event, std::string_view sentence,
                                                      std::span<const Field> fields);
// True if `journal_stream` ($JOURNAL_STREAM, "device:inode", may be null) names exactly the open file `descriptor`.
[[nodiscard]] bool is_journal_stream(const char* journal_stream, int descriptor);

}  // namespace invited::core::log
