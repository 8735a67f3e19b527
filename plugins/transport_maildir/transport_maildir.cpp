#include "transport_maildir.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace invited::maildir {

namespace {

constexpr char kSchema[] = R"json({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "maildir",
  "description": "Writes every mail into a folder (Maildir) and sends it to nobody.",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "path": {
      "type": "string", "format": "path", "minLength": 1, "x-default-in-state-dir": "outbox",
      "description": "The folder; it is made when it is not there. Default: outbox in the state folder."
    }
  }
})json";

constexpr std::size_t longest_name = 200;

class Fd {
public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

private:
  int fd_;
};

// What the disk said; the text names what was done to which path.
[[noreturn]] void trouble(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

Fd open_folder(int parent, const std::string& name, const std::string& shown) {
  if (::mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST) trouble("cannot make the folder " + shown);
  Fd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) trouble("cannot open the folder " + shown);
  return fd;
}

struct Folders {
  Fd root, temporary, fresh, current;
  explicit Folders(const std::string& path)
      : root(open_folder(AT_FDCWD, path, path)),
        temporary(open_folder(root.get(), "tmp", path + "/tmp")),
        fresh(open_folder(root.get(), "new", path + "/new")),
        current(open_folder(root.get(), "cur", path + "/cur")) {}
};

void write_file(int folder, const std::string& name, std::string_view content, const std::string& shown) {
  const Fd fd(::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) trouble("cannot write " + shown);
  while (!content.empty()) {
    const ssize_t written = ::write(fd.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) trouble("cannot write " + shown);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd.get()) != 0) trouble("cannot write " + shown);
}

// A reader moves a mail from new/ to cur/ and adds flags to its name.
bool was_read(int current, const std::string& name) {
  const int copy = ::openat(current, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const listing = copy < 0 ? nullptr : ::fdopendir(copy);
  if (listing == nullptr) {
    if (copy >= 0) ::close(copy);
    return false;
  }
  bool found = false;
  while (const dirent* entry = ::readdir(listing)) {
    const std::string_view there = entry->d_name;
    found = found || there == name || (there.starts_with(name) && there[name.size()] == ':');
  }
  ::closedir(listing);
  return found;
}

}  // namespace

std::string file_name(std::string_view id) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string name;
  for (const char c : id) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    if (plain) {
      name += c;
    } else {
      name += '_';
      name += kHex[byte >> 4];
      name += kHex[byte & 0xF];
    }
  }
  return name + ".eml";
}

Maildir::Maildir(Host host, const Json& config) : host_(host), path_(config.at("path").as_text()) {}

Verdict Maildir::send(const Message& message) {
  if (message.deadline_ms > 0 && host_.clock().now_ms() > message.deadline_ms)
    return {.status = Status::retry, .detail = "its time was over before it was written", .phase = Phase::local};
  const std::string name = file_name(message.id);
  if (name.size() > longest_name)
    return {
        .status = Status::rejected, .detail = "the delivery's id is too long for a file name", .phase = Phase::local};
  bool visible = false;
  try {
    const Folders folders(path_);
    if (message.attempt <= 1 || !was_read(folders.current.get(), name)) {
      try {
        write_file(folders.temporary.get(), name, message.content, path_ + "/tmp/" + name);
        if (::renameat(folders.temporary.get(), name.c_str(), folders.fresh.get(), name.c_str()) != 0)
          trouble("cannot move " + name + " into " + path_ + "/new");
      } catch (...) {
        ::unlinkat(folders.temporary.get(), name.c_str(), 0);
        throw;
      }
      visible = true;
      if (::fsync(folders.fresh.get()) != 0) trouble("cannot sync the folder " + path_ + "/new");
    }
  } catch (const std::system_error& error) {
    // Once the file is in new/ it may be there after a crash or not.
    return {.status = visible ? Status::unknown : Status::retry,
            .detail = error.what(),
            .scope = Scope::transport,
            .phase = Phase::local};
  }
  return {.status = Status::ok, .detail = "written to " + path_ + "/new", .phase = Phase::content, .remote_id = name};
}

void Maildir::probe(Probe& steps) {
  try {
    const Folders folders(path_);
    steps.step(Phase::connect, path_ + " is there");
    const std::string name = "probe-" + std::to_string(host_.clock().now_ms());
    write_file(folders.temporary.get(), name, "probe\n", path_ + "/tmp/" + name);
    ::unlinkat(folders.temporary.get(), name.c_str(), 0);
    if (::faccessat(folders.fresh.get(), ".", W_OK | X_OK, AT_EACCESS) != 0)
      trouble("cannot write into " + path_ + "/new");
    steps.step(Phase::content, "mails can be written; they reach nobody");
  } catch (const std::system_error& error) {
    throw Failure(Status::retry, error.what(), "/path");
  }
}

}  // namespace invited::maildir

INVITED_MODULE(invited::offer<invited::maildir::Maildir>("maildir", "1.0.0", invited::maildir::kSchema));
