// Data against its declaration: at publish(), and before a handler gets it.
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/poll.hpp"

#include <legion/event/frame.hpp>
#include <legion/event/json.hpp>
#include <legion/event/types.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/runtime/dispatch_pool.hpp>
#include <legion/runtime/intake.hpp>
#include <legion/runtime/schema_guard.hpp>

namespace legion {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

constexpr std::string_view good = R"({"symbol":"X","price":1,"volume":2,"side":"buy"})";
constexpr std::string_view bad = R"({"symbol":"X","price":"1"})";
constexpr std::string_view why = "market.data_received (version 1): price: expected a number, found a string";

/// The policy of market.data_received.
PolicyTable market_policy(std::optional<SchemaCheck> schema, std::optional<UnknownVersion> unknown = {}) {
  TopicRule rule;
  rule.prefix = Filter::parse("market.").value();
  rule.schema = schema;
  rule.unknown_version = unknown;
  return PolicyTable({rule});
}

class Log {
 public:
  LogSink sink() {
    return [this](LogLevel level, std::string_view text) {
      const std::lock_guard lock(mutex_);
      if (level == LogLevel::Warn) lines_.emplace_back(text);
    };
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

Event market_event(std::string_view json, std::uint32_t version = 1) {
  Event event;
  event.type = "market.data_received";
  event.source = "beta/feed";
  event.time = WallTime{1'700'000'000'000'000'000};
  event.schema_version = version;
  event.data = data_from_json(json).value();
  return event;
}

// --- publish ---------------------------------------------------------------------------------------------------------

struct Publishing {
  explicit Publishing(const PolicyTable& policy)
      : guard(std::make_shared<const SchemaGuard>("alpha", SchemaTable::built_in(), policy, log.sink())),
        intake("alpha", policy, {64, 64, 64, 64}, 1 << 20, [] {}) {
    intake.watch(guard);
  }
  PublishResult publish(const Event& event, PublishedBy publisher = PublishedBy::Agent) {
    return intake.publish(event, "desk", publisher, PublishOptions::PriorityFrom::Policy, {}, read_clocks().wall);
  }
  Log log;
  std::shared_ptr<const SchemaGuard> guard;
  Intake intake;
};

TEST(SchemaAtPublish, ByDefaultWhatDoesNotFitIsPublishedLoggedAndCounted) {
  Publishing node(PolicyTable{});
  Event event = market_event(bad);
  event.source.clear();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(node.publish(event));
  EXPECT_THAT(node.log.lines(), ElementsAre("data does not fit: published by alpha/desk: " + std::string(why)))
      << "one line for a type in ten seconds";
  EXPECT_THAT(node.guard->counts(), ElementsAre(Pair("market.data_received", 5)));
  EXPECT_EQ(node.intake.depth(Priority::Normal), 5u);
}

TEST(SchemaAtPublish, StrictAnswersInvalidAndNamesTheField) {
  Publishing node(market_policy(SchemaCheck::Strict));
  for (const PublishedBy publisher : {PublishedBy::Agent, PublishedBy::Control, PublishedBy::Local}) {
    const PublishResult refused = node.publish(market_event(bad), publisher);
    EXPECT_EQ(refused.status, PublishStatus::Invalid);
    EXPECT_EQ(refused.detail, why);
  }
  EXPECT_TRUE(node.publish(market_event(good)));
  EXPECT_EQ(node.intake.depth(Priority::Normal), 1u);
  EXPECT_EQ(node.intake.answered(PublishStatus::Invalid), 3u);
  EXPECT_THAT(node.log.lines(), IsEmpty());
  EXPECT_THAT(node.guard->counts(), ElementsAre(Pair("market.data_received", 3)));
}

TEST(SchemaAtPublish, OffAndOtherTypesAndNewerVersionsAreNotLookedAt) {
  Publishing off(market_policy(SchemaCheck::Off));
  EXPECT_TRUE(off.publish(market_event(bad)));
  EXPECT_THAT(off.guard->counts(), IsEmpty());
  Publishing strict(market_policy(SchemaCheck::Strict));
  EXPECT_TRUE(strict.publish(market_event(bad, 2)));
  Event other = market_event(bad);
  other.type = "market.of_our_own";
  EXPECT_TRUE(strict.publish(other));
  EXPECT_THAT(strict.guard->counts(), IsEmpty());
}

TEST(SchemaAtPublish, TheUpperCaseNameIsTheSameType) {
  Publishing node(market_policy(SchemaCheck::Strict));
  Event event = market_event(bad);
  event.type = "MARKET_DATA_RECEIVED";
  EXPECT_EQ(node.publish(event).status, PublishStatus::Invalid);
}

// --- before handling -------------------------------------------------------------------------------------------------

FramePtr frame_of(const std::vector<Event>& events, const std::string& origin = "beta",
                  const std::string& prefix = "") {
  FrameBuilder builder;
  builder.begin({origin, 1}, Priority::Normal, prefix + "market.data_received", 0, 1);
  for (const Event& event : events) builder.append(encode_event(event, 0, 10'000)->bytes);
  return *Frame::decode(builder.finish());
}

/// Takes everything, in runs or one by one.
class Taker : public Agent {
 public:
  explicit Taker(Answers answers) : answers_(answers) {}
  void start(AgentServices&) override {}
  void stop(Duration) override {}
  Answers answers() const override { return answers_; }
  std::optional<Outcome> deliver(const Delivery& delivery) override {
    const std::lock_guard lock(mutex_);
    seen_.push_back(delivery.event->sequence);
    return Outcome::done();
  }
  std::vector<std::uint64_t> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  Answers answers_;
  mutable std::mutex mutex_;
  std::vector<std::uint64_t> seen_;
};

class SchemaAtDispatch : public testing::TestWithParam<Agent::Answers> {
 protected:
  /// Hands the events to one handler and waits until all of them are over.
  void hand_over(const PolicyTable& policy, const FramePtr& frame) {
    guard.emplace("alpha", SchemaTable::built_in(), policy, log.sink());
    pool.watch(*guard);
    const AgentId agent = pool.add_agent({.name = "taker"}, &taker);
    subscription = pool.add_subscription(agent, {Filter(), Priority::Normal});
    pool.start();
    const Route route{subscription, 0};
    pool.offer(read_clocks(), frame, 0, 1, {&route, 1});
    ASSERT_TRUE(test::eventually([&] { return pool.drained(); }));
    letters = pool.drain_letters();
    pool.stop();
  }
  Books books() const {
    Books found;
    pool.inspect([&](const Dispatcher& dispatcher) { found = dispatcher.books(subscription); });
    return found;
  }

  Log log;
  std::optional<SchemaGuard> guard;
  Taker taker{GetParam()};
  DispatchPool pool{1, 1};
  SubscriptionId subscription;
  std::vector<DeadLetter> letters;
};

INSTANTIATE_TEST_SUITE_P(Agents, SchemaAtDispatch, testing::Values(Agent::Answers::AtOnce, Agent::Answers::Later),
                         [](const auto& chosen) { return chosen.param == Agent::Answers::AtOnce ? "InRuns" : "OneByOne"; });

TEST_P(SchemaAtDispatch, StrictMakesADeadLetterOfEachEventThatDoesNotFit) {
  hand_over(market_policy(SchemaCheck::Strict),
            frame_of({market_event(good), market_event(bad), market_event(good), market_event(bad)}));
  EXPECT_THAT(taker.seen(), ElementsAre(1, 3));
  ASSERT_THAT(letters, SizeIs(2));
  EXPECT_EQ(letters[0].event->sequence, 2u);
  EXPECT_EQ(letters[0].death.reason, DeathReason::Schema);
  EXPECT_EQ(letters[0].death.error, why);
  EXPECT_EQ(letters[0].death.attempts, 0u);
  EXPECT_EQ(books().dead, 2u);
  EXPECT_EQ(books().delivered, 2u);
}

TEST_P(SchemaAtDispatch, WarnHandsItOverAndSaysSo) {
  hand_over(market_policy(SchemaCheck::Warn), frame_of({market_event(bad)}));
  EXPECT_THAT(taker.seen(), ElementsAre(1));
  EXPECT_THAT(letters, IsEmpty());
  ASSERT_THAT(log.lines(), SizeIs(1));
  EXPECT_EQ(log.lines()[0], "data does not fit: beta:1:2:market.data_received:0:1 from beta/feed: " + std::string(why));
  EXPECT_THAT(guard->counts(), ElementsAre(Pair("market.data_received", 1)));
}

TEST_P(SchemaAtDispatch, OwnEventsWereLookedAtWhenTheyWerePublished) {
  hand_over(PolicyTable{}, frame_of({market_event(bad)}, "alpha"));
  EXPECT_THAT(taker.seen(), ElementsAre(1));
  EXPECT_THAT(guard->counts(), IsEmpty());
}

TEST_P(SchemaAtDispatch, ReplaysAreLookedAtAsTheirOriginals) {
  Event replayed = market_event(bad);
  replayed.original_id = "beta:1:2:market.data_received:0:1";
  hand_over(market_policy(SchemaCheck::Strict), frame_of({replayed}, "alpha", std::string(replay_prefix)));
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].death.reason, DeathReason::Schema);
}

TEST_P(SchemaAtDispatch, NewerVersionsAreAcceptedByDefault) {
  hand_over(market_policy(SchemaCheck::Strict), frame_of({market_event(bad, 2), market_event(good)}));
  EXPECT_THAT(taker.seen(), ElementsAre(1, 2));
  EXPECT_THAT(guard->counts(), ElementsAre(Pair("market.data_received newer", 1)));
}

TEST_P(SchemaAtDispatch, NewerVersionsMayBeKeptApart) {
  hand_over(market_policy({}, UnknownVersion::Quarantine), frame_of({market_event(good, 2), market_event(good)}));
  EXPECT_THAT(taker.seen(), ElementsAre(2));
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].death.reason, DeathReason::UnknownVersion);
  EXPECT_EQ(letters[0].death.error, "market.data_received (version 2): newer than version 1, the latest known here");
}

TEST_P(SchemaAtDispatch, NewerVersionsMayBeDeadLettersAlsoWhereNothingElseIsChecked) {
  hand_over(market_policy(SchemaCheck::Off, UnknownVersion::DeadLetter),
            frame_of({market_event(bad), market_event(good, 2)}));
  EXPECT_THAT(taker.seen(), ElementsAre(1));
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].death.reason, DeathReason::Schema);
}

TEST_P(SchemaAtDispatch, OlderVersionsAreLookedAtAsWhatTheyBecome) {
  TopicRule rule;
  rule.schema = SchemaCheck::Strict;
  Event first;
  first.type = "signal.generated";
  first.source = "beta/x";
  first.time = WallTime{1};
  first.data = data_from_json(R"({"symbol":"X","action":"BUY","price":1,"confidence":1})").value();
  Event second = first;
  second.schema_version = 2;
  FrameBuilder builder;
  builder.begin({"beta", 1}, Priority::High, first.type, 0, 1);
  for (const Event& event : {first, second}) builder.append(encode_event(event, 0, 10'000)->bytes);
  hand_over(PolicyTable({rule}), *Frame::decode(builder.finish()));
  EXPECT_THAT(taker.seen(), ElementsAre(1));
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_THAT(letters[0].death.error, HasSubstr("signal.generated (version 2): strategy: is missing"));
}

}  // namespace
}  // namespace legion
