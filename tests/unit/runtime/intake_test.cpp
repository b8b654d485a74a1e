#include <gtest/gtest.h>

#include <legion/runtime/intake.hpp>

namespace legion {
namespace {

constexpr WallTime now{1'700'000'000'000'000'000};

class IntakeTest : public testing::Test {
 protected:
  PublishResult publish(Event event, Publisher publisher = Publisher::Agent,
                        PublishOptions::PriorityFrom from = PublishOptions::PriorityFrom::Policy) {
    return intake_.publish(std::move(event), "desk", publisher, from, {}, now);
  }
  static Event event(std::string type) {
    Event e;
    e.type = std::move(type);
    return e;
  }
  std::vector<EncodedEvent> take(Priority lane, std::size_t max = 1000) {
    std::vector<EncodedEvent> events;
    std::vector<OnNumbered> callbacks;
    intake_.take(lane, max, events, callbacks);
    EXPECT_EQ(events.size(), callbacks.size());
    return events;
  }

  int wakes_ = 0;
  Intake intake_{"alpha", PolicyTable{}, {64, 64, 64, 64}, [this] { ++wakes_; }};
};

TEST_F(IntakeTest, PutsAnEventOnTheLaneOfItsTypeAndWakesTheLoop) {
  EXPECT_TRUE(publish(event("trade.approved")));
  EXPECT_EQ(wakes_, 1);
  EXPECT_TRUE(take(Priority::Normal).empty());
  const auto events = take(Priority::Critical);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, "trade.approved");
}

TEST_F(IntakeTest, TakesThePriorityOfTheEventOnlyWhenAskedTo) {
  Event urgent = event("test.tick");
  urgent.priority = Priority::Critical;
  EXPECT_TRUE(publish(urgent));
  EXPECT_EQ(take(Priority::Normal).size(), 1u);
  EXPECT_TRUE(publish(urgent, Publisher::Agent, PublishOptions::PriorityFrom::Event));
  EXPECT_EQ(take(Priority::Critical).size(), 1u);
}

TEST_F(IntakeTest, FillsInSourceAndTimeAndAcceptsUpperCaseNames) {
  EXPECT_TRUE(publish(event("TRADE_APPROVED")));
  auto events = take(Priority::Critical);
  ASSERT_EQ(events.size(), 1u);
  FrameBuilder builder;
  builder.begin({"alpha", 1}, Priority::Critical, events[0].type, 0, 1);
  builder.append(events[0].bytes);
  const auto frame = Frame::decode(builder.finish());
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ((*frame)->events()[0].type, "trade.approved");
  EXPECT_EQ((*frame)->events()[0].source, "alpha/desk");
  EXPECT_EQ((*frame)->events()[0].time, now);
}

TEST_F(IntakeTest, RefusesWhatBelongsToNodesAndWhatIsReserved) {
  EXPECT_EQ(publish(event("agent.heartbeat")).status, PublishStatus::Refused);
  EXPECT_EQ(publish(event("~replay.trade")).status, PublishStatus::Refused);
  EXPECT_EQ(publish(event("AGENT_HEARTBEAT"), Publisher::Local).status, PublishStatus::Refused);
  EXPECT_EQ(intake_.answered(PublishStatus::Refused), 3u);
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
  Intake small("alpha", PolicyTable({rule}), {64, 64, 64, 64}, [] {});
  Event big = event("test.tick");
  big.data = Bytes{0xc4, 200};
  big.data.resize(202);
  EXPECT_EQ(small.publish(big, "desk", Publisher::Agent, PublishOptions::PriorityFrom::Policy, {}, now).status,
            PublishStatus::TooBig);
}

TEST_F(IntakeTest, AnswersWouldBlockWhenFullAndKeepsASixteenthForTheNode) {
  int queued = 0;
  while (publish(event("test.tick"))) ++queued;
  EXPECT_EQ(queued, 60);
  EXPECT_EQ(publish(event("test.tick")).status, PublishStatus::WouldBlock);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(publish(event("test.tick"), Publisher::Node)) << i;
  EXPECT_EQ(publish(event("test.tick"), Publisher::Node).status, PublishStatus::WouldBlock);
  EXPECT_TRUE(publish(event("trade.approved"))) << "another lane is not affected";
  EXPECT_EQ(take(Priority::Normal, 10).size(), 10u);
  EXPECT_TRUE(publish(event("test.tick")));
}

TEST_F(IntakeTest, AnswersClosedAfterCloseExceptToTheNode) {
  intake_.close();
  EXPECT_EQ(publish(event("test.tick")).status, PublishStatus::Closed);
  EXPECT_TRUE(publish(event("system.shutdown"), Publisher::Node));
}

TEST_F(IntakeTest, ClosesToTheOutsideFirst) {
  intake_.close_outside();
  EXPECT_EQ(publish(event("test.tick"), Publisher::Control).status, PublishStatus::Closed);
  EXPECT_EQ(publish(event("test.tick"), Publisher::Local).status, PublishStatus::Closed);
  EXPECT_TRUE(publish(event("test.tick"), Publisher::Agent));
}

TEST_F(IntakeTest, BoundsEachLaneByItsOwnCapacity) {
  Intake uneven("alpha", PolicyTable{}, {16, 16, 64, 16}, [] {});
  int normal = 0;
  while (uneven.publish(event("test.tick"), "desk", Publisher::Node, PublishOptions::PriorityFrom::Policy, {}, now)) ++normal;
  int critical = 0;
  while (uneven.publish(event("risk.alert"), "desk", Publisher::Node, PublishOptions::PriorityFrom::Policy, {}, now)) {
    ++critical;
  }
  EXPECT_EQ(normal, 64);
  EXPECT_EQ(critical, 16);
}

TEST_F(IntakeTest, AddsTheTimeToLiveOfTheTypeToEventsWithoutOne) {
  TopicRule rule;
  rule.prefix = *Filter::parse("test.");
  rule.ttl = 5s;
  Intake timed("alpha", PolicyTable({rule}), {64, 64, 64, 64}, [] {});
  ASSERT_TRUE(timed.publish(event("test.tick"), "desk", Publisher::Agent, PublishOptions::PriorityFrom::Policy, {}, now));
  std::vector<EncodedEvent> events;
  std::vector<OnNumbered> callbacks;
  timed.take(Priority::Normal, 1, events, callbacks);
  FrameBuilder builder;
  builder.begin({"alpha", 1}, Priority::Normal, "test.tick", 0, 1);
  builder.append(events.at(0).bytes);
  const auto frame = Frame::decode(builder.finish());
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ((*frame)->events()[0].expires_at, now + 5s);
}

}  // namespace
}  // namespace legion
