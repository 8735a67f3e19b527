// Instants and civil times as people read them. The API speaks UTC ("2026-11-30T08:00:00Z"); people read their
// organisation's clock, with the offset beside it.
#pragma once

#include <cctz/time_zone.h>

#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace invited::ctl {

class Moments {
public:
  // An empty or unknown zone means this machine's own. `now` is for "in 3 days".
  Moments(std::string_view zone, bool utc, core::Instant now);

  // "2026-11-30 09:00 +01:00"; text that is no instant comes back unchanged.
  [[nodiscard]] std::string instant(std::string_view text) const;
  // "Mon 2026-11-30 09:00 +01:00 (in 9 days)"
  [[nodiscard]] std::string instant_with_distance(std::string_view text) const;
  // "in 9 days", "3 hours ago", "now"; empty for text that is no instant.
  [[nodiscard]] std::string distance(std::string_view text) const;
  // "Mon 2026-11-30" of "2026-11-30T09:00" or of "2026-11-30".
  [[nodiscard]] static std::string day(std::string_view local);
  // "09:00" of "2026-11-30T09:00".
  [[nodiscard]] static std::string hour(std::string_view local);
  // The instant's "2026-11-30T09:00" in the zone of these Moments.
  [[nodiscard]] std::string local(std::string_view text) const;
  [[nodiscard]] std::string zone() const;
  // A time of the API as this caller reads it: the organisation's `local` and `zone`, or with --utc, or where there is
  // none, the instant `at` in the zone of these Moments. Both are empty for what has no time.
  struct Civil {
    std::string local;
    std::string zone;
  };
  [[nodiscard]] Civil civil(std::string local, std::string zone, std::string_view at) const;

  [[nodiscard]] static std::optional<core::Instant> parse(std::string_view text);

private:
  cctz::time_zone zone_;
  bool utc_ = false;
  core::Instant now_;
};

}  // namespace invited::ctl
