#include "core/sd_notify.hpp"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace invited::core::sd {

namespace {

// The protocol separates by line breaks: a status with one could set any other variable.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(line.begin(), line.end(), [](unsigned char c) { return c < 0x20; }, ' ');
  return line;
}

void tell(const std::string& state) {
  sd_notify(0, state.c_str());
}

}  // namespace

void ready(std::string_view text) {
  tell(fmt::format("READY=1\nSTATUS={}", one_line(text)));
}

void status(std::string_view text) {
  tell(fmt::format("STATUS={}", one_line(text)));
}

void reloading(std::string_view text) {
  // Type=notify-reload (systemd 253 and later) compares this with the time of its own signal, on this very clock.
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::uint64_t microseconds = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
  tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS={}", microseconds, one_line(text)));
}

void stopping(std::string_view text) {
  tell(fmt::format("STOPPING=1\nSTATUS={}", one_line(text)));
}

void extend_timeout(Milliseconds longer) {
  tell(fmt::format("EXTEND_TIMEOUT_USEC={}", std::max<std::int64_t>(longer.count(), 0) * 1000));
}

std::optional<Milliseconds> watchdog_interval() {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return Milliseconds(microseconds / 1000);
}

void watchdog_ping() {
  tell("WATCHDOG=1");
}

std::vector<ListenSocket> listen_fds() {
  std::vector<ListenSocket> sockets;
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(1, &names);
  for (int i = 0; i < count; ++i) {
    sockets.push_back(ListenSocket{names[i], SD_LISTEN_FDS_START + i});
    std::free(names[i]);
  }
  std::free(names);
  return sockets;
}

}  // namespace invited::core::sd
