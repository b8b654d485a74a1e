// What a process draws once, from the system's random source.
#pragma once

#include <cstdint>

#include <legion/base/ids.hpp>

namespace legion {

BootId draw_boot_id();
std::uint64_t draw_seed();

}  // namespace legion
