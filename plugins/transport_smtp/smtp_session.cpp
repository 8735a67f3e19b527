#include "smtp_session.hpp"

#include <string.h>  // explicit_bzero

#include <algorithm>
#include <charconv>

namespace invited::smtp {

namespace {

constexpr std::size_t CHUNK = 64 * 1024;
constexpr unsigned MAX_AUTH_ROUNDS = 8;
constexpr std::uint32_t RETRY_SETUP_S = 600;  // wrong set-up: nothing changes before somebody looks at it

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::string address_literal(std::string_view address) {
  return (address.find(':') == std::string_view::npos ? "[" : "[IPv6:") + std::string(address) + "]";
}

}  // namespace

Session::Session(const SessionSettings& settings, SessionOwner& owner, Purpose purpose)
    : settings_(settings), owner_(owner), purpose_(purpose) {}

// ---- what the driver tells

void Session::connected(std::string_view local_address) {
  helo_name_ = settings_.helo_name.empty() ? address_literal(local_address) : settings_.helo_name;
  tls_active_ = settings_.tls == TlsMode::implicit;
  state_ = State::greeting;
  expected_.push_back({Phase::greeting, 0});
  changed();
}

void Session::tls_established() {
  // Whatever was said in the clear is forgotten: RFC 3207 §4.2.
  parser_.reset();
  tls_active_ = true;
  want_ = Want::io;
  say_hello();
}

void Session::received(std::string_view bytes) {
  while (!bytes.empty() && state_ != State::closed && want_ == Want::io) {
    bytes.remove_prefix(parser_.feed(bytes));
    if (parser_.state() == ReplyParser::State::broken) {
      broken(current_phase(), "it sent " + discreet(parser_.fault(), state_ == State::auth));
      return;
    }
    if (parser_.state() == ReplyParser::State::complete) handle(parser_.reply());
  }
  if (want_ == Want::start_tls && !bytes.empty()) {
    // What came in the clear after the answer to STARTTLS was put there by somebody who hopes that it counts as
    // encrypted.
    refuse_us(Phase::starttls,
              "the answer to STARTTLS was followed by more bytes in clear text; somebody may be tampering with the "
              "connection",
              RETRY_SETUP_S);
    return;
  }
  pump();
}

void Session::lost(std::string_view what_happened) {
  if (state_ == State::closed) return;
  if (idle() || state_ == State::quitting) {
    state_ = State::closed;
    want_ = Want::close;
    return;
  }
  hung_up_ = true;
  broken(current_phase(), what_happened);
}

void Session::failed(Phase phase, std::string_view what_happened, bool wrong_certificate) {
  if (state_ == State::closed) return;
  Verdict verdict = no_answer(settings_.server, phase, what_happened);
  if (phase == Phase::tls) {
    if (wrong_certificate) verdict.retry_after_s = RETRY_SETUP_S;
    verdict.detail = settings_.server + ": " + std::string(what_happened) + "; nothing is sent without TLS.";
  }
  break_off(std::move(verdict), what_happened);
}

void Session::timed_out() {
  const Wait over = wait();
  if (state_ == State::closed) return;
  if (state_ == State::quitting) {
    state_ = State::closed;
    want_ = Want::close;
    return;
  }
  if (idle()) {
    quit();
    return;
  }
  if (impatient()) {
    release_opening();
    return;
  }
  const std::string seconds = std::to_string((over.limit.count() + 999) / 1000) + " s";
  if (over.phase == Phase::settle) {
    broken(Phase::settle, "the connection was closed because the last outcome was not stored within " + seconds);
    return;
  }
  broken(current_phase(), "no answer to " + std::string(name_of(over.phase)) + " within " + seconds);
}

void Session::expired() {
  if (state_ == State::closed) return;
  broken(current_phase(), "the mail's own time limit is over");
}

void Session::poke() {
  pump();
}

void Session::abandon() {
  finishing_up_ = true;
  if (state_ == State::closed || state_ == State::quitting) return;
  if (idle()) {
    quit();
  } else if (!finishing_ || !dot_may_be_out()) {
    broken(Phase::settle, "the transport is being stopped");
  } else if (opening_) {
    release_opening();
  }
}

bool Session::take_back(const MessagePtr& message) {
  if (finishing_ && finishing_->message == message) {
    if (dot_may_be_out()) return false;
    finishing_.reset();
    part();
    return true;
  }
  if (!opening_ || opening_->message != message) return false;
  opening_->message.reset();
  if (finishing_ && dot_may_be_out()) {
    // The answer to the dot before it is worth waiting for; nothing can follow it.
    close_after_dot_ = true;
    changed();
  } else {
    part();
  }
  return true;
}

// Closes; no failure. DATA may be on its way, so neither RSET nor QUIT would be read as a command.
void Session::part() {
  const std::optional<Finishing> finishing = std::move(finishing_);
  const std::optional<Opening> opening = std::move(opening_);
  finishing_.reset();
  opening_.reset();
  expected_.clear();
  state_ = State::closed;
  want_ = Want::close;
  const Verdict why = no_answer(settings_.server, Phase::mail, "the connection was closed");
  if (finishing) owner_.give_back(finishing->message, why, Parting::blameless);
  if (opening && opening->message) owner_.give_back(opening->message, why, Parting::blameless);
}

// ---- bytes out

std::string_view Session::chunk() {
  if (written_ == writing_.size()) {
    stream_base_ += writing_.size();
    if (secret_in_output_ && !writing_.empty()) {
      explicit_bzero(writing_.data(), writing_.size());
      secret_in_output_ = !out_.empty();
    }
    writing_.clear();
    written_ = 0;
    writing_.swap(out_);
  }
  const std::string_view piece = std::string_view(writing_).substr(written_, CHUNK);
  handed_over_ = std::max(handed_over_, stream_base_ + written_ + piece.size());
  return piece;
}

void Session::wrote(std::size_t count) {
  written_ += count;
}

bool Session::dot_may_be_out() const {
  return finishing_ && handed_over_ >= finishing_->dot_ends_at;
}

Phase Session::current_phase() const {
  if (expected_.empty()) return opening_ ? Phase::settle : Phase::idle;
  const Phase phase = expected_.front().phase;
  return phase == Phase::dot && !dot_may_be_out() ? Phase::body : phase;
}

// A server that is slow with one mail must not hold up the one prepared behind it.
bool Session::impatient() const {
  return !expected_.empty() && expected_.front().phase == Phase::dot && opening_ && !close_after_dot_ &&
         settings_.limits.patience < settings_.limits.dot;
}

// ---- limits

Session::Wait Session::wait() const {
  const Limits& limits = settings_.limits;
  Wait wait;
  wait.serial = serial_;
  if (expected_.empty()) {
    if (opening_ && opening_->go_ahead) {
      wait.phase = Phase::settle;
      wait.limit = limits.settle;
    } else if (state_ == State::handshake) {
      wait.phase = Phase::tls;
      wait.limit = limits.tls;
    } else {
      wait.phase = Phase::idle;
      wait.limit = limits.idle;
    }
    return wait;
  }
  wait.phase = expected_.front().phase;
  switch (wait.phase) {
    case Phase::greeting:
      wait.limit = limits.greeting;
      break;
    case Phase::data:
      wait.limit = limits.data;
      break;
    case Phase::dot:
      wait.limit = impatient() ? limits.patience : limits.dot;
      break;
    case Phase::quit:
      wait.limit = limits.quit;
      break;
    default:
      wait.limit = limits.command;
      break;
  }
  return wait;
}

std::int64_t Session::expiry_ms() const {
  std::int64_t earliest = 0;
  const auto consider = [&](std::int64_t at) {
    if (at != 0 && (earliest == 0 || at < earliest)) earliest = at;
  };
  const auto ends = [&](const Message& message) {
    consider(message.answer_by_ms);
    if (message.taken_at_ms != 0) consider(message.taken_at_ms + settings_.limits.overall.count());
  };
  if (finishing_) ends(*finishing_->message);
  if (!finishing_ && opening_ && opening_->message) {
    ends(*opening_->message);
    consider(opening_->message->begin_by_ms);
  }
  return earliest;
}

bool Session::idle() const {
  return state_ == State::ready && expected_.empty() && !opening_ && !finishing_;
}

bool Session::can_begin() const {
  if (state_ != State::ready || finishing_up_ || close_after_dot_ || opening_) return false;
  if (settings_.max_messages != 0 && taken_ >= settings_.max_messages) return false;
  return extensions_.pipelining || expected_.empty();
}

std::string Session::summary() const {
  std::string text = extensions_.esmtp ? "ESMTP" : "SMTP";
  text += tls_active_ ? ", TLS" : ", clear text";
  if (!mechanism_.empty()) text += ", AUTH " + mechanism_;
  if (extensions_.pipelining) text += ", PIPELINING";
  if (extensions_.eight_bit) text += ", 8BITMIME";
  if (extensions_.smtputf8) text += ", SMTPUTF8";
  if (extensions_.size && extensions_.size_limit != 0) text += ", SIZE " + std::to_string(extensions_.size_limit);
  return text;
}

// ---- replies

void Session::handle(const Reply& reply) {
  if (expected_.empty()) {
    // Nobody asked. A 4xx is a server's way to close an idle connection; anything else means that we are out of step.
    if (reply.klass() == 4 && idle()) {
      state_ = State::closed;
      want_ = Want::close;
    } else if (reply.code == 421) {
      refuse_us(Phase::settle, reply);
    } else {
      broken(current_phase(), "it sent an answer that nothing was asked for: " + reply.code_text());
    }
    return;
  }
  const Phase phase = expected_.front().phase;
  // An answer to what has not left yet: a refusal means that the server gave up reading, anything else that the answers
  // are not what they seem.
  const bool early = handed_over_ < expected_.front().asked_at;
  if (early && !(phase == Phase::dot && reply.klass() >= 4)) {
    if (reply.code == 421) return refuse_us(current_phase(), reply);
    broken(current_phase(), "it answered " + reply.code_text() + " before it was asked");
    return;
  }
  expected_.pop_front();
  changed();

  switch (phase) {
    case Phase::greeting:
      if (reply.code != 220) return refuse_us(phase, reply);
      say_hello();
      return;
    case Phase::hello:
      handle_hello(phase, reply);
      return;
    case Phase::starttls:
      if (reply.code != 220) return refuse_us(phase, reply);
      state_ = State::handshake;
      want_ = Want::start_tls;
      return;
    case Phase::auth:
      handle_auth(reply);
      return;
    case Phase::mail:
    case Phase::rcpt:
    case Phase::data:
      handle_transaction(phase, reply);
      return;
    case Phase::dot:
      handle_dot(reply);
      if (early) broken(Phase::mail, "it stopped reading");
      return;
    case Phase::body:
      // The lone dot after a refused recipient: the transaction is over whatever the answer is.
      if (reply.code == 421) refuse_us(Phase::rset, reply);
      return;
    case Phase::rset:
      if (!reply.positive()) return refuse_us(phase, reply);
      if (!extensions_.pipelining && opening_) next_step();
      return;
    case Phase::noop:
      if (!reply.positive()) return refuse_us(phase, reply);
      quit();
      return;
    case Phase::quit:
      state_ = State::closed;
      want_ = Want::close;
      return;
    default:
      return;
  }
}

void Session::say_hello() {
  state_ = State::hello;
  extensions_ = {};
  extensions_.esmtp = true;
  put("EHLO " + helo_name_, Phase::hello);
}

void Session::handle_hello(Phase phase, const Reply& reply) {
  const bool was_ehlo = extensions_.esmtp;
  if (!reply.positive()) {
    const bool extensions_needed = (settings_.tls == TlsMode::starttls && !tls_active_) || !settings_.username.empty();
    if (was_ehlo && reply.klass() == 5 && !extensions_needed) {
      extensions_ = {};
      put("HELO " + helo_name_, Phase::hello);
      return;
    }
    return refuse_us(phase, reply);
  }
  for (std::size_t i = 1; was_ehlo && i < reply.lines.size(); ++i) {
    const auto words = split(reply.lines[i]);
    if (words.empty()) continue;
    const std::string keyword = upper(words[0]);
    if (keyword == "PIPELINING") extensions_.pipelining = true;
    if (keyword == "8BITMIME") extensions_.eight_bit = true;
    if (keyword == "SMTPUTF8") extensions_.smtputf8 = true;
    if (keyword == "STARTTLS") extensions_.starttls = true;
    if (keyword == "SIZE") {
      extensions_.size = true;
      if (words.size() > 1) {
        std::from_chars(words[1].data(), words[1].data() + words[1].size(), extensions_.size_limit);
      }
    }
    // "AUTH=PLAIN LOGIN" is how it was written before it was a standard.
    if (keyword == "AUTH" || keyword.starts_with("AUTH=")) {
      if (keyword.size() > 5) extensions_.auth.push_back(keyword.substr(5));
      for (std::size_t w = 1; w < words.size(); ++w) extensions_.auth.push_back(upper(words[w]));
    }
  }
  after_hello();
}

void Session::after_hello() {
  if (settings_.tls == TlsMode::starttls && !tls_active_) {
    if (!extensions_.starttls) {
      refuse_us(Phase::starttls,
                "it does not offer STARTTLS, and TLS is required; use a server that does, an smtps:// URL, or, if the "
                "network in between is yours, \"starttls: never\"",
                RETRY_SETUP_S);
      return;
    }
    state_ = State::starttls;
    put("STARTTLS", Phase::starttls);
    return;
  }
  if (!settings_.username.empty()) {
    begin_auth();
    return;
  }
  become_ready();
}

void Session::begin_auth() {
  const bool clear_text_allowed = tls_active_ || settings_.clear_text_auth;
  mechanism_ = choose_mechanism(extensions_.auth, clear_text_allowed);
  if (mechanism_.empty()) {
    std::string offered;
    for (const std::string& name : extensions_.auth) offered += (offered.empty() ? "" : " ") + printable(name, 40);
    std::string sentence = "a user name is configured, but the server offers ";
    sentence += offered.empty() ? "no login" : "only " + printable(offered, 200);
    sentence += clear_text_allowed ? "; SCRAM-SHA-256, SCRAM-SHA-1, PLAIN or LOGIN is needed"
                                   : "; without TLS only SCRAM may be used, the password would be readable on the way";
    refuse_us(Phase::auth, sentence, RETRY_SETUP_S);
    return;
  }
  std::optional<std::string> password = settings_.password ? settings_.password() : std::nullopt;
  if (!password) {
    refuse_us(Phase::auth, "the password credential cannot be read", RETRY_SETUP_S);
    return;
  }
  sasl_ = SaslClient::start(mechanism_, settings_.username, *password);
  explicit_bzero(password->data(), password->size());
  std::optional<std::string> first;
  if (sasl_ && sasl_->speaks_first()) {
    first = sasl_->step("");
  } else if (sasl_) {
    first.emplace();
  }
  if (!first) {
    refuse_us(Phase::auth,
              "the login could not be prepared: " + (sasl_ ? sasl_->why() : "libgsasl lacks " + mechanism_),
              RETRY_SETUP_S);
    return;
  }
  state_ = State::auth;
  secret_in_output_ = true;
  std::string command = "AUTH " + mechanism_;
  if (sasl_->speaks_first()) command += ' ' + (first->empty() ? "=" : *first);
  put(command, Phase::auth);
  explicit_bzero(command.data(), command.size());
  explicit_bzero(first->data(), first->size());
}

void Session::handle_auth(const Reply& reply) {
  if (reply.code == 334) {
    if (++auth_rounds_ > MAX_AUTH_ROUNDS) {
      refuse_us(Phase::auth, "the server asks and asks and never decides about the login", RETRY_SETUP_S);
      return;
    }
    std::optional<std::string> response = sasl_->step(reply.lines.empty() ? "" : reply.lines.back());
    if (!response) {
      refuse_us(Phase::auth,
                "the server's part of " + mechanism_ + " is wrong (" + printable(sasl_->why(), 100) +
                    "): the password may be wrong, or this is not the server it pretends to be",
                RETRY_SETUP_S);
      return;
    }
    secret_in_output_ = true;
    put(*response, Phase::auth);
    explicit_bzero(response->data(), response->size());
    return;
  }
  if (!reply.positive() && without_scram(reply.code)) return begin_auth();
  if (!reply.positive()) return refuse_us(Phase::auth, reply);
  if (!sasl_->satisfied()) {
    refuse_us(Phase::auth, "the server accepted the login without proving that it knows the password", RETRY_SETUP_S);
    return;
  }
  sasl_.reset();
  become_ready();
}

// Some servers offer SCRAM for which they have no fitting record of the password. Under TLS the server is known, so
// PLAIN tells nobody else.
bool Session::without_scram(int code) {
  if (!tls_active_ || (code != 504 && code != 535) || !mechanism_.starts_with("SCRAM-")) return false;
  if (std::find(extensions_.auth.begin(), extensions_.auth.end(), "PLAIN") == extensions_.auth.end()) return false;
  std::erase_if(extensions_.auth, [](const std::string& name) { return name.starts_with("SCRAM-"); });
  auth_rounds_ = 0;
  return true;
}

void Session::become_ready() {
  was_ready_ = true;
  if (purpose_ == Purpose::probe) {
    state_ = State::probing;
    put("NOOP", Phase::noop);
    return;
  }
  state_ = State::ready;
  changed();
}

// ---- transactions

void Session::pump() {
  if (state_ != State::ready || want_ != Want::io) return;
  if (opening_ && opening_->go_ahead && !finishing_ && owner_.may_finish()) put_content();
  while (can_begin()) {
    MessagePtr message = owner_.take(finishing_.has_value());
    if (!message) break;
    Verdict refusal;
    if (!fits(*message, refusal)) {
      owner_.refused(message, std::move(refusal));
      continue;
    }
    begin(std::move(message));
  }
  if (idle() && (finishing_up_ || (settings_.max_messages != 0 && taken_ >= settings_.max_messages))) quit();
}

bool Session::fits(Message& message, Verdict& refusal) const {
  refusal.outcome = Outcome::rejected;
  refusal.phase = Phase::queue;
  if (message.smtputf8 && !extensions_.smtputf8) {
    refusal.detail =
        settings_.server +
        " does not offer SMTPUTF8, which this address or its headers need; use an ASCII address or another server.";
    return false;
  }
  if (message.eight_bit && !extensions_.eight_bit) {
    refusal.detail = settings_.server + " does not offer 8BITMIME, which the content of this message needs.";
    return false;
  }
  if (extensions_.size && extensions_.size_limit != 0 && message.bytes.size() > extensions_.size_limit) {
    refusal.detail = settings_.server + " takes messages of at most " + std::to_string(extensions_.size_limit) +
                     " octets, this one has " + std::to_string(message.bytes.size()) + '.';
    return false;
  }
  return true;
}

void Session::begin(MessagePtr message) {
  ++taken_;
  opening_ = Opening{};
  opening_->message = std::move(message);
  if (!extensions_.pipelining) {
    next_step();
    return;
  }
  if (reset_needed_) {
    put("RSET", Phase::rset);
    reset_needed_ = false;
  }
  put_mail();
  put_rcpt();
  put("DATA", Phase::data);
}

void Session::next_step() {
  if (reset_needed_) {
    put("RSET", Phase::rset);
    reset_needed_ = false;
    return;
  }
  switch (opening_->step++) {
    case 0:
      put_mail();
      return;
    case 1:
      put_rcpt();
      return;
    default:
      put("DATA", Phase::data);
      return;
  }
}

void Session::put_mail() {
  const Message& message = *opening_->message;
  std::string command = "MAIL FROM:<" + message.from + '>';
  if (extensions_.size) command += " SIZE=" + std::to_string(message.bytes.size());
  if (message.eight_bit) command += " BODY=8BITMIME";
  if (message.smtputf8) command += " SMTPUTF8";
  put(command, Phase::mail);
}

void Session::put_rcpt() {
  put("RCPT TO:<" + opening_->message->to + '>', Phase::rcpt);
}

void Session::put(std::string_view command, Phase expected) {
  out_.append(command).append("\r\n");
  if (expected_.empty()) changed();
  expected_.push_back({expected, stream_base_ + writing_.size() + out_.size()});
}

void Session::handle_transaction(Phase phase, const Reply& reply) {
  if (reply.code == 421) return refuse_us(phase, reply);
  const bool positive = phase == Phase::data ? reply.code == 354 : reply.positive();
  if (!positive && reply.klass() < 4) {
    broken(phase, "it answered " + reply.code_text() + " to " + std::string(name_of(phase)) + ", which makes no sense");
    return;
  }
  if (phase == Phase::mail && reply.code == 503 && opening_->behind_refusal && opening_->message) {
    opening_->out_of_step = true;
    finishing_up_ = true;
    const MessagePtr message = std::move(opening_->message);
    opening_->message.reset();
    owner_.give_back(message, no_answer(settings_.server, phase, "it kept a refused mail open"), Parting::blameless);
  }
  if (opening_->out_of_step) {
    // Content would now go to the recipient of the refused mail, be it an empty one.
    if (phase == Phase::data && positive) part();
    if (phase == Phase::data && !positive) end_opening();
    return;
  }
  if (phase == Phase::mail) opening_->mail_accepted = positive;
  if (phase == Phase::rcpt) opening_->rcpt_accepted = positive;
  if (phase == Phase::rcpt && positive && opening_->mail_accepted) owner_.recipient_taken();
  if (!positive && opening_->message) refuse_opening(phase, reply);

  if (phase != Phase::data) {
    if (extensions_.pipelining) return;
    if (opening_->message) {
      next_step();
    } else {
      end_opening();
    }
    return;
  }
  if (opening_->message) {
    opening_->go_ahead = true;
    changed();
    return;
  }
  if (!positive) {
    end_opening();
    return;
  }
  // Refused, and yet "354": RFC 2920 §3.1 wants a lone dot. With the recipient accepted that would deliver an empty
  // mail.
  if (opening_->rcpt_accepted) {
    broken(Phase::data, "it wants the content of a message that it refused");
    return;
  }
  put(".", Phase::body);
  opening_.reset();
}

void Session::refuse_opening(Phase phase, const Reply& reply) {
  Verdict verdict = judge(phase, reply, owner_.relays_for_others());
  verdict.detail = say(settings_.server, phase, reply, verdict);
  ++completed_;
  const MessagePtr message = std::move(opening_->message);
  opening_->message.reset();
  owner_.verdict(message, std::move(verdict));
}

void Session::end_opening() {
  reset_needed_ = opening_->mail_accepted;
  opening_.reset();
  changed();
}

void Session::put_content() {
  append_stuffed(out_, opening_->message->bytes);
  put(".", Phase::dot);
  finishing_ = Finishing{};
  finishing_->message = std::move(opening_->message);
  finishing_->dot_ends_at = expected_.back().asked_at;
  opening_.reset();
}

void Session::handle_dot(const Reply& reply) {
  const MessagePtr message = std::move(finishing_->message);
  finishing_.reset();
  ++completed_;
  Verdict verdict = judge(Phase::dot, reply);
  verdict.detail = say(settings_.server, Phase::dot, reply, verdict);
  if (verdict.outcome == Outcome::unknown) verdict.detail += " That is no answer to a message: it may have been taken.";
  const bool out_of_step = verdict.outcome == Outcome::unknown;
  // Postfix keeps the transaction of a mail that it refused at its end.
  if (!reply.positive() && opening_) opening_->behind_refusal = true;
  if (!reply.positive() && !opening_) reset_needed_ = true;
  owner_.verdict(message, verdict);
  if (reply.code == 421) return refuse_us(Phase::mail, reply);
  if (out_of_step) {
    broken(Phase::mail, "it answered " + reply.code_text() + " to the end of a message");
    return;
  }
  if (close_after_dot_) {
    state_ = State::closed;
    want_ = Want::close;
  }
}

// ---- ends

void Session::quit() {
  state_ = State::quitting;
  put("QUIT", Phase::quit);
}

void Session::release_opening() {
  close_after_dot_ = true;
  changed();
  if (!opening_->message) return;
  const MessagePtr message = std::move(opening_->message);
  opening_->message.reset();
  owner_.release(message);
}

void Session::refuse_us(Phase phase, const Reply& reply) {
  Verdict verdict = judge(phase, reply);
  if (verdict.outcome == Outcome::accepted || verdict.scope != Scope::transport) {
    verdict.outcome = Outcome::retry;
    verdict.scope = Scope::transport;
  }
  verdict.detail = say(settings_.server, phase, reply, verdict);
  break_off(std::move(verdict), "the connection ended");
}

void Session::refuse_us(Phase phase, std::string_view sentence, std::uint32_t retry_after_s) {
  Verdict verdict;
  verdict.outcome = Outcome::retry;
  verdict.scope = Scope::transport;
  verdict.phase = phase;
  verdict.retry_after_s = retry_after_s;
  verdict.detail = settings_.server + ": " + std::string(sentence) + '.';
  break_off(std::move(verdict), "the connection ended");
}

void Session::broken(Phase phase, std::string_view what_happened) {
  // What is open but for a mail whose dot is out: that one is unknown, the rest is tried again.
  const Phase others = phase == Phase::dot ? Phase::mail : phase;
  break_off(no_answer(settings_.server, others, what_happened), what_happened);
}

void Session::break_off(Verdict verdict, std::string_view what_happened) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  want_ = Want::close;
  sasl_.reset();
  const bool may_be_taken = dot_may_be_out();
  const std::optional<Finishing> finishing = std::move(finishing_);
  const std::optional<Opening> opening = std::move(opening_);
  const Parting parting = opening ? parting_of(*opening, verdict.phase) : Parting::broken;
  ended_between_ = opening && parting == Parting::between && !finishing;
  expected_.clear();
  finishing_.reset();
  opening_.reset();
  failure_ = std::move(verdict);
  if (finishing && may_be_taken) {
    owner_.verdict(finishing->message, no_answer(settings_.server, Phase::dot, what_happened));
  } else if (finishing) {
    owner_.give_back(finishing->message, failure_, hung_up_ ? Parting::at_message : Parting::broken);
  }
  if (opening && opening->message) owner_.give_back(opening->message, failure_, parting);
}

Parting Session::parting_of(const Opening& opening, Phase phase) const {
  // Nothing but its MAIL was looked at, if that, and the connection had carried other mail.
  if (!opening.mail_accepted && taken_ > 1) return Parting::between;
  const bool at_message = phase == Phase::rcpt || phase == Phase::data;
  return hung_up_ && opening.mail_accepted && at_message ? Parting::at_message : Parting::broken;
}

}  // namespace invited::smtp
