// The transport "smtp": the SDK's side of the engine in smtp_pool.hpp. Configuration in, verdicts out.
#include <string.h>  // explicit_bzero
#include <unistd.h>

#include <invited/cpp/roles.hpp>
#include <mutex>
#include <unordered_map>

#include "smtp_pool.hpp"

namespace invited::smtp {

namespace {

constexpr const char* SCHEMA = R"json({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "smtp",
  "description": "Sends mail through an SMTP server (a relay), several connections at a time.",
  "type": "object",
  "additionalProperties": false,
  "required": ["url"],
  "properties": {
    "url": {
      "type": "string", "minLength": 1,
      "description": "smtp://HOST[:PORT] (port 25; submission servers listen on 587) or smtps://HOST[:PORT] for TLS from the first byte (port 465). smtps is the better choice where the server has it."
    },
    "connections": {"type": "integer", "minimum": 1, "maximum": 64, "default": 4, "description": "At most so many connections at a time."},
    "starttls": {
      "type": "string", "enum": ["required", "never"],
      "description": "For smtp:// only. Default: required, unless the server is this machine (localhost, 127.0.0.0/8, ::1). There is no \"if offered\": it would protect against nobody."
    },
    "ca_file": {"type": "string", "minLength": 1, "description": "PEM file of the authorities to trust, instead of the system's."},
    "username": {"type": "string", "minLength": 1, "maxLength": 255, "description": "Log in as this user. Needs password_credential."},
    "password_credential": {"type": "string", "minLength": 1, "maxLength": 255, "description": "Name of the credential that holds the password."},
    "helo_name": {
      "type": "string", "pattern": "^[A-Za-z0-9.:_\\[\\]-]{1,255}$",
      "description": "How this host presents itself. Default: its full host name, or its address in brackets when it has none."
    },
    "max_messages_per_connection": {"type": "integer", "minimum": 0, "maximum": 1000000, "default": 1000, "description": "Then the connection is closed and a new one opened; 0: no limit."},
    "timeouts": {
      "type": "object", "additionalProperties": false, "default": {},
      "description": "Seconds to wait for the server. The defaults are those of RFC 5321.",
      "properties": {
        "connect_s": {"type": "integer", "minimum": 1, "maximum": 3600, "default": 60},
        "tls_s": {"type": "integer", "minimum": 1, "maximum": 3600, "default": 60},
        "greeting_s": {"type": "integer", "minimum": 1, "maximum": 3600, "default": 300},
        "command_s": {"type": "integer", "minimum": 1, "maximum": 3600, "default": 300, "description": "EHLO, AUTH, MAIL, RCPT and the like."},
        "data_s": {"type": "integer", "minimum": 1, "maximum": 3600, "default": 120, "description": "The answer to DATA."},
        "block_s": {"type": "integer", "minimum": 1, "maximum": 3600, "default": 180, "description": "The server taking a block of the message."},
        "end_s": {"type": "integer", "minimum": 1, "maximum": 3600, "default": 600, "description": "The answer to the whole message."},
        "idle_s": {"type": "integer", "minimum": 1, "maximum": 3600, "default": 20, "description": "A connection without work is closed after this."},
        "overall_s": {"type": "integer", "minimum": 1, "maximum": 86400, "default": 1800, "description": "One message from begin to end, whatever the server does in between."}
      }
    }
  }
})json";

struct Handed final : Message {
  explicit Handed(Outgoing&& handed_over) : outgoing(std::move(handed_over)) {}
  Outgoing outgoing;
  CallId call{};
};

Status status_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::accepted:
      return Status::ok;
    case Outcome::retry:
      return Status::retry;
    case Outcome::rejected:
      return Status::rejected;
    case Outcome::unknown:
      return Status::unknown;
    case Outcome::cancelled:
      return Status::cancelled;
  }
  return Status::unknown;
}

invited::Phase phase_of(Phase phase) {
  using To = invited::Phase;
  switch (phase) {
    case Phase::queue:
      return To::local;
    case Phase::connect:
      return To::connect;
    case Phase::tls:
    case Phase::starttls:
      return To::tls;
    case Phase::greeting:
      return To::greeting;
    case Phase::hello:
      return To::hello;
    case Phase::auth:
      return To::auth;
    case Phase::mail:
    case Phase::rset:
      return To::sender;
    case Phase::rcpt:
      return To::recipient;
    case Phase::data:
      return To::data;
    case Phase::body:
    case Phase::dot:
      return To::content;
    case Phase::quit:
      return To::quit;
    case Phase::settle:
    case Phase::noop:
    case Phase::idle:
      return To::none;
  }
  return To::none;
}

// The full name of this host, or nothing: a short name is not fit for EHLO.
std::string full_host_name() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0) return {};
  const std::string text(name);
  return text.find('.') != std::string::npos && text != "localhost.localdomain" ? text : std::string();
}

Milliseconds seconds(const Json& config, std::string_view key, Milliseconds otherwise) {
  const Json* timeouts = config.find("timeouts");
  return timeouts == nullptr ? otherwise : Milliseconds(1000 * timeouts->integer(key, otherwise.count() / 1000));
}

PoolOptions options_of(const Host& host, const Json& config) {
  PoolOptions options;
  auto parsed = parse_url(config.text("url"));
  if (const std::string* wrong = std::get_if<std::string>(&parsed)) throw Failure(Status::bad_config, *wrong, "/url");
  options.server = std::get<Server>(parsed);
  options.connections = static_cast<unsigned>(config.integer("connections", 4));
  options.ca_file = config.text("ca_file");

  const std::string starttls = config.text("starttls");
  if (options.server.implicit_tls) {
    if (!starttls.empty())
      throw Failure(Status::bad_config, "an smtps:// URL is TLS from the first byte: remove \"starttls\"", "/starttls");
    options.session.tls = TlsMode::implicit;
  } else if (starttls.empty()) {
    options.session.tls = options.server.is_loopback() ? TlsMode::none : TlsMode::starttls;
  } else {
    options.session.tls = starttls == "never" ? TlsMode::none : TlsMode::starttls;
  }

  const std::string credential = config.text("password_credential");
  options.session.username = config.text("username");
  if (options.session.username.empty() != credential.empty())
    throw Failure(Status::bad_config, "\"username\" and \"password_credential\" need each other",
                  credential.empty() ? "/username" : "/password_credential");
  if (!credential.empty()) {
    options.session.password = [host, credential]() -> std::optional<std::string> {
      try {
        std::optional<std::string> password;
        host.secrets().read(credential, [&](std::string_view value) {
          // An editor's newline at the end of the file is not part of the password.
          if (value.ends_with('\n')) value.remove_suffix(1);
          if (value.ends_with('\r')) value.remove_suffix(1);
          password.emplace(value);
        });
        return password;
      } catch (const std::exception& error) {
        host.log(invited::LogLevel::error, error.what());
        return std::nullopt;
      }
    };
  }

  options.session.helo_name = config.text("helo_name", full_host_name());
  options.session.max_messages = static_cast<std::uint32_t>(config.integer("max_messages_per_connection", 1000));
  Limits& limits = options.session.limits;
  limits.connect = seconds(config, "connect_s", limits.connect);
  limits.tls = seconds(config, "tls_s", limits.tls);
  limits.greeting = seconds(config, "greeting_s", limits.greeting);
  limits.command = seconds(config, "command_s", limits.command);
  limits.data = seconds(config, "data_s", limits.data);
  limits.block = seconds(config, "block_s", limits.block);
  limits.dot = seconds(config, "end_s", limits.dot);
  limits.idle = seconds(config, "idle_s", limits.idle);
  limits.overall = seconds(config, "overall_s", limits.overall);

  const Clock clock = host.clock();
  options.monotonic_ms = [clock] { return clock.monotonic_ms(); };
  // Instances of several daemons must not knock in step; no secret hangs on it.
  options.seed = static_cast<std::uint64_t>(clock.now_ms()) * 2654435761U + static_cast<std::uint64_t>(getpid());
  options.log = [host](LogLevel level, const std::string& text) {
    const auto to = level == LogLevel::debug  ? invited::LogLevel::debug
                    : level == LogLevel::info ? invited::LogLevel::info
                                              : invited::LogLevel::warning;
    if (host.log_enabled(to)) host.log(to, text);
  };
  return options;
}

class Smtp final : public AsyncTransport {
public:
  Smtp(Host host, const Json& config) try
      : clock_(host.clock()),
        connections_(static_cast<std::uint32_t>(config.integer("connections", 4))),
        pool_(options_of(host, config),
              [this](const MessagePtr& message, const Verdict& verdict) { answer(message, verdict); }) {
  } catch (const Failure&) {
    throw;
  } catch (const JsonError&) {
    throw;
  } catch (const std::runtime_error& error) {
    throw Failure(Status::bad_config, error.what(), config.find("ca_file") != nullptr ? "/ca_file" : "");
  }

  // Every call is completed when the daemon ends an instance, so there is only QUIT to say.
  ~Smtp() override { pool_.stop(Milliseconds(1000)); }
  Smtp(const Smtp&) = delete;
  Smtp& operator=(const Smtp&) = delete;

  // For each connection: a mail whose outcome is being stored, one whose envelope is out, and one more, so that its
  // envelope is there to travel with that one's final dot the moment the outcome is stored. With two instead of three
  // it follows in a packet of its own, which costs a second round trip at servers that answer packet by packet
  // (bench/smtp_client_bench.cpp).
  std::uint32_t window() override { return 3 * connections_; }

  void send(std::vector<Outgoing> batch) override {
    const std::int64_t to_monotonic = clock_.monotonic_ms() - clock_.now_ms();
    const auto convert = [&](std::int64_t utc_ms) {
      return utc_ms == 0 ? 0 : std::max<std::int64_t>(utc_ms + to_monotonic, 1);
    };
    const CallId call = batch.front().call();
    std::vector<MessagePtr> messages;
    messages.reserve(batch.size());
    for (Outgoing& outgoing : batch) {
      auto handed = std::make_shared<Handed>(std::move(outgoing));
      const invited::Message& from = handed->outgoing.message();
      handed->call = call;
      handed->id = from.id;
      handed->from = from.envelope_from;
      handed->to = from.envelope_to;
      handed->bytes = from.content;
      handed->smtputf8 = from.needs_smtputf8;
      handed->eight_bit = from.eight_bit;
      handed->begin_by_ms = convert(from.deadline_ms);
      handed->answer_by_ms = convert(handed->outgoing.deadline_ms());
      messages.push_back(std::move(handed));
    }
    {
      const std::lock_guard lock(mutex_);
      batches_[call] = {messages, messages.size()};
    }
    pool_.submit(std::move(messages));
  }

  void settled(std::string_view id) noexcept override { pool_.settled(std::string(id)); }

  void probe(ProbeCall call) override {
    auto shared = std::make_shared<ProbeCall>(std::move(call));
    pool_.probe([shared](const Verdict& failure, const std::string& summary) {
      if (!summary.empty()) shared->step(invited::Phase::hello, summary);
      if (failure.outcome == Outcome::accepted) {
        shared->done();
      } else {
        shared->fail({status_of(failure.outcome), failure.detail, {}, failure.retry_after_s});
      }
    });
  }

  void cancel(CallId call) noexcept override {
    std::vector<MessagePtr> messages;
    {
      const std::lock_guard lock(mutex_);
      const auto found = batches_.find(call);
      if (found == batches_.end()) return;
      messages = found->second.messages;
    }
    pool_.cancel(std::move(messages));
  }

private:
  struct Batch {
    std::vector<MessagePtr> messages;
    std::size_t open = 0;
  };

  // On the pool's thread.
  void answer(const MessagePtr& message, const Verdict& verdict) {
    auto& handed = static_cast<Handed&>(*message);
    {
      // Before the verdict: it may complete the call, whose handle may then name another one.
      const std::lock_guard lock(mutex_);
      const auto found = batches_.find(handed.call);
      if (found != batches_.end() && --found->second.open == 0) batches_.erase(found);
    }
    invited::Verdict out;
    out.status = status_of(verdict.outcome);
    out.detail = verdict.detail;
    out.scope = verdict.scope == Scope::transport ? invited::Scope::transport : invited::Scope::message;
    out.phase = phase_of(verdict.phase);
    out.reply_code = verdict.code;
    out.retry_after_s = verdict.retry_after_s;
    out.remote_id = verdict.remote_id;
    handed.outgoing.verdict(out);
  }

  Clock clock_;
  std::uint32_t connections_;
  std::mutex mutex_;
  std::unordered_map<CallId, Batch> batches_;
  Pool pool_;  // last: its thread ends before the rest goes
};

}  // namespace

}  // namespace invited::smtp

INVITED_MODULE(invited::offer<invited::smtp::Smtp>("smtp", "1.0.0", invited::smtp::SCHEMA));
