#include "plugin/host.hpp"

#include <fmt/format.h>
#include <invited/identity.h>
#include <invited/source.h>
#include <invited/transport.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <utility>
#include <vector>

#include "core/events.hpp"
#include "core/log.hpp"
#include "plugin/abi_text.hpp"
#include "plugin/host_table.hpp"

namespace invited::plugin {

namespace asio = boost::asio;
namespace log = core::log;
namespace events = core::events;
using core::Milliseconds;

namespace {

constexpr std::uint32_t largest_window = 100'000;
constexpr std::size_t most_timers = 10'000;
constexpr Milliseconds wall_check = std::chrono::seconds(10);  // how soon a set clock is noticed by at()
constexpr Milliseconds longest_sleep = std::chrono::hours(1);
constexpr Milliseconds slow_create = std::chrono::seconds(5);

// Each of the first, then ever fewer: a broken plugin must not fill the journal.
bool worth_a_line(std::uint64_t count) {
  return count <= 16 || (count & (count - 1)) == 0;
}

// A plugin that did not come back may still call its host: what it knows then stays until the process ends.
void keep_for_ever(std::shared_ptr<Instance> instance) {
  static std::mutex mutex;
  static std::vector<std::shared_ptr<Instance>> kept;
  const std::lock_guard lock(mutex);
  kept.push_back(std::move(instance));
}

// A sum that does not run over for "never".
Milliseconds later(Milliseconds now, Milliseconds by) {
  return by > Milliseconds::max() - now ? Milliseconds::max() : now + by;
}

}  // namespace

// A place in the plugin's window, waited for in order.
struct Instance::Turn {
  Turn(const asio::any_io_executor& executor, Milliseconds deadline)
      : timer(executor, asio::steady_timer::time_point::max()), until(deadline) {}
  asio::steady_timer timer;
  Milliseconds until;
  bool granted = false;
  std::optional<Failure> refused;
};

std::shared_ptr<Instance> Instance::make(std::shared_ptr<const Module> module, const invited_plugin& plugin,
                                         std::string name, std::string config, Environment environment) {
  return std::shared_ptr<Instance>(
      new Instance(std::move(module), plugin, std::move(name), std::move(config), std::move(environment)));
}

Instance::Instance(std::shared_ptr<const Module> module, const invited_plugin& plugin, std::string name,
                   std::string config, Environment environment)
    : module_(std::move(module)),
      plugin_(plugin),
      name_(std::move(name)),
      config_(std::move(config)),
      environment_(std::move(environment)),
      thread_(name_),
      scope_(environment_.core,
             [this](std::string_view task, std::exception_ptr error) {
               std::string what;
               try {
                 std::rethrow_exception(error);
               } catch (const std::exception& e) {
                 what = e.what();
               } catch (...) {
                 what = "no exception of the standard library";
               }
               log::error(events::internal_error, "a task of a plugin instance ended by an exception",
                          {{"instance", name_}, {"task", std::string(task)}, {"what", what}});
             }),
      time_wakeup_(environment_.core),
      quiet_wakeup_(environment_.core) {
  host_ = HostTable::make(*this);
}

Instance::~Instance() {
  // Only stopped instances come here, or ones that never ran anything: others are held by keep_for_ever().
  thread_.finish([] {}, [] {});
  thread_.join();
}

std::string_view Instance::role() const {
  const std::string_view role = plugin_.role;
  if (role == INVITED_ROLE_SOURCE) return "source";
  return role == INVITED_ROLE_TRANSPORT ? "transport" : "identity";
}

std::string Instance::last_misbehaviour() const {
  const std::lock_guard lock(mutex_);
  return last_misbehaviour_;
}

void Instance::misbehaved(std::string_view rule) noexcept {
  try {
    const std::uint64_t count = ++misbehaviour_;
    {
      const std::lock_guard lock(mutex_);
      last_misbehaviour_ = rule;
    }
    if (worth_a_line(count))
      log::warning(events::plugin_misbehaved, "Plugin misbehaves",
                   {{"plugin", plugin_.name},
                    {"instance", name_},
                    {"rule", std::string(rule)},
                    {"count", std::to_string(count)}});
  } catch (...) {
    // Out of memory for a log line: the count stands.
  }
}

void Instance::tell_error(const Call& call, const Outcome& outcome) {
  const std::uint64_t count = ++errors_;
  if (worth_a_line(count))
    log::warning(events::plugin_misbehaved, "A call failed by an error of the plugin",
                 {{"plugin", plugin_.name},
                  {"instance", name_},
                  {"operation", call.operation()},
                  {"why", outcome.why.message},
                  {"count", std::to_string(count)}});
}

std::size_t Instance::open_calls() const {
  const std::lock_guard lock(mutex_);
  return calls_.size();
}

bool Instance::is_open(const Call& call) const {
  const std::lock_guard lock(mutex_);
  const auto at = calls_.find(call.handle());
  return at != calls_.end() && !at->second->completed_;
}

// ---- calls ----

std::shared_ptr<Call> Instance::find_open(invited_call* handle) {
  const std::lock_guard lock(mutex_);
  const auto at = calls_.find(handle);
  return at == calls_.end() || at->second->completed_ ? nullptr : at->second;
}

std::shared_ptr<Call> Instance::find_any(invited_call* handle) {
  const std::lock_guard lock(mutex_);
  const auto at = calls_.find(handle);
  return at == calls_.end() ? nullptr : at->second;
}

void Instance::report_not_open(std::string_view what) {
  misbehaved(fmt::format("{} on a call that is not open or is of another kind", what));
}

std::optional<Failure> Instance::refusal() const {
  if (closing_) return Failure{"the daemon is stopping", "", 0};
  if (stuck()) return Failure{"the instance is stuck: an earlier call has not come back", "", 0};
  return std::nullopt;
}

void Instance::start(std::shared_ptr<Call> call, Operation operation, std::function<void(Outcome)> done) {
  call->done_ = std::move(done);
  if (auto refused = refusal()) {
    call->ended_ = true;
    Outcome outcome{closing_ ? INVITED_CANCELLED : INVITED_RETRY, std::move(*refused), false, false};
    call->on_end(outcome);
    gate().post([self = shared_from_this(), call, outcome = std::move(outcome)]() mutable {
      self->closed(call);
      self->settle(call, std::move(outcome));
    });
    return;
  }
  renew(*call);
  {
    const std::lock_guard lock(mutex_);
    calls_.emplace(call->handle(), call);
  }
  thread_.post([self = shared_from_this(), call, operation = std::move(operation)] { self->execute(call, operation); });
  time_wakeup_.ring();
}

void Instance::execute(const std::shared_ptr<Call>& call, const Operation& operation) {
  {
    const std::lock_guard lock(mutex_);
    if (call->completed_) return;  // given up before it began
    call->begun_ = true;
  }
  std::string thrown;
  try {
    operation(call->handle());
  } catch (const std::exception& error) {
    thrown = fmt::format("{} threw: {}", call->operation(), clipped(error.what(), 500));
  } catch (...) {
    thrown = fmt::format("{} threw something", call->operation());
  }
  if (!thrown.empty()) misbehaved(thrown);
  ask_window();
  bool completed = false;
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    call->returned_ = true;
    completed = call->completed_;
    if (!thrown.empty() && !completed) {
      call->completed_ = true;
      call->failure_ = {thrown, "", 0};
    }
    last = call->completed_;
    if (last) calls_.erase(call->handle());
  }
  if (!thrown.empty() && !completed) end(call, {INVITED_INTERNAL, {thrown, "", 0}, true, false});
  if (last) gate().post([self = shared_from_this(), call] { self->closed(call); });
}

void Instance::complete(invited_call* handle, invited_status status) noexcept {
  try {
    std::shared_ptr<Call> call;
    Outcome outcome;
    const char* broken = nullptr;
    bool last = false;
    {
      const std::lock_guard lock(mutex_);
      const auto at = calls_.find(handle);
      if (at == calls_.end() || at->second->completed_) {
        broken = "complete() on a call that is not open: it was completed before, or never was";
      } else if (at->second->host_completes_) {
        broken = "complete() on the call that create() gets";
      } else {
        call = at->second;
        call->completed_ = true;
        outcome = {known_status(status), call->failure_, true, false};
        last = call->returned_;
        if (last) calls_.erase(at);
      }
    }
    if (broken != nullptr) return misbehaved(broken);
    if (status != outcome.status)
      misbehaved(fmt::format("complete() with the unknown status {}", status));
    else if (status == INVITED_INTERNAL)
      tell_error(*call, outcome);
    end(call, std::move(outcome));
    if (last) gate().post([self = shared_from_this(), call] { self->closed(call); });
  } catch (const std::exception& error) {
    misbehaved(error.what());
  }
}

void Instance::end(const std::shared_ptr<Call>& call, Outcome outcome) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(call->ended_, true)) return;  // overdue: nobody waits any more
  }
  call->on_end(outcome);
  gate().post([self = shared_from_this(), call, outcome = std::move(outcome)]() mutable {
    self->settle(call, std::move(outcome));
  });
}

void Instance::settle(const std::shared_ptr<Call>& call, Outcome outcome) {
  // A call that waits on itself would never go: the function goes first.
  if (auto done = std::exchange(call->done_, nullptr)) done(std::move(outcome));
}

void Instance::closed(const std::shared_ptr<Call>& call) {
  if (std::exchange(call->holds_turn_, false)) --turns_taken_;
  if (std::exchange(call->overdue_, false) && --overdue_calls_ == 0)
    log::warning(events::plugin_stuck, "Plugin instance came back and gets calls again",
                 {{"plugin", plugin_.name}, {"instance", name_}, {"operation", call->operation()}});
  grant_turns();
  quiet_wakeup_.ring();
}

void Instance::cancel(const std::shared_ptr<Call>& call) {
  if (call->cancel_requested_.exchange(true)) return;
  call->on_cancel();
  bool begun = false;
  {
    const std::lock_guard lock(mutex_);
    if (call->completed_) return;
    begun = call->begun_;
  }
  if (environment_.http) environment_.http->cancel(this, call->handle());
  if (!begun || plugin_.cancel == nullptr || !created_ || !INVITED_HAS(&plugin_, invited_plugin, cancel)) return;
  try {
    plugin_.cancel(self_, call->handle());
  } catch (...) {
    misbehaved("cancel() threw");
  }
}

void Instance::renew(Call& call) {
  call.deadline_ = later(clock().monotonic(), call.limit()).count();
}

// ---- turns ----

asio::awaitable<std::optional<Outcome>> Instance::take_turn(std::shared_ptr<Call> call) {
  auto self = shared_from_this();
  if (auto refused = refusal())
    co_return Outcome{closing_ ? INVITED_CANCELLED : INVITED_RETRY, std::move(*refused), false, false};
  if (turns_.empty() && turns_taken_ < window_) {
    ++turns_taken_;
    call->holds_turn_ = true;
    co_return std::nullopt;
  }
  auto turn = std::make_shared<Turn>(environment_.core, later(clock().monotonic(), call->limit()));
  turns_.push_back(turn);
  time_wakeup_.ring();
  struct Waiting {
    Instance& instance;
    std::shared_ptr<Turn> turn;
    bool taken = false;
    Waiting(Instance& i, std::shared_ptr<Turn> t) : instance(i), turn(std::move(t)) {}
    ~Waiting() {
      if (turn->granted && !taken) {  // cancelled in the same step
        --instance.turns_taken_;
        instance.grant_turns();
      }
      instance.turns_.remove(turn);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
  } waiting(*self, turn);
  while (!turn->granted && !turn->refused) {
    boost::system::error_code ended;
    co_await turn->timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
      throw boost::system::system_error(asio::error::operation_aborted);
  }
  if (turn->refused)
    co_return Outcome{closing_ ? INVITED_CANCELLED : INVITED_RETRY, std::move(*turn->refused), false, false};
  waiting.taken = true;
  call->holds_turn_ = true;
  co_return std::nullopt;
}

void Instance::grant_turns() {
  for (const auto& turn : turns_) {
    if (turns_taken_ >= window_ || stuck() || closing_) return;
    if (turn->granted || turn->refused) continue;
    turn->granted = true;
    ++turns_taken_;
    turn->timer.cancel();
  }
}

void Instance::fail_turns() {
  const auto refused = refusal();
  if (!refused) return;
  for (const auto& turn : turns_) {
    if (turn->granted || turn->refused) continue;
    turn->refused = refused;
    turn->timer.cancel();
  }
}

asio::awaitable<Outcome> Instance::run(std::shared_ptr<Call> call, Operation operation) {
  auto self = shared_from_this();
  std::optional<Outcome> refused = co_await take_turn(call);
  if (refused) co_return std::move(*refused);
  co_return co_await perform(std::move(call), std::move(operation));
}

asio::awaitable<Outcome> Instance::perform(std::shared_ptr<Call> call, Operation operation) {
  auto self = shared_from_this();
  struct Answer {
    CoreEvent arrived;
    std::optional<Outcome> outcome;
  };
  auto answer = std::make_shared<Answer>();
  start(call, std::move(operation), [answer](Outcome outcome) {
    answer->outcome = std::move(outcome);
    answer->arrived.ring();
  });
  // Whoever leaves early leaves a hint; the call owns its arguments and ends by itself.
  struct Leaving {
    std::shared_ptr<Instance> instance;
    std::shared_ptr<Call> call;
    std::shared_ptr<Answer> answer;
    Leaving(std::shared_ptr<Instance> i, std::shared_ptr<Call> c, std::shared_ptr<Answer> a)
        : instance(std::move(i)), call(std::move(c)), answer(std::move(a)) {}
    ~Leaving() {
      if (!answer->outcome) instance->cancel(call);
    }
    Leaving(const Leaving&) = delete;
    Leaving& operator=(const Leaving&) = delete;
  } leaving(self, call, answer);
  while (!answer->outcome) co_await answer->arrived.wait();
  co_return std::move(*answer->outcome);
}

// ---- time: deadlines, waiting turns, invited.schedule/1 ----

void Instance::wake() {
  gate().post([self = shared_from_this()] { self->time_wakeup_.ring(); });
}

asio::awaitable<void> Instance::keep_time(Instance* self) {
  for (;;) {
    const Milliseconds pause = self->check_time();
    co_await self->time_wakeup_.wait_for(self->clock(), pause);
  }
}

Milliseconds Instance::check_time() {
  const Milliseconds now = clock().monotonic();
  const core::Instant wall = clock().now();
  Milliseconds next = later(now, longest_sleep);
  std::vector<std::shared_ptr<Call>> cancel_now;
  std::vector<std::pair<std::shared_ptr<Call>, Outcome>> end_now;
  std::vector<std::shared_ptr<Call>> dropped;
  std::vector<std::uint64_t> fire;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = calls_.begin(); at != calls_.end();) {
      const auto current = at++;
      const std::shared_ptr<Call> call = current->second;
      if (call->completed_ || call->ended_) continue;
      const Milliseconds deadline = call->deadline();
      if (now < deadline) {
        next = std::min(next, deadline);
        continue;
      }
      if (!call->begun_) {
        call->completed_ = true;
        end_now.emplace_back(
            call, Outcome{INVITED_RETRY, {"the instance was too busy to begin in time", "", 0}, false, false});
        dropped.push_back(call);
        calls_.erase(current);
        continue;
      }
      if (call->hinted_at_ < deadline) {
        // The grace counts from here: after a suspended night the plugin still has it.
        call->hinted_at_ = now;
        cancel_now.push_back(call);
      }
      const Milliseconds last = later(call->hinted_at_, limits().grace);
      if (now < last) {
        next = std::min(next, last);
        continue;
      }
      call->overdue_ = true;
      ++overdue_calls_;
      end_now.emplace_back(call, Outcome{INVITED_UNKNOWN, {"did not come back within its time", "", 0}, true, true});
    }
    for (auto& [id, timer] : timers_) {
      if (timer.posted) continue;
      const bool due = timer.by_wall ? timer.wall <= wall : timer.monotonic <= now;
      if (due) {
        timer.posted = true;
        fire.push_back(id);
      } else if (timer.by_wall) {
        next = std::min(next, later(now, std::min<Milliseconds>(timer.wall - wall, wall_check)));
      } else {
        next = std::min(next, timer.monotonic);
      }
    }
  }
  for (const auto& turn : turns_) {
    if (turn->granted || turn->refused) continue;
    if (turn->until <= now) {
      turn->refused = Failure{"the instance was too busy to begin in time", "", 0};
      turn->timer.cancel();
    } else {
      next = std::min(next, turn->until);
    }
  }
  for (const std::uint64_t id : fire) thread_.post([self = shared_from_this(), id] { self->run_timer(id); });
  for (const auto& call : cancel_now) cancel(call);
  for (auto& [call, outcome] : end_now) {
    if (outcome.overdue)
      log::error(events::plugin_stuck, "Plugin instance is stuck: a call did not come back, it gets no more",
                 {{"plugin", plugin_.name}, {"instance", name_}, {"operation", call->operation()}});
    end(call, std::move(outcome));
  }
  for (const auto& call : dropped) closed(call);
  fail_turns();
  return std::max(next - now, Milliseconds(0));
}

invited_status Instance::add_timer(Timer timer, std::uint64_t* ret_id) {
  if (timer.run == nullptr || ret_id == nullptr) {
    misbehaved("schedule/1 without a function or a place for its id");
    return INVITED_REJECTED;
  }
  {
    const std::lock_guard lock(mutex_);
    if (timers_closed_ || timers_.size() >= most_timers) return INVITED_REJECTED;
    *ret_id = ++last_timer_;
    timers_.emplace(last_timer_, timer);
  }
  wake();
  return INVITED_OK;
}

void Instance::run_timer(std::uint64_t id) {
  Timer timer;
  {
    const std::lock_guard lock(mutex_);
    const auto at = timers_.find(id);
    if (at == timers_.end()) return;  // cancelled meanwhile
    timer = at->second;
    timers_.erase(at);
  }
  try {
    timer.run(timer.user);
  } catch (...) {
    misbehaved("a function given to schedule/1 threw");
  }
}

void Instance::ask_window() noexcept {
  if (!made_) return;
  std::uint32_t answer = 1;
  try {
    const std::string_view role = this->role();
    if (role == "source") {
      if (const auto& table = operations<invited_source>(); table.window != nullptr) answer = table.window(self_);
    } else if (role == "transport") {
      if (const auto& table = operations<invited_transport>(); table.window != nullptr) answer = table.window(self_);
    } else if (const auto& table = operations<invited_identity>(); table.window != nullptr) {
      answer = table.window(self_);
    }
  } catch (...) {
    misbehaved("window() threw");
  }
  window_ = std::clamp<std::uint32_t>(answer, 1, largest_window);
}

// ---- beginning and end ----

asio::awaitable<core::Result<void>> Instance::create() {
  auto self = shared_from_this();
  gate().enter_core_thread();
  if (!std::exchange(time_kept_, true)) scope_.spawn("plugin time", keep_time(this));
  auto call = std::make_shared<Call>("create", limits().create);
  call->host_completes_ = true;
  Operation operation = [self, call](invited_call* handle) {
    static char untouched = 0;  // null is an answer
    void* made = &untouched;
    self->creating_ = true;
    struct Over {
      std::atomic<bool>& creating;
      ~Over() { creating = false; }
    } over{self->creating_};
    const invited_status status =
        known_status(self->plugin_.create(&self->host_, handle, borrow(self->config_), &made));
    Outcome outcome;
    bool nothing_made = false;
    {
      const std::lock_guard lock(self->mutex_);
      nothing_made = status == INVITED_OK && made == &untouched;
      self->made_ = status == INVITED_OK && !nothing_made;
      if (self->made_) self->self_ = made;
      outcome = {nothing_made ? INVITED_INTERNAL : status, call->failure_, true, false};
      if (nothing_made) outcome.why.message = "create() said OK but made nothing";
      call->completed_ = true;
    }
    if (nothing_made) self->misbehaved("create() said OK but made nothing");
    self->ask_window();
    self->end(call, std::move(outcome));
  };
  scope_.spawn("slow plugin", tell_slow(this, call));
  const Outcome outcome = co_await perform(call, std::move(operation));
  if (outcome.status == INVITED_OK) {
    created_ = true;
    co_return core::Result<void>();
  }
  co_return core::fail(to_error(role(), name_, "create", outcome));
}

asio::awaitable<void> Instance::tell_slow(Instance* self, std::shared_ptr<Call> call) {
  co_await self->clock().sleep_for(slow_create);
  if (self->is_open(*call))
    log::warning(events::plugin_stuck,
                 fmt::format("Waiting for plugin instance {} to be made; nothing starts before it", self->name_),
                 {{"plugin", self->plugin_.name}, {"instance", self->name_}});
}

asio::awaitable<bool> Instance::wait_quiet(Milliseconds limit, bool requests_too) {
  const Milliseconds until = later(clock().monotonic(), limit);
  while (open_calls() > 0 || (requests_too && http_requests_ > 0)) {
    const Milliseconds left = until - clock().monotonic();
    if (left <= Milliseconds(0)) co_return false;
    co_await quiet_wakeup_.wait_for(clock(), left);
  }
  co_return true;
}

asio::awaitable<bool> Instance::wait_ended(Milliseconds limit) {
  const Milliseconds until = later(clock().monotonic(), limit);
  while (!thread_ended_) {
    const Milliseconds left = until - clock().monotonic();
    if (left <= Milliseconds(0)) co_return false;
    co_await quiet_wakeup_.wait_for(clock(), left);
  }
  co_return true;
}

asio::awaitable<bool> Instance::stop(Milliseconds limit) {
  auto self = shared_from_this();
  if (std::exchange(stopped_, true)) co_return true;
  closing_ = true;
  fail_turns();
  std::vector<std::shared_ptr<Call>> open;
  std::vector<std::shared_ptr<Call>> unbegun;
  {
    const std::lock_guard lock(mutex_);
    timers_closed_ = true;
    timers_.clear();
    for (auto at = calls_.begin(); at != calls_.end();) {
      const auto current = at++;
      if (current->second->begun_) {
        open.push_back(current->second);
        continue;
      }
      current->second->completed_ = true;
      unbegun.push_back(current->second);
      calls_.erase(current);
    }
  }
  for (const auto& call : unbegun) {
    end(call, {INVITED_CANCELLED, {"the daemon is stopping", "", 0}, false, false});
    closed(call);
  }
  for (const auto& call : open) cancel(call);
  co_await wait_quiet(limit, false);
  {
    const std::lock_guard lock(mutex_);
    http_closed_ = true;
  }
  // What is left belongs to no call, or keeps one from ending.
  if (environment_.http) environment_.http->abort(this);
  const bool quiet = co_await wait_quiet(limit, true);
  bool ended = false;
  if (quiet) {
    thread_.finish(
        [self] {
          if (!self->made_) return;
          try {
            self->plugin_.destroy(self->self_);
          } catch (...) {
            self->misbehaved("destroy() threw");
          }
          self->made_ = false;
        },
        [self] {
          self->gate().post([self] {
            self->thread_ended_ = true;
            self->quiet_wakeup_.ring();
          });
        });
    created_ = false;
    ended = co_await wait_ended(limit);
  }
  if (environment_.routes) environment_.routes->remove_all(name_);
  scope_.stop();
  co_await scope_.join();
  if (ended) {
    thread_.join();
    co_return true;
  }
  log::error(events::plugin_stuck, "Plugin instance did not end; it is left behind",
             {{"plugin", plugin_.name}, {"instance", name_}, {"open_calls", std::to_string(open_calls())}});
  keep_for_ever(self);
  thread_.abandon();
  co_return false;
}

void Instance::abandon() {
  if (std::exchange(stopped_, true)) return;
  std::vector<std::shared_ptr<Call>> open;
  {
    const std::lock_guard lock(mutex_);
    timers_closed_ = true;
    timers_.clear();
    for (const auto& [handle, call] : calls_) open.push_back(call);
  }
  closing_ = true;
  for (const auto& call : open) cancel(call);
  keep_for_ever(shared_from_this());
  thread_.abandon();
}

}  // namespace invited::plugin
