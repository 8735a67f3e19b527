# invited_add_plugin(<name> SOURCES <file>… [LIBS <library>…])
#
# Builds the module <name>.so, as a target of that name: hidden visibility, a linker map that exports the entry alone,
# no undefined symbols; installs it to lib/invited/plugins; adds the test `exports_<name>` that looks at what it exports.
include_guard(GLOBAL)

function(invited_add_plugin name)
  include(GNUInstallDirs)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "usage: invited_add_plugin(<name> SOURCES <file>… [LIBS <library>…])")
  endif()
  set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/module.map)

  add_library(${name} MODULE ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE invited::sdk ${arg_LIBS})
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST languages)
    target_compile_features(${name} PRIVATE cxx_std_20)
  endif()
  set_target_properties(${name} PROPERTIES
    PREFIX "" C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${map})
  target_link_options(${name} PRIVATE "LINKER:--version-script=${map}")
  # A sanitizer's runtime is in the program, so its symbols are undefined here by design.
  if(NOT INVITED_SANITIZE)
    target_link_options(${name} PRIVATE "LINKER:-z,defs")
  endif()
  # Inside the project's own tree the daemon finds its plugins beside its programs.
  if(TARGET invited_sdk)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/invited/plugins)
  endif()

  install(TARGETS ${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/invited/plugins COMPONENT plugins)
  add_test(NAME exports_${name}
    COMMAND ${CMAKE_COMMAND} -DMODULE=$<TARGET_FILE:${name}> -DNM=${CMAKE_NM}
            -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/CheckExports.cmake)
  set_tests_properties(exports_${name} PROPERTIES LABELS abi)
endfunction()
