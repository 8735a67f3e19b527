#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>

#include "core/sd_notify.hpp"
#include "support/temp_folder.hpp"

using namespace invited::core;
using namespace std::chrono_literals;
using invited::test::TempFolder;

namespace {

// Plays the service manager: a datagram socket that $NOTIFY_SOCKET names.
class Manager {
public:
  Manager() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = (folder_ / "notify").string();
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~Manager() {
    ::unsetenv("NOTIFY_SOCKET");
    ::close(socket_);
  }
  std::string heard() {
    std::array<char, 4096> text;
    const ssize_t n = ::recv(socket_, text.data(), text.size(), 0);
    return n < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(n));
  }

private:
  TempFolder folder_;
  int socket_;
};

}  // namespace

TEST_CASE("the service manager hears each state in its own words") {
  Manager manager;
  sd::ready("3 sources");
  CHECK(manager.heard() == "READY=1\nSTATUS=3 sources");
  sd::status("reading people.csv");
  CHECK(manager.heard() == "STATUS=reading people.csv");
  sd::reloading("configuration");
  CHECK_THAT(manager.heard(), Catch::Matches("RELOADING=1\nMONOTONIC_USEC=[0-9]+\nSTATUS=configuration"));
  sd::extend_timeout(90s);
  CHECK(manager.heard() == "EXTEND_TIMEOUT_USEC=90000000");
  sd::watchdog_ping();
  CHECK(manager.heard() == "WATCHDOG=1");
  sd::stopping("bye");
  CHECK(manager.heard() == "STOPPING=1\nSTATUS=bye");
  CHECK(manager.heard() == "nothing");
}

TEST_CASE("a status cannot set another variable") {
  Manager manager;
  sd::status("people.csv\nREADY=1\rx");
  CHECK(manager.heard() == "STATUS=people.csv READY=1 x");
}

TEST_CASE("without a service manager nothing happens") {
  ::unsetenv("NOTIFY_SOCKET");
  ::unsetenv("WATCHDOG_USEC");
  ::unsetenv("LISTEN_FDS");
  sd::ready("x");
  CHECK_FALSE(sd::watchdog_interval());
  CHECK(sd::listen_fds().empty());
}

TEST_CASE("the watchdog's interval is ours only if it names our process") {
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  CHECK(sd::watchdog_interval() == 30s);
  ::setenv("WATCHDOG_PID", "1", 1);
  CHECK_FALSE(sd::watchdog_interval());
  ::unsetenv("WATCHDOG_USEC");
  ::unsetenv("WATCHDOG_PID");
}

TEST_CASE("sockets handed over are found by name, once, and closed on exec") {
  // They must be descriptors 3 and 4, which may be in use: whatever is there is kept aside meanwhile.
  std::array<int, 2> kept{::fcntl(3, F_DUPFD_CLOEXEC, 10), ::fcntl(4, F_DUPFD_CLOEXEC, 10)};
  const int some = ::open("/dev/null", O_RDONLY);
  REQUIRE(::dup2(some, 3) == 3);
  REQUIRE(::dup2(some, 4) == 4);
  ::setenv("LISTEN_FDS", "2", 1);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDNAMES", "control:web", 1);
  const auto sockets = sd::listen_fds();
  const bool closed_on_exec = (::fcntl(3, F_GETFD) & FD_CLOEXEC) != 0 && (::fcntl(4, F_GETFD) & FD_CLOEXEC) != 0;
  for (int i = 0; i < 2; ++i) {
    ::close(3 + i);
    if (kept.at(i) < 0) continue;
    ::dup2(kept.at(i), 3 + i);
    ::close(kept.at(i));
  }
  if (some != 3 && some != 4) ::close(some);
  REQUIRE(sockets.size() == 2);
  CHECK(sockets[0].name == "control");
  CHECK(sockets[0].fd == 3);
  CHECK(sockets[1].name == "web");
  CHECK(sockets[1].fd == 4);
  CHECK(closed_on_exec);
  CHECK(std::getenv("LISTEN_FDS") == nullptr);
  CHECK(sd::listen_fds().empty());
}
