#include "service/domains.hpp"

#include "model/email.hpp"
#include "service/looper.hpp"
#include "store/domains.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {
constexpr std::size_t chunk = 128;
constexpr core::Milliseconds look_each = std::chrono::hours{1};
}  // namespace

Domains::Domains(store::Store& store, core::Clock& clock, boost::asio::any_io_executor executor,
                 std::shared_ptr<Planner> planner)
    : store_(store), clock_(clock), wakeup_(std::move(executor)), planner_(std::move(planner)) {}

boost::asio::awaitable<core::Result<model::Domain>> Domains::assert_verified(std::string name, Act act) {
  const auto parsed = model::parse_domain(name);
  if (!parsed) co_return core::fail(parsed.error());
  const Instant now = clock_.now();
  const bool dry_run = act.dry_run;
  model::Domain domain{*parsed, model::DomainState::verified, "assertion", act.actor, now};
  if (!dry_run) {
    co_await [&] {
      return store_.write([planner = planner_, domain, now](Db& db) {
        store::domains::put(db, domain);
        planner->audit(db, now, domain.actor, "domain.verified", "domain:" + domain.name, domain.method);
      });
    }();
    wakeup_.ring();
  }
  co_return domain;
}

boost::asio::awaitable<core::Result<void>> Domains::remove(std::string name, Act act) {
  const auto parsed = model::parse_domain(name);
  if (!parsed) co_return core::fail(parsed.error());
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.write([planner = planner_, name = *parsed, act, now](Db& db) -> core::Result<void> {
      if (!store::domains::get(db, name))
        return core::fail(core::ErrorKind::not_found, "unknown_domain",
                          fmt::format("\"{}\" is not among the domains.", name));
      if (act.dry_run) return {};
      (void)store::domains::remove(db, name);
      planner->audit(db, now, act.actor, "domain.removed", "domain:" + name);
      return {};
    });
  }();
}

boost::asio::awaitable<void> Domains::run() {
  const Looper looper("domains", clock_);
  while (true) {
    co_await looper.guarded(pass());
    co_await wakeup_.wait_for(clock_, look_each);
  }
}

boost::asio::awaitable<std::size_t> Domains::pass() {
  struct Step {
    std::size_t connecting = 0;
    std::optional<Id> last;
  };
  std::size_t total = 0;
  const auto domains = co_await store_.read([](Db& db) { return store::domains::all(db); });
  for (const model::Domain& domain : domains) {
    if (domain.state != model::DomainState::verified) continue;
    std::optional<Id> after;
    do {
      const Instant now = clock_.now();
      const Step step = co_await [&] {
        return store_.write([planner = planner_, rule = domain.name, actor = domain.actor, after, now](Db& db) {
          Step done;
          const auto keys = store::users::unconnected_in_domain(db, rule, after, chunk);
          for (const Id& key : keys) {
            if (planner->apply(db, key, actor, now).connecting) ++done.connecting;
          }
          if (keys.size() == chunk) done.last = keys.back();
          return done;
        });
      }();
      total += step.connecting;
      after = step.last;
      if (step.connecting > 0 && on_task_) on_task_();
    } while (after);
  }
  co_return total;
}

}  // namespace invited::service
