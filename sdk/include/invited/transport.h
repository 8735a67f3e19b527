/* Role transport: how mail leaves.
 *
 * The daemon writes down that it is about to send, hands the messages over, and writes down each verdict as it comes;
 * settled() tells the plugin that a verdict is on disk. One message, from hand-over to the durable end:
 *
 *   window(self)                        how many may be out at the same time
 *   send(self, call, messages, count)   borrowed until the call is completed
 *     verdict(host, call, &verdict)     one per message, as soon as it is known, in any order
 *     complete(host, call, OK)          closes the batch; a message without a verdict is UNKNOWN
 *   settled(self, id)                   that outcome is durable
 *
 * The rule that keeps a crash from doubling more than one mail per connection: the connection that carried a message
 * sends its next message's final dot (or whatever commits it) only after settled() for the one before. Everything up
 * to that dot may be sent earlier.
 */
#ifndef INVITED_TRANSPORT_H
#define INVITED_TRANSPORT_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Capabilities, with the function that each one needs. */
enum {
  INVITED_TRANSPORT_SETTLED = 1,   /* settled */
  INVITED_TRANSPORT_PROBE = 2,     /* probe */
  INVITED_TRANSPORT_IDEMPOTENT = 4 /* no function: a repeat with the same idempotency key makes no second copy */
};

/* Flags of a message. */
enum {
  INVITED_MESSAGE_NEEDS_SMTPUTF8 = 1, /* an address outside ASCII: a server without SMTPUTF8 means REJECTED */
  INVITED_MESSAGE_EIGHT_BIT = 2       /* the content has bytes above 127 */
};

typedef struct invited_message {
  uint32_t struct_size;
  uint32_t flags;            /* INVITED_MESSAGE_…; unknown bits are ignored */
  invited_str id;            /* the delivery's id: names the message in verdict() and settled() */
  invited_str message_id;    /* value of the Message-ID header, with its angle brackets; the same in every attempt */
  invited_str envelope_from; /* address without brackets; empty is the null sender */
  invited_str envelope_to;   /* one address without brackets */
  invited_str content;       /* whole RFC 5322 message, CRLF line ends, not dot-stuffed */
  int32_t attempt;           /* counted from 1 */
  int32_t reserved;
  invited_str idempotency_key; /* the same in every attempt */
  int64_t deadline_ms;         /* UTC: begin nothing after it, answer RETRY instead; 0: none */
} invited_message;

/* Who a failure is about; an unknown scope is taken as MESSAGE. */
enum {
  INVITED_SCOPE_MESSAGE = 0,
  INVITED_SCOPE_TRANSPORT = 1 /* the server, or our standing with it: the transport pauses, no invitation fails */
};

/* How far it came; 0 and unknown ones say nothing. */
enum {
  INVITED_PHASE_NONE = 0,
  INVITED_PHASE_LOCAL = 1, /* refused before anything left this machine */
  INVITED_PHASE_CONNECT = 2,
  INVITED_PHASE_TLS = 3,
  INVITED_PHASE_GREETING = 4,
  INVITED_PHASE_HELLO = 5,
  INVITED_PHASE_AUTH = 6,
  INVITED_PHASE_SENDER = 7,
  INVITED_PHASE_RECIPIENT = 8,
  INVITED_PHASE_DATA = 9,
  INVITED_PHASE_CONTENT = 10, /* the content is out, up to and with what commits it */
  INVITED_PHASE_QUIT = 11
};

typedef struct invited_verdict {
  uint32_t struct_size;
  invited_status status; /* OK: the next server took it. RETRY, REJECTED, UNKNOWN, CANCELLED as everywhere */
  invited_str id;        /* invited_message.id */
  int32_t scope;         /* INVITED_SCOPE_… */
  int32_t phase;         /* INVITED_PHASE_… */
  int32_t reply_code;    /* the server's, such as 250 or 451; 0: none */
  int32_t reserved;
  int64_t retry_after_s; /* 0: no hint */
  invited_str remote_id; /* what the server calls it; may be empty */
  invited_str detail;    /* one line for an operator: the server and its own words, without control characters */
} invited_verdict;

/* What a plugin of this role fills. */
typedef struct invited_transport {
  uint32_t struct_size;
  uint32_t reserved;

  /* How many messages the instance wants out (handed over and not yet settled), over all its open batches; asked
   * again before each batch. Null or 0: 1.                                                         [own-thread] */
  uint32_t (*window)(void* self);

  /* Sends `count` messages, at least 1; never null. Several batches may be open, within the window.  [own-thread] */
  void (*send)(void* self, invited_call* call, const invited_message* const* messages, uint64_t count);

  /* The outcome of that message is durable. Once for each message of a batch, also for one that got no verdict (its
   * outcome is UNKNOWN, or RETRY when send() was never called with it: ignore an id that you do not know), and also
   * when the batch is completed long ago. Must not block or call back into the daemon's send path; may come before
   * verdict() has returned.                                                                        [any-thread] */
  void (*settled)(void* self, invited_str id);

  /* Goes through everything but a mail: connect, greet, encrypt, sign in, quit. OK, or fail() and a status.
                                                                                                    [own-thread] */
  void (*probe)(void* self, invited_call* call);
} invited_transport;

/* invited_host.role of a transport. */
typedef struct invited_transport_host {
  uint32_t struct_size;
  uint32_t reserved;

  /* The first verdict for a message counts; one for a message that is not in this batch is misbehaviour, logged and
   * ignored. Does not wait.                                                                        [any-thread] */
  void (*verdict)(const invited_host* host, invited_call* call, const invited_verdict* verdict);

  /* In probe(): a step that is done, shown by `invitectl transport test`.                          [any-thread] */
  void (*step)(const invited_host* host, invited_call* call, int32_t phase, invited_str detail);
} invited_transport_host;

#ifdef __cplusplus
}
#endif

#endif
