#include "store/deliveries.hpp"

#include <catch2/catch.hpp>

#include "model/retry.hpp"
#include "store/rows.hpp"
#include "store/tasks.hpp"

using namespace invited;
using namespace invited::store;
using invited::test::Rows;
using namespace std::chrono_literals;

namespace {

using S = model::DeliveryState;

struct Outbox : Rows {
  core::Id me = ids.next();
  core::Id other = ids.next();
  int users = 0;

  model::Delivery mail(std::int32_t rank = 20260301) {
    return delivery(invitation(user("u" + std::to_string(++users)), model::InvitationState::released), rank);
  }
  std::vector<model::Delivery> claim(std::size_t limit = 10) {
    return deliveries::claim(*db, me, clock.now(), clock.now() + 10min, limit);
  }
  deliveries::Outcome outcome(S state) {
    deliveries::Outcome o;
    o.state = state;
    o.at = clock.now();
    o.phase = "data_end";
    o.code = 250;
    o.detail = "said so";
    return o;
  }
  model::Delivery row(const model::Delivery& d) { return deliveries::get(*db, d.key).value(); }
};

}  // namespace

TEST_CASE("a claim takes what is due, earliest start first, at most so many, and opens an attempt") {
  Outbox box;
  const auto later = box.mail(20260401);
  const auto sooner = box.mail(20260301);
  const auto waiting = box.mail(20260101);
  box.db->run("UPDATE deliveries SET next_at = next_at + 1 WHERE key = ?", waiting.key);
  const auto one = box.claim(1);
  REQUIRE(one.size() == 1);
  CHECK(one[0].key == sooner.key);
  CHECK(one[0].state == S::claimed);
  CHECK(one[0].attempts == 1);
  CHECK(box.row(sooner).state == S::claimed);
  const auto rest = box.claim();
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].key == later.key);
  CHECK(box.claim().empty());
  const auto attempts = deliveries::attempts(*box.db, sooner.key);
  REQUIRE(attempts.size() == 1);
  CHECK(attempts[0].number == 1);
  CHECK(attempts[0].outcome == "claimed");
  CHECK_FALSE(attempts[0].ended_at);
}

TEST_CASE("an accepted mail is settled once, by its owner only, and never claimed again") {
  Outbox box;
  const auto mail = box.mail();
  REQUIRE(box.claim().size() == 1);
  CHECK_FALSE(deliveries::settle(*box.db, mail.key, box.other, box.outcome(S::accepted)));
  CHECK(deliveries::settle(*box.db, mail.key, box.me, box.outcome(S::accepted)));
  CHECK_FALSE(deliveries::settle(*box.db, mail.key, box.me, box.outcome(S::accepted)));
  CHECK(box.row(mail).state == S::accepted);
  CHECK(box.row(mail).detail == "said so");
  const auto attempts = deliveries::attempts(*box.db, mail.key);
  REQUIRE(attempts.size() == 1);
  CHECK(attempts[0].outcome == "accepted");
  CHECK(attempts[0].code == 250);
  CHECK(attempts[0].ended_at == box.clock.now());
  box.clock.advance(48h);
  CHECK(box.claim().empty());
  CHECK(deliveries::rescue(*box.db, box.other, box.clock.now(), 10).empty());
}

TEST_CASE("a claimed mail does not end in a state that is no outcome") {
  Outbox box;
  const auto mail = box.mail();
  REQUIRE(box.claim().size() == 1);
  for (const S state : {S::queued, S::claimed, S::cancelled})
    CHECK_THROWS_AS(deliveries::settle(*box.db, mail.key, box.me, box.outcome(state)), std::logic_error);
}

TEST_CASE("a deferred mail comes back at its time and counts a failure unless the transport was at fault") {
  Outbox box;
  const auto mail = box.mail();
  REQUIRE(box.claim().size() == 1);
  auto outcome = box.outcome(S::deferred);
  outcome.next_at = box.clock.now() + 5min;
  REQUIRE(deliveries::settle(*box.db, mail.key, box.me, outcome));
  CHECK(box.row(mail).failures == 1);
  CHECK(box.claim().empty());
  box.clock.advance(5min);
  REQUIRE(box.claim().size() == 1);
  outcome.counts = false;
  REQUIRE(deliveries::settle(*box.db, mail.key, box.me, outcome));
  CHECK(box.row(mail).failures == 1);
  CHECK(box.row(mail).attempts == 2);
  CHECK(deliveries::attempts(*box.db, mail.key).size() == 2);
}

TEST_CASE(
    "what a run that is gone had claimed becomes uncertain and is due at once; the third time it waits for a person") {
  Outbox box;
  const auto mail = box.mail();
  for (int run = 1; run <= model::most_uncertain_tries; ++run) {
    CAPTURE(run);
    REQUIRE(box.claim().size() == 1);
    CHECK(deliveries::rescue(*box.db, box.me, box.clock.now(), 10).empty());  // one's own are not touched
    box.me = box.ids.next();
    CHECK(deliveries::rescue(*box.db, box.me, box.clock.now(), 10) == std::vector<core::Id>{mail.key});
    const auto row = box.row(mail);
    CHECK(row.state == S::uncertain);
    CHECK(row.uncertain_tries == run);
    CHECK(row.message_id == mail.message_id);
    CHECK(row.next_at.has_value() == (run < model::most_uncertain_tries));
    CHECK(deliveries::attempts(*box.db, mail.key).back().outcome == "uncertain");
  }
  box.clock.advance(1000h);
  CHECK(box.claim().empty());
}

TEST_CASE("an answer that comes after the rescue changes nothing") {
  Outbox box;
  const auto mail = box.mail();
  REQUIRE(box.claim().size() == 1);
  REQUIRE(deliveries::rescue(*box.db, box.other, box.clock.now(), 10).size() == 1);
  CHECK_FALSE(deliveries::settle(*box.db, mail.key, box.me, box.outcome(S::accepted)));
  CHECK(box.row(mail).state == S::uncertain);
}

TEST_CASE("rescue works in chunks") {
  Outbox box;
  for (int i = 0; i < 5; ++i) (void)box.mail();
  REQUIRE(box.claim().size() == 5);
  CHECK(deliveries::rescue(*box.db, box.other, box.clock.now(), 3).size() == 3);
  CHECK(deliveries::rescue(*box.db, box.other, box.clock.now(), 3).size() == 2);
  CHECK(deliveries::rescue(*box.db, box.other, box.clock.now(), 3).empty());
}

TEST_CASE("an open mail is cancelled, a claimed or finished one is not") {
  Outbox box;
  const auto mail = box.mail();
  REQUIRE(box.claim().size() == 1);
  CHECK_FALSE(deliveries::cancel(*box.db, mail.invitation));
  REQUIRE(deliveries::settle(*box.db, mail.key, box.me, box.outcome(S::uncertain)));
  CHECK(deliveries::cancel(*box.db, mail.invitation));
  CHECK(box.row(mail).state == S::cancelled);
  CHECK_FALSE(deliveries::cancel(*box.db, mail.invitation));
  CHECK_THROWS_AS(deliveries::requeue(*box.db, mail.key, box.clock.now()), Conflict);
}

TEST_CASE("a parked mail that is let go keeps its Message-ID and gets its tries anew") {
  Outbox box;
  const auto mail = box.mail();
  REQUIRE(box.claim().size() == 1);
  REQUIRE(deliveries::settle(*box.db, mail.key, box.me, box.outcome(S::rejected)));
  CHECK(box.claim().empty());
  deliveries::requeue(*box.db, mail.key, box.clock.now());
  CHECK(box.row(mail).state == S::queued);
  CHECK(box.row(mail).uncertain_tries == 0);
  const auto claimed = box.claim();
  REQUIRE(claimed.size() == 1);
  CHECK(claimed[0].message_id == mail.message_id);
}

TEST_CASE("an invitation has one mail of each kind, each with its own end") {
  Outbox box;
  const auto first = box.mail();
  auto other = first;
  other.key = box.ids.next();
  other.kind = model::DeliveryKind::sign_in_ready;
  other.message_id = "another@test.example";
  deliveries::insert(*box.db, other, 1);
  CHECK(deliveries::of_invitation(*box.db, first.invitation)->key == first.key);
  CHECK(deliveries::of_invitation(*box.db, first.invitation, other.kind)->key == other.key);
  CHECK(box.row(other).kind == other.kind);
  CHECK(deliveries::cancel(*box.db, first.invitation, other.kind));
  CHECK(box.row(first).state == S::queued);
  other.key = box.ids.next();
  other.message_id = "a-third@test.example";
  CHECK_THROWS_AS(deliveries::insert(*box.db, other, 1), SQLite::Exception);
}

TEST_CASE("an invitation has one delivery and a Message-ID belongs to one") {
  Outbox box;
  const auto mail = box.mail();
  auto copy = mail;
  copy.key = box.ids.next();
  copy.message_id = "another@test.example";
  CHECK_THROWS_AS(deliveries::insert(*box.db, copy, 1), SQLite::Exception);
  const auto second = box.mail();
  CHECK_THROWS_AS(box.db->run("UPDATE deliveries SET message_id = ?2 WHERE key = ?1", second.key, mail.message_id),
                  SQLite::Exception);
  copy.state = S::claimed;
  CHECK_THROWS_AS(deliveries::insert(*box.db, copy, 1), std::logic_error);
}

TEST_CASE("open mails are counted as waiting and claimed") {
  Outbox box;
  (void)box.mail();
  (void)box.mail();
  REQUIRE(box.claim(1).size() == 1);
  CHECK(deliveries::count_open(*box.db) ==
        std::vector<std::pair<std::string, std::int64_t>>{{"waiting", 1}, {"claimed", 1}});
}

namespace {

struct Owed : Rows {
  model::User anna = user("anna");
  model::ProviderTask task(model::ProviderTaskKind kind) {
    model::ProviderTask t;
    t.key = ids.next();
    t.user = anna.key;
    t.kind = kind;
    t.next_at = clock.now();
    t.created_at = clock.now();
    return t;
  }
  std::vector<model::ProviderTaskKind> due() {
    std::vector<model::ProviderTaskKind> kinds;
    for (const auto& t : tasks::due(*db, clock.now(), 10)) kinds.push_back(t.kind);
    return kinds;
  }
};

using Kinds = std::vector<model::ProviderTaskKind>;
using Kind = model::ProviderTaskKind;

}  // namespace

TEST_CASE("what is owed to the provider for one user is done in the order it was made") {
  Owed owed;
  const auto remove = owed.task(Kind::remove_connection);
  tasks::put(*owed.db, remove);
  tasks::put(*owed.db, owed.task(Kind::ensure_account));
  CHECK(owed.due() == Kinds{Kind::remove_connection});
  tasks::postpone(*owed.db, remove.key, owed.clock.now() + 1min, "busy");
  CHECK(owed.due().empty());
  tasks::done(*owed.db, remove.key);
  CHECK(owed.due() == Kinds{Kind::ensure_account});
}

TEST_CASE("a second task of a kind is the same task, tried anew") {
  Owed owed;
  const auto first = owed.task(Kind::ensure_account);
  tasks::put(*owed.db, first);
  tasks::postpone(*owed.db, first.key, std::nullopt, "refused");
  CHECK(owed.due().empty());
  tasks::put(*owed.db, owed.task(Kind::ensure_account));
  CHECK(tasks::health(*owed.db).waiting == 1);
  CHECK(owed.due() == Kinds{Kind::ensure_account});
  CHECK(tasks::get(*owed.db, first.key)->failures == 0);
}

TEST_CASE("a refused password reset does not keep an account from being removed") {
  Owed owed;
  const auto reset = owed.task(Kind::reset_password);
  tasks::put(*owed.db, reset);
  tasks::postpone(*owed.db, reset.key, std::nullopt, "refused");
  tasks::put(*owed.db, owed.task(Kind::remove_connection));
  CHECK(owed.due() == Kinds{Kind::remove_connection});
}

TEST_CASE(
    "a refused account does not keep it from being removed, but a refused removal keeps a new one from being made") {
  Owed owed;
  const auto ensure = owed.task(Kind::ensure_account);
  tasks::put(*owed.db, ensure);
  tasks::postpone(*owed.db, ensure.key, std::nullopt, "refused");
  const auto remove = owed.task(Kind::remove_connection);
  tasks::put(*owed.db, remove);
  CHECK(owed.due() == Kinds{Kind::remove_connection});
  tasks::postpone(*owed.db, remove.key, std::nullopt, "refused");
  tasks::drop(*owed.db, owed.anna.key, Kind::ensure_account);
  tasks::put(*owed.db, owed.task(Kind::ensure_account));
  // What is asked for now tries the removal once more, and waits behind it.
  CHECK(owed.due() == Kinds{Kind::remove_connection});
  tasks::postpone(*owed.db, remove.key, std::nullopt, "refused");
  CHECK(owed.due().empty());
}
