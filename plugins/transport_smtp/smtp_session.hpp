// One connection's dialogue, as a machine without I/O: bytes in, bytes out, and calls to its owner.
//
// With PIPELINING a mail costs one round trip: the content and final dot of mail n leave in the same write as MAIL,
// RCPT and DATA of mail n+1. The final dot of n+1 waits until the owner says that the outcome of n is durable
// (may_finish()). Without PIPELINING everything is in lock-step.
//
//   Session session(settings, owner);
//   session.connected("192.0.2.7");
//   for (;;) {                                   // the driver: smtp_pool.cpp, or a test
//     write(session.chunk()); session.wrote(n);
//     session.received(bytes_from_the_server);
//     if (session.want() == Session::Want::start_tls) { …handshake…; session.tls_established(); }
//     if (session.want() == Session::Want::close) break;
//   }
//
// Every message that the session took comes back exactly once: verdict(), refused(), give_back() or release().
// Single-threaded; it calls the owner only from within its own functions, and the owner may not call back into it.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smtp_message.hpp"
#include "smtp_reply.hpp"
#include "smtp_sasl.hpp"
#include "smtp_verdict.hpp"

namespace invited::smtp {

using Milliseconds = std::chrono::milliseconds;

enum class TlsMode : std::uint8_t { none, starttls, implicit };

// How long to wait for what: RFC 5321 §4.5.3.2 where it speaks. A limit runs from when the answer is due to its last
// line: a server that drips a byte a minute does not stretch it.
struct Limits {
  Milliseconds connect{60'000};
  Milliseconds tls{60'000};
  Milliseconds greeting{300'000};
  Milliseconds command{300'000};  // EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET, NOOP
  Milliseconds data{120'000};     // the DATA command
  Milliseconds block{180'000};    // a block of bytes leaving
  Milliseconds dot{600'000};      // the final dot
  Milliseconds quit{5'000};
  Milliseconds idle{20'000};        // then the connection is closed
  Milliseconds settle{240'000};     // the owner's part; below what servers wait for a command
  Milliseconds patience{10'000};    // a mail prepared behind a dot that takes longer goes to another connection
  Milliseconds overall{1'800'000};  // one mail, from being taken to its verdict
};

struct SessionSettings {
  std::string server;     // as an operator knows it: "relay.example:25"
  std::string helo_name;  // empty: the local address as a literal
  TlsMode tls = TlsMode::starttls;
  bool clear_text_auth = false;  // the connection cannot be read on the way even without TLS: loopback
  std::string username;          // empty: no AUTH
  // Fetches the password when it is needed and not before; nothing if it cannot be had.
  std::function<std::optional<std::string>()> password;
  Limits limits;
  std::uint32_t max_messages = 1000;  // then QUIT
};

// How a connection ended for a message whose final dot was not out.
enum class Parting : std::uint8_t {
  broken,      // any way but those below
  at_message,  // the server took MAIL and hung up at RCPT, DATA or the content: this message may be the cause
  between,     // at MAIL, after other mail: the connection was at its end, the message has no part in it
  blameless,   // we ended it, for a reason that has nothing to do with this message
};

class SessionOwner {
public:
  virtual ~SessionOwner() = default;
  // The next message, or null. Asked only when it can be begun at once; `behind_a_dot`: while another one's is
  // unanswered.
  virtual MessagePtr take(bool behind_a_dot) = 0;
  // The server's word about `message`; its final outcome as far as this session goes.
  virtual void verdict(const MessagePtr& message, Verdict verdict) = 0;
  // Refused here, without a byte of it on the wire: too large for this server, SMTPUTF8 not offered.
  virtual void refused(const MessagePtr& message, Verdict verdict) = 0;
  // The connection ended before the final dot of `message`: it may go on another one. `why` is for the case that it may
  // not.
  virtual void give_back(const MessagePtr& message, Verdict why, Parting parting) = 0;
  // The mail before `message` is not answered for too long; nothing but its envelope was sent, it goes on another
  // connection.
  virtual void release(const MessagePtr& message) = 0;
  // The server has taken a recipient.
  virtual void recipient_taken() = 0;
  // It has lately: a refusal to relay is then about the one it refuses.
  virtual bool relays_for_others() = 0;
  // False while an outcome that this connection brought is not durable: no final dot may leave.
  virtual bool may_finish() = 0;
};

class Session {
public:
  enum class Purpose : std::uint8_t { deliver, probe };
  enum class Want : std::uint8_t { io, start_tls, close };

  Session(const SessionSettings& settings, SessionOwner& owner, Purpose purpose = Purpose::deliver);

  // What the driver tells.
  void connected(std::string_view local_address);  // TCP is up, and TLS if it is implicit
  void tls_established();                          // after Want::start_tls
  void received(std::string_view bytes);
  void lost(std::string_view what_happened);  // end of file, reset, a failed write
  // No connection, no handshake; `wrong_certificate`: nothing changes before somebody looks at it.
  void failed(Phase phase, std::string_view what_happened, bool wrong_certificate = false);
  void timed_out();  // wait() is over
  void expired();    // an overall or the owner's limit is over; see expiry_ms()
  void poke();       // there may be a message to take, or may_finish() changed
  // Take nothing more; give back what has not got its final dot; a dot that is out is still waited for, then QUIT.
  void abandon();
  // Gives up `message` without a call to the owner, unless its final dot is out or it is not here: then false.
  [[nodiscard]] bool take_back(const MessagePtr& message);

  // Bytes to write: a piece of at most 64 KiB, stays valid until wrote(). Empty: nothing.
  [[nodiscard]] std::string_view chunk();
  void wrote(std::size_t count);
  [[nodiscard]] Want want() const { return want_; }

  // The answer that is being waited for and how long it may take from when `serial` changed.
  struct Wait {
    Phase phase = Phase::idle;
    Milliseconds limit{0};
    std::uint64_t serial = 0;
  };
  [[nodiscard]] Wait wait() const;
  // The earliest instant (monotonic) at which a message in here has to get a verdict; 0: none.
  [[nodiscard]] std::int64_t expiry_ms() const;

  [[nodiscard]] bool ready() const { return state_ == State::ready; }
  // Ready with nothing to do.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] bool quitting() const { return state_ == State::quitting; }
  [[nodiscard]] bool fresh() const { return taken_ == 0; }  // it has not begun a message yet
  // It ended between two mails, as a server does that wants only so many of them on a connection.
  [[nodiscard]] bool ended_between() const { return ended_between_; }
  // Able to begin a message now, be it behind another one's final dot.
  [[nodiscard]] bool can_begin() const;
  [[nodiscard]] bool was_ready() const { return was_ready_; }
  [[nodiscard]] std::uint32_t completed() const { return completed_; }  // messages answered, whatever the answer
  // Why it ended before its time; outcome accepted when it did not.
  [[nodiscard]] const Verdict& failure() const { return failure_; }
  // "ESMTP, TLS, AUTH SCRAM-SHA-256, PIPELINING, SIZE 10240000", for probe and log.
  [[nodiscard]] std::string summary() const;

private:
  enum class State : std::uint8_t {
    start,
    greeting,
    hello,
    starttls,
    handshake,
    auth,
    ready,
    probing,
    quitting,
    closed
  };

  struct Extensions {
    bool esmtp = false, pipelining = false, eight_bit = false, smtputf8 = false, starttls = false, size = false;
    std::uint64_t size_limit = 0;
    std::vector<std::string> auth;
  };

  // An answer that is due.
  struct Expected {
    Phase phase = Phase::idle;
    std::uint64_t asked_at = 0;  // end of the question in the stream of all bytes written
  };
  // A message between MAIL and the answer to DATA.
  struct Opening {
    MessagePtr message;  // null once it has its verdict
    bool mail_accepted = false;
    bool rcpt_accepted = false;
    bool go_ahead = false;        // 354
    bool behind_refusal = false;  // the dot before it was refused: that transaction may still be open at the server
    bool out_of_step = false;     // it is: what the server answers now is about the old one
    std::uint8_t step = 0;        // lock-step: commands sent so far
  };
  // A message whose content has been queued for writing.
  struct Finishing {
    MessagePtr message;
    std::uint64_t dot_ends_at = 0;  // in the same stream
  };

  void handle(const Reply& reply);
  void handle_hello(Phase phase, const Reply& reply);
  void handle_auth(const Reply& reply);
  void handle_transaction(Phase phase, const Reply& reply);
  void handle_dot(const Reply& reply);
  void after_hello();
  void begin_auth();
  void become_ready();
  void say_hello();
  void pump();
  void begin(MessagePtr message);
  void next_step();
  void put_content();
  void refuse_opening(Phase phase, const Reply& reply);
  void end_opening();
  bool fits(Message& message, Verdict& refusal) const;
  void put(std::string_view command, Phase expected);
  void put_mail();
  void put_rcpt();
  void quit();
  void broken(Phase phase, std::string_view what_happened);  // no answer, or none that makes sense
  void break_off(Verdict verdict, std::string_view what_happened);
  [[nodiscard]] Parting parting_of(const Opening& opening, Phase phase) const;
  void part();
  bool without_scram(int code);
  void refuse_us(Phase phase, const Reply& reply);
  void refuse_us(Phase phase, std::string_view sentence, std::uint32_t retry_after_s);
  void release_opening();
  [[nodiscard]] bool dot_may_be_out() const;
  [[nodiscard]] Phase current_phase() const;
  [[nodiscard]] bool impatient() const;
  void changed() { ++serial_; }

  const SessionSettings& settings_;
  SessionOwner& owner_;
  Purpose purpose_;
  State state_ = State::start;
  Want want_ = Want::io;
  std::string helo_name_;
  bool tls_active_ = false;
  bool was_ready_ = false;
  bool finishing_up_ = false;     // take nothing more
  bool close_after_dot_ = false;  // the follower was released: the stream cannot be used after the open dot
  bool reset_needed_ = false;
  bool hung_up_ = false;  // the other side ended the connection
  bool ended_between_ = false;
  bool secret_in_output_ = false;
  unsigned auth_rounds_ = 0;
  std::uint32_t taken_ = 0;
  std::uint32_t completed_ = 0;
  std::uint64_t serial_ = 0;

  ReplyParser parser_;
  Extensions extensions_;
  std::unique_ptr<SaslClient> sasl_;
  std::string mechanism_;
  std::deque<Expected> expected_;
  std::optional<Opening> opening_;
  std::optional<Finishing> finishing_;

  std::string out_;      // being filled
  std::string writing_;  // being written; chunk() points into it
  std::size_t written_ = 0;
  std::uint64_t stream_base_ = 0;  // stream offset of writing_[0]
  std::uint64_t handed_over_ = 0;  // stream offset up to which bytes were given to the driver
  Verdict failure_;
};

}  // namespace invited::smtp
