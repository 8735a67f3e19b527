// What an answer means depends on what was asked: one pure table from phase and reply to verdict.
//
// The rule behind it: nothing about us or the server may ever fail a person's invitation. Only an answer that is about
// this recipient or this content is `rejected`; what is about us pauses the transport and is tried again.
//
//   Verdict verdict = judge(Phase::rcpt, reply);       // 550 5.1.1 → rejected, scope message
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "smtp_reply.hpp"

namespace invited::smtp {

enum class Phase : std::uint8_t {
  queue,    // before any connection
  connect,  // name and TCP
  tls,      // handshake and certificate
  greeting,
  hello,  // EHLO, HELO
  starttls,
  auth,
  mail,
  rcpt,
  data,    // the DATA command
  body,    // content on its way, final dot not yet
  dot,     // final dot sent
  settle,  // waiting for the owner to make the last outcome durable
  rset,
  noop,
  quit,
  idle,
};

enum class Outcome : std::uint8_t {
  accepted,   // the server has taken the message
  retry,      // not taken; try again
  rejected,   // not taken and never will be
  unknown,    // may have been taken
  cancelled,  // the owner wanted no more
};

enum class Scope : std::uint8_t {
  message,    // about this recipient or this content
  transport,  // about us or the server: others would fare the same
};

struct Verdict {
  Outcome outcome = Outcome::accepted;
  Scope scope = Scope::message;
  Phase phase = Phase::dot;
  int code = 0;  // 0: no answer
  EnhancedCode enhanced;
  std::uint32_t retry_after_s = 0;  // a wish of ours, 0 when there is nothing to wait for
  std::string remote_id;            // the server's name for the message, where it gave one that is no secret
  std::string detail;               // one sentence for an operator; addresses masked
};

[[nodiscard]] std::string_view name_of(Phase phase);
[[nodiscard]] std::string_view name_of(Outcome outcome);

// The meaning of `reply` in answer to `phase`; outcome, scope, code, retry_after_s and remote_id are set, `detail` is
// left to say() because only the session knows the server's name. A positive reply gives `accepted`. With
// `relays_for_others` (it has taken another recipient lately) a refusal to relay or a wish for a login in answer to
// RCPT is about this recipient's domain, without it about us.
[[nodiscard]] Verdict judge(Phase phase, const Reply& reply, bool relays_for_others = false);

// "relay.example:25 answered 550 5.1.1 to RCPT: "User unknown". <what to do>"
[[nodiscard]] std::string say(std::string_view server, Phase phase, const Reply& reply, const Verdict& verdict);

// No answer at all: the connection went, or time ran out. After the final dot that is `unknown`, before it `retry`.
[[nodiscard]] Verdict no_answer(std::string_view server, Phase phase, std::string_view what_happened);

}  // namespace invited::smtp
