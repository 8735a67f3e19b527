// A folder of a test's own, removed with everything in it at the end.
//
//   TempFolder folder;   write_file_atomically(folder / "a", "x", 0600);
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace invited::test {

class TempFolder {
public:
  TempFolder() {
    // Short, for Unix sockets live in it and their paths end at 107 bytes.
    std::string pattern = (std::filesystem::temp_directory_path() / "invited-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    path_ = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

private:
  std::filesystem::path path_;
};

}  // namespace invited::test
