// Whatever happens to members and home: no lease twice, no share with two who may work on it, none left lying.
#include <cstdlib>
#include <iostream>
#include <stdexcept>

#include <gtest/gtest.h>

#include "group_world.hpp"

namespace legion::test {
namespace {

constexpr int worlds = 300;  // LEGION_WORLDS for another number
constexpr int steps = 3000;  // a minute

TEST(GroupRandom, EveryShareIsWorkedOnByOneMemberWhateverHappened) {
  const char* seed = std::getenv("LEGION_SEED");
  const char* many = std::getenv("LEGION_WORLDS");
  const std::uint64_t first = seed != nullptr ? std::strtoull(seed, nullptr, 10) : 20251121;
  const int count = many != nullptr ? std::atoi(many) : seed != nullptr ? 1 : worlds;
  std::cout << "seeds " << first << " to " << first + static_cast<std::uint64_t>(count) - 1
            << " (LEGION_SEED for one)\n";
  GroupWorld::Tally all;
  for (int n = 0; n < count; ++n) {
    GroupWorld world(first + static_cast<std::uint64_t>(n));
    try {
      for (int step = 0; step < steps; ++step) world.step();
      world.finish();
    } catch (const std::logic_error& broken) {
      FAIL() << broken.what();
    }
    const GroupWorld::Tally& tally = world.tally();
    all.leases += tally.leases;
    all.releases += tally.releases;
    all.losses += tally.losses;
    all.deaths += tally.deaths;
    all.pauses += tally.pauses;
    all.restarts += tally.restarts;
    all.exceeded += tally.exceeded;
    all.absences += tally.absences;
  }
  std::cout << all.leases << " leases, " << all.releases << " releases, " << all.losses << " losses, " << all.deaths
            << " deaths, " << all.pauses << " pauses, " << all.restarts << " restarts of homes, " << all.exceeded
            << " leases below a cursor, " << all.absences << " times away\n";
  if (count < worlds) return;
  EXPECT_GT(all.releases, 1000u);  // the world is rough enough to prove something
  EXPECT_GT(all.losses, 500u);
  EXPECT_GT(all.restarts, 300u);
  EXPECT_GT(all.exceeded, 10u);
  EXPECT_GT(all.absences, 1000u);
}

}  // namespace
}  // namespace legion::test
