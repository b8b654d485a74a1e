// One seed for all random tests of a run: printed first, taken from LEGION_SEED when that is set.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

#include <legion/base/rng.hpp>

namespace legion::test {

inline std::uint64_t run_seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("LEGION_SEED");
    const std::uint64_t value = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "LEGION_SEED=" << value << std::endl;
    return value;
  }();
  return seed;
}

inline Rng seeded_rng(int round) { return Rng(run_seed() * 1'000'003 + static_cast<std::uint64_t>(round)); }

}  // namespace legion::test
