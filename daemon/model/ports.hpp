// What the services need from outside. The plugin layer adapts C plugins to these; tests and the simulator script them.
// Everything here is called and answers on the core thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/clock.hpp"
#include "core/id.hpp"
#include "core/result.hpp"
#include "model/record.hpp"

namespace invited::model {

using boost::asio::awaitable;

// ---- transport --------------------------------------------------------------------------------------------------

struct OutgoingMail {
  core::Id delivery;
  std::string message_id;  // without angle brackets
  std::string envelope_from;
  std::string envelope_to;
  std::string bytes;  // RFC 5322, CRLF
  bool needs_smtputf8 = false;
  bool eight_bit = false;
  std::int32_t attempt = 1;
  core::Instant deadline{};
};

enum class VerdictStatus : std::uint8_t { accepted, retry, rejected, unknown };

struct Verdict {
  core::Id delivery;
  VerdictStatus status = VerdictStatus::unknown;
  bool transport_trouble =
      false;  // about us or the server, not this mail: pause the transport, count nothing against the mail
  bool taken_back = false;  // after recall(): it was not tried
  std::string phase;        // "connect", "rcpt", "data_end", …
  std::int32_t code = 0;
  core::Milliseconds retry_after{0};  // the other side's wish; 0: none
  std::string remote_id;
  std::string detail;
};

class Transport {
public:
  virtual ~Transport() = default;
  [[nodiscard]] virtual const std::string& name() const = 0;
  // How many mails may be outstanding: handed over and not yet settled().
  [[nodiscard]] virtual std::size_t window() const = 0;
  // Every mail gets exactly one verdict through `on_verdict`, also when the plugin answers nothing (then `unknown`).
  virtual void send(std::vector<OutgoingMail> mails, std::function<void(Verdict)> on_verdict) = 0;
  // What was handed over and has not begun shall come back as `retry`, taken_back; what has begun gets its verdict.
  virtual void recall() = 0;
  // The outcome is durable: the connection that carried this mail may finish its next one.
  virtual void settled(core::Id delivery) = 0;
  // Connects, greets and signs in without a mail; a sentence about the server, or what is wrong.
  virtual awaitable<core::Result<std::string>> probe() = 0;
};

// ---- identity ---------------------------------------------------------------------------------------------------

struct AccountRequest {
  std::string external_id;  // our user key as text
  std::string login_email;
  std::string name;
  std::string given_name;
  std::string family_name;
  std::string locale;
  std::string company;
  std::vector<std::string> roles;
};

enum class ProviderStatus : std::uint8_t { done, retry, rejected, unknown };

struct ProviderAnswer {
  ProviderStatus status = ProviderStatus::unknown;
  std::string external_id;  // must be the one asked for
  std::string provider_id;
  std::string sign_in_url;
  bool found = false;  // lookup; false also where the provider has none
  core::Milliseconds retry_after{0};
  std::string detail;
};

class Identity {
public:
  virtual ~Identity() = default;
  [[nodiscard]] virtual const std::string& name() const = 0;
  // How many calls it wants open at the same time, at least 1.
  [[nodiscard]] virtual std::size_t window() const = 0;
  // All are harmless when repeated with the same external id.
  virtual awaitable<ProviderAnswer> ensure_account(AccountRequest request) = 0;
  virtual awaitable<ProviderAnswer> remove_connection(std::string external_id) = 0;
  virtual awaitable<ProviderAnswer> reset_password(std::string external_id) = 0;
  virtual awaitable<ProviderAnswer> lookup(std::string external_id) = 0;
};

// ---- DNS --------------------------------------------------------------------------------------------------------

class Dns {
public:
  virtual ~Dns() = default;
  // The TXT records of a name, the strings of each joined; none if the DNS says that there are none or that there is no
  // such name. `unavailable`: no word from any server (silent, failing, refusing); `invalid`: not a name that can be
  // asked for.
  virtual awaitable<core::Result<std::vector<std::string>>> txt(std::string name) = 0;
};

// ---- source -----------------------------------------------------------------------------------------------------

using SourceItem = std::variant<SourceRecord, BadRow, Remark, Announcement>;
// Takes records as they come; the source waits until it returns (back-pressure). Throwing ends the fetch.
using SourceSink = std::function<awaitable<void>(std::vector<SourceItem>)>;

struct Fetched {
  std::string cursor;
  bool more = false;      // fetch again at once
  bool soon = false;      // there is something that cannot be read yet; on_change follows
  std::size_t items = 0;  // 0: nothing new
};

struct SourcePush {
  std::string kind;  // "record" or "import"
  std::string content_type;
  std::string file_name;
  std::string body;
};

struct SourceReply {
  unsigned status = 200;
  std::string content_type;
  std::string body;
};

// One piece of an export; a big one comes in several, in order, never mixed with another.
struct ExportPart {
  bool first = true;
  bool last = true;
  std::string format;                                        // "csv", or a profile's name
  std::vector<std::pair<std::string, std::string>> options;  // the same with each part
  std::vector<SourceRecord> records;
};
// Takes the bytes of a part in pieces; the source may write much more only when one is dealt with.
using ByteSink = std::function<awaitable<void>(std::string)>;

class Source {
public:
  virtual ~Source() = default;
  [[nodiscard]] virtual const std::string& name() const = 0;
  [[nodiscard]] virtual const std::string& plugin() const = 0;
  [[nodiscard]] virtual bool can_fetch() const = 0;
  [[nodiscard]] virtual bool takes(std::string_view push_kind) const = 0;
  // How often to ask when nothing hints.
  [[nodiscard]] virtual core::Milliseconds interval() const = 0;
  virtual awaitable<core::Result<Fetched>> fetch(std::string cursor, SourceSink sink) = 0;
  // After every record of that fetch is durable; the source settles its side (moves the file).
  virtual awaitable<core::Result<void>> finish(std::string cursor, std::vector<RowResult> results) = 0;
  virtual awaitable<core::Result<SourceReply>> handle(SourcePush push, SourceSink sink) = 0;
  [[nodiscard]] virtual bool can_export() const { return false; }
  // Records as the bytes of a file.
  virtual awaitable<core::Result<void>> export_records(ExportPart /*part*/, ByteSink /*sink*/) {
    co_return core::fail(core::ErrorKind::conflict, "plugin_unsupported", "source \"" + name() + "\" cannot export");
  }
  // Rings when the source hints that there is something (source_changed).
  virtual void on_change(std::function<void()> hint) = 0;
};

}  // namespace invited::model
