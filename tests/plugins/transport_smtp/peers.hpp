// Real servers on loopback: Postfix's smtp-sink and aiosmtpd with a certificate made on the spot.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

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

// A Postfix of its own that throws mail away, with smtpd on two ports, the second without PIPELINING. Needs root.
class Postfix {
public:
  explicit Postfix(const std::vector<std::string>& settings) : port_(free_port()), lock_step_port_(free_port()) {
    const std::string home = folder_ / "";
    std::filesystem::permissions(home, std::filesystem::perms(0755));
    std::filesystem::create_directory(home + "queue");
    std::ofstream main(home + "main.cf");
    main << "compatibility_level = 3.6\nqueue_directory = " << home << "queue\ndata_directory = " << home
         << "data\ncommand_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\n"
            "mail_owner = postfix\nsetgid_group = postdrop\nmyhostname = relay.example.net\nmydestination =\n"
            "inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmynetworks = 192.0.2.0/24\n"
            "relay_domains = example.net\nrelay_transport = discard\ndefault_transport = discard\n"
            "local_transport = discard\nalias_maps =\nalias_database =\n"
            "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n"
            "maillog_file_prefixes = /tmp, /var\nmaillog_file = "
         << home << "log\n";
    for (const std::string& setting : settings) main << setting << '\n';
    main.close();
    std::ofstream master(home + "master.cf");
    master << "127.0.0.1:" << port_ << " inet n - n - - smtpd\n127.0.0.1:" << lock_step_port_
           << " inet n - n - - smtpd\n  -o smtpd_discard_ehlo_keywords=pipelining\n"
              "cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\nrewrite unix - - n - - trivial-rewrite\n"
              "bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\nerror unix - - n - - error\n"
              "retry unix - - n - - error\ndiscard unix - - n - - discard\nproxymap unix - - n - - proxymap\n"
              "anvil unix - - n - 1 anvil\npostlog unix-dgram n - n - 1 postlogd\n";
    master.close();
    std::filesystem::create_directory(home + "data");
    if (const passwd* owner = getpwnam("postfix"))
      if (chown((home + "data").c_str(), owner->pw_uid, owner->pw_gid) != 0) throw std::runtime_error("no chown");
    control("start");
    for (int i = 0; i < 1000 && !(listens(port_) && listens(lock_step_port_)); ++i) poll(nullptr, 0, 10);
  }
  ~Postfix() { control("stop"); }
  Postfix(const Postfix&) = delete;
  Postfix& operator=(const Postfix&) = delete;

  static bool possible() { return getuid() == 0 && access("/usr/lib/postfix/sbin/master", X_OK) == 0; }
  [[nodiscard]] std::uint16_t port(bool pipelining) const { return pipelining ? port_ : lock_step_port_; }

private:
  void control(const std::string& verb) {
    // Its daemons live on in the background, so they must not have the pipe of a Child.
    const pid_t pid = fork();
    if (pid == 0) {
      const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
      for (const int fd : {0, 1, 2}) dup2(nothing, fd);
      const std::string home = folder_ / "";
      execl("/usr/sbin/postfix", "postfix", "-c", home.c_str(), verb.c_str(), nullptr);
      _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
  }

  ScratchFolder folder_;
  std::uint16_t port_;
  std::uint16_t lock_step_port_;
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
