#include <legion/base/assert.hpp>

#include <cstdio>
#include <cstdlib>

namespace legion {

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "legion: assertion failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace legion
