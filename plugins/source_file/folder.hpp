// The folder that files are dropped into: which of them may be read now, and what becomes of them afterwards.
//
// A file may be read when nobody has it open for writing any more and it either arrived by rename or stood still for
// two seconds. Hidden files, links of either kind, anything that is no regular file, and files of strangers are left
// where they are and said once in the log. What is read is the descriptor that was looked at, never the name again.
//
//   Folder folder("/var/lib/invited/import", host);
//   Look look = folder.look();                          // Failure(retry) when the folder is no good
//   if (look.file) { while (look.file->read(block)) …; folder.settle(*look.file, Folder::Shelf::done, table); }
//
// All but the watch's thread runs on the instance's own thread.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <invited/cpp/roles.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace invited::file {

class Descriptor {
public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

private:
  int fd_ = -1;
};

// Which file, in which state: a change of any byte changes it.
struct Identity {
  std::uint64_t device = 0, inode = 0;
  std::int64_t size = 0, modified_ns = 0, changed_ns = 0;
  bool operator==(const Identity&) const = default;
};

class TakenFile {
public:
  TakenFile(std::string name, Identity identity, Descriptor fd) noexcept
      : name_(std::move(name)), identity_(identity), fd_(std::move(fd)) {}
  const std::string& name() const { return name_; }
  std::int64_t size() const { return identity_.size; }
  const Identity& identity() const { return identity_; }
  // False: this account may not read it; then read() must not be called.
  bool readable() const { return static_cast<bool>(fd_); }
  // The next piece from the beginning or from where the last one ended; empty at the end. Every piece is of the state
  // that was looked at: Failure(retry) when the file changes meanwhile.
  std::string_view read();
  void rewind() { at_ = 0; }

private:
  std::string name_;
  Identity identity_;
  Descriptor fd_;
  std::int64_t at_ = 0;
  std::vector<char> block_;
};

struct Look {
  std::optional<TakenFile> file;            // the oldest one that may be read
  bool more = false;                        // others may be read as well
  std::optional<std::int64_t> again_in_ms;  // some may be ready then
};

// Tells when something in the folder deserves a look. Works without when the system refuses: then a look has to be
// asked for.
class Watch {
public:
  explicit Watch(std::function<void()> on_change);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();
  // Watches this folder from now on; does nothing when it does already.
  void arm(const std::string& path, std::uint64_t device, std::uint64_t inode);
  // The names that arrived by rename since the last call.
  std::set<std::string> take_arrived();

private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

class Folder {
public:
  static constexpr std::int64_t still_ms = 2000;
  enum class Shelf { done, failed };

  // Touches nothing yet. `on_change` may come from another thread.
  Folder(std::string path, Host host, std::function<void()> on_change);

  Look look();
  // Writes RESULT beside the file's future place and moves the file there, under a name that is free. A file that is
  // not as it was read any more stays where it is. Failure(retry) when the disk refuses; a repeat is harmless.
  void settle(const TakenFile& file, Shelf shelf, std::string_view result);
  const std::string& path() const { return path_; }

private:
  struct Seen {
    Identity identity;
    std::int64_t since_ms = 0;  // monotonic
    bool arrived = false;       // by rename
    bool is_said = false;       // that somebody keeps it open
  };
  struct Shelves {
    Descriptor folder, done, failed;
    std::uint32_t owner = 0;
  };
  Shelves open();
  void say_once(const std::string& name, const std::string& what);
  std::optional<Identity> acceptable(const std::string& name, const struct stat& kind, std::uint32_t owner);

  std::string path_;
  Host host_;
  std::function<void()> on_change_;
  std::unique_ptr<Watch> watch_;
  std::map<std::string, Seen> seen_;
  std::map<std::string, std::string> said_;
};

// Whether files of this name are taken at all: *.csv, *.txt, *.tsv in any case, not hidden.
bool is_wanted(std::string_view name);

// "people.csv" at 2026-11-30T08:00:00Z → "people-20261130T080000Z.csv"
std::string stamped(std::string_view name, std::int64_t now_ms);

}  // namespace invited::file
