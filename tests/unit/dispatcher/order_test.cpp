#include "rig.hpp"

namespace legion::test {

class DispatcherOrder : public DispatcherTest {};

TEST_F(DispatcherOrder, IsByArrivalAcrossStreams) {
  const auto all = rig.subscribe(rig.agent("a"));
  for (std::uint64_t n = 1; n <= 6; ++n) {
    rig.offer({.stream = n <= 4 ? 1u : 2u, .sequence = n}, {all});
  }
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(DispatcherOrder, OneEventAtATimeWithConcurrencyOne) {
  const auto all = rig.subscribe(rig.agent("a"));
  rig.offer({.stream = 1, .sequence = 1}, {all});
  rig.offer({.stream = 2, .sequence = 2}, {all});
  rig.take();
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherOrder, LaterEventsOfTheStreamWaitForARetryOthersRun) {
  const auto all = rig.subscribe(rig.agent("a"));
  rig.offer({.stream = 1, .sequence = 1}, {all});
  rig.offer({.stream = 1, .sequence = 2}, {all});
  rig.offer({.stream = 2, .sequence = 10}, {all});
  rig.offer({.stream = 1, .sequence = 3}, {all});
  rig.finish(Outcome::retry("x"));
  EXPECT_THAT(rig.finish_all(), ElementsAre(10));
  rig.pass(99ms);
  EXPECT_TRUE(rig.idle());
  rig.pass(1ms);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2, 3));
}

TEST_F(DispatcherOrder, LaterEventsOfTheStreamWaitForADeferredOneOthersRun) {
  const auto all = rig.subscribe(rig.agent("a"));
  rig.offer({.stream = 1, .sequence = 1}, {all});
  rig.offer({.stream = 1, .sequence = 2}, {all});
  rig.offer({.stream = 2, .sequence = 10}, {all});
  const Task deferred = rig.finish(Outcome::deferred());
  EXPECT_THAT(rig.finish_all(), ElementsAre(10));
  rig.answer(deferred, Outcome::done());
  EXPECT_THAT(rig.finish_all(), ElementsAre(2));
}

TEST_F(DispatcherOrder, IsPerKeyWithConcurrency) {
  const auto all = rig.subscribe(rig.agent(agent_spec("a", 4)));
  rig.offer({.sequence = 1, .key = "x"}, {all});
  rig.offer({.sequence = 2, .key = "x"}, {all});
  rig.offer({.sequence = 3, .key = "y"}, {all});
  const Task x = rig.take();
  EXPECT_EQ(rig.take().sequence(), 3u);
  EXPECT_TRUE(rig.idle());
  rig.answer(x, Outcome::done());
  EXPECT_EQ(rig.take().sequence(), 2u);
}

TEST_F(DispatcherOrder, TheSameKeyOfAnotherStreamDoesNotWait) {
  const auto all = rig.subscribe(rig.agent(agent_spec("a", 4)));
  rig.offer({.stream = 1, .sequence = 1, .key = "x"}, {all});
  rig.offer({.stream = 2, .sequence = 1, .key = "x"}, {all});
  rig.take();
  EXPECT_EQ(rig.take().sequence(), 1u);
}

TEST_F(DispatcherOrder, AKeyWaitsForItsRetry) {
  const auto all = rig.subscribe(rig.agent(agent_spec("a", 4)));
  rig.offer({.sequence = 1, .key = "x"}, {all});
  rig.offer({.sequence = 2, .key = "x"}, {all});
  rig.offer({.sequence = 3, .key = "y"}, {all});
  rig.finish(Outcome::retry("x"));
  EXPECT_THAT(rig.finish_all(), ElementsAre(3));
  rig.pass(100ms);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2));
}

TEST_F(DispatcherOrder, KeylessEventsWaitForNothingWithConcurrency) {
  const auto all = rig.subscribe(rig.agent(agent_spec("a", 2)));
  for (std::uint64_t n = 1; n <= 4; ++n) rig.offer({.sequence = n}, {all});
  rig.finish(Outcome::retry("x"));
  EXPECT_THAT(rig.finish_all(), ElementsAre(2, 3, 4));
  rig.pass(100ms);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1));
}

TEST_F(DispatcherOrder, NeverMoreInFlightThanConcurrency) {
  const auto all = rig.subscribe(rig.agent(agent_spec("a", 3)));
  for (std::uint64_t n = 1; n <= 5; ++n) rig.offer({.sequence = n}, {all});
  for (int i = 0; i < 3; ++i) rig.take();
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherOrder, HoldsThroughTiersWhenTheEarlierTierIsUnordered) {
  const auto high = rig.subscribe(rig.agent(agent_spec("parallel", 2)), Priority::High);
  const auto low = rig.subscribe(rig.agent("serial"), Priority::Low);
  rig.offer({.sequence = 1}, {high, low});
  rig.offer({.sequence = 2}, {high, low});
  const Task first = rig.take();
  rig.finish();
  EXPECT_TRUE(rig.idle());
  rig.answer(first, Outcome::done());
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2));
}

TEST_F(DispatcherOrder, TwoSubscriptionsOfOneAgentEachGetTheEvent) {
  const AgentId agent = rig.agent("a");
  const auto one = rig.subscribe(agent);
  const auto two = rig.subscribe(agent, Priority::Low);
  rig.offer({}, {one, two});
  EXPECT_EQ(rig.finish().subscription, one);
  EXPECT_EQ(rig.finish().subscription, two);
  EXPECT_EQ(rig.books(one).delivered, 1u);
  EXPECT_EQ(rig.books(two).delivered, 1u);
}

TEST_F(DispatcherOrder, ALateRetryDoesNotOvertakeAnotherStreamsOlderEvents) {
  const auto all = rig.subscribe(rig.agent("a"));
  rig.offer({.stream = 1, .sequence = 1}, {all});
  rig.offer({.stream = 2, .sequence = 10}, {all});
  rig.offer({.stream = 2, .sequence = 11}, {all});
  rig.finish(Outcome::retry("x"));
  const Task ten = rig.take();
  rig.pass(100ms);
  rig.answer(ten, Outcome::done());
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 11));
}

TEST_F(DispatcherOrder, ABlockedStreamWithManyEventsCostsEachOnlyOnce) {
  const auto all = rig.subscribe(rig.agent(agent_spec("a", 1, {200'000, Overflow::DropNewest})));
  const auto offer = [&](StreamKey stream, std::uint64_t sequence) {
    const Route route{all};
    rig.dispatcher.on_run(rig.now, make_run(sequence, 1), 0, 1, stream, {&route, 1});
  };
  offer(1, 1);
  rig.dispatcher.on_outcome(rig.now, rig.dispatcher.next(rig.now)->id, Outcome::deferred());
  for (std::uint64_t n = 2; n <= 100'000; ++n) offer(1, n);
  // With a scan over the blocked events at every hand-over this would be ten thousand million steps.
  for (std::uint64_t n = 1; n <= 100'000; ++n) {
    offer(2, n);
    const auto task = rig.dispatcher.next(rig.now);
    ASSERT_EQ(task->sequence(), n);
    rig.dispatcher.on_outcome(rig.now, task->id, Outcome::done());
  }
  EXPECT_EQ(rig.dispatcher.books(all).pending, 100'000u);
}

}  // namespace legion::test
