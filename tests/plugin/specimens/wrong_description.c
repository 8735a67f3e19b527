/* A transport that does nothing wrong but the one thing that SPECIMEN_… names, in what its entry answers. */
#include <invited/transport.h>

static invited_status create(const invited_host* host, invited_call* call, invited_str config, void** ret_self) {
  static int instance;
  (void)host, (void)call, (void)config;
  *ret_self = &instance;
  return INVITED_OK;
}

static void destroy(void* self) {
  (void)self;
}

#if defined(SPECIMEN_NULL_SEND)
static const invited_transport operations = {sizeof operations, 0, NULL, NULL, NULL, NULL};
#else
static const invited_host* unused_host;

static void send(void* self, invited_call* call, const invited_message* const* messages, uint64_t count) {
  (void)self, (void)messages, (void)count;
  if (unused_host) unused_host->complete(unused_host, call, INVITED_OK);
}

static const invited_transport operations = {
#if defined(SPECIMEN_SHORT_OPERATIONS)
    offsetof(invited_transport, send),
#else
    sizeof operations,
#endif
    0,
    NULL,
    send,
    NULL,
    NULL};
#endif

static const invited_plugin plugin = {
#if defined(SPECIMEN_SHORT_PLUGIN)
    offsetof(invited_plugin, destroy),
#else
    sizeof plugin,
#endif
#if defined(SPECIMEN_CAPABILITY_WITHOUT_FUNCTION)
    INVITED_TRANSPORT_PROBE,
#elif defined(SPECIMEN_UNKNOWN_CAPABILITY)
    UINT32_C(1) << 30,
#else
    0,
#endif
#if defined(SPECIMEN_NULL_ROLE)
    NULL,
#elif defined(SPECIMEN_UNKNOWN_ROLE)
    "invited.teapot/1",
#else
    INVITED_ROLE_TRANSPORT,
#endif
#if defined(SPECIMEN_NULL_NAME)
    NULL,
#elif defined(SPECIMEN_BAD_NAME)
    "Not a Name\n",
#else
    "specimen",
#endif
    "1.0.0",
#if defined(SPECIMEN_BAD_SCHEMA)
    "{\"type\": \"object\", \"properties\": {",
#elif defined(SPECIMEN_SCHEMA_NOT_AN_OBJECT)
    "[\"type\", \"object\"]",
#else
    "{\"type\": \"object\", \"additionalProperties\": false}",
#endif
#if defined(SPECIMEN_NULL_CREATE)
    NULL,
#else
    create,
#endif
    destroy,
    NULL,
#if defined(SPECIMEN_NULL_OPERATIONS)
    NULL
#else
    &operations
#endif
};

/* Keeps what a choice leaves out of use from being a warning. */
static const void* const used[] = {(const void*)&plugin, (const void*)&operations};

#if defined(SPECIMEN_NULL_PLUGIN)
static const invited_plugin* const plugins[] = {NULL};
#elif defined(SPECIMEN_SAME_NAME_TWICE)
static const invited_plugin* const plugins[] = {&plugin, &plugin};
#else
static const invited_plugin* const plugins[] = {&plugin};
#endif

static const invited_module module = {
#if defined(SPECIMEN_SHORT_MODULE)
    offsetof(invited_module, plugin_count),
#else
    sizeof module,
#endif
#if defined(SPECIMEN_NEWER_MINOR)
    INVITED_ABI_MINOR + 1,
#else
    0,
#endif
#if defined(SPECIMEN_NO_PLUGINS)
    0,
#else
    sizeof plugins / sizeof plugins[0],
#endif
    0,
#if defined(SPECIMEN_NULL_PLUGINS)
    NULL
#else
    plugins
#endif
};

#if defined(SPECIMEN_WRONG_MAJOR)
INVITED_EXPORT const invited_module* invited_module_v9(uint32_t host_minor);
INVITED_EXPORT const invited_module* invited_module_v9(uint32_t host_minor) {
#else
INVITED_EXPORT const invited_module* invited_module_v1(uint32_t host_minor) {
#endif
  (void)host_minor, (void)used, (void)plugins, (void)create, (void)destroy;
#if defined(SPECIMEN_NULL_MODULE)
  return module.reserved ? &module : NULL;
#else
  return &module;
#endif
}
