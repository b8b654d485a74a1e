#include <gtest/gtest.h>

#include <legion/core/failure_detector.hpp>

namespace legion {
namespace {

using Transition = FailureDetector::Transition;

Now at(Duration since_start) { return {SteadyTime{1'000} + since_start, WallTime{}}; }

/// Ticks every 50 ms from one moment to another, as a running node does.
std::vector<Transition> listen(FailureDetector& detector, Duration from, Duration to) {
  std::vector<Transition> all;
  for (Duration t = from; t <= to; t += 50ms) {
    const auto tick = detector.on_tick(at(t));
    all.insert(all.end(), tick.transitions.begin(), tick.transitions.end());
  }
  return all;
}

const Transition suspected{"a", MemberState::Alive, MemberState::Suspect};
const Transition died{"a", MemberState::Suspect, MemberState::Dead};

TEST(FailureDetector, SuspectsAPeerAfterThreeMissedIntervals) {
  FailureDetector detector({});
  detector.expect(at(0s), "a");
  detector.on_heard(at(500ms), "a");
  EXPECT_TRUE(listen(detector, 0s, 3450ms).empty());
  EXPECT_EQ(listen(detector, 3500ms, 3500ms), std::vector{suspected});
  EXPECT_EQ(detector.state("a"), MemberState::Suspect);
}

TEST(FailureDetector, DeclaresASuspectDeadAfterDeadAfter) {
  FailureDetector detector({});
  detector.expect(at(0s), "a");
  EXPECT_EQ(listen(detector, 0s, 9950ms), std::vector{suspected});
  EXPECT_EQ(listen(detector, 10s, 10s), std::vector{died});
  EXPECT_TRUE(listen(detector, 10050ms, 60s).empty());
}

TEST(FailureDetector, AHeartbeatRevivesSuspectsAndTheDead) {
  FailureDetector detector({});
  detector.expect(at(0s), "a");
  EXPECT_FALSE(detector.on_heard(at(1s), "a"));
  listen(detector, 1s, 5s);
  EXPECT_EQ(detector.on_heard(at(5s), "a"), (Transition{"a", MemberState::Suspect, MemberState::Alive}));
  listen(detector, 5s, 16s);
  EXPECT_EQ(detector.on_heard(at(16s), "a"), (Transition{"a", MemberState::Dead, MemberState::Alive}));
  EXPECT_EQ(detector.silence(at(17s), "a"), 1s);
}

TEST(FailureDetector, AfterALocalPauseNobodyIsJudgedBeforeOneIntervalOfListening) {
  FailureDetector detector({});
  detector.expect(at(0s), "a");
  listen(detector, 0s, 1s);
  EXPECT_TRUE(listen(detector, 61s, 61950ms).empty());
  detector.on_heard(at(61960ms), "a");
  EXPECT_TRUE(listen(detector, 62s, 64900ms).empty());
}

TEST(FailureDetector, AfterALocalPauseTheSilentStillDieInTwoSteps) {
  FailureDetector detector({});
  detector.expect(at(0s), "a");
  listen(detector, 0s, 1s);
  EXPECT_EQ(listen(detector, 61s, 62100ms), (std::vector{suspected, died}));
}

TEST(FailureDetector, ALateTickOfLessThanTwoIntervalsIsNoPause) {
  FailureDetector detector({});
  detector.expect(at(0s), "a");
  listen(detector, 0s, 1100ms);
  EXPECT_EQ(detector.on_tick(at(3050ms)).transitions, std::vector{suspected});
}

TEST(FailureDetector, ForgetsTheDeadAndTheLeftButNotTheLiving) {
  FailureDetector detector({.forget_after = 60s});
  detector.expect(at(0s), "alive");
  detector.assume_dead(at(0s), "dead");
  detector.expect(at(0s), "left");
  detector.mark_left(at(5s), "left");
  std::vector<std::string> forgotten;
  for (Duration t = 0s; t <= 70s; t += 50ms) {
    detector.on_heard(at(t), "alive");
    for (const std::string& name : detector.on_tick(at(t)).forgotten) forgotten.push_back(name);
    if (t < 60s) { EXPECT_TRUE(forgotten.empty()); }
    if (t == 60s) { EXPECT_EQ(forgotten, std::vector<std::string>{"dead"}); }
  }
  EXPECT_EQ(forgotten, (std::vector<std::string>{"dead", "left"}));
  EXPECT_EQ(detector.state("alive"), MemberState::Alive);
  EXPECT_FALSE(detector.state("dead"));
}

TEST(FailureDetector, WhoLeftIsNeverSuspectedNorRevived) {
  FailureDetector detector({});
  detector.expect(at(0s), "a");
  detector.mark_left(at(1s), "a");
  EXPECT_FALSE(detector.on_heard(at(2s), "a"));
  EXPECT_TRUE(listen(detector, 2s, 60s).empty());
  EXPECT_EQ(detector.state("a"), MemberState::Left);
}

TEST(FailureDetector, IgnoresNamesItDoesNotFollow) {
  FailureDetector detector({});
  EXPECT_FALSE(detector.on_heard(at(0s), "stranger"));
  EXPECT_FALSE(detector.state("stranger"));
  EXPECT_FALSE(detector.silence(at(0s), "stranger"));
}

}  // namespace
}  // namespace legion
