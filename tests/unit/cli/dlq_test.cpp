#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_spool.hpp"

namespace legion::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t begin_ns = 1'762'795'433'971'000'000;

LetterRecord letter(std::uint64_t sequence, const std::string& agent, const std::string& reason = "handler_error",
                    LetterState state = LetterState::Dead, std::uint32_t requeues = 0) {
  const StreamId stream = stream_of("trade.approved", "alpha", Priority::Critical);
  LetterRecord record;
  record.event = "alpha:7:0:trade.approved:0:" + std::to_string(sequence);
  record.agent = agent;
  record.subscription = "orders";
  record.round = 1 + requeues;
  record.state = state;
  record.requeues = requeues;
  const WallTime died{begin_ns - static_cast<std::int64_t>(sequence) * Duration(1min).count()};
  record.deaths = {{agent, reason, 3, "no such symbol: X" + std::to_string(sequence), died + -Duration(1s), died}};
  record.frame = make_frame(stream, sequence, {{.data = std::to_string(sequence)}});
  return record;
}

void fill(FakeSpool& spool) {
  spool.letters = {letter(1, "beta/risk"), letter(2, "beta/risk", "rejected"), letter(3, "gamma/audit"),
                   letter(4, "beta/risk", "handler_error", LetterState::Resolved)};
}

/// Takes requeues and keeps them.
class Requeued {
 public:
  explicit Requeued(FakeNode& node) {
    node.methods["requeue"] = [this](BytesView params) -> Result<Bytes> {
      if (error) return std::unexpected(*error);
      asked.push_back(json::parse(data_to_json(params).value()));
      return Bytes{0xc0};
    };
  }
  std::vector<json> asked;
  std::optional<Error> error;
};

TEST(Dlq, ListsWhatIsStillOpen) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  world.spool("alpha").frames_per_page = 1;
  const Ran ran = run(world, {"dlq", "ls"});
  EXPECT_EQ(ran.code, exit_code::ok) << ran.err;
  EXPECT_EQ(std::ranges::count(ran.out, '\n'), 4) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("alpha:7:0:trade.approved:0:1  beta/risk    handler_error  dead"));
  EXPECT_THAT(ran.err, HasSubstr("3 dead letters: 2 handler_error, 1 rejected"));
  const auto rows = json::parse(run(world, {"dlq", "ls", "-j"}).out);
  EXPECT_EQ(rows[1]["reason"], "rejected");
  EXPECT_EQ(rows[1]["deaths"][0]["error"], "no such symbol: X2");
  EXPECT_EQ(rows[1]["last"], "2025-11-10T17:21:53.971Z");
  EXPECT_TRUE(run(world, {"dlq", "ls", "-o", "csv"}).out.starts_with(
      "id,type,agent,subscription,state,round,requeues,reason,attempts,error,first,last\nalpha:7:0:trade.approved:0:1,"));
}

std::size_t count(SpoolWorld& world, std::vector<std::string> flags) {
  flags.insert(flags.begin(), {"dlq", "ls", "-j"});
  return json::parse(run(world, flags).out).size();
}

TEST(Dlq, FiltersByEverythingALetterHas) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  EXPECT_EQ(count(world, {"--agent", "risk"}), 2u);
  EXPECT_EQ(count(world, {"--agent", "gamma/audit"}), 1u);
  EXPECT_EQ(count(world, {"--reason", "rejected"}), 1u);
  EXPECT_EQ(count(world, {"--type", "trade."}), 3u);
  EXPECT_EQ(count(world, {"--type", "market."}), 0u);
  EXPECT_EQ(count(world, {"--state", "resolved"}), 1u);
  EXPECT_EQ(count(world, {"--state", "dead,resolved"}), 4u);
  EXPECT_EQ(count(world, {"--state", "all"}), 4u);
  EXPECT_EQ(count(world, {"--since", "90s"}), 1u);
  EXPECT_EQ(count(world, {"--until", "90s"}), 2u);
  EXPECT_EQ(count(world, {"alpha:7:0:trade.approved:0:3"}), 1u);
  EXPECT_EQ(count(world, {"-n", "2"}), 2u);
  EXPECT_EQ(run(world, {"dlq", "ls", "--type", "market.", "--require"}).code, exit_code::nothing_found);
}

TEST(Dlq, ShowsTheEventAndItsDeaths) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  const Ran ran = run(world, {"dlq", "show", "alpha:7:0:trade.approved:0:4"});
  EXPECT_EQ(ran.code, exit_code::ok);
  EXPECT_THAT(ran.out, HasSubstr("resolved, round 1, requeued 0 times"));
  EXPECT_THAT(ran.out, HasSubstr("handler_error  beta/risk  after 3 attempts: no such symbol: X4"));
  EXPECT_THAT(ran.out, HasSubstr("\"data\":4"));
  EXPECT_EQ(run(world, {"dlq", "show", "alpha:7:0:trade.approved:0:9"}).code, exit_code::nothing_found);
}

TEST(Dlq, ExportsJsonLinesWithTheUntouchedEvent) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  const Ran ran = run(world, {"dlq", "export", "--agent", "gamma/audit"});
  const auto exported = json::parse(ran.out);
  EXPECT_EQ(exported["event"]["id"], "alpha:7:0:trade.approved:0:3");
  EXPECT_EQ(exported["event"]["specversion"], "1.0");
  EXPECT_EQ(exported["event"]["data"], 3);
  EXPECT_EQ(exported["deaths"][0]["attempts"], 3);
  EXPECT_EQ(std::ranges::count(run(world, {"dlq", "export"}).out, '\n'), 4);
  EXPECT_EQ(run(world, {"dlq", "export", "-o", "csv"}).code, exit_code::usage);
}

TEST(Dlq, RequeuesToTheNodeOfTheAgentThatFailed) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  world.add_node("beta", 7500);
  world.add_node("gamma", 7600);
  Requeued beta(world.node(7500)), gamma(world.node(7600));
  const Ran ran = run(world, {"dlq", "requeue", "--all", "-o", "jsonl"});
  EXPECT_EQ(ran.code, exit_code::ok) << ran.err;
  EXPECT_THAT(beta.asked, SizeIs(2));
  ASSERT_THAT(gamma.asked, SizeIs(1));
  const auto& asked = gamma.asked[0]["letter"];
  EXPECT_EQ(asked["event"], "alpha:7:0:trade.approved:0:3");
  EXPECT_EQ(asked["agent"], "gamma/audit");
  EXPECT_EQ(asked["round"], 1);
  EXPECT_TRUE(asked["frame"].contains("$bin"));
  EXPECT_EQ(gamma.asked[0]["max_requeues"], 3);
  EXPECT_THAT(ran.err, HasSubstr("3 requeued, 0 failed, 0 skipped"));
  EXPECT_THAT(ran.out, HasSubstr(R"({"id":"alpha:7:0:trade.approved:0:3","agent":"gamma/audit","status":"requeued","detail":""})"));
}

TEST(Dlq, AnAgentThatCannotBeReachedMakesItAPartialSuccess) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  world.add_node("gamma", 7600);
  Requeued gamma(world.node(7600));
  const Ran ran = run(world, {"dlq", "requeue", "--all"});
  EXPECT_EQ(ran.code, exit_code::partial);
  EXPECT_THAT(ran.err, HasSubstr("failed alpha:7:0:trade.approved:0:1 beta/risk: no node is named 'beta'"));
  EXPECT_THAT(ran.err, HasSubstr("1 requeued, 2 failed, 0 skipped"));
  gamma.error = Error{ErrorCode::Refused, "the agent is down"};
  const Ran none = run(world, {"dlq", "requeue", "--all"});
  EXPECT_EQ(none.code, exit_code::failed);
  EXPECT_THAT(none.err, HasSubstr("the agent is down"));
}

TEST(Dlq, ANodeThatIsSilentIsTriedOnce) {
  SpoolWorld world;
  for (std::uint64_t i = 1; i <= 3; ++i) world.spool("alpha").letters.push_back(letter(i, "beta/risk"));
  world.add_node("beta", 7500);
  int calls = 0;
  world.node(7500).methods["requeue"] = [&](BytesView) -> Result<Bytes> {
    ++calls;
    return fail(ErrorCode::TimedOut, "no answer");
  };
  EXPECT_EQ(run(world, {"dlq", "requeue", "--all"}).code, exit_code::failed);
  EXPECT_EQ(calls, 1);
}

TEST(Dlq, SkipsWhatWasRequeuedTooOftenOrIsNotDead) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  spool.letters = {letter(1, "beta/risk", "handler_error", LetterState::Dead, 3),
                   letter(2, "beta/risk", "handler_error", LetterState::Dead, 2),
                   letter(3, "beta/risk", "handler_error", LetterState::Requeued)};
  world.add_node("beta", 7500);
  Requeued beta(world.node(7500));
  const Ran ran = run(world, {"dlq", "requeue", "--agent", "risk", "--state", "dead,requeued"});
  EXPECT_EQ(ran.code, exit_code::partial);
  EXPECT_THAT(beta.asked, SizeIs(1));
  EXPECT_THAT(ran.out, HasSubstr("skipped alpha:7:0:trade.approved:0:1 beta/risk: it was requeued 3 times before"));
  EXPECT_THAT(ran.out, HasSubstr("it is requeued already"));
  EXPECT_EQ(run(world, {"dlq", "requeue", "--agent", "risk", "--max-requeues", "4"}).code, exit_code::ok);
}

TEST(Dlq, PurgedOnesAreShownToWhoeverAsksForThem) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  spool.letters = {letter(1, "beta/risk"), letter(2, "beta/risk", "handler_error", LetterState::Purged)};
  EXPECT_EQ(json::parse(run(world, {"-j", "dlq", "ls"}).out).size(), 1u);
  EXPECT_EQ(json::parse(run(world, {"-j", "dlq", "ls", "--state", "all"}).out).size(), 2u);
  EXPECT_EQ(json::parse(run(world, {"-j", "dlq", "ls", "--state", "dead,purged"}).out).size(), 2u);
  EXPECT_EQ(json::parse(run(world, {"-j", "dlq", "ls", "--state", "purged"}).out).size(), 1u);
  EXPECT_EQ(json::parse(run(world, {"-j", "dlq", "show", spool.letters[1].event}).out)[0]["state"], "purged");
  const Ran requeued = run(world, {"-j", "dlq", "requeue", spool.letters[1].event});
  EXPECT_EQ(requeued.code, exit_code::failed);
  EXPECT_EQ(json::parse(requeued.out)[0]["status"], "skipped");
}

TEST(Dlq, NamesThatNoLetterHasAreNotFound) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  for (const auto* action : {"show", "requeue", "purge"}) {
    const Ran ran = run(world, {"-y", "dlq", action, "alpha:7:0:trade.approved:0:99"});
    EXPECT_EQ(ran.code, exit_code::nothing_found) << action;
    EXPECT_THAT(ran.err, HasSubstr("no such dead letter"));
  }
}

TEST(Dlq, ADryRunChangesNothing) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  world.add_node("beta", 7500);
  world.add_node("gamma", 7600);
  const Ran requeue = run(world, {"dlq", "requeue", "--all", "--dry-run"});
  EXPECT_EQ(requeue.code, exit_code::ok) << requeue.err;
  EXPECT_THAT(requeue.out, HasSubstr("would_requeue alpha:7:0:trade.approved:0:1 beta/risk"));
  const Ran purge = run(world, {"dlq", "purge", "--all", "--dry-run"});
  EXPECT_EQ(purge.code, exit_code::ok);
  EXPECT_THAT(purge.err, HasSubstr("3 dead letters would be purged"));
  EXPECT_THAT(world.spool("alpha").purged, IsEmpty());
}

TEST(Dlq, PurgesOnlyWithConsent) {
  SpoolWorld world;
  FakeSpool& spool = world.spool("alpha");
  fill(spool);
  const Ran refused = run(world, {"dlq", "purge", "--all"});
  EXPECT_EQ(refused.code, exit_code::usage);
  EXPECT_THAT(refused.err, HasSubstr("say -y"));
  EXPECT_EQ(run(world, {"dlq", "purge", "--all"}, "n\n", Terminal::Yes).code, exit_code::failed);
  EXPECT_EQ(run(world, {"dlq", "purge", "--all"}, "", Terminal::Yes).code, exit_code::failed);
  EXPECT_THAT(spool.purged, IsEmpty());
  const Ran asked = run(world, {"dlq", "purge", "--agent", "audit"}, "y\n", Terminal::Yes);
  EXPECT_EQ(asked.code, exit_code::ok);
  EXPECT_THAT(asked.err, HasSubstr("purge 1 dead letter? They cannot be requeued afterwards. [y/N] "));
  EXPECT_THAT(spool.purged, ElementsAre("alpha:7:0:trade.approved:0:3 gamma/audit 1"));
  EXPECT_EQ(run(world, {"dlq", "purge", "--all", "-y"}).code, exit_code::ok);
  EXPECT_EQ(spool.purged.size(), 4u);
}

TEST(Dlq, APurgeThatDidNotGetEverythingSaysSo) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  world.spool("alpha").purge_fails_of = 1;
  const Ran ran = run(world, {"-y", "dlq", "purge", "--all"});
  EXPECT_EQ(ran.code, exit_code::partial);
  EXPECT_THAT(ran.err, HasSubstr("2 of 3 dead letters purged"));
  world.spool("alpha").methods["purge"] = [](BytesView) { return plain_reply(data_from_json(R"({"gone":1})").value()); };
  EXPECT_EQ(run(world, {"-y", "dlq", "purge", "--all"}).code, exit_code::bad_data);
}

TEST(Dlq, AnswersThatGoRoundInCirclesEnd) {
  SpoolWorld world;
  fill(world.spool("alpha"));
  world.spool("alpha").methods["letters"] = [&](BytesView) {
    return plain_reply(encode_result(std::vector<LetterRecord>{letter(1, "beta/risk")}));
  };
  EXPECT_EQ(run(world, {"dlq", "ls"}).code, exit_code::bad_data);
  world.spool("alpha").methods["letters"] = [&](BytesView) { return plain_reply(Bytes{0x81}); };
  EXPECT_EQ(run(world, {"dlq", "ls"}).code, exit_code::bad_data);
}

TEST(Dlq, AnEventThatDoesNotDecodeIsNamed) {
  SpoolWorld world;
  LetterRecord damaged = letter(1, "beta/risk", "undecodable");
  damaged.frame.resize(20);
  world.spool("alpha").letters = {damaged};
  EXPECT_TRUE(json::parse(run(world, {"dlq", "export"}).out)["event"].contains("defect"));
}

TEST(Dlq, RefusesWhatCannotBeMeant) {
  SpoolWorld world;
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"dlq"}, {"dlq", "list"}, {"dlq", "requeue"}, {"dlq", "purge"}, {"dlq", "show"}, {"dlq", "ls", "--all"},
           {"dlq", "ls", "--dry-run"}, {"dlq", "ls", "--max-requeues", "2"}, {"dlq", "ls", "not-an-id"},
           {"dlq", "ls", "--reason", "handler_eror"}, {"dlq", "ls", "--state", "lost"}, {"dlq", "ls", "--type", "Bad Type"},
           {"dlq", "requeue", "--all", "--agent", "x"}, {"dlq", "ls", "--since", "1m", "--until", "2m"}}) {
    EXPECT_EQ(run(world, arguments).code, exit_code::usage) << arguments.back();
  }
  EXPECT_THAT(run(world, {"dlq", "purg"}).err, HasSubstr("did you mean 'purge'?"));
  EXPECT_THAT(run(world, {"dlq", "ls", "--reason", "handler_eror"}).err, HasSubstr("did you mean 'handler_error'?"));
}

}  // namespace
}  // namespace legion::cli
