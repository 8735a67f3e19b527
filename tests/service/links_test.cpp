// PRODUCT §4: what a link can do and what it cannot.
#include "service/links.hpp"

#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "store/invitations.hpp"

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using service::LinkState;
using service::RenewResult;
using Words = std::vector<std::string>;

namespace {

// One user whose mail was accepted on Tuesday 2026-10-20 at 10:00 in Stockholm: the link ends on Sunday at midnight.
struct Invited : Bench {
  explicit Invited(int renewals_per_hour = 4) : Bench(stockholm(), std::chrono::minutes{10}, renewals_per_hour) {
    at("2026-10-20T08:00:00Z");
    row({{"user_id", "a"}, {"name", "A"}, {"login_email", "anna@example.com"}, {"start_date", "2026-10-20"}});
    pump();
    token = link("a");
  }
  LinkState open() { return go(links.open(token)).state; }
  std::string form() { return go(links.open(token)).form_proof; }
  RenewResult renew() { return go(links.renew(token, form())); }
  LinkState post(const std::string& proof) { return go(links.confirm(token, proof)).state; }
  std::string token;
};

constexpr auto ends = "2026-10-24T22:00:00Z";

}  // namespace

TEST_CASE("opening a link a thousand times changes nothing and shows only a masked address") {
  Invited b;
  const std::string before = b.dump();
  for (int i = 0; i < 1'000; ++i) REQUIRE(b.open() == LinkState::open);
  CHECK(b.dump() == before);
  const auto view = b.go(b.links.open(b.token));
  CHECK(view.masked_email == "a***@example.com");
  CHECK(model::to_text(view.last_day.value()) == "2026-10-24");
}

TEST_CASE("a form posted twice connects once, and the second says so") {
  Invited b;
  int rung = 0;
  b.links.on_confirmed([&] { ++rung; });
  const auto proof = b.form();
  CHECK(b.post(proof) == LinkState::connecting);
  CHECK(b.post(proof) == LinkState::connecting);
  b.pump();
  CHECK(b.post(proof) == LinkState::connected);
  CHECK(b.open() == LinkState::connected);
  CHECK(b.go(b.links.open(b.token)).sign_in_url == "https://login.example.com");
  CHECK(b.identity.calls == Words{"ensure"});
  CHECK(rung >= 1);
}

TEST_CASE("a post without the form's own proof, or with another's, changes nothing") {
  Invited b;
  const auto form = b.form();
  const std::string before = b.dump();
  for (const auto& proof : {std::string(), std::string("1"), std::string("."), "1." + form.substr(form.find('.') + 1),
                            form + "a", form.substr(0, form.size() - 1), b.token})
    CHECK(b.post(proof) == LinkState::open);
  CHECK(b.dump() == before);
}

TEST_CASE("a token we never issued is unknown, whatever is wrong with it") {
  Invited b;
  const std::string before = b.dump();
  for (const auto& token : {std::string(), std::string("x"), std::string(60, 'a'), b.token + "a", b.token.substr(1),
                            "b" + b.token.substr(1), b.token.substr(0, 59) + (b.token.back() == 'a' ? "b" : "a")}) {
    CHECK(b.go(b.links.open(token)).state == LinkState::unknown);
    CHECK(b.go(b.links.confirm(token, b.form())).state == LinkState::unknown);
    CHECK(b.go(b.links.renew(token, b.form())) == RenewResult::not_possible);
  }
  CHECK(b.dump() == before);
}

TEST_CASE("a genuine token whose row is gone, or whose salt was erased, is unknown") {
  Invited b;
  b.db->run("UPDATE invitations SET salt = NULL");
  CHECK(b.open() == LinkState::unknown);
}

TEST_CASE("the link works to its last millisecond; a form opened in time may be posted up to 15 minutes later") {
  const auto outcome = [](core::Milliseconds opened_before, core::Milliseconds posted_after, bool swept) {
    Invited b;
    b.at(ends);
    const auto end = b.clock.now();
    b.clock.set_wall(end - opened_before);
    const auto proof = b.form();
    b.clock.set_wall(end + posted_after);
    if (swept) b.go(b.sweep.expire());
    return b.post(proof);
  };
  CHECK(outcome(1h, -1ms, false) == LinkState::connecting);
  CHECK(outcome(1h, 0ms, false) == LinkState::connecting);
  CHECK(outcome(1ms, 15min - 1ms, false) == LinkState::connecting);
  CHECK(outcome(1ms, 15min - 1ms, true) == LinkState::connecting);
  CHECK(outcome(1ms, 15min, false) == LinkState::expired);
  CHECK(outcome(1ms, 15min, true) == LinkState::expired);
  CHECK(outcome(0ms, 1min, false) == LinkState::expired);  // opened too late: there was no form
}

TEST_CASE("within the 15 minutes a link that was superseded, or whose user is disabled, is over") {
  Invited b;
  b.at(ends);
  b.clock.set_wall(b.clock.now() - 1min);
  const auto proof = b.form();
  b.at(ends);
  b.go(b.sweep.expire());
  SECTION("sent again") {
    REQUIRE(b.send("a") == "ok");
    b.pump();
    CHECK(b.post(proof) == LinkState::superseded);
  }
  SECTION("disabled") {
    REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
    CHECK(b.post(proof) == LinkState::expired);
  }
  CHECK(b.identity.accounts.empty());
}

TEST_CASE("revoked, disabled and cancelled links are over, and say so") {
  Invited b;
  const auto proof = b.form();
  SECTION("revoked") {
    REQUIRE(b.go(b.users.revoke(b.invitation("a").key, by_admin)));
    CHECK(b.go(b.users.revoke(b.invitation("a").key, by_admin)).error().code == "no_open_link");
  }
  SECTION("disabled") {
    REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
  }
  CHECK(b.open() == LinkState::revoked);
  CHECK(b.post(proof) == LinkState::revoked);
  CHECK(b.connection("a") == "not_connected");
}

TEST_CASE("after a deleted connection the used link is not a way in") {
  Invited b;
  b.connect("a");
  REQUIRE(b.go(b.users.disconnect("a", by_admin)));
  b.pump();
  CHECK(b.open() == LinkState::revoked);
  CHECK(b.identity.accounts.empty());
}

TEST_CASE("send me a new one: only from an expired link, to the saved address, five new days, the old one superseded") {
  Invited b;
  CHECK(b.renew() == RenewResult::not_possible);
  b.at(ends);
  CHECK(b.renew() == RenewResult::sent);  // not yet swept
  b.pump();
  CHECK(b.states("a") == Words{"superseded", "sent"});
  CHECK(b.invitation("a").cause == model::InvitationCause::renewal);
  CHECK(b.transport.mails.back().envelope_to == "anna@example.com");
  CHECK(b.open() == LinkState::superseded);
  CHECK(b.renew() == RenewResult::not_possible);
  CHECK(model::to_utc_text(*b.invitation("a").ends_at) == "2026-10-29T23:00:00Z");
}

TEST_CASE("send me a new one: not more often than allowed") {
  Invited b(4);
  b.db->run("UPDATE invitations SET state = 'expired', ended_at = accepted_at, created_at = ?1", b.clock.now());
  CHECK(b.renew() == RenewResult::too_soon);
  b.clock.advance(15min - 1ms);
  CHECK(b.renew() == RenewResult::too_soon);
  b.clock.advance(1ms);
  CHECK(b.renew() == RenewResult::sent);
}

TEST_CASE("send me a new one: not for the connected, the disabled, another address, or during a review") {
  Invited b;
  b.at(ends);
  b.go(b.sweep.expire());
  const auto proof = b.form();
  SECTION("disabled") {
    REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
  }
  SECTION("another address was saved") {
    b.row({{"user_id", "a"}, {"login_email", "other@example.com"}});
    b.pump();  // W9: planned again, for the other address
  }
  SECTION("connected since") {
    REQUIRE(b.go(b.domains.assert_verified("example.com", by_admin)));
    b.go(b.domains.pass());
    b.pump();
    REQUIRE(b.connection("a") == "connected");
  }
  const auto mails = b.transport.mails.size();
  CHECK(b.renew() != RenewResult::sent);
  CHECK(b.go(b.links.renew(b.token, proof)) == RenewResult::not_possible);
  b.pump();
  CHECK(b.transport.mails.size() == mails);
}

TEST_CASE("while the provider is down the confirmation is kept and the page says so") {
  Invited b;
  b.identity.script = [](const std::string&, const std::string&) {
    return model::ProviderAnswer{.status = model::ProviderStatus::retry};
  };
  b.connect("a");
  CHECK(b.open() == LinkState::connecting);
  CHECK(b.connection("a") == "pending");
  b.identity.script = nullptr;
  b.clock.advance(1h);
  b.pump();
  CHECK(b.open() == LinkState::connected);
}

TEST_CASE("the page never names a later day than the server honours, whatever company or zone the person has by now") {
  model::Policies base = stockholm();
  auto companies = base.companies();
  companies.at("north").zone = "America/New_York";
  companies.at("north").valid_days = 10;
  companies["east"] = companies.at("north");
  companies.at("east").company = "east";
  companies.at("east").zone = "Europe/Helsinki";
  Bench b(model::Policies(base.organisation(), companies));
  b.at("2026-11-23T09:00:00Z");
  b.row({{"user_id", "a"}, {"name", "A"}, {"login_email", "a@example.com"}, {"start_date", "2026-11-23"}});
  b.pump();
  const auto last_day = [&](const std::string& company) {
    if (!company.empty()) REQUIRE(b.row({{"user_id", "a"}, {"company", company}}) == "updated");
    return model::to_text(b.go(b.links.open(b.link("a"))).last_day.value());
  };
  CHECK(last_day("") == "2026-11-27");
  CHECK(last_day("east") == "2026-11-27");   // ends there at 01:00 on the 28th
  CHECK(last_day("north") == "2026-11-26");  // ends there at 18:00 on the 27th
}
