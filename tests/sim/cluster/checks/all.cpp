#include "checks.hpp"

namespace legion::sim {

std::span<const Check> all_checks() {
  static constexpr Check checks[] = {
      {"order", check_order},
      {"at_least_once", check_at_least_once},
      {"stores", check_stores},
      {"letters", check_letters},
      {"gates", check_gates},
      {"held", check_held},
      {"records", check_records},
      {"membership", check_membership},
      {"starvation", check_starvation},
      {"bounds", check_bounds},
      {"books", check_books},
      {"repeats", check_repeats},
      {"groups", check_groups},
      {"ends", check_ends},
  };
  return checks;
}

}  // namespace legion::sim
