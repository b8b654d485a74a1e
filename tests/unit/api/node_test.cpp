// Embedded nodes on real sockets.
#include <atomic>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>

#include "node_kit.hpp"

#include <legion/runtime/node_host.hpp>

namespace legion {
namespace {

using test::Answer;
using test::Call;
using test::eventually;
using testing::HasSubstr;

class NodeTest : public testing::Test {
 protected:
  NodeOptions options(const std::string& name) { return test::network_options(name, folder_.path()); }
  Node make(NodeOptions options) { return test::made(Node::create(std::move(options))); }

  test::TemporaryFolder folder_;
};

TEST_F(NodeTest, TwoProgramsTalkWithTypedEvents) {
  Node alpha = make(options("alpha"));
  NodeOptions joining = options("beta");
  joining.join = {alpha.address()};
  Node beta = make(joining);

  ASSERT_TRUE(
      beta.on<Call>([](const Call& call, Context& context) { EXPECT_TRUE(context.publish(Answer{call.number})); }));
  std::atomic<std::uint64_t> last{0};
  std::mutex mutex;
  std::vector<std::string> correlations;
  ASSERT_TRUE(alpha.on("test.answer", [&](const EventView& event) {
    const std::lock_guard lock(mutex);
    correlations.push_back(event.correlation());
    last = decode_data<Answer>(event)->number;
  }));
  ASSERT_TRUE(beta.start());
  ASSERT_TRUE(alpha.start());
  ASSERT_TRUE(eventually([&] { return alpha.statistics().alive_members == 2 && alpha.is_open() && beta.is_open(); }));

  const Publisher publisher = alpha.publisher("caller");
  Event call = make_event(Call{1});
  call.correlation_id = "call-1";
  // What is published before the subscription has arrived at the other is not covered: call until somebody answers.
  ASSERT_TRUE(eventually([&] {
    EXPECT_TRUE(publisher.publish(call));
    return last == 1;
  }));
  EXPECT_TRUE(publisher.publish(Call{2}));
  ASSERT_TRUE(eventually([&] { return last == 2; }));
  {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(correlations.front(), "call-1");
    EXPECT_THAT(correlations.back(), HasSubstr("alpha:"));  // the id of the call
  }
  const Statistics figures = beta.statistics();
  ASSERT_EQ(figures.handlers.size(), 1u);
  EXPECT_EQ(figures.handlers[0].agent, "main");
  EXPECT_EQ(figures.handlers[0].filter, "test.call");
  EXPECT_GE(figures.handlers[0].delivered, 2u);
  EXPECT_EQ(figures.errors, 0u);
  EXPECT_TRUE(alpha.stop());
  EXPECT_TRUE(beta.stop());
}

TEST_F(NodeTest, WhatIsPublishedBeforeTheStartIsHandledAfterwardsAndNothingAfterTheEnd) {
  Node node = make(options("alpha"));
  const Publisher publisher = node.publisher();
  const auto captured = std::make_shared<std::atomic<int>>(0);
  // A handler that holds a publisher of its own node: that must not keep the node alive for ever.
  const auto added = node.on("test.call", [captured, publisher](const EventView&) { ++*captured; });
  ASSERT_TRUE(added);
  EXPECT_TRUE(publisher.publish(Call{1}));
  ASSERT_TRUE(node.start());
  EXPECT_EQ(node.start().error().code, ErrorCode::Refused);
  ASSERT_TRUE(eventually([&] { return *captured == 1; }));
  EXPECT_TRUE(node.remove(*added));
  EXPECT_EQ(captured.use_count(), 1);
  EXPECT_TRUE(publisher.publish(Call{2}));
  EXPECT_TRUE(node.stop());
  EXPECT_EQ(publisher.publish(Call{3}).status, PublishStatus::Closed);
  EXPECT_EQ(*captured, 1);
}

TEST_F(NodeTest, ThreadsPublishWhileTheNodeGoesAway) {
  std::atomic<bool> enough{false};
  std::vector<std::thread> threads;
  {
    Node node = make(options("alpha"));
    ASSERT_TRUE(node.on("test.", [](const EventView&) {}));
    ASSERT_TRUE(node.start());
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&enough, publisher = node.publisher()] {
        std::uint64_t queued = 0;
        while (!enough) {
          const auto result = publisher.publish(Call{++queued});
          if (result.status == PublishStatus::Closed) return;
        }
      });
    }
    ASSERT_TRUE(eventually([&] { return node.statistics().handled > 1000; }));
  }
  for (std::thread& thread : threads) thread.join();  // everyone is told
  enough = true;
}

TEST_F(NodeTest, SaysWhichOptionIsWrong) {
  const auto error_of = [&](const auto& change) {
    NodeOptions wrong = options("alpha");
    change(wrong);
    auto made = Node::create(std::move(wrong));
    return made ? std::string("none") : made.error().message;
  };
  EXPECT_THAT(error_of([](NodeOptions& o) { o.name = "Alpha!"; }), HasSubstr("NodeOptions::name"));
  EXPECT_THAT(error_of([](NodeOptions& o) { o.listen = "somewhere"; }), HasSubstr("NodeOptions::listen"));
  EXPECT_THAT(error_of([](NodeOptions& o) { o.listen = "tcp://*:7400"; }), HasSubstr("advertise"));
  EXPECT_THAT(error_of([](NodeOptions& o) { o.join = {"tcp://127.0.0.1:0"}; }), HasSubstr("NodeOptions::join"));
  EXPECT_THAT(error_of([](NodeOptions& o) { o.state_dir.clear(); }), HasSubstr("NodeOptions::state_dir"));
  EXPECT_THAT(error_of([](NodeOptions& o) { o.dead_after = 1ms; }), HasSubstr("NodeOptions::dead_after"));
  Node node = make(options("alpha"));
  EXPECT_THAT(node.add_agent("a b").error().message, HasSubstr("a b"));
  ASSERT_TRUE(node.add_agent("desk"));
  EXPECT_THAT(node.add_agent("desk").error().message, HasSubstr("already"));
}

/// A mesh with a spool, which only the runtime can be so far.
class SpoolNodeTest : public NodeTest {
 protected:
  void SetUp() override {
    NodeHostOptions spool;
    spool.name = "vault";
    spool.listen = {"127.0.0.1", 0};
    spool.state_dir = folder_.path() / "vault";
    spool.local = false;
    spool.membership.heartbeat_interval = 100ms;
    spool.roles = {"spool"};
    spool.spool.emplace();
    spool.spool->path = folder_.path() / "vault.db";
    auto created = NodeHost::create(std::move(spool), [](LogLevel, std::string_view) {});
    ASSERT_TRUE(created.has_value()) << created.error().message;
    vault_ = std::move(*created);
    vault_->start();
  }
  NodeOptions with_spool(const std::string& name) {
    NodeOptions joined = options(name);
    joined.spools = NodeOptions::Spools::Expected;
    joined.join = {vault_->endpoints().control};
    return joined;
  }

  std::unique_ptr<NodeHost> vault_;
};

TEST_F(SpoolNodeTest, AConfirmComesByCallbackFutureAndCoroutine) {
  Node node = make(with_spool("alpha"));
  std::atomic<int> awaited{0};
  ASSERT_TRUE(node.on("test.call", [&](const EventView&, Context& context) -> Async<Outcome> {
    Event order;
    order.type = "order.executed";
    const Confirmed confirmed = co_await context.publish_confirmed(order);
    if (confirmed) ++awaited;
    co_return confirmed ? Outcome::done() : Outcome::reject("not confirmed");
  }));
  std::atomic<int> orders{0};
  ASSERT_TRUE(node.on("order.executed", [&](const EventView&) { ++orders; }, {.durable = "orders"}));
  ASSERT_TRUE(node.start());
  ASSERT_TRUE(eventually([&] { return node.is_open(); }));

  const Publisher publisher = node.publisher();
  Event order;
  order.type = "order.executed";
  std::atomic<int> called{0};
  ASSERT_TRUE(publisher.publish_confirmed(order, [&](Confirm confirm) {
    if (confirm.status == Confirm::Status::Confirmed && !confirm.id.empty()) ++called;
  }));
  const Confirmed confirmed = publisher.publish_confirmed(order).get();
  EXPECT_TRUE(confirmed);
  ASSERT_TRUE(eventually([&] { return called == 1; }));
  EXPECT_TRUE(publisher.publish(Call{1}));
  ASSERT_TRUE(eventually([&] { return awaited == 1 && orders >= 1; }));
  Event tick;
  tick.type = "test.tick";
  EXPECT_EQ(publisher.publish_confirmed(tick).get().taken.status, PublishStatus::Invalid);
  EXPECT_TRUE(node.stop());
}

TEST_F(SpoolNodeTest, WhoeverWaitsForAConfirmIsToldWhenTheNodeEnds) {
  Node node = make(with_spool("alpha"));
  Event order;
  order.type = "order.executed";
  auto never_sent = node.publisher().publish_confirmed(order);
  auto started = make(with_spool("beta"));
  ASSERT_TRUE(started.start());
  ASSERT_TRUE(eventually([&] { return started.is_open(); }));
  vault_.reset();
  auto not_confirmed = started.publisher().publish_confirmed(order);
  started.stop();
  EXPECT_EQ(not_confirmed.get().confirm->status, Confirm::Status::Unconfirmed);
  {
    const Node gone = std::move(node);
  }
  EXPECT_EQ(never_sent.get().confirm->status, Confirm::Status::Unconfirmed);
}

}  // namespace
}  // namespace legion
