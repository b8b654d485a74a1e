#include <gtest/gtest.h>

#include <legion/cli/event_choice.hpp>

#include "fake_world.hpp"

namespace legion::cli {
namespace {

TEST(Glob, MatchesExactlyOrABeginning) {
  EXPECT_TRUE(glob_matches("alpha/feed", "alpha/feed"));
  EXPECT_FALSE(glob_matches("alpha/feed", "alpha/feed2"));
  EXPECT_TRUE(glob_matches("alpha/*", "alpha/feed"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_FALSE(glob_matches("", "x"));
}

TEST(EventChoice, HidesHeartbeatsUnlessAskedFor) {
  const auto heartbeat = make_event("agent.heartbeat", Priority::Critical, "{}");
  EventChoice choice;
  EXPECT_FALSE(choice.shows(*heartbeat));
  choice.types = {*Filter::parse("agent.")};
  EXPECT_FALSE(choice.shows(*heartbeat));
  choice.types.push_back(*Filter::parse("AGENT_HEARTBEAT"));
  EXPECT_TRUE(choice.shows(*heartbeat));
  choice.types.clear();
  choice.heartbeats = true;
  EXPECT_TRUE(choice.shows(*heartbeat));
}

TEST(EventChoice, EveryKindOfConditionHasToHold) {
  const auto event = make_event("trade.approved", Priority::Critical, "{}", "alpha/risk", "XBT");
  EventChoice choice;
  choice.sources = {"beta/*", "alpha/*"};
  EXPECT_TRUE(choice.shows(*event));
  choice.keys = {"ETH"};
  EXPECT_FALSE(choice.shows(*event));
  choice.keys = {"XBT"};
  choice.correlations = {event->id_string()};  // it carries none: its own id stands for it
  EXPECT_TRUE(choice.shows(*event));
  choice.excluded = {*Filter::parse("trade.")};
  EXPECT_FALSE(choice.shows(*event));
}

}  // namespace
}  // namespace legion::cli
