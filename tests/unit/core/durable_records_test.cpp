// What is recorded, and when: cursors, attempts, letters; and what becomes of it after the process died.
#include <gmock/gmock.h>

#include "durable_kit.hpp"

namespace legion::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const StreamId trades = stream_named("trade.approved");

class DurableRecords : public testing::Test {
 protected:
  void begin(const DurableKit::Sub& sub = {}) {
    kit.subscribe(sub);
    kit.spool();
    kit.start();
    kit.journal.clear();
  }
  /// Another life of the consumer: it knows what the spools know, and these entries.
  std::unique_ptr<DurableKit> reborn(std::optional<std::vector<InFlightEntry>> entries,
                                     const DurableKit::Sub& sub = {}) {
    auto next = std::make_unique<DurableKit>();
    next->now = kit.now;
    next->spools = kit.spools;
    next->subscribe(sub);
    if (entries) next->durable.on_start_in_flight(*std::move(entries));
    return next;
  }
  static InFlightEntry in_hands(std::uint64_t sequence, std::uint32_t attempt, const StreamId& stream = trades) {
    return {"orders", "c/orders", stream, sequence, attempt, InFlightEntry::Stage::InHands};
  }
  DurableKit kit;
};

TEST_F(DurableRecords, CursorsAreWrittenAfterATimeAndOnlyWhatMoved) {
  begin();
  const StreamId other = stream_named("trade.other");
  kit.publish(frame_in(trades, 1, 3));
  kit.publish(frame_in(other, 1, 1));
  kit.handle();
  EXPECT_THAT(kit.journal, IsEmpty());
  kit.pass(250ms);
  ASSERT_THAT(kit.written<CursorRecord>(), SizeIs(1));
  EXPECT_EQ(kit.written<CursorRecord>()[0].form, CursorRecord::Form::Delta);
  EXPECT_EQ(kit.written<CursorRecord>()[0].streams, (std::vector<StreamCursor>{{trades, 3, {}}, {other, 1, {}}}));
  kit.settle();
  kit.publish(frame_in(other, 2, 1));
  kit.handle();
  kit.pass(250ms);
  EXPECT_EQ(kit.written<CursorRecord>().at(0).streams, (std::vector<StreamCursor>{{other, 2, {}}}));
}

TEST_F(DurableRecords, CursorsAreWrittenAfterANumberOfEvents) {
  begin();
  for (std::uint64_t n = 0; n < 60; ++n) {
    kit.publish(frame_in(trades, 1 + 100 * n, 100));
    kit.handle();
  }
  ASSERT_THAT(kit.written<CursorRecord>(), SizeIs(1));
  EXPECT_EQ(kit.written<CursorRecord>()[0].streams.at(0).done, 5000u);
}

TEST_F(DurableRecords, CursorsThatNobodyConfirmsDoNotPileUp) {
  begin();
  for (std::uint64_t n = 0; n < 50; ++n) {
    kit.publish(frame_in(trades, 1 + n, 1));
    kit.handle();
    kit.pass(250ms);
  }
  EXPECT_THAT(kit.written<CursorRecord>(), SizeIs(2));
  kit.settle(1s);
  EXPECT_EQ(kit.done(trades), 50u);
}

TEST_F(DurableRecords, TheLastCursorIsWrittenAtTheEnd) {
  begin();
  kit.publish(frame_in(trades, 1, 3));
  kit.handle();
  kit.durable.begin_drain(kit.now);
  kit.publish(frame_in(trades, 4, 3));
  EXPECT_FALSE(kit.handle());
  kit.durable.close(kit.now);
  kit.drain();
  kit.confirm_records();
  EXPECT_EQ(kit.done(trades), 3u);
}

TEST_F(DurableRecords, ALetterIsWrittenBeforeTheCursorPassesItsEvent) {
  begin();
  kit.publish(frame_in(trades, 1, 3, WallTime{5}));
  kit.handler = [](const auto& one) { return one.sequence == 2 ? Outcome::reject("no such market") : Outcome::done(); };
  kit.handle();
  ASSERT_THAT(kit.journal, SizeIs(2));
  const auto& letter = std::get<LetterRecord>(kit.journal[0].record);
  EXPECT_EQ(letter.event, event_id(trades, 2));
  EXPECT_EQ(letter.agent, "c/orders");
  EXPECT_EQ(letter.subscription, "orders");
  EXPECT_EQ(letter.round, 1u);
  EXPECT_EQ(letter.state, LetterState::Dead);
  ASSERT_THAT(letter.deaths, SizeIs(1));
  EXPECT_EQ(letter.deaths[0].agent, "c/orders");
  EXPECT_EQ(letter.deaths[0].reason, "rejected");
  EXPECT_EQ(letter.deaths[0].attempts, 1u);
  EXPECT_EQ(letter.deaths[0].error, "no such market");
  const auto event = Frame::decode(Bytes(letter.frame)).value();
  EXPECT_EQ(event->events().at(0).id_string(), event_id(trades, 2));
  EXPECT_EQ(event->events().at(0).time, WallTime{1'000'000'005});
  EXPECT_EQ(std::get<CursorRecord>(kit.journal[1].record).streams.at(0).done, 2u);
}

TEST_F(DurableRecords, ExpiredAndUndecodableEventsBecomeLetters) {
  begin();
  kit.publish(frame_in(trades, 1, 1, {}, WallTime{10}));
  FrameBuilder broken;
  broken.begin(trades.origin, trades.lane, trades.type, trades.shard, 2);
  broken.append(Bytes{0xc0});
  kit.publish(Frame::decode(broken.finish()).value());
  kit.settle();
  ASSERT_THAT(kit.spool().letters, SizeIs(2));
  EXPECT_EQ(kit.spool().letters.at(event_id(trades, 1) + " c/orders").deaths[0].reason, "expired");
  EXPECT_EQ(kit.spool().letters.at(event_id(trades, 2) + " c/orders").deaths[0].reason, "undecodable");
  kit.settle(1s);
  EXPECT_EQ(kit.done(trades), 2u);
  EXPECT_THAT(kit.handled(), IsEmpty());
}

/// A handler that fails everything must not fill the memory while no spool confirms; what is left out is told.
TEST_F(DurableRecords, LettersOfPlainSubscriptionsAreLeftOutWhenNoSpoolConfirms) {
  DurableConfig config;
  config.record_bytes = 8 << 10;
  DurableKit full(config);
  full.plain("watch");
  full.spool();
  full.start();
  full.handler = [](const auto&) { return Outcome::reject("no"); };
  for (std::uint64_t n = 1; n <= 40; ++n) {
    full.live(frame_in(trades, n, 1));
    full.handle();
  }
  const auto written = full.written<LetterRecord>().size();
  EXPECT_GT(written, 5u);
  EXPECT_LT(written, 20u);
  EXPECT_THAT(full.logs,
              testing::Contains(testing::HasSubstr("1 dead letters of plain subscriptions are not recorded")));
  full.settle();
  EXPECT_THAT(full.spool().letters, SizeIs(written));
  full.live(frame_in(trades, 41, 1));
  full.settle();
  EXPECT_TRUE(full.spool().letters.contains(event_id(trades, 41) + " c/watch"));
}

TEST_F(DurableRecords, LettersOfPlainSubscriptionsAreRecordedToo) {
  const auto sub = kit.plain("watch");
  kit.spool();
  kit.handler = [](const auto&) { return Outcome::reject("no"); };
  kit.live(frame_in(trades, 1, 1));
  kit.handle();
  EXPECT_THAT(kit.journal, IsEmpty());  // no spool is known yet
  kit.start();
  kit.live(frame_in(trades, 2, 1));
  kit.settle();
  EXPECT_THAT(kit.handled(sub), ElementsAre(1, 2));
  const auto& letter = kit.spool().letters.at(event_id(trades, 2) + " c/watch");
  EXPECT_EQ(letter.subscription, "");
  EXPECT_EQ(letter.deaths.at(0).reason, "rejected");
}

TEST_F(DurableRecords, ARetryWaitsUntilItsAttemptIsConfirmed) {
  begin();
  kit.publish(frame_in(trades, 1, 1));
  kit.handler = [](const auto& one) { return one.attempt < 3 ? Outcome::retry("not yet") : Outcome::done(); };
  kit.handle();
  ASSERT_THAT(kit.written<AttemptRecord>(), SizeIs(1));
  EXPECT_EQ(kit.written<AttemptRecord>()[0].event, event_id(trades, 1));
  EXPECT_EQ(kit.written<AttemptRecord>()[0].attempts, 2u);
  EXPECT_EQ(kit.written<AttemptRecord>()[0].error, "not yet");
  EXPECT_EQ(kit.figures().retrying, 1u);
  kit.pass(10s);
  EXPECT_FALSE(kit.handle());
  kit.spool().reachable = false;
  kit.pass(10s);
  EXPECT_FALSE(kit.confirm_records());
  kit.spool().reachable = true;
  kit.settle(1s);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 1, 1));
  EXPECT_EQ(kit.done(trades), 1u);
  EXPECT_EQ(kit.figures().retrying, 0u);
}

TEST_F(DurableRecords, NothingIsOfferedWhileTooMuchWaitsToBeConfirmed) {
  DurableConfig config;
  config.record_bytes = 4000;
  DurableKit tight(config);
  tight.subscribe({});
  tight.spool();
  tight.start();
  tight.handler = [](const auto&) { return Outcome::reject("x"); };
  for (std::uint64_t n = 1; n <= 50; ++n) {
    tight.publish(frame_in(trades, n, 1, {}, {}, 500));
    tight.handle();
  }
  EXPECT_LE(tight.written<LetterRecord>().size(), 4u);
  tight.settle(1s);
  EXPECT_THAT(tight.handled(), SizeIs(50));
  EXPECT_THAT(tight.spool().letters, SizeIs(50));
}

TEST_F(DurableRecords, AttemptsSurviveARestart) {
  begin();
  kit.publish(frame_in(trades, 1, 3));
  kit.handler = [](const auto& one) { return one.sequence == 1 ? Outcome::retry("no route") : Outcome::done(); };
  kit.handle();
  kit.confirm_records();
  kit.pass(150ms);
  kit.handle();  // the second attempt fails; the record of the third is written
  kit.confirm_records();
  InFlightEntry failed = in_hands(1, 2);
  failed.stage = InFlightEntry::Stage::Failed;
  auto next = reborn({{failed}});
  next->handler = kit.handler;
  next->meet_spools();
  for (int n = 0; n < 5; ++n) next->answer_queries();
  EXPECT_FALSE(next->handle());
  ASSERT_THAT(next->written<AttemptRecord>(), SizeIs(1));
  EXPECT_EQ(next->written<AttemptRecord>()[0].attempts, 3u);
  next->settle(2s);
  EXPECT_EQ(next->handed.at(0).attempt, 3u);
  EXPECT_THAT(next->handled(), ElementsAre(1, 2, 3));
  const auto& letter = next->spool().letters.at(event_id(trades, 1) + " c/orders");
  EXPECT_EQ(letter.deaths.at(0).attempts, 3u);
  EXPECT_EQ(letter.deaths.at(0).error, "no route");
}

TEST_F(DurableRecords, WhatHasNoAttemptLeftIsDeadWithoutBeingHandedOver) {
  begin();
  kit.publish(frame_in(trades, 1, 3));
  kit.spool().record(AttemptRecord{"orders", event_id(trades, 1), 3, "boom", WallTime{1}, WallTime{2}});
  auto next = reborn(std::nullopt);
  next->start();
  EXPECT_THAT(next->handled(), ElementsAre(2, 3));
  const auto& letter = next->spool().letters.at(event_id(trades, 1) + " c/orders");
  EXPECT_EQ(letter.deaths.at(0).attempts, 3u);
  EXPECT_EQ(letter.deaths.at(0).error, "boom");
  EXPECT_EQ(next->durable.books({0}).dead, 1u);
}

TEST_F(DurableRecords, WhatWasRejectedIsALetterThatSaysSoAlsoIfTheNodeEndedBeforeItWasWritten) {
  begin();
  kit.publish(frame_in(trades, 1, 3));
  InFlightEntry rejected = in_hands(2, 1);
  rejected.stage = InFlightEntry::Stage::Rejected;
  auto next = reborn({{rejected}});
  next->start();
  EXPECT_THAT(next->handled(), ElementsAre(1, 3));
  const auto& letter = next->spool().letters.at(event_id(trades, 2) + " c/orders");
  EXPECT_EQ(letter.deaths.at(0).reason, "rejected");
  EXPECT_EQ(letter.deaths.at(0).attempts, 1u);
  EXPECT_EQ(letter.deaths.at(0).error, rejected_before_text);
  EXPECT_EQ(next->durable.books({0}).dead, 1u);
}

TEST_F(DurableRecords, AnAttemptThatWasRecordedAndNotMadeDoesNotCount) {
  begin();
  kit.publish(frame_in(trades, 1, 1));
  kit.spool().record(AttemptRecord{"orders", event_id(trades, 1), 3, "boom", WallTime{1}, WallTime{2}});
  auto next = reborn(std::vector<InFlightEntry>{});
  next->start();
  ASSERT_THAT(next->handed, SizeIs(1));
  EXPECT_EQ(next->handed[0].attempt, 3u);
}

TEST_F(DurableRecords, WhatKillsTheProcessIsDeadAfterExactlyMaxAttempts) {
  begin();
  kit.publish(frame_in(trades, 1, 3));
  // Each life hands over event 1 and dies with it in hands.
  std::vector<InFlightEntry> left;
  std::uint32_t hand_overs = 0;
  std::map<std::string, ModelSpool> world = kit.spools;
  for (int life = 0; life < 6; ++life) {
    DurableKit node;
    node.spools = world;
    node.subscribe({});
    node.durable.on_start_in_flight(left);
    left.clear();
    node.meet_spools();
    for (int n = 0; n < 10; ++n) {
      node.answer_queries();
      node.confirm_records();
    }
    if (const auto task = node.dispatcher.next(node.now); task && task->sequence() == 1) {
      ++hand_overs;
      EXPECT_EQ(task->attempt, hand_overs);
      left.push_back(in_hands(1, task->attempt));
    }
    world = node.spools;
  }
  EXPECT_EQ(hand_overs, 3u);
  const auto& letter = world["s1"].letters.at(event_id(trades, 1) + " c/orders");
  EXPECT_EQ(letter.deaths.at(0).attempts, 3u);
  EXPECT_THAT(letter.deaths.at(0).error, testing::HasSubstr("the node ended"));
}

TEST_F(DurableRecords, SuspectsComeAloneAndBeforeEverythingElse) {
  const StreamId other = stream_named("trade.other");
  const StreamId third = stream_named("trade.third");
  begin();
  for (const StreamId& stream : {trades, other, third}) kit.spool().store(frame_in(stream, 1, 4));
  auto next = reborn({{in_hands(2, 1), in_hands(3, 1, other)}});
  next->meet_spools();
  Seqs order;
  for (int n = 0; n < 30; ++n) {
    next->answer_queries();
    next->confirm_records();
    if (next->handed.size() < 5) {
      EXPECT_LE(next->figures().under_way, 1u) << next->handed.size();
    }
    next->handle(1);
  }
  next->settle(1s);
  ASSERT_THAT(next->handed, SizeIs(12));
  for (std::size_t n = 0; n < 5; ++n) EXPECT_NE(next->handed[n].stream, third) << n;
  for (const auto& one : next->handed) {
    const bool was_suspect = (one.stream == trades && one.sequence == 2) || (one.stream == other && one.sequence == 3);
    EXPECT_EQ(one.attempt, was_suspect ? 2u : 1u);
  }
}

TEST_F(DurableRecords, SuspectsThatCannotBeReadDoNotHoldTheOthersForEver) {
  const StreamId other = stream_named("trade.other");
  begin();
  kit.spool().store(frame_in(other, 1, 2));
  auto next = reborn({{in_hands(2, 1)}});
  next->start();
  next->settle(20s);
  EXPECT_THAT(next->handled(), IsEmpty());
  next->settle(20s);
  EXPECT_THAT(next->handled(), ElementsAre(1, 2));
}

TEST_F(DurableRecords, AnEventThatWasWaitedForAndIsDeadStandsStillNoMore) {
  begin();
  kit.publish(frame_in(trades, 1, 1));
  kit.settle(1s);
  auto next = reborn({{in_hands(2, 1)}}, {.max_attempts = 1});
  next->start();
  next->durable.on_tail(next->now, trades, 3);
  next->settle(5s);
  EXPECT_THAT(next->figures().streams.at(0).stalled, testing::HasSubstr("waits for 2"));
  next->spool().store(frame_in(trades, 2, 1));
  next->meet_spools();
  next->settle(5s);
  EXPECT_EQ(next->done(trades), 2u);
  EXPECT_THAT(next->handled(), IsEmpty());
  ASSERT_THAT(next->stalls, SizeIs(2));
  EXPECT_EQ(next->stalls[1].why, "");
}

TEST_F(DurableRecords, AnEventThatIsDoneIsNoSuspect) {
  begin();
  kit.publish(frame_in(trades, 1, 3));
  kit.settle(1s);
  auto next = reborn({{in_hands(3, 1)}});
  next->start();
  next->publish(frame_in(trades, 4, 1));
  next->settle();
  EXPECT_THAT(next->handled(), ElementsAre(4));
  EXPECT_EQ(next->handed[0].attempt, 1u);
}

}  // namespace
}  // namespace legion::test
