#include "core/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "core/descriptor.hpp"
#include "core/encoding.hpp"
#include "core/random.hpp"

namespace invited::core {

namespace {

tl::unexpected<Error> fail_with(int error, std::string_view doing, const std::filesystem::path& path) {
  ErrorKind kind = ErrorKind::unavailable;
  std::string code = "file_unavailable";
  if (error == ENOENT || error == ENOTDIR) {
    kind = ErrorKind::not_found;
    code = "file_not_found";
  } else if (error == EACCES || error == EPERM || error == EROFS) {
    kind = ErrorKind::forbidden;
    code = "file_forbidden";
  }
  return fail(kind, std::move(code),
              fmt::format("Cannot {} {}: {}", doing, path.string(), std::generic_category().message(error)),
              path.string());
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  // Without O_NONBLOCK, opening a pipe would wait for its writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return fail_with(errno, "open", path);
  struct stat about{};
  if (::fstat(file.get(), &about) != 0) return fail_with(errno, "look at", path);
  if (!S_ISREG(about.st_mode))
    return fail(ErrorKind::invalid, "not_a_regular_file", fmt::format("{} is not a regular file", path.string()),
                path.string());
  const auto too_large = [&] {
    return fail(ErrorKind::too_large, "file_too_large",
                fmt::format("{} is larger than the {} bytes allowed", path.string(), max_bytes), path.string());
  };
  if (about.st_size > 0 && static_cast<std::uintmax_t>(about.st_size) > max_bytes) return too_large();
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(about.st_size));
  // Read to the end, not to st_size: the file may grow meanwhile, and files under /proc say 0.
  char piece[16 * 1024];
  while (true) {
    const ssize_t n = ::read(file.get(), piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_with(errno, "read", path);
    if (n == 0) return bytes;
    if (static_cast<std::size_t>(n) > max_bytes - bytes.size()) return too_large();
    bytes.append(piece, static_cast<std::size_t>(n));
  }
}

Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view bytes, unsigned mode) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (!directory) return fail_with(errno, "open the folder of", path);

  std::array<std::byte, 8> noise;
  SystemRandom().fill(noise);
  const std::string name = path.filename().string();
  const std::string temporary = fmt::format(".{}.{}.tmp", name.substr(0, 200), to_hex(noise));
  // Nobody else may read it before it has its mode.
  const Descriptor file(
      ::openat(directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail_with(errno, "write", path);

  const auto abandon = [&](std::string_view doing) {
    const int error = errno;
    ::unlinkat(directory.get(), temporary.c_str(), 0);
    return fail_with(error, doing, path);
  };
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return abandon("write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fchmod(file.get(), mode) != 0) return abandon("set the mode of");
  if (::fsync(file.get()) != 0) return abandon("save");
  if (::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0) return abandon("replace");
  if (::fsync(directory.get()) != 0) return fail_with(errno, "save the folder of", path);
  return {};
}

}  // namespace invited::core
