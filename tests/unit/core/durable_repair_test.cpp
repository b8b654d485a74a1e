// Events come in order, whatever is missing and wherever it has to be got from.
#include <gmock/gmock.h>

#include "durable_kit.hpp"

namespace legion::test {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

const StreamId trades = stream_named("trade.approved");

Seqs upto(std::uint64_t first, std::uint64_t last) {
  Seqs out;
  for (std::uint64_t n = first; n <= last; ++n) out.push_back(n);
  return out;
}

class DurableRepair : public testing::Test {
 protected:
  void begin(const DurableKit::Sub& sub = {}) {
    kit.subscribe(sub);
    kit.spool();
    kit.start();
  }
  DurableKit kit;
};

TEST_F(DurableRepair, AFrameInStepGoesWithTheOthers) {
  begin();
  kit.publish(frame_in(trades, 1, 3));
  kit.publish(frame_in(trades, 4, 2));
  EXPECT_THAT(kit.offers, IsEmpty());
  EXPECT_THAT(kit.queries, IsEmpty());
  kit.settle();
  EXPECT_THAT(kit.handled(), ElementsAreArray(upto(1, 5)));
}

TEST_F(DurableRepair, WhatWasSeenBeforeIsLeftOut) {
  begin();
  kit.publish(frame_in(trades, 1, 3));
  kit.publish(frame_in(trades, 1, 3));
  kit.publish(frame_in(trades, 2, 4));
  kit.live(frame_in(trades, 4, 4), 2);
  kit.settle();
  EXPECT_THAT(kit.handled(), ElementsAreArray(upto(1, 7)));
}

TEST_F(DurableRepair, AGapIsFilledInOrderWhileLiveFramesWait) {
  begin();
  kit.publish(frame_in(trades, 1, 2));
  kit.spool().store(frame_in(trades, 3, 2));
  kit.spool().store(frame_in(trades, 5, 1));
  kit.publish(frame_in(trades, 6, 2));
  kit.publish(frame_in(trades, 8, 1));
  kit.handle();
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2));
  ASSERT_THAT(kit.asked<AskStream>(), SizeIs(1));
  EXPECT_EQ(kit.asked<AskStream>()[0].first, 3u);
  EXPECT_EQ(kit.asked<AskStream>()[0].last, 5u);
  kit.settle();
  EXPECT_THAT(kit.handled(), ElementsAreArray(upto(1, 8)));
  EXPECT_EQ(kit.figures().repaired, 3u);
  EXPECT_EQ(kit.figures().held_bytes, 0u);
}

TEST_F(DurableRepair, ALostLastEventIsFoundByTheTail) {
  begin();
  kit.publish(frame_in(trades, 1, 2));
  kit.spool().store(frame_in(trades, 3, 2));
  kit.durable.on_tail(kit.now, trades, 5);
  kit.drain();
  kit.settle();
  EXPECT_THAT(kit.handled(), ElementsAreArray(upto(1, 4)));
}

TEST_F(DurableRepair, WhatOnlyTheSpoolHasIsFoundWhenItsMarkMoves) {
  begin();
  const StreamId dead = stream_named("trade.late", "gone");
  kit.settle(3s);
  EXPECT_THAT(kit.asked<AskTails>(), IsEmpty());
  kit.spool().store(frame_in(dead, 1, 3));
  kit.settle(3s);
  EXPECT_THAT(kit.handled(), IsEmpty());  // its heartbeat has not come yet
  kit.meet_spools();
  kit.settle();
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3));
}

TEST_F(DurableRepair, TailsAreAskedForOnlySoOften) {
  begin();
  kit.settle(3s);
  for (int n = 0; n < 40; ++n) {
    kit.spool().mark++;
    kit.meet_spools();
    EXPECT_THAT(kit.asked<AskTails>(), SizeIs(Le(1u)));
    kit.pass(100ms);
  }
  EXPECT_THAT(kit.asked<AskTails>(), SizeIs(1));
}

TEST_F(DurableRepair, LiveFramesBeyondTheBoundAreReadLater) {
  DurableConfig config;
  config.buffer_bytes = 64 * 1024;
  config.page_bytes = 16 * 1024;
  DurableKit small(config);
  small.subscribe({});
  small.spool();
  small.start();
  small.spool().store(frame_in(trades, 1, 1));
  for (std::uint64_t n = 2; n < 200; ++n) small.publish(frame_in(trades, n, 1, {}, {}, 1000));
  EXPECT_LE(small.figures().held_bytes, 32u * 1024);
  EXPECT_GT(small.figures().held_bytes, 16u * 1024);
  small.settle(1s);
  EXPECT_THAT(small.handled(), ElementsAreArray(upto(1, 199)));
}

TEST_F(DurableRepair, CatchesUpWithBoundedMemoryAndOnePageAtATime) {
  DurableConfig config;
  config.buffer_bytes = 256 * 1024;
  config.page_bytes = 16 * 1024;
  DurableKit far(config);
  far.subscribe({.capacity = 64});
  far.spool();
  for (std::uint64_t n = 0; n < 500; ++n) far.spool().store(frame_in(trades, 1 + 10 * n, 10, {}, {}, 200));
  far.meet_spools();
  std::uint64_t most = 0;
  for (int n = 0; n < 20000 && far.handled().size() < 5000; ++n) {
    far.answer_queries();
    far.confirm_records();
    far.handle(7);
    const auto figures = far.figures();
    most = std::max(most, figures.held_bytes);
    EXPECT_LE(figures.under_way, 64u);
    EXPECT_THAT(far.asked<AskStream>(), SizeIs(Le(1u)));
  }
  EXPECT_LE(most, 3u * 16 * 1024 + 4096);
  EXPECT_THAT(far.handled(), ElementsAreArray(upto(1, 5000)));
}

TEST_F(DurableRepair, OnlyAFewStreamsAreAskedForAtOnce) {
  DurableConfig config;
  config.queries_max = 3;
  DurableKit wide(config);
  wide.subscribe({});
  wide.spool();
  for (int n = 0; n < 20; ++n) wide.spool().store(frame_in(stream_named("trade.t" + std::to_string(n)), 1, 2));
  wide.meet_spools();
  for (int n = 0; n < 8; ++n) {
    std::vector<SpoolQuery> pages;
    std::ranges::copy_if(wide.queries, std::back_inserter(pages),
                         [](const SpoolQuery& query) { return std::holds_alternative<AskStream>(query.what); });
    EXPECT_LE(pages.size(), 3u);
    wide.answer_queries();
    wide.confirm_records();
  }
  wide.settle(1s);
  EXPECT_EQ(wide.handed.size(), 40u);
}

TEST_F(DurableRepair, NoMoreThanTheCapacityIsUnderWay) {
  begin({.capacity = 4});
  for (std::uint64_t n = 0; n < 10; ++n) kit.publish(frame_in(trades, 1 + 3 * n, 3));
  EXPECT_LE(kit.figures().under_way, 4u);
  EXPECT_EQ(kit.dispatcher.books({0}).pending, kit.figures().under_way);
  kit.settle();
  EXPECT_THAT(kit.handled(), ElementsAreArray(upto(1, 30)));
}

TEST_F(DurableRepair, EachLaneHasARoomOfItsOwn) {
  begin({.capacity = 4});
  StreamId urgent = stream_named("trade.urgent");
  urgent.lane = Priority::Critical;
  kit.publish(frame_in(trades, 1, 30));
  kit.publish(frame_in(urgent, 1, 2));
  kit.handle(1);
  EXPECT_EQ(kit.handed.at(0).stream, urgent);
}

TEST_F(DurableRepair, StreamsThatWaitForRoomTakeTurns) {
  begin({.capacity = 8});
  std::vector<StreamId> streams;
  for (int n = 0; n < 4; ++n) streams.push_back(stream_named("trade.t" + std::to_string(n)));
  for (const StreamId& stream : streams) {
    for (std::uint64_t n = 0; n < 20; ++n) kit.publish(frame_in(stream, 1 + 4 * n, 4));
  }
  kit.handle(80);
  std::map<StreamId, int> count;
  for (const auto& one : kit.handed) ++count[one.stream];
  for (const StreamId& stream : streams) EXPECT_GE(count[stream], 8);
  kit.settle();
  EXPECT_EQ(kit.handed.size(), 320u);
}

TEST_F(DurableRepair, NothingIsOfferedFarBeyondTheCursor) {
  begin({.capacity = 5000, .concurrency = 2000});
  std::vector<std::uint64_t> held;
  kit.handler = [&](const DurableKit::Handled& one) {
    return one.sequence == 1 ? Outcome::deferred() : Outcome::done();
  };
  for (std::uint64_t n = 0; n < 30; ++n) kit.publish(frame_in(trades, 1 + 100 * n, 100));
  kit.settle(1s);
  const std::uint64_t last = kit.handled().back();
  EXPECT_GT(last, limits::cursor_ahead_max - 32);
  EXPECT_LE(last, limits::cursor_ahead_max + 1);
  EXPECT_EQ(kit.done(trades), 0u);
  EXPECT_EQ(kit.cursor().streams.at(0).ahead, (Spans{{2, last}}));
}

TEST_F(DurableRepair, AnotherSpoolIsAskedWhenOneHasItNot) {
  kit.subscribe({});
  kit.spool("s1");
  kit.spool("s2").store(frame_in(trades, 1, 3));
  kit.start();
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3));
}

TEST_F(DurableRepair, AnotherSpoolIsAskedWhenOneFails) {
  kit.subscribe({});
  for (const char* name : {"s1", "s2"}) kit.spool(name).store(frame_in(trades, 1, 3));
  kit.meet_spools();
  for (int n = 0; n < 5 && kit.asked<AskStream>().empty(); ++n) {
    kit.answer_queries();
    kit.confirm_records();
  }
  ASSERT_THAT(kit.asked<AskStream>(), SizeIs(1));
  const std::string first = kit.queries[0].spool;
  kit.fail_queries();
  ASSERT_THAT(kit.asked<AskStream>(), SizeIs(1));
  EXPECT_NE(kit.queries[0].spool, first);
  kit.settle();
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3));
}

TEST_F(DurableRepair, AQueryWithoutAnAnswerIsGivenUp) {
  begin();
  kit.spool().store(frame_in(trades, 1, 2));
  kit.live(frame_in(trades, 3, 1));
  ASSERT_THAT(kit.asked<AskStream>(), SizeIs(1));
  const auto lost_query = std::exchange(kit.queries, {});
  for (int n = 0; n < 700; ++n) kit.pass(50ms);
  EXPECT_THAT(kit.asked<AskStream>(), SizeIs(1));
  kit.durable.on_stream(kit.now, lost_query[0].id, kit.spool().read(std::get<AskStream>(lost_query[0].what)));
  kit.drain();
  EXPECT_THAT(kit.offers, IsEmpty());
  kit.settle();
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3));
}

TEST_F(DurableRepair, WhatIsMissingIsAskedForAgainMoreRarely) {
  begin();
  kit.live(frame_in(trades, 5, 1));
  int asked = 0;
  for (int n = 0; n < 200; ++n) {  // 10 s
    asked += static_cast<int>(kit.asked<AskStream>().size());
    kit.answer_queries();
    kit.pass(50ms);
  }
  EXPECT_GE(asked, 6);
  EXPECT_LE(asked, 16);
}

TEST_F(DurableRepair, FramesOfAnotherStreamAreNotBelieved) {
  begin();
  kit.live(frame_in(trades, 5, 1));
  ASSERT_THAT(kit.asked<AskStream>(), SizeIs(1));
  StreamAnswer lie;
  lie.parts.push_back({StreamAnswer::Part::Kind::Frame, 1, 4, {}, frame_in(stream_named("trade.other"), 1, 4)});
  lie.next = 5;
  kit.durable.on_stream(kit.now, kit.queries[0].id, lie);
  kit.queries.clear();
  kit.drain();
  EXPECT_FALSE(kit.handle());
  kit.spool().store(frame_in(trades, 1, 4));
  kit.settle(1s);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(DurableRepair, AnswersWithHolesAreNotBelieved) {
  begin();
  kit.live(frame_in(trades, 9, 1));
  StreamAnswer lie;
  lie.parts.push_back({StreamAnswer::Part::Kind::Frame, 1, 2, {}, frame_in(trades, 1, 2)});
  lie.parts.push_back({StreamAnswer::Part::Kind::Frame, 5, 8, {}, frame_in(trades, 5, 4)});
  kit.durable.on_stream(kit.now, kit.queries.at(0).id, lie);
  kit.queries.clear();
  kit.drain();
  kit.spool().store(frame_in(trades, 1, 4));
  kit.spool().store(frame_in(trades, 5, 4));
  kit.settle(1s);
  EXPECT_THAT(kit.handled(), ElementsAreArray(upto(1, 9)));
}

TEST_F(DurableRepair, AnEmptyAnswerIsNoAnswer) {
  begin();
  kit.live(frame_in(trades, 9, 1));
  for (int n = 0; n < 5; ++n) {
    for (const SpoolQuery& query : std::exchange(kit.queries, {})) kit.durable.on_stream(kit.now, query.id, {});
    kit.drain();
    EXPECT_THAT(kit.queries, IsEmpty());
    kit.pass(5s);
  }
  EXPECT_THAT(kit.handled(), IsEmpty());
}

TEST_F(DurableRepair, WhateverIsRepairedGoesThroughTheGates) {
  const auto gate = kit.gate("risk");
  const auto sub = kit.subscribe({});
  kit.spool().store(frame_in(trades, 1, 3));
  kit.handler = [&](const DurableKit::Handled& one) {
    return one.subscription == gate && one.sequence == 2 ? Outcome::stop() : Outcome::done();
  };
  kit.start();
  EXPECT_THAT(kit.handled(gate), ElementsAre(1, 2, 3));
  EXPECT_THAT(kit.handled(sub), ElementsAre(1, 3));
  kit.settle(1s);
  EXPECT_EQ(kit.done(trades), 3u);
}

TEST_F(DurableRepair, TwoSubscriptionsHaveEachTheirOwnCursor) {
  const auto first = kit.subscribe({.name = "one"});
  const auto second = kit.subscribe({.name = "two", .filter = "trade.approved"});
  kit.spool().store(frame_in(trades, 1, 3));
  kit.spool().record(CursorRecord{"two", {1, "c"}, "trade.approved", CursorRecord::Form::Whole, {{trades, 2, {}}}});
  kit.start();
  EXPECT_THAT(kit.handled(first), ElementsAre(1, 2, 3));
  EXPECT_THAT(kit.handled(second), ElementsAre(3));
  kit.settle(1s);
  EXPECT_EQ(kit.done(trades, "one"), 3u);
  EXPECT_EQ(kit.done(trades, "two"), 3u);
}

}  // namespace
}  // namespace legion::test
