// Owns a file descriptor and closes it at its end.
//
//   Descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
//   if (!file) return errno;
#pragma once

#include <unistd.h>

#include <utility>

namespace invited::core {

class Descriptor {
public:
  explicit Descriptor(int descriptor = -1) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(Descriptor&& other) noexcept : descriptor_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  [[nodiscard]] int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }  // the caller's from here on
  explicit operator bool() const { return descriptor_ >= 0; }

private:
  int descriptor_;
};

}  // namespace invited::core
