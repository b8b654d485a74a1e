#include <cstdlib>
#include <iostream>

#include "journal_world.hpp"

namespace legion {
namespace {

using journal_kit::JournalWorld;

void run(JournalWorld::Restores restores) {
  std::uint64_t first = 1;
  std::uint64_t count = 120;
  if (const char* given = std::getenv("LEGION_SEED")) {
    first = std::strtoull(given, nullptr, 10);
    count = 1;
  }
  std::cout << "seeds " << first << ".." << first + count - 1 << " (LEGION_SEED runs one)\n";
  JournalWorld::Sums sums;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    JournalWorld world(seed, restores);
    for (int i = 0; i < 1000 && world.trouble().empty(); ++i) world.step();
    if (world.trouble().empty()) world.settle();
    ASSERT_EQ(world.trouble(), "") << "LEGION_SEED=" << seed;
    const JournalWorld::Sums these = world.sums();
    sums.frames += these.frames;
    sums.voided_events += these.voided_events;
    sums.disconnects += these.disconnects;
    sums.crashes += these.crashes;
    sums.restores += these.restores;
    sums.rewinds += these.rewinds;
    sums.skipped += these.skipped;
    sums.duplicates += these.duplicates;
  }
  std::cout << "frames " << sums.frames << ", events given up " << sums.voided_events << ", disconnects "
            << sums.disconnects << ", crashes " << sums.crashes << ", restores " << sums.restores << ", rewinds "
            << sums.rewinds << ", positions skipped " << sums.skipped << ", duplicates " << sums.duplicates << "\n";
  if (count == 1) return;
  for (const std::uint64_t happened :
       {sums.frames, sums.voided_events, sums.disconnects, sums.crashes, sums.rewinds, sums.skipped, sums.duplicates}) {
    EXPECT_GT(happened, 0u);
  }
}

// Connections, spools and commits fail at random; in the end every store has every position once, byte for byte, or a
// void where events were given up, and what was told durable was.
TEST(JournalWorld, NothingConfirmedIsLostAndTheBooksAddUp) { run(JournalWorld::Restores::Never); }

// The same with stores that are set back to an older copy.
TEST(JournalWorld, OlderCopiesAreSentWhatIsLeftAndCountForNoMore) { run(JournalWorld::Restores::Sometimes); }

}  // namespace
}  // namespace legion
