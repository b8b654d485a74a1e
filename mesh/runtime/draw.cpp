#include <legion/runtime/draw.hpp>

#include <random>

namespace legion {

BootId draw_boot_id() {
  std::random_device device;
  BootId boot;
  for (auto& byte : boot.bytes) byte = static_cast<std::uint8_t>(device());
  return boot;
}

std::uint64_t draw_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace legion
