// Reads what an SMTP server says, a few bytes at a time, and never keeps more than it promised to.
//
// A reply is one or more lines with the same three digits; the last one has no dash. Nothing a server sends
// can grow memory: of a line MAX_LINE octets are kept, a reply over MAX_REPLY octets is an error, and so is
// anything that is not a reply. Pure: no I/O, no clock.
//
//   ReplyParser parser;
//   while (!bytes.empty()) {
//     const std::size_t used = parser.feed(bytes);
//     bytes.remove_prefix(used);
//     if (parser.state() == ReplyParser::State::complete) handle(parser.reply());
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace invited::smtp {

// RFC 3463: "5.1.1". All zero when the server gave none.
struct EnhancedCode {
  std::uint16_t klass = 0;
  std::uint16_t subject = 0;
  std::uint16_t detail = 0;

  [[nodiscard]] bool present() const { return klass != 0; }
  [[nodiscard]] bool is(int subject_, int detail_) const {
    return present() && subject == subject_ && detail == detail_;
  }
  [[nodiscard]] std::string text() const;
  bool operator==(const EnhancedCode&) const = default;
};

struct Reply {
  int code = 0;                    // 200…599
  EnhancedCode enhanced;           // of the last line; only when its class agrees with the code
  std::vector<std::string> lines;  // the text after the code, one a line, without line ends; raw bytes of the server

  [[nodiscard]] int klass() const { return code / 100; }
  [[nodiscard]] bool positive() const { return klass() == 2; }
  // The server's words in one line, without the enhanced code, fit for a log: control characters and invalid or
  // invisible Unicode replaced, at most `limit` octets.
  [[nodiscard]] std::string words(std::size_t limit = 300) const;
  // "550 5.1.1"
  [[nodiscard]] std::string code_text() const;
};

class ReplyParser {
public:
  static constexpr std::size_t MAX_LINE = 4096;
  static constexpr std::size_t MAX_REPLY = 64 * 1024;

  enum class State : std::uint8_t { reading, complete, broken };

  // Takes bytes up to the end of one reply and returns how many it took; the rest belongs to the next call. After
  // `complete` the next feed() starts a new reply, after `broken` it takes nothing.
  std::size_t feed(std::string_view bytes);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const Reply& reply() const { return reply_; }        // valid until the next feed(), when complete
  [[nodiscard]] const std::string& fault() const { return fault_; }  // why it is broken, fit for a log
  // True when part of a reply has been taken but not its end.
  [[nodiscard]] bool partial() const { return state_ == State::reading && total_ > 0; }
  void reset();

private:
  void end_line();
  void break_off(std::string why);

  State state_ = State::reading;
  std::string line_;
  std::size_t total_ = 0;
  Reply reply_;
  std::string fault_;
};

// Makes foreign text safe to print on one line: control characters, line breaks, bidirectional and invisible
// characters and broken UTF-8 become '?', runs of blanks one blank; cut at `limit` octets.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit);
// "anna.berg@example.com" → "a***@example.com", for every address in `text`.
[[nodiscard]] std::string mask_addresses(std::string_view text);
// A server's words without what they may quote of a mail or a login (PRODUCT §7 rule 8): addresses masked, a URL cut
// behind its host, and runs of 20 or more token characters replaced unless they are plain words. `at_login` drops
// every word that could be Base64 or a password, however short: only words without digits and inner capitals are left.
[[nodiscard]] std::string discreet(std::string_view text, bool at_login = false);

}  // namespace invited::smtp
