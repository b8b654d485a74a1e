// The messages: what goes in comes out, and nothing from outside does harm.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include <legion/runtime/spool_asker_questions.hpp>
#include <legion/runtime/spool_queries.hpp>

#include "spool_fake_store.hpp"

namespace legion::test {
namespace {

const Origin origin_a{"a", 7};

SpoolReply reply_of(Bytes result, std::vector<BytesView> frames = {}) {
  return {std::move(result), std::move(frames), nullptr};
}

Filter filter(std::string_view text) { return Filter::parse(text).value(); }

ScanQuery full_scan() {
  ScanQuery query;
  query.from = 5;
  query.until = 900;
  query.since = WallTime{1'000};
  query.before = WallTime{-2};
  query.types = {filter("trade."), filter("risk.breached")};
  query.lanes = {Priority::Critical, Priority::Low};
  query.correlation = "c-1";
  query.bytes_max = 77;
  return query;
}

CursorState cursor_state(const std::string& name) {
  CursorState cursor;
  cursor.merged.subscription = name;
  cursor.merged.generation = {3, "a"};
  cursor.merged.filter = "trade.";
  cursor.merged.form = CursorRecord::Form::Whole;
  cursor.merged.streams = {{{origin_a, Priority::High, "trade.approved", 0}, 10, {{12, 13}}}};
  cursor.updated = WallTime{123};
  cursor.by = origin_a;
  return cursor;
}

TEST(SpoolQueries, CarryAQuestionAndItsAnswer) {
  const Bytes params = encode_params(full_scan());
  const Bytes head = encode_spool_query(41, "scan", params);
  EXPECT_EQ(spool_message_tag(head), spool_query_tag);
  const auto query = decode_spool_query(head);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->id, 41u);
  EXPECT_EQ(query->method, "scan");
  EXPECT_EQ(Bytes(query->params.begin(), query->params.end()), params);

  SpoolBody body(10);
  const Bytes one{1, 2, 3};
  const Bytes two{4};
  body.add(one);
  body.add(two);
  const SpoolAnswer answer = body.finish(encode_result(std::optional<std::uint64_t>(9)));
  const Bytes reply = encode_spool_answer(41, answer);
  const auto read = decode_spool_answer(reply);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, 41u);
  EXPECT_FALSE(read->error);
  EXPECT_EQ(decode_number(read->result).value(), 9u);
  const auto frames = cut_body(read->sizes, *answer.body);
  ASSERT_TRUE(frames);
  EXPECT_EQ(Bytes((*frames)[0].begin(), (*frames)[0].end()), one);
  EXPECT_EQ(Bytes((*frames)[1].begin(), (*frames)[1].end()), two);
  EXPECT_FALSE(cut_body({3, 2}, *answer.body));
  EXPECT_FALSE(cut_body({3}, *answer.body));

  const Bytes refusal = encode_spool_error(42, {ErrorCode::WouldBlock, "busy"});
  const auto error = decode_spool_answer(refusal);
  ASSERT_TRUE(error && error->error);
  EXPECT_EQ(error->error->code, ErrorCode::WouldBlock);
  EXPECT_EQ(error->error->message, "busy");
}

TEST(SpoolQueries, KeepEveryMemberOfTheParams) {
  const auto scan = decode_scan_query(encode_params(full_scan()));
  ASSERT_TRUE(scan) << scan.error().message;
  EXPECT_EQ(scan->from, 5u);
  EXPECT_EQ(scan->until, 900u);
  EXPECT_EQ(scan->since, WallTime{1'000});
  EXPECT_EQ(scan->before, WallTime{-2});
  EXPECT_EQ(scan->types, full_scan().types);
  EXPECT_EQ(scan->lanes, full_scan().lanes);
  EXPECT_EQ(scan->correlation, "c-1");
  EXPECT_EQ(scan->bytes_max, 77u);

  StreamQuery stream{{origin_a, Priority::Low, "trade.approved", 3}, 4, 9, 1000};
  const auto read_stream = decode_stream_query(encode_params(stream));
  ASSERT_TRUE(read_stream) << read_stream.error().message;
  EXPECT_EQ(read_stream->stream, stream.stream);
  EXPECT_EQ(read_stream->first, 4u);
  EXPECT_EQ(read_stream->last, 9u);

  const auto journal = decode_journal_query(encode_params(JournalQuery{origin_a, JournalKind::Captured, {2, 8}, 500}));
  ASSERT_TRUE(journal) << journal.error().message;
  EXPECT_EQ(journal->origin, origin_a);
  EXPECT_EQ(journal->journal, JournalKind::Captured);
  EXPECT_EQ(journal->range, (PositionRange{2, 8}));

  const auto tails = decode_tails_query(encode_params(TailsQuery{filter("trade."), stream.stream, 12}));
  ASSERT_TRUE(tails) << tails.error().message;
  EXPECT_EQ(tails->after, stream.stream);
  EXPECT_EQ(tails->max, 12u);

  LetterQuery letters;
  letters.type = "trade.";
  letters.agent = "a/risk";
  letters.reason = "rejected";
  letters.state = LetterState::Requeued;
  letters.since = WallTime{5};
  letters.before = WallTime{6};
  letters.event = "a:7:2:trade.approved:0:4";
  letters.after = "key";
  letters.max = 3;
  letters.payload = LetterQuery::Payload::Without;
  const auto read = decode_letter_query(encode_params(letters));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->type, letters.type);
  EXPECT_EQ(read->agent, letters.agent);
  EXPECT_EQ(read->reason, letters.reason);
  EXPECT_EQ(read->state, letters.state);
  EXPECT_EQ(read->since, letters.since);
  EXPECT_EQ(read->before, letters.before);
  EXPECT_EQ(read->event, letters.event);
  EXPECT_EQ(read->after, letters.after);
  EXPECT_EQ(read->max, 3u);
  EXPECT_EQ(read->payload, LetterQuery::Payload::Without);

  const auto claim = decode_claim_query(encode_params(ClaimQuery{"orders", origin_a, BootId{{9}}}));
  ASSERT_TRUE(claim) << claim.error().message;
  EXPECT_EQ(claim->subscription, "orders");
  EXPECT_EQ(claim->holder, origin_a);
  EXPECT_EQ(claim->boot, BootId{{9}});
  EXPECT_EQ(decode_depth(encode_params(StoreReader::Depth::Full)), StoreReader::Depth::Full);
  EXPECT_EQ(decode_time(encode_params(WallTime{-7})), WallTime{-7});
}

TEST(SpoolQueries, TakeWhatIsAbsentForTheUsualAndBoundWhatIsTooMuch) {
  const auto scan = decode_scan_query(Bytes{0xc0});
  ASSERT_TRUE(scan);
  EXPECT_EQ(scan->from, 1u);
  EXPECT_FALSE(scan->until);
  ScanQuery greedy;
  greedy.bytes_max = 1u << 30;
  EXPECT_EQ(decode_scan_query(encode_params(greedy))->bytes_max, spool_page_bytes_max);
  TailsQuery many;
  many.max = 1'000'000'000;
  EXPECT_EQ(decode_tails_query(encode_params(many))->max, spool_page_entries_max);
}

TEST(SpoolQueries, NameTheMemberThatIsWrong) {
  const auto message = [](const auto& read) { return read ? std::string() : read.error().message; };
  EXPECT_NE(message(decode_stream_query(Bytes{0x80})).find("origin: missing"), std::string::npos);
  EXPECT_NE(message(decode_text(encode_params("name", ""), "name", 10)).find("name: empty"), std::string::npos);
  EXPECT_NE(message(decode_text(encode_params("name", "12345678901"), "name", 10)).find("name"), std::string::npos);
  EXPECT_NE(message(decode_depth(encode_params("depth", "deep"))).find("depth"), std::string::npos);
  ClaimQuery claim{"orders", {"No Name", 1}, BootId{}};
  EXPECT_NE(message(decode_claim_query(encode_params(claim))).find("node"), std::string::npos);
  StreamQuery backwards{{origin_a, Priority::Low, "trade.approved", 3}, 9, 4, 1000};
  EXPECT_NE(message(decode_stream_query(encode_params(backwards))).find("first"), std::string::npos);
}

TEST(SpoolQueries, KeepEveryMemberOfTheResults) {
  const Bytes bytes_a(40, 1);
  const Bytes bytes_b(2, 2);
  SpoolPage page;
  page.store.bytes[3] = 8;
  page.frames = {{5, JournalKind::Captured, 17, 2, WallTime{99}, bytes_a},
                 {6, JournalKind::Confirmed, 3, 0, WallTime{100}, bytes_b}};
  page.next = 7;
  page.at_end = true;
  const auto read = decode_page(reply_of(encode_result(page), {bytes_a, bytes_b}));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->store, page.store);
  EXPECT_EQ(read->next, 7u);
  EXPECT_TRUE(read->at_end);
  ASSERT_EQ(read->frames.size(), 2u);
  EXPECT_EQ(read->frames[0].number, 5u);
  EXPECT_EQ(read->frames[0].journal, JournalKind::Captured);
  EXPECT_EQ(read->frames[0].position, 17u);
  EXPECT_EQ(read->frames[0].held_for, 2u);
  EXPECT_EQ(read->frames[1].recorded, WallTime{100});
  EXPECT_EQ(read->frames[1].frame.data(), bytes_b.data());
  EXPECT_FALSE(decode_page(reply_of(encode_result(page), {bytes_a})));
  EXPECT_FALSE(decode_page(reply_of(encode_result(page), {bytes_a, bytes_b, bytes_b})));

  using Kind = StreamPage::Part::Kind;
  StreamPage stream;
  stream.parts = {
      {Kind::Frame, 1, 4, {}, bytes_a}, {Kind::Never, 5, 6, Never::Trimmed, {}}, {Kind::Missing, 7, 9, {}, {}}};
  stream.next = 10;
  stream.stored_to = 30;
  stream.through = {5, 70};
  stream.floor = {0, 12};
  const auto parts = decode_stream_page(reply_of(encode_result(stream), {bytes_a}));
  ASSERT_TRUE(parts) << parts.error().message;
  ASSERT_EQ(parts->page.parts.size(), 3u);
  EXPECT_EQ(parts->page.parts[0].frame.size(), 40u);
  EXPECT_EQ(parts->page.parts[1].why, Never::Trimmed);
  EXPECT_EQ(parts->page.parts[2].kind, Kind::Missing);
  EXPECT_EQ(parts->page.parts[2].last, 9u);
  EXPECT_EQ(parts->page.next, 10u);
  EXPECT_EQ(parts->page.stored_to, 30u);
  EXPECT_EQ(parts->page.through, stream.through);
  EXPECT_EQ(parts->page.floor, stream.floor);

  std::vector<JournalRecord> records(2);
  records[0] = {origin_a, JournalKind::Captured, 4, 4, 1, std::make_shared<const Bytes>(bytes_a), {}};
  records[1] = {origin_a, JournalKind::Captured, 5, 9, 0, nullptr, {{Priority::Low, "trade.approved", 1, 20, 31}}};
  const auto got =
      decode_records(reply_of(encode_result(records), {bytes_a}), {origin_a, JournalKind::Captured, {4, 9}, 1});
  ASSERT_TRUE(got) << got.error().message;
  ASSERT_EQ(got->size(), 2u);
  EXPECT_EQ(*(*got)[0].frame, bytes_a);
  EXPECT_EQ((*got)[0].held_for, 1u);
  EXPECT_EQ((*got)[1].last, 9u);
  EXPECT_TRUE((*got)[1].is_void());
  EXPECT_EQ((*got)[1].spans, records[1].spans);
}

TEST(SpoolQueries, KeepEveryMemberOfTheLists) {
  SpoolJournals journals;
  journals.store.bytes[1] = 7;
  journals.journals.resize(1);
  JournalState& state = journals.journals[0];
  state.origin = origin_a;
  state.journal = JournalKind::Confirmed;
  state.boot = BootId{{4}};
  state.ranges = {{3, 9}, {12, 12}};
  state.voids = {{4, 5}};
  state.floor = 2;
  state.released = {9, 5, 0, 0};
  state.final = 12;
  journals.more = true;
  const auto read = decode_journals(encode_result(journals));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->store, journals.store);
  EXPECT_TRUE(read->more);
  const JournalState& got = read->journals.at(0);
  EXPECT_EQ(got.origin, origin_a);
  EXPECT_EQ(got.boot, state.boot);
  EXPECT_EQ(got.ranges, state.ranges);
  EXPECT_EQ(got.voids, state.voids);
  EXPECT_EQ(got.floor, 2u);
  EXPECT_EQ(got.released, state.released);
  EXPECT_EQ(got.final, 12u);

  SpoolTails tails{{{{origin_a, Priority::High, "trade.approved", 2}, 44}}, true};
  const auto got_tails = decode_tail_page(encode_result(tails));
  ASSERT_TRUE(got_tails) << got_tails.error().message;
  EXPECT_EQ(got_tails->tails.at(0).stream, tails.tails[0].stream);
  EXPECT_EQ(got_tails->tails.at(0).next, 44u);
  EXPECT_TRUE(got_tails->more);

  const auto cursors = decode_cursors(encode_result(std::vector{cursor_state("one"), cursor_state("two")}));
  ASSERT_TRUE(cursors) << cursors.error().message;
  ASSERT_EQ(cursors->size(), 2u);
  EXPECT_EQ((*cursors)[1].merged, cursor_state("two").merged);
  EXPECT_EQ((*cursors)[1].updated, WallTime{123});
  EXPECT_EQ((*cursors)[1].by, origin_a);
  EXPECT_EQ(decode_cursor(encode_result(std::optional(cursor_state("one")))).value()->merged.subscription, "one");
  EXPECT_FALSE(decode_cursor(encode_result(std::optional<CursorState>())).value());

  const SpoolMarks marks{{"before-deploy", 7}, {"after", 12}};
  EXPECT_EQ(decode_marks(encode_result(marks)).value(), marks);

  VerifyReport report;
  report.blocks = 3;
  report.frames = 4;
  report.events = 5;
  report.damage = {{-1, 2, 3, "checksum"}};
  report.holes = {{"a:7:confirmed", {4, 6}}};
  report.chain[31] = 9;
  const auto verified = decode_verify_report(encode_result(report));
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->events, 5u);
  EXPECT_EQ(verified->damage.at(0).what, "checksum");
  EXPECT_EQ(verified->damage.at(0).block, -1);
  EXPECT_EQ(verified->holes, report.holes);
  EXPECT_EQ(verified->chain, report.chain);

  SpoolInfo info;
  info.store.bytes[0] = 1;
  info.figures.frames = 10;
  info.figures.last_commit = 3ms;
  info.figures.oldest = WallTime{4};
  info.frozen = "disk full";
  info.commit_p99 = 5ms;
  info.claims = 2;
  info.long_job = "verify";
  const auto got_info = decode_spool_info(encode_result(info));
  ASSERT_TRUE(got_info) << got_info.error().message;
  EXPECT_EQ(got_info->figures.frames, 10u);
  EXPECT_EQ(got_info->figures.last_commit, 3ms);
  EXPECT_EQ(got_info->figures.oldest, WallTime{4});
  EXPECT_FALSE(got_info->figures.newest);
  EXPECT_EQ(got_info->frozen, "disk full");
  EXPECT_EQ(got_info->commit_p99, 5ms);
  EXPECT_EQ(got_info->claims, 2u);
  EXPECT_EQ(got_info->long_job, "verify");
}

/// Whatever the bytes are, a decoder answers; it neither throws nor reads where nothing is (the sanitizers watch).
TEST(SpoolQueries, StandAnyBytes) {
  const unsigned seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);

  const std::vector<std::function<void(BytesView)>> decoders{
      [](BytesView at) { (void)spool_message_tag(at); },
      [](BytesView at) { (void)decode_spool_query(at); },
      [](BytesView at) { (void)decode_spool_answer(at); },
      [](BytesView at) { (void)decode_scan_query(at); },
      [](BytesView at) { (void)decode_stream_query(at); },
      [](BytesView at) { (void)decode_journal_query(at); },
      [](BytesView at) { (void)decode_journals_query(at); },
      [](BytesView at) { (void)decode_tails_query(at); },
      [](BytesView at) { (void)decode_page_query(at); },
      [](BytesView at) { (void)decode_letter_query(at); },
      [](BytesView at) { (void)decode_claim_query(at); },
      [](BytesView at) { (void)decode_page(reply_of(Bytes(at.begin(), at.end()), {at})); },
      [](BytesView at) { (void)decode_stream_page(reply_of(Bytes(at.begin(), at.end()), {at})); },
      [](BytesView at) { (void)decode_records(reply_of(Bytes(at.begin(), at.end()), {at}), {}); },
      [](BytesView at) { (void)decode_journals(at); },
      [](BytesView at) { (void)decode_tail_page(at); },
      [](BytesView at) { (void)decode_cursors(at); },
      [](BytesView at) { (void)decode_cursor(at); },
      [](BytesView at) { (void)decode_attempts(at); },
      [](BytesView at) { (void)decode_letters(at); },
      [](BytesView at) { (void)decode_marks(at); },
      [](BytesView at) { (void)decode_verify_report(at); },
      [](BytesView at) { (void)decode_spool_info(at); },
      [](BytesView at) { (void)decode_number(at); },
  };
  VerifyReport report;
  report.damage = {{1, 2, 3, "checksum"}};
  report.holes = {{"a:7:confirmed", {4, 6}}};
  SpoolJournals journals;
  journals.journals.resize(1);
  journals.journals[0].ranges = {{1, 2}};
  const std::vector<Bytes> samples{
      encode_spool_query(1, "scan", encode_params(full_scan())),
      encode_spool_error(1, {ErrorCode::Io, "no"}),
      encode_params(full_scan()),
      encode_params(StreamQuery{{origin_a, Priority::Low, "trade.approved", 3}, 4, 9, 1000}),
      encode_params(TailsQuery{filter("trade."), StreamId{origin_a, Priority::Low, "x", 0}, 12}),
      encode_params(LetterQuery{}),
      encode_result(std::vector{cursor_state("one")}),
      encode_result(SpoolMarks{{"m", 1}}),
      encode_result(report),
      encode_result(journals),
      encode_result(SpoolInfo{}),
  };
  for (const Bytes& sample : samples) {
    for (std::size_t size = 0; size <= sample.size(); ++size) {
      for (const auto& decode : decoders) decode(BytesView(sample).first(size));
    }
    for (int round = 0; round < 300; ++round) {
      Bytes changed = sample;
      for (int change = 0; change < 3; ++change) {
        changed[random() % changed.size()] = static_cast<std::uint8_t>(random());
      }
      for (const auto& decode : decoders) decode(changed);
    }
  }
}

}  // namespace
}  // namespace legion::test
