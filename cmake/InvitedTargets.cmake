# Three shapes of target in this tree: a layer of the daemon, a test program, a plugin
# (the last is sdk/cmake/InvitedPlugin.cmake, which outsiders use as well).

# One set of precompiled headers, compiled once and reused by each layer and test.
if(INVITED_PCH)
  file(WRITE ${CMAKE_BINARY_DIR}/invited_pch.cpp "// carries the precompiled headers\n")
  add_library(invited_pch OBJECT ${CMAKE_BINARY_DIR}/invited_pch.cpp)
  target_link_libraries(invited_pch PRIVATE invited_common)
  target_precompile_headers(invited_pch PRIVATE
    <algorithm> <array> <chrono> <cstdint> <functional> <map> <memory> <optional> <span> <string>
    <string_view> <variant> <vector>
    <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp> <boost/asio/io_context.hpp> <boost/asio/post.hpp>
    <boost/asio/steady_timer.hpp> <boost/asio/use_awaitable.hpp> <boost/json.hpp>
    <fmt/format.h> <tl/expected.hpp>)
endif()

function(invited_use_pch target)
  if(INVITED_PCH)
    target_precompile_headers(${target} REUSE_FROM invited_pch)
    target_link_libraries(${target} PRIVATE invited_common)
    # The precompiled headers are -fPIC; g++ refuses them under the -fPIE that CMake gives to programs.
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "EXECUTABLE")
      set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(${target} PRIVATE -fPIC)
    endif()
  endif()
endfunction()

# invited_layer(<name> SOURCES … [LIBS …]): static library invited_<name>, alias invited::<name>.
# Includes are written from daemon/: #include "model/decision.hpp".
function(invited_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS;PRIVATE_LIBS" ${ARGN})
  add_library(invited_${name} STATIC ${arg_SOURCES})
  add_library(invited::${name} ALIAS invited_${name})
  target_link_libraries(invited_${name} PUBLIC invited_common ${arg_LIBS} PRIVATE ${arg_PRIVATE_LIBS})
  invited_use_pch(invited_${name})
endfunction()

# invited_test(<name> SOURCES … [LIBS …] [LABELS …] [ENV …]): one Catch2 program, one ctest entry.
# Everything in tests/ may be included as "support/…".
function(invited_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBS;LABELS;ENV" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE invited_common invited_test_main ${arg_LIBS})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 sees overlaps and overflows in std::string that are not there once much of it is inlined.
    target_compile_options(${name} PRIVATE -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
  endif()
  target_compile_definitions(${name} PRIVATE
    INVITED_SOURCE_DIR="${PROJECT_SOURCE_DIR}" INVITED_BINARY_DIR="${PROJECT_BINARY_DIR}")
  invited_use_pch(${name})
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} ENVIRONMENT "${arg_ENV}")
endfunction()
