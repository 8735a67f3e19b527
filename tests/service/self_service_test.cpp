// PRODUCT §5, preparation phase: the banner, the page's URL, and what may be typed into it.
#include "service/self_service.hpp"

#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "store/self_service.hpp"
#include "store/users.hpp"

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using service::AddressFault;
using service::SelfServiceState;
using State = SelfServiceState;

namespace {

model::Policies preparing() {
  return stockholm([](model::Policy& policy) {
    policy.phase = model::Phase::preparation;
    policy.allowed_domains = {"example.com", "verified.example"};
  });
}

struct Preparing : Bench {
  explicit Preparing(model::Policies policies = preparing()) : Bench(std::move(policies)) {
    at("2026-10-20T08:00:00Z");
    row({{"user_id", "a"}, {"name", "A"}});
    row({{"user_id", "b"}, {"name", "B"}, {"login_email", "taken@example.com"}});
  }
  std::string reason(const std::string& id = "a") {
    const auto banner = go(self_service.banner(id)).value();
    return std::string(banner.show ? "show " : "hide ") + std::string(banner.reason);
  }
  // The token of a new page, or the code of the refusal.
  std::string page(const std::string& id = "a") {
    const auto made = go(self_service.make_page(id, by_admin));
    return made ? made->url.substr(made->url.rfind('/') + 1) : made.error().code;
  }
  State open(const std::string& token) { return go(self_service.open(token)).state; }
  service::SelfServiceView save(const std::string& token, const std::string& email, const std::string& again = "") {
    const auto view = go(self_service.open(token));
    return go(self_service.save(token, {email, again.empty() ? email : again, view.form_proof}));
  }
};

}  // namespace

TEST_CASE("the banner is shown in preparation, to an enabled user without a connection, and says where it stands") {
  Preparing b;
  CHECK(b.reason() == "show not_connected");
  CHECK(b.save(b.page(), "anna@example.com").state == State::sent);
  CHECK(b.reason() == "show mail_on_its_way");
  b.pump();
  CHECK(b.reason() == "show mail_on_its_way");
  b.connect("a");
  CHECK(b.reason() == "hide connected");
  REQUIRE(b.go(b.users.disconnect("a", by_admin)));
  CHECK(b.reason() == "show not_connected");
  REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
  CHECK(b.reason() == "hide disabled");
  CHECK(b.go(b.self_service.banner("nobody")).error().code == "unknown_user");
}

TEST_CASE("a live company shows no banner and makes no page; administrators correct addresses there") {
  Preparing b(stockholm());
  CHECK(b.reason() == "hide live");
  CHECK(b.page() == "phase_live");
}

TEST_CASE("a page is refused with the reason: connected, disabled, withdrawn, rejected, gone") {
  Preparing b;
  b.row({{"user_id", "c"}, {"name", "C"}, {"login_email", "c@example.com"}, {"start_date", "2026-10-20"}});
  b.pump();
  b.connect("c");
  CHECK(b.page("c") == "connected");
  REQUIRE(b.go(b.users.set_enabled("b", false, by_admin)));
  CHECK(b.page("b") == "disabled");
  b.row({{"user_id", "w"}, {"name", "W"}, {"start_date", "2026-11-20"}, {"withdrawn", "true"}});
  CHECK(b.page("w") == "withdrawn");
  CHECK(b.reason("w") == "hide withdrawn");
  b.row({{"user_id", "e"}, {"name", "E"}, {"start_date", "2026-01-20"}, {"end_date", "2026-02-20"}});
  CHECK(b.page("e") == "employment_ended");
  CHECK(b.page("nobody") == "unknown_user");
}

TEST_CASE("a page lives for its minutes, a newer one ends it, and neither database nor key alone opens it") {
  Preparing b;
  const auto made = b.go(b.self_service.make_page("a", by_admin)).value();
  CHECK(made.url.starts_with("https://invite.example.com/s/"));
  CHECK(made.ends_at == b.clock.now() + 30min);
  const auto first = made.url.substr(made.url.rfind('/') + 1);
  CHECK(b.open(first) == State::form);
  CHECK(b.dump().find(first) == std::string::npos);
  const auto second = b.page();
  CHECK(b.open(first) == State::gone);
  CHECK(b.open(second) == State::form);
  CHECK(b.open("") == State::gone);
  CHECK(b.open(std::string(60, 'a')) == State::gone);

  // A link is not a page and a page is not a link, though both are made with one key.
  CHECK(b.save(second, "anna@example.com").state == State::sent);
  b.pump();
  CHECK(b.open(b.link("a")) == State::gone);
  CHECK(b.go(b.links.open(second)).state == service::LinkState::unknown);

  b.clock.advance(30min - 1ms);
  CHECK(b.open(second) == State::form);
  b.clock.advance(1ms);
  CHECK(b.open(second) == State::gone);
}

TEST_CASE("a form opened before the end may be posted fifteen minutes after it, not one more") {
  Preparing b;
  const auto token = b.page();
  b.clock.advance(29min);
  const auto proof = b.go(b.self_service.open(token)).form_proof;
  b.clock.advance(16min - 1ms);
  SECTION("in time") {
    b.go(b.sweep.prune_self_service());
    CHECK(b.go(b.self_service.save(token, {"anna@example.com", "anna@example.com", proof})).state == State::sent);
  }
  SECTION("too late, and then the row goes") {
    b.clock.advance(1ms);
    CHECK(b.go(b.self_service.save(token, {"anna@example.com", "anna@example.com", proof})).state == State::gone);
    CHECK(b.go(b.sweep.prune_self_service()) == 0);
    b.clock.advance(1ms);
    CHECK(b.go(b.sweep.prune_self_service()) == 1);
    CHECK(b.user("a")->login_email.empty());
  }
}

TEST_CASE("looking changes nothing, nor does a form that is not the page's own") {
  Preparing b;
  const auto token = b.page();
  const auto other = b.page("b");
  const auto before = b.dump();
  for (int i = 0; i < 100; ++i) REQUIRE(b.open(token) == State::form);
  const auto foreign = b.go(b.self_service.open(other)).form_proof;
  for (const std::string& proof : {std::string(), std::string("1.x"), foreign, std::string("99999999999999999999.a")}) {
    const auto view = b.go(b.self_service.save(token, {"anna@example.com", "anna@example.com", proof}));
    CHECK(view.state == State::form);
    CHECK(view.fault == AddressFault::stale);
  }
  CHECK(b.dump() == before);
}

TEST_CASE("what cannot be saved is said, changes nothing, and does not tell whose an address is") {
  Preparing b;
  const auto token = b.page();
  const auto fault = [&](const std::string& email, const std::string& again = "") {
    const auto view = b.save(token, email, again);
    CHECK(view.state == State::form);
    CHECK_FALSE(view.form_proof.empty());
    return view.fault;
  };
  CHECK(fault("anna@") == AddressFault::invalid);
  CHECK(fault("") == AddressFault::invalid);
  CHECK(fault("anna@example.com", "ana@example.com") == AddressFault::mismatch);
  CHECK(fault("taken@example.com") == AddressFault::unusable);
  CHECK(fault("TAKEN@Example.COM") == AddressFault::unusable);
  CHECK(fault("anna@elsewhere.example") == AddressFault::unusable);
  CHECK(b.user("a")->login_email.empty());
  CHECK(b.state("a").empty());
  CHECK(b.mails_to("a") == 0);
  // The attempts are counted: nobody asks one page about a thousand addresses.
  for (int i = 0; i < 20; ++i) (void)b.save(token, "taken@example.com");
  CHECK(b.save(token, "anna@example.com").state == State::too_many);
  CHECK(b.user("a")->login_email.empty());
  CHECK(b.save(b.page(), "anna@example.com").state == State::sent);
}

TEST_CASE("the address is saved and sent for at once, once, whoever else the record belongs to") {
  Preparing b;
  const auto token = b.page();
  const auto view = b.save(token, "  Anna@Example.com ", "Anna@Example.com");
  CHECK(view.state == State::sent);
  CHECK(view.masked_email == "A***@Example.com");
  CHECK(b.user("a")->login_email == "Anna@Example.com");
  CHECK(b.user("a")->source == "hr");
  for (int i = 0; i < 3; ++i) {
    CHECK(b.save(token, "anna@example.com").state == State::sent);
    b.pump();
  }
  CHECK(b.mails_to("a") == 1);
  CHECK(b.states("a") == std::vector<std::string>{"sent"});
  // Not there after a while? The same form sends again.
  b.clock.advance(11min);
  CHECK(b.save(token, "anna@example.com").state == State::sent);
  b.pump();
  CHECK(b.mails_to("a") == 2);
  CHECK(b.states("a") == std::vector<std::string>{"superseded", "sent"});
  bool told = false;
  for (const auto& event : store::audit::page(*b.db, {.after = 0}, "user:a", 100))
    told = told || (event.actor == "self-service" && event.action == "invitation.released");
  CHECK(told);
}

TEST_CASE("a hire who starts later gets the mail now: she asked for it") {
  Preparing b;
  b.row({{"user_id", "h"}, {"name", "H"}, {"start_date", "2026-12-01"}});
  CHECK(b.save(b.page("h"), "h@example.com").state == State::sent);
  b.pump();
  CHECK(b.state("h") == "sent");
}

TEST_CASE("a corrected address ends the older link for good and is sent to") {
  Preparing b;
  const auto token = b.page();
  CHECK(b.save(token, "ana@example.com").state == State::sent);
  b.pump();
  const auto older = b.link("a");
  CHECK(b.save(token, "anna@example.com").state == State::sent);
  b.pump();
  CHECK(b.go(b.links.open(older)).state == service::LinkState::superseded);
  CHECK(b.transport.mails.back().envelope_to == "anna@example.com");
  CHECK(b.states("a") == std::vector<std::string>{"superseded", "sent"});
}

TEST_CASE("a mail that no server takes is said, and another address mends it") {
  Preparing b;
  b.transport.script = [](const model::OutgoingMail& mail) {
    return verdict(mail.envelope_to == "ana@example.com" ? model::VerdictStatus::rejected
                                                         : model::VerdictStatus::accepted);
  };
  const auto token = b.page();
  CHECK(b.save(token, "ana@example.com").state == State::sent);
  b.pump();
  CHECK(b.reason() == "show not_connected");
  const auto view = b.go(b.self_service.open(token));
  CHECK(view.state == State::form);
  CHECK(view.mail_came_back);
  CHECK(!view.mail_is_out);
  CHECK(b.save(token, "ana@example.com").state == State::sent);  // she insists: one more try
  b.pump();
  CHECK(b.transport.mails.size() == 2);
  CHECK(b.go(b.self_service.open(token)).mail_came_back);
  CHECK(b.save(token, "anna@example.com").state == State::sent);
  b.pump();
  CHECK(b.state("a") == "sent");
  CHECK(b.reason() == "show mail_on_its_way");
  CHECK(!b.go(b.self_service.open(token)).mail_came_back);
}

TEST_CASE("in review the address is saved and the mail waits for the last approval") {
  Preparing b;
  b.row({{"user_id", "h"}, {"name", "H"}, {"start_date", "2026-10-20"}, {"in_review", "true"}});
  const auto token = b.page("h");
  CHECK(b.save(token, "h@example.com").state == State::in_review);
  CHECK(b.save(token, "h@example.com").state == State::in_review);
  b.pump();
  CHECK(b.mails_to("h") == 0);
  CHECK(b.reason("h") == "show in_review");
  REQUIRE(b.go(b.reviews.approve("h", "", by_admin)));
  b.pump();
  CHECK(b.mails_to("h") == 1);
}

TEST_CASE("a verified domain connects without a mail") {
  Preparing b;
  REQUIRE(b.go(b.domains.assert_verified("verified.example", by_admin)));
  const auto token = b.page();
  CHECK(b.save(token, "anna@verified.example").state == State::connecting);
  CHECK(b.open(token) == State::connecting);
  b.pump();
  CHECK(b.open(token) == State::connected);
  CHECK(b.save(token, "other@example.com").state == State::connected);
  CHECK(b.user("a")->login_email == "anna@verified.example");
  CHECK(b.go(b.self_service.open(token)).provider_url == "https://login.example.com");
  CHECK(b.transport.mails.empty());
}

TEST_CASE("who is disabled or whose company goes live meets the same page as a stranger") {
  Preparing b;
  const auto token = b.page();
  const auto proof = b.go(b.self_service.open(token)).form_proof;
  REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
  const auto view = b.go(b.self_service.open(token));
  CHECK(view.state == State::gone);
  CHECK((view.company + view.masked_email + view.user_locale + view.form_proof).empty());
  CHECK(b.go(b.self_service.save(token, {"anna@example.com", "anna@example.com", proof})).state == State::gone);
  CHECK(b.user("a")->login_email.empty());
}

TEST_CASE("a dry run makes no page and leaves the older one open") {
  Preparing b;
  const auto token = b.page();
  const auto before = b.dump();
  const auto trial = b.go(b.self_service.make_page("a", {.actor = "x", .dry_run = true})).value();
  CHECK(trial.url.empty());
  CHECK(b.dump() == before);
  CHECK(b.open(token) == State::form);
}
