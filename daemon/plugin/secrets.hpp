// Secrets by name, read anew each time and wiped after: $CREDENTIALS_DIRECTORY/secret_NAME, then …/NAME, then
// FOLDER/NAME for machines without systemd.
//
//   Secrets secrets({std::getenv("CREDENTIALS_DIRECTORY"), "/etc/invited/secrets"});
//   auto read = secrets.read("smtp_password", [&](std::string_view value) { … });
//
// One line end at the end of a file is no part of the value. Blocking on the disk. [any-thread]
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

#include "core/result.hpp"

namespace invited::plugin {

struct SecretPlaces {
  std::filesystem::path credentials;  // $CREDENTIALS_DIRECTORY; empty: none
  std::filesystem::path folder;       // of files that others can neither read nor write; empty: none
};

class Secrets {
public:
  static constexpr std::size_t max_bytes = std::size_t{64} * 1024;

  explicit Secrets(SecretPlaces places) : places_(std::move(places)) {}
  // Calls `receive` once with a value that is gone when it returns. Errors: `invalid` (a name with other characters
  // than letters, digits, "._-"), `not_found`, `forbidden` (others may read or write the file, or we may not),
  // `invalid` (no regular file), `too_large`. The message names the places, never the value.
  [[nodiscard]] core::Result<void> read(std::string_view name,
                                        const std::function<void(std::string_view)>& receive) const;

private:
  SecretPlaces places_;
};

}  // namespace invited::plugin
