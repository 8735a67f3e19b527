#include "smtp_message.hpp"

#include <cstring>

namespace invited::smtp {

namespace {

bool has_eight_bit(std::string_view text) {
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    if ((word & 0x8080808080808080U) != 0) return true;
  }
  for (; at < text.size(); ++at)
    if ((static_cast<unsigned char>(text[at]) & 0x80) != 0) return true;
  return false;
}

// What would let an address break out of MAIL or RCPT. Whether it is a sensible address is not judged here.
bool address_breaks_command(std::string_view address) {
  if (address.size() > 254 + 2) return true;
  bool quoted = false;
  for (std::size_t at = 0; at < address.size(); ++at) {
    const auto c = static_cast<unsigned char>(address[at]);
    if (c < 0x20 || c == 0x7F) return true;
    if (quoted) {
      if (c == '\\') {
        ++at;
        if (at >= address.size() || static_cast<unsigned char>(address[at]) < 0x20) return true;
      } else if (c == '"') {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ' ' || c == '<' || c == '>') {
      return true;
    }
  }
  return quoted;
}

}  // namespace

std::optional<std::string> inspect(Message& message) {
  if (message.to.empty() || message.to.find('@') == std::string::npos)
    return "the message has no recipient address; nothing was sent";
  if (address_breaks_command(message.to))
    return "the recipient address cannot be written in an SMTP command; nothing was sent";
  if (address_breaks_command(message.from))
    return "the sender address cannot be written in an SMTP command; nothing was sent";

  const std::string_view bytes = message.bytes;
  if (bytes.empty()) return "the message is empty; nothing was sent";
  if (bytes.find('\0') != std::string_view::npos) return "the message has a NUL octet; nothing was sent";
  std::size_t line = 1;
  std::size_t headers_end = bytes.size();
  for (std::size_t begin = 0; begin < bytes.size(); ++line) {
    std::size_t end = bytes.find('\n', begin);
    const bool last = end == std::string_view::npos;
    if (last) end = bytes.size();
    const std::size_t cr = bytes.substr(begin, end - begin).find('\r');
    const auto where = [line] { return " in line " + std::to_string(line); };
    if (last && cr != std::string_view::npos) return "the message has a bare CR" + where() + "; nothing was sent";
    if (!last && cr == std::string_view::npos) return "the message has a bare LF" + where() + "; nothing was sent";
    if (!last && begin + cr + 1 != end) return "the message has a bare CR" + where() + "; nothing was sent";
    const std::size_t length = end - begin - (last ? 0 : 1);
    if (length > 998)
      return "the message has " + std::to_string(length) + " octets" + where() +
             ", at most 998 are allowed; nothing was sent";
    if (length == 0 && headers_end == bytes.size()) headers_end = begin;
    begin = end + 1;
  }
  if (has_eight_bit(bytes)) {
    message.eight_bit = true;
    if (has_eight_bit(bytes.substr(0, headers_end))) message.smtputf8 = true;
  }
  if (has_eight_bit(message.from) || has_eight_bit(message.to)) message.smtputf8 = true;
  return std::nullopt;
}

void append_stuffed(std::string& out, std::string_view bytes) {
  out.reserve(out.size() + bytes.size() + bytes.size() / 64 + 512);
  if (!bytes.empty() && bytes.front() == '.') out += '.';
  std::size_t copied = 0;
  for (std::size_t at = bytes.find("\n."); at != std::string_view::npos; at = bytes.find("\n.", at + 1)) {
    out.append(bytes.substr(copied, at + 1 - copied));
    out += '.';
    copied = at + 1;
  }
  out.append(bytes.substr(copied));
  if (bytes.size() < 2 || bytes.substr(bytes.size() - 2) != "\r\n") out += "\r\n";
}

}  // namespace invited::smtp
