// What operators do: requeue and purge letters, reset, skip and remove subscriptions.
#include <gmock/gmock.h>

#include "durable_kit.hpp"

namespace legion::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const StreamId trades = stream_named("trade.approved");
const std::string key = event_id(trades, 2) + " c/orders";

class DurableRequeue : public testing::Test {
 protected:
  /// One letter, of event 2 of 3.
  void begin_with_letter(const DurableKit::Sub& sub = {}) {
    id = kit.subscribe(sub);
    other = kit.plain("watch");
    kit.spool();
    kit.start();
    kit.handler = [this](const DurableKit::Handled& one) {
      const bool fails = one.subscription == id && one.sequence == 2 && !is_fixed;
      return fails ? Outcome::reject("bad day") : Outcome::done();
    };
    kit.publish(frame_in(trades, 1, 3));
    kit.settle(1s);
    ASSERT_TRUE(kit.spool().letters.contains(key));
    kit.handed.clear();
    kit.journal.clear();
  }
  void requeue(RequestId request = 1) {
    kit.durable.on_requeue(kit.now, request, kit.spool().letters.at(key));
    kit.drain();
  }
  const LetterRecord& letter() { return kit.spool().letters.at(key); }
  std::string answer_to(RequestId request) {
    for (const RequestAnswer& answered : kit.answers) {
      if (answered.request == request) return answered.answer ? *answered.answer : answered.answer.error().message;
    }
    return "none";
  }

  DurableKit kit;
  SubscriptionId id, other;
  bool is_fixed = false;
};

TEST_F(DurableRequeue, GoesToTheAgentThatFailedAndToNobodyElse) {
  begin_with_letter();
  is_fixed = true;
  requeue();
  EXPECT_FALSE(kit.handle());
  EXPECT_EQ(answer_to(1), "none");
  kit.settle();
  EXPECT_EQ(answer_to(1), "requeued");
  ASSERT_THAT(kit.handed, SizeIs(1));
  EXPECT_EQ(kit.handed[0].subscription, id);
  EXPECT_EQ(kit.handed[0].sequence, 2u);
  EXPECT_EQ(kit.handed[0].attempt, 1u);
  EXPECT_EQ(letter().state, LetterState::Resolved);
  EXPECT_EQ(letter().round, 1u);
  EXPECT_EQ(letter().requeues, 1u);
  ASSERT_THAT(kit.journal, SizeIs(2));
  EXPECT_EQ(std::get<LetterRecord>(kit.journal[0].record).state, LetterState::Requeued);
  EXPECT_EQ(kit.dispatcher.books(id).published, 3u);  // it was counted the first time
}

TEST_F(DurableRequeue, ThatFailsAgainIsALetterOfTheNextRound) {
  begin_with_letter();
  requeue();
  kit.settle();
  EXPECT_EQ(letter().state, LetterState::Dead);
  EXPECT_EQ(letter().round, 2u);
  EXPECT_EQ(letter().requeues, 1u);
  ASSERT_THAT(letter().deaths, SizeIs(2));
  EXPECT_FALSE(letter().frame.empty());
  is_fixed = true;
  requeue(2);
  kit.settle();
  EXPECT_EQ(letter().state, LetterState::Resolved);
  EXPECT_EQ(letter().round, 2u);
}

TEST_F(DurableRequeue, IsRefusedBeyondItsLimit) {
  begin_with_letter();
  for (RequestId n = 1; n <= 3; ++n) {
    requeue(n);
    kit.settle();
    EXPECT_EQ(answer_to(n), "requeued");
  }
  kit.handed.clear();
  requeue(4);
  kit.settle();
  EXPECT_EQ(answer_to(4), "it was requeued 3 times already");
  EXPECT_THAT(kit.handed, IsEmpty());
}

TEST_F(DurableRequeue, ARepeatedCommandHandsItOverOnce) {
  begin_with_letter();
  is_fixed = true;
  const LetterRecord as_it_was = letter();
  requeue(1);
  requeue(2);
  kit.confirm_records();
  kit.durable.on_requeue(kit.now, 3, as_it_was);
  kit.drain();
  kit.settle();
  kit.durable.on_requeue(kit.now, 4, as_it_was);
  kit.drain();
  kit.settle();
  EXPECT_THAT(kit.handed, SizeIs(1));
  EXPECT_EQ(answer_to(1), "requeued");
  EXPECT_EQ(answer_to(2), "requeued");
  EXPECT_EQ(answer_to(3), "requeued already");
  EXPECT_EQ(answer_to(4), "it is resolved");
}

TEST_F(DurableRequeue, ItsRetriesAreRecordedToo) {
  begin_with_letter();
  int attempts = 0;
  kit.handler = [&](const auto&) { return ++attempts < 3 ? Outcome::retry("hm") : Outcome::done(); };
  requeue();
  kit.settle(2s);
  EXPECT_EQ(attempts, 3);
  std::vector<std::uint32_t> recorded;
  for (const WriteRecord& record : kit.journal) {
    if (const auto* one = std::get_if<LetterRecord>(&record.record)) recorded.push_back(one->attempts);
  }
  EXPECT_THAT(recorded, ElementsAre(1, 2, 3, 3));
  EXPECT_EQ(letter().state, LetterState::Resolved);
}

TEST_F(DurableRequeue, StartsAtTheGates) {
  const auto gate = kit.gate("risk");
  begin_with_letter();
  is_fixed = true;
  requeue();
  kit.settle();
  ASSERT_THAT(kit.handed, SizeIs(2));
  EXPECT_EQ(kit.handed[0].subscription, gate);
  EXPECT_EQ(kit.handed[1].subscription, id);
}

TEST_F(DurableRequeue, WorksForAPlainSubscription) {
  const auto plain = kit.plain("plain");
  kit.spool();
  kit.start();
  kit.handler = [&](const auto&) { return is_fixed ? Outcome::done() : Outcome::reject("no"); };
  kit.live(frame_in(trades, 1, 1));
  kit.settle();
  is_fixed = true;
  const std::string plain_key = event_id(trades, 1) + " c/plain";
  kit.durable.on_requeue(kit.now, 1, kit.spool().letters.at(plain_key));
  kit.drain();
  kit.settle();
  EXPECT_THAT(kit.handled(plain), ElementsAre(1, 1));
  EXPECT_EQ(kit.spool().letters.at(plain_key).state, LetterState::Resolved);
}

/// A replayed event is in no durable stream: it comes by a plain route, and so does its letter.
class DurableRequeueOfAReplay : public DurableRequeue, public testing::WithParamInterface<const char*> {
 protected:
  const StreamId replays = stream_named(std::string(GetParam()) + "trade.approved", "c");
  const std::string replay_key = event_id(replays, 1) + " c/orders";
};
INSTANTIATE_TEST_SUITE_P(Kinds, DurableRequeueOfAReplay, testing::Values("~replay.", "~replay_to."));

TEST_P(DurableRequeueOfAReplay, GoesThroughTheGatesToTheAgentThatFailed) {
  id = kit.subscribe({});
  const auto gate = kit.gate("risk");
  other = kit.plain("watch");
  kit.spool();
  kit.start();
  kit.handler = [this](const DurableKit::Handled& one) {
    return one.subscription == id && !is_fixed ? Outcome::reject("bad day") : Outcome::done();
  };
  kit.replay(id, frame_in(replays, 1, 1));
  kit.settle(1s);
  ASSERT_TRUE(kit.spool().letters.contains(replay_key));
  const LetterRecord letter = kit.spool().letters.at(replay_key);
  EXPECT_EQ(letter.subscription, "orders");
  EXPECT_EQ(letter.deaths.at(0).reason, "rejected");

  kit.handed.clear();
  is_fixed = true;
  kit.durable.on_requeue(kit.now, 1, letter);
  kit.drain();
  kit.settle(1s);
  EXPECT_EQ(answer_to(1), "requeued");
  EXPECT_THAT(kit.handled(gate), ElementsAre(1));
  EXPECT_THAT(kit.handled(id), ElementsAre(1));
  EXPECT_THAT(kit.handled(other), IsEmpty());
  EXPECT_EQ(kit.handed.back().stream, replays);
  EXPECT_EQ(kit.spool().letters.at(replay_key).state, LetterState::Resolved);
  EXPECT_EQ(kit.figures().streams_total, 0u);  // no cursor is kept of it
}

TEST_P(DurableRequeueOfAReplay, IsTakenUpAgainAfterAKill) {
  std::map<std::string, ModelSpool> spools;
  std::vector<InFlightEntry> left;
  std::vector<std::uint32_t> attempts;
  for (int life = 0; life < 5; ++life) {
    DurableKit node;
    const auto sub = node.subscribe({});
    node.spools = std::move(spools);
    node.spool();
    node.handler = [&](const DurableKit::Handled& one) -> Outcome {
      if (life == 0) return Outcome::reject("bad day");
      attempts.push_back(one.attempt);
      throw DurableKit::Killed{};
    };
    if (life > 0) node.durable.on_start_in_flight(std::exchange(left, {}));
    try {
      node.start();
      node.settle(1s);
      if (life == 0) {
        node.replay(sub, frame_in(replays, 1, 1));
        node.settle(1s);
        node.durable.on_requeue(node.now, 1, node.spool().letters.at(replay_key));
        node.drain();
        node.confirm_records();
      }
    } catch (const DurableKit::Killed&) {
    }
    for (const auto& [at, entry] : node.in_flight) left.push_back(entry);
    spools = std::move(node.spools);
  }
  EXPECT_THAT(attempts, ElementsAre(1, 2, 3));
  const LetterRecord& letter = spools.at("s1").letters.at(replay_key);
  EXPECT_EQ(letter.state, LetterState::Dead);
  EXPECT_EQ(letter.round, 2u);
  EXPECT_EQ(letter.deaths.back().attempts, 3u);
}

TEST_F(DurableRequeue, TakenUpWithoutItsEventIsAskedForAgain) {
  begin_with_letter();
  is_fixed = true;
  LetterRecord away = letter();  // as a spool has it that was away when the event died
  away.state = LetterState::Requeued;
  away.requeues = 1;
  const Bytes frame = std::exchange(away.frame, {});
  kit.spool("s2").letters[key] = away;
  kit.spool("s2").subscriptions = kit.spool().subscriptions;
  kit.start();
  kit.settle(5s);
  EXPECT_THAT(kit.handed, IsEmpty());
  kit.spool("s2").letters.at(key).frame = frame;
  kit.settle(5s);
  ASSERT_THAT(kit.handed, SizeIs(1));
  EXPECT_EQ(kit.handed[0].sequence, 2u);
  EXPECT_EQ(kit.spool("s2").letters.at(key).state, LetterState::Resolved);
}

TEST_F(DurableRequeue, WhatWasOnItsWayIsTakenUpAgain) {
  begin_with_letter();
  requeue();
  kit.confirm_records();  // the node dies before it is handled
  DurableKit next;
  next.spools = kit.spools;
  const auto sub = next.subscribe({});
  next.plain("watch");
  next.start();
  next.settle(100ms);
  EXPECT_THAT(next.handled(sub), ElementsAre(2));
  EXPECT_EQ(next.spool().letters.at(key).state, LetterState::Resolved);
}

TEST_F(DurableRequeue, ThatKillsTheProcessDiesAfterExactlyMaxAttempts) {
  begin_with_letter();
  requeue();
  kit.confirm_records();
  std::map<std::string, ModelSpool> world = kit.spools;
  std::vector<InFlightEntry> left;
  std::uint32_t hand_overs = 0;
  for (int life = 0; life < 6; ++life) {
    DurableKit node;
    node.spools = world;
    node.subscribe({});
    node.plain("watch");
    node.durable.on_start_in_flight(left);
    left.clear();
    node.meet_spools();
    for (int n = 0; n < 10; ++n) {
      node.answer_queries();
      node.confirm_records();
    }
    if (const auto task = node.dispatcher.next(node.now)) {
      EXPECT_EQ(task->attempt, ++hand_overs);
      left.push_back(
          {"orders", "c/orders", trades, task->sequence(), task->attempt, InFlightEntry::Stage::InHands, {.round = 1}});
    }
    world = node.spools;
  }
  EXPECT_EQ(hand_overs, 3u);
  const LetterRecord& dead = world["s1"].letters.at(key);
  EXPECT_EQ(dead.state, LetterState::Dead);
  EXPECT_EQ(dead.round, 2u);
  EXPECT_EQ(dead.deaths.back().attempts, 3u);
}

TEST_F(DurableRequeue, WhatDoesNotFitIsRefused) {
  begin_with_letter();
  LetterRecord stranger = letter();
  stranger.agent = "x/other";
  kit.durable.on_requeue(kit.now, 1, stranger);
  LetterRecord empty = letter();
  empty.frame.clear();
  kit.durable.on_requeue(kit.now, 2, empty);
  LetterRecord swapped = letter();
  swapped.event = event_id(trades, 3);
  kit.durable.on_requeue(kit.now, 3, swapped);
  LetterRecord purged = letter();
  purged.state = LetterState::Purged;
  kit.durable.on_requeue(kit.now, 4, purged);
  kit.drain();
  EXPECT_THAT(answer_to(1), HasSubstr("no subscription of x/other"));
  EXPECT_THAT(answer_to(2), HasSubstr("without its event"));
  EXPECT_THAT(answer_to(3), HasSubstr("is not its event"));
  EXPECT_EQ(answer_to(4), "it is purged");
  EXPECT_THAT(kit.journal, IsEmpty());
}

TEST_F(DurableRequeue, PurgedIsRecordedAndFinal) {
  begin_with_letter();
  kit.durable.on_purge(kit.now, 1, letter());
  kit.drain();
  EXPECT_EQ(answer_to(1), "none");
  const LetterRecord as_it_was = letter();
  kit.settle();
  EXPECT_EQ(answer_to(1), "purged");
  EXPECT_EQ(letter().state, LetterState::Purged);
  EXPECT_FALSE(letter().frame.empty());
  kit.durable.on_requeue(kit.now, 2, as_it_was);
  kit.drain();
  EXPECT_EQ(answer_to(2), "it is purged");
}

TEST_F(DurableRequeue, SkipGivesUpTheGapAtTheCursor) {
  kit.subscribe({});
  kit.spool();
  kit.start();
  kit.publish(frame_in(trades, 1, 2));
  kit.live(frame_in(trades, 6, 2));
  kit.settle(5s);
  ASSERT_THAT(kit.stalls, SizeIs(1));
  kit.durable.on_skip(kit.now, 1, "orders", trades, std::nullopt);
  kit.drain();
  kit.settle(1s);
  EXPECT_EQ(answer_to(1), "skips 3 to 5");
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 6, 7));
  EXPECT_EQ(kit.lost.at(0).why, "skipped");
  EXPECT_EQ(kit.done(trades), 7u);
}

TEST_F(DurableRequeue, SkipToANumberLeavesOutWhatIsThereToo) {
  kit.subscribe({.capacity = 2});
  kit.spool();
  kit.start();
  for (std::uint64_t n = 0; n < 5; ++n) kit.publish(frame_in(trades, 1 + 2 * n, 2));
  kit.durable.on_skip(kit.now, 1, "orders", trades, 7);
  kit.drain();
  kit.settle(1s);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 8, 9, 10));
  EXPECT_EQ(kit.figures().lost, 5u);
}

TEST_F(DurableRequeue, SkipRefusesWhatIsNotMissing) {
  kit.subscribe({});
  kit.spool();
  kit.start();
  kit.publish(frame_in(trades, 1, 2));
  kit.settle();
  kit.durable.on_skip(kit.now, 1, "orders", trades, std::nullopt);
  kit.durable.on_skip(kit.now, 2, "orders", trades, 2);
  kit.durable.on_skip(kit.now, 3, "orders", stream_named("trade.x"), std::nullopt);
  kit.durable.on_skip(kit.now, 4, "nobody", trades, std::nullopt);
  kit.durable.on_skip(kit.now, 5, "orders", trades, 3);
  kit.drain();
  EXPECT_THAT(answer_to(1), HasSubstr("nothing of this stream is missing"));
  EXPECT_THAT(answer_to(2), HasSubstr("it is at 3 already"));
  EXPECT_THAT(answer_to(3), HasSubstr("no such stream"));
  EXPECT_THAT(answer_to(4), HasSubstr("no durable subscription nobody"));
  EXPECT_THAT(answer_to(5), HasSubstr("it ends at 2"));  // nobody gives up what is to come
}

TEST_F(DurableRequeue, ResetBeginsAnewUnderAHigherGeneration) {
  kit.subscribe({});
  kit.spool();
  kit.start();
  kit.publish(frame_in(trades, 1, 3));
  kit.settle(1s);
  kit.durable.on_reset(kit.now, 1, "orders", StartBeginning{});
  kit.drain();
  kit.settle(3s);
  EXPECT_EQ(answer_to(1), "orders begins anew");
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3, 1, 2, 3));
  EXPECT_EQ(kit.cursor().generation, (CursorGeneration{2, "c"}));
  EXPECT_EQ(kit.done(trades), 3u);
}

TEST_F(DurableRequeue, ResetToNowPassesOverWhatIsThere) {
  kit.subscribe({.capacity = 2});
  kit.spool();
  kit.start();
  for (std::uint64_t n = 0; n < 5; ++n) kit.publish(frame_in(trades, 1 + 2 * n, 2));
  kit.durable.on_reset(kit.now, 1, "orders", StartNow{});
  kit.drain();
  kit.settle(1s);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2));  // were under way
  EXPECT_EQ(kit.done(trades), 10u);
  kit.publish(frame_in(trades, 11, 1));
  kit.settle(3s);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 11));
}

TEST_F(DurableRequeue, WhatFailsAfterAResetIsTriedAgainWithoutARecord) {
  kit.subscribe({});
  kit.spool();
  kit.start();
  kit.publish(frame_in(trades, 1, 1));
  kit.durable.on_reset(kit.now, 1, "orders", StartNow{});
  kit.drain();
  kit.settle(100ms);
  int attempts = 0;
  DurableKit late;
  late.subscribe({});
  late.spool();
  late.start();
  late.handler = [&](const auto&) { return ++attempts == 1 ? Outcome::retry("x") : Outcome::done(); };
  late.publish(frame_in(trades, 1, 1));
  late.durable.on_reset(late.now, 1, "orders", StartNow{});
  late.drain();
  late.settle(1s);
  EXPECT_EQ(attempts, 2);
  EXPECT_THAT(late.written<AttemptRecord>(), IsEmpty());
}

TEST_F(DurableRequeue, RemoveIsRecordedAndEndsIt) {
  kit.subscribe({});
  kit.spool();
  kit.start();
  kit.publish(frame_in(trades, 1, 3));
  kit.settle(1s);
  kit.durable.on_remove(kit.now, 1, "orders");
  kit.drain();
  EXPECT_THAT(kit.asked<AskUnclaim>(), SizeIs(1));
  kit.settle();
  EXPECT_EQ(answer_to(1), "orders is removed");
  EXPECT_EQ(kit.cursor().form, CursorRecord::Form::Removed);
  kit.publish(frame_in(trades, 4, 1));
  kit.settle(5s);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3));
  EXPECT_EQ(kit.figures().phase, DurablePhase::Removed);
}

TEST_F(DurableRequeue, AResetBringsARemovedOneBack) {
  kit.subscribe({});
  kit.spool();
  kit.start();
  kit.publish(frame_in(trades, 1, 3));
  kit.settle(1s);
  kit.durable.on_remove(kit.now, 1, "orders");
  kit.drain();
  kit.settle();
  kit.durable.on_reset(kit.now, 2, "orders", StartBeginning{});
  kit.settle(3s);
  EXPECT_EQ(answer_to(2), "orders begins anew");
  EXPECT_EQ(kit.cursor().generation, (CursorGeneration{2, "c"}));
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3, 1, 2, 3));
}

TEST_F(DurableRequeue, FiguresSayHowFarItIs) {
  kit.subscribe({.capacity = 2});
  kit.spool();
  kit.start();
  kit.publish(frame_in(trades, 1, 4, WallTime{1'000'000'000}));
  kit.handle(1);
  const DurableFigures figures = kit.figures();
  EXPECT_EQ(figures.name, "orders");
  EXPECT_EQ(figures.agent, "c/orders");
  EXPECT_EQ(figures.filter, "trade.");
  EXPECT_EQ(figures.pending, 3u);
  EXPECT_EQ(figures.under_way, 2u);
  EXPECT_EQ(figures.oldest, WallTime{2'000'000'000});
  ASSERT_THAT(figures.streams, SizeIs(1));
  EXPECT_EQ(figures.streams[0].done, 1u);
  EXPECT_EQ(figures.streams[0].next, 5u);
}

}  // namespace
}  // namespace legion::test
