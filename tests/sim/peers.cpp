#include "sim/peers.hpp"

#include <fmt/format.h>

namespace invited::sim {

using namespace std::chrono_literals;
using model::ProviderAnswer;
using model::ProviderStatus;
using model::VerdictStatus;

// ---- the relay

void Relay::send(std::vector<model::OutgoingMail> mails, std::function<void(model::Verdict)> on_verdict) {
  on_verdict_ = std::move(on_verdict);
  for (const auto& mail : mails) {
    world_.mail_handed_over(mail.delivery, mail.envelope_to, mail.message_id, mail.bytes);
    on_handed(mail.delivery);
    const std::size_t connection = next_++ % connections_.size();
    connections_[connection].waiting.push_back(mail.delivery);
    begin(connection);
  }
  if (world_.chance(world_.faults.crash_with_mails_out))
    world_.after(world_.between(0ms, 3s), [this, life = life_] {
      if (life == life_) crash_();
    });
}

void Relay::begin(std::size_t index) {
  Connection& connection = connections_[index];
  if (connection.busy || connection.waiting.empty()) return;
  connection.busy = connection.waiting.front();
  connection.waiting.pop_front();
  const auto pause = world_.chance(world_.faults.relay_slow) ? world_.between(1s, 8min) : world_.between(10ms, 2s);
  world_.after(pause, [this, index, delivery = *connection.busy, life = life_] { finish(index, delivery, life); });
}

void Relay::finish(std::size_t, Id delivery, std::uint64_t life) {
  if (life != life_) return;
  const Faults& faults = world_.faults;
  Mail& mail = world_.mails.at(delivery);
  model::Verdict verdict;
  verdict.delivery = delivery;
  verdict.phase = "data_end";
  if (world_.chance(faults.relay_down)) {
    verdict.status = VerdictStatus::retry;
    verdict.transport_trouble = true;
    verdict.phase = "connect";
    verdict.detail = "connection refused";
  } else if (world_.chance(faults.mail_deferred)) {
    verdict.status = VerdictStatus::retry;
    verdict.code = 451;
    verdict.detail = "later";
  } else if (world_.chance(faults.mail_rejected)) {
    verdict.status = VerdictStatus::rejected;
    verdict.code = 550;
    verdict.detail = "no such mailbox";
  } else if (world_.chance(faults.connection_lost)) {
    verdict.status = VerdictStatus::unknown;
    ++mail.answers_lost;
  } else if (world_.chance(faults.answer_lost)) {
    verdict.status = VerdictStatus::unknown;
    arrive(delivery);
    ++mail.answers_lost;
  } else {
    verdict.status = VerdictStatus::accepted;
    arrive(delivery);
    mail.accepted_at = world_.now();
    ++mail.accepted_answers;
  }
  mail.basis = world_.now();
  world_.log(fmt::format("relay: answer {} for {}", static_cast<int>(verdict.status), mail.message_id.substr(0, 8)));
  on_verdict_(std::move(verdict));
}

void Relay::arrive(const Id& delivery) {
  world_.mail_arrived(delivery);
  if (on_arrival) on_arrival(delivery);
}

void Relay::recall() {
  for (Connection& connection : connections_) {
    for (const Id& delivery : std::exchange(connection.waiting, {})) {
      Mail& mail = world_.mails.at(delivery);
      mail.basis = world_.now();
      world_.log("relay: gives back " + mail.message_id.substr(0, 8));
      model::Verdict verdict;
      verdict.delivery = delivery;
      verdict.status = VerdictStatus::retry;
      verdict.taken_back = true;
      on_verdict_(std::move(verdict));
    }
  }
}

void Relay::settled(Id delivery) {
  Mail& mail = world_.mails.at(delivery);
  mail.with_relay = false;
  // Accepted just now: the last answer was that one.
  if (mail.accepted_at && *mail.accepted_at == mail.basis) {
    mail.taken = true;
    if (mail.sign_in) return next_after(delivery);
    const auto promised = World::first_instant(model::add_days(mail.last_day, 1),
                                               world_.people.at(static_cast<std::size_t>(mail.person)).zone);
    if (promised > world_.end_of(mail, mail.basis))
      world_.violate("I5", "a mail promises a later end than its link has");
  }
  next_after(delivery);
}

void Relay::next_after(const Id& delivery) {
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i].busy != delivery) continue;
    connections_[i].busy.reset();
    begin(i);
  }
}

void Relay::daemon_gone() {
  ++life_;
  on_verdict_ = nullptr;
  for (Connection& connection : connections_) {
    // The final dot may have been on its way.
    if (connection.busy && world_.chance(300)) {
      const Id delivery = *connection.busy;
      if (world_.mails.at(delivery).with_relay &&
          world_.mails.at(delivery).accepted_at != world_.mails.at(delivery).basis)
        arrive(delivery);
    }
    connection = {};
  }
}

// ---- the provider

model::awaitable<Provider::Course> Provider::course(bool may_refuse) {
  const Faults& faults = world_.faults;
  if (world_.chance(faults.provider_slow)) co_await world_.clock.sleep_for(world_.between(100ms, 10min));
  Course how;
  if (world_.chance(faults.provider_busy)) {
    how = {.acts = false, .answer = ProviderStatus::retry};
  } else if (world_.chance(faults.provider_lost)) {
    how = {.acts = world_.chance(500), .answer = ProviderStatus::unknown};
  } else if (may_refuse && world_.chance(faults.provider_refuses)) {
    how = {.acts = false, .answer = ProviderStatus::rejected};
  }
  co_return how;
}

// I4: one account per person, and only for an address that its person confirmed or whose domain is verified.
void Provider::check_may_make(const model::AccountRequest& request) {
  Person* person = world_.by_name(request.name);
  if (person == nullptr) {
    world_.violate("I4", "an account for nobody: " + request.name);
    return;
  }
  person->external_ids.insert(request.external_id);
  if (person->external_ids.size() > 1) world_.violate("I4", person->id + " has two external ids");
  const auto at = request.login_email.find('@');
  const bool by_domain = at != std::string::npos && world_.domains_asked.contains(request.login_email.substr(at + 1));
  if (!by_domain && !person->confirmed_emails.contains(request.login_email))
    world_.violate("I4",
                   fmt::format("an account for {} with {}, which nobody confirmed", person->id, request.login_email));
}

model::awaitable<ProviderAnswer> Provider::ensure_account(model::AccountRequest request) {
  check_may_make(request);
  const Course how = co_await course(true);
  if (how.acts && world_.accounts.emplace(request.external_id, request.login_email).second)
    world_.log("provider: account for " + request.name + " with " + request.login_email);
  if (how.answer == ProviderStatus::rejected) {
    if (Person* person = world_.by_name(request.name)) person->refused_by_provider = true;
  }
  world_.log(fmt::format("provider: ensure {} answered {}", request.name, static_cast<int>(how.answer)));
  co_return ProviderAnswer{.status = how.answer,
                           .external_id = request.external_id,
                           .provider_id = "at-provider-" + request.external_id,
                           .sign_in_url = "https://login.example.com",
                           .detail = "scripted"};
}

model::awaitable<ProviderAnswer> Provider::remove_connection(std::string external_id) {
  const Course how = co_await course(false);
  if (how.acts && world_.accounts.erase(external_id) == 1) world_.log("provider: account removed");
  co_return ProviderAnswer{.status = how.answer, .external_id = external_id};
}

model::awaitable<ProviderAnswer> Provider::reset_password(std::string external_id) {
  const Course how = co_await course(true);
  co_return ProviderAnswer{.status = how.answer, .external_id = external_id};
}

model::awaitable<ProviderAnswer> Provider::lookup(std::string external_id) {
  const Course how = co_await course(false);
  co_return ProviderAnswer{.status = how.answer,
                           .external_id = external_id,
                           .provider_id = "at-provider-" + external_id,
                           .sign_in_url = "https://login.example.com",
                           .found = world_.accounts.contains(external_id)};
}

// ---- the DNS

model::awaitable<core::Result<std::vector<std::string>>> Resolver::txt(std::string name) {
  if (world_.chance(world_.faults.dns_slow)) co_await world_.clock.sleep_for(world_.between(100ms, 30s));
  if (world_.chance(world_.faults.dns_silent))
    co_return core::fail(core::ErrorKind::unavailable, "dns_unavailable", "No DNS server answered in time.");
  std::vector<std::string> records;
  Proof& proof = world_.proof;
  if (name == proof.name) {
    proof.denied_before = proof.denied_since;
    if (proof.published) {
      records = {"v=spf1 -all", proof.value};
      proof.seen = true;
      proof.denied_since.reset();
    } else if (!proof.denied_since) {
      proof.denied_since = world_.now();
    }
  }
  world_.log("dns: " + name + (records.empty() ? " is not there" : " is there"));
  co_return records;
}

// ---- the HR system

void HrSystem::publish(Person& person) {
  person.unread = true;
  if (hint_ && world_.chance(700)) hint_();  // the others wait for the next regular look
}

void HrSystem::daemon_gone() {
  hint_ = nullptr;
  for (const auto& [number, index] : given_) world_.people.at(static_cast<std::size_t>(number)).unread = true;
  given_.clear();
}

model::SourceRecord HrSystem::record_of(const Person& person, const Version& version) {
  model::SourceRecord record;
  record.fields = {{"name", person.name},
                   {"company", person.company},
                   {"login_email", version.email},
                   {"start_date", model::to_text(version.start)},
                   {"end_date", version.end ? model::to_text(*version.end) : ""},
                   {"withdrawn", version.withdrawn ? "true" : "false"}};
  record.fields.emplace_back(person.job == office ? "external_ref" : "user_id", person.id);
  if (!person.job.empty()) record.fields.emplace_back("employment_template", person.job);
  if (person.in_review && person.job.empty()) record.fields.emplace_back("in_review", "true");
  return record;
}

model::awaitable<core::Result<model::Fetched>> HrSystem::fetch(std::string, model::SourceSink sink) {
  given_.clear();
  if (world_.chance(world_.faults.source_late)) {
    world_.log("hr: is still writing");
    world_.after(world_.between(1s, 50s), [this] {
      if (hint_) hint_();
    });
    co_return model::Fetched{.cursor = std::to_string(cursor_), .soon = true};
  }
  world_.unread_since.reset();
  if (world_.chance(world_.faults.source_fails))
    co_return core::fail(core::ErrorKind::unavailable, "hr_down", "The HR system is down.");
  std::vector<model::SourceItem> items;
  bool more = false;
  for (Person& person : world_.people) {
    const bool stale = person.handed.size() > 1 && world_.chance(world_.faults.source_stale);
    if (person.by_hand || (!person.unread && !stale)) continue;
    const Version version = stale ? person.handed.at(world_.below(person.handed.size())) : person.truth;
    if (stale) {
      person.unread = true;  // the newest comes with the next fetch
      more = true;
    }
    given_[person.number] = world_.told(person, version);
    if (!stale) person.unread = false;
    world_.log(fmt::format("hr: {} {} starts {}{}{}{}", person.id, version.email, model::to_text(version.start),
                           version.end ? " ends " + model::to_text(*version.end) : "",
                           version.withdrawn ? " withdrawn" : "", stale ? " (stale)" : ""));
    items.emplace_back(record_of(person, version));
  }
  if (!items.empty() && world_.chance(300)) {
    items.emplace_back(model::BadRow{.line = 0, .column = "name", .reason = "bad_encoding", .message = "Not UTF-8."});
    items.emplace_back(model::SourceRecord{{{"user_id", "junk"}, {"shoe_size", "44"}}, 0});
  }
  const std::size_t count = items.size();
  given_at_ = world_.now();
  if (count > 0) co_await sink(std::move(items));
  if (count > 0 && world_.chance(world_.faults.crash_in_run)) crash_();  // all rows are in, and nothing is settled
  co_return model::Fetched{.cursor = std::to_string(count > 0 ? ++cursor_ : cursor_), .more = more, .items = count};
}

model::awaitable<core::Result<void>> HrSystem::finish(std::string, std::vector<model::RowResult>) {
  for (const auto& [number, index] : given_) {
    Person& person = world_.people.at(static_cast<std::size_t>(number));
    world_.finished(person, index, given_at_);
  }
  given_.clear();
  co_return core::Result<void>{};
}

model::awaitable<core::Result<model::SourceReply>> HrSystem::handle(model::SourcePush, model::SourceSink) {
  co_return core::fail(core::ErrorKind::conflict, "no_push", "This source is fetched.");
}

// ---- the writer

core::Result<model::OutgoingMail> PlainWriter::write(const service::MailFacts& facts, const std::string& link,
                                                     const model::Policy& policy, Instant now) {
  model::OutgoingMail mail;
  mail.envelope_from = "no-reply@example.com";
  mail.envelope_to = facts.invitation.login_email_canonical;
  if (facts.delivery.kind == model::DeliveryKind::sign_in_ready) {
    mail.bytes = fmt::format("Message-ID: <{}>\nName: {}\nSign in: {}\n", facts.delivery.message_id, facts.user.name,
                             policy.sign_in.address(facts.provider_url)) +
                 link;
    return mail;
  }
  mail.bytes =
      fmt::format("Message-ID: <{}>\nName: {}\nLink: {}\nUntil: {}\n", facts.delivery.message_id, facts.user.name, link,
                  model::to_text(model::link_last_day(now, policy.zone, policy.valid_days)));
  return mail;
}

}  // namespace invited::sim
