// All services over one store in memory, with a scripted transport and provider, driven step by step: no loop runs by
// itself, time stands still until told.
//
//   Bench b;   b.at("2026-10-20T08:00:00Z");
//   b.row({{"user_id", "14"}, {"name", "Anna"}, {"login_email", "anna@example.com"}, {"start_date", "2026-12-01"}});
//   CHECK(b.state("14") == "scheduled");
//   b.at("2026-11-30T08:00:00Z");   b.pump();   CHECK(b.state("14") == "sent");
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/batches.hpp"
#include "service/bulk.hpp"
#include "service/connecting.hpp"
#include "service/delivery.hpp"
#include "service/domains.hpp"
#include "service/intake.hpp"
#include "service/links.hpp"
#include "service/queries.hpp"
#include "service/reviews.hpp"
#include "service/scheduler.hpp"
#include "service/self_service.hpp"
#include "service/sweep.hpp"
#include "service/users.hpp"
#include "support/manual_clock.hpp"
#include "support/run.hpp"
#include "support/scripted_dns.hpp"
#include "support/seeded_random.hpp"

namespace invited::test {

using Row = std::vector<std::pair<std::string, std::string>>;

class ScriptedTransport final : public model::Transport {
public:
  // What becomes of a mail; nothing: no answer comes (until the test gives one through `answer`).
  std::function<std::optional<model::Verdict>(const model::OutgoingMail&)> script;
  std::vector<model::OutgoingMail> mails;  // handed over, in order
  std::vector<core::Id> settled_mails;
  std::size_t places = 8;
  int recalls = 0;

  ScriptedTransport();
  void answer(const core::Id& delivery, model::Verdict verdict);

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::size_t window() const override { return places; }
  void send(std::vector<model::OutgoingMail> batch, std::function<void(model::Verdict)> on_verdict) override;
  void recall() override { ++recalls; }
  void settled(core::Id delivery) override { settled_mails.push_back(delivery); }
  model::awaitable<core::Result<std::string>> probe() override { co_return std::string("scripted"); }

private:
  std::string name_ = "relay";
  std::function<void(model::Verdict)> on_verdict_;
};

class ScriptedIdentity final : public model::Identity {
public:
  // Called with "ensure", "remove", "reset" or "lookup" before the default is done; what it returns is the answer.
  std::function<std::optional<model::ProviderAnswer>(const std::string& what, const std::string& external_id)> script;
  std::map<std::string, std::string> accounts;  // external id → login email
  std::vector<std::string> calls;
  std::size_t calls_at_a_time = 1;
  std::function<model::awaitable<void>(std::string external_id)> takes_time;  // before an account is made
  std::size_t open = 0, most_open = 0;                                        // calls that make an account

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::size_t window() const override { return calls_at_a_time; }
  model::awaitable<model::ProviderAnswer> ensure_account(model::AccountRequest request) override;
  model::awaitable<model::ProviderAnswer> remove_connection(std::string external_id) override;
  model::awaitable<model::ProviderAnswer> reset_password(std::string external_id) override;
  model::awaitable<model::ProviderAnswer> lookup(std::string external_id) override;

private:
  [[nodiscard]] std::optional<model::ProviderAnswer> scripted(const std::string& what, const std::string& external_id);
  std::string name_ = "directory";
};

// User-id, link and the last day, one a line; of the other kind of mail user-id, "sign in" and the addresses.
class PlainWriter final : public service::MailWriter {
public:
  std::string broken;      // not empty: why no mail can be made
  std::string throws_for;  // a user-id
  core::Result<model::OutgoingMail> write(const service::MailFacts& facts, const std::string& link,
                                          const model::Policy& policy, core::Instant now) override;
};

model::Verdict verdict(model::VerdictStatus status, const std::string& detail = "said so");
model::Policies stockholm(const std::function<void(model::Policy&)>& change = {});

struct Bench {
  explicit Bench(model::Policies policies = stockholm(), core::Milliseconds cooldown = std::chrono::minutes{10},
                 int renewals_per_hour = 4, model::Brakes brakes = {});
  ~Bench();

  // Moves wall time there (backwards, too).
  void at(const std::string& utc);
  template <class T>
  T go(boost::asio::awaitable<T> task) {
    return run(io, std::move(task));
  }
  // One file's rows through intake; the sink as a source sees it.
  std::vector<model::RowResult> rows(const std::vector<Row>& rows, bool dry_run = false,
                                     const std::string& source = "hr");
  std::string row(const Row& fields, bool dry_run = false);  // the result's text
  // Everything that is due now happens; nothing that is due later.
  void pump();
  void mails_only();    // scheduler and delivery, no provider
  void ask_provider();  // what it is owed by now
  // Every new row of the table about this user breaks a rule of the database.
  void refuse_rows(const std::string& table, const std::string& id);
  // The delivery service begins anew as a process of its own would after a kill: claims of the old one are foreign.
  void restart();

  std::optional<model::User> user(const std::string& id);
  std::string state(const std::string& id);                // of the newest invitation; "" if none
  std::vector<std::string> states(const std::string& id);  // of all, oldest first
  model::Invitation invitation(const std::string& id);     // the newest
  model::Delivery delivery(const std::string& id);
  std::string connection(const std::string& id);
  std::vector<std::string> audit(const std::string& id);  // "action reason", oldest first
  std::string send(const std::string& id);                // W12: "ok" or the error's code
  std::string link(const std::string& id);                // token of the newest mail to this user
  std::size_t mails_to(const std::string& id);
  service::LinkState confirm(const std::string& token);  // opens, then posts
  // Opens the link and posts it, the provider answers.
  void connect(const std::string& id);
  bool saw(const std::string& machine, const std::string& from, const std::string& to);
  std::string dump();  // every row of every table, for "nothing changed"

  ManualClock clock;
  SeededRandom random{11};
  std::unique_ptr<store::Db> db;
  boost::asio::io_context io;
  std::optional<store::Store> store;
  std::shared_ptr<service::Planner> planner;
  core::TokenRing tokens;
  PlainWriter writer;
  ScriptedTransport transport;
  ScriptedIdentity identity;
  service::SendingGate gate;
  std::optional<core::TaskScope> scope;
  std::vector<std::string> scope_errors;
  service::Batches batches;
  service::Intake intake;
  service::Users users;
  service::Reviews reviews;
  service::Links links;
  ScriptedDns dns;
  service::Domains domains;
  service::Bulk bulk;
  service::Sweep sweep;
  service::Scheduler scheduler;
  service::Connecting connecting;
  service::SelfService self_service;
  service::Queries queries;
  std::optional<service::Delivery> outbox;
};

inline const service::Act by_admin{.actor = "uid:0 (root)", .dry_run = false};

}  // namespace invited::test
