// Mails out: claim durable → act → outcome durable (ARCHITECTURE §6).
//
// The window of the transport bounds how many mails are outstanding. A mail leaves the window when its outcome is
// durable; only then is the transport told settled(), so that no connection finishes its next mail before the last one
// is recorded: at most one extra copy for each connection and crash, with the same Message-ID and link (PRODUCT §7 rule
// 3).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/clock.hpp"
#include "core/task_scope.hpp"
#include "core/token.hpp"
#include "core/wakeup.hpp"
#include "model/ports.hpp"
#include "service/catch_up.hpp"
#include "service/planner.hpp"
#include "store/deliveries.hpp"
#include "store/store.hpp"

namespace invited::service {

// Everything a mail is made from; nothing in it outlives the sending.
struct MailFacts {
  model::User user;
  model::Invitation invitation;
  model::Delivery delivery;    // its kind says which mail is wanted
  std::string provider_url{};  // sign_in_ready: where the account signs in, in the provider's words
};

// Makes the bytes of a mail. The daemon's is render/mail behind an adapter; the simulator takes a plain one.
class MailWriter {
public:
  virtual ~MailWriter() = default;
  // `link` is the verification's; empty for other kinds of mail.
  [[nodiscard]] virtual core::Result<model::OutgoingMail> write(const MailFacts& facts, const std::string& link,
                                                                const model::Policy& policy, Instant now) = 0;
};

struct DeliverySettings {
  std::string base_url;  // "https://invite.example.com"
  core::Milliseconds lease{600'000};
  int max_attempts = 12;  // then the mail waits for a person
};

class Delivery {
public:
  Delivery(store::Store& store, core::Clock& clock, core::Random& random, boost::asio::any_io_executor executor,
           std::shared_ptr<Planner> planner, const core::TokenRing& tokens, MailWriter& writer,
           model::Transport& transport, const SendingGate& gate, core::TaskScope& scope, Id run_id,
           DeliverySettings settings);

  // Takes back what a run that is gone had claimed, then sends until cancelled. [core-thread]
  boost::asio::awaitable<void> run();
  // Before anything else at start: rows found claimed become uncertain. The number of them.
  boost::asio::awaitable<std::size_t> rescue();
  // Claims and hands over what is due and fits the window. The number of mails handed over.
  boost::asio::awaitable<std::size_t> pass();
  // What became of a verdict in the store.
  struct Stored {
    std::optional<model::DeliveryKind> kind{};  // of the mail; nothing: there is none such
    bool over = false;                          // it did not go out for all we know, and nobody tries again by himself
  };
  // Asks the transport to give back what it has not begun, if the offer behind a mail that it has is over by now (W9,
  // W10). Whether it was asked.
  boost::asio::awaitable<bool> recall_unwanted();
  // The same for all of them: before the daemon ends.
  void recall() { transport_.recall(); }
  void ring() { wakeup_.ring(); }

  struct Status {
    std::size_t outstanding = 0;
    std::uint64_t accepted = 0;  // since the start
    bool paused = false;
    std::string trouble;  // why it is paused, in the server's words
    core::Milliseconds resumes_in{0};
  };
  [[nodiscard]] Status status() const;
  // An operator says the trouble is over.
  void resume();

private:
  // A verdict as it came.
  struct Told {
    model::Verdict verdict;
    Instant at{};
    std::uint64_t jitter = 0;
  };
  void take_verdict(model::Verdict verdict);
  boost::asio::awaitable<void> record();
  // Nothing: none of them is stored.
  boost::asio::awaitable<std::optional<std::vector<Stored>>> store_together(std::vector<Told> told);
  boost::asio::awaitable<void> record_alone(Told told);
  // A mail whose outcome breaks a rule of the store: shown as uncertain, and nobody tries it by himself.
  boost::asio::awaitable<void> set_aside(Told told);
  void after_outcome(const model::Verdict& verdict, const Stored& stored);
  static void tell_over(const model::Verdict& verdict, const Stored& stored);
  void pause(const model::Verdict& verdict);
  void tell_resumed();

  store::Store& store_;
  core::Clock& clock_;
  core::Random& random_;
  core::Wakeup wakeup_;
  std::shared_ptr<Planner> planner_;
  const core::TokenRing& tokens_;
  MailWriter& writer_;
  model::Transport& transport_;
  const SendingGate& gate_;
  core::TaskScope& scope_;
  Id run_id_;
  DeliverySettings settings_;
  std::deque<Told> told_;  // and not stored yet
  bool recording_ = false;
  std::unordered_set<Id> recalled_;  // of those outstanding: asked for already
  core::Milliseconds recall_next_{0};
  std::size_t outstanding_ = 0;
  std::uint64_t accepted_ = 0;
  int troubles_ = 0;                                // in a row
  std::optional<core::Milliseconds> paused_until_;  // monotonic
  std::string trouble_;
};

// The purpose part of a verification link's token.
inline constexpr std::string_view verification_purpose = "verification";
[[nodiscard]] std::optional<std::string> link_of(const core::TokenRing& tokens, const model::Invitation& invitation,
                                                 const std::string& base_url);

}  // namespace invited::service
