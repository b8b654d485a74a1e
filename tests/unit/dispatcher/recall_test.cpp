// Durable deliveries that are taken back: what waits at once, what is in hands when it comes back, what ends there
// ends.
#include <map>
#include <set>

#include "rig.hpp"
#include "seed.hpp"

namespace legion::test {

class DispatcherRecall : public DispatcherTest {
 protected:
  static constexpr StreamKey stream = 5;

  void offer(const FramePtr& frame, SubscriptionId durable, const std::vector<SubscriptionId>& others = {},
             StreamKey key = stream) {
    std::vector<Route> routes{{.subscription = durable, .durable = key}};
    for (const SubscriptionId id : others) routes.push_back({.subscription = id});
    rig.dispatcher.on_run(rig.now, frame, 0, frame->header().event_count, others.empty() ? no_stream : 1, routes);
    rig.check();
  }
  void recall(SubscriptionId id, StreamKey key = stream) {
    rig.dispatcher.recall(rig.now, id, std::span(&key, 1));
    rig.check();
  }
  /// The sequences taken back since the last call, in any order; nothing else may have been reported.
  std::set<std::uint64_t> recalled() {
    const DurableReports told = rig.dispatcher.drain_durable();
    EXPECT_THAT(told.letters, IsEmpty());
    completed = told.completed;
    failures = told.failures;
    std::set<std::uint64_t> out;
    for (const Recalled& one : told.recalled) {
      for (std::uint64_t k = 0; k < one.count; ++k) EXPECT_TRUE(out.insert(one.first + k).second);
    }
    return out;
  }
  static std::set<std::uint64_t> these(std::uint64_t first, std::uint64_t last) {
    const auto all = upto(first, last);
    return {all.begin(), all.end()};
  }

  AgentId agent = rig.agent(agent_spec("a", 1));
  SubscriptionId sub = rig.subscribe(agent);
  std::vector<Completed> completed;
  std::vector<AttemptFailed> failures;
};

TEST_F(DispatcherRecall, WhatWaitsIsGoneAsIfItHadNeverBeenOffered) {
  offer(make_run(1, 10), sub);
  recall(sub);
  EXPECT_EQ(rig.books(sub).pending, 10u) << "until it is told";
  EXPECT_EQ(recalled(), these(1, 10));
  EXPECT_EQ(rig.books(sub).pending, 0u);
  EXPECT_TRUE(rig.idle());
  EXPECT_TRUE(rig.dispatcher.drained());
  EXPECT_EQ(rig.books(sub).published, 0u);
}

TEST_F(DispatcherRecall, WhatIsInHandsEndsThere) {
  offer(make_run(1, 10), sub);
  const Task task = rig.take();
  recall(sub);
  EXPECT_EQ(recalled(), these(2, 10));
  rig.answer(task, Outcome::done());
  EXPECT_THAT(recalled(), IsEmpty());
  ASSERT_THAT(completed, SizeIs(1));
  EXPECT_EQ(rig.books(sub).delivered, 1u);
  EXPECT_TRUE(rig.dispatcher.drained());
}

TEST_F(DispatcherRecall, WhatFailsInHandsIsReportedOnceAndNotTriedAgain) {
  offer(make_run(1, 2), sub);
  const Task task = rig.take();
  recall(sub);
  rig.answer(task, Outcome::retry("no"));
  EXPECT_EQ(recalled(), these(1, 2));
  ASSERT_THAT(failures, SizeIs(1));
  rig.dispatcher.permit_retry(rig.now, failures[0].permit);
  rig.pass(1h);
  EXPECT_TRUE(rig.idle());
  EXPECT_TRUE(rig.dispatcher.drained());
}

TEST_F(DispatcherRecall, WhatWaitsForItsDelayOrItsPermitIsTakenBack) {
  offer(make_run(1, 1), sub);
  offer(make_run(1, 1), sub, {}, 6);
  rig.finish(Outcome::retry("no"));
  rig.finish(Outcome::retry("no"));
  rig.dispatcher.drain_durable();
  rig.pass(1h);  // due, and nobody permits it
  recall(sub, 5);
  EXPECT_EQ(recalled(), these(1, 1));
  recall(sub, 6);
  EXPECT_EQ(recalled(), these(1, 1));
  EXPECT_TRUE(rig.dispatcher.drained());
  offer(make_run(1, 1), sub, {}, 6);
  rig.finish(Outcome::retry("no"));
  rig.dispatcher.drain_durable();
  recall(sub, 6);  // its delay is not over
  EXPECT_EQ(recalled(), these(1, 1));
  EXPECT_FALSE(rig.dispatcher.next_deadline().has_value());
}

TEST_F(DispatcherRecall, ADeferredOneWaitsForItsAnswerWhateverThatIs) {
  offer(make_run(1, 3), sub);
  const Task task = rig.take();
  rig.answer(task, {OutcomeKind::Deferred, {}});
  recall(sub);
  EXPECT_EQ(recalled(), these(2, 3));
  rig.answer(task, Outcome::retry("later"));
  EXPECT_EQ(recalled(), these(1, 1));
  EXPECT_TRUE(rig.dispatcher.drained());
}

TEST_F(DispatcherRecall, OfARunWhatTheHandlerWasNotGivenComesBack) {
  const auto quick = rig.subscribe(rig.agent(run_spec("quick", 4)));
  offer(make_run(1, 10), quick);
  const Task task = rig.take();
  ASSERT_EQ(task.count, 4u);
  recall(quick);
  EXPECT_EQ(recalled(), these(5, 10));
  rig.report(task, 1, OutcomeKind::Done);
  EXPECT_EQ(recalled(), these(3, 4));
  ASSERT_THAT(completed, SizeIs(1));
  EXPECT_EQ(completed[0].count, 2u);
  EXPECT_TRUE(rig.dispatcher.drained());
}

TEST_F(DispatcherRecall, OfARunThatCameBackWholeNothingIsLeft) {
  const auto quick = rig.subscribe(rig.agent(run_spec("quick", 4)));
  offer(make_run(1, 6), quick);
  const Task task = rig.take();
  recall(quick);
  rig.report(task, std::vector<OutcomeKind>{});
  EXPECT_EQ(recalled(), these(1, 6));
  EXPECT_TRUE(rig.idle());
}

TEST_F(DispatcherRecall, AnAgentThatGoesDownGivesBackWhatItHadInHands) {
  for (const bool recalled_before : {false, true}) {
    const AgentId runs = rig.agent(run_spec("quick", 4));
    const auto quick = rig.subscribe(runs);
    offer(make_run(1, 10), quick);
    rig.take();
    if (recalled_before) recall(quick);
    rig.down(runs);
    if (!recalled_before) recall(quick);
    EXPECT_EQ(recalled(), these(1, 10));
    EXPECT_THAT(failures, SizeIs(1)) << "the first one counts an attempt";
    EXPECT_TRUE(rig.dispatcher.drained());
    rig.up(runs);
    EXPECT_TRUE(rig.idle());
  }
}

TEST_F(DispatcherRecall, BehindAGateItIsTakenBackAndTheGateGoesOnForTheOthers) {
  const AgentId guard = rig.agent("guard");
  const auto gate = rig.gate(guard);
  const auto plain = rig.subscribe(rig.agent("plain"), Priority::Low);
  offer(make_run(1, 2), sub, {gate, plain});
  const Task asked = rig.take();
  EXPECT_EQ(asked.subscription, gate);
  recall(sub);
  EXPECT_EQ(recalled(), these(1, 2));
  rig.answer(asked, Outcome::done());
  rig.finish_all();
  recalled();
  EXPECT_EQ(rig.books(plain).delivered, 2u);
  EXPECT_EQ(rig.books(sub).published, 0u);
  EXPECT_TRUE(rig.dispatcher.drained());
}

TEST_F(DispatcherRecall, LowerTiersDoNotWaitForWhatWasTakenBack) {
  const auto plain = rig.subscribe(rig.agent("plain"), Priority::Low);
  offer(make_run(1, 2), sub, {plain});
  recall(sub);
  EXPECT_THAT(rig.finish_all(), ElementsAre(1, 2));
  EXPECT_EQ(rig.books(plain).delivered, 2u);
}

TEST_F(DispatcherRecall, OtherStreamsAndSubscriptionsStay) {
  const auto other = rig.subscribe(agent);
  offer(make_run(1, 2), sub);
  offer(make_run(11, 2), sub, {}, 6);
  offer(make_run(21, 2), other, {}, 7);
  recall(sub);
  EXPECT_EQ(recalled(), these(1, 2));
  EXPECT_THAT(rig.finish_all(), testing::UnorderedElementsAre(11, 12, 21, 22));
}

TEST_F(DispatcherRecall, WhatIsOfferedUnderTheNumberAgainIsHandedOver) {
  offer(make_run(1, 2), sub);
  recall(sub);
  recalled();
  offer(make_run(2, 2), sub);
  EXPECT_THAT(rig.finish_all(), ElementsAre(2, 3));
}

// Whatever order things come in: every event offered is completed or taken back, once, and none is handed over between
// the recall of its stream and the next offer.
TEST(DispatcherRecallRandom, EveryEventIsOverOrBackOnce) {
  constexpr int rounds = 300;
  std::uint64_t backs = 0;
  std::uint64_t dones = 0;
  for (int round = 0; round < rounds; ++round) {
    Rng rng = seeded_rng(round);
    Rig rig;
    AgentSpec spec = rng.chance(0.5) ? run_spec("a", 5) : agent_spec("a", 1 + static_cast<std::uint32_t>(rng.below(3)));
    spec.retry.max_attempts = 1 + static_cast<std::uint32_t>(rng.below(3));
    const AgentId agent = rig.agent(spec);
    const SubscriptionId sub = rig.subscribe(agent);
    const SubscriptionId gate = rig.gate(rig.agent("gate"));
    const SubscriptionId plain = rig.subscribe(rig.agent(run_spec("plain")), Priority::Low);
    constexpr StreamKey streams = 4;
    std::map<StreamKey, std::uint64_t> next;
    std::map<StreamKey, std::set<std::uint64_t>> open;  // by stream: offered, neither over nor back
    std::set<StreamKey> gone;                           // recalled, not offered since
    std::vector<Task> out;
    std::vector<AttemptFailed> failed;
    const auto take_reports = [&] {
      DurableReports told = rig.dispatcher.drain_durable();
      const auto close = [&](StreamKey key, std::uint64_t first, std::uint64_t count, std::uint64_t& counter) {
        counter += count;
        for (std::uint64_t n = first; n < first + count; ++n) {
          ASSERT_EQ(open[key].erase(n), 1u) << "round " << round << ": " << key << ':' << n;
        }
      };
      for (const Completed& one : told.completed) close(one.stream, one.first, one.count, dones);
      for (const Recalled& one : told.recalled) {
        EXPECT_TRUE(gone.contains(one.stream)) << "round " << round;
        close(one.stream, one.first, one.count, backs);
      }
      for (AttemptFailed& one : told.failures) failed.push_back(std::move(one));
    };
    const auto answer = [&](std::size_t at, bool well) {
      const Task task = out[at];
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(at));
      if (task.count > 1 || (task.agent == agent && spec.run_events_max > 1) || task.subscription == plain) {
        const std::size_t answered = well ? task.count : rng.below(task.count + 1);
        std::vector<OutcomeKind> kinds(answered, OutcomeKind::Done);
        if (!well && answered > 0 && rng.chance(0.4)) kinds.back() = OutcomeKind::Retry;
        rig.report(task, kinds, "no");
      } else {
        rig.answer(task, well || task.subscription == gate || rng.chance(0.6) ? Outcome::done() : Outcome::retry("no"));
      }
    };
    const auto step = [&](std::uint64_t what) {
      const auto key = static_cast<StreamKey>(rng.below(streams));
      switch (what) {
        case 0:
        case 1: {
          if (gone.contains(key) && !open[key].empty()) return;  // its number is not free yet
          gone.erase(key);
          const std::uint64_t count = 1 + rng.below(8);
          for (std::uint64_t k = 0; k < count; ++k) open[key].insert(++next[key]);
          std::vector<Route> routes{{.subscription = sub, .durable = key}};
          if (rng.chance(0.3)) routes.push_back({.subscription = gate});
          if (rng.chance(0.3)) routes.push_back({.subscription = plain});
          const FramePtr frame = make_run(next[key] - count + 1, count);
          rig.dispatcher.on_run(rig.now, frame, 0, static_cast<std::uint32_t>(count), key, routes);
          break;
        }
        case 2:
        case 3:
        case 4:
          if (auto task = rig.next()) {
            EXPECT_FALSE(task->subscription == sub && gone.contains(task->durable)) << "round " << round;
            out.push_back(std::move(*task));
          }
          break;
        case 5:
        case 6:
          if (!out.empty()) answer(rng.below(out.size()), rng.chance(0.6));
          break;
        case 7:
          gone.insert(key);
          rig.dispatcher.recall(rig.now, sub, std::span(&key, 1));
          break;
        case 8:
          rig.down(agent);
          std::erase_if(out, [&](const Task& task) { return task.agent == agent; });
          break;
        case 9: rig.up(agent); break;
        case 10:
          if (!failed.empty()) rig.dispatcher.permit_retry(rig.now, failed.back().permit), failed.pop_back();
          break;
        default: rig.pass(50ms);
      }
      rig.check();
      take_reports();
    };
    for (int n = 0; n < 150; ++n) step(rng.below(13));
    for (StreamKey key = 0; key < streams; ++key) {
      gone.insert(key);
      rig.dispatcher.recall(rig.now, sub, std::span(&key, 1));
    }
    rig.up(agent);
    while (!out.empty()) answer(0, true);
    for (int attempt = 0; attempt < 4; ++attempt) {
      rig.pass(1h);  // what is not durable is tried again
      while (auto task = rig.next()) {
        out.push_back(std::move(*task));
        answer(0, true);
      }
    }
    take_reports();
    for (const auto& [key, left] : open) EXPECT_THAT(left, IsEmpty()) << "round " << round << " stream " << key;
    EXPECT_TRUE(rig.dispatcher.drained()) << "round " << round;
    EXPECT_EQ(rig.books(sub).balance(), 0) << "round " << round;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(backs, 1000u);
  EXPECT_GT(dones, 1000u);
}

}  // namespace legion::test
