#include <map>

#include "streams_kit.hpp"

namespace legion {
namespace {

using namespace streams_kit;

class EgressMarkers : public ::testing::Test {
 protected:
  void publish(Duration when, const std::string& type, Priority lane = Priority::Normal) {
    std::vector<OutFrame> out;
    streams_kit::pack(egress, at(when), lane, std::vector{event(type)}, out, nullptr);
  }
  std::vector<Said> tick(Duration when) {
    std::vector<OutFrame> out;
    egress.on_tick(at(when), out);
    return read(out);
  }
  /// Moments of the markers between two moments, ticking every 50 ms.
  std::vector<Duration> markers_between(Duration from, Duration to) {
    std::vector<Duration> out;
    for (Duration t = from; t <= to; t += 50ms) out.insert(out.end(), tick(t).size(), t);
    return out;
  }
  std::vector<Said> flush(Duration when) {
    std::vector<OutFrame> out;
    egress.flush_markers(at(when), out);
    return read(out);
  }

  Egress egress{{"here", 9}, {.heartbeat_interval = 1s, .marker_interval_max = 60s}};
};

TEST_F(EgressMarkers, AQuietStreamIsMarkedOneIntervalAfterItsLastData) {
  publish(0s, "a.b");
  publish(0s, "a.b");
  EXPECT_TRUE(tick(999ms).empty());
  const auto markers = tick(1s);
  ASSERT_EQ(markers.size(), 1u);
  EXPECT_EQ(markers[0].kind, OutFrame::Kind::Marker);
  EXPECT_EQ(markers[0].type, "a.b");
  EXPECT_EQ(markers[0].first, 3u);
}

TEST_F(EgressMarkers, NothingIsMarkedWhileDataFollows) {
  for (Duration t = 0s; t <= 20s; t += 500ms) {
    publish(t, "a.b");
    EXPECT_TRUE(tick(t).empty());
  }
  EXPECT_TRUE(tick(20s + 999ms).empty());
  EXPECT_EQ(tick(21s).size(), 1u);
}

TEST_F(EgressMarkers, MarkersAreRepeatedWithDoublingIntervalUpToTheMaximum) {
  publish(0s, "a.b");
  EXPECT_THAT(markers_between(0s, 250s),
              ::testing::ElementsAre(1s, 3s, 7s, 15s, 31s, 63s, 123s, 183s, 243s));
}

TEST_F(EgressMarkers, NewDataBringsTheShortIntervalBack) {
  publish(0s, "a.b");
  EXPECT_EQ(markers_between(0s, 40s).size(), 5u);  // the next would be due at 63 s
  publish(40s, "a.b");
  EXPECT_THAT(markers_between(40s, 50s), ::testing::ElementsAre(41s, 43s, 47s));
}

TEST_F(EgressMarkers, HeartbeatsOnTimeNeedNoMarkers) {
  for (int beat = 0; beat < 20; ++beat) {
    publish(beat * 1050ms, "agent.heartbeat", Priority::Critical);
    EXPECT_TRUE(markers_between(beat * 1050ms, beat * 1050ms + 1s).empty());
  }
  EXPECT_EQ(markers_between(21s, 23s).size(), 1u);
}

TEST_F(EgressMarkers, ManyDueAtOnceAreSpreadOverTheInterval) {
  constexpr int streams = 10'000;
  std::vector<EncodedEvent> events;
  for (int i = 0; i < streams; ++i) events.push_back(event("t." + std::to_string(i)));
  std::vector<OutFrame> out;
  for (Duration t = 0s; t < 1s; t += 50ms) tick(t);
  streams_kit::pack(egress, at(1s), Priority::Normal, events, out, nullptr);

  std::map<std::string, Duration> marked;
  std::size_t most = 0;
  for (Duration t = 1s; t <= 3s + 50ms; t += 50ms) {
    const auto markers = tick(t);
    most = std::max(most, markers.size());
    for (const Said& marker : markers) EXPECT_TRUE(marked.emplace(marker.type, t).second) << marker.type;
  }
  EXPECT_EQ(marked.size(), std::size_t{streams});
  EXPECT_LE(most, std::size_t{streams} / 20);
}

TEST_F(EgressMarkers, ATurnThatComesLateDoesNotReleaseEverything) {
  std::vector<EncodedEvent> events;
  for (int i = 0; i < 1000; ++i) events.push_back(event("t." + std::to_string(i)));
  std::vector<OutFrame> out;
  tick(0s);
  streams_kit::pack(egress, at(0s), Priority::Normal, events, out, nullptr);
  EXPECT_LE(tick(30s).size(), 500u);
}

TEST_F(EgressMarkers, PacingDoesNotDependOnHowOftenTheLoopTurns) {
  std::vector<EncodedEvent> events;
  for (int i = 0; i < 1000; ++i) events.push_back(event("t." + std::to_string(i)));
  std::vector<OutFrame> out;
  tick(0s);
  streams_kit::pack(egress, at(0s), Priority::Normal, events, out, nullptr);
  for (Duration t = 0s; t < 1s; t += 100us) EXPECT_TRUE(tick(t).empty());
  std::size_t first_half = 0, all = 0;
  for (Duration t = 1s; t <= 2s + 10ms; t += 100us) {
    all += tick(t).size();
    if (t <= 1500ms) first_half = all;
  }
  EXPECT_NEAR(static_cast<double>(first_half), 500.0, 20.0);
  EXPECT_EQ(all, 1000u);
}

TEST_F(EgressMarkers, FlushMarksWhatMovedSinceItsLastMarkerAndNothingElse) {
  publish(0s, "quiet.one");
  EXPECT_EQ(tick(1s).size(), 1u);
  publish(1s, "moved.one");
  publish(1s, "moved.two", Priority::Low);
  const auto markers = flush(1100ms);
  ASSERT_EQ(markers.size(), 2u);
  EXPECT_EQ(markers[0].type, "moved.one");
  EXPECT_EQ(markers[1].lane, Priority::Low);
  EXPECT_TRUE(flush(1200ms).empty());
}

}  // namespace
}  // namespace legion
