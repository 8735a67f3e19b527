// The daemon's neighbours, scripted: the relay, the identity provider, the HR system, and a plain writer of mails.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/ports.hpp"
#include "service/delivery.hpp"
#include "sim/world.hpp"

namespace invited::sim {

// Some connections, each with one mail at a time; the next one of a connection goes only when the last is settled.
class Relay final : public model::Transport {
public:
  explicit Relay(World& world, std::function<void()> crash)
      : world_(world), crash_(std::move(crash)), connections_(4) {}
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::size_t window() const override { return connections_.size() * 2; }
  void send(std::vector<model::OutgoingMail> mails, std::function<void(model::Verdict)> on_verdict) override;
  // What waits behind another mail comes back.
  void recall() override;
  void settled(Id delivery) override;
  model::awaitable<core::Result<std::string>> probe() override { co_return std::string("scripted"); }
  // The daemon is gone: what is being transferred may still arrive, nobody is told.
  void daemon_gone();
  // A mail is handed over.
  std::function<void(const Id&)> on_handed;
  // A mail reached its reader.
  std::function<void(const Id&)> on_arrival;

private:
  struct Connection {
    std::deque<Id> waiting;
    std::optional<Id> busy;
  };
  void begin(std::size_t connection);
  void finish(std::size_t connection, Id delivery, std::uint64_t life);
  void arrive(const Id& delivery);
  void next_after(const Id& delivery);

  World& world_;
  std::function<void()> crash_;
  std::string name_ = "relay";
  std::vector<Connection> connections_;
  std::size_t next_ = 0;
  std::function<void(model::Verdict)> on_verdict_;
  std::uint64_t life_ = 0;  // counts the daemon's runs: events of an older one are nobody's
};

class Provider final : public model::Identity {
public:
  explicit Provider(World& world) : world_(world) {}
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::size_t window() const override { return 3; }
  model::awaitable<model::ProviderAnswer> ensure_account(model::AccountRequest request) override;
  model::awaitable<model::ProviderAnswer> remove_connection(std::string external_id) override;
  model::awaitable<model::ProviderAnswer> reset_password(std::string external_id) override;
  model::awaitable<model::ProviderAnswer> lookup(std::string external_id) override;

private:
  // How a call goes: the act happens or not, the answer comes or not.
  struct Course {
    bool acts = true;
    model::ProviderStatus answer = model::ProviderStatus::done;
  };
  model::awaitable<Course> course(bool may_refuse);
  void check_may_make(const model::AccountRequest& request);
  World& world_;
  std::string name_ = "provider";
};

class Resolver final : public model::Dns {
public:
  explicit Resolver(World& world) : world_(world) {}
  model::awaitable<core::Result<std::vector<std::string>>> txt(std::string name) override;

private:
  World& world_;
};

class HrSystem final : public model::Source {
public:
  HrSystem(World& world, std::function<void()> crash) : world_(world), crash_(std::move(crash)) {}
  // Something changed about a person: handed over at the next fetch.
  void publish(Person& person);
  void daemon_gone();  // what was not finished is given again
  // Given, and not yet said to be done.
  [[nodiscard]] bool in_the_air(const Person& person) const { return given_.contains(person.number); }
  static model::SourceRecord record_of(const Person& person, const Version& version);

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] const std::string& plugin() const override { return name_; }
  [[nodiscard]] bool can_fetch() const override { return true; }
  [[nodiscard]] bool takes(std::string_view) const override { return false; }
  [[nodiscard]] Milliseconds interval() const override { return std::chrono::minutes{5}; }
  model::awaitable<core::Result<model::Fetched>> fetch(std::string cursor, model::SourceSink sink) override;
  model::awaitable<core::Result<void>> finish(std::string cursor, std::vector<model::RowResult> results) override;
  model::awaitable<core::Result<model::SourceReply>> handle(model::SourcePush push, model::SourceSink sink) override;
  void on_change(std::function<void()> hint) override { hint_ = std::move(hint); }

private:
  World& world_;
  std::function<void()> crash_;
  std::string name_ = "hr";
  std::int64_t cursor_ = 0;
  std::map<int, std::size_t> given_;  // person → version handed over in the fetch under way
  Instant given_at_{};
  std::function<void()> hint_;
};

class PlainWriter final : public service::MailWriter {
public:
  core::Result<model::OutgoingMail> write(const service::MailFacts& facts, const std::string& link,
                                          const model::Policy& policy, Instant now) override;
};

}  // namespace invited::sim
