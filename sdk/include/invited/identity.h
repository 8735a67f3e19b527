/* Role identity: where accounts are made.
 *
 * Every operation is keyed by the external id, the daemon's own key of the user, so that a repeat is harmless: after
 * any doubtful answer the daemon simply asks again. A plugin finds accounts by that id and never adopts one by its
 * e-mail address.
 *
 *   ensure_account(self, call, &request)   the account exists afterwards, made or found
 *     account(host, call, &account)        what the provider calls it
 *     complete(host, call, OK)
 */
#ifndef INVITED_IDENTITY_H
#define INVITED_IDENTITY_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Capabilities, with the function that each one needs. */
enum {
  INVITED_IDENTITY_REMOVE_CONNECTION = 1, /* remove_connection */
  INVITED_IDENTITY_RESET_PASSWORD = 2,    /* reset_password */
  INVITED_IDENTITY_LOOKUP = 4             /* lookup */
};

typedef struct invited_account_request {
  uint32_t struct_size;
  uint32_t reserved;
  invited_str external_id;
  invited_str login_email; /* verified; the address that the sign-in is tied to */
  invited_str name;
  invited_str given_name; /* may be empty, like everything below */
  invited_str family_name;
  invited_str locale; /* BCP 47 */
  invited_str company;
  const invited_str* roles;
  uint64_t role_count;
} invited_account_request;

/* UTF-8; the ids up to 1000 bytes, the address up to 2000. Beyond that the answer is misbehaviour and taken as UNKNOWN:
 * nothing is cut. */
typedef struct invited_account {
  uint32_t struct_size;
  int32_t created; /* 1: made by this call; 0: was there */
  invited_str external_id;
  invited_str provider_id; /* the provider's own key */
  invited_str login_email; /* as the provider has it; may be empty */
  invited_str sign_in_url; /* where the person signs in; may be empty */
} invited_account;

/* What a plugin of this role fills. */
typedef struct invited_identity {
  uint32_t struct_size;
  uint32_t reserved;

  /* How many calls the instance wants open at the same time; asked again whenever it matters. Null or 0: 1.
                                                                                                    [own-thread] */
  uint32_t (*window)(void* self);

  /* Makes the account or finds it by external id, then account(), then complete(OK); never null. When the address
   * belongs to an account with another external id: REJECTED with field "login_email".             [own-thread] */
  void (*ensure_account)(void* self, invited_call* call, const invited_account_request* request);

  /* Ends the tie between the user and her account. OK too when there is none.                      [own-thread] */
  void (*remove_connection)(void* self, invited_call* call, invited_str external_id);

  /* Has the provider start its own reset. REJECTED when there is no such account.                  [own-thread] */
  void (*reset_password)(void* self, invited_call* call, invited_str external_id);

  /* account() when there is one, then complete(OK); complete(OK) alone says that there is none.    [own-thread] */
  void (*lookup)(void* self, invited_call* call, invited_str external_id);
} invited_identity;

/* invited_host.role of an identity. */
typedef struct invited_identity_host {
  uint32_t struct_size;
  uint32_t reserved;

  /* In ensure_account and lookup: the account, once, before complete(OK).                          [any-thread] */
  void (*account)(const invited_host* host, invited_call* call, const invited_account* account);
} invited_identity_host;

#ifdef __cplusplus
}
#endif

#endif
