#include "sim/world.hpp"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace invited::sim {

namespace {

using namespace std::chrono_literals;

// Each run begins some days before one of these nights: clocks change, midnight does not exist, a year ends, nothing
// happens.
constexpr std::array<std::int64_t, 6> beginnings{
    1'792'483'200'000,  // 2026-10-20, Stockholm and Helsinki on the 25th
    1'774'310'400'000,  // 2026-03-24, on the 29th
    1'788'220'800'000,  // 2026-09-01, Santiago has no midnight on the 6th
    1'776'643'200'000,  // 2026-04-20, Cairo has none on the 24th
    1'790'035'200'000,  // 2026-09-22, Auckland on the 27th
    1'798'416'000'000,  // 2026-12-28
};

date::year_month_day to_date(CivilDate d) {
  return date::year{static_cast<int>(d.year())} / static_cast<unsigned>(d.month()) / static_cast<unsigned>(d.day());
}

CivilDate from_days(date::local_days days) {
  return CivilDate{std::chrono::sys_days{std::chrono::days{days.time_since_epoch().count()}}};
}

std::string after_marker(const std::string& text, const std::string& marker) {
  const auto at = text.find(marker);
  if (at == std::string::npos) return {};
  const auto from = at + marker.size();
  return text.substr(from, text.find('\n', from) - from);
}

// PRODUCT §5: five days after the last one, or as the template says.
Instant leaves_at(const Version& version, const Person& person) {
  return World::first_instant(model::add_days(*version.end, person.leaver_days + 1), person.zone);
}

Instant beginning_of(std::uint64_t seed) {
  return Instant{Milliseconds{beginnings.at(seed % beginnings.size())}};
}

}  // namespace

World::World(std::uint64_t seed, int people_count, int days) : random(seed), clock(beginning_of(seed)) {
  const auto rate = [&](std::uint64_t highest) { return chance(500) ? 1 + below(highest) : std::uint64_t{0}; };
  faults = {.mail_deferred = rate(300),
            .mail_rejected = rate(60),
            .answer_lost = rate(200),
            .connection_lost = rate(200),
            .relay_down = rate(100),
            .relay_slow = rate(300),
            .crash_with_mails_out = rate(400),
            .crash_anywhere = rate(100),
            .provider_busy = rate(400),
            .provider_lost = rate(400),
            .provider_refuses = rate(40),
            .provider_slow = rate(400),
            .source_fails = rate(200),
            .dns_silent = rate(600),
            .dns_slow = rate(300),
            .crash_in_run = rate(150),
            .source_late = rate(200),
            .source_stale = rate(200)};
  // Small enough to be met by few people, or as by default.
  if (chance(600)) brakes.batch = 1 + static_cast<std::int64_t>(below(3));
  for (int i = 0; i < people_count; ++i) {
    const Place& place = places.at(below(places.size()));
    Person p;
    p.number = i;
    p.id = fmt::format("p{:02}", i);
    p.name = fmt::format("Person {:02}", i);
    p.company = place.company;
    p.zone = place.zone;
    p.send_hour = place.send_hour;
    p.lead_days = place.lead_days;
    p.preparation = place.preparation;
    p.ready_mail = place.ready_mail;
    p.in_review = chance(350);
    p.by_hand = chance(250);
    if (p.in_review) {
      if (chance(600)) p.job = senior;
    } else if (chance(350)) {
      p.job = office;
      p.id = fmt::format("person{:02}", i);  // by the template's pattern; its rows bring none
    } else if (chance(300)) {
      p.job = brief;
      p.leaver_days = 2;
    }
    p.truth.email = chance(150) ? ""
                                : fmt::format("p{:02}@{}", i,
                                              chance(250)   ? "verified.example"
                                              : chance(150) ? "proven.example"
                                                            : "mail.example");
    p.truth.start =
        model::add_days(date_at(now(), p.zone), static_cast<int>(below(static_cast<std::uint64_t>(days) + 4)) - 2);
    if (chance(150)) p.truth.end = model::add_days(p.truth.start, static_cast<int>(below(6)));
    people.push_back(std::move(p));
  }
}

void World::after(Milliseconds pause, std::function<void()> event) {
  events_.emplace(now() + std::max(pause, Milliseconds{0}), std::move(event));
}

std::optional<Instant> World::next_event() const {
  if (events_.empty()) return std::nullopt;
  return events_.begin()->first;
}

void World::run_event() {
  auto event = std::move(events_.begin()->second);
  events_.erase(events_.begin());
  event();
}

void World::log(const std::string& line) {
  std::string text = fmt::format("{} {}", now().time_since_epoch().count(), line);
  for (const char c : text) {
    hash_ ^= static_cast<unsigned char>(c);
    hash_ *= 1'099'511'628'211ULL;
  }
  text = model::to_utc_text(now()) + " " + line;
  if (print) std::fprintf(stderr, "%s\n", text.c_str());
  tail_.push_back(std::move(text));
  if (tail_.size() > 60) tail_.pop_front();
}

void World::violate(const std::string& invariant, const std::string& what) {
  log("VIOLATION " + invariant + ": " + what);
  if (violation_.empty()) violation_ = invariant + ": " + what;
}

Instant World::local_time(CivilDate date, int hour, const std::string& zone) {
  const auto local = date::local_days{to_date(date)} + std::chrono::hours{hour};
  const auto at = date::locate_zone(zone)->to_sys(local, date::choose::earliest);
  return Instant{std::chrono::duration_cast<Milliseconds>(at.time_since_epoch())};
}

Instant World::first_instant(CivilDate date, const std::string& zone) {
  return local_time(date, 0, zone);
}

CivilDate World::date_at(Instant at, const std::string& zone) {
  return from_days(date::floor<date::days>(date::locate_zone(zone)->to_local(at)));
}

Instant World::end_of(const Mail& mail, Instant counted_from) const {
  const std::string& zone = people.at(static_cast<std::size_t>(mail.person)).zone;
  return first_instant(model::add_days(date_at(counted_from, zone), 5), zone);
}

std::vector<Version> World::believed(const Person& person) const {
  if (person.handed.empty()) return {};
  const std::size_t from = person.read_once ? person.finished : 0;
  return {person.handed.begin() + static_cast<std::ptrdiff_t>(from), person.handed.end()};
}

bool World::surely_withdrawn(const Person& person) const {
  // An older employment with an end counts as one of its own: it is in force again when the newer one is withdrawn.
  if (std::any_of(person.handed.begin(), person.handed.end(), [](const Version& v) { return v.end.has_value(); }))
    return false;
  // An old record that comes once more after a withdrawal is a new employment if it begins on another day.
  bool withdrawn = false;
  for (const Version& v : person.handed) {
    if (withdrawn && !v.withdrawn && v.start != person.handed.back().start) return false;
    withdrawn = withdrawn || v.withdrawn;
  }
  const auto versions = believed(person);
  return person.read_once && !person.kept_against_hr &&
         std::all_of(versions.begin(), versions.end(), [](const Version& v) { return v.withdrawn; });
}

bool World::surely_left(const Person& person) const {
  const auto versions = believed(person);
  return person.read_once && std::all_of(versions.begin(), versions.end(),
                                         [&](const Version& v) { return v.end && now() >= leaves_at(v, person); });
}

bool World::perhaps_left(const Person& person) const {
  return std::any_of(person.handed.begin(), person.handed.end(),
                     [&](const Version& v) { return v.end && now() >= leaves_at(v, person); });
}

bool World::must_be_gone(const Person& person) const {
  return person.read_once && std::all_of(person.handed.begin(), person.handed.end(), [&](const Version& v) {
           return v.end && !v.withdrawn && now() >= leaves_at(v, person) + 1h;
         });
}

std::size_t World::told(Person& person, Version version) {
  const Version* before = person.handed.empty() ? nullptr : &person.handed.back();
  const bool comes_back = before != nullptr && before->start != version.start;
  if (comes_back) person.disabled = false;  // a re-hire is enabled again
  if (before == nullptr || !(*before == version)) touched(person);
  person.last_trigger = now();
  if (version.email.empty() && before != nullptr) version.email = before->email;  // an empty cell clears no login email
  if (version.email.empty() && person.job == office)
    version.email = fmt::format("person.{:02}@mail.example", person.number);
  person.handed.push_back(std::move(version));
  person.kept_against_hr = false;
  return person.handed.size() - 1;
}

void World::finished(Person& person, std::size_t index, Instant told_at) {
  const Version& version = person.handed.at(index);
  const Version* before = person.read_once ? &person.handed.at(person.finished) : nullptr;
  const bool plain = person.confirmed_emails.empty() && domains_asked.empty() && !person.ended_by_operator;
  // What somebody approved is not what it was: asked again, as long as nothing went out.
  const bool other = before != nullptr && !version.withdrawn && !before->end && !version.end &&
                     ((!before->email.empty() && before->email != version.email) || before->start != version.start);
  if (other && plain && newest_mail(person) == nullptr && person.approval_asked_at < told_at) {
    person.approval_asked = false;
    person.steps_asked.clear();
  }
  person.finished = index;
  person.read_once = true;
  person.withdrawal_said = surely_withdrawn(person);
  // Another address while nothing is connected: what went to the old one is over.
  for (auto& [key, mail] : mails) {
    if (mail.person == person.number && !version.email.empty() && mail.to != version.email &&
        person.confirmed_emails.empty() && domains_asked.empty())
      mail.over = true;
  }
}

Person* World::by_name(const std::string& name) {
  for (Person& p : people) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

Mail* World::newest_mail(const Person& person) {
  Mail* newest = nullptr;
  for (auto& [key, mail] : mails) {
    if (mail.person == person.number && !mail.sign_in) newest = &mail;  // keys grow with time
  }
  return newest;
}

void World::touched(Person& person) {
  person.last_trigger = now();
  for (auto& [key, mail] : mails) {
    if (mail.person == person.number) mail.doubt = true;
  }
}

void World::touched_all() {
  for (Person& p : people) touched(p);
}

void World::all_over(Person& person) {
  for (auto& [key, mail] : mails) {
    if (mail.person == person.number) mail.over = true;
  }
}

// I2: not before its time, not before the approval, not to someone who was cancelled, not before the sources are read.
void World::check_may_go(Person& person, Mail& mail) {
  if (unread_since && now() < *unread_since + 30s)
    violate("I2", fmt::format("{} gets a mail before the HR system was read", person.id));
  if (mail.over) violate("I2", fmt::format("{} gets a mail of an invitation that is over", person.id));
  if (person.disabled) violate("I2", fmt::format("{} is disabled and gets a mail", person.id));
  if (surely_withdrawn(person)) violate("I2", fmt::format("{} is withdrawn and gets a mail", person.id));
  if (surely_left(person)) violate("I2", fmt::format("{} has left and gets a mail", person.id));
  if (person.in_review && !person.approval_asked)
    violate("I2", fmt::format("{} gets a mail without the last approval", person.id));
  const auto versions = believed(person);
  const bool may_be_another =
      !person.confirmed_emails.empty() || !domains_asked.empty();  // a connected user's address is not changed
  const auto has_address = [&](const Version& v) { return v.email == mail.to; };
  if (std::none_of(versions.begin(), versions.end(), has_address) &&
      !(may_be_another && std::any_of(person.handed.begin(), person.handed.end(), has_address)))
    violate("I2", fmt::format("a mail for {} goes to {}", person.id, mail.to));
  for (const auto& [domain, since] : domains) {
    if (mail.to.ends_with("@" + domain) && now() > since + 1h)
      violate("I2", fmt::format("{} is in a verified domain and gets a mail", person.id));
  }
  if (mail.sends > 1) return;
  // An older employment with an end may be in force again.
  auto jobs = versions;
  // Withdrawn by the newest record and invited all the same: kept by a person, or an older record that came once more
  // is an employment of its own.
  const bool kept = std::all_of(versions.begin(), versions.end(), [](const Version& v) { return v.withdrawn; });
  if (kept) jobs = person.handed;
  std::copy_if(person.handed.begin(), person.handed.end(), std::back_inserter(jobs),
               [](const Version& v) { return v.end.has_value(); });
  const bool due = std::any_of(jobs.begin(), jobs.end(), [&](const Version& v) {
    if (v.withdrawn && !kept) return false;
    const CivilDate day = model::add_days(v.start, -person.lead_days);
    const Instant window = first_instant(day, person.zone);
    return now() >= local_time(day, person.send_hour, person.zone) ||
           (now() >= window && person.last_trigger >= window);
  });
  if (!due && !person.asked) violate("I2", fmt::format("{} gets a mail before its time", person.id));
  if (!due) person.asked = false;
}

// W4: only where the company wants it, and only to whom a verified domain connects.
void World::check_sign_in_mail(const Person& person, const Mail& mail) {
  if (!person.ready_mail)
    violate("I2", fmt::format("{} is told of a sign-in, and the company did not ask for it", person.id));
  if (!domains_asked.contains(mail.to.substr(mail.to.find('@') + 1)))
    violate("I2", fmt::format("{} is told of a sign-in by {}, which is no verified domain", person.id, mail.to));
  if (person.external_ids.empty()) violate("I2", fmt::format("{} is told of a sign-in, and there is none", person.id));
  if (person.disabled) violate("I2", fmt::format("{} is disabled and is told of a sign-in", person.id));
}

void World::mail_handed_over(const Id& key, const std::string& to, const std::string& message_id,
                             const std::string& bytes) {
  Person* person = by_name(after_marker(bytes, "Name: "));
  const std::string link = after_marker(bytes, "/v/");
  const auto last_day = model::parse_date(after_marker(bytes, "Until: "));
  const bool sign_in = !after_marker(bytes, "Sign in: ").empty();
  if (person == nullptr || (!last_day && !sign_in) || (sign_in && !link.empty())) {
    violate("I3", "a mail that is nobody's: " + bytes);
    return;
  }
  const bool first = !mails.contains(key);
  Mail& mail = mails[key];
  if (first) {
    for (auto& [other, older] : mails) {
      if (other == key) continue;
      if (older.message_id == message_id) violate("I3", "two mails with one Message-ID");
      if (older.person == person->number && !sign_in) older.over = true;  // superseded
    }
    mail.key = key;
    mail.person = person->number;
    mail.to = to;
    mail.message_id = message_id;
    mail.sign_in = sign_in;
    mail.link = link;
    mail.first_sent = now();
    // Something newer is on its way into the daemon already.
    mail.doubt =
        person->handed.empty() || person->handed.back().email != to || person->finished + 1 != person->handed.size();
  }
  ++mail.sends;
  log(fmt::format("relay: mail {} for {} to {}, try {}", message_id.substr(0, 8), person->id, to, mail.sends));
  if (mail.to != to || mail.message_id != message_id || mail.link != link || mail.person != person->number)
    violate("I3", "two copies of one mail differ");
  if (mail.with_relay) violate("I3", "a mail is handed over while it is with the relay");
  if (mail.taken) violate("I3", "a mail that was accepted goes out again");
  if (mail.answers_lost + mail.crashes >= 3 * (1 + mail.let_go))
    violate("I3", "a mail is tried a fourth time with unknown outcome");
  mail.last_day = last_day.value_or(CivilDate{});
  mail.with_relay = true;
  mail.basis = now();
  if (sign_in) {
    check_sign_in_mail(*person, mail);
  } else {
    check_may_go(*person, mail);
  }
}

void World::mail_arrived(const Id& key) {
  Mail& mail = mails.at(key);
  ++mail.copies;
  ++copies;
  log(fmt::format("relay: copy {} of {} arrived", mail.copies, mail.message_id.substr(0, 8)));
  if (mail.copies > 1 + mail.crashes + mail.answers_lost)
    violate("I3", fmt::format("{} copies after {} crashes and {} lost answers", mail.copies, mail.crashes,
                              mail.answers_lost));
}

void World::daemon_crashed() {
  ++crashes;
  if (!proof.denied_since) proof.denied_since = proof.denied_before;  // the last answer may not have been kept
  for (auto& [key, mail] : mails) {
    if (mail.with_relay) {
      ++mail.crashes;
      mail.with_relay = false;
    }
  }
}

}  // namespace invited::sim
