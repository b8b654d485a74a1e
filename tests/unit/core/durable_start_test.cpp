// Where a durable subscription begins.
#include <algorithm>

#include <gmock/gmock.h>

#include "durable_kit.hpp"

namespace legion::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const StreamId trades = stream_named("trade.approved");
const StreamId orders = stream_named("order.new");

class DurableStarting : public testing::Test {
 protected:
  DurableKit kit;
};

TEST_F(DurableStarting, WaitsWithoutASpool) {
  kit.subscribe({});
  kit.start();
  kit.live(frame_in(trades, 1, 3));
  kit.settle(5s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Waiting);
  EXPECT_EQ(kit.figures().trouble, "no spool is known");
  EXPECT_THAT(kit.handled(), IsEmpty());
  kit.spool().reachable = false;
  kit.start();
  EXPECT_EQ(kit.figures().trouble, "no spool is reachable");
}

TEST_F(DurableStarting, FromTheBeginningReadsWhatTheSpoolHas) {
  kit.subscribe({});
  kit.spool().store(frame_in(trades, 1, 3));
  kit.spool().store(frame_in(trades, 4, 2));
  kit.spool().store(frame_in(orders, 1, 2));
  kit.start();
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3, 4, 5));
  kit.settle(300ms);
  EXPECT_EQ(kit.done(trades), 5u);
  EXPECT_EQ(kit.done(orders), 0u);
}

TEST_F(DurableStarting, NowIsRecordedBeforeAnythingIsOffered) {
  kit.subscribe({.start = StartNow{}});
  kit.spool().store(frame_in(trades, 1, 5));
  kit.meet_spools();
  while (kit.answer_queries()) {
  }
  ASSERT_THAT(kit.written<CursorRecord>(), SizeIs(1));
  const CursorRecord beginning = kit.written<CursorRecord>()[0];
  EXPECT_EQ(beginning.form, CursorRecord::Form::Whole);
  EXPECT_EQ(beginning.generation, (CursorGeneration{1, "c"}));
  EXPECT_EQ(beginning.streams, (std::vector<StreamCursor>{{trades, 5, {}}}));
  kit.publish(frame_in(trades, 6, 2));
  EXPECT_FALSE(kit.handle());
  kit.settle(3s);
  EXPECT_THAT(kit.handled(), ElementsAre(6, 7));
}

TEST_F(DurableStarting, ASpoolThatLostItsDiskIsToldTheBeginningAgain) {
  kit.subscribe({.start = StartNow{}});
  kit.spool().store(frame_in(trades, 1, 5));
  kit.start();
  kit.publish(frame_in(trades, 6, 2));
  kit.settle(1s);
  ASSERT_EQ(kit.done(trades), 7u);
  const auto whole = [&] {
    return std::ranges::count(kit.journal, CursorRecord::Form::Whole, [](const WriteRecord& record) {
      const auto* cursor = std::get_if<CursorRecord>(&record.record);
      return cursor != nullptr ? cursor->form : CursorRecord::Form::Delta;
    });
  };
  const auto away_and_back = [&] {
    kit.spool().reachable = false;
    kit.start();
    kit.spool().reachable = true;
    kit.start();
    kit.settle(1s);
  };
  away_and_back();
  EXPECT_EQ(whole(), 1) << "it knows";
  kit.spool().subscriptions.clear();
  away_and_back();
  EXPECT_EQ(whole(), 2);
  EXPECT_EQ(kit.cursor().form, CursorRecord::Form::Whole);
  EXPECT_EQ(kit.done(trades), 7u);
  EXPECT_THAT(kit.handled(), ElementsAre(6, 7));
}

TEST_F(DurableStarting, StreamsThatAppearAfterNowBeginAtOne) {
  kit.subscribe({.start = StartNow{}});
  kit.spool().store(frame_in(trades, 1, 5));
  kit.start();
  const StreamId later = stream_named("trade.rejected");
  kit.spool().store(frame_in(later, 1, 2));
  kit.live(frame_in(later, 3, 1));
  kit.settle();
  kit.spool().store(frame_in(later, 3, 1));
  kit.settle(1s);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3));
}

TEST_F(DurableStarting, NowTakesTheFurthestTailOfAllSpools) {
  kit.subscribe({.start = StartNow{}});
  kit.spool("s1").store(frame_in(trades, 1, 5));
  kit.spool("s2").store(frame_in(trades, 1, 8));
  kit.start();
  EXPECT_EQ(kit.done(trades), 8u);
}

TEST_F(DurableStarting, AtATimeBeginsWithTheFirstEventOfThatTime) {
  const auto at = [](std::int64_t second) { return WallTime{second * 1'000'000'000}; };
  kit.subscribe({.start = StartTime{at(102)}});
  const StreamId quiet = stream_named("trade.quiet");
  kit.spool().store(frame_in(quiet, 1, 3, at(10)));
  kit.spool().store(frame_in(trades, 1, 5, at(100)));  // 100, 101, 102, 103, 104
  for (std::uint64_t n = 0; n < 8; ++n) kit.spool().store(frame_in(trades, 6 + n, 1, at(105)));
  kit.start();
  EXPECT_THAT(kit.handled(), ElementsAre(3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13));
  kit.settle(300ms);
  EXPECT_EQ(kit.done(quiet), 3u);
}

TEST_F(DurableStarting, AtAnEventBeginsWithItAndWhatCameAfterIt) {
  const StreamId other = stream_named("trade.rejected");
  kit.subscribe({.start = StartEvent{EventId::parse(event_id(trades, 4)).value()}});
  kit.spool().store(frame_in(other, 1, 2));
  kit.spool().store(frame_in(trades, 1, 5));
  kit.spool().store(frame_in(other, 3, 1));
  kit.start();
  Seqs of_trades, of_other;
  for (const auto& one : kit.handed) (one.stream == trades ? of_trades : of_other).push_back(one.sequence);
  EXPECT_THAT(of_trades, ElementsAre(4, 5));
  EXPECT_THAT(of_other, ElementsAre(3));
}

TEST_F(DurableStarting, AnEventNobodyHasIsWaitedFor) {
  kit.subscribe({.start = StartEvent{EventId::parse(event_id(trades, 4)).value()}});
  kit.spool();
  kit.start();
  kit.settle(1s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Creating);
  EXPECT_THAT(kit.figures().trouble, HasSubstr("does not have " + event_id(trades, 4)));
  kit.spool().store(frame_in(trades, 1, 5));
  kit.settle(5s);
  EXPECT_THAT(kit.handled(), ElementsAre(4, 5));
}

/// Its store is damaged and stays so; another one has the same events.
TEST_F(DurableStarting, ASearchThatASpoolCannotAnswerGoesOnAtAnother) {
  kit.subscribe({.start = StartTime{WallTime{102'000'000'000}}});
  for (const char* name : {"s1", "s2"}) kit.spool(name).store(frame_in(trades, 1, 5, WallTime{100'000'000'000}));
  kit.meet_spools();
  int failed = 0;
  for (int n = 0; n < 400 && kit.figures().phase != DurablePhase::Active; ++n) {
    const auto hopeless = std::ranges::find_if(kit.queries, [](const SpoolQuery& query) {
      return query.spool == "s1" && std::holds_alternative<AskScan>(query.what);
    });
    if (hopeless != kit.queries.end()) {
      ++failed;
      const QueryId id = hopeless->id;
      kit.queries.erase(hopeless);
      kit.durable.on_query_failed(kit.now, id, {ErrorCode::Io, "a block is damaged"});
      kit.drain();
      EXPECT_EQ(kit.figures().trouble, "s1: a block is damaged");
    }
    kit.answer_queries();
    kit.confirm_records();
    kit.pass(50ms);
  }
  EXPECT_EQ(failed, 1);
  kit.settle(1s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active);
  EXPECT_THAT(kit.handled(), ElementsAre(3, 4, 5));
}

TEST_F(DurableStarting, ASearchForAnEventThatFailsIsMadeAgain) {
  kit.subscribe({.start = StartEvent{EventId::parse(event_id(trades, 4)).value()}});
  kit.spool().store(frame_in(trades, 1, 5));
  kit.meet_spools();
  while (kit.asked<AskFind>().empty()) ASSERT_TRUE(kit.answer_queries());
  kit.fail_queries("it hangs");
  EXPECT_EQ(kit.figures().phase, DurablePhase::Creating);
  EXPECT_EQ(kit.figures().trouble, "s1: it hangs");
  EXPECT_THAT(kit.queries, IsEmpty());  // not at once
  kit.settle(10s);
  EXPECT_THAT(kit.handled(), ElementsAre(4, 5));
}

/// The spool that says so was not known when it began to look for its beginning.
TEST_F(DurableStarting, OneThatTurnsOutNotToBeNewGoesOnWhereItWas) {
  kit.subscribe({.start = StartEvent{EventId::parse(event_id(trades, 400)).value()}});
  kit.spool("s1").store(frame_in(trades, 1, 9));
  kit.start();
  kit.settle(1s);
  ASSERT_EQ(kit.figures().phase, DurablePhase::Creating);
  kit.spool("s2").record(CursorRecord{"orders", {4, "b"}, "trade.", CursorRecord::Form::Whole, {{trades, 6, {}}}});
  kit.start();
  kit.settle(1s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active);
  EXPECT_EQ(kit.figures().generation, (CursorGeneration{4, "b"}));
  EXPECT_THAT(kit.handled(), ElementsAre(7, 8, 9));
}

/// It must not record a beginning at the end, which would count for more than the cursor and leave out what is between.
TEST_F(DurableStarting, ASpoolThatIsMetJustBeforeItBeginsIsAskedFirst) {
  kit.subscribe({.start = StartNow{}});
  kit.spool("s1").store(frame_in(trades, 1, 9));
  kit.meet_spools();
  while (kit.asked<AskTails>().empty()) ASSERT_TRUE(kit.answer_queries());
  ASSERT_EQ(kit.figures().phase, DurablePhase::Creating);
  kit.spool("s2").record(CursorRecord{"orders", {4, "b"}, "trade.", CursorRecord::Form::Whole, {{trades, 6, {}}}});
  kit.spool("s2").store(frame_in(trades, 1, 9));
  kit.start();
  kit.settle(1s);
  EXPECT_EQ(kit.figures().generation, (CursorGeneration{4, "b"}));
  EXPECT_THAT(kit.handled(), ElementsAre(7, 8, 9));
}

/// A reset is an operator's word: no cursor counts any more.
TEST_F(DurableStarting, AResetBeginsWhateverASpoolThatIsMetMeanwhileKnows) {
  kit.subscribe({});
  kit.spool("s1").store(frame_in(trades, 1, 9));
  kit.start();
  kit.durable.on_reset(kit.now, 1, "orders", StartNow{});
  kit.drain();
  ASSERT_EQ(kit.figures().phase, DurablePhase::Creating);
  kit.handed.clear();
  kit.spool("s2").record(CursorRecord{"orders", {1, "c"}, "trade.", CursorRecord::Form::Whole, {{trades, 2, {}}}});
  kit.start();
  kit.settle(30s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active);
  EXPECT_THAT(kit.handled(), IsEmpty());
  EXPECT_EQ(kit.done(trades), 9u);
}

TEST_F(DurableStarting, GoesOnWhereItWas) {
  kit.subscribe({.start = StartNow{}});
  kit.spool().store(frame_in(trades, 1, 9));
  CursorRecord cursor{"orders", {4, "b"}, "trade.", CursorRecord::Form::Whole, {{trades, 3, {{5, 6}}}}};
  kit.spool().record(cursor);
  kit.start();
  EXPECT_THAT(kit.handled(), ElementsAre(4, 7, 8, 9));
  kit.settle(300ms);
  EXPECT_EQ(kit.cursor().generation, (CursorGeneration{4, "b"}));
  EXPECT_EQ(kit.done(trades), 9u);
}

TEST_F(DurableStarting, TakesTheFurthestCursorOfAllSpools) {
  kit.subscribe({});
  for (const char* name : {"s1", "s2"}) kit.spool(name).store(frame_in(trades, 1, 9));
  kit.spool("s1").record(CursorRecord{"orders", {1, "c"}, "trade.", CursorRecord::Form::Whole, {{trades, 3, {}}}});
  kit.spool("s2").record(CursorRecord{"orders", {1, "c"}, "trade.", CursorRecord::Form::Whole, {{trades, 7, {}}}});
  kit.start();
  EXPECT_THAT(kit.handled(), ElementsAre(8, 9));
}

TEST_F(DurableStarting, ABeginningWaitsForEverySpoolThatMayKnowBetter) {
  kit.subscribe({.start = StartNow{}});
  kit.spool("s1").store(frame_in(trades, 1, 9));
  kit.spool("s2").record(CursorRecord{"orders", {1, "c"}, "trade.", CursorRecord::Form::Whole, {{trades, 3, {}}}});
  kit.spool("s2").reachable = false;
  kit.start();
  kit.settle(1h);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Loading);
  EXPECT_THAT(kit.figures().trouble, HasSubstr("where it was: s2;"));
  kit.spool("s2").reachable = true;
  kit.start();
  EXPECT_THAT(kit.handled(), ElementsAre(4, 5, 6, 7, 8, 9));
}

TEST_F(DurableStarting, ABeginningThatLeavesNothingOutDoesNotWaitForEver) {
  kit.subscribe({.start = StartBeginning{}});
  kit.spool("s1");
  kit.spool("s2").reachable = false;
  kit.start();
  kit.settle(25s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active);
}

TEST_F(DurableStarting, AnOperatorMayBeginWithoutASpoolThatIsGone) {
  kit.subscribe({.start = StartNow{}});
  kit.spool("s1");
  kit.spool("s2").reachable = false;
  kit.start();
  kit.settle(1min);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Loading);
  kit.durable.on_reset(kit.now, 1, "orders", StartNow{});
  kit.settle(25s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active);
}

TEST_F(DurableStarting, ACursorThatIsFoundWaitsOnlyForSpoolsThatAnswer) {
  kit.subscribe({});
  kit.spool("s1").record(CursorRecord{"orders", {1, "c"}, "trade.", CursorRecord::Form::Whole, {{trades, 3, {}}}});
  kit.spool("s2").reachable = false;
  kit.start();
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active);
}

TEST_F(DurableStarting, ALaterGenerationThatShowsUpIsReplaced) {
  kit.subscribe({});
  kit.spool("s1").store(frame_in(trades, 1, 5));
  kit.spool("s2").reachable = false;
  kit.spool("s2").record(CursorRecord{"orders", {6, "x"}, "trade.", CursorRecord::Form::Whole, {{trades, 90, {}}}});
  kit.start();
  kit.settle(25s);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2, 3, 4, 5));
  kit.spool("s2").reachable = true;
  kit.start();
  EXPECT_EQ(kit.cursor("orders", "s2").generation, (CursorGeneration{7, "c"}));
  EXPECT_EQ(kit.done(trades, "orders", "s2"), 5u);
}

TEST_F(DurableStarting, ABeginningThatWasCutShortIsMadeAnew) {
  kit.subscribe({.start = StartNow{}});
  kit.spool().store(frame_in(trades, 1, 5));
  kit.spool().record(CursorRecord{"orders", {2, "c"}, "trade.", CursorRecord::Form::Delta, {{trades, 2, {}}}});
  kit.start();
  EXPECT_EQ(kit.cursor().generation, (CursorGeneration{3, "c"}));
  EXPECT_EQ(kit.done(trades), 5u);
}

TEST_F(DurableStarting, ARemovedOneBeginsAnew) {
  kit.subscribe({});
  kit.spool().store(frame_in(trades, 1, 2));
  kit.spool().record(CursorRecord{"orders", {2, "c"}, "trade.", CursorRecord::Form::Removed, {}});
  kit.start();
  EXPECT_EQ(kit.cursor().generation, (CursorGeneration{3, "c"}));
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2));
}

TEST_F(DurableStarting, AChangedFilterKeepsWhatItKnew) {
  kit.subscribe({.filter = "*", .start = StartNow{}});
  const StreamId late = stream_named("trade.late");
  for (const StreamId& stream : {trades, late, orders}) kit.spool().store(frame_in(stream, 1, 4));
  kit.spool().record(CursorRecord{"orders", {2, "c"}, "trade.", CursorRecord::Form::Whole, {{trades, 3, {}}}});
  kit.start();
  EXPECT_EQ(kit.cursor().generation, (CursorGeneration{3, "c"}));
  EXPECT_EQ(kit.cursor().filter, "*");
  std::map<std::string, Seqs> by_type;
  for (const auto& one : kit.handed) by_type[one.stream.type].push_back(one.sequence);
  EXPECT_THAT(by_type["trade.approved"], ElementsAre(4));
  EXPECT_THAT(by_type["trade.late"], ElementsAre(1, 2, 3, 4));  // the old filter had it, so it began at 1
  EXPECT_THAT(by_type["order.new"], IsEmpty());  // new to the subscription: from now on
}

TEST_F(DurableStarting, ManyStreamsNeedSeveralRecords) {
  kit.subscribe({.start = StartNow{}});
  for (int n = 0; n < 5000; ++n) kit.spool().store(frame_in(stream_named("trade.t" + std::to_string(n)), 1, 1));
  kit.start();
  EXPECT_EQ(kit.cursor().streams.size(), 5000u);
  EXPECT_EQ(kit.cursor().form, CursorRecord::Form::Whole);
  const auto cursors = kit.journal.size();
  EXPECT_GE(cursors, 2u);
  EXPECT_EQ(std::get<CursorRecord>(kit.journal.front().record).form, CursorRecord::Form::Delta);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active);
}

TEST_F(DurableStarting, ANameThatAnotherNodeHasIsRefused) {
  kit.subscribe({});
  kit.spool().store(frame_in(trades, 1, 2));
  kit.spool().holder = "node b has it since 10:00";
  kit.start();
  EXPECT_EQ(kit.figures().phase, DurablePhase::Refused);
  EXPECT_THAT(kit.figures().trouble, HasSubstr("node b"));
  kit.settle(20s);
  EXPECT_THAT(kit.handled(), IsEmpty());
  EXPECT_EQ(std::ranges::count_if(kit.logs, [](const std::string& line) { return line.find("node b") != line.npos; }),
            1);
  kit.spool().holder.clear();
  kit.settle(10s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2));
}

TEST_F(DurableStarting, OneThatWasRefusedAndNowWaitsForASpoolIsNotCalledRefused) {
  kit.subscribe({.start = StartNow{}});
  kit.spool("s1").holder = "node b";
  kit.spool("s2").reachable = false;
  kit.start();
  ASSERT_EQ(kit.figures().phase, DurablePhase::Refused);
  kit.spool("s1").holder.clear();
  kit.settle(20s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Loading);
  EXPECT_THAT(kit.figures().trouble, HasSubstr("waits for every spool to say where it was: s2"));
}

/// Else two nodes that each hold the name at one of two spools would refuse each other for ever.
TEST_F(DurableStarting, OneThatIsRefusedGivesUpWhatItHolds) {
  kit.subscribe({});
  kit.spool("s1");
  kit.spool("s2").holder = "node b";
  kit.meet_spools();
  while (kit.answer_queries()) {
  }
  EXPECT_EQ(kit.figures().phase, DurablePhase::Refused);
  EXPECT_EQ(kit.unclaimed, (std::vector<std::string>{"s1"}));
}

TEST_F(DurableStarting, AClaimThatIsGrantedAfterARefusalIsGivenUpToo) {
  kit.subscribe({});
  kit.spool("s1").holder = "node b";
  kit.spool("s2").reachable = true;
  kit.meet_spools();
  auto claims = std::exchange(kit.queries, {});
  std::erase_if(claims, [](const SpoolQuery& query) { return !std::holds_alternative<AskClaim>(query.what); });
  ASSERT_THAT(claims, testing::SizeIs(2));
  kit.durable.on_claim_refused(kit.now, claims[0].id, "node b");
  kit.durable.on_claimed(kit.now, claims[1].id);
  kit.drain();
  kit.answer_queries();
  EXPECT_EQ(kit.unclaimed, (std::vector<std::string>{"s2"}));
}

TEST_F(DurableStarting, ALaterGenerationThatShowsUpWhileItBeginsIsReplaced) {
  kit.subscribe({});
  kit.spool("s1");
  kit.spool("s2").reachable = false;
  kit.meet_spools();
  for (int n = 0; n < 300; ++n) {  // until it has waited long enough for the other
    kit.answer_queries();
    kit.pass(50ms);
  }
  ASSERT_EQ(kit.figures().phase, DurablePhase::Creating);
  kit.spool("s2").record(CursorRecord{"orders", {7, "x"}, "trade.", CursorRecord::Form::Whole, {}});
  kit.spool("s2").reachable = true;
  kit.meet_spools();
  while (kit.answer_queries()) {
  }
  kit.settle(1s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active);
  EXPECT_EQ(kit.figures().generation, (CursorGeneration{8, "c"}));
  EXPECT_EQ(kit.cursor("orders", "s2").generation, (CursorGeneration{8, "c"}));
}

TEST_F(DurableStarting, LosesItsNameToAnotherNodeWhileItRuns) {
  kit.subscribe({});
  kit.spool();
  kit.start();
  kit.publish(frame_in(trades, 1, 2));
  kit.spool().reachable = false;
  kit.start();
  kit.spool().reachable = true;
  kit.spool().holder = "node b";
  kit.start();
  EXPECT_EQ(kit.figures().phase, DurablePhase::Refused);
  kit.publish(frame_in(trades, 3, 2));
  kit.settle(1s);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2));
}

/// It was stopped for longer than others held it for alive, and its connection outlived that.
TEST_F(DurableStarting, NoticesWithoutALostConnectionThatAnotherNodeHasItsName) {
  kit.subscribe({});
  kit.spool();
  kit.start();
  kit.publish(frame_in(trades, 1, 2));
  kit.settle(20s);
  ASSERT_EQ(kit.figures().phase, DurablePhase::Active);
  kit.spool().holder = "node b";
  kit.settle(20s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Refused);
  kit.publish(frame_in(trades, 3, 2));
  kit.settle(1s);
  EXPECT_THAT(kit.handled(), ElementsAre(1, 2));
}

TEST_F(DurableStarting, QueriesThatFailAreAskedAgain) {
  kit.subscribe({.start = StartNow{}});
  kit.spool().store(frame_in(trades, 1, 5));
  kit.meet_spools();
  for (int n = 0; n < 6; ++n) {
    kit.fail_queries();
    kit.pass(3s);
    kit.answer_queries();
  }
  kit.settle(10s);
  EXPECT_EQ(kit.figures().phase, DurablePhase::Active);
}

}  // namespace
}  // namespace legion::test
