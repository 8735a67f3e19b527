// One person, one account, whatever the provider answers.
#include "service/connecting.hpp"

#include <catch2/catch.hpp>

#include "service/bench.hpp"
#include "store/accounts.hpp"
#include "store/tasks.hpp"

using namespace invited;
using namespace invited::test;
using namespace std::chrono_literals;
using model::ProviderAnswer;
using model::ProviderStatus;
using Words = std::vector<std::string>;

namespace {

struct Confirmed : Bench {
  Confirmed() {
    at("2026-10-20T08:00:00Z");
    row({{"user_id", "a"}, {"name", "A"}, {"login_email", "a@example.com"}, {"start_date", "2026-10-20"}});
    mails_only();
    confirm(link("a"));
  }
  void say(ProviderStatus status, int times = 1'000) {
    identity.script = [status, times](const std::string& what,
                                      const std::string&) mutable -> std::optional<ProviderAnswer> {
      if (what == "lookup" || times-- <= 0) return std::nullopt;
      return ProviderAnswer{.status = status, .detail = "said so"};
    };
  }
  // The provider does it and the answer is lost.
  void lose_answers() {
    identity.script = [this](const std::string& what, const std::string& external_id) -> std::optional<ProviderAnswer> {
      if (what != "ensure") return std::nullopt;
      identity.accounts.emplace(external_id, "a@example.com");
      return ProviderAnswer{.status = ProviderStatus::unknown};
    };
  }
  std::optional<model::ProviderTask> task() {
    const auto all = store::tasks::of_user(*db, user("a")->key);
    return all.empty() ? std::nullopt : std::optional(all.front());
  }
};

}  // namespace

TEST_CASE("a confirmed user is connected with the provider's own id and the address that was verified") {
  Confirmed b;
  b.pump();
  const auto account = store::accounts::get(*b.db, b.user("a")->key).value();
  CHECK(account.login_email == "a@example.com");
  CHECK(account.provider_id == "p-" + b.user("a")->key.text());
  CHECK(account.identity == "directory");
  CHECK(b.state("a") == "connected");
  CHECK_FALSE(b.task());
  CHECK(b.audit("a").back() == "user.connected hire");
}

TEST_CASE("after a lost answer the provider is asked what it has before anything is made again") {
  Confirmed b;
  b.lose_answers();
  b.pump();
  CHECK(b.connection("a") == "pending");
  b.clock.advance(1min);
  b.pump();
  CHECK(b.identity.calls == Words{"ensure", "lookup"});
  CHECK(b.connection("a") == "connected");
  CHECK(b.identity.accounts.size() == 1);
}

TEST_CASE("while the provider is down, the plan says when it is asked again") {
  Confirmed b;
  b.say(ProviderStatus::retry, 1);
  b.pump();
  const auto next = b.go(b.queries.why("a"))->next;
  REQUIRE(next);
  CHECK(next->decision.action == model::Action::connect);
  CHECK(next->decision.at == b.task()->next_at);
  CHECK(next->decision.at > b.clock.now());
  // A row about the person in between disturbs nothing.
  CHECK(b.row({{"user_id", "a"}, {"alias", "x"}}) == "updated");
  CHECK(next->decision.at == b.task()->next_at);
}

TEST_CASE("a provider that is down is asked again with growing pauses") {
  Confirmed b;
  b.say(ProviderStatus::retry, 4);
  core::Milliseconds last{0};
  for (int i = 1; i <= 4; ++i) {
    b.pump();
    REQUIRE(b.task());
    CHECK(b.task()->failures == i);
    const auto pause = *b.task()->next_at - b.clock.now();
    CHECK(pause > last);
    last = pause;
    b.clock.advance(pause);
  }
  b.pump();
  CHECK(b.connection("a") == "connected");
}

TEST_CASE("a refusal for good waits for a person; sending again asks the provider once more") {
  Confirmed b;
  b.say(ProviderStatus::rejected);
  b.pump();
  CHECK_FALSE(b.task()->next_at);
  CHECK(b.task()->detail == "said so");
  CHECK(b.audit("a").back() == "account.refused ensure_account");
  // W14: nothing happens by itself, and that is what everybody is told.
  const auto why = b.go(b.queries.why("a"));
  CHECK_FALSE(why->next);
  CHECK(why->now.reason() == "provider_refused");
  CHECK(why->now.reasons.back().text.find("said so") != std::string::npos);
  CHECK(b.go(b.queries.plan_of("a", b.clock.now() + 24h)).value().empty());
  b.clock.advance(240h);
  b.pump();
  CHECK(b.identity.calls == Words{"ensure"});
  b.identity.script = nullptr;
  CHECK(b.send("a") == "ok");
  b.pump();
  CHECK(b.connection("a") == "connected");
  CHECK(b.mails_to("a") == 1);
}

TEST_CASE(
    "what was confirmed and then taken back leaves no account, also when the provider was already working on it") {
  for (const std::string how : {"revoked", "disabled", "another address"}) {
    for (const bool made : {false, true}) {
      CAPTURE(how, made);
      Confirmed b;
      if (made) {
        b.lose_answers();
        b.pump();
        REQUIRE(b.identity.accounts.size() == 1);
        b.identity.script = nullptr;
      }
      if (how == "revoked") REQUIRE(b.go(b.users.revoke(b.invitation("a").key, by_admin)));
      if (how == "disabled") REQUIRE(b.go(b.users.set_enabled("a", false, by_admin)));
      if (how == "another address") b.row({{"user_id", "a"}, {"login_email", "right@example.com"}});
      b.clock.advance(1h);
      b.pump();
      CHECK(b.identity.accounts.empty());
      if (how != "another address") {
        CHECK(b.connection("a") == "not_connected");
        continue;
      }
      b.connect("a");
      CHECK(b.connection("a") == "connected");
      CHECK(b.identity.accounts.begin()->second == "right@example.com");
    }
  }
}

TEST_CASE("an answer that comes after the confirmation was taken back connects nobody") {
  Confirmed b;
  b.identity.script = [&](const std::string& what, const std::string& external_id) -> std::optional<ProviderAnswer> {
    if (what != "ensure") return std::nullopt;
    b.identity.accounts.emplace(external_id, "a@example.com");
    // Between the request and its answer.
    b.db->raw().exec("SAVEPOINT now");
    b.planner->end_open(*b.db, b.user("a")->key, model::InvitationState::revoked, "revoked", "uid:0", b.clock.now());
    b.db->raw().exec("RELEASE now");
    return ProviderAnswer{.status = ProviderStatus::done, .provider_id = "p"};
  };
  b.pump();
  b.identity.script = nullptr;
  b.pump();
  CHECK(b.connection("a") == "not_connected");
  CHECK(b.state("a") == "revoked");
  CHECK(b.identity.accounts.empty());
}

TEST_CASE("whose confirmation is taken back while the provider is busy with another is not asked for") {
  Confirmed b;
  b.row({{"user_id", "b"}, {"name", "B"}, {"login_email", "b@example.com"}, {"start_date", "2026-10-20"}});
  b.mails_only();
  b.confirm(b.link("b"));
  const auto second = b.user("b")->key;
  b.identity.script = [&](const std::string& what, const std::string& external_id) -> std::optional<ProviderAnswer> {
    CHECK(external_id != second.text());
    if (what == "ensure") {
      b.db->raw().exec("SAVEPOINT now");
      b.planner->end_open(*b.db, second, model::InvitationState::revoked, "revoked", "uid:0", b.clock.now());
      b.db->raw().exec("RELEASE now");
    }
    return std::nullopt;
  };
  b.go(b.connecting.pass());
  settle(b.io);
  b.identity.script = nullptr;
  b.pump();
  CHECK(b.connection("a") == "connected");
  CHECK(b.connection("b") == "not_connected");
}

TEST_CASE("an answer that cannot be stored is asked for again later, and the others are connected") {
  Confirmed b;
  b.row({{"user_id", "b"}, {"name", "B"}, {"login_email", "b@example.com"}, {"start_date", "2026-10-20"}});
  b.mails_only();
  b.confirm(b.link("b"));
  b.refuse_rows("accounts", "a");
  b.ask_provider();
  CHECK(b.connection("a") == "pending");
  CHECK(b.connection("b") == "connected");
  REQUIRE(b.task());
  CHECK(b.task()->failures == 1);
  b.db->raw().exec("DROP TRIGGER refused");
  b.clock.advance(1h);
  b.pump();
  CHECK(b.connection("a") == "connected");
}

namespace {
// Confirmed, and asked about at a provider that takes a minute for the first of them.
struct Slow : Confirmed {
  explicit Slow(std::size_t window) {
    identity.calls_at_a_time = window;
    identity.takes_time = [this, first = user("a")->key.text()](std::string external_id) -> model::awaitable<void> {
      if (external_id == first) co_await clock.sleep_for(1min);
    };
    for (const std::string id : {"b", "c", "d"}) {
      row({{"user_id", id}, {"name", id}, {"login_email", id + "@example.com"}, {"start_date", "2026-10-20"}});
      mails_only();
      confirm(link(id));
    }
    ask_provider();
  }
  std::vector<std::string> connections() {
    std::vector<std::string> all;
    for (const std::string id : {"a", "b", "c", "d"}) all.push_back(connection(id));
    return all;
  }
  void a_minute_later() {
    clock.advance(1min);
    settle(io);
    ask_provider();
  }
};
const Words all_connected{"connected", "connected", "connected", "connected"};
}  // namespace

TEST_CASE("a call that hangs holds up nobody else while the provider's window has a place") {
  Slow b(2);
  CHECK(b.connections() == Words{"pending", "connected", "connected", "connected"});
  b.a_minute_later();
  CHECK(b.connections() == all_connected);
  CHECK(b.identity.most_open == 2);
  CHECK(b.identity.calls.size() == 4);
}

TEST_CASE("no more calls are open than the provider's window says") {
  Slow b(1);
  CHECK(b.connections() == Words{"pending", "pending", "pending", "pending"});
  b.a_minute_later();
  CHECK(b.connections() == all_connected);
  CHECK(b.identity.most_open == 1);
}

TEST_CASE("of one person one call is open: what is owed about her meanwhile waits for its end") {
  Slow b(4);
  REQUIRE(b.go(b.users.revoke(b.invitation("a").key, by_admin)));
  b.ask_provider();
  CHECK(b.identity.calls == Words{"ensure", "ensure", "ensure"});  // of the others
  b.a_minute_later();
  CHECK(b.identity.calls.back() == "remove");
  CHECK(b.connection("a") == "not_connected");
  CHECK(b.identity.accounts.size() == 3);
}

TEST_CASE("deleting a connection tells the provider, and another address can then be saved and verified") {
  Confirmed b;
  b.pump();
  REQUIRE(b.connection("a") == "connected");
  REQUIRE(b.go(b.users.disconnect("a", by_admin)));
  CHECK(b.connection("a") == "not_connected");
  CHECK_FALSE(store::accounts::get(*b.db, b.user("a")->key));
  b.pump();
  CHECK(b.identity.accounts.empty());
  CHECK(b.go(b.users.disconnect("a", by_admin)).error().code == "not_connected");
  CHECK(b.row({{"user_id", "a"}, {"login_email", "b@example.com"}}) == "updated");
  b.pump();
  CHECK(b.mails_to("a") == 1);  // nothing by itself
  CHECK(b.send("a") == "ok");
  b.pump();
  b.connect("a");
  CHECK(b.connection("a") == "connected");
  CHECK(b.identity.accounts.begin()->second == "b@example.com");
}

TEST_CASE("removed before made again: the provider sees them in this order also when the first fails for a while") {
  Confirmed b;
  b.pump();
  REQUIRE(b.go(b.users.disconnect("a", by_admin)));
  b.say(ProviderStatus::retry, 2);
  b.pump();
  b.row({{"user_id", "a"}, {"login_email", "b@example.com"}});
  REQUIRE(b.send("a") == "ok");
  b.mails_only();
  b.confirm(b.link("a"));
  for (int i = 0; i < 5; ++i) {
    b.clock.advance(1h);
    b.pump();
  }
  CHECK(b.connection("a") == "connected");
  CHECK(b.identity.accounts.begin()->second == "b@example.com");
}

TEST_CASE("a password is reset through the provider, for connected users only") {
  Confirmed b;
  CHECK(b.go(b.users.reset_password("a", by_admin)).error().code == "not_connected");
  b.pump();
  REQUIRE(b.go(b.users.reset_password("a", by_admin)));
  b.pump();
  CHECK(b.identity.calls.back() == "reset");
  CHECK(b.audit("a").back() == "user.password_reset");
}

TEST_CASE("while an operator holds a restored state nothing happens at the provider, and all of it afterwards") {
  Confirmed b;
  b.gate.hold("This state was restored.");
  b.pump();
  CHECK(b.identity.calls.empty());
  CHECK(b.connection("a") == "pending");
  b.gate.confirm();
  b.pump();
  CHECK(b.connection("a") == "connected");
}

TEST_CASE("an account that the provider refuses to remove is asked about each day, and by whoever connects anew") {
  Confirmed b;
  b.pump();
  REQUIRE(b.go(b.users.disconnect("a", by_admin)));
  b.say(ProviderStatus::rejected, 2);
  b.pump();
  b.clock.advance(24h);
  b.pump();
  CHECK(b.identity.calls == Words{"ensure", "remove", "remove"});
  CHECK(std::ranges::count(b.audit("a"), "account.refused remove_connection") == 1);
  REQUIRE(b.send("a") == "ok");
  b.mails_only();
  b.confirm(b.link("a"));
  b.pump();
  CHECK(b.identity.calls == Words{"ensure", "remove", "remove", "remove", "ensure"});
  CHECK(b.connection("a") == "connected");
}
