// What every store has to do with records, retention and as a whole; each test runs on every kind of store.
#include "kit.hpp"

namespace legion {
namespace {

using namespace spool_test;
using testing::ElementsAre;
using testing::IsEmpty;

class RecordConformance : public testing::TestWithParam<StoreKind> {
 protected:
  StoreRig rig{GetParam()};
  Store& store() { return rig.store(); }
  StoreReader& reader() { return rig.reader(); }
};

INSTANTIATE_TEST_SUITE_P(Stores, RecordConformance, testing::Values(StoreKind::Memory, StoreKind::Sqlite),
                         [](const auto& kind) { return kind.param == StoreKind::Memory ? "Memory" : "Sqlite"; });

// --- records ---

TEST_P(RecordConformance, CursorsMergeWithinAGenerationAndTheHigherOneWins) {
  const auto cursor = [](std::uint64_t generation, std::uint64_t done, CursorRecord::Form form) {
    return CursorRecord{"audit", {generation, "desk-1"}, "trade.", form, {{stream(feed, "trade.done"), done, {}}}};
  };
  using Form = CursorRecord::Form;
  rig.append({record(desk, JournalKind::Confirmed, 1,
                     record_frame(desk, 1, {cursor(2, 5, Form::Whole), cursor(2, 9, Form::Delta)}, noon + 1s))});
  rig.append({record(desk, JournalKind::Confirmed, 2, record_frame(desk, 3, {cursor(1, 50, Form::Whole)}, noon + 2s))});
  auto state = reader().cursor("audit").value();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->merged, cursor(2, 9, Form::Whole));
  EXPECT_EQ(state->updated, noon + 1s);
  EXPECT_EQ(state->by, desk);
  EXPECT_EQ(rig.store().figures().stale_cursors, 1u) << "what the lower one acknowledged is dropped, and counted";
  rig.append({record(desk, JournalKind::Confirmed, 3, record_frame(desk, 4, {cursor(3, 1, Form::Whole)}))});
  rig.reopen();
  EXPECT_EQ(reader().cursor("audit").value()->merged, cursor(3, 1, Form::Whole));
  EXPECT_EQ(reader().cursors().value().size(), 1u);
  EXPECT_EQ(reader().cursor("nobody").value(), std::nullopt);
}

TEST_P(RecordConformance, AttemptsAreKeptUntilTheEventIsDone) {
  const std::string event = "feed-1:1000001:2:trade.done:0:4";
  const AttemptRecord second{"audit", event, 2, "timeout", noon, noon + 1s}, third{"audit", event, 3, "again", noon, noon + 2s};
  rig.append({record(desk, JournalKind::Confirmed, 1, record_frame(desk, 1, {third, second}))});
  EXPECT_THAT(reader().attempts("audit").value(), ElementsAre(third));
  const CursorRecord done{"audit", {1, "desk-1"}, "trade.", CursorRecord::Form::Whole, {{stream(feed, "trade.done"), 2, {{4, 4}}}}};
  rig.append({record(desk, JournalKind::Confirmed, 2, record_frame(desk, 3, {done}))});
  EXPECT_THAT(reader().attempts("audit").value(), IsEmpty());
  rig.append({record(desk, JournalKind::Confirmed, 3, record_frame(desk, 4, {third}))});
  EXPECT_THAT(reader().attempts("audit").value(), IsEmpty()) << "a late record of an event that is done";
}

LetterRecord letter(std::uint64_t sequence, std::uint32_t round, LetterState state, std::string agent = "desk-1/risk") {
  LetterRecord out;
  out.event = "feed-1:1000001:2:trade.done:0:" + std::to_string(sequence);
  out.agent = std::move(agent);
  out.subscription = "audit";
  out.round = round;
  out.state = state;
  if (state != LetterState::Dead) return out;
  for (std::uint32_t i = 1; i <= round; ++i) out.deaths.push_back({out.agent, "handler_error", 3, "boom", noon, noon + i * 1s});
  out.frame = *plain_frame(feed, "trade.done", sequence);
  return out;
}

TEST_P(RecordConformance, LettersOfAnyOrderMergeAlike) {
  const std::vector<LetterRecord> records{letter(1, 1, LetterState::Dead), letter(1, 1, LetterState::Requeued),
                                          letter(1, 2, LetterState::Dead), letter(1, 2, LetterState::Resolved)};
  LetterRecord expected = records[3];
  expected.deaths = records[2].deaths;
  expected.frame = records[2].frame;
  std::vector<int> order{0, 1, 2, 3};
  Position position = 0;
  do {
    // A key of its own for each order.
    std::vector<SpoolRecord> shuffled;
    for (const int i : order) {
      LetterRecord next = records[static_cast<std::size_t>(i)];
      next.agent += std::to_string(position);
      shuffled.emplace_back(next);
    }
    ++position;
    rig.append({record(desk, JournalKind::Confirmed, position, record_frame(desk, position * 10, shuffled))});
  } while (std::ranges::next_permutation(order).found);
  auto letters = reader().letters({}).value();
  ASSERT_EQ(letters.size(), 24u);
  for (LetterRecord& each : letters) {
    each.agent = expected.agent;
    EXPECT_EQ(each, expected);
  }
  EXPECT_EQ(store().figures().dead_letters, 0u);
}

TEST_P(RecordConformance, LettersAreFoundByWhatTheyAre) {
  rig.append({record(desk, JournalKind::Confirmed, 1,
                     record_frame(desk, 1, {letter(1, 1, LetterState::Dead), letter(2, 2, LetterState::Dead),
                                            letter(3, 1, LetterState::Dead, "desk-2/book"),
                                            letter(4, 1, LetterState::Dead), letter(4, 1, LetterState::Purged)}))});
  const auto events = [&](const LetterQuery& query) {
    std::vector<std::string> out;
    const auto letters = reader().letters(query).value();
    for (const LetterRecord& each : letters) out.push_back(each.event.substr(each.event.size() - 1));
    return out;
  };
  EXPECT_EQ(store().figures().dead_letters, 3u);
  EXPECT_THAT(events({}), ElementsAre("1", "2", "3")) << "purged ones only when asked for";
  const auto with = [](auto LetterQuery::* member, auto value) {
    LetterQuery query;
    query.*member = value;
    return query;
  };
  EXPECT_THAT(events(with(&LetterQuery::state, LetterState::Purged)), ElementsAre("4"));
  EXPECT_THAT(events(with(&LetterQuery::type, "trade.")), ElementsAre("1", "2", "3"));
  EXPECT_THAT(events(with(&LetterQuery::type, "market.")), IsEmpty());
  EXPECT_THAT(events(with(&LetterQuery::agent, "book")), ElementsAre("3"));
  EXPECT_THAT(events(with(&LetterQuery::agent, "desk-1/risk")), ElementsAre("1", "2"));
  EXPECT_THAT(events(with(&LetterQuery::reason, "expired")), IsEmpty());
  EXPECT_THAT(events(with(&LetterQuery::since, noon + 2s)), ElementsAre("2"));
  EXPECT_THAT(events(with(&LetterQuery::before, noon + 2s)), ElementsAre("1", "3"));
  EXPECT_THAT(events(with(&LetterQuery::event, "feed-1:1000001:2:trade.done:0:2")), ElementsAre("2"));
  EXPECT_THAT(events(with(&LetterQuery::max, 2u)), ElementsAre("1", "2"));
  EXPECT_THAT(events(with(&LetterQuery::after, letter(2, 2, LetterState::Dead).key())), ElementsAre("3"));
  EXPECT_FALSE(reader().letters(with(&LetterQuery::type, "No Type")));
  const auto without = reader().letters(with(&LetterQuery::payload, LetterQuery::Payload::Without)).value();
  EXPECT_THAT(without.front().frame, IsEmpty());
  EXPECT_EQ(reader().letters({}).value().front().frame, letter(1, 1, LetterState::Dead).frame);
  const auto purged = reader().letters(with(&LetterQuery::state, LetterState::Purged)).value();
  EXPECT_THAT(purged.front().frame, IsEmpty());
}

TEST_P(RecordConformance, WhatIsNoRecordIsStoredAndNoMore) {
  Event strange = make_event(std::string(record_type), 1);
  rig.append({record(desk, JournalKind::Confirmed, 1, frame_of(desk, {strange}, 1, Priority::High))});
  EXPECT_EQ(store().figures().frames, 1u);
  EXPECT_THAT(reader().cursors().value(), IsEmpty());
}

// --- retention ---

TEST_P(RecordConformance, RetentionTakesWhatIsOldAndSetsTheFloor) {
  rig.append({captured(feed, 1), captured(feed, 2)}, noon);
  rig.append({void_of(feed, {3, 3}, {span_of(3, 3)}), captured(feed, 4)}, noon + 1h);
  rig.append({captured(feed, 5)}, noon + 2h);
  rig.maintain(noon + 3h, {.retain_for = 90min});
  EXPECT_THAT(rig.scan(), ElementsAre(4));
  EXPECT_EQ(journal_of(store(), feed).floor, 4u);
  EXPECT_EQ(text_of(journal_of(store(), feed).ranges), "5-5");
  EXPECT_EQ(text_of(journal_of(store(), feed).voids), "");
  EXPECT_EQ(rig.read(stream(feed), 1, 6), "never 1-4 trimmed, frame 5-5, missing 6-6");
  EXPECT_EQ(store().figures().frames, 1u);
  const auto page = reader().read_stream({.stream = stream(feed), .first = 1, .last = 6}).value();
  EXPECT_EQ(page.floor, (std::array<Position, 2>{0, 4}));
  EXPECT_EQ(page.through, (std::array<Position, 2>{0, 5}));
  rig.append({captured(feed, 3)});
  EXPECT_EQ(text_of(journal_of(store(), feed).ranges), "5-5") << "below the floor nothing is wanted";
  EXPECT_THAT(reader().verify(StoreReader::Depth::Full, nullptr)->holes, IsEmpty());
}

TEST_P(RecordConformance, RetentionStopsAtADurableCursor) {
  rig.append({captured(feed, 1, "trade.done")}, noon);
  rig.append({captured(feed, 2, "trade.done")}, noon);
  rig.append({captured(feed, 3, "trade.done")}, noon);
  const auto cursor = [](std::uint64_t done, CursorRecord::Form form) {
    return CursorRecord{"audit", {1, "desk-1"}, "trade.", form, {{stream(feed, "trade.done"), done, {}}}};
  };
  rig.append({record(desk, JournalKind::Confirmed, 1, record_frame(desk, 1, {cursor(1, CursorRecord::Form::Whole)}))});
  const RetentionPolicy policy{.retain_for = 1h};
  rig.maintain(noon + 2h, policy);
  EXPECT_THAT(rig.scan(), ElementsAre(2, 3));
  rig.append({record(desk, JournalKind::Confirmed, 2, record_frame(desk, 2, {cursor(2, CursorRecord::Form::Delta)}))});
  rig.maintain(noon + 2h, policy);
  EXPECT_THAT(rig.scan(), ElementsAre(3));
  rig.maintain(noon + 2h, {.retain_for = 1h, .cursors = RetentionPolicy::Cursors::Ignore});
  EXPECT_THAT(rig.scan(), IsEmpty());
  EXPECT_EQ(reader().cursor("audit").value()->merged.streams.front().done, 2u) << "records stay";
  EXPECT_EQ(text_of(journal_of(store(), desk, JournalKind::Confirmed).ranges), "1-2");
}

TEST_P(RecordConformance, RetentionStopsAtAStreamACursorHasNotHeardOf) {
  rig.append({captured(feed, 1, "trade.done")}, noon);
  const CursorRecord cursor{"audit", {1, "desk-1"}, "*", CursorRecord::Form::Whole, {}};
  const CursorRecord removed{"audit", {2, "desk-1"}, "*", CursorRecord::Form::Removed, {}};
  rig.append({record(desk, JournalKind::Confirmed, 1, record_frame(desk, 1, {cursor}))});
  rig.maintain(noon + 2h, {.retain_for = 1h});
  EXPECT_THAT(rig.scan(), ElementsAre(1));
  rig.append({record(desk, JournalKind::Confirmed, 2, record_frame(desk, 2, {removed}))});
  rig.maintain(noon + 2h, {.retain_for = 1h});
  EXPECT_THAT(rig.scan(), IsEmpty());
}

TEST_P(RecordConformance, RetentionByBytesKeepsTheNewest) {
  for (Position position = 1; position <= 10; ++position) rig.append({captured(feed, position)});
  rig.maintain(noon, {.retain_bytes = 400});
  const auto left = rig.scan();
  ASSERT_FALSE(left.empty());
  EXPECT_LT(left.size(), 10u);
  EXPECT_EQ(left.back(), 10u);
  EXPECT_EQ(journal_of(store(), feed).floor, left.front() - 1);
}

/// Events and records that were committed together stand in one block: what is left of it still says what it said.
TEST_P(RecordConformance, RetentionTakesTheEventsOfABlockAndLeavesItsRecords) {
  const AttemptRecord attempt{"audit", "feed-1:1000001:2:trade.done:0:4", 2, "timeout", noon, noon + 1s};
  const AttemptRecord again{"audit", "feed-1:1000001:2:trade.done:0:4", 3, "timeout", noon, noon + 2s};
  const auto in_one = [](Position position, std::uint64_t sequence, const SpoolRecord& what) {
    return record(desk, JournalKind::Confirmed, position, record_frame(desk, sequence, {what}));
  };
  rig.append({captured(feed, 1), in_one(1, 1, letter(1, 1, LetterState::Dead)), in_one(2, 2, attempt),
              captured(feed, 2), in_one(3, 3, letter(2, 1, LetterState::Dead)), in_one(4, 4, again),
              in_one(5, 5, letter(2, 1, LetterState::Purged))},
             noon);
  rig.maintain(noon + 3h, {.retain_for = 1h});
  for (const auto* when : {"at once", "after reopening"}) {
    EXPECT_THAT(rig.scan(), IsEmpty()) << when;
    EXPECT_EQ(rig.read(stream(feed), 1, 2), "never 1-2 trimmed") << when;
    EXPECT_EQ(journal_of(store(), feed).floor, 2u) << when;
    EXPECT_EQ(text_of(journal_of(store(), desk, JournalKind::Confirmed).ranges), "1-5") << when;
    EXPECT_EQ(store().figures().dead_letters, 1u) << when;
    EXPECT_THAT(reader().attempts("audit").value(), ElementsAre(again)) << when;
    const auto verified = reader().verify(StoreReader::Depth::Full, nullptr);
    ASSERT_TRUE(verified) << when;
    EXPECT_THAT(verified->damage, IsEmpty()) << when;
    EXPECT_THAT(verified->holes, IsEmpty()) << when;
    rig.reopen();
  }
}

// --- as a whole ---

TEST_P(RecordConformance, EverythingIsThereAfterReopening) {
  rig.append({captured(feed, 1), void_of(feed, {2, 3}, {span_of(2, 3)}), captured(feed, 4)});
  rig.append({captured(feed, 9)});
  const auto before = reader().verify(StoreReader::Depth::Full, nullptr);
  rig.reopen();
  EXPECT_EQ(text_of(journal_of(store(), feed).ranges), "1-4 9-9");
  EXPECT_EQ(text_of(journal_of(store(), feed).voids), "2-3");
  EXPECT_THAT(rig.scan(), ElementsAre(1, 2, 3));
  const auto after = reader().verify(StoreReader::Depth::Full, nullptr);
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->chain, after->chain);
  EXPECT_THAT(after->damage, IsEmpty());
  EXPECT_EQ(after->frames, 3u);
  ASSERT_EQ(after->holes.size(), 1u);
  EXPECT_EQ(after->holes[0].first, "feed-1:1000001:captured");
  EXPECT_EQ(after->holes[0].second, (PositionRange{5, 8}));
}

TEST_P(RecordConformance, TheAuditChainIsOfTheFramesInTheirOrder) {
  StoreRig other(GetParam() == StoreKind::Memory ? StoreKind::Sqlite : StoreKind::Memory);
  const std::vector<JournalRecord> records{captured(feed, 1), captured(feed, 2), captured(desk, 1)};
  rig.append(records);
  for (const JournalRecord& each : records) other.append({each});
  const auto chain = [](StoreRig& of) { return of.reader().verify(StoreReader::Depth::Full, nullptr)->chain; };
  EXPECT_EQ(chain(rig), chain(other));
  rig.append({captured(feed, 3), captured(desk, 2)});
  other.append({captured(desk, 2), captured(feed, 3)});
  EXPECT_NE(chain(rig), chain(other));
}

TEST_P(RecordConformance, AReaderOutlivesTheStore) {
  rig.append({captured(feed, 1)});
  auto mine = store().open_reader().value();
  rig.close();
  EXPECT_EQ(mine->scan({})->frames.size(), 1u);
}

}  // namespace
}  // namespace legion
