#include <gtest/gtest.h>

#include <legion/agents/agent_line.hpp>
#include <legion/agents/backoff.hpp>
#include <legion/agents/line_splitter.hpp>
#include <legion/base/log_limiter.hpp>
#include <legion/base/text.hpp>

namespace legion {
namespace {

struct Collected {
  std::vector<std::string> texts;
  std::vector<std::uint64_t> numbers;
  LineSplitter::Sink sink() {
    return [this](const StreamLine& line) {
      texts.push_back(line.kind == StreamLine::Kind::TooLong ? "<too long>" : std::string(line.text));
      numbers.push_back(line.number);
    };
  }
};

TEST(LineSplitter, CutsLinesWhereverTheBytesAreCut) {
  const std::string stream = "one\ntwo\r\n\nfour";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    Collected got;
    LineSplitter splitter(100);
    splitter.push(std::string_view(stream).substr(0, cut), got.sink());
    splitter.push(std::string_view(stream).substr(cut), got.sink());
    splitter.finish(got.sink());
    EXPECT_EQ(got.texts, (std::vector<std::string>{"one", "two", "", "four"})) << "cut at " << cut;
    EXPECT_EQ(got.numbers, (std::vector<std::uint64_t>{1, 2, 3, 4}));
  }
}

TEST(LineSplitter, ReportsALongLineOnceAndHoldsNoMoreThanItsBound) {
  Collected got;
  LineSplitter splitter(10);
  for (int i = 0; i < 1000; ++i) {
    splitter.push("xxxxxxx", got.sink());
    ASSERT_LE(splitter.held_bytes(), 10u);
  }
  splitter.push("x\nnext\n", got.sink());
  EXPECT_EQ(got.texts, (std::vector<std::string>{"<too long>", "next"}));
  EXPECT_EQ(got.numbers, (std::vector<std::uint64_t>{1, 2}));
}

TEST(LogLimiter, LetsSoManyThroughAndThenSaysHowManyWereLeftOut) {
  LogLimiter limiter(2, 1s);
  const SteadyTime start{1'000};
  EXPECT_TRUE(limiter.allow(start));
  EXPECT_TRUE(limiter.allow(start));
  EXPECT_FALSE(limiter.allow(start));
  EXPECT_FALSE(limiter.allow(start + 999ms));
  EXPECT_EQ(limiter.deadline(), start + 1s);
  EXPECT_EQ(limiter.take_suppressed(start + 999ms), std::nullopt);
  EXPECT_EQ(limiter.take_suppressed(start + 1s), 2u);
  EXPECT_EQ(limiter.deadline(), std::nullopt);
  EXPECT_TRUE(limiter.allow(start + 1s));
}

TEST(Backoff, DoublesToItsMaximumAndStartsAnewAfterAStableRun) {
  Backoff backoff(1s, 5s, 10s);
  EXPECT_EQ(backoff.after_run_of(0s), 1s);
  EXPECT_EQ(backoff.after_run_of(0s), 2s);
  EXPECT_EQ(backoff.after_run_of(0s), 4s);
  EXPECT_EQ(backoff.after_run_of(9s), 5s);
  EXPECT_EQ(backoff.after_run_of(9s), 5s);
  EXPECT_EQ(backoff.after_run_of(10s), 1s);
  EXPECT_EQ(backoff.after_run_of(0s), 2s);
}

TEST(Printable, EscapesWhatWouldSpoilALog) {
  EXPECT_EQ(printable("a\x1b[31mb\tc", 100), "a\\x1b[31mb\tc");
  EXPECT_EQ(printable("gr\xc3\xbc\xc3\x9f", 100), "gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(printable("\xff", 100), "\\xff");
  EXPECT_EQ(printable("a\xc3\xbc", 2), "a...");
}

OutcomeLine outcome(std::string_view text) {
  auto line = parse_agent_line(text);
  EXPECT_TRUE(line) << text << ": " << (line ? "" : line.error().message);
  return line ? std::get<OutcomeLine>(*line) : OutcomeLine{};
}

TEST(AgentLine, UnderstandsEveryOutcome) {
  EXPECT_EQ(outcome(R"({"ack":3})").delivery, 3u);
  EXPECT_EQ(outcome(R"({"ack":3})").outcome.kind, OutcomeKind::Done);
  EXPECT_EQ(outcome(R"( { "stop" : 4 } )").outcome.kind, OutcomeKind::Stop);
  EXPECT_EQ(outcome(R"({"defer":4})").outcome.kind, OutcomeKind::Deferred);
  EXPECT_EQ(outcome(R"({"nack":5})").outcome.error, "the agent gave no reason");
  const auto nack = outcome(R"({"error":"b\u00e4d","nack":18446744073709551615})");
  EXPECT_EQ(nack.delivery, 18446744073709551615u);
  EXPECT_EQ(nack.outcome.kind, OutcomeKind::Retry);
  EXPECT_EQ(nack.outcome.error,
            "b\xc3\xa4"
            "d");
  EXPECT_EQ(outcome(R"({"reject":1,"error":"no"})").outcome.kind, OutcomeKind::Reject);
}

TEST(AgentLine, CutsALongError) {
  const auto line = outcome(R"({"nack":1,"error":")" + std::string(5000, 'e') + "\"}");
  EXPECT_EQ(line.outcome.error.size(), limits::error_text_bytes_max);
}

TEST(AgentLine, UnderstandsAPublish) {
  auto line = parse_agent_line(
      R"({"publish":{"type":"x.y","data":{"text":"a \"}] b","big":18446744073709551615},"priority":"high"},)"
      R"("ref":"r,\"1","cause":9})");
  ASSERT_TRUE(line) << line.error().message;
  const auto& publish = std::get<PublishLine>(*line);
  EXPECT_EQ(publish.event.event.type, "x.y");
  EXPECT_TRUE(publish.event.has_priority);
  EXPECT_EQ(publish.ref, R"("r,\"1")");
  EXPECT_EQ(publish.cause, 9u);
  EXPECT_EQ(data_to_json(publish.event.event.data).value(), R"({"text":"a \"}] b","big":18446744073709551615})");
}

TEST(AgentLine, UnderstandsALogLine) {
  auto line = parse_agent_line(R"({"log":"hello","level":"warn"})");
  ASSERT_TRUE(line);
  EXPECT_EQ(std::get<LogTextLine>(*line).text, "hello");
  EXPECT_EQ(std::get<LogTextLine>(*line).level, LogLevel::Warn);
}

TEST(AgentLine, RefusesEverythingElse) {
  for (const std::string_view text :
       {"hello",
        "",
        "[]",
        "3",
        "null",
        "{",
        "{}",
        R"({"ack":1)",
        R"({"ack":1}})",
        R"({"ack":1} x)",
        R"({"ack"})",
        R"({"ack":})",
        R"({"ack":-1})",
        R"({"ack":1.0})",
        R"({"ack":1e3})",
        R"({"ack":"1"})",
        R"({"ack":01})",
        R"({"ack":18446744073709551616})",
        R"({"ack":null})",
        R"({"ack":1,})",
        R"({"ack":1 "stop":2})",
        R"({"ack":1,"nack":2})",
        R"({"ack":1,"ack":2})",
        R"({"ack":1,"error":"x"})",
        R"({"ack":1,"ref":1})",
        R"({"ack":1,"unknown":1})",
        R"({"nack":1,"error":5})",
        R"({"nack":1,"error":"x","error":"y"})",
        R"({"nack":1,"error":"unfinished)",
        R"({"publish":5})",
        R"({"publish":{}})",
        R"({"publish":{"type":7}})",
        R"({"publish":{"type":"a"]})",
        R"({"publish":{"type":"x.y"},"ref":{}})",
        R"({"publish":{"type":"x.y"},"ref":nope})",
        R"({"publish":{"type":"x.y"},"cause":"1"})",
        R"({"log":5})",
        R"({"log":"x","level":"loud"})",
        R"({"log":"x","level":5})",
        "{\"log\":\"\xff\"}",
        R"({"error":"x"})",
        R"({"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1})"}) {
    const auto line = parse_agent_line(text);
    EXPECT_FALSE(line) << text;
    EXPECT_TRUE(line || !line.error().message.empty()) << text;
  }
}

TEST(AgentLine, KeepsTheRefOfABadPublishSoThatItCanBeAnswered) {
  EXPECT_EQ(parse_agent_line(R"({"publish":{"type":7},"ref":17})").error().ref, "17");
  EXPECT_EQ(parse_agent_line(R"({"publish":{"type":"x.y"},"ref":17,"colour":1})").error().ref, "17");
  const std::string huge = R"({"publish":{"type":"x.y"},"ref":")" + std::string(300, 'r') + "\"}";
  EXPECT_EQ(parse_agent_line(huge).error().ref, std::nullopt);
}

TEST(AgentLine, SurvivesEveryTruncationAndDeepNesting) {
  const std::string line = R"({"publish":{"type":"x.y","data":{"a":[1,{"b":"\\\""}]}},"ref":"r"})";
  ASSERT_TRUE(parse_agent_line(line));
  for (std::size_t size = 0; size < line.size(); ++size) EXPECT_FALSE(parse_agent_line(line.substr(0, size)));
  const std::string deep =
      R"({"publish":{"type":"x.y","data":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}}";
  EXPECT_FALSE(parse_agent_line(deep));
}

TEST(AgentLine, WritesAnswersThatAreOneJsonLine) {
  EXPECT_EQ(published_answer("7", "n1:1:2:x.y:0:1"), "{\"published\":7,\"id\":\"n1:1:2:x.y:0:1\"}\n");
  EXPECT_EQ(refused_answer("\"a\"", "bad \"x\"\n"), "{\"refused\":\"a\",\"reason\":\"bad \\\"x\\\"\\n\"}\n");
}

}  // namespace
}  // namespace legion
