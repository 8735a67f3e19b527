// Users and their employments as rows. Every function runs inside a store closure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/entities.hpp"
#include "model/filter.hpp"
#include "model/review_flow.hpp"
#include "store/database.hpp"

namespace invited::store {

using model::Employment;
using model::User;

// The form in which user-ids are compared: case folded (PRODUCT §5).
[[nodiscard]] std::string fold_user_id(std::string_view user_id);

namespace users {
[[nodiscard]] std::optional<User> get(Db& db, const Id& key);
[[nodiscard]] std::optional<User> find(Db& db, std::string_view user_id);
[[nodiscard]] std::optional<Id> owner_of_login_email(Db& db, std::string_view canonical);
// Users with this reference in another system; at most two, to see whether it names one.
[[nodiscard]] std::vector<User> with_external_ref(Db& db, std::string_view reference);
void insert(Db& db, const User& user);
// Writes every column but the key and created_at.
void update(Db& db, const User& user);
void set_connection(Db& db, const Id& key, model::Connection connection);
// When the leaver rule disables this user (store/future.hpp finds them); nothing: it never does.
void set_leaving(Db& db, const Id& key, const std::optional<model::CivilDue>& due);
[[nodiscard]] std::int64_t count(Db& db);

// Ordered by key (the order they were made); `after` is the last key of the page before, `last` the last one to look
// at.
[[nodiscard]] std::vector<User> page(Db& db, const model::UserFilter& filter, const std::optional<Id>& after,
                                     std::size_t limit, const std::optional<Id>& last = std::nullopt);
// The key of the user so many rows further on; nothing if there are not so many.
[[nodiscard]] std::optional<Id> key_ahead(Db& db, const std::optional<Id>& after, std::size_t rows);
// The mail domains of not yet connected users, each once, in order; `after`: the last one of the page before.
[[nodiscard]] std::vector<std::string> unconnected_domains(Db& db, std::string_view after, std::size_t limit);
// Keys of not yet connected users of one mail domain, in key order.
[[nodiscard]] std::vector<Id> unconnected_in_domain(Db& db, std::string_view domain, const std::optional<Id>& after,
                                                    std::size_t limit);
}  // namespace users

namespace employments {
// The one in force: the earliest that is neither withdrawn nor over, else the latest.
[[nodiscard]] std::optional<Employment> in_force(Db& db, const Id& user);
// The same, and the one that begins next after it, neither withdrawn nor over.
struct Current {
  std::optional<Employment> in_force;
  std::optional<Employment> following;
};
[[nodiscard]] Current current(Db& db, const Id& user);
[[nodiscard]] std::optional<Employment> get(Db& db, const Id& key);
// Those whose hire waits for its invitation, by key.
[[nodiscard]] std::vector<Employment> open_hires(Db& db, const std::optional<Id>& after, std::size_t limit);
// One that is not withdrawn.
[[nodiscard]] std::optional<Employment> starting_on(Db& db, const Id& user, model::CivilDate start);
[[nodiscard]] std::optional<Employment> latest(Db& db, const Id& user);
// Whose employment ended before a date and has another one after it: among so many rows, ordered by end, behind a
// place.
struct EndPlace {
  std::int32_t end_date = 0;
  Id key;
};
struct Ended {
  std::vector<Id> users;
  std::optional<EndPlace> last;  // where to look on; nothing: there are no more rows
};
[[nodiscard]] Ended to_end(Db& db, model::CivilDate before, const std::optional<EndPlace>& behind, std::size_t rows);
// Those that end from a date to another and have another one after them.
[[nodiscard]] std::vector<Employment> ending(Db& db, model::CivilDate from, model::CivilDate to);
// Those whose users are disabled until they begin, in key order.
[[nodiscard]] std::vector<Employment> in_gap(Db& db, const std::optional<Id>& after, std::size_t limit);
// The one that was made last, withdrawn or not.
[[nodiscard]] std::optional<Employment> newest(Db& db, const Id& user);
[[nodiscard]] std::vector<Employment> in_review(Db& db, const std::optional<Id>& after, std::size_t limit);
void insert(Db& db, const Employment& employment);
void update(Db& db, const Employment& employment);
void close_hire(Db& db, const Id& user);
[[nodiscard]] std::vector<model::StepApproval> approvals(Db& db, const Id& employment);
void approve(Db& db, const Id& employment, const model::StepApproval& approval);
// Every step is asked again; the number of approvals taken back.
std::size_t take_back_approvals(Db& db, const Id& employment);
// Users who have an employment with an end, in key order.
[[nodiscard]] std::vector<Id> users_with_end(Db& db, const std::optional<Id>& after, std::size_t limit);
}  // namespace employments

}  // namespace invited::store
