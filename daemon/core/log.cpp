#define SD_JOURNAL_SUPPRESS_LOCATION
#include "core/log.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>

#include "core/log_format.hpp"

namespace invited::core::log {

namespace {

// The logger is process-wide as stderr is. Lines written before start() go to stderr from `info` on.
struct Output {
  std::shared_ptr<spdlog::logger> logger;
  std::atomic<Level> level{Level::info};
  std::atomic<bool> journal{false};

  Output() : logger(std::make_shared<spdlog::logger>("invited", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::trace);
  }
};

Output& output() {
  static Output instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::trace:
      return spdlog::level::trace;
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      break;
  }
  return spdlog::level::err;
}

int to_priority(Level level) {
  switch (level) {
    case Level::trace:
    case Level::debug:
      return 7;
    case Level::info:
      return 6;
    case Level::warning:
      return 4;
    case Level::error:
      break;
  }
  return 3;
}

bool is_visible(UChar32 c) {
  if (c == ' ') return true;
  if (u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT)) return false;
  switch (u_charType(c)) {
    case U_UNASSIGNED:
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR:
    case U_PRIVATE_USE_CHAR:
    case U_SURROGATE:
    case U_SPACE_SEPARATOR:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
      return false;
    default:
      break;
  }
  return c != 0x2800;  // BRAILLE PATTERN BLANK: a symbol by class, a blank to the eye
}

std::string text_value(std::string_view value) {
  const bool plain = !value.empty() && value.find_first_of(" \"\\=") == std::string_view::npos;
  if (plain) return printable(value);
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  quoted += '"';
  return printable(quoted);
}

std::string journal_name(std::string_view key) {
  std::string name = "INVITED_";
  for (const char c : key) {
    if (c >= 'a' && c <= 'z')
      name += static_cast<char>(c - 'a' + 'A');
    else if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
      name += c;
    else
      name += '_';
  }
  return name.substr(0, 64);  // the journal's own limit
}

bool is_message_id(std::string_view id) {
  return id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool send_to_journal(const std::vector<std::string>& entries) {
  std::vector<iovec> parts;
  parts.reserve(entries.size());
  for (const std::string& entry : entries) parts.push_back(iovec{const_cast<char*>(entry.data()), entry.size()});
  return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

}  // namespace

std::string text_line(const Event& event, std::string_view sentence, std::span<const Field> fields) {
  std::string line = fmt::format("{} {}", printable(event.id), printable(sentence));
  for (const auto& [key, value] : fields) line += fmt::format(" {}={}", printable(key), text_value(value));
  return line;
}

std::vector<std::string> journal_fields(Level level, const Event& event, std::string_view sentence,
                                        std::span<const Field> fields) {
  std::vector<std::string> entries;
  entries.reserve(fields.size() + 5);
  std::string message = printable(sentence);
  for (const auto& [key, value] : fields) message += fmt::format(" {}={}", printable(key), text_value(value));
  entries.push_back("MESSAGE=" + message);
  entries.push_back(fmt::format("PRIORITY={}", to_priority(level)));
  entries.push_back("SYSLOG_IDENTIFIER=invited");
  entries.push_back("INVITED_EVENT=" + printable(event.id));
  if (is_message_id(event.message_id)) entries.push_back(fmt::format("MESSAGE_ID={}", event.message_id));
  for (const auto& [key, value] : fields) entries.push_back(journal_name(key) + "=" + printable(value));
  return entries;
}

bool is_journal_stream(const char* journal_stream, int descriptor) {
  if (journal_stream == nullptr) return false;
  struct stat file{};
  if (::fstat(descriptor, &file) != 0) return false;
  return fmt::format("{}:{}", file.st_dev, file.st_ino) == journal_stream;
}

void start(Level level) {
  output().journal = is_journal_stream(std::getenv("JOURNAL_STREAM"), STDERR_FILENO);
  set_level(level);
}

void set_level(Level level) {
  output().level = level;
}

bool enabled(Level level) {
  return level >= output().level.load();
}

void write(Level level, const Event& event, std::string_view sentence, std::initializer_list<Field> fields) {
  if (!enabled(level)) return;
  const std::span<const Field> all(fields.begin(), fields.size());
  Output& out = output();
  if (out.journal && send_to_journal(journal_fields(level, event, sentence, all))) return;
  out.logger->log(to_spdlog(level), "{}", text_line(event, sentence, all));
}

std::string mask_email(std::string_view address) {
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos) return "***";
  const auto local = address.substr(0, at);
  std::size_t first = 0;
  if (!local.empty()) {
    int32_t next = 0;
    U8_FWD_1(local.data(), next, static_cast<int32_t>(local.size()));
    first = static_cast<std::size_t>(next);
  }
  // A local part of one character would be shown whole.
  const bool short_local = first == local.size();
  return fmt::format("{}***@{}", short_local ? "" : printable(local.substr(0, first)),
                     printable(address.substr(at + 1)));
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const char* data = text.data();
  const auto size = static_cast<int32_t>(std::min<std::size_t>(text.size(), INT32_MAX));
  for (int32_t at = 0; at < size;) {
    const int32_t begin = at;
    if (data[at] >= 0x20 && data[at] < 0x7f) {
      out += data[at++];
      continue;
    }
    UChar32 c = 0;
    U8_NEXT(data, at, size, c);
    if (c < 0) {
      for (int32_t i = begin; i < at; ++i)
        out += fmt::format("\\x{{{:02x}}}", static_cast<unsigned>(static_cast<unsigned char>(data[i])));
    } else if (is_visible(c)) {
      out.append(data + begin, static_cast<std::size_t>(at - begin));
    } else {
      out += fmt::format("\\u{{{:x}}}", static_cast<unsigned>(c));
    }
  }
  return out;
}

}  // namespace invited::core::log
