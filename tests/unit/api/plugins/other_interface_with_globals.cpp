// A plugin of another version that needs, as soon as it is loaded, what this one does not have.
#include <cstdint>

namespace legion {
int function_of_the_future();
}

extern "C" {
extern const struct {
  char magic[8];
  std::uint32_t interface;
  std::uint32_t bytes;
  const char* version;
  std::uint64_t layout;
  void* setup;
} legion_plugin_declaration;
}

decltype(legion_plugin_declaration) legion_plugin_declaration{
    {'l', 'e', 'g', 'i', 'o', 'n', 'p', 'l'}, 98, 40, "9.9.8", 0, nullptr};

namespace {
const int global = legion::function_of_the_future();
}

extern "C" int global_of_the_plugin() { return global; }
