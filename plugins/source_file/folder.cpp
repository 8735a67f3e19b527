#include "folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>

namespace invited::file {

namespace {

constexpr std::size_t block_size = std::size_t{128} * 1024;
constexpr std::int64_t look_at_open_ms = 1'000;
constexpr std::int64_t open_is_odd_ms = 60'000;

std::int64_t ns(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Identity identity_of(const struct stat& kind) {
  return {kind.st_dev, kind.st_ino, kind.st_size, ns(kind.st_mtim), ns(kind.st_ctim)};
}

// Renaming changes the time of the last change, and nothing else.
bool same_content(const Identity& a, const Identity& b) {
  return a.device == b.device && a.inode == b.inode && a.size == b.size && a.modified_ns == b.modified_ns;
}

[[noreturn]] void refused(const std::string& what) {
  throw Failure(Status::retry, what + ": " + std::strerror(errno), "/path");
}

Descriptor open_shelf(int folder, const char* name, const std::string& shown, std::uint32_t owner) {
  if (::mkdirat(folder, name, 0700) != 0 && errno != EEXIST) refused("cannot make the folder " + shown);
  Descriptor fd(::openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) refused("cannot open the folder " + shown);
  struct stat kind{};
  if (::fstat(fd.get(), &kind) != 0) refused("cannot open the folder " + shown);
  if (kind.st_uid != ::geteuid() && kind.st_uid != 0 && kind.st_uid != owner)
    throw Failure(Status::retry,
                  "the folder " + shown + " belongs to a stranger (uid " + std::to_string(kind.st_uid) + ")", "/path");
  return fd;
}

// A lease for reading is refused while anybody has the file open for writing. Unknown (no such thing on this file
// system, or another owner) counts as not.
bool is_open_for_writing(int fd) {
  // Whoever opens it in between would otherwise be announced by SIGIO, which ends a process that does not expect it.
  if (::fcntl(fd, F_SETSIG, SIGURG) != 0) return false;
  if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
    ::fcntl(fd, F_SETLEASE, F_UNLCK);
    return false;
  }
  return errno == EAGAIN;
}

// What the file system's own clock says, which nobody can set on a file.
std::optional<std::int64_t> file_system_now_ns(int shelf) {
  struct stat kind{};
  if (::futimens(shelf, nullptr) != 0 || ::fstat(shelf, &kind) != 0) return std::nullopt;
  return ns(kind.st_ctim);
}

bool is_plain_text(std::string_view name) {
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) return false;
  }
  try {
    Json::parse(json_quoted(name));
    return true;
  } catch (const JsonError&) {
    return false;
  }
}

void write_file(int folder, const std::string& name, std::string_view content, const std::string& shown) {
  ::unlinkat(folder, name.c_str(), 0);
  const Descriptor fd(::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) refused("cannot write " + shown);
  while (!content.empty()) {
    const ssize_t written = ::write(fd.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refused("cannot write " + shown);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd.get()) != 0) refused("cannot write " + shown);
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

// In lower case, without the dot; empty for hidden files.
std::string ending_of(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || name.front() == '.') return {};
  std::string ending(name.substr(dot + 1));
  for (char& c : ending) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return ending;
}

bool is_wanted(std::string_view name) {
  const std::string ending = ending_of(name);
  return ending == "csv" || ending == "txt" || ending == "tsv";
}

// Somebody means it to be read.
bool is_sheet(std::string_view name) {
  const std::string ending = ending_of(name);
  return ending == "xlsx" || ending == "xlsm" || ending == "xls" || ending == "ods";
}

std::string stamped(std::string_view name, std::int64_t now_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(now_ms)};
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss time{floor<seconds>(at - day)};
  char text[64];
  std::snprintf(text, sizeof text, "-%04d%02u%02uT%02d%02d%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  const auto dot = name.rfind('.');
  return std::string(name.substr(0, dot)) + text + (dot == std::string_view::npos ? "" : std::string(name.substr(dot)));
}

// ---- one file ----

std::string_view TakenFile::read() {
  block_.resize(block_size);
  ssize_t got = 0;
  do {
    got = ::pread(fd_.get(), block_.data(), block_.size(), at_);
  } while (got < 0 && errno == EINTR);
  if (got < 0) refused("cannot read " + name_);
  struct stat kind{};
  if (::fstat(fd_.get(), &kind) != 0) refused("cannot read " + name_);
  const Identity now = identity_of(kind);
  if (now != identity_ || (got == 0 && at_ != identity_.size))
    throw Failure(Status::retry, name_ + " changed while it was read; it is read again when it stands still");
  at_ += got;
  return {block_.data(), static_cast<std::size_t>(got)};
}

// ---- the watch ----

struct Watch::Shared {
  std::function<void()> on_change;
  Descriptor events, stop;
  std::mutex mutex;
  std::set<std::string> arrived;
  int watched = -1;
  std::uint64_t device = 0, inode = 0;
  std::thread thread;

  // Under the mutex. Whether there was anything worth a look.
  bool drain() {
    bool worth = false;
    alignas(inotify_event) std::array<char, std::size_t{16} * 1024> buffer;
    for (;;) {
      const ssize_t got = ::read(events.get(), buffer.data(), buffer.size());
      if (got <= 0) return worth;
      for (ssize_t at = 0; at < got;) {
        inotify_event event{};
        std::memcpy(&event, buffer.data() + at, sizeof event);
        const char* const name = buffer.data() + at + sizeof event;
        if ((event.mask & IN_Q_OVERFLOW) != 0) worth = true;
        if ((event.mask & IN_IGNORED) != 0 && event.wd == watched) watched = -1;
        if (event.len > 0 && is_wanted(name)) {
          worth = true;
          if ((event.mask & IN_MOVED_TO) != 0) arrived.insert(name);
        }
        at += static_cast<ssize_t>(sizeof event + event.len);
      }
    }
  }

  void run() {
    for (;;) {
      std::array<pollfd, 2> wait{{{events.get(), POLLIN, 0}, {stop.get(), POLLIN, 0}}};
      const int ready = ::poll(wait.data(), wait.size(), -1);
      if (ready < 0 && errno != EINTR) return;
      if (wait[1].revents != 0) return;
      bool worth = false;
      {
        const std::lock_guard lock(mutex);
        worth = drain();
      }
      if (worth) on_change();
    }
  }
};

Watch::Watch(std::function<void()> on_change) : shared_(std::make_unique<Shared>()) {
  shared_->on_change = std::move(on_change);
  shared_->events = Descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  shared_->stop = Descriptor(::eventfd(0, EFD_CLOEXEC));
  if (!shared_->events || !shared_->stop) return;
  // The daemon's signals are for its own threads.
  sigset_t all{};
  sigset_t before{};
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    shared_->thread = std::thread([shared = shared_.get()] { shared->run(); });
  } catch (const std::exception&) {
    shared_->events = Descriptor();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Watch::~Watch() {
  if (!shared_->thread.joinable()) return;
  const std::uint64_t one = 1;
  while (::write(shared_->stop.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  shared_->thread.join();
}

void Watch::arm(const std::string& path, std::uint64_t device, std::uint64_t inode) {
  if (!shared_->events) return;
  const std::lock_guard lock(shared_->mutex);
  if (shared_->watched >= 0 && shared_->device == device && shared_->inode == inode) return;
  if (shared_->watched >= 0) ::inotify_rm_watch(shared_->events.get(), shared_->watched);
  shared_->watched =
      ::inotify_add_watch(shared_->events.get(), path.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR);
  shared_->device = device;
  shared_->inode = inode;
}

std::set<std::string> Watch::take_arrived() {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->events) shared_->drain();
  return std::exchange(shared_->arrived, {});
}

// ---- the folder ----

Folder::Folder(std::string path, Host host, std::function<void()> on_change)
    : path_(std::move(path)), host_(host), on_change_(std::move(on_change)) {}

Folder::Shelves Folder::open() {
  Shelves result;
  result.folder = Descriptor(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!result.folder) refused("cannot open the folder " + path_ + " to read files from");
  struct stat kind{};
  if (::fstat(result.folder.get(), &kind) != 0) refused("cannot open the folder " + path_);
  result.owner = kind.st_uid;
  // A file that could not be moved away afterwards would be read for ever.
  if (::faccessat(result.folder.get(), ".", W_OK | X_OK, AT_EACCESS) != 0)
    refused("the folder " + path_ + " must be writable for invited, which moves finished files to done/");
  result.done = open_shelf(result.folder.get(), "done", path_ + "/done", result.owner);
  result.failed = open_shelf(result.folder.get(), "failed", path_ + "/failed", result.owner);
  if (!watch_) watch_ = std::make_unique<Watch>(on_change_);
  watch_->arm(path_, kind.st_dev, kind.st_ino);
  return result;
}

void Folder::say_once(const std::string& name, const std::string& what) {
  std::string& said = said_[name];
  if (said == what) return;
  said = what;
  host_.log(LogLevel::warning, "a file is not read: " + what,
            {{"file", is_plain_text(name) ? name : "?"}, {"folder", path_}});
}

namespace {
// A time and the name of the result table are put behind it; a name has at most 255.
constexpr std::size_t longest_name = 200;
}  // namespace

std::optional<Identity> Folder::acceptable(const std::string& name, const struct stat& kind, std::uint32_t owner) {
  if (S_ISDIR(kind.st_mode)) return std::nullopt;
  if (S_ISLNK(kind.st_mode)) {
    say_once(name, "it is a link; put the file itself here");
  } else if (!S_ISREG(kind.st_mode)) {
    say_once(name, "it is no regular file");
  } else if (kind.st_nlink != 1) {
    say_once(name, "it has a second name (a hard link) somewhere; copy it instead");
  } else if (kind.st_uid != owner && kind.st_uid != ::geteuid() && kind.st_uid != 0) {
    say_once(name, "it belongs to uid " + std::to_string(kind.st_uid) +
                       ", which is neither the folder's owner nor invited nor root");
  } else if (!is_plain_text(name)) {
    say_once(name, "its name is not readable text (UTF-8)");
  } else if (name.size() > longest_name) {
    say_once(name, "its name has more than " + std::to_string(longest_name) + " octets; shorten it");
  } else {
    return identity_of(kind);
  }
  return std::nullopt;
}

Look Folder::look() {
  Look result;
  const Shelves shelves = open();
  const int folder = shelves.folder.get();
  const std::set<std::string> arrived = watch_->take_arrived();
  const std::int64_t now = host_.clock().monotonic_ms();

  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const listing = copy < 0 ? nullptr : ::fdopendir(copy);
  if (listing == nullptr) {
    if (copy >= 0) ::close(copy);
    refused("cannot list the folder " + path_);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> closing(listing, &::closedir);
  std::map<std::string, Seen> seen;
  std::set<std::string> there;
  while (const dirent* entry = ::readdir(listing)) {
    const std::string name = entry->d_name;
    struct stat kind{};
    if (is_sheet(name)) {
      there.insert(name);
      say_once(name, "it is a spreadsheet; save it as CSV and put that here");
    }
    if (!is_wanted(name) || ::fstatat(folder, name.c_str(), &kind, AT_SYMLINK_NOFOLLOW) != 0) continue;
    there.insert(name);
    const auto identity = acceptable(name, kind, shelves.owner);
    if (!identity) continue;
    said_.erase(name);
    const auto before = seen_.find(name);
    Seen& mine = seen[name];
    mine = before != seen_.end() && before->second.identity == *identity ? before->second : Seen{*identity, now};
    mine.arrived = mine.arrived || arrived.contains(name);
  }
  seen_ = std::move(seen);
  std::erase_if(said_, [&there](const auto& said) { return !there.contains(said.first); });
  if (seen_.empty()) return result;

  const std::int64_t disk_now = file_system_now_ns(shelves.done.get()).value_or(0);
  std::vector<std::pair<std::int64_t, std::string>> ready;
  const auto again = [&result](std::int64_t in_ms) {
    result.again_in_ms = std::min(result.again_in_ms.value_or(in_ms), in_ms);
  };
  for (const auto& [name, file] : seen_) {
    const std::int64_t looked_ms = now - file.since_ms;
    const std::int64_t disk_ms = (disk_now - file.identity.changed_ns) / 1'000'000;
    if (file.arrived || looked_ms >= still_ms || disk_ms >= still_ms) {
      ready.emplace_back(file.identity.modified_ns, name);
    } else {
      again(still_ms - std::max<std::int64_t>({looked_ms, disk_ms, 0}));
    }
  }
  std::sort(ready.begin(), ready.end());
  for (const auto& [modified, name] : ready) {
    const Identity& identity = seen_.at(name).identity;
    // Without waiting for the other end of a FIFO that took the file's place, and without following a link that did.
    Descriptor fd(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat kind{};
    if (fd) {
      if (::fstat(fd.get(), &kind) != 0 || !acceptable(name, kind, shelves.owner) || identity_of(kind) != identity) {
        again(still_ms);  // something else has its name now
        continue;
      }
      if (is_open_for_writing(fd.get())) {
        Seen& held = seen_.at(name);
        if (now - held.since_ms >= open_is_odd_ms && !std::exchange(held.is_said, true))
          host_.log(LogLevel::warning, "a file waits: another process has it open for writing",
                    {{"file", name}, {"folder", path_}});
        again(look_at_open_ms);
        continue;
      }
    } else if (errno != EACCES && errno != EPERM) {
      again(still_ms);
      continue;
    }
    if (result.file) {
      result.more = true;
      break;
    }
    result.file.emplace(name, identity, std::move(fd));
  }
  return result;
}

void Folder::settle(const TakenFile& file, Shelf shelf, std::string_view result) {
  const Shelves shelves = open();
  const int folder = shelves.folder.get();
  const int to = shelf == Shelf::done ? shelves.done.get() : shelves.failed.get();
  const std::string shown = path_ + (shelf == Shelf::done ? "/done" : "/failed");
  const auto stands_at = [](int at, const std::string& name) {
    struct stat kind{};
    return ::fstatat(at, name.c_str(), &kind, AT_SYMLINK_NOFOLLOW) == 0 ? identity_of(kind) : Identity{};
  };
  if (stands_at(folder, file.name()) != file.identity()) {
    host_.log(LogLevel::warning, "a file was changed or taken away after it was read; it stays where it is",
              {{"file", file.name()}, {"folder", path_}});
    return;
  }
  const auto taken = [&](const std::string& name) {
    struct stat kind{};
    return ::fstatat(to, name.c_str(), &kind, AT_SYMLINK_NOFOLLOW) == 0;
  };
  std::string name = file.name();
  if (taken(name)) name = stamped(file.name(), host_.clock().now_ms());
  for (int i = 2; taken(name); ++i) {
    const std::string base = stamped(file.name(), host_.clock().now_ms());
    const auto dot = base.rfind('.');
    name = base.substr(0, dot) + "-" + std::to_string(i) + base.substr(dot);
  }
  // The result first: a crash in between reads the file again and writes the result anew.
  const std::string table = name + ".result.csv";
  const std::string draft = "." + table + ".part";
  write_file(to, draft, result, shown + "/" + table);
  if (::renameat(to, draft.c_str(), to, table.c_str()) != 0) refused("cannot write " + shown + "/" + table);
  if (::renameat2(folder, file.name().c_str(), to, name.c_str(), RENAME_NOREPLACE) != 0)
    refused("cannot move " + file.name() + " to " + shown);
  if (!same_content(stands_at(to, name), file.identity())) {
    // Another file came under this name at the last moment: it has not been read.
    if (::renameat2(to, name.c_str(), folder, file.name().c_str(), RENAME_NOREPLACE) != 0)
      refused("cannot move " + name + " back from " + shown + "; it has not been read");
    return;
  }
  seen_.erase(file.name());
  if (::fsync(to) != 0 || ::fsync(folder) != 0) refused("cannot sync the folder " + path_);
}

}  // namespace invited::file
