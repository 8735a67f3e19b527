// What is true outside the daemon, kept apart from it: people, what HR and the operator said about them, mails that
// really arrived, accounts that really exist. Every rule is judged from here, never from the daemon's own decision.
//
// Permissions count from the moment somebody begins to ask, prohibitions from the moment the daemon said "done":
// between the two either is right.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/id.hpp"
#include "model/batch.hpp"
#include "model/civil_time.hpp"
#include "support/manual_clock.hpp"
#include "support/seeded_random.hpp"

namespace invited::sim {

using core::Id;
using core::Instant;
using core::Milliseconds;
using model::CivilDate;

// How often things go wrong, in per mille. Each seed turns on a random subset at random rates, so that combinations
// occur.
struct Faults {
  std::uint64_t mail_deferred = 0;
  std::uint64_t mail_rejected = 0;
  std::uint64_t answer_lost = 0;      // the mail is there, the answer is not
  std::uint64_t connection_lost = 0;  // neither
  std::uint64_t relay_down = 0;
  std::uint64_t relay_slow = 0;
  std::uint64_t crash_with_mails_out = 0;
  std::uint64_t crash_anywhere = 0;  // per event of the world
  std::uint64_t provider_busy = 0;
  std::uint64_t provider_lost = 0;
  std::uint64_t provider_refuses = 0;
  std::uint64_t provider_slow = 0;
  std::uint64_t source_fails = 0;
  std::uint64_t dns_silent = 0;
  std::uint64_t dns_slow = 0;
  std::uint64_t crash_in_run = 0;  // of a source
  std::uint64_t source_late = 0;   // something in it cannot be read yet
  std::uint64_t source_stale = 0;  // older versions of a person come once more before the newest
};

// The companies, as the daemon's configuration has them, too (running.cpp).
struct Place {
  const char* company;
  const char* zone;
  int send_hour;
  int lead_days;
  bool preparation;  // people may type their address themselves
  bool ready_mail;   // whom a verified domain connects is told by a mail
  int mails_per_minute;
};
inline constexpr std::array<Place, 5> places{{{"", "Europe/Stockholm", 9, 1, false, false, 0},
                                              {"north", "Europe/Helsinki", 7, 2, true, true, 0},
                                              {"south", "America/Santiago", 9, 1, true, false, 4},
                                              {"nile", "Africa/Cairo", 9, 1, false, true, 1},
                                              {"east", "Pacific/Auckland", 9, 1, false, false, 0}}};

// The employment templates: one that makes the user-id and the login email, one whose people stay for two days only,
// and one that asks two steps of review from people who did not enter the hire.
inline constexpr const char* office = "office";
inline constexpr const char* brief = "brief";
inline constexpr const char* senior = "senior";

// Who enters hires by hand; another one approves.
inline constexpr const char* eva = "uid:7 (eva)";
inline constexpr const char* olof = "uid:8 (olof)";

struct Version {
  std::string email;  // empty: none yet
  CivilDate start{};
  std::optional<CivilDate> end;
  bool withdrawn = false;
  bool operator==(const Version&) const = default;
};

struct Person {
  int number = 0;
  std::string id;
  std::string name;
  std::string company;
  std::string zone;
  int send_hour = 9;
  int lead_days = 1;
  bool in_review = false;
  std::string job;      // employment template; empty: none
  int leaver_days = 5;  // its user template's, or the company's
  bool preparation = false;
  bool ready_mail = false;
  bool by_hand = false;  // eva types in what HR says

  Version truth;                // in the HR system now
  bool unread = false;          // not yet handed to the daemon
  std::vector<Version> handed;  // in the order in which the daemon was told
  std::size_t finished = 0;     // the daemon said it has all up to this one (index into handed)
  bool read_once = false;       // something was finished
  Instant last_trigger{};       // when somebody last did anything about this person

  bool approval_asked = false;  // the last one, since the last rejection, reopening or change
  std::set<std::string> steps_asked;
  Instant approval_asked_at{};
  bool ever_disabled = false;  // somebody wanted it, ever
  bool disabled = false;       // and said to be done
  bool wanted_enabled = true;  // what the operator wants in the end
  bool asked = false;          // a send by hand is in the air
  bool ended_by_operator = false;
  bool confirmed_by_person = false;
  bool withdrawal_said = false;            // the daemon has it; it may wait for the end of its run, or for a person
  bool kept_against_hr = false;            // a person discarded it, and HR has not said it again since
  std::set<std::string> confirmed_emails;  // a person posted the form of a mail to this address
  std::set<std::string> external_ids;      // under which the provider knows the person
  bool refused_by_provider = false;
};

// One mail (a delivery of the daemon) and its copies.
struct Mail {
  Id key;
  int person = 0;
  std::string message_id;
  std::string to;
  bool sign_in = false;  // tells that the sign-in is ready; has no link
  std::string link;      // the token
  CivilDate last_day{};  // the last day that the text promises
  Instant first_sent{};
  int sends = 0;
  int copies = 0;                      // that arrived
  int answers_lost = 0;                // verdict "unknown"
  int crashes = 0;                     // while it was with the relay
  int let_go = 0;                      // an operator let it go again, or asked again
  bool with_relay = false;             // handed over, not yet settled
  bool taken = false;                  // accepted, and the daemon said it has that
  std::optional<Instant> accepted_at;  // the last answer "accepted" that was given
  int accepted_answers = 0;
  Instant basis{};     // the latest moment from which the days may be counted
  bool over = false;   // cancelled, superseded or ended, and said to be done
  bool doubt = false;  // somebody began something that may end it
  bool confirmed = false;
};

// The TXT record of the domain that is proven, as it stands in the DNS, and what the DNS said about it.
struct Proof {
  std::string name;
  std::string value;
  bool published = false;
  Instant changed{};                     // published or withdrawn
  bool seen = false;                     // the DNS ever gave it to the daemon
  std::optional<Instant> denied_since;   // the DNS says since then that it is not there
  std::optional<Instant> denied_before;  // what this was before the last answer
};

class World {
public:
  World(std::uint64_t seed, int people, int days);

  // ---- chance and time
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random.below(bound); }
  [[nodiscard]] bool chance(std::uint64_t per_mille) { return per_mille > 0 && random.below(1'000) < per_mille; }
  [[nodiscard]] Milliseconds between(Milliseconds from, Milliseconds to) {
    return from +
           Milliseconds(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>((to - from).count()) + 1)));
  }
  [[nodiscard]] Instant now() const { return clock.now(); }
  void after(Milliseconds pause, std::function<void()> event);
  [[nodiscard]] std::optional<Instant> next_event() const;
  void run_event();

  // ---- the record of the run
  void log(const std::string& line);
  void violate(const std::string& invariant, const std::string& what);
  [[nodiscard]] const std::string& violation() const { return violation_; }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] const std::deque<std::string>& tail() const { return tail_; }
  bool print = false;

  // ---- the oracle
  [[nodiscard]] static Instant first_instant(CivilDate date, const std::string& zone);
  [[nodiscard]] static Instant local_time(CivilDate date, int hour, const std::string& zone);
  [[nodiscard]] static CivilDate date_at(Instant at, const std::string& zone);
  [[nodiscard]] Instant end_of(const Mail& mail, Instant counted_from) const;
  [[nodiscard]] std::vector<Version> believed(const Person& person) const;  // what the daemon may hold true
  [[nodiscard]] bool surely_withdrawn(const Person& person) const;
  [[nodiscard]] bool surely_left(const Person& person) const;  // long enough ago to be disabled
  [[nodiscard]] bool perhaps_left(const Person& person) const;
  // Whatever the daemon heard, this person had to be disabled by now.
  [[nodiscard]] bool must_be_gone(const Person& person) const;

  // ---- what happens
  void mail_handed_over(const Id& key, const std::string& to, const std::string& message_id, const std::string& bytes);
  void mail_arrived(const Id& key);
  void daemon_crashed();
  // Something begins that may end, replace or permit a mail to this person.
  void touched(Person& person);
  void touched_all();
  // The daemon said that everything sent to this person before is over.
  void all_over(Person& person);
  // The daemon begins to hear this version, and said that it has all up to that one.
  std::size_t told(Person& person, Version version);
  void finished(Person& person, std::size_t index, Instant told_at);
  Person* by_name(const std::string& name);
  Mail* newest_mail(const Person& person);

  test::SeededRandom random;
  test::ManualClock clock;
  Faults faults;
  model::Brakes brakes;
  std::vector<Person> people;
  std::map<Id, Mail> mails;
  std::map<std::string, std::string> accounts;  // external id → login email, at the provider
  std::set<std::string> domains_asked;          // somebody began to verify them, ever
  std::map<std::string, Instant> domains;       // verified, and said to be done
  Proof proof;
  std::optional<Instant> unread_since;  // the daemon's start, until the HR system was read or is down
  int crashes = 0;
  int copies = 0;
  int connected = 0;
  int expired_seen = 0;

private:
  void check_may_go(Person& person, Mail& mail);
  void check_sign_in_mail(const Person& person, const Mail& mail);
  std::multimap<Instant, std::function<void()>> events_;
  std::uint64_t hash_ = 14'695'981'039'346'656'037ULL;
  std::deque<std::string> tail_;
  std::string violation_;
};

}  // namespace invited::sim
