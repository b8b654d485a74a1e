// What a plugin of another version looks like: the first members are all that can be relied on.
#include <cstdint>

extern "C" {
extern const struct {
  char magic[8];
  std::uint32_t interface;
  std::uint32_t bytes;
  const char* version;
} legion_plugin_declaration;
}

decltype(legion_plugin_declaration) legion_plugin_declaration{
    {'l', 'e', 'g', 'i', 'o', 'n', 'p', 'l'}, 99, 24, "9.9.9"};
