# cmake --install: the library, its headers, and what find_package(legion) and pkg-config read. The programs are not
# among it.
install(TARGETS legion legion_plugin EXPORT legion
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
foreach(header IN LISTS legion_public_headers)
  if(header STREQUAL "version")
    install(FILES ${CMAKE_BINARY_DIR}/include/generated/legion/version.hpp
      DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/legion)
  else()
    install(FILES ${CMAKE_SOURCE_DIR}/mesh/api/include/legion/${header}.hpp
      DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/legion)
  endif()
endforeach()
foreach(header IN LISTS legion_value_headers)
  cmake_path(GET header PARENT_PATH folder)
  install(FILES ${CMAKE_SOURCE_DIR}/mesh/${header}.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/legion/${folder})
endforeach()

install(EXPORT legion NAMESPACE legion:: FILE legion-targets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/legion)
include(CMakePackageConfigHelpers)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/legion-config.cmake.in
  ${CMAKE_BINARY_DIR}/legion-config.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/legion)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/legion-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/legion-config.cmake ${CMAKE_BINARY_DIR}/legion-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/legion)
# From lib/pkgconfig or lib/TRIPLET/pkgconfig up to the prefix, so that the tree may be moved.
string(REGEX REPLACE "[^/]+" ".." LEGION_PC_UP "${CMAKE_INSTALL_LIBDIR}")
configure_file(${CMAKE_SOURCE_DIR}/cmake/legion.pc.in ${CMAKE_BINARY_DIR}/legion.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/legion.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
