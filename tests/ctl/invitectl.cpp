#include "invitectl.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace invited::test {

namespace {

constexpr auto longest = std::chrono::seconds(30);

struct Child {
  pid_t pid = -1;
  int in = -1;
  int out = -1;
  int err = -1;
};

// What the child needs, ready before the fork: another thread may hold the allocator's lock at that moment, and the
// child would wait for it for ever.
class Call {
public:
  Call(const std::vector<std::string>& arguments, const Surroundings& surroundings)
      : words_{"invitectl"}, variables_(surroundings.environment) {
    words_.insert(words_.end(), arguments.begin(), arguments.end());
    variables_.emplace_back("TERM=xterm");
    variables_.emplace_back("TZ=UTC");
    // Of two entries with one name the first counts.
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string_view text = *entry;
      if (!text.starts_with("INVITED_SOCKET=") && !text.starts_with("NO_COLOR=")) variables_.emplace_back(text);
    }
    argv_ = pointers(words_);
    envp_ = pointers(variables_);
  }

  [[noreturn]] void become() {
    ::execve(INVITECTL, argv_.data(), envp_.data());
    ::_exit(127);
  }

private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (auto& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  }

  std::vector<std::string> words_;
  std::vector<std::string> variables_;
  std::vector<char*> argv_;
  std::vector<char*> envp_;
};

Child start(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
  Call call(arguments, surroundings);
  Child child;
  if (surroundings.terminal) {
    int master = -1;
    winsize size{24, 100, 0, 0};
    child.pid = ::forkpty(&master, nullptr, nullptr, &size);
    if (child.pid == 0) call.become();
    child.in = master;
    child.out = master;
    return child;
  }
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0 ||
      ::pipe2(err.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipes");
  }
  child.pid = ::fork();
  if (child.pid == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::dup2(err[1], 2);
    call.become();
  }
  ::close(in[0]);
  ::close(out[1]);
  ::close(err[1]);
  child.in = in[1];
  child.out = out[0];
  child.err = err[0];
  return child;
}

// False at the stream's end.
bool read_some(int descriptor, std::string& into) {
  std::array<char, 4096> piece{};
  const auto got = ::read(descriptor, piece.data(), piece.size());
  if (got > 0) into.append(piece.data(), static_cast<std::size_t>(got));
  return got > 0;
}

}  // namespace

Outcome invitectl(std::vector<std::string> arguments, const Surroundings& surroundings) {
  if (!surroundings.socket.empty()) {
    arguments.insert(arguments.begin(), {"--socket", surroundings.socket});
  }
  Child child = start(arguments, surroundings);
  if (child.pid < 0) throw std::runtime_error("no process");
  if (!surroundings.terminal) {
    [[maybe_unused]] const auto written = ::write(child.in, surroundings.input.data(), surroundings.input.size());
    ::close(child.in);
  }
  Outcome outcome;
  bool typed = surroundings.type.empty();
  bool interrupted = surroundings.interrupt_after.empty();
  bool killed = false;
  const auto end = std::chrono::steady_clock::now() + longest;
  std::array<pollfd, 2> streams{pollfd{child.out, POLLIN, 0}, pollfd{child.err, POLLIN, 0}};
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    if (std::chrono::steady_clock::now() > end && !std::exchange(killed, true)) ::kill(child.pid, SIGKILL);
    if (::poll(streams.data(), streams.size(), 200) <= 0) continue;
    for (auto& stream : streams) {
      if (stream.fd < 0 || stream.revents == 0) continue;
      if (!read_some(stream.fd, stream.fd == child.out ? outcome.out : outcome.err)) stream.fd = -1;
    }
    const auto shown = outcome.out + outcome.err;
    if (!typed && shown.find(surroundings.type_after) != std::string::npos) {
      typed = true;
      [[maybe_unused]] const auto written = ::write(child.in, surroundings.type.data(), surroundings.type.size());
    }
    if (!interrupted && shown.find(surroundings.interrupt_after) != std::string::npos) {
      interrupted = true;
      ::kill(child.pid, SIGINT);
    }
  }
  ::close(child.out);
  if (child.err >= 0) ::close(child.err);
  int status = 0;
  while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (killed) outcome.err += "\n(took too long, killed by the test)";
  return outcome;
}

}  // namespace invited::test
