// The built smtp.so, loaded as the daemon loads it and driven through the C contract by a host made of a few tables.
#include <dlfcn.h>
#include <invited/services.h>
#include <invited/transport.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "collector.hpp"
#include "peers.hpp"
#include "scripted_server.hpp"

using invited::test::ScriptedServer;

struct invited_call {
  int completions = 0;
  invited_status status = -1;
};

namespace {

std::string text(invited_str value) {
  return value.size == 0 ? std::string() : std::string(value.data, value.size);
}
invited_str borrow(const std::string& value) {
  return {value.data(), value.size()};
}

class FakeHost {
public:
  FakeHost() {
    role_.struct_size = sizeof role_;
    role_.verdict = [](const invited_host* host, invited_call*, const invited_verdict* v) {
      FakeHost& self = of(host);
      const std::lock_guard lock(self.mutex_);
      ++self.given[text(v->id)];
      self.verdicts[text(v->id)] = {v->status, v->scope, v->phase, v->reply_code, text(v->remote_id), text(v->detail)};
      self.changed_.notify_all();
    };
    role_.step = [](const invited_host* host, invited_call*, int32_t, invited_str detail) {
      FakeHost& self = of(host);
      const std::lock_guard lock(self.mutex_);
      self.steps.push_back(text(detail));
    };
    clock_.struct_size = sizeof clock_;
    clock_.now_ms = [](const invited_host*) -> int64_t { return 1'800'000'000'000 + invited::test::monotonic_ms(); };
    clock_.monotonic_ms = [](const invited_host*) -> int64_t { return invited::test::monotonic_ms(); };
    secrets_.struct_size = sizeof secrets_;
    secrets_.read = [](const invited_host*, invited_str name, invited_receiver receive, void* user) -> invited_status {
      if (text(name) != "relay-password") return INVITED_BAD_CONFIG;
      receive(user, invited_cstr("pencil\n"));
      return INVITED_OK;
    };
    table_.struct_size = sizeof table_;
    table_.context = this;
    table_.role = &role_;
    table_.service = [](const invited_host* host, const char* id) -> const void* {
      if (std::string_view(id) == INVITED_CLOCK_1) return &of(host).clock_;
      if (std::string_view(id) == INVITED_SECRETS_1) return &of(host).secrets_;
      return nullptr;
    };
    table_.log = [](const invited_host* host, int32_t, invited_str line, const invited_pair*, uint64_t) {
      FakeHost& self = of(host);
      const std::lock_guard lock(self.mutex_);
      self.log.push_back(text(line));
    };
    table_.log_enabled = [](const invited_host*, int32_t) -> int32_t { return 1; };
    table_.deadline_ms = [](const invited_host*, invited_call*) -> int64_t { return 0; };
    table_.cancelled = [](const invited_host*, invited_call*) -> int32_t { return 0; };
    table_.fail = [](const invited_host* host, invited_call*, const invited_error* why) {
      FakeHost& self = of(host);
      const std::lock_guard lock(self.mutex_);
      self.error = text(why->message);
      self.field = text(why->field);
    };
    table_.complete = [](const invited_host* host, invited_call* call, invited_status status) {
      FakeHost& self = of(host);
      const std::lock_guard lock(self.mutex_);
      ++call->completions;
      call->status = status;
      self.changed_.notify_all();
    };
  }
  const invited_host* table() const { return &table_; }
  template <class Condition>
  bool wait_for(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), condition);
  }

  struct Given {
    invited_status status;
    int32_t scope, phase, code;
    std::string remote_id, detail;
  };
  std::map<std::string, Given> verdicts;
  std::map<std::string, int> given;
  std::vector<std::string> steps, log;
  std::string error, field;

private:
  static FakeHost& of(const invited_host* host) { return *static_cast<FakeHost*>(host->context); }

  std::mutex mutex_;
  std::condition_variable changed_;
  invited_transport_host role_{};
  invited_clock clock_{};
  invited_secrets secrets_{};
  invited_host table_{};
};

const invited_plugin& plugin() {
  static void* library = dlopen(INVITED_SMTP_MODULE, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) FAIL(dlerror());
  auto* entry = reinterpret_cast<decltype(&invited_module_v1)>(dlsym(library, "invited_module_v1"));
  REQUIRE(entry != nullptr);
  const invited_module* module = entry(INVITED_ABI_MINOR);
  REQUIRE(module != nullptr);
  REQUIRE(module->plugin_count == 1);
  return *module->plugins[0];
}

const invited_transport& operations() {
  return *static_cast<const invited_transport*>(plugin().operations);
}

// "" or the error and where: "… (/url)".
std::string create_error(const std::string& config) {
  FakeHost host;
  invited_call call;
  void* self = nullptr;
  const invited_status status = plugin().create(host.table(), &call, borrow(config), &self);
  if (status == INVITED_OK) {
    plugin().destroy(self);
    return {};
  }
  CHECK(status == INVITED_BAD_CONFIG);
  return host.error + " (" + host.field + ')';
}

struct Instance {
  Instance(FakeHost& host, const std::string& config) {
    invited_call call;
    const invited_status status = plugin().create(host.table(), &call, borrow(config), &self);
    INFO(host.error);
    REQUIRE(status == INVITED_OK);
  }
  ~Instance() { plugin().destroy(self); }
  void* self = nullptr;
};

struct Batch {
  explicit Batch(const std::vector<std::string>& names) : ids(names) {
    for (const std::string& id : ids) {
      to.push_back(id + "@example.org");
      content.push_back("Subject: " + id + "\r\n\r\nhello\r\n");
    }
    for (std::size_t i = 0; i < ids.size(); ++i) {
      invited_message message{};
      message.struct_size = sizeof message;
      message.id = borrow(ids[i]);
      message.envelope_from = invited_cstr("us@example.com");
      message.envelope_to = borrow(to[i]);
      message.content = borrow(content[i]);
      message.attempt = 1;
      messages.push_back(message);
    }
    for (const invited_message& message : messages) pointers.push_back(&message);
  }
  std::vector<std::string> ids, to, content;
  std::vector<invited_message> messages;
  std::vector<const invited_message*> pointers;
};

std::string url(std::uint16_t port) {
  return R"("url": "smtp://127.0.0.1:)" + std::to_string(port) + '"';
}

}  // namespace

TEST_CASE("the module offers the transport smtp with settled and probe, and its schema is strict JSON") {
  CHECK(std::string(plugin().name) == "smtp");
  CHECK(std::string(plugin().role) == INVITED_ROLE_TRANSPORT);
  CHECK(plugin().capabilities == (INVITED_TRANSPORT_SETTLED | INVITED_TRANSPORT_PROBE));
  const auto schema = boost::json::parse(plugin().config_schema).as_object();
  CHECK(schema.at("additionalProperties").as_bool() == false);
  CHECK(schema.at("properties").as_object().at("timeouts").as_object().at("additionalProperties").as_bool() == false);
}

TEST_CASE("what is wrong with a configuration is said with its place, without touching the network") {
  CHECK(create_error(R"({"url": "smtp://relay.example"})").empty());
  CHECK(create_error(R"({"url": "relay.example"})") == "the URL must begin with smtp:// or smtps:// (/url)");
  CHECK(create_error(R"({"url": "smtps://relay.example", "starttls": "never"})") ==
        "an smtps:// URL is TLS from the first byte: remove \"starttls\" (/starttls)");
  CHECK(create_error(R"({"url": "smtps://relay.example", "username": "u"})") ==
        "\"username\" and \"password_credential\" need each other (/username)");
  CHECK(create_error(R"({"url": "smtps://relay.example", "password_credential": "p"})") ==
        "\"username\" and \"password_credential\" need each other (/password_credential)");
  CHECK(create_error(R"({"url": "smtps://relay.example", "ca_file": "/nonexistent"})") ==
        "the CA file /nonexistent cannot be read: No such file or directory (/ca_file)");
}

TEST_CASE("a batch through the contract: one verdict a message, one completion, the dot of the next after settled") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line == "RCPT TO:<b@example.org>" ? ScriptedServer::say("550 5.1.1 unknown\r\n") : ScriptedServer::proper();
  });
  FakeHost host;
  Instance instance(host, "{" + url(server.port()) + R"(, "connections": 1})");
  CHECK(operations().window(instance.self) == 3);

  Batch first({"a", "b"});
  invited_call call;
  operations().send(instance.self, &call, first.pointers.data(), first.pointers.size());
  REQUIRE(host.wait_for([&] { return call.completions == 1; }));
  CHECK(call.status == INVITED_OK);
  CHECK(host.verdicts["a"].status == INVITED_OK);
  CHECK(host.verdicts["a"].phase == INVITED_PHASE_CONTENT);
  CHECK(host.verdicts["a"].remote_id == "1");
  CHECK(host.verdicts["b"].status == INVITED_REJECTED);
  CHECK(host.verdicts["b"].phase == INVITED_PHASE_RECIPIENT);
  CHECK(host.verdicts["b"].code == 550);
  CHECK(host.verdicts["b"].scope == INVITED_SCOPE_MESSAGE);

  // Two outcomes of this connection are not settled: c waits, whatever order they are settled in.
  Batch second({"c"});
  invited_call next;
  operations().send(instance.self, &next, second.pointers.data(), second.pointers.size());
  operations().settled(instance.self, borrow(first.ids[1]));
  REQUIRE(server.wait_for([](const auto& seen) { return seen.has("1 RCPT TO:<c@example.org>"); }));
  // A whole dialogue on another connection: a dot that was sent would have arrived by its end.
  invited_call barrier;
  operations().probe(instance.self, &barrier);
  REQUIRE(host.wait_for([&] { return barrier.completions == 1; }));
  CHECK(server.seen().mails.size() == 1);
  operations().settled(instance.self, borrow(first.ids[0]));
  REQUIRE(host.wait_for([&] { return next.completions == 1; }));
  CHECK(host.verdicts["c"].status == INVITED_OK);
  for (const auto& [id, count] : host.given) CHECK(count == 1);
}

TEST_CASE("a cancelled batch is completed: what was not begun is CANCELLED, what was begun but for its dot RETRY") {
  ScriptedServer server({}, [](unsigned, std::string_view line) {
    return line == "<message>" ? ScriptedServer::fall_silent() : ScriptedServer::proper();
  });
  FakeHost host;
  invited_call call;
  Batch batch({"a", "b", "c", "d"});
  {
    Instance instance(host, "{" + url(server.port()) + R"(, "connections": 1, "timeouts": {"end_s": 1}})");
    operations().send(instance.self, &call, batch.pointers.data(), batch.pointers.size());
    REQUIRE(server.wait_for([](const auto& seen) { return seen.has("1 <message>"); }));
    plugin().cancel(instance.self, &call);
    REQUIRE(host.wait_for([&] { return host.verdicts.count("d") == 1; }));
    CHECK(host.verdicts["d"].status == INVITED_CANCELLED);
    CHECK(call.completions == 0);
  }
  CHECK(call.completions == 1);
  CHECK(host.verdicts["a"].status == INVITED_UNKNOWN);
  CHECK(host.verdicts["b"].status == INVITED_CANCELLED);
  CHECK(host.verdicts["b"].detail.find("taken back before it was sent") != std::string::npos);
  for (const auto& [id, count] : host.given) CHECK(count == 1);
}

TEST_CASE("a probe shows its step, and a failed one says why") {
  ScriptedServer server;
  FakeHost host;
  invited_call call;
  Instance instance(host, "{" + url(server.port()) + "}");
  operations().probe(instance.self, &call);
  REQUIRE(host.wait_for([&] { return call.completions == 1; }));
  CHECK(call.status == INVITED_OK);
  CHECK(host.steps == std::vector<std::string>{"ESMTP, clear text, PIPELINING, 8BITMIME, SMTPUTF8"});

  FakeHost other;
  invited_call failing;
  Instance nobody(other, "{" + url(invited::test::free_port()) + "}");
  operations().probe(nobody.self, &failing);
  REQUIRE(other.wait_for([&] { return failing.completions == 1; }));
  CHECK(failing.status == INVITED_RETRY);
  CHECK(other.error.find("nothing listens there (connection refused)") != std::string::npos);
}

TEST_CASE("the password comes from the credential, without the newline of its file") {
  ScriptedServer::Options options;
  options.ehlo = "250-scripted\r\n250 AUTH PLAIN\r\n";
  ScriptedServer server(options, [](unsigned, std::string_view line) {
    return line.starts_with("AUTH") ? ScriptedServer::say("235 ok\r\n") : ScriptedServer::proper();
  });
  FakeHost host;
  const std::string login = R"(, "username": "invited", "password_credential": )";
  invited_call call;
  Batch batch({"a"});
  {
    Instance instance(host, "{" + url(server.port()) + login + "\"relay-password\"}");
    operations().send(instance.self, &call, batch.pointers.data(), 1);
    REQUIRE(host.wait_for([&] { return call.completions == 1; }));
  }
  CHECK(host.verdicts["a"].status == INVITED_OK);
  CHECK(server.seen().has("1 AUTH PLAIN AGludml0ZWQAcGVuY2ls"));

  invited_call without;
  {
    Instance instance(host, "{" + url(server.port()) + login + "\"missing\"}");
    operations().send(instance.self, &without, batch.pointers.data(), 1);
    REQUIRE(host.wait_for([&] { return without.completions == 1; }));
  }
  CHECK(host.verdicts["a"].status == INVITED_RETRY);
  CHECK(host.verdicts["a"].scope == INVITED_SCOPE_TRANSPORT);
  CHECK(host.verdicts["a"].phase == INVITED_PHASE_AUTH);
  for (const std::string& line : host.log) CHECK(line.find("pencil") == std::string::npos);
}
