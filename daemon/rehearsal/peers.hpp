// The neighbours of a rehearsed daemon: mails become files, accounts are made at once, and the relay is down when the
// rehearsal says so. Both answer on the spot and take no time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "model/ports.hpp"
#include "rehearsal/output.hpp"

namespace invited::rehearsal {

// From its first instant on, up to but without its last.
struct Outage {
  core::Instant from{};
  core::Instant to{};
};

class FileTransport final : public model::Transport {
public:
  // `clock` and `output` outlive it. Mails accepted before `from` are not written, nor any without `write`.
  FileTransport(const core::Clock& clock, Output& output, std::vector<Outage> outages, core::Instant from, bool write);

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::size_t window() const override { return 64; }
  void send(std::vector<model::OutgoingMail> mails, std::function<void(model::Verdict)> on_verdict) override;
  void recall() override {}
  void settled(core::Id) override {}
  model::awaitable<core::Result<std::string>> probe() override { co_return std::string("a rehearsal writes files"); }

private:
  const core::Clock& clock_;
  Output& output_;
  std::vector<Outage> outages_;
  core::Instant from_;
  bool write_;
  std::string name_ = "rehearsal";
  std::int64_t written_ = 0;
};

class WillingIdentity final : public model::Identity {
public:
  explicit WillingIdentity(std::string sign_in_url) : sign_in_url_(std::move(sign_in_url)) {}
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::size_t window() const override { return 64; }
  model::awaitable<model::ProviderAnswer> ensure_account(model::AccountRequest request) override;
  model::awaitable<model::ProviderAnswer> remove_connection(std::string external_id) override;
  model::awaitable<model::ProviderAnswer> reset_password(std::string external_id) override;
  model::awaitable<model::ProviderAnswer> lookup(std::string external_id) override;

private:
  [[nodiscard]] model::ProviderAnswer done(std::string external_id) const;
  std::string name_ = "rehearsal";
  std::string sign_in_url_;
};

}  // namespace invited::rehearsal
