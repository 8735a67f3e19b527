// The C++20 side of the plugin contract, second half: one base class per role and manner. Derive from a Blocking… class
// and return results, waiting as long as it takes: only this instance waits. Derive from an Async… class and keep the
// call object until the result is there. The contract underneath is the same.
//
//   class Outbox : public invited::AsyncTransport {
//   public:
//     Outbox(invited::Host host, const invited::Json& config);   // may throw Failure; no network here
//     std::uint32_t window() override { return 8; }
//     void send(std::vector<invited::Outgoing> batch) override;  // each one: outgoing.verdict({…}), any thread
//   };
//   INVITED_MODULE(invited::offer<Outbox>("outbox", "1.0.0", kSchema))
//
// What a plugin can do is seen from what it overrides: an override must be public. All overrides run on the instance's
// own thread unless tagged [any-thread]; views (std::string_view, RecordView, Message) are borrowed until the call is
// completed. Whatever an override throws fails that call. The destructor must not return while a thread of the
// plugin's still runs its code.
#pragma once

#include <thread>

#include "../identity.h"
#include "../source.h"
#include "../transport.h"
#include "module.hpp"

namespace invited {

// ---- source --------------------------------------------------------------------------------------------------------

// One row to hand over; see INVITED_KEY_… in source.h. A key that is not set is left alone, one set to "" is cleared.
class Record {
public:
  explicit Record(std::int64_t line = 0) : line_(line) {}
  Record& set(std::string_view key, std::string_view value) {
    for (auto& [known, old] : fields_) {
      if (known == key) {
        old = value;
        return *this;
      }
    }
    fields_.emplace_back(key, value);
    return *this;
  }
  std::int64_t line() const noexcept { return line_; }
  const std::vector<std::pair<std::string, std::string>>& fields() const noexcept { return fields_; }

private:
  std::int64_t line_;
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct RecordView {
  std::int64_t line = 0;
  std::span<const invited_pair> fields;
  std::optional<std::string_view> find(std::string_view key) const noexcept {
    for (const invited_pair& field : fields) {
      if (view(field.key) == key) return view(field.value);
    }
    return std::nullopt;
  }
};

// Where a fetch came to.
struct Page {
  std::string cursor{};
  bool more = false;    // fetch again at once
  bool settle = false;  // call finish() when these records are durable
  bool soon = false;    // there is something that cannot be read yet: source_changed() follows
};

enum class Outcome : std::int32_t {
  created = INVITED_RESULT_CREATED,
  updated = INVITED_RESULT_UPDATED,
  unchanged = INVITED_RESULT_UNCHANGED,
  ignored = INVITED_RESULT_IGNORED,
  rejected = INVITED_RESULT_REJECTED,
  noted = INVITED_RESULT_NOTED,
};

struct RowResult {  // see invited_row_result
  Outcome outcome = Outcome::unchanged;
  std::int64_t line = 0;
  std::string_view user_id, reason, column, message;
};

struct Report {
  std::string_view cursor;
  std::vector<RowResult> results;  // one per emit(), reject_row() and note(), in that order
};

struct ImportFile {
  std::string_view bytes, format, file_name;  // format is a hint; both may be empty
};

struct HttpPush {
  std::string_view method, path, query, body;  // see invited_request
  std::span<const invited_pair> headers;
  // The first header of this name (given in lower case); empty when there is none.
  std::string_view header(std::string_view name) const noexcept {
    for (const invited_pair& field : headers) {
      if (view(field.key) == name) return view(field.value);
    }
    return {};
  }
};

struct HttpReply {
  std::int32_t status = 204;
  std::string content_type{};
  std::string body{};
};

struct ExportPart {  // see invited_export: a big export comes in several
  bool first = true;
  bool last = true;
  std::string_view format;
  std::vector<RecordView> records;
  std::span<const invited_pair> options{};
  // "language", "delimiter"; empty when it is not given.
  std::string_view option(std::string_view name) const noexcept {
    for (const invited_pair& pair : options) {
      if (view(pair.key) == name) return view(pair.value);
    }
    return {};
  }
};

namespace detail {
inline const invited_source_host* source_host(const CallState& call) noexcept {
  return static_cast<const invited_source_host*>(call.host()->role);
}
}  // namespace detail

// Takes the records of a call. [any-thread], but from one at a time.
class Intake : public Call {
public:
  using Call::Call;
  // Once, before the first record: about how many rows will come (-1: not known), and what the file calls the columns.
  void announce(std::int64_t rows, std::span<const invited_pair> columns = {}) {
    if (!open()) return;
    invited_announcement raw{};
    raw.struct_size = sizeof raw;
    raw.rows = rows;
    raw.columns = columns.data();
    raw.column_count = columns.size();
    detail::source_host(*state_)->announce(state_->host(), state_->raw(), &raw);
  }
  // May wait while the daemon is behind. False: stop; the call then ends as cancelled whatever is said later.
  [[nodiscard]] bool emit(const Record& record) {
    const std::vector<invited_pair> pairs = detail::borrow_pairs(record.fields());
    return emit_pairs(pairs, record.line());
  }
  [[nodiscard]] bool emit(std::span<const invited_pair> fields, std::int64_t line = 0) {
    return emit_pairs(fields, line);
  }
  // A row that could not be read: the column (key or number), a stable reason such as "bad_date", a sentence.
  void reject_row(std::int64_t line, std::string_view column, std::string_view reason, std::string_view message) {
    if (!open()) return;
    detail::source_host(*state_)->reject_row(state_->host(), state_->raw(), line, borrow(column), borrow(reason),
                                             borrow(message));
  }
  // Something about the file that people should know and that is no row of it.
  void note(std::int64_t line, std::string_view column, std::string_view reason, std::string_view message) {
    if (!open()) return;
    detail::source_host(*state_)->note(state_->host(), state_->raw(), line, borrow(column), borrow(reason),
                                       borrow(message));
  }

private:
  bool emit_pairs(std::span<const invited_pair> fields, std::int64_t line) {
    if (!open() || state_->stopped()) return false;
    invited_record raw{};
    raw.struct_size = sizeof raw;
    raw.line = line;
    raw.fields = fields.data();
    raw.field_count = fields.size();
    if (detail::source_host(*state_)->emit(state_->host(), state_->raw(), &raw) == INVITED_OK) return true;
    state_->stop();
    return false;
  }
};

// A fetch that is under way; ends with done() or fail(), like every Completion.
class FetchCall : public Intake {
public:
  using Intake::Intake;
  void done(const Page& page) {
    if (open() && !state_->stopped())
      detail::source_host(*state_)->fetched(state_->host(), state_->raw(), borrow(page.cursor), more_of(page),
                                            page.settle);
    end(Status::ok, nullptr);
  }
  void fail(const Error& error) noexcept { end(error); }

private:
  static std::int32_t more_of(const Page& page) {
    if (page.more) return INVITED_MORE_NOW;
    return page.soon ? INVITED_MORE_SOON : 0;
  }
};

// A push that is under way. The answer leaves when its records are durable.
class PushCall : public Intake {
public:
  using Intake::Intake;
  void done() noexcept { end(Status::ok, nullptr); }
  // For on_http().
  void done(const HttpReply& reply) noexcept {
    if (open() && !state_->stopped())
      detail::source_host(*state_)->respond(state_->host(), state_->raw(), reply.status, borrow(reply.content_type),
                                            borrow(reply.body));
    end(Status::ok, nullptr);
  }
  void fail(const Error& error) noexcept { end(error); }
};

class ExportCall : public Completion {
public:
  using Completion::Completion;
  // May wait. False: stop.
  [[nodiscard]] bool write(std::string_view bytes) {
    if (!open() || state_->stopped()) return false;
    if (detail::source_host(*state_)->write(state_->host(), state_->raw(), borrow(bytes)) == INVITED_OK) return true;
    state_->stop();
    return false;
  }
};

// Override what the source can do; the rest is not offered to the daemon.
class BlockingSource {
public:
  virtual ~BlockingSource() = default;
  virtual Page fetch(std::string_view /*cursor*/, Intake& /*out*/) { throw Failure(Status::unsupported, "no fetch"); }
  virtual void finish(const Report& /*report*/) {}
  virtual void on_record(std::string_view /*json*/, Intake& /*out*/) {}
  virtual void on_import(const ImportFile& /*file*/, Intake& /*out*/) {}
  virtual HttpReply on_http(const HttpPush& /*request*/, Intake& /*out*/) { return {}; }
  virtual void export_records(const ExportPart& /*part*/, ExportCall& /*out*/) {}

  // A hint that there is something to fetch. [any-thread]
  static void changed(const Host& host) noexcept {
    static_cast<const invited_source_host*>(host.raw()->role)->source_changed(host.raw());
  }
};

class AsyncSource {
public:
  virtual ~AsyncSource() = default;
  // How many calls may be open at the same time (a fetch or finish, an export, the rest pushes).
  virtual std::uint32_t window() { return 1; }
  virtual void fetch(std::string_view /*cursor*/, FetchCall /*call*/) {}
  virtual void finish(Report /*report*/, Completion /*call*/) {}
  virtual void on_record(std::string_view /*json*/, PushCall /*call*/) {}
  virtual void on_import(ImportFile /*file*/, PushCall /*call*/) {}
  virtual void on_http(HttpPush /*request*/, PushCall /*call*/) {}
  virtual void export_records(ExportPart /*part*/, ExportCall /*call*/) {}
  // A hint to end that call early; it still ends through its call object. Must not block. [any-thread]
  virtual void cancel(CallId /*call*/) noexcept {}

  static void changed(const Host& host) noexcept { BlockingSource::changed(host); }
};

// ---- transport -----------------------------------------------------------------------------------------------------

enum class Scope : std::int32_t { message = INVITED_SCOPE_MESSAGE, transport = INVITED_SCOPE_TRANSPORT };

enum class Phase : std::int32_t {
  none = INVITED_PHASE_NONE,
  local = INVITED_PHASE_LOCAL,
  connect = INVITED_PHASE_CONNECT,
  tls = INVITED_PHASE_TLS,
  greeting = INVITED_PHASE_GREETING,
  hello = INVITED_PHASE_HELLO,
  auth = INVITED_PHASE_AUTH,
  sender = INVITED_PHASE_SENDER,
  recipient = INVITED_PHASE_RECIPIENT,
  data = INVITED_PHASE_DATA,
  content = INVITED_PHASE_CONTENT,
  quit = INVITED_PHASE_QUIT,
};

struct Message {  // see invited_message
  std::string_view id, message_id, envelope_from, envelope_to, content, idempotency_key;
  std::int32_t attempt = 1;
  std::int64_t deadline_ms = 0;
  bool needs_smtputf8 = false;
  bool eight_bit = false;
};

struct Verdict {  // see invited_verdict
  Status status = Status::ok;
  std::string detail{};
  Scope scope = Scope::message;
  Phase phase = Phase::none;
  std::int32_t reply_code = 0;
  std::int64_t retry_after_s = 0;
  std::string remote_id{};
};

namespace detail {

inline Message message_view(const invited_message& raw) noexcept {
  Message result;
  result.id = view(raw.id);
  result.message_id = view(raw.message_id);
  result.envelope_from = view(raw.envelope_from);
  result.envelope_to = view(raw.envelope_to);
  result.content = view(raw.content);
  result.idempotency_key = view(raw.idempotency_key);
  result.attempt = raw.attempt;
  result.deadline_ms = raw.deadline_ms;
  result.needs_smtputf8 = (raw.flags & INVITED_MESSAGE_NEEDS_SMTPUTF8) != 0;
  result.eight_bit = (raw.flags & INVITED_MESSAGE_EIGHT_BIT) != 0;
  return result;
}

inline const invited_transport_host* transport_host(const CallState& call) noexcept {
  return static_cast<const invited_transport_host*>(call.host()->role);
}

inline invited_verdict raw_verdict(invited_str id, Status status, std::string_view text) noexcept {
  invited_verdict raw{};
  raw.struct_size = sizeof raw;
  raw.status = static_cast<invited_status>(status);
  raw.id = id;
  raw.detail = borrow(text);
  return raw;
}

inline void give(const CallState& call, invited_str id, const Verdict& verdict) noexcept {
  invited_verdict raw = raw_verdict(id, verdict.status, verdict.detail);
  raw.scope = static_cast<std::int32_t>(verdict.scope);
  raw.phase = static_cast<std::int32_t>(verdict.phase);
  raw.reply_code = verdict.reply_code;
  raw.retry_after_s = verdict.retry_after_s;
  raw.remote_id = borrow(verdict.remote_id);
  transport_host(call)->verdict(call.host(), call.raw(), &raw);
}

// What an exception out of send() says about a message: an unexpected one may come from anywhere, so nobody knows
// whether the mail is out.
inline void give(const CallState& call, invited_str id, const Trouble& why) noexcept {
  Status status = why.status;
  std::int32_t scope = INVITED_SCOPE_MESSAGE;
  switch (why.status) {
    case Status::ok:
    case Status::internal:
      status = Status::unknown;
      break;
    case Status::unsupported:
      status = Status::rejected;
      break;
    case Status::bad_config:
      status = Status::retry;
      scope = INVITED_SCOPE_TRANSPORT;
      break;
    default:
      break;
  }
  invited_verdict raw = raw_verdict(id, status, why.message);
  raw.scope = scope;
  raw.retry_after_s = why.retry_after_s;
  transport_host(call)->verdict(call.host(), call.raw(), &raw);
}

// A batch is completed by its last verdict, or, when some are dropped, by the last one that lets go.
class BatchState : public CallState {
public:
  BatchState(const invited_host* host, invited_call* call, std::uint64_t count)
      : CallState(host, call), open_messages_(count) {
    unwound_.reserve(count);
  }
  void settle_one() noexcept {
    if (open_messages_.fetch_sub(1, std::memory_order_acq_rel) == 1) complete(Status::ok);
  }

  // A message went without a verdict. Where an exception took it along on the thread of send(), send() may say why.
  void let_go(const invited_message* message) noexcept {
    if (sender_ == std::this_thread::get_id() && std::uncaught_exceptions() > 0 &&
        unwound_.size() < unwound_.capacity())
      unwound_.push_back(message);
  }
  // send() threw that: it is the verdict of the messages that went down with it. What it had passed on to others stays
  // theirs, and may be on its way. True: with that the batch is completed.
  bool settle_unwound(const Trouble& why) noexcept {
    for (const invited_message* message : unwound_) {
      give(*this, message->id, why);
      settle_one();
    }
    return !unwound_.empty() && !open();
  }

private:
  std::atomic<std::uint64_t> open_messages_;
  const std::thread::id sender_ = std::this_thread::get_id();
  std::vector<const invited_message*> unwound_;  // by that thread alone
};

}  // namespace detail

// One message that is on its way out. Move-only. Give its verdict once, from any thread: that ends it, and message()
// is gone with it. Destroyed without a verdict it counts as UNKNOWN, unless a Failure out of send() is what destroys
// it.
class Outgoing {
public:
  Outgoing(std::shared_ptr<detail::BatchState> batch, const invited_message* raw) noexcept
      : batch_(std::move(batch)), raw_(raw), message_(detail::message_view(*raw)) {}
  Outgoing(Outgoing&&) noexcept = default;
  Outgoing& operator=(Outgoing&&) noexcept = default;
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;
  ~Outgoing() {
    if (batch_) batch_->let_go(raw_);
  }

  const Message& message() const noexcept { return message_; }
  bool open() const noexcept { return batch_ != nullptr; }
  CallId call() const noexcept { return CallId{reinterpret_cast<std::uintptr_t>(batch_ ? batch_->raw() : nullptr)}; }
  // When the batch should be over, in UTC ms; 0: none. The message has a deadline of its own besides.
  std::int64_t deadline_ms() const noexcept {
    return batch_ ? batch_->host()->deadline_ms(batch_->host(), batch_->raw()) : 0;
  }
  bool cancelled() const noexcept { return !batch_ || batch_->host()->cancelled(batch_->host(), batch_->raw()) != 0; }

  void verdict(const Verdict& verdict) noexcept {
    if (!batch_) return;
    const std::shared_ptr<detail::BatchState> batch = std::move(batch_);
    batch_.reset();
    detail::give(*batch, raw_->id, verdict);
    message_ = {};
    batch->settle_one();
  }

private:
  std::shared_ptr<detail::BatchState> batch_;
  const invited_message* raw_;
  Message message_;
};

// A check of the transport; say what works step by step.
class Probe : public Call {
public:
  using Call::Call;
  void step(Phase phase, std::string_view detail) {
    if (!open()) return;
    detail::transport_host(*state_)->step(state_->host(), state_->raw(), static_cast<std::int32_t>(phase),
                                          borrow(detail));
  }
};

class ProbeCall : public Probe {
public:
  using Probe::Probe;
  void done() noexcept { end(Status::ok, nullptr); }
  void fail(const Error& error) noexcept { end(error); }
};

namespace detail {
// Gives blocking code the call it works on, without an extra argument everywhere.
class CallHolder {
protected:
  // The operation that runs now: deadline_ms(), cancelled(), and to tie HTTP requests to. Only inside an operation.
  const Call& call() const noexcept { return *current_; }

private:
  template <class>
  friend struct BlockingTransportOps;
  template <class>
  friend struct BlockingIdentityOps;
  class Holding {
  public:
    Holding(CallHolder& holder, const Call& call) noexcept : holder_(holder) { holder_.current_ = &call; }
    Holding(const Holding&) = delete;
    Holding& operator=(const Holding&) = delete;
    ~Holding() { holder_.current_ = nullptr; }

  private:
    CallHolder& holder_;
  };
  const Call* current_ = nullptr;
};
}  // namespace detail

class BlockingTransport : public detail::CallHolder {
public:
  virtual ~BlockingTransport() = default;
  // With the window of 1 a message comes only when the one before is durable, which keeps the rule of transport.h by
  // itself. A larger one makes batches, sent one after the other.
  virtual std::uint32_t window() { return 1; }
  // Sends one message. Throw Failure(retry or rejected, …) or return a verdict that says so; any other exception means
  // that nobody knows whether it went out.
  virtual Verdict send(const Message& message) = 0;
  // The outcome is durable. [any-thread]; must not block.
  virtual void settled(std::string_view /*id*/) noexcept {}
  virtual void probe(Probe& /*steps*/) {}
};

class AsyncTransport {
public:
  virtual ~AsyncTransport() = default;
  virtual std::uint32_t window() { return 1; }
  // Sends them, now or later. Throw Failure(retry or rejected, …): that is the verdict of each message that is then
  // still in the batch; what was moved out of it stays with whoever holds it. After any other exception nobody knows
  // whether they went out.
  virtual void send(std::vector<Outgoing> batch) = 0;
  // The outcome is durable: that connection may commit its next message. [any-thread]; must not block.
  virtual void settled(std::string_view /*id*/) noexcept {}
  virtual void probe(ProbeCall /*call*/) {}
  // A hint to end that call early. Must not block. [any-thread]
  virtual void cancel(CallId /*call*/) noexcept {}
};

// ---- identity ------------------------------------------------------------------------------------------------------

struct AccountRequest {  // see invited_account_request
  std::string_view external_id, login_email, name, given_name, family_name, locale, company;
  std::vector<std::string_view> roles;
};

struct Account {  // see invited_account
  std::string external_id{}, provider_id{}, login_email{}, sign_in_url{};
  bool created = false;
};

namespace detail {
inline void give(const CallState& call, const Account& account) noexcept {
  invited_account raw{};
  raw.struct_size = sizeof raw;
  raw.created = account.created;
  raw.external_id = borrow(account.external_id);
  raw.provider_id = borrow(account.provider_id);
  raw.login_email = borrow(account.login_email);
  raw.sign_in_url = borrow(account.sign_in_url);
  static_cast<const invited_identity_host*>(call.host()->role)->account(call.host(), call.raw(), &raw);
}
}  // namespace detail

class AccountCall : public Call {
public:
  using Call::Call;
  void done(const Account& account) noexcept {
    if (open()) detail::give(*state_, account);
    end(Status::ok, nullptr);
  }
  void fail(const Error& error) noexcept { end(error); }
};

class LookupCall : public AccountCall {
public:
  using AccountCall::AccountCall;
  void none() noexcept { end(Status::ok, nullptr); }
};

class BlockingIdentity : public detail::CallHolder {
public:
  virtual ~BlockingIdentity() = default;
  virtual Account ensure_account(const AccountRequest& request) = 0;
  virtual void remove_connection(std::string_view /*external_id*/) {}
  virtual void reset_password(std::string_view /*external_id*/) {}
  virtual std::optional<Account> lookup(std::string_view /*external_id*/) { return std::nullopt; }
};

class AsyncIdentity {
public:
  virtual ~AsyncIdentity() = default;
  // How many calls may be open at the same time.
  virtual std::uint32_t window() { return 1; }
  virtual void ensure_account(AccountRequest request, AccountCall call) = 0;
  virtual void remove_connection(std::string_view /*external_id*/, Completion /*call*/) {}
  virtual void reset_password(std::string_view /*external_id*/, Completion /*call*/) {}
  virtual void lookup(std::string_view /*external_id*/, LookupCall /*call*/) {}
  // A hint to end that call early. Must not block. [any-thread]
  virtual void cancel(CallId /*call*/) noexcept {}
};

// ---- from the C tables to the classes ------------------------------------------------------------------------------

namespace detail {

template <class T>
Instance<T>& instance(void* self) noexcept {
  return *static_cast<Instance<T>*>(self);
}

template <class T>
std::uint32_t window_of(void* self) noexcept {
  return guard([self]() -> std::uint32_t { return instance<T>(self).object.window(); },
               [self](const Trouble& why) -> std::uint32_t {
                 log_line(instance<T>(self).host, INVITED_LOG_ERROR, "window() threw; one at a time is assumed:");
                 log_line(instance<T>(self).host, INVITED_LOG_ERROR, why.message);
                 return 1;
               });
}

template <class T>
void cancel_of(void* self, invited_call* call) noexcept {
  instance<T>(self).object.cancel(CallId{reinterpret_cast<std::uintptr_t>(call)});
}

template <class T>
void settled_of(void* self, invited_str id) noexcept {
  instance<T>(self).object.settled(view(id));
}

inline RecordView record_view(const invited_record& raw) noexcept {
  return {raw.line, {raw.fields, static_cast<std::size_t>(raw.field_count)}};
}

inline Report report_view(const invited_report& raw) {
  Report result{view(raw.cursor), {}};
  result.results.reserve(raw.result_count);
  for (std::uint64_t i = 0; i < raw.result_count; ++i) {
    const invited_row_result& row = *raw.results[i];
    result.results.push_back({static_cast<Outcome>(row.code), row.line, view(row.user_id), view(row.reason),
                              view(row.column), view(row.message)});
  }
  return result;
}

inline ExportPart export_view(const invited_export& raw) {
  ExportPart result{raw.first != 0, raw.last != 0, view(raw.format), {}, {raw.options, raw.option_count}};
  result.records.reserve(raw.record_count);
  for (std::uint64_t i = 0; i < raw.record_count; ++i) result.records.push_back(record_view(*raw.records[i]));
  return result;
}

inline ImportFile import_view(const invited_request& raw) noexcept {
  return {view(raw.body), view(raw.format), view(raw.file_name)};
}

inline HttpPush push_view(const invited_request& raw) noexcept {
  return {view(raw.method),
          view(raw.path),
          view(raw.query),
          view(raw.body),
          {raw.headers, static_cast<std::size_t>(raw.header_count)}};
}

inline AccountRequest account_view(const invited_account_request& raw) {
  AccountRequest result{view(raw.external_id), view(raw.login_email), view(raw.name),    view(raw.given_name),
                        view(raw.family_name), view(raw.locale),      view(raw.company), {}};
  result.roles.reserve(raw.role_count);
  for (std::uint64_t i = 0; i < raw.role_count; ++i) result.roles.push_back(view(raw.roles[i]));
  return result;
}

constexpr std::uint32_t bit(bool set, std::int32_t value) {
  return set ? static_cast<std::uint32_t>(value) : 0U;
}

[[noreturn]] inline void refuse_kind() {
  throw Failure(Status::unsupported, "this source does not take such requests");
}

template <class T, class Base>
struct SourceAbilities {
  static constexpr bool fetch = overridden<decltype(&T::fetch), decltype(&Base::fetch)>;
  static constexpr bool finish = overridden<decltype(&T::finish), decltype(&Base::finish)>;
  static constexpr bool record = overridden<decltype(&T::on_record), decltype(&Base::on_record)>;
  static constexpr bool import_file = overridden<decltype(&T::on_import), decltype(&Base::on_import)>;
  static constexpr bool http = overridden<decltype(&T::on_http), decltype(&Base::on_http)>;
  static constexpr bool write = overridden<decltype(&T::export_records), decltype(&Base::export_records)>;
  static constexpr std::uint32_t bits = bit(fetch, INVITED_SOURCE_FETCH) | bit(finish, INVITED_SOURCE_FINISH) |
                                        bit(record, INVITED_SOURCE_HANDLE_RECORD) |
                                        bit(import_file, INVITED_SOURCE_HANDLE_IMPORT) |
                                        bit(http, INVITED_SOURCE_HANDLE_HTTP) | bit(write, INVITED_SOURCE_EXPORT);
};

template <class T>
struct BlockingSourceOps {
  using Can = SourceAbilities<T, BlockingSource>;

  static void fetch(void* self, invited_call* call, invited_str cursor) noexcept {
    run_call(instance<T>(self).host, call, [&](const CallPtr& state) {
      FetchCall out(state);
      out.done(instance<T>(self).object.fetch(view(cursor), out));
    });
  }
  static void handle(void* self, invited_call* call, const invited_request* request) noexcept {
    run_call(instance<T>(self).host, call, [&](const CallPtr& state) {
      PushCall out(state);
      T& object = instance<T>(self).object;
      switch (request->kind) {
        case INVITED_REQUEST_RECORD:
          if (!Can::record) refuse_kind();
          object.on_record(view(request->body), out);
          return out.done();
        case INVITED_REQUEST_IMPORT:
          if (!Can::import_file) refuse_kind();
          object.on_import(import_view(*request), out);
          return out.done();
        case INVITED_REQUEST_HTTP:
          if (!Can::http) refuse_kind();
          return out.done(object.on_http(push_view(*request), out));
        default:
          refuse_kind();
      }
    });
  }
  static void export_records(void* self, invited_call* call, const invited_export* part) noexcept {
    run_call(instance<T>(self).host, call, [&](const CallPtr& state) {
      ExportCall out(state);
      instance<T>(self).object.export_records(export_view(*part), out);
      out.done();
    });
  }
  static void finish(void* self, invited_call* call, const invited_report* report) noexcept {
    run_call(instance<T>(self).host, call, [&](const CallPtr& state) {
      instance<T>(self).object.finish(report_view(*report));
      Completion(state).done();
    });
  }

  static constexpr invited_source table{sizeof(invited_source),
                                        0,
                                        nullptr,
                                        Can::fetch ? &fetch : nullptr,
                                        Can::record || Can::import_file || Can::http ? &handle : nullptr,
                                        Can::write ? &export_records : nullptr,
                                        Can::finish ? &finish : nullptr};
};

template <class T>
struct AsyncSourceOps {
  using Can = SourceAbilities<T, AsyncSource>;

  static void fetch(void* self, invited_call* call, invited_str cursor) noexcept {
    run_call(instance<T>(self).host, call,
             [&](const CallPtr& state) { instance<T>(self).object.fetch(view(cursor), FetchCall(state)); });
  }
  static void handle(void* self, invited_call* call, const invited_request* request) noexcept {
    run_call(instance<T>(self).host, call, [&](const CallPtr& state) {
      T& object = instance<T>(self).object;
      switch (request->kind) {
        case INVITED_REQUEST_RECORD:
          if (!Can::record) refuse_kind();
          return object.on_record(view(request->body), PushCall(state));
        case INVITED_REQUEST_IMPORT:
          if (!Can::import_file) refuse_kind();
          return object.on_import(import_view(*request), PushCall(state));
        case INVITED_REQUEST_HTTP:
          if (!Can::http) refuse_kind();
          return object.on_http(push_view(*request), PushCall(state));
        default:
          refuse_kind();
      }
    });
  }
  static void export_records(void* self, invited_call* call, const invited_export* part) noexcept {
    run_call(instance<T>(self).host, call, [&](const CallPtr& state) {
      instance<T>(self).object.export_records(export_view(*part), ExportCall(state));
    });
  }
  static void finish(void* self, invited_call* call, const invited_report* report) noexcept {
    run_call(instance<T>(self).host, call,
             [&](const CallPtr& state) { instance<T>(self).object.finish(report_view(*report), Completion(state)); });
  }

  static constexpr invited_source table{
      sizeof(invited_source),
      0,
      overridden<decltype(&T::window), decltype(&AsyncSource::window)> ? &window_of<T> : nullptr,
      Can::fetch ? &fetch : nullptr,
      Can::record || Can::import_file || Can::http ? &handle : nullptr,
      Can::write ? &export_records : nullptr,
      Can::finish ? &finish : nullptr};
};

template <class T>
constexpr bool promises_idempotency() {
  if constexpr (requires { T::idempotent; }) {
    return T::idempotent;
  } else {
    return false;
  }
}

template <class T, class Base>
struct TransportAbilities {
  static constexpr bool window = overridden<decltype(&T::window), decltype(&Base::window)>;
  static constexpr bool settled = overridden<decltype(&T::settled), decltype(&Base::settled)>;
  static constexpr bool probe = overridden<decltype(&T::probe), decltype(&Base::probe)>;
  static constexpr std::uint32_t bits = bit(settled, INVITED_TRANSPORT_SETTLED) | bit(probe, INVITED_TRANSPORT_PROBE) |
                                        bit(promises_idempotency<T>(), INVITED_TRANSPORT_IDEMPOTENT);
};

template <class T>
struct BlockingTransportOps {
  using Can = TransportAbilities<T, BlockingTransport>;

  static void send(void* self, invited_call* call, const invited_message* const* messages,
                   std::uint64_t count) noexcept {
    run_call(instance<T>(self).host, call, [&](const CallPtr& state) {
      BlockingTransport& object = instance<T>(self).object;
      Completion current(state);
      const CallHolder::Holding holding(object, current);
      for (std::uint64_t i = 0; i < count; ++i) {
        const invited_str id = messages[i]->id;
        if (current.cancelled()) {
          give(*state, id, Trouble{Status::cancelled, "cancelled before it was tried", {}, 0});
          continue;
        }
        guard([&] { give(*state, id, object.send(message_view(*messages[i]))); },
              [&](const Trouble& why) { give(*state, id, why); });
      }
      current.done();
    });
  }
  static void probe(void* self, invited_call* call) noexcept {
    run_call(instance<T>(self).host, call, [&](const CallPtr& state) {
      BlockingTransport& object = instance<T>(self).object;
      ProbeCall steps(state);
      const CallHolder::Holding holding(object, steps);
      object.probe(steps);
      steps.done();
    });
  }

  static constexpr invited_transport table{sizeof(invited_transport),
                                           0,
                                           Can::window ? &window_of<T> : nullptr,
                                           &send,
                                           Can::settled ? &settled_of<T> : nullptr,
                                           Can::probe ? &probe : nullptr};
};

template <class T>
struct AsyncTransportOps {
  using Can = TransportAbilities<T, AsyncTransport>;

  static void send(void* self, invited_call* call, const invited_message* const* messages,
                   std::uint64_t count) noexcept {
    const invited_host* host = instance<T>(self).host;
    std::shared_ptr<BatchState> state;
    guard(
        [&] {
          state = std::make_shared<BatchState>(host, call, count);
          std::vector<Outgoing> batch;
          batch.reserve(count);
          for (std::uint64_t i = 0; i < count; ++i) batch.emplace_back(state, messages[i]);
          instance<T>(self).object.send(std::move(batch));
        },
        [&](const Trouble& why) {
          // A bug fails the call, so that it is seen; its messages are UNKNOWN then.
          if (state && why.status != Status::internal && state->settle_unwound(why)) return;
          if (state) return state->threw(why);
          tell(host, call, why);
          host->complete(host, call, static_cast<invited_status>(why.status));
        });
  }
  static void probe(void* self, invited_call* call) noexcept {
    run_call(instance<T>(self).host, call,
             [&](const CallPtr& state) { instance<T>(self).object.probe(ProbeCall(state)); });
  }

  static constexpr invited_transport table{sizeof(invited_transport),
                                           0,
                                           Can::window ? &window_of<T> : nullptr,
                                           &send,
                                           Can::settled ? &settled_of<T> : nullptr,
                                           Can::probe ? &probe : nullptr};
};

template <class T, class Base>
struct IdentityAbilities {
  static constexpr bool remove = overridden<decltype(&T::remove_connection), decltype(&Base::remove_connection)>;
  static constexpr bool reset = overridden<decltype(&T::reset_password), decltype(&Base::reset_password)>;
  static constexpr bool lookup = overridden<decltype(&T::lookup), decltype(&Base::lookup)>;
  static constexpr std::uint32_t bits = bit(remove, INVITED_IDENTITY_REMOVE_CONNECTION) |
                                        bit(reset, INVITED_IDENTITY_RESET_PASSWORD) |
                                        bit(lookup, INVITED_IDENTITY_LOOKUP);
};

template <class T>
struct BlockingIdentityOps {
  using Can = IdentityAbilities<T, BlockingIdentity>;

  template <class Ending, class Body>
  static void run(void* self, invited_call* call, Body&& body) noexcept {
    run_call(instance<T>(self).host, call, [&](const CallPtr& state) {
      BlockingIdentity& object = instance<T>(self).object;
      Ending ending(state);
      const CallHolder::Holding holding(object, ending);
      body(object, ending);
    });
  }
  static void ensure_account(void* self, invited_call* call, const invited_account_request* request) noexcept {
    run<AccountCall>(self, call, [&](BlockingIdentity& object, AccountCall& ending) {
      ending.done(object.ensure_account(account_view(*request)));
    });
  }
  static void remove_connection(void* self, invited_call* call, invited_str external_id) noexcept {
    run<Completion>(self, call, [&](BlockingIdentity& object, Completion& ending) {
      object.remove_connection(view(external_id));
      ending.done();
    });
  }
  static void reset_password(void* self, invited_call* call, invited_str external_id) noexcept {
    run<Completion>(self, call, [&](BlockingIdentity& object, Completion& ending) {
      object.reset_password(view(external_id));
      ending.done();
    });
  }
  static void lookup(void* self, invited_call* call, invited_str external_id) noexcept {
    run<LookupCall>(self, call, [&](BlockingIdentity& object, LookupCall& ending) {
      if (const auto found = object.lookup(view(external_id))) return ending.done(*found);
      ending.none();
    });
  }

  static constexpr invited_identity table{sizeof(invited_identity),
                                          0,
                                          nullptr,
                                          &ensure_account,
                                          Can::remove ? &remove_connection : nullptr,
                                          Can::reset ? &reset_password : nullptr,
                                          Can::lookup ? &lookup : nullptr};
};

template <class T>
struct AsyncIdentityOps {
  using Can = IdentityAbilities<T, AsyncIdentity>;

  static void ensure_account(void* self, invited_call* call, const invited_account_request* request) noexcept {
    run_call(instance<T>(self).host, call, [&](const CallPtr& state) {
      instance<T>(self).object.ensure_account(account_view(*request), AccountCall(state));
    });
  }
  static void remove_connection(void* self, invited_call* call, invited_str external_id) noexcept {
    run_call(instance<T>(self).host, call, [&](const CallPtr& state) {
      instance<T>(self).object.remove_connection(view(external_id), Completion(state));
    });
  }
  static void reset_password(void* self, invited_call* call, invited_str external_id) noexcept {
    run_call(instance<T>(self).host, call, [&](const CallPtr& state) {
      instance<T>(self).object.reset_password(view(external_id), Completion(state));
    });
  }
  static void lookup(void* self, invited_call* call, invited_str external_id) noexcept {
    run_call(instance<T>(self).host, call,
             [&](const CallPtr& state) { instance<T>(self).object.lookup(view(external_id), LookupCall(state)); });
  }

  static constexpr invited_identity table{
      sizeof(invited_identity),
      0,
      overridden<decltype(&T::window), decltype(&AsyncIdentity::window)> ? &window_of<T> : nullptr,
      &ensure_account,
      Can::remove ? &remove_connection : nullptr,
      Can::reset ? &reset_password : nullptr,
      Can::lookup ? &lookup : nullptr};
};

template <class T, class Ops>
constexpr invited_plugin describe(const char* role, const char* name, const char* version, const char* schema,
                                  void (*cancel)(void*, invited_call*)) {
  return {sizeof(invited_plugin), Ops::Can::bits,       role,   name,       version, schema,
          &create_instance<T>,    &destroy_instance<T>, cancel, &Ops::table};
}

template <class T, class Base>
constexpr auto cancel_function() -> void (*)(void*, invited_call*) {
  return overridden<decltype(&T::cancel), decltype(&Base::cancel)> ? &cancel_of<T> : nullptr;
}

}  // namespace detail

// One plugin of a module: T is constructed as T(Host, const Json& config) for each instance. Name, version and schema
// must be constants (`constexpr char kSchema[] = R"({"type": "object", …})";`). A transport that says
// `static constexpr bool idempotent = true;` promises that a repeat with the same idempotency key makes no second copy.
template <class T>
constexpr invited_plugin offer(const char* name, const char* version, const char* schema) {
  using namespace detail;
  static_assert(std::is_constructible_v<T, Host, const Json&>, "needs a constructor T(invited::Host, const Json&)");
  if constexpr (std::is_base_of_v<BlockingSource, T>) {
    return describe<T, BlockingSourceOps<T>>(INVITED_ROLE_SOURCE, name, version, schema, nullptr);
  } else if constexpr (std::is_base_of_v<AsyncSource, T>) {
    return describe<T, AsyncSourceOps<T>>(INVITED_ROLE_SOURCE, name, version, schema,
                                          cancel_function<T, AsyncSource>());
  } else if constexpr (std::is_base_of_v<BlockingTransport, T>) {
    return describe<T, BlockingTransportOps<T>>(INVITED_ROLE_TRANSPORT, name, version, schema, nullptr);
  } else if constexpr (std::is_base_of_v<AsyncTransport, T>) {
    return describe<T, AsyncTransportOps<T>>(INVITED_ROLE_TRANSPORT, name, version, schema,
                                             cancel_function<T, AsyncTransport>());
  } else if constexpr (std::is_base_of_v<BlockingIdentity, T>) {
    return describe<T, BlockingIdentityOps<T>>(INVITED_ROLE_IDENTITY, name, version, schema, nullptr);
  } else {
    static_assert(std::is_base_of_v<AsyncIdentity, T>, "derive from one of the role classes");
    return describe<T, AsyncIdentityOps<T>>(INVITED_ROLE_IDENTITY, name, version, schema,
                                            cancel_function<T, AsyncIdentity>());
  }
}

}  // namespace invited
