// Whole files, read and written so that a crash or a hostile file does no harm.
//
//   Result<std::string> text = read_file("/etc/invited/invited.yaml", 1 << 20);
//   Result<void> written = write_file_atomically(state / "keys.json", json, 0600);
//
// Blocking: not for the core thread once the daemon runs. [any-thread]
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace invited::core {

// The bytes of a regular file (a link to one is followed; a pipe, a device or a folder is refused without waiting on
// it). Errors: `not_found`, `forbidden`, `too_large` (over `max_bytes`), `invalid` (not a regular file), `unavailable`
// (I/O error). Error::location is the path.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes);

// After success the file holds exactly `bytes` with exactly `mode`, also after a power cut; after an error or a crash
// at any point the old file is as it was (a crash may leave a hidden temporary file beside it). The folder must exist.
// A link at `path` is replaced, not followed. Errors: `not_found` (folder), `forbidden`, `unavailable` (disk full,
// I/O).
[[nodiscard]] Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view bytes,
                                                 unsigned mode);

}  // namespace invited::core
