/* The frozen layout of contract version 1: the size of each struct, the offset and exact type of each field, the value
 * of each constant. Compiling it is the test. A released line is never edited: a new minor appends fields, so a struct
 * gets a new size and lines at its end. */
#include <invited/abi.h>
#include <invited/identity.h>
#include <invited/services.h>
#include <invited/source.h>
#include <invited/transport.h>

#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " has another size")
#define FIELD(type, field, offset, ...)                                                                \
  _Static_assert(offsetof(type, field) == (offset), #type "." #field " has moved");                    \
  _Static_assert(__builtin_types_compatible_p(__typeof__(((type*)0)->field), __typeof__(__VA_ARGS__)), \
                 #type "." #field " has another type")
#define VALUE(constant, value) _Static_assert((constant) == (value), #constant " has another value")
#define TEXT(constant, value) \
  _Static_assert(sizeof(constant) == sizeof(value) && !__builtin_strcmp(constant, value), #constant " differs")
#define SAME(name, ...) \
  _Static_assert(__builtin_types_compatible_p(__typeof__(name), __typeof__(__VA_ARGS__)), #name " has another type")

#if UINTPTR_MAX != UINT64_MAX
#error "these numbers are for 64-bit machines"
#endif

VALUE(INVITED_ABI_MAJOR, 1);
VALUE(INVITED_ABI_MINOR, 0);
SAME(invited_status, int32_t);
SAME(invited_module_v1, const invited_module*(uint32_t));
SAME(invited_receiver, void (*)(void*, invited_str));
SAME(invited_task, void (*)(void*));
SAME(invited_http_done, void (*)(void*, invited_status, const invited_http_response*, const invited_error*));

/* ---- abi.h ---- */
VALUE(INVITED_OK, 0);
VALUE(INVITED_RETRY, 1);
VALUE(INVITED_REJECTED, 2);
VALUE(INVITED_UNKNOWN, 3);
VALUE(INVITED_CANCELLED, 4);
VALUE(INVITED_BAD_CONFIG, 5);
VALUE(INVITED_UNSUPPORTED, 6);
VALUE(INVITED_INTERNAL, 7);
VALUE(INVITED_LOG_DEBUG, 0);
VALUE(INVITED_LOG_INFO, 1);
VALUE(INVITED_LOG_WARNING, 2);
VALUE(INVITED_LOG_ERROR, 3);
TEXT(INVITED_ROLE_SOURCE, "invited.source/1");
TEXT(INVITED_ROLE_TRANSPORT, "invited.transport/1");
TEXT(INVITED_ROLE_IDENTITY, "invited.identity/1");

SIZE(invited_str, 16);
FIELD(invited_str, data, 0, const char*);
FIELD(invited_str, size, 8, uint64_t);

SIZE(invited_pair, 32);
FIELD(invited_pair, key, 0, invited_str);
FIELD(invited_pair, value, 16, invited_str);

SIZE(invited_error, 48);
FIELD(invited_error, struct_size, 0, uint32_t);
FIELD(invited_error, status, 4, invited_status);
FIELD(invited_error, retry_after_s, 8, int64_t);
FIELD(invited_error, message, 16, invited_str);
FIELD(invited_error, field, 32, invited_str);

SIZE(invited_host, 80);
FIELD(invited_host, struct_size, 0, uint32_t);
FIELD(invited_host, abi_minor, 4, uint32_t);
FIELD(invited_host, context, 8, void*);
FIELD(invited_host, role, 16, const void*);
FIELD(invited_host, service, 24, const void* (*)(const struct invited_host* host, const char* id));
FIELD(invited_host, log, 32,
      void (*)(const struct invited_host* host, int32_t level, invited_str text, const invited_pair* fields,
               uint64_t field_count));
FIELD(invited_host, log_enabled, 40, int32_t (*)(const struct invited_host* host, int32_t level));
FIELD(invited_host, deadline_ms, 48, int64_t (*)(const struct invited_host* host, invited_call* call));
FIELD(invited_host, cancelled, 56, int32_t (*)(const struct invited_host* host, invited_call* call));
FIELD(invited_host, fail, 64,
      void (*)(const struct invited_host* host, invited_call* call, const invited_error* error));
FIELD(invited_host, complete, 72, void (*)(const struct invited_host* host, invited_call* call, invited_status status));

SIZE(invited_plugin, 72);
FIELD(invited_plugin, struct_size, 0, uint32_t);
FIELD(invited_plugin, capabilities, 4, uint32_t);
FIELD(invited_plugin, role, 8, const char*);
FIELD(invited_plugin, name, 16, const char*);
FIELD(invited_plugin, version, 24, const char*);
FIELD(invited_plugin, config_schema, 32, const char*);
FIELD(invited_plugin, create, 40,
      invited_status (*)(const invited_host* host, invited_call* call, invited_str config, void** ret_self));
FIELD(invited_plugin, destroy, 48, void (*)(void* self));
FIELD(invited_plugin, cancel, 56, void (*)(void* self, invited_call* call));
FIELD(invited_plugin, operations, 64, const void*);

SIZE(invited_module, 24);
FIELD(invited_module, struct_size, 0, uint32_t);
FIELD(invited_module, abi_minor_required, 4, uint32_t);
FIELD(invited_module, plugin_count, 8, uint32_t);
FIELD(invited_module, reserved, 12, uint32_t);
FIELD(invited_module, plugins, 16, const invited_plugin* const*);

/* ---- source.h ---- */
VALUE(INVITED_SOURCE_FETCH, 1);
VALUE(INVITED_SOURCE_FINISH, 2);
VALUE(INVITED_SOURCE_HANDLE_RECORD, 4);
VALUE(INVITED_SOURCE_HANDLE_IMPORT, 8);
VALUE(INVITED_SOURCE_HANDLE_HTTP, 16);
VALUE(INVITED_SOURCE_EXPORT, 32);
VALUE(INVITED_REQUEST_RECORD, 1);
VALUE(INVITED_REQUEST_IMPORT, 2);
VALUE(INVITED_REQUEST_HTTP, 3);
VALUE(INVITED_RESULT_CREATED, 1);
VALUE(INVITED_RESULT_UPDATED, 2);
VALUE(INVITED_RESULT_UNCHANGED, 3);
VALUE(INVITED_RESULT_IGNORED, 4);
VALUE(INVITED_RESULT_REJECTED, 5);
VALUE(INVITED_RESULT_NOTED, 6);
TEXT(INVITED_KEY_USER_ID, "user_id");
TEXT(INVITED_KEY_NAME, "name");
TEXT(INVITED_KEY_GIVEN_NAME, "given_name");
TEXT(INVITED_KEY_FAMILY_NAME, "family_name");
TEXT(INVITED_KEY_LOGIN_EMAIL, "login_email");
TEXT(INVITED_KEY_CONFIRM_EMAIL, "confirm_email");
TEXT(INVITED_KEY_COMPANY, "company");
TEXT(INVITED_KEY_DEPARTMENT, "department");
TEXT(INVITED_KEY_ROLES, "roles");
TEXT(INVITED_KEY_LOCALE, "locale");
TEXT(INVITED_KEY_START_DATE, "start_date");
TEXT(INVITED_KEY_END_DATE, "end_date");
TEXT(INVITED_KEY_EMPLOYMENT_TEMPLATE, "employment_template");
TEXT(INVITED_KEY_ALIAS, "alias");
TEXT(INVITED_KEY_SIGNATURE, "signature");
TEXT(INVITED_KEY_CARD_ID, "card_id");
TEXT(INVITED_KEY_EXTERNAL_REF, "external_ref");
TEXT(INVITED_KEY_AUTHORISED_COMPANIES, "authorised_companies");
TEXT(INVITED_KEY_ENABLED, "enabled");
TEXT(INVITED_KEY_IN_REVIEW, "in_review");
TEXT(INVITED_KEY_WITHDRAWN, "withdrawn");
TEXT(INVITED_KEY_VERSION, "version");
TEXT(INVITED_KEY_COMPANY_NAME, "company_name");
TEXT(INVITED_KEY_AUTHORISED_COMPANY_NAMES, "authorised_company_names");

SIZE(invited_record, 32);
FIELD(invited_record, struct_size, 0, uint32_t);
FIELD(invited_record, reserved, 4, uint32_t);
FIELD(invited_record, line, 8, int64_t);
FIELD(invited_record, fields, 16, const invited_pair*);
FIELD(invited_record, field_count, 24, uint64_t);

SIZE(invited_announcement, 32);
FIELD(invited_announcement, struct_size, 0, uint32_t);
FIELD(invited_announcement, reserved, 4, uint32_t);
FIELD(invited_announcement, rows, 8, int64_t);
FIELD(invited_announcement, columns, 16, const invited_pair*);
FIELD(invited_announcement, column_count, 24, uint64_t);

SIZE(invited_request, 120);
FIELD(invited_request, struct_size, 0, uint32_t);
FIELD(invited_request, kind, 4, int32_t);
FIELD(invited_request, body, 8, invited_str);
FIELD(invited_request, format, 24, invited_str);
FIELD(invited_request, file_name, 40, invited_str);
FIELD(invited_request, method, 56, invited_str);
FIELD(invited_request, path, 72, invited_str);
FIELD(invited_request, query, 88, invited_str);
FIELD(invited_request, headers, 104, const invited_pair*);
FIELD(invited_request, header_count, 112, uint64_t);

SIZE(invited_export, 64);
FIELD(invited_export, struct_size, 0, uint32_t);
FIELD(invited_export, first, 4, int32_t);
FIELD(invited_export, last, 8, int32_t);
FIELD(invited_export, reserved, 12, int32_t);
FIELD(invited_export, format, 16, invited_str);
FIELD(invited_export, records, 32, const invited_record* const*);
FIELD(invited_export, record_count, 40, uint64_t);
FIELD(invited_export, options, 48, const invited_pair*);
FIELD(invited_export, option_count, 56, uint64_t);

SIZE(invited_row_result, 80);
FIELD(invited_row_result, struct_size, 0, uint32_t);
FIELD(invited_row_result, code, 4, int32_t);
FIELD(invited_row_result, line, 8, int64_t);
FIELD(invited_row_result, user_id, 16, invited_str);
FIELD(invited_row_result, reason, 32, invited_str);
FIELD(invited_row_result, column, 48, invited_str);
FIELD(invited_row_result, message, 64, invited_str);

SIZE(invited_report, 40);
FIELD(invited_report, struct_size, 0, uint32_t);
FIELD(invited_report, reserved, 4, uint32_t);
FIELD(invited_report, cursor, 8, invited_str);
FIELD(invited_report, results, 24, const invited_row_result* const*);
FIELD(invited_report, result_count, 32, uint64_t);

SIZE(invited_source, 48);
FIELD(invited_source, struct_size, 0, uint32_t);
FIELD(invited_source, reserved, 4, uint32_t);
FIELD(invited_source, window, 8, uint32_t (*)(void* self));
FIELD(invited_source, fetch, 16, void (*)(void* self, invited_call* call, invited_str cursor));
FIELD(invited_source, handle, 24, void (*)(void* self, invited_call* call, const invited_request* request));
FIELD(invited_source, export_records, 32, void (*)(void* self, invited_call* call, const invited_export* part));
FIELD(invited_source, finish, 40, void (*)(void* self, invited_call* call, const invited_report* report));

SIZE(invited_source_host, 72);
FIELD(invited_source_host, struct_size, 0, uint32_t);
FIELD(invited_source_host, reserved, 4, uint32_t);
FIELD(invited_source_host, emit, 8,
      invited_status (*)(const invited_host* host, invited_call* call, const invited_record* record));
FIELD(invited_source_host, reject_row, 16,
      void (*)(const invited_host* host, invited_call* call, int64_t line, invited_str column, invited_str reason,
               invited_str message));
FIELD(invited_source_host, fetched, 24,
      void (*)(const invited_host* host, invited_call* call, invited_str cursor, int32_t more, int32_t settle));
FIELD(invited_source_host, respond, 32,
      void (*)(const invited_host* host, invited_call* call, int32_t http_status, invited_str content_type,
               invited_str body));
FIELD(invited_source_host, write, 40,
      invited_status (*)(const invited_host* host, invited_call* call, invited_str bytes));
FIELD(invited_source_host, source_changed, 48, void (*)(const invited_host* host));
FIELD(invited_source_host, announce, 56,
      void (*)(const invited_host* host, invited_call* call, const invited_announcement* what));
FIELD(invited_source_host, note, 64,
      void (*)(const invited_host* host, invited_call* call, int64_t line, invited_str column, invited_str reason,
               invited_str message));

/* ---- transport.h ---- */
VALUE(INVITED_TRANSPORT_SETTLED, 1);
VALUE(INVITED_TRANSPORT_PROBE, 2);
VALUE(INVITED_TRANSPORT_IDEMPOTENT, 4);
VALUE(INVITED_MESSAGE_NEEDS_SMTPUTF8, 1);
VALUE(INVITED_MESSAGE_EIGHT_BIT, 2);
VALUE(INVITED_SCOPE_MESSAGE, 0);
VALUE(INVITED_SCOPE_TRANSPORT, 1);
VALUE(INVITED_PHASE_NONE, 0);
VALUE(INVITED_PHASE_LOCAL, 1);
VALUE(INVITED_PHASE_CONNECT, 2);
VALUE(INVITED_PHASE_TLS, 3);
VALUE(INVITED_PHASE_GREETING, 4);
VALUE(INVITED_PHASE_HELLO, 5);
VALUE(INVITED_PHASE_AUTH, 6);
VALUE(INVITED_PHASE_SENDER, 7);
VALUE(INVITED_PHASE_RECIPIENT, 8);
VALUE(INVITED_PHASE_DATA, 9);
VALUE(INVITED_PHASE_CONTENT, 10);
VALUE(INVITED_PHASE_QUIT, 11);

SIZE(invited_message, 120);
FIELD(invited_message, struct_size, 0, uint32_t);
FIELD(invited_message, flags, 4, uint32_t);
FIELD(invited_message, id, 8, invited_str);
FIELD(invited_message, message_id, 24, invited_str);
FIELD(invited_message, envelope_from, 40, invited_str);
FIELD(invited_message, envelope_to, 56, invited_str);
FIELD(invited_message, content, 72, invited_str);
FIELD(invited_message, attempt, 88, int32_t);
FIELD(invited_message, reserved, 92, int32_t);
FIELD(invited_message, idempotency_key, 96, invited_str);
FIELD(invited_message, deadline_ms, 112, int64_t);

SIZE(invited_verdict, 80);
FIELD(invited_verdict, struct_size, 0, uint32_t);
FIELD(invited_verdict, status, 4, invited_status);
FIELD(invited_verdict, id, 8, invited_str);
FIELD(invited_verdict, scope, 24, int32_t);
FIELD(invited_verdict, phase, 28, int32_t);
FIELD(invited_verdict, reply_code, 32, int32_t);
FIELD(invited_verdict, reserved, 36, int32_t);
FIELD(invited_verdict, retry_after_s, 40, int64_t);
FIELD(invited_verdict, remote_id, 48, invited_str);
FIELD(invited_verdict, detail, 64, invited_str);

SIZE(invited_transport, 40);
FIELD(invited_transport, struct_size, 0, uint32_t);
FIELD(invited_transport, reserved, 4, uint32_t);
FIELD(invited_transport, window, 8, uint32_t (*)(void* self));
FIELD(invited_transport, send, 16,
      void (*)(void* self, invited_call* call, const invited_message* const* messages, uint64_t count));
FIELD(invited_transport, settled, 24, void (*)(void* self, invited_str id));
FIELD(invited_transport, probe, 32, void (*)(void* self, invited_call* call));

SIZE(invited_transport_host, 24);
FIELD(invited_transport_host, struct_size, 0, uint32_t);
FIELD(invited_transport_host, reserved, 4, uint32_t);
FIELD(invited_transport_host, verdict, 8,
      void (*)(const invited_host* host, invited_call* call, const invited_verdict* verdict));
FIELD(invited_transport_host, step, 16,
      void (*)(const invited_host* host, invited_call* call, int32_t phase, invited_str detail));

/* ---- identity.h ---- */
VALUE(INVITED_IDENTITY_REMOVE_CONNECTION, 1);
VALUE(INVITED_IDENTITY_RESET_PASSWORD, 2);
VALUE(INVITED_IDENTITY_LOOKUP, 4);

SIZE(invited_account_request, 136);
FIELD(invited_account_request, struct_size, 0, uint32_t);
FIELD(invited_account_request, reserved, 4, uint32_t);
FIELD(invited_account_request, external_id, 8, invited_str);
FIELD(invited_account_request, login_email, 24, invited_str);
FIELD(invited_account_request, name, 40, invited_str);
FIELD(invited_account_request, given_name, 56, invited_str);
FIELD(invited_account_request, family_name, 72, invited_str);
FIELD(invited_account_request, locale, 88, invited_str);
FIELD(invited_account_request, company, 104, invited_str);
FIELD(invited_account_request, roles, 120, const invited_str*);
FIELD(invited_account_request, role_count, 128, uint64_t);

SIZE(invited_account, 72);
FIELD(invited_account, struct_size, 0, uint32_t);
FIELD(invited_account, created, 4, int32_t);
FIELD(invited_account, external_id, 8, invited_str);
FIELD(invited_account, provider_id, 24, invited_str);
FIELD(invited_account, login_email, 40, invited_str);
FIELD(invited_account, sign_in_url, 56, invited_str);

SIZE(invited_identity, 48);
FIELD(invited_identity, struct_size, 0, uint32_t);
FIELD(invited_identity, reserved, 4, uint32_t);
FIELD(invited_identity, window, 8, uint32_t (*)(void* self));
FIELD(invited_identity, ensure_account, 16,
      void (*)(void* self, invited_call* call, const invited_account_request* request));
FIELD(invited_identity, remove_connection, 24, void (*)(void* self, invited_call* call, invited_str external_id));
FIELD(invited_identity, reset_password, 32, void (*)(void* self, invited_call* call, invited_str external_id));
FIELD(invited_identity, lookup, 40, void (*)(void* self, invited_call* call, invited_str external_id));

SIZE(invited_identity_host, 16);
FIELD(invited_identity_host, struct_size, 0, uint32_t);
FIELD(invited_identity_host, reserved, 4, uint32_t);
FIELD(invited_identity_host, account, 8,
      void (*)(const invited_host* host, invited_call* call, const invited_account* account));

/* ---- services.h ---- */
TEXT(INVITED_CLOCK_1, "invited.clock/1");
TEXT(INVITED_SECRETS_1, "invited.secrets/1");
TEXT(INVITED_HTTP_1, "invited.http/1");
TEXT(INVITED_ROUTES_1, "invited.routes/1");
TEXT(INVITED_STATE_1, "invited.state/1");
TEXT(INVITED_SCHEDULE_1, "invited.schedule/1");

SIZE(invited_clock, 24);
FIELD(invited_clock, struct_size, 0, uint32_t);
FIELD(invited_clock, reserved, 4, uint32_t);
FIELD(invited_clock, now_ms, 8, int64_t (*)(const invited_host* host));
FIELD(invited_clock, monotonic_ms, 16, int64_t (*)(const invited_host* host));

SIZE(invited_secrets, 16);
FIELD(invited_secrets, struct_size, 0, uint32_t);
FIELD(invited_secrets, reserved, 4, uint32_t);
FIELD(invited_secrets, read, 8,
      invited_status (*)(const invited_host* host, invited_str name, invited_receiver receive, void* user));

SIZE(invited_http_request, 80);
FIELD(invited_http_request, struct_size, 0, uint32_t);
FIELD(invited_http_request, timeout_ms, 4, int32_t);
FIELD(invited_http_request, method, 8, invited_str);
FIELD(invited_http_request, url, 24, invited_str);
FIELD(invited_http_request, headers, 40, const invited_pair*);
FIELD(invited_http_request, header_count, 48, uint64_t);
FIELD(invited_http_request, body, 56, invited_str);
FIELD(invited_http_request, max_response_bytes, 72, int64_t);

SIZE(invited_http_response, 40);
FIELD(invited_http_response, struct_size, 0, uint32_t);
FIELD(invited_http_response, http_status, 4, int32_t);
FIELD(invited_http_response, headers, 8, const invited_pair*);
FIELD(invited_http_response, header_count, 16, uint64_t);
FIELD(invited_http_response, body, 24, invited_str);

SIZE(invited_http, 24);
FIELD(invited_http, struct_size, 0, uint32_t);
FIELD(invited_http, reserved, 4, uint32_t);
FIELD(invited_http, start, 8,
      invited_status (*)(const invited_host* host, invited_call* call, const invited_http_request* request,
                         invited_http_done done, void* user));
FIELD(invited_http, wait, 16,
      invited_status (*)(const invited_host* host, invited_call* call, const invited_http_request* request,
                         invited_http_done done, void* user));

SIZE(invited_routes, 16);
FIELD(invited_routes, struct_size, 0, uint32_t);
FIELD(invited_routes, reserved, 4, uint32_t);
FIELD(invited_routes, add, 8, invited_status (*)(const invited_host* host, invited_str prefix));

SIZE(invited_state, 32);
FIELD(invited_state, struct_size, 0, uint32_t);
FIELD(invited_state, reserved, 4, uint32_t);
FIELD(invited_state, get, 8,
      invited_status (*)(const invited_host* host, invited_str key, invited_receiver receive, void* user));
FIELD(invited_state, put, 16, invited_status (*)(const invited_host* host, invited_str key, invited_str value));
FIELD(invited_state, remove, 24, invited_status (*)(const invited_host* host, invited_str key));

SIZE(invited_schedule, 32);
FIELD(invited_schedule, struct_size, 0, uint32_t);
FIELD(invited_schedule, reserved, 4, uint32_t);
FIELD(invited_schedule, after, 8,
      invited_status (*)(const invited_host* host, int64_t delay_ms, invited_task run, void* user, uint64_t* ret_id));
FIELD(invited_schedule, at, 16,
      invited_status (*)(const invited_host* host, int64_t at_ms, invited_task run, void* user, uint64_t* ret_id));
FIELD(invited_schedule, cancel, 24, invited_status (*)(const invited_host* host, uint64_t id));
