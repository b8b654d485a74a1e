// In the place of a consumer that is away: changes its cursor, consumes nothing.
#include <gmock/gmock.h>

#include "durable_kit.hpp"

namespace legion::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const StreamId trades = stream_named("trade.approved");

class DurableStandIn : public testing::Test {
 protected:
  static DurableConfig config() {
    DurableConfig config;
    config.record_bytes = 0;
    config.stalled_after = Duration::zero();
    return config;
  }

  void SetUp() override {
    // As the kit names no filter of a stand-in, one that matches nothing of the cursor's shows that it is not used.
    kit.subscribe({.filter = "nothing.", .role = DurableHandler::Role::StandIn});
  }

  void cursor_at(std::uint64_t done, const std::string& spool = "s1", std::uint64_t counter = 4) {
    kit.spool(spool).record(
        CursorRecord{"orders", {counter, "away"}, "trade.", CursorRecord::Form::Whole, {{trades, done, {}}}});
  }
  Result<std::string> answer_to(RequestId request) {
    for (const RequestAnswer& answer : kit.answers) {
      if (answer.request == request) return answer.answer;
    }
    return fail(ErrorCode::NotFound, "no answer");
  }

  DurableKit kit{config()};
};

TEST_F(DurableStandIn, TakesTheCursorWithItsFilterAndHandsNothingOver) {
  cursor_at(2);
  kit.spool().store(frame_in(trades, 1, 5));
  kit.start();
  kit.settle(3s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active);
  EXPECT_EQ(kit.figures().filter, "trade.");
  EXPECT_EQ(kit.figures().pending, 3u);
  EXPECT_EQ(kit.figures().survey, DurableFigures::Survey::Complete);
  EXPECT_THAT(kit.handed, IsEmpty());
  EXPECT_THAT(kit.journal, IsEmpty());
}

TEST_F(DurableStandIn, OfANameWithoutACursorNothingIsCreated) {
  kit.spool().store(frame_in(trades, 1, 5));
  kit.start();
  kit.settle(20s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Removed);
  EXPECT_THAT(kit.journal, IsEmpty());
}

TEST_F(DurableStandIn, ARemovedOneStaysRemoved) {
  cursor_at(2);
  kit.spool().record(CursorRecord{"orders", {4, "away"}, "trade.", CursorRecord::Form::Removed, {}});
  kit.durable.on_reset(kit.now, 1, "orders", StartBeginning{});
  kit.start();
  kit.settle(20s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Removed);
  EXPECT_THAT(kit.journal, IsEmpty());
}

TEST_F(DurableStandIn, RemoveIsRecordedUnderTheGenerationThatIsThere) {
  cursor_at(2);
  kit.start();
  kit.durable.on_remove(kit.now, 1, "orders");
  kit.drain();
  kit.settle();
  EXPECT_EQ(answer_to(1), "orders is removed");
  EXPECT_EQ(kit.cursor().form, CursorRecord::Form::Removed);
  EXPECT_EQ(kit.cursor().generation, (CursorGeneration{4, "away"}));
}

TEST_F(DurableStandIn, ResetSaidBeforeTheCursorIsKnownBeginsAnewWithItsFilter) {
  cursor_at(2);
  kit.spool().store(frame_in(trades, 1, 5));
  kit.durable.on_reset(kit.now, 1, "orders", StartNow{});
  kit.start();
  kit.settle(1s);
  EXPECT_EQ(answer_to(1), "orders begins anew");
  EXPECT_EQ(kit.cursor().generation, (CursorGeneration{5, "c"}));
  EXPECT_EQ(kit.cursor().filter, "trade.");
  EXPECT_EQ(kit.done(trades), 5u);
  EXPECT_THAT(kit.handed, IsEmpty());
}

// What is written under a generation that another spool knows a higher one of counts for nothing there.
TEST_F(DurableStandIn, ResetWaitsForEverySpoolThatAnswers) {
  cursor_at(2, "s1", 4);
  cursor_at(3, "s2", 9);
  kit.spool("s2").reachable = false;
  kit.durable.on_reset(kit.now, 1, "orders", StartBeginning{});
  kit.start();
  kit.settle(500ms);
  EXPECT_THAT(kit.journal, IsEmpty());
  kit.spool("s2").reachable = true;
  kit.start();
  kit.settle(1s);
  EXPECT_EQ(kit.cursor("orders", "s1").generation, (CursorGeneration{10, "c"}));
}

TEST_F(DurableStandIn, SkipMovesTheCursorWithoutHandingAnythingOver) {
  cursor_at(2);
  kit.spool().store(frame_in(trades, 1, 10));
  kit.start();
  kit.settle();
  kit.durable.on_skip(kit.now, 1, "orders", trades, 7);
  kit.durable.close(kit.now);
  kit.drain();
  kit.settle();
  EXPECT_EQ(answer_to(1), "skips 3 to 7");
  EXPECT_EQ(kit.done(trades), 7u);
  EXPECT_EQ(kit.cursor().generation, (CursorGeneration{4, "away"}));
  EXPECT_THAT(kit.handed, IsEmpty());
}

TEST_F(DurableStandIn, ShowsTheGapRightBehindTheCursor) {
  cursor_at(2);
  kit.spool().store(frame_in(trades, 6, 2));
  kit.start();
  kit.settle(500ms);
  EXPECT_EQ(kit.figures().survey, DurableFigures::Survey::Complete);
  ASSERT_THAT(kit.figures().streams, SizeIs(1));
  EXPECT_THAT(kit.figures().streams[0].stalled, HasSubstr("waits for 3"));
  kit.durable.on_skip(kit.now, 1, "orders", trades, std::nullopt);
  kit.drain();
  EXPECT_EQ(answer_to(1), "skips 3 to 5");
}

TEST_F(DurableStandIn, IsRefusedWhileSomebodyHasTheName) {
  cursor_at(2);
  kit.spool().holder = "node beta";
  kit.durable.on_reset(kit.now, 1, "orders", StartNow{});
  kit.start();
  kit.settle(1s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Refused);
  EXPECT_THAT(kit.figures().trouble, HasSubstr("beta"));
  EXPECT_THAT(kit.journal, IsEmpty());
}

TEST_F(DurableStandIn, GivesTheNameBackEvenWhenTheClaimWasNotAnswered) {
  cursor_at(2);
  kit.meet_spools();
  kit.queries.clear();
  kit.durable.release_names(kit.now);
  kit.drain();
  EXPECT_THAT(kit.asked<AskUnclaim>(), SizeIs(1));
  kit.settle(10s);
  EXPECT_THAT(kit.asked<AskClaim>(), IsEmpty());
}

TEST_F(DurableStandIn, LeavesRequeuedLettersToTheirAgents) {
  cursor_at(2);
  kit.start();
  kit.settle(3s);
  EXPECT_THAT(kit.logs, testing::Not(testing::Contains(HasSubstr("dead letter"))));
  EXPECT_THAT(kit.asked<AskLetters>(), IsEmpty());
}

}  // namespace
}  // namespace legion::test
