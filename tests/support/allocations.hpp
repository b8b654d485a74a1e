#pragma once

#include <cstddef>

// clang links the operator new of its sanitizers into the program, where it cannot be replaced.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define LEGION_TEST_COUNTS_NOTHING
#endif
#endif

namespace legion::test {

#ifdef LEGION_TEST_COUNTS_NOTHING
inline constexpr bool allocations_are_counted = false;
#else
inline constexpr bool allocations_are_counted = true;
#endif

/// Calls of operator new so far, of all threads. Whoever lists allocations.cpp among its sources gets a program whose
/// operator new counts, if allocations_are_counted; otherwise this stays 0.
std::size_t allocations();

}  // namespace legion::test
