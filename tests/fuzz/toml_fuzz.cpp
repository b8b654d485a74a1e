// Configuration files from anybody: problems or a configuration, and what is printed loads again as the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <legion/base/assert.hpp>
#include <legion/config/config.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace legion;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const ConfigInputs inputs{{{"HOME", "/home/legion"}}, {}, 4};
  const auto config = parse_config(text, "/etc/node.toml", inputs);
  if (!config) {
    LEGION_ASSERT(!config.error().empty());
    for (const ConfigProblem& problem : config.error()) LEGION_ASSERT(!problem.message.empty());
    return 0;
  }
  const auto again = parse_config(print_effective(*config), "/etc/node.toml", inputs);
  LEGION_ASSERT(again.has_value());
  LEGION_ASSERT(*config == *again);
  LEGION_ASSERT(config_digest(*config) == config_digest(*again));
  return 0;
}
