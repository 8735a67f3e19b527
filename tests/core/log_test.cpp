#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <regex>

#include "core/file.hpp"
#include "core/log.hpp"
#include "core/log_format.hpp"
#include "support/temp_folder.hpp"

using namespace invited::core;
using invited::test::TempFolder;

namespace {

constexpr log::Event accepted{"delivery.accepted", "0123456789abcdef0123456789abcdef"};

std::string stderr_of(const std::function<void()>& what) {
  TempFolder folder;
  const int file = ::open((folder / "err").c_str(), O_RDWR | O_CREAT, 0600);
  const int old = ::dup(STDERR_FILENO);
  ::dup2(file, STDERR_FILENO);
  what();
  ::dup2(old, STDERR_FILENO);
  ::close(old);
  ::close(file);
  return read_file(folder / "err", 1 << 20).value();
}

std::string text(std::string_view sentence, std::vector<log::Field> fields) {
  return log::text_line(accepted, sentence, fields);
}

}  // namespace

TEST_CASE("ordinary names pass as they are, in every script") {
  const auto name = GENERATE(values<std::string>({"", "Anna Berg", "Åsa Öström", "Zoë", "Łukasz", "山田 太郎", "Иван",
                                                  "محمد", "O'Neil-Smith \\ (\"x\")", "😀", "e\xcc\x81"}));
  CHECK(log::printable(name) == name);
}

TEST_CASE("what cannot be seen or steers the reader's screen is spelled out") {
  CHECK(log::printable("a\nb\r\t\x1b[31m") == "a\\u{a}b\\u{d}\\u{9}\\u{1b}[31m");
  CHECK(log::printable(std::string_view("\0", 1)) == "\\u{0}");
  CHECK(log::printable("\x7f") == "\\u{7f}");
  CHECK(log::printable("\xc2\x85") == "\\u{85}");             // next line
  CHECK(log::printable("\xc2\x9b") == "\\u{9b}");             // eight-bit CSI
  CHECK(log::printable("\xc2\xa0") == "\\u{a0}");             // no-break space
  CHECK(log::printable("\xc2\xad") == "\\u{ad}");             // soft hyphen
  CHECK(log::printable("a\xe2\x80\x8b") == "a\\u{200b}");     // zero-width space
  CHECK(log::printable("\xe2\x80\xae") == "\\u{202e}");       // right-to-left override
  CHECK(log::printable("\xe2\x81\xa6") == "\\u{2066}");       // left-to-right isolate
  CHECK(log::printable("\xe2\x80\xa8") == "\\u{2028}");       // line separator
  CHECK(log::printable("\xef\xbb\xbf") == "\\u{feff}");       // byte-order mark
  CHECK(log::printable("\xe3\x85\xa4") == "\\u{3164}");       // Hangul filler: a letter that shows nothing
  CHECK(log::printable("\xe2\xa0\x80") == "\\u{2800}");       // Braille blank
  CHECK(log::printable("\xef\xb8\x8f") == "\\u{fe0f}");       // variation selector
  CHECK(log::printable("\xf3\xa0\x81\x81") == "\\u{e0041}");  // tag character
  CHECK(log::printable("\xee\x80\x80") == "\\u{e000}");       // private use
}

TEST_CASE("bytes that are not UTF-8 are spelled out one by one") {
  CHECK(log::printable("a\xff") == "a\\x{ff}");
  CHECK(log::printable("\xc3") == "\\x{c3}");
  CHECK(log::printable("\xc0\xaf") == "\\x{c0}\\x{af}");                        // overlong
  CHECK(log::printable("\xed\xa0\x80") == "\\x{ed}\\x{a0}\\x{80}");             // surrogate
  CHECK(log::printable("\xf4\x90\x80\x80") == "\\x{f4}\\x{90}\\x{80}\\x{80}");  // beyond Unicode
  CHECK(log::printable("\xe2\x82z") == "\\x{e2}\\x{82}z");
}

TEST_CASE("no byte or pair of bytes gets a control character through") {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::array<char, 2> pair{static_cast<char>(first), static_cast<char>(second)};
      for (const char c : log::printable({pair.data(), 2}))
        REQUIRE((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
    }
  }
}

TEST_CASE("an address is masked to its first character and its domain") {
  CHECK(log::mask_email("anna.berg@example.com") == "a***@example.com");
  CHECK(log::mask_email("åsa@example.com") == "å***@example.com");
  CHECK(log::mask_email("a@example.com") == "***@example.com");
  CHECK(log::mask_email("\"a@b\"@example.com") == "\"***@example.com");
  CHECK(log::mask_email("@example.com") == "***@example.com");
  CHECK(log::mask_email("anna.berg") == "***");
  CHECK(log::mask_email("") == "***");
  CHECK(log::mask_email("anna@ex\nample.com") == "a***@ex\\u{a}ample.com");
  CHECK(log::mask_email("\xff\xfe@example.com") == "\\x{ff}***@example.com");
}

TEST_CASE("a line of text holds event, sentence and fields, and nothing can forge another") {
  CHECK(text("Mail accepted", {}) == "delivery.accepted Mail accepted");
  CHECK(text("Mail accepted", {{"user", "u1"}, {"name", "Anna Berg"}, {"note", ""}}) ==
        "delivery.accepted Mail accepted user=u1 name=\"Anna Berg\" note=\"\"");
  CHECK(text("x", {{"name", "a\" role=admin"}}) == "delivery.accepted x name=\"a\\\" role=admin\"");
  CHECK(text("x", {{"name", "a role=admin\\"}}) == "delivery.accepted x name=\"a role=admin\\\\\"");
  CHECK(text("x\ny", {{"name", "a\n2026-01-01 error"}}) ==
        "delivery.accepted x\\u{a}y name=\"a\\u{a}2026-01-01 error\"");
}

TEST_CASE("journal fields carry id, priority and one entry per field") {
  const std::vector<log::Field> fields{{"user", "u1"}, {"first-name", "Anna Berg"}};
  CHECK(log::journal_fields(log::Level::warning, accepted, "Mail accepted", fields) ==
        std::vector<std::string>{"MESSAGE=Mail accepted user=u1 first-name=\"Anna Berg\"", "PRIORITY=4",
                                 "SYSLOG_IDENTIFIER=invited", "INVITED_EVENT=delivery.accepted",
                                 "MESSAGE_ID=0123456789abcdef0123456789abcdef", "INVITED_USER=u1",
                                 "INVITED_FIRST_NAME=Anna Berg"});
  const std::vector<std::string> plain = log::journal_fields(log::Level::error, {"x", "no id"}, "y", {});
  CHECK(plain == std::vector<std::string>{"MESSAGE=y", "PRIORITY=3", "SYSLOG_IDENTIFIER=invited", "INVITED_EVENT=x"});
  const std::vector<log::Field> forged{{"a\nPRIORITY", "1\nMESSAGE=fake"}};
  CHECK(log::journal_fields(log::Level::info, {"x", ""}, "y", forged).back() ==
        "INVITED_A_PRIORITY=1\\u{a}MESSAGE=fake");
}

TEST_CASE("stderr is the journal only if the variable names that very file") {
  struct stat file{};
  REQUIRE(::fstat(STDIN_FILENO, &file) == 0);
  CHECK(log::is_journal_stream(fmt::format("{}:{}", file.st_dev, file.st_ino).c_str(), STDIN_FILENO));
  CHECK_FALSE(log::is_journal_stream(fmt::format("{}:{}", file.st_dev, file.st_ino + 1).c_str(), STDIN_FILENO));
  CHECK_FALSE(log::is_journal_stream(nullptr, STDIN_FILENO));
  CHECK_FALSE(log::is_journal_stream("", STDIN_FILENO));
  CHECK_FALSE(log::is_journal_stream("1:2", -1));
}

TEST_CASE("lines of the level and above reach stderr, each on one line with time and level") {
  const std::string out = stderr_of([] {
    log::start(log::Level::info);
    log::debug(accepted, "not shown");
    log::info(accepted, "shown", {{"user", "u1"}, {"braces", "{}{0}"}});
    log::set_level(log::Level::error);
    CHECK_FALSE(log::enabled(log::Level::warning));
    log::warning(accepted, "not shown");
    log::error(accepted, "shown\nfake");
    log::set_level(log::Level::info);
  });
  CHECK(std::regex_match(
      out,
      std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info delivery\.accepted shown user=u1 braces=\{\}\{0\}\n)"
                 R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z error delivery\.accepted shown\\u\{a\}fake\n)")));
}
