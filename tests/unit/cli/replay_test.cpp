#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include <legion/event/msgpack_writer.hpp>

#include "fake_spool.hpp"

namespace legion::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const StreamId approved = stream_of("trade.approved", "alpha", Priority::Critical);
const StreamId ticks = stream_of("market.tick");

/// Six events in four frames.
void fill(FakeSpool& spool) {
  spool.add(ticks, 1, {{.at_ms = 0, .data = "1"}, {.at_ms = 1000, .data = "2"}});
  spool.add(approved, 1, {{.at_ms = 1500, .data = "3", .source = "alpha/risk", .correlation = "c-1"}});
  spool.add(ticks, 3, {{.at_ms = 2000, .data = "4"}, {.at_ms = 3000, .data = "5"}});
  spool.add(approved, 2, {{.at_ms = 5000, .data = "6", .source = "beta/risk"}});
}

std::vector<int> data_of(const std::string& lines) {
  std::vector<int> data;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) data.push_back(json::parse(line)["data"].get<int>());
  return data;
}

/// What a node is asked to replay.
class ReplayedTo {
 public:
  explicit ReplayedTo(FakeNode& node) {
    node.methods["replay"] = [this](BytesView params) -> Result<Bytes> {
      const auto asked = json::parse(data_to_json(params).value());
      to = asked["to"];
      json answer = json::array();
      for (const auto& event : asked["events"]) {
        const std::string status = answer_to(event);
        if (status == "queued") events.push_back(event);
        answer.push_back({{"status", status}});
      }
      return data_from_json(answer.dump());
    };
  }
  std::function<std::string(const json&)> answer_to = [](const json&) { return "queued"; };
  std::string to;
  std::vector<json> events;
};

class TempFile {
 public:
  TempFile() : path_(std::filesystem::temp_directory_path() / ("legion-replay-" + std::to_string(getpid()) + ".jsonl")) {
    std::filesystem::remove(path_);
  }
  ~TempFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }
  std::string text() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::filesystem::path path_;
};

TEST(Replay, WritesCloudEventsInTheOrderOfTheSpoolPageByPage) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  fill(spool);
  spool.frames_per_page = 1;
  const Ran ran = run(world, {"replay"});
  EXPECT_EQ(ran.code, exit_code::ok) << ran.err;
  EXPECT_THAT(data_of(ran.out), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(json::parse(ran.out.substr(0, ran.out.find('\n')))["id"], "alpha:7:2:market.tick:0:1");
  EXPECT_THAT(ran.err, HasSubstr("6 events replayed, the last one alpha:7:0:trade.approved:0:2"));
}

TEST(Replay, AsksTheSpoolForTypesLanesAndCorrelationAndChoosesTheEvents) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  fill(spool);
  EXPECT_THAT(data_of(run(world, {"replay", "trade."}).out), ElementsAre(3, 6));
  EXPECT_EQ(spool.scans.back().types.front().text(), "trade.");
  EXPECT_THAT(data_of(run(world, {"replay", "--type", "TRADE_APPROVED", "--source", "beta/*"}).out), ElementsAre(6));
  EXPECT_THAT(data_of(run(world, {"replay", "--priority", "normal+", "-n", "4"}).out), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(spool.scans.back().lanes, ElementsAre(Priority::Critical, Priority::High, Priority::Normal));
  EXPECT_THAT(data_of(run(world, {"replay", "--correlation", "c-1"}).out), ElementsAre(3));
  EXPECT_EQ(spool.scans.back().correlation, "c-1");
  EXPECT_THAT(data_of(run(world, {"replay", "--correlation", "c-*"}).out), ElementsAre(3));
  EXPECT_EQ(spool.scans.back().correlation, std::nullopt);
}

TEST(Replay, SinceAndUntilBoundTheTimesOfEvents) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  fill(spool);
  world.pass(6s);
  EXPECT_THAT(data_of(run(world, {"replay", "--since", "5s", "--until", "2s"}).out), ElementsAre(2, 3, 4, 5));
  ASSERT_TRUE(spool.scans.back().since.has_value());
  EXPECT_EQ(*spool.scans.back().since, world.time.wall + -Duration(5s));
  EXPECT_THAT(data_of(run(world, {"replay", "--since", "2025-11-10T17:23:56.971Z"}).out), ElementsAre(5, 6));
}

TEST(Replay, BeginsWithAnEventOrAMark) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  fill(spool);
  spool.marks = {{"after-lunch", 3}, {"end", 4}};
  EXPECT_THAT(data_of(run(world, {"replay", "--from", "alpha:7:2:market.tick:0:2"}).out), ElementsAre(2, 3, 4, 5, 6));
  EXPECT_THAT(data_of(run(world, {"replay", "--mark", "after-lunch"}).out), ElementsAre(4, 5, 6));
  EXPECT_THAT(data_of(run(world, {"replay", "--mark", "after-lunch", "--until-mark", "end"}).out), ElementsAre(4, 5));
  const Ran unknown = run(world, {"replay", "--mark", "dinner"});
  EXPECT_EQ(unknown.code, exit_code::nothing_found);
  EXPECT_THAT(unknown.err, HasSubstr("mark 'dinner'"));
  EXPECT_EQ(run(world, {"replay", "--from", "alpha:7:2:market.tick:0:99"}).code, exit_code::nothing_found);
}

TEST(Replay, TakesTheSpoolThatHasTheMark) {
  SpoolWorld world;
  FakeSpool& beta = world.add_spool("beta", 7500);
  fill(beta);
  beta.marks = {{"here", 4}};
  EXPECT_THAT(data_of(run(world, {"replay", "--mark", "here"}).out), ElementsAre(6));
}

TEST(Replay, ADryRunCountsByTypeAndNamesTheSpan) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  const Ran ran = run(world, {"replay", "--dry-run", "-o", "csv"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_EQ(ran.out,
            "type,events,bytes,first,last\n"
            "market.tick,4,4,2025-11-10T17:23:53.971Z,2025-11-10T17:23:56.971Z\n"
            "trade.approved,2,2,2025-11-10T17:23:55.471Z,2025-11-10T17:23:58.971Z\n");
  EXPECT_THAT(ran.err, HasSubstr("6 events from 2025-11-10T17:23:53.971Z to 2025-11-10T17:23:58.971Z (5s)"));
  EXPECT_THAT(run(world, {"replay", "--dry-run"}).out, HasSubstr("market.tick          4"));
}

TEST(Replay, KeepsTheOriginalPaceOrAMultipleOfIt) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  EXPECT_EQ(run(world, {"replay", "--speed", "original"}).code, exit_code::ok);
  EXPECT_EQ(world.time.steady.ns, Duration(5s).count());
  world.time.steady = {0};
  EXPECT_EQ(run(world, {"replay", "--speed", "2x"}).code, exit_code::ok);
  EXPECT_EQ(world.time.steady.ns, Duration(2500ms).count());
  world.time.steady = {0};
  EXPECT_EQ(run(world, {"replay", "--speed", "0.5x"}).code, exit_code::ok);
  EXPECT_EQ(world.time.steady.ns, Duration(10s).count());
  world.time.steady = {0};
  EXPECT_EQ(run(world, {"replay", "--rate", "2"}).code, exit_code::ok);
  EXPECT_EQ(world.time.steady.ns, Duration(2500ms).count());
  world.time.steady = {0};
  EXPECT_EQ(run(world, {"replay"}).code, exit_code::ok);
  EXPECT_EQ(world.time.steady.ns, 0);
}

TEST(Replay, WritesAFileOnlyWhereThereIsNone) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  const TempFile file;
  EXPECT_EQ(run(world, {"replay", "trade.", "--to-file", file.path()}).code, exit_code::ok);
  EXPECT_EQ(file.text(), run(world, {"replay", "trade."}).out);
  const Ran again = run(world, {"replay", "--to-file", file.path()});
  EXPECT_EQ(again.code, exit_code::failed);
  EXPECT_THAT(again.err, HasSubstr("exists already; -y writes over it"));
  EXPECT_THAT(data_of(file.text()), ElementsAre(3, 6));
  EXPECT_EQ(run(world, {"replay", "--to-file", file.path(), "-y"}).code, exit_code::ok);
  EXPECT_EQ(data_of(file.text()).size(), 6u);
  EXPECT_EQ(run(world, {"replay", "--to-file", "/nowhere/at/all"}).code, exit_code::failed);
}

TEST(Replay, GoesToTheMeshWithTheOriginalIds) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  ReplayedTo node(world.node(7400));
  const Ran ran = run(world, {"replay", "--to-mesh"});
  EXPECT_EQ(ran.code, exit_code::ok) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(node.to, "mesh");
  ASSERT_EQ(node.events.size(), 6u);
  EXPECT_EQ(node.events[2]["id"], "alpha:7:0:trade.approved:0:1");
  EXPECT_EQ(node.events[2]["source"], "alpha/risk");
  EXPECT_EQ(node.events[2]["data"], 3);
}

TEST(Replay, GoesToTheNodeOfTheAgent) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  world.add_node("gamma", 7600);
  ReplayedTo node(world.node(7600));
  EXPECT_EQ(run(world, {"replay", "trade.", "--to-agent", "gamma/backtest"}).code, exit_code::ok);
  EXPECT_EQ(node.to, "gamma/backtest");
  EXPECT_EQ(node.events.size(), 2u);
  EXPECT_EQ(run(world, {"replay", "--to-agent", "delta/backtest"}).code, exit_code::unreachable);
}

TEST(Replay, TriesAFullNodeAgainAndReportsWhatItRefuses) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  ReplayedTo node(world.node(7400));
  int blocked = 3;
  node.answer_to = [&](const json& event) -> std::string {
    if (event["type"] == "trade.approved") return "refused";
    return blocked-- > 0 ? "would_block" : "queued";
  };
  const Ran ran = run(world, {"replay", "--to-mesh"});
  EXPECT_EQ(ran.code, exit_code::partial);
  EXPECT_EQ(node.events.size(), 4u);
  EXPECT_THAT(ran.err, HasSubstr("alpha:7:0:trade.approved:0:1: refused"));
  EXPECT_THAT(ran.err, HasSubstr("4 events replayed, 2 refused"));
}

TEST(Replay, AnInterruptEndsItWithASummary) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  world.interrupt_after_waits = 2;
  const Ran ran = run(world, {"replay", "--speed", "original"});
  EXPECT_EQ(ran.code, exit_code::interrupted);
  EXPECT_THAT(data_of(ran.out), ElementsAre(1, 2));
  EXPECT_THAT(ran.err, HasSubstr("2 events replayed, the last one alpha:7:2:market.tick:0:2"));
}

TEST(Replay, ShowsProgressOnATerminalOnly) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  const TempFile file;
  world.spool("alpha").frames_per_page = 1;
  EXPECT_EQ(run(world, {"replay", "--speed", "original"}).err.find('\r'), std::string::npos);
  EXPECT_THAT(run(world, {"-v", "replay", "--speed", "0.1x"}).err, HasSubstr("replay: "));
}

TEST(Replay, NeedsSomethingOnlyWhenTold) {
  SpoolWorld world;
  EXPECT_EQ(run(world, {"replay"}).code, exit_code::ok);
  EXPECT_EQ(run(world, {"replay", "--require"}).code, exit_code::nothing_found);
}

TEST(Replay, AMeshWithoutASpoolEndsWith69) {
  SpoolWorld world;
  world.roster.clear();
  world.add_node("alpha", 7400);
  const Ran ran = run(world, {"replay"});
  EXPECT_EQ(ran.code, exit_code::unreachable);
  EXPECT_THAT(ran.err, HasSubstr("127.0.0.1:7400 knows no spool"));
  SpoolWorld named;
  EXPECT_EQ(run(named, {"replay", "--spool", "gamma"}).code, exit_code::unreachable);
}

TEST(Replay, TakesAnotherSpoolWhenTheFirstIsSilent) {
  SpoolWorld world;
  world.spool("alpha").methods["info"] = [](BytesView) { return fail(ErrorCode::TimedOut, "no answer"); };
  fill(world.add_spool("beta", 7500));
  const Ran ran = run(world, {"replay"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_EQ(data_of(ran.out).size(), 6u);
  EXPECT_THAT(ran.err, HasSubstr("spool alpha: no answer"));
  EXPECT_EQ(run(world, {"replay", "--spool", "alpha"}).code, exit_code::timed_out);
}

TEST(Replay, ASpoolThatStandsStillOrGoesBackIsBadData) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  fill(spool);
  spool.methods["scan"] = [](BytesView) { return plain_reply(encode_result(SpoolPage{{}, {}, 1, false, nullptr})); };
  const Ran still = run(world, {"replay"});
  EXPECT_EQ(still.code, exit_code::bad_data);
  EXPECT_THAT(still.err, HasSubstr("does not move on"));
  spool.methods["scan"] = [&](BytesView) {
    SpoolReply reply = plain_reply(encode_result(
        SpoolPage{{}, {{5, JournalKind::Captured, 1, 0, {}, {}}, {4, JournalKind::Captured, 2, 0, {}, {}}}, 6, false, nullptr}));
    reply.frames = {spool.entries[0].frame, spool.entries[1].frame};
    return reply;
  };
  EXPECT_EQ(run(world, {"replay"}).code, exit_code::bad_data);
}

TEST(Replay, AnswersOfAWrongShapeAreBadDataAndNameTheQuestion) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  fill(spool);
  const Bytes map_without = data_from_json(R"({"end":true})").value();
  const Bytes wrong_kinds = data_from_json(R"({"store":"x","next":"soon","end":1,"frames":{}})").value();
  for (const Bytes& result : {Bytes{}, Bytes{0xc0}, Bytes{0xdf, 0xff, 0xff, 0xff, 0xff}, map_without, wrong_kinds}) {
    spool.methods["scan"] = [&](BytesView) { return plain_reply(result); };
    const Ran ran = run(world, {"replay"});
    EXPECT_EQ(ran.code, exit_code::bad_data);
    EXPECT_THAT(ran.err, HasSubstr("the answer to scan"));
  }
  // More frames are named than came.
  spool.methods["scan"] = [](BytesView) {
    return plain_reply(encode_result(SpoolPage{{}, {{1, JournalKind::Captured, 1, 0, {}, {}}}, 2, true, nullptr}));
  };
  EXPECT_EQ(run(world, {"replay"}).code, exit_code::bad_data);
}

TEST(Replay, AFrameThatDoesNotDecodeCostsOnlyItself) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  fill(spool);
  spool.entries[1].frame.resize(10);
  const Ran ran = run(world, {"replay"});
  EXPECT_EQ(ran.code, exit_code::partial);
  EXPECT_THAT(data_of(ran.out), ElementsAre(1, 2, 4, 5, 6));
  EXPECT_THAT(ran.err, HasSubstr("1 frame of the spool does not decode"));
}

TEST(Replay, RefusesWhatCannotBeMeant) {
  SpoolWorld world;
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"replay", "--since", "yesterday"}, {"replay", "--since", "5m", "--mark", "x"}, {"replay", "--mark", "a b"},
           {"replay", "--from", "alpha:7"}, {"replay", "--since", "1m", "--until", "2m"}, {"replay", "--speed", "fast"},
           {"replay", "--speed", "0x"}, {"replay", "--speed", "-1x"}, {"replay", "--speed", "nanx"},
           {"replay", "--speed", "2x", "--rate", "5"}, {"replay", "--to-mesh", "--to-file", "x"},
           {"replay", "--to-agent", "risk"}, {"replay", "--to-agent", "Alpha/risk"}, {"replay", "--to-mesh", "--format", "%d"},
           {"replay", "Bad Type"}, {"replay", "--until", "1m", "--until-mark", "x"}}) {
    EXPECT_EQ(run(world, arguments).code, exit_code::usage) << arguments[1] << " " << arguments.back();
  }
  EXPECT_THAT(world.connected, IsEmpty());
}

}  // namespace
}  // namespace legion::cli
