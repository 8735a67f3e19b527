#include "api/command_words.hpp"

#include <iterator>

namespace invited::api {

std::vector<std::string_view> invitation_states() {
  return {"draft",     "scheduled", "released",   "sent",    "verified",
          "connected", "expired",   "superseded", "revoked", "cancelled"};
}

Arguments operator+(Arguments left, Arguments right) {
  left.insert(left.end(), std::make_move_iterator(right.begin()), std::make_move_iterator(right.end()));
  return left;
}

Argument path(std::string_view field, std::string_view help) {
  return {.name = field, .field = field, .kind = Kind::positional, .in = In::path, .required = true, .help = help};
}

Argument query(std::string_view name, std::string_view field, Type type, std::string_view help,
               std::vector<std::string_view> choices, std::string_view fallback) {
  return {.name = name,
          .field = field,
          .in = In::query,
          .type = type,
          .choices = std::move(choices),
          .fallback = fallback,
          .help = help};
}

Argument body(std::string_view name, std::string_view field, Type type, std::string_view help) {
  return {.name = name, .field = field, .in = In::body, .type = type, .help = help};
}

Argument clearable(std::string_view name, std::string_view field, Type type, std::string_view help) {
  return {.name = name, .field = field, .in = In::body, .type = type, .clearable = true, .help = help};
}

Argument switch_on(std::string_view name, std::string_view field, In in, std::string_view help) {
  return {.name = name, .field = field, .kind = Kind::flag, .in = in, .type = Type::boolean, .help = help};
}

Argument required(Argument argument) {
  argument.required = true;
  return argument;
}

Arguments paging() {
  return {
      query("limit", "limit", Type::integer, "At most this many rows; a page of the API has up to 1000", {}, "100"),
      query("cursor", "cursor", Type::string, "Go on after an earlier answer: its next_cursor"),
      switch_on("all", "all", In::local, "Every row, page after page"),
  };
}

Arguments user_filter(In in) {
  const auto one = [in](std::string_view name, std::string_view field, Type type, std::string_view help,
                        std::vector<std::string_view> choices = {}) {
    Argument argument = query(name, field, type, help, std::move(choices));
    argument.in = in;
    return argument;
  };
  return {
      one("company", "company", Type::string, "Users of this company (its key)"),
      one("department", "department", Type::string, "Users of this department"),
      one("authorised-company", "authorised_company", Type::string, "Users who may also work for this company"),
      one("role", "role", Type::string, "Users who have this role in the HR system"),
      one("enabled", "enabled", Type::boolean, "Only enabled (true) or only disabled (false) users"),
      one("connection", "connection", Type::string, "Users whose connection is in this state",
          {"not_connected", "pending", "connected"}),
      one("login-email-saved", "login_email_saved", Type::boolean,
          "Only users with (true) or without (false) a login email"),
      one("start-before", "start_before", Type::date, "Employment starts before this day"),
      one("start-after", "start_after", Type::date, "Employment starts after this day"),
      one("invitation", "invitation", Type::string, "Users whose newest invitation is in this state",
          invitation_states()),
      one("search", "search", Type::string, "Free text in user-id, name, alias, signature, login email"),
  };
}

}  // namespace invited::api
