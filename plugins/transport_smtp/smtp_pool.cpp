#include "smtp_pool.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <unordered_set>

namespace invited::smtp {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t READ_SIZE = 16 * 1024;
// Outcomes of one connection that may wait to be stored before it begins nothing more.
constexpr std::size_t MAX_UNSETTLED = 2;
// A message whose connections keep ending before its final dot is answered `retry` at this weight: after two fresh
// connections, which it may have ended itself, or four that had carried mail before and may just have been at their
// end.
constexpr unsigned BOUNCE_LIMIT = 4;
constexpr unsigned BOUNCE_FRESH = 2;
constexpr unsigned BOUNCE_USED = 1;
// So many other messages answered in between show that the server works.
constexpr std::uint64_t OTHERS_ANSWERED = 2;
// So long nothing is begun behind an unanswered final dot after one has taken too long.
constexpr std::int64_t SLOW_SERVER_MS = 60'000;
// So many different messages whose connections ended without a single answer: the server is not working.
constexpr std::size_t MAX_BARREN = 3;
// So many fresh connections that the server took MAIL on and ended at the same message: that message is the cause.
constexpr unsigned MAX_HANG_UPS = 2;
// A message that met so many used connections at their end is counted as if it had been the cause, lest it run in
// circles.
constexpr unsigned MAX_BETWEEN = 5;
// A recipient taken within this time shows that the relay knows us. Longer than the pause of 600 s that the first
// judgement about us costs.
constexpr std::int64_t RELAYS_MS = 20 * 60'000;
// Messages remembered because they brought trouble for all.
constexpr std::size_t MAX_SUSPECTS = 10'000;
constexpr std::int64_t KNOCK_MS = 1'000;
// A server silent at QUIT keeps a new connection from opening for so long.
constexpr std::int64_t QUIT_GRACE_MS = 1'000;

std::string plain(const error_code& error) {
  if (error == asio::error::eof || error == asio::ssl::error::stream_truncated)
    return "the server closed the connection";
  if (error == asio::error::connection_reset || error == asio::error::broken_pipe) return "the connection was reset";
  if (error == asio::error::connection_refused) return "nothing listens there (connection refused)";
  if (error == asio::error::host_not_found || error == asio::error::no_data) return "the host name does not exist";
  if (error == asio::error::host_not_found_try_again) return "the host name cannot be resolved at the moment";
  if (error == asio::error::network_unreachable || error == asio::error::host_unreachable)
    return "the host cannot be reached";
  return printable(error.message(), 200);
}

std::string local_literal(const tcp::socket& socket) {
  error_code ignored;
  const tcp::endpoint local = socket.local_endpoint(ignored);
  std::string text = local.address().to_string();
  return text.substr(0, text.find('%'));
}

}  // namespace

class Connection;

class PoolImpl {
public:
  PoolImpl(PoolOptions options, Pool::Sink sink);
  ~PoolImpl();

  void submit(std::vector<MessagePtr> messages);
  void settled(std::string id);
  void cancel(std::vector<MessagePtr> messages);
  void probe(Pool::ProbeSink sink);
  void stop(Milliseconds limit);

  // For connections, on the pool's thread.
  MessagePtr take(std::size_t slot, bool behind_a_dot);
  void verdict(std::size_t slot, const MessagePtr& message, const Verdict& verdict);
  void refused(const MessagePtr& message, const Verdict& verdict) { sink_(message, verdict); }
  void give_back(Connection& connection, const MessagePtr& message, const Verdict& why, Parting parting);
  void recipient_taken();
  [[nodiscard]] bool relays() const { return relayed_at_ != 0 && now() < relayed_at_ + RELAYS_MS; }
  void release(const MessagePtr& message);
  [[nodiscard]] bool may_finish(std::size_t slot) const { return slots_[slot].unsettled.empty(); }
  void ready(Connection& connection);
  void ended(const std::shared_ptr<Connection>& connection);
  [[nodiscard]] std::int64_t now() const { return options_.monotonic_ms(); }
  [[nodiscard]] const PoolOptions& options() const { return options_; }
  asio::io_context& io() { return io_; }
  asio::ssl::context& tls() { return tls_; }
  void log(LogLevel level, const std::string& text) const {
    if (options_.log) options_.log(level, text);
  }

private:
  struct Slot {
    std::shared_ptr<Connection> connection;
    // Outcomes that this slot brought and that are not durable yet. They outlive the connection: a new one in this slot
    // is bound by them as well, so that a crash can double at most one mail per slot.
    std::unordered_set<std::string> unsettled;
  };

  void feed();
  void open_connections();
  void fail_queue(const Verdict& why);
  void back_off(const Verdict& why);
  void end_back_off();
  void let_quit();
  [[nodiscard]] bool busy() const;
  void watch_queue();
  void stop_now(Milliseconds limit);
  void finish_if_done();
  void answer_cancelled(const MessagePtr& message);
  [[nodiscard]] std::size_t live(bool ready_only) const;

  PoolOptions options_;
  Pool::Sink sink_;
  asio::io_context io_{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  asio::ssl::context tls_{asio::ssl::context::tls_client};
  asio::steady_timer reopen_timer_{io_};
  asio::steady_timer queue_timer_{io_};
  asio::steady_timer stop_timer_{io_};
  std::minstd_rand jitter_;

  std::deque<MessagePtr> queue_;
  std::vector<Slot> slots_;
  std::unordered_map<std::string, std::size_t> slot_of_;  // of messages with a verdict that is not settled
  std::vector<std::shared_ptr<Connection>> probes_;
  std::vector<std::shared_ptr<Connection>> leaving_;  // silent at QUIT; their slots have been given away
  std::uint64_t completed_ = 0;                       // answers of the server about messages
  std::unordered_set<std::string> barren_;    // messages of this round whose connections ended without an answer
  std::unordered_set<std::string> suspects_;  // messages that brought trouble for all: behind the others
  std::int64_t relayed_at_ = 0;
  unsigned failures_ = 0;      // rounds of connections that failed
  bool round_failed_ = false;  // of the connections opened together one has failed, and none was ready since
  std::int64_t reopen_at_ = 0;
  std::int64_t failed_at_ = 0;
  std::int64_t knocked_at_ = 0;
  bool told_down_ = false;  // the queue was answered with last_failure_, and nothing has worked since
  Verdict last_failure_;
  std::int64_t slow_until_ = 0;
  std::string logged_;  // the last failure in the log, so that eight connections do not say it eight times
  bool feeding_ = false;
  bool watching_queue_ = false;
  bool stopping_ = false;

  std::mutex stop_mutex_;
  std::thread thread_;
};

// One connection: the socket, the TLS stream and the timer around a Session. Everything on the pool's thread.
class Connection final : public SessionOwner, public std::enable_shared_from_this<Connection> {
public:
  Connection(PoolImpl& pool, const SessionSettings& settings, std::size_t slot, Pool::ProbeSink probe)
      : pool_(pool),
        settings_(settings),
        slot_(slot),
        probe_(std::move(probe)),
        session_(settings, *this, probe_ ? Session::Purpose::probe : Session::Purpose::deliver),
        resolver_(pool.io()),
        socket_(pool.io()),
        timer_(pool.io()) {}

  void start() {
    connecting_ = true;
    deadline_ = pool_.now() + settings_.limits.connect.count();
    arm();
    const Server& server = pool_.options().server;
    resolver_.async_resolve(
        server.host, std::to_string(server.port), tcp::resolver::numeric_service,
        [self = shared_from_this()](const error_code& error, const tcp::resolver::results_type& found) {
          if (!self->ended_) self->resolved(error, found);
        });
  }

  // Something changed in the pool.
  void poke() {
    session_.poke();
    drive();
  }
  void abandon() {
    if (connecting_) {
      session_.failed(Phase::connect, "the transport is being stopped");
    } else {
      session_.abandon();
    }
    drive();
  }
  // Out of time: whatever is open gets its verdict now.
  void cut() {
    session_.lost("the transport is being stopped");
    shut();
  }

  // True if `message` was here and its final dot was not out.
  bool take_back(const MessagePtr& message) {
    if (!session_.take_back(message)) return false;
    drive();
    return true;
  }

  [[nodiscard]] bool long_quitting() const { return session_.quitting() && pool_.now() >= wait_since_ + QUIT_GRACE_MS; }
  [[nodiscard]] const Session& session() const { return session_; }
  [[nodiscard]] std::size_t slot() const { return slot_; }
  [[nodiscard]] const Pool::ProbeSink& probe() const { return probe_; }
  [[nodiscard]] const std::string& summary() const { return summary_; }

  MessagePtr take(bool behind_a_dot) override { return probe_ ? nullptr : pool_.take(slot_, behind_a_dot); }
  void verdict(const MessagePtr& message, Verdict verdict) override { pool_.verdict(slot_, message, verdict); }
  void refused(const MessagePtr& message, Verdict verdict) override { pool_.refused(message, verdict); }
  void give_back(const MessagePtr& message, Verdict why, Parting parting) override {
    pool_.give_back(*this, message, why, parting);
  }
  void recipient_taken() override { pool_.recipient_taken(); }
  bool relays_for_others() override { return pool_.relays(); }
  void release(const MessagePtr& message) override { pool_.release(message); }
  bool may_finish() override { return pool_.may_finish(slot_); }

private:
  void resolved(const error_code& error, const tcp::resolver::results_type& found) {
    if (error) return fail(Phase::connect, plain(error));
    for (const auto& entry : found) endpoints_.push_back(entry.endpoint());
    attempt_limit_ms_ =
        std::max<std::int64_t>(deadline_ - pool_.now(), 0) / static_cast<std::int64_t>(endpoints_.size());
    connect_next("no address");
  }

  // Each address gets its share of the time, so that one that swallows packets does not hide the next.
  void connect_next(const std::string& why_not) {
    if (next_endpoint_ == endpoints_.size()) return fail(Phase::connect, why_not);
    const std::size_t attempt = ++next_endpoint_;
    deadline_ = pool_.now() + attempt_limit_ms_;
    error_code ignored;
    socket_.close(ignored);
    socket_.async_connect(endpoints_[attempt - 1], [self = shared_from_this(), attempt](const error_code& error) {
      if (self->ended_ || attempt != self->next_endpoint_) return;
      if (error) return self->connect_next(plain(error));
      self->established();
    });
    arm();
  }

  void established() {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.set_option(asio::socket_base::keep_alive(true), ignored);
    if (settings_.tls == TlsMode::implicit) {
      handshake();
      return;
    }
    connecting_ = false;
    session_.connected(local_literal(socket_));
    drive();
  }

  void handshake() {
    const Server& server = pool_.options().server;
    if (settings_.tls == TlsMode::starttls) {
      error_code ignored;
      if (socket_.available(ignored) > 0)
        return fail(Phase::tls,
                    "bytes came in clear text before the TLS handshake; somebody may be tampering with the connection");
    }
    tls_.emplace(socket_, pool_.tls());
    SSL* ssl = tls_->native_handle();
    bool prepared = false;
    if (server.is_literal()) {
      prepared = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server.host.c_str()) == 1;
    } else {
      SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      prepared =
          SSL_set1_host(ssl, server.host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, server.host.c_str()) == 1;
    }
    if (!prepared) return fail(Phase::tls, "the TLS handshake could not be prepared");
    in_handshake_ = true;
    deadline_ = pool_.now() + settings_.limits.tls.count();
    arm();
    tls_->async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](const error_code& error) {
      if (self->ended_) return;
      self->in_handshake_ = false;
      self->shaken(error);
    });
  }

  void shaken(const error_code& error) {
    if (error) {
      const long verified = SSL_get_verify_result(tls_->native_handle());
      if (verified == X509_V_OK) return fail(Phase::tls, "the TLS handshake failed: " + plain(error));
      return fail(Phase::tls,
                  "its certificate is not accepted: " + std::string(X509_verify_cert_error_string(verified)) +
                      " (expected a certificate for " + pool_.options().server.host +
                      "; a private authority is named with \"ca_file\")",
                  /*wrong_certificate=*/true);
    }
    if (connecting_) {
      connecting_ = false;
      session_.connected(local_literal(socket_));
    } else {
      session_.tls_established();
    }
    drive();
  }

  void fail(Phase phase, const std::string& what_happened, bool wrong_certificate = false) {
    session_.failed(phase, what_happened, wrong_certificate);
    drive();
  }

  // After each thing that happened: write, read, shake hands or end, as the session wants.
  void drive() {
    if (ended_) return;
    if (session_.want() == Session::Want::close) return shut();
    if (session_.want() == Session::Want::start_tls) {
      if (!in_handshake_ && !reading_ && !writing_) handshake();
      return;
    }
    if (connecting_ || in_handshake_) return;
    if (!told_ready_ && session_.was_ready()) {
      told_ready_ = true;
      summary_ = session_.summary();
      if (tls_) summary_ += std::string(" (") + SSL_get_version(tls_->native_handle()) + ')';
      if (!probe_) pool_.ready(*this);
      if (ended_) return;
    }
    write();
    read();
    const Session::Wait wait = session_.wait();
    if (wait.serial != wait_serial_ || !timed_) {
      timed_ = true;
      wait_serial_ = wait.serial;
      wait_since_ = pool_.now();
    }
    set_deadline(wait);
  }

  void set_deadline(const Session::Wait& wait) {
    // While bytes are leaving the clock of the block runs, the clock of the answer when they are gone.
    deadline_ = writing_ ? last_progress_ + settings_.limits.block.count() : wait_since_ + wait.limit.count();
    deadline_is_expiry_ = false;
    const std::int64_t expiry = session_.expiry_ms();
    if (expiry != 0 && expiry < deadline_) {
      deadline_ = expiry;
      deadline_is_expiry_ = true;
    }
    arm();
  }

  // The timer is moved only when it would ring too late: an answer a millisecond must not cost a timer operation each.
  void arm() {
    if (armed_for_ != 0 && armed_for_ <= deadline_) return;
    armed_for_ = deadline_;
    timer_.expires_after(Milliseconds(std::max<std::int64_t>(deadline_ - pool_.now(), 0)));
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (error || self->ended_) return;
      self->armed_for_ = 0;
      self->rang();
    });
  }

  void rang() {
    if (pool_.now() < deadline_) return arm();
    if (connecting_ || in_handshake_) {
      if (in_handshake_) return fail(Phase::tls, "the TLS handshake took too long");
      return endpoints_.empty() ? fail(Phase::connect, "the host name was not resolved within the time limit")
                                : connect_next("no connection within the time limit");
    }
    if (deadline_is_expiry_) {
      session_.expired();
    } else if (writing_) {
      session_.lost("it stopped taking bytes");
    } else {
      session_.timed_out();
    }
    drive();
  }

  void read() {
    if (reading_) return;
    reading_ = true;
    auto done = [self = shared_from_this()](const error_code& error, std::size_t count) {
      self->reading_ = false;
      if (self->ended_) return;
      if (error) {
        self->session_.lost(plain(error));
      } else {
        self->session_.received({self->input_.data(), count});
      }
      self->drive();
    };
    if (tls_) {
      tls_->async_read_some(asio::buffer(input_), std::move(done));
    } else {
      socket_.async_read_some(asio::buffer(input_), std::move(done));
    }
  }

  void write() {
    if (writing_) return;
    const std::string_view piece = session_.chunk();
    if (piece.empty()) return;
    writing_ = true;
    last_progress_ = pool_.now();
    auto done = [self = shared_from_this()](const error_code& error, std::size_t count) {
      self->writing_ = false;
      if (self->ended_) return;
      if (error) {
        // What the server said before it closed is worth more than the broken pipe; the read will tell.
        if (!self->write_failed_) {
          self->write_failed_ = true;
          self->drain_before_loss(plain(error));
        }
        return;
      }
      self->session_.wrote(count);
      self->wait_since_ = self->pool_.now();
      self->drive();
    };
    if (tls_) {
      tls_->async_write_some(asio::buffer(piece.data(), piece.size()), std::move(done));
    } else {
      socket_.async_write_some(asio::buffer(piece.data(), piece.size()), std::move(done));
    }
  }

  void drain_before_loss(const std::string& why) {
    if (!tls_) {
      error_code error;
      socket_.non_blocking(true, error);
      std::array<char, READ_SIZE> late{};
      for (int reads = 0; reads < 8 && !error && session_.want() == Session::Want::io; ++reads) {
        const std::size_t count = socket_.read_some(asio::buffer(late), error);
        if (!error) session_.received({late.data(), count});
      }
    }
    session_.lost(why);
    drive();
  }

  void shut() {
    if (ended_) return;
    ended_ = true;
    error_code ignored;
    resolver_.cancel();
    timer_.cancel();
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
    asio::post(pool_.io(), [self = shared_from_this()] { self->pool_.ended(self); });
  }

  PoolImpl& pool_;
  const SessionSettings& settings_;
  std::size_t slot_;
  Pool::ProbeSink probe_;
  Session session_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  std::optional<asio::ssl::stream<tcp::socket&>> tls_;
  asio::steady_timer timer_;
  std::array<char, READ_SIZE> input_{};
  std::string summary_;
  std::vector<tcp::endpoint> endpoints_;
  std::size_t next_endpoint_ = 0;
  std::int64_t attempt_limit_ms_ = 0;
  std::int64_t deadline_ = 0;
  std::int64_t armed_for_ = 0;
  std::int64_t wait_since_ = 0;
  std::int64_t last_progress_ = 0;
  std::uint64_t wait_serial_ = 0;
  bool deadline_is_expiry_ = false;
  bool timed_ = false;
  bool connecting_ = false;
  bool in_handshake_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool write_failed_ = false;
  bool told_ready_ = false;
  bool ended_ = false;
};

PoolImpl::PoolImpl(PoolOptions options, Pool::Sink sink)
    : options_(std::move(options)),
      sink_(std::move(sink)),
      jitter_(static_cast<unsigned>(options_.seed % 2147483646U + 1)) {
  options_.session.server = options_.server.text();
  options_.session.clear_text_auth = options_.server.is_loopback();
  options_.connections = std::clamp(options_.connections, 1U, 64U);
  slots_.resize(options_.connections);
  if (options_.session.tls != TlsMode::none) {
    SSL_CTX_set_min_proto_version(tls_.native_handle(), TLS1_2_VERSION);
    tls_.set_verify_mode(asio::ssl::verify_peer);
    error_code error;
    if (options_.ca_file.empty()) {
      tls_.set_default_verify_paths(error);
      if (error) throw std::runtime_error("the system's certificates cannot be read: " + error.message());
    } else {
      tls_.load_verify_file(options_.ca_file, error);
      if (error) throw std::runtime_error("the CA file " + options_.ca_file + " cannot be read: " + error.message());
    }
  }
  work_.emplace(io_.get_executor());
  thread_ = std::thread([this] { io_.run(); });
}

PoolImpl::~PoolImpl() {
  stop(Milliseconds(0));
}

void PoolImpl::submit(std::vector<MessagePtr> messages) {
  asio::post(io_, [this, messages = std::move(messages)] {
    if (queue_.empty() && live(false) == 0) barren_.clear();
    for (const MessagePtr& message : messages) {
      if (stopping_) {
        answer_cancelled(message);
      } else if (auto refusal = inspect(*message)) {
        Verdict verdict;
        verdict.outcome = Outcome::rejected;
        verdict.phase = Phase::queue;
        verdict.detail = std::move(*refusal);
        sink_(message, verdict);
      } else {
        queue_.push_back(message);
      }
    }
    if (!suspects_.empty())
      std::stable_partition(queue_.begin(), queue_.end(),
                            [&](const MessagePtr& message) { return !suspects_.contains(message->id); });
    feed();
  });
}

void PoolImpl::settled(std::string id) {
  asio::post(io_, [this, id = std::move(id)] {
    const auto found = slot_of_.find(id);
    if (found == slot_of_.end()) return;
    Slot& slot = slots_[found->second];
    slot.unsettled.erase(id);
    slot_of_.erase(found);
    if (slot.connection) slot.connection->poke();
    feed();
  });
}

void PoolImpl::cancel(std::vector<MessagePtr> messages) {
  asio::post(io_, [this, messages = std::move(messages)] {
    for (const MessagePtr& message : messages) {
      for (const Slot& slot : slots_) {
        const std::shared_ptr<Connection> connection = slot.connection;
        if (!connection || !connection->take_back(message)) continue;
        Verdict verdict;
        verdict.outcome = Outcome::cancelled;
        verdict.scope = Scope::transport;
        verdict.phase = Phase::queue;
        verdict.detail = options_.session.server + ": taken back before it was sent.";
        sink_(message, verdict);
        break;
      }
    }
    // A connection that ended over it has put the message behind it here.
    std::vector<MessagePtr> waiting;
    for (const MessagePtr& message : messages) {
      const auto found = std::find(queue_.begin(), queue_.end(), message);
      if (found == queue_.end()) continue;
      waiting.push_back(*found);
      queue_.erase(found);
    }
    for (const MessagePtr& message : waiting) answer_cancelled(message);
  });
}

void PoolImpl::probe(Pool::ProbeSink sink) {
  asio::post(io_, [this, sink = std::move(sink)]() mutable {
    if (stopping_) {
      Verdict verdict;
      verdict.outcome = Outcome::cancelled;
      verdict.detail = "the transport is being stopped";
      sink(verdict, {});
      return;
    }
    auto connection = std::make_shared<Connection>(*this, options_.session, 0, std::move(sink));
    probes_.push_back(connection);
    connection->start();
  });
}

void PoolImpl::stop(Milliseconds limit) {
  const std::lock_guard lock(stop_mutex_);
  if (!thread_.joinable()) return;
  asio::post(io_, [this, limit] { stop_now(limit); });
  thread_.join();
}

void PoolImpl::stop_now(Milliseconds limit) {
  stopping_ = true;
  reopen_timer_.cancel();
  queue_timer_.cancel();
  std::deque<MessagePtr> waiting;
  waiting.swap(queue_);
  for (const MessagePtr& message : waiting) answer_cancelled(message);
  std::vector<std::shared_ptr<Connection>> all = probes_;
  all.insert(all.end(), leaving_.begin(), leaving_.end());
  for (const Slot& slot : slots_)
    if (slot.connection) all.push_back(slot.connection);
  for (const auto& connection : all) connection->abandon();
  stop_timer_.expires_after(limit);
  stop_timer_.async_wait([this](const error_code& error) {
    if (error) return;
    std::vector<std::shared_ptr<Connection>> left = probes_;
    left.insert(left.end(), leaving_.begin(), leaving_.end());
    for (const Slot& slot : slots_)
      if (slot.connection) left.push_back(slot.connection);
    for (const auto& connection : left) connection->cut();
  });
  finish_if_done();
}

void PoolImpl::finish_if_done() {
  if (!stopping_ || !probes_.empty() || !leaving_.empty() || live(false) != 0) return;
  stop_timer_.cancel();
  work_.reset();
}

void PoolImpl::answer_cancelled(const MessagePtr& message) {
  Verdict verdict;
  verdict.outcome = Outcome::cancelled;
  verdict.phase = Phase::queue;
  verdict.detail =
      stopping_ ? "the transport was stopped before this message was sent" : "cancelled before it was sent";
  sink_(message, verdict);
}

std::size_t PoolImpl::live(bool ready_only) const {
  return static_cast<std::size_t>(std::count_if(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.connection && (!ready_only || slot.connection->session().ready());
  }));
}

MessagePtr PoolImpl::take(std::size_t slot, bool behind_a_dot) {
  if (stopping_ || slots_[slot].unsettled.size() >= MAX_UNSETTLED) return nullptr;
  if (behind_a_dot && now() < slow_until_) return nullptr;
  const bool fresh = slots_[slot].connection && slots_[slot].connection->session().fresh();
  // While a connection is on its way or could be opened, a used one leaves alone what is to go on a fresh one.
  const bool fresh_to_come = live(true) < slots_.size();
  // A message that may stop everybody is begun when another recipient was taken, or when there is no other.
  const bool hold_suspects = !suspects_.empty() && !relays() && busy();
  for (;;) {
    const auto next = std::find_if(queue_.begin(), queue_.end(), [&](const MessagePtr& message) {
      if (message->fresh_connection && !fresh && fresh_to_come) return false;
      return !hold_suspects || !suspects_.contains(message->id);
    });
    if (next == queue_.end()) return nullptr;
    MessagePtr message = std::move(*next);
    queue_.erase(next);
    const std::int64_t at = now();
    const std::int64_t last =
        message->begin_by_ms != 0 && (message->answer_by_ms == 0 || message->begin_by_ms < message->answer_by_ms)
            ? message->begin_by_ms
            : message->answer_by_ms;
    if (last != 0 && at >= last) {
      Verdict late;
      late.outcome = Outcome::retry;
      late.scope = Scope::transport;
      late.phase = Phase::queue;
      late.detail = options_.session.server + ": no connection was free before the message's time limit.";
      sink_(message, late);
      continue;
    }
    message->taken_at_ms = at;
    return message;
  }
}

// Some connection has a message that is not answered.
bool PoolImpl::busy() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.connection && slot.connection->session().ready() && !slot.connection->session().idle();
  });
}

void PoolImpl::recipient_taken() {
  const bool released = !suspects_.empty() && !relays();
  relayed_at_ = now();
  if (released) asio::post(io_, [this] { feed(); });
}

void PoolImpl::verdict(std::size_t slot, const MessagePtr& message, const Verdict& verdict) {
  if (verdict.code != 0) {
    ++completed_;
    barren_.clear();
  }
  const bool stops_all = verdict.outcome == Outcome::retry && verdict.scope == Scope::transport;
  if (stops_all && verdict.phase != Phase::mail && verdict.code != 0 && suspects_.size() < MAX_SUSPECTS) {
    suspects_.insert(message->id);
  } else if (!stops_all) {
    suspects_.erase(message->id);
  }
  slots_[slot].unsettled.insert(message->id);
  slot_of_[message->id] = slot;
  sink_(message, verdict);
}

void PoolImpl::give_back(Connection& connection, const MessagePtr& message, const Verdict& why, Parting parting) {
  if (stopping_) {
    answer_cancelled(message);
    return;
  }
  const std::int64_t at = now();
  const bool late = (message->begin_by_ms != 0 && at >= message->begin_by_ms) ||
                    (message->answer_by_ms != 0 && at >= message->answer_by_ms) ||
                    (message->taken_at_ms != 0 && at >= message->taken_at_ms + options_.session.limits.overall.count());
  if (message->bounces == 0) message->completed_before = completed_;
  const bool innocent =
      parting == Parting::blameless || (parting == Parting::between && ++message->between < MAX_BETWEEN);
  if (innocent && !late) {
    if (parting == Parting::between) message->fresh_connection = true;
    queue_.push_front(message);
    return;
  }
  const bool fresh = connection.session().completed() == 0;
  if (fresh) barren_.insert(message->id);
  if (fresh && parting == Parting::at_message) ++message->hang_ups;
  message->bounces = static_cast<std::uint8_t>(message->bounces + (fresh ? BOUNCE_FRESH : BOUNCE_USED));
  if (late || message->bounces >= BOUNCE_LIMIT) {
    Verdict verdict = why;
    // A server that answers for others, or takes MAIL, and hangs up on this one has something against this one.
    const bool own = completed_ > message->completed_before + OTHERS_ANSWERED || message->hang_ups >= MAX_HANG_UPS;
    verdict.scope = own ? Scope::message : Scope::transport;
    sink_(message, verdict);
    return;
  }
  // A connection that has carried mail just grew old: its message is next. On a fresh one it may be the cause: others
  // first.
  if (fresh) {
    queue_.push_back(message);
  } else {
    queue_.push_front(message);
  }
}

void PoolImpl::release(const MessagePtr& message) {
  if (stopping_) {
    answer_cancelled(message);
    return;
  }
  slow_until_ = now() + SLOW_SERVER_MS;
  queue_.push_front(message);
  asio::post(io_, [this] { feed(); });
}

void PoolImpl::ready(Connection& connection) {
  logged_.clear();
  end_back_off();
  log(LogLevel::debug, "connected to " + options_.session.server + ": " + connection.summary());
  connection.poke();
  asio::post(io_, [this] { feed(); });
}

void PoolImpl::ended(const std::shared_ptr<Connection>& connection) {
  const Session& session = connection->session();
  if (connection->probe()) {
    std::erase(probes_, connection);
    if (session.failure().outcome == Outcome::accepted) end_back_off();
    connection->probe()(session.failure(), connection->summary());
    finish_if_done();
    feed();
    return;
  }
  if (std::erase(leaving_, connection) != 0) {
    finish_if_done();
    return;
  }
  slots_[connection->slot()].connection.reset();
  if (stopping_) {
    finish_if_done();
    return;
  }
  const Verdict& failure = session.failure();
  if (failure.outcome != Outcome::accepted) {
    const bool usual = session.completed() != 0 && session.ended_between();
    log(usual || failure.detail == logged_ ? LogLevel::debug : LogLevel::warning, failure.detail);
    if (!usual) logged_ = failure.detail;
    if (!session.was_ready()) {
      back_off(failure);
      if (live(false) == 0) fail_queue(failure);
    } else if (session.completed() == 0) {
      back_off(failure);
      if (barren_.size() >= MAX_BARREN && live(true) == 0) fail_queue(failure);
    }
  }
  feed();
}

void PoolImpl::back_off(const Verdict& why) {
  last_failure_ = why;
  // The connections that were opened together are one failure.
  if (!round_failed_) failures_ = std::min(failures_ + 1, 16U);
  round_failed_ = true;
  failed_at_ = now();
  const std::int64_t full =
      std::min<std::int64_t>(options_.back_off_longest.count(), options_.back_off_first.count() << (failures_ - 1));
  const std::int64_t pause = full / 2 + static_cast<std::int64_t>(jitter_() % static_cast<std::uint64_t>(full / 2 + 1));
  reopen_at_ = now() + pause;
  reopen_timer_.expires_after(Milliseconds(pause));
  reopen_timer_.async_wait([this](const error_code& error) {
    if (error || stopping_) return;
    reopen_at_ = 0;
    feed();
  });
}

void PoolImpl::end_back_off() {
  failures_ = 0;
  round_failed_ = false;
  reopen_at_ = 0;
  told_down_ = false;
  reopen_timer_.cancel();
}

void PoolImpl::fail_queue(const Verdict& why) {
  barren_.clear();
  told_down_ = true;
  std::deque<MessagePtr> waiting;
  waiting.swap(queue_);
  Verdict verdict = why;
  verdict.outcome = Outcome::retry;
  verdict.scope = Scope::transport;
  const auto pause_s = static_cast<std::uint32_t>(std::max<std::int64_t>(reopen_at_ - now() + 999, 0) / 1000);
  verdict.retry_after_s = std::max(verdict.retry_after_s, pause_s);
  for (const MessagePtr& message : waiting) sink_(message, verdict);
}

// Gives what waits to whoever can begin it: idle connections first, then those that can send it behind a final dot.
void PoolImpl::feed() {
  // A poked connection may end and come back here through the owner; the outer round goes on anyhow.
  if (feeding_ || stopping_) return;
  feeding_ = true;
  for (const bool idle_only : {true, false}) {
    for (std::size_t i = 0; i < slots_.size() && !queue_.empty(); ++i) {
      const std::shared_ptr<Connection> connection = slots_[i].connection;
      if (!connection || slots_[i].unsettled.size() >= MAX_UNSETTLED) continue;
      const Session& session = connection->session();
      if (idle_only ? session.idle() : session.can_begin()) connection->poke();
    }
  }
  open_connections();
  feeding_ = false;
  watch_queue();
}

void PoolImpl::open_connections() {
  if (queue_.empty()) return;
  let_quit();
  const std::size_t alive = live(false);
  const auto connecting = static_cast<std::size_t>(std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.connection && !slot.connection->session().was_ready();
  }));
  // Their end shows whether there is a server; but one that hangs does not hold up the others for long.
  if (round_failed_ && connecting != 0 && now() < failed_at_ + KNOCK_MS) return;
  std::size_t wanted = queue_.size() - std::min(queue_.size(), connecting);
  if (reopen_at_ != 0) {
    if (alive != 0 || !told_down_) return;
    // The owner has been told to wait and sends all the same: it has a reason to believe that it works again.
    if (knocked_at_ != 0 && now() < knocked_at_ + KNOCK_MS) return fail_queue(last_failure_);
    knocked_at_ = now();
    wanted = 1;
  }
  for (std::size_t i = 0; i < slots_.size() && wanted > 0; ++i) {
    if (slots_[i].connection || slots_[i].unsettled.size() >= MAX_UNSETTLED) continue;
    slots_[i].connection = std::make_shared<Connection>(*this, options_.session, i, nullptr);
    slots_[i].connection->start();
    if (connecting == 0) round_failed_ = false;
    --wanted;
  }
}

void PoolImpl::let_quit() {
  for (Slot& slot : slots_) {
    if (!slot.connection || !slot.connection->long_quitting()) continue;
    leaving_.push_back(std::move(slot.connection));
    slot.connection.reset();
  }
}

// What waits behind busy connections must not wait past its own limit.
void PoolImpl::watch_queue() {
  if (queue_.empty() || watching_queue_ || stopping_) return;
  watching_queue_ = true;
  queue_timer_.expires_after(Milliseconds(1000));
  queue_timer_.async_wait([this](const error_code& error) {
    watching_queue_ = false;
    if (error || stopping_) return;
    const std::int64_t at = now();
    std::vector<MessagePtr> late;
    std::erase_if(queue_, [&](const MessagePtr& message) {
      const bool over = (message->begin_by_ms != 0 && at >= message->begin_by_ms) ||
                        (message->answer_by_ms != 0 && at >= message->answer_by_ms);
      if (over) late.push_back(message);
      return over;
    });
    for (const MessagePtr& message : late) {
      Verdict verdict;
      verdict.outcome = Outcome::retry;
      verdict.scope = Scope::transport;
      verdict.phase = Phase::queue;
      verdict.detail = options_.session.server + ": no connection was free before the message's time limit.";
      sink_(message, verdict);
    }
    feed();
  });
}

Pool::Pool(PoolOptions options, Sink sink) : impl_(std::make_unique<PoolImpl>(std::move(options), std::move(sink))) {}
Pool::~Pool() = default;
void Pool::submit(std::vector<MessagePtr> messages) {
  impl_->submit(std::move(messages));
}
void Pool::settled(std::string id) {
  impl_->settled(std::move(id));
}
void Pool::cancel(std::vector<MessagePtr> messages) {
  impl_->cancel(std::move(messages));
}
void Pool::probe(ProbeSink sink) {
  impl_->probe(std::move(sink));
}
void Pool::stop(Milliseconds limit) {
  impl_->stop(limit);
}

}  // namespace invited::smtp
