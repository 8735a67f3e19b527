// Operator-facing log lines: a stable event id, a sentence, key/value fields. They go to stderr as text; when stderr is
// the journal they are sent there by sd_journal_sendv instead, with the fields kept apart (MESSAGE_ID=, INVITED_EVENT=,
// INVITED_USER=, …), so that `journalctl INVITED_USER=…` finds them.
//
//   log::info(events::delivery_accepted, "The next server took the mail", {{"user", id}, {"delivery", d}});
//
// Nothing secret reaches a log: no token, no link, no credential; addresses are masked with mask_email(). Whatever is
// given passes through printable(). Nothing here throws for what a value holds. [any-thread]
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace invited::core::log {

enum class Level : int { trace, debug, info, warning, error };

struct Event {
  std::string_view id;          // stable name: "delivery.accepted"
  std::string_view message_id;  // 32 hex digits for the journal catalogue, or empty
};

using Field = std::pair<std::string_view, std::string>;

void start(Level level);  // once, from main; lines written earlier go to stderr, from `info` on
void set_level(Level level);
[[nodiscard]] bool enabled(Level level);
void write(Level level, const Event& event, std::string_view sentence, std::initializer_list<Field> fields = {});

inline void debug(const Event& e, std::string_view s, std::initializer_list<Field> f = {}) {
  write(Level::debug, e, s, f);
}
inline void info(const Event& e, std::string_view s, std::initializer_list<Field> f = {}) {
  write(Level::info, e, s, f);
}
inline void warning(const Event& e, std::string_view s, std::initializer_list<Field> f = {}) {
  write(Level::warning, e, s, f);
}
inline void error(const Event& e, std::string_view s, std::initializer_list<Field> f = {}) {
  write(Level::error, e, s, f);
}

// "anna.berg@example.com" → "a***@example.com"; a local part of one character is hidden whole, a text without '@' too.
// Printable. Also used by the landing page (PRODUCT §4).
[[nodiscard]] std::string mask_email(std::string_view address);
// Control, bidi and invisible characters (and every space but U+0020) become \u{…}, bytes that are not UTF-8 become
// \x{…}, so that a name cannot forge a log line or steer a terminal. All else stays as it is.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace invited::core::log
