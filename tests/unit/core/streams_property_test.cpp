#include <cstdlib>
#include <iostream>

#include "streams_world.hpp"

namespace legion {
namespace {

using streams_kit::StreamsWorld;

struct Sums {
  std::uint64_t lost = 0;
  std::uint64_t received = 0;
};

void run(std::uint64_t seed, Sums& sums) {
  StreamsWorld world(seed);
  for (int i = 0; i < 600; ++i) {
    world.step();
  }
  world.settle();
  ASSERT_EQ(world.disagreement(), "") << "LEGION_SEED=" << seed;
  sums.lost += world.lost_in_total();
  sums.received += world.received_in_total();
}

// Full queues, disconnects, reconnects, late subscriptions and restarts of the origin; in the end every subscription's
// published = received + lost, lost is what the links dropped from its baseline on, and order held.
TEST(Streams, BooksAgreeWithWhatTheLinksDropped) {
  std::uint64_t first = 1, count = 200;
  if (const char* given = std::getenv("LEGION_SEED")) {
    first = std::strtoull(given, nullptr, 10);
    count = 1;
  }
  std::cout << "seeds " << first << ".." << first + count - 1 << " (LEGION_SEED runs one)\n";
  Sums sums;
  for (std::uint64_t seed = first; seed < first + count && !::testing::Test::HasFatalFailure(); ++seed) run(seed, sums);
  EXPECT_GT(sums.lost, 0u);
  EXPECT_GT(sums.received, 0u);
  std::cout << "received " << sums.received << ", lost " << sums.lost << "\n";
}

}  // namespace
}  // namespace legion
