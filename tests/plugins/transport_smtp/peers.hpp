// Real servers on loopback: Postfix's smtp-sink and aiosmtpd with a certificate made on the spot.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include "child.hpp"

namespace invited::test {

inline std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool good = fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  if (!good) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

inline bool listens(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool good = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return good;
}

// smtp-sink says nothing when it is ready, so its port is tried, at most 10 s.
inline std::unique_ptr<Child> start_sink(std::uint16_t port, std::vector<std::string> options = {}) {
  std::vector<std::string> command = {"/usr/sbin/smtp-sink"};
  if (getuid() == 0) command.insert(command.end(), {"-u", "nobody"});
  command.insert(command.end(), options.begin(), options.end());
  command.insert(command.end(), {"127.0.0.1:" + std::to_string(port), "100"});
  auto child = std::make_unique<Child>(std::move(command));
  for (int i = 0; i < 1000 && !listens(port); ++i) poll(nullptr, 0, 10);
  return child;
}

class ScratchFolder {
public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "invited-smtp-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no scratch folder");
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

private:
  std::filesystem::path path_;
};

// A self-signed certificate for `subject_alternative_name` ("DNS:localhost").
inline void make_certificate(const std::string& cert, const std::string& key,
                             const std::string& subject_alternative_name) {
  Child openssl({"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                 "-nodes", "-days", "2", "-subj", "/CN=peer", "-addext", "subjectAltName=" + subject_alternative_name,
                 "-keyout", key, "-out", cert, "-batch"},
                /*quiet=*/true);
  if (openssl.wait() != 0) throw std::runtime_error("openssl could not make a certificate");
}

}  // namespace invited::test
