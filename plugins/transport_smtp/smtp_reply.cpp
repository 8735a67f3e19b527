#include "smtp_reply.hpp"

#include <algorithm>
#include <optional>

namespace invited::smtp {

namespace {

bool digit(char c) {
  return c >= '0' && c <= '9';
}

// Reads up to three digits at `at`; nothing if there are none or more.
std::optional<std::uint16_t> short_number(std::string_view text, std::size_t& at) {
  std::uint16_t value = 0;
  std::size_t count = 0;
  while (at < text.size() && digit(text[at]) && count < 4) {
    value = static_cast<std::uint16_t>(value * 10 + (text[at] - '0'));
    ++at;
    ++count;
  }
  if (count == 0 || count > 3) return std::nullopt;
  return value;
}

// The enhanced code at the start of `text` and where the words after it begin.
EnhancedCode enhanced_code(std::string_view text, int klass, std::size_t& words_at) {
  words_at = 0;
  if (text.size() < 5 || text[0] != static_cast<char>('0' + klass) || text[1] != '.') return {};
  if (klass != 2 && klass != 4 && klass != 5) return {};
  std::size_t at = 2;
  const auto subject = short_number(text, at);
  if (!subject || at >= text.size() || text[at] != '.') return {};
  ++at;
  const auto detail = short_number(text, at);
  if (!detail || (at < text.size() && text[at] != ' ')) return {};
  while (at < text.size() && text[at] == ' ') ++at;
  words_at = at;
  return {static_cast<std::uint16_t>(klass), *subject, *detail};
}

// Decodes one UTF-8 character at `at`; 0 length when the bytes are not well-formed.
std::size_t utf8_length(std::string_view text, std::size_t at, char32_t& character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  std::size_t length = 0;
  char32_t lowest = 0;
  if (lead < 0x80) {
    character = lead;
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2, lowest = 0x80, character = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3, lowest = 0x800, character = lead & 0x0F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4, lowest = 0x10000, character = lead & 0x07;
  } else {
    return 0;
  }
  if (at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
    character = (character << 6) | (byte(at + i) & 0x3F);
  }
  if (character < lowest || character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF)) return 0;
  return length;
}

bool unseen(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0xAD || c == 0x61C || c == 0x180E ||
         (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
         (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF || (c >= 0xFFF0 && c <= 0xFFFB) || c >= 0xE0000;
}

bool address_character(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u > 0x20 && u != 0x7F && std::string_view("<>()[]\\,;:\"'@").find(c) == std::string_view::npos;
}

constexpr std::size_t SHORTEST_TOKEN = 20;
constexpr std::string_view MASK = "***";

bool lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool capital(char c) {
  return c >= 'A' && c <= 'Z';
}
bool token_character(char c) {
  return lower(c) || capital(c) || digit(c) || std::string_view("_-+/=").find(c) != std::string_view::npos;
}

// "content-filter", "reject_unauth_destination", "SCRAM": pieces of letters only, without capitals inside.
bool plain_words(std::string_view run) {
  std::size_t letters = 0;
  bool all_capitals = true;
  for (std::size_t at = 0; at < run.size(); ++at) {
    const char c = run[at];
    if (digit(c) || c == '=' || c == '+') return false;
    if (!lower(c) && !capital(c)) {
      letters = 0;
      continue;
    }
    if (letters == 0) all_capitals = capital(c);
    if (letters > 0 && capital(c) && !all_capitals) return false;
    if (letters > 1 && lower(c) && all_capitals) return false;
    if (lower(c)) all_capitals = false;
    if (++letters > SHORTEST_TOKEN) return false;
  }
  return true;
}

// Exim's name of a message, 1rABCd-00000000Xyz-1AbC, is longer than some secrets.
bool exim_id(std::string_view run) {
  return run.size() == 23 && run[6] == '-' && run[18] == '-' &&
         std::count_if(run.begin(), run.end(), [](char c) { return !digit(c) && !lower(c) && !capital(c); }) == 2;
}

// Cuts every URL behind its host; a user name in it goes as well.
std::string cut_urls(std::string_view text) {
  static constexpr std::string_view MARK = "://";
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = text.find(MARK); at != std::string_view::npos; at = text.find(MARK, copied)) {
    std::size_t host = at + MARK.size();
    const std::size_t end = std::min(text.find_first_of(" <>\"", host), text.size());
    const std::size_t path = std::min(text.find_first_of("/?#\\", host), end);
    const std::size_t user = text.substr(host, path - host).rfind('@');
    out.append(text.substr(copied, host - copied));
    if (user != std::string_view::npos) host += user + 1;
    out.append(text.substr(host, path - host));
    if (path < end) out.append("/").append(MASK);
    copied = end;
  }
  return out.append(text.substr(copied));
}

}  // namespace

std::string EnhancedCode::text() const {
  return std::to_string(klass) + '.' + std::to_string(subject) + '.' + std::to_string(detail);
}

std::string Reply::code_text() const {
  std::string text = std::to_string(code);
  if (enhanced.present()) text += ' ' + enhanced.text();
  return text;
}

std::string Reply::words(std::size_t limit) const {
  std::string all;
  for (const std::string& line : lines) {
    std::size_t words_at = 0;
    enhanced_code(line, klass(), words_at);
    if (words_at >= line.size()) continue;
    if (!all.empty()) all += ' ';
    all.append(line, words_at);
    if (all.size() > 4 * limit) break;
  }
  return printable(all, limit);
}

std::size_t ReplyParser::feed(std::string_view bytes) {
  if (state_ == State::broken) return 0;
  if (state_ == State::complete) reset();
  std::size_t used = 0;
  while (used < bytes.size() && state_ == State::reading) {
    const std::string_view rest = bytes.substr(used);
    const std::size_t end = rest.find('\n');
    const std::size_t taken = end == std::string_view::npos ? rest.size() : end + 1;
    const std::string_view piece = rest.substr(0, end);
    if (line_.size() < MAX_LINE + 1) line_.append(piece.substr(0, MAX_LINE + 1 - line_.size()));
    total_ += taken;
    used += taken;
    if (total_ > MAX_REPLY) {
      break_off("an answer of more than " + std::to_string(MAX_REPLY / 1024) + " KiB");
    } else if (end != std::string_view::npos) {
      end_line();
    }
  }
  return used;
}

void ReplyParser::end_line() {
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  if (line_.size() > MAX_LINE) line_.resize(MAX_LINE);
  const std::string_view line = line_;
  if (line.size() < 3 || line[0] < '2' || line[0] > '5' || !digit(line[1]) || !digit(line[2]) ||
      (line.size() > 3 && line[3] != ' ' && line[3] != '-')) {
    break_off("something that is no SMTP answer: \"" + printable(line, 80) + '"');
    return;
  }
  const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  if (!reply_.lines.empty() && reply_.code != code) {
    break_off("an answer whose lines disagree: " + std::to_string(reply_.code) + " and " + std::to_string(code));
    return;
  }
  reply_.code = code;
  const bool more = line.size() > 3 && line[3] == '-';
  reply_.lines.emplace_back(line.substr(std::min<std::size_t>(line.size(), 4)));
  line_.clear();
  if (more) return;
  std::size_t words_at = 0;
  reply_.enhanced = enhanced_code(reply_.lines.back(), reply_.klass(), words_at);
  state_ = State::complete;
}

void ReplyParser::break_off(std::string why) {
  fault_ = std::move(why);
  state_ = State::broken;
}

void ReplyParser::reset() {
  state_ = State::reading;
  line_.clear();
  total_ = 0;
  reply_.code = 0;
  reply_.enhanced = {};
  reply_.lines.clear();
  fault_.clear();
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    char32_t character = 0;
    const std::size_t length = utf8_length(text, at, character);
    const bool blank = length == 1 && (character == ' ' || character == '\t');
    const std::size_t step = std::max<std::size_t>(length, 1);
    if (blank) {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else if (length == 0 || unseen(character)) {
      out += '?';
    } else {
      if (out.size() + step > limit) break;
      out.append(text, at, step);
    }
    if (out.size() >= limit) break;
    at += step;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string mask_addresses(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    std::size_t begin = at;
    if (begin > copied && text[begin - 1] == '"') {
      // A quoted local part may hold blanks and brackets: back to its opening quote.
      const std::size_t open = begin >= 2 ? text.rfind('"', begin - 2) : std::string_view::npos;
      if (open != std::string_view::npos && open >= copied) begin = open;
    } else {
      while (begin > copied && address_character(text[begin - 1])) --begin;
    }
    if (begin == at || at + 1 >= text.size() || !address_character(text[at + 1])) continue;
    out.append(text.substr(copied, begin - copied));
    char32_t character = 0;
    out.append(text.substr(begin, std::max<std::size_t>(utf8_length(text, begin, character), 1)));
    out += "***";
    copied = at;
  }
  out.append(text.substr(copied));
  return out;
}

std::string discreet(std::string_view text, bool at_login) {
  const std::string words = mask_addresses(cut_urls(text));
  std::string out;
  for (std::size_t at = 0; at < words.size();) {
    std::size_t end = at;
    while (end < words.size() && token_character(words[end])) ++end;
    if (end == at) {
      out += words[at++];
      continue;
    }
    const std::string_view run = std::string_view(words).substr(at, end - at);
    const bool hide = at_login ? !plain_words(run) : run.size() >= SHORTEST_TOKEN && !plain_words(run) && !exim_id(run);
    out.append(hide ? MASK : run);
    at = end;
  }
  return out;
}

}  // namespace invited::smtp
