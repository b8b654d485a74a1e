// Sessions, order and windows of the links.
#include "journal_kit.hpp"

namespace legion {
namespace {

using namespace journal_kit;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using LinkState = Journal::LinkFigures::State;

TEST_F(JournalTest, SaysNothingBeforeTheSpoolSaidWhatItHas) {
  append(confirmed);
  the_journal().on_link_up(now, "s1");
  const auto messages = take("s1");
  ASSERT_EQ(messages.size(), 1u);
  const auto& open = std::get<OpenLink>(messages[0]);
  EXPECT_EQ(open.origin, own());
  EXPECT_NE(open.session, 0u);
  append(confirmed);
  EXPECT_THAT(take("s1"), IsEmpty());
  EXPECT_EQ(link("s1").state, LinkState::Opening);
}

TEST_F(JournalTest, SendsEveryRecordInOrderBehindWhatTheSpoolHas) {
  append_many(confirmed, 5);
  append_many(captured, 3);
  open("s1", 1, {2, 1 << 20, {}});
  const auto messages = take_all<AppendFrame>("s1");
  ASSERT_EQ(messages.size(), 6u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(messages[i].journal, confirmed);
    EXPECT_EQ(messages[i].position, i + 3);
    EXPECT_EQ(messages[i + 3].journal, captured);
    EXPECT_EQ(messages[i + 3].position, i + 1);
  }
  const FrameHeader header = decode_frame_header(*messages[0].frame).value();
  EXPECT_EQ(header.first_sequence, 3u);
  EXPECT_THAT(take("s1"), IsEmpty());  // once a session
}

TEST_F(JournalTest, PassesOverRangesTheSpoolHasBeyond) {
  append_many(confirmed, 10);
  open("s1", 1, {2, 1 << 20, {{4, 5}, {8, 10}}});
  EXPECT_THAT(take_positions("s1"), ElementsAre(3, 6, 7));
  append(confirmed);
  EXPECT_THAT(take_positions("s1"), ElementsAre(11));
}

TEST_F(JournalTest, HeldForGoesWithTheFrame) {
  append(confirmed, {.spools = 2, .after_confirm = true});
  append(confirmed, {.spools = 2});
  open("s1", 1);
  const auto messages = take_all<AppendFrame>("s1");
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].held_for, 2);
  EXPECT_EQ(messages[1].held_for, 0);
}

TEST_F(JournalTest, KeepsTheWindow) {
  const Published published{.bytes = 10000};
  const std::uint64_t each = numbering.next(published).bytes->size() + record_window_bytes;
  append_many(confirmed, 10, published);
  open("s1", 1, {0, 3 * each, {}});
  EXPECT_THAT(take_positions("s1"), ElementsAre(1, 2, 3));
  acknowledge("s1", confirmed, 1, 3 * each);
  EXPECT_THAT(take_positions("s1"), ElementsAre(4));
  acknowledge("s1", confirmed, 4, each * 2);
  EXPECT_THAT(take_positions("s1"), ElementsAre(5, 6));
}

TEST_F(JournalTest, WindowsOfTheTwoJournalsAreIndependent) {
  append_many(captured, 3, {.bytes = 10000});
  append_many(confirmed, 3, {.bytes = 10000});
  open("s1", 1, {0, 1 << 20, {}}, {0, 1, {}});
  std::map<JournalKind, int> count;
  for (const AppendFrame& append : take_all<AppendFrame>("s1")) ++count[append.journal];
  EXPECT_EQ(count[confirmed], 3);
  EXPECT_EQ(count[captured], 1);  // a single record may always be out
}

TEST_F(JournalTest, ARecordLargerThanTheWindowGoesAlone) {
  append_many(confirmed, 2, {.bytes = 200000});
  open("s1", 1, {0, 1000, {}});
  EXPECT_THAT(take_positions("s1"), ElementsAre(1));
  acknowledge("s1", confirmed, 1, 1000);
  EXPECT_THAT(take_positions("s1"), ElementsAre(2));
}

TEST_F(JournalTest, WhatWasNotAcknowledgedIsSentAgainAfterADisconnect) {
  append_many(confirmed, 4);
  open("s1", 1);
  EXPECT_THAT(take_positions("s1"), ElementsAre(1, 2, 3, 4));
  acknowledge("s1", confirmed, 2);
  the_journal().on_link_down(now, "s1");
  append(confirmed);
  EXPECT_THAT(take("s1"), IsEmpty());
  open("s1", 1, {3, 1 << 20, {}});
  EXPECT_THAT(take_positions("s1"), ElementsAre(4, 5));
}

TEST_F(JournalTest, AnswersOfAnEarlierSessionAreIgnored) {
  append_many(confirmed, 4);
  open("s1", 1);
  const LinkSession before = sessions["s1"];
  connect("s1");
  EXPECT_NE(sessions["s1"], before);
  the_journal().on_message(now, "s1", Acknowledged{before, confirmed, 4, 1 << 20});
  the_journal().on_message(now, "s1", LinkOpened{.session = before, .store = store(1)});
  turn();
  EXPECT_THAT(take_durable(confirmed), IsEmpty());
  EXPECT_EQ(link("s1").state, LinkState::Opening);
  EXPECT_EQ(link("s1").ignored, 2u);
}

TEST_F(JournalTest, NonsenseIsIgnoredAndCounted) {
  append_many(confirmed, 4);
  open("s1", 1);
  acknowledge("s1", confirmed, 3);
  acknowledge("s1", confirmed, 2);                   // goes back
  acknowledge("s1", confirmed, 5);                   // was never given
  say("s1", Rewind{0, confirmed, 1});                // before what it acknowledged
  say("s1", Rewind{0, confirmed, 5});                // beyond what it was sent
  say("s1", opened(1, {4, 1 << 20, {}}, {}));        // is open
  EXPECT_EQ(link("s1").ignored, 5u);
  EXPECT_EQ(link("s1").acknowledged[0], 3u);
  EXPECT_THAT(take_durable(confirmed), ElementsAre(std::pair(1, 3)));
}

TEST_F(JournalTest, RewindGoesOnBehindThePlace) {
  append_many(confirmed, 5);
  open("s1", 1);
  take("s1");
  acknowledge("s1", confirmed, 1);
  say("s1", Rewind{0, confirmed, 2});
  EXPECT_THAT(take_positions("s1"), ElementsAre(3, 4, 5));
}

TEST_F(JournalTest, OpensAgainWhenNothingIsAcknowledgedForLong) {
  append(confirmed);
  open("s1", 1);
  take("s1");
  now = at(1900ms);
  the_journal().on_tick(now);
  EXPECT_THAT(take("s1"), IsEmpty());
  now = at(2s);
  the_journal().on_tick(now);
  EXPECT_EQ(take_all<OpenLink>("s1").size(), 1u);
  now = at(5s);
  the_journal().on_tick(now);  // no answer yet, and it waits longer each time
  EXPECT_THAT(take("s1"), IsEmpty());
  now = at(6s);
  the_journal().on_tick(now);
  EXPECT_EQ(take_all<OpenLink>("s1").size(), 1u);
}

TEST_F(JournalTest, ALinkWithNothingOutIsLeftAlone) {
  append(confirmed);
  open("s1", 1);
  take("s1");
  acknowledge("s1", confirmed, 1);
  now = at(1h);
  the_journal().on_tick(now);
  EXPECT_THAT(take("s1"), IsEmpty());
  append(confirmed);  // waiting begins with the sending
  turn();
  the_journal().on_tick(now);
  EXPECT_THAT(take_all<OpenLink>("s1"), IsEmpty());
}

TEST_F(JournalTest, AsksAgainAfterARefusal) {
  append(confirmed);
  connect("s1");
  say("s1", LinkRefused{0, "refused", "another boot"});
  EXPECT_EQ(link("s1").state, LinkState::Refused);
  EXPECT_EQ(link("s1").trouble, "refused: another boot");
  the_journal().on_tick(at(900ms));
  EXPECT_THAT(take("s1"), IsEmpty());
  the_journal().on_tick(at(1s));
  EXPECT_EQ(take_all<OpenLink>("s1").size(), 1u);
}

TEST_F(JournalTest, ARefusalThatIsRepeatedIsSaidOnceAndPutsNothingOff) {
  connect("s1");
  say("s1", LinkRefused{0, "refused", "another boot"});
  const std::size_t said = lines.size();
  now = at(900ms);
  say("s1", LinkRefused{0, "refused", "another boot still"});
  EXPECT_EQ(link("s1").trouble, "refused: another boot");
  EXPECT_EQ(lines.size(), said);
  the_journal().on_tick(at(1s));
  EXPECT_EQ(take_all<OpenLink>("s1").size(), 1u);
}

TEST_F(JournalTest, ASpoolThatKnowsOfNoLinkIsAskedAtOnce) {
  open("s1", 1);
  take("s1");
  say("s1", LinkRefused{0, "closed", "no such link"});
  EXPECT_EQ(take_all<OpenLink>("s1").size(), 1u);
  EXPECT_EQ(link("s1").state, LinkState::Opening);
}

TEST_F(JournalTest, AStoreWithPositionsNeverGivenIsRefused) {
  append(confirmed);
  open("s1", 1, {2, 1 << 20, {}});
  EXPECT_EQ(link("s1").state, LinkState::Refused);
  EXPECT_THAT(take_durable(confirmed), IsEmpty());
  EXPECT_THAT(lines.back(), HasSubstr("never given"));
}

TEST_F(JournalTest, AnOlderCopyIsSentWhatIsStillHere) {
  open("s2", 2);  // a laggard, for which everything is kept
  the_journal().on_link_down(now, "s2");
  append_many(confirmed, 6);
  open("s1", 1);
  take("s1");
  acknowledge("s1", confirmed, 6);
  the_journal().on_link_down(now, "s1");
  lines.clear();
  open("s1", 1, {3, 1 << 20, {}});
  EXPECT_THAT(lines.front(), HasSubstr("older copy"));
  EXPECT_THAT(take_positions("s1"), ElementsAre(4, 5, 6));
  // What was confirmed stays so, and what it has now counts for others.
  EXPECT_THAT(take_durable(confirmed), ElementsAre(std::pair(1, 6)));
}

// With no laggard: the only spool there is lost the end of its file.
TEST_F(JournalTest, KeepsTheNewestForAStoreThatLosesThem) {
  const Published one;
  config.spare_bytes = 3 * Journal::cost(frame_bytes(own(), one.type, 1, one.count, one.bytes)->size());
  append_many(confirmed, 6);
  open("s1", 1);
  take("s1");
  acknowledge("s1", confirmed, 6);
  the_journal().on_link_down(now, "s1");
  open("s1", 1, {2, 1 << 20, {}});
  const auto messages = take("s1");
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_EQ(std::get<SkipRange>(messages[0]).range, (PositionRange{3, 3}));
  EXPECT_EQ(std::get<AppendFrame>(messages[1]).position, 4u);
  EXPECT_EQ(std::get<AppendFrame>(messages[3]).position, 6u);
  EXPECT_FALSE(the_journal().degraded());
}

TEST_F(JournalTest, SkipsWhatIsNotHereAnyMore) {
  open("s1", 1);
  append_many(confirmed, 4);
  acknowledge("s1", confirmed, 4);  // the only spool has it
  append_many(confirmed, 2);
  open("s2", 2);
  const auto messages = take("s2");
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(std::get<SkipRange>(messages[0]).range, (PositionRange{1, 4}));
  EXPECT_EQ(std::get<AppendFrame>(messages[1]).position, 5u);
}

TEST_F(JournalTest, HolesThatCannotBeFilledDoNotMakeAStoreAnOlderCopy) {
  open("s1", 1);
  append_many(confirmed, 4);
  acknowledge("s1", confirmed, 4);
  open("s2", 2);
  append_many(confirmed, 2);
  turn();
  acknowledge("s2", confirmed, 6);
  the_journal().on_link_down(now, "s2");
  lines.clear();
  open("s2", 2, {0, 1 << 20, {{5, 6}}});
  EXPECT_THAT(lines, ElementsAre(HasSubstr("link open")));
  const auto messages = take("s2");
  EXPECT_EQ(std::get<SkipRange>(messages.back()).range, (PositionRange{1, 4}));
}

TEST_F(JournalTest, AHoleThatCanBeFilledEndsWhatAStoreCountsFor) {
  append_many(confirmed, 6, {.spools = 2});
  open("s1", 1);
  acknowledge("s1", confirmed, 6);
  open("s2", 2, {2, 1 << 20, {{5, 6}}});
  EXPECT_THAT(take_durable(confirmed), ElementsAre(std::pair(1, 6), std::pair(2, 2)));
  EXPECT_THAT(take_positions("s2"), ElementsAre(3, 4));
}

TEST_F(JournalTest, AnAcknowledgementMayGoBeyondWhatWasSent) {
  append_many(confirmed, 6, {.bytes = 1000});
  open("s1", 1, {0, 1, {}});
  EXPECT_THAT(take_positions("s1"), ElementsAre(1));
  acknowledge("s1", confirmed, 4, 1);  // it got them from another spool
  EXPECT_THAT(take_positions("s1"), ElementsAre(5));
}

TEST_F(JournalTest, SaysGoodbyeAfterTheLastRecord) {
  append_many(confirmed, 2, {.bytes = 1000});
  append(captured);
  open("s1", 1, {0, 1, {}});
  take("s1");
  the_journal().close(now);
  EXPECT_THAT(take("s1"), IsEmpty());
  acknowledge("s1", confirmed, 1, 1);
  const auto messages = take("s1");
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(std::get<AppendFrame>(messages[0]).position, 2u);
  const auto& close = std::get<CloseLink>(messages[1]);
  EXPECT_EQ(close.confirmed, 2u);
  EXPECT_EQ(close.captured, 1u);
  acknowledge("s1", confirmed, 2, 1);
  EXPECT_THAT(take("s1"), IsEmpty());
}

TEST_F(JournalTest, ALinkThatComesBackWhileClosingIsToldTheRestAndTheGoodbye) {
  append(confirmed);
  the_journal().close(now);
  open("s1", 1);
  const auto messages = take("s1");
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<CloseLink>(messages[1]));
}

TEST_F(JournalTest, NothingIsSentToASpoolThatLeft) {
  open("s1", 1);
  the_journal().on_spool_gone(now, "s1");
  append(confirmed);
  EXPECT_THAT(take("s1"), IsEmpty());
  EXPECT_THAT(the_journal().links(), IsEmpty());
}

}  // namespace
}  // namespace legion
