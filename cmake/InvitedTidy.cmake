# The target `tidy`: clang-tidy over every source of every target, nothing compiled, each file again only when it, a
# header of it or .clang-tidy changed. Included last.
find_program(INVITED_CLANG_TIDY clang-tidy-19 REQUIRED)

function(invited_sources_below folder into)
  get_property(folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  set(all "")
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    get_target_property(sources ${target} SOURCES)
    if(NOT sources OR type STREQUAL "UTILITY" OR type STREQUAL "INTERFACE_LIBRARY")
      continue()
    endif()
    get_target_property(source_dir ${target} SOURCE_DIR)
    foreach(source IN LISTS sources)
      cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${source_dir} NORMALIZE)
      if(source MATCHES "\\.(c|cpp)$" AND NOT source MATCHES "^${PROJECT_BINARY_DIR}/")
        list(APPEND all ${source})
      endif()
    endforeach()
  endforeach()
  foreach(subfolder IN LISTS folders)
    invited_sources_below(${subfolder} below)
    list(APPEND all ${below})
  endforeach()
  list(REMOVE_DUPLICATES all)
  set(${into} ${all} PARENT_SCOPE)
endfunction()

# A file that several targets compile is looked at once.
set(database ${PROJECT_BINARY_DIR}/tidy)
set(once [[
import json, sys
commands = {entry["file"]: entry for entry in json.load(open(sys.argv[1]))}
json.dump(list(commands.values()), open(sys.argv[2], "w"))
]])
file(WRITE ${database}/once.py "${once}")
add_custom_target(tidy_database COMMAND /usr/bin/python3 ${database}/once.py ${PROJECT_BINARY_DIR}/compile_commands.json
                  ${database}/compile_commands.json)

invited_sources_below(${PROJECT_SOURCE_DIR} sources)
set(stamps "")
foreach(source IN LISTS sources)
  cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE name)
  set(stamp ${database}/${name}.stamp)
  cmake_path(GET stamp PARENT_PATH folder)
  set(rules ${PROJECT_SOURCE_DIR}/.clang-tidy)
  if(name MATCHES "^tests/")
    set(rules ${PROJECT_SOURCE_DIR}/tests/.clang-tidy)
  endif()
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${stamp}
    # It counts the warnings in system headers even when told to be quiet: only what it finds in ours is shown.
    COMMAND sh -c "\"$@\" >${stamp}.log 2>&1 || { cat ${stamp}.log; exit 1; }" tidy
            ${INVITED_CLANG_TIDY} --quiet -p ${database} --extra-arg=-Wp,-MD,${stamp}.d ${source}
    COMMAND sed -i "1s|^[^:]*:|${stamp}:|" ${stamp}.d
    COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
    DEPENDS ${source} ${rules} tidy_database
    DEPFILE ${stamp}.d
    COMMENT "clang-tidy ${name}"
    VERBATIM)
  list(APPEND stamps ${stamp})
endforeach()
add_custom_target(tidy DEPENDS ${stamps})
