// Assertions that stay on in every build. They state what our own code guarantees; bytes from outside never reach one.
#pragma once

namespace legion {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

#define LEGION_ASSERT(condition) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::legion::assertion_failed(#condition, __FILE__, __LINE__))
#define LEGION_UNREACHABLE() ::legion::assertion_failed("unreachable", __FILE__, __LINE__)
