#include "rehearsal/peers.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace invited::rehearsal {

FileTransport::FileTransport(const core::Clock& clock, Output& output, std::vector<Outage> outages, core::Instant from,
                             bool write)
    : clock_(clock), output_(output), outages_(std::move(outages)), from_(from), write_(write) {}

void FileTransport::send(std::vector<model::OutgoingMail> mails, std::function<void(model::Verdict)> on_verdict) {
  const core::Instant now = clock_.now();
  const bool down =
      std::ranges::any_of(outages_, [&](const Outage& outage) { return outage.from <= now && now < outage.to; });
  for (const model::OutgoingMail& mail : mails) {
    model::Verdict verdict;
    verdict.delivery = mail.delivery;
    if (down) {
      verdict.status = model::VerdictStatus::retry;
      verdict.transport_trouble = true;
      verdict.phase = "connect";
      verdict.detail = "the transport is down (rehearsed)";
    } else {
      verdict.status = model::VerdictStatus::accepted;
      if (write_ && now >= from_) output_.write(fmt::format("mails/{:06}.eml", ++written_), mail.bytes);
    }
    on_verdict(std::move(verdict));
  }
}

model::ProviderAnswer WillingIdentity::done(std::string external_id) const {
  model::ProviderAnswer answer;
  answer.status = model::ProviderStatus::done;
  answer.provider_id = "rehearsed-" + external_id;
  answer.external_id = std::move(external_id);
  answer.sign_in_url = sign_in_url_;
  return answer;
}

model::awaitable<model::ProviderAnswer> WillingIdentity::ensure_account(model::AccountRequest request) {
  co_return done(std::move(request.external_id));
}
model::awaitable<model::ProviderAnswer> WillingIdentity::remove_connection(std::string external_id) {
  co_return done(std::move(external_id));
}
model::awaitable<model::ProviderAnswer> WillingIdentity::reset_password(std::string external_id) {
  co_return done(std::move(external_id));
}
model::awaitable<model::ProviderAnswer> WillingIdentity::lookup(std::string external_id) {
  co_return done(std::move(external_id));
}

}  // namespace invited::rehearsal
