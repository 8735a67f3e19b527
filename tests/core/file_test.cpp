#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>

#include "core/file.hpp"
#include "support/temp_folder.hpp"

using namespace invited::core;
using invited::test::TempFolder;
namespace fs = std::filesystem;

namespace {

unsigned mode_of(const fs::path& path) {
  struct stat about{};
  REQUIRE(::lstat(path.c_str(), &about) == 0);
  return about.st_mode & 07777;
}

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("what is written is read again, byte for byte") {
  TempFolder folder;
  const std::string bytes = GENERATE(std::string(), std::string("a\0b\r\n\xff", 6), std::string(100'000, 'x'));
  REQUIRE(write_file_atomically(folder / "f", bytes, 0600));
  CHECK(read_file(folder / "f", 100'000).value() == bytes);
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("the mode is exactly the one asked for, whatever the umask") {
  TempFolder folder;
  const mode_t old = ::umask(077);
  const auto restore =
      std::unique_ptr<const mode_t, void (*)(const mode_t*)>(&old, [](const mode_t* m) { ::umask(*m); });
  REQUIRE(write_file_atomically(folder / "f", "x", 0644));
  CHECK(mode_of(folder / "f") == 0644);
  REQUIRE(write_file_atomically(folder / "f", "y", 0400));
  CHECK(mode_of(folder / "f") == 0400);
}

TEST_CASE("a write replaces a link and leaves what it points to alone") {
  TempFolder folder;
  REQUIRE(write_file_atomically(folder / "target", "old", 0600));
  fs::create_symlink(folder / "target", folder / "link");
  REQUIRE(write_file_atomically(folder / "link", "new", 0600));
  CHECK(read_file(folder / "target", 10).value() == "old");
  CHECK(read_file(folder / "link", 10).value() == "new");
  CHECK_FALSE(fs::is_symlink(folder / "link"));
}

TEST_CASE("a write that fails leaves the old file and nothing else") {
  TempFolder folder;
  REQUIRE(write_file_atomically(folder / "f", "old", 0600));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1000;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto written = write_file_atomically(folder / "f", std::string(5000, 'n'), 0600);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  REQUIRE_FALSE(written);
  CHECK(written.error().kind == ErrorKind::unavailable);
  CHECK(read_file(folder / "f", 10).value() == "old");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("writing over a folder or into none fails and leaves nothing behind") {
  TempFolder folder;
  fs::create_directory(folder / "d");
  CHECK_FALSE(write_file_atomically(folder / "d", "x", 0600));
  CHECK(entries(folder.path()) == 1);
  const auto written = write_file_atomically(folder / "none" / "f", "x", 0600);
  REQUIRE_FALSE(written);
  CHECK(written.error().kind == ErrorKind::not_found);
}

TEST_CASE("a file of exactly the limit is read, one byte more is too large") {
  TempFolder folder;
  REQUIRE(write_file_atomically(folder / "f", "12345", 0600));
  CHECK(read_file(folder / "f", 5).value() == "12345");
  const auto over = read_file(folder / "f", 4);
  REQUIRE_FALSE(over);
  CHECK(over.error().kind == ErrorKind::too_large);
  CHECK(over.error().location == (folder / "f").string());
}

TEST_CASE("a file whose size is not told beforehand is read whole and limited as well") {
  REQUIRE(read_file("/proc/self/status", 1 << 20).value().size() > 100);
  CHECK(read_file("/proc/self/status", 10).error().kind == ErrorKind::too_large);
}

TEST_CASE("a missing file, a folder, a pipe and a device are told apart from a file, without waiting") {
  TempFolder folder;
  CHECK(read_file(folder / "none", 10).error().kind == ErrorKind::not_found);
  CHECK(read_file(folder.path(), 10).error().kind == ErrorKind::invalid);
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(read_file(folder / "pipe", 10).error().code == "not_a_regular_file");
  CHECK(read_file("/dev/zero", 10).error().kind == ErrorKind::invalid);
}
