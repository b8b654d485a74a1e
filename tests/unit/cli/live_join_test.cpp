#include <gtest/gtest.h>

#include <random>
#include <set>

#include <legion/cli/live_join.hpp>

#include "fake_spool.hpp"

namespace legion::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const StreamId stream = stream_of("demo.x");

EventPtr live(std::uint64_t sequence, const StreamId& of = stream) {
  const auto frame = Frame::decode(make_frame(of, sequence, {{}})).value();
  return Frame::event_ptr(frame, 0);
}

class Join {
 public:
  explicit Join(LiveJoin::Bounds bounds = LiveJoin::Bounds{}) : join(bounds) {}
  void past(std::uint64_t first, std::uint64_t count) {
    const auto frame = Frame::decode(make_frame(stream, first, std::vector<Told>(count))).value();
    join.on_past_frame(frame->header());
  }
  void arrive(std::uint64_t sequence) { join.on_live(live(sequence), show()); }
  void let_go() { join.let_go(show()); }
  LiveJoin::OnEvent show() {
    return [this](const EventPtr& event) { shown.push_back(event->sequence); };
  }
  LiveJoin join;
  std::vector<std::uint64_t> shown;
};

TEST(LiveJoin, ShowsWhatThePastDidNotBring) {
  Join join;
  join.arrive(4);
  join.arrive(5);
  join.past(1, 4);
  EXPECT_EQ(join.join.behind({{stream, 5}}).streams, 0u);
  join.let_go();
  EXPECT_THAT(join.shown, ElementsAre(5u));
  join.arrive(4);
  join.arrive(6);
  EXPECT_THAT(join.shown, ElementsAre(5u, 6u));
}

TEST(LiveJoin, WaitsUntilTheSpoolHasEverythingBeforeTheFirstLiveEvent) {
  Join join;
  join.past(1, 2);
  join.arrive(5);
  const auto behind = join.join.behind({{stream, 3}});
  EXPECT_EQ(behind.streams, 1u);
  EXPECT_EQ(behind.events, 2u);
  join.past(3, 2);
  EXPECT_EQ(join.join.behind({{stream, 5}}).streams, 0u);
}

TEST(LiveJoin, AQuietStreamHasToBeThereUpToItsTail) {
  Join join;
  join.join.on_origin_tail(stream, 10);
  EXPECT_EQ(join.join.behind({{stream, 8}}).events, 2u);
  EXPECT_EQ(join.join.behind({{stream, 10}}).streams, 0u);
  EXPECT_EQ(join.join.behind({}).unknown_streams, 1u);
}

TEST(LiveJoin, AStreamThatHasPublishedNothingWaitsForNothing) {
  Join join;
  join.join.on_origin_tail(stream, 1);
  EXPECT_EQ(join.join.behind({}).unknown_streams, 0u);
}

TEST(LiveJoin, HeartbeatsAreNeverJournalled) {
  Join join;
  join.join.on_origin_tail(stream_of("agent.heartbeat", "alpha", Priority::Critical), 10);
  EXPECT_EQ(join.join.behind({}).unknown_streams, 0u);
}

TEST(LiveJoin, WhatIsTooMuchToKeepIsReadFromTheSpool) {
  Join join({.events_max = 2, .bytes_max = 1 << 20});
  join.past(1, 2);
  join.arrive(3);
  join.arrive(4);
  join.arrive(5);
  EXPECT_EQ(join.join.kept(), 0u);
  EXPECT_EQ(join.join.overflows(), 1u);
  EXPECT_EQ(join.join.behind({{stream, 3}}).events, 3u);
  join.arrive(6);
  join.past(3, 2);
  join.let_go();
  EXPECT_THAT(join.shown, ElementsAre(6u));
  EXPECT_EQ(join.join.lost(), 1u) << "5 came from nowhere";
  Join other({.events_max = 1000, .bytes_max = 1000});
  for (std::uint64_t sequence = 1; sequence <= 100; ++sequence) other.arrive(sequence);
  EXPECT_LE(other.join.kept(), 4u);
}

TEST(LiveJoin, NamesWhatIsMissingWithinThePast) {
  Join join;
  join.past(10, 5);
  join.past(20, 1);
  join.past(15, 2);
  EXPECT_EQ(join.join.holes(), 3u);
}

TEST(SequenceRanges, BehaveAsASet) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  SequenceRanges ranges, other;
  std::set<std::uint64_t> set, other_set;
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t first = 1 + random() % 500;
    const std::uint64_t last = first + random() % 4;
    const bool to_other = random() % 3 == 0;
    (to_other ? other : ranges).add(first, last);
    for (std::uint64_t each = first; each <= last; ++each) (to_other ? other_set : set).insert(each);
    if (i % 20 != 0 || set.empty()) continue;
    for (std::uint64_t each = 0; each < 510; ++each) ASSERT_EQ(ranges.contains(each), set.contains(each)) << each;
    ASSERT_EQ(ranges.lowest(), *set.begin());
    ASSERT_EQ(ranges.highest(), *set.rbegin());
    ASSERT_EQ(ranges.missing_between(), *set.rbegin() - *set.begin() + 1 - set.size());
    std::uint64_t not_in_other = 0;
    for (const auto each : set) not_in_other += other_set.contains(each) ? 0 : 1;
    ASSERT_EQ(ranges.count_not_in(other), not_in_other);
  }
}

}  // namespace
}  // namespace legion::cli
