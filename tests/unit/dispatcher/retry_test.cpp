#include "rig.hpp"

#include <legion/core/dispatcher_retry.hpp>

namespace legion::test {

class DispatcherRetry : public DispatcherTest {
 protected:
  AgentId agent = rig.agent("a");
  SubscriptionId all = rig.subscribe(agent);
};

TEST_F(DispatcherRetry, RepeatsWithGrowingDelayAndAttemptNumbers) {
  rig.offer({}, {all});
  EXPECT_EQ(rig.finish(Outcome::retry("x")).attempt, 1u);
  EXPECT_EQ(rig.dispatcher.next_deadline(), rig.now.steady + 100ms);
  rig.pass(100ms);
  EXPECT_EQ(rig.finish(Outcome::retry("x")).attempt, 2u);
  EXPECT_EQ(rig.dispatcher.next_deadline(), rig.now.steady + 200ms);
  rig.pass(199ms);
  EXPECT_TRUE(rig.idle());
  rig.pass(1ms);
  EXPECT_EQ(rig.finish().attempt, 3u);
  EXPECT_EQ(rig.dispatcher.next_deadline(), std::nullopt);
  EXPECT_EQ(rig.books(all).delivered, 1u);
}

TEST_F(DispatcherRetry, NextHandsOverWhatIsDueWithoutATick) {
  rig.offer({}, {all});
  rig.finish(Outcome::retry("x"));
  rig.now.steady = rig.now.steady + 100ms;
  EXPECT_EQ(rig.finish().attempt, 2u);
}

TEST_F(DispatcherRetry, EndsInADeadLetterAfterExactlyMaxAttempts) {
  const EventPtr event = rig.offer({}, {all});
  const WallTime first = rig.now.wall;
  rig.finish(Outcome::retry("one"));
  rig.pass(1s);
  rig.finish(Outcome::retry("two"));
  rig.pass(1s);
  rig.finish(Outcome::retry("three"));
  rig.pass(1h);
  EXPECT_TRUE(rig.idle());
  EXPECT_EQ(rig.books(all).dead, 1u);
  const auto letters = rig.letters();
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].event, event);
  EXPECT_EQ(letters[0].agent, agent);
  EXPECT_EQ(letters[0].death.agent, "a");
  EXPECT_EQ(letters[0].death.reason, DeathReason::HandlerError);
  EXPECT_EQ(letters[0].death.attempts, 3u);
  EXPECT_EQ(letters[0].death.error, "three");
  EXPECT_EQ(letters[0].death.first, first);
  EXPECT_EQ(letters[0].death.last, first + 2s);
  EXPECT_THAT(rig.letters(), IsEmpty());
}

TEST_F(DispatcherRetry, RejectIsADeadLetterAtOnce) {
  rig.offer({.sequence = 1}, {all});
  rig.offer({.sequence = 2}, {all});
  rig.finish(Outcome::reject("bad"));
  EXPECT_EQ(rig.books(all).dead, 1u);
  EXPECT_EQ(rig.letters().at(0).death.attempts, 1u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(2));
}

TEST_F(DispatcherRetry, OneAttemptMeansNoRetry) {
  AgentSpec spec = agent_spec("once");
  spec.retry = steady_retry(1);
  const auto once = rig.subscribe(rig.agent(spec));
  rig.offer({}, {once});
  rig.finish(Outcome::retry("x"));
  EXPECT_EQ(rig.books(once).dead, 1u);
}

TEST_F(DispatcherRetry, ErrorTextIsCutBetweenCharacters) {
  rig.offer({}, {all});
  std::string text(limits::error_text_bytes_max - 1, 'e');
  rig.finish(Outcome::reject(text + "\xC3\xA9 and more"));
  EXPECT_EQ(rig.letters().at(0).death.error, text);
}

TEST_F(DispatcherRetry, ADeferredEventMayStillFail) {
  rig.offer({}, {all});
  const Task task = rig.finish(Outcome::deferred());
  rig.answer(task, Outcome::retry("x"));
  rig.pass(100ms);
  EXPECT_EQ(rig.finish().attempt, 2u);
}

TEST_F(DispatcherRetry, ADeferredEventFreesTheSlot) {
  rig.offer({.stream = 1, .sequence = 1}, {all});
  rig.offer({.stream = 2, .sequence = 2}, {all});
  rig.finish(Outcome::deferred());
  EXPECT_EQ(rig.take().sequence(), 2u);
}

TEST_F(DispatcherRetry, DeferringTwiceChangesNothing) {
  rig.offer({}, {all});
  const Task task = rig.finish(Outcome::deferred());
  rig.answer(task, Outcome::deferred());
  rig.answer(task, Outcome::done());
  EXPECT_EQ(rig.books(all).delivered, 1u);
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 0u);
}

TEST_F(DispatcherRetry, ASecondAnswerIsStale) {
  rig.offer({}, {all});
  const Task task = rig.finish();
  rig.offer({.sequence = 2}, {all});
  rig.take();
  rig.answer(task, Outcome::done());
  EXPECT_EQ(rig.dispatcher.stats().stale_outcomes, 1u);
  EXPECT_EQ(rig.books(all).delivered, 1u);
}

TEST_F(DispatcherRetry, ATimeoutIsAFailedAttemptAndTheLateAnswerStale) {
  AgentSpec spec = agent_spec("slow");
  spec.handler_timeout = 30ms;
  const auto slow = rig.subscribe(rig.agent(spec));
  rig.offer({}, {slow});
  const Task task = rig.take();
  EXPECT_EQ(rig.dispatcher.next_deadline(), rig.now.steady + 30ms);
  rig.pass(29ms);
  EXPECT_EQ(rig.dispatcher.stats().handlers[slow.value].timeouts, 0u);
  rig.pass(1ms);
  rig.answer(task, Outcome::done());
  EXPECT_EQ(rig.books(slow).delivered, 0u);
  const auto stats = rig.dispatcher.stats();
  EXPECT_EQ(stats.stale_outcomes, 1u);
  EXPECT_EQ(stats.handlers[slow.value].timeouts, 1u);
  EXPECT_EQ(stats.handlers[slow.value].errors, 1u);
  rig.pass(100ms);
  EXPECT_EQ(rig.finish().attempt, 2u);
}

TEST_F(DispatcherRetry, ADeferredEventDoesNotTimeOut) {
  AgentSpec spec = agent_spec("slow");
  spec.handler_timeout = 30ms;
  const auto slow = rig.subscribe(rig.agent(spec));
  rig.offer({}, {slow});
  const Task task = rig.finish(Outcome::deferred());
  EXPECT_EQ(rig.dispatcher.next_deadline(), std::nullopt);
  rig.pass(1h);
  rig.answer(task, Outcome::done());
  EXPECT_EQ(rig.books(slow).delivered, 1u);
}

TEST(RetryDelay, GrowsByTheBackoffAndStopsAtTheMaximum) {
  RetryPolicy policy{.max_attempts = 99, .delay = 100ms, .backoff = 2.0, .jitter = 0.5, .delay_max = 1s};
  EXPECT_EQ(dispatch::retry_delay(policy, 1, 0.0), 100ms);
  EXPECT_EQ(dispatch::retry_delay(policy, 3, 0.0), 400ms);
  EXPECT_EQ(dispatch::retry_delay(policy, 1, 1.0), 150ms);
  EXPECT_EQ(dispatch::retry_delay(policy, 1, -1.0), 50ms);
  EXPECT_EQ(dispatch::retry_delay(policy, 5000, 0.0), 1s);
}

TEST(RetryDelay, IsNeverNegative) {
  RetryPolicy policy;
  policy.jitter = 3.0;
  EXPECT_EQ(dispatch::retry_delay(policy, 1, -1.0), Duration::zero());
}

TEST(RetryQueue, DelaysVaryWithinTheJitter) {
  dispatch::RetryQueue queue(7);
  RetryPolicy policy;
  policy.jitter = 0.2;
  std::vector<std::int64_t> delays;
  for (int i = 0; i < 100; ++i) {
    queue.add({0}, policy, 1, 0);
    delays.push_back(queue.next_due()->ns);
    queue.clear();
  }
  EXPECT_THAT(delays, testing::Each(testing::AllOf(testing::Ge(80'000'000), testing::Le(120'000'000))));
  EXPECT_GT(*std::ranges::max_element(delays) - *std::ranges::min_element(delays), 10'000'000);
}

}  // namespace legion::test
