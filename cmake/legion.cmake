# How a layer becomes a target.
#
# Every layer sees only the headers of the layers it links: its folder is reachable as <legion/LAYER/...> through a
# link in the build tree, and that link is part of the layer's own include path alone. A wrong include does not build.

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
if(LEGION_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these inside the standard library at -O2 and above; they are not about our code.
  add_compile_options(
    -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-maybe-uninitialized -Wno-dangling-pointer)
endif()
# The layers, which are position-independent, may inline what they define as other code does: nobody replaces it from
# outside (docs/adr/0018).
add_compile_options(-fno-semantic-interposition)
# Assertions and logs name mesh/core/x.cpp, not where somebody happened to build.
add_compile_options(-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=)

if(LEGION_SANITIZE)
  # A finding of the undefined-behaviour sanitizer ends the test, instead of being a line in its log.
  add_compile_options(-fsanitize=${LEGION_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${LEGION_SANITIZE})
endif()
if(LEGION_COVERAGE)
  # Counts that are not atomic: threads may lose some, but a line that was reached never counts as one that was not.
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
if(LEGION_FUZZERS)
  # Every layer reports its coverage to the fuzzer; only the fuzz targets themselves link its main().
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

# Programs under a sanitizer run 2 to 15 times slower.
set(legion_timeout_factor 1)
if(LEGION_SANITIZE OR LEGION_COVERAGE)
  set(legion_timeout_factor 4)
endif()

# legion_layer(NAME SOURCES ... LINK ... [PCH ...]), called in the folder of the layer, creates the library legion_NAME
# whose headers are <legion/NAME/...>.
function(legion_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PCH" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "legion_layer(${name}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  set(root ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${root}/legion)
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/legion/${name} SYMBOLIC)
  add_library(legion_${name} STATIC ${ARG_SOURCES})
  set_target_properties(legion_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)  # all of them are part of liblegion.so
  target_include_directories(legion_${name} PUBLIC ${root})
  target_link_libraries(legion_${name} PUBLIC ${ARG_LINK})
  if(LEGION_COVERAGE AND name MATCHES "^(core|spool)$")
    # The layers that are measured: the optimizer would merge lines. Everything else only has to be quick.
    target_compile_options(legion_${name} PRIVATE -O0)
  endif()
  if(ARG_PCH)
    target_precompile_headers(legion_${name} PRIVATE ${ARG_PCH})
  endif()
endfunction()

# The ctest label of a test is the folder of its CMakeLists below tests/: unit/core, sim, system, ...
function(legion_test_label out)
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY ${CMAKE_SOURCE_DIR}/tests OUTPUT_VARIABLE label)
  set(${out} ${label} PARENT_SCOPE)
endfunction()

# legion_test(NAME SOURCES ... LINK ... [PCH ...]) creates a GoogleTest program and registers every test in it with
# ctest, as FOLDER/Suite.Test. GoogleTest is precompiled once for all of them; PCH names further headers and makes the
# program precompile its own.
function(legion_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PCH" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "legion_test(${name}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gmock_main)
  if(ARG_PCH)
    target_precompile_headers(${name} PRIVATE <gmock/gmock.h> <gtest/gtest.h> ${ARG_PCH})
  else()
    target_precompile_headers(${name} REUSE_FROM legion_test_pch)
  endif()
  legion_test_label(label)
  math(EXPR timeout "120 * ${legion_timeout_factor}")
  gtest_discover_tests(${name} TEST_PREFIX ${label}/ DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${timeout} LABELS ${label})
endfunction()

# legion_system_test(NAME script) runs a Python script of this folder against the built programs, which it finds in
# LEGION_BIN. Such a test starts several processes and watches their timing: it counts as two processors, so on a small
# machine it runs alone.
function(legion_system_test name script)
  add_test(NAME ${name} COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/${script} ${ARGN})
  math(EXPR timeout "300 * ${legion_timeout_factor}")
  set_tests_properties(${name} PROPERTIES
    ENVIRONMENT "LEGION_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};PYTHONDONTWRITEBYTECODE=1;PYTHONUNBUFFERED=1"
    LABELS system
    PROCESSORS 2
    TIMEOUT ${timeout})
endfunction()

# legion_fuzz_target(NAME SOURCES ... LINK ...), called in tests/fuzz, where corpus/NAME has its inputs. With
# LEGION_FUZZERS it creates bin/fuzz_NAME, a libFuzzer program; without, the test fuzz.NAME, which runs the target over
# its corpus.
function(legion_fuzz_target name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  if(LEGION_FUZZERS)
    add_executable(fuzz_${name} ${ARG_SOURCES})
    target_link_libraries(fuzz_${name} PRIVATE ${ARG_LINK})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    return()
  endif()
  add_executable(fuzz_${name}_replay ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus_replay.cpp)
  target_link_libraries(fuzz_${name}_replay PRIVATE ${ARG_LINK})
  add_test(NAME fuzz.${name} COMMAND fuzz_${name}_replay ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  math(EXPR timeout "60 * ${legion_timeout_factor}")
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT ${timeout})
endfunction()
