// A transport written straight against the C headers, without the SDK's guard, that breaks the one rule which
// SPECIMEN_… names. Everything else about it is in order.
#include <invited/transport.h>

#include <stdexcept>

namespace {

struct Instance {
  const invited_host* host;
};

[[maybe_unused]] void verdict(const invited_host* host, invited_call* call, invited_str id, invited_status status) {
  invited_verdict raw{};
  raw.struct_size = sizeof raw;
  raw.status = status;
  raw.id = id;
  static_cast<const invited_transport_host*>(host->role)->verdict(host, call, &raw);
}

invited_status create(const invited_host* host, [[maybe_unused]] invited_call* call, invited_str, void** ret_self) {
#if defined(SPECIMEN_LEAKS_EXCEPTION_IN_CREATE)
  throw std::runtime_error("specimen: thrown across the border in create");
#endif
#if defined(SPECIMEN_COMPLETES_IN_CREATE)
  host->complete(host, call, INVITED_OK);
#endif
  *ret_self = new Instance{host};
  return INVITED_OK;
}

void destroy(void* self) {
  delete static_cast<Instance*>(self);
}

void send([[maybe_unused]] void* self, [[maybe_unused]] invited_call* call,
          [[maybe_unused]] const invited_message* const* messages, [[maybe_unused]] std::uint64_t count) {
#if defined(SPECIMEN_LEAKS_EXCEPTION_IN_OPERATION)
  throw std::runtime_error("specimen: thrown across the border in send");
#elif !defined(SPECIMEN_NEVER_COMPLETES)
  const invited_host* host = static_cast<Instance*>(self)->host;
#if defined(SPECIMEN_VERDICT_FOR_UNKNOWN)
  verdict(host, call, invited_cstr("no-such-delivery"), INVITED_OK);
#endif
#if !defined(SPECIMEN_NO_VERDICT)
  for (std::uint64_t i = 0; i < count; ++i) {
#if defined(SPECIMEN_STRAY_STATUS)
    verdict(host, call, messages[i]->id, 4711);
#else
    verdict(host, call, messages[i]->id, INVITED_OK);
#endif
#if defined(SPECIMEN_TWO_VERDICTS)
    verdict(host, call, messages[i]->id, INVITED_REJECTED);
#endif
  }
#endif
#if defined(SPECIMEN_COMPLETES_TWICE)
  host->complete(host, call, INVITED_OK);
#endif
  host->complete(host, call, INVITED_OK);
#endif
}

constexpr invited_transport kOperations{sizeof(invited_transport), 0, nullptr, send, nullptr, nullptr};
constexpr invited_plugin kPlugin{sizeof(invited_plugin),
                                 0,
                                 INVITED_ROLE_TRANSPORT,
                                 "specimen",
                                 "1.0.0",
                                 R"({"type": "object", "additionalProperties": false})",
                                 create,
                                 destroy,
                                 nullptr,
                                 &kOperations};
constexpr const invited_plugin* kPlugins[] = {&kPlugin};
constexpr invited_module kModule{sizeof(invited_module), 0, 1, 0, kPlugins};

}  // namespace

extern "C" INVITED_EXPORT const invited_module* invited_module_v1(std::uint32_t) {
  return &kModule;
}
