// The real services on a copy of the state, under a clock that jumps from event to event: what the daemon will do,
// done.
//
//   core::Result<void> done = rehearse(*copy, policies, writer, {.from = from, .to = to, …}, folder);
//
// Deterministic: one thread, a seeded generator, keys that are thrown away, and no look at the machine's time. The same
// copy and settings give the same bytes. Nobody clicks, unless `confirm_after` says when.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "model/batch.hpp"
#include "model/policy.hpp"
#include "rehearsal/output.hpp"
#include "rehearsal/peers.hpp"
#include "service/delivery.hpp"
#include "store/database.hpp"

namespace invited::rehearsal {

struct Settings {
  core::Instant from{};  // acts from here on …
  core::Instant to{};    // … and before this are told
  std::vector<Outage> transport_down;
  std::uint64_t seed = 1;
  std::optional<core::Milliseconds> confirm_after;  // everybody clicks so long after the mail
  bool write_mails = true;
  std::string base_url;
  std::string message_id_domain;
  int max_attempts = 12;
  model::Brakes brakes;
  core::Milliseconds cooldown = std::chrono::minutes{10};  // of bulk sends that are under way
};

// Writes acts.ndjson (one act a line), mails/NNNNNN.eml, summary.json and summary.txt. Changes `copy`, which is good
// for nothing afterwards. What happens between the state's last event and `from` is played silently first, so that
// `from` finds what it will find. Blocks until the end; errors: what the store or the output throws.
core::Result<void> rehearse(store::Db& copy, std::shared_ptr<const model::Policies> policies,
                            service::MailWriter& writer, const Settings& settings, Output& output);

}  // namespace invited::rehearsal
