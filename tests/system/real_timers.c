/* Preloaded before libfaketime 0.9.10, which turns an absolute timer of CLOCK_MONOTONIC by the distance to the fake
   date, also when told to leave that clock alone: a timer that is due already (Asio asks for those by the absolute
   instant 1 ns) then fires weeks later or never. Timers go to the kernel as they are. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

int timerfd_settime(int fd, int flags, const struct itimerspec* fresh, struct itimerspec* old) {
  return (int)syscall(SYS_timerfd_settime, fd, flags, fresh, old);
}

int timerfd_gettime(int fd, struct itimerspec* now) {
  return (int)syscall(SYS_timerfd_gettime, fd, now);
}
