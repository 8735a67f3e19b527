#include "api/commands.hpp"

#include <algorithm>
#include <iterator>

namespace invited::api {

namespace {

using Arguments = std::vector<Argument>;

Arguments operator+(Arguments left, Arguments right) {
  left.insert(left.end(), std::make_move_iterator(right.begin()), std::make_move_iterator(right.end()));
  return left;
}

Argument path(std::string_view field, std::string_view help) {
  return {.name = field, .field = field, .kind = Kind::positional, .in = In::path, .required = true, .help = help};
}

Argument query(std::string_view name, std::string_view field, Type type, std::string_view help,
               std::vector<std::string_view> choices = {}, std::string_view fallback = {}) {
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

const std::vector<std::string_view> connections{"not_connected", "pending", "connected"};
const std::vector<std::string_view> invitation_states{"draft",     "scheduled", "released",   "sent",    "verified",
                                                      "connected", "expired",   "superseded", "revoked", "cancelled"};
const std::vector<std::string_view> review_states{"pending", "approved", "rejected"};

// The same filter everywhere (PRODUCT §5): in the query of a list, in the body's "filter" of a bulk plan.
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
      one("connection", "connection", Type::string, "Users whose connection is in this state", connections),
      one("start-before", "start_before", Type::date, "Employment starts before this day"),
      one("start-after", "start_after", Type::date, "Employment starts after this day"),
      one("invitation", "invitation", Type::string, "Users whose newest invitation is in this state",
          invitation_states),
      one("search", "search", Type::string, "Free text in user-id, name, alias, signature, login email"),
  };
}

Arguments paging() {
  return {
      query("limit", "limit", Type::integer, "At most this many rows; a page of the API has up to 1000", {}, "100"),
      query("cursor", "cursor", Type::string, "Go on after an earlier answer: its next_cursor"),
      switch_on("all", "all", In::local, "Every row, page after page"),
  };
}

// What a person may write about a user; the same names as the fields of a source's record.
Arguments user_fields() {
  return {
      clearable("name", "name", Type::string, "Full name"),
      clearable("given-name", "given_name", Type::string, "Given name"),
      clearable("family-name", "family_name", Type::string, "Family name"),
      body("login-email", "login_email", Type::string, "Address the sign-in is tied to"),
      body("confirm-email", "confirm_email", Type::string, "The login email once more; must agree"),
      clearable("company", "company", Type::string, "Key of the company, as in the configuration"),
      clearable("department", "department", Type::string, "Department"),
      clearable("roles", "roles", Type::strings, "Roles in the HR system"),
      clearable("locale", "locale", Type::string, "Language of mails and pages: sv or en"),
      body("start-date", "start_date", Type::date, "First day of the employment"),
      clearable("end-date", "end_date", Type::date, "Last day of the employment"),
      clearable("employment-template", "employment_template", Type::string, "Employment template"),
      clearable("alias", "alias", Type::string, "Alias"),
      clearable("signature", "signature", Type::string, "Signature"),
      clearable("card-id", "card_id", Type::string, "Number of the card or tag"),
      clearable("external-ref", "external_ref", Type::string, "Reference in another system"),
      clearable("authorised-companies", "authorised_companies", Type::strings, "Keys of the other companies"),
      body("enabled", "enabled", Type::boolean, "Whether the user may sign in"),
  };
}

const std::vector<Column> user_columns{{"id", "USER", 10},
                                       {"name", "NAME", 24},
                                       {"login_email", "LOGIN EMAIL", 30},
                                       {"company", "COMPANY", 10},
                                       {"department", "DEPARTMENT", 14},
                                       {"start_date", "START", 10},
                                       {"enabled", "ENABLED", 7},
                                       {"connection", "CONNECTION", 13},
                                       {"invitation.state", "INVITATION", 10}};
const std::vector<Column> invitation_columns{{"id", "ID", 36},
                                             {"user", "USER", 10},
                                             {"state", "STATE", 10},
                                             {"login_email", "LOGIN EMAIL", 30},
                                             {"due_local", "DUE", 16},
                                             {"accepted_at", "ACCEPTED", 20},
                                             {"ends_at", "LINK ENDS", 20},
                                             {"held", "HELD", 0}};
const std::vector<Column> plan_columns{{"local", "LOCAL TIME", 16}, {"zone", "ZONE", 18},    {"user", "USER", 10},
                                       {"name", "NAME", 24},        {"action", "ACTION", 8}, {"reason", "REASON", 24},
                                       {"text", "WHY", 0}};
const std::vector<Column> audit_columns{{"seq", "SEQ", 7},        {"at", "AT", 20},           {"actor", "ACTOR", 18},
                                        {"action", "ACTION", 24}, {"subject", "SUBJECT", 16}, {"reason", "REASON", 20},
                                        {"detail", "DETAIL", 0}};
const std::vector<Column> job_columns{
    {"id", "JOB", 36},  {"kind", "KIND", 18},    {"state", "STATE", 8},         {"done", "DONE", 8},
    {"total", "OF", 8}, {"failed", "FAILED", 6}, {"started_at", "STARTED", 20}, {"actor", "BY", 0}};
const std::vector<Column> domain_columns{{"name", "DOMAIN", 30},
                                         {"state", "STATE", 9},
                                         {"method", "METHOD", 10},
                                         {"since", "SINCE", 20},
                                         {"actor", "BY", 0}};

std::vector<Command> user_commands() {
  return {
      {.id = "user.list",
       .noun = "user",
       .verb = "list",
       .method = "GET",
       .path = "/v1/users",
       .help = "List users",
       .description = "Users in the order they were added. Filters are joined by \"and\".",
       .arguments = user_filter(In::query) + paging(),
       .answer = Answer::list,
       .schema = "User",
       .columns = user_columns},
      {.id = "user.show",
       .noun = "user",
       .verb = "show",
       .method = "GET",
       .path = "/v1/users/{id}",
       .help = "Show one user: fields, connection, invitation, mail",
       .description = "The user-id is compared without regard to case.",
       .arguments = {path("id", "User-id")},
       .schema = "User",
       .columns = user_columns},
      {.id = "user.add",
       .noun = "user",
       .verb = "add",
       .method = "POST",
       .path = "/v1/users",
       .role = Role::operator_,
       .help = "Add one user by hand, with an employment if a start date is given",
       .description =
           "A user with a start date is a hire: the invitation goes out by itself, at once or at 09:00 on the "
           "day before the start. A bad login email does not stop the other fields: the answer says so in "
           "\"result\". An existing user-id is a conflict; use user set.",
       .arguments = Arguments{required(body("id", "user_id", Type::string, "User-id: unique, whatever the case"))} +
                    user_fields() +
                    Arguments{switch_on("in-review", "in_review", In::body,
                                        "The employment waits for an approval before anything is sent")},
       .changes = true,
       .schema = "RowAnswer",
       .statuses = {200, 201}},
      {.id = "user.set",
       .noun = "user",
       .verb = "set",
       .method = "PATCH",
       .path = "/v1/users/{id}",
       .role = Role::operator_,
       .help = "Change fields of one user",
       .description = "Only the fields given change. An empty value clears a field where that is allowed; it never "
                      "clears a login email. The login email of a connected user is not changed: disconnect first.",
       .arguments = Arguments{path("id", "User-id")} + user_fields(),
       .changes = true,
       .schema = "RowAnswer"},
      {.id = "user.import",
       .noun = "user",
       .verb = "import",
       .method = "POST",
       .path = "/v1/imports",
       .role = Role::operator_,
       .help = "Import a file: one row is one user or employment",
       .description =
           "Only the columns present change anything. Each row has a result of its own; a bad row never stops "
           "the file and a bad login email never stops the row. The same file again changes nothing. The "
           "body is the file itself; the job's events carry a row result each and the counts at the end.",
       .arguments = {{.name = "file",
                      .field = "file",
                      .kind = Kind::positional,
                      .in = In::raw,
                      .type = Type::file,
                      .required = true,
                      .help = "File to read; - reads standard input"},
                     query("source", "source", Type::string, "Source instance that reads it, if several could"),
                     {.name = "file-name",
                      .field = "file_name",
                      .in = In::query,
                      .help = "Name to keep in results (default: the file's own)"},
                     {.name = "verbose",
                      .field = "verbose",
                      .kind = Kind::flag,
                      .in = In::local,
                      .type = Type::boolean,
                      .help = "Print every row, also those where nothing is to be said"}},
       .changes = true,
       .answer = Answer::job,
       .schema = "JobStarted",
       .statuses = {202},
       .columns = {{"line", "LINE", 6},
                   {"user", "USER", 10},
                   {"result", "RESULT", 24},
                   {"applied", "APPLIED", 9},
                   {"column", "COLUMN", 12},
                   {"message", "MESSAGE", 0}}},
      {.id = "user.send-verification",
       .noun = "user",
       .verb = "send-verification",
       .method = "POST",
       .path = "/v1/users/{id}/send-verification",
       .role = Role::operator_,
       .help = "Send the verification mail now, to one user or to everyone a filter selects",
       .description =
           "To one user it goes whatever the start date says, but never before the last approval. To a filter "
           "(or --all) it goes to enabled users with a saved login email who are not connected; who is left "
           "out is counted by reason. A user in a verified domain is connected without a mail.",
       .arguments = {path("id", "User-id")},
       .changes = true,
       .schema = "SendAnswer",
       .statuses = {200, 202},
       .bulk = "plan.create"},
      {.id = "user.disconnect",
       .noun = "user",
       .verb = "disconnect",
       .method = "POST",
       .path = "/v1/users/{id}/disconnect",
       .role = Role::operator_,
       .help = "Delete a user's connection; the provider is told",
       .description =
           "The user becomes not_connected and may be given another login email. The connection does not come "
           "back: it is made anew with a new verification.",
       .arguments = {path("id", "User-id")},
       .changes = true,
       .confirm = true,
       .schema = "User",
       .statuses = {200, 202},
       .columns = user_columns},
      {.id = "user.reset-password",
       .noun = "user",
       .verb = "reset-password",
       .method = "POST",
       .path = "/v1/users/{id}/reset-password",
       .role = Role::operator_,
       .help = "Ask the provider to reset a user's password",
       .arguments = {path("id", "User-id")},
       .changes = true,
       .schema = "User",
       .statuses = {200, 202},
       .columns = user_columns},
      {.id = "user.enable",
       .noun = "user",
       .verb = "enable",
       .method = "POST",
       .path = "/v1/users/{id}/enable",
       .role = Role::operator_,
       .help = "Enable a user",
       .arguments = {path("id", "User-id")},
       .changes = true,
       .schema = "User",
       .columns = user_columns},
      {.id = "user.disable",
       .noun = "user",
       .verb = "disable",
       .method = "POST",
       .path = "/v1/users/{id}/disable",
       .role = Role::operator_,
       .help = "Disable a user; an invitation that is not out yet is cancelled",
       .description = "Disabling by hand leaves the connection as it is.",
       .arguments = {path("id", "User-id")},
       .changes = true,
       .schema = "User",
       .columns = user_columns},
  };
}

std::vector<Command> bulk_commands() {
  return {
      {.id = "plan.create",
       .noun = "plan",
       .verb = "create",
       .method = "POST",
       .path = "/v1/plans",
       .role = Role::operator_,
       .help = "Plan a bulk action: who it reaches, who is left out and why",
       .description =
           "Changes nothing. The plan is kept for a day and run by its id. \"filter\" must name at least one "
           "field; {\"all\": true} selects everyone.",
       .arguments =
           Arguments{required({.name = "kind",
                               .field = "kind",
                               .in = In::body,
                               .choices = {"send-verification"},
                               .help = "What to do"})} +
           user_filter(In::filter) +
           Arguments{switch_on("all", "all", In::filter, "Every user: no filter"),
                     switch_on("include-scheduled", "include_scheduled", In::body,
                               "Also those whose planned date is still ahead"),
                     switch_on("include-recent", "include_recent", In::body, "Also those who got a mail minutes ago")},
       .schema = "BulkPlan",
       .statuses = {201},
       .in_cli = false},
      {.id = "plan.run",
       .noun = "plan",
       .verb = "run",
       .method = "POST",
       .path = "/v1/plans/{id}/run",
       .role = Role::operator_,
       .help = "Run a bulk plan: exactly the users it named",
       .description =
           "Nobody is added to what the plan counted; who connected, left or got a mail since is skipped and counted. "
           "409 with the code plan_not_runnable when the plan was run before.",
       .arguments = {path("id", "Id of the plan")},
       .changes = true,
       .confirm = true,
       .answer = Answer::job,
       .schema = "JobStarted",
       .statuses = {202},
       .in_cli = false},
  };
}

std::vector<Command> invitation_commands() {
  const Argument id = path("id", "Id of the invitation");
  return {
      {.id = "invitation.list",
       .noun = "invitation",
       .verb = "list",
       .method = "GET",
       .path = "/v1/invitations",
       .help = "List invitations, newest first",
       .arguments = Arguments{query("state", "state", Type::string, "Only those in this state", invitation_states),
                              query("user", "user", Type::string, "Only those of this user-id"),
                              query("held", "held", Type::boolean, "Only held ones (true), or only others (false)")} +
                    paging(),
       .answer = Answer::list,
       .schema = "Invitation",
       .columns = invitation_columns},
      {.id = "invitation.show",
       .noun = "invitation",
       .verb = "show",
       .method = "GET",
       .path = "/v1/invitations/{id}",
       .help = "Show one invitation and its mail",
       .arguments = {id},
       .schema = "Invitation",
       .columns = invitation_columns},
      {.id = "invitation.release",
       .noun = "invitation",
       .verb = "release",
       .method = "POST",
       .path = "/v1/invitations/{id}/release",
       .role = Role::operator_,
       .help = "Let a held invitation go on",
       .arguments = {id},
       .changes = true,
       .schema = "Invitation",
       .columns = invitation_columns},
      {.id = "invitation.discard",
       .noun = "invitation",
       .verb = "discard",
       .method = "POST",
       .path = "/v1/invitations/{id}/discard",
       .role = Role::operator_,
       .help = "End a held invitation: its mail never goes out again",
       .arguments = {id},
       .changes = true,
       .confirm = true,
       .schema = "Invitation",
       .columns = invitation_columns},
      {.id = "invitation.revoke",
       .noun = "invitation",
       .verb = "revoke",
       .method = "POST",
       .path = "/v1/invitations/{id}/revoke",
       .role = Role::operator_,
       .help = "Withdraw an invitation: its link stops working for good",
       .arguments = {id},
       .changes = true,
       .confirm = true,
       .schema = "Invitation",
       .columns = invitation_columns},
      {.id = "review.list",
       .noun = "review",
       .verb = "list",
       .method = "GET",
       .path = "/v1/reviews",
       .help = "List reviews: hires that wait for an approval",
       .arguments =
           Arguments{query("state", "state", Type::string, "Reviews in this state", review_states, "pending")} +
           paging(),
       .answer = Answer::list,
       .schema = "Review",
       .columns = {{"user", "USER", 10},
                   {"name", "NAME", 24},
                   {"state", "STATE", 9},
                   {"start_date", "START", 10},
                   {"company", "COMPANY", 10},
                   {"actor", "BY", 14},
                   {"reason", "REASON", 0}}},
      {.id = "review.approve",
       .noun = "review",
       .verb = "approve",
       .method = "POST",
       .path = "/v1/reviews/{id}/approve",
       .role = Role::operator_,
       .help = "Approve a user's employment; the invitation goes out by its rules",
       .arguments = {path("id", "User-id")},
       .changes = true,
       .schema = "Review"},
      {.id = "review.reject",
       .noun = "review",
       .verb = "reject",
       .method = "POST",
       .path = "/v1/reviews/{id}/reject",
       .role = Role::operator_,
       .help = "Reject a user's employment; nothing is sent",
       .arguments = {path("id", "User-id"), required(body("reason", "reason", Type::string, "Why; kept in the audit"))},
       .changes = true,
       .schema = "Review"},
  };
}

std::vector<Command> installation_commands() {
  return {
      {.id = "domain.list",
       .noun = "domain",
       .verb = "list",
       .method = "GET",
       .path = "/v1/domains",
       .help = "List domains and what is known about their ownership",
       .answer = Answer::list,
       .schema = "Domain",
       .columns = domain_columns},
      {.id = "domain.add",
       .noun = "domain",
       .verb = "add",
       .method = "POST",
       .path = "/v1/domains",
       .role = Role::admin,
       .help = "Add a verified domain: its addresses are connected without a mail",
       .description = "Exact match: example.com does not cover mail.example.com; write *.example.com for that. With "
                      "--assert the operator answers for the ownership. Invitations that wait for an address of this "
                      "domain are connected at once and their mails withdrawn.",
       .arguments = {{.name = "name",
                      .field = "name",
                      .kind = Kind::positional,
                      .in = In::body,
                      .required = true,
                      .help = "Domain, for example company.example"},
                     {.name = "method",
                      .field = "method",
                      .in = In::body,
                      .required = true,
                      .choices = {"assertion"},
                      .help = "How the ownership is known; --assert is short for --method assertion"},
                     {.name = "assert",
                      .field = "method=assertion",
                      .kind = Kind::flag,
                      .in = In::local,
                      .type = Type::boolean,
                      .help = "The operator answers for the ownership"}},
       .changes = true,
       .confirm = true,
       .schema = "Domain",
       .statuses = {200, 201},
       .columns = domain_columns},
      {.id = "domain.remove",
       .noun = "domain",
       .verb = "remove",
       .method = "DELETE",
       .path = "/v1/domains/{name}",
       .role = Role::admin,
       .help = "Remove a domain; nobody already connected changes",
       .arguments = {path("name", "Domain, as listed")},
       .changes = true,
       .answer = Answer::none,
       .statuses = {200, 204}},
      {.id = "source.list",
       .noun = "source",
       .verb = "list",
       .method = "GET",
       .path = "/v1/sources",
       .help = "List sources: where people come from",
       .answer = Answer::list,
       .schema = "Source",
       .columns = {{"name", "SOURCE", 14},
                   {"plugin", "PLUGIN", 12},
                   {"state", "STATE", 10},
                   {"last_run_at", "LAST RUN", 20},
                   {"next_run_at", "NEXT RUN", 20},
                   {"detail", "DETAIL", 0}}},
      {.id = "source.sync",
       .noun = "source",
       .verb = "sync",
       .method = "POST",
       .path = "/v1/syncs",
       .role = Role::operator_,
       .help = "Read one source now, or all of them",
       .description =
           "A job like an import: row results, then counts. In a dry run nothing is stored and the source is "
           "not told that its records were taken.",
       .arguments = {{.name = "source",
                      .field = "source",
                      .kind = Kind::positional,
                      .in = In::query,
                      .help = "Name of the source; all without it"},
                     {.name = "verbose",
                      .field = "verbose",
                      .kind = Kind::flag,
                      .in = In::local,
                      .type = Type::boolean,
                      .help = "Print every row, also those where nothing is to be said"}},
       .changes = true,
       .answer = Answer::job,
       .schema = "JobStarted",
       .statuses = {202},
       .columns = {{"line", "LINE", 6},
                   {"user", "USER", 10},
                   {"result", "RESULT", 24},
                   {"applied", "APPLIED", 9},
                   {"column", "COLUMN", 12},
                   {"message", "MESSAGE", 0}}},
      {.id = "transport.list",
       .noun = "transport",
       .verb = "list",
       .method = "GET",
       .path = "/v1/transports",
       .help = "List transports: how mail leaves",
       .answer = Answer::list,
       .schema = "Transport",
       .columns = {{"name", "TRANSPORT", 14},
                   {"plugin", "PLUGIN", 12},
                   {"state", "STATE", 10},
                   {"in_use", "IN USE", 6},
                   {"outstanding", "OUT", 6},
                   {"retry_at", "TRIES AGAIN", 20},
                   {"detail", "DETAIL", 0}}},
      {.id = "transport.test",
       .noun = "transport",
       .verb = "test",
       .method = "POST",
       .path = "/v1/transports/{name}/test",
       .role = Role::operator_,
       .help = "Connect, greet and sign in, without sending a mail",
       .arguments = {path("name", "Name of the transport")},
       .schema = "Check"},
      {.id = "transport.resume",
       .noun = "transport",
       .verb = "resume",
       .method = "POST",
       .path = "/v1/transports/{name}/resume",
       .role = Role::operator_,
       .help = "Let a paused transport try again now",
       .arguments = {path("name", "Name of the transport")},
       .changes = true,
       .schema = "Transport",
       .columns = {{"name", "TRANSPORT", 14}, {"state", "STATE", 10}, {"detail", "DETAIL", 0}}},
      {.id = "plugin.list",
       .noun = "plugin",
       .verb = "list",
       .method = "GET",
       .path = "/v1/plugins",
       .help = "List plugins and their instances",
       .answer = Answer::list,
       .schema = "Plugin",
       .columns = {{"name", "PLUGIN", 14},
                   {"version", "VERSION", 10},
                   {"roles", "ROLES", 18},
                   {"instances", "INSTANCES", 18},
                   {"file", "FILE", 0}}},
      {.id = "plugin.describe",
       .noun = "plugin",
       .verb = "describe",
       .method = "GET",
       .path = "/v1/plugins/{name}",
       .help = "Show what a plugin is, can do, and takes as configuration",
       .arguments = {path("name", "Name of the plugin")},
       .schema = "Plugin"},
      {.id = "plugin.check",
       .noun = "plugin",
       .verb = "check",
       .method = "POST",
       .path = "/v1/plugins/check",
       .role = Role::admin,
       .help = "Check a plugin file: rights, entry, version, schema",
       .arguments = {{.name = "file",
                      .field = "path",
                      .kind = Kind::positional,
                      .in = In::body,
                      .type = Type::file,
                      .required = true,
                      .help = "Shared object, on the daemon's machine"}},
       .schema = "Check"},
  };
}

std::vector<Command> running_commands() {
  return {
      {.id = "plan.show",
       .noun = "plan",
       .verb = "show",
       .method = "GET",
       .path = "/v1/plan",
       .help = "Show what will happen by itself, and when",
       .description =
           "Earliest first, computed from the same rules that act. Nothing here is stored: change a fact and "
           "the plan is another one.",
       .arguments = Arguments{{.name = "until",
                               .field = "until",
                               .in = In::query,
                               .fallback = "60d",
                               .help = "How far to look: 12h, 60d, 8w, or a day as 2026-12-01"},
                              query("user", "user", Type::string, "Only this user-id")} +
                    paging(),
       .answer = Answer::list,
       .schema = "PlanItem",
       .columns = plan_columns},
      {.id = "why",
       .verb = "why",
       .method = "GET",
       .path = "/v1/users/{id}/why",
       .help = "Say what happens next for a user, when, and why",
       .arguments = {path("id", "User-id")},
       .schema = "Why"},
      {.id = "status",
       .verb = "status",
       .method = "GET",
       .path = "/v1/status",
       .help = "Show how the daemon is: counts, what is held, transports, sources",
       .schema = "Status"},
      {.id = "events",
       .verb = "events",
       .method = "GET",
       .path = "/v1/events",
       .help = "Follow what happens, one audit event a line",
       .description = "Without --from it begins now. A line {\"event\":\"ping\"} every 15 seconds says that the "
                      "connection lives.",
       .arguments = {query("from", "from", Type::integer, "Begin with this sequence number"),
                     query("subject", "subject", Type::string, "Only this subject: user:14, domain:company.example")},
       .answer = Answer::stream,
       .schema = "AuditEvent",
       .columns = audit_columns},
      {.id = "job.list",
       .noun = "job",
       .verb = "list",
       .method = "GET",
       .path = "/v1/jobs",
       .help = "List jobs, newest first",
       .arguments = paging(),
       .answer = Answer::list,
       .schema = "Job",
       .columns = job_columns},
      {.id = "job.show",
       .noun = "job",
       .verb = "show",
       .method = "GET",
       .path = "/v1/jobs/{id}",
       .help = "Show one job",
       .arguments = {path("id", "Id of the job")},
       .schema = "Job",
       .columns = job_columns},
      {.id = "job.watch",
       .noun = "job",
       .verb = "watch",
       .method = "GET",
       .path = "/v1/jobs/{id}/events",
       .help = "Follow a job to its end",
       .description = "The first line is a snapshot of the job, the last one its summary (event \"done\"). A line "
                      "{\"event\":\"ping\"} every 15 seconds says that the connection lives.",
       .arguments = {path("id", "Id of the job"),
                     query("from", "from", Type::integer, "Begin with this sequence number")},
       .answer = Answer::stream,
       .schema = "JobEvent"},
      {.id = "audit.list",
       .noun = "audit",
       .verb = "list",
       .method = "GET",
       .path = "/v1/audit",
       .help = "List audit events, newest first",
       .arguments =
           Arguments{query("subject", "subject", Type::string, "Only this subject: user:14, domain:company.example")} +
           paging(),
       .answer = Answer::list,
       .schema = "AuditEvent",
       .columns = audit_columns},
      {.id = "audit.verify",
       .noun = "audit",
       .verb = "verify",
       .method = "GET",
       .path = "/v1/audit/verify",
       .role = Role::operator_,
       .help = "Check that the record of events is whole",
       .schema = "Check"},
      {.id = "state.confirm",
       .noun = "state",
       .verb = "confirm",
       .method = "POST",
       .path = "/v1/state/confirm",
       .role = Role::operator_,
       .help = "Allow sending after a fresh install, a restored backup or a copied state folder",
       .description = "Until then the daemon does everything but send: what is due waits. Look at plan show first.",
       .changes = true,
       .confirm = true,
       .schema = "Status"},
      {.id = "openapi",
       .verb = "openapi",
       .method = "GET",
       .path = "/openapi.json",
       .help = "Get this description (OpenAPI 3.1)",
       .schema = "OpenApi",
       .in_cli = false},
      {.id = "completion",
       .verb = "completion",
       .help = "Print the completion script of a shell",
       .description = "For example: invitectl completion bash > /usr/share/bash-completion/completions/invitectl",
       .arguments = {{.name = "shell",
                      .field = "shell",
                      .kind = Kind::positional,
                      .in = In::local,
                      .required = true,
                      .choices = {"bash", "zsh", "fish"},
                      .help = "bash, zsh or fish"}},
       .answer = Answer::none},
      {.id = "version", .verb = "version", .help = "Print the version of invitectl", .answer = Answer::none},
  };
}

}  // namespace

std::string_view to_text(Role role) {
  switch (role) {
    case Role::viewer:
      return "viewer";
    case Role::operator_:
      return "operator";
    case Role::admin:
      return "admin";
  }
  return "admin";
}

const Argument* Command::argument(std::string_view field) const {
  const auto found = std::ranges::find(arguments, field, &Argument::field);
  return found == arguments.end() ? nullptr : &*found;
}

std::span<const Command> commands() {
  static const std::vector<Command> table = [] {
    std::vector<Command> all;
    for (auto make : {user_commands, bulk_commands, invitation_commands, installation_commands, running_commands}) {
      std::ranges::move(make(), std::back_inserter(all));
    }
    return all;
  }();
  return table;
}

const Command* find(std::string_view id) {
  const auto all = commands();
  const auto found = std::ranges::find(all, id, &Command::id);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace invited::api
