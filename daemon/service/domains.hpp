// Domains whose addresses are connected without a mail (PRODUCT §5): proven by a TXT record, or asserted by an
// operator.
//
// A domain that is to be proven is `pending` until the record is seen, then `verified`. It is looked up again and
// again: when the DNS says for some days in a row that the record is gone, it is `lapsed`, and verified again when the
// record is back. A DNS that gives no word changes nothing. Assertions are never looked up. Becoming verified connects
// everybody who waits (W4, W7), in chunks that a restart goes on with; ceasing changes nobody (W8): who is being
// connected already is connected, new users get mails.
//
//   auto domain = co_await domains.add("company.example", act);  // pending: proof_record(*domain) is to be published
//   auto check = co_await domains.verify("company.example", act);  // check->domain.state == verified
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/wakeup.hpp"
#include "model/ports.hpp"
#include "service/planner.hpp"
#include "service/users.hpp"
#include "store/store.hpp"

namespace invited::service {

struct DomainSettings {
  core::Milliseconds recheck = std::chrono::hours{24};            // of a proven domain
  core::Milliseconds pending_recheck = std::chrono::minutes{60};  // of one that is pending or lapsed
  core::Milliseconds lapse_after = std::chrono::hours{72};        // of definite answers without the record
};

// The TXT record that proves a domain. For "*.example.com" it stands at the same name as for "example.com".
struct ProofRecord {
  std::string name;   // "_invited-challenge.example.com"
  std::string value;  // "invited-verification=…"
};
// Nothing: none was asked for.
[[nodiscard]] std::optional<ProofRecord> proof_record(const model::Domain& domain);

enum class Finding : std::uint8_t {
  right,      // the record is there
  wrong,      // there are TXT records, and none is the right one
  missing,    // there are none
  no_answer,  // no word: nothing is known
};
[[nodiscard]] std::string_view to_text(Finding);

struct DomainCheck {
  model::Domain domain;  // as it is now
  Finding found = Finding::no_answer;
  std::vector<std::string> seen;  // what was there instead, printable; a few, shortened
};

class Domains {
public:
  // All outlive it. Everything here belongs to the core thread.
  Domains(store::Store& store, core::Clock& clock, boost::asio::any_io_executor executor,
          std::shared_ptr<Planner> planner, model::Dns& dns, DomainSettings settings = {});

  // Asks for a proof by DNS. A domain that is here already stays as it is, with the record it has; an asserted one
  // stays verified until the proof takes the assertion's place.
  boost::asio::awaitable<core::Result<model::Domain>> add(std::string name, Act act);
  // The operator answers for it. Refused for a domain that is proven (`already_proven`).
  boost::asio::awaitable<core::Result<model::Domain>> assert_verified(std::string name, Act act);
  // Looks for the record now. `unknown_domain`, `nothing_to_check` (an assertion), `domain_changed` (meanwhile).
  boost::asio::awaitable<core::Result<DomainCheck>> verify(std::string name, Act act);
  // As it was.
  boost::asio::awaitable<core::Result<model::Domain>> remove(std::string name, Act act);
  boost::asio::awaitable<core::Result<model::Domain>> show(std::string name);

  // When this domain lapses unless the record comes back before.
  [[nodiscard]] std::optional<Instant> lapses_at(const model::Domain& domain) const;

  // Connects those who wait in a verified domain, at start and when rung.
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<std::size_t> pass();
  // Looks up what is due; the number of domains looked up.
  boost::asio::awaitable<void> run_checks();
  boost::asio::awaitable<std::size_t> check_due();
  void on_task(std::function<void()> call) { on_task_ = std::move(call); }

private:
  // Everybody who waits with an address in just this domain.
  boost::asio::awaitable<std::size_t> connect_all(std::string name, std::string actor);
  boost::asio::awaitable<core::Result<DomainCheck>> check(model::Domain domain, Act act);
  void judge(model::Domain& domain, Finding found, Instant now) const;
  void tell(const model::Domain& before, const DomainCheck& check) const;

  store::Store& store_;
  core::Clock& clock_;
  core::Wakeup wakeup_;
  std::shared_ptr<Planner> planner_;
  model::Dns& dns_;
  DomainSettings settings_;
  std::function<void()> on_task_;
};

}  // namespace invited::service
