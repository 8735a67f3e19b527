/* Services that the daemon may offer to an instance, each a table found by its id. The number in an id is its
 * revision; a table grows at its end like every struct here.
 *
 *   const invited_clock* clock = host->service(host, INVITED_CLOCK_1);
 *   if (clock) now = clock->now_ms(host);
 *
 * Values come through a receiver function that the service calls before it returns; what it is given is borrowed for
 * that long and no longer. `user` is handed back untouched.
 */
#ifndef INVITED_SERVICES_H
#define INVITED_SERVICES_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define INVITED_CLOCK_1 "invited.clock/1"
#define INVITED_SECRETS_1 "invited.secrets/1"
#define INVITED_HTTP_1 "invited.http/1"
#define INVITED_ROUTES_1 "invited.routes/1"
#define INVITED_STATE_1 "invited.state/1"
#define INVITED_SCHEDULE_1 "invited.schedule/1"

typedef void (*invited_receiver)(void* user, invited_str value);
typedef void (*invited_task)(void* user);

/* The only time a plugin should look at: tests and rehearsals move it. */
typedef struct invited_clock {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t (*now_ms)(const invited_host* host);       /* UTC                                         [any-thread] */
  int64_t (*monotonic_ms)(const invited_host* host); /* never goes back; only differences mean something
                                                                                                    [any-thread] */
} invited_clock;

/* Values that never stand in the configuration: it only names them. */
typedef struct invited_secrets {
  uint32_t struct_size;
  uint32_t reserved;
  /* Reads the credential anew and hands it to `receive`, then wipes it. OK; BAD_CONFIG: no such credential, or it may
   * not be read; `receive` is then not called.                                                     [any-thread] */
  invited_status (*read)(const invited_host* host, invited_str name, invited_receiver receive, void* user);
} invited_secrets;

typedef struct invited_http_request {
  uint32_t struct_size;
  int32_t timeout_ms; /* over all, redirects included; 0: 30000. Never beyond the call's deadline */
  invited_str method; /* empty: GET */
  invited_str url;    /* http or https, on a host that the instance may talk to */
  const invited_pair* headers;
  uint64_t header_count;
  invited_str body;
  int64_t max_response_bytes; /* 0: 8 MiB */
} invited_http_request;

typedef struct invited_http_response {
  uint32_t struct_size;
  int32_t http_status;
  const invited_pair* headers; /* names in lower case */
  uint64_t header_count;
  invited_str body;
} invited_http_response;

/* Any answer of the server, 500 too, is OK with a response. Without one, error is set instead:
 *   RETRY      nothing was sent: no name, no connection, TLS did not come about
 *   UNKNOWN    the request went out, the answer did not come (whole): it may have been carried out
 *   REJECTED   not allowed or not sensible: host, scheme, header; the answer is larger than the limit
 *   CANCELLED  the call was cancelled or the daemon is stopping, before anything was sent */
typedef void (*invited_http_done)(void* user, invited_status status, const invited_http_response* response,
                                  const invited_error* error);

/* One client for all: its TLS policy, proxy, hosts, redirects and limits are the operator's. `call` ties the request to
 * an open call, for its deadline and cancel hint: complete that call only after `done` came. It may be null. */
typedef struct invited_http {
  uint32_t struct_size;
  uint32_t reserved;

  /* Starts a request. OK: `done` comes exactly once, on any thread, perhaps before this returns, at the latest before
   * destroy() is called; it must not block. Any other status: it never comes.                      [any-thread] */
  invited_status (*start)(const invited_host* host, invited_call* call, const invited_http_request* request,
                          invited_http_done done, void* user);

  /* Carries a request out and waits for it: `done` is called on this thread before it returns. Answers the status
   * that `done` got.                                                                               [own-thread] */
  invited_status (*wait)(const invited_host* host, invited_call* call, const invited_http_request* request,
                         invited_http_done done, void* user);
} invited_http;

/* Lets a source serve a part of the public listener: requests arrive as handle() of kind HTTP. */
typedef struct invited_routes {
  uint32_t struct_size;
  uint32_t reserved;
  /* Takes a path prefix ("/scim/v2": that path and everything below it) until destroy. In create() only. Bodies of up
   * to 1 MiB arrive there; a longer one is answered 413 by the daemon. REJECTED: taken already, or reserved;
   * BAD_CONFIG: not a path; UNSUPPORTED: not a source with HANDLE_HTTP.                            [own-thread] */
  invited_status (*add)(const invited_host* host, invited_str prefix);
} invited_routes;

/* Small values that survive a restart (tokens, ETags); each instance sees its own. Keys 1 to 200 bytes, values up to
 * 64 KiB, 1000 keys; beyond that REJECTED. Waits for the store; RETRY when it cannot be written now. */
typedef struct invited_state {
  uint32_t struct_size;
  uint32_t reserved;
  /* OK with `receive` called, or OK without: there is no such key.                                 [own-thread] */
  invited_status (*get)(const invited_host* host, invited_str key, invited_receiver receive, void* user);
  /* Durable when it returns OK.                                                                    [own-thread] */
  invited_status (*put)(const invited_host* host, invited_str key, invited_str value);
  /* OK too when there was none.                                                                    [own-thread] */
  invited_status (*remove)(const invited_host* host, invited_str key);
} invited_state;

/* Calls back later, on the instance's own thread, once, never after destroy() was called. */
typedef struct invited_schedule {
  uint32_t struct_size;
  uint32_t reserved;
  /* After `delay_ms` (monotonic; 0: soon). *ret_id is never 0. REJECTED: more than 10000 wait.     [any-thread] */
  invited_status (*after)(const invited_host* host, int64_t delay_ms, invited_task run, void* user, uint64_t* ret_id);
  /* At a UTC time, kept to when the clock is set; in the past: soon.                               [any-thread] */
  invited_status (*at)(const invited_host* host, int64_t at_ms, invited_task run, void* user, uint64_t* ret_id);
  /* OK: it will not run. REJECTED: it has run, runs now, or never was. On the instance's own thread one that has not
   * begun can always be called off.                                                                [any-thread] */
  invited_status (*cancel)(const invited_host* host, uint64_t id);
} invited_schedule;

#ifdef __cplusplus
}
#endif

#endif
