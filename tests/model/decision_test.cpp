// One or more promises per rule of PRODUCT §2, and properties over random facts.
#include "model/decision.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <stdexcept>

using namespace invited::model;
using namespace std::chrono_literals;

namespace {

CivilDate day(const char* text) {
  const auto date = parse_date(text);
  if (!date) throw std::logic_error(text);
  return *date;
}

// A user and what is known about her; starts as a hire of company time in Stockholm who begins on 1 December 2026.
struct World {
  User user;
  Policy policy;
  std::optional<Employment> employment;
  std::optional<Invitation> invitation;
  std::optional<Delivery> delivery;
  bool domain_verified = false;
  Instant now{};
  bool asked = false;

  World() {
    user.user_id = "14";
    login_email("anna@example.com");
    employment.emplace();
    employment->start_date = day("2026-12-01");
    at("2026-11-02", 10);
  }

  void login_email(const std::string& address) {
    user.login_email = user.login_email_canonical = address;
    user.login_email_domain = address.empty() ? "" : address.substr(address.find('@') + 1);
  }
  void at(const char* date, int hour, std::chrono::minutes minutes = 0min) {
    now = instant_of({day(date), hour, policy.zone}) + minutes;
  }
  void start(const char* date) { employment->start_date = day(date); }

  Invitation& offer(InvitationState state) {
    invitation.emplace();
    invitation->state = state;
    invitation->login_email = user.login_email;
    invitation->login_email_canonical = user.login_email_canonical;
    if (state == InvitationState::scheduled) invitation->due = due_for(employment->start_date, policy);
    if (state >= InvitationState::sent) {
      invitation->accepted_at = now;
      invitation->ends_at = link_end(now, policy.zone, policy.valid_days);
    }
    return *invitation;
  }
  Delivery& mail(DeliveryState state) {
    delivery.emplace();
    delivery->state = state;
    return *delivery;
  }

  [[nodiscard]] Facts facts() const {
    return Facts{.user = user,
                 .employment = employment ? &*employment : nullptr,
                 .invitation = invitation ? &*invitation : nullptr,
                 .delivery = delivery ? &*delivery : nullptr,
                 .domain_verified = domain_verified,
                 .policy = policy,
                 .now = now,
                 .asked = asked};
  }
  [[nodiscard]] Decision decide() const { return invited::model::decide(facts()); }
};

// "send 2026-11-30T09:00 start_later", "send now hire…": what a decision comes to, in the zone of the world.
std::string brief(const World& world, const Decision& d) {
  const std::string when = d.at == world.now ? "now" : local_text(d.at, world.policy.zone);
  return std::string(to_text(d.action)) + " " + when + " " + std::string(d.reason());
}
std::string brief(const World& world) {
  return brief(world, world.decide());
}

std::vector<std::string> codes(const Decision& d) {
  std::vector<std::string> out;
  for (const Reason& each : d.reasons) out.emplace_back(each.code);
  return out;
}

const std::string eve = "send 2026-11-30T09:00 start_later";
const std::string at_once = "send now start_tomorrow_or_earlier";

}  // namespace

// ---- W0 ---------------------------------------------------------------------------------------------------------

TEST_CASE("W0 a hire with a login email is invited without being asked for") {
  const World world;
  CHECK(brief(world) == eve);
  CHECK(codes(world.decide()) == std::vector<std::string>{"hire", "start_later"});
}

TEST_CASE("W0 a hire whose login email comes later is invited when it comes") {
  World world;
  world.login_email("");
  CHECK(brief(world) == "none now no_login_email");
  world.at("2026-12-20", 14);
  world.login_email("anna@example.com");
  CHECK(brief(world) == at_once);
}

TEST_CASE("W0 everyone else waits for an explicit send") {
  World world;
  world.employment->hire_open = false;
  CHECK(brief(world) == "none now not_a_hire");
  world.employment.reset();
  CHECK(brief(world) == "none now not_a_hire");
}

TEST_CASE("W0 a re-hire who is not connected is invited anew, whatever became of the invitation of the first hire") {
  World world;
  for (const auto state : {InvitationState::connected, InvitationState::expired, InvitationState::revoked,
                           InvitationState::cancelled, InvitationState::superseded}) {
    world.offer(state).created_at = world.now - 24h * 365;
    world.invitation->end_reason = state == InvitationState::cancelled ? reason::discarded : reason::revoked;
    world.employment->created_at = world.now - 1h;
    CAPTURE(to_text(state));
    CHECK(brief(world) == eve);
  }
}

TEST_CASE("W0 auto_invite none: not even a hire is invited without being asked for, and the reason says so") {
  World world;
  world.policy.auto_invite = AutoInvite::none;
  CHECK(brief(world) == "none now auto_invite_none");
  world.asked = true;
  CHECK(brief(world) == "send now asked");
}

TEST_CASE("W0 auto_invite none ends what a rule had planned, not what a person asked for") {
  World world;
  world.policy.auto_invite = AutoInvite::none;
  world.offer(InvitationState::scheduled);
  CHECK(brief(world) == "cancel now auto_invite_none");
  world.invitation->cause = InvitationCause::asked;
  CHECK(brief(world) == eve);
}

TEST_CASE("W0 auto_invite all: an existing user is invited once for each login email") {
  World world;
  world.policy.auto_invite = AutoInvite::all;
  world.employment.reset();
  CHECK(brief(world) == "send now no_start_date");
  CHECK(codes(world.decide()).front() == "auto_invite_all");
  world.offer(InvitationState::expired);
  CHECK(brief(world) == "none now link_expired");
  world.login_email("anna.new@example.com");
  CHECK(brief(world) == "send now no_start_date");
}

TEST_CASE("W0 auto_invite all: a plan for somebody who is no hire stands until its day") {
  World world;
  world.policy.auto_invite = AutoInvite::all;
  world.employment->hire_open = false;
  CHECK(brief(world) == eve);
  world.offer(InvitationState::scheduled);
  CHECK(brief(world) == eve);
  world.start("2026-12-09");  // W5
  CHECK(brief(world) == "send 2026-12-08T09:00 start_later");
}

TEST_CASE("W0 a plan left behind by a hire who was withdrawn does not go out for the older employment") {
  World world;
  world.offer(InvitationState::scheduled);
  world.employment->start_date = day("2020-01-01");  // the one in force now
  world.employment->hire_open = false;
  CHECK(brief(world) == "cancel now not_a_hire");
}

TEST_CASE("W0 a login email outside the allowed domains is not invited, asked for or not") {
  World world;
  world.policy.allowed_domains = {"example.org", "*.example.com"};
  for (const bool asked : {false, true}) {
    world.asked = asked;
    CHECK(brief(world) == "none now domain_not_allowed");
  }
  world.asked = false;
  world.offer(InvitationState::scheduled);
  CHECK(brief(world) == "cancel now domain_not_allowed");
  world.login_email("anna@mail.example.com");
  CHECK(world.decide().action == Action::send);
}

TEST_CASE("W0 an allowed domain is asked for before a verified one: a login email must belong to the list") {
  World world;
  world.policy.allowed_domains = {"example.org"};
  world.domain_verified = true;
  CHECK(brief(world) == "none now domain_not_allowed");
}

TEST_CASE("W0 what a person ended no rule begins again for the same address and hire") {
  World world;
  world.offer(InvitationState::cancelled).end_reason = reason::discarded;
  CHECK(brief(world) == "none now discarded");
  world.offer(InvitationState::revoked).end_reason = reason::revoked;
  CHECK(brief(world) == "none now link_revoked");
  world.domain_verified = true;  // neither by a mail nor without one
  CHECK(brief(world) == "none now link_revoked");
  world.asked = true;
  CHECK(brief(world) == "connect now verified_domain");
  world.domain_verified = false;
  CHECK(brief(world) == "send now asked");
}

TEST_CASE("W14 whose link was revoked with her being disabled waits for a person when she is back, and why says so") {
  World world;
  world.employment->hire_open = false;  // the mail was out
  world.offer(InvitationState::revoked).end_reason = reason::disabled;
  CHECK(brief(world) == "none now link_revoked");
  CHECK(world.decide().reasons.back().text ==
        "The link was revoked (disabled): send the verification again when it is wanted.");
  world.login_email("anna.new@example.com");
  CHECK(brief(world) == "none now not_a_hire");
}

TEST_CASE("W0 a deleted connection is not made again by itself, a verified domain included") {
  World world;
  world.employment->hire_open = false;
  world.offer(InvitationState::connected);
  CHECK(brief(world) == "none now disconnected");
  world.domain_verified = true;
  CHECK(brief(world) == "none now disconnected");
  world.login_email("anna.new@example.com");  // another address can then be saved
  CHECK(brief(world) == "connect now verified_domain");
}

// ---- W1, W2 -----------------------------------------------------------------------------------------------------

TEST_CASE("W1 a hire who starts tomorrow, today or in the past is invited at once, at any hour") {
  World world;
  for (const char* start : {"2026-11-03", "2026-11-02", "2026-11-01", "2026-06-01", "1990-01-01"}) {
    world.start(start);
    for (const int hour : {0, 8, 9, 10, 23}) {
      world.at("2026-11-02", hour);
      CAPTURE(start, hour);
      CHECK(brief(world) == at_once);
      CHECK_FALSE(world.decide().due);
    }
  }
}

TEST_CASE("W2 a hire who starts the day after tomorrow or later is invited at 09:00 on the day before") {
  World world;
  world.start("2026-11-04");
  CHECK(brief(world) == "send 2026-11-03T09:00 start_later");
  world.at("2026-11-02", 23, 59min);
  CHECK(brief(world) == "send 2026-11-03T09:00 start_later");
  world.at("2026-11-03", 0);  // a minute later it is W1
  CHECK(brief(world) == at_once);
  world.start("2027-01-01");
  CHECK(brief(world) == "send 2026-12-31T09:00 start_later");
  CHECK(world.decide().due == CivilDue{day("2026-12-31"), 9, "Europe/Stockholm"});
}

TEST_CASE("W2 a plan that stands keeps its 09:00, also when looked at at 00:05 of that day") {
  World world;
  world.offer(InvitationState::scheduled);
  for (const int hour : {0, 7, 8}) {
    world.at("2026-11-30", hour, 5min);
    CHECK(brief(world) == eve);
    CHECK(world.decide().at > world.now);
  }
  world.at("2026-11-30", 9);
  CHECK(world.decide().at == world.now);
  world.at("2026-11-30", 9, 1min);
  CHECK(world.decide().at < world.now);
}

TEST_CASE("W2 is civil time: 09:00 stays 09:00 over a clock change between the plan and its day") {
  World world;
  world.at("2026-10-20", 12);
  world.start("2026-10-26");  // clocks go back on the 25th
  CHECK(to_utc_text(world.decide().at) == "2026-10-25T08:00:00Z");
  world.start("2026-10-25");
  CHECK(to_utc_text(world.decide().at) == "2026-10-24T07:00:00Z");
}

TEST_CASE("W2 today is the company's: the same moment is the eve in Auckland and a day earlier in Los Angeles") {
  World world;
  world.start("2026-12-01");
  world.now = instant_of({day("2026-11-29"), 18, "UTC"});  // 30 November 07:00 in Auckland
  world.policy.zone = "Pacific/Auckland";
  CHECK(brief(world) == at_once);
  world.policy.zone = "America/Los_Angeles";
  CHECK(brief(world) == "send 2026-11-30T09:00 start_later");
}

TEST_CASE("W2 the hour and the lead are settings of the company") {
  World world;
  world.policy.send_hour = 7;
  CHECK(brief(world) == "send 2026-11-30T07:00 start_later");
  world.policy.lead_days = 3;
  CHECK(brief(world) == "send 2026-11-28T07:00 start_later");
  world.at("2026-11-27", 23);
  CHECK(brief(world) == "send 2026-11-28T07:00 start_later");
  world.at("2026-11-28", 0);
  CHECK(brief(world) == at_once);
  world.policy.lead_days = 0;
  CHECK(brief(world) == "send 2026-12-01T07:00 start_later");
  world.at("2026-11-30", 23);
  CHECK(brief(world) == "send 2026-12-01T07:00 start_later");
  world.at("2026-12-01", 0);
  CHECK(brief(world) == at_once);
}

TEST_CASE("W2 a change of the hour or the zone moves a plan, and moves it without releasing it early") {
  World world;
  world.offer(InvitationState::scheduled);
  world.policy.send_hour = 15;
  CHECK(brief(world) == "send 2026-11-30T15:00 start_later");
  world.policy.zone = "Europe/Helsinki";
  CHECK(brief(world) == "send 2026-11-30T15:00 start_later");
  CHECK(to_utc_text(world.decide().at) == "2026-11-30T13:00:00Z");
}

TEST_CASE("W2 an hour that a clock change skips means the first instant after it") {
  World world;
  world.policy.send_hour = 2;
  world.at("2027-03-01", 12);
  world.start("2027-03-29");  // 02:00 of the 28th does not exist
  CHECK(to_utc_text(world.decide().at) == "2027-03-28T01:00:00Z");
}

// ---- W3 ---------------------------------------------------------------------------------------------------------

TEST_CASE("W3 nothing is sent before the last approval, however late it is and whoever asks") {
  World world;
  world.employment->review = ReviewState::pending;
  for (const char* date : {"2026-11-02", "2026-11-30", "2026-12-24"}) {
    world.at(date, 12);
    for (const bool asked : {false, true}) {
      world.asked = asked;
      CHECK(brief(world) == "review now in_review");
    }
  }
  world.asked = false;
  world.offer(InvitationState::draft);
  CHECK(brief(world) == "review now in_review");
  world.offer(InvitationState::scheduled);  // the review was opened again
  CHECK(brief(world) == "review now in_review");
  world.offer(InvitationState::released);
  CHECK(brief(world) == "review now in_review");
}

TEST_CASE("W3 after a rejection nobody is sent anything before the next hire's last approval, asked for or not") {
  World world;
  world.employment->review = ReviewState::rejected;
  world.employment->end_date = day("2026-12-10");
  Employment next;
  next.start_date = day("2026-12-20");
  next.hire_open = true;
  for (const bool verified : {false, true}) {
    for (const bool asked : {false, true}) {
      world.domain_verified = verified;
      world.asked = asked;
      Facts facts = world.facts();
      facts.next = &next;
      next.review = ReviewState::pending;
      CHECK(brief(world, decide(facts)) == "review now in_review");
      next.review = ReviewState::approved;
      CHECK((decide(facts).action == Action::send || decide(facts).action == Action::connect));
    }
  }
}

TEST_CASE("W3 with the last approval W1 or W2 is applied at that moment") {
  World world;
  world.offer(InvitationState::draft);
  world.employment->review = ReviewState::approved;
  CHECK(brief(world) == eve);
  world.at("2026-12-05", 16);
  CHECK(brief(world) == at_once);
}

TEST_CASE("W3 approval at 07:00 on the day before the start: the mail goes out now, not at 09:00") {
  World world;
  world.offer(InvitationState::draft);
  world.employment->review = ReviewState::approved;
  world.at("2026-11-30", 7);
  CHECK(brief(world) == at_once);
}

TEST_CASE("W3 a link that is out lives to its end while a later review goes on") {
  World world;
  world.offer(InvitationState::sent);
  world.employment->review = ReviewState::pending;
  CHECK(brief(world) == "expire 2026-11-07T00:00 link_open");
}

// ---- W4, W7, W8 -------------------------------------------------------------------------------------------------

TEST_CASE(
    "W4 in a verified domain nobody gets a mail: hires, existing users and explicit sends are connected at once") {
  World world;
  world.domain_verified = true;
  for (const char* start : {"2020-01-01", "2026-11-03", "2030-01-01"}) {
    world.start(start);
    for (const bool hire : {false, true})
      for (const bool asked : {false, true})
        for (const auto setting : {AutoInvite::none, AutoInvite::hires, AutoInvite::all}) {
          world.employment->hire_open = hire;
          world.asked = asked;
          world.policy.auto_invite = setting;
          CHECK(brief(world) == "connect now verified_domain");
        }
  }
  world.employment.reset();
  CHECK(brief(world) == "connect now verified_domain");
}

TEST_CASE("W4 waits for the last approval where there is a review") {
  World world;
  world.domain_verified = true;
  world.employment->review = ReviewState::pending;
  CHECK(brief(world) == "review now in_review");
  world.employment->review = ReviewState::approved;
  CHECK(brief(world) == "connect now verified_domain");
}

TEST_CASE("W7 a domain that becomes verified while an invitation waits: connected now instead of a mail") {
  World world;
  world.domain_verified = true;
  for (const auto state :
       {InvitationState::draft, InvitationState::scheduled, InvitationState::released, InvitationState::sent}) {
    world.offer(state);
    CAPTURE(to_text(state));
    CHECK(brief(world) == "connect now verified_domain");
  }
}

TEST_CASE("W8 a domain that stops being verified: the connected stay connected, new users get mails") {
  World world;
  world.domain_verified = false;
  world.user.connection = Connection::connected;
  CHECK(brief(world) == "none now connected");
  world.user.connection = Connection::not_connected;
  CHECK(brief(world) == eve);
}

// ---- W5, W6 -----------------------------------------------------------------------------------------------------

TEST_CASE("W5 a start that moves before release is planned again, and the chain says that it moved") {
  World world;
  world.offer(InvitationState::scheduled);
  world.start("2027-02-01");  // later
  CHECK(brief(world) == "send 2027-01-31T09:00 start_later");
  CHECK(codes(world.decide()) == std::vector<std::string>{"hire", "start_date_changed", "start_later"});
  world.start("2026-11-05");  // earlier
  CHECK(brief(world) == "send 2026-11-04T09:00 start_later");
  for (const char* now : {"2026-11-03", "2026-11-02", "2026-01-01"}) {  // to tomorrow or earlier
    world.start(now);
    CHECK(brief(world) == at_once);
  }
}

TEST_CASE("W5 a start moved to tomorrow at 07:00 goes out now: the hour belongs to plans that stand") {
  World world;
  world.offer(InvitationState::scheduled);
  world.at("2026-11-20", 7);
  world.start("2026-11-21");
  CHECK(brief(world) == at_once);
}

TEST_CASE("W6 a start that moves after the mail was accepted sends nothing again, also after the link's end") {
  World world;
  world.employment->hire_open = false;  // the mail was accepted
  world.offer(InvitationState::sent);
  for (const char* start : {"2026-11-03", "2026-12-24", "2027-06-01"}) {
    world.start(start);
    CHECK(brief(world) == "expire 2026-11-07T00:00 link_open");
  }
  world.offer(InvitationState::expired);
  CHECK(brief(world) == "none now link_expired");
}

TEST_CASE("W6 a start that moves while the mail is on its way changes nothing about the mail") {
  World world;
  world.offer(InvitationState::released);
  world.mail(DeliveryState::queued).next_at = world.now;
  world.start("2027-06-01");
  CHECK(brief(world) == "deliver now mail_on_its_way");
}

// ---- W9 ---------------------------------------------------------------------------------------------------------

TEST_CASE("W9 a login email that changes while an invitation is open: the old offer is over and another is planned") {
  World world;
  world.employment->hire_open = false;  // accepted or not: pending is what counts
  for (const auto state : {InvitationState::draft, InvitationState::scheduled, InvitationState::released,
                           InvitationState::sent, InvitationState::verified}) {
    World each = world;
    each.offer(state);
    each.login_email("anna.new@example.com");
    CAPTURE(to_text(state));
    CHECK(brief(each) == eve);
    CHECK(codes(each.decide()) == std::vector<std::string>{"login_email_changed", "start_later"});
    each.at("2026-11-30", 0, 5min);  // saved on the eve: W1
    CHECK(brief(each) == at_once);
  }
}

TEST_CASE("W9 the same once the older invitation is superseded; the next plan then stands") {
  World world;
  world.employment->hire_open = false;
  world.offer(InvitationState::superseded).end_reason = reason::login_email_changed;
  world.login_email("anna.new@example.com");
  CHECK(brief(world) == eve);
  world.offer(InvitationState::scheduled);
  CHECK(brief(world) == eve);
  world.at("2026-11-30", 0, 5min);
  CHECK(brief(world) == eve);
}

TEST_CASE("W9 never connects, delivers or waits for an address that is no longer saved") {
  World world;
  for (const auto state : {InvitationState::released, InvitationState::sent, InvitationState::verified}) {
    world.offer(state);
    World each = world;
    each.login_email("anna.new@example.com");
    const Decision d = each.decide();
    CHECK(d.action == Action::send);
    each.login_email("");
    CHECK(brief(each) == "cancel now no_login_email");
  }
}

TEST_CASE("W9 a changed login email of a user in review waits for the last approval like the first") {
  World world;
  world.offer(InvitationState::draft);
  world.employment->review = ReviewState::pending;
  world.login_email("anna.new@example.com");
  CHECK(brief(world) == "review now in_review");
}

// ---- W10 --------------------------------------------------------------------------------------------------------

TEST_CASE("W10 disabled, withdrawn or rejected: what is open is cancelled and the reason is kept") {
  World world;
  for (const auto state : {InvitationState::draft, InvitationState::scheduled, InvitationState::released}) {
    CAPTURE(to_text(state));
    World each = world;
    each.offer(state);
    each.user.enabled = false;
    CHECK(brief(each) == "cancel now disabled");
    each.user.enabled = true;
    each.employment->withdrawn = true;
    CHECK(brief(each) == "cancel now withdrawn");
    each.employment->withdrawn = false;
    each.employment->review = ReviewState::rejected;
    CHECK(brief(each) == "cancel now review_rejected");
  }
}

TEST_CASE("W10 nothing begins for them either, not even when an administrator asks") {
  World world;
  world.asked = true;
  world.domain_verified = true;
  world.user.enabled = false;
  CHECK(brief(world) == "none now disabled");
  world.user.enabled = true;
  world.employment->withdrawn = true;
  CHECK(brief(world) == "none now withdrawn");
  world.employment->withdrawn = false;
  world.employment->review = ReviewState::rejected;
  world.employment->review_reason = "wrong person";
  CHECK(brief(world) == "none now review_rejected");
  CHECK_THAT(world.decide().reasons.back().text, Catch::Contains("wrong person"));
}

TEST_CASE("W10 a user who is enabled again before release is invited as if nothing had been") {
  World world;
  world.offer(InvitationState::cancelled).end_reason = reason::disabled;
  CHECK(brief(world) == eve);
}

TEST_CASE("W10 somebody whose employment is over is not invited in the hours before the sweep") {
  World world;
  world.start("2020-01-01");
  world.employment->end_date = day("2026-10-27");
  world.at("2026-11-01", 23);
  CHECK(brief(world) == at_once);
  world.at("2026-11-02", 0);
  CHECK(brief(world) == "none now employment_ended");
  world.asked = true;
  CHECK(brief(world) == "none now employment_ended");
  world.offer(InvitationState::sent);
  CHECK(brief(world) == "cancel now employment_ended");
}

// ---- W11 --------------------------------------------------------------------------------------------------------

TEST_CASE("W11 what fell due while the daemon was down is still to be sent, at the time it had") {
  World world;
  world.offer(InvitationState::scheduled);
  world.at("2026-12-04", 3);
  CHECK(brief(world) == eve);
  CHECK(world.decide().at < world.now);
}

TEST_CASE("W11 what the sources said meanwhile comes first: an overdue plan whose start moved ahead waits again") {
  World world;
  world.offer(InvitationState::scheduled);
  world.at("2026-12-04", 3);
  world.start("2027-01-11");
  CHECK(brief(world) == "send 2027-01-10T09:00 start_later");
}

// ---- W12, W13 ---------------------------------------------------------------------------------------------------

TEST_CASE("W12 an explicit send goes out now, whatever W2 says") {
  World world;
  world.asked = true;
  CHECK(brief(world) == "send now asked");
  for (const auto state : {InvitationState::draft, InvitationState::scheduled, InvitationState::sent,
                           InvitationState::expired, InvitationState::superseded, InvitationState::revoked,
                           InvitationState::cancelled, InvitationState::connected}) {
    world.offer(state);
    CAPTURE(to_text(state));
    CHECK(brief(world) == "send now asked");
  }
}

TEST_CASE("W12 what was asked for during a review goes out with the last approval, whatever W2 says") {
  World world;
  world.offer(InvitationState::draft).cause = InvitationCause::asked;
  world.employment->hire_open = false;
  world.employment->review = ReviewState::pending;
  CHECK(brief(world) == "review now in_review");
  world.employment->review = ReviewState::approved;
  CHECK(brief(world) == "send now asked");
}

TEST_CASE("W12 a mail already on its way is not sent twice for the asking") {
  World world;
  world.asked = true;
  world.offer(InvitationState::released);
  CHECK(brief(world) == "deliver now mail_on_its_way");
  world.mail(DeliveryState::deferred).next_at = world.now + 5min;
  world.delivery->attempts = 2;
  world.delivery->detail = "451 later";
  const Decision d = world.decide();
  CHECK(d.action == Action::deliver);
  CHECK(d.at == world.now + 5min);
  CHECK_THAT(d.reasons.back().text, Catch::Contains("2 tries") && Catch::Contains("451 later"));
}

TEST_CASE("W12 asking releases what is held; nothing else does") {
  World world;
  for (const auto state : {InvitationState::scheduled, InvitationState::released}) {
    world.offer(state).held_reason = "restored";
    world.asked = false;
    CHECK(brief(world) == "none now held");
    world.asked = true;
    CHECK(brief(world) == "send now asked");
  }
}

TEST_CASE("W13 each reason to skip a user of a bulk send is the reason of the decision") {
  World world;
  world.employment->hire_open = false;
  world.asked = true;
  const auto reason_for = [&](auto change) {
    World each = world;
    change(each);
    const Decision d = each.decide();
    return std::string(to_text(d.action)) + " " + std::string(d.reason());
  };
  CHECK(reason_for([](World&) {}) == "send asked");
  CHECK(reason_for([](World& w) { w.user.connection = Connection::connected; }) == "none connected");
  CHECK(reason_for([](World& w) { w.login_email(""); }) == "none no_login_email");
  CHECK(reason_for([](World& w) { w.employment->review = ReviewState::pending; }) == "review in_review");
  CHECK(reason_for([](World& w) { w.user.enabled = false; }) == "none disabled");
  CHECK(reason_for([](World& w) { w.domain_verified = true; }) == "connect verified_domain");
  // `scheduled`: seen without asking, as a date that is still ahead.
  CHECK(reason_for([](World& w) {
          w.employment->hire_open = true;
          w.offer(InvitationState::scheduled);
          w.asked = false;
        }) == "send start_later");
}

TEST_CASE("W13 a pending connection is no reason to skip: only connected is") {
  World world;
  world.asked = true;
  world.user.connection = Connection::pending;
  world.offer(InvitationState::sent);
  CHECK(brief(world) == "send now asked");
}

// ---- W14 --------------------------------------------------------------------------------------------------------

TEST_CASE("W14 each place on the way has its answer") {
  World world;
  world.offer(InvitationState::released);
  CHECK(brief(world) == "deliver now mail_on_its_way");
  world.mail(DeliveryState::claimed);
  CHECK(brief(world) == "deliver now mail_on_its_way");
  world.mail(DeliveryState::rejected).detail = "550 no such user";
  CHECK(brief(world) == "none now held");
  CHECK_THAT(world.decide().reasons.back().text, Catch::Contains("550 no such user"));
  world.mail(DeliveryState::uncertain);
  CHECK(brief(world) == "none now held");
  world.delivery->next_at = world.now;
  CHECK(brief(world) == "deliver now mail_on_its_way");
  world.delivery.reset();
  world.offer(InvitationState::sent);
  CHECK(brief(world) == "expire 2026-11-07T00:00 link_open");
  world.offer(InvitationState::verified);
  CHECK(brief(world) == "connect now confirmed");
  world.user.connection = Connection::connected;
  world.offer(InvitationState::connected);
  CHECK(brief(world) == "none now connected");
}

TEST_CASE("W14 the texts name the dates, hours and days that decide") {
  World world;
  CHECK(world.decide().reasons.back().text ==
        "Starts on 2026-12-01: the mail goes out at 09:00 on 2026-11-30 (Europe/Stockholm).");
  world.start("2026-11-03");
  CHECK_THAT(world.decide().reasons.back().text, Catch::Contains("starts tomorrow"));
  world.start("2026-11-02");
  CHECK_THAT(world.decide().reasons.back().text, Catch::Contains("starts today"));
  world.start("2026-10-01");
  CHECK_THAT(world.decide().reasons.back().text, Catch::Contains("started on 2026-10-01"));
  world.policy.lead_days = 7;
  world.start("2026-11-07");
  CHECK_THAT(world.decide().reasons.back().text, Catch::Contains("starts in 5 days"));
}

TEST_CASE("W14 each action has a word of its own") {
  std::set<std::string_view> words;
  for (int i = 0; i < 8; ++i) words.insert(to_text(static_cast<Action>(i)));
  CHECK(words.size() == 8);
}

// ---- leavers and what is foreseen -------------------------------------------------------------------------------

TEST_CASE("a leaver is active through the fifth day after the end and disabled at the first instant of the sixth") {
  World world;
  world.employment->end_date = day("2026-10-31");
  world.at("2026-10-01", 12);
  const auto left = leaving(world.facts());
  REQUIRE(left);
  CHECK(left->action == Action::disable);
  CHECK(to_utc_text(left->at) == "2026-11-05T23:00:00Z");
  CHECK(local_text(left->at, world.policy.zone) == "2026-11-06T00:00");
  CHECK(left->reason() == "employment_ended");
  CHECK_THAT(left->reasons.back().text, Catch::Contains("2026-10-31") && Catch::Contains("active through 2026-11-05"));
}

TEST_CASE("the days of a leaver are a setting, and its midnight is the company's") {
  World world;
  world.employment->end_date = day("2026-10-31");
  world.policy.leaver_days = 0;
  CHECK(local_text(leaving(world.facts())->at, world.policy.zone) == "2026-11-01T00:00");
  world.policy.leaver_days = 30;
  CHECK(local_text(leaving(world.facts())->at, world.policy.zone) == "2026-12-01T00:00");
  world.policy.zone = "America/Santiago";
  world.policy.leaver_days = 5;
  world.employment->end_date = day("2026-08-31");
  CHECK(local_text(leaving(world.facts())->at, world.policy.zone) == "2026-09-06T01:00");  // no midnight
}

TEST_CASE("nobody leaves without an end date, twice, or by an employment that was withdrawn") {
  World world;
  CHECK_FALSE(leaving(world.facts()));
  world.employment->end_date = day("2026-10-31");
  CHECK(leaving(world.facts()));
  world.user.enabled = false;
  CHECK_FALSE(leaving(world.facts()));
  world.user.enabled = true;
  world.employment->withdrawn = true;
  CHECK_FALSE(leaving(world.facts()));
  world.employment.reset();
  CHECK_FALSE(leaving(world.facts()));
}

TEST_CASE("an end date as far away as files write it is no trouble") {
  World world;
  world.employment->end_date = day("9999-12-31");
  CHECK(leaving(world.facts())->at > world.now);
  CHECK(brief(world) == eve);
}

TEST_CASE("what is foreseen comes in the order of time, and nothing comes after leaving") {
  World world;
  world.employment->end_date = day("2027-06-30");
  auto acts = foreseen(world.facts());
  REQUIRE(acts.size() == 2);
  CHECK(acts[0].action == Action::send);
  CHECK(acts[1].action == Action::disable);

  world.employment->end_date = day("2026-11-10");  // leaves before she starts
  acts = foreseen(world.facts());
  REQUIRE(acts.size() == 1);
  CHECK(acts[0].action == Action::disable);
}

TEST_CASE("nothing is foreseen where nothing happens by itself") {
  World world;
  world.employment->review = ReviewState::pending;
  CHECK(foreseen(world.facts()).empty());
  world.employment.reset();
  CHECK(foreseen(world.facts()).empty());
  world.user.connection = Connection::connected;
  CHECK(foreseen(world.facts()).empty());
}

// ---- properties -------------------------------------------------------------------------------------------------

namespace {

// A small generator of its own, so that a failing number names the same facts everywhere.
class Draw {
public:
  explicit Draw(std::uint64_t seed) : state_(seed) {}
  std::uint64_t operator()(std::uint64_t bound) {
    state_ += 0x9E3779B97F4A7C15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return (z ^ (z >> 31)) % bound;
  }
  bool one_in(std::uint64_t n) { return (*this)(n) == 0; }

private:
  std::uint64_t state_;
};

World random_world(std::uint64_t seed) {
  constexpr const char* zones[] = {"Europe/Stockholm", "America/Santiago",    "Africa/Cairo", "Pacific/Auckland",
                                   "America/Havana",   "Australia/Lord_Howe", "UTC",          "Asia/Kathmandu"};
  constexpr const char* addresses[] = {"anna@example.com", "anna.new@example.com", "anna@example.org", ""};
  Draw draw(seed);
  World w;
  w.policy.zone = zones[draw(std::size(zones))];
  w.policy.send_hour = static_cast<int>(draw(24));
  w.policy.lead_days = static_cast<int>(draw(4));
  w.policy.leaver_days = static_cast<int>(draw(8));
  w.policy.auto_invite = static_cast<AutoInvite>(draw(3));
  if (draw.one_in(8)) w.policy.allowed_domains = {"example.com"};
  const CivilDate today = add_days(day("2026-01-01"), static_cast<int>(draw(800)));
  w.now = instant_of({today, static_cast<int>(draw(24)), w.policy.zone}) + std::chrono::minutes(draw(60));
  w.login_email(addresses[draw(7) % 4]);
  w.user.enabled = !draw.one_in(8);
  w.user.connection = static_cast<Connection>(draw.one_in(8) ? 2 : draw(2));
  w.domain_verified = draw.one_in(6);
  w.asked = draw.one_in(4);
  if (draw.one_in(8)) {
    w.employment.reset();
  } else {
    w.employment->start_date = add_days(today, static_cast<int>(draw(15)) - 5);
    if (draw.one_in(3)) w.employment->end_date = add_days(today, static_cast<int>(draw(40)) - 15);
    w.employment->review = static_cast<ReviewState>(draw(5) % 4);
    w.employment->withdrawn = draw.one_in(10);
    w.employment->hire_open = !draw.one_in(3);
    w.employment->created_at = w.now - std::chrono::hours(draw(100));
  }
  if (!draw.one_in(4)) {
    Invitation& i = w.invitation.emplace();
    i.state = static_cast<InvitationState>(draw(10));
    i.cause = static_cast<InvitationCause>(draw(4));
    i.login_email_canonical = draw.one_in(4) ? addresses[draw(3)] : w.user.login_email_canonical;
    i.created_at = w.now - std::chrono::hours(draw(100));
    if (i.state == InvitationState::scheduled && w.employment) {
      i.due = due_for(w.employment->start_date, w.policy);
      if (draw.one_in(3)) i.due->date = add_days(i.due->date, static_cast<int>(draw(7)) - 3);
    }
    if (draw.one_in(6)) i.held_reason = "restored";
    if (i.state >= InvitationState::sent) {
      i.accepted_at = w.now - std::chrono::hours(draw(200));
      i.ends_at = link_end(*i.accepted_at, w.policy.zone, 5);
    }
    constexpr std::string_view ends[] = {reason::disabled, reason::login_email_changed, reason::discarded,
                                         reason::revoked, reason::sent_again};
    if (!live(i.state)) i.end_reason = ends[draw(std::size(ends))];
    if (i.state == InvitationState::released && !draw.one_in(5)) {
      w.mail(static_cast<DeliveryState>(draw(7)));
      if (draw.one_in(2)) w.delivery->next_at = w.now + std::chrono::minutes(draw(600));
      w.delivery->attempts = static_cast<std::int32_t>(draw(4));
    }
  }
  return w;
}

// The name of the first promise that these facts break; empty: none.
std::string broken(const World& w) {
  const Facts facts = w.facts();
  const Decision d = decide(facts);
  const Invitation* i = facts.invitation;
  const Employment* e = facts.employment;
  const bool open = i != nullptr && live(i->state);
  const bool acts = d.action == Action::send || d.action == Action::deliver || d.action == Action::connect;

  if (d.reasons.empty()) return "no reason";
  for (const Reason& each : d.reasons)
    if (each.code.empty() || each.text.empty() || each.text.back() == ' ') return "an empty reason";
  std::set<std::string_view> seen;
  for (const Reason& each : d.reasons)
    if (!seen.insert(each.code).second) return "the same reason twice";

  const Decision again = decide(facts);
  if (again.action != d.action || again.at != d.at || again.due != d.due || again.reasons != d.reasons)
    return "not a pure function";

  // W10, W3 and §7.2: never to someone barred, never without the last approval, never to nobody.
  if (acts && !w.user.enabled) return "acts for the disabled";
  if (acts && e != nullptr && (e->withdrawn || e->review == ReviewState::rejected)) return "acts for the withdrawn";
  if (acts && w.user.login_email_canonical.empty()) return "acts without an address";
  if (acts && w.user.connection == Connection::connected) return "acts for the connected";
  const bool confirmed = open && i->state == InvitationState::verified;
  if (acts && !confirmed && e != nullptr && e->review == ReviewState::pending) return "acts before the approval";
  if (const auto left = leaving(facts); acts && left && left->at <= facts.now) return "acts for someone who has left";
  if ((d.action == Action::send || d.action == Action::deliver) && w.domain_verified)
    return "a mail into a verified domain";
  if ((d.action == Action::send || d.action == Action::deliver) && open && !i->held_reason.empty() && !w.asked &&
      i->login_email_canonical == w.user.login_email_canonical)
    return "a held mail goes out";

  // Each action has something to act on, for the address that is saved.
  const bool same = i != nullptr && i->login_email_canonical == w.user.login_email_canonical;
  if (d.action == Action::deliver && (!open || i->state != InvitationState::released || !same))
    return "delivers nothing";
  if (d.action == Action::expire && (!open || i->state != InvitationState::sent || d.at != *i->ends_at || !same))
    return "expires nothing";
  if (d.action == Action::cancel && !open) return "cancels nothing";
  if (d.action == Action::connect && !w.domain_verified && !(confirmed && same)) return "connects the unconfirmed";
  if (d.action == Action::disable) return "decide() does not disable";
  if (d.action == Action::review && (e == nullptr || e->review != ReviewState::pending)) return "reviews nothing";

  // Time: now, or the civil due of the start date and nothing else.
  if (d.action != Action::send && d.due) return "a due without a mail";
  if (d.action == Action::send && d.due) {
    if (e == nullptr || *d.due != due_for(e->start_date, w.policy) || d.at != instant_of(*d.due)) return "a wrong due";
    if (w.asked) return "an asked mail waits";
  }
  if (d.action == Action::send && !d.due && d.at != w.now) return "a mail at no time";
  if (d.action == Action::send && e != nullptr && !w.asked) {
    const bool near = days_between(local_date(w.now, w.policy.zone), e->start_date) <= w.policy.lead_days;
    const bool stands =
        open && same && i->state == InvitationState::scheduled && i->due == due_for(e->start_date, w.policy);
    const bool from_review = open && i->state == InvitationState::draft && i->cause != InvitationCause::hire;
    if (d.due && near && !stands) return "W1 waits";
    if (!d.due && !near && !from_review) return "W2 goes early";
    if (!d.due && stands) return "a standing plan loses its hour";
  }
  if (w.asked && d.action == Action::none) {
    const bool good = !w.user.enabled || w.user.connection == Connection::connected ||
                      w.user.login_email_canonical.empty() || e != nullptr || !w.policy.allowed_domains.empty() ||
                      w.delivery;
    if (!good) return "an asked mail is refused without cause";
  }

  const auto acts_foreseen = foreseen(facts);
  for (std::size_t n = 1; n < acts_foreseen.size(); ++n) {
    if (acts_foreseen[n].at < acts_foreseen[n - 1].at) return "foreseen out of order";
    if (acts_foreseen[n - 1].action == Action::disable) return "something after leaving";
  }
  for (const Decision& each : acts_foreseen)
    if (each.action == Action::none || each.action == Action::review || each.reasons.empty()) return "foresees nothing";
  return {};
}

}  // namespace

TEST_CASE("W14 over 200,000 random facts there is always one answer with reasons, and no rule is broken") {
  std::set<std::string> actions;
  std::set<std::string> reasons;
  for (std::uint64_t seed = 1; seed <= 200'000; ++seed) {
    const World w = random_world(seed);
    const std::string why = broken(w);
    if (!why.empty()) {
      CAPTURE(seed, brief(w), codes(w.decide()));
      FAIL(why);
    }
    const Decision d = w.decide();
    actions.emplace(to_text(d.action));
    for (const Reason& each : d.reasons) reasons.emplace(each.code);
  }
  // The facts are varied enough to mean something: every action and every reason that decide() knows came up.
  CHECK(actions == std::set<std::string>{"none", "review", "send", "deliver", "connect", "cancel", "expire"});
  CHECK(reasons == std::set<std::string>{"start_tomorrow_or_earlier",
                                         "start_later",
                                         "no_start_date",
                                         "in_review",
                                         "verified_domain",
                                         "start_date_changed",
                                         "login_email_changed",
                                         "disabled",
                                         "withdrawn",
                                         "review_rejected",
                                         "asked",
                                         "hire",
                                         "not_a_hire",
                                         "auto_invite_none",
                                         "auto_invite_all",
                                         "no_login_email",
                                         "domain_not_allowed",
                                         "connected",
                                         "scheduled",
                                         "mail_on_its_way",
                                         "link_open",
                                         "link_expired",
                                         "link_revoked",
                                         "confirmed",
                                         "held",
                                         "discarded",
                                         "disconnected",
                                         "employment_ended"});
}
