#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <legion/cli/trace_tree.hpp>

#include "fake_spool.hpp"

namespace legion::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const StreamId trades = stream_of("market.trade", "feed");
const StreamId signals = stream_of("signal.generated", "signals", Priority::High);
const StreamId approvals = stream_of("trade.approved", "risk", Priority::Critical);
const std::string root = "feed:7:2:market.trade:0:1";
const std::string signal_id = "signals:7:1:signal.generated:0:1";
const std::string trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A trade, what came of it on two other nodes, and another trade beside it.
void fill(FakeSpool& spool) {
  spool.add(trades, 1, {{.at_ms = 0, .source = "feed/csv", .traceparent = "00-" + trace_id + "-00f067aa0ba902b7-01"},
                        {.at_ms = 1, .source = "feed/csv"}});
  spool.add(approvals, 1, {{.at_ms = 7, .source = "risk/check", .correlation = root, .causation = signal_id}});
  spool.add(signals, 1, {{.at_ms = 5, .source = "signals/maker", .correlation = root, .causation = root}});
  spool.add(approvals, 2, {{.at_ms = 9, .source = "risk/audit", .correlation = root, .causation = root}});
}

TEST(Trace, DrawsTheTreeOfACorrelationIdWithTheTimesBetweenHops) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  const Ran ran = run(world, {"trace", root});
  EXPECT_EQ(ran.code, exit_code::ok) << ran.err;
  EXPECT_EQ(ran.out,
            "TIME                      SINCE FIRST      HOP  EVENT               NODE     SOURCE         ID\n"
            "2025-11-10T17:23:53.971Z         +0us        -  market.trade        feed     feed/csv       " + root + "\n"
            "2025-11-10T17:23:53.976Z      +5.00ms  +5.00ms    signal.generated  signals  signals/maker  " + signal_id + "\n"
            "2025-11-10T17:23:53.978Z      +7.00ms  +2.00ms      trade.approved  risk     risk/check     risk:7:0:trade.approved:0:1\n"
            "2025-11-10T17:23:53.980Z      +9.00ms  +9.00ms    trade.approved    risk     risk/audit     risk:7:0:trade.approved:0:2\n");
  EXPECT_THAT(ran.err, HasSubstr("4 events of correlation " + root + " within 9.00ms"));
}

TEST(Trace, DrawsLinesOnATerminal) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  const std::string out = run(world, {"trace", root, "--color", "never"}, "", Terminal::Yes, 300).out;
  EXPECT_THAT(out, HasSubstr("├─signal.generated"));
  EXPECT_THAT(out, HasSubstr("│ └─trade.approved"));
  EXPECT_THAT(out, HasSubstr("└─trade.approved"));
}

TEST(Trace, AnEventLeadsToItsWholeCorrelation) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  const auto lines = run(world, {"trace", "risk:7:0:trade.approved:0:1", "-o", "jsonl"}).out;
  std::vector<std::string> ids;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) ids.push_back(json::parse(line)["id"]);
  EXPECT_EQ(ids.size(), 4u);
  EXPECT_EQ(ids.front(), root);
  EXPECT_EQ(world.spool("alpha").scans.back().correlation, root);
}

TEST(Trace, ATraceIdFindsTheEventsThatCarryIt) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  const auto found = json::parse(run(world, {"trace", trace_id, "-j"}).out);
  EXPECT_EQ(found["events"], 1);
  EXPECT_EQ(found["roots"][0]["id"], root);
  const auto whole = json::parse(run(world, {"trace", "00-" + trace_id + "-00f067aa0ba902b7-01", "-j"}).out);
  EXPECT_EQ(whole["events"], 1);
}

TEST(Trace, JsonNestsWhatFollows) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  const auto tree = json::parse(run(world, {"trace", root, "-j"}).out);
  EXPECT_EQ(tree["span_us"], 9000.0);
  const auto& top = tree["roots"][0];
  EXPECT_TRUE(top["hop_us"].is_null());
  ASSERT_EQ(top["children"].size(), 2u);
  EXPECT_EQ(top["children"][0]["id"], signal_id);
  EXPECT_EQ(top["children"][0]["children"][0]["hop_us"], 2000.0);
}

TEST(Trace, DotIsADrawingForGraphviz) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  const std::string dot = run(world, {"trace", root, "-o", "dot"}).out;
  EXPECT_TRUE(dot.starts_with("digraph trace {\n")) << dot;
  EXPECT_THAT(dot, HasSubstr("\"" + root + "\" -> \"" + signal_id + "\" [label=\"+5.00ms\"];"));
  EXPECT_THAT(dot, HasSubstr("[label=\"market.trade\\nfeed/csv\", penwidth=2]"));
  EXPECT_EQ(run(world, {"nodes", "-o", "dot"}).code, exit_code::usage);
}

TEST(Trace, NothingFoundIs66OnlyWhenSomethingIsRequired) {
  SpoolWorld world;
  const Ran ran = run(world, {"trace", "c-1"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_THAT(ran.err, HasSubstr("alpha has no event of c-1"));
  EXPECT_EQ(run(world, {"trace", "c-1", "--require"}).code, exit_code::nothing_found);
}

TEST(Trace, FollowsWhatIsRecordedLater) {
  struct Later : SpoolWorld {
    void wait(Duration duration) override {
      if (waits.size() == 1) {
        spool("alpha").add(approvals, 3, {{.at_ms = 20, .source = "risk/late", .correlation = root, .causation = signal_id}});
      }
      SpoolWorld::wait(duration);
    }
  } world;
  fill(world.spool("alpha"));
  world.interrupt_after_waits = 3;
  const Ran ran = run(world, {"trace", root, "--follow", "-o", "jsonl"});
  EXPECT_EQ(ran.code, exit_code::interrupted);
  EXPECT_EQ(std::ranges::count(ran.out, '\n'), 5);
  EXPECT_THAT(ran.out, HasSubstr("risk:7:0:trade.approved:0:3"));
}

TEST(Trace, RefusesWhatCannotBeMeant) {
  SpoolWorld world;
  EXPECT_EQ(run(world, {"trace"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"trace", "x", "--follow", "-j"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"trace", "x", "--follow", "-o", "dot"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"trace", "x", "--since", "soon"}).code, exit_code::usage);
}

TraceEvent event(const std::string& id, const std::string& causation, std::int64_t at) {
  TraceEvent out;
  out.id = id;
  out.causation = causation;
  out.time = {at};
  return out;
}

std::vector<std::string> order_of(const TraceTree& tree) {
  std::vector<std::string> out;
  for (const auto& row : tree.rows()) out.push_back(std::to_string(row.depth) + row.event->id);
  return out;
}

TEST(TraceTree, ARingOfCausesIsShownOnceFromItsEarliestEvent) {
  TraceTree tree;
  tree.add(event("a", "c", 2));
  tree.add(event("b", "a", 1));
  tree.add(event("c", "b", 3));
  tree.add(event("self", "self", 9));
  EXPECT_THAT(order_of(tree), ElementsAre("0self", "0b", "1c", "2a"));
}

TEST(TraceTree, AChainOfAnyLengthIsDrawnWithoutRecursion) {
  TraceTree tree;
  for (int i = 0; i < 50'000; ++i) tree.add(event(std::to_string(i), i == 0 ? "" : std::to_string(i - 1), i));
  const auto rows = tree.rows();
  ASSERT_EQ(rows.size(), 50'000u);
  EXPECT_EQ(rows.back().depth, 49'999u);
}

TEST(TraceTree, AnEventWhoseCauseIsNotHereIsARoot) {
  TraceTree tree;
  tree.add(event("b", "elsewhere", 2));
  tree.add(event("a", "", 1));
  EXPECT_THAT(order_of(tree), ElementsAre("0a", "0b"));
}

TEST(TraceTree, TraceIdsAreReadFromTraceparents) {
  EXPECT_EQ(trace_id_of("00-" + trace_id + "-00f067aa0ba902b7-01"), trace_id);
  EXPECT_EQ(trace_id_of(""), "");
  EXPECT_EQ(trace_id_of("00-" + trace_id), "");
  EXPECT_EQ(trace_id_of(trace_id), "");
}

}  // namespace
}  // namespace legion::cli
