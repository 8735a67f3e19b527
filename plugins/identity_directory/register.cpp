#include "register.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <invited/cpp/json.hpp>
#include <utility>

namespace invited::directory {

namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

[[noreturn]] void unavailable(const std::string& what) {
  throw Unavailable(what + ": " + std::strerror(errno));
}

void member(std::string& line, const char* key, std::string_view value) {
  if (value.empty()) return;
  line += line.size() == 1 ? "\"" : ",\"";
  line += key;
  line += "\":" + json_quoted(value);
}

std::string line_of(const Entry& entry) {
  std::string line = "{";
  member(line, "external_id", entry.external_id);
  member(line, "login_email", entry.login_email);
  member(line, "name", entry.name);
  member(line, "provider_id", entry.provider_id);
  member(line, "created_at", entry.created_at);
  member(line, "updated_at", entry.updated_at);
  member(line, "password_reset_at", entry.password_reset_at);
  return line + "}\n";
}

// False: the disk took only part or nothing; errno says why.
bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool sync_folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced;
}

}  // namespace

Register::~Register() {
  forget();
  if (lock_ >= 0) ::close(lock_);
}

// What is in memory may differ from the disk: the next open() starts anew.
void Register::forget() noexcept {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
}

void Register::read() {
  if (file_ >= 0) return;
  const int fd = ::open(path_.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    if (errno != ENOENT) unavailable("cannot open " + path_);
    accounts_.clear();
    by_email_.clear();
    return;
  }
  try {
    load(fd);
  } catch (...) {
    ::close(fd);
    throw;
  }
  ::close(fd);
}

void Register::open() {
  if (file_ >= 0) return;
  if (lock_ < 0) {
    const std::string name = path_ + ".lock";
    const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) unavailable("cannot open " + name);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int why = errno;
      ::close(fd);
      if (why == EWOULDBLOCK) throw Unavailable("another process or instance uses " + path_ + "; each needs its own");
      errno = why;
      unavailable("cannot lock " + name);
    }
    lock_ = fd;
  }
  const bool fresh = ::access(path_.c_str(), F_OK) != 0;
  file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
  if (file_ < 0) unavailable("cannot open " + path_);
  try {
    load(file_);
    if (fresh && !sync_folder_of(path_)) unavailable("cannot sync the folder of " + path_);
    struct stat now{};
    if (::fstat(file_, &now) != 0) unavailable("cannot read " + path_);
    if (now.st_size > good_size_ && ::ftruncate(file_, good_size_) != 0)
      unavailable("cannot repair the last line of " + path_);
    if (!unended_.empty()) append(std::exchange(unended_, {}) + "\n");
    if (lines_ > 2 * accounts_.size() + 100) compact();
  } catch (...) {
    forget();
    throw;
  }
}

void Register::load(int fd) {
  struct stat kind{};
  if (::fstat(fd, &kind) != 0) unavailable("cannot read " + path_);
  if (!S_ISREG(kind.st_mode)) throw Damaged(path_ + " is not a regular file");
  accounts_.clear();
  by_email_.clear();
  lines_ = 0;
  good_size_ = 0;
  std::string rest;
  std::array<char, std::size_t{64} * 1024> block;
  std::int64_t at = 0;
  for (;;) {
    const ssize_t got = ::pread(fd, block.data(), block.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) unavailable("cannot read " + path_);
    if (got == 0) break;
    at += got;
    rest.append(block.data(), static_cast<std::size_t>(got));
    std::size_t from = 0;
    for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', from)) {
      take_line(std::string_view(rest).substr(from, end - from), ++lines_);
      good_size_ += static_cast<std::int64_t>(end + 1 - from);
      from = end + 1;
    }
    rest.erase(0, from);
  }
  unended_.clear();
  if (rest.empty()) return;
  // Cut off while it was written, so never confirmed; or whole, where somebody's editor left out the end of the line.
  try {
    take_line(rest, lines_ + 1);
    unended_ = std::move(rest);
  } catch (const Damaged&) {
    // Cut off: never confirmed, so it never was.
  }
}

void Register::take_line(std::string_view line, std::size_t number) {
  if (line.empty()) return;
  try {
    const Json json = Json::parse(line, 4);
    Entry entry;
    entry.external_id = json.at("external_id").as_text();
    if (entry.external_id.empty()) throw JsonError("\"external_id\" is empty");
    if (json.find("removed_at") != nullptr) return drop(entry.external_id);
    entry.login_email = json.text("login_email");
    entry.name = json.text("name");
    entry.provider_id = json.at("provider_id").as_text();
    entry.created_at = json.text("created_at");
    entry.updated_at = json.text("updated_at");
    entry.password_reset_at = json.text("password_reset_at");
    set(std::move(entry));
  } catch (const JsonError& error) {
    throw Damaged(path_ + ":" + std::to_string(number) + ": this line is no account (" + error.what() +
                  "); correct it or take it out");
  }
}

const Entry* Register::find(std::string_view external_id) const {
  const auto found = accounts_.find(external_id);
  return found == accounts_.end() ? nullptr : &found->second;
}

const Entry* Register::find_by_email(std::string_view login_email) const {
  const auto found = by_email_.find(lower(login_email));
  return found == by_email_.end() ? nullptr : find(found->second);
}

void Register::set(Entry entry) {
  drop(entry.external_id);
  if (!entry.login_email.empty()) by_email_[lower(entry.login_email)] = entry.external_id;
  std::string key = entry.external_id;
  accounts_.insert_or_assign(std::move(key), std::move(entry));
}

void Register::drop(const std::string& external_id) {
  const auto found = accounts_.find(external_id);
  if (found == accounts_.end()) return;
  const auto address = by_email_.find(lower(found->second.login_email));
  if (address != by_email_.end() && address->second == external_id) by_email_.erase(address);
  accounts_.erase(found);
}

void Register::put(const Entry& entry) {
  open();
  append(line_of(entry));
  set(entry);
}

void Register::remove(const std::string& external_id, std::string_view at) {
  open();
  append("{\"external_id\":" + json_quoted(external_id) + ",\"removed_at\":" + json_quoted(at) + "}\n");
  drop(external_id);
}

void Register::append(const std::string& line) {
  if (!write_all(file_, line)) {
    const std::string why = std::strerror(errno);
    const bool restored = ::ftruncate(file_, good_size_) == 0;
    if (!restored) forget();
    throw Unavailable("cannot write " + path_ + ": " + why);
  }
  if (::fdatasync(file_) != 0) {
    const std::string why = std::strerror(errno);
    forget();
    throw Doubtful("cannot sync " + path_ + ": " + why);
  }
  good_size_ += static_cast<std::int64_t>(line.size());
  ++lines_;
}

void Register::compact() {
  const std::string name = path_ + ".new";
  const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) unavailable("cannot write " + name);
  std::string block;
  std::int64_t size = 0;
  const auto flush = [&] {
    size += static_cast<std::int64_t>(block.size());
    const bool written = write_all(fd, block);
    block.clear();
    return written;
  };
  bool good = true;
  for (const auto& [key, entry] : accounts_) {
    block += line_of(entry);
    if (block.size() > std::size_t{64} * 1024) good = good && flush();
  }
  good = good && flush() && ::fsync(fd) == 0 && ::rename(name.c_str(), path_.c_str()) == 0 && sync_folder_of(path_);
  if (!good) {
    const int why = errno;
    ::close(fd);
    ::unlink(name.c_str());
    errno = why;
    unavailable("cannot compact " + path_);
  }
  ::close(std::exchange(file_, fd));
  good_size_ = size;
  lines_ = accounts_.size();
}

}  // namespace invited::directory
