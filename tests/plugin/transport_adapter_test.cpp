// One verdict per mail, whatever the plugin does.
#include "bench.hpp"
#include "support/captured_log.hpp"

using namespace invited;
using namespace invited::test;
using model::OutgoingMail;
using model::Verdict;
using model::VerdictStatus;

namespace {

core::Id id_of(int number) {
  core::Id id;
  id.bytes[15] = static_cast<std::byte>(number);
  return id;
}

std::vector<OutgoingMail> mails(int count) {
  std::vector<OutgoingMail> all;
  for (int i = 1; i <= count; ++i) {
    OutgoingMail mail;
    mail.delivery = id_of(i);
    mail.message_id = "m" + std::to_string(i) + "@invite.example.com";
    mail.envelope_from = "bounce@example.com";
    mail.envelope_to = "anna@example.com";
    mail.bytes = "Subject: hello\r\n\r\nhello\r\n";
    mail.attempt = i;
    all.push_back(mail);
  }
  return all;
}

void verdict(const invited_host* host, invited_call* call, std::string_view id, invited_status status,
             std::string_view detail = "", std::int32_t scope = INVITED_SCOPE_MESSAGE) {
  invited_verdict raw{};
  raw.struct_size = sizeof raw;
  raw.status = status;
  raw.id = text(id);
  raw.scope = scope;
  raw.phase = INVITED_PHASE_CONTENT;
  raw.reply_code = 250;
  raw.retry_after_s = 30;
  raw.remote_id = text("remote-7");
  raw.detail = text(detail);
  static_cast<const invited_transport_host*>(host->role)->verdict(host, call, &raw);
}

struct Verdicts {
  std::vector<Verdict> all;
  std::function<void(Verdict)> sink() {
    return [this](Verdict one) { all.push_back(std::move(one)); };
  }
  VerdictStatus of(int number) const {
    std::optional<VerdictStatus> found;
    for (const Verdict& one : all) {
      if (one.delivery != id_of(number)) continue;
      if (found) FAIL("two verdicts for one mail");
      found = one.status;
    }
    REQUIRE(found);
    return *found;
  }
};

}  // namespace

TEST_CASE("a mail reaches the plugin whole and its verdict comes back whole") {
  Bench bench;
  Script script;
  std::vector<std::string> seen;
  script.send = [&](const invited_host* host, invited_call* call, const invited_message* const* messages,
                    std::uint64_t count) {
    const invited_message& first = *messages[0];
    for (const invited_str part :
         {first.id, first.message_id, first.envelope_from, first.envelope_to, first.content, first.idempotency_key})
      seen.emplace_back(plugin::view(part));
    seen.push_back(std::to_string(count) + "/" + std::to_string(first.attempt) + "/" + std::to_string(first.flags) +
                   "/" + std::to_string(first.deadline_ms));
    verdict(host, call, plugin::view(first.id), INVITED_OK, "250 2.0.0 queued");
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script);
  plugin::TransportAdapter transport(instance);
  Verdicts verdicts;
  auto batch = mails(1);
  batch[0].needs_smtputf8 = true;
  batch[0].eight_bit = true;
  batch[0].deadline = bench.clock.now() + 5s;
  transport.send(batch, verdicts.sink());
  bench.until([&] { return verdicts.all.size() == 1 && instance->open_calls() == 0; });
  CHECK(seen == std::vector<std::string>{id_of(1).text(), "<m1@invite.example.com>", "bounce@example.com",
                                         "anna@example.com", "Subject: hello\r\n\r\nhello\r\n", "m1@invite.example.com",
                                         "1/1/3/" + std::to_string(batch[0].deadline.time_since_epoch().count())});
  const Verdict& got = verdicts.all[0];
  CHECK(got.delivery == id_of(1));
  CHECK(got.status == VerdictStatus::accepted);
  CHECK_FALSE(got.transport_trouble);
  CHECK(got.phase == "content");
  CHECK(got.code == 250);
  CHECK(got.retry_after == 30s);
  CHECK(got.remote_id == "remote-7");
  CHECK(got.detail == "250 2.0.0 queued");
  CHECK(instance->misbehaviour() == 0);
}

TEST_CASE("verdicts stream before the batch is complete, from any thread and in any order") {
  Bench bench;
  Script script;
  Latch latch;
  std::thread helper;
  script.send = [&](const invited_host* host, invited_call* call, const invited_message* const* messages,
                    std::uint64_t) {
    verdict(host, call, plugin::view(messages[1]->id), INVITED_REJECTED);
    helper = std::thread([&latch, host, call, messages] {
      latch.wait();
      verdict(host, call, plugin::view(messages[0]->id), INVITED_OK);
      host->complete(host, call, INVITED_OK);
    });
  };
  const auto instance = bench.make(script);
  plugin::TransportAdapter transport(instance);
  Verdicts verdicts;
  transport.send(mails(2), verdicts.sink());
  bench.until([&] { return verdicts.all.size() == 1; });
  CHECK(verdicts.of(2) == VerdictStatus::rejected);
  CHECK(instance->open_calls() == 1);
  latch.open();
  bench.until([&] { return verdicts.all.size() == 2 && instance->open_calls() == 0; });
  CHECK(verdicts.of(1) == VerdictStatus::accepted);
  helper.join();
}

TEST_CASE("every status has its meaning for a mail") {
  Bench bench;
  Script script;
  const invited_status statuses[] = {INVITED_OK,          INVITED_RETRY,     INVITED_REJECTED,
                                     INVITED_UNKNOWN,     INVITED_CANCELLED, INVITED_BAD_CONFIG,
                                     INVITED_UNSUPPORTED, INVITED_INTERNAL,  4711};
  script.send = [&](const invited_host* host, invited_call* call, const invited_message* const* messages,
                    std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i)
      verdict(host, call, plugin::view(messages[i]->id), statuses[i], "",
              i == 1   ? INVITED_SCOPE_TRANSPORT
              : i == 2 ? 99
                       : 0);
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script);
  plugin::TransportAdapter transport(instance);
  Verdicts verdicts;
  transport.send(mails(9), verdicts.sink());
  bench.until([&] { return verdicts.all.size() == 9; });
  std::vector<VerdictStatus> got;
  std::vector<bool> trouble;
  for (const Verdict& one : verdicts.all) {
    got.push_back(one.status);
    trouble.push_back(one.transport_trouble);
  }
  using enum VerdictStatus;
  CHECK(got ==
        std::vector<VerdictStatus>{accepted, retry, rejected, unknown, retry, retry, rejected, unknown, unknown});
  CHECK(trouble == std::vector<bool>{false, true, false, false, false, true, false, false, false});
  CHECK(instance->misbehaviour() == 1);  // 4711
}

TEST_CASE("a message without a verdict at the end of its batch is unknown") {
  Bench bench;
  Script script;
  std::string reason;
  script.send = [&](const invited_host* host, invited_call* call, const invited_message* const* messages,
                    std::uint64_t) {
    verdict(host, call, plugin::view(messages[0]->id), INVITED_OK);
    if (reason == "throw") throw std::runtime_error("lost it");
    if (!reason.empty()) {
      const invited_error error{sizeof error, INVITED_RETRY, 0, text(reason), text("")};
      host->fail(host, call, &error);
    }
    host->complete(host, call, reason.empty() ? INVITED_OK : INVITED_RETRY);
  };
  const auto instance = bench.make(script);
  plugin::TransportAdapter transport(instance);
  Verdicts verdicts;
  std::string wanted = "the transport gave no verdict";
  SECTION("completed well") {}
  SECTION("completed badly") {
    reason = "server went away";
    wanted = "the transport gave no verdict: server went away";
  }
  SECTION("thrown out of") {
    reason = "throw";
    wanted = "the transport gave no verdict: send threw: lost it";
  }
  transport.send(mails(3), verdicts.sink());
  bench.until([&] { return verdicts.all.size() == 3; });
  CHECK(verdicts.of(1) == VerdictStatus::accepted);
  CHECK(verdicts.of(2) == VerdictStatus::unknown);
  CHECK(verdicts.of(3) == VerdictStatus::unknown);
  CHECK(verdicts.all[1].detail == wanted);
  CHECK_FALSE(verdicts.all[1].transport_trouble);
}

TEST_CASE("a second verdict and one for a stranger are counted and ignored") {
  Bench bench;
  Script script;
  script.send = [&](const invited_host* host, invited_call* call, const invited_message* const* messages,
                    std::uint64_t) {
    verdict(host, call, plugin::view(messages[0]->id), INVITED_OK);
    verdict(host, call, plugin::view(messages[0]->id), INVITED_REJECTED);
    verdict(host, call, id_of(77).text(), INVITED_OK);
    verdict(host, call, "no id at all", INVITED_OK);
    static_cast<const invited_transport_host*>(host->role)->verdict(host, call, nullptr);
    host->complete(host, call, INVITED_OK);
    verdict(host, call, plugin::view(messages[0]->id), INVITED_RETRY);
  };
  const auto instance = bench.make(script);
  plugin::TransportAdapter transport(instance);
  Verdicts verdicts;
  transport.send(mails(1), verdicts.sink());
  bench.until([&] { return instance->misbehaviour() == 5 && instance->open_calls() == 0; });
  REQUIRE(verdicts.all.size() == 1);
  CHECK(verdicts.of(1) == VerdictStatus::accepted);
}

TEST_CASE("mails of a batch that overstays are unknown, once; late verdicts change nothing") {
  Bench bench;
  Script script;
  std::atomic<bool> begun{false};
  invited_call* handle = nullptr;
  const invited_message* const* kept = nullptr;
  script.send = [&](const invited_host* host, invited_call* call, const invited_message* const* messages,
                    std::uint64_t) {
    verdict(host, call, plugin::view(messages[0]->id), INVITED_OK);
    handle = call;
    kept = messages;
    begun = true;
  };
  const auto instance = bench.make(script);
  plugin::TransportAdapter transport(instance);
  Verdicts verdicts;
  auto batch = mails(2);
  batch[1].deadline = bench.clock.now() + 1h;
  transport.send(batch, verdicts.sink());
  bench.until([&] { return begun.load(); });
  bench.pass(1h + instance->limits().send);
  CHECK(verdicts.all.size() == 1);
  bench.pass(instance->limits().grace);
  REQUIRE(verdicts.all.size() == 2);
  CHECK(verdicts.of(2) == VerdictStatus::unknown);
  CHECK(transport.window() == 0);

  Verdicts refused;
  transport.send(mails(1), refused.sink());
  settle(bench.io);
  CHECK(refused.of(1) == VerdictStatus::retry);
  CHECK(refused.all[0].transport_trouble);
  CHECK(refused.all[0].detail ==
        "the transport was not asked: the instance is stuck: an earlier call has not come back");

  // The mails are still there for the plugin, and its word comes too late.
  CHECK(plugin::view(kept[1]->content) == "Subject: hello\r\n\r\nhello\r\n");
  verdict(script.host, handle, plugin::view(kept[1]->id), INVITED_OK);
  script.host->complete(script.host, handle, INVITED_OK);
  bench.until([&] { return transport.window() == 1; });
  CHECK(verdicts.all.size() == 2);
  CHECK(instance->misbehaviour() == 0);
}

TEST_CASE("stop gives every mail that was not asked about its verdict") {
  Bench bench;
  Script script;
  Latch latch;
  std::atomic<bool> begun{false};
  script.cancel = [&](invited_call*) { latch.open(); };
  script.send = [&](const invited_host* host, invited_call* call, const invited_message* const* messages,
                    std::uint64_t) {
    begun = true;
    latch.wait();
    verdict(host, call, plugin::view(messages[0]->id), INVITED_CANCELLED);
    host->complete(host, call, INVITED_CANCELLED);
  };
  const auto instance = bench.make(script);
  plugin::TransportAdapter transport(instance);
  Verdicts first;
  Verdicts second;
  transport.send(mails(2), first.sink());
  transport.send(mails(1), second.sink());
  bench.until([&] { return begun.load(); });
  CHECK(bench.stop(*instance));
  settle(bench.io);
  CHECK(first.of(1) == VerdictStatus::retry);
  CHECK(first.of(2) == VerdictStatus::unknown);
  CHECK(second.of(1) == VerdictStatus::retry);
  CHECK(transport.window() == 0);
}

TEST_CASE("settled is told at once on the core thread, and not after the end") {
  Bench bench;
  Script script;
  std::vector<std::string> told;
  std::thread::id thread;
  script.settled = [&](std::string id) {
    told.push_back(std::move(id));
    thread = std::this_thread::get_id();
    if (told.size() == 2) throw 1;
  };
  const auto instance = bench.make(script);
  plugin::TransportAdapter transport(instance);
  transport.settled(id_of(1));
  CHECK(thread == std::this_thread::get_id());
  transport.settled(id_of(2));
  CHECK(instance->misbehaviour() == 1);
  CHECK(bench.stop(*instance));
  transport.settled(id_of(3));
  CHECK(told == std::vector<std::string>{id_of(1).text(), id_of(2).text()});
}

TEST_CASE("the window is what the plugin says, at least one") {
  Bench bench;
  Script script;
  std::atomic<std::uint32_t> wanted{8};
  script.window = [&] { return wanted.load(); };
  script.send = [](const invited_host* host, invited_call* call, const invited_message* const*, std::uint64_t) {
    host->complete(host, call, INVITED_OK);
  };
  const auto instance = bench.make(script);
  plugin::TransportAdapter transport(instance);
  CHECK(transport.window() == 8);
  wanted = 0;
  Verdicts verdicts;
  transport.send(mails(1), verdicts.sink());
  bench.until([&] { return instance->open_calls() == 0; });
  CHECK(transport.window() == 1);
}

TEST_CASE("a probe tells its steps, or what is wrong and how far it came") {
  Bench bench;
  Script script;
  bool good = true;
  script.probe = [&](const invited_host* host, invited_call* call) {
    const auto* role = static_cast<const invited_transport_host*>(host->role);
    role->step(host, call, INVITED_PHASE_CONNECT, text("mx.example.com:25"));
    role->step(host, call, INVITED_PHASE_TLS, text(""));
    if (!good) {
      const invited_error error{sizeof error, INVITED_BAD_CONFIG, 0, text("535 wrong password"), text("/password")};
      host->fail(host, call, &error);
    }
    host->complete(host, call, good ? INVITED_OK : INVITED_BAD_CONFIG);
  };
  const auto instance = bench.make(script, "smarthost");
  plugin::TransportAdapter transport(instance);
  CHECK(bench.wait(transport.probe()).value() == "connect: mx.example.com:25; tls");
  good = false;
  const auto failed = bench.wait(transport.probe());
  REQUIRE_FALSE(failed);
  CHECK(failed.error().kind == core::ErrorKind::invalid);
  CHECK(failed.error().code == "plugin_bad_config");
  CHECK(failed.error().message ==
        "transport \"smarthost\": probe failed, the configuration is wrong: 535 wrong password (good until then: "
        "connect: "
        "mx.example.com:25; tls)");
}

TEST_CASE("an error inside a transport is a line in the log, and so are mails that it said nothing about") {
  Bench bench;
  Script script;
  script.send = [&](const invited_host* host, invited_call* call, const invited_message* const*, std::uint64_t) {
    const invited_error error{sizeof error, INVITED_INTERNAL, 0, text("vector::at \xff"), text("")};
    host->fail(host, call, &error);
    host->complete(host, call, INVITED_INTERNAL);
  };
  const auto instance = bench.make(script);
  plugin::TransportAdapter transport(instance);
  Verdicts verdicts;
  const CapturedLog log;
  transport.send(mails(3), verdicts.sink());
  bench.until([&] { return verdicts.all.size() == 3; });
  CHECK_THAT(log.text(), Catch::Contains("A call failed by an error of the plugin plugin=fake_transport instance=one "
                                         "operation=send"));
  CHECK_THAT(log.text(), Catch::Contains("mails=3 status=INTERNAL"));
  CHECK(verdicts.all[0].detail == "the transport gave no verdict: vector::at \\x{ff}");
  for (int i = 0; i < 40; ++i) transport.send(mails(1), verdicts.sink());
  bench.until([&] { return verdicts.all.size() == 43; });
  CHECK(log.count("A call failed by an error") == 17);  // 16 and the 32nd
}
