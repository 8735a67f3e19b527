// From an HTTP request to a command of the table and its checked arguments: pure functions over api/commands.hpp.
//
//   auto routed = api::route("POST", "/v1/users/14/send-verification");
//   if (routed) {
//     auto input = api::read_arguments(*routed->command, routed->path, request.query, request.body);
//     …  input->values.at("id") == "14";  input->dry_run;
//   }
//
// [any-thread]; no references into the arguments are kept.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "api/commands.hpp"

namespace invited::api {

struct Routed {
  const Command* command = nullptr;
  std::vector<std::pair<std::string, std::string>> path;  // placeholder, percent-decoded value
};

struct NoRoute {
  std::vector<std::string_view> allowed;  // methods of this path: empty is 404, otherwise 405 with Allow
};

// `path` without its query, not yet decoded.
[[nodiscard]] tl::expected<Routed, NoRoute> route(std::string_view method, std::string_view path);

// One wrong argument. `where` is a JSON pointer for the body ("/start_date"), "query:limit" or "path:id" otherwise.
struct ArgumentError {
  std::string where;
  std::string code;     // stable: "missing", "unknown", "wrong_type", "not_a_choice", "not_a_date", "not_absolute",
                        // "empty", "repeated", "bad_json"
  std::string message;  // one sentence
};

struct Input {
  boost::json::object values;  // by Argument::field, with their JSON types; the filter is the object "filter"
  bool dry_run = false;
};

// Every argument present is checked against the table; unknown ones are errors, all errors are reported. A raw body
// (In::raw) is not looked at. A filter without a member is an error: {"all": true} is the one that selects everyone.
[[nodiscard]] tl::expected<Input, std::vector<ArgumentError>> read_arguments(
    const Command& command, const std::vector<std::pair<std::string, std::string>>& path,
    const std::vector<std::pair<std::string, std::string>>& query, std::string_view body);

// The value as the table's type: "true" → true, "7" → 7, "a,b" → ["a","b"]; what a query or a command line says.
[[nodiscard]] tl::expected<boost::json::value, ArgumentError> value_of(const Argument& argument, std::string_view text);

// Percent-encodes everything but unreserved characters: for a path segment or a query value.
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace invited::api
