// Holds the precompiled headers of the test programs; see dependencies.cmake.
