// The wire format, byte by byte. When one of these changes, frame_version has to.
#include "samples.hpp"

#include <gtest/gtest.h>

namespace legion {
namespace {

using namespace samples;

// trade.approved NUL shard-0 [1, "node-1", 0x0102030405060708, 0, 42, flags 0, events
constexpr std::string_view head_of_42 =
    "74726164652e617070726f766564 00 00 97 01 a6 6e6f64652d31 cf0102030405060708 00 cf000000000000002a cc00";

// [time, "node-1/risk", 1, {}, {"price": 1.5}]
constexpr std::string_view plain_event_hex =
    "95 cf1876b51b8590fef4 ab 6e6f64652d312f7269736b 01 80 81 a5 7072696365 cb3ff8000000000000";

constexpr std::string_view full_event_hex =
    "95 cf1876b51b8590fef4 ab 6e6f64652d312f7269736b 02"
    "89 01 a2 6331 02 a2 6332 03 a2 7470 04 a2 7473 05 a3 425443 06 cf1876b51b8590ffff 07 a2 6631 08 a2 6f31"
    "   09 82 aa 64617461736368656d61 a1 78 a7 7375626a656374 a1 73"
    "81 a5 7072696365 cb3ff8000000000000";

Bytes join(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return from_hex(text);
}

TEST(FrameGolden, OneEvent) {
  EXPECT_EQ(to_hex(frame_of({plain_event()})), to_hex(join({head_of_42, "dd00000001", plain_event_hex})));
}

TEST(FrameGolden, TwoEvents) {
  const Bytes frame = frame_of({plain_event(), full_event()});
  EXPECT_EQ(to_hex(frame), to_hex(join({head_of_42, "dd00000002", plain_event_hex, full_event_hex})));
}

TEST(FrameGolden, TailMarker) {
  const Bytes marker = make_tail_marker(node_1, Priority::Low, "market.data_received", 7, 0x1122334455667788);
  EXPECT_EQ(to_hex(marker), to_hex(from_hex("6d61726b65742e646174615f7265636569766564 00 07 97 01 a6 6e6f64652d31"
                                            "cf0102030405060708 03 cf1122334455667788 cc00 dd00000000")));
}

TEST(FrameGolden, EventWithEveryAttribute) {
  EXPECT_EQ(to_hex(encoded(full_event())), to_hex(from_hex(full_event_hex)));
}

TEST(FrameGolden, EventWithoutDataCarriesNil) {
  Event event = plain_event();
  event.data.clear();
  EXPECT_EQ(to_hex(encoded(event)), to_hex(from_hex("95 cf1876b51b8590fef4 ab 6e6f64652d312f7269736b 01 80 c0")));
}

TEST(FrameGolden, TheBytesDecodeToWhatTheyState) {
  const auto frame = Frame::decode(join({head_of_42, "dd00000002", plain_event_hex, full_event_hex}));
  ASSERT_TRUE(frame) << frame.error().message;

  const FrameHeader& header = (*frame)->header();
  EXPECT_EQ(header.type, "trade.approved");
  EXPECT_EQ(header.shard, 0);
  EXPECT_EQ(header.version, 1);
  EXPECT_EQ(header.origin, "node-1");
  EXPECT_EQ(header.incarnation, 0x0102030405060708u);
  EXPECT_EQ(header.lane, Priority::Critical);
  EXPECT_EQ(header.first_sequence, 42u);
  EXPECT_EQ(header.flags, 0);
  EXPECT_EQ(header.event_count, 2u);
  EXPECT_FALSE(header.is_tail_marker());

  ASSERT_EQ((*frame)->events().size(), 2u);
  const EventView& first = (*frame)->events()[0];
  const EventView& second = (*frame)->events()[1];
  EXPECT_TRUE(same(first.to_event(), plain_event()));
  EXPECT_TRUE(same(second.to_event(), full_event()));
  EXPECT_EQ(first.sequence, 42u);
  EXPECT_EQ(second.sequence, 43u);
  EXPECT_EQ(second.id_string(), "node-1:72623859790382856:0:trade.approved:0:43");
  EXPECT_EQ(first.correlation(), first.id_string());
  EXPECT_EQ(second.correlation(), "c1");
}

TEST(FrameGolden, ACompressedFrameHoldsTheSameEvents) {
  const std::vector<Event> events(50, full_event());
  const Bytes plain = frame_of(events);
  const Bytes compressed = compressed_frame_of(events);
  ASSERT_LT(compressed.size(), plain.size() / 4);

  const auto header = decode_frame_header(compressed);
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(header->flags, frame_flag_zstd);
  EXPECT_EQ(header->event_count, 50u);
  EXPECT_EQ(compressed[header->events_offset], 0xc6);

  const auto frame = Frame::decode(compressed);
  ASSERT_TRUE(frame) << frame.error().message;
  ASSERT_EQ((*frame)->events().size(), 50u);
  for (const EventView& event : (*frame)->events()) EXPECT_TRUE(same(event.to_event(), full_event()));
  EXPECT_EQ((*frame)->header().event_count, 50u);
  EXPECT_EQ((*frame)->events().back().sequence, 91u);
}

TEST(FrameGolden, WhatCompressionWouldEnlargeStaysPlain) {
  EXPECT_EQ(compressed_frame_of({plain_event()}), frame_of({plain_event()}));
  FrameBuilder builder;
  builder.begin(node_1, Priority::Low, "a", 0, 1);
  EXPECT_EQ(builder.finish_compressed(), make_tail_marker(node_1, Priority::Low, "a", 0, 1));
}

TEST(FrameBuilder, IsReusableAndCounts) {
  FrameBuilder builder;
  for (int round = 0; round < 2; ++round) {
    builder.begin(node_1, Priority::Critical, "trade.approved", 0, 42);
    EXPECT_EQ(builder.count(), 0u);
    const std::size_t empty = builder.bytes();
    builder.append(encoded(plain_event()));
    EXPECT_EQ(builder.count(), 1u);
    EXPECT_EQ(builder.bytes(), empty + encoded(plain_event()).size());
    EXPECT_EQ(builder.finish(), frame_of({plain_event()}));
    EXPECT_EQ(builder.bytes(), 0u);
  }
}

TEST(Frame, AnEventPointerKeepsTheFrameAlive) {
  EventPtr event;
  {
    auto frame = Frame::decode(frame_of({plain_event()}));
    ASSERT_TRUE(frame);
    event = Frame::event_ptr(*frame, 0);
  }
  EXPECT_EQ(event->source, "node-1/risk");
  EXPECT_EQ(event->type, "trade.approved");
}

}  // namespace
}  // namespace legion
