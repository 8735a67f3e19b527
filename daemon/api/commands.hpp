// The command table: everything that can be asked of the daemon, as data.
//
// One row per command says its name, its role, its HTTP request, its arguments, its answer. The OpenAPI description
// (api/openapi.hpp), the control socket's routing and argument checks (api/request.hpp), invitectl's verbs, help and
// completions are all made from it; only the handlers are written by hand, keyed by `Command::id`.
//
//   const Command* add = api::find("user.add");
//   add->method == "POST"; add->path == "/v1/users"; add->role == Role::operator_;
//
// The table is built on first use and never changes; references stay valid for the life of the process. [any-thread]
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace invited::api {

// Each role may do what the ones before it may.
enum class Role : std::uint8_t { viewer, operator_, admin };
[[nodiscard]] std::string_view to_text(Role);  // "viewer", "operator", "admin"

// How an argument is written on the command line.
enum class Kind : std::uint8_t { positional, option, flag };

// Where an argument travels.
enum class In : std::uint8_t {
  path,    // a placeholder of Command::path, percent-encoded
  query,   // the query string
  body,    // a member of the JSON body
  filter,  // a member of the object "filter" of the JSON body
  raw,     // its file's bytes are the body
  local,   // stays in invitectl
};

enum class Type : std::uint8_t {
  string,
  integer,
  boolean,
  date,     // "2026-12-01"
  strings,  // JSON array; on the command line repeated or comma-separated
  file,     // a path on this machine; sent as an absolute path (or, for In::raw, as the file's bytes)
};

struct Argument {
  std::string_view name;   // "login-email": --login-email, or the placeholder of a positional
  std::string_view field;  // "login_email": member, query parameter or path placeholder
  Kind kind = Kind::option;
  In in = In::body;
  Type type = Type::string;
  bool required = false;
  bool clearable = false;  // an empty string (or array) clears the field instead of being an error
  std::vector<std::string_view> choices;
  std::string_view fallback;  // the server's default, as text; empty: none
  std::string_view help;
};

// What a successful answer carries; Command::schema names the OpenAPI schema of it (or of its items).
enum class Answer : std::uint8_t {
  none,    // 204 or an ignored body
  object,  // one document
  list,    // {"items": […], "next_cursor": …|null, "total"?: N}
  job,     // 202 {"job": "ID"}; go on with GET /v1/jobs/{id}/events
  text,    // a file as text/csv or text/tab-separated-values, in pieces
  stream,  // application/x-ndjson, one document a line, {"event":"ping"} every 15 s
};

struct Column {
  std::string_view field;  // "invitation.state" looks into the object
  std::string_view title;
  unsigned width = 0;  // what it usually needs; 0: as wide as it gets
};

struct Command {
  std::string_view id;      // "user.add"; a flat command: "why"
  std::string_view noun;    // "user"; empty for a flat command
  std::string_view verb;    // "add"
  std::string_view method;  // "POST"; empty: answered by invitectl itself
  std::string_view path;    // "/v1/users/{id}"
  Role role = Role::viewer;
  std::string_view help;         // one line
  std::string_view description;  // more, for the verb's own help and the OpenAPI description
  std::vector<Argument> arguments;
  bool changes = false;                // then the query parameter dry_run=true gives the same answer without effect
  bool confirm = false;                // cannot be taken back, or reaches many: invitectl asks, or wants --yes
  std::string_view confirm_only = {};  // "method=assertion": asks only when this field has this value
  Answer answer = Answer::object;
  std::string_view schema;
  std::vector<unsigned> statuses{200};
  std::vector<Column> columns;
  std::string_view bulk;            // without its positional this verb is the bulk command of that id
  std::string_view with_file = {};  // with a file (its raw argument, as an option) this verb is the command of that id
  bool in_cli = true;               // false: a step that invitectl takes by itself

  [[nodiscard]] const Argument* argument(std::string_view field) const;  // by its name on the wire
};

[[nodiscard]] std::span<const Command> commands();
[[nodiscard]] const Command* find(std::string_view id);

}  // namespace invited::api
