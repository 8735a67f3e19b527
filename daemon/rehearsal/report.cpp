#include "rehearsal/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "store/audit.hpp"
#include "store/invitations.hpp"
#include "store/users.hpp"

namespace invited::rehearsal {

namespace json = boost::json;

namespace {

constexpr std::size_t page = 500;
constexpr std::size_t piece_bytes = 48 * 1024;
constexpr std::size_t most_late = 100;
constexpr core::Milliseconds late_from = std::chrono::minutes{1};
constexpr std::string_view user_prefix = "user:";

std::string spoken(core::Milliseconds length) {
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(length).count();
  return minutes < 60 ? fmt::format("{} min", minutes) : fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

json::object counts_json(const std::map<std::string, std::int64_t>& counts) {
  json::object all;
  for (const auto& [name, count] : counts) all[name] = count;
  return all;
}

}  // namespace

Report::Report(store::Db& db, const model::Policies& policies, const Settings& settings, Output& output)
    : db_(db),
      policies_(policies),
      settings_(settings),
      output_(output),
      last_seq_(store::audit::last_seq(db)),
      users_(store::users::count(db)) {}

std::string Report::local(core::Instant at) const {
  return model::local_text(at, policies_.organisation().zone);
}

std::vector<Sent> Report::take() {
  std::vector<Sent> mails;
  while (true) {
    const auto events = store::audit::page(db_, {.after = last_seq_, .before = std::nullopt}, "", page);
    for (const model::AuditEvent& event : events) {
      last_seq_ = event.seq;
      std::string user;
      std::string zone = policies_.organisation().zone;
      std::optional<model::Invitation> sent;
      if (event.subject.starts_with(user_prefix)) {
        user = event.subject.substr(user_prefix.size());
        if (const auto known = store::users::find(db_, user)) {
          zone = policies_.of(known->company).zone;
          if (event.action == "invitation.sent") sent = store::invitations::newest(db_, known->key);
        }
      }
      if (event.at >= settings_.from) line(event.at, user, zone, event.action, event.reason, sent ? &*sent : nullptr);
      if (sent) mails.push_back({event.at, std::move(*sent)});
    }
    if (events.size() < page) break;
  }
  return mails;
}

void Report::note(core::Instant at, std::string_view action, std::string_view reason) {
  line(at, "", policies_.organisation().zone, action, reason, nullptr);
}

void Report::line(core::Instant at, const std::string& user, const std::string& zone, std::string_view action,
                  std::string_view reason, const model::Invitation* sent) {
  json::object act{{"at", model::to_utc_text(at)},
                   {"local", model::local_text(at, zone)},
                   {"zone", zone},
                   {"user", user},
                   {"action", action},
                   {"reason", reason}};
  if (sent != nullptr && sent->ends_at) act["ends_at"] = model::to_utc_text(*sent->ends_at);
  if (sent != nullptr && sent->released_at && at - *sent->released_at >= late_from) {
    const core::Milliseconds late = at - *sent->released_at;
    act["late_s"] = late.count() / 1'000;
    ++late_mails_;
    latest_ = std::max(latest_, late);
    if (late_.size() < most_late) late_.push_back({user, *sent->released_at, at});
  }
  pending_ += json::serialize(act) + "\n";
  ++acts_[std::string(action)];
  ++days_[local(at).substr(0, 10)][std::string(action)];
  if (pending_.size() >= piece_bytes) flush();
}

void Report::flush() {
  output_.write("acts.ndjson", pending_);
  pending_.clear();
}

void Report::finish() {
  flush();
  for (const auto& [state, count] : store::invitations::count_by_state(db_)) states_[state] = count;
  held_ = store::invitations::count_held(db_);
  json::array days;
  for (const auto& [day, counts] : days_) days.push_back(json::object{{"day", day}, {"acts", counts_json(counts)}});
  json::array outages;
  for (const Outage& outage : settings_.transport_down)
    outages.push_back(json::object{{"from", model::to_utc_text(outage.from)}, {"to", model::to_utc_text(outage.to)}});
  json::array late;
  for (const Late& mail : late_)
    late.push_back(json::object{
        {"user", mail.user}, {"due", model::to_utc_text(mail.due)}, {"accepted", model::to_utc_text(mail.accepted)}});
  const json::object summary{
      {"from", model::to_utc_text(settings_.from)},
      {"to", model::to_utc_text(settings_.to)},
      {"zone", policies_.organisation().zone},
      {"users", users_},
      {"acts", counts_json(acts_)},
      {"transport_down", std::move(outages)},
      {"late",
       json::object{{"mails", late_mails_}, {"longest_s", latest_.count() / 1'000}, {"first", std::move(late)}}},
      {"end", json::object{{"invitations", counts_json(states_)}, {"held", held_}}},
      {"days", std::move(days)}};
  output_.write("summary.json", json::serialize(summary) + "\n");
  output_.write("summary.txt", text());
}

std::string Report::text() const {
  std::string out = fmt::format("Rehearsed from {} to {} ({}), {} users\n\nActs\n", local(settings_.from),
                                local(settings_.to), policies_.organisation().zone, users_);
  if (acts_.empty()) out += "  none: nothing happens by itself in this time\n";
  for (const auto& [action, count] : acts_) out += fmt::format("  {:>8}  {}\n", count, action);
  if (!settings_.transport_down.empty()) {
    out += "\nTransport down\n";
    for (const Outage& outage : settings_.transport_down)
      out += fmt::format("  {} to {}\n", local(outage.from), local(outage.to));
  }
  if (late_mails_ > 0) {
    out += fmt::format("\n{} {} late, the longest by {}\n", late_mails_, late_mails_ == 1 ? "mail" : "mails",
                       spoken(latest_));
    for (const Late& mail : late_)
      out += fmt::format("  {}  due {}, accepted {}\n", mail.user, local(mail.due), local(mail.accepted));
    if (late_mails_ > static_cast<std::int64_t>(late_.size())) out += "  … the others: late_s in acts.ndjson\n";
  }
  out += "\nAt the end\n";
  for (const auto& [state, count] : states_) out += fmt::format("  {:>8}  invitations {}\n", count, state);
  out += fmt::format("  {:>8}  held for a person\n", held_);
  if (!days_.empty()) out += "\nDay by day\n";
  for (const auto& [day, counts] : days_) {
    out += "  " + day;
    for (const auto& [action, count] : counts) out += fmt::format("  {} {}", count, action);
    out += "\n";
  }
  return out;
}

}  // namespace invited::rehearsal
