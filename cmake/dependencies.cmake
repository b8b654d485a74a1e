# Third-party libraries, all Debian packages. Each becomes one interface target, so that its definitions travel with it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)

pkg_check_modules(ZMQ REQUIRED IMPORTED_TARGET libzmq)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(TOMLPP REQUIRED IMPORTED_TARGET tomlplusplus)

add_library(legion_dep_zmq INTERFACE)
target_link_libraries(legion_dep_zmq INTERFACE PkgConfig::ZMQ)

find_package(SQLiteCpp REQUIRED)

# MSGPACK_NO_BOOST has to be the same in every translation unit.
add_library(legion_dep_msgpack INTERFACE)
target_compile_definitions(legion_dep_msgpack INTERFACE MSGPACK_NO_BOOST)

# Header only in Debian, under /usr/include.
add_library(legion_dep_json INTERFACE)
add_library(legion_dep_cli11 INTERFACE)

# The programs need none of these.
if(LEGION_TESTS)
  find_package(GTest REQUIRED)
  find_package(rapidcheck REQUIRED CONFIG)

  # Parsing GoogleTest costs more than most of our tests: it is precompiled once, and legion_test() reuses it.
  add_library(legion_test_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/test_pch.cpp)
  target_link_libraries(legion_test_pch PRIVATE GTest::gmock)
  target_precompile_headers(legion_test_pch PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
endif()
