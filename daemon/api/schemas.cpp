// The shapes of what the API answers, as JSON Schema text: easiest to read and to compare in the form clients know.
#include <boost/json/parse.hpp>

#include "api/openapi.hpp"

namespace invited::api {

namespace {

constexpr std::string_view text = R"json({
"Problem": {
  "description": "What went wrong and what to do (RFC 9457).",
  "type": "object", "required": ["type", "title", "status", "detail", "code"],
  "properties": {
    "type": {"type": "string", "format": "uri", "description": "Stable: urn:invited:problem:CODE"},
    "title": {"type": "string"},
    "status": {"type": "integer"},
    "detail": {"type": "string", "description": "For people: what happened and what to do"},
    "code": {"type": "string", "description": "Stable, snake_case: unknown_user"},
    "instance": {"type": "string"},
    "errors": {"type": "array", "items": {
      "type": "object", "required": ["where", "code", "message"],
      "properties": {
        "where": {"type": "string", "description": "JSON pointer into the body, query:NAME, path:NAME, or file:line:column"},
        "code": {"type": "string"},
        "message": {"type": "string"}}}}}},
"User": {
  "description": "One person: fields, employment, connection, newest invitation.",
  "type": "object", "required": ["id", "key", "name", "login_email", "connection", "enabled", "invitation"],
  "properties": {
    "id": {"type": "string", "description": "User-id of the HR system"},
    "key": {"type": "string", "format": "uuid", "description": "Our own key: the external id at the provider"},
    "name": {"type": "string"}, "given_name": {"type": "string"}, "family_name": {"type": "string"},
    "login_email": {"type": "string", "description": "Empty: none saved"},
    "connection": {"type": "string", "enum": ["not_connected", "pending", "connected"]},
    "enabled": {"type": "boolean"},
    "company": {"type": "string"}, "department": {"type": "string"}, "locale": {"type": "string"},
    "zone": {"type": "string", "description": "IANA time zone of the user's company"},
    "alias": {"type": "string"}, "signature": {"type": "string"}, "card_id": {"type": "string"},
    "external_ref": {"type": "string"},
    "authorised_companies": {"type": "array", "items": {"type": "string"}},
    "roles": {"type": "array", "items": {"type": "string"}},
    "start_date": {"type": ["string", "null"], "format": "date"},
    "end_date": {"type": ["string", "null"], "format": "date"},
    "employment_template": {"type": "string"},
    "review": {"type": "string", "enum": ["none", "pending", "approved", "rejected"]},
    "withdrawn": {"type": "boolean"},
    "sign_in_url": {"type": ["string", "null"], "description": "Connected: where this person signs in"},
    "sign_in_help": {"type": ["string", "null"], "description": "Connected: the company's own words on it, in the user's language"},
    "sign_in_mail": {"anyOf": [{"$ref": "#/components/schemas/Delivery"}, {"type": "null"}], "description": "The mail \"your sign-in is ready\", where the company sends it"},
    "source": {"type": "string"},
    "created_at": {"type": "string", "format": "date-time"},
    "updated_at": {"type": "string", "format": "date-time"},
    "invitation": {"anyOf": [{"$ref": "#/components/schemas/Invitation"}, {"type": "null"}]}}},
"Invitation": {
  "description": "One offer to verify one login email. Instants are UTC; due_local is civil time in due_zone.",
  "type": "object", "required": ["id", "state", "generation", "login_email", "ends_at", "held", "delivery"],
  "properties": {
    "id": {"type": "string", "format": "uuid"},
    "user": {"type": "string"}, "name": {"type": "string", "description": "Of the user; where invitations are listed or shown"},
    "state": {"type": "string", "enum": ["draft", "scheduled", "released", "sent", "verified", "connected", "expired", "superseded", "revoked", "cancelled"]},
    "cause": {"type": "string", "enum": ["hire", "asked", "verified_domain", "renewal"]},
    "generation": {"type": "integer"},
    "login_email": {"type": "string"},
    "due_local": {"type": ["string", "null"], "description": "2026-11-30T09:00"},
    "due_zone": {"type": ["string", "null"]},
    "released_at": {"type": ["string", "null"], "format": "date-time"},
    "accepted_at": {"type": ["string", "null"], "format": "date-time"},
    "ends_at": {"type": ["string", "null"], "format": "date-time", "description": "The link's end"},
    "verified_at": {"type": ["string", "null"], "format": "date-time"},
    "ended_at": {"type": ["string", "null"], "format": "date-time"},
    "end_reason": {"type": "string"},
    "held": {"type": "string", "description": "Why it is parked for a person; empty: it is not"},
    "created_at": {"type": "string", "format": "date-time"},
    "delivery": {"anyOf": [{"$ref": "#/components/schemas/Delivery"}, {"type": "null"}]},
    "attempts": {"type": "array", "description": "Every try of its mail, oldest first; where invitations are listed or shown", "items": {
      "type": "object", "required": ["number", "started_at", "outcome"],
      "properties": {
        "number": {"type": "integer"},
        "started_at": {"type": "string", "format": "date-time"},
        "ended_at": {"type": ["string", "null"], "format": "date-time"},
        "outcome": {"type": "string", "description": "A state of a delivery; empty: no word yet"},
        "phase": {"type": "string"}, "code": {"type": "integer"}, "detail": {"type": "string"}}}}}},
"Delivery": {
  "description": "The mail of an invitation. accepted means: by the next mail server.",
  "type": "object", "required": ["state", "attempts"],
  "properties": {
    "state": {"type": "string", "enum": ["queued", "claimed", "accepted", "deferred", "rejected", "uncertain", "cancelled"]},
    "attempts": {"type": "integer"},
    "next_at": {"type": ["string", "null"], "format": "date-time"},
    "detail": {"type": "string"},
    "message_id": {"type": "string"}}},
"RowResult": {
  "description": "What became of one row.",
  "type": "object", "required": ["line", "user", "result"],
  "properties": {
    "line": {"type": "integer", "description": "0: not from a file"},
    "user": {"type": "string"},
    "result": {"type": "string", "description": "created, updated, unchanged, ignored: CODE or rejected: CODE; noted: CODE is about the file and not counted"},
    "reason": {"type": "string"},
    "applied": {"type": "string", "enum": ["created", "updated", "unchanged", "ignored", "rejected"], "description": "What the row's other columns did"},
    "column": {"type": "string", "description": "What it is about, as the file calls it"},
    "field": {"type": "string", "description": "The same by the name that it has in this API"},
    "message": {"type": "string"}}},
"RowAnswer": {
  "description": "A row result with the user as it is now (in a dry run: as it would be).",
  "type": "object", "required": ["result", "user"],
  "properties": {
    "result": {"type": "string"}, "reason": {"type": "string"}, "applied": {"type": "string"},
    "column": {"type": "string"}, "field": {"type": "string"}, "message": {"type": "string"},
    "user": {"$ref": "#/components/schemas/User"}}},
"Banner": {
  "description": "What the HR system shows to a user during the preparation phase.",
  "type": "object", "required": ["user", "show", "phase", "connection", "reason", "locale", "text"],
  "properties": {
    "user": {"type": "string"},
    "show": {"type": "boolean"},
    "phase": {"type": "string", "enum": ["preparation", "live"]},
    "connection": {"type": "string", "enum": ["not_connected", "pending", "connected"]},
    "reason": {"type": "string", "description": "Stable code"},
    "locale": {"type": "string", "enum": ["sv", "en"]},
    "text": {"type": ["string", "null"], "description": "The sentence to show, in locale; null where nothing is shown"}}},
"SelfServicePage": {
  "description": "The page on which a user types her own login email. The URL is a secret.",
  "type": "object", "required": ["url", "expires_at"],
  "properties": {
    "url": {"type": ["string", "null"], "format": "uri"},
    "expires_at": {"type": "string", "format": "date-time"}}},
"SendAnswer": {
  "description": "What the send did: a mail goes out, or the user is connected without one.",
  "type": "object", "required": ["action", "reason", "user"],
  "properties": {
    "action": {"type": "string", "enum": ["send", "connect"]},
    "reason": {"type": "string", "description": "Code of why: verified_domain or confirmed where the user is connected"},
    "user": {"$ref": "#/components/schemas/User"}}},
"PlanItem": {
  "description": "What happens to one user, and when.",
  "type": "object", "required": ["user", "action", "at", "reason"],
  "properties": {
    "user": {"type": "string"},
    "name": {"type": "string"},
    "action": {"type": "string", "enum": ["none", "review", "send", "deliver", "connect", "cancel", "expire", "disable"]},
    "local": {"type": ["string", "null"], "description": "2026-11-30T09:00, in zone"},
    "zone": {"type": "string"},
    "at": {"type": ["string", "null"], "format": "date-time"},
    "ends_at": {"type": ["string", "null"], "format": "date-time", "description": "End of the link: of the open one, or of the one that this mail would carry"},
    "reason": {"type": "string", "description": "Stable code"},
    "text": {"type": "string"}}},
"PlanChange": {
  "description": "What an import would change in the plan of one user.",
  "type": "object", "required": ["user", "before", "after"],
  "properties": {
    "user": {"type": "string"}, "name": {"type": "string"},
    "line": {"type": "integer"}, "result": {"type": "string", "description": "Of the row"},
    "before": {"type": "array", "items": {"$ref": "#/components/schemas/PlanItem"}},
    "after": {"type": "array", "items": {"$ref": "#/components/schemas/PlanItem"}}}},
"Risk": {
  "description": "A link that may fail its person.",
  "type": "object", "required": ["user", "risk", "state", "at", "ends_at"],
  "properties": {
    "user": {"type": "string"}, "name": {"type": "string"},
    "risk": {"type": "string", "enum": ["no_working_day", "ends_before_start", "start_moved"]},
    "state": {"type": "string", "enum": ["sent", "planned"]},
    "local": {"type": "string", "description": "When the mail was accepted, or is planned"},
    "zone": {"type": "string"},
    "at": {"type": "string", "format": "date-time"},
    "ends_at": {"type": "string", "format": "date-time"},
    "start_date": {"type": ["string", "null"], "format": "date"},
    "text": {"type": "string"}}},
"RehearsalEvent": {
  "description": "A piece of a rehearsal: how far it is, a piece of a file (pieces of the same name belong together, in order), or its end.",
  "type": "object", "required": ["event"],
  "properties": {
    "event": {"type": "string", "enum": ["progress", "file", "done", "ping"]},
    "done": {"type": "integer", "description": "Days that are over"},
    "total": {"type": "integer"},
    "name": {"type": "string", "description": "Relative path of the file"},
    "text": {"type": "string"},
    "state": {"type": "string", "enum": ["done", "failed"]},
    "detail": {"type": "string"}}},
"Why": {
  "description": "What happens next for a user, the chain of reasons (the deciding one last), and what would change it.",
  "type": "object", "required": ["user", "next", "reasons"],
  "properties": {
    "user": {"type": "string"},
    "name": {"type": "string"},
    "next": {"anyOf": [{"$ref": "#/components/schemas/PlanItem"}, {"type": "null"}]},
    "reasons": {"type": "array", "items": {
      "type": "object", "required": ["code", "text"],
      "properties": {"code": {"type": "string"}, "text": {"type": "string"}}}},
    "if": {"type": "array", "items": {
      "type": "object", "required": ["change", "next"],
      "properties": {
        "change": {"type": "string", "description": "approved today"},
        "reason": {"type": "string", "description": "Stable code of what would decide then"},
        "text": {"type": "string"},
        "next": {"anyOf": [{"$ref": "#/components/schemas/PlanItem"}, {"type": "null"}]}}}}}},
"Skipped": {
  "description": "Who is left out of a bulk send, by reason (verified_domain: connected instead).",
  "type": "object",
  "properties": {
    "connected": {"type": "integer"}, "no_login_email": {"type": "integer"}, "in_review": {"type": "integer"},
    "disabled": {"type": "integer"}, "verified_domain": {"type": "integer"}, "scheduled": {"type": "integer"},
    "cooldown": {"type": "integer"}},
  "additionalProperties": {"type": "integer"}},
"BulkPlan": {
  "description": "Who a bulk action reaches. Running it does exactly this.",
  "type": "object", "required": ["plan", "matched", "send", "connect", "skipped"],
  "properties": {
    "plan": {"type": "string"},
    "matched": {"type": "integer"}, "send": {"type": "integer"}, "connect": {"type": "integer"},
    "skipped": {"$ref": "#/components/schemas/Skipped"},
    "examples": {"type": "array", "description": "The first few it reaches", "items": {
      "type": "object",
      "properties": {"user": {"type": "string"}, "name": {"type": "string"}, "login_email": {"type": "string"}, "action": {"type": "string"}}}}}},
"Review": {
  "description": "The approval of one employment.",
  "type": "object", "required": ["user", "state"],
  "properties": {
    "user": {"type": "string"}, "name": {"type": "string"},
    "state": {"type": "string", "enum": ["none", "pending", "approved", "rejected"]},
    "company": {"type": "string"},
    "start_date": {"type": ["string", "null"], "format": "date"},
    "actor": {"type": "string"}, "reason": {"type": "string"},
    "decided_at": {"type": ["string", "null"], "format": "date-time"},
    "flow": {"type": "string", "description": "The review flow it is in"},
    "four_eyes": {"type": "boolean", "description": "Who entered the hire cannot approve it"},
    "open_steps": {"type": "array", "items": {"type": "string"}, "description": "Steps that may be approved now"},
    "steps": {"type": "array", "items": {
      "type": "object", "required": ["name", "state"],
      "properties": {
        "name": {"type": "string"},
        "state": {"type": "string", "enum": ["approved", "open", "waiting"]},
        "after": {"type": "string", "description": "The step that must be approved before"},
        "actor": {"type": "string"},
        "approved_at": {"type": ["string", "null"], "format": "date-time"}}}},
    "next": {"anyOf": [{"$ref": "#/components/schemas/PlanItem"}, {"type": "null"}]}}},
"Flow": {
  "description": "A review flow of the configuration.",
  "type": "object", "required": ["name", "active", "four_eyes", "steps"],
  "properties": {
    "name": {"type": "string"},
    "active": {"type": "boolean", "description": "false: hires pass without a review"},
    "four_eyes": {"type": "boolean"},
    "steps": {"type": "array", "items": {"type": "object", "required": ["name"], "properties": {
      "name": {"type": "string"}, "after": {"type": "string"}}}},
    "employment_templates": {"type": "string", "description": "Those that choose it"}}},
"Template": {
  "description": "An employment template of the configuration, with what its user template gives a new user.",
  "type": "object", "required": ["name", "user_template", "review_flow"],
  "properties": {
    "name": {"type": "string"}, "user_template": {"type": "string"}, "review_flow": {"type": "string"},
    "company": {"type": "string"}, "department": {"type": "string"},
    "roles": {"type": "array", "items": {"type": "string"}},
    "locale": {"type": "string"},
    "leaver_days": {"type": ["integer", "null"]},
    "user_id": {"type": "string", "description": "Pattern of the user-id"},
    "login_email": {"type": "string", "description": "Pattern of the login email"}}},
"Domain": {
  "type": "object", "required": ["name", "state"],
  "properties": {
    "name": {"type": "string"},
    "state": {"type": "string", "enum": ["pending", "verified", "lapsed"]},
    "method": {"type": "string", "enum": ["dns", "assertion"]}, "actor": {"type": "string"},
    "since": {"type": "string", "format": "date-time"},
    "record": {"type": ["object", "null"], "required": ["name", "type", "value"],
      "description": "What must stand in the DNS; null: nothing was asked for (an assertion, or a dry run).",
      "properties": {"name": {"type": "string"}, "type": {"type": "string"}, "value": {"type": "string"}}},
    "checked_at": {"type": ["string", "null"], "format": "date-time"},
    "next_check_at": {"type": ["string", "null"], "format": "date-time"},
    "failing_since": {"type": ["string", "null"], "format": "date-time", "description": "Proven, and since then the DNS says that the record is gone"},
    "lapses_at": {"type": ["string", "null"], "format": "date-time", "description": "Unless the record comes back before"},
    "detail": {"type": "string", "description": "What the last look found"},
    "check": {"type": "object", "required": ["found", "seen"], "description": "What domain verify found just now.",
      "properties": {
        "found": {"type": "string", "enum": ["right", "wrong", "missing", "no_answer"]},
        "seen": {"type": "array", "items": {"type": "string"}, "description": "The other TXT records of that name"}}}}},
"Source": {
  "type": "object", "required": ["name", "plugin", "state"],
  "properties": {
    "name": {"type": "string"}, "plugin": {"type": "string"},
    "state": {"type": "string", "enum": ["idle", "reading", "failing", "stopped"]},
    "last_run_at": {"type": ["string", "null"], "format": "date-time"},
    "next_run_at": {"type": ["string", "null"], "format": "date-time"},
    "detail": {"type": "string"}}},
"Transport": {
  "type": "object", "required": ["name", "plugin", "state"],
  "properties": {
    "name": {"type": "string"}, "plugin": {"type": "string"},
    "state": {"type": "string", "enum": ["ready", "paused", "stopped"]},
    "in_use": {"type": "boolean", "description": "Carries the daemon's mail"},
    "outstanding": {"type": "integer", "description": "Mails handed over, no outcome yet"},
    "retry_at": {"type": ["string", "null"], "format": "date-time"},
    "detail": {"type": "string"}}},
"Plugin": {
  "type": "object", "required": ["name", "version", "roles"],
  "properties": {
    "name": {"type": "string"}, "version": {"type": "string"}, "summary": {"type": "string"},
    "file": {"type": "string"},
    "abi": {"type": "string"},
    "roles": {"type": "array", "items": {"type": "string", "enum": ["source", "transport", "identity"]}},
    "capabilities": {"type": "array", "items": {"type": "string"}},
    "instances": {"type": "array", "items": {"type": "string"}},
    "config_schema": {"type": "object", "description": "JSON Schema of the instance's configuration"}}},
"Check": {
  "description": "A check and its outcome; ok false is not an error of the request.",
  "type": "object", "required": ["ok", "message"],
  "properties": {
    "ok": {"type": "boolean"},
    "message": {"type": "string"},
    "name": {"type": "string"},
    "checked": {"type": "integer"},
    "first_bad_seq": {"type": ["integer", "null"]},
    "plugin": {"anyOf": [{"$ref": "#/components/schemas/Plugin"}, {"type": "null"}]}}},
"JobStarted": {
  "type": "object", "required": ["job"],
  "properties": {"job": {"type": "string"}}},
"Job": {
  "description": "Long work. Its events are kept for a while after its end.",
  "type": "object", "required": ["id", "kind", "state"],
  "properties": {
    "id": {"type": "string"},
    "kind": {"type": "string", "enum": ["import", "sync", "send-verification", "plan", "release-batch", "discard-batch"]},
    "state": {"type": "string", "enum": ["running", "done", "failed"]},
    "dry_run": {"type": "boolean"},
    "actor": {"type": "string"},
    "done": {"type": "integer"}, "total": {"type": ["integer", "null"]}, "failed": {"type": "integer"},
    "started_at": {"type": "string", "format": "date-time"},
    "ended_at": {"type": ["string", "null"], "format": "date-time"},
    "counts": {"$ref": "#/components/schemas/Counts"},
    "detail": {"type": "string"}}},
"Batch": {
  "description": "What one run would do at once. Above a brake it is held as a whole.",
  "type": "object", "required": ["id", "cause", "state", "reason", "detail", "mails", "withdrawals", "created_at"],
  "properties": {
    "id": {"type": "string", "format": "uuid"},
    "cause": {"type": "string", "enum": ["import", "sync", "push", "schedule", "settings"]},
    "source": {"type": "string", "description": "Name of the source; empty: none"},
    "actor": {"type": "string", "description": "Whose run it was"},
    "state": {"type": "string", "enum": ["open", "filling", "held", "releasing", "discarding", "released", "discarded"]},
    "reason": {"type": "string", "enum": ["", "too_many_at_once", "too_many_withdrawn"], "description": "Why it is held"},
    "detail": {"type": "string", "description": "The same as a sentence"},
    "mails": {"type": "integer", "description": "As counted when it was decided"},
    "withdrawals": {"type": "integer", "description": "Likewise; disabled users count"},
    "decided_by": {"type": "string"}, "decided_at": {"type": ["string", "null"], "format": "date-time"},
    "created_at": {"type": "string", "format": "date-time"},
    "waiting": {"$ref": "#/components/schemas/BatchCounts", "description": "What waits in it now; where one is shown"},
    "companies": {"type": "array", "description": "The same for each company; where one is shown", "items": {"$ref": "#/components/schemas/BatchCounts"}},
    "examples": {"type": "array", "description": "The first of those who wait; where one is shown", "items": {
      "type": "object", "required": ["user", "act"],
      "properties": {
        "user": {"type": "string"}, "name": {"type": "string"}, "login_email": {"type": "string"},
        "start_date": {"type": ["string", "null"], "format": "date"},
        "act": {"type": "string", "enum": ["release", "withdraw", "disable"]}}}}}},
"BatchCounts": {
  "type": "object", "required": ["mails", "withdrawals", "disablings"],
  "properties": {
    "company": {"type": "string", "description": "Key of the company; empty: the organisation itself"},
    "mails": {"type": "integer"}, "withdrawals": {"type": "integer"}, "disablings": {"type": "integer"}}},
"Counts": {
  "description": "Import and sync: rows by outcome, and what a brake holds. Bulk send: sent, connected, failed, and skipped by reason. Batch: released, withdrawn, disabled, discarded, kept, and skipped by reason.",
  "type": "object",
  "properties": {
    "created": {"type": "integer"}, "updated": {"type": "integer"}, "unchanged": {"type": "integer"},
    "ignored": {"type": "integer"}, "rejected": {"type": "integer"},
    "changed_plans": {"type": "integer", "description": "Plan with a file: users whose coming acts would be others"},
    "held_mails": {"type": "integer", "description": "Kept back until a person decides about the batch"},
    "held_withdrawals": {"type": "integer", "description": "Likewise"},
    "released": {"type": "integer"}, "withdrawn": {"type": "integer"}, "disabled": {"type": "integer"},
    "discarded": {"type": "integer"}, "kept": {"type": "integer"},
    "sent": {"type": "integer"}, "connected": {"type": "integer"}, "failed": {"type": "integer"},
    "skipped": {"$ref": "#/components/schemas/Skipped"}}},
"JobEvent": {
  "description": "One line of a job's stream. snapshot comes first, done comes last.",
  "type": "object", "required": ["event"],
  "properties": {
    "seq": {"type": "integer", "description": "Go on after a broken stream with from = seq + 1"},
    "event": {"type": "string", "enum": ["snapshot", "row", "change", "progress", "ping", "done"]},
    "job": {"$ref": "#/components/schemas/Job", "description": "snapshot"},
    "row": {"$ref": "#/components/schemas/RowResult", "description": "row"},
    "change": {"$ref": "#/components/schemas/PlanChange", "description": "change, of a plan with a file"},
    "done": {"type": "integer", "description": "progress"},
    "total": {"type": ["integer", "null"], "description": "progress"},
    "failed": {"type": "integer", "description": "progress"},
    "state": {"type": "string", "enum": ["done", "failed"], "description": "done"},
    "counts": {"$ref": "#/components/schemas/Counts", "description": "done"},
    "detail": {"type": "string", "description": "done: why it failed, or what the counts do not say"}}},
"AuditEvent": {
  "type": "object", "required": ["seq", "at", "actor", "action", "subject"],
  "properties": {
    "seq": {"type": "integer"},
    "at": {"type": "string", "format": "date-time"},
    "actor": {"type": "string"}, "action": {"type": "string"}, "subject": {"type": "string"},
    "reason": {"type": "string"}, "detail": {"type": "string"}}},
"Status": {
  "type": "object", "required": ["version", "started_at", "ready", "counts", "held", "transports", "sources"],
  "properties": {
    "version": {"type": "string"},
    "organisation": {"type": "string"},
    "zone": {"type": "string", "description": "IANA time zone of the organisation"},
    "now": {"type": "string", "format": "date-time"},
    "started_at": {"type": "string", "format": "date-time"},
    "ready": {"type": "boolean", "description": "false: the whole daemon waits; something below says for what"},
    "sending": {"type": "boolean", "description": "false: a source is still being read since the start, the transport is paused, or the state waits for state confirm; waits_for says which"},
    "waits_for": {"type": "array", "items": {"type": "string"}, "description": "One sentence each: what a person should do"},
    "counts": {"type": "object", "description": "users, held, provider_tasks, accepted_since_start; invitations_ and mails_ with the name of a state", "additionalProperties": {"type": "integer"}},
    "held": {"type": "array", "items": {"type": "object", "required": ["invitation", "user", "reason"], "properties": {
      "invitation": {"type": "string"}, "user": {"type": "string"}, "reason": {"type": "string"}, "detail": {"type": "string"}}}},
    "next": {"anyOf": [{"$ref": "#/components/schemas/PlanItem"}, {"type": "null"}]},
    "transports": {"type": "array", "items": {"$ref": "#/components/schemas/Transport"}},
    "sources": {"type": "array", "items": {"$ref": "#/components/schemas/Source"}},
    "identities": {"type": "array", "items": {"type": "object", "properties": {
      "name": {"type": "string"}, "plugin": {"type": "string"}, "state": {"type": "string", "enum": ["ready", "failing", "refusing"], "description": "failing: cannot do it now, tried again; refusing: something was refused for good"},
      "waiting": {"type": "integer", "description": "Accounts and removals that are owed to it"}, "retry_at": {"type": ["string", "null"], "format": "date-time"}, "detail": {"type": "string"}}}}}},
"OpenApi": {
  "type": "object", "required": ["openapi", "info", "paths"], "additionalProperties": true,
  "properties": {"openapi": {"type": "string"}, "info": {"type": "object"}, "paths": {"type": "object"}}}
})json";

}  // namespace

boost::json::object schemas() {
  return boost::json::parse({text.data(), text.size()}).as_object();
}

}  // namespace invited::api
