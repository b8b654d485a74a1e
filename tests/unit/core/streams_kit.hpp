// Short ways to say what the tests of the streams are about.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <legion/core/egress.hpp>
#include <legion/core/ledger.hpp>

namespace legion::streams_kit {

inline Now at(Duration since_start) {
  constexpr std::int64_t start = 1'000'000'000'000;
  return {SteadyTime{start + since_start.count()}, WallTime{start + since_start.count()}};
}

inline Filter filter(std::string_view text) { return Filter::parse(text).value(); }

inline EncodedEvent event(std::string type, std::size_t bytes = 40, std::uint8_t shard = 0) {
  return {std::move(type), Priority::Normal, shard, Bytes(bytes, 0xc0)};
}

/// The number given to the `index`-th event; 0: refused.
struct Numbered {
  std::size_t index = 0;
  std::uint64_t sequence = 0;
};

/// What the queue of a lane and the loop do between them. `numbered` (may be null) is cleared and gets one entry per
/// event, in the order of sending.
inline void pack(Egress& egress, Now now, Priority lane, const std::vector<EncodedEvent>& events,
                 std::vector<OutFrame>& out, std::vector<Numbered>* numbered) {
  FramePacker packer(egress.origin().node, lane);
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::size_t> index_of;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const FramePacker::Place place = packer.append(events[i].type, events[i].shard, events[i].bytes);
    index_of[{place.frame, place.index}] = i;
  }
  std::vector<UnnumberedFrame> frames;
  EXPECT_EQ(packer.take(events.size(), frames), events.size());
  if (numbered != nullptr) numbered->clear();
  for (UnnumberedFrame& frame : frames) {
    const std::uint64_t first = egress.number(now, frame);
    for (std::uint32_t i = 0; numbered != nullptr && i < frame.count; ++i) {
      numbered->push_back({index_of.at({frame.serial, i}), first == 0 ? 0 : first + i});
    }
    if (first != 0) out.push_back({lane, OutFrame::Kind::Data, std::move(frame.bytes)});
  }
}

/// What a frame or a sync part says, without views.
struct Said {
  OutFrame::Kind kind = OutFrame::Kind::Data;
  Priority lane = Priority::Normal;
  Origin origin;
  std::string type;
  std::uint8_t shard = 0;
  std::uint64_t first = 0;
  std::uint32_t count = 0;
  std::size_t bytes = 0;
};

inline Said read(const OutFrame& frame) {
  const FrameHeader h = decode_frame_header(frame.bytes).value();
  EXPECT_EQ(h.lane, frame.lane);
  EXPECT_EQ(h.is_tail_marker(), frame.kind == OutFrame::Kind::Marker);
  return {frame.kind, h.lane, {std::string(h.origin), h.incarnation}, std::string(h.type), h.shard, h.first_sequence,
          h.event_count, frame.bytes.size()};
}

inline std::vector<Said> read(const std::vector<OutFrame>& frames) {
  std::vector<Said> out;
  for (const OutFrame& frame : frames) out.push_back(read(frame));
  return out;
}

/// A ledger on the node `here` that hears the node `far`, mostly on the normal lane.
class LedgerTest : public ::testing::Test {
 protected:
  static constexpr Priority normal = Priority::Normal;
  static constexpr std::uint64_t unbooked = UINT64_MAX;

  FrameVerdict data(std::string_view type, std::uint64_t first, std::uint32_t count, Incarnation incarnation = 10) {
    return ledger.on_frame(now, header(type, first, count, incarnation));
  }
  FrameVerdict marker(std::string_view type, std::uint64_t next, Incarnation incarnation = 10) {
    return ledger.on_frame(now, header(type, next, 0, incarnation));
  }
  static FrameHeader header(std::string_view type, std::uint64_t first, std::uint32_t count, Incarnation incarnation,
                            std::string_view origin = "far") {
    FrameHeader h;
    h.type = type;
    h.version = frame_version;
    h.origin = origin;
    h.incarnation = incarnation;
    h.lane = normal;
    h.first_sequence = first;
    h.event_count = count;
    return h;
  }
  static ReceivedSyncPart part(const SyncTopic& topic, std::vector<Tail> tails, std::uint32_t number = 0,
                               bool last = true, Incarnation incarnation = 10) {
    ReceivedSyncPart out;
    out.topic = topic;
    out.part = {.origin = {topic.origin, incarnation}, .lane = normal, .part = number, .last = last,
                .tails = std::move(tails)};
    return out;
  }
  SyncTopic begin_sync() { return ledger.begin_sync(now, "far", normal); }
  bool echo(const SyncTopic& topic, std::vector<Tail> tails, Incarnation incarnation = 10) {
    return ledger.on_sync_part(now, normal, part(topic, std::move(tails), 0, true, incarnation));
  }
  /// A whole sync; its echo states these tails.
  void sync(std::vector<Tail> tails, Incarnation incarnation = 10) {
    ASSERT_TRUE(echo(begin_sync(), std::move(tails), incarnation));
  }
  std::uint64_t published(LedgerSubscription s) const { return ledger.books(s).published; }
  std::uint64_t lost_link(LedgerSubscription s) const { return ledger.books(s).lost_for(LossReason::Link); }
  std::uint64_t lost_died(LedgerSubscription s) const { return ledger.books(s).lost_for(LossReason::OriginDied); }

  Now now = at(0s);
  Ledger ledger{"here", Origin{"here", 5}, 1};
};

}  // namespace legion::streams_kit
