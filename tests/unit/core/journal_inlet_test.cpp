#include <legion/core/journal_inlet.hpp>

#include "journal_kit.hpp"

namespace legion {
namespace {

using namespace journal_kit;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class InletTest : public ::testing::Test {
 protected:
  void turn() {
    for (JournalInlet::Effect& effect : inlet().take_effects()) {
      if (auto* given = std::get_if<JournalInlet::Store>(&effect)) {
        stored.push_back(std::move(given->record));
      } else if (auto* answer = std::get_if<JournalInlet::Answer>(&effect)) {
        answers[answer->peer].push_back(std::move(answer->message));
      } else if (auto* set = std::get_if<JournalInlet::SetReleased>(&effect)) {
        released.push_back(*set);
      } else {
        finals.push_back(std::get<JournalInlet::SetFinal>(effect));
      }
    }
  }
  template <class Message>
  std::vector<Message> take_all(const std::string& peer) {
    turn();
    std::vector<Message> found;
    for (const FromSpool& message : std::exchange(answers[peer], {})) {
      if (const auto* wanted = std::get_if<Message>(&message)) found.push_back(*wanted);
    }
    return found;
  }
  /// (first, last) of what was given to the store since.
  std::vector<std::pair<Position, Position>> take_stored() {
    turn();
    std::vector<std::pair<Position, Position>> found;
    for (const JournalRecord& record : std::exchange(stored, {})) found.emplace_back(record.first, record.last);
    return found;
  }
  LinkOpened open(const std::string& peer, LinkSession session, const Origin& origin = own()) {
    inlet().on_open(now, peer, OpenLink{1, 1, session, origin, BootId{}}, "");
    const auto opened = take_all<LinkOpened>(peer);
    return opened.size() == 1 ? opened[0] : LinkOpened{};
  }
  void frame(const std::string& peer, LinkSession session, Position position, std::size_t bytes = 100,
             JournalKind journal = confirmed, const Origin& origin = own()) {
    inlet().on_message(now, peer,
                       AppendFrame{session, journal, position, 0, frame_bytes(origin, "a.b", position, 1, bytes)});
  }
  void frames(const std::string& peer, LinkSession session, Position first, Position last, std::size_t bytes = 100) {
    for (Position position = first; position <= last; ++position) frame(peer, session, position, bytes);
  }
  void commit(Position through, JournalKind journal = confirmed) { inlet().on_committed(now, own(), journal, through); }
  std::vector<Position> take_acknowledged(const std::string& peer) {
    std::vector<Position> found;
    for (const Acknowledged& acknowledged : take_all<Acknowledged>(peer)) found.push_back(acknowledged.through);
    return found;
  }
  std::vector<Position> take_rewinds(const std::string& peer) {
    std::vector<Position> found;
    for (const Rewind& rewind : take_all<Rewind>(peer)) found.push_back(rewind.through);
    return found;
  }
  std::string refusal(const std::string& peer) {
    const auto refused = take_all<LinkRefused>(peer);
    return refused.size() == 1 ? refused[0].code : "";
  }
  JournalInlet& inlet() {
    if (!inlet_) inlet_ = std::make_unique<JournalInlet>(store(1), config);
    return *inlet_;
  }

  Now now = at(0s);
  JournalInlet::Config config;
  std::vector<JournalRecord> stored;
  std::map<std::string, std::vector<FromSpool>> answers;
  std::vector<JournalInlet::SetReleased> released;
  std::vector<JournalInlet::SetFinal> finals;

 private:
  std::unique_ptr<JournalInlet> inlet_;
};

TEST_F(InletTest, SaysWhatTheStoreHas) {
  const std::vector<PositionRange> ranges{{3, 10}, {15, 20}};
  inlet().on_stored(own(), confirmed, 4, ranges);
  const LinkOpened opened = open("p", 5);
  EXPECT_EQ(opened.session, 5u);
  EXPECT_EQ(opened.store, store(1));
  EXPECT_EQ(opened.journals[0].through, 10u);
  EXPECT_THAT(opened.journals[0].beyond, ElementsAre(PositionRange{15, 20}));
  EXPECT_EQ(opened.journals[1].through, 0u);
}

TEST_F(InletTest, StoresInOrderAndAcknowledgesAfterTheCommitOnly) {
  open("p", 5);
  frames("p", 5, 1, 3);
  EXPECT_THAT(take_stored(), ElementsAre(Pair(1, 1), Pair(2, 2), Pair(3, 3)));
  EXPECT_THAT(answers["p"], IsEmpty());
  commit(2);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(2));
  commit(3);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(3));
  EXPECT_EQ(inlet().figures().bytes_waiting, 0u);
}

TEST_F(InletTest, LinksBeyondTheBoundAreRefusedUntilOneIsGone) {
  const auto origin = [](std::size_t n) {
    return Origin{"n" + std::to_string(n / JournalInlet::links_per_origin_max), 7};
  };
  for (std::size_t n = 0; n < JournalInlet::links_max; ++n) {
    open("p" + std::to_string(n), 1, origin(n));
    EXPECT_TRUE(inlet().is_linked(origin(n)));
  }
  EXPECT_EQ(inlet().figures().links, JournalInlet::links_max);
  inlet().on_open(now, "late", OpenLink{1, 1, 5, {"late", 7}, BootId{}}, "");
  EXPECT_EQ(refusal("late"), "would_block");
  EXPECT_FALSE(inlet().is_linked({"late", 7}));
  inlet().on_peer_gone("p0");
  EXPECT_EQ(open("late", 6, {"late", 7}).session, 6u);
  EXPECT_TRUE(inlet().is_linked({"late", 7}));
}

/// Readers were told where the earlier life ends: nothing may come behind that.
TEST_F(InletTest, ALaterLifeEndsTheLinksOfEarlierOnesForGood) {
  const Origin later{own().node, own().incarnation + 1};
  open("old", 5);
  frame("old", 5, 1);
  inlet().on_life(later);
  EXPECT_THAT(take_stored(), ElementsAre(Pair(1, 1)));  // it was taken before
  EXPECT_EQ(refusal("old"), "refused");
  frame("old", 5, 2);
  EXPECT_THAT(take_stored(), IsEmpty());

  inlet().on_open(now, "again", OpenLink{1, 1, 6, own(), BootId{}}, "");
  EXPECT_EQ(refusal("again"), "refused");
  EXPECT_FALSE(inlet().is_linked(own()));
  inlet().on_life(own());  // from another spool, to be completed
  EXPECT_EQ(open("new", 7, later).session, 7u);
  frame("new", 7, 1, 100, confirmed, later);
  EXPECT_EQ(take_stored().size(), 1u);
}

/// What it knows of nodes that are gone is not kept for ever; what it still owes the store is.
TEST_F(InletTest, ForgetsOriginsWithoutALinkButNotWhatWaitsForItsCommit) {
  open("busy", 1);
  frame("busy", 1, 1);
  EXPECT_EQ(take_stored().size(), 1u);
  inlet().on_peer_gone("busy");
  const Origin quiet{"quiet", 7};
  inlet().on_stored(quiet, confirmed, 9, {});
  for (std::size_t n = 0; n < limits::roster_entries_max; ++n) {
    inlet().on_stored({"gone" + std::to_string(n), 7}, confirmed, 5, {});
  }
  EXPECT_EQ(open("q", 2, quiet).journals[0].through, 0u);  // the store tells it again before each link
  EXPECT_EQ(open("busy", 3).journals[0].through, 0u);
  frame("busy", 3, 1);
  EXPECT_THAT(take_stored(), IsEmpty());  // it was given already
  commit(1);
  EXPECT_THAT(take_acknowledged("busy"), ElementsAre(1));
}

TEST_F(InletTest, DuplicatesAreAcknowledgedAgainAndStoredOnce) {
  open("p", 5);
  frames("p", 5, 1, 3);
  frames("p", 5, 1, 3);
  EXPECT_EQ(take_stored().size(), 3u);
  EXPECT_THAT(take_acknowledged("p"), IsEmpty());  // not durable yet
  commit(3);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(3));
  frames("p", 5, 1, 3);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(3));  // one answer for all of them
  EXPECT_THAT(take_stored(), IsEmpty());
  EXPECT_EQ(inlet().figures().duplicates, 6u);
}

TEST_F(InletTest, AGapIsAnsweredWithOneRewind) {
  open("p", 5);
  frames("p", 5, 1, 2);
  frames("p", 5, 4, 8);
  EXPECT_THAT(take_rewinds("p"), ElementsAre(2));
  EXPECT_EQ(take_stored().size(), 2u);
  frames("p", 5, 3, 5);
  frames("p", 5, 7, 8);
  EXPECT_THAT(take_rewinds("p"), ElementsAre(5));  // another place
  frames("p", 5, 8, 9);
  EXPECT_THAT(take_rewinds("p"), IsEmpty());
  open("p", 6);
  frames("p", 6, 8, 8);
  EXPECT_THAT(take_rewinds("p"), ElementsAre(5));  // another session
}

TEST_F(InletTest, OtherSessionsAndStrangersAreIgnored) {
  open("p", 5);
  frame("p", 4, 1);
  frame("q", 5, 1);
  frame("q", 5, 2);
  EXPECT_THAT(take_stored(), IsEmpty());
  EXPECT_EQ(refusal("q"), "closed");  // told once
  EXPECT_THAT(answers["p"], IsEmpty());
  EXPECT_EQ(inlet().figures().ignored, 3u);
  inlet().on_peer_gone("p");
  frame("p", 5, 1);
  EXPECT_EQ(refusal("p"), "closed");
}

TEST_F(InletTest, ANewSessionGoesOnFromWhatIsDurable) {
  open("p", 5);
  frames("p", 5, 1, 4);
  commit(2);
  const LinkOpened opened = open("p", 6);
  EXPECT_EQ(opened.journals[0].through, 2u);
  take_stored();
  frames("p", 6, 3, 6);
  EXPECT_THAT(take_stored(), ElementsAre(Pair(5, 5), Pair(6, 6)));
  commit(6);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(6));
}

TEST_F(InletTest, AVoidIsOneRecordAndWhatIsThereOfItIsPassedOver) {
  open("p", 5);
  const std::vector<StreamSpan> spans{{Priority::Low, "a.b", 0, 1, 9}};
  inlet().on_message(now, "p", AppendVoid{5, captured, {1, 4}, spans});
  inlet().on_message(now, "p", AppendVoid{5, captured, {1, 4}, spans});
  inlet().on_message(now, "p", AppendVoid{5, captured, {3, 9}, spans});
  turn();
  ASSERT_EQ(stored.size(), 2u);
  EXPECT_TRUE(stored[0].is_void());
  EXPECT_EQ(stored[0].spans, spans);
  EXPECT_THAT(take_stored(), ElementsAre(Pair(1, 4), Pair(5, 9)));
  frame("p", 5, 10, 100, captured);
  commit(10, captured);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(10));
}

TEST_F(InletTest, ASkipIsAHoleAndTheLinkGoesOnBehindIt) {
  open("p", 5);
  frames("p", 5, 1, 2);
  inlet().on_message(now, "p", SkipRange{5, confirmed, {3, 7}});
  frame("p", 5, 8);
  EXPECT_THAT(take_stored(), ElementsAre(Pair(1, 1), Pair(2, 2), Pair(8, 8)));
  commit(2);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(2));
  commit(8);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(8));
  EXPECT_EQ(inlet().figures().skipped, 5u);
}

TEST_F(InletTest, ASkipWithNothingWaitingIsAcknowledgedAtOnce) {
  open("p", 5);
  inlet().on_message(now, "p", SkipRange{5, confirmed, {1, 7}});
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(7));
  frame("p", 5, 8);
  inlet().on_message(now, "p", SkipRange{5, confirmed, {9, 9}});
  EXPECT_THAT(take_acknowledged("p"), IsEmpty());
  commit(8);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(9));
  inlet().on_message(now, "p", SkipRange{5, confirmed, {12, 14}});
  EXPECT_THAT(take_rewinds("p"), ElementsAre(9));
}

TEST_F(InletTest, GoesOnBehindWhatItHasFromElsewhere) {
  const std::vector<PositionRange> ranges{{5, 9}};
  inlet().on_stored(own(), confirmed, 0, ranges);
  open("p", 5);
  frames("p", 5, 1, 4);
  frames("p", 5, 10, 10);
  EXPECT_THAT(take_stored(), ElementsAre(Pair(1, 1), Pair(2, 2), Pair(3, 3), Pair(4, 4), Pair(10, 10)));
  commit(4);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(4));
  commit(10);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(10));
}

TEST_F(InletTest, WhatAnotherSpoolBroughtIsAcknowledged) {
  open("p", 5);
  frames("p", 5, 1, 2);
  commit(2);
  take_acknowledged("p");
  const std::vector<PositionRange> ranges{{1, 6}};
  inlet().on_stored(own(), confirmed, 0, ranges);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(6));
  frames("p", 5, 3, 7);
  EXPECT_THAT(take_stored().back(), Pair(7, 7));
}

TEST_F(InletTest, WhatItIsToldAgainTakesNothingBackAndConfirmsNothing) {
  open("p", 5);
  frames("p", 5, 1, 6);
  commit(3);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(3));
  const std::vector<PositionRange> ranges{{1, 3}};
  inlet().on_stored(own(), confirmed, 0, ranges);
  EXPECT_THAT(take_acknowledged("p"), IsEmpty());
  take_stored();
  frames("p", 5, 4, 7);
  EXPECT_THAT(take_stored(), ElementsAre(Pair(7, 7)));
}

TEST_F(InletTest, SeveralLinksOfOneOriginStoreOnce) {
  open("p", 5);
  open("q", 6);
  frames("p", 5, 1, 3);
  frames("q", 6, 1, 4);
  EXPECT_EQ(take_stored().size(), 4u);
  commit(4);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(4));
  EXPECT_THAT(take_acknowledged("q"), ElementsAre(4));
}

TEST_F(InletTest, TheOldestOfTooManyLinksOfOneOriginGoes) {
  for (LinkSession i = 1; i <= JournalInlet::links_per_origin_max + 1; ++i) open("p" + std::to_string(i), i);
  EXPECT_EQ(inlet().figures().links, JournalInlet::links_per_origin_max);
  frame("p1", 1, 1);
  EXPECT_THAT(take_stored(), IsEmpty());
  frame("p2", 2, 1);
  EXPECT_EQ(take_stored().size(), 1u);
}

TEST_F(InletTest, TheWindowIsDividedAmongTheOrigins) {
  config.window_bytes_total = 8 << 20;
  config.window_bytes_link = 3 << 20;
  EXPECT_EQ(open("p", 5).journals[0].window, 3u << 20);
  EXPECT_EQ(open("q", 5, {"node-2", 1}).journals[1].window, 2u << 20);
  EXPECT_EQ(open("p2", 5).journals[1].window, 2u << 20);  // the same origin again
  frame("p", 5, 1);
  commit(1);
  EXPECT_EQ(take_all<Acknowledged>("p").at(0).window, 2u << 20);
  inlet().on_peer_gone("q");
  frame("p", 5, 2);
  commit(2);
  EXPECT_EQ(take_all<Acknowledged>("p").at(0).window, 3u << 20);
  for (int i = 0; i < 100; ++i) open("r" + std::to_string(i), 1, {"r" + std::to_string(i), 1});
  EXPECT_EQ(open("s", 1, {"s", 1}).journals[0].window, JournalInlet::window_bytes_min);
}

TEST_F(InletTest, WhatExceedsItsMemoryIsNotTakenAndAskedForLater) {
  config.window_bytes_total = 200'000;
  open("p", 5);
  frames("p", 5, 1, 30, 10'000);  // a node that does not keep its window
  const std::size_t taken = take_stored().size();
  EXPECT_LT(taken, 20u);
  EXPECT_GT(taken, 10u);
  EXPECT_LE(inlet().figures().bytes_waiting, config.window_bytes_total);
  EXPECT_THAT(take_rewinds("p"), IsEmpty());
  commit(1);
  EXPECT_THAT(take_rewinds("p"), ElementsAre(taken));
  frame("p", 5, taken + 1, 10'000);
  EXPECT_EQ(take_stored().size(), 1u);
}

TEST_F(InletTest, NobodyStarvesWhenOneTakesEverything) {
  config.window_bytes_total = 200'000;
  open("p", 5);
  frames("p", 5, 1, 30, 10'000);
  open("q", 6, {"node-2", 1});
  take_stored();
  for (Position i = 1; i <= 20; ++i) frame("q", 6, i, 10'000, confirmed, {"node-2", 1});
  EXPECT_EQ(take_stored().size(), 6u);  // 64 KiB
}

TEST_F(InletTest, RefusesWithTheReason) {
  inlet().on_open(now, "p", OpenLink{1, 1, 5, own(), BootId{}}, "bound to another boot");
  EXPECT_EQ(refusal("p"), "refused");
  inlet().on_open(now, "p", OpenLink{2, 3, 5, {}, BootId{}}, "");
  EXPECT_EQ(refusal("p"), "wrong_version");
  EXPECT_EQ(inlet().figures().links, 0u);
}

TEST_F(InletTest, AFrameOfSomebodyElseCostsTheLink) {
  open("p", 5);
  frame("p", 5, 1, 100, confirmed, {"node-2", 7});
  EXPECT_EQ(refusal("p"), "bad_data");
  open("p", 6);
  inlet().on_message(now, "p", AppendFrame{6, confirmed, 1, 0, std::make_shared<const Bytes>(Bytes{1, 2, 3})});
  EXPECT_EQ(refusal("p"), "bad_data");
  open("p", 7);
  const Bytes marker = make_tail_marker(own(), Priority::Low, "a.b", 0, 4);
  inlet().on_message(now, "p", AppendFrame{7, confirmed, 1, 0, std::make_shared<const Bytes>(marker)});
  EXPECT_EQ(refusal("p"), "bad_data");
  EXPECT_THAT(take_stored(), IsEmpty());
}

TEST_F(InletTest, AFrameThatNoStoreTakesCostsTheLinkAndNotTheStore) {
  open("p", 5);
  const auto beyond = frame_bytes(own(), "a.b", (std::uint64_t{1} << 63) + 5, 1, 100);
  inlet().on_message(now, "p", AppendFrame{5, confirmed, 1, 0, beyond});
  EXPECT_EQ(refusal("p"), "bad_data");
  EXPECT_THAT(take_stored(), IsEmpty());
}

TEST_F(InletTest, FrozenConfirmsNothingMore) {
  open("p", 5);
  frames("p", 5, 1, 3);
  turn();
  inlet().on_frozen(now, "disk full");
  const auto refused = take_all<LinkRefused>("p");
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].code, "io");
  EXPECT_EQ(refused[0].message, "disk full");
  commit(3);
  frame("p", 5, 4);
  EXPECT_THAT(answers["p"], IsEmpty());
  inlet().on_open(now, "p", OpenLink{1, 1, 6, own(), BootId{}}, "");
  EXPECT_EQ(refusal("p"), "io");
}

TEST_F(InletTest, WhatTheStoreLostIsAskedForAgain) {
  open("p", 5);
  open("q", 9, Origin{"other", 3});
  frames("p", 5, 1, 6);
  commit(4);
  turn();
  inlet().on_store_lost(now);
  EXPECT_EQ(refusal("p"), "closed");  // its node opens again
  EXPECT_EQ(refusal("q"), "closed");
  EXPECT_EQ(inlet().figures().links, 0u);
  EXPECT_EQ(inlet().figures().bytes_waiting, 0u);
  commit(6);  // was under way
  take_stored();

  inlet().on_stored(own(), confirmed, 0, std::vector<PositionRange>{{1, 1}, {3, 6}});
  EXPECT_EQ(open("p", 6).journals[0].through, 1u);
  frame("p", 6, 2);
  EXPECT_THAT(take_stored(), ElementsAre(Pair(2, 2)));
  commit(2);
  EXPECT_THAT(take_acknowledged("p"), ElementsAre(6));
  frame("p", 6, 7);
  EXPECT_THAT(take_stored(), ElementsAre(Pair(7, 7)));
}

TEST_F(InletTest, ReleasedAndFinalGoToTheStoreBehindTheRecords) {
  open("p", 5);
  frame("p", 5, 1);
  inlet().on_message(now, "p", Released{5, confirmed, 2, 1});
  inlet().on_message(now, "p", Released{5, confirmed, 2, 1});
  inlet().on_message(now, "p", CloseLink{5, 0, 0});  // ends before what was taken
  inlet().on_message(now, "p", CloseLink{5, 1, 0});
  const auto effects = inlet().take_effects();
  ASSERT_EQ(effects.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<JournalInlet::Store>(effects[0]));
  EXPECT_EQ(std::get<JournalInlet::SetReleased>(effects[1]).spools, 2);
  EXPECT_EQ(std::get<JournalInlet::SetFinal>(effects[2]).confirmed, 1u);
  EXPECT_EQ(inlet().figures().ignored, 1u);
}

}  // namespace
}  // namespace legion
