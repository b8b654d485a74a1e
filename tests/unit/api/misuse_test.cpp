// What programs do that is wrong, or at a bad moment: it costs them that and nothing else.
#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>

#include "node_kit.hpp"

namespace legion {
namespace {

using test::Call;
using test::plain;
using testing::HasSubstr;

template <class World>
class MisuseTest : public testing::Test {
 protected:
  void start() {
    ASSERT_TRUE(node_.start());
    ASSERT_TRUE(eventually([&] { return node_.is_open(); }));
  }
  template <class Condition>
  bool eventually(Condition condition) {
    return world_.eventually(condition);
  }
  bool logged(const std::string& text) const {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(lines_, [&](const std::string& line) { return line.find(text) != std::string::npos; });
  }

  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
  World world_{{.drain_timeout = 200ms, .log = [this](LogLevel, std::string_view line) {
                  const std::lock_guard lock(mutex_);
                  lines_.emplace_back(line);
                }}};
  Node node_ = world_.node("desk");
  Publisher publisher_ = node_.publisher();
};

using Worlds = testing::Types<test::MemoryWorld, test::NetworkWorld>;
TYPED_TEST_SUITE(MisuseTest, Worlds, test::WorldNames);

TYPED_TEST(MisuseTest, AHandlerCannotStopItsNode) {
  std::atomic<int> calls{0};
  std::atomic<bool> stopped{true};
  ASSERT_TRUE(this->node_.template on<Call>([&](const Call&) {
    stopped = this->node_.stop();
    ++calls;
  }));
  this->start();
  EXPECT_TRUE(this->publisher_.publish(Call{1}));
  ASSERT_TRUE(this->eventually([&] { return calls == 1; }));
  EXPECT_FALSE(stopped);
  EXPECT_TRUE(this->logged("stop() inside a handler of node desk"));
  EXPECT_TRUE(this->publisher_.publish(Call{2}));
  ASSERT_TRUE(this->eventually([&] { return calls == 2; }));
  EXPECT_TRUE(this->node_.stop());
}

TYPED_TEST(MisuseTest, AnAnswerThatNeverComesEndsWithTheDrain) {
  std::optional<Acknowledgement> kept;
  std::atomic<int> calls{0};
  ASSERT_TRUE(this->node_.template on<Call>([&](const Call&, Context& context) {
    kept = context.defer();
    ++calls;
    return Outcome::deferred();
  }));
  this->start();
  EXPECT_TRUE(this->publisher_.publish(Call{1}));
  ASSERT_TRUE(this->eventually([&] { return calls == 1; }));
  EXPECT_EQ(this->node_.statistics().handlers.at(0).pending, 1u);
  EXPECT_FALSE(this->node_.stop());
  kept->done();  // nobody hears it
  EXPECT_EQ(calls, 1);
}

TYPED_TEST(MisuseTest, WhatACallbackThrowsIsInTheLog) {
  std::atomic<int> numbered{0};
  this->start();
  const auto publish = [&] {
    PublishOptions options;
    options.on_numbered = [&](const std::string&) {
      ++numbered;
      throw std::runtime_error("no room for it");
    };
    EXPECT_TRUE(this->publisher_.publish(plain("test.tick"), std::move(options)));
  };
  publish();
  publish();
  ASSERT_TRUE(this->eventually([&] { return numbered == 2; }));
  ASSERT_TRUE(this->eventually([&] { return this->logged("a callback of publish() has thrown: no room for it"); }));
  EXPECT_TRUE(this->node_.stop());
}

TYPED_TEST(MisuseTest, AHandlerThatAlwaysThrowsEndsInALetterWithItsText) {
  auto agent = this->node_.add_agent("risky", {.max_attempts = 2, .retry_delay = 1ms});
  std::atomic<int> attempts{0};
  std::atomic<int> letters{0};
  ASSERT_TRUE(agent->template on<Call>([&](const Call&) {
    ++attempts;
    throw std::invalid_argument("no such desk");
  }));
  ASSERT_TRUE(this->node_.on("system.dead_letter", [&](const EventView&) { ++letters; }));
  this->start();
  EXPECT_TRUE(this->publisher_.publish(Call{1}));
  ASSERT_TRUE(this->eventually([&] { return letters == 1; }));
  EXPECT_EQ(attempts, 2);
  EXPECT_TRUE(this->logged("for risky after 2 attempts (handler_error): exception: no such desk"));
  EXPECT_TRUE(this->node_.stop());
}

// Of many threads, with and without a confirm that somebody waits for: everyone gets an answer and everything taken its
// end, whatever the moment of the stop.
TYPED_TEST(MisuseTest, ThreadsThatPublishDuringTheStopAreAllAnswered) {
  std::atomic<std::uint64_t> handled{0};
  ASSERT_TRUE(this->node_.on("test.", [&](const EventView&) { ++handled; }));
  this->start();
  std::atomic<std::uint64_t> numbers{0};
  std::atomic<std::uint64_t> queued{0};
  std::atomic<std::uint64_t> confirms{0};
  std::atomic<std::uint64_t> confirms_due{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, publisher = this->publisher_] {
      for (;;) {
        const auto status = publisher.publish(Call{++numbers}).status;
        if (status == PublishStatus::Queued) ++queued;
        if (status == PublishStatus::Closed) return;
        const auto taken = publisher.publish_confirmed(plain("order.executed"), [&](const Confirm&) { ++confirms; });
        if (taken) ++confirms_due;
      }
    });
  }
  ASSERT_TRUE(this->eventually([&] { return handled > 2000; }));
  this->node_.stop();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(confirms, confirms_due);
  EXPECT_GE(queued, handled);
  EXPECT_EQ(this->publisher_.publish(Call{1}).status, PublishStatus::Closed);
}

TEST(Misuse, TwoNodesCannotShareAStateDirectory) {
  const test::TemporaryFolder folder;
  NodeOptions options = test::network_options("desk", folder.path());
  const Node first = test::made(Node::create(options));
  options.name = "other";
  const auto second = Node::create(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::Refused);
  EXPECT_THAT(second.error().message, HasSubstr(options.state_dir.string()));
}

TEST(Misuse, ADurableSubscriptionNeedsASpool) {
  const test::TemporaryFolder folder;
  Node node = test::made(Node::create(test::network_options("desk", folder.path())));
  ASSERT_TRUE(node.on("test.", [](const EventView&) {}, {.durable = "books"}));
  const auto started = node.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, testing::AllOf(HasSubstr("\"books\""), HasSubstr("no spool")));
}

}  // namespace
}  // namespace legion
