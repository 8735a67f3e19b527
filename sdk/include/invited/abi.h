/* The plugin contract of `invited`, major version 1: what every module and every role shares.
 *
 * A module is one shared object with one exported function. It offers plugins; the daemon makes instances of them
 * from its configuration and gives each instance a thread of its own. Compiles alone as C99 to C17 and C++11 to C++20.
 *
 *   static const invited_transport operations = {sizeof operations, 0, print_window, print_send, NULL, NULL};
 *   static const invited_plugin print = {sizeof print, 0, INVITED_ROLE_TRANSPORT, "print", "1.0.0",
 *       "{\"type\":\"object\",\"additionalProperties\":false}", print_create, print_destroy, NULL, &operations};
 *   static const invited_plugin *const plugins[] = {&print};
 *   static const invited_module module = {sizeof module, 0, 1, 0, plugins};
 *   INVITED_EXPORT const invited_module *invited_module_v1(uint32_t host_minor) { (void)host_minor; return &module; }
 *
 * Rules that hold everywhere:
 *
 * - Who fills a struct writes its struct_size. Fields are only ever appended, so a reader asks INVITED_HAS() before it
 *   touches a field that was not in minor 0. Reserved fields are zero. Structs without struct_size are frozen for ever.
 * - What is passed is borrowed until the called function returns; the arguments of an operation until that operation
 *   is completed. Who wants it longer copies it. Results are handed over by calling a host function, which copies
 *   before it returns. Nobody ever frees what the other side made.
 * - Text is UTF-8. Times are milliseconds since 1970-01-01T00:00Z. Names carry their unit.
 * - Nothing is thrown across: C++ exceptions stay on their side.
 * - Threads, as a tag on each function:
 *     [entry]       once, before anything else of the module runs; starts no thread, does no I/O
 *     [own-thread]  on the instance's own thread, where nothing of the instance runs beside it
 *     [any-thread]  from any thread, also at the same time
 * - Manners: no signal handlers, fork, setenv, setlocale, umask, chdir, output on stdout, exit, curl_global_init.
 */
#ifndef INVITED_ABI_H
#define INVITED_ABI_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define INVITED_ABI_MAJOR 1
/* The newest minor that these headers describe. A module asks for the lowest minor that has what it needs. */
#define INVITED_ABI_MINOR 0

#if defined(__GNUC__)
#define INVITED_EXPORT __attribute__((visibility("default")))
#else
#define INVITED_EXPORT
#endif

/* Whether whoever filled *p knew this field: INVITED_HAS(message, invited_message, deadline_ms). */
#define INVITED_HAS(p, type, field) ((p)->struct_size >= offsetof(type, field) + sizeof((p)->field))

/* Counted text or bytes; data may be null when size is 0 and is not terminated. Frozen. */
typedef struct invited_str {
  const char* data;
  uint64_t size;
} invited_str;

/* A name with its value: fields of a record, headers, details of a log line. Frozen. */
typedef struct invited_pair {
  invited_str key;
  invited_str value;
} invited_pair;

static inline invited_str invited_cstr(const char* text) {
  invited_str result;
  result.data = text;
  result.size = text ? (uint64_t)strlen(text) : 0;
  return result;
}

/* What the daemon does next. A reader who does not know a code takes it as UNKNOWN for a message and as INTERNAL
 * anywhere else. */
typedef int32_t invited_status;
enum {
  INVITED_OK = 0,
  INVITED_RETRY = 1,       /* certainly did not happen; try again, after retry_after_s when that is not 0 */
  INVITED_REJECTED = 2,    /* did not happen, and trying again will not help */
  INVITED_UNKNOWN = 3,     /* may have happened: the connection broke before the answer */
  INVITED_CANCELLED = 4,   /* given up because of a cancel hint or a deadline; certainly did not happen */
  INVITED_BAD_CONFIG = 5,  /* an operator has to change the configuration first */
  INVITED_UNSUPPORTED = 6, /* this plugin, or this daemon, cannot do it */
  INVITED_INTERNAL = 7     /* a bug */
};

/* Log levels; an unknown one is taken as INVITED_LOG_ERROR. */
enum { INVITED_LOG_DEBUG = 0, INVITED_LOG_INFO = 1, INVITED_LOG_WARNING = 2, INVITED_LOG_ERROR = 3 };

/* Why a call or a service failed. */
typedef struct invited_error {
  uint32_t struct_size;
  invited_status status;
  int64_t retry_after_s; /* 0: no hint */
  invited_str message;   /* one line for an operator: what, where, what to do; no secrets, no live links */
  invited_str field;     /* where in the configuration (JSON pointer, "/url") or record ("login_email"); may be empty */
} invited_error;

/* One operation under way, and the only way out for its results. Valid until complete() is called, and for the
 * thread that runs the operation also until the operation returns. */
typedef struct invited_call invited_call;

/* What the daemon offers to an instance; lives as long as the instance. All functions are [any-thread], copy what
 * they are given, never throw, and may be called while an operation runs as well as after it returned. */
typedef struct invited_host {
  uint32_t struct_size;
  uint32_t abi_minor; /* of the daemon */
  void* context;      /* the daemon's own */

  /* invited_source_host, invited_transport_host or invited_identity_host, after the role of the plugin. */
  const void* role;

  /* An optional service by its id ("invited.http/1", see services.h), or null when this daemon does not offer it.
   * The table lives as long as the instance.                                                      [any-thread] */
  const void* (*service)(const struct invited_host* host, const char* id);

  /* One log line; the daemon adds the plugin and the instance. Fields may be null with count 0.    [any-thread] */
  void (*log)(const struct invited_host* host, int32_t level, invited_str text, const invited_pair* fields,
              uint64_t field_count);

  /* 1 when lines of this level are kept, else 0: spares the making of costly ones.                 [any-thread] */
  int32_t (*log_enabled)(const struct invited_host* host, int32_t level);

  /* When the call should be over, in UTC ms; 0: no limit. An instance that overstays is marked stuck. [any-thread] */
  int64_t (*deadline_ms)(const struct invited_host* host, invited_call* call);

  /* 1 once the daemon wants the call to end early; the plugin still completes it.                  [any-thread] */
  int32_t (*cancelled)(const struct invited_host* host, invited_call* call);

  /* Says why the call is about to fail; does not end it. The last word before complete() counts, and the status
   * given to complete() wins over the one in the error. Also valid on the call that create() gets. [any-thread] */
  void (*fail)(const struct invited_host* host, invited_call* call, const invited_error* error);

  /* Ends the call: exactly once per call, after a cancel hint as well, before or after the operation returned. A
   * second completion is misbehaviour, logged and ignored. Never on the call that create() gets.   [any-thread] */
  void (*complete)(const struct invited_host* host, invited_call* call, invited_status status);
} invited_host;

#define INVITED_ROLE_SOURCE "invited.source/1"
#define INVITED_ROLE_TRANSPORT "invited.transport/1"
#define INVITED_ROLE_IDENTITY "invited.identity/1"

/* One thing that a module offers. Lives as long as the module is loaded; names are NUL-terminated. */
typedef struct invited_plugin {
  uint32_t struct_size;
  uint32_t capabilities; /* INVITED_SOURCE_…, INVITED_TRANSPORT_… or INVITED_IDENTITY_… bits; a bit whose function is
                            missing, or that the role does not know in the minor asked for, refuses the plugin */
  const char* role;      /* INVITED_ROLE_… */
  const char* name;      /* what the configuration calls it: [a-z][a-z0-9_]*, at most 64 bytes */
  const char* version;   /* the plugin's own, for people */
  const char* config_schema; /* JSON Schema (draft-07) of an object; also the plugin's documentation */

  /* Makes an instance. `config` is canonical JSON, complete with the schema's defaults and valid by the schema; it
   * holds names of secrets, never secrets. No network I/O: `invited --check-config` calls it too. Answers OK with
   * *ret_self set (the daemon only hands it back; null is fine, leaving it alone is not), or another status after
   * host->fail(). Synchronous: the call is for fail(), deadline_ms() and cancelled() only.         [own-thread] */
  invited_status (*create)(const invited_host* host, invited_call* call, invited_str config, void** ret_self);

  /* Ends an instance: called once, when every call of it is completed. When it returns, nothing of the instance runs
   * any more and the host table is gone.                                                           [own-thread] */
  void (*destroy)(void* self);

  /* A hint to end this call early; the plugin still completes it. The call is open when this begins, but may be
   * completed beside it: compare the handle, do not use it. Must not block. May be null.           [any-thread] */
  void (*cancel)(void* self, invited_call* call);

  const void* operations; /* invited_source, invited_transport or invited_identity, after the role */
} invited_plugin;

/* What a shared object offers; constant, lives as long as it is loaded. */
typedef struct invited_module {
  uint32_t struct_size;
  uint32_t abi_minor_required; /* the lowest minor that will do */
  uint32_t plugin_count;       /* at least 1 */
  uint32_t reserved;
  const invited_plugin* const* plugins;
} invited_module;

/* The only export. Its name carries the major version: a module may export the entries of several majors side by
 * side. Answers a constant, or null to refuse this daemon.                                             [entry] */
INVITED_EXPORT const invited_module* invited_module_v1(uint32_t host_minor);

#ifdef __cplusplus
}
#endif

#endif
