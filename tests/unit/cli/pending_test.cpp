#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_spool.hpp"

namespace legion::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t begin_ns = 1'762'795'433'971'000'000;
const StreamId demo = stream_of("demo.x");

constexpr const char* of_a_node = R"([
  {"name":"orders","agent":"beta/risk","filter":"trade.","phase":"active","pending":7,"oldest_age_ms":1500,"retrying":1,"lost":0,
   "trouble":"","generation":"3@beta","streams":[
     {"stream":"alpha:7:2:trade.x:0","done":4,"next":9,"stalled":"no spool has 5 to 6"},
     {"stream":"alpha:7:2:trade.y:0","done":9,"next":10,"stalled":""}]}])";

CursorState cursor(const std::string& name, std::uint64_t done, std::vector<std::pair<std::uint64_t, std::uint64_t>> ahead = {}) {
  CursorState state;
  state.merged.subscription = name;
  state.merged.generation = {3, "beta"};
  state.merged.filter = "demo.";
  state.merged.form = CursorRecord::Form::Whole;
  state.merged.streams = {{demo, done, std::move(ahead)}};
  state.updated = {begin_ns};
  state.by = {"beta", 7};
  return state;
}

/// Takes changes of a subscription and keeps them.
void keep_changes(FakeNode& node, std::vector<json>& changes) {
  node.methods["subscription"] = [&changes](BytesView params) -> Result<Bytes> {
    changes.push_back(json::parse(data_to_json(params).value()));
    return Bytes{0xc0};
  };
}

TEST(Pending, ShowsWhatTheConsumerSays) {
  SpoolWorld world;
  world.add_node("beta", 7500);
  world.node(7500).answer_json("pending", of_a_node);
  world.spool("alpha").cursors = {cursor("orders", 2)};
  const Ran ran = run(world, {"pending"});
  EXPECT_EQ(ran.code, exit_code::ok) << ran.err;
  EXPECT_EQ(ran.out,
            "NAME    STATE   FILTER  AGENT      PENDING  OLDEST  STALLED  RETRYING  LOST  CURSOR\n"
            "orders  active  trade.  beta/risk        7   1.50s        1         1     0  2025-11-10T17:23:53.971Z\n"
            "orders waits in alpha:7:2:trade.x:0 behind 4: no spool has 5 to 6\n");
  const auto rows = json::parse(run(world, {"pending", "-j"}).out);
  EXPECT_EQ(rows[0]["stalled"][0]["why"], "no spool has 5 to 6");
  EXPECT_EQ(rows[0]["node"], "beta");
}

TEST(Pending, OfAConsumerThatIsAwayTheSpoolKnowsHowMuchWaits) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  spool.add(demo, 1, {{.at_ms = 0}, {.at_ms = 1000}, {.at_ms = 2000}, {.at_ms = 3000}});
  spool.add(stream_of("demo.y"), 1, {{.at_ms = 2500}});
  spool.add(stream_of("other.z"), 1, {{}});
  spool.cursors = {cursor("orders", 1, {{3, 3}}), cursor("seen", 4)};
  world.pass(10s);
  const auto rows = json::parse(run(world, {"pending", "-j"}).out);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["state"], "away");
  EXPECT_EQ(rows[0]["pending"], 3) << "2 and 4 of demo.x, and demo.y, which the cursor does not name";
  EXPECT_EQ(rows[0]["oldest_age_ms"], 9000);
  EXPECT_EQ(rows[0]["generation"], "3@beta");
  EXPECT_EQ(rows[1]["pending"], 1);
  EXPECT_EQ(json::parse(run(world, {"pending", "ls", "seen", "-j"}).out).size(), 1u);
}

TEST(Pending, ANodeThatWasRefusedTheNameIsNotTheConsumer) {
  SpoolWorld world;
  world.add_node("beta", 7500);
  world.add_node("gamma", 7600);
  const std::string refused = R"([{"name":"orders","agent":"gamma/risk","phase":"refused","trouble":"beta has it"}])";
  world.node(7500).answer_json("pending", of_a_node);
  world.node(7600).answer_json("pending", refused);
  EXPECT_EQ(json::parse(run(world, {"pending", "-j"}).out)[0]["node"], "beta");
  world.node(7500).answer_json("pending", "[]");
  world.spool("alpha").cursors = {cursor("orders", 2)};
  const auto rows = json::parse(run(world, {"pending", "-j"}).out);
  EXPECT_EQ(rows[0]["state"], "away");
  EXPECT_EQ(rows[0]["trouble"], "gamma: beta has it");
}

TEST(Pending, NodesWithoutAnAnswerMakeItAPartialSuccess) {
  SpoolWorld world;
  world.add_node("beta", 7500);
  world.node(7500).answer_json("pending", of_a_node);
  world.node(7400).methods["pending"] = [](BytesView) { return fail(ErrorCode::TimedOut, "no answer"); };
  const Ran silent = run(world, {"pending"});
  EXPECT_EQ(silent.code, exit_code::partial);
  EXPECT_THAT(silent.err, HasSubstr("alpha: no answer"));
  world.node(7400).methods.erase("pending");  // a version that has none
  EXPECT_EQ(run(world, {"pending"}).code, exit_code::ok);
  world.spool("alpha").methods["info"] = [](BytesView) { return fail(ErrorCode::Unreachable, "refused"); };
  const Ran without = run(world, {"pending"});
  EXPECT_EQ(without.code, exit_code::partial);
  EXPECT_THAT(without.out, HasSubstr("orders"));
  world.node(7500).answer_json("pending", "[]");
  EXPECT_EQ(run(world, {"pending"}).code, exit_code::unreachable);
}

TEST(Pending, WatchesUntilTheCountIsReached) {
  SpoolWorld world;
  world.node(7400).answer_json("pending", of_a_node);
  EXPECT_EQ(run(world, {"pending", "--watch", "2s", "-n", "3", "-o", "jsonl"}).code, exit_code::ok);
  EXPECT_THAT(world.waits, testing::ElementsAre(2s, 2s));
}

TEST(Pending, ChangesGoToTheConsumer) {
  SpoolWorld world;
  world.add_node("beta", 7500);
  world.node(7500).answer_json("pending", of_a_node);
  std::vector<json> changes;
  keep_changes(world.node(7500), changes);
  EXPECT_EQ(run(world, {"-y", "pending", "reset", "orders", "--to", "1h"}).code, exit_code::ok);
  EXPECT_EQ(run(world, {"-y", "pending", "reset", "orders", "--to", "beginning"}).code, exit_code::ok);
  EXPECT_EQ(run(world, {"-y", "pending", "skip", "orders", "--stream", "alpha:7:2:trade.x:0", "--through", "6"}).code, exit_code::ok);
  const Ran removed = run(world, {"pending", "rm", "orders"}, "y\n", Terminal::Yes);
  EXPECT_EQ(removed.code, exit_code::ok);
  EXPECT_THAT(removed.err, HasSubstr("forget how far 'orders' is? [y/N]"));
  EXPECT_THAT(removed.err, HasSubstr("rm of 'orders' done by node beta"));
  ASSERT_THAT(changes, SizeIs(4));
  EXPECT_EQ(changes[0], (json{{"name", "orders"}, {"action", "reset"}, {"start", "2025-11-10T16:23:53.971Z"}}));
  EXPECT_EQ(changes[1]["start"], "beginning");
  EXPECT_EQ(changes[2], (json{{"name", "orders"}, {"action", "skip"}, {"stream", "alpha:7:2:trade.x:0"}, {"through", 6}}));
  EXPECT_EQ(changes[3], (json{{"name", "orders"}, {"action", "rm"}}));
}

TEST(Pending, ChangesOfAConsumerThatIsAwayGoToTheSpool) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  spool.cursors = {cursor("orders", 2)};
  std::vector<json> changes;
  spool.methods["subscription"] = [&](BytesView params) {
    changes.push_back(json::parse(data_to_json(params).value()));
    return plain_reply({0xc0});
  };
  const Ran ran = run(world, {"-y", "pending", "rm", "orders"});
  EXPECT_EQ(ran.code, exit_code::ok) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("done by spool alpha"));
  ASSERT_THAT(changes, SizeIs(1));
  spool.methods["subscription"] = [](BytesView) { return fail(ErrorCode::Refused, "node beta holds it"); };
  EXPECT_EQ(run(world, {"-y", "pending", "rm", "orders"}).code, exit_code::not_permitted);
  spool.methods["subscription"] = [](BytesView) { return fail(ErrorCode::NotFound, "no stream of 'orders' stands still"); };
  EXPECT_EQ(run(world, {"-y", "pending", "skip", "orders"}).code, exit_code::nothing_found);
}

TEST(Pending, NothingIsChangedWithoutConsent) {
  SpoolWorld world;
  world.spool("alpha").cursors = {cursor("orders", 2)};
  EXPECT_EQ(run(world, {"pending", "rm", "orders"}).code, exit_code::usage);
  EXPECT_EQ(run(world, {"pending", "rm", "orders"}, "no\n", Terminal::Yes).code, exit_code::failed);
  EXPECT_EQ(run(world, {"-y", "pending", "rm", "nothing"}).code, exit_code::nothing_found);
}

TEST(Pending, AnswersOfAWrongShapeAreNamed) {
  SpoolWorld world;
  world.spool("alpha").cursors = {cursor("orders", 2)};
  for (const auto* answer : {"7", "{}", R"([{}])", R"([7])"}) {
    world.node(7400).answer_json("pending", answer);
    const Ran ran = run(world, {"pending", "-j"});
    EXPECT_EQ(ran.code, exit_code::partial) << answer;
    EXPECT_EQ(json::parse(ran.out).size(), 1u) << answer;
  }
  world.node(7400).answer_json("pending", R"([{"name":"odd","streams":7,"pending":"many","oldest_age_ms":[]}])");
  EXPECT_EQ(run(world, {"pending"}).code, exit_code::ok);
  world.spool("alpha").methods["cursors"] = [](BytesView) { return plain_reply({0x92, 0xc0}); };
  EXPECT_EQ(run(world, {"pending"}).code, exit_code::partial);
}

TEST(Pending, RefusesWhatCannotBeMeant) {
  SpoolWorld world;
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"pending", "rm"}, {"pending", "reset", "orders"}, {"pending", "remove", "orders"}, {"pending", "rm", "Bad Name"},
           {"pending", "reset", "orders", "--to", "soon"}, {"pending", "ls", "--to", "now"}, {"pending", "rm", "orders", "--watch", "1s"},
           {"pending", "skip", "orders", "--through", "5"}, {"pending", "skip", "orders", "--stream", "x"},
           {"pending", "-n", "2"}, {"pending", "rm", "orders", "--stream", "alpha:7:2:trade.x:0"}}) {
    EXPECT_EQ(run(world, arguments).code, exit_code::usage) << arguments[1] << " " << arguments.back();
  }
  EXPECT_THAT(world.spool("alpha").asked, IsEmpty());
}

}  // namespace
}  // namespace legion::cli
