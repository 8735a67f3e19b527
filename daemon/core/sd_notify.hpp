// What the daemon and the service manager tell each other: thin over libsystemd. Without a service manager
// ($NOTIFY_SOCKET, $WATCHDOG_USEC, $LISTEN_FDS absent) all of it does nothing and finds nothing.
//
//   for (const auto& socket : sd::listen_fds()) if (socket.name == "control") server.adopt_listening_socket(socket.fd);
//   sd::ready("12 sources, 3 transports");
//   if (auto every = sd::watchdog_interval()) …  co_await clock.sleep_for(*every / 2);  sd::watchdog_ping();
//
// Each message is one datagram and may be sent from any thread; reads of the environment belong into main.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"

namespace invited::core::sd {

// `status` is one line that `systemctl status` shows. Line breaks in it become spaces.
void ready(std::string_view status);   // READY=1: start-up or reload is over
void status(std::string_view status);  // only the line
// RELOADING=1 with the time it began; ready() ends it.
void reloading(std::string_view status);
void stopping(std::string_view status);  // STOPPING=1

// Asks for `longer` from now before a start, reload or stop counts as failed; repeat while there is progress.
void extend_timeout(Milliseconds longer);

// How long the service manager waits between two pings before it restarts us; ping at half of it. Nothing if it does
// not watch.
[[nodiscard]] std::optional<Milliseconds> watchdog_interval();
void watchdog_ping();

struct ListenSocket {
  std::string name;  // FileDescriptorName= of the socket unit
  int fd = -1;       // close-on-exec; the caller's from here on
};
// The sockets handed over, in order. The first call takes them and clears the variables, so that no child sees them;
// a second call finds none. [main thread, before other threads]
[[nodiscard]] std::vector<ListenSocket> listen_fds();

}  // namespace invited::core::sd
