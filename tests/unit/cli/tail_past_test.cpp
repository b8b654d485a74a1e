#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_spool.hpp"

namespace legion::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const StreamId demo = stream_of("demo.x");

/// An event of demo.x whose data is its sequence.
std::function<void(const ObserverHandler&)> arrive(std::uint64_t sequence) {
  return [=](const ObserverHandler& handler) {
    const auto frame = Frame::decode(make_frame(demo, sequence, {{.data = std::to_string(sequence)}})).value();
    handler.on_event(Frame::event_ptr(frame, 0));
  };
}

void put(FakeSpool& spool, std::uint64_t first, std::uint64_t count) {
  std::vector<Told> events;
  for (std::uint64_t sequence = first; sequence < first + count; ++sequence) {
    events.push_back({.at_ms = static_cast<std::int64_t>(sequence), .data = std::to_string(sequence)});
  }
  spool.add(demo, first, events);
}

/// alpha is covered; it says how far its stream is.
void cover(SpoolWorld& world, std::uint64_t next) {
  world.members = {world.member("alpha")};
  world.turns.push_back([&world](const ObserverHandler& handler) {
    handler.on_covered(world.members.front());
    handler.on_all_covered(1);
  });
  world.node(7400).answer_json("tails", R"([[[],[],[["demo.x",0,)" + std::to_string(next) + R"(]],[]]])");
}

std::vector<std::string> shown(SpoolWorld& world, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "tail");
  arguments.insert(arguments.end(), {"--format", "%d"});
  const Ran ran = run(world, arguments);
  EXPECT_EQ(ran.code, exit_code::ok) << ran.err;
  std::vector<std::string> lines;
  std::istringstream in(ran.out);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(TailPast, GoesOnWithWhatIsLiveWithoutGapOrDuplicate) {
  SpoolWorld world;
  put(world.spool("alpha"), 1, 3);
  cover(world, 4);
  world.turns.insert(world.turns.begin(), arrive(3));  // while the past is not read yet
  world.turns.push_back(arrive(4));
  world.turns.push_back(arrive(5));
  EXPECT_THAT(shown(world, {"--since", "1h", "--duration", "3s"}), ElementsAre("1", "2", "3", "4", "5"));
}

TEST(TailPast, WaitsForTheSpoolToHaveWhatCameBeforeTheFirstLiveEvent) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  put(spool, 1, 2);
  cover(world, 5);
  world.turns.push_back(arrive(5));
  world.turns.push_back([](const ObserverHandler&) {});
  world.turns.push_back([&](const ObserverHandler&) { put(spool, 3, 2); });
  EXPECT_THAT(shown(world, {"--since", "1h", "--duration", "3s"}), ElementsAre("1", "2", "3", "4", "5"));
}

TEST(TailPast, SaysWhatTheSpoolDoesNotHaveInTime) {
  SpoolWorld world;
  put(world.spool("alpha"), 1, 2);
  cover(world, 5);
  world.turns.push_back(arrive(5));
  const Ran ran = run(world, {"-v", "tail", "--since", "1h", "--duration", "10s", "--timeout", "1s", "--format", "%d"});
  EXPECT_EQ(ran.out, "1\n2\n5\n");
  EXPECT_THAT(ran.err, HasSubstr("2 events of 1 stream are not in alpha yet: a gap before what is live"));
}

TEST(TailPast, AStreamThatIsNotJournalledIsShownFromNowOn) {
  SpoolWorld world;
  cover(world, 5);
  world.turns.push_back(arrive(5));
  const Ran ran = run(world, {"-v", "tail", "--since", "1h", "--duration", "3s", "--format", "%d"});
  EXPECT_EQ(ran.out, "5\n");
  EXPECT_THAT(ran.err, HasSubstr("of 1 stream alpha has nothing"));
  EXPECT_THAT(ran.err, Not(HasSubstr("a gap")));
}

TEST(TailPast, StopsAtTheEndWithoutWatchingAnything) {
  SpoolWorld world;
  put(world.spool("alpha"), 1, 3);
  world.observe_error = Error{ErrorCode::Unreachable, "not to be asked"};
  EXPECT_THAT(shown(world, {"--since", "1h", "--stop-at-end"}), ElementsAre("1", "2", "3"));
}

TEST(TailPast, ShowsTheLastEventsLookingBackFurtherAndFurther) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  const StreamId other = stream_of("demo.other");
  put(spool, 1, 4);
  for (std::uint64_t i = 1; i <= 600; ++i) spool.add(other, i, {{}});
  put(spool, 5, 2);
  EXPECT_THAT(shown(world, {"demo.x", "--last", "3", "--stop-at-end"}), ElementsAre("4", "5", "6"));
  std::vector<CommitNumber> from;
  for (const ScanQuery& scan : spool.scans) from.push_back(scan.from);
  EXPECT_EQ(from.front(), 602u + 1 - 64);
  EXPECT_THAT(shown(world, {"demo.x", "--last", "1", "--stop-at-end"}), ElementsAre("6"));
  EXPECT_THAT(shown(world, {"demo.x", "--last", "100", "--stop-at-end"}), ElementsAre("1", "2", "3", "4", "5", "6"));
}

TEST(TailPast, TheLastEventsAreFollowedByWhatIsLive) {
  SpoolWorld world;
  put(world.spool("alpha"), 1, 5);
  cover(world, 6);
  world.turns.insert(world.turns.begin(), arrive(5));
  world.turns.push_back(arrive(6));
  EXPECT_THAT(shown(world, {"--last", "2", "--duration", "3s"}), ElementsAre("4", "5", "6"));
}

TEST(TailPast, CountsThePastTowardsItsCount) {
  SpoolWorld world;
  put(world.spool("alpha"), 1, 5);
  cover(world, 6);
  world.turns.push_back(arrive(6));
  EXPECT_THAT(shown(world, {"--since", "1h", "-n", "2"}), ElementsAre("1", "2"));
}

TEST(TailPast, BeginsWithAnEvent) {
  SpoolWorld world;
  put(world.spool("alpha"), 1, 5);
  EXPECT_THAT(shown(world, {"--from", "alpha:7:2:demo.x:0:4", "--stop-at-end"}), ElementsAre("4", "5"));
}

TEST(TailPast, ReportsWhatWasReadToo) {
  SpoolWorld world;
  put(world.spool("alpha"), 1, 5);
  const Ran ran = run(world, {"tail", "--since", "1h", "--stop-at-end", "--report", "-j"});
  EXPECT_EQ(nlohmann::json::parse(ran.out)[0]["events"], 5);
}

TEST(TailPast, ANodeThatDoesNotSayWhereItsStreamsAreIsNamed) {
  SpoolWorld world;
  put(world.spool("alpha"), 1, 2);
  cover(world, 3);
  for (const auto* answer : {"[]", "[[[],[]]]", R"([[[],[],[["demo.x",0]],[]]])", "7"}) {
    world.node(7400).answer_json("tails", answer);
    const Ran ran = run(world, {"tail", "--since", "1h", "--duration", "2s", "--format", "%d"});
    EXPECT_EQ(ran.out, "1\n2\n") << answer;
    EXPECT_THAT(ran.err, HasSubstr("alpha does not say where its streams stand")) << answer;
    cover(world, 3);
  }
}

TEST(TailPast, SaysThatANodeIsNotCoveredYet) {
  SpoolWorld world;
  put(world.spool("alpha"), 1, 2);
  world.members = {world.member("alpha")};
  const Ran ran = run(world, {"tail", "--since", "1h", "--duration", "10s", "--format", "%d"});
  EXPECT_EQ(ran.out, "1\n2\n");
  EXPECT_THAT(ran.err, HasSubstr("alpha is not covered yet"));
}

TEST(TailPast, WithoutASpoolItSaysSoAndEndsWith69) {
  SpoolWorld world;
  world.roster.clear();
  world.add_node("alpha", 7400);
  const Ran ran = run(world, {"tail", "--since", "5m"});
  EXPECT_EQ(ran.code, exit_code::unreachable);
  EXPECT_THAT(ran.err, HasSubstr("knows no spool: nothing is kept"));
  EXPECT_EQ(ran.out, "");
}

TEST(TailPast, AnErrorInThePastLeavesAWholeArray) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  put(spool, 1, 1);
  put(spool, 2, 1);
  spool.frames_per_page = 1;
  spool.scans_before_failure = 1;
  const Ran ran = run(world, {"tail", "--since", "1h", "--stop-at-end", "-j"});
  EXPECT_EQ(ran.code, exit_code::unreachable);
  EXPECT_EQ(nlohmann::json::parse(ran.out).size(), 1u);
}

TEST(TailPast, RefusesWhatCannotBeMeant) {
  SpoolWorld world;
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"tail", "--since", "soon"}, {"tail", "--last", "0"}, {"tail", "--last", "5", "--since", "1m"},
           {"tail", "--stop-at-end"}, {"tail", "--spool", "alpha"}, {"tail", "--last", "1000000"},
           {"tail", "--from", "alpha"}, {"tail", "--since", "1m", "--from", "alpha:7:2:demo.x:0:1"}}) {
    EXPECT_EQ(run(world, arguments).code, exit_code::usage) << arguments.back();
  }
}

}  // namespace
}  // namespace legion::cli
