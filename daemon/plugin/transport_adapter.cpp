#include <fmt/format.h>
#include <invited/transport.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "core/events.hpp"
#include "core/log.hpp"
#include "plugin/abi_text.hpp"
#include "plugin/adapters.hpp"
#include "plugin/host_table.hpp"

namespace invited::plugin {

namespace log = core::log;
namespace events = core::events;
using core::Milliseconds;
using model::OutgoingMail;
using model::Verdict;
using model::VerdictStatus;

namespace {

std::string_view phase_text(std::int32_t phase) {
  switch (phase) {
    case INVITED_PHASE_LOCAL:
      return "local";
    case INVITED_PHASE_CONNECT:
      return "connect";
    case INVITED_PHASE_TLS:
      return "tls";
    case INVITED_PHASE_GREETING:
      return "greeting";
    case INVITED_PHASE_HELLO:
      return "hello";
    case INVITED_PHASE_AUTH:
      return "auth";
    case INVITED_PHASE_SENDER:
      return "sender";
    case INVITED_PHASE_RECIPIENT:
      return "recipient";
    case INVITED_PHASE_DATA:
      return "data";
    case INVITED_PHASE_CONTENT:
      return "content";
    case INVITED_PHASE_QUIT:
      return "quit";
    default:
      return "";
  }
}

VerdictStatus verdict_status(invited_status status) {
  switch (status) {
    case INVITED_OK:
      return VerdictStatus::accepted;
    case INVITED_RETRY:
    case INVITED_CANCELLED:
    case INVITED_BAD_CONFIG:
      return VerdictStatus::retry;
    case INVITED_REJECTED:
    case INVITED_UNSUPPORTED:
      return VerdictStatus::rejected;
    default:
      return VerdictStatus::unknown;
  }
}

// A batch: the mails, how the plugin sees them, and which of them have their verdict.
class SendCall final : public Call {
public:
  SendCall(Milliseconds limit, std::shared_ptr<Instance> instance, std::vector<OutgoingMail> mails,
           std::function<void(Verdict)> on_verdict)
      : Call("send", limit),
        instance_(std::move(instance)),
        mails_(std::move(mails)),
        on_verdict_(std::make_shared<std::function<void(Verdict)>>(std::move(on_verdict))) {
    texts_.resize(mails_.size());
    raw_.resize(mails_.size());
    for (std::size_t i = 0; i < mails_.size(); ++i) {
      const OutgoingMail& mail = mails_[i];
      texts_[i] = {mail.delivery.text(), fmt::format("<{}>", mail.message_id)};
      invited_message& raw = raw_[i];
      raw.struct_size = sizeof raw;
      raw.flags = (mail.needs_smtputf8 ? std::uint32_t{INVITED_MESSAGE_NEEDS_SMTPUTF8} : 0U) |
                  (mail.eight_bit ? std::uint32_t{INVITED_MESSAGE_EIGHT_BIT} : 0U);
      raw.id = borrow(texts_[i].id);
      raw.message_id = borrow(texts_[i].message_id);
      raw.envelope_from = borrow(mail.envelope_from);
      raw.envelope_to = borrow(mail.envelope_to);
      raw.content = borrow(mail.bytes);
      raw.attempt = mail.attempt;
      raw.idempotency_key = borrow(mail.message_id);
      raw.deadline_ms = mail.deadline.time_since_epoch().count();
      list_.push_back(&raw);
      open_.emplace(texts_[i].id, mail.delivery);
    }
  }

  [[nodiscard]] const invited_message* const* list() const { return list_.data(); }
  [[nodiscard]] std::uint64_t count() const { return list_.size(); }

  // Null, or the rule that this verdict breaks.
  const char* take(const invited_verdict& raw) {
    const std::lock_guard lock(mutex_);
    const auto id = core::Id::parse(view(raw.id));
    const auto at = id ? open_.find(view(raw.id)) : open_.end();
    if (at == open_.end()) {
      if (over_) return nullptr;  // too late: the daemon stopped waiting and took them all as unknown
      const bool known = std::any_of(texts_.begin(), texts_.end(), [&](const Text& t) { return t.id == view(raw.id); });
      return known ? "a second verdict for one message" : "a verdict for a message that is not in this batch";
    }
    Verdict verdict;
    verdict.delivery = at->second;
    verdict.status = verdict_status(raw.status);
    verdict.taken_back = raw.status == INVITED_CANCELLED && cancel_requested();
    verdict.transport_trouble =
        !verdict.taken_back && (raw.scope == INVITED_SCOPE_TRANSPORT || raw.status == INVITED_BAD_CONFIG);
    verdict.phase = phase_text(raw.phase);
    verdict.code = raw.reply_code;
    verdict.retry_after = std::chrono::seconds(std::clamp<std::int64_t>(raw.retry_after_s, 0, 365 * 86400));
    verdict.remote_id = clipped(view(raw.remote_id), 500);
    verdict.detail = clipped(view(raw.detail), 2000);
    open_.erase(at);
    give(std::move(verdict));
    return nullptr;
  }

protected:
  void on_end(const Outcome& outcome) override {
    const std::lock_guard lock(mutex_);
    over_ = true;
    if (outcome.begun && !open_.empty())
      log::warning(events::plugin_misbehaved, "Mails were handed over and got no verdict; whether they went is unknown",
                   {{"plugin", instance_->plugin().name},
                    {"instance", instance_->name()},
                    {"mails", std::to_string(open_.size())},
                    {"status", std::string(status_text(outcome.status))},
                    {"why", outcome.why.message}});
    for (const auto& [id, delivery] : open_) {
      Verdict verdict;
      verdict.delivery = delivery;
      verdict.status = outcome.begun ? VerdictStatus::unknown : VerdictStatus::retry;
      verdict.taken_back = !outcome.begun && cancel_requested();
      verdict.transport_trouble = !outcome.begun && !verdict.taken_back;
      verdict.detail = outcome.begun ? "the transport gave no verdict" : "the transport was not asked";
      if (!outcome.why.message.empty()) verdict.detail += ": " + outcome.why.message;
      give(std::move(verdict));
    }
    open_.clear();
  }

private:
  struct Text {
    std::string id, message_id;
  };

  // Under the mutex, so that the order of the posts is the order of the verdicts.
  void give(Verdict verdict) {
    instance_->gate().post([to = on_verdict_, verdict = std::move(verdict)]() mutable { (*to)(std::move(verdict)); });
  }

  const std::shared_ptr<Instance> instance_;
  const std::vector<OutgoingMail> mails_;
  const std::shared_ptr<std::function<void(Verdict)>> on_verdict_;
  std::vector<Text> texts_;
  std::vector<invited_message> raw_;
  std::vector<const invited_message*> list_;
  std::mutex mutex_;
  std::map<std::string, core::Id, std::less<>> open_;
  bool over_ = false;
};

class ProbeCall final : public Call {
public:
  explicit ProbeCall(Milliseconds limit) : Call("probe", limit) {}
  void take(std::string step) {
    const std::lock_guard lock(mutex_);
    if (steps_.size() < 100) steps_.push_back(std::move(step));
  }
  [[nodiscard]] std::string text() {
    const std::lock_guard lock(mutex_);
    std::string all;
    for (const std::string& step : steps_) all += (all.empty() ? "" : "; ") + step;
    return all;
  }

private:
  std::mutex mutex_;
  std::vector<std::string> steps_;
};

void take_verdict(const invited_host* host, invited_call* handle, const invited_verdict* verdict) {
  wall("verdict", 0, [&] {
    Instance& instance = Instance::of(host);
    const auto call = instance.open_call<SendCall>(handle, "verdict()");
    if (!call) return 0;
    if (verdict == nullptr || !INVITED_HAS(verdict, invited_verdict, detail)) {
      instance.misbehaved("verdict() without a whole verdict");
      return 0;
    }
    if (known_status(verdict->status) != verdict->status) instance.misbehaved("a verdict with an unknown status");
    if (const char* broken = call->take(*verdict)) instance.misbehaved(broken);
    return 0;
  });
}

void take_step(const invited_host* host, invited_call* handle, int32_t phase, invited_str detail) {
  wall("step", 0, [&] {
    const auto call = Instance::of(host).open_call<ProbeCall>(handle, "step()");
    if (!call) return 0;
    const std::string_view name = phase_text(phase);
    const std::string said = clipped(view(detail), 500);
    call->take(name.empty() ? said : said.empty() ? std::string(name) : fmt::format("{}: {}", name, said));
    return 0;
  });
}

}  // namespace

const invited_transport_host transport_host_table = {sizeof(invited_transport_host), 0, &take_verdict, &take_step};

std::size_t TransportAdapter::window() const {
  return instance_->stuck() || !instance_->created() ? 0 : instance_->window();
}

void TransportAdapter::send(std::vector<OutgoingMail> mails, std::function<void(Verdict)> on_verdict) {
  if (mails.empty()) return;
  // A message may begin just before its own deadline, so the batch ends later.
  Milliseconds until_last{0};
  for (const OutgoingMail& mail : mails)
    if (mail.deadline != core::Instant{}) until_last = std::max(until_last, mail.deadline - instance_->clock().now());
  const auto call = std::make_shared<SendCall>(instance_->limits().send + until_last, instance_, std::move(mails),
                                               std::move(on_verdict));
  Instance::Operation operation = [instance = instance_.get(), list = call->list(),
                                   count = call->count()](invited_call* handle) {
    instance->operations<invited_transport>().send(instance->self(), handle, list, count);
  };
  std::erase_if(batches_, [](const auto& batch) { return batch.expired(); });
  batches_.push_back(call);
  instance_->start(call, std::move(operation), [](const Outcome&) {});
}

void TransportAdapter::recall() {
  for (const auto& batch : batches_)
    if (const auto call = batch.lock()) instance_->cancel(call);
}

void TransportAdapter::settled(core::Id delivery) {
  const invited_plugin& plugin = instance_->plugin();
  if ((plugin.capabilities & INVITED_TRANSPORT_SETTLED) == 0 || !instance_->created()) return;
  const std::string id = delivery.text();
  try {
    instance_->operations<invited_transport>().settled(instance_->self(), borrow(id));
  } catch (...) {
    instance_->misbehaved("settled() threw");
  }
}

awaitable<core::Result<std::string>> TransportAdapter::probe() {
  const auto instance = instance_;
  if ((instance->plugin().capabilities & INVITED_TRANSPORT_PROBE) == 0)
    co_return core::fail(core::ErrorKind::conflict, "plugin_unsupported",
                         fmt::format("transport \"{}\" cannot be tested without a mail", instance->name()));
  const auto call = std::make_shared<ProbeCall>(instance->limits().probe);
  // Not in the window: that counts messages.
  Instance::Operation operation = [plain = instance.get()](invited_call* handle) {
    plain->operations<invited_transport>().probe(plain->self(), handle);
  };
  const Outcome outcome = co_await instance->perform(call, std::move(operation));
  if (outcome.status == INVITED_OK) co_return call->text();
  core::Error error = to_error("transport", instance->name(), "probe", outcome);
  if (const std::string done = call->text(); !done.empty()) error.message += " (good until then: " + done + ")";
  co_return core::fail(std::move(error));
}

}  // namespace invited::plugin
