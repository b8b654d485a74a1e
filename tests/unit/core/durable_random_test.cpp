// What is confirmed is handled at least once, in order, whatever dies; what is poison dies after exactly max_attempts.
#include <cstdlib>
#include <iostream>
#include <stdexcept>

#include <gtest/gtest.h>

#include "durable_world.hpp"

namespace legion::test {
namespace {

constexpr int worlds = 40;   // LEGION_WORLDS for another number
constexpr int steps = 1200;

std::optional<std::uint64_t> seed_given() {
  const char* text = std::getenv("LEGION_SEED");
  return text == nullptr ? std::nullopt : std::optional<std::uint64_t>(std::strtoull(text, nullptr, 10));
}

TEST(DurableRandom, EveryEventIsOverInTheEndAndNothingIsBlamedThatDidNothing) {
  const std::uint64_t first = seed_given().value_or(20251121);
  const char* many = std::getenv("LEGION_WORLDS");
  const int count = many != nullptr ? std::atoi(many) : seed_given() ? 1 : worlds;
  std::cout << "seeds " << first << " to " << first + static_cast<std::uint64_t>(count) - 1
            << " (LEGION_SEED for one)\n";
  DurableWorld::Tally all;
  for (int n = 0; n < count; ++n) {
    DurableWorld world(first + static_cast<std::uint64_t>(n));
    try {
      for (int step = 0; step < steps; ++step) world.step();
      world.finish();
    } catch (const std::logic_error& broken) {
      FAIL() << broken.what();
    }
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << first + static_cast<std::uint64_t>(n);
    const DurableWorld::Tally& tally = world.tally();
    all.lives += tally.lives;
    all.events += tally.events;
    for (const auto& [reason, lost] : tally.lost) all.lost[reason] += lost;
    for (const auto& [reason, letters] : tally.letters) all.letters[reason] += letters;
    all.kills += tally.kills;
    all.gate_kills += tally.gate_kills;
    all.requeues += tally.requeues;
    all.resolved += tally.resolved;
    all.refusals += tally.refusals;
  }
  std::cout << all.events << " events, " << all.lives << " lives, " << all.kills << " kills, " << all.gate_kills
            << " at gates, " << all.requeues << " requeues, " << all.resolved << " resolved, " << all.refusals
            << " refusals\n";
  for (const auto& [reason, lost] : all.lost) std::cout << lost << " lost: " << reason << '\n';
  for (const auto& [reason, letters] : all.letters) std::cout << letters << " letters: " << reason << '\n';
  if (count < worlds) return;
  // The world is rough enough to prove something.
  for (const char* reason : {"expired", "gate_failed", "handler_error", "rejected", "undecodable"}) {
    EXPECT_GT(all.letters[reason], 20u) << reason;
  }
  EXPECT_GT(all.kills, 100u);
  EXPECT_GT(all.gate_kills, 50u);
  EXPECT_GT(all.resolved, 10u);
  for (const char* reason : {"origin_gone", "skipped", "trimmed", "voided"}) EXPECT_GT(all.lost[reason], 10u) << reason;
  EXPECT_GT(all.refusals, 10u);
}

}  // namespace
}  // namespace legion::test
