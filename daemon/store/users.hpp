// Users and their employments as rows. Every function runs inside a store closure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/entities.hpp"
#include "model/filter.hpp"
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
void insert(Db& db, const User& user);
// Writes every column but the key and created_at.
void update(Db& db, const User& user);
void set_connection(Db& db, const Id& key, model::Connection connection);
[[nodiscard]] std::int64_t count(Db& db);

// Ordered by key (the order they were made); `after` is the last key of the page before.
[[nodiscard]] std::vector<User> page(Db& db, const model::UserFilter& filter, const std::optional<Id>& after,
                                     std::size_t limit);
// Keys of not yet connected users of one mail domain, in key order ("*." rules: `below` is the suffix with its dot).
[[nodiscard]] std::vector<Id> unconnected_in_domain(Db& db, std::string_view rule, const std::optional<Id>& after,
                                                    std::size_t limit);
}  // namespace users

namespace employments {
// The one in force: the latest that is not withdrawn, else the latest.
[[nodiscard]] std::optional<Employment> in_force(Db& db, const Id& user);
// The one that was made last, withdrawn or not.
[[nodiscard]] std::optional<Employment> newest(Db& db, const Id& user);
[[nodiscard]] std::vector<Employment> in_review(Db& db, const std::optional<Id>& after, std::size_t limit);
void insert(Db& db, const Employment& employment);
void update(Db& db, const Employment& employment);
void close_hire(Db& db, const Id& user);
// Users whose employment in force ended on or before a date; the leaver rule looks closer.
[[nodiscard]] std::vector<Id> users_ended_by(Db& db, model::CivilDate date, const std::optional<Id>& after,
                                             std::size_t limit);
}  // namespace employments

}  // namespace invited::store
