#include <algorithm>
#include <map>
#include <set>

#include "streams_kit.hpp"

namespace legion {
namespace {

using namespace streams_kit;

class EgressTest : public ::testing::Test {
 protected:
  std::vector<Said> pack(const std::vector<EncodedEvent>& events, Priority lane = Priority::Normal) {
    std::vector<OutFrame> out;
    streams_kit::pack(egress, now, lane, events, out, &numbered);
    return read(out);
  }
  SyncTopic topic() const { return {"here", "far", 7}; }
  std::vector<SyncPart> answer(Priority lane) {
    std::vector<OutFrame> out;
    egress.answer_sync(topic(), lane, out);
    std::vector<SyncPart> parts;
    for (const OutFrame& frame : out) {
      EXPECT_EQ(frame.kind, OutFrame::Kind::Sync);
      EXPECT_EQ(frame.lane, lane);
      const ReceivedSyncPart received = decode_sync_part(frame.bytes).value();
      EXPECT_EQ(received.topic, topic());
      parts.push_back(received.part);
    }
    return parts;
  }

  Now now = at(0s);
  Egress egress{{"here", 9}, {}};
  std::vector<Numbered> numbered;
};

TEST_F(EgressTest, SequencesOfAStreamStartAtOneAndHaveNoHoles) {
  const auto first = pack({event("a.b"), event("a.b")});
  const auto second = pack({event("a.b")});
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(first[0].first, 1u);
  EXPECT_EQ(first[0].count, 2u);
  EXPECT_EQ(second[0].first, 3u);
  EXPECT_EQ(first[0].origin, (Origin{"here", 9}));
  EXPECT_EQ(egress.sent(Priority::Normal), 3u);
}

TEST_F(EgressTest, InterleavedStreamsOfOneTakeBecomeOneFrameEach) {
  std::vector<EncodedEvent> events;
  for (int i = 0; i < 300; ++i) events.push_back(event("t." + std::to_string(i % 3)));
  const auto frames = pack(events);
  ASSERT_EQ(frames.size(), 3u);
  for (const Said& frame : frames) EXPECT_EQ(frame.count, 100u);
}

TEST_F(EgressTest, OrderWithinAStreamIsKeptAndEveryEventIsNumberedOnce) {
  std::vector<EncodedEvent> events;
  for (std::uint8_t i = 0; i < 60; ++i) {
    events.push_back(event("t." + std::to_string(i % 4)));
    events.back().bytes[0] = i;
  }
  std::vector<OutFrame> out;
  streams_kit::pack(egress, now, Priority::Normal, events, out, &numbered);

  ASSERT_EQ(numbered.size(), events.size());
  std::map<std::string, std::uint64_t> last;
  std::set<std::size_t> indices;
  for (const Numbered& n : numbered) {
    EXPECT_TRUE(indices.insert(n.index).second);
    EXPECT_EQ(n.sequence, ++last[events[n.index].type]);
    EXPECT_EQ(n.sequence, n.index / 4 + 1);
  }
  std::size_t sent = 0;  // numbered is in the order of sending: the bytes of the frames say the same
  for (const OutFrame& frame : out) {
    const FrameHeader header = decode_frame_header(frame.bytes).value();
    for (std::uint32_t i = 0; i < header.event_count; ++i) {
      EXPECT_EQ(frame.bytes[header.events_offset + i * 40], numbered[sent++].index);
    }
  }
}

TEST_F(EgressTest, FramesStopGrowingAtTheTarget) {
  const std::vector<EncodedEvent> events(200, event("a.b", 1000));
  const auto frames = pack(events);
  std::uint64_t next = 1;
  for (const Said& frame : frames) {
    EXPECT_LE(frame.bytes, limits::frame_bytes_target);
    EXPECT_EQ(frame.first, next);
    next += frame.count;
  }
  EXPECT_EQ(next, 201u);
  EXPECT_EQ(frames.size(), 7u);
}

TEST_F(EgressTest, ALargerEventTravelsAlone) {
  const auto frames = pack({event("a.b"), event("a.b"), event("a.b", 100'000), event("a.b"), event("a.b")});
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].count, 2u);
  EXPECT_EQ(frames[1].count, 1u);
  EXPECT_EQ(frames[1].first, 3u);
  EXPECT_GT(frames[1].bytes, 100'000u);
  EXPECT_EQ(frames[2].count, 2u);
}

TEST_F(EgressTest, LanesAndShardsAreStreamsOfTheirOwn) {
  pack({event("a.b")}, Priority::High);
  const auto frames = pack({event("a.b", 40, 0), event("a.b", 40, 1), event("a.b", 40, 0)}, Priority::Low);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].first, 1u);
  EXPECT_EQ(frames[0].count, 2u);
  EXPECT_EQ(frames[1].shard, 1u);
  EXPECT_EQ(frames[1].first, 1u);
  EXPECT_EQ(egress.streams(), 3u);
  EXPECT_EQ(egress.tails(Priority::High), (std::vector<Tail>{{"a.b", 0, 2}}));
  EXPECT_EQ(egress.tails(Priority::Low), (std::vector<Tail>{{"a.b", 0, 3}, {"a.b", 1, 2}}));
}

TEST_F(EgressTest, ReservedTypesHaveStreamsAsWell) {
  const auto frames = pack({event("~record"), event("~replay.a.b")});
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].first, 1u);
  EXPECT_EQ(frames[1].type, "~replay.a.b");
}

TEST_F(EgressTest, AStreamBeyondTheBoundIsRefusedAndCountedAndTheOthersGoOn) {
  std::vector<EncodedEvent> events;
  for (std::size_t i = 0; i < limits::streams_per_origin_max; ++i) events.push_back(event("t." + std::to_string(i), 8));
  std::vector<OutFrame> out;
  streams_kit::pack(egress, now, Priority::Normal, events, out, nullptr);
  const auto frames = pack({event("one.more"), event("t.5")}, Priority::Normal);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].first, 2u);
  ASSERT_EQ(numbered.size(), 2u);
  EXPECT_EQ(numbered[0].index, 0u);
  EXPECT_EQ(numbered[0].sequence, 0u);
  EXPECT_EQ(numbered[1].sequence, 2u);
  EXPECT_EQ(egress.refused(), 1u);
}

TEST_F(EgressTest, AnEchoOfNoStreamsIsOneEmptyLastPart) {
  const auto parts = answer(Priority::Normal);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_TRUE(parts[0].last);
  EXPECT_TRUE(parts[0].tails.empty());
  EXPECT_EQ(parts[0].origin, (Origin{"here", 9}));
}

TEST_F(EgressTest, AnEchoStatesTheNextSequenceOfEveryStreamOfItsLane) {
  pack({event("a.b"), event("a.b"), event("c.d")});
  pack({event("x.y")}, Priority::High);
  const auto parts = answer(Priority::Normal);
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].tails, (std::vector<Tail>{{"a.b", 0, 3}, {"c.d", 0, 2}}));
}

TEST_F(EgressTest, ALongEchoComesInNumberedPartsWithTheLastFlagged) {
  std::vector<EncodedEvent> events;
  for (int i = 0; i < 1024; ++i) events.push_back(event("t." + std::to_string(i)));
  pack(events);
  EXPECT_EQ(answer(Priority::Normal).size(), 2u);
  pack({event("one.more")});
  const auto parts = answer(Priority::Normal);
  ASSERT_EQ(parts.size(), 3u);
  std::set<std::string> types;
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(parts[i].part, i);
    EXPECT_EQ(parts[i].last, i == 2);
    EXPECT_LE(parts[i].tails.size(), limits::sync_tails_per_part_max);
    for (const Tail& tail : parts[i].tails) types.insert(tail.type);
  }
  EXPECT_EQ(types.size(), 1025u);
}

TEST_F(EgressTest, OnlyTheNamedOriginAnswersASync) {
  std::vector<OutFrame> out;
  egress.answer_sync({"other", "far", 7}, Priority::Normal, out);
  EXPECT_TRUE(out.empty());
}

TEST_F(EgressTest, FramesThatGoLaterAreNumberedAndNotYetToldOfInTails) {
  FramePacker packer("here", Priority::Critical);
  const auto number = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) packer.append("trade.approved", 0, Bytes{0xc0});
    std::vector<UnnumberedFrame> frames;
    packer.take(1000, frames);
    EXPECT_EQ(frames.size(), 1u);
    return egress.number(now, frames[0], Egress::Goes::Later);
  };
  EXPECT_EQ(number(2), 1u);
  EXPECT_EQ(number(3), 3u);
  ASSERT_EQ(egress.tails(Priority::Critical).size(), 1u);
  EXPECT_EQ(egress.tails(Priority::Critical)[0].next_sequence, 1u);
  EXPECT_EQ(egress.sent(Priority::Critical), 0u);
  std::vector<OutFrame> markers;
  egress.flush_markers(now, markers);
  EXPECT_TRUE(markers.empty());
  egress.went_out(now, Priority::Critical, "trade.approved", 0, 2);
  EXPECT_EQ(egress.tails(Priority::Critical)[0].next_sequence, 3u);
  egress.flush_markers(now, markers);
  EXPECT_EQ(markers.size(), 1u);
  EXPECT_EQ(number(1), 6u);
}

}  // namespace
}  // namespace legion
