#include "store/invitations.hpp"

#include <catch2/catch.hpp>

#include "store/rows.hpp"

using namespace invited;
using namespace invited::store;
using invited::test::Rows;
using model::CivilDate;
using model::CivilDue;
using namespace std::chrono_literals;

namespace {

using S = model::InvitationState;

constexpr CivilDate march_first{std::chrono::year{2026}, std::chrono::month{3}, std::chrono::day{1}};

CivilDue due(CivilDate date, const std::string& zone, int hour = 9) {
  return {date, hour, zone};
}

// What a move to this state must bring along.
invitations::Change change_for(S to, core::Instant now) {
  invitations::Change change;
  change.at = now;
  if (to == S::scheduled) change.due = due(march_first, "Europe/Stockholm");
  if (to == S::sent) change.ends_at = now + 24h;
  return change;
}

std::vector<S> all_states() {
  std::vector<S> states;
  for (int i = 0; i < 10; ++i) states.push_back(static_cast<S>(i));
  return states;
}

}  // namespace

TEST_CASE("a row comes back as it was written") {
  Rows rows;
  const auto anna = rows.user("anna", "anna@example.com");
  auto made = rows.invitation(anna, S::scheduled);
  const auto read = invitations::get(*rows.db, made.key);
  REQUIRE(read);
  CHECK(read->user == anna.key);
  CHECK(read->generation == 1);
  CHECK(read->state == S::scheduled);
  CHECK(read->login_email_canonical == "anna@example.com");
  CHECK(read->due == made.due);
  CHECK(read->selector == made.selector);
  CHECK(read->salt == made.salt);
  CHECK(read->created_at == made.created_at);
  CHECK(invitations::by_selector(*rows.db, made.selector)->key == made.key);
  CHECK(invitations::newest(*rows.db, anna.key)->key == made.key);
  CHECK_FALSE(invitations::get(*rows.db, rows.ids.next()));
}

TEST_CASE("every move in the table is possible once, every other one is refused") {
  for (const S from : all_states()) {
    for (const S to : all_states()) {
      CAPTURE(model::to_text(from), model::to_text(to));
      Rows rows;
      const auto anna = rows.user("anna");
      const auto row = rows.invitation(anna, S::released);
      // Put there by hand: only the move itself is asked about.
      rows.db->run(
          "UPDATE invitations SET state = ?2, due_key = 2026030109, due_zone = 'UTC', ends_at = 1 WHERE key = ?1",
          row.key, model::to_text(from));
      const auto move = [&] { invitations::move(*rows.db, row.key, from, to, change_for(to, rows.clock.now())); };
      if (!model::allowed(from, to)) {
        CHECK_THROWS_AS(move(), std::logic_error);
        CHECK(invitations::get(*rows.db, row.key)->state == from);
        continue;
      }
      CHECK_NOTHROW(move());
      CHECK(invitations::get(*rows.db, row.key)->state == to);
      CHECK_THROWS_AS(move(), Conflict);
    }
  }
}

TEST_CASE("an invitation is made only in the states the table allows") {
  for (const S state : all_states()) {
    CAPTURE(model::to_text(state));
    Rows rows;
    const auto anna = rows.user("anna");
    if (model::allowed(std::nullopt, state)) {
      CHECK_NOTHROW(rows.invitation(anna, state));
    } else {
      CHECK_THROWS_AS(rows.invitation(anna, state), std::logic_error);
    }
  }
}

TEST_CASE("a user has at most one live invitation, and one of each generation") {
  Rows rows;
  const auto anna = rows.user("anna");
  auto first = rows.invitation(anna, S::released);
  CHECK_THROWS_AS(rows.invitation(anna, S::draft), SQLite::Exception);
  invitations::move(*rows.db, first.key, S::released, S::cancelled, {});
  auto second = rows.invitation(anna, S::draft);
  CHECK(second.generation == 2);
  CHECK(invitations::newest(*rows.db, anna.key)->key == second.key);
  CHECK_THROWS_AS(rows.db->run("UPDATE invitations SET generation = 1 WHERE key = ?", second.key), SQLite::Exception);
}

TEST_CASE("each state stamps its own moment, and ended ones say why") {
  Rows rows;
  const auto anna = rows.user("anna");
  const auto row = rows.invitation(anna, S::draft);
  const auto step = [&](S from, S to, std::string_view reason = {}) {
    rows.clock.advance(1min);
    auto change = change_for(to, rows.clock.now());
    change.end_reason = reason;
    invitations::move(*rows.db, row.key, from, to, change);
    return rows.clock.now();
  };
  const auto released = step(S::draft, S::released);
  const auto accepted = step(S::released, S::sent);
  const auto expired = step(S::sent, S::expired, "link_expired");
  auto read = invitations::get(*rows.db, row.key).value();
  CHECK(read.released_at == released);
  CHECK(read.accepted_at == accepted);
  CHECK(read.ends_at == accepted + 24h);
  CHECK(read.ended_at == expired);
  CHECK(read.end_reason == "link_expired");
  CHECK_FALSE(read.verified_at);
  const auto verified = step(S::expired, S::verified);
  read = invitations::get(*rows.db, row.key).value();
  CHECK(read.verified_at == verified);
}

TEST_CASE("the end of a link is only ever extended") {
  Rows rows;
  const auto row = rows.invitation(rows.user("anna"), S::released);
  rows.db->run("UPDATE invitations SET ends_at = ?2 WHERE key = ?1", row.key, rows.clock.now() + 48h);
  invitations::move(*rows.db, row.key, S::released, S::sent, change_for(S::sent, rows.clock.now()));
  CHECK(invitations::get(*rows.db, row.key)->ends_at == rows.clock.now() + 48h);
}

TEST_CASE("a move lifts held and forgets the date; erasing the salt kills the link") {
  Rows rows;
  const auto row = rows.invitation(rows.user("anna"), S::scheduled);
  invitations::set_held(*rows.db, row.key, "doubt");
  CHECK(invitations::count_held(*rows.db) == 1);
  auto change = change_for(S::cancelled, rows.clock.now());
  change.erase_salt = true;
  invitations::move(*rows.db, row.key, S::scheduled, S::cancelled, change);
  const auto read = invitations::get(*rows.db, row.key).value();
  CHECK(read.held_reason.empty());
  CHECK_FALSE(read.due);
  CHECK(read.salt == std::array<std::byte, 16>{});
  CHECK(read.salt != row.salt);
}

TEST_CASE("a held link that expires is still held: nobody has looked yet") {
  Rows rows;
  const auto row = rows.invitation(rows.user("anna"), S::released);
  invitations::move(*rows.db, row.key, S::released, S::sent, change_for(S::sent, rows.clock.now()));
  invitations::set_held(*rows.db, row.key, "delivery_uncertain");
  invitations::move(*rows.db, row.key, S::sent, S::expired, change_for(S::expired, rows.clock.now()));
  CHECK(invitations::get(*rows.db, row.key)->held_reason == "delivery_uncertain");
}

TEST_CASE("what is due is asked per zone, by the local hour, earliest first, without the held ones") {
  Rows rows;
  const auto make = [&](const std::string& id, CivilDate date, const std::string& zone, int hour = 9) {
    const auto row = rows.invitation(rows.user(id), S::scheduled);
    invitations::reschedule(*rows.db, row.key, due(date, zone, hour));
    return row.key;
  };
  const auto second = make("b", march_first, "Europe/Stockholm");
  const auto first = make("a", model::add_days(march_first, -1), "Europe/Stockholm");
  make("later", march_first, "Europe/Stockholm", 10);
  const auto held = make("held", march_first, "Europe/Stockholm");
  make("cairo", march_first, "Africa/Cairo");
  invitations::set_held(*rows.db, held, "doubt");
  CHECK(invitations::due_zones(*rows.db) == std::vector<std::string>{"Africa/Cairo", "Europe/Stockholm"});
  const auto at_nine = model::due_key(march_first, 9);
  auto found = invitations::due(*rows.db, "Europe/Stockholm", at_nine, 10);
  REQUIRE(found.size() == 2);
  CHECK(found[0].key == first);
  CHECK(found[1].key == second);
  CHECK(invitations::due(*rows.db, "Europe/Stockholm", at_nine, 1).size() == 1);
  CHECK(invitations::due(*rows.db, "Europe/Stockholm", model::due_key(march_first, 8), 10).size() == 1);
  CHECK(invitations::due(*rows.db, "America/Santiago", at_nine, 10).empty());
  CHECK_THROWS_AS(
      invitations::reschedule(*rows.db, rows.invitation(rows.user("x"), S::released).key, due(march_first, "UTC")),
      Conflict);
}

TEST_CASE("no zone is found where nothing is scheduled") {
  Rows rows;
  CHECK(invitations::due_zones(*rows.db).empty());
  rows.invitation(rows.user("anna"), S::released);
  CHECK(invitations::due_zones(*rows.db).empty());
}

TEST_CASE("links that end are found at their end, not before") {
  Rows rows;
  const auto row = rows.invitation(rows.user("anna"), S::released);
  invitations::move(*rows.db, row.key, S::released, S::sent, change_for(S::sent, rows.clock.now()));
  CHECK(invitations::ending(*rows.db, rows.clock.now() + 24h - 1ms, 10).empty());
  CHECK(invitations::ending(*rows.db, rows.clock.now() + 24h, 10).size() == 1);
}

TEST_CASE("pages of invitations are newest first and take every filter") {
  Rows rows;
  std::vector<core::Id> keys;
  for (const std::string id : {"a", "b", "c", "d"}) {
    keys.push_back(rows.invitation(rows.user(id), S::released).key);
    rows.clock.advance(1s);
  }
  invitations::set_held(*rows.db, keys[1], "doubt");
  const auto page = [&](const invitations::Which& which, const std::optional<core::Id>& before = std::nullopt,
                        std::size_t limit = 10) {
    std::vector<core::Id> found;
    for (const auto& row : invitations::page(*rows.db, which, before, limit)) found.push_back(row.key);
    return found;
  };
  CHECK(page({}) == std::vector<core::Id>{keys[3], keys[2], keys[1], keys[0]});
  CHECK(page({}, std::nullopt, 2) == std::vector<core::Id>{keys[3], keys[2]});
  CHECK(page({}, keys[2]) == std::vector<core::Id>{keys[1], keys[0]});
  CHECK(page({.held = true}) == std::vector<core::Id>{keys[1]});
  CHECK(page({.held = false}).size() == 3);
  CHECK(page({.state = S::sent}).empty());
  CHECK(page({.user = invitations::get(*rows.db, keys[2])->user}) == std::vector<core::Id>{keys[2]});
  CHECK(invitations::count_by_state(*rows.db) == std::vector<std::pair<std::string, std::int64_t>>{{"released", 4}});
}
