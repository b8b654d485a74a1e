// Which spools the durable subscriptions of a node know.
#include <gmock/gmock.h>

#include <legion/runtime/durable_host.hpp>

#include "spool_kit.hpp"

namespace legion::test {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class DurableHostTest : public ::testing::Test {
 protected:
  DurableHostTest() {
    host.subscriptions().add_handler(
        {.agent = "n/desk", .filter = *Filter::parse("order."), .durable = "orders", .start = StartNow{}});
  }
  void turn() {
    poller->wait(Duration::zero());
    const Now now = read_clocks();
    host.on_turn(now);
    host.on_tick(now);
  }
  DurableFigures figures() { return host.subscriptions().figures(SIZE_MAX).front(); }

  const Origin self{"n", 7};
  Sockets sockets;
  std::unique_ptr<transport::Poller> poller = transport::Poller::create().value();
  Intake intake{"n", PolicyTable{}, {64, 64, 64, 64}, 1 << 20, [] {}};
  Journal journal{self, BootId{{1}}, {}, 1};
  Executor executor;
  Outbound::Lanes lanes;
  Outbound outbound{self, 1s, lanes, intake, journal, executor, [](Now, UnnumberedFrame&) {}};
  DurableHost host{
      {*sockets.context, *poller, nullptr, outbound, self, BootId{{1}}, 200ms, 2s, [](LogLevel, std::string_view) {}},
      {.node = "n"}};
};

TEST_F(DurableHostTest, ASpoolOfTheRosterIsKnownWithoutAConnection) {
  turn();
  EXPECT_EQ(figures().trouble, "no spool is known");
  host.on_roster({{"first"}, {"second"}});
  turn();
  EXPECT_EQ(figures().trouble, "no spool is reachable");
  EXPECT_THAT(host.spools(), ElementsAre(Pair("first", ""), Pair("second", "")));
  host.connect("first", "tcp://127.0.0.1:9");
  host.on_roster({{"third"}});  // the connection says when the first is over
  EXPECT_THAT(host.spools(), ElementsAre(Pair("first", "tcp://127.0.0.1:9"), Pair("third", "")));
  host.disconnect(read_clocks(), "first");
  EXPECT_THAT(host.spools(), ElementsAre(Pair("third", "")));
}

TEST_F(DurableHostTest, WhatASpoolMayHaveThatNobodyHasHeardIsWaitedFor) {
  TestSpool first(std::make_shared<FakeDisk>());
  first.run();
  host.on_roster({{"first"}, {"second"}});
  host.connect("first", first.uri());
  EXPECT_TRUE(eventually([&] {
    turn();
    return figures().trouble == "waits for every spool to say where it was: second; a reset begins without them";
  })) << figures().trouble;
  host.on_roster({{"first"}, {"second", KnownSpool::Presence::Left}});
  EXPECT_TRUE(eventually([&] {
    turn();
    return figures().phase == DurablePhase::Creating;
  })) << figures().trouble;
}

TEST_F(DurableHostTest, ASpoolThatLeftIsNotAmongThoseToAsk) {
  using Presence = KnownSpool::Presence;
  host.on_roster({{"first"}});
  host.connect("first", "tcp://127.0.0.1:9");
  host.on_roster({{"first", Presence::Left}});
  host.disconnect(read_clocks(), "first");
  EXPECT_THAT(host.spools(), ElementsAre()) << "nobody waits for it";
  host.on_roster({{"first"}});
  EXPECT_THAT(host.spools(), ElementsAre(Pair("first", "")));
  host.on_roster({});
  EXPECT_THAT(host.spools(), ElementsAre());
}

TEST_F(DurableHostTest, ASpoolThatLeftIsWaitedForOnlySoLong) {
  host.on_roster({{"first", KnownSpool::Presence::Left}});
  turn();
  EXPECT_EQ(figures().trouble, "no spool is reachable");
  Now later = read_clocks();
  later.steady = later.steady + DurableHost::left_counts_for + 1s;
  host.on_turn(later);
  host.on_tick(later);
  EXPECT_EQ(figures().trouble, "no spool is known");
  host.on_roster({{"first"}});  // it is back
  host.on_turn(later);
  host.on_tick(later);
  EXPECT_EQ(figures().trouble, "no spool is reachable");
}

}  // namespace
}  // namespace legion::test
