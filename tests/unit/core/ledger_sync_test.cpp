#include <set>

#include "streams_kit.hpp"

namespace legion {
namespace {

using namespace streams_kit;
using LedgerSync = LedgerTest;

TEST_F(LedgerSync, FramesBeforeTheEchoAreOutsideTheBooks) {
  const auto s = ledger.add_subscription(filter("t."));
  const SyncTopic topic = begin_sync();
  const FrameVerdict early = data("t.a", 40, 2);
  EXPECT_EQ(early.skip, 0u);
  EXPECT_EQ(early.routes->front().booked_from, unbooked);
  EXPECT_EQ(published(s), 0u);

  EXPECT_TRUE(echo(topic, {{"t.a", 0, 42}}));
  const FrameVerdict booked = data("t.a", 42, 3);
  EXPECT_EQ(booked.routes->front().booked_from, 42u);
  EXPECT_EQ(published(s), 3u);
  EXPECT_EQ(lost_link(s), 0u);
}

TEST_F(LedgerSync, WhatGotLostBeforeTheEchoIsNotInTheBooks) {
  const auto s = ledger.add_subscription(filter("t."));
  const SyncTopic topic = begin_sync();
  data("t.a", 40, 2);
  EXPECT_TRUE(echo(topic, {{"t.a", 0, 50}}));
  EXPECT_EQ(published(s), 0u);
  EXPECT_EQ(lost_link(s), 0u);
  data("t.a", 52, 1);
  EXPECT_EQ(published(s), 3u);
  EXPECT_EQ(lost_link(s), 2u);
}

TEST_F(LedgerSync, StreamsAbsentFromTheEchoCountFromOne) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({{"t.a", 0, 100}});
  const FrameVerdict verdict = data("t.new", 4, 1);
  EXPECT_EQ(verdict.gap, 3u);
  EXPECT_EQ(verdict.routes->front().booked_from, 1u);
  EXPECT_EQ(published(s), 4u);
  EXPECT_EQ(lost_link(s), 3u);
}

TEST_F(LedgerSync, ALaterEchoIsATailMarker) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({{"t.a", 0, 100}});
  data("t.a", 100, 5);
  sync({{"t.a", 0, 110}, {"t.b", 0, 4}});
  EXPECT_EQ(published(s), 10u + 3u);
  EXPECT_EQ(lost_link(s), 5u + 3u);
  const FrameVerdict verdict = data("t.a", 110, 1);
  EXPECT_EQ(verdict.gap, 0u);
  EXPECT_EQ(verdict.routes->front().booked_from, 100u);
}

/// A publisher that states more streams than anybody keeps of it costs what is beyond, not the memory.
TEST_F(LedgerSync, StreamsBeyondTheBoundOfAnOriginAreRefusedAndCounted) {
  const auto s = ledger.add_subscription(filter("t."));
  const SyncTopic topic = begin_sync();
  constexpr std::size_t stated = limits::streams_per_origin_max + 3;
  std::uint32_t number = 0;
  for (std::size_t done = 0; done < stated;) {
    std::vector<Tail> tails;
    for (; done < stated && tails.size() < limits::sync_tails_per_part_max; ++done) {
      tails.push_back({"t.x" + std::to_string(done), 0, 10});
    }
    const bool last = done == stated;
    EXPECT_EQ(ledger.on_sync_part(now, normal, part(topic, std::move(tails), number++, last)), last);
  }
  EXPECT_EQ(ledger.totals(normal).refused_streams, 3u);
  // A later echo finds no room either; a stream it is the first to name may have begun before.
  sync({{"t.x0", 0, 12}, {"t.late", 0, 5}});
  EXPECT_EQ(ledger.totals(normal).refused_streams, 4u);
  EXPECT_EQ(published(s), 2u);
  data("t.x" + std::to_string(stated - 1), 10, 4);
  EXPECT_EQ(ledger.totals(normal).refused_streams, 5u);
  EXPECT_EQ(published(s), 2u);
}

TEST_F(LedgerSync, ALaterEchoThatIsLowerChangesNothing) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  data("t.a", 1, 9);
  sync({{"t.a", 0, 4}});
  EXPECT_EQ(data("t.a", 10, 1).skip, 0u);
  EXPECT_EQ(published(s), 10u);
}

TEST_F(LedgerSync, ALaterSubscriptionHasItsOwnLaterBaseline) {
  const auto first = ledger.add_subscription(filter("t."));
  sync({{"t.a", 0, 10}});
  data("t.a", 10, 5);
  const auto second = ledger.add_subscription(filter("t.a"));
  EXPECT_EQ(data("t.a", 15, 5).routes->at(1).booked_from, unbooked);
  sync({{"t.a", 0, 22}});
  data("t.a", 24, 1);
  EXPECT_EQ(published(first), 15u);
  EXPECT_EQ(lost_link(first), 4u);
  EXPECT_EQ(published(second), 3u);
  EXPECT_EQ(lost_link(second), 2u);
}

TEST_F(LedgerSync, ASyncThatBeganBeforeASubscriptionGivesItNoBaseline) {
  const SyncTopic topic = begin_sync();
  const auto late = ledger.add_subscription(filter("t."));
  EXPECT_TRUE(echo(topic, {{"t.a", 0, 10}}));
  data("t.a", 12, 1);
  EXPECT_EQ(published(late), 0u);
  EXPECT_EQ(lost_link(late), 0u);
  sync({{"t.a", 0, 13}});
  data("t.a", 13, 1);
  EXPECT_EQ(published(late), 1u);
}

TEST_F(LedgerSync, ASubscriptionToStreamsNobodyWantedBeforeWorksByItsOwnSync) {
  const auto first = ledger.add_subscription(filter("t."));
  sync({{"t.a", 0, 10}, {"u.a", 0, 500}});
  EXPECT_EQ(ledger.totals(normal).streams, 1u);
  const auto late = ledger.add_subscription(filter("u."));
  EXPECT_EQ(data("u.a", 600, 1).gap, 0u);
  sync({{"t.a", 0, 10}, {"u.a", 0, 603}});
  data("u.a", 603, 2);
  EXPECT_EQ(published(late), 2u);
  EXPECT_EQ(lost_link(late), 0u);
  EXPECT_EQ(published(first), 0u);
}

TEST_F(LedgerSync, LanesHaveBaselinesOfTheirOwn) {
  const auto s = ledger.add_subscription(filter("t."));
  sync({});
  FrameHeader urgent = header("t.a", 3, 1, 10);
  urgent.lane = Priority::Critical;
  EXPECT_EQ(ledger.on_frame(now, urgent).routes->front().booked_from, unbooked);
  EXPECT_EQ(published(s), 0u);
}

TEST_F(LedgerSync, SyncedMeansEveryLaneOfThePresentIncarnation) {
  const auto answer = [&](Priority lane, Incarnation incarnation) {
    ReceivedSyncPart received = part(ledger.begin_sync(now, "far", lane), {}, 0, true, incarnation);
    received.part.lane = lane;
    EXPECT_TRUE(ledger.on_sync_part(now, lane, received));
  };
  EXPECT_FALSE(ledger.synced("far"));
  for (const Priority lane : all_priorities) {
    EXPECT_FALSE(ledger.synced("far"));
    answer(lane, 10);
  }
  EXPECT_TRUE(ledger.synced("far"));
  ledger.on_origin_incarnation(now, {"far", 11});
  EXPECT_FALSE(ledger.synced("far"));
  for (const Priority lane : all_priorities) answer(lane, 11);
  EXPECT_TRUE(ledger.synced("far"));
}

TEST_F(LedgerSync, TopicsNameOriginAndReceiverAndHaveFreshNonces) {
  std::set<std::uint64_t> nonces;
  for (int i = 0; i < 100; ++i) {
    const SyncTopic topic = begin_sync();
    EXPECT_EQ(topic.origin, "far");
    EXPECT_EQ(topic.receiver, "here");
    EXPECT_TRUE(nonces.insert(topic.nonce).second);
  }
}

TEST_F(LedgerSync, ASupersededSyncIsRetiredAndItsEchoIgnored) {
  const SyncTopic old_topic = begin_sync();
  EXPECT_TRUE(ledger.retired_topics().empty());
  const SyncTopic topic = begin_sync();
  EXPECT_THAT(ledger.retired_topics(), ::testing::ElementsAre(std::pair(normal, old_topic)));
  EXPECT_FALSE(echo(old_topic, {}));
  EXPECT_TRUE(echo(topic, {}));
  EXPECT_THAT(ledger.retired_topics(), ::testing::ElementsAre(std::pair(normal, topic)));
  EXPECT_FALSE(echo(topic, {}));
  EXPECT_TRUE(ledger.retired_topics().empty());
}

TEST_F(LedgerSync, SyncsOfOtherOriginsAndLanesAreNotSuperseded) {
  begin_sync();
  ledger.begin_sync(now, "third", normal);
  ledger.begin_sync(now, "far", Priority::Low);
  EXPECT_TRUE(ledger.retired_topics().empty());
}

TEST_F(LedgerSync, EveryPartUpToTheLastIsNeeded) {
  const auto s = ledger.add_subscription(filter("t."));
  const SyncTopic topic = begin_sync();
  EXPECT_FALSE(ledger.on_sync_part(now, normal, part(topic, {{"t.a", 0, 10}}, 0, false)));
  EXPECT_FALSE(ledger.on_sync_part(now, normal, part(topic, {{"t.c", 0, 30}}, 2, true)));
  EXPECT_FALSE(ledger.on_sync_part(now, normal, part(topic, {{"t.a", 0, 11}}, 0, false)));
  data("t.a", 10, 1);
  EXPECT_EQ(published(s), 0u);
  EXPECT_FALSE(ledger.on_sync_part(now, normal, part(topic, {{"t.b", 0, 20}}, 1, false)));
  EXPECT_TRUE(ledger.on_sync_part(now, normal, part(topic, {{"t.c", 0, 30}}, 2, true)));
  data("t.a", 11, 1);
  data("t.b", 20, 1);
  data("t.c", 30, 1);
  EXPECT_EQ(published(s), 3u);
  EXPECT_EQ(lost_link(s), 0u);
}

TEST_F(LedgerSync, ForeignEchoesAreIgnored) {
  ledger.add_subscription(filter("t."));
  const SyncTopic topic = begin_sync();
  EXPECT_FALSE(echo({"far", "third", topic.nonce}, {}));
  EXPECT_FALSE(echo({"third", "here", topic.nonce}, {}));
  EXPECT_FALSE(echo({"far", "here", topic.nonce + 1}, {}));
  ReceivedSyncPart other_origin = part(topic, {});
  other_origin.part.origin.node = "third";
  EXPECT_FALSE(ledger.on_sync_part(now, normal, other_origin));
  ReceivedSyncPart other_lane = part(topic, {});
  other_lane.part.lane = Priority::Low;
  EXPECT_FALSE(ledger.on_sync_part(now, normal, other_lane));
  EXPECT_FALSE(ledger.on_sync_part(now, Priority::Low, part(topic, {})));
  EXPECT_TRUE(echo(topic, {}));
}

TEST_F(LedgerSync, PartsOfAnOlderIncarnationAreIgnored) {
  ledger.add_subscription(filter("t."));
  ledger.on_origin_incarnation(now, {"far", 11});
  const SyncTopic topic = begin_sync();
  EXPECT_FALSE(echo(topic, {}, 10));
  EXPECT_FALSE(echo(topic, {}, 0));
  EXPECT_TRUE(echo(topic, {}, 11));
}

TEST_F(LedgerSync, ARestartedOriginAnswersTheSameTopicFromTheBeginning) {
  const auto s = ledger.add_subscription(filter("t."));
  const SyncTopic topic = begin_sync();
  ledger.on_sync_part(now, normal, part(topic, {{"t.a", 0, 900}}, 0, false, 10));
  EXPECT_FALSE(ledger.on_sync_part(now, normal, part(topic, {{"t.b", 0, 7}}, 1, true, 11)));
  EXPECT_FALSE(ledger.on_sync_part(now, normal, part(topic, {{"t.a", 0, 3}}, 0, false, 11)));
  EXPECT_FALSE(ledger.on_sync_part(now, normal, part(topic, {{"t.b", 0, 5}}, 1, true, 10)));
  EXPECT_TRUE(ledger.on_sync_part(now, normal, part(topic, {{"t.b", 0, 8}}, 1, true, 11)));
  data("t.a", 3, 1, 11);
  data("t.b", 8, 1, 11);
  EXPECT_EQ(published(s), 2u);
  EXPECT_EQ(lost_link(s), 0u);
}

TEST_F(LedgerSync, AFrameBetweenThePartsOfAnEchoIsOutsideTheBooks) {
  const auto s = ledger.add_subscription(filter("t."));
  const SyncTopic topic = begin_sync();
  ledger.on_sync_part(now, normal, part(topic, {{"t.a", 0, 10}}, 0, false));
  EXPECT_EQ(data("t.a", 10, 4).routes->front().booked_from, unbooked);
  EXPECT_EQ(data("t.new", 1, 2).routes->front().booked_from, unbooked);
  EXPECT_TRUE(ledger.on_sync_part(now, normal, part(topic, {}, 1, true)));
  EXPECT_EQ(data("t.a", 14, 1).routes->front().booked_from, 14u);
  EXPECT_EQ(data("t.new", 3, 1).routes->front().booked_from, 3u);
  EXPECT_EQ(published(s), 2u);
  EXPECT_EQ(lost_link(s), 0u);
}

TEST_F(LedgerSync, AnUnansweredSyncIsOverdueUntilItIsBegunAgain) {
  begin_sync();
  now = at(999ms);
  EXPECT_TRUE(ledger.overdue_syncs(now, 1s).empty());
  now = at(1s);
  const auto due = ledger.overdue_syncs(now, 1s);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].origin, "far");
  EXPECT_EQ(due[0].lane, normal);
  const SyncTopic topic = begin_sync();
  EXPECT_TRUE(ledger.overdue_syncs(now, 1s).empty());
  EXPECT_TRUE(echo(topic, {}));
  EXPECT_TRUE(ledger.overdue_syncs(at(10s), 1s).empty());
}

TEST_F(LedgerSync, ANewIncarnationThatWasNotSyncedIsOverdue) {
  ledger.add_subscription(filter("t."));
  sync({});
  now = at(5s);
  data("t.a", 1, 1, 11);
  EXPECT_TRUE(ledger.overdue_syncs(at(5s), 1s).empty());
  EXPECT_EQ(ledger.overdue_syncs(at(6s), 1s).size(), 1u);
  sync({{"t.a", 0, 2}}, 11);
  EXPECT_TRUE(ledger.overdue_syncs(at(60s), 1s).empty());
}

TEST_F(LedgerSync, NothingIsOverdueFromTheDeadOrFromClosedLinks) {
  sync({});
  const SyncTopic topic = begin_sync();
  ledger.retired_topics();
  ledger.on_origin_dead(now, {"far", 10});
  EXPECT_TRUE(ledger.overdue_syncs(at(60s), 1s).empty());
  ledger.on_origin_back(now, {"far", 10});
  EXPECT_EQ(ledger.overdue_syncs(at(60s), 1s).size(), 1u);
  ledger.on_links_closed("far");
  EXPECT_TRUE(ledger.overdue_syncs(at(60s), 1s).empty());
  EXPECT_THAT(ledger.retired_topics(), ::testing::ElementsAre(std::pair(normal, topic)));
  EXPECT_FALSE(echo(topic, {}));
}

}  // namespace
}  // namespace legion
