// The two small structures a stream is made of.
#include <set>

#include <gmock/gmock.h>

#include <legion/base/rng.hpp>
#include <legion/core/durable_buffer.hpp>
#include <legion/core/durable_progress.hpp>

#include "durable_kit.hpp"

namespace legion::test {
namespace {

using durable::FrameBuffer;
using durable::Progress;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(DurableProgress, CountsWithoutHolesAndBeyond) {
  Progress progress;
  EXPECT_EQ(progress.add(1, 3), 3u);
  EXPECT_EQ(progress.add(5, 6), 2u);
  EXPECT_EQ(progress.done(), 3u);
  EXPECT_THAT(progress.ahead(), ElementsAre(Pair(5, 6)));
  EXPECT_EQ(progress.next_open(1), 4u);
  EXPECT_EQ(progress.next_open(5), 7u);
  EXPECT_EQ(progress.end_of_hole(4), 4u);
  EXPECT_EQ(progress.add(2, 5), 1u);
  EXPECT_EQ(progress.done(), 6u);
  EXPECT_THAT(progress.ahead(), IsEmpty());
}

TEST(DurableProgress, AgreesWithASetOfNumbers) {
  const std::uint64_t seed = 77;
  Rng random(seed);
  for (int round = 0; round < 200; ++round) {
    Progress progress;
    std::set<std::uint64_t> model;
    for (int step = 0; step < 40; ++step) {
      const std::uint64_t first = 1 + random.below(60);
      const std::uint64_t last = first + random.below(6);
      const std::size_t before = model.size();
      for (std::uint64_t n = first; n <= last; ++n) model.insert(n);
      ASSERT_EQ(progress.add(first, last), model.size() - before) << "seed " << seed << " round " << round;
      std::uint64_t done = 0;
      while (model.contains(done + 1)) ++done;
      ASSERT_EQ(progress.done(), done);
      ASSERT_EQ(progress.done() + progress.ahead_count(), model.size());
      for (std::uint64_t n = 1; n < 70; ++n) {
        ASSERT_EQ(progress.contains(n), model.contains(n)) << n << " seed " << seed << " round " << round;
      }
    }
  }
}

TEST(DurableBuffer, AgreesWithASetOfNumbers) {
  const StreamId stream = stream_named("t");
  std::map<std::pair<std::uint64_t, std::uint64_t>, FramePtr> frames;
  const auto frame = [&](std::uint64_t first, std::uint64_t count) {
    FramePtr& made = frames[{first, count}];
    if (!made) made = frame_in(stream, first, count);
    return made;
  };
  const std::uint64_t seed = 78;
  Rng random(seed);
  for (int round = 0; round < 300; ++round) {
    FrameBuffer buffer;
    std::set<std::uint64_t> model;
    std::uint64_t next = 1;
    for (int step = 0; step < 30; ++step) {
      const std::uint64_t first = 1 + random.below(40);
      const std::uint64_t count = 1 + random.below(7);
      buffer.add(frame(first, count));
      for (std::uint64_t n = first; n < first + count; ++n) model.insert(n);
      if (random.chance(0.3)) next += random.below(5);
      const auto* at = buffer.at(next);
      model.erase(model.begin(), model.lower_bound(next));
      ASSERT_EQ(at != nullptr, model.contains(next)) << "seed " << seed << " round " << round;
      if (at != nullptr) {
        ASSERT_TRUE(at->first <= next && next <= at->last);
      }
      std::uint64_t end = next;
      while (model.contains(end)) ++end;
      ASSERT_EQ(buffer.run_end(next), end) << "seed " << seed << " round " << round << " step " << step;
      const auto beyond = model.lower_bound(end);
      ASSERT_EQ(buffer.beyond_run(next).has_value(), beyond != model.end());
      if (beyond != model.end()) {
        ASSERT_EQ(*buffer.beyond_run(next), *beyond);
      }
      ASSERT_EQ(buffer.run_bytes(next) > 0, end > next);
      ASSERT_LE(buffer.run_bytes(next), buffer.bytes());
      ASSERT_EQ(buffer.bytes() == 0, buffer.empty());
    }
  }
}

}  // namespace
}  // namespace legion::test
