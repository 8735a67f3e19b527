// A child process of a test, with its output: ended by its id when the object goes.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace invited::test {

class Child {
public:
  explicit Child(std::vector<std::string> command, bool quiet = false) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    std::vector<char*> arguments;
    for (std::string& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("no process");
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(ends[1], STDOUT_FILENO);
      if (quiet) dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    close(ends[1]);
    output_ = ends[0];
  }
  ~Child() {
    end();
    close(output_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The next line of its output; nothing when it has ended or says nothing for `limit`.
  std::optional<std::string> line(std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    for (;;) {
      const std::size_t at = buffer_.find('\n');
      if (at != std::string::npos) {
        std::string result = buffer_.substr(0, at);
        buffer_.erase(0, at + 1);
        return result;
      }
      pollfd wanted{output_, POLLIN, 0};
      if (poll(&wanted, 1, static_cast<int>(limit.count())) <= 0) return std::nullopt;
      char bytes[4096];
      const ssize_t count = read(output_, bytes, sizeof bytes);
      if (count <= 0) return std::nullopt;
      buffer_.append(bytes, static_cast<std::size_t>(count));
    }
  }
  // Its exit status, waited for; -1 when it was killed by a signal.
  int wait() {
    if (pid_ <= 0) return status_;
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return status_;
  }
  void end() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    wait();
  }

private:
  pid_t pid_ = 0;
  int output_ = -1;
  int status_ = -1;
  std::string buffer_;
};

}  // namespace invited::test
