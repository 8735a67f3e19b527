# cmake -DBUILD=<build folder> -DSCRATCH=<folder> -DEXAMPLE=<folder> -DSDK=<folder> -DGENERATOR=<…> -DCXX=<…> -DNM=<…> -P this
# An author who has nothing but the installed SDK can configure, build, check and install a module, with CMake and
# with pkg-config alone.
file(REMOVE_RECURSE ${SCRATCH})
set(prefix ${SCRATCH}/prefix)
# What the tree's own build passes down must not help the outsider.
foreach(name CXXFLAGS CFLAGS LDFLAGS CMAKE_PREFIX_PATH PKG_CONFIG_PATH DESTDIR)
  unset(ENV{${name}})
endforeach()

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE failed OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(failed)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}\n${text}")
  endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --component sdk --prefix ${prefix})
run(${CMAKE_COMMAND} -S ${EXAMPLE} -B ${SCRATCH}/build -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${CXX}
    -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_CXX_FLAGS=-Werror\ -Wall\ -Wextra\ -pedantic)
run(${CMAKE_COMMAND} --build ${SCRATCH}/build)
run(${CMAKE_CTEST_COMMAND} --test-dir ${SCRATCH}/build --no-tests=error --output-on-failure)
run(${CMAKE_COMMAND} --install ${SCRATCH}/build --prefix ${prefix})
file(GLOB_RECURSE installed ${prefix}/*/print.so)
if(NOT installed MATCHES "/invited/plugins/print\\.so$")
  message(FATAL_ERROR "print.so was not installed to lib/invited/plugins but to: ${installed}")
endif()

file(GLOB_RECURSE pc ${prefix}/*/invited-sdk.pc)
cmake_path(GET pc PARENT_PATH pc_dir)
set(ENV{PKG_CONFIG_PATH} ${pc_dir})
execute_process(COMMAND pkg-config --cflags invited-sdk OUTPUT_VARIABLE cflags OUTPUT_STRIP_TRAILING_WHITESPACE
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND pkg-config --variable=modulemap invited-sdk OUTPUT_VARIABLE map OUTPUT_STRIP_TRAILING_WHITESPACE
  COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(cflags)
run(${CXX} -std=c++20 -fPIC -shared -fvisibility=hidden ${cflags} -Wl,--version-script=${map} -Wl,-z,defs
    ${EXAMPLE}/transport_print.cpp -o ${SCRATCH}/print.so)

run(${CMAKE_COMMAND} -DMODULE=${SCRATCH}/print.so -DNM=${NM} -P ${SDK}/cmake/CheckExports.cmake)
