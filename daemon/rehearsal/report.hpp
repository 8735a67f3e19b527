// What a rehearsal tells: each audit event of the rehearsed daemon is an act, written as it happens; the summary counts
// them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/id.hpp"
#include "model/entities.hpp"
#include "model/policy.hpp"
#include "rehearsal/output.hpp"
#include "rehearsal/rehearsal.hpp"
#include "store/database.hpp"

namespace invited::rehearsal {

// A mail that was just accepted.
struct Sent {
  core::Instant at{};
  model::Invitation invitation;
};

class Report {
public:
  // All arguments outlive it.
  Report(store::Db& db, const model::Policies& policies, const Settings& settings, Output& output);

  // Writes what happened since the last call; gives the mails among it.
  std::vector<Sent> take();
  // Something that no audit event tells.
  void note(core::Instant at, std::string_view action, std::string_view reason);
  void finish();

private:
  struct Late {
    std::string user;
    core::Instant due{};
    core::Instant accepted{};
  };
  void line(core::Instant at, const std::string& user, const std::string& zone, std::string_view action,
            std::string_view reason, const model::Invitation* sent);
  void flush();
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string local(core::Instant at) const;

  store::Db& db_;
  const model::Policies& policies_;
  const Settings& settings_;
  Output& output_;
  std::int64_t last_seq_;
  std::string pending_;
  std::map<std::string, std::int64_t> acts_;
  std::map<std::string, std::map<std::string, std::int64_t>> days_;  // local day of the organisation → action → count
  std::vector<Late> late_;                                           // the first ones
  std::int64_t late_mails_ = 0;
  core::Milliseconds latest_{0};
  std::map<std::string, std::int64_t> states_;  // of invitations, at the end
  std::int64_t held_ = 0;
  std::int64_t users_ = 0;
};

}  // namespace invited::rehearsal
