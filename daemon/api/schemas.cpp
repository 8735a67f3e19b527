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
    "sign_in_url": {"type": ["string", "null"]},
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
    "result": {"type": "string", "description": "created, updated, unchanged, ignored: CODE or rejected: CODE"},
    "reason": {"type": "string"},
    "applied": {"type": "string", "enum": ["created", "updated", "unchanged", "ignored", "rejected"], "description": "What the row's other columns did"},
    "column": {"type": "string"},
    "message": {"type": "string"}}},
"RowAnswer": {
  "description": "A row result with the user as it is now (in a dry run: as it would be).",
  "type": "object", "required": ["result", "user"],
  "properties": {
    "result": {"type": "string"}, "reason": {"type": "string"}, "applied": {"type": "string"},
    "column": {"type": "string"}, "message": {"type": "string"},
    "user": {"$ref": "#/components/schemas/User"}}},
"SendAnswer": {
  "description": "What the send did: a mail goes out, or the user is connected without one.",
  "type": "object", "required": ["action", "user"],
  "properties": {
    "action": {"type": "string", "enum": ["send", "connect"]},
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
    "reason": {"type": "string", "description": "Stable code"},
    "text": {"type": "string"}}},
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
    "next": {"anyOf": [{"$ref": "#/components/schemas/PlanItem"}, {"type": "null"}]}}},
"Domain": {
  "type": "object", "required": ["name", "state"],
  "properties": {
    "name": {"type": "string"},
    "state": {"type": "string", "enum": ["pending", "verified", "lapsed"]},
    "method": {"type": "string"}, "actor": {"type": "string"},
    "since": {"type": "string", "format": "date-time"}}},
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
    "kind": {"type": "string", "enum": ["import", "sync", "send-verification"]},
    "state": {"type": "string", "enum": ["running", "done", "failed"]},
    "dry_run": {"type": "boolean"},
    "actor": {"type": "string"},
    "done": {"type": "integer"}, "total": {"type": ["integer", "null"]}, "failed": {"type": "integer"},
    "started_at": {"type": "string", "format": "date-time"},
    "ended_at": {"type": ["string", "null"], "format": "date-time"},
    "counts": {"$ref": "#/components/schemas/Counts"},
    "detail": {"type": "string"}}},
"Counts": {
  "description": "Import and sync: rows by outcome. Bulk send: sent, connected, failed, and skipped by reason.",
  "type": "object",
  "properties": {
    "created": {"type": "integer"}, "updated": {"type": "integer"}, "unchanged": {"type": "integer"},
    "ignored": {"type": "integer"}, "rejected": {"type": "integer"},
    "sent": {"type": "integer"}, "connected": {"type": "integer"}, "failed": {"type": "integer"},
    "skipped": {"$ref": "#/components/schemas/Skipped"}}},
"JobEvent": {
  "description": "One line of a job's stream. snapshot comes first, done comes last.",
  "type": "object", "required": ["event"],
  "properties": {
    "seq": {"type": "integer", "description": "Go on after a broken stream with from = seq + 1"},
    "event": {"type": "string", "enum": ["snapshot", "row", "progress", "ping", "done"]},
    "job": {"$ref": "#/components/schemas/Job", "description": "snapshot"},
    "row": {"$ref": "#/components/schemas/RowResult", "description": "row"},
    "done": {"type": "integer", "description": "progress"},
    "total": {"type": ["integer", "null"], "description": "progress"},
    "failed": {"type": "integer", "description": "progress"},
    "state": {"type": "string", "enum": ["done", "failed"], "description": "done"},
    "counts": {"$ref": "#/components/schemas/Counts", "description": "done"},
    "detail": {"type": "string", "description": "done: why it failed"}}},
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
    "ready": {"type": "boolean", "description": "false: something below says why"},
    "sending": {"type": "boolean", "description": "false: waits for state confirm, or its transport is paused"},
    "waits_for": {"type": "array", "items": {"type": "string"}, "description": "One sentence each: what a person should do"},
    "counts": {"type": "object", "description": "users, connected, pending, not_connected, in_review, scheduled, on_the_way, held, …", "additionalProperties": {"type": "integer"}},
    "held": {"type": "array", "items": {"type": "object", "required": ["invitation", "user", "reason"], "properties": {
      "invitation": {"type": "string"}, "user": {"type": "string"}, "reason": {"type": "string"}, "detail": {"type": "string"}}}},
    "next": {"anyOf": [{"$ref": "#/components/schemas/PlanItem"}, {"type": "null"}]},
    "transports": {"type": "array", "items": {"$ref": "#/components/schemas/Transport"}},
    "sources": {"type": "array", "items": {"$ref": "#/components/schemas/Source"}},
    "identities": {"type": "array", "items": {"type": "object", "properties": {
      "name": {"type": "string"}, "plugin": {"type": "string"}, "state": {"type": "string"}, "waiting": {"type": "integer"}, "detail": {"type": "string"}}}}}},
"OpenApi": {
  "type": "object", "required": ["openapi", "info", "paths"], "additionalProperties": true,
  "properties": {"openapi": {"type": "string"}, "info": {"type": "object"}, "paths": {"type": "object"}}}
})json";

}  // namespace

boost::json::object schemas() {
  return boost::json::parse({text.data(), text.size()}).as_object();
}

}  // namespace invited::api
