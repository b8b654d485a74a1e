// What every store has to do; each test runs on every kind of store.
#include "kit.hpp"

namespace legion {
namespace {

using namespace spool_test;
using testing::ElementsAre;
using testing::IsEmpty;

class Conformance : public testing::TestWithParam<StoreKind> {
 protected:
  StoreRig rig{GetParam()};
  Store& store() { return rig.store(); }
  StoreReader& reader() { return rig.reader(); }
};

INSTANTIATE_TEST_SUITE_P(Stores, Conformance, testing::Values(StoreKind::Memory, StoreKind::Sqlite),
                         [](const auto& kind) { return kind.param == StoreKind::Memory ? "Memory" : "Sqlite"; });

// --- journals ---

TEST_P(Conformance, AnEmptyStoreHasNothing) {
  EXPECT_THAT(store().journals(), IsEmpty());
  EXPECT_EQ(store().figures().frames, 0u);
  EXPECT_EQ(store().figures().next_commit, 1u);
  EXPECT_THAT(rig.scan(), IsEmpty());
  EXPECT_EQ(rig.read(stream(feed)), "missing 1-end");
}

TEST_P(Conformance, FramesComeBackByteForByte) {
  const JournalRecord first = captured(feed, 1), second = captured(feed, 2);
  rig.append({first, second});

  const auto page = reader().scan({});
  ASSERT_TRUE(page);
  ASSERT_EQ(page->frames.size(), 2u);
  EXPECT_EQ(Bytes(page->frames[0].frame.begin(), page->frames[0].frame.end()), *first.frame);
  EXPECT_EQ(Bytes(page->frames[1].frame.begin(), page->frames[1].frame.end()), *second.frame);
  EXPECT_EQ(page->frames[0].number, 1u);
  EXPECT_EQ(page->frames[1].position, 2u);
  EXPECT_EQ(page->frames[1].recorded, noon);
  EXPECT_TRUE(page->at_end);
}

TEST_P(Conformance, APositionIsStoredOnce) {
  rig.append({captured(feed, 1), captured(feed, 2)});
  rig.append({captured(feed, 1), captured(feed, 2), captured(feed, 3)});
  EXPECT_EQ(store().figures().frames, 3u);
  EXPECT_EQ(store().figures().next_commit, 4u);
  EXPECT_EQ(text_of(journal_of(store(), feed).ranges), "1-3");
}

TEST_P(Conformance, HolesAreKeptAndFilled) {
  rig.append({captured(feed, 1), captured(feed, 5)});
  rig.append({captured(feed, 7)});
  EXPECT_EQ(text_of(journal_of(store(), feed).ranges), "1-1 5-5 7-7");
  rig.append({captured(feed, 2), captured(feed, 3), captured(feed, 4), captured(feed, 6)});
  EXPECT_EQ(text_of(journal_of(store(), feed).ranges), "1-7");
}

TEST_P(Conformance, JournalsAndOriginsAreApart) {
  rig.append({captured(feed, 1), captured(desk, 4),
              record(feed, JournalKind::Confirmed, 9, plain_frame(feed, "trade.done", 1))});
  EXPECT_EQ(text_of(journal_of(store(), feed).ranges), "1-1");
  EXPECT_EQ(text_of(journal_of(store(), feed, JournalKind::Confirmed).ranges), "9-9");
  EXPECT_EQ(text_of(journal_of(store(), desk).ranges), "4-4");
}

TEST_P(Conformance, AVoidHoldsPositionsAndAFrameTakesItsPlace) {
  rig.append({captured(feed, 1), void_of(feed, {2, 5}, {span_of(2, 5)}), captured(feed, 6)});
  EXPECT_EQ(text_of(journal_of(store(), feed).ranges), "1-6");
  EXPECT_EQ(text_of(journal_of(store(), feed).voids), "2-5");
  rig.append({captured(feed, 3)});
  EXPECT_EQ(text_of(journal_of(store(), feed).ranges), "1-6");
  EXPECT_EQ(text_of(journal_of(store(), feed).voids), "2-2 4-5");
  EXPECT_EQ(rig.read(stream(feed), 1, 6),
            "frame 1-1, never 2-2 voided, frame 3-3, never 4-5 voided, frame 6-6");
}

TEST_P(Conformance, AVoidNeverReplacesAFrame) {
  rig.append({captured(feed, 2)});
  rig.append({void_of(feed, {1, 3}, {span_of(1, 3)})});
  EXPECT_EQ(text_of(journal_of(store(), feed).voids), "1-1 3-3");
  EXPECT_EQ(rig.read(stream(feed), 1, 3), "never 1-1 voided, frame 2-2, never 3-3 voided");
}

TEST_P(Conformance, RecordsOfAJournalComeBackInOrder) {
  rig.append({captured(feed, 4), captured(feed, 5)});
  rig.append({captured(feed, 1), void_of(feed, {2, 3}, {span_of(2, 3)})});
  const auto records = reader().read_journal(feed, JournalKind::Captured, {1, 100}, 1 << 20);
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 4u);
  EXPECT_EQ((*records)[0].first, 1u);
  EXPECT_TRUE((*records)[1].is_void());
  EXPECT_EQ((*records)[1].first, 2u);
  EXPECT_EQ((*records)[1].last, 3u);
  EXPECT_THAT((*records)[1].spans, ElementsAre(span_of(2, 3)));
  EXPECT_EQ((*records)[2].first, 4u);
  EXPECT_EQ(*(*records)[3].frame, *captured(feed, 5).frame);
  const auto part = reader().read_journal(feed, JournalKind::Captured, {3, 4}, 1 << 20);
  ASSERT_TRUE(part);
  ASSERT_EQ(part->size(), 2u);
  EXPECT_EQ((*part)[0].first, 3u);
  const auto one = reader().read_journal(feed, JournalKind::Captured, {4, 9}, 1);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->size(), 1u) << "one is always given";
}

TEST_P(Conformance, BindsAnIncarnationToItsFirstBoot) {
  BootId first, other;
  first.bytes[0] = 1;
  other.bytes[0] = 2;
  EXPECT_TRUE(store().bind(feed, first));
  EXPECT_TRUE(store().bind(feed, first));
  const auto refused = store().bind(feed, other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Refused);
  rig.reopen();
  EXPECT_FALSE(store().bind(feed, other));
  EXPECT_EQ(journal_of(store(), feed).boot, first);
}

TEST_P(Conformance, RefusesWhatIsNoRecordAndStoresNothingOfIt) {
  const auto expect_refused = [&](const JournalRecord& bad) {
    const auto appended = store().append(std::vector{captured(feed, 1), bad}, noon);
    ASSERT_FALSE(appended);
    EXPECT_EQ(appended.error().code, ErrorCode::BadData) << appended.error().message;
  };
  expect_refused(record(feed, JournalKind::Captured, 2, std::make_shared<const Bytes>(Bytes{1, 2, 3})));
  expect_refused(record(desk, JournalKind::Captured, 2, plain_frame(feed, "market.tick", 1)));
  expect_refused(record(feed, JournalKind::Captured, 2,
                        std::make_shared<const Bytes>(make_tail_marker(feed, Priority::Low, "market.tick", 0, 7))));
  expect_refused(captured(feed, UINT64_MAX));
  expect_refused(record(feed, JournalKind::Captured, 2, plain_frame(feed, "market.tick", UINT64_MAX - 3)));
  expect_refused(void_of(feed, {3, 2}, {}));
  expect_refused(void_of(feed, {2, 3}, {span_of(3, 2)}));
  EXPECT_EQ(store().figures().frames, 0u);
  EXPECT_FALSE(store().frozen());
  EXPECT_THAT(store().journals(), IsEmpty());
}

TEST_P(Conformance, KeepsWhatItWasTold) {
  rig.append({captured(feed, 1)});
  EXPECT_TRUE(store().set_released(feed, JournalKind::Captured, 2, 7));
  EXPECT_TRUE(store().set_released(feed, JournalKind::Captured, 1, 5));
  EXPECT_TRUE(store().set_released(feed, JournalKind::Captured, 1, 9));
  EXPECT_TRUE(store().set_final(feed, 0, 12));
  EXPECT_TRUE(store().mark("open", noon));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(journal_of(store(), feed).released, ElementsAre(9, 7, 0, 0)) << "two spools have it: one has";
    EXPECT_EQ(journal_of(store(), feed).final, 12u);
    EXPECT_EQ(journal_of(store(), feed, JournalKind::Confirmed).final, 0u);
    const auto marks = reader().marks();
    ASSERT_TRUE(marks);
    EXPECT_THAT(*marks, ElementsAre(std::pair<std::string, CommitNumber>("open", 2)));
    rig.reopen();
  }
}

// --- streams ---

TEST_P(Conformance, AGapBelowWhatIsCompleteWasNeverJournalled) {
  // Sequences 3 and 4 were of no journal: nothing is missing between the positions around them.
  rig.append({record(feed, JournalKind::Captured, 1, plain_frame(feed, "market.tick", 1, 2)),
              record(feed, JournalKind::Captured, 2, plain_frame(feed, "market.tick", 5, 2))});
  EXPECT_EQ(rig.read(stream(feed), 1, 6), "frame 1-2, never 3-4 not_journalled, frame 5-6");
  EXPECT_EQ(rig.read(stream(feed), 4, 5), "never 4-4 not_journalled, frame 5-6");
}

TEST_P(Conformance, AHoleIsMissingWhichIsNotNever) {
  rig.append({captured(feed, 1), captured(feed, 4)});
  EXPECT_EQ(rig.read(stream(feed), 1, 4), "frame 1-1, missing 2-3, frame 4-4");
  // Of another stream, too: what is missing may have been its.
  rig.append({record(feed, JournalKind::Captured, 5, plain_frame(feed, "market.book", 9))});
  EXPECT_EQ(rig.read(stream(feed, "market.book"), 8, 9), "missing 8-8, frame 9-9");
  rig.append({captured(feed, 2), captured(feed, 3)});
  EXPECT_EQ(rig.read(stream(feed, "market.book"), 8, 9), "never 8-8 not_journalled, frame 9-9");
}

TEST_P(Conformance, WhatLiesBehindTheEndIsMissingUntilTheLifeIsOver) {
  rig.append({captured(feed, 1), captured(feed, 2)});
  EXPECT_EQ(rig.read(stream(feed)), "frame 1-1, frame 2-2, missing 3-end");
  EXPECT_TRUE(store().set_final(feed, 0, 3));
  EXPECT_EQ(rig.read(stream(feed), 2, 9), "frame 2-2, missing 3-9") << "position 3 is still to come";
  rig.append({record(feed, JournalKind::Captured, 3, plain_frame(feed, "market.book", 1))});
  EXPECT_EQ(rig.read(stream(feed), 2, 9), "frame 2-2, never 3-9 end_of_life");
  EXPECT_EQ(rig.read(stream(feed, "market.unheard"), 1, 5), "never 1-5 end_of_life");
}

TEST_P(Conformance, AHigherIncarnationEndsTheLowerOne) {
  Origin later = feed;
  ++later.incarnation;
  rig.append({captured(feed, 1), captured(feed, 3)});
  EXPECT_TRUE(store().bind(later, BootId{}));
  EXPECT_EQ(rig.read(stream(feed), 3, 5), "frame 3-3, missing 4-5") << "position 2 may have been the end";
  rig.append({captured(feed, 2)});
  EXPECT_EQ(rig.read(stream(feed), 3, 5), "frame 3-3, never 4-5 end_of_life");
  Origin unheard = feed;
  --unheard.incarnation;
  EXPECT_EQ(rig.read(stream(unheard), 1, 2), "never 1-2 end_of_life");
}

TEST_P(Conformance, HeldFramesAreGivenOnceEnoughSpoolsHaveThem) {
  const auto held = [](Position position, std::uint8_t spools) {
    return record(feed, JournalKind::Confirmed, position, plain_frame(feed, "trade.approved", position), spools);
  };
  const StreamId trades = stream(feed, "trade.approved");
  rig.append({held(1, 1), held(2, 2), held(3, 1)});
  EXPECT_EQ(rig.read(trades, 1, 3), "missing 1-3");
  EXPECT_TRUE(store().set_released(feed, JournalKind::Confirmed, 1, 3));
  EXPECT_EQ(rig.read(trades, 1, 3), "frame 1-1, missing 2-2, frame 3-3");
  EXPECT_TRUE(store().set_released(feed, JournalKind::Confirmed, 2, 2));
  EXPECT_EQ(rig.read(trades, 1, 3), "frame 1-1, frame 2-2, frame 3-3");
  const auto tails = reader().tails(*Filter::parse("trade."), std::nullopt, 10);
  ASSERT_TRUE(tails);
  ASSERT_EQ(tails->size(), 1u);
  EXPECT_EQ(tails->front().next, 4u);
}

TEST_P(Conformance, HeldFramesOfALifeThatIsOverAreGivenWhereEnoughSpoolsHaveThem) {
  const auto held = [](Position position, std::uint8_t spools) {
    return record(feed, JournalKind::Confirmed, position, plain_frame(feed, "trade.approved", position), spools);
  };
  rig.append({held(1, 1), held(2, 2)});
  EXPECT_EQ(rig.read(stream(feed, "trade.approved"), 1, 2), "missing 1-2");
  EXPECT_TRUE(store().set_final(feed, 2, 0));
  EXPECT_EQ(rig.read(stream(feed, "trade.approved"), 1, 2), "frame 1-1, missing 2-2") << "this is one spool";
  EXPECT_TRUE(store().set_released(feed, JournalKind::Confirmed, 2, 2));
  EXPECT_EQ(rig.read(stream(feed, "trade.approved"), 1, 2), "frame 1-1, frame 2-2");
}

TEST_P(Conformance, APageSaysHowFarTheJournalsOfWhatIsMissingGo) {
  rig.append({captured(feed, 1), captured(feed, 2), captured(feed, 5)});
  using Through = std::array<Position, 2>;
  const auto through = [&](std::uint64_t last) {
    return reader().read_stream({.stream = stream(feed), .first = 1, .last = last}).value().through;
  };
  EXPECT_EQ(through(2), Through()) << "nothing is missing";
  EXPECT_EQ(through(3), (Through{0, 2})) << "journals are confirmed, captured";
  rig.append({record(feed, JournalKind::Confirmed, 1, plain_frame(feed, "trade.approved", 1), 2)});
  const auto other = reader().read_stream({.stream = stream(feed, "trade.approved"), .first = 1, .last = 2});
  EXPECT_EQ(other.value().through, Through()) << "some of it is here";
  EXPECT_EQ(through(3), (Through{1, 2}));
}

TEST_P(Conformance, AStreamIsReadInPages) {
  std::vector<JournalRecord> records;
  for (Position position = 1; position <= 20; ++position) records.push_back(captured(feed, position));
  rig.append(records);
  std::uint64_t next = 1;
  std::size_t frames = 0, pages = 0;
  while (next <= 20) {
    const auto page = reader().read_stream({.stream = stream(feed), .first = next, .last = 20, .bytes_max = 300});
    ASSERT_TRUE(page);
    ASSERT_GT(page->next, next);
    EXPECT_EQ(page->stored_to, 20u);
    for (const auto& part : page->parts) frames += part.kind == StreamPage::Part::Kind::Frame ? 1 : 0;
    next = page->next;
    ++pages;
  }
  EXPECT_EQ(frames, 20u);
  EXPECT_GT(pages, 5u);
}

TEST_P(Conformance, TailsAreInOrderAndFiltered) {
  rig.append({record(feed, JournalKind::Captured, 1, plain_frame(feed, "market.tick", 5, 3)),
              record(feed, JournalKind::Captured, 2, plain_frame(feed, "trade.done", 1)),
              record(desk, JournalKind::Captured, 1, plain_frame(desk, "market.tick", 1)),
              void_of(desk, {2, 2}, {span_of(4, 6, "market.book")})});
  const auto all = reader().tails(*Filter::parse("*"), std::nullopt, 10);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 4u);
  EXPECT_EQ((*all)[0].stream, stream(desk, "market.book"));
  EXPECT_EQ((*all)[0].next, 7u);
  EXPECT_EQ((*all)[2].stream, stream(feed, "market.tick"));
  EXPECT_EQ((*all)[2].next, 8u);
  const auto market = reader().tails(*Filter::parse("market."), stream(desk, "market.book"), 1);
  ASSERT_TRUE(market);
  ASSERT_EQ(market->size(), 1u);
  EXPECT_EQ(market->front().stream, stream(desk, "market.tick"));
}

// --- scans ---

TEST_P(Conformance, ScansByNumberTypeAndLane) {
  rig.append({captured(feed, 1), captured(feed, 2, "trade.done"),
              record(feed, JournalKind::Captured, 3,
                     frame_of(feed, {make_event("trade.limit", 1)}, 1, Priority::Critical))});
  rig.append({captured(feed, 4), captured(feed, 5, "trade.done")});
  EXPECT_THAT(rig.scan(), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(rig.scan({.from = 2, .until = 4}), ElementsAre(2, 3, 4));
  EXPECT_THAT(rig.scan({.types = {*Filter::parse("trade.")}}), ElementsAre(2, 3, 5));
  EXPECT_THAT(rig.scan({.types = {*Filter::parse("trade.limit"), *Filter::parse("market.tick")}}),
              ElementsAre(1, 3, 4));
  EXPECT_THAT(rig.scan({.lanes = {Priority::Critical, Priority::Low}}), ElementsAre(3));
  EXPECT_THAT(rig.scan({.bytes_max = 1}), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(rig.scan({.from = 99}), IsEmpty());
}

TEST_P(Conformance, ScansByTheTimeOfEvents) {
  for (Position position = 1; position <= 6; ++position) rig.append({captured(feed, position)});
  const auto at = [](int number) { return noon + Duration(number * 1000); };
  EXPECT_THAT(rig.scan({.since = at(3)}), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(rig.scan({.before = at(3)}), ElementsAre(1, 2));
  EXPECT_THAT(rig.scan({.since = at(3), .before = at(5)}), ElementsAre(3, 4));
}

TEST_P(Conformance, ScansByCorrelation) {
  Event child = make_event("trade.done", 7);
  child.correlation_id = "order-7";
  Event grandchild = make_event("trade.done", 8);
  grandchild.causation_id = "feed-1:1000001:2:market.tick:0:1";
  Event traced = make_event("trade.done", 9);
  traced.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  rig.append({captured(feed, 1), captured(feed, 2)});
  rig.append({record(feed, JournalKind::Captured, 3, frame_of(feed, {child}, 1)),
              record(feed, JournalKind::Captured, 4, frame_of(feed, {grandchild, traced}, 2))});
  EXPECT_THAT(rig.scan({.correlation = "order-7"}), ElementsAre(3));
  EXPECT_THAT(rig.scan({.correlation = "feed-1:1000001:2:market.tick:0:1"}), ElementsAre(1, 4)) << "the event itself, too";
  EXPECT_THAT(rig.scan({.correlation = "0af7651916cd43dd8448eb211c80319c"}), ElementsAre(4));
  EXPECT_THAT(rig.scan({.correlation = "order-70"}), IsEmpty());
}

TEST_P(Conformance, ReservedTypesAreNoPartOfAScan) {
  const CursorRecord cursor{"audit", {1, "desk-1"}, "trade.", CursorRecord::Form::Whole, {}};
  rig.append({record(desk, JournalKind::Confirmed, 1, record_frame(desk, 1, {cursor})), captured(feed, 1)});
  EXPECT_THAT(rig.scan(), ElementsAre(2));
  EXPECT_THAT(rig.scan({.types = {*Filter::parse("*")}}), ElementsAre(2));
}

TEST_P(Conformance, FindsByTimeOfCommitAndById) {
  rig.append({captured(feed, 1)}, noon);
  rig.append({captured(feed, 2), captured(feed, 3)}, noon + 10s);
  rig.append({captured(feed, 4)}, noon + 20s);
  const auto number_at = [&](WallTime time) { return reader().at(time).value(); };
  EXPECT_EQ(number_at(noon + -1s), 1u);
  EXPECT_EQ(number_at(noon), 1u);
  EXPECT_EQ(number_at(noon + 1s), 2u);
  EXPECT_EQ(number_at(noon + 20s), 4u);
  EXPECT_EQ(number_at(noon + 21s), std::nullopt);
  const auto find = [&](const char* id) { return reader().find(*EventId::parse(id)).value(); };
  EXPECT_EQ(find("feed-1:1000001:2:market.tick:0:3"), 3u);
  EXPECT_EQ(find("feed-1:1000001:2:market.tick:0:5"), std::nullopt);
  EXPECT_EQ(find("feed-1:1000002:2:market.tick:0:3"), std::nullopt);
}

}  // namespace
}  // namespace legion
