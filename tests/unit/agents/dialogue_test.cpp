#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <legion/agents/exec_dialogue.hpp>

#include "fake_services.hpp"

namespace legion {
namespace {

using test::FakeServices;
using test::make_delivery;
using test::make_event;

/// A dialogue without a process: lines go in, and written() is what the process would read.
class Dialogue : public testing::Test {
 protected:
  Dialogue() { rebuild({}); }

  void rebuild(ExecOptions options) {
    options_ = std::move(options);
    dialogue_ = std::make_unique<ExecDialogue>(options_, services_, inbox_, 1);
  }
  void say(std::string_view text) {
    dialogue_->on_line(now_, {.number = ++lines_, .kind = StreamLine::Kind::Whole, .text = text});
    for (const auto& numbered : inbox_->take().numbered) dialogue_->on_numbered(numbered);
  }
  std::string written() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK), 0);
    const Fd read_end(ends[0]);
    const Fd write_end(ends[1]);
    std::string text;
    char buffer[65536];
    while (!dialogue_->output().empty()) {
      EXPECT_EQ(dialogue_->output().write_to(write_end.get()), OutputQueue::Write::Ok);
      ssize_t count = 0;
      while ((count = ::read(read_end.get(), buffer, sizeof buffer)) > 0) text.append(buffer, count);
    }
    return text;
  }

  SteadyTime now_{1'000'000};
  std::uint64_t lines_ = 0;
  ExecOptions options_;
  FakeServices services_;
  std::shared_ptr<ExecInbox> inbox_ = std::make_shared<ExecInbox>();
  std::unique_ptr<ExecDialogue> dialogue_;
};

TEST_F(Dialogue, HandsOverCloudEventsWithNumberAndAttempt) {
  dialogue_->hand_over(make_delivery(50, make_event("x.y", R"({"a":1})"), 2));
  const std::string line = written();
  EXPECT_NE(line.find("\"delivery\":1"), std::string::npos) << line;
  EXPECT_NE(line.find("\"attempt\":2"), std::string::npos) << line;
  EXPECT_NE(line.find("\"type\":\"x.y\""), std::string::npos) << line;
  EXPECT_TRUE(line.ends_with("}\n"));
}

TEST_F(Dialogue, TurnsEachAnswerIntoTheOutcomeOfItsTask) {
  for (TaskId task = 10; task < 15; ++task) dialogue_->hand_over(make_delivery(task, make_event("x.y")));
  say(R"({"stop":2})");
  say(R"({"ack":1})");
  say(R"({"nack":3,"error":"later"})");
  say(R"({"reject":4,"error":"never"})");
  say(R"({"defer":5})");
  say(R"({"ack":5})");
  const auto outcomes = services_.outcomes();
  ASSERT_EQ(outcomes.size(), 6u);
  EXPECT_EQ(outcomes[0].first, 11u);
  EXPECT_EQ(outcomes[0].second.kind, OutcomeKind::Stop);
  EXPECT_EQ(outcomes[1].first, 10u);
  EXPECT_EQ(outcomes[1].second.kind, OutcomeKind::Done);
  EXPECT_EQ(outcomes[2].second.kind, OutcomeKind::Retry);
  EXPECT_EQ(outcomes[2].second.error, "later");
  EXPECT_EQ(outcomes[3].second.kind, OutcomeKind::Reject);
  EXPECT_EQ(outcomes[4].second.kind, OutcomeKind::Deferred);
  EXPECT_EQ(outcomes[5].second.kind, OutcomeKind::Done);
  EXPECT_EQ(outcomes[4].first, outcomes[5].first);
  EXPECT_EQ(services_.counter("invalid_lines"), 0u);
}

TEST_F(Dialogue, AWrongOrRepeatedDeliveryNumberCostsOnlyItsLine) {
  dialogue_->hand_over(make_delivery(10, make_event("x.y")));
  say(R"({"ack":2})");
  say(R"({"ack":0})");
  say("rubbish");
  say("   ");
  EXPECT_TRUE(services_.outcomes().empty());
  say(R"({"ack":1})");
  say(R"({"ack":1})");
  EXPECT_EQ(services_.outcomes().size(), 1u);
  EXPECT_EQ(services_.counter("invalid_lines"), 4u);
  EXPECT_EQ(services_.logged("line 3 ignored"), 1u);
}

TEST_F(Dialogue, AFloodOfBadLinesDoesNotDrownTheLog) {
  for (int i = 0; i < 5000; ++i) say("rubbish");
  EXPECT_EQ(services_.counter("invalid_lines"), 5000u);
  EXPECT_EQ(services_.lines().size(), options_.report_lines_per_second);
  now_ = now_ + 1s;
  EXPECT_LE(*dialogue_->deadline(), now_);
  dialogue_->on_time(now_);
  EXPECT_EQ(services_.logged("4990 invalid or refused lines suppressed"), 1u);
}

TEST_F(Dialogue, AnswersAPublishWithARefOnceNumbered) {
  say(R"({"publish":{"type":"x.y"},"ref":{"no":1}})");
  say(R"({"publish":{"type":"x.y"},"ref":"r1"})");
  say(R"({"publish":{"type":"x.y"}})");
  EXPECT_EQ(written(), "{\"published\":\"r1\",\"id\":\"id-1\"}\n");
  EXPECT_EQ(services_.counter("published"), 2u);
}

TEST_F(Dialogue, AnswersARefusedPublishWithTheReason) {
  services_.answer(
      {{PublishStatus::WouldBlock, {}}, {PublishStatus::Refused, "reserved"}, {PublishStatus::TooBig, {}}});
  say(R"({"publish":{"type":"x.y"},"ref":1})");
  say(R"({"publish":{"type":"x.y"},"ref":2})");
  say(R"({"publish":{"type":"x.y"}})");
  say(R"({"publish":{"typ":"x.y"},"ref":null})");
  const std::string text = written();
  EXPECT_TRUE(
      text.starts_with("{\"refused\":1,\"reason\":\"would_block\"}\n"
                       "{\"refused\":2,\"reason\":\"refused: reserved\"}\n"
                       "{\"refused\":null,\"reason\":\"invalid: "))
      << text;
  EXPECT_EQ(services_.counter("refused"), 4u);
  EXPECT_EQ(services_.counter("published"), 0u);
  EXPECT_EQ(services_.logged("line 3: publish refused: too_big"), 1u);
}

TEST_F(Dialogue, PriorityComesFromTheEventOnlyWhenItSaysOne) {
  say(R"({"publish":{"type":"x.y","priority":"high"}})");
  say(R"({"publish":{"type":"x.y"}})");
  const auto published = services_.published();
  ASSERT_EQ(published.size(), 2u);
  EXPECT_EQ(published[0].priority_from, PublishOptions::PriorityFrom::Event);
  EXPECT_EQ(published[0].event.priority, Priority::High);
  EXPECT_EQ(published[1].priority_from, PublishOptions::PriorityFrom::Policy);
}

TEST_F(Dialogue, AConsequenceInheritsFromItsCause) {
  const EventPtr event = make_event("x.y");
  dialogue_->hand_over(make_delivery(10, event));
  say(R"({"publish":{"type":"x.z"},"cause":1})");
  say(R"({"publish":{"type":"x.z","correlationid":"mine"},"cause":1})");
  say(R"({"publish":{"type":"x.z"},"cause":2,"ref":5})");
  const auto published = services_.published();
  ASSERT_EQ(published.size(), 2u);
  EXPECT_EQ(published[0].event.causation_id, event->id_string());
  EXPECT_EQ(published[0].event.correlation_id, event->id_string());
  EXPECT_EQ(published[0].event.traceparent, event->traceparent);
  EXPECT_EQ(published[1].event.correlation_id, "mine");
  EXPECT_NE(written().find("{\"refused\":5,"), std::string::npos);
}

TEST_F(Dialogue, AReceivedEventCanBePublishedAsItCame) {
  dialogue_->hand_over(make_delivery(10, make_event("x.y", R"({"a":1})")));
  std::string line = written();
  line.pop_back();
  say("{\"publish\":" + line + "}");
  const auto published = services_.published();
  ASSERT_EQ(published.size(), 1u);
  for (const auto& [name, value] : published[0].event.extensions) {
    EXPECT_NE(name, "delivery");
    EXPECT_NE(name, "attempt");
  }
}

TEST_F(Dialogue, RefsWithoutAnAnswerAreBounded) {
  ExecOptions options;
  options.pending_refs_max = 3;
  rebuild(options);
  services_.numbering(FakeServices::Numbering::Never);
  for (int i = 0; i < 5; ++i) say(R"({"publish":{"type":"x.y"},"ref":1})");
  EXPECT_EQ(services_.published().size(), 3u);
  EXPECT_EQ(services_.counter("refused"), 2u);
}

TEST_F(Dialogue, AnAgentThatDoesNotReadIsNotListenedToAndCostsBoundedMemory) {
  ExecOptions options;
  options.output_bytes_max = 1000;
  options.open_deliveries_max = 100;
  rebuild(options);
  for (TaskId task = 1; task <= 300; ++task) dialogue_->hand_over(make_delivery(task, make_event("x.y")));
  EXPECT_FALSE(dialogue_->listening());
  EXPECT_LT(dialogue_->output().bytes(), 2000u);
  EXPECT_EQ(services_.outcomes().size(), 300u - 104u);
  EXPECT_EQ(services_.outcomes().front().first, 1u);
  written();
  dialogue_->fill_output();
  EXPECT_FALSE(written().empty());
}

TEST_F(Dialogue, AClosedInputFailsWhatWasNotWritten) {
  dialogue_->hand_over(make_delivery(10, make_event("x.y")));
  written();
  dialogue_->hand_over(make_delivery(11, make_event("x.y")));
  dialogue_->on_input_closed("closed");
  dialogue_->hand_over(make_delivery(12, make_event("x.y")));
  say(R"({"ack":1})");
  const auto outcomes = services_.outcomes();
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_EQ(outcomes[0].first, 11u);
  EXPECT_EQ(outcomes[0].second.kind, OutcomeKind::Retry);
  EXPECT_EQ(outcomes[1].first, 12u);
  EXPECT_EQ(outcomes[2].second.kind, OutcomeKind::Done);
}

TEST_F(Dialogue, AnswersMeantForAnEarlierLifeAreDropped) {
  dialogue_->on_numbered({.life = 99, .ref = "1", .id = "x"});
  EXPECT_TRUE(dialogue_->output().empty());
}

}  // namespace
}  // namespace legion
