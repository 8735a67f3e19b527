/* Role source: where people come from.
 *
 * A source hands over records: lists of key and value about one user or employment. The daemon decides what they
 * mean; a key that is absent leaves that fact alone, a key with an empty value clears it where clearing is allowed.
 * One fetch, from the call to the durable end:
 *
 *   fetch(self, call, "")            the daemon asks; the cursor is empty the first time
 *     announce(host, call, &what)    if there is something to know first: how many rows, how the file names its columns
 *     emit(host, call, &record)      once per person; may wait; stop when it answers CANCELLED
 *     reject_row(host, call, …)      for a row that could not even be read
 *     fetched(host, call, cursor, more, settle)
 *     complete(host, call, OK)
 *   finish(self, call, &report)      if settle was 1: all is durable, here is what became of each record
 *
 * The records and the cursor of one fetch become durable together: after a crash the daemon asks again with the older
 * cursor, and the same records come again, which changes nothing.
 */
#ifndef INVITED_SOURCE_H
#define INVITED_SOURCE_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Capabilities, with the function that each one needs. */
enum {
  INVITED_SOURCE_FETCH = 1,         /* fetch */
  INVITED_SOURCE_FINISH = 2,        /* finish */
  INVITED_SOURCE_HANDLE_RECORD = 4, /* handle: kind RECORD */
  INVITED_SOURCE_HANDLE_IMPORT = 8, /* handle: kind IMPORT */
  INVITED_SOURCE_HANDLE_HTTP = 16,  /* handle: kind HTTP */
  INVITED_SOURCE_EXPORT = 32        /* export_records */
};

/* What fetched() says of records that this fetch did not give. */
enum {
  INVITED_MORE_NOW = 1, /* fetch again at once, after finish */
  INVITED_MORE_SOON = 2 /* there is something that cannot be read yet (a file still being written); source_changed()
                         * follows. At its start the daemon waits for it, half a minute at most, before anything that is
                         * overdue goes out */
};

/* Well-known keys of a record. Other keys are kept as the user's own fields only when they begin with "x_"; any other
 * unknown key is reported and ignored. Dates are YYYY-MM-DD, switches "true" or "false", the items of a list stand
 * between commas. */
#define INVITED_KEY_USER_ID "user_id"
#define INVITED_KEY_NAME "name"
#define INVITED_KEY_GIVEN_NAME "given_name"
#define INVITED_KEY_FAMILY_NAME "family_name"
#define INVITED_KEY_LOGIN_EMAIL "login_email"
#define INVITED_KEY_CONFIRM_EMAIL "confirm_email"
#define INVITED_KEY_COMPANY "company"
#define INVITED_KEY_DEPARTMENT "department"
#define INVITED_KEY_ROLES "roles"
#define INVITED_KEY_LOCALE "locale"
#define INVITED_KEY_START_DATE "start_date"
#define INVITED_KEY_END_DATE "end_date"
#define INVITED_KEY_EMPLOYMENT_TEMPLATE "employment_template"
#define INVITED_KEY_ALIAS "alias"
#define INVITED_KEY_SIGNATURE "signature"
#define INVITED_KEY_CARD_ID "card_id"
#define INVITED_KEY_EXTERNAL_REF "external_ref"
#define INVITED_KEY_AUTHORISED_COMPANIES "authorised_companies"
#define INVITED_KEY_ENABLED "enabled"
#define INVITED_KEY_IN_REVIEW "in_review"
#define INVITED_KEY_WITHDRAWN "withdrawn"
#define INVITED_KEY_VERSION "version"

/* Of an export only: what people call the company, and a list of the authorised ones. An import may bring such names
 * under the keys "company" and "authorised_companies": the daemon knows companies by key and by name. */
#define INVITED_KEY_COMPANY_NAME "company_name"
#define INVITED_KEY_AUTHORISED_COMPANY_NAMES "authorised_company_names"

/* One row: one user or employment. Each key at most once. */
typedef struct invited_record {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t line; /* in the file it came from, counted from 1; 0: none */
  const invited_pair* fields;
  uint64_t field_count;
} invited_record;

/* What is known before the first record of a call. */
typedef struct invited_announcement {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t rows;                /* emit() and reject_row() will come about so often; -1: not known */
  const invited_pair* columns; /* key of a record -> what the file calls that column, where it has a name of its own */
  uint64_t column_count;
} invited_announcement;

/* Kinds of request; an unknown kind is completed with UNSUPPORTED. */
enum {
  INVITED_REQUEST_RECORD = 1, /* body: one JSON object, from `user add` and `user set` */
  INVITED_REQUEST_IMPORT = 2, /* body: a file's raw bytes, from `user import` */
  INVITED_REQUEST_HTTP = 3    /* a request to a prefix that this instance registered with invited.routes/1 */
};

/* Something pushed at the source. Fields that the kind does not use are empty. */
typedef struct invited_request {
  uint32_t struct_size;
  int32_t kind;
  invited_str body;
  invited_str format;          /* IMPORT: a hint such as "csv", "txt", "xlsx", or a profile's name; may be empty */
  invited_str file_name;       /* IMPORT: its last part only, for messages; may be empty */
  invited_str method;          /* HTTP: in capitals; HEAD arrives as GET, the daemon leaves the body out */
  invited_str path;            /* HTTP: whole path with its prefix, percent-encoded as it came, without the query */
  invited_str query;           /* HTTP: what follows '?', without it */
  const invited_pair* headers; /* HTTP: names in lower case; several with one name are possible */
  uint64_t header_count;
} invited_request;

/* One piece of an export. A big export comes as several calls in order, each with some of the records, never mixed
 * with another export; `first` set means: forget whatever an export that was broken off left behind. */
typedef struct invited_export {
  uint32_t struct_size;
  int32_t first; /* 1: write what opens the file */
  int32_t last;  /* 1: write what closes it */
  int32_t reserved;
  invited_str format; /* as in invited_request */
  const invited_record* const* records;
  uint64_t record_count;       /* may be 0 */
  const invited_pair* options; /* the same with each part: "language" (sv, en), "delimiter" (comma, semicolon, tab) */
  uint64_t option_count;
} invited_export;

/* What became of a record; an unknown code is shown as it is. */
enum {
  INVITED_RESULT_CREATED = 1,
  INVITED_RESULT_UPDATED = 2,
  INVITED_RESULT_UNCHANGED = 3,
  INVITED_RESULT_IGNORED = 4, /* part of the row was left out, for the reason given; the rest was taken */
  INVITED_RESULT_REJECTED = 5,
  INVITED_RESULT_NOTED = 6 /* a note(): about the file, not about one person */
};

typedef struct invited_row_result {
  uint32_t struct_size;
  int32_t code;        /* INVITED_RESULT_… */
  int64_t line;        /* the record's line; 0: none */
  invited_str user_id; /* empty where none is known */
  invited_str reason;  /* stable: "connected", "invalid_email", "duplicate_in_file", …; empty when there is none */
  invited_str column;  /* what it is about, as the file calls it (see announce), else the key; may be empty */
  invited_str message; /* for people; may be empty */
} invited_row_result;

/* After a fetch: one result per emit(), reject_row() and note(), in that order. */
typedef struct invited_report {
  uint32_t struct_size;
  uint32_t reserved;
  invited_str cursor; /* the one that the fetch gave to fetched() */
  const invited_row_result* const* results;
  uint64_t result_count;
} invited_report;

/* What a plugin of this role fills. Functions without a capability bit may be null. At most one fetch (until its
 * finish is completed) and one export are open at a time; calls of handle() fill the rest of the window. */
typedef struct invited_source {
  uint32_t struct_size;
  uint32_t reserved;

  /* How many calls the instance wants open at the same time; asked again whenever it matters. Null: 1.
                                                                                                    [own-thread] */
  uint32_t (*window)(void* self);

  /* Emits what is new since the cursor, then fetched(), then complete(OK). Any other status: the cursor stays and
   * what was emitted is discarded.                                                                 [own-thread] */
  void (*fetch)(void* self, invited_call* call, invited_str cursor);

  /* Takes a push: emits records, rejects rows, may respond(). Whoever pushed gets the answer when every record of
   * this call is durable. Any status but OK discards what was emitted. An HTTP client then sees 422 and the error's
   * message after REJECTED, 503 after any other.                                                   [own-thread] */
  void (*handle)(void* self, invited_call* call, const invited_request* request);

  /* Writes records as bytes through write().                                                       [own-thread] */
  void (*export_records)(void* self, invited_call* call, const invited_export* part);

  /* The fetch that asked for it with settle is durable. Until it is completed with OK, REJECTED or UNSUPPORTED it is
   * called again before the next fetch, with the same cursor: after another status with the same results, after a
   * restart with none, and then perhaps for a fetch that did not ask for it. A repeat must be harmless. [own-thread] */
  void (*finish)(void* self, invited_call* call, const invited_report* report);
} invited_source;

/* invited_host.role of a source. All [any-thread]; `call` is the open call that the output belongs to. */
typedef struct invited_source_host {
  uint32_t struct_size;
  uint32_t reserved;

  /* One record, in fetch and handle: up to 1000 fields and 1 MiB, keys and values in UTF-8; one beyond that is a
   * rejected row, the others go on. Waits while the daemon is behind, so never call it under a lock that cancel()
   * takes. OK: go on. CANCELLED: emit no more, complete the call with CANCELLED.                   [any-thread] */
  invited_status (*emit)(const invited_host* host, invited_call* call, const invited_record* record);

  /* One row that could not be read, in fetch and handle: where (key or number of the column, may be empty), a stable
   * reason ("bad_date"), a sentence. It is counted as a rejected row; the others go on.            [any-thread] */
  void (*reject_row)(const invited_host* host, invited_call* call, int64_t line, invited_str column, invited_str reason,
                     invited_str message);

  /* The outcome of a fetch, once, before complete(OK): where the next one goes on, a text of up to 64 KiB; whether
   * there is more (INVITED_MORE_…, 0: no); settle 1: call finish() when all of this is durable. A longer cursor, or
   * MORE_NOW with the cursor that this fetch was given and nothing to settle, is misbehaviour and fails the fetch. A
   * source that settles may keep its cursor, but records that change nothing then end the round. [any-thread] */
  void (*fetched)(const invited_host* host, invited_call* call, invited_str cursor, int32_t more, int32_t settle);

  /* The answer to an HTTP push, once, before complete(OK); without it: 204. The body has up to 16 MiB; with an empty
   * content_type there is no such header. It leaves when the records of this call
   * are durable; if they cannot be stored the daemon answers 503 instead.                          [any-thread] */
  void (*respond)(const invited_host* host, invited_call* call, int32_t http_status, invited_str content_type,
                  invited_str body);

  /* The next bytes of an export. May wait. OK, or CANCELLED: write no more.                        [any-thread] */
  invited_status (*write)(const invited_host* host, invited_call* call, invited_str bytes);

  /* A hint: there is something to fetch. The daemon keeps its own pace.                            [any-thread] */
  void (*source_changed)(const invited_host* host);

  /* In fetch and handle, once, before the first record: lets people see how far it is, and lets results name columns
   * as their file does.                                                                            [any-thread] */
  void (*announce)(const invited_host* host, invited_call* call, const invited_announcement* what);

  /* In fetch and handle: something about the file that people should know and that is no row of it; arguments as in
   * reject_row(). It stands among the results and is not counted.                                  [any-thread] */
  void (*note)(const invited_host* host, invited_call* call, int64_t line, invited_str column, invited_str reason,
               invited_str message);
} invited_source_host;

#ifdef __cplusplus
}
#endif

#endif
