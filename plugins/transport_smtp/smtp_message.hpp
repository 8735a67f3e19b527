// One mail to be sent, and what has to be known about its bytes before the first of them goes on the wire.
//
//   if (auto refusal = inspect(message)) refuse(*refusal);   // bare CR or LF, control characters, endless lines
//   append_stuffed(out, message.bytes);                      // … then "." CR LF
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace invited::smtp {

struct Message {
  virtual ~Message() = default;

  std::string id;    // the owner's name for it: settled(id) comes back with this
  std::string from;  // envelope, bare address; empty is the null sender
  std::string to;
  std::string bytes;       // RFC 5322, CRLF line ends, not dot-stuffed
  bool smtputf8 = false;   // the owner knows that it needs SMTPUTF8
  bool eight_bit = false;  // the owner knows that its body has 8-bit octets
  // Both on the pool's monotonic clock, 0: none.
  std::int64_t begin_by_ms = 0;   // past it the message is not begun, or not finished if its final dot is not out yet
  std::int64_t answer_by_ms = 0;  // past it the owner wants a verdict, whatever it is

  // Kept by the pool while it has the message.
  std::int64_t taken_at_ms = 0;
  std::uint64_t completed_before = 0;
  std::uint8_t bounces = 0;
  std::uint8_t hang_ups = 0;      // fresh connections that ended at this message once its MAIL was accepted
  std::uint8_t between = 0;       // used connections that ended before it was looked at
  bool fresh_connection = false;  // it has met a connection at its end: the next one shall be a new one
};

using MessagePtr = std::shared_ptr<Message>;

// Why `message` may not be sent, or nothing. Sets smtputf8 and eight_bit when the bytes need them. RFC 5321 wants CRLF
// only (a bare CR or LF lets one mail become two at a lenient receiver) and lines of at most 998 octets.
[[nodiscard]] std::optional<std::string> inspect(Message& message);

// Appends `bytes` with a dot doubled at each line start, and a final CRLF if it has none.
void append_stuffed(std::string& out, std::string_view bytes);

}  // namespace invited::smtp
