#include "service/domains.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/encoding.hpp"
#include "core/events.hpp"
#include "core/log.hpp"
#include "model/email.hpp"
#include "service/looper.hpp"
#include "service/one_of_many.hpp"
#include "store/domains.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

using core::ErrorKind;
using core::fail;
using model::Domain;
using model::DomainState;
namespace log = core::log;
namespace events = core::events;

constexpr std::size_t chunk = 32;  // below 20 ms of store time
constexpr core::Milliseconds look_each = std::chrono::hours{1};
constexpr core::Milliseconds checks_each{1'000};
constexpr core::Milliseconds without_a_word = std::chrono::minutes{10};
constexpr std::string_view by_dns = "dns";
constexpr std::string_view by_assertion = "assertion";
constexpr std::string_view proof_label = "_invited-challenge.";
constexpr std::size_t longest_name = 253;
constexpr std::size_t most_seen = 5;
constexpr std::size_t longest_seen = 120;

bool proven(const Domain& domain) {
  return domain.state == DomainState::verified && domain.method == by_dns;
}

std::string domain_subject(const Domain& domain) {
  return "domain:" + domain.name;
}

tl::unexpected<core::Error> unknown(const std::string& name) {
  return fail(ErrorKind::not_found, "unknown_domain", fmt::format("\"{}\" is not among the domains.", name));
}

std::string new_challenge(core::Random& random) {
  std::array<std::byte, 20> bytes{};
  random.fill(bytes);
  return core::to_base32(bytes);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  return first == std::string_view::npos ? std::string_view{}
                                         : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string> shown(const std::vector<std::string>& records) {
  std::vector<std::string> some;
  for (const std::string& record : records) {
    if (some.size() == most_seen) {
      some.push_back(fmt::format("and {} more", records.size() - most_seen));
      break;
    }
    const bool whole = record.size() <= longest_seen;
    some.push_back(
        log::printable(whole ? record : fmt::format("{}...", std::string_view(record).substr(0, longest_seen))));
  }
  return some;
}

std::string sentence(Finding found, const std::string& trouble) {
  switch (found) {
    case Finding::right:
      return "The record is there.";
    case Finding::wrong:
      return "There are TXT records of that name, but none with this value.";
    case Finding::missing:
      return "There is no TXT record of that name.";
    case Finding::no_answer:
      break;
  }
  return trouble + " Nothing changes.";
}

}  // namespace

std::string_view to_text(Finding found) {
  constexpr std::array<std::string_view, 4> names{"right", "wrong", "missing", "no_answer"};
  return names.at(static_cast<std::size_t>(found));
}

std::optional<ProofRecord> proof_record(const Domain& domain) {
  if (domain.challenge.empty()) return std::nullopt;
  const std::string_view name = domain.name;
  return ProofRecord{std::string(proof_label) + std::string(name.starts_with("*.") ? name.substr(2) : name),
                     "invited-verification=" + domain.challenge};
}

Domains::Domains(store::Store& store, core::Clock& clock, boost::asio::any_io_executor executor,
                 std::shared_ptr<Planner> planner, model::Dns& dns, DomainSettings settings)
    : store_(store),
      clock_(clock),
      wakeup_(std::move(executor)),
      planner_(std::move(planner)),
      dns_(dns),
      settings_(settings) {}

boost::asio::awaitable<core::Result<Domain>> Domains::add(std::string name, Act act) {
  const auto parsed = model::parse_domain(name);
  if (!parsed) co_return fail(parsed.error());
  if (proof_label.size() + parsed->size() > longest_name)
    co_return fail(ErrorKind::invalid, "domain_too_long_for_dns",
                   "The name is so long that no record can stand below it: only an assertion is possible (--assert).");
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.write([planner = planner_, name = *parsed, act, now,
                         first_check = now + settings_.pending_recheck](Db& db) -> core::Result<Domain> {
      const auto known = store::domains::get(db, name);
      if (known && !known->challenge.empty()) return *known;
      Domain domain = known ? *known
                            : Domain{.name = name,
                                     .state = DomainState::pending,
                                     .method = std::string(by_dns),
                                     .actor = act.actor,
                                     .since = now};
      // What a dry run would make up is not what must be published.
      if (act.dry_run) return domain;
      domain.challenge = new_challenge(planner->random());
      // Not before: an answer "no such name" would be remembered by the resolvers on the way and delay the first look
      // that an operator asks for.
      if (domain.state == DomainState::pending) domain.next_check_at = first_check;
      store::domains::put(db, domain);
      planner->audit(db, now, act.actor, "domain.added", domain_subject(domain), by_dns);
      return domain;
    });
  }();
}

boost::asio::awaitable<core::Result<Domain>> Domains::assert_verified(std::string name, Act act) {
  const auto parsed = model::parse_domain(name);
  if (!parsed) co_return fail(parsed.error());
  const Instant now = clock_.now();
  const bool dry_run = act.dry_run;
  auto domain = co_await [&] {
    return store_.write([planner = planner_, name = *parsed, act, now](Db& db) -> core::Result<Domain> {
      const auto known = store::domains::get(db, name);
      if (known && proven(*known))
        return fail(
            ErrorKind::conflict, "already_proven",
            fmt::format("\"{}\" is proven by DNS: there is nothing to assert. Remove it first if an operator is "
                        "to answer for it from now on.",
                        name));
      Domain asserted{.name = name,
                      .state = DomainState::verified,
                      .method = std::string(by_assertion),
                      .actor = act.actor,
                      .since = now};
      if (known) asserted.challenge = known->challenge;
      if (act.dry_run) return asserted;
      store::domains::put(db, asserted);
      planner->audit(db, now, act.actor, "domain.verified", domain_subject(asserted), by_assertion);
      return asserted;
    });
  }();
  if (domain && !dry_run) wakeup_.ring();
  co_return domain;
}

boost::asio::awaitable<core::Result<DomainCheck>> Domains::verify(std::string name, Act act) {
  auto domain = co_await show(std::move(name));
  if (!domain) co_return fail(domain.error());
  if (domain->challenge.empty())
    co_return fail(
        ErrorKind::conflict, "nothing_to_check",
        fmt::format("An operator answers for \"{0}\", and no record was asked for. To have it proven by DNS: "
                    "invitectl domain add {0}",
                    domain->name));
  co_return co_await check(std::move(*domain), std::move(act));
}

boost::asio::awaitable<core::Result<Domain>> Domains::remove(std::string name, Act act) {
  const auto parsed = model::parse_domain(name);
  if (!parsed) co_return fail(parsed.error());
  const Instant now = clock_.now();
  co_return co_await [&] {
    return store_.write([planner = planner_, name = *parsed, act, now](Db& db) -> core::Result<Domain> {
      const auto known = store::domains::get(db, name);
      if (!known) return unknown(name);
      if (act.dry_run) return *known;
      (void)store::domains::remove(db, name);
      planner->audit(db, now, act.actor, "domain.removed", domain_subject(*known));
      return *known;
    });
  }();
}

boost::asio::awaitable<core::Result<Domain>> Domains::show(std::string name) {
  const auto parsed = model::parse_domain(name);
  if (!parsed) co_return fail(parsed.error());
  const auto domain =
      co_await [&] { return store_.read([name = *parsed](Db& db) { return store::domains::get(db, name); }); }();
  if (!domain) co_return unknown(*parsed);
  co_return *domain;
}

std::optional<Instant> Domains::lapses_at(const Domain& domain) const {
  if (!proven(domain) || !domain.failing_since) return std::nullopt;
  return *domain.failing_since + settings_.lapse_after;
}

boost::asio::awaitable<core::Result<DomainCheck>> Domains::check(Domain domain, Act act) {
  const ProofRecord record = proof_record(domain).value();
  const auto records = co_await dns_.txt(record.name);
  DomainCheck check;
  check.domain = domain;
  if (records) {
    const bool right = std::any_of(records->begin(), records->end(),
                                   [&](const std::string& each) { return trimmed(each) == record.value; });
    check.found = right ? Finding::right : records->empty() ? Finding::missing : Finding::wrong;
    if (check.found == Finding::wrong) check.seen = shown(*records);
  }
  const std::string detail = sentence(check.found, records ? std::string() : records.error().message);
  const Instant now = clock_.now();
  // The row as it is now: it may have been removed, asserted or added anew while the DNS was asked.
  const auto judged = co_await [&] {
    return store_.write([this, domain, detail, act, found = check.found, now](Db& db) -> core::Result<Domain> {
      auto row = store::domains::get(db, domain.name);
      if (!row || row->challenge != domain.challenge)
        return fail(ErrorKind::conflict, "domain_changed",
                    fmt::format("\"{}\" was changed while the DNS was asked: look again.", domain.name));
      const Domain before = *row;
      judge(*row, found, now);
      row->detail = detail;
      if (act.dry_run) return *row;
      store::domains::put(db, *row);
      if (proven(*row) && !proven(before))
        planner_->audit(db, now, act.actor, "domain.verified", domain_subject(*row), by_dns);
      if (row->state == DomainState::lapsed && before.state != DomainState::lapsed)
        planner_->audit(db, now, act.actor, "domain.lapsed", domain_subject(*row), to_text(found));
      return *row;
    });
  }();
  if (!judged) co_return fail(judged.error());
  check.domain = *judged;
  if (!act.dry_run) {
    tell(domain, check);
    if (check.domain.state == DomainState::verified) wakeup_.ring();
  }
  co_return check;
}

void Domains::judge(Domain& domain, Finding found, Instant now) const {
  domain.checked_at = now;
  const bool asserted = domain.state == DomainState::verified && !proven(domain);
  if (found == Finding::right) {
    if (domain.state != DomainState::verified) domain.since = now;
    domain.state = DomainState::verified;
    domain.method = by_dns;
    domain.failing_since.reset();
    domain.next_check_at = now + settings_.recheck;
  } else if (asserted) {
    domain.next_check_at.reset();
  } else if (found == Finding::no_answer) {
    domain.next_check_at = now + std::min(without_a_word, settings_.pending_recheck);
  } else if (!proven(domain)) {
    domain.next_check_at = now + settings_.pending_recheck;
  } else {
    if (!domain.failing_since) domain.failing_since = now;
    const Instant lapses = *domain.failing_since + settings_.lapse_after;
    if (now >= lapses) {
      domain.state = DomainState::lapsed;
      domain.since = now;
      domain.next_check_at = now + settings_.pending_recheck;
    } else {
      domain.next_check_at = std::min(now + settings_.recheck, lapses);
    }
  }
}

void Domains::tell(const Domain& before, const DomainCheck& check) const {
  const Domain& domain = check.domain;
  const auto record = proof_record(domain).value();
  if (proven(domain) && !proven(before)) {
    log::info(events::domain_changed, "The domain is proven: its addresses are connected without a mail",
              {{"domain", domain.name}});
  } else if (domain.state == DomainState::lapsed && before.state != DomainState::lapsed) {
    log::warning(
        events::domain_lapsed,
        "The domain lapsed: the DNS says for days that its record is gone, so new users get mails. Put it back, "
        "then: invitectl domain verify NAME",
        {{"domain", domain.name}, {"record", record.name}, {"value", record.value}});
  } else if (domain.failing_since && !before.failing_since) {
    log::warning(events::domain_record_gone,
                 "The record that proves the domain is not there any more: put it back before the domain lapses",
                 {{"domain", domain.name},
                  {"record", record.name},
                  {"value", record.value},
                  {"lapses", model::to_utc_text(lapses_at(domain).value_or(Instant{}))}});
  } else if (check.found == Finding::no_answer && domain.detail != before.detail) {
    log::warning(events::dns_silent, "The DNS gave no word about a domain; nothing changes, it is asked again",
                 {{"domain", domain.name}, {"record", record.name}, {"why", domain.detail}});
  }
}

boost::asio::awaitable<void> Domains::run_checks() {
  const Looper looper("domain checks", clock_);
  while (true) {
    co_await looper.guarded(check_due());
    co_await clock_.sleep_for(checks_each);
  }
}

boost::asio::awaitable<std::size_t> Domains::check_due() {
  const Instant now = clock_.now();
  auto due = co_await [&] { return store_.read([now](Db& db) { return store::domains::due(db, now, chunk); }); }();
  const Act by_daemon{.actor = "daemon"};
  // One that was changed meanwhile is looked at in its own time.
  for (Domain& domain : due) (void)co_await check(std::move(domain), by_daemon);
  co_return due.size();
}

boost::asio::awaitable<void> Domains::run() {
  const Looper looper("domains", clock_);
  while (true) {
    // What failed is tried again at once: the turn has waited a moment.
    if (co_await looper.guarded(pass())) co_await wakeup_.wait_for(clock_, look_each);
  }
}

boost::asio::awaitable<std::size_t> Domains::pass() {
  std::size_t total = 0;
  const auto domains = co_await store_.read([](Db& db) { return store::domains::all(db); });
  for (const Domain& domain : domains) {
    if (domain.state != DomainState::verified) continue;
    if (!domain.name.starts_with("*.")) {
      total += co_await connect_all(domain.name, domain.actor);
      continue;
    }
    std::string after;
    std::vector<std::string> names;
    do {
      names = co_await [&] {
        return store_.read([after](Db& db) { return store::users::unconnected_domains(db, after, chunk); });
      }();
      for (const std::string& name : names) {
        if (model::domain_covers(domain.name, name)) total += co_await connect_all(name, domain.actor);
      }
      if (!names.empty()) after = names.back();
    } while (names.size() == chunk);
  }
  co_return total;
}

boost::asio::awaitable<std::size_t> Domains::connect_all(std::string name, std::string actor) {
  struct Step {
    std::size_t connecting = 0;
    std::optional<Id> last;
  };
  std::size_t total = 0;
  std::optional<Id> after;
  do {
    const Instant now = clock_.now();
    const Step step = co_await [&] {
      return store_.write([planner = planner_, name, actor, after, now](Db& db) {
        Step done;
        const auto keys = store::users::unconnected_in_domain(db, name, after, chunk);
        for (const Id& key : keys) {
          (void)one_of_many(db, "A user of a verified domain cannot be connected", "user", key.text(), [&] {
            if (planner->apply(db, key, actor, now).connecting) ++done.connecting;
          });
        }
        if (keys.size() == chunk) done.last = keys.back();
        return done;
      });
    }();
    total += step.connecting;
    after = step.last;
    if (step.connecting > 0 && on_task_) on_task_();
  } while (after);
  co_return total;
}

}  // namespace invited::service
