// Do the checkers bite? Of each known bug, which seed finds it first, and which checker.
#pragma once

#include <cstdint>

namespace legion::sim {

struct PlantedTable {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds_max = 100;  ///< tried for each bug
  unsigned workers = 2;
  const char* only = nullptr;     ///< this bug alone
};
/// Plants this bug from now on. False: there is none of that name.
bool plant(const char* name);
/// Prints the table. Returns how many bugs were not found.
std::size_t print_planted_table(const PlantedTable& options);

}  // namespace legion::sim
