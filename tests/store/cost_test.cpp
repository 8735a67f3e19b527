// ARCHITECTURE: ten million users cost what is due, not what exists. What the loops ask each second is counted in
// steps of SQLite's own machine, which are the same on every computer.
#include <sqlite3.h>
#include <catch2/catch.hpp>

#include "store/future.hpp"
#include "store/rows.hpp"
#include "store/tasks.hpp"

using namespace invited;
using namespace invited::store;
using namespace std::chrono_literals;
using S = model::InvitationState;

namespace {

constexpr int people = 2'000;
constexpr int few_steps = 300;

// As many links that live and plans that wait as people, mails that were accepted, reviews that are over; nothing is
// due.
struct Crowd : test::Rows {
  Crowd() {
    db->raw().exec("BEGIN");
    for (int i = 0; i < people; ++i) {
      const std::string id = std::to_string(i);
      const auto user = this->user(id, "u" + id + "@d" + std::to_string(i % 50) + ".example");
      employment(user, model::CivilDate{std::chrono::year{2026}, std::chrono::month{3}, std::chrono::day{2}});
      if (i % 2 == 0) {
        (void)invitation(user, S::scheduled);
        continue;
      }
      const auto offer = invitation(user, S::released);
      const auto mail = delivery(offer);
      (void)deliveries::claim(*db, owner, clock.now(), clock.now(), 1);
      deliveries::Outcome outcome;
      outcome.state = model::DeliveryState::accepted;
      outcome.at = clock.now();
      (void)deliveries::settle(*db, mail.key, owner, outcome);
      invitations::Change change;
      change.at = clock.now();
      change.ends_at = clock.now() + 24h;
      invitations::move(*db, offer.key, S::released, S::sent, change);
    }
    db->raw().exec("COMMIT");
  }

  template <class Ask>
  int steps(Ask ask) {
    const auto all = [&] {
      int sum = 0;
      for (auto* q = sqlite3_next_stmt(db->raw().getHandle(), nullptr); q != nullptr;
           q = sqlite3_next_stmt(db->raw().getHandle(), q))
        sum += sqlite3_stmt_status(q, SQLITE_STMTSTATUS_VM_STEP, 1);
      return sum;
    };
    (void)all();
    ask();
    return all();
  }

  core::Id owner = ids.next();
};

}  // namespace

TEST_CASE("what the loops ask each second costs what is due, not what exists") {
  Crowd crowd;
  Db& db = *crowd.db;
  const auto now = crowd.clock.now();
  const auto nowhere = future::from(0);
  CHECK(crowd.steps([&] { CHECK(invitations::ending(db, now, 32).empty()); }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(invitations::due_zones(db).size() == 1); }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(invitations::due(db, "Europe/Stockholm", 2026010100, 32).empty()); }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(invitations::count_due(db, "Europe/Stockholm", 2026010100, 32) == 0); }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(invitations::count_held(db) == 0); }) < few_steps);
  CHECK(crowd.steps([&] {
    CHECK(invitations::page(db, {.state = S::sent, .held = true, .user = std::nullopt}, std::nullopt, 32).empty());
  }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(deliveries::claim(db, crowd.owner, now, now, 32).empty()); }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(deliveries::claimed(db, crowd.owner).empty()); }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(deliveries::rescue(db, crowd.ids.next(), now, 32).empty()); }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(tasks::due(db, now, 32).empty()); }) < few_steps);
  CHECK(crowd.steps([&] { (void)tasks::health(db); }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(future::leaving_zones(db).empty()); }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(future::leaving(db, "Europe/Stockholm", nowhere, 32).empty()); }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(employments::in_gap(db, std::nullopt, 32).empty()); }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(employments::in_review(db, std::nullopt, 32).empty()); }) < few_steps);
  CHECK(crowd.steps([&] { CHECK(users::unconnected_in_domain(db, "other.example", std::nullopt, 32).empty()); }) <
        few_steps);
}

TEST_CASE("a page of what is foreseen costs a page") {
  Crowd crowd;
  constexpr int per_row = 40;
  CHECK(crowd.steps([&] { CHECK(future::ends(*crowd.db, future::from(0), 32).size() == 32); }) <
        few_steps + 32 * per_row);
  CHECK(crowd.steps([&] { CHECK(future::due(*crowd.db, "Europe/Stockholm", future::from(0), 32).size() == 32); }) <
        few_steps + 32 * per_row);
}
