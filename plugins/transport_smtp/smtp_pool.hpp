// Up to N connections to one server, and one queue before them.
//
// Connections are opened when there is work, kept while there is, and closed after idle time. A message whose
// connection goes away before its final dot is put on another one by itself, once; a server that cannot be reached at
// all answers the whole queue with `retry, scope transport`, and what is handed in after that knocks again with one
// connection, at most once a second. Every message handed in gets exactly one verdict.
//
//   Pool pool(options, [&](const MessagePtr& message, const Verdict& verdict) { … });
//   pool.submit({message});
//   …  // the verdict comes; the owner stores it
//   pool.settled(message->id);
//   pool.stop(5s);
//
// One thread of its own runs everything. All functions are [any-thread] and do not wait, but for stop(). The callbacks
// come on the pool's thread and may call any function but stop().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "smtp_message.hpp"
#include "smtp_session.hpp"
#include "smtp_url.hpp"
#include "smtp_verdict.hpp"

namespace invited::smtp {

class PoolImpl;

enum class LogLevel : std::uint8_t { debug, info, warning };

struct PoolOptions {
  Server server;
  SessionSettings session;  // `server` and `clear_text_auth` are filled in by the pool
  unsigned connections = 4;
  std::string ca_file;  // empty: the system's certificates
  Milliseconds back_off_first{1'000};
  Milliseconds back_off_longest{60'000};
  std::uint64_t seed = 0;                                 // for the jitter of the back-off
  std::function<std::int64_t()> monotonic_ms;             // required
  std::function<void(LogLevel, const std::string&)> log;  // may be empty; never gets an address or content
};

class Pool {
public:
  using Sink = std::function<void(const MessagePtr&, const Verdict&)>;
  // What a probe found: `failure.outcome` is accepted when all went well; `summary` says what the server offers.
  using ProbeSink = std::function<void(const Verdict& failure, const std::string& summary)>;

  // Throws std::runtime_error when the set-up cannot work: the CA file cannot be read.
  Pool(PoolOptions options, Sink sink);
  ~Pool();  // stop(0)
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void submit(std::vector<MessagePtr> messages);
  // The verdict of that message is durable: its connection may send its next final dot. Unknown ids are ignored.
  void settled(std::string id);
  // Takes back those of these messages whose final dot is not out: `cancelled` for what no connection has, for the
  // rest `retry, scope transport`, and its connection ends. A dot that is out is still waited for.
  void cancel(std::vector<MessagePtr> messages);
  void probe(ProbeSink sink);
  // Ends: what waits is cancelled, a final dot that is out may still be answered for `limit`, then it is `unknown`.
  // When this returns all verdicts were given and no callback runs any more. Idempotent.
  void stop(Milliseconds limit);

private:
  std::unique_ptr<PoolImpl> impl_;
};

}  // namespace invited::smtp
