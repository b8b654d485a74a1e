# legion::legion, the library that programs link: one shared object made of the layers, of which only the classes and
# functions of the installed headers can be seen. legion::plugin, for plugins of legion-node: the headers alone; what
# they call is found in the program that loads them. docs/adr/0018

# The headers that are installed, as they are included: <legion/...>. All others are internal.
set(legion_public_headers agent async context event handler in_process json middleware node plugin publisher statistics testing
    types version)
set(legion_value_headers
  core/middleware core/middleware_spec
  base/bytes base/error base/ids base/limits base/log base/time
  event/data_map event/event event/event_type event/json event/msgpack_reader event/msgpack_writer event/outcome
  event/policy event/priority event/publish event/redact event/schema event/subscription_start event/typed event/typed_codec
  event/typed_fields event/types event/where
  event/types/market event/types/risk event/types/strategy event/types/system event/types/trade)

set(LEGION_SYMBOLS_HEAD "LEGION_${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} {\n  global:")
set(LEGION_SYMBOLS_TAIL "  local: *;\n};")
configure_file(${CMAKE_SOURCE_DIR}/cmake/legion.map.in ${CMAKE_BINARY_DIR}/legion.map @ONLY)
set(LEGION_SYMBOLS_HEAD "{")
set(LEGION_SYMBOLS_TAIL "};")
configure_file(${CMAKE_SOURCE_DIR}/cmake/legion.map.in ${CMAKE_BINARY_DIR}/legion.list @ONLY)

# legion_whole(TARGET) puts all of the layers with public functions into it, not only what it uses itself.
function(legion_whole target)
  target_sources(${target} PRIVATE
    $<TARGET_OBJECTS:legion_api> $<TARGET_OBJECTS:legion_event> $<TARGET_OBJECTS:legion_base>)
  target_link_libraries(${target} PRIVATE legion_api)
endfunction()

# legion_shows_api(TARGET) lets plugins find the library in a program.
function(legion_shows_api target)
  legion_whole(${target})
  target_link_options(${target} PRIVATE LINKER:--dynamic-list=${CMAKE_BINARY_DIR}/legion.list)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${CMAKE_BINARY_DIR}/legion.list)
endfunction()

set(includes
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/mesh/api/include>
  $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include/generated>
  $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include/core>
  $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include/event>
  $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include/base>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

add_library(legion SHARED ${CMAKE_SOURCE_DIR}/mesh/api/library.cpp)
legion_whole(legion)
target_include_directories(legion INTERFACE ${includes})
target_compile_features(legion INTERFACE cxx_std_23)
target_link_options(legion PRIVATE LINKER:--version-script=${CMAKE_BINARY_DIR}/legion.map LINKER:-z,defs)
set_target_properties(legion PROPERTIES
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  LINK_DEPENDS ${CMAKE_BINARY_DIR}/legion.map)
add_library(legion::legion ALIAS legion)

add_library(legion_plugin INTERFACE)
target_include_directories(legion_plugin INTERFACE ${includes})
target_compile_features(legion_plugin INTERFACE cxx_std_23)
set_target_properties(legion_plugin PROPERTIES EXPORT_NAME plugin)
add_library(legion::plugin ALIAS legion_plugin)
