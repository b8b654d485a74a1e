// A gate that kills the node: the event before it is counted, and goes nowhere in the end.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "durable_kit.hpp"

namespace legion::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const StreamId trades = stream_named("trade.approved");

class DurableGates : public testing::Test {
 protected:
  /// One life; the handlers are given their attempts by `gate` and `target`.
  void live(std::uint64_t deadly) {
    DurableKit node;
    const auto risk = node.gate("risk", "trade.");
    const auto sub = node.subscribe({.start = StartBeginning{}});
    node.spools = std::move(spools);
    node.spool();
    node.handler = [&](const DurableKit::Handled& one) -> Outcome {
      if (one.subscription == sub) handled.push_back(one.sequence);
      if (one.subscription == risk && one.sequence == deadly) {
        gate.push_back(one.attempt);
        throw DurableKit::Killed{};
      }
      return Outcome::done();
    };
    node.durable.on_start_in_flight(std::exchange(left, {}));
    try {
      node.start();
      node.settle(1s);
      requeue_in(node);
    } catch (const DurableKit::Killed&) {
    }
    for (const auto& [at, entry] : node.in_flight) left.push_back(entry);
    spools = std::move(node.spools);
  }

  void requeue_in(DurableKit& node) {
    if (!std::exchange(is_to_requeue, false)) return;
    node.durable.on_requeue(node.now, 1, node.spool().letters.begin()->second);
    node.drain();
    node.settle(1s);
  }

  const LetterRecord& letter() const { return spools.at("s1").letters.begin()->second; }

  std::map<std::string, ModelSpool> spools;
  std::vector<InFlightEntry> left;
  std::vector<std::uint32_t> gate;     // attempts at the deadly event
  std::vector<std::uint64_t> handled;  // sequences
  bool is_to_requeue = false;
};

TEST_F(DurableGates, OneThatKillsTheNodeIsGivenTheEventMaxAttemptsTimes) {
  spools["s1"].store(frame_in(trades, 1, 4));
  for (int life = 0; life < 6; ++life) live(2);
  EXPECT_THAT(gate, ElementsAre(1, 2, 3));
  EXPECT_THAT(handled, testing::Not(testing::Contains(2u)));
  EXPECT_THAT(handled, testing::IsSupersetOf({1u, 3u, 4u}));
  ASSERT_THAT(spools.at("s1").letters, SizeIs(1));
  EXPECT_EQ(letter().agent, "c/orders");
  EXPECT_EQ(letter().deaths.back().reason, "gate_failed");
  EXPECT_EQ(letter().deaths.back().attempts, 0u);
  EXPECT_THAT(letter().deaths.back().error, testing::HasSubstr("c/risk"));
  EXPECT_THAT(left, IsEmpty());
}

TEST_F(DurableGates, ARequeueThatKillsTheNodeAtOneIsCountedAnew) {
  spools["s1"].store(frame_in(trades, 1, 2));
  for (int life = 0; life < 4; ++life) live(2);
  ASSERT_THAT(gate, ElementsAre(1, 2, 3));
  is_to_requeue = true;
  for (int life = 0; life < 6; ++life) live(2);
  EXPECT_THAT(gate, ElementsAre(1, 2, 3, 1, 2, 3));
  EXPECT_EQ(letter().state, LetterState::Dead);
  EXPECT_EQ(letter().round, 2u);
  EXPECT_EQ(letter().deaths.back().reason, "gate_failed");
  EXPECT_THAT(handled, testing::Not(testing::Contains(2u)));
}

}  // namespace
}  // namespace legion::test
