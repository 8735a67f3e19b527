#include "smtp_verdict.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace invited::smtp {

namespace {

constexpr std::uint32_t RETRY_MESSAGE_S = 300;
constexpr std::uint32_t RETRY_RECONNECT_S = 60;
constexpr std::uint32_t RETRY_TEMPORARY_S = 60;
constexpr std::uint32_t RETRY_REFUSED_US_S = 600;  // nothing changes before somebody looks at it

// The words in lower case without <…>: servers echo the recipient there, who must not be able to steer the verdict.
std::string bare_words(const Reply& reply) {
  std::string out;
  int depth = 0;
  for (const char c : reply.words(1000)) {
    if (c == '<') ++depth;
    if (depth == 0) out += (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
    if (c == '>' && depth > 0) --depth;
  }
  return out;
}

bool has_any(const std::string& words, std::span<const std::string_view> phrases) {
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](std::string_view phrase) { return words.find(phrase) != std::string::npos; });
}

bool relaying_words(const Reply& reply) {
  static constexpr std::array<std::string_view, 9> PHRASES = {
      "relay access denied",          "relaying denied",         "relay not permitted",
      "relaying not allowed",         "unable to relay",         "not permitted to relay",
      "client was not authenticated", "authentication required", "must authenticate"};
  return has_any(bare_words(reply), PHRASES);
}

// At RCPT: a relay that does not know us and one that does not send to this domain use the same words and codes.
bool about_relaying(const Reply& reply) {
  // 5.7.0 is "authentication required" in other words.
  return reply.code == 454 || reply.code == 530 || (reply.klass() == 5 && reply.enhanced.is(7, 0)) ||
         relaying_words(reply);
}

bool about_sending_limit(const Reply& reply) {
  static constexpr std::array<std::string_view, 1> PHRASES = {"sending limit"};
  return reply.enhanced.is(4, 5) || has_any(bare_words(reply), PHRASES);
}

// Servers that postpone their judgement about the client to RCPT (Postfix does by default) or to the dot say with the
// same 5.7.1 what is about us and what is about the recipient; only the words tell.
bool words_blame_us(const Reply& reply) {
  static constexpr std::array<std::string_view, 9> PHRASES = {
      "client host",    "sender address",  "helo command",
      "blocked using",  "banned sending",  "sendasdenied",
      "as this sender", "sender identity", "from address does not match"};
  return relaying_words(reply) || about_sending_limit(reply) || has_any(bare_words(reply), PHRASES);
}

// 60: may not send as this sender; 501–511: suspected of spam; 606–649: banned address; 700–750: the tenant's or the
// address' reputation and limits.
bool about_exchange_client(int detail) {
  return detail == 60 || (detail >= 501 && detail <= 511) || (detail >= 606 && detail <= 649) ||
         (detail >= 700 && detail <= 750);
}

bool about_access(const Reply& reply) {
  const EnhancedCode& e = reply.enhanced;
  switch (reply.code) {
    case 454:  // TLS or authentication not available
    case 530:  // authentication or STARTTLS required
    case 534:
    case 535:
    case 538:
      return true;
    default:
      break;
  }
  if (e.is(2, 252)) return true;  // Exchange: this login may not use this sender
  if (!e.present() || e.subject != 7) return false;
  // 0: undefined, used with "authentication required"; 8, 9, 11, 13, 14: credentials and their encryption; 20–30: SPF,
  // DKIM, DMARC, reverse DNS and floods (RFC 7372 and registry): all about the sender. The rest is Exchange Online's.
  return e.detail == 8 || e.detail == 9 || e.detail == 11 || e.detail == 13 || e.detail == 14 ||
         (e.detail >= 20 && e.detail <= 30) || about_exchange_client(e.detail);
}

bool about_sender(const EnhancedCode& e) {
  return e.is(1, 7) || e.is(1, 8) || e.is(1, 9);
}
bool about_server(const EnhancedCode& e) {
  return e.is(3, 1) || e.is(3, 2) || e.is(3, 5);
}

// Bad sequence, unknown command: says nothing about a recipient. 5.5.3 (too many recipients) cannot be meant: we name
// one.
bool about_protocol(const Reply& reply) {
  if (reply.code == 503) return true;
  if (reply.code != 500 && reply.code != 501 && reply.code != 502 && reply.code != 504) return false;
  return !reply.enhanced.present() || (reply.enhanced.subject == 5 && reply.code != 501);
}

// What MAIL tells of the message itself: its size and whether it needs 8 bits or UTF-8.
bool about_message_at_mail(const Reply& reply) {
  const EnhancedCode& e = reply.enhanced;
  if (e.is(3, 4) || e.is(2, 3) || e.is(6, 7) || e.is(6, 9) || e.is(6, 3)) return true;
  return reply.code == 552 && !e.present();
}

std::string remote_id_of(const Reply& reply) {
  const std::string words = reply.words(500);
  for (const std::string_view mark : {std::string_view("queued as "), std::string_view("id=")}) {
    const std::size_t at = words.find(mark);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + mark.size();
    std::size_t end = words.find_first_of(" ,;)>\"", begin);
    if (end == std::string::npos) end = words.size();
    if (end == begin) continue;
    const std::string id = words.substr(begin, std::min<std::size_t>(end - begin, 100));
    return discreet(id) == id ? id : std::string();
  }
  return {};
}

std::string_view advice(const Verdict& verdict, const Reply& reply) {
  const EnhancedCode& e = verdict.enhanced;
  if (verdict.scope == Scope::transport) {
    switch (verdict.phase) {
      case Phase::auth:
        return verdict.code / 100 == 4 ? "It is tried again by itself."
                                       : "Check the user name and the password credential of this transport.";
      case Phase::starttls:
      case Phase::tls:
        return "Ask the server's administrator about its TLS; nothing is sent in clear text instead.";
      case Phase::greeting:
      case Phase::hello:
        return verdict.code / 100 == 5 ? "The server does not want this host; check that it may send through it."
                                       : "It is tried again by itself.";
      default:
        break;
    }
    if (reply.code == 421) return "It is tried again on a new connection.";
    if (about_server(e)) return "The server is out of resources; it is tried again by itself.";
    if (e.present() && e.subject == 7 && e.detail >= 20 && e.detail <= 30)
      return "Check SPF, DKIM, DMARC and reverse DNS of the sending domain.";
    if (about_sending_limit(reply))
      return "The server takes no more from this login or host for now: its sending limit is reached.";
    if (about_access(reply) || words_blame_us(reply))
      return "Check that this host or login may send through the server, and with this sender address.";
    if (verdict.phase == Phase::mail) return "Check the sender address and what the server allows this host.";
    return "Nothing more is sent until the pause is over.";
  }
  if (verdict.phase == Phase::rcpt && about_relaying(reply))
    return "The relay does not send to this recipient's domain, though it does to others: check the address, or what "
           "the relay allows.";
  if (verdict.outcome == Outcome::retry) return "It is tried again by itself.";
  if (e.is(2, 2)) return "The mailbox is full: send again when it has space.";
  if (e.is(3, 4) || e.is(2, 3) || verdict.code == 552) return "The message or the mailbox is over a limit.";
  if (verdict.phase == Phase::rcpt) return "Check the address.";
  return "The server does not want this message; its words say why.";
}

Verdict retry_transport(Verdict verdict, std::uint32_t after_s) {
  verdict.outcome = Outcome::retry;
  verdict.scope = Scope::transport;
  verdict.retry_after_s = after_s;
  return verdict;
}

}  // namespace

std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::queue:
      return "queue";
    case Phase::connect:
      return "connect";
    case Phase::tls:
      return "TLS";
    case Phase::greeting:
      return "greeting";
    case Phase::hello:
      return "EHLO";
    case Phase::starttls:
      return "STARTTLS";
    case Phase::auth:
      return "AUTH";
    case Phase::mail:
      return "MAIL";
    case Phase::rcpt:
      return "RCPT";
    case Phase::data:
      return "DATA";
    case Phase::body:
      return "message";
    case Phase::dot:
      return "end of message";
    case Phase::settle:
      return "settle";
    case Phase::rset:
      return "RSET";
    case Phase::noop:
      return "NOOP";
    case Phase::quit:
      return "QUIT";
    case Phase::idle:
      return "idle";
  }
  return "?";
}

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::accepted:
      return "accepted";
    case Outcome::retry:
      return "retry";
    case Outcome::rejected:
      return "rejected";
    case Outcome::unknown:
      return "unknown";
    case Outcome::cancelled:
      return "cancelled";
  }
  return "?";
}

Verdict judge(Phase phase, const Reply& reply, bool relays_for_others) {
  Verdict verdict;
  verdict.phase = phase;
  verdict.code = reply.code;
  verdict.enhanced = reply.enhanced;

  const bool positive = phase == Phase::data ? reply.code == 354 : reply.positive();
  if (positive) {
    if (phase == Phase::dot) verdict.remote_id = remote_id_of(reply);
    return verdict;
  }
  if (reply.code == 421) return retry_transport(verdict, RETRY_RECONNECT_S);
  if (reply.klass() < 4) {
    // A 2xx or 3xx that is no answer to this phase: the dialogue is out of step.
    if (phase == Phase::dot) {
      verdict.outcome = Outcome::unknown;
      return verdict;
    }
    return retry_transport(verdict, RETRY_TEMPORARY_S);
  }

  const bool permanent = reply.klass() == 5;
  const std::uint32_t pause = permanent ? RETRY_REFUSED_US_S : RETRY_TEMPORARY_S;
  const EnhancedCode& e = reply.enhanced;
  const bool about_us = about_access(reply) || about_sender(e) || about_server(e) || words_blame_us(reply);

  switch (phase) {
    case Phase::mail:
      // MAIL names only ourselves, so whatever is refused here would be refused for everybody, but for size and bytes.
      if (permanent && about_message_at_mail(reply)) break;
      return retry_transport(verdict, pause);
    case Phase::rcpt:
      if (relays_for_others && about_relaying(reply)) break;
      if (about_us || about_relaying(reply) || about_protocol(reply)) return retry_transport(verdict, pause);
      break;
    case Phase::data:
      if (about_us || about_protocol(reply)) return retry_transport(verdict, pause);
      break;
    case Phase::body:
    case Phase::dot:
      if (about_us) return retry_transport(verdict, pause);
      break;
    default:
      return retry_transport(verdict, pause);
  }
  verdict.outcome = permanent ? Outcome::rejected : Outcome::retry;
  verdict.retry_after_s = permanent ? 0 : RETRY_MESSAGE_S;
  return verdict;
}

std::string say(std::string_view server, Phase phase, const Reply& reply, const Verdict& verdict) {
  std::string text(server);
  text += phase == Phase::greeting ? " greeted with " : " answered ";
  text += reply.code_text();
  if (phase != Phase::greeting) {
    text += " to ";
    text += name_of(phase);
  }
  // Masked before it is cut to size, so that no half of a secret remains.
  const std::string words = printable(discreet(reply.words(2000), phase == Phase::auth), 300);
  if (!words.empty()) text += ": \"" + words + '"';
  text += '.';
  if (verdict.outcome != Outcome::accepted) {
    text += ' ';
    text += advice(verdict, reply);
  }
  return text;
}

Verdict no_answer(std::string_view server, Phase phase, std::string_view what_happened) {
  Verdict verdict;
  verdict.phase = phase;
  verdict.scope = Scope::transport;
  verdict.outcome = phase == Phase::dot ? Outcome::unknown : Outcome::retry;
  if (phase == Phase::dot) verdict.scope = Scope::message;
  verdict.retry_after_s = RETRY_RECONNECT_S;
  verdict.detail.append(server).append(": ").append(what_happened);
  verdict.detail.append(phase == Phase::dot ? " after the whole message was sent: it may have been taken."
                                            : "; it is tried again by itself.");
  return verdict;
}

}  // namespace invited::smtp
