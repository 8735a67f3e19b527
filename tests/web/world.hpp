// The services over a database in memory, with everything outside scripted: what the web and control layers stand on.
//
//   World world;
//   world.push({{"user_id", "14"}, {"name", "Anna Berg"}, {"login_email", "anna.berg@example.com"}, {"start_date",
//   "2026-11-30"}}); world.call(web.handle(request));        // time moves only when nothing else can happen
//   world.dump() == before;                 // nothing at all was changed
#pragma once

#include <sqlite3.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/encoding.hpp"
#include "core/random.hpp"
#include "core/task_scope.hpp"
#include "core/token.hpp"
#include "model/policy.hpp"
#include "service/batches.hpp"
#include "service/bulk.hpp"
#include "service/connecting.hpp"
#include "service/delivery.hpp"
#include "service/domains.hpp"
#include "service/fetching.hpp"
#include "service/intake.hpp"
#include "service/links.hpp"
#include "service/queries.hpp"
#include "service/reviews.hpp"
#include "service/self_service.hpp"
#include "service/sweep.hpp"
#include "service/users.hpp"
#include "store/audit.hpp"
#include "store/invitations.hpp"
#include "store/users.hpp"
#include "support/manual_clock.hpp"
#include "support/run.hpp"
#include "support/scripted_dns.hpp"
#include "support/seeded_random.hpp"

namespace invited::test {

using boost::asio::awaitable;
using Fields = std::vector<std::pair<std::string, std::string>>;

// Takes one record as the daemon's control layer writes it.
class RecordSource final : public model::Source {
public:
  const std::string& name() const override { return name_; }
  const std::string& plugin() const override { return plugin_; }
  bool can_fetch() const override { return false; }
  bool takes(std::string_view kind) const override { return kind == "record"; }
  core::Milliseconds interval() const override { return core::Milliseconds{60'000}; }
  awaitable<core::Result<model::Fetched>> fetch(std::string, model::SourceSink) override { co_return model::Fetched{}; }
  awaitable<core::Result<void>> finish(std::string, std::vector<model::RowResult>) override {
    co_return core::Result<void>{};
  }
  awaitable<core::Result<model::SourceReply>> handle(model::SourcePush push, model::SourceSink sink) override {
    bodies.push_back(push.body);
    if (refuses_with) co_return model::SourceReply{*refuses_with, "text/plain", "this record is not wanted here"};
    model::SourceRecord record;
    const auto body = boost::json::parse(push.body);
    for (const auto& [key, value] : body.as_object()) record.fields.emplace_back(key, value.as_string());
    std::vector<model::SourceItem> items{std::move(record)};
    co_await sink(std::move(items));
    co_return model::SourceReply{200, "text/plain", ""};
  }
  void on_change(std::function<void()>) override {}

  std::vector<std::string> bodies;
  std::optional<unsigned> refuses_with;

private:
  std::string name_ = "by-hand";
  std::string plugin_ = "manual";
};

// Files of "field;field" lines below a line of names, pushed by import, or laid into `folder` and fetched one by one.
class FileSource final : public model::Source {
public:
  const std::string& name() const override { return name_; }
  const std::string& plugin() const override { return plugin_; }
  bool can_fetch() const override { return true; }
  bool takes(std::string_view kind) const override { return kind == "import"; }
  core::Milliseconds interval() const override { return core::Milliseconds{60'000}; }
  awaitable<core::Result<model::Fetched>> fetch(std::string cursor, model::SourceSink sink) override {
    if (!trouble.empty()) co_return core::fail(core::ErrorKind::unavailable, "folder_away", trouble);
    if (throws) throw std::runtime_error("the plugin's adapter broke");
    if (folder.empty()) co_return model::Fetched{cursor, false, 0};
    std::vector<model::SourceItem> items = parse(folder.front());
    const std::size_t count = items.size();
    co_await sink(std::move(items));
    model::Fetched fetched;
    fetched.cursor = "file-" + std::to_string(finished + 1);
    fetched.more = folder.size() > 1;
    fetched.items = count;
    co_return fetched;
  }
  awaitable<core::Result<void>> finish(std::string, std::vector<model::RowResult>) override {
    if (!folder.empty()) {
      folder.pop_front();
      ++finished;
    }
    co_return core::Result<void>{};
  }
  awaitable<core::Result<model::SourceReply>> handle(model::SourcePush push, model::SourceSink sink) override {
    file_names.push_back(push.file_name);
    if (throws) throw std::runtime_error("the plugin's adapter broke");
    if (push.body.starts_with("PK")) co_return model::SourceReply{415, "text/plain", "this is not a text file"};
    auto items = parse(push.body);
    model::Announcement said;
    said.rows = static_cast<std::int64_t>(items.size());
    said.columns = called;
    if (!called.empty()) items.insert(items.begin(), model::SourceItem(std::move(said)));
    if (!remark.empty())
      items.insert(items.begin(), model::SourceItem(model::Remark{1, "", "columns_not_used", remark}));
    co_await sink(std::move(items));
    co_return model::SourceReply{200, "text/plain", ""};
  }
  void on_change(std::function<void()>) override {}

  bool can_export() const override { return exports; }
  // "first sv|14,15|16|last"
  awaitable<core::Result<void>> export_records(model::ExportPart part, model::ByteSink sink) override {
    if (export_fails_at == parts_written) {
      co_return core::fail(core::ErrorKind::unavailable, "plugin_retry", "the file source cannot write now");
    }
    ++parts_written;
    std::string text = part.first ? "first " + part.format : "";
    for (const auto& [key, value] : part.options) text += " " + key + "=" + value;
    for (const auto& record : part.records) {
      text += "\n";
      for (const auto& [key, value] : record.fields) text += key + "=" + value + ";";
    }
    text += part.last ? "\nlast" : "\n";
    co_await sink(std::move(text));
    co_return core::Result<void>{};
  }

  bool exports = true;
  int parts_written = 0;
  int export_fails_at = -1;
  std::deque<std::string> folder;
  std::vector<std::string> file_names;
  std::vector<std::pair<std::string, std::string>> called;  // what files call their columns; none: nothing is announced
  std::string remark;
  std::string trouble;
  bool throws = false;
  int finished = 0;

private:
  static std::vector<std::string> cells(const std::string& line) {
    std::vector<std::string> all;
    std::istringstream in(line);
    for (std::string cell; std::getline(in, cell, ';');) all.push_back(cell);
    return all;
  }
  static std::vector<model::SourceItem> parse(const std::string& text) {
    std::vector<model::SourceItem> items;
    std::vector<std::string> names;
    std::istringstream in(text);
    std::int64_t number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      const auto values = cells(line);
      if (names.empty()) {
        names = values;
      } else if (values.size() > names.size()) {
        items.emplace_back(model::BadRow{number, "", "too_many_cells", "The row has more cells than the header."});
      } else {
        model::SourceRecord record;
        record.line = number;
        for (std::size_t i = 0; i < values.size(); ++i) record.fields.emplace_back(names[i], values[i]);
        items.emplace_back(std::move(record));
      }
    }
    return items;
  }
  std::string name_ = "files";
  std::string plugin_ = "file";
};

class PostBox final : public model::Transport {
public:
  const std::string& name() const override { return name_; }
  std::size_t window() const override { return 100; }
  void send(std::vector<model::OutgoingMail> mails, std::function<void(model::Verdict)> on_verdict) override {
    for (auto& mail : mails) {
      sent.push_back(mail.envelope_to);
      model::Verdict verdict = next;
      verdict.delivery = mail.delivery;
      on_verdict(verdict);
    }
  }
  void recall() override {}
  void settled(core::Id) override {}
  awaitable<core::Result<std::string>> probe() override {
    if (!trouble.empty()) co_return core::fail(core::ErrorKind::unavailable, "server_away", trouble);
    co_return std::string("mail.example.com answers");
  }

  model::Verdict next{.delivery = {},
                      .status = model::VerdictStatus::accepted,
                      .phase = "data_end",
                      .code = 250,
                      .remote_id = "q1",
                      .detail = "250 queued"};
  std::vector<std::string> sent;
  std::string trouble;

private:
  std::string name_ = "post";
};

class Provider final : public model::Identity {
public:
  const std::string& name() const override { return name_; }
  std::size_t window() const override { return 64; }
  awaitable<model::ProviderAnswer> ensure_account(model::AccountRequest request) override {
    model::ProviderAnswer answer;
    answer.status = away ? model::ProviderStatus::retry : model::ProviderStatus::done;
    answer.external_id = request.external_id;
    answer.provider_id = "account-" + request.external_id;
    answer.sign_in_url = "https://login.example.com/start";
    if (!away) made.push_back(request.login_email);
    co_return answer;
  }
  awaitable<model::ProviderAnswer> remove_connection(std::string id) override {
    co_return done("remove", std::move(id));
  }
  awaitable<model::ProviderAnswer> reset_password(std::string id) override { co_return done("reset", std::move(id)); }
  awaitable<model::ProviderAnswer> lookup(std::string id) override { co_return done("lookup", std::move(id)); }

  bool away = false;
  std::vector<std::string> made;
  std::vector<std::string> asked;

private:
  model::ProviderAnswer done(const std::string& what, std::string id) {
    asked.push_back(what);
    model::ProviderAnswer answer;
    answer.status = away ? model::ProviderStatus::retry : model::ProviderStatus::done;
    answer.external_id = std::move(id);
    return answer;
  }
  std::string name_ = "directory";
};

class Writer final : public service::MailWriter {
public:
  core::Result<model::OutgoingMail> write(const service::MailFacts& facts, const std::string& link,
                                          const model::Policy&, core::Instant) override {
    if (!link.empty()) links[facts.user.user_id].push_back(link);
    model::OutgoingMail mail;
    mail.envelope_to = facts.invitation.login_email;
    mail.bytes = link;
    return mail;
  }
  std::map<std::string, std::vector<std::string>> links;  // by user-id, oldest first
};

inline std::shared_ptr<model::Policies> example_policies() {
  model::Policy organisation;
  organisation.name = "Example AB";
  model::Policy finland;
  finland.company = "fi";
  finland.name = "Example Oy";
  finland.zone = "Europe/Helsinki";
  finland.locale = "en";
  return std::make_shared<model::Policies>(organisation, std::map<std::string, model::Policy>{{"fi", finland}});
}

inline core::TokenRing example_ring() {
  std::array<std::byte, 32> master{};
  master.fill(std::byte{7});
  std::vector<core::TokenKey> keys;
  keys.push_back(core::TokenKey::from_master(3, master));
  return core::TokenRing(std::move(keys));
}

// The loop on a thread of its own, for clients that block.
class Running {
public:
  explicit Running(boost::asio::io_context& io) : io_(io) {
    if (io_.stopped()) io_.restart();
    thread_ = std::jthread([this] { io_.run(); });
  }
  ~Running() { stop(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  void stop() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

private:
  boost::asio::io_context& io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  std::jthread thread_;
};

class World {
public:
  // Monday 2026-11-30 10:00Z, 11:00 in Stockholm.
  boost::asio::io_context io;
  ManualClock clock{core::Instant(core::Milliseconds(1'796'032'800'000))};
  SeededRandom random{20261130};
  core::IdSource ids{clock, random};
  std::unique_ptr<store::Db> db = std::move(store::Db::open(":memory:").value());
  std::vector<std::string> task_errors;
  core::TaskScope scope{io.get_executor(), [this](std::string_view name, const std::exception_ptr& error) {
                          try {
                            std::rethrow_exception(error);
                          } catch (const std::exception& e) {
                            task_errors.push_back(std::string(name) + ": " + e.what());
                          }
                        }};
  store::Store store{*db, io.get_executor(), store::Store::Mode::inline_,
                     [](const std::string& what) { throw std::logic_error(what); }};
  std::shared_ptr<model::Policies> policies = example_policies();
  core::TokenRing tokens = example_ring();
  std::shared_ptr<service::Planner> planner =
      std::make_shared<service::Planner>(policies, clock, random, "example.com", tokens.current_key_id());
  RecordSource by_hand;
  FileSource files;
  PostBox postbox;
  Provider provider;
  Writer writer;
  service::SendingGate gate;
  service::Intake intake{store, clock, planner};
  model::Brakes brakes{.batch = 6};  // small: a test needs few people to meet it
  service::Batches batches{store, clock, planner, brakes};
  service::Fetching fetching{store, clock, io.get_executor(), intake, batches, gate, {&by_hand, &files}};
  service::Delivery delivery{store,   clock,  random,     io.get_executor(),
                             planner, tokens, writer,     postbox,
                             gate,    scope,  ids.next(), {.base_url = "https://invite.example.com"}};
  service::Connecting connecting{store, clock, random, io.get_executor(), planner, gate, provider, scope};
  service::Sweep sweep{store, clock, planner, gate};
  service::Reviews reviews{store, clock, planner};
  service::Users users{store, clock, planner};
  ScriptedDns dns;
  service::Domains domains{store, clock, io.get_executor(), planner, dns};
  service::Bulk bulk{store, clock, planner, std::chrono::minutes{30}};
  service::Queries queries{store, clock, planner};
  service::Links links{store, clock, planner, tokens, 3};
  service::SelfService self_service{
      store, clock, planner, tokens, "https://invite.example.com", std::chrono::minutes{30}};

  World() {
    gate.source_settled("files");
    // Whoever has work is worked off at once, as the daemon's loops do when they are rung.
    const auto work = [this] { scope.spawn("work", work_off()); };
    fetching.on_applied(work);
    reviews.on_released(work);
    users.on_work(work);
    bulk.on_work(work);
    batches.on_work(work);
    links.on_confirmed(work);
    links.on_released(work);
    self_service.on_work(work);
  }

  // Runs it to its end; when nothing else can happen, the clock moves to the next wake-up.
  template <class T>
  T call(awaitable<T> task) {
    std::exception_ptr failure;
    std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
    bool ended = false;
    if constexpr (std::is_void_v<T>) {
      boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr error) {
        failure = error;
        ended = true;
      });
    } else {
      boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr error, T result) {
        failure = error;
        value.emplace(std::move(result));
        ended = true;
      });
    }
    settle(io);
    while (!ended) {
      const auto next = clock.next_wakeup();
      if (!next) throw std::logic_error("waits, and nobody sleeps");
      clock.advance(*next - clock.monotonic());
      settle(io);
    }
    if (failure) std::rethrow_exception(failure);
    if constexpr (!std::is_void_v<T>) return std::move(*value);
  }

  template <class F>
  auto in_store(F closure) {
    return call(store.write(std::move(closure)));
  }

  awaitable<void> work_off() {
    for (std::size_t mails = 1; mails > 0;) mails = co_await delivery.pass();
    (void)co_await domains.pass();
    (void)co_await connecting.pass();
  }

  model::RowResult push(const Fields& fields) {
    boost::json::object record;
    for (const auto& [key, value] : fields) record[key] = value;
    std::vector<model::RowResult> rows;
    model::SourcePush pushed{"record", "application/json", "", boost::json::serialize(record)};
    service::IntakeContext context{"by-hand", "test", false};
    const auto reply = call(fetching.push(
        "by-hand", std::move(pushed), std::move(context),
        [&rows](const std::vector<model::RowResult>& chunk) { rows.insert(rows.end(), chunk.begin(), chunk.end()); }));
    if (!reply || rows.empty()) throw std::logic_error("the record was not taken");
    return rows.front();
  }
  // A hire of today whose mail is out; her link.
  std::string hire(const std::string& user_id, Fields more = {}) {
    Fields fields{{"user_id", user_id},
                  {"name", "Anna Berg"},
                  {"login_email", "anna." + user_id + "@example.com"},
                  {"start_date", model::to_text(model::local_date(clock.now(), "Europe/Stockholm"))}};
    for (auto& field : more) {
      std::erase_if(fields, [&](const auto& old) { return old.first == field.first; });
      fields.push_back(std::move(field));
    }
    const auto row = push(fields);
    if (row.result() != "created") throw std::logic_error(row.result());
    return newest_link(user_id);
  }
  std::string newest_link(const std::string& user_id) {
    const auto& links_of_user = writer.links[user_id];
    return links_of_user.empty() ? "" : links_of_user.back();
  }
  void pass(core::Milliseconds time) { clock.advance(time); }
  // The organisation's settings from now on.
  void set_organisation(const std::function<void(model::Policy&)>& change) {
    model::Policy organisation = policies->organisation();
    change(organisation);
    *policies = model::Policies(organisation, policies->companies(), policies->flows(), policies->templates());
  }

  model::User user(const std::string& user_id) {
    return in_store([user_id](store::Db& d) { return store::users::find(d, user_id).value(); });
  }
  model::Invitation invitation(const std::string& user_id) {
    const auto key = user(user_id).key;
    return in_store([key](store::Db& d) { return store::invitations::newest(d, key).value(); });
  }
  // Newest first.
  std::vector<model::AuditEvent> audit(const std::string& subject = "") {
    return in_store([subject](store::Db& d) { return store::audit::page(d, {}, subject, 1'000); });
  }

  // Every row of every table as text.
  std::string dump() {
    std::string all;
    std::vector<std::string> tables;
    SQLite::Statement names(db->raw(), "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
    while (names.executeStep()) tables.push_back(names.getColumn(0).getString());
    for (const auto& table : tables) {
      all += "== " + table + "\n";
      SQLite::Statement rows(db->raw(), "SELECT * FROM \"" + table + "\"");
      while (rows.executeStep()) {
        for (int i = 0; i < rows.getColumnCount(); ++i) {
          const auto column = rows.getColumn(i);
          all += column.isBlob() ? core::to_hex({static_cast<const std::byte*>(column.getBlob()),
                                                 static_cast<std::size_t>(column.getBytes())})
                                 : column.getString();
          all += '|';
        }
        all += '\n';
      }
    }
    return all;
  }
  // From here on nothing can be written, as on a full disk.
  void fill_disk() { db->raw().exec("PRAGMA query_only = ON"); }
  void free_disk() { db->raw().exec("PRAGMA query_only = OFF"); }

  // How many statements the database ran while this lives.
  class Counted {
  public:
    explicit Counted(World& world) : handle_(world.db->raw().getHandle()) {
      sqlite3_trace_v2(
          handle_, SQLITE_TRACE_STMT,
          [](unsigned, void* self, void*, void*) {
            ++static_cast<Counted*>(self)->count_;
            return 0;
          },
          this);
    }
    ~Counted() { sqlite3_trace_v2(handle_, 0, nullptr, nullptr); }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    [[nodiscard]] int count() const { return count_; }

  private:
    sqlite3* handle_;
    int count_ = 0;
  };
};

}  // namespace invited::test
