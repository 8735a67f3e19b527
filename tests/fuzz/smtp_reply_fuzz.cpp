// What an SMTP server may answer, for libFuzzer: no crash, bounded memory, and the same replies however the bytes are
// cut.
//
// Built and run by ./dev fuzz.
// sources: plugins/transport_smtp/smtp_reply.cpp
// flags: -Iplugins/transport_smtp
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "smtp_reply.hpp"

using namespace invited::smtp;

namespace {

// The codes and texts of all replies in `bytes`, fed in pieces of `piece` bytes.
std::string replies(std::string_view bytes, std::size_t piece) {
  ReplyParser parser;
  std::string text;
  while (!bytes.empty()) {
    std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    while (!part.empty()) {
      const std::size_t used = parser.feed(part);
      if (used > part.size()) std::abort();
      part.remove_prefix(used);
      if (parser.state() == ReplyParser::State::broken) return text + "broken";
      if (parser.state() == ReplyParser::State::complete) text += std::to_string(parser.reply().code) + ";";
      if (used == 0 && parser.state() != ReplyParser::State::complete) std::abort();
    }
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (replies(bytes, bytes.size() + 1) != replies(bytes, 1 + data[0] % 16)) std::abort();
  return 0;
}
