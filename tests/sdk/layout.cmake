# cmake -DINCLUDE=<sdk/include> -DLAYOUT=<layout.c> -DSCRATCH=<folder> -DCC=<c compiler> -P layout.cmake
# The contract has its frozen layout; and the check bites: each kind of change that would break a released module is
# planted in a copy of the headers and must be caught.
set(flags -std=c11 -Wall -Wextra -Werror -fsyntax-only)
execute_process(COMMAND ${CC} ${flags} -I${INCLUDE} ${LAYOUT} RESULT_VARIABLE failed ERROR_VARIABLE text)
if(failed)
  message(FATAL_ERROR "the layout of a released struct has changed:\n${text}")
endif()

function(must_catch what header from to expected)
  file(REMOVE_RECURSE ${SCRATCH}/planted)
  file(COPY ${INCLUDE}/invited DESTINATION ${SCRATCH}/planted)
  file(READ ${SCRATCH}/planted/invited/${header} before)
  string(REPLACE "${from}" "${to}" after "${before}")
  if(before STREQUAL after)
    message(FATAL_ERROR "nothing was planted for: ${what}")
  endif()
  file(WRITE ${SCRATCH}/planted/invited/${header} "${after}")
  execute_process(COMMAND ${CC} ${flags} -I${SCRATCH}/planted ${LAYOUT} RESULT_VARIABLE failed ERROR_VARIABLE text)
  if(NOT failed OR NOT text MATCHES "${expected}")
    message(FATAL_ERROR "not caught: ${what}\n${text}")
  endif()
endfunction()

must_catch("a field put in between" transport.h
  "int32_t attempt;" "int32_t urgency; int32_t attempt;" "invited_message.attempt has moved")
must_catch("two fields that change places" abi.h
  "  invited_str key;\n  invited_str value;" "  invited_str value;\n  invited_str key;" "invited_pair.key has moved")
must_catch("another width" source.h "uint64_t field_count;" "uint32_t field_count;" "field_count has another type")
must_catch("another sign" transport.h "int32_t reply_code;" "uint32_t reply_code;" "reply_code has another type")
must_catch("another signature" transport.h
  "(*settled)(void* self, invited_str id)" "(*settled)(void* self, invited_str* id)" "settled has another type")
must_catch("a lost const" abi.h "const invited_plugin* const* plugins;" "invited_plugin** plugins;"
  "plugins has another type")
must_catch("a field appended without a line here" services.h
  "int64_t max_response_bytes;" "int64_t max_response_bytes; int64_t appended;" "invited_http_request has another size")
must_catch("another value of a constant" abi.h "INVITED_CANCELLED = 4" "INVITED_CANCELLED = 8"
  "INVITED_CANCELLED has another value")
must_catch("another spelling of a key" source.h "\"login_email\"" "\"login_mail\"" "INVITED_KEY_LOGIN_EMAIL differs")
must_catch("another entry" abi.h "invited_module_v1(uint32_t host_minor);" "invited_module_v1(uint64_t host_minor);"
  "invited_module_v1 has another type")
