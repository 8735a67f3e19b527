#include "app/rehearsal_child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <optional>
#include <system_error>

#include "app/rehearse.hpp"
#include "core/descriptor.hpp"
#include "core/events.hpp"
#include "core/log.hpp"
#include "store/copy.hpp"

extern char** environ;

namespace invited::app {

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace json = boost::json;
using asio::awaitable;
using core::Milliseconds;

constexpr std::string_view folder_prefix = "rehearsal-";
constexpr int pages_at_a_time = 512;  // 2 MiB: a few milliseconds of the store
constexpr Milliseconds ping_each{15'000};
constexpr Milliseconds copy_again{10};
constexpr Milliseconds longest_copy_pause{60'000};
constexpr Milliseconds reap_again{20};
constexpr std::size_t piece_bytes = 64 * 1024;

std::string line(const json::object& event) {
  return json::serialize(event) + "\n";
}

std::string failed(const std::string& detail) {
  return line({{"event", "done"}, {"state", "failed"}, {"detail", detail}});
}

void remove_folder(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error)
    core::log::warning(core::events::internal_error, "The folder of a rehearsal cannot be removed; remove it by hand",
                       {{"folder", folder.string()}, {"why", error.message()}});
}

// The copy of the state, held where the store's thread makes, uses and destroys it.
struct Copying {
  std::string path;
  std::optional<store::Copy> copy;
};

// With the store at once, and not by way of the scope: one that stops would drop the copy here, while the store's
// thread works on the same connection. The store finishes what it was given.
void drop(store::Store& store, const asio::any_io_executor& executor, std::shared_ptr<Copying> copying) {
  auto dropping = store.read([copying = std::move(copying)](store::Db&) { copying->copy.reset(); });
  asio::co_spawn(executor, std::move(dropping), [](const std::exception_ptr&) {});
}

// Waits for the end of a process that was told to end, then removes its folder.
awaitable<void> clear_away(core::Clock* clock, pid_t child, fs::path folder) {
  while (child > 0 && ::waitpid(child, nullptr, WNOHANG) == 0) co_await clock->sleep_for(reap_again);
  remove_folder(folder);
}

std::vector<std::string> arguments_of(const control::RehearsalRequest& request, const fs::path& config_file,
                                      const fs::path& database) {
  std::vector<std::string> arguments{"invited",    "--rehearse",
                                     "--config",   config_file.string(),
                                     "--database", database.string(),
                                     "--from",     request.from,
                                     "--to",       request.to,
                                     "--out",      "-",
                                     "--seed",     std::to_string(request.seed)};
  for (const std::string& outage : request.transport_down)
    arguments.insert(arguments.end(), {"--transport-down", outage});
  if (!request.confirm_after.empty()) arguments.insert(arguments.end(), {"--confirm-after", request.confirm_after});
  if (!request.mails) arguments.emplace_back("--no-mails");
  return arguments;
}

struct Child {
  pid_t pid = -1;
  core::Descriptor events;  // the end to read from
};

// This program again, with nothing of ours open but its two pipes' ends; its words go to our journal.
core::Result<Child> start(const std::vector<std::string>& arguments) {
  const auto refuse = [](int error) {
    return core::fail(
        core::ErrorKind::unavailable, "rehearsal_not_started",
        fmt::format("The rehearsal's process cannot be started: {}.", std::generic_category().message(error)));
  };
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return refuse(errno);
  Child child{.pid = -1, .events = core::Descriptor(ends[0])};
  const core::Descriptor write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  // A process begins with no signal held back.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::vector<char*> argv;
  std::vector<std::string> words = arguments;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int error = ::posix_spawn(&child.pid, "/proc/self/exe", &actions, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return refuse(error);
  return child;
}

// Nothing after the last event when the child ended as it should.
std::optional<std::string> last_word(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::nullopt;
  return failed(WIFSIGNALED(status)
                    ? fmt::format("the rehearsal's process was ended by signal {}", WTERMSIG(status))
                    : fmt::format("the rehearsal's process ended with {}; the journal says why", WEXITSTATUS(status)));
}

}  // namespace

// From the copy to the child's last word. Its destructor ends whatever is under way.
struct Rehearsals::Run {
  store::Store& store;
  core::Clock& clock;
  core::TaskScope& scope;
  asio::any_io_executor executor;
  fs::path config_file;
  control::RehearsalRequest request;
  fs::path folder;
  std::shared_ptr<Copying> copying;
  pid_t child = -1;
  std::optional<asio::posix::stream_descriptor> events;
  bool over = false;

  Run(Rehearsals& all, control::RehearsalRequest asked, fs::path own_folder)
      : store(all.store_),
        clock(all.clock_),
        scope(all.scope_),
        executor(all.executor_),
        config_file(all.config_file_),
        request(std::move(asked)),
        folder(std::move(own_folder)) {}
  ~Run() {
    if (copying) drop(store, executor, std::move(copying));
    if (child > 0) ::kill(child, SIGKILL);
    scope.spawn("rehearsal's end", clear_away(&clock, child, folder));
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  [[nodiscard]] fs::path database() const { return folder / "state.db"; }

  static awaitable<std::optional<std::string>> step(std::shared_ptr<Run> run) {
    if (run->over) co_return std::nullopt;
    if (!run->events) co_return co_await prepare(run);
    co_return co_await next_events(run);
  }

  // The copy, then the child; an event now and then.
  static awaitable<std::optional<std::string>> prepare(std::shared_ptr<Run> run) {
    std::string trouble;
    try {
      co_await copy(run);
    } catch (const boost::system::system_error&) {
      throw;
    } catch (const std::exception& e) {
      trouble = fmt::format("the state cannot be copied: {}", e.what());
    }
    if (trouble.empty()) {
      auto started = start(arguments_of(run->request, run->config_file, run->database()));
      if (started) {
        run->child = started->pid;
        run->events.emplace(run->executor, started->events.release());
        co_return line({{"event", "progress"}, {"done", 0}, {"total", 0}});
      }
      trouble = started.error().message;
    }
    run->over = true;
    co_return failed(trouble);
  }

  static awaitable<void> copy(std::shared_ptr<Run> run) {
    run->copying = std::make_shared<Copying>();
    run->copying->path = run->database().string();
    auto waits_since = run->clock.monotonic();
    while (true) {
      const auto done = co_await [&] {
        return run->store.read([copying = run->copying](store::Db& db) {
          if (!copying->copy) copying->copy.emplace(db, copying->path);
          const auto step = copying->copy->step(pages_at_a_time);
          if (step == store::Copy::Step::whole) copying->copy.reset();
          return step;
        });
      }();
      if (done == store::Copy::Step::whole) break;
      if (done == store::Copy::Step::more) waits_since = run->clock.monotonic();
      if (run->clock.monotonic() - waits_since > longest_copy_pause)
        throw std::runtime_error("the store is busy writing; try again later");
      if (done == store::Copy::Step::later) co_await run->clock.sleep_for(copy_again);
    }
    run->copying.reset();
  }

  static awaitable<std::optional<std::string>> next_events(std::shared_ptr<Run> run) {
    using namespace asio::experimental::awaitable_operators;
    // A wait that is given up loses nothing; a read could.
    auto readable = run->events->async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    const auto first = co_await (std::move(readable) || run->clock.sleep_for(ping_each));
    if (first.index() == 1) co_return std::string("{\"event\":\"ping\"}\n");
    std::string piece(piece_bytes, '\0');
    const auto [error, size] =
        co_await run->events->async_read_some(asio::buffer(piece), asio::as_tuple(asio::use_awaitable));
    if (!error) {
      piece.resize(size);
      co_return piece;
    }
    int status = 0;
    while (::waitpid(run->child, &status, WNOHANG) == 0) co_await run->clock.sleep_for(reap_again);
    run->child = -1;
    run->over = true;
    co_return last_word(status);
  }
};

Rehearsals::Rehearsals(const config::Config& config, fs::path config_file, store::Store& store, core::Clock& clock,
                       core::TaskScope& scope, asio::any_io_executor executor)
    : config_(config),
      config_file_(std::move(config_file)),
      store_(store),
      clock_(clock),
      scope_(scope),
      executor_(std::move(executor)) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(config.state_dir, error)) {
    if (entry.path().filename().string().starts_with(folder_prefix)) remove_folder(entry.path());
  }
}

core::Result<core::HttpBodyStream> Rehearsals::begin(control::RehearsalRequest request) {
  if (const auto settings = rehearsal_settings(request, config_); !settings) return core::fail(settings.error());
  if (!running_.expired())
    return core::fail(core::ErrorKind::conflict, "rehearsal_running",
                      "Another rehearsal is being played: wait for its end, or end it.");
  std::string folder = (config_.state_dir / (std::string(folder_prefix) + "XXXXXX")).string();
  if (::mkdtemp(folder.data()) == nullptr)
    return core::fail(core::ErrorKind::unavailable, "folder_not_made",
                      fmt::format("A folder for the copy cannot be made: {}.", std::generic_category().message(errno)),
                      config_.state_dir.string());
  auto run = std::make_shared<Run>(*this, std::move(request), folder);
  running_ = run;
  return core::HttpBodyStream([run] { return Run::step(run); });
}

}  // namespace invited::app
