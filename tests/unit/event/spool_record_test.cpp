// What consumers keep in the spools, as bytes.
#include <legion/event/spool_record.hpp>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <legion/base/rng.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/msgpack_reader.hpp>
#include <legion/event/msgpack_writer.hpp>

#include "samples.hpp"

namespace legion {
namespace {

using namespace samples;

constexpr const char* some_id = "node-1:7:1:trade.approved:0:42";

StreamCursor stream(std::string node, std::string type, std::uint64_t done) {
  return {StreamId{{std::move(node), 7}, Priority::High, std::move(type), 3}, done, {}};
}

CursorRecord some_cursor() {
  CursorRecord record{"orders", {3, "risk-1"}, "trade.", CursorRecord::Form::Whole, {}};
  record.streams = {stream("a", "trade.approved", 10), stream("a", "trade.rejected", 0),
                    stream("b", "trade.approved", 5)};
  record.streams[0].ahead = {{12, 12}, {14, 20}};
  return record;
}

AttemptRecord some_attempt() { return {"orders", some_id, 2, "no route", WallTime{5}, WallTime{9}}; }

LetterRecord some_letter() {
  LetterRecord record;
  record.event = some_id;
  record.agent = "risk-1/desk";
  record.subscription = "orders";
  record.round = 2;
  record.requeues = 1;
  record.deaths = {{"risk-1/desk", "handler_error", 3, "no price", WallTime{1}, WallTime{2}},
                   {"risk-1/desk", "rejected", 1, "", WallTime{3}, WallTime{4}}};
  record.frame = frame_of({plain_event()});
  return record;
}

std::vector<SpoolRecord> samples_of_each() {
  LetterRecord resolved;
  resolved.event = some_id;
  resolved.agent = "risk-1/desk";
  resolved.state = LetterState::Resolved;
  return {some_cursor(),
          CursorRecord{"x", {1, "n"}, "*", CursorRecord::Form::Removed, {}},
          CursorRecord{"x", {1, "n"}, "trade.approved", CursorRecord::Form::Delta, {}},
          some_attempt(),
          some_letter(),
          resolved};
}

std::string error_of(BytesView bytes) {
  const auto record = decode_spool_record(bytes);
  EXPECT_FALSE(record);
  if (record) return {};
  EXPECT_EQ(record.error().code, ErrorCode::BadData) << record.error().message;
  return record.error().message;
}

/// A map of the sample with one member exchanged for these bytes; empty: left out.
Bytes with_member(const SpoolRecord& record, std::string_view key, BytesView value) {
  const Bytes bytes = encode(record);
  MsgpackReader in(bytes);
  const std::size_t count = *in.read_map();
  MsgpackWriter out;
  out.map(value.empty() ? count - 1 : count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto name = *in.read_string();
    const auto raw = *in.read_raw();
    if (name == key && value.empty()) continue;
    out.str(name);
    out.raw(name == key ? value : raw);
  }
  return out.take();
}

Bytes text(std::string_view value) {
  MsgpackWriter out;
  out.str(value);
  return out.take();
}

TEST(SpoolRecord, ComesBackAsItWasWritten) {
  for (const SpoolRecord& record : samples_of_each()) {
    const auto decoded = decode_spool_record(encode(record));
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, record);
  }
}

TEST(SpoolRecord, IsTheDataOfAnEvent) {
  for (const SpoolRecord& record : samples_of_each()) {
    Event event;
    event.type = std::string(record_type);
    event.source = "risk-1";
    event.time = WallTime{1};
    event.data = encode(record);
    EXPECT_TRUE(encode_event(event, 0, limits::record_bytes_max));
  }
}

TEST(SpoolRecord, TheBytesOfAnAttempt) {
  EXPECT_EQ(
      to_hex(encode(some_attempt())),
      to_hex(from_hex("87 a6 7265636f7264 a7 617474656d7074"                       // "record": "attempt"
                      "a3 737562 a6 6f7264657273"                                  // "sub": "orders"
                      "a5 6576656e74 be 6e6f64652d313a373a313a74726164652e617070726f7665643a303a3432"
                      "a8 617474656d707473 02 a5 6572726f72 a8 6e6f20726f757465"  // "attempts": 2, "error": "no route"
                      "a5 6669727374 05 a4 6c617374 09")));  // "first": 5, "last": 9
}

TEST(SpoolRecord, TheBytesOfACursor) {
  EXPECT_EQ(to_hex(encode(some_cursor())),
            to_hex(from_hex(
                "86 a6 7265636f7264 a6 637572736f72 a3 737562 a6 6f7264657273"
                "a3 67656e 92 03 a6 7269736b2d31"  // "gen": [3, "risk-1"]
                "a6 66696c746572 a6 74726164652e a4 666f726d a5 77686f6c65"  // "filter": "trade.", "form": "whole"
                "a7 73747265616d73 92"
                "93 a1 61 07 92"  // ["a", 7, [
                "95 01 ae 74726164652e617070726f766564 03 0a 94 0c 0c 0e 14"  //   [1, "trade.approved", 3, 10, [12, 12,
                                                                              //   14, 20]]
                "94 01 ae 74726164652e72656a6563746564 03 00"  //   [1, "trade.rejected", 3, 0]]]
                "93 a1 62 07 91 94 01 ae 74726164652e617070726f766564 03 05")));
}

TEST(SpoolRecord, EveryTruncationIsAnError) {
  for (const SpoolRecord& record : samples_of_each()) {
    const Bytes bytes = encode(record);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(decode_spool_record(cut)) << size;
    }
  }
}

TEST(SpoolRecord, BytesBehindItAreAnError) {
  Bytes bytes = encode(some_attempt());
  bytes.push_back(0);
  EXPECT_FALSE(error_of(bytes).empty());
}

TEST(SpoolRecord, MembersOfLaterVersionsAreSkipped) {
  MsgpackWriter out;
  const Bytes bytes = encode(some_attempt());
  out.map(8);
  out.raw(BytesView(bytes).subspan(1));
  out.str("later");
  out.array(1);
  out.nil();
  const auto decoded = decode_spool_record(out.bytes());
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, SpoolRecord(some_attempt()));
}

TEST(SpoolRecord, KindsOfLaterVersionsAreNotFound) {
  const auto decoded = decode_spool_record(with_member(some_attempt(), "record", text("promise")));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::NotFound);
  EXPECT_NE(decoded.error().message.find("promise"), std::string::npos);
}

TEST(SpoolRecord, WhatIsMissingIsNamed) {
  const std::vector<std::pair<SpoolRecord, std::string>> needed = {
      {some_cursor(), "record"}, {some_cursor(), "sub"},    {some_cursor(), "gen"},   {some_cursor(), "filter"},
      {some_attempt(), "sub"},   {some_attempt(), "event"}, {some_letter(), "event"}, {some_letter(), "agent"}};
  for (const auto& [record, member] : needed)
    EXPECT_EQ(error_of(with_member(record, member, {})), member + ": missing");
}

TEST(SpoolRecord, WhatIsWrongIsNamed) {
  const Bytes wrong = {0xc3};  // true
  for (const SpoolRecord& record : samples_of_each()) {
    const Bytes bytes = encode(record);
    MsgpackReader in(bytes);
    for (std::size_t left = *in.read_map(); left > 0; --left) {
      const std::string member(*in.read_string());
      ASSERT_TRUE(in.skip());
      EXPECT_EQ(error_of(with_member(record, member, wrong)).find(member + ": "), 0u) << member;
    }
  }
}

TEST(SpoolRecord, NamesAreChecked) {
  EXPECT_EQ(error_of(with_member(some_cursor(), "sub", text("Two Words"))), "sub: not the name of a subscription");
  EXPECT_EQ(error_of(with_member(some_cursor(), "filter", text("trade..x"))), "filter: not a filter");
  EXPECT_EQ(error_of(with_member(some_cursor(), "form", text("part"))), "form: no such form");
  EXPECT_EQ(error_of(with_member(some_letter(), "state", text("alive"))), "state: no such state");
  EXPECT_EQ(error_of(with_member(some_letter(), "event", text("node-1:7"))).find("event: "), 0u);
}

TEST(SpoolRecord, DoneAheadIsInOrderBehindTheCursorAndBounded) {
  const auto accepted = [](std::vector<std::pair<std::uint64_t, std::uint64_t>> ahead) {
    CursorRecord record = some_cursor();
    record.streams[0].ahead = std::move(ahead);
    return decode_spool_record(encode(record)).has_value();
  };
  EXPECT_TRUE(accepted({{11, 11}, {13, 13}}));
  EXPECT_TRUE(accepted({{12, 1035}}));
  EXPECT_FALSE(accepted({{12, 1036}}));
  EXPECT_FALSE(accepted({{10, 11}}));
  EXPECT_FALSE(accepted({{14, 13}}));
  EXPECT_FALSE(accepted({{14, 16}, {16, 17}}));
  EXPECT_FALSE(accepted({{12, UINT64_MAX}}));
}

TEST(SpoolRecord, ErrorTextsAreCutAndEscaped) {
  AttemptRecord record = some_attempt();
  record.error = std::string(5000, 'x');
  auto decoded = decode_spool_record(encode(record));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<AttemptRecord>(*decoded).error.size(), limits::error_text_bytes_max);
  record.error = "bad \xff byte";
  decoded = decode_spool_record(encode(record));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<AttemptRecord>(*decoded).error, "bad \\xff byte");
}

TEST(SpoolRecord, OnlyTheNewestDeathsAreKept) {
  LetterRecord record = some_letter();
  record.deaths.assign(limits::letter_deaths_max + 3, record.deaths[0]);
  record.deaths.front().attempts = 99;
  record.deaths.back().attempts = 7;
  const auto decoded = decode_spool_record(encode(record));
  ASSERT_TRUE(decoded);
  const auto& deaths = std::get<LetterRecord>(*decoded).deaths;
  EXPECT_EQ(deaths.size(), limits::letter_deaths_max);
  EXPECT_EQ(deaths.back().attempts, 7u);
  EXPECT_NE(deaths.front().attempts, 99u);
}

TEST(SpoolRecord, ALetterOfTheLargestEventFits) {
  LetterRecord record = some_letter();
  record.event =
      std::string(64, 'n') + ":18446744073709551615:0:" + std::string(120, 't') + ":255:18446744073709551615";
  record.agent = std::string(limits::source_bytes_max, 'a');
  record.deaths.assign(limits::letter_deaths_max, {record.agent, "handler_error", UINT32_MAX, std::string(1024, 'e'),
                                                   WallTime{INT64_MAX}, WallTime{INT64_MAX}});
  record.frame = Bytes(limits::message_bytes_max, 1);
  Event event;
  event.type = std::string(record_type);
  event.source = std::string(64, 'n');
  event.data = encode(record);
  const auto encoded = encode_event(event, 0, limits::record_bytes_max);
  ASSERT_TRUE(encoded) << encoded.error().message;
  FrameBuilder builder;
  builder.begin(node_1, Priority::High, record_type, 0, 1);
  builder.append(encoded->bytes);
  auto frame = Frame::decode(builder.finish());
  ASSERT_TRUE(frame) << frame.error().message;
  ASSERT_EQ((*frame)->events().size(), 1u);
  EXPECT_EQ((*frame)->events()[0].defect, "");
  const auto decoded = decode_spool_record((*frame)->events()[0].data);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(std::get<LetterRecord>(*decoded).frame, record.frame);
}

TEST(SpoolRecord, TheCostOfAStreamIsNeverTooLow) {
  CursorRecord record = some_cursor();
  const StreamId longest{{std::string(64, 'n'), INT64_MAX}, Priority::Low, std::string(120, 't'), 255};
  record.streams.assign(1, {longest, INT64_MAX - 4000, {}});
  for (std::uint64_t i = 0; i < 512; ++i)
    record.streams[0].ahead.emplace_back(INT64_MAX - 3000 + 2 * i, INT64_MAX - 3000 + 2 * i);
  const std::size_t head =
      encode(CursorRecord{"orders", {3, "risk-1"}, "trade.", CursorRecord::Form::Whole, {}}).size();
  EXPECT_LE(encode(record).size(), head + record_cost(record.streams[0]));
}

TEST(SpoolRecord, TheHigherRoundHoldsThenTheHigherState) {
  LetterRecord first, second;
  second.state = LetterState::Resolved;
  EXPECT_TRUE(holds_over(second, first));
  EXPECT_FALSE(holds_over(first, second));
  EXPECT_FALSE(holds_over(first, first));
  first.round = 2;
  EXPECT_TRUE(holds_over(first, second));
}

TEST(MergeCursors, TheHigherGenerationWinsWhole) {
  CursorRecord state = some_cursor();
  CursorRecord newer{"orders", {4, "a"}, "order.", CursorRecord::Form::Whole, {stream("c", "order.new", 1)}};
  merge(state, newer);
  EXPECT_EQ(state, newer);
  merge(state, some_cursor());
  EXPECT_EQ(state, newer);
}

TEST(MergeCursors, WithinAGenerationEachStreamHasTheMost) {
  CursorRecord state{"orders", {3, "risk-1"}, "trade.", CursorRecord::Form::Whole, {stream("b", "trade.approved", 5)}};
  state.streams[0].ahead = {{8, 9}};
  CursorRecord delta = state;
  delta.form = CursorRecord::Form::Delta;
  delta.streams = {stream("b", "trade.approved", 3), stream("a", "trade.approved", 2)};
  delta.streams[0].ahead = {{6, 6}, {10, 12}, {20, 20}};
  merge(state, delta);
  ASSERT_EQ(state.streams.size(), 2u);
  EXPECT_EQ(state.form, CursorRecord::Form::Whole);
  EXPECT_EQ(state.streams[0], stream("a", "trade.approved", 2));
  EXPECT_EQ(state.streams[1].done, 6u);
  EXPECT_EQ(state.streams[1].ahead, (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{8, 12}, {20, 20}}));
}

TEST(MergeCursors, AGenerationWithoutAWholeIsKnownByItsForm) {
  CursorRecord state;
  CursorRecord delta{"orders", {1, "n"}, "trade.", CursorRecord::Form::Delta, {stream("a", "trade.approved", 2)}};
  merge(state, delta);
  EXPECT_EQ(state.form, CursorRecord::Form::Delta);
  CursorRecord whole = delta;
  whole.form = CursorRecord::Form::Whole;
  whole.streams = {stream("b", "trade.approved", 1)};
  merge(state, whole);
  EXPECT_EQ(state.form, CursorRecord::Form::Whole);
  EXPECT_EQ(state.streams.size(), 2u);
  merge(state, delta);
  EXPECT_EQ(state.form, CursorRecord::Form::Whole);
}

TEST(MergeCursors, WhatIsRemovedStaysRemovedWithinItsGeneration) {
  CursorRecord state = some_cursor();
  CursorRecord removed{"orders", {3, "risk-1"}, "trade.", CursorRecord::Form::Removed, {}};
  merge(state, removed);
  EXPECT_EQ(state, removed);
  merge(state, some_cursor());
  EXPECT_EQ(state, removed);
}

TEST(MergeCursors, WhatIsAheadStaysBounded) {
  CursorRecord state{"orders", {3, "risk-1"}, "trade.", CursorRecord::Form::Whole, {stream("b", "trade.approved", 5)}};
  state.streams[0].ahead = {{10, 1000}};
  CursorRecord delta = state;
  delta.streams[0].ahead = {{2000, 2900}};
  merge(state, delta);
  EXPECT_TRUE(decode_spool_record(encode(state)));
  EXPECT_EQ(state.streams[0].ahead.front(), (std::pair<std::uint64_t, std::uint64_t>{10, 1000}));
}

TEST(CutFrame, IsTheEventAloneUnderItsOwnNumber) {
  for (const Bytes& bytes : {frame_of({plain_event(), full_event(), plain_event()}),
                             compressed_frame_of({plain_event(), full_event(), plain_event()})}) {
    const auto frame = Frame::decode(Bytes(bytes)).value();
    const auto cut = Frame::decode(frame->cut(1)).value();
    ASSERT_EQ(cut->events().size(), 1u);
    EXPECT_EQ(cut->events()[0].id_string(), frame->events()[1].id_string());
    EXPECT_TRUE(same(cut->events()[0].to_event(), full_event()));
  }
}

TEST(CutFrame, ADefectStaysOne) {
  Bytes bytes = frame_of({plain_event(), plain_event()});
  bytes.push_back(0xc0);  // behind the last event
  const auto frame = Frame::decode(std::move(bytes)).value();
  ASSERT_NE(frame->events()[0].defect, "");
  EXPECT_NE(Frame::decode(frame->cut(0)).value()->events()[0].defect, "");

  Bytes broken = frame_of({plain_event(), plain_event(), plain_event()});
  broken.resize(broken.size() - 3);
  const auto short_frame = Frame::decode(std::move(broken)).value();
  EXPECT_EQ(Frame::decode(short_frame->cut(1)).value()->events()[0].defect, "");
  EXPECT_NE(Frame::decode(short_frame->cut(2)).value()->events()[0].defect, "");
  EXPECT_EQ(Frame::decode(short_frame->cut(2)).value()->header().first_sequence, 44u);
}

TEST(SpoolRecord, NamesOfSubscriptions) {
  EXPECT_TRUE(is_subscription_name("orders-v2.eu_west"));
  EXPECT_FALSE(is_subscription_name(""));
  EXPECT_FALSE(is_subscription_name("Orders"));
  EXPECT_FALSE(is_subscription_name("a b"));
  EXPECT_FALSE(is_subscription_name(std::string(65, 'a')));
}

TEST(SpoolRecord, SurvivesRandomDamage) {
  const std::uint64_t seed = 20251;
  Rng rng(seed);
  for (int round = 0; round < 20000; ++round) {
    const auto all = samples_of_each();
    Bytes bytes = encode(all[rng.below(all.size())]);
    for (std::uint64_t n = 1 + rng.below(3); n > 0; --n)
      bytes[rng.below(bytes.size())] = static_cast<std::uint8_t>(rng.below(256));
    const auto decoded = decode_spool_record(bytes);
    if (!decoded) continue;
    const auto again = decode_spool_record(encode(*decoded));
    ASSERT_TRUE(again) << "seed " << seed << " round " << round << ": " << again.error().message;
    ASSERT_EQ(*again, *decoded) << "seed " << seed << " round " << round;
  }
}

}  // namespace
}  // namespace legion
