// Conditions of subscriptions: who is asked, who is not, and where it is written down.
#include "rig.hpp"

namespace legion::test {

namespace {

/// Events of one stream with these keys, from sequence 1 on.
FramePtr keyed(const std::vector<std::string>& keys) {
  std::vector<EventSpec> specs;
  for (const std::string& key : keys) specs.push_back({.key = key});
  return make_frame(specs);
}

}  // namespace

class DispatcherWhere : public DispatcherTest {
 protected:
  SubscriptionId subscribe(AgentId agent, const std::string& where, Priority tier = Priority::Normal) {
    return rig.dispatcher.add_subscription(agent, {Filter{}, tier, Where::parse(where).value()});
  }
  std::uint64_t filtered(SubscriptionId id) const { return rig.books(id).filtered.where; }

  /// What a worker does with a run.
  void handle(const Task& task) {
    std::vector<OutcomeKind> kinds;
    for (std::uint32_t k = 0; k < task.count; ++k) {
      const auto fate = fate_before_handling(*task.event(k), rig.now, task.where);
      if (!fate) handled.push_back(task.sequence(k));
      kinds.push_back(fate.value_or(OutcomeKind::Done));
    }
    rig.report(task, kinds);
  }
  std::vector<std::uint64_t> handled;
};

TEST_F(DispatcherWhere, WhatItSaysNoToNeverEntersTheMailboxOfAnAgentWithoutRuns) {
  const AgentId agent = rig.agent(agent_spec("a", 1, {.capacity = 2}));
  const SubscriptionId id = subscribe(agent, "key == 'x'");

  rig.offer(keyed({"y", "x", "y", "y", "x", "y"}), 1, {id});

  EXPECT_EQ(rig.dispatcher.held(agent, Priority::Normal), 2u);
  EXPECT_EQ(filtered(id), 4u);
  EXPECT_THAT(rig.finish_all(), ElementsAre(2, 5));
  EXPECT_EQ(rig.books(id).published, 6u);
  EXPECT_EQ(rig.books(id).delivered, 2u);
  EXPECT_EQ(rig.books(id).lost_total(), 0u);
}

TEST_F(DispatcherWhere, ARunStaysOneAndWhoeverHandlesItAsks) {
  const SubscriptionId id = subscribe(rig.agent(run_spec("a")), "key == 'x'");
  rig.offer(keyed({"y", "x", "y", "x"}), 1, {id});

  const Task task = rig.take();
  EXPECT_EQ(task.count, 4u);
  ASSERT_TRUE(task.where.has_value());
  handle(task);

  EXPECT_THAT(handled, ElementsAre(2, 4));
  EXPECT_EQ(filtered(id), 2u);
  EXPECT_EQ(rig.books(id).delivered, 2u);
  const DispatcherStats stats = rig.dispatcher.stats();
  EXPECT_EQ(stats.handlers[id.value].total, 2u) << "what the handler was not given is no attempt";
  EXPECT_EQ(stats.handlers[id.value].ended, 2u);
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherWhere, ARunThatIsAllFilteredIsOver) {
  const SubscriptionId id = subscribe(rig.agent(run_spec("a")), "key == 'z'");
  rig.offer(keyed({"y", "x"}), 1, {id});
  handle(rig.take());
  EXPECT_THAT(handled, IsEmpty());
  EXPECT_EQ(filtered(id), 2u);
  EXPECT_TRUE(rig.idle());
  EXPECT_TRUE(rig.dispatcher.drained());
}

TEST_F(DispatcherWhere, OnlyWhatIsInTheBooksIsCounted) {
  for (const AgentSpec& spec : {agent_spec("a"), run_spec("b")}) {
    const SubscriptionId id = subscribe(rig.agent(spec), "key == 'x'");
    rig.offer(keyed({"y", "x", "y", "x"}), 1, {id}, 3);
    while (const auto task = rig.next()) handle(*task);
    EXPECT_EQ(rig.books(id).published, 2u) << spec.name;
    EXPECT_EQ(filtered(id), 1u) << spec.name;
    EXPECT_EQ(rig.books(id).delivered, 1u) << spec.name;
  }
}

TEST_F(DispatcherWhere, WithKeysInOrderItIsAskedEventByEvent) {
  const SubscriptionId id = subscribe(rig.agent(agent_spec("a", 4)), "key == 'x'");
  rig.offer(keyed({"y", "x", "x", "y"}), 1, {id});
  EXPECT_EQ(filtered(id), 2u);
  EXPECT_EQ(rig.finish().sequence(), 2u);
  EXPECT_EQ(rig.finish().sequence(), 3u);
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherWhere, AGateIsNotAskedAboutWhatItsConditionSaysNoTo) {
  const AgentId gate_agent = rig.agent("gate");
  const SubscriptionId gate = subscribe(gate_agent, "key == 'x'", Priority::Critical);
  const SubscriptionId desk = rig.subscribe(rig.agent("desk"));

  rig.offer(keyed({"y"}), 1, {gate, desk});
  EXPECT_EQ(rig.take().subscription, desk) << "the gate holds nothing back";

  rig.offer({.stream = 2, .sequence = 1, .key = "x"}, {gate, desk});
  const Task asked = rig.take();
  EXPECT_EQ(asked.subscription, gate);
  EXPECT_TRUE(rig.idle());
  rig.answer(asked, Outcome::stop());
  EXPECT_EQ(rig.books(desk).filtered.stopped, 1u);
  EXPECT_EQ(filtered(gate), 1u);
}

TEST_F(DispatcherWhere, AGateThatIsDownHoldsOnlyWhatItWouldBeAskedAbout) {
  const AgentId gate_agent = rig.agent("gate");
  const SubscriptionId gate = subscribe(gate_agent, "key == 'x'", Priority::Critical);
  const SubscriptionId desk = rig.subscribe(rig.agent("desk"));
  rig.down(gate_agent);

  rig.offer({.stream = 1, .sequence = 1, .key = "x"}, {gate, desk});
  EXPECT_TRUE(rig.idle());
  rig.offer({.stream = 2, .sequence = 1, .key = "y"}, {gate, desk});
  EXPECT_EQ(rig.take().subscription, desk);
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherWhere, OtherGatesAreStillAsked) {
  const SubscriptionId first = subscribe(rig.agent("first"), "key == 'x'", Priority::Critical);
  const SubscriptionId second = rig.gate(rig.agent("second"));
  const SubscriptionId desk = rig.subscribe(rig.agent("desk"));
  rig.offer({.key = "y"}, {first, second, desk});
  EXPECT_EQ(rig.finish().subscription, second);
  EXPECT_EQ(rig.finish().subscription, desk);
  EXPECT_EQ(filtered(first), 1u);
}

TEST_F(DispatcherWhere, TheLaterTiersGoOn) {
  const SubscriptionId high = subscribe(rig.agent("high"), "key == 'x'", Priority::High);
  const SubscriptionId low = rig.subscribe(rig.agent("low"), Priority::Low);
  rig.offer({.key = "y"}, {high, low});
  EXPECT_EQ(rig.finish().subscription, low);
  EXPECT_EQ(filtered(high), 1u);
  EXPECT_EQ(rig.books(low).delivered, 1u);
}

TEST_F(DispatcherWhere, AnEventWhoseBytesDoNotDecodeIsADeadLetterAndNotFiltered) {
  for (const AgentSpec& spec : {agent_spec("a"), agent_spec("b", 2), run_spec("c")}) {
    const SubscriptionId id = subscribe(rig.agent(spec), "key == 'x'");
    rig.offer(make_frame({.bytes = broken}), 1, {id});
    while (const auto task = rig.next()) handle(*task);
    EXPECT_EQ(filtered(id), 0u) << spec.name;
    EXPECT_EQ(rig.books(id).dead, 1u) << spec.name;
    EXPECT_THAT(rig.letters(), SizeIs(1)) << spec.name;
  }
}

TEST_F(DispatcherWhere, WhatIsExpiredAndNotWantedIsFiltered) {
  const SubscriptionId id = subscribe(rig.agent(run_spec("a")), "key == 'x'");
  const WallTime past{rig.now.wall.ns - 1};
  const std::vector<EventSpec> specs{{.key = "y", .expires_at = past}, {.key = "x", .expires_at = past}};
  rig.offer(make_frame(specs), 1, {id});
  handle(rig.take());
  EXPECT_EQ(filtered(id), 1u);
  EXPECT_EQ(rig.books(id).expired, 1u);
}

TEST_F(DispatcherWhere, ADurableDeliveryIsOverAndNoDeadLetter) {
  for (const AgentSpec& spec : {agent_spec("a"), run_spec("b")}) {
    const SubscriptionId id = subscribe(rig.agent(spec), "key == 'x'");
    const FramePtr frame = keyed({"y", "x", "y"});
    const std::vector<Route> routes{{.subscription = id, .durable = 5}};
    rig.dispatcher.on_run(rig.now, frame, 0, 3, no_stream, routes);
    while (const auto task = rig.next()) handle(*task);
    const DurableReports reports = rig.dispatcher.drain_durable();
    std::uint64_t completed = 0;
    for (const Completed& one : reports.completed) completed += one.count;
    EXPECT_EQ(completed, 3u) << spec.name;
    EXPECT_THAT(reports.letters, IsEmpty()) << spec.name;
    EXPECT_EQ(filtered(id), 2u) << spec.name;
    EXPECT_EQ(rig.books(id).delivered, 1u) << spec.name;
  }
}

}  // namespace legion::test
