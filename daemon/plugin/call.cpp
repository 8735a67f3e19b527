#include "plugin/call.hpp"

#include <fmt/format.h>

#include "plugin/abi_text.hpp"

namespace invited::plugin {

namespace {

// Process-wide, so that a handle of one instance means nothing to another. Steps of 16 keep it looking like a pointer.
std::uintptr_t next_number() {
  static std::atomic<std::uintptr_t> last{0};
  return last += 16;
}

core::ErrorKind kind_of(const Outcome& outcome) {
  switch (outcome.status) {
    case INVITED_REJECTED:
    case INVITED_BAD_CONFIG:
      return core::ErrorKind::invalid;
    case INVITED_RETRY:
    case INVITED_UNKNOWN:
    case INVITED_CANCELLED:
      return core::ErrorKind::unavailable;
    case INVITED_UNSUPPORTED:
      return core::ErrorKind::conflict;
    default:
      return core::ErrorKind::internal;
  }
}

std::string_view code_of(invited_status status) {
  switch (status) {
    case INVITED_RETRY:
      return "plugin_retry";
    case INVITED_REJECTED:
      return "plugin_rejected";
    case INVITED_UNKNOWN:
      return "plugin_unknown";
    case INVITED_CANCELLED:
      return "plugin_cancelled";
    case INVITED_BAD_CONFIG:
      return "plugin_bad_config";
    case INVITED_UNSUPPORTED:
      return "plugin_unsupported";
    default:
      return "plugin_internal";
  }
}

// What it means for the person who reads it.
std::string_view in_words(invited_status status) {
  switch (status) {
    case INVITED_RETRY:
      return "failed for now";
    case INVITED_REJECTED:
      return "was refused";
    case INVITED_UNKNOWN:
      return "gave no answer; it may have been done";
    case INVITED_CANCELLED:
      return "was stopped";
    case INVITED_BAD_CONFIG:
      return "failed, the configuration is wrong";
    case INVITED_UNSUPPORTED:
      return "is not supported";
    default:
      return "failed, an error of the plugin";
  }
}

}  // namespace

Call::Call(std::string_view operation, core::Milliseconds limit)
    : operation_(operation), limit_(limit), number_(next_number()) {}

core::Error to_error(std::string_view role, std::string_view instance, std::string_view operation,
                     const Outcome& outcome) {
  std::string message = fmt::format("{} \"{}\": {} {}", role, instance, operation, in_words(outcome.status));
  if (!outcome.why.message.empty()) message += ": " + outcome.why.message;
  if (const auto seconds = outcome.why.retry_after_s; seconds > 0) {
    message += message.ends_with('.') ? fmt::format(" It asks for {} s of patience.", seconds)
                                      : fmt::format("; it asks for {} s of patience", seconds);
  }
  return {kind_of(outcome), std::string(code_of(outcome.status)), std::move(message), outcome.why.field};
}

}  // namespace invited::plugin
