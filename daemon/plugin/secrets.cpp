#include "plugin/secrets.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin/abi_text.hpp"

namespace invited::plugin {

namespace fs = std::filesystem;
using core::ErrorKind;
using core::fail;
using core::Result;

namespace {

struct Descriptor {
  int value = -1;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

// Fixed in place, so that no copy of it is left behind by growing.
struct Wiped {
  std::array<char, Secrets::max_bytes + 1> bytes;
  std::size_t size = 0;
  ~Wiped() { ::explicit_bzero(bytes.data(), bytes.size()); }
};

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > 200 || name[0] == '.') return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
         std::string_view::npos;
}

// Nothing when there is no such file.
std::optional<Result<void>> read_one(const fs::path& path, bool private_only,
                                     const std::function<void(std::string_view)>& receive) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.value < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (file.value < 0)
    return fail(ErrorKind::forbidden, "secret_unreadable", fmt::format("{} may not be read", path.string()),
                path.string());
  struct stat status{};
  if (::fstat(file.value, &status) != 0 || !S_ISREG(status.st_mode))
    return fail(ErrorKind::invalid, "secret_no_file", fmt::format("{} is not a regular file", path.string()),
                path.string());
  if (private_only && (status.st_mode & 0027U) != 0)
    return fail(
        ErrorKind::forbidden, "secret_exposed",
        fmt::format("{} is open to others (mode {:04o}); run chmod 600 on it", path.string(), status.st_mode & 07777U),
        path.string());
  const auto value = std::make_unique<Wiped>();
  while (value->size < value->bytes.size()) {
    const ssize_t got = ::read(file.value, value->bytes.data() + value->size, value->bytes.size() - value->size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return fail(ErrorKind::unavailable, "secret_unreadable", fmt::format("{} cannot be read", path.string()),
                  path.string());
    if (got == 0) break;
    value->size += static_cast<std::size_t>(got);
  }
  if (value->size > Secrets::max_bytes)
    return fail(ErrorKind::too_large, "secret_too_large",
                fmt::format("{} is larger than {} bytes", path.string(), Secrets::max_bytes), path.string());
  std::string_view text(value->bytes.data(), value->size);
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  receive(text);
  return Result<void>{};
}

}  // namespace

Result<void> Secrets::read(std::string_view name, const std::function<void(std::string_view)>& receive) const {
  if (!is_name(name))
    return fail(ErrorKind::invalid, "secret_bad_name",
                fmt::format("\"{}\" is not a name of a secret; allowed: letters, digits, \"._-\"", clipped(name, 60)));
  std::string looked;
  const auto attempt = [&](const fs::path& path, bool private_only) {
    looked += (looked.empty() ? "" : ", ") + path.string();
    return read_one(path, private_only, receive);
  };
  // systemd keeps its folder to us alone, whatever the modes of the files say.
  if (!places_.credentials.empty()) {
    if (auto read = attempt(places_.credentials / fmt::format("secret_{}", name), false)) return *read;
    if (auto read = attempt(places_.credentials / name, false)) return *read;
  }
  if (!places_.folder.empty())
    if (auto read = attempt(places_.folder / name, true)) return *read;
  return fail(ErrorKind::not_found, "secret_not_found",
              fmt::format("no secret \"{}\"; looked at {}", name,
                          looked.empty() ? "nothing: no folder is configured" : looked));
}

}  // namespace invited::plugin
