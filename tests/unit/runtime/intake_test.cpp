#include <map>
#include <thread>

#include <gtest/gtest.h>

#include <legion/core/journal.hpp>
#include <legion/runtime/intake.hpp>

namespace legion {
namespace {

constexpr WallTime now{1'700'000'000'000'000'000};

/// Of a mesh without a spool, with `rules` besides.
PolicyTable live_policy(std::vector<TopicRule> rules = {}) {
  TopicRule everything;
  everything.spools = 0;
  rules.push_back(std::move(everything));
  return PolicyTable(std::move(rules));
}

class IntakeTest : public testing::Test {
 protected:
  PublishResult publish(Event event, PublishedBy publisher = PublishedBy::Agent,
                        PublishOptions::PriorityFrom from = PublishOptions::PriorityFrom::Policy) {
    return intake_.publish(event, "desk", publisher, from, {}, now);
  }
  static Event event(std::string type) {
    Event e;
    e.type = std::move(type);
    return e;
  }
  /// The events that wait, in frames.
  static std::vector<FramePtr> take(Intake& intake, Priority lane, std::size_t events_max = 1000) {
    std::vector<UnnumberedFrame> taken;
    std::vector<Asked> asked;
    const std::size_t count = intake.take(lane, events_max, taken, asked);
    std::size_t sum = 0;
    std::vector<FramePtr> frames;
    for (UnnumberedFrame& frame : taken) {
      sum += frame.count;
      number_frame(frame.bytes, 9, 1);
      frames.push_back(Frame::decode(std::move(frame.bytes)).value());
    }
    EXPECT_EQ(count, sum);
    return frames;
  }
  std::vector<FramePtr> take(Priority lane) { return take(intake_, lane); }

  int wakes_ = 0;
  Intake intake_{"alpha", PolicyTable{}, {64, 64, 64, 64}, 1 << 20, [this] { ++wakes_; }};
};

TEST_F(IntakeTest, PutsAnEventOnTheLaneOfItsTypeAndWakesTheLoop) {
  EXPECT_TRUE(publish(event("trade.approved")));
  EXPECT_EQ(wakes_, 1);
  EXPECT_TRUE(take(Priority::Normal).empty());
  const auto frames = take(Priority::Critical);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0]->header().type, "trade.approved");
}

TEST_F(IntakeTest, TakesThePriorityOfTheEventOnlyWhenAskedTo) {
  Event urgent = event("test.tick");
  urgent.priority = Priority::Critical;
  EXPECT_TRUE(publish(urgent));
  EXPECT_EQ(take(Priority::Normal).size(), 1u);
  EXPECT_TRUE(publish(urgent, PublishedBy::Agent, PublishOptions::PriorityFrom::Event));
  EXPECT_EQ(take(Priority::Critical).size(), 1u);
}

TEST_F(IntakeTest, FillsInSourceAndTimeAndAcceptsUpperCaseNames) {
  EXPECT_TRUE(publish(event("TRADE_APPROVED")));
  const auto frames = take(Priority::Critical);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0]->events()[0].type, "trade.approved");
  EXPECT_EQ(frames[0]->events()[0].source, "alpha/desk");
  EXPECT_EQ(frames[0]->events()[0].time, now);
}

TEST_F(IntakeTest, RefusesWhatBelongsToNodesAndWhatIsReserved) {
  EXPECT_EQ(publish(event("agent.heartbeat")).status, PublishStatus::Refused);
  EXPECT_EQ(publish(event("~replay.trade")).status, PublishStatus::Refused);
  EXPECT_EQ(publish(event("AGENT_HEARTBEAT"), PublishedBy::Local).status, PublishStatus::Refused);
  EXPECT_EQ(intake_.answered(PublishStatus::Refused), 3u);
}

TEST_F(IntakeTest, TakesReplaysOfAnyTypeAsTheirOriginalsAndNothingElseFromWhoReplays) {
  Event trade = event("~replay.trade.approved");
  trade.original_id = "beta:1:0:trade.approved:0:1";
  const std::int64_t room = intake_.confirmed_room();
  EXPECT_TRUE(publish(trade, PublishedBy::Replay));
  EXPECT_EQ(intake_.confirmed_room(), room) << "it is not journalled";
  std::vector<UnnumberedFrame> taken;
  std::vector<Asked> asked;
  ASSERT_EQ(intake_.take(Priority::Critical, 10, taken, asked), 1u);
  EXPECT_EQ(taken[0].journalling.journal, std::nullopt);
  number_frame(taken[0].bytes, 9, 1);
  const auto frame = Frame::decode(std::move(taken[0].bytes)).value();
  const EventView& view = frame->events()[0];
  EXPECT_EQ(frame->header().type, "~replay.trade.approved");
  EXPECT_EQ(view.type, "trade.approved");
  EXPECT_EQ(view.id_string(), "alpha:9:0:~replay.trade.approved:0:1");
  EXPECT_EQ(view.id(), EventId::parse(view.id_string()).value());
  EXPECT_EQ(view.to_event().type, "trade.approved");
  EXPECT_EQ(view.original_id, trade.original_id);

  for (const char* type : {"trade.approved", "~replay_to.trade.approved", "~record", "!x", "~replay.agent.heartbeat"}) {
    EXPECT_EQ(publish(event(type), PublishedBy::Replay).status, PublishStatus::Refused) << type;
  }
  EXPECT_EQ(publish(event("~replay."), PublishedBy::Replay).status, PublishStatus::Invalid);
  intake_.close_outside();
  EXPECT_EQ(publish(trade, PublishedBy::Replay).status, PublishStatus::Closed);
}

TEST_F(IntakeTest, NamesWhatIsWrongWithAnInvalidEvent) {
  const auto result = publish(event("Not A Type"));
  EXPECT_EQ(result.status, PublishStatus::Invalid);
  EXPECT_NE(result.detail.find("type"), std::string::npos);
}

TEST_F(IntakeTest, RefusesMoreThanThePolicyAllowsForTheType) {
  TopicRule rule;
  rule.prefix = *Filter::parse("test.");
  rule.max_bytes = 100;
  Intake small("alpha", live_policy({rule}), {64, 64, 64, 64}, 1 << 20, [] {});
  Event big = event("test.tick");
  big.data = Bytes{0xc4, 200};
  big.data.resize(202);
  EXPECT_EQ(small.publish(big, "desk", PublishedBy::Agent, PublishOptions::PriorityFrom::Policy, {}, now).status,
            PublishStatus::TooBig);
}

TEST_F(IntakeTest, AnswersWouldBlockWhenFullAndKeepsASixteenthForTheNode) {
  int queued = 0;
  while (publish(event("test.tick"))) ++queued;
  EXPECT_EQ(queued, 60);
  EXPECT_EQ(publish(event("test.tick")).status, PublishStatus::WouldBlock);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(publish(event("test.tick"), PublishedBy::Node)) << i;
  EXPECT_EQ(publish(event("test.tick"), PublishedBy::Node).status, PublishStatus::WouldBlock);
  EXPECT_TRUE(publish(event("trade.approved"))) << "another lane is not affected";
  EXPECT_EQ(take(Priority::Normal).at(0)->header().event_count, 64u);
  EXPECT_TRUE(publish(event("test.tick")));
}

TEST_F(IntakeTest, AnswersClosedAfterCloseExceptToTheNode) {
  intake_.close();
  EXPECT_EQ(publish(event("test.tick")).status, PublishStatus::Closed);
  EXPECT_TRUE(publish(event("system.shutdown"), PublishedBy::Node));
}

TEST_F(IntakeTest, ClosesToTheOutsideFirst) {
  intake_.close_outside();
  EXPECT_EQ(publish(event("test.tick"), PublishedBy::Control).status, PublishStatus::Closed);
  EXPECT_EQ(publish(event("test.tick"), PublishedBy::Local).status, PublishStatus::Closed);
  EXPECT_TRUE(publish(event("test.tick"), PublishedBy::Agent));
}

TEST_F(IntakeTest, BoundsEachLaneByItsOwnCapacity) {
  Intake uneven("alpha", live_policy(), {16, 16, 64, 16}, 1 << 20, [] {});
  int normal = 0;
  while (uneven.publish(event("test.tick"), "desk", PublishedBy::Node, PublishOptions::PriorityFrom::Policy, {}, now)) ++normal;
  int critical = 0;
  while (uneven.publish(event("risk.alert"), "desk", PublishedBy::Node, PublishOptions::PriorityFrom::Policy, {}, now)) {
    ++critical;
  }
  EXPECT_EQ(normal, 64);
  EXPECT_EQ(critical, 16);
}

TEST_F(IntakeTest, AddsTheTimeToLiveOfTheTypeToEventsWithoutOne) {
  TopicRule rule;
  rule.prefix = *Filter::parse("test.");
  rule.ttl = 5s;
  Intake timed("alpha", live_policy({rule}), {64, 64, 64, 64}, 1 << 20, [] {});
  ASSERT_TRUE(timed.publish(event("test.tick"), "desk", PublishedBy::Agent, PublishOptions::PriorityFrom::Policy, {}, now));
  const auto frames = take(timed, Priority::Normal);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0]->events()[0].expires_at, now + 5s);
}

TEST_F(IntakeTest, WhatPilesUpOfOneStreamLeavesInOneFrameAndStreamsTakeTurns) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(publish(event("test.tick")));
    EXPECT_TRUE(publish(event("test.tock")));
  }
  const auto frames = take(Priority::Normal);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0]->header().type, "test.tick");
  EXPECT_EQ(frames[0]->header().event_count, 10u);
  EXPECT_EQ(frames[1]->header().event_count, 10u);
  EXPECT_EQ(intake_.depth(Priority::Normal), 0u);
  EXPECT_TRUE(intake_.empty());
}

TEST_F(IntakeTest, TakesWholeFramesUntilItHasEnough) {
  Intake roomy("alpha", live_policy(), {4096, 4096, 4096, 4096}, 1 << 20, [] {});
  Event big = event("test.tick");
  big.data = Bytes{0xc5, 0x03, 0xe8};
  big.data.resize(3 + 1000);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(roomy.publish(big, "desk", PublishedBy::Agent, PublishOptions::PriorityFrom::Policy, {}, now));
  }
  const auto first = take(roomy, Priority::Normal, 40);
  ASSERT_EQ(first.size(), 2u) << "31 events of about a kilobyte fill a frame";
  EXPECT_EQ(roomy.depth(Priority::Normal), 100 - first[0]->header().event_count - first[1]->header().event_count);
  std::size_t rest = 0;
  for (const auto& frame : take(roomy, Priority::Normal)) rest += frame->header().event_count;
  EXPECT_EQ(rest, 100 - first[0]->header().event_count - first[1]->header().event_count);
}

TEST_F(IntakeTest, SaysWhoAskedForANumberWhenTheFrameOfTheEventIsTaken) {
  Intake roomy("alpha", live_policy(), {64, 64, 64, 64}, 1 << 20, [] {});
  const auto ask = [&](std::string type) {
    const auto from = PublishOptions::PriorityFrom::Policy;
    return roomy.publish(event(std::move(type)), "desk", PublishedBy::Agent, from, Askers{Asker{.call = [](Confirm) {}}}, now);
  };
  EXPECT_TRUE(roomy.publish(event("test.tick"), "desk", PublishedBy::Agent, PublishOptions::PriorityFrom::Policy, {}, now));
  EXPECT_TRUE(ask("test.tick"));
  EXPECT_TRUE(ask("test.tock"));
  std::vector<UnnumberedFrame> frames;
  std::vector<Asked> asked;
  EXPECT_EQ(roomy.take(Priority::Normal, 1, frames, asked), 2u);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].place.frame, frames[0].serial);
  EXPECT_EQ(asked[0].place.index, 1u);
  EXPECT_EQ(roomy.take(Priority::Normal, 1, frames, asked), 1u);
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1].place.frame, frames[1].serial);
}

TEST_F(IntakeTest, PublishersOfSeveralThreadsLoseNothingAndEachKeepsItsOrder) {
  constexpr int threads = 4;
  constexpr std::int64_t each = 5000;
  Intake shared("alpha", live_policy(), {512, 512, 512, 512}, 1 << 20, [] {});
  std::vector<std::jthread> publishers;
  for (int t = 0; t < threads; ++t) {
    publishers.emplace_back([&shared, t] {
      Event mine = event("test.t" + std::to_string(t % 2));
      mine.source = "alpha/" + std::to_string(t);
      for (std::int64_t i = 1; i <= each;) {
        mine.time = WallTime{i};
        i += shared.publish(mine, "desk", PublishedBy::Agent, PublishOptions::PriorityFrom::Policy, {}, now) ? 1 : 0;
      }
    });
  }
  std::map<std::string, std::int64_t> last;
  for (std::size_t seen = 0; seen < std::size_t{threads} * each;) {
    for (const auto& frame : take(shared, Priority::Normal)) {
      for (const EventView& view : frame->events()) {
        ASSERT_EQ(view.time.ns, ++last[std::string(view.source)]);
        ++seen;
      }
    }
  }
  EXPECT_EQ(last.size(), std::size_t{threads});
}

// --- the confirmed journal's room -----------------------------------------------------------------------------------

TEST_F(IntakeTest, AConfirmedEventWithoutRoomInTheJournalWouldBlockAndOthersDoNot) {
  Intake intake("alpha", PolicyTable{}, {1000, 1000, 1000, 1000}, 16 * 1024, [] {});
  const auto put = [&](const char* type, PublishedBy publisher = PublishedBy::Agent) {
    return intake.publish(event(type), "desk", publisher, PublishOptions::PriorityFrom::Policy, {}, now).status;
  };
  int taken = 0;
  while (put("risk.alert") == PublishStatus::Queued) ++taken;
  EXPECT_GT(taken, 10);
  EXPECT_LT(taken, 100);
  EXPECT_EQ(put("risk.alert"), PublishStatus::WouldBlock);
  EXPECT_EQ(put("market.depth_snapshot"), PublishStatus::Queued);       // captured
  EXPECT_EQ(put("system.error", PublishedBy::Node), PublishStatus::Queued);  // from the share of the node's own events

  // What publish() took is given back to the byte.
  std::vector<UnnumberedFrame> frames;
  std::vector<Asked> asked;
  for (const Priority lane : all_priorities) intake.take(lane, 1000, frames, asked);
  for (const UnnumberedFrame& frame : frames) intake.give_back(Intake::reserved(frame));
  EXPECT_EQ(intake.confirmed_room(), 15 * 1024);
}

TEST_F(IntakeTest, AnEventTheQueueRefusesTakesNoRoomInTheJournal) {
  Intake intake("alpha", PolicyTable{}, {16, 16, 16, 16}, 1 << 20, [] {});
  PublishResult last;
  for (int i = 0; i < 40; ++i) {
    last = intake.publish(event("risk.alert"), "desk", PublishedBy::Agent, PublishOptions::PriorityFrom::Policy, {}, now);
  }
  EXPECT_EQ(last.status, PublishStatus::WouldBlock);
  std::vector<UnnumberedFrame> frames;
  std::vector<Asked> asked;
  intake.take(Priority::Critical, 1000, frames, asked);
  for (const UnnumberedFrame& frame : frames) intake.give_back(Intake::reserved(frame));
  EXPECT_EQ(intake.confirmed_room(), (1 << 20) - (1 << 16));
}

TEST_F(IntakeTest, TheReservationOfAFrameCoversWhatTheJournalTakesForIt) {
  for (const std::size_t events : {std::size_t{1}, std::size_t{7}, std::size_t{60}}) {
    Intake intake(std::string(limits::node_name_bytes_max, 'n'), PolicyTable{}, {64, 64, 64, 64}, 1 << 20, [] {});
    for (std::size_t i = 0; i < events; ++i) {
      intake.publish(event("risk.alert"), "desk", PublishedBy::Agent, PublishOptions::PriorityFrom::Policy, {}, now);
    }
    std::vector<UnnumberedFrame> frames;
    std::vector<Asked> asked;
    intake.take(Priority::Critical, 1000, frames, asked);
    for (const UnnumberedFrame& frame : frames) {
      EXPECT_GE(Intake::reserved(frame), Journal::cost(frame.bytes.size())) << events;
    }
  }
}

TEST_F(IntakeTest, AConfirmOfATypeThatIsNotConfirmedIsInvalid) {
  const auto ask = [&](const char* type, Asker::When when) {
    Askers askers;
    askers[0] = {[](Confirm) {}, when};
    return intake_.publish(event(type), "desk", PublishedBy::Agent, PublishOptions::PriorityFrom::Policy, std::move(askers),
                           now);
  };
  EXPECT_EQ(ask("market.depth_snapshot", Asker::When::Confirmed).status, PublishStatus::Invalid);
  EXPECT_NE(ask("market.depth_snapshot", Asker::When::Confirmed).detail.find("captured"), std::string::npos);
  EXPECT_TRUE(ask("market.depth_snapshot", Asker::When::Settled));
  EXPECT_TRUE(ask("risk.alert", Asker::When::Confirmed));
}

}  // namespace
}  // namespace legion
