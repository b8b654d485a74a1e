#include <gtest/gtest.h>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

std::function<void(const ObserverHandler&)> arrive(const std::string& type, Priority priority, const std::string& json) {
  return [=](const ObserverHandler& handler) { handler.on_event(make_event(type, priority, json)); };
}

TEST(Tail, AsksForTheTypesAndLanesAndShowsWhatComes) {
  FakeWorld world;
  world.turns = {arrive("trade.approved", Priority::Critical, "1"), arrive("agent.heartbeat", Priority::Critical, "2"),
                 arrive("trade.rejected", Priority::Critical, "3")};
  const Ran ran = run(world, {"tail", "trade.", "RISK_ALERT", "--priority", "high+", "-n", "2", "--format", "%t %d"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_EQ(ran.out, "trade.approved 1\ntrade.rejected 3\n");
  ASSERT_EQ(world.observed.filters.size(), 2u);
  EXPECT_EQ(world.observed.filters[1].text(), "risk.alert");
  EXPECT_THAT(world.observed.lanes, testing::ElementsAre(Priority::Critical, Priority::High));
}

TEST(Tail, EndsAfterItsDuration) {
  FakeWorld world;
  const Ran ran = run(world, {"tail", "--duration", "2s"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_EQ(world.time.steady.ns, Duration(2s).count());
  EXPECT_THAT(ran.err, HasSubstr("0 events shown in 2s, 0 lost"));
}

TEST(Tail, SaysWhatIsCoveredAndWhatIsLost) {
  FakeWorld world;
  Member alpha, beta;
  alpha.name = "alpha";
  beta.name = "beta";
  world.members = {alpha, beta};
  world.turns = {[&](const ObserverHandler& handler) {
                   handler.on_covered(alpha);
                   handler.on_covered(beta);
                   handler.on_all_covered(2);
                 },
                 [&](const ObserverHandler& handler) {
                   handler.on_lost(12, 1234);
                   handler.on_uncovered(beta, "the link is down");
                 }};
  const Ran ran = run(world, {"tail", "-v", "--duration", "1s"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_THAT(ran.err, HasSubstr("connected to every node: alpha, beta (2)"));
  EXPECT_THAT(ran.err, HasSubstr("beta is covered from 2025-11-10T17:23:53.971Z"));
  EXPECT_THAT(ran.err, HasSubstr("beta is no longer covered: the link is down"));
  EXPECT_THAT(ran.err, HasSubstr("lost 12 events (1234 in all)"));
  EXPECT_EQ(ran.out, "");
}

TEST(Tail, NamesTheNodesThatAreCoveredAndNoOthers) {
  FakeWorld world;
  Member alpha, beta;
  alpha.name = "alpha";
  beta.name = "beta";
  world.members = {alpha, beta};
  world.turns = {[&](const ObserverHandler& handler) {
    handler.on_covered(alpha);
    handler.on_covered(beta);
    handler.on_uncovered(beta, "nothing was heard of it for 10 s");
    handler.on_all_covered(1);
  }};
  const Ran ran = run(world, {"tail", "--duration", "1s"});
  EXPECT_THAT(ran.err, HasSubstr("connected to every node: alpha (1)"));
  EXPECT_THAT(ran.err, Not(HasSubstr("is covered from")));
}

TEST(Tail, LossesDecideTheExitCodeOnlyWithStrict) {
  const auto lose = [](const ObserverHandler& handler) { handler.on_lost(1, 1); };
  FakeWorld world;
  world.turns = {lose};
  EXPECT_EQ(run(world, {"tail", "--duration", "1s"}).code, exit_code::ok);
  world.turns = {lose};
  EXPECT_EQ(run(world, {"tail", "--duration", "1s", "--strict"}).code, exit_code::partial);
}

TEST(Tail, QuietKeepsWarningsAndDropsNotes) {
  FakeWorld world;
  world.turns = {[](const ObserverHandler& handler) {
    handler.on_all_covered(1);
    handler.on_lost(1, 1);
  }};
  const Ran ran = run(world, {"-q", "tail", "--duration", "1s"});
  EXPECT_THAT(ran.err, Not(HasSubstr("connected")));
  EXPECT_THAT(ran.err, HasSubstr("lost 1 event"));
}

TEST(Tail, RequiresSomethingOnlyWhenTold) {
  FakeWorld world;
  EXPECT_EQ(run(world, {"tail", "--duration", "1s", "--require"}).code, exit_code::nothing_found);
}

TEST(Tail, AnInterruptEndsItWithASummaryAndAWholeArray) {
  FakeWorld world;
  world.turns = {arrive("demo.x", Priority::Normal, "1")};
  world.interrupt_after_waits = 3;
  const Ran ran = run(world, {"tail", "-o", "json", "--types-only"});
  EXPECT_EQ(ran.code, exit_code::interrupted);
  EXPECT_EQ(ran.out, "[\n{\"type\":\"demo.x\"}\n]\n");
  EXPECT_THAT(ran.err, HasSubstr("1 event shown"));
}

TEST(Tail, ReportsTheMostFrequentTypesFirst) {
  FakeWorld world;
  world.turns = {arrive("demo.rare", Priority::Normal, "1"), arrive("demo.often", Priority::Normal, "1"),
                 arrive("demo.often", Priority::High, "1"), arrive("demo.seldom", Priority::Low, "1")};
  const Ran ran = run(world, {"tail", "--report", "--duration", "2s", "-o", "csv"});
  EXPECT_EQ(ran.out,
            "type,priority,events,per_second,share,bytes\n"
            "demo.often,high,2,1.0,0.5,2\n"
            "demo.rare,normal,1,0.5,0.25,1\n"
            "demo.seldom,low,1,0.5,0.25,1\n");
}

TEST(Tail, RefusesWhatCannotBeMeant) {
  FakeWorld world;
  const Ran upper = run(world, {"tail", "TRADE_APROVED"});
  EXPECT_EQ(upper.code, exit_code::usage);
  EXPECT_THAT(upper.err, HasSubstr("did you mean TRADE_APPROVED?"));
  EXPECT_EQ(run(world, {"tail", "--priority", "urgent"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"tail", "--format", "%x"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"tail", "--format", "%t", "-j"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"tail", "--report", "--types-only"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"tail", "--exclude", "Bad Type"}).code, exit_code::usage);
}

TEST(Tail, ANodeThatCannotBeReachedEndsWith69) {
  FakeWorld world;
  world.observe_error = Error{ErrorCode::Unreachable, "127.0.0.1:7400: connection refused"};
  EXPECT_EQ(run(world, {"tail"}).code, exit_code::unreachable);
}

}  // namespace
}  // namespace legion::cli
