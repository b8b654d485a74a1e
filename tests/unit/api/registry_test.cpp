// Handlers and agents that come and go while their node runs: in memory and on real sockets.
#include <atomic>
#include <memory>
#include <thread>

#include <gmock/gmock.h>

#include "node_kit.hpp"

namespace legion {
namespace {

using test::Answer;
using test::Call;
using test::plain;
using testing::HasSubstr;

template <class World>
class RegistryTest : public testing::Test {
 protected:
  void start() {
    ASSERT_TRUE(asker_.start());
    ASSERT_TRUE(clerk_.start());
    ASSERT_TRUE(eventually([&] {
      return asker_.statistics().alive_members == 2 && clerk_.statistics().alive_members == 2 && asker_.is_open() &&
             clerk_.is_open();
    }));
  }
  template <class Condition>
  bool eventually(Condition condition) {
    return world_.eventually(condition);
  }
  /// Calls until `condition` holds.
  template <class Condition>
  bool call_until(Condition condition) {
    return eventually([&] {
      EXPECT_TRUE(publisher_.publish(Call{1}));
      return condition();
    });
  }
  /// Returns once the clerk has handled everything that was published before.
  void settle() {
    const std::uint64_t before = marks_.load();
    ASSERT_TRUE(eventually([&] {
      EXPECT_TRUE(publisher_.publish(plain("test.mark")));
      return marks_.load() > before;
    }));
  }
  void mark() {
    ASSERT_TRUE(clerk_.on("test.mark", [this](const EventView&) { ++marks_; }));
  }
  std::uint64_t handled_besides_marks() const {
    const Statistics figures = clerk_.statistics();
    std::uint64_t handled = figures.handled;
    for (const HandlerStatistics& handler : figures.handlers) {
      if (handler.filter == "test.mark") handled -= handler.total;
    }
    return handled;
  }
  std::vector<std::string> filters() const {
    std::vector<std::string> filters;
    for (const HandlerStatistics& handler : clerk_.statistics().handlers) filters.push_back(handler.filter);
    return filters;
  }

  World world_;
  std::atomic<std::uint64_t> marks_{0};
  Node asker_ = world_.node("asker");
  Node clerk_ = world_.node("clerk");
  Publisher publisher_ = asker_.publisher();
};

using Worlds = testing::Types<test::MemoryWorld, test::NetworkWorld>;
TYPED_TEST_SUITE(RegistryTest, Worlds, test::WorldNames);

TYPED_TEST(RegistryTest, AHandlerThatComesLaterGetsEventsOfOtherNodesUntilItIsRemoved) {
  this->start();
  this->mark();
  const auto calls = std::make_shared<std::atomic<std::uint64_t>>(0);
  const auto added = this->clerk_.template on<Call>([calls](const Call&) { ++*calls; });
  ASSERT_TRUE(added) << added.error().message;
  ASSERT_TRUE(this->call_until([&] { return *calls > 0; }));
  this->settle();
  Statistics figures = this->clerk_.statistics();
  ASSERT_EQ(figures.handlers.size(), 2u);
  EXPECT_EQ(figures.handlers[1].agent, "main");
  EXPECT_EQ(figures.handlers[1].filter, "test.call");
  EXPECT_EQ(figures.handlers[1].total, *calls);

  ASSERT_TRUE(this->clerk_.remove(*added));
  EXPECT_EQ(calls.use_count(), 1);
  const std::uint64_t before = *calls;
  this->settle();
  const std::uint64_t handled = this->handled_besides_marks();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(this->publisher_.publish(Call{2}));
  this->settle();
  EXPECT_EQ(*calls, before);
  EXPECT_EQ(this->handled_besides_marks(), handled);  // nobody is handed over to any more
  EXPECT_THAT(this->filters(), testing::ElementsAre("test.mark"));
  EXPECT_EQ(this->clerk_.remove(*added).error().code, ErrorCode::NotFound);
  EXPECT_TRUE(this->clerk_.stop());
}

TYPED_TEST(RegistryTest, ASecondHandlerOfTheSameTypeKeepsItsEventsWhenTheFirstGoes) {
  this->start();
  std::atomic<std::uint64_t> first{0};
  std::atomic<std::uint64_t> second{0};
  const auto one = this->clerk_.template on<Call>([&](const Call&) { ++first; });
  const auto two = this->clerk_.template on<Call>([&](const Call&) { ++second; });
  ASSERT_TRUE(one && two);
  ASSERT_TRUE(this->call_until([&] { return first > 0 && second > 0; }));
  ASSERT_TRUE(this->clerk_.remove(*one));
  const std::uint64_t before = second;
  ASSERT_TRUE(this->call_until([&] { return second > before + 3; }));
  EXPECT_THAT(this->filters(), testing::ElementsAre("test.call"));
  EXPECT_TRUE(this->clerk_.stop());
}

TYPED_TEST(RegistryTest, AnAgentThatComesLaterMayHaveCoroutinesAndItsNameIsFreeAgainWhenItHasGone) {
  this->start();
  std::atomic<std::uint64_t> calls{0};
  const auto added = this->clerk_.add_agent("late", {.concurrency = 4});
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_THAT(this->clerk_.add_agent("late").error().message, HasSubstr("already"));
  ASSERT_TRUE(added->template on<Call>([&](const Call& call, Context& context) -> Async<void> {
    ++calls;
    context.publish(Answer{call.number});
    co_return;
  }));
  ASSERT_TRUE(this->call_until([&] { return calls > 0; }));
  ASSERT_TRUE(this->clerk_.remove_agent("late"));
  EXPECT_EQ(this->clerk_.remove_agent("late").error().code, ErrorCode::NotFound);
  EXPECT_EQ(added->on("test.", [](const EventView&) {}).error().code, ErrorCode::Closed);
  EXPECT_THAT(this->filters(), testing::IsEmpty());
  const std::uint64_t before = calls;
  const auto again = this->clerk_.add_agent("late");
  ASSERT_TRUE(again) << again.error().message;
  std::atomic<std::uint64_t> later{0};
  ASSERT_TRUE(again->template on<Call>([&](const Call&) { ++later; }));
  ASSERT_TRUE(this->call_until([&] { return later > 0; }));
  EXPECT_EQ(calls, before);
  EXPECT_TRUE(this->clerk_.stop());
}

TYPED_TEST(RegistryTest, HandlersChangeTheRegistryFromWithin) {
  auto agent = this->clerk_.add_agent("desk", {.concurrency = 2});
  ASSERT_TRUE(agent);
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> answers{0};
  std::atomic<int> removed{0};
  const auto captured = std::make_shared<int>(1);
  HandlerId self;
  const auto other = agent->on("test.other", [captured](const EventView&) {});
  ASSERT_TRUE(other);
  const auto added = agent->template on<Call>([&, captured](const Call&) {
    if (calls++ > 0) return;
    EXPECT_TRUE(agent->template on<Answer>([&](const Answer&) { ++answers; }));
    removed += agent->remove(*other) ? 1 : 0;
    removed += agent->remove(self) ? 1 : 0;
    EXPECT_EQ(*captured, 1);  // still there
  });
  ASSERT_TRUE(added);
  self = *added;
  this->start();
  ASSERT_TRUE(this->call_until([&] { return removed == 2; }));
  ASSERT_TRUE(this->eventually([&] { return captured.use_count() == 1; }));
  ASSERT_TRUE(this->eventually([&] {
    EXPECT_TRUE(this->publisher_.publish(Answer{1}));
    return answers > 0;
  }));
  EXPECT_THAT(this->filters(), testing::ElementsAre("test.answer"));
  EXPECT_TRUE(this->clerk_.stop());
}

TYPED_TEST(RegistryTest, WhatComesRightAfterTheStartCountsAndWhatGoesThenIsGone) {
  ASSERT_TRUE(this->asker_.start());
  std::atomic<std::uint64_t> calls{0};
  const auto gone = this->asker_.on("test.", [&](const EventView&) { ++calls; });
  ASSERT_TRUE(gone) << gone.error().message;
  ASSERT_TRUE(this->asker_.remove(*gone));
  std::atomic<std::uint64_t> marks{0};
  ASSERT_TRUE(this->asker_.on("test.mark", [&](const EventView&) { ++marks; }));
  EXPECT_TRUE(this->asker_.publisher().publish(plain("test.mark")));
  ASSERT_TRUE(this->eventually([&] { return marks == 1; }));
  EXPECT_EQ(calls, 0u);
  EXPECT_EQ(this->asker_.statistics().handled, 1u);
  EXPECT_TRUE(this->asker_.stop());
}

TYPED_TEST(RegistryTest, SaysWhatOnlyTheStartMayBring) {
  auto risk = this->clerk_.add_agent("risk");
  const auto gate = risk->template on<Call>([](const Call&) {}, {.tier = Priority::Critical});
  ASSERT_TRUE(gate);
  this->start();
  const auto nothing = [](const EventView&) {};
  const auto gate_later = risk->on("test.", nothing, {.tier = Priority::Critical});
  EXPECT_EQ(gate_later.error().code, ErrorCode::Refused);
  EXPECT_THAT(gate_later.error().message, HasSubstr("a gate is added before start()"));
  const auto durable_later = risk->on("test.", nothing, {.durable = "books"});
  EXPECT_EQ(durable_later.error().code, ErrorCode::Refused);
  EXPECT_THAT(durable_later.error().message, HasSubstr("\"books\""));
  EXPECT_EQ(risk->on("test.", [](const EventView&) -> Async<void> { co_return; }).error().code, ErrorCode::Refused);
  EXPECT_THAT(this->clerk_.remove_agent("risk").error().message, HasSubstr("test.call"));
  EXPECT_TRUE(risk->remove(*gate));
  EXPECT_EQ(this->clerk_.remove_agent("risk").error().code, ErrorCode::Refused);  // it had one
  ASSERT_TRUE(this->clerk_.stop());
  EXPECT_EQ(risk->on("test.", nothing).error().code, ErrorCode::Closed);
  EXPECT_EQ(this->clerk_.add_agent("more").error().code, ErrorCode::Closed);
}

TYPED_TEST(RegistryTest, AGateThatIsRemovedHoldsNothingBack) {
  auto risk = this->clerk_.add_agent("risk");
  const auto gate = risk->template on<Call>([](const Call&) { return Outcome::stop(); }, {.tier = Priority::Critical});
  std::atomic<std::uint64_t> passed{0};
  ASSERT_TRUE(this->clerk_.template on<Call>([&](const Call&) { ++passed; }));
  this->start();
  ASSERT_TRUE(this->call_until([&] {
    for (const auto& handler : this->clerk_.statistics().handlers) {
      if (handler.filtered > 0) return true;
    }
    return false;
  }));
  EXPECT_EQ(passed, 0u);
  ASSERT_TRUE(risk->remove(*gate));
  ASSERT_TRUE(this->call_until([&] { return passed > 0; }));
  EXPECT_TRUE(this->clerk_.stop());
}

TYPED_TEST(RegistryTest, ThreadsChangeTheRegistryWhileEventsFlowAndTheNodeStops) {
  this->start();
  std::atomic<bool> enough{false};
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> rounds{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    auto agent = this->clerk_.add_agent("agent-" + std::to_string(i));
    ASSERT_TRUE(agent);
    threads.emplace_back([&, agent = *agent] {
      while (!enough) {
        const auto captured = std::make_shared<int>(0);
        const auto added = agent.template on<Call>([&calls, captured](const Call&) { ++calls; });
        if (!added) {
          EXPECT_EQ(added.error().code, ErrorCode::Closed);
          return;
        }
        if (!agent.remove(*added)) return;  // the node's end has taken it
        EXPECT_EQ(captured.use_count(), 1);
        ++rounds;
      }
    });
  }
  threads.emplace_back([&] {
    while (!enough && this->publisher_.publish(Call{1}).status != PublishStatus::Closed) std::this_thread::yield();
  });
  EXPECT_TRUE(this->eventually([&] { return rounds > 300; }));
  EXPECT_TRUE(this->clerk_.stop());
  enough = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace legion
