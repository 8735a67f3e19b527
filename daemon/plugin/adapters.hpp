// C plugins as the ports that the services know (model/ports.hpp).
//
//   SourceAdapter source(instance, interval);
//   co_await source.fetch(cursor, sink);      // the plugin's thread waits while the sink is behind
//   TransportAdapter transport(instance);
//   transport.send(mails, on_verdict);        // one verdict per mail, whatever the plugin does
//
// All [core-thread]. What an adapter hands to the services comes on the core thread as well; callbacks must stay good
// until the instance is stopped.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/http_message.hpp"
#include "model/ports.hpp"
#include "plugin/host.hpp"

namespace invited::plugin {

using model::awaitable;

class SourceAdapter final : public model::Source {
public:
  // Records in one batch to the sink, and batches that may be on their way before emit() waits.
  static constexpr std::size_t batch_records = 256;
  static constexpr std::size_t most_batches = 4;

  SourceAdapter(std::shared_ptr<Instance> instance, core::Milliseconds interval);
  ~SourceAdapter() override;
  SourceAdapter(const SourceAdapter&) = delete;
  SourceAdapter& operator=(const SourceAdapter&) = delete;

  [[nodiscard]] const std::string& name() const override { return instance_->name(); }
  [[nodiscard]] const std::string& plugin() const override { return plugin_; }
  [[nodiscard]] bool can_fetch() const override;
  // "record", "import", "http"
  [[nodiscard]] bool takes(std::string_view push_kind) const override;
  [[nodiscard]] core::Milliseconds interval() const override { return interval_; }
  // Errors carry the plugin's status as code (plugin_retry, …); what the sink threw is thrown, after the plugin ended.
  awaitable<core::Result<model::Fetched>> fetch(std::string cursor, model::SourceSink sink) override;
  // Does nothing for a fetch that did not ask for it, or a plugin that cannot.
  awaitable<core::Result<void>> finish(std::string cursor, std::vector<model::RowResult> results) override;
  awaitable<core::Result<model::SourceReply>> handle(model::SourcePush push, model::SourceSink sink) override;
  void on_change(std::function<void()> hint) override { hint_ = std::move(hint); }
  [[nodiscard]] bool can_export() const override;
  awaitable<core::Result<void>> export_records(model::ExportPart part, model::ByteSink sink) override;

  // Beyond the port. A request to one of the source's routes; the reply may go out when the sink's records are durable.
  awaitable<core::Result<model::SourceReply>> handle_http(core::HttpRequest request, model::SourceSink sink);

private:
  std::shared_ptr<Instance> instance_;
  std::string plugin_;
  core::Milliseconds interval_;
  std::function<void()> hint_;
  bool fetching_ = false;
  std::shared_ptr<Call> last_fetch_;
  std::optional<std::string> needs_no_finish_;  // cursor of the last fetch, if that asked for no finish()
};

class TransportAdapter final : public model::Transport {
public:
  explicit TransportAdapter(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {}
  [[nodiscard]] const std::string& name() const override { return instance_->name(); }
  // 0 while the instance is stuck or stopping.
  [[nodiscard]] std::size_t window() const override;
  // A mail that the plugin was never asked about is `retry` with transport_trouble.
  void send(std::vector<model::OutgoingMail> mails, std::function<void(model::Verdict)> on_verdict) override;
  // A cancel hint to each batch that is open; a plugin that takes none back gives its verdicts in its own time.
  void recall() override;
  void settled(core::Id delivery) override;
  awaitable<core::Result<std::string>> probe() override;

private:
  std::shared_ptr<Instance> instance_;
  std::vector<std::weak_ptr<Call>> batches_;  // that may be open
};

class IdentityAdapter final : public model::Identity {
public:
  explicit IdentityAdapter(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {}
  [[nodiscard]] const std::string& name() const override { return instance_->name(); }
  [[nodiscard]] std::size_t window() const override { return instance_->window(); }
  awaitable<model::ProviderAnswer> ensure_account(model::AccountRequest request) override;
  awaitable<model::ProviderAnswer> remove_connection(std::string external_id) override;
  awaitable<model::ProviderAnswer> reset_password(std::string external_id) override;
  awaitable<model::ProviderAnswer> lookup(std::string external_id) override;

private:
  std::shared_ptr<Instance> instance_;
};

}  // namespace invited::plugin
