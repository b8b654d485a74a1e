// Frames that nobody of ours wrote. Under the sanitizers these tests also show that nothing is read out of bounds.
#include "samples.hpp"

#include <limits>

#include <gtest/gtest.h>
#include <zstd.h>

#include <legion/base/rng.hpp>

namespace legion {
namespace {

using namespace samples;

// Decodes a copy on the heap of exactly that size, so that one byte too far is noticed. Whatever comes out agrees with
// itself: the header of both functions is the same, there are as many events as it says, and each can be used.
void expect_consistent(const Bytes& bytes) {
  const auto header = decode_frame_header(bytes);
  const auto frame = Frame::decode(Bytes(bytes));
  if (frame) {
    ASSERT_TRUE(header);
    EXPECT_EQ(header->event_count, (*frame)->header().event_count);
    EXPECT_EQ(header->first_sequence, (*frame)->header().first_sequence);
    ASSERT_EQ((*frame)->events().size(), header->event_count);
    for (const EventView& event : (*frame)->events()) {
      EXPECT_EQ(event.type, header->type);
      if (!event.defect.empty()) continue;
      const Event copy = event.to_event();
      EXPECT_TRUE(encode_event(copy, event.shard, limits::event_bytes_max));
    }
  } else {
    EXPECT_FALSE(frame.error().message.empty());
  }
}

ErrorCode error_of(const Bytes& bytes) {
  const auto frame = Frame::decode(Bytes(bytes));
  EXPECT_FALSE(frame);
  return frame ? ErrorCode::Internal : frame.error().code;
}

std::vector<Bytes> sample_frames() {
  return {frame_of({plain_event()}), frame_of({plain_event(), full_event()}), frame_of({full_event()}),
          make_tail_marker(node_1, Priority::Low, "market.data_received", 7, 9),
          compressed_frame_of(std::vector<Event>(20, full_event()))};
}

TEST(HostileFrame, EveryTruncationIsAnErrorOrADefect) {
  for (const Bytes& frame : sample_frames()) {
    for (std::size_t size = 0; size < frame.size(); ++size) {
      const Bytes cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
      expect_consistent(cut);
      const auto decoded = Frame::decode(Bytes(cut));
      if (decoded) {
        EXPECT_FALSE((*decoded)->events().back().defect.empty()) << size;
      }
    }
  }
}

TEST(HostileFrame, EveryMutatedByteIsAnErrorOrConsistent) {
  for (const Bytes& frame : sample_frames()) {
    for (std::size_t at = 0; at < frame.size(); ++at) {
      Bytes mutated = frame;
      for (int bit = 0; bit < 8; ++bit) {
        mutated[at] = static_cast<std::uint8_t>(frame[at] ^ (1 << bit));
        expect_consistent(mutated);
      }
      for (const std::uint8_t value : {0x00, 0x7f, 0xc0, 0xc1, 0xc6, 0xd9, 0xdb, 0xdd, 0xdf, 0xff}) {
        mutated[at] = value;
        expect_consistent(mutated);
      }
    }
  }
}

TEST(HostileFrame, RandomBytesBehindAGoodHeadAreConsistent) {
  Rng rng(3);
  const Bytes whole = frame_of({plain_event()});
  const std::size_t head = decode_frame_header(whole)->events_offset;
  for (int round = 0; round < 3'000; ++round) {
    Bytes bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(head));
    bytes[head - 1] = static_cast<std::uint8_t>(1 + rng.below(4));
    const std::size_t extra = rng.below(60);
    for (std::size_t i = 0; i < extra; ++i) bytes.push_back(static_cast<std::uint8_t>(rng.next()));
    expect_consistent(bytes);
  }
}

// Nothing of a frame is delivered whose end is not where it should be: with the header read, the events say so.
void expect_all_defects(const Bytes& bytes) {
  const auto frame = Frame::decode(Bytes(bytes));
  ASSERT_TRUE(frame) << frame.error().message;
  const auto& events = (*frame)->events();
  ASSERT_EQ(events.size(), (*frame)->header().event_count);
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].defect, "bytes follow the last event of the frame");
    EXPECT_EQ(events[i].sequence, (*frame)->header().first_sequence + i);
    EXPECT_EQ(events[i].type, (*frame)->header().type);
    EXPECT_TRUE(events[i].source.empty());
    EXPECT_TRUE(events[i].data.empty());
  }
}

TEST(HostileFrame, BytesBehindATailMarkerOrACompressedBodyAreBadData) {
  for (Bytes frame : {make_tail_marker(node_1, Priority::Low, "market.data_received", 7, 9),
                      compressed_frame_of(std::vector<Event>(20, full_event()))}) {
    frame.push_back(0xc0);
    EXPECT_EQ(error_of(frame), ErrorCode::BadData);
    EXPECT_FALSE(decode_frame_header(frame));
  }
}

TEST(HostileFrame, BytesBehindTheLastEventMakeEveryEventADefect) {
  for (Bytes frame : {frame_of({plain_event()}), frame_of({plain_event(), full_event()}), frame_of({full_event()})}) {
    frame.push_back(0xc0);
    expect_all_defects(frame);
  }
}

TEST(HostileFrame, BytesBehindADamagedEventMakeEveryEventADefect) {
  Bytes frame = frame_of({plain_event(), plain_event()});
  frame[decode_frame_header(frame)->events_offset + 11] = 0xff;
  frame.push_back(0xc0);
  expect_all_defects(frame);
}

TEST(HostileFrame, AnotherVersionOrAnUnknownFlagIsWrongVersion) {
  Bytes frame = frame_of({plain_event()});
  ASSERT_EQ(frame[17], 0x01);
  frame[17] = 0x02;
  EXPECT_EQ(error_of(frame), ErrorCode::WrongVersion);
  frame[17] = 0x00;
  EXPECT_EQ(error_of(frame), ErrorCode::WrongVersion);
  frame[17] = 0x02;
  frame[16] = 0x98;  // a later version may have more fields
  EXPECT_EQ(error_of(frame), ErrorCode::WrongVersion);

  Bytes flagged = frame_of({plain_event()});
  const std::size_t flags = decode_frame_header(flagged)->events_offset - 6;
  ASSERT_EQ(flagged[flags], 0x00);
  flagged[flags] = 0x82;
  EXPECT_EQ(error_of(flagged), ErrorCode::WrongVersion);
}

TEST(HostileFrame, ADamagedEventCostsOnlyItself) {
  Bytes frame = frame_of({plain_event(), plain_event(), plain_event()});
  const std::size_t each = encoded(plain_event()).size();
  const std::size_t second = decode_frame_header(frame)->events_offset + each;
  ASSERT_EQ(frame[second + 10], 0xab);
  frame[second + 11] = 0xff;  // the source is not UTF-8 any more
  const auto decoded = Frame::decode(std::move(frame));
  ASSERT_TRUE(decoded);
  const auto& events = (*decoded)->events();
  EXPECT_TRUE(events[0].defect.empty());
  EXPECT_FALSE(events[1].defect.empty());
  EXPECT_EQ(events[1].sequence, 43u);
  EXPECT_EQ(events[1].id_string(), "node-1:72623859790382856:0:trade.approved:0:43");
  EXPECT_TRUE(events[1].source.empty());
  EXPECT_TRUE(events[2].defect.empty());
  EXPECT_TRUE(same(events[2].to_event(), plain_event()));
}

TEST(HostileFrame, BehindAnEventWithoutAnEndEverythingIsADefect) {
  Bytes frame = frame_of({plain_event(), plain_event(), plain_event()});
  const std::size_t second = decode_frame_header(frame)->events_offset + encoded(plain_event()).size();
  frame[second] = 0xc1;
  const auto decoded = Frame::decode(std::move(frame));
  ASSERT_TRUE(decoded);
  ASSERT_EQ((*decoded)->events().size(), 3u);
  EXPECT_TRUE((*decoded)->events()[0].defect.empty());
  EXPECT_FALSE((*decoded)->events()[1].defect.empty());
  EXPECT_FALSE((*decoded)->events()[2].defect.empty());
}

TEST(HostileFrame, SequencesDoNotOverflow) {
  constexpr auto last = std::numeric_limits<std::uint64_t>::max();
  EXPECT_TRUE(Frame::decode(make_tail_marker(node_1, Priority::Low, "a", 0, last)));
  EXPECT_TRUE(Frame::decode(frame_of({plain_event()}, last - 1)));
  EXPECT_EQ(error_of(frame_of({plain_event()}, last)), ErrorCode::BadData);

  Bytes zero = make_tail_marker(node_1, Priority::Low, "a", 0, 1);
  zero[zero.size() - 8] = 0;
  EXPECT_EQ(error_of(zero), ErrorCode::BadData);
}

TEST(HostileFrame, ACountBeyondTheBytesIsRefusedBeforeAnythingIsAllocated) {
  Bytes frame = make_tail_marker(node_1, Priority::Low, "a", 0, 1);
  for (std::size_t i = 0; i < 4; ++i) frame[frame.size() - 1 - i] = 0xff;
  EXPECT_EQ(error_of(frame), ErrorCode::BadData);
}

TEST(HostileFrame, TopicsFollowTheGrammar) {
  const Bytes good = make_tail_marker(node_1, Priority::Low, "~replay.trade.approved", 0, 1);
  EXPECT_TRUE(Frame::decode(Bytes(good)));
  for (const std::uint8_t bad : {'A', ' ', '~', '-', '\xff'}) {
    Bytes frame = good;
    frame[3] = bad;
    EXPECT_EQ(error_of(frame), ErrorCode::BadData) << int{bad};
  }
  Bytes no_end(400, 'a');
  EXPECT_EQ(error_of(no_end), ErrorCode::BadData);
  EXPECT_EQ(error_of({}), ErrorCode::BadData);
}

TEST(HostileFrame, TooLargeIsTooBig) {
  EXPECT_EQ(error_of(Bytes(limits::record_frame_bytes_max + 1, 'a')), ErrorCode::TooBig);
}

// A frame whose compressed body is `body`.
Bytes with_body(const Bytes& body) {
  Bytes frame = make_tail_marker(node_1, Priority::Low, "a", 0, 1);
  frame[frame.size() - 6] = frame_flag_zstd;
  frame.resize(frame.size() - 5);
  MsgpackWriter writer(std::move(frame));
  writer.bin32(body);
  return writer.take();
}

Bytes zstd(const Bytes& content) {
  Bytes out(ZSTD_compressBound(content.size()));
  out.resize(ZSTD_compress(out.data(), out.size(), content.data(), content.size(), 1));
  return out;
}

TEST(HostileFrame, ABodyThatExpandsTooFarIsRefused) {
  Bytes bomb = from_hex("dd00010000");
  bomb.resize(8 << 20, 0xc0);
  EXPECT_EQ(error_of(with_body(zstd(bomb))), ErrorCode::BadData);
  EXPECT_FALSE(decode_frame_header(with_body(zstd(bomb))));
}

TEST(HostileFrame, ACompressedBodyIsExactlyOneRunOfEvents) {
  const Bytes nil_event = from_hex("dd00000001c0");
  ASSERT_TRUE(Frame::decode(with_body(zstd(nil_event))));

  EXPECT_EQ(error_of(with_body({})), ErrorCode::BadData);
  EXPECT_EQ(error_of(with_body(from_hex("00010203040506070809"))), ErrorCode::BadData);
  EXPECT_EQ(error_of(with_body(zstd(from_hex("dd00000000")))), ErrorCode::BadData);
  expect_all_defects(with_body(zstd(from_hex("dd00000001c0c0"))));
  EXPECT_EQ(error_of(with_body(zstd(from_hex("dd00000002c0")))), ErrorCode::BadData);
  EXPECT_EQ(error_of(with_body(zstd(from_hex("91c0")))), ErrorCode::BadData);
  Bytes twice = zstd(nil_event);
  const Bytes once = twice;
  twice.insert(twice.end(), once.begin(), once.end());
  EXPECT_EQ(error_of(with_body(twice)), ErrorCode::BadData);
}

TEST(HostileFrame, DataBeyondTheDepthLimitIsADefect) {
  const auto nested = [](std::size_t depth) {
    Bytes data(depth - 1, 0x91);
    data.push_back(0x90);
    return data;
  };
  Event event = plain_event();
  event.data = nested(limits::msgpack_depth_max);
  const Bytes bytes = encoded(event);
  event.data = nested(limits::msgpack_depth_max + 1);
  EXPECT_FALSE(encode_event(event, 0, limits::event_bytes_max));

  FrameBuilder builder;
  builder.begin(node_1, Priority::Critical, "trade.approved", 0, 1);
  builder.append(bytes);
  Bytes deeper = bytes;
  deeper.back() = 0x91;
  deeper.push_back(0x90);
  builder.append(deeper);
  builder.append(bytes);
  const auto frame = Frame::decode(builder.finish());
  ASSERT_TRUE(frame);
  EXPECT_TRUE((*frame)->events()[0].defect.empty());
  EXPECT_FALSE((*frame)->events()[1].defect.empty());
  EXPECT_TRUE((*frame)->events()[2].defect.empty());
}

}  // namespace
}  // namespace legion
