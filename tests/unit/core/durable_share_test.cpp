// Shares of a group: what a lease allows, how it ends, and what the next holder finds.
#include <gmock/gmock.h>

#include "durable_kit.hpp"

namespace legion::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const std::string type = "features.computed";
const StreamId even = stream_named(type, "a", 0);
const StreamId odd = stream_named(type, "a", 1);
const StreamId odd_too = stream_named(type, "a", 3);
constexpr SubscriptionId share{0};

class DurableShares : public testing::Test {
 protected:
  static DurableKit::Sub odd_share(std::uint32_t of = 2) {
    return {.name = "features/1", .filter = "features.", .agent = "worker", .share = Share{1, of}};
  }
  void SetUp() override {
    kit.subscribe(odd_share());
    kit.spool();
  }
  void lease(std::uint64_t epoch) { lease(kit, epoch); }
  static void lease(DurableKit& member, std::uint64_t epoch) {
    member.durable.on_lease(member.now, share, epoch);
    member.drain();
    member.settle(100ms);
  }
  void revoke() {
    kit.durable.on_lease_revoked(kit.now, share);
    kit.drain();
  }
  DurablePhase phase() const { return kit.figures("features/1").phase; }
  std::string trouble() const { return kit.figures("features/1").trouble; }
  void defer() {
    kit.handler = [](const DurableKit::Handled&) { return Outcome{OutcomeKind::Deferred, {}}; };
  }

  DurableKit kit;
};

TEST_F(DurableShares, StandBesideWithoutALeaseAndAskNothing) {
  kit.spool().store(frame_in(odd, 1, 3));
  kit.start();
  kit.live(frame_in(odd, 4, 1));
  kit.settle(5s);
  EXPECT_EQ(phase(), DurablePhase::Standby);
  EXPECT_THAT(kit.handed, IsEmpty());
  EXPECT_THAT(kit.asked<AskClaim>(), IsEmpty());
  EXPECT_THAT(kit.journal, IsEmpty());
}

TEST_F(DurableShares, ALeaseIsRecordedWithTheWholeCursorBeforeAnythingIsOffered) {
  kit.spool().record(CursorRecord{"features/1", {40, "b"}, "features.#1/2", CursorRecord::Form::Whole, {{odd, 2, {}}}});
  kit.spool().store(frame_in(odd, 1, 5));
  kit.meet_spools();
  kit.durable.on_lease(kit.now, share, 100);
  kit.drain();
  while (kit.answer_queries()) {
  }
  ASSERT_THAT(kit.written<CursorRecord>(), SizeIs(1));
  EXPECT_EQ(kit.written<CursorRecord>()[0],
            (CursorRecord{"features/1", {100, "c"}, "features.#1/2", CursorRecord::Form::Whole, {{odd, 2, {}}}}));
  EXPECT_FALSE(kit.handle());
  kit.settle();
  EXPECT_THAT(kit.handled(), ElementsAre(3, 4, 5));
}

TEST_F(DurableShares, TakeNothingButTheirShards) {
  kit.spool().store(frame_in(even, 1, 2));
  kit.spool().store(frame_in(odd, 1, 2));
  kit.start();
  lease(100);
  for (const StreamId& stream : {even, odd_too, stream_named(type, "b", 0), stream_named(type, "b", 5)}) {
    kit.publish(frame_in(stream, stream == even ? 3 : 1, 1));
    kit.durable.on_tail(kit.now, stream_named(type, "d", 2), 10);
  }
  kit.settle(5s);
  for (const DurableKit::Handled& one : kit.handed) EXPECT_EQ(one.stream.shard % 2, 1) << one.stream.origin.node;
  EXPECT_THAT(kit.handed, SizeIs(4));
  EXPECT_EQ(kit.figures("features/1").streams_total, 3u);
  EXPECT_EQ(kit.figures("features/1").pending, 0u);
}

TEST_F(DurableShares, ANewOneBeginsUnderItsLease) {
  kit.start();
  lease(100);
  EXPECT_EQ(phase(), DurablePhase::Active);
  EXPECT_EQ(kit.cursor("features/1").generation, (CursorGeneration{100, "c"}));
}

TEST_F(DurableShares, ARevokedOneFinishesWhatIsUnderWayAndRecordsItFirst) {
  defer();
  kit.start();
  lease(100);
  kit.publish(frame_in(odd, 1, 1));
  kit.settle();
  ASSERT_THAT(kit.handed, SizeIs(1));
  revoke();
  kit.publish(frame_in(odd, 2, 3));
  kit.publish(frame_in(odd_too, 1, 3));
  kit.settle(10s);  // a revoke waits as long as it takes
  EXPECT_THAT(kit.handed, SizeIs(1));
  EXPECT_THAT(kit.released, IsEmpty());
  kit.complete(kit.handed[0]);
  EXPECT_THAT(kit.released, IsEmpty()) << "its cursor is not confirmed";
  kit.settle(1s);
  ASSERT_THAT(kit.released, SizeIs(1));
  EXPECT_EQ(kit.released[0].epoch, 100u);
  EXPECT_EQ(kit.released[0].seen, 0u);
  EXPECT_EQ(kit.done(odd, "features/1"), 1u);
  EXPECT_EQ(phase(), DurablePhase::Standby);
}

TEST_F(DurableShares, WhatIsRevokedIsTakenBackFromTheMailboxUnhandled) {
  defer();
  kit.start();
  lease(100);
  kit.publish(frame_in(odd, 1, 5));
  kit.publish(frame_in(odd_too, 1, 5));
  kit.settle();
  ASSERT_THAT(kit.handed, SizeIs(2)) << "one of each stream is in hands, the rest waits";
  kit.spool().letters.clear();
  revoke();
  kit.settle(1s);
  EXPECT_THAT(kit.handed, SizeIs(2));
  EXPECT_THAT(kit.released, IsEmpty()) << "two are in hands";
  kit.complete(kit.handed[0]);
  kit.complete(kit.handed[1]);
  kit.settle(1s);
  ASSERT_THAT(kit.released, SizeIs(1));
  EXPECT_THAT(kit.handed, SizeIs(2)) << "nothing was handed over any more";
  EXPECT_EQ(kit.done(odd, "features/1"), 1u);
  EXPECT_EQ(kit.done(odd_too, "features/1"), 1u);
  EXPECT_THAT(kit.spool().letters, IsEmpty());
  EXPECT_TRUE(kit.dispatcher.drained());
  EXPECT_EQ(kit.durable.books(share).published, 2u) << "what it gave back is not in its books";
}

TEST_F(DurableShares, OfAnAgentThatIsDownARevokedOneIsReleasedAndTheNextHolderMakesTheAttemptThatFailed) {
  defer();
  kit.start();
  lease(100);
  kit.publish(frame_in(odd, 1, 4));
  kit.settle();
  ASSERT_THAT(kit.handed, SizeIs(1));
  kit.dispatcher.on_agent_down(kit.now, {0}, "crashed");
  kit.settle(1s);
  revoke();
  kit.dispatcher.on_agent_up(kit.now, {0});  // it is back while it gives its shares back: they go all the same
  kit.settle(1s);
  ASSERT_THAT(kit.released, SizeIs(1));
  EXPECT_THAT(kit.handed, SizeIs(1));
  EXPECT_EQ(phase(), DurablePhase::Standby);
  EXPECT_THAT(kit.spool().letters, IsEmpty());
  EXPECT_TRUE(kit.in_flight.empty()) << "what it knew of a failed attempt is in the spools";

  DurableKit next{DurableConfig{.node = "d"}};
  next.subscribe(odd_share());
  next.spools = kit.spools;
  next.now = kit.now;
  next.start();
  lease(next, 101);
  next.settle(1s);
  EXPECT_THAT(next.handled(), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(next.handed[0].attempt, 2u) << "one attempt was made before";
  lease(102);
  kit.handler = {};
  kit.publish(frame_in(odd, 5, 1));
  kit.settle(1s);
  EXPECT_THAT(kit.handed, Not(SizeIs(1))) << "with a new lease it works again";
}

TEST_F(DurableShares, WhatWaitsForItsNextAttemptIsTakenBackWithoutALetter) {
  kit.handler = [](const DurableKit::Handled&) { return Outcome::retry("not now"); };
  kit.start();
  lease(100);
  kit.publish(frame_in(odd, 1, 2));
  kit.answer_queries();
  kit.handle();
  revoke();
  kit.settle(5s);
  ASSERT_THAT(kit.released, SizeIs(1));
  EXPECT_THAT(kit.spool().letters, IsEmpty());
  EXPECT_EQ(kit.done(odd, "features/1"), 0u);
  EXPECT_TRUE(kit.dispatcher.drained());
}

TEST_F(DurableShares, AfterALostLeaseNothingThatWaitedIsHandedOver) {
  defer();
  kit.start();
  lease(100);
  kit.publish(frame_in(odd, 1, 40));
  kit.settle();
  ASSERT_THAT(kit.handed, SizeIs(1));
  kit.durable.on_lease_lost(kit.now, share);
  kit.drain();
  kit.complete(kit.handed[0]);
  kit.settle(1s);
  EXPECT_THAT(kit.handed, SizeIs(1));
  EXPECT_TRUE(kit.dispatcher.drained());
  lease(102);
  kit.settle(1s);
  EXPECT_EQ(phase(), DurablePhase::Active);
}

TEST_F(DurableShares, TheNextHolderGoesOnWhereItWasAndNothingIsHandledTwice) {
  kit.start();
  lease(100);
  kit.publish(frame_in(odd, 1, 4));
  kit.settle();
  revoke();
  kit.settle(1s);
  kit.publish(frame_in(odd, 5, 2));
  DurableKit next{DurableConfig{.node = "d"}};
  next.subscribe(odd_share());
  next.spools = kit.spools;
  next.now = kit.now;
  next.start();
  lease(next, 101);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(next.handled(), ElementsAre(5, 6));
  // Whatever an earlier holder still says loses.
  next.settle(1s);
  next.spool().record(
      CursorRecord{"features/1", {100, "c"}, "features.#1/2", CursorRecord::Form::Delta, {{odd, 99, {}}}});
  EXPECT_EQ(next.done(odd, "features/1"), 6u);
}

TEST_F(DurableShares, ARevokedOneIsNotReleasedBeforeItsHomeHasItsCursor) {
  kit.spool("s2");
  kit.start();
  lease(100);
  kit.publish(frame_in(odd, 1, 4));
  kit.spool("s1").reachable = false;
  kit.start();
  revoke();
  kit.settle(1min);
  EXPECT_EQ(kit.done(odd, "features/1", "s2"), 4u);
  EXPECT_THAT(kit.released, IsEmpty());
  kit.spool("s1").reachable = true;
  kit.meet_spools();
  kit.settle(100ms);
  EXPECT_THAT(kit.released, IsEmpty()) << "it is back and has not caught up";
  kit.store_records(0);
  kit.settle(1s);
  EXPECT_THAT(kit.released, SizeIs(1));
  EXPECT_EQ(kit.done(odd, "features/1", "s1"), 4u);
}

TEST_F(DurableShares, ALeaseIsNotBegunBeforeItsHomeSaysWhereItWas) {
  kit.spool("s2").record(CursorRecord{"features/1", {40, "b"}, "features.#1/2", CursorRecord::Form::Whole, {}});
  kit.spool("s1").reachable = false;
  kit.start();
  lease(100);
  kit.settle(1min);
  EXPECT_EQ(phase(), DurablePhase::Loading);
  EXPECT_THAT(trouble(), HasSubstr("home s1"));
  kit.spool("s1").reachable = true;
  kit.start();
  EXPECT_EQ(phase(), DurablePhase::Active);
}

TEST_F(DurableShares, WhatIsRevokedBeforeItBeganIsReleasedAtOnce) {
  kit.spool().reachable = false;
  kit.start();
  lease(100);
  revoke();
  EXPECT_THAT(kit.released, SizeIs(1));
  EXPECT_EQ(phase(), DurablePhase::Standby);
}

TEST_F(DurableShares, ALostLeaseEndsAtOnceAndWhatIsUnderWayCountsForNothing) {
  kit.handler = [](const DurableKit::Handled&) { return Outcome{OutcomeKind::Deferred, {}}; };
  kit.start();
  lease(100);
  kit.publish(frame_in(odd, 1, 1));
  kit.settle();
  ASSERT_THAT(kit.handed, SizeIs(1));
  kit.durable.on_lease_lost(kit.now, share);
  kit.drain();
  EXPECT_EQ(phase(), DurablePhase::Standby);
  EXPECT_THAT(kit.logs, Contains(HasSubstr("lease 100 is lost; 1 events")));
  lease(102);
  EXPECT_EQ(phase(), DurablePhase::Standby) << "one event of it is in hands";
  kit.complete(kit.handed[0]);
  kit.settle(1s);
  EXPECT_EQ(phase(), DurablePhase::Active);
  EXPECT_THAT(kit.handed, SizeIs(2)) << "its answer came too late";
  EXPECT_EQ(kit.cursor("features/1").generation, (CursorGeneration{102, "c"}));
}

TEST_F(DurableShares, WhatDiesUnderALostLeaseIsNoLetter) {
  kit.handler = [](const DurableKit::Handled&) { return Outcome{OutcomeKind::Deferred, {}}; };
  kit.start();
  lease(100);
  kit.publish(frame_in(odd, 1, 1));
  kit.settle();
  kit.durable.on_lease_lost(kit.now, share);
  kit.dispatcher.on_outcome(kit.now, kit.handed[0].task, Outcome{OutcomeKind::Reject, "no"});
  kit.handle();
  kit.settle(1s);
  EXPECT_THAT(kit.spool().letters, IsEmpty());
}

TEST_F(DurableShares, ACursorThatIsNotBelowTheLeaseGivesItBack) {
  kit.spool().record(
      CursorRecord{"features/1", {500, "b"}, "features.#1/2", CursorRecord::Form::Whole, {{odd, 2, {}}}});
  kit.start();
  lease(100);
  ASSERT_THAT(kit.released, SizeIs(1));
  EXPECT_EQ(kit.released[0].seen, 500u);
  EXPECT_EQ(phase(), DurablePhase::Standby);
  EXPECT_THAT(kit.journal, IsEmpty());
}

TEST_F(DurableShares, AHolderThatMeetsALaterCursorGivesWay) {
  kit.spool("s2").reachable = false;
  kit.start();
  lease(100);
  kit.spool("s2").record(CursorRecord{"features/1", {500, "b"}, "features.#1/2", CursorRecord::Form::Whole, {}});
  kit.spool("s2").reachable = true;
  kit.start();
  ASSERT_THAT(kit.released, SizeIs(1));
  EXPECT_EQ(kit.released[0].seen, 500u);
}

TEST_F(DurableShares, AnotherNumberOfSharesIsRefused) {
  kit.spool().record(CursorRecord{"features/1", {40, "b"}, "features.#1/4", CursorRecord::Form::Whole, {{odd, 2, {}}}});
  kit.start();
  lease(100);
  kit.settle(5s);
  EXPECT_EQ(phase(), DurablePhase::Loading);
  EXPECT_THAT(trouble(), HasSubstr("its cursor is of \"features.#1/4\""));
  EXPECT_THAT(kit.journal, IsEmpty());
  revoke();
  EXPECT_THAT(kit.released, SizeIs(1));
}

TEST_F(DurableShares, WhatWasAskedUnderOneLeaseIsNotHeardUnderTheNext) {
  kit.spool().record(CursorRecord{"features/1", {40, "b"}, "features.#1/2", CursorRecord::Form::Whole, {{odd, 2, {}}}});
  kit.meet_spools();
  kit.durable.on_lease(kit.now, share, 100);
  kit.drain();
  const auto asked = std::ranges::find_if(
      kit.queries, [](const SpoolQuery& query) { return std::holds_alternative<AskCursor>(query.what); });
  ASSERT_NE(asked, kit.queries.end());
  const QueryId old = asked->id;
  const CursorRecord stale = kit.cursor("features/1");
  kit.durable.on_lease_lost(kit.now, share);
  kit.spool().record(
      CursorRecord{"features/1", {101, "b"}, "features.#1/2", CursorRecord::Form::Whole, {{odd, 9, {}}}});
  kit.durable.on_lease(kit.now, share, 102);
  kit.durable.on_cursor(kit.now, old, stale, {});
  kit.drain();
  kit.settle();
  EXPECT_EQ(kit.done(odd, "features/1"), 9u);
}

TEST_F(DurableShares, OperatorsAreSentToTheHolder) {
  kit.start();
  kit.durable.on_reset(kit.now, 1, "features/1", StartNow{});
  kit.durable.on_remove(kit.now, 2, "features/1");
  kit.drain();
  ASSERT_THAT(kit.answers, SizeIs(2));
  for (const RequestAnswer& answer : kit.answers) EXPECT_EQ(answer.answer.error().code, ErrorCode::Refused);
  lease(100);
  kit.durable.on_reset(kit.now, 3, "features/1", StartBeginning{});
  kit.drain();
  kit.settle();
  ASSERT_THAT(kit.answers, SizeIs(3));
  EXPECT_TRUE(kit.answers[2].answer.has_value());
  EXPECT_GT(kit.cursor("features/1").generation.counter, 100u);
}

// In hands when this node died; the share is with somebody else since, perhaps for good.
TEST(DurableSharesAfterACrash, WhatWasInHandsIsKeptForTheNextLeaseAndHoldsNobodyUp) {
  DurableKit kit;
  kit.subscribe({.name = "features/1", .filter = "features.", .agent = "worker", .share = Share{1, 2}});
  const SubscriptionId other = kit.subscribe({.name = "orders", .filter = "trade."});
  kit.durable.on_start_in_flight({{"features/1", "c/worker", odd, 2, 1, InFlightEntry::Stage::InHands, {}}});
  kit.spool().store(frame_in(odd, 1, 4));
  kit.spool().store(frame_in(stream_named("trade.approved"), 1, 2));
  kit.start();
  kit.settle(200ms);
  EXPECT_THAT(kit.handled(other), ElementsAre(1, 2));
  kit.durable.on_lease(kit.now, share, 100);
  kit.drain();
  kit.settle(1s);
  EXPECT_THAT(kit.handled(share), ElementsAre(1, 2, 3, 4));
  std::uint32_t attempt = 0;
  for (const DurableKit::Handled& one : kit.handed) {
    if (one.subscription == share && one.sequence == 2) attempt = one.attempt;
  }
  EXPECT_EQ(attempt, 2u);
}

TEST(DurableSharesAfterACrash, AnAttemptAnotherMemberRecordedIsMadeAgain) {
  DurableKit kit;
  kit.subscribe({.name = "features/1", .filter = "features.", .agent = "worker", .share = Share{1, 2}});
  kit.spool().record(CursorRecord{"features/1", {40, "b"}, "features.#1/2", CursorRecord::Form::Whole, {}});
  kit.spool().record(AttemptRecord{"features/1", event_id(odd, 1), 3, "no", {}, {}});
  kit.spool().store(frame_in(odd, 1, 1));
  kit.start();
  kit.durable.on_lease(kit.now, share, 100);
  kit.drain();
  kit.settle(1s);
  ASSERT_THAT(kit.handed, SizeIs(1));
  EXPECT_EQ(kit.handed[0].attempt, 3u);
}

}  // namespace
}  // namespace legion::test
