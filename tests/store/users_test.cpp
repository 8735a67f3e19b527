#include "store/users.hpp"

#include <catch2/catch.hpp>

#include "store/accounts.hpp"
#include "store/domains.hpp"
#include "store/meta.hpp"
#include "store/plans.hpp"
#include "store/rows.hpp"

using namespace invited;
using namespace invited::store;
using invited::test::Rows;
using model::CivilDate;

namespace {

CivilDate date(const std::string& text) {
  return model::parse_date(text).value();
}

struct People : Rows {
  std::vector<std::string> found(const model::UserFilter& filter, std::size_t limit = 100) {
    std::vector<std::string> ids_found;
    for (const auto& user : users::page(*db, filter, std::nullopt, limit)) ids_found.push_back(user.user_id);
    return ids_found;
  }
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("user-ids are compared without regard to case, in every script") {
  CHECK(fold_user_id("Anna") == "anna");
  CHECK(fold_user_id("ÅSA") == fold_user_id("åsa"));
  CHECK(fold_user_id("STRASSE") == fold_user_id("straße"));
  CHECK(fold_user_id("a_1") != fold_user_id("a-1"));
  CHECK(fold_user_id("A\xCC\x8Asa ") == fold_user_id("åsa"));
  Rows rows;
  rows.user("Åsa");
  CHECK(users::find(*rows.db, "åSA")->user_id == "Åsa");
  CHECK_FALSE(users::find(*rows.db, "asa"));
  CHECK_THROWS_AS(rows.user("ÅSA"), SQLite::Exception);
}

TEST_CASE("a user comes back as written, lists included") {
  Rows rows;
  auto anna = rows.user("anna", "Anna@Example.com");
  anna.given_name = "Anna";
  anna.family_name = "Berg";
  anna.company = "north";
  anna.department = "Sales";
  anna.locale = "sv";
  anna.alias = "ab";
  anna.signature = "AB";
  anna.card_id = "77";
  anna.external_ref = "x-1";
  anna.authorised_companies = {"north", "south"};
  anna.roles = {"admin"};
  anna.enabled = false;
  anna.connection = model::Connection::pending;
  anna.source = "hr";
  users::update(*rows.db, anna);
  CHECK(users::get(*rows.db, anna.key) == anna);
  CHECK(users::owner_of_login_email(*rows.db, "anna@example.com") == anna.key);
  CHECK_FALSE(users::owner_of_login_email(*rows.db, ""));
}

TEST_CASE("a login email belongs to one user, no login email to many") {
  Rows rows;
  rows.user("anna", "anna@example.com");
  CHECK_THROWS_AS(rows.user("bo", "ANNA@example.com"), SQLite::Exception);
  rows.user("cia");
  CHECK_NOTHROW(rows.user("dag"));
}

TEST_CASE("the filter of users: each field, all together, and free text") {
  People people;
  const auto change = [&](model::User user, auto&& how) {
    how(user);
    users::update(*people.db, user);
    return user;
  };
  const auto anna = change(people.user("anna", "anna@example.com"), [](model::User& u) {
    u.company = "north";
    u.department = "Sales";
    u.roles = {"admin", "viewer"};
    u.authorised_companies = {"north", "south"};
  });
  const auto bo = change(people.user("bo"), [](model::User& u) {
    u.company = "south";
    u.roles = {"administrator"};
    u.enabled = false;
    u.card_id = "100%";
  });
  const auto cia = change(people.user("cia"), [](model::User& u) { u.connection = model::Connection::connected; });
  people.employment(anna, date("2026-05-01"));
  auto withdrawn = people.employment(bo, date("2026-09-01"));
  withdrawn.withdrawn = true;
  employments::update(*people.db, withdrawn);
  auto in_review = people.employment(bo, date("2026-06-01"));
  in_review.review = model::ReviewState::pending;
  employments::update(*people.db, in_review);
  people.invitation(anna, model::InvitationState::released);

  CHECK(people.found({}) == Words{"anna", "bo", "cia"});
  CHECK(model::UserFilter{}.empty());
  CHECK(people.found({}, 2) == Words{"anna", "bo"});
  CHECK(people.found({.company = "north"}) == Words{"anna"});
  CHECK(people.found({.company = ""}) == Words{"cia"});
  CHECK(people.found({.department = "Sales"}) == Words{"anna"});
  CHECK(people.found({.authorised_company = "south"}) == Words{"anna"});
  CHECK(people.found({.authorised_company = "sout"}).empty());
  CHECK(people.found({.role = "admin"}) == Words{"anna"});  // a whole name, not the beginning of one
  CHECK(people.found({.role = "%"}).empty());
  CHECK(people.found({.enabled = true}) == Words{"anna", "cia"});
  CHECK(people.found({.enabled = false}) == Words{"bo"});
  CHECK(people.found({.connection = model::Connection::connected}) == Words{"cia"});
  CHECK(people.found({.login_email_saved = true}) == Words{"anna"});
  CHECK(people.found({.login_email_saved = false}) == Words{"bo", "cia"});
  CHECK(people.found({.start_before = date("2026-05-01")}).empty());
  CHECK(people.found({.start_before = date("2026-05-02")}) == Words{"anna"});
  CHECK(people.found({.start_after = date("2026-05-01")}) == Words{"bo"});
  CHECK(people.found({.start_after = date("2026-06-01")}).empty());  // the withdrawn one is not in force
  CHECK(people.found({.invitation = model::InvitationState::released}) == Words{"anna"});
  CHECK(people.found({.review = model::ReviewState::pending}) == Words{"bo"});
  CHECK(people.found({.search = "EXAMPLE"}) == Words{"anna"});
  CHECK(people.found({.search = "100%"}) == Words{"bo"});
  CHECK(people.found({.search = "0_%"}).empty());
  CHECK(people.found({.search = " "}).empty());
  CHECK(people.found({.search = "\ufeff"}).empty());
  CHECK(people.found({.search = "person"}) == Words{"anna", "bo", "cia"});
  CHECK(people.found({.company = "south",
                      .role = "administrator",
                      .enabled = false,
                      .start_after = date("2026-01-01"),
                      .review = model::ReviewState::pending,
                      .search = "bo"}) == Words{"bo"});
}

TEST_CASE("free text finds letters of every script without regard to case") {
  People people;
  auto asa = people.user("1");
  asa.name = "Åsa Öberg";
  users::update(*people.db, asa);
  CHECK(people.found({.search = "Åsa"}) == Words{"1"});
  CHECK(people.found({.search = "öberg"}) == Words{"1"});
}

TEST_CASE("pages of users go on after the last key") {
  People people;
  for (int i = 0; i < 5; ++i) people.user(std::to_string(i));
  const auto first = users::page(*people.db, {.search = "Person"}, std::nullopt, 2);
  const auto second = users::page(*people.db, {.search = "Person"}, first.back().key, 2);
  REQUIRE(second.size() == 2);
  CHECK(second[0].user_id == "2");
  CHECK(users::page(*people.db, {}, second.back().key, 2).size() == 1);
  CHECK(users::count(*people.db) == 5);
}

TEST_CASE("unconnected users of a domain, and the domains there are of them") {
  People people;
  people.user("a", "a@example.com");
  people.user("b", "b@mail.example.com");
  people.user("c", "c@badexample.com");
  auto d = people.user("d", "d@example.com");
  users::set_connection(*people.db, d.key, model::Connection::connected);
  const auto in = [&](std::string_view rule) {
    Words found;
    for (const auto& key : users::unconnected_in_domain(*people.db, rule, std::nullopt, 10))
      found.push_back(users::get(*people.db, key)->user_id);
    return found;
  };
  people.user("e", "e@example.com");
  CHECK(in("example.com") == Words{"a", "e"});
  CHECK(users::unconnected_domains(*people.db, "", 10) == Words{"badexample.com", "example.com", "mail.example.com"});
  CHECK(users::unconnected_domains(*people.db, "badexample.com", 1) == Words{"example.com"});
  CHECK(users::unconnected_domains(*people.db, "mail.example.com", 10).empty());
  CHECK(in("mail.example.com") == Words{"b"});
  CHECK(in("other.com").empty());
}

TEST_CASE("the employment in force is the earliest that is neither withdrawn nor over, else the latest") {
  Rows rows;
  const auto anna = rows.user("anna");
  CHECK_FALSE(employments::in_force(*rows.db, anna.key));
  auto first = rows.employment(anna, date("2026-01-01"));
  auto second = rows.employment(anna, date("2026-06-01"));
  const auto in_force = [&] { return employments::in_force(*rows.db, anna.key); };
  const auto following = [&] { return employments::current(*rows.db, anna.key).following; };
  CHECK(in_force() == first);
  CHECK(following() == second);
  second.withdrawn = true;
  employments::update(*rows.db, second);
  CHECK(in_force() == first);
  CHECK_FALSE(following());
  CHECK(employments::newest(*rows.db, anna.key) == second);
  second.withdrawn = false;
  employments::update(*rows.db, second);
  first.over = true;
  employments::update(*rows.db, first);
  CHECK(in_force() == second);
  second.over = true;
  employments::update(*rows.db, second);
  CHECK(in_force() == second);
  second.withdrawn = true;
  employments::update(*rows.db, second);
  CHECK(in_force() == first);
  first.withdrawn = true;
  employments::update(*rows.db, first);
  CHECK(in_force() == second);
  CHECK_FALSE(employments::starting_on(*rows.db, anna.key, date("2026-01-01")));  // withdrawn
  first.withdrawn = false;
  employments::update(*rows.db, first);
  CHECK(employments::starting_on(*rows.db, anna.key, date("2026-01-01")) == first);
  CHECK_FALSE(employments::starting_on(*rows.db, anna.key, date("2026-01-02")));
}

TEST_CASE("employments that ended and have a follower are handed over, in pieces") {
  Rows rows;
  const auto anna = rows.user("anna");
  const auto bo = rows.user("bo");
  auto ended = rows.employment(anna, date("2026-01-01"));
  ended.end_date = date("2026-05-31");
  employments::update(*rows.db, ended);
  auto alone = rows.employment(bo, date("2026-01-01"));
  alone.end_date = date("2026-05-31");
  employments::update(*rows.db, alone);
  (void)rows.employment(anna, date("2026-06-01"));
  CHECK(employments::to_end(*rows.db, date("2026-05-31"), std::nullopt, 10).users.empty());
  const auto found = employments::to_end(*rows.db, date("2026-06-01"), std::nullopt, 10);
  CHECK(found.users == std::vector<core::Id>{ended.user});
  CHECK_FALSE(found.last);
  // Whose end nobody follows is looked at as well: a page ends after so many rows, not after so many people.
  const auto page = employments::to_end(*rows.db, date("2026-06-01"), std::nullopt, 1);
  REQUIRE(page.last);
  CHECK(employments::to_end(*rows.db, date("2026-06-01"), page.last, 10).users.empty());
}

TEST_CASE("users with an end of employment are listed once each, in key order") {
  Rows rows;
  const auto ended = [&](const std::string& id, const std::string& end) {
    const auto user = rows.user(id);
    auto e = rows.employment(user, date("2026-01-01"));
    e.end_date = date(end);
    employments::update(*rows.db, e);
    return user;
  };
  const auto anna = ended("anna", "2026-10-31");
  const auto bo = ended("bo", "2026-11-02");
  rows.employment(rows.user("dag"), date("2026-01-01"));
  CHECK(employments::users_with_end(*rows.db, std::nullopt, 10) == std::vector<core::Id>{anna.key, bo.key});
  CHECK(employments::users_with_end(*rows.db, std::nullopt, 1) == std::vector<core::Id>{anna.key});
  CHECK(employments::users_with_end(*rows.db, anna.key, 10) == std::vector<core::Id>{bo.key});
}

TEST_CASE("reviews that wait are listed, withdrawn ones are not") {
  Rows rows;
  auto waits = rows.employment(rows.user("anna"), date("2026-06-01"));
  waits.review = model::ReviewState::pending;
  employments::update(*rows.db, waits);
  auto gone = rows.employment(rows.user("bo"), date("2026-06-01"));
  gone.review = model::ReviewState::pending;
  gone.withdrawn = true;
  employments::update(*rows.db, gone);
  const auto found = employments::in_review(*rows.db, std::nullopt, 10);
  REQUIRE(found.size() == 1);
  CHECK(found[0] == waits);
  CHECK(employments::in_review(*rows.db, waits.key, 10).empty());
}

TEST_CASE("verified domains cover exactly what their rule says") {
  Rows rows;
  Db& db = *rows.db;
  domains::put(db, {"example.com", model::DomainState::verified, "assertion", "uid:0", rows.clock.now()});
  domains::put(db, {"*.wild.example", model::DomainState::verified, "assertion", "uid:0", rows.clock.now()});
  domains::put(db, {"old.example", model::DomainState::lapsed, "assertion", "uid:0", rows.clock.now()});
  CHECK(domains::covers(db, "example.com"));
  CHECK_FALSE(domains::covers(db, "mail.example.com"));
  CHECK_FALSE(domains::covers(db, "badexample.com"));
  CHECK(domains::covers(db, "a.wild.example"));
  CHECK(domains::covers(db, "a.b.wild.example"));
  CHECK_FALSE(domains::covers(db, "wild.example"));
  CHECK_FALSE(domains::covers(db, "old.example"));
  CHECK_FALSE(domains::covers(db, ""));
  CHECK(domains::all(db).size() == 3);
  CHECK(domains::remove(db, "example.com"));
  CHECK_FALSE(domains::remove(db, "example.com"));
  CHECK_FALSE(domains::covers(db, "example.com"));
}

TEST_CASE("accounts, cursors and small facts are kept, replaced and forgotten") {
  Rows rows;
  Db& db = *rows.db;
  const auto anna = rows.user("anna");
  CHECK_FALSE(accounts::get(db, anna.key));
  accounts::put(db, {anna.key, "directory", "p1", "a@example.com", "https://login.example.com", rows.clock.now()});
  accounts::put(db, {anna.key, "directory", "p2", "b@example.com", "https://login.example.com", rows.clock.now()});
  CHECK(accounts::get(db, anna.key)->provider_id == "p2");
  accounts::remove(db, anna.key);
  CHECK_FALSE(accounts::get(db, anna.key));

  CHECK(meta::cursor(db, "hr").empty());
  meta::put_cursor(db, "hr", "1", rows.clock.now());
  meta::put_cursor(db, "hr", "2", rows.clock.now());
  CHECK(meta::cursor(db, "hr") == "2");

  const std::string bytes("a\0b", 3);
  meta::put_plugin_state(db, "hr", "seen", bytes);
  CHECK(meta::plugin_state(db, "hr", "seen") == bytes);
  CHECK_FALSE(meta::plugin_state(db, "other", "seen"));
  CHECK(meta::count_plugin_state(db, "hr") == 1);
  meta::remove_plugin_state(db, "hr", "seen");
  CHECK(meta::count_plugin_state(db, "hr") == 0);
}

TEST_CASE("a plan runs once, its items are settled one by one, and old plans are dropped unless they run") {
  Rows rows;
  Db& db = *rows.db;
  const auto anna = rows.user("anna");
  const auto bo = rows.user("bo");
  plans::Plan plan{rows.ids.next(), "send-verification", "uid:0", "", "planned", rows.clock.now()};
  plans::insert(db, plan);
  plans::add_items(db, plan.key, 0, {anna.key, bo.key});
  CHECK_FALSE(plans::start(db, rows.ids.next()));
  CHECK(plans::start(db, plan.key));
  CHECK_FALSE(plans::start(db, plan.key));
  plans::settle_item(db, plan.key, 0, "send");
  const auto open = plans::open_items(db, plan.key, -1, 10);
  REQUIRE(open.size() == 1);
  CHECK(open[0].user == bo.key);
  const auto later = rows.clock.now() + std::chrono::hours{48};
  CHECK(plans::prune(db, later, 100) == 0);
  CHECK(plans::running(db).size() == 1);
  plans::finish(db, plan.key);
  CHECK(plans::prune(db, later, 100) == 2);
  CHECK_FALSE(plans::get(db, plan.key));
}
