# cmake -DINCLUDE=<sdk/include> -DSDK=<sdk> -DEXAMPLE=<file.cpp> -DSCRATCH=<folder> -DCXX=<compiler> -DNM=<nm> -P this
# The export check bites: a module built without the linker map shows more than its entry, one without an entry nothing.
file(MAKE_DIRECTORY ${SCRATCH})
function(check_refuses what expected)
  execute_process(COMMAND ${CMAKE_COMMAND} -DMODULE=${SCRATCH}/module.so -DNM=${NM} -P ${SDK}/cmake/CheckExports.cmake
    RESULT_VARIABLE failed ERROR_VARIABLE text)
  string(REGEX REPLACE "[ \n]+" " " text "${text}")
  if(NOT failed OR NOT text MATCHES "${expected}")
    message(FATAL_ERROR "not caught: ${what}\n${text}")
  endif()
endfunction()

execute_process(COMMAND ${CXX} -std=c++20 -shared -fPIC -fvisibility=hidden -I${INCLUDE} ${EXAMPLE}
  -o ${SCRATCH}/module.so COMMAND_ERROR_IS_FATAL ANY)
check_refuses("a module without the linker map" "symbols besides its entry")

file(WRITE ${SCRATCH}/empty.cpp "")
execute_process(COMMAND ${CXX} -shared -fPIC ${SCRATCH}/empty.cpp -o ${SCRATCH}/module.so COMMAND_ERROR_IS_FATAL ANY)
check_refuses("a module without an entry" "does not export invited_module_v1")
