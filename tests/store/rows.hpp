// Plausible rows for tests of the store and of the services: what a test does not say is filled in.
//
//   Rows rows;   User anna = rows.user("anna");   Invitation offer = rows.invitation(anna, InvitationState::released);
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "core/id.hpp"
#include "model/email.hpp"
#include "store/database.hpp"
#include "store/deliveries.hpp"
#include "store/invitations.hpp"
#include "store/users.hpp"
#include "support/manual_clock.hpp"
#include "support/seeded_random.hpp"

namespace invited::test {

inline std::unique_ptr<store::Db> open_or_throw(const std::string& path) {
  auto db = store::Db::open(path);
  if (!db) throw std::runtime_error(db.error().code + ": " + db.error().message);
  return std::move(*db);
}

struct Rows {
  ManualClock clock;
  SeededRandom random{7};
  core::IdSource ids{clock, random};
  std::unique_ptr<store::Db> db = open_or_throw(":memory:");

  // `login_email` empty: none saved.
  model::User user(const std::string& user_id, const std::string& login_email = "") {
    model::User u;
    u.key = ids.next();
    u.user_id = user_id;
    u.name = "Person " + user_id;
    if (!login_email.empty()) {
      const auto email = model::parse_email(login_email).value();
      u.login_email = email.typed;
      u.login_email_canonical = email.canonical;
      u.login_email_domain = email.domain;
    }
    u.created_at = u.updated_at = clock.now();
    store::users::insert(*db, u);
    return u;
  }

  model::Employment employment(const model::User& user, model::CivilDate start) {
    model::Employment e;
    e.key = ids.next();
    e.user = user.key;
    e.start_date = start;
    e.created_at = clock.now();
    store::employments::insert(*db, e);
    return e;
  }

  // Made in a state in which one may be made, then moved where the test wants it.
  model::Invitation invitation(const model::User& user, model::InvitationState made_in) {
    model::Invitation i;
    i.key = ids.next();
    i.user = user.key;
    const auto newest = store::invitations::newest(*db, user.key);
    i.generation = newest ? newest->generation + 1 : 1;
    i.state = made_in;
    i.login_email = user.login_email;
    i.login_email_canonical = user.login_email_canonical;
    if (made_in == model::InvitationState::scheduled) {
      using namespace std::chrono;
      i.due = model::CivilDue{model::CivilDate{year{2026}, month{3}, day{1}}, 9, "Europe/Stockholm"};
    }
    random.fill(i.selector);
    random.fill(i.salt);
    i.created_at = clock.now();
    store::invitations::insert(*db, i);
    return i;
  }

  model::Delivery delivery(const model::Invitation& invitation, std::int32_t rank = 20260301) {
    model::Delivery d;
    d.key = ids.next();
    d.invitation = invitation.key;
    d.user = invitation.user;
    d.message_id = d.key.text() + "@test.example";
    d.next_at = clock.now();
    d.created_at = clock.now();
    store::deliveries::insert(*db, d, rank);
    return d;
  }
};

}  // namespace invited::test
