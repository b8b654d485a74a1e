// The test kit, and with it the mesh in memory: by hand and with threads.
#include <atomic>
#include <thread>

#include <gmock/gmock.h>

#include "node_kit.hpp"

#include <legion/types.hpp>

namespace legion {
namespace {

using test::Answer;
using test::Call;
using test::plain;
using testing::ElementsAre;
using testing::HasSubstr;

class TestMeshTest : public testing::Test {
 protected:
  Node node_of(TestMesh& mesh, std::string name) { return test::made(mesh.add_node(std::move(name))); }

  TestMesh mesh_;
  Node desk_ = node_of(mesh_, "desk");
  Publisher publisher_ = desk_.publisher("feed");
};

TEST_F(TestMeshTest, NothingHappensUntilTheTestSaysSo) {
  int calls = 0;
  ASSERT_TRUE(desk_.on("test.", [&](const EventView&) { ++calls; }));
  ASSERT_TRUE(desk_.start());
  EXPECT_TRUE(publisher_.publish(plain("test.tick")));
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(mesh_.run_until_idle(), 1u);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(mesh_.run_until_idle(), 0u);
}

TEST_F(TestMeshTest, ConsequencesReachOtherNodesInTheSameRun) {
  Node clerk = node_of(mesh_, "clerk");
  ASSERT_TRUE(clerk.on<Call>([](const Call& call, Context& context) { context.publish(Answer{call.number}); }));
  std::vector<std::uint64_t> answers;
  ASSERT_TRUE(desk_.on<Answer>([&](const Answer& answer) { answers.push_back(answer.number); }));
  ASSERT_TRUE(desk_.start());
  ASSERT_TRUE(clerk.start());
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_TRUE(publisher_.publish(Call{i}));
  mesh_.run_until_idle();
  EXPECT_THAT(answers, ElementsAre(1, 2, 3));
  const auto published = mesh_.published("test.answer");
  ASSERT_EQ(published.size(), 3u);
  EXPECT_EQ(published[0]->origin, "clerk");
  EXPECT_EQ(published[0]->source, "clerk/main");
  EXPECT_EQ(published[0]->causation_id, mesh_.published("test.call")[0]->id_string());
  EXPECT_EQ(mesh_.published<Answer>()[2].number, 3u);
}

TEST_F(TestMeshTest, RetriesWaitForTheirTimeAndEndAsADeadLetter) {
  std::vector<std::uint32_t> attempts;
  auto agent = desk_.add_agent("risky", {.max_attempts = 3, .retry_delay = 100ms, .retry_backoff = 2});
  ASSERT_TRUE(agent->on("test.tick", [&](const EventView&, Context& context) {
    attempts.push_back(context.attempt());
    return Outcome::retry("no luck");
  }));
  ASSERT_TRUE(desk_.start());
  publisher_.publish(plain("test.tick"));
  mesh_.run_until_idle();
  EXPECT_THAT(attempts, ElementsAre(1));
  mesh_.advance(80ms);  // jitter is at most 10 %
  EXPECT_THAT(attempts, ElementsAre(1));
  mesh_.advance(40ms);
  EXPECT_THAT(attempts, ElementsAre(1, 2));
  const WallTime before = mesh_.now().wall;
  EXPECT_EQ(mesh_.advance(1min), 1u);
  EXPECT_EQ(mesh_.now().wall - before, 1min);
  EXPECT_THAT(attempts, ElementsAre(1, 2, 3));
  const auto letters = mesh_.dead_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].agent, "risky");
  EXPECT_EQ(letters[0].reason, "handler_error");
  EXPECT_EQ(letters[0].attempts, 3u);
  EXPECT_EQ(letters[0].error, "no luck");
  EXPECT_EQ(letters[0].event->type, "test.tick");
  EXPECT_EQ(mesh_.published("system.dead_letter").size(), 1u);
}

TEST_F(TestMeshTest, AGateDecidesForTheLowerTiers) {
  std::vector<std::string> executed;
  ASSERT_TRUE(desk_.on("order.requested", [&](const EventView& event) { executed.emplace_back(event.key); }));
  auto risk = desk_.add_agent("risk");
  ASSERT_TRUE(risk->on("order.requested",
                       [](const EventView& event) { return event.key == "bad" ? Outcome::stop() : Outcome::done(); },
                       {.tier = Priority::Critical}));
  ASSERT_TRUE(desk_.start());
  for (const char* key : {"good", "bad", "fine"}) publisher_.publish(plain("order.requested", key));
  mesh_.run_until_idle();
  EXPECT_THAT(executed, ElementsAre("good", "fine"));
  const Statistics figures = desk_.statistics();
  ASSERT_EQ(figures.handlers.size(), 2u);
  EXPECT_EQ(figures.handlers[0].filtered, 1u);
  EXPECT_EQ(figures.handlers[1].delivered, 3u);
}

TEST_F(TestMeshTest, HandlersComeAndGoAtRunTime) {
  std::vector<std::string> seen;
  ASSERT_TRUE(desk_.start());
  publisher_.publish(plain("test.one"));
  mesh_.run_until_idle();
  const auto first = desk_.on("test.", [&](const EventView& event) { seen.emplace_back(event.type); });
  ASSERT_TRUE(first) << first.error().message;
  publisher_.publish(plain("test.two"));
  mesh_.run_until_idle();
  auto late = desk_.add_agent("late");
  ASSERT_TRUE(late->on("test.three", [&](const EventView&) { seen.emplace_back("late"); }));
  publisher_.publish(plain("test.three"));
  mesh_.run_until_idle();
  ASSERT_TRUE(desk_.remove(*first));
  publisher_.publish(plain("test.three"));
  mesh_.run_until_idle();
  EXPECT_THAT(seen, ElementsAre("test.two", "test.three", "late", "late"));
  EXPECT_EQ(desk_.statistics().handlers.size(), 1u);
  EXPECT_EQ(late->on("test.", [](const EventView&) {}, {.tier = Priority::Critical}).error().code, ErrorCode::Refused);
  EXPECT_EQ(late->on("test.", [](const EventView&) -> Async<void> { co_return; }).error().code, ErrorCode::Refused);
}

TEST_F(TestMeshTest, ConfirmsAreHeldUntilTheTestGivesThem) {
  TestMesh mesh({.confirms = TestMeshOptions::Confirms::Held});
  Node node = node_of(mesh, "desk");
  std::vector<Confirm::Status> statuses;
  auto agent = node.add_agent("clerk");
  ASSERT_TRUE(agent->on<Call>([&](const Call&, Context& context) -> Async<void> {
    const Confirmed confirmed = co_await context.publish_confirmed(plain("trade.approved"));
    statuses.push_back(confirmed.confirm.value().status);
  }));
  int approved = 0;
  ASSERT_TRUE(node.on("trade.approved", [&](const EventView&) { ++approved; }));
  ASSERT_TRUE(node.start());
  EXPECT_TRUE(node.publisher().publish(Call{1}));
  mesh.run_until_idle();
  EXPECT_EQ(approved, 0);  // after_confirm: nobody acts on what is not recorded
  EXPECT_EQ(mesh.published("trade.approved").size(), 1u);
  EXPECT_EQ(mesh.confirm(), 1u);
  mesh.run_until_idle();
  EXPECT_EQ(approved, 1);
  EXPECT_THAT(statuses, ElementsAre(Confirm::Status::Confirmed));
  EXPECT_TRUE(node.publisher().publish(Call{2}));
  mesh.run_until_idle();
  EXPECT_EQ(mesh.lose_confirms(), 1u);
  mesh.run_until_idle();
  EXPECT_EQ(approved, 1);
  EXPECT_EQ(statuses.back(), Confirm::Status::Unconfirmed);
}

TEST_F(TestMeshTest, DeferredAnswersHoldTheirStream) {
  std::vector<Acknowledgement> kept;
  std::size_t calls = 0;
  ASSERT_TRUE(desk_.on("test.tick", [&](const EventView&, Context& context) {
    ++calls;
    kept.push_back(context.defer());
    return Outcome::deferred();
  }));
  ASSERT_TRUE(desk_.start());
  publisher_.publish(plain("test.tick"));
  publisher_.publish(plain("test.tick"));
  mesh_.run_until_idle();
  EXPECT_EQ(calls, 1u);
  kept[0].done();
  mesh_.run_until_idle();
  EXPECT_EQ(calls, 2u);
  kept[1].reject("no");
  mesh_.run_until_idle();
  EXPECT_EQ(mesh_.dead_letters().at(0).reason, "rejected");
}

TEST_F(TestMeshTest, ACoroutineThatTakesTooLongIsAFailedAttempt) {
  TestMesh mesh({.confirms = TestMeshOptions::Confirms::Held});
  Node node = node_of(mesh, "desk");
  auto agent = node.add_agent("slow", {.max_attempts = 1, .handler_timeout = 5s});
  ASSERT_TRUE(agent->on<Call>([&](const Call&, Context& context) -> Async<void> {
    co_await context.publish_confirmed(plain("trade.approved"));  // which nobody confirms
  }));
  ASSERT_TRUE(node.start());
  node.publisher().publish(Call{1});
  mesh.advance(4s);
  EXPECT_TRUE(mesh.dead_letters().empty());
  mesh.advance(2s);
  EXPECT_EQ(mesh.dead_letters().size(), 1u);
  mesh.confirm();
  mesh.run_until_idle();  // it goes to its end, and what it says is too late
}

TEST_F(TestMeshTest, ExpiryAndRetryOfPublishingGoByTheTestsClock) {
  TopicRule short_lived;
  short_lived.prefix = *Filter::parse("test.");
  short_lived.ttl = 1s;
  TestMesh mesh({.topics = {short_lived}, .queue = {16, 16, 16, 16}});
  Node node = node_of(mesh, "desk");
  int calls = 0;
  ASSERT_TRUE(node.on("test.", [&](const EventView&) { ++calls; }));
  ASSERT_TRUE(node.start());
  const Publisher publisher = node.publisher();
  publisher.publish(plain("test.tick"));
  while (publisher.publish(plain("order.failed"))) {
  }
  // The lane of order.failed is full until the mesh runs, which it does while the retry waits.
  EXPECT_TRUE(publisher.publish_with_retry(plain("order.failed"), {.attempts = 2, .delay = 2s}));
  EXPECT_EQ(calls, 1);
  Event old = plain("test.tick");
  old.expires_at = mesh.now().wall + 1s;
  mesh.advance(0s);
  publisher.publish(old);
  old.expires_at = WallTime{mesh.now().wall.ns - 1};
  publisher.publish(old);
  mesh.run_until_idle();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(node.statistics().handlers.at(0).expired, 1u);
}

TEST_F(TestMeshTest, TwoAgentsThatAnswerEachOtherForEverAreFound) {
  TestMesh mesh({.hand_overs_max = 1000});
  Node node = node_of(mesh, "desk");
  ASSERT_TRUE(node.on<Call>([](const Call& call, Context& context) { context.publish(Answer{call.number}); }));
  ASSERT_TRUE(node.on<Answer>([](const Answer& answer, Context& context) { context.publish(Call{answer.number}); }));
  ASSERT_TRUE(node.start());
  node.publisher().publish(Call{1});
  EXPECT_EQ(mesh.run_until_idle(), 1000u);
  EXPECT_FALSE(mesh.is_idle());
}

TEST_F(TestMeshTest, SaysWhatAMeshInMemoryCannotDo) {
  EXPECT_THAT(mesh_.add_node("desk").error().message, HasSubstr("desk"));
  EXPECT_THAT(mesh_.add_node("De sk").error().message, HasSubstr("De sk"));
  ASSERT_TRUE(desk_.on("test.", [](const EventView&) {},
                       {.durable = "books", .start = {SubscriptionStart::Kind::Beginning, {}, {}}}));
  EXPECT_THAT(desk_.start().error().message, HasSubstr("no past"));
  Node shared = mesh_.add_node("shared").value();
  ASSERT_TRUE(shared.on("test.", [](const EventView&) {}, {.group = "crew", .home = "vault"}));
  EXPECT_THAT(shared.start().error().message, HasSubstr("no spool that could be its home"));
  Event tick = plain("test.tick");
  EXPECT_EQ(publisher_.publish_confirmed(tick).get().taken.status, PublishStatus::Invalid);
}

TEST(InProcessMesh, NodesOfOneProgramTalkOverThreads) {
  InProcessMesh mesh;
  Node desk = *mesh.add_node("desk");
  Node clerk = *mesh.add_node("clerk", 4);
  auto worker = clerk.add_agent("worker", {.concurrency = 4, .mailbox = {1000, 1000, 100'000, 1000}});
  ASSERT_TRUE(worker->on<Call>([](const Call& call, Context& context) {
    while (context.publish(Answer{call.number}).status == PublishStatus::WouldBlock) {
    }
  }));
  std::atomic<std::uint64_t> answers{0};
  std::atomic<std::uint64_t> sum{0};
  auto counter = desk.add_agent("counter", {.mailbox = {1000, 1000, 100'000, 1000}});
  ASSERT_TRUE(counter->on<Answer>([&](const Answer& answer) {
    sum += answer.number;
    ++answers;
  }));
  ASSERT_TRUE(desk.start());
  ASSERT_TRUE(clerk.start());
  constexpr std::uint64_t per_thread = 5000;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([publisher = desk.publisher("thread-" + std::to_string(i))] {
      for (std::uint64_t number = 1; number <= per_thread; ++number) {
        while (!publisher.publish(Call{number})) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(test::eventually([&] { return answers == 4 * per_thread; }));
  EXPECT_EQ(sum, 4 * per_thread * (per_thread + 1) / 2);
  EXPECT_TRUE(clerk.stop());
  EXPECT_TRUE(desk.stop());
  EXPECT_EQ(desk.publisher().publish(Call{1}).status, PublishStatus::Closed);
}

TEST(InProcessMesh, StoppingANodeHandlesWhatItHolds) {
  InProcessMesh mesh;
  std::atomic<int> handled{0};
  {
    Node node = *mesh.add_node("desk");
    ASSERT_TRUE(node.on("trade.executed", [&](const EventView&) { ++handled; }));
    ASSERT_TRUE(node.start());
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(node.publisher().publish(plain("trade.executed")));
    auto confirmed = node.publisher().publish_confirmed(plain("trade.executed"));
    EXPECT_TRUE(confirmed.get());
    EXPECT_TRUE(node.stop());
  }
  EXPECT_EQ(handled, 501);
  EXPECT_TRUE(mesh.add_node("desk").has_value());  // its next life
}

}  // namespace
}  // namespace legion
