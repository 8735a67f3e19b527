#include <array>
#include <catch2/catch.hpp>
#include <stdexcept>
#include <thread>

#include "fake_host.hpp"

using Catch::Matchers::Contains;
using invited::Failure;
using invited::Json;
using invited::Scope;
using invited::Status;
using invited::Verdict;

namespace {

invited_str s(std::string_view text) {
  return invited::borrow(text);
}

// Messages as the daemon makes them.
class Batch {
public:
  explicit Batch(std::initializer_list<std::string_view> ids) {
    for (const std::string_view id : ids) {
      invited_message raw{};
      raw.struct_size = sizeof raw;
      raw.flags = INVITED_MESSAGE_EIGHT_BIT | 0x40000000U;
      raw.id = s(id);
      raw.message_id = s("<1@example>");
      raw.envelope_from = s("from@example.com");
      raw.envelope_to = s("to@example.com");
      raw.content = s("Subject: x\r\n\r\ny\r\n");
      raw.attempt = 2;
      raw.idempotency_key = s("key");
      raw.deadline_ms = 77;
      messages_.push_back(raw);
    }
    for (const invited_message& message : messages_) pointers_.push_back(&message);
  }
  const invited_message* const* data() const { return pointers_.data(); }
  std::uint64_t size() const { return pointers_.size(); }

private:
  std::vector<invited_message> messages_;
  std::vector<const invited_message*> pointers_;
};

class Blocking : public invited::BlockingTransport {
public:
  Blocking(invited::Host, const Json&) {}
  Verdict send(const invited::Message& message) override { return on_send(message); }
  const invited::Call& current() const { return call(); }
  std::function<Verdict(const invited::Message&)> on_send;
};

class Async : public invited::AsyncTransport {
public:
  static constexpr bool idempotent = true;
  Async(invited::Host, const Json&) {}
  std::uint32_t window() override { return on_window(); }
  void send(std::vector<invited::Outgoing> batch) override { on_send(std::move(batch)); }
  void settled(std::string_view id) noexcept override { settled_id = id; }
  void probe(invited::ProbeCall call) override {
    call.step(invited::Phase::tls, "TLS 1.3");
    call.fail({Status::bad_config, "535 no", "/password"});
  }
  std::function<std::uint32_t()> on_window = [] { return 8U; };
  std::function<void(std::vector<invited::Outgoing>)> on_send;
  std::string settled_id;
};

template <class T>
using TransportInstance = fake::Instance<T, invited_transport>;

template <class T>
fake::Call& send(fake::Host& host, const TransportInstance<T>& transport, const Batch& batch) {
  return host.operation(
      [&](invited_call* call) { transport.operations().send(transport.self(), call, batch.data(), batch.size()); });
}

class FetchOnly : public invited::BlockingSource {
public:
  FetchOnly(invited::Host, const Json&) {}
  invited::Page fetch(std::string_view cursor, invited::Intake& out) override {
    static_cast<void>(out.emit(invited::Record(4).set("user_id", "a").set("name", "").set("user_id", "b")));
    out.reject_row(5, "Startdatum", "bad_date", "31/31 is no date");
    return {std::string(cursor) + "+", true, true};
  }
};

class Everything : public FetchOnly {  // fetch is inherited: it still counts as overridden
public:
  Everything(invited::Host host, const Json& config) : FetchOnly(host, config), host_(host) {}
  void finish(const invited::Report& report) override {
    changed(host_);
    for (const auto& row : report.results)
      seen += std::to_string(row.line) + std::string(row.user_id) + std::string(row.reason) + std::string(row.column) +
              std::string(row.message) + std::to_string(static_cast<int>(row.outcome));
    seen += report.cursor;
  }
  void on_record(std::string_view json, invited::Intake& out) override {
    static_cast<void>(out.emit(invited::Record().set("user_id", Json::parse(json).text("user_id"))));
  }
  void on_import(const invited::ImportFile& file, invited::Intake& out) override {
    const std::array<invited_pair, 1> columns{{{invited::borrow("name"), invited::borrow("Namn")}}};
    out.announce(7, columns);
    out.note(1, "x", "columns_not_used", "One is not used.");
    seen = std::string(file.bytes) + "|" + std::string(file.format) + "|" + std::string(file.file_name);
  }
  invited::HttpReply on_http(const invited::HttpPush& push, invited::Intake&) override {
    return {201, "text/plain",
            std::string(push.method) + std::string(push.path) + "?" + std::string(push.query) + std::string(push.body) +
                std::string(push.header("x-a"))};
  }
  void export_records(const invited::ExportPart& part, invited::ExportCall& out) override {
    if (!out.write(part.first ? "first " : "")) return;
    for (const auto& record : part.records)
      static_cast<void>(out.write(std::to_string(record.line) + std::string(record.find("user_id").value_or("?")) +
                                  (record.find("name") ? "!" : "")));
    static_cast<void>(out.write(part.last ? " last" : ""));
    static_cast<void>(out.write(part.option("language")));
  }
  std::string seen;
  invited::Host host_;
};
template <class T>
using SourceInstance = fake::Instance<T, invited_source>;

fake::Call& handle(fake::Host& host, const auto& source, const invited_request& request) {
  return host.operation([&](invited_call* call) { source.operations().handle(source.self(), call, &request); });
}

class Accounts : public invited::BlockingIdentity {
public:
  Accounts(invited::Host, const Json&) {}
  invited::Account ensure_account(const invited::AccountRequest& request) override {
    deadline_ms = call().deadline_ms();
    return {.external_id = std::string(request.external_id),
            .provider_id = "p" + std::to_string(request.roles.size()) + std::string(request.roles.at(1)),
            .login_email = std::string(request.login_email),
            .created = true};
  }
  std::optional<invited::Account> lookup(std::string_view external_id) override {
    if (external_id == "none") return std::nullopt;
    return invited::Account{.external_id = std::string(external_id)};
  }
  std::int64_t deadline_ms = 0;
};

class AsyncAccounts : public invited::AsyncIdentity {
public:
  AsyncAccounts(invited::Host, const Json&) {}
  std::uint32_t window() override { return 16; }
  void ensure_account(invited::AccountRequest, invited::AccountCall call) override { kept.emplace(std::move(call)); }
  void remove_connection(std::string_view, invited::Completion call) override { call.done(); }
  void reset_password(std::string_view, invited::Completion call) override { call.fail({Status::rejected, "who?"}); }
  std::optional<invited::AccountCall> kept;
};

}  // namespace

TEST_CASE("a plugin offers what it overrides and nothing else") {
  constexpr invited_plugin fetch_only = invited::offer<FetchOnly>("f", "1", "{}");
  const auto& fetch_table = *static_cast<const invited_source*>(fetch_only.operations);
  CHECK(fetch_only.capabilities == INVITED_SOURCE_FETCH);
  CHECK(std::string_view(fetch_only.role) == INVITED_ROLE_SOURCE);
  CHECK(fetch_table.fetch != nullptr);
  CHECK(fetch_table.handle == nullptr);
  CHECK(fetch_table.finish == nullptr);
  CHECK(fetch_table.export_records == nullptr);
  CHECK(fetch_only.cancel == nullptr);

  CHECK(invited::offer<Everything>("e", "1", "{}").capabilities == 63);
  CHECK(invited::offer<Blocking>("b", "1", "{}").capabilities == 0);
  constexpr invited_plugin async = invited::offer<Async>("a", "1", "{}");
  CHECK(async.capabilities == (INVITED_TRANSPORT_SETTLED | INVITED_TRANSPORT_PROBE | INVITED_TRANSPORT_IDEMPOTENT));
  CHECK(invited::offer<Accounts>("a", "1", "{}").capabilities == INVITED_IDENTITY_LOOKUP);
  CHECK(invited::offer<AsyncAccounts>("a", "1", "{}").capabilities ==
        (INVITED_IDENTITY_REMOVE_CONNECTION | INVITED_IDENTITY_RESET_PASSWORD));
}

TEST_CASE("a blocking transport answers for each message") {
  fake::Host host(INVITED_ROLE_TRANSPORT);
  const TransportInstance<Blocking> transport(host);
  transport.object().on_send = [&](const invited::Message& message) -> Verdict {
    CHECK(message.message_id == "<1@example>");
    CHECK(message.envelope_from == "from@example.com");
    CHECK(message.envelope_to == "to@example.com");
    CHECK(message.content == "Subject: x\r\n\r\ny\r\n");
    CHECK(message.idempotency_key == "key");
    CHECK(message.attempt == 2);
    CHECK(message.deadline_ms == 77);
    CHECK(message.eight_bit);
    CHECK_FALSE(message.needs_smtputf8);
    CHECK(transport.object().current().open());
    if (message.id == "a") return {.remote_id = "r1"};
    return {Status::retry, "later", Scope::transport, invited::Phase::recipient, 451, 60};
  };
  const fake::Call& call = send(host, transport, Batch{"a", "b"});
  CHECK(call.completions == 1);
  CHECK(call.status == INVITED_OK);
  REQUIRE(call.verdicts.size() == 2);
  CHECK(call.verdicts[0].id == "a");
  CHECK(call.verdicts[0].status == INVITED_OK);
  CHECK(call.verdicts[0].remote_id == "r1");
  CHECK(call.verdicts[1].status == INVITED_RETRY);
  CHECK(call.verdicts[1].detail == "later");
  CHECK(call.verdicts[1].scope == INVITED_SCOPE_TRANSPORT);
  CHECK(call.verdicts[1].phase == INVITED_PHASE_RECIPIENT);
  CHECK(call.verdicts[1].reply_code == 451);
  CHECK(call.verdicts[1].retry_after_s == 60);
}

TEST_CASE("what a blocking send throws is about its message alone") {
  fake::Host host(INVITED_ROLE_TRANSPORT);
  const TransportInstance<Blocking> transport(host);
  transport.object().on_send = [](const invited::Message& message) -> Verdict {
    if (message.id == "broken") throw std::runtime_error("pipe");
    if (message.id == "refused") throw Failure(Status::rejected, "no such box");
    if (message.id == "config") throw Failure(Status::bad_config, "no credential");
    if (message.id == "cannot") throw Failure(Status::unsupported, "no SMTPUTF8");
    if (message.id == "later") throw Failure(Status::retry, "busy", {}, 5);
    return {};
  };
  const fake::Call& call = send(host, transport, Batch{"broken", "refused", "config", "cannot", "later", "fine"});
  CHECK(call.status == INVITED_OK);
  REQUIRE(call.verdicts.size() == 6);
  CHECK(call.verdicts[0].status == INVITED_UNKNOWN);
  CHECK(call.verdicts[0].detail == "pipe");
  CHECK(call.verdicts[1].status == INVITED_REJECTED);
  CHECK(call.verdicts[1].scope == INVITED_SCOPE_MESSAGE);
  CHECK(call.verdicts[2].status == INVITED_RETRY);
  CHECK(call.verdicts[2].scope == INVITED_SCOPE_TRANSPORT);
  CHECK(call.verdicts[3].status == INVITED_REJECTED);
  CHECK(call.verdicts[4].status == INVITED_RETRY);
  CHECK(call.verdicts[4].retry_after_s == 5);
  CHECK(call.verdicts[5].status == INVITED_OK);
}

TEST_CASE("a cancelled blocking batch tries nothing more") {
  fake::Host host(INVITED_ROLE_TRANSPORT);
  const TransportInstance<Blocking> transport(host);
  fake::Call& call = host.call();
  int tried = 0;
  transport.object().on_send = [&](const invited::Message&) -> Verdict {
    ++tried;
    call.cancelled = true;
    return {};
  };
  const Batch batch{"a", "b", "c"};
  transport.operations().send(transport.self(), call.raw(), batch.data(), batch.size());
  CHECK(tried == 1);
  REQUIRE(call.verdicts.size() == 3);
  CHECK(call.verdicts[0].status == INVITED_OK);
  CHECK(call.verdicts[1].status == INVITED_CANCELLED);
  CHECK(call.verdicts[2].status == INVITED_CANCELLED);
  CHECK(call.completions == 1);
}

TEST_CASE("an asynchronous batch is closed by its last verdict") {
  fake::Host host(INVITED_ROLE_TRANSPORT);
  const TransportInstance<Async> transport(host);
  std::vector<invited::Outgoing> kept;
  transport.object().on_send = [&](std::vector<invited::Outgoing> batch) { kept = std::move(batch); };
  const Batch messages{"a", "b", "c"};
  fake::Call& call = send(host, transport, messages);
  REQUIRE(kept.size() == 3);
  CHECK(kept[1].message().id == "b");

  kept[2].verdict({});
  kept[2].verdict({.status = Status::rejected});
  kept[0].verdict({.detail = "ok"});
  CHECK_FALSE(kept[0].open());
  CHECK(call.completions == 0);

  SECTION("given") {
    kept[1].verdict({});
    CHECK(call.completions == 1);
    CHECK(call.status == INVITED_OK);
    REQUIRE(call.verdicts.size() == 3);
    CHECK(call.verdicts[0].id == "c");
    CHECK(call.verdicts[0].status == INVITED_OK);
    CHECK(call.verdicts[2].id == "b");
  }
  SECTION("or dropped: the rest is unknown and the batch fails") {
    kept.clear();
    CHECK(call.completions == 1);
    CHECK(call.status == INVITED_INTERNAL);
    CHECK(call.verdicts.size() == 2);
  }
  kept.clear();
  CHECK(call.completions == 1);
  CHECK(call.touched_after_end == 0);
}

TEST_CASE("a send that throws loses only the messages it still held") {
  fake::Host host(INVITED_ROLE_TRANSPORT);
  const TransportInstance<Async> transport(host);
  SECTION("some were answered") {
    transport.object().on_send = [](std::vector<invited::Outgoing> batch) {
      batch[0].verdict({});
      throw std::runtime_error("half way");
    };
    const Batch messages{"a", "b"};
    const fake::Call& call = send(host, transport, messages);
    CHECK(call.verdicts.size() == 1);
    CHECK(call.completions == 1);
    CHECK(call.status == INVITED_INTERNAL);
    CHECK(call.message == "half way");
  }
  SECTION("all were answered") {
    transport.object().on_send = [](std::vector<invited::Outgoing> batch) {
      for (auto& outgoing : batch) outgoing.verdict({});
      throw std::runtime_error("too late");
    };
    const Batch messages{"a", "b"};
    const fake::Call& call = send(host, transport, messages);
    CHECK(call.completions == 1);
    CHECK(call.status == INVITED_OK);
    CHECK(host.logged("too late"));
  }
}

TEST_CASE("a Failure out of an asynchronous send is the verdict of the messages that it still held") {
  fake::Host host(INVITED_ROLE_TRANSPORT);
  const TransportInstance<Async> transport(host);
  const Batch messages{"a", "b", "c"};
  std::vector<invited::Outgoing> kept;
  Failure why(Status::retry, "busy", {}, 5);
  std::size_t answered = 0;
  std::size_t passed_on = 0;
  transport.object().on_send = [&](std::vector<invited::Outgoing> batch) {
    for (std::size_t i = 0; i < answered; ++i) batch[i].verdict({});
    for (std::size_t i = answered; i < answered + passed_on; ++i) kept.push_back(std::move(batch[i]));
    throw why;
  };

  SECTION("each status is mapped as that of a blocking send") {
    struct Mapping {
      Status thrown;
      invited_status status;
      std::int32_t scope;
    };
    const std::array<Mapping, 6> mappings{{{Status::retry, INVITED_RETRY, INVITED_SCOPE_MESSAGE},
                                           {Status::rejected, INVITED_REJECTED, INVITED_SCOPE_MESSAGE},
                                           {Status::unknown, INVITED_UNKNOWN, INVITED_SCOPE_MESSAGE},
                                           {Status::cancelled, INVITED_CANCELLED, INVITED_SCOPE_MESSAGE},
                                           {Status::unsupported, INVITED_REJECTED, INVITED_SCOPE_MESSAGE},
                                           {Status::bad_config, INVITED_RETRY, INVITED_SCOPE_TRANSPORT}}};
    const TransportInstance<Blocking> blocking(host);
    blocking.object().on_send = [&](const invited::Message&) -> Verdict { throw why; };
    for (const auto& [thrown, status, scope] : mappings) {
      why = Failure(thrown, "busy", {}, 5);
      for (const bool asynchronous : {true, false}) {
        const fake::Call& call = asynchronous ? send(host, transport, messages) : send(host, blocking, messages);
        CAPTURE(status, asynchronous);
        CHECK(call.completions == 1);
        CHECK(call.status == INVITED_OK);
        REQUIRE(call.verdicts.size() == 3);
        CHECK(call.verdicts[0].id == "a");
        CHECK(call.verdicts[2].id == "c");
        for (const auto& verdict : call.verdicts) {
          CHECK(verdict.status == status);
          CHECK(verdict.scope == scope);
          CHECK(verdict.detail == "busy");
          CHECK(verdict.retry_after_s == 5);
        }
      }
    }
    CHECK(host.lines.empty());
  }
  SECTION("one that has its verdict keeps it") {
    answered = 1;
    const fake::Call& call = send(host, transport, messages);
    CHECK(call.completions == 1);
    REQUIRE(call.verdicts.size() == 3);
    CHECK(call.verdicts[0].status == INVITED_OK);
    CHECK(call.verdicts[1].status == INVITED_RETRY);
    CHECK(call.verdicts[2].status == INVITED_RETRY);
  }
  SECTION("what was passed on may be on its way: it stays with its holder") {
    passed_on = 1;
    fake::Call& call = send(host, transport, messages);
    CHECK(call.completions == 0);
    REQUIRE(call.verdicts.size() == 2);
    CHECK(call.verdicts[0].id == "b");
    CHECK(call.verdicts[1].id == "c");
    std::thread([&] { kept[0].verdict({}); }).join();
    CHECK(call.completions == 1);
    CHECK(call.status == INVITED_OK);
    REQUIRE(call.verdicts.size() == 3);
    CHECK(call.verdicts[2].id == "a");
    CHECK(call.verdicts[2].status == INVITED_OK);
    CHECK(call.touched_after_end == 0);
  }
  SECTION("passed on and lost, it is unknown") {
    passed_on = 1;
    fake::Call& call = send(host, transport, messages);
    std::thread([&] { kept.clear(); }).join();
    CHECK(call.completions == 1);
    CHECK(call.status == INVITED_RETRY);
    CHECK(call.verdicts.size() == 2);
  }
  SECTION("so it is when it was dropped before anything was thrown") {
    transport.object().on_send = [&](std::vector<invited::Outgoing> batch) {
      batch.pop_back();
      throw why;
    };
    const fake::Call& call = send(host, transport, messages);
    CHECK(call.completions == 1);
    CHECK(call.status == INVITED_RETRY);
    CHECK(call.verdicts.size() == 2);
  }
  SECTION("a bug that says so fails the call") {
    why = Failure(Status::internal, "impossible");
    const fake::Call& call = send(host, transport, messages);
    CHECK(call.completions == 1);
    CHECK(call.status == INVITED_INTERNAL);
    CHECK(call.message == "impossible");
    CHECK(call.verdicts.empty());
  }
  SECTION("thrown when all were answered, it is logged") {
    answered = 3;
    CHECK(send(host, transport, messages).status == INVITED_OK);
    CHECK(host.logged("busy"));
  }
}

TEST_CASE("verdicts from many threads close the batch once") {
  fake::Host host(INVITED_ROLE_TRANSPORT);
  const TransportInstance<Async> transport(host);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::thread> threads;
    transport.object().on_send = [&](std::vector<invited::Outgoing> batch) {
      for (auto& outgoing : batch)
        threads.emplace_back([moved = std::move(outgoing), round]() mutable {
          if (round % 2 == 0 || moved.message().id != "b") moved.verdict({});
        });
    };
    const Batch messages{"a", "b", "c", "d"};
    const fake::Call& call = send(host, transport, messages);
    for (auto& thread : threads) thread.join();
    threads.clear();
    CHECK(call.completions == 1);
    CHECK(call.status == (round % 2 == 0 ? INVITED_OK : INVITED_INTERNAL));
    CHECK(call.verdicts.size() == (round % 2 == 0 ? 4 : 3));
    CHECK(call.touched_after_end == 0);
  }
}

TEST_CASE("window, settled and probe reach the plugin") {
  fake::Host host(INVITED_ROLE_TRANSPORT);
  const TransportInstance<Async> transport(host);
  CHECK(transport.operations().window(transport.self()) == 8);
  transport.object().on_window = []() -> std::uint32_t { throw std::runtime_error("?"); };
  CHECK(transport.operations().window(transport.self()) == 1);
  CHECK(host.logged("window() threw"));

  transport.operations().settled(transport.self(), s("d-1"));
  CHECK(transport.object().settled_id == "d-1");

  const fake::Call& call =
      host.operation([&](invited_call* raw) { transport.operations().probe(transport.self(), raw); });
  CHECK(call.steps == std::vector<std::string>{"3 TLS 1.3"});
  CHECK(call.status == INVITED_BAD_CONFIG);
  CHECK(call.field == "/password");

  const TransportInstance<Blocking> plain(host);
  CHECK(plain.operations().window == nullptr);
  CHECK(plain.operations().settled == nullptr);
  CHECK(plain.operations().probe == nullptr);
}

TEST_CASE("a blocking fetch hands over records, rejected rows and where it came to") {
  fake::Host host;
  const SourceInstance<FetchOnly> source(host);
  const fake::Call& call =
      host.operation([&](invited_call* raw) { source.operations().fetch(source.self(), raw, s("12")); });
  CHECK(call.status == INVITED_OK);
  REQUIRE(call.rows.size() == 1);
  CHECK(call.rows[0].line == 4);
  CHECK(call.rows[0].fields == std::map<std::string, std::string>{{"user_id", "b"}, {"name", ""}});
  CHECK(call.rejected == std::vector<std::string>{"5/Startdatum/bad_date/31/31 is no date"});
  CHECK(call.cursor == "12+");
  CHECK(call.more);
  CHECK(call.settle);
}

TEST_CASE("pushes arrive by their kind") {
  fake::Host host;
  const SourceInstance<Everything> source(host);
  invited_request request{};
  request.struct_size = sizeof request;

  request.kind = INVITED_REQUEST_RECORD;
  request.body = s(R"({"user_id":"u"})");
  const fake::Call& record = handle(host, source, request);
  CHECK(record.status == INVITED_OK);
  REQUIRE(record.rows.size() == 1);
  CHECK(record.rows[0].fields.at("user_id") == "u");

  request.kind = INVITED_REQUEST_IMPORT;
  request.body = s("bytes");
  request.format = s("csv");
  request.file_name = s("users.csv");
  const fake::Call& import = handle(host, source, request);
  CHECK(import.status == INVITED_OK);
  CHECK(source.object().seen == "bytes|csv|users.csv");
  CHECK(import.announced_rows == 7);
  CHECK(import.announced == std::map<std::string, std::string>{{"name", "Namn"}});
  CHECK(import.noted == std::vector<std::string>{"1/x/columns_not_used/One is not used."});

  const invited_pair header{s("x-a"), s("7")};
  request.kind = INVITED_REQUEST_HTTP;
  request.body = s("B");
  request.method = s("PUT");
  request.path = s("/scim");
  request.query = s("q");
  request.headers = &header;
  request.header_count = 1;
  const fake::Call& http = handle(host, source, request);
  CHECK(http.http_status == 201);
  CHECK(http.content_type == "text/plain");
  CHECK(http.body == "PUT/scim?qB7");

  request.kind = 99;
  CHECK(handle(host, source, request).status == INVITED_UNSUPPORTED);
}

TEST_CASE("a kind that a source does not override is answered as unsupported") {
  class RecordOnly : public invited::BlockingSource {
  public:
    RecordOnly(invited::Host, const Json&) {}
    void on_record(std::string_view, invited::Intake&) override {}
  };
  class AsyncRecordOnly : public invited::AsyncSource {
  public:
    AsyncRecordOnly(invited::Host, const Json&) {}
    void on_record(std::string_view, invited::PushCall call) override { call.done(); }
  };
  fake::Host host;
  const SourceInstance<RecordOnly> source(host);
  const SourceInstance<AsyncRecordOnly> async(host);
  CHECK(source.plugin().capabilities == INVITED_SOURCE_HANDLE_RECORD);
  invited_request request{};
  request.struct_size = sizeof request;
  for (const std::int32_t kind : {INVITED_REQUEST_RECORD, INVITED_REQUEST_IMPORT, INVITED_REQUEST_HTTP}) {
    request.kind = kind;
    const invited_status wanted = kind == INVITED_REQUEST_RECORD ? INVITED_OK : INVITED_UNSUPPORTED;
    CHECK(handle(host, source, request).status == wanted);
    CHECK(handle(host, async, request).status == wanted);
  }
}

TEST_CASE("an export arrives in parts and stops when told") {
  fake::Host host;
  const SourceInstance<Everything> source(host);
  const invited_pair fields[] = {{s("user_id"), s("u")}, {s("name"), s("")}};
  const invited_record one{sizeof one, 0, 1, fields, 2};
  const invited_record two{sizeof two, 0, 2, fields, 1};
  const invited_record* const records[] = {&one, &two};
  invited_export part{sizeof part, 1, 0, 0, {}, records, 2, nullptr, 0};
  const auto run = [&]() -> fake::Call& {
    return host.operation([&](invited_call* raw) { source.operations().export_records(source.self(), raw, &part); });
  };
  CHECK(run().written == "first 1u!2u");
  const invited_pair options[] = {{s("delimiter"), s("tab")}, {s("language"), s("sv")}};
  part = {sizeof part, 0, 1, 0, {}, nullptr, 0, options, 2};
  CHECK(run().written == " lastsv");
  host.stop_after_rows = 0;
  CHECK(run().status == INVITED_CANCELLED);
}

TEST_CASE("finish brings one result per row") {
  fake::Host host;
  const SourceInstance<Everything> source(host);
  const invited_row_result row{sizeof row,     INVITED_RESULT_IGNORED, 3,        s("u"),
                               s("connected"), s("login_email"),       s("kept")};
  const invited_row_result* const rows[] = {&row};
  const invited_report report{sizeof report, 0, s("cur"), rows, 1};
  const fake::Call& call =
      host.operation([&](invited_call* raw) { source.operations().finish(source.self(), raw, &report); });
  CHECK(call.status == INVITED_OK);
  CHECK(source.object().seen == "3uconnectedlogin_emailkept4cur");
  CHECK(host.changed == 1);
}

TEST_CASE("an identity hands over accounts, and none where there is none") {
  fake::Host host(INVITED_ROLE_IDENTITY);
  const fake::Instance<Accounts, invited_identity> identity(host);
  const invited_str roles[] = {s("admin"), s("user")};
  invited_account_request request{};
  request.struct_size = sizeof request;
  request.external_id = s("e1");
  request.login_email = s("a@example.com");
  request.roles = roles;
  request.role_count = 2;

  fake::Call& made = host.call();
  made.deadline_ms = 5;
  identity.operations().ensure_account(identity.self(), made.raw(), &request);
  CHECK(made.status == INVITED_OK);
  REQUIRE(made.accounts.size() == 1);
  CHECK(made.accounts[0].external_id == "e1");
  CHECK(made.accounts[0].provider_id == "p2user");
  CHECK(made.accounts[0].login_email == "a@example.com");
  CHECK(made.accounts[0].created);
  CHECK(identity.object().deadline_ms == 5);

  const auto lookup = [&](std::string_view id) -> fake::Call& {
    return host.operation([&](invited_call* raw) { identity.operations().lookup(identity.self(), raw, s(id)); });
  };
  CHECK(lookup("e1").accounts.size() == 1);
  const fake::Call& none = lookup("none");
  CHECK(none.accounts.empty());
  CHECK(none.status == INVITED_OK);
  CHECK(identity.operations().remove_connection == nullptr);
  CHECK(identity.operations().reset_password == nullptr);
}

TEST_CASE("an asynchronous identity keeps its calls open as long as it needs") {
  fake::Host host(INVITED_ROLE_IDENTITY);
  const fake::Instance<AsyncAccounts, invited_identity> identity(host);
  CHECK(identity.operations().window(identity.self()) == 16);
  invited_account_request request{};
  request.struct_size = sizeof request;
  const fake::Call& call =
      host.operation([&](invited_call* raw) { identity.operations().ensure_account(identity.self(), raw, &request); });
  CHECK(call.completions == 0);
  std::thread([&] { identity.object().kept->done({.external_id = "e"}); }).join();
  CHECK(call.completions == 1);
  REQUIRE(call.accounts.size() == 1);
  identity.object().kept.reset();
  CHECK(call.touched_after_end == 0);

  CHECK(host.operation([&](invited_call* raw) { identity.operations().reset_password(identity.self(), raw, s("e")); })
            .status == INVITED_REJECTED);
  CHECK(
      host.operation([&](invited_call* raw) { identity.operations().remove_connection(identity.self(), raw, s("e")); })
          .status == INVITED_OK);
}
