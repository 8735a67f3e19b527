// How fast the SMTP client is beside smtp-source, in one run on one machine, against the same smtp-sink; and against a
// server that answers each packet after a delay, where only round trips count. Prints the table; asserts nothing.
//
//   bench_smtp_client [mails] [connections]
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <stdexcept>

#include "collector.hpp"
#include "peers.hpp"
#include "scripted_server.hpp"

using namespace invited::smtp;
using namespace invited::test;

namespace {

constexpr std::size_t BODY_BYTES = 5000;

double seconds_since(std::int64_t start_ms) {
  return static_cast<double>(std::max<std::int64_t>(monotonic_ms() - start_ms, 1)) / 1000.0;
}

std::string body() {
  std::string text;
  while (text.size() < BODY_BYTES)
    text += "The quick brown fox jumps over the lazy dog, and a line of about seventy.\r\n";
  return text;
}

// Keeps `window` messages a connection outstanding, as the daemon does, and settles each verdict at once.
double client(std::uint16_t port, unsigned connections, int mails, unsigned window) {
  std::mutex mutex;
  std::condition_variable changed;
  int done = 0;
  int failed = 0;
  Pool* pool = nullptr;
  std::atomic<int> next{0};
  const std::string text = body();
  const auto feed = [&](int count) {
    std::vector<MessagePtr> batch;
    for (int i = 0; i < count; ++i) {
      const int n = next.fetch_add(1);
      if (n >= mails) break;
      batch.push_back(mail(std::to_string(n), text));
    }
    if (!batch.empty()) pool->submit(std::move(batch));
  };
  Pool owned(pool_options(port, connections), [&](const MessagePtr& message, const Verdict& verdict) {
    pool->settled(message->id);
    feed(1);
    const std::lock_guard lock(mutex);
    ++done;
    if (verdict.outcome != Outcome::accepted) ++failed;
    if (done == mails) changed.notify_all();
  });
  pool = &owned;
  const std::int64_t start = monotonic_ms();
  feed(static_cast<int>(window * connections));
  std::unique_lock lock(mutex);
  if (!changed.wait_for(lock, std::chrono::seconds(120), [&] { return done == mails; }))
    throw std::runtime_error("took too long");
  const double rate = mails / seconds_since(start);
  if (failed != 0) std::printf("  (%d mails failed)\n", failed);
  return rate;
}

double smtp_source(std::uint16_t port, unsigned connections, int mails) {
  const std::int64_t start = monotonic_ms();
  Child source({"/usr/sbin/smtp-source", "-d", "-s", std::to_string(connections), "-m", std::to_string(mails), "-l",
                std::to_string(BODY_BYTES), "-f", "us@example.com", "-t", "them@example.org",
                "127.0.0.1:" + std::to_string(port)});
  if (source.wait() != 0) throw std::runtime_error("smtp-source failed");
  return mails / seconds_since(start);
}

}  // namespace

int main(int argc, char** argv) {
  const int mails = argc > 1 ? std::clamp(std::atoi(argv[1]), 100, 1'000'000) : 20'000;
  const unsigned connections = argc > 2 ? static_cast<unsigned>(std::clamp(std::atoi(argv[2]), 1, 64)) : 8;
  std::printf("%d mails of %zu octets, %u connections, mails per second\n", mails, BODY_BYTES, connections);
  const std::uint16_t port = free_port();
  auto sink = start_sink(port);
  std::printf("| round | smtp-source | this client, window 2 | window 3 | ratio |\n|---|---|---|---|---|\n");
  for (int round = 1; round <= 3; ++round) {
    const double theirs = smtp_source(port, connections, mails);
    const double two = client(port, connections, mails, 2);
    const double three = client(port, connections, mails, 3);
    std::printf("| %d | %.0f | %.0f | %.0f | %.2f |\n", round, theirs, two, three, three / theirs);
  }
  sink->end();

  std::printf("\nserver that answers each packet after a delay, %u connections, mails per second\n", connections);
  std::printf(
      "| delay | smtp-source | lock-step | this client, window 2 | window 3 | ceiling (one round trip) "
      "|\n|---|---|---|---|---|---|\n");
  for (const int delay_ms : {1, 5, 20, 50}) {
    const int count = std::max(100, std::min(mails, static_cast<int>(2000 * connections) / delay_ms / 2));
    ScriptedServer::Options slow;
    slow.delay = std::chrono::milliseconds(delay_ms);
    slow.keep_mails = false;
    ScriptedServer::Options lock_step = slow;
    lock_step.ehlo = "250-scripted\r\n250 8BITMIME\r\n";
    double theirs = 0;
    double stepwise = 0;
    double two = 0;
    double three = 0;
    {
      ScriptedServer server(slow);
      theirs = smtp_source(server.port(), connections, count);
    }
    {
      ScriptedServer server(lock_step);
      stepwise = client(server.port(), connections, count, 3);
    }
    {
      ScriptedServer server(slow);
      two = client(server.port(), connections, count, 2);
    }
    {
      ScriptedServer server(slow);
      three = client(server.port(), connections, count, 3);
    }
    std::printf("| %d ms | %.0f | %.0f | %.0f | %.0f | %.0f |\n", delay_ms, theirs, stepwise, two, three,
                1000.0 * connections / delay_ms);
  }
  return 0;
}
