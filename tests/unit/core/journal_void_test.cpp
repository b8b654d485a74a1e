// The captured journal when it is full.
#include <algorithm>
#include <iterator>

#include "journal_kit.hpp"

#include <legion/core/journal_void.hpp>

namespace legion {
namespace {

using namespace journal_kit;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

StreamSpan span(std::string type, std::uint64_t first, std::uint64_t last) {
  return {Priority::Normal, std::move(type), 0, first, last};
}

class FullJournalTest : public JournalTest {
 protected:
  /// Room for so many frames of 1000 bytes.
  void room_for(int frames) {
    Numbering fresh;
    config.captured_bytes = static_cast<std::uint64_t>(frames) * Journal::cost(fresh.next(big).bytes->size());
  }
  /// Acknowledges until nothing more comes: all that was sent.
  std::vector<ToSpool> drain(const std::string& spool) {
    std::vector<ToSpool> all;
    for (std::vector<ToSpool> some = take(spool); !some.empty(); some = take(spool)) {
      std::ranges::move(some, std::back_inserter(all));
      acknowledge(spool, captured, link(spool).sent[1]);
    }
    return all;
  }
  Journal::Figures figures() { return the_journal().figures(captured); }

  const Published big{.count = 2, .bytes = 1000};
};

TEST_F(FullJournalTest, TheOldestBecomeOneVoidWithASpanForEachStream) {
  room_for(3);
  for (int i = 0; i < 10; ++i) append(captured, {.type = i % 2 == 0 ? "a" : "b", .count = 2, .bytes = 1000});
  EXPECT_LE(figures().bytes, config.captured_bytes);
  EXPECT_EQ(figures().voided_events, 14u);
  EXPECT_EQ(figures().unconfirmed_events, 6u);
  open("s1", 1);
  const auto messages = drain("s1");
  const auto& gap = std::get<AppendVoid>(messages[0]);
  EXPECT_EQ(gap.range, (PositionRange{1, 7}));
  EXPECT_EQ(messages.size(), 4u);
  EXPECT_THAT(gap.spans, ::testing::UnorderedElementsAre(span("a", 1, 8), span("b", 1, 6)));
  EXPECT_EQ(figures().durable_events, 6u);
  EXPECT_THAT(lines, ::testing::Contains(HasSubstr("captured journal full")));
}

TEST_F(FullJournalTest, ConfirmedFramesAreNotTouched) {
  room_for(3);
  append_many(confirmed, 10, big);
  append_many(captured, 10, big);
  EXPECT_EQ(the_journal().figures(confirmed).voided_events, 0u);
  EXPECT_EQ(the_journal().figures(confirmed).unconfirmed_events, 20u);
}

TEST_F(FullJournalTest, FramesThatAreOnASpoolAreDroppedWithoutAVoid) {
  room_for(4);
  open("s2", 2);
  the_journal().on_link_down(now, "s2");
  open("s1", 1);
  append_many(captured, 4, big);
  turn();
  acknowledge("s1", captured, 4);
  append_many(captured, 2, big);
  EXPECT_EQ(figures().voided_events, 0u);
  open("s2", 2);
  const auto messages = take("s2");
  EXPECT_EQ(std::get<SkipRange>(messages[0]).range, (PositionRange{1, 2}));
}

TEST_F(FullJournalTest, WhatIsUnderWayIsSpared) {
  room_for(8);
  Numbering fresh;
  const std::uint64_t each = fresh.next(big).bytes->size() + record_window_bytes;
  open("s1", 1, {}, {0, 3 * each, {}});
  append_many(captured, 20, big);
  turn();
  acknowledge("s1", captured, 3, 1 << 20);
  EXPECT_EQ(figures().durable_events, 6u);  // all three were stored, none is counted as given up
  const auto messages = take("s1");
  const auto& gap = std::get<AppendVoid>(messages[3]);
  EXPECT_EQ(gap.range.first, 4u);
  EXPECT_EQ(gap.spans.size(), 1u);
  EXPECT_EQ(gap.spans[0].first, 7u);
  EXPECT_EQ(gap.spans[0].last, 2 * gap.range.last);
  EXPECT_EQ(figures().voided_events, 2 * (gap.range.last - 3));
  EXPECT_EQ(figures().unconfirmed_events + figures().voided_events + figures().durable_events, 40u);
}

TEST_F(FullJournalTest, WhatWasUnderWayGivesWayOnceTheLinkIsGone) {
  room_for(4);
  open("s1", 1);
  append_many(captured, 2, big);
  EXPECT_THAT(take_positions("s1"), ElementsAre(1, 2));
  the_journal().on_link_down(now, "s1");
  append_many(captured, 8, big);
  open("s1", 1);
  const auto messages = take("s1");
  EXPECT_EQ(std::get<AppendVoid>(messages[0]).range, (PositionRange{1, 6}));
}

TEST_F(FullJournalTest, AVoidThatNobodyWasSentGrowsAndOneThatWasDoesNot) {
  room_for(2);
  append_many(captured, 4, big);
  append_many(captured, 2, big);
  open("s1", 1, {}, {0, 1, {}});
  EXPECT_EQ(take_all<AppendVoid>("s1").at(0).range, (PositionRange{1, 4}));
  append_many(captured, 2, big);
  acknowledge("s1", captured, 4, 1 << 20);
  const auto messages = take("s1");
  const auto& second = std::get<AppendVoid>(messages[0]);
  EXPECT_EQ(second.range, (PositionRange{5, 6}));
  EXPECT_THAT(second.spans, ElementsAre(span("a.b", 9, 12)));
}

TEST_F(FullJournalTest, AVoidGoesOnFromTheMiddle) {
  room_for(2);
  append_many(captured, 4, big);
  open("s1", 1, {}, {0, 1, {}});
  take("s1");
  the_journal().on_link_down(now, "s1");
  append_many(captured, 4, big);
  open("s1", 1, {}, {2, 1 << 20, {}});  // it took the void and its acknowledgement was lost
  const auto gap = take_all<AppendVoid>("s1").at(0);
  EXPECT_EQ(gap.range, (PositionRange{3, 6}));
  EXPECT_THAT(gap.spans, ElementsAre(span("a.b", 1, 12)));
}

TEST_F(FullJournalTest, AFrameLargerThanTheJournalIsKeptAlone) {
  room_for(2);
  append_many(captured, 2, big);
  append(captured, {.count = 2, .bytes = 100000});
  EXPECT_EQ(figures().voided_events, 4u);
  EXPECT_EQ(figures().unconfirmed_events, 2u);
}

TEST_F(FullJournalTest, WhatAStoreLostAgainBecomesAVoidAndIsNotCountedTwice) {
  room_for(4);
  open("s2", 2);
  the_journal().on_link_down(now, "s2");
  open("s1", 1);
  append_many(captured, 4, big);
  turn();
  acknowledge("s1", captured, 4);
  open("s1", 1, {}, {0, 1, {}});  // an older copy
  the_journal().on_link_down(now, "s1");
  append_many(captured, 4, big);
  EXPECT_EQ(figures().voided_events, 0u);
  EXPECT_EQ(figures().durable_events, 8u);
  open("s1", 1);
  EXPECT_EQ(take_all<AppendVoid>("s1").at(0).range, (PositionRange{1, 4}));
}

TEST_F(FullJournalTest, AVoidOfManyStreamsIsSentInPartsThatCoverAllOfIt) {
  room_for(1);
  constexpr std::size_t streams = 2 * void_spans_max + 100;
  for (std::size_t i = 0; i < 2 * streams; ++i) append(captured, {.type = "t.x" + std::to_string(i % streams)});
  open("s1", 1);
  std::vector<AppendVoid> parts;
  for (const ToSpool& message : drain("s1")) {
    if (const auto* part = std::get_if<AppendVoid>(&message)) parts.push_back(*part);
  }
  ASSERT_EQ(parts.size(), 3u);
  std::map<std::string, std::uint64_t> last;
  Position next = 1;
  for (const AppendVoid& part : parts) {
    EXPECT_EQ(part.range.first, next);
    EXPECT_LE(part.spans.size(), void_spans_max);
    next = part.range.last + 1;
    for (const StreamSpan& span : part.spans) {
      EXPECT_EQ(span.first, 1u);
      last[span.type] = span.last;
    }
  }
  EXPECT_EQ(last.size(), streams);
  std::uint64_t events = 0;
  for (const auto& [type, sequence] : last) events += sequence;
  EXPECT_EQ(events, next - 1);
  EXPECT_EQ(events, figures().voided_events);
}

TEST(JournalVoid, SequencesThatDoNotFollowAreSpansOfTheirOwn) {
  JournalVoid gap;
  gap.add(Priority::High, "a", 0, 1, 4, 1);
  gap.add(Priority::High, "a", 0, 9, 9, 2);
  gap.add(Priority::Low, "a", 0, 1, 1, 3);
  JournalVoid behind;
  behind.add(Priority::High, "a", 0, 10, 12, 4);
  gap.absorb(behind);
  EXPECT_THAT(gap.part_behind(0, 4, 10).spans,
              ElementsAre(StreamSpan{Priority::High, "a", 0, 1, 4}, StreamSpan{Priority::Low, "a", 0, 1, 1},
                          StreamSpan{Priority::High, "a", 0, 9, 12}));
  EXPECT_THAT(gap.part_behind(1, 4, 1).spans, ElementsAre(StreamSpan{Priority::Low, "a", 0, 1, 1}));
  EXPECT_EQ(gap.part_behind(1, 4, 1).last, 3u);
  EXPECT_THAT(gap.part_behind(4, 9, 10).spans, IsEmpty());
  EXPECT_EQ(gap.part_behind(4, 9, 10).last, 9u);
}

}  // namespace
}  // namespace legion
