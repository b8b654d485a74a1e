#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <legion/transport/link_supervisor.hpp>

namespace legion::transport {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = MonitorEventKind;

const std::string uri = "tcp://10.0.0.5:7401";

/// A supervisor of one link and a clock moved by hand.
struct Fixture {
  LinkSupervisor supervisor;
  SteadyTime now{1'000'000'000};

  Fixture() { supervisor.on_connect(now, uri); }
  void event(Kind kind, std::int32_t value = 0) { supervisor.on_monitor_event(now, {kind, uri, value}); }
  void comes_up(std::int32_t fd = 7) {
    event(Kind::Connected, fd);
    event(Kind::HandshakeSucceeded);
  }
  std::vector<LinkEffect> after(Duration passed) {
    now = now + passed;
    supervisor.on_tick(now);
    return supervisor.drain_effects();
  }
  /// How long until the next redial; fails after a minute.
  Duration until_redial() {
    for (Duration waited = 0ms; waited < 60s; waited += 10ms) {
      for (const LinkEffect& effect : after(10ms)) {
        if (effect.kind == LinkEffectKind::Redial) return waited + 10ms;
      }
    }
    ADD_FAILURE() << "no redial";
    return 60s;
  }
};

const LinkEffect up{LinkEffectKind::Up, uri};
const LinkEffect down{LinkEffectKind::Down, uri};
const LinkEffect redial{LinkEffectKind::Redial, uri};

TEST(LinkSupervisor, ReportsALinkThatComesUpAndGoesDown) {
  Fixture f;
  f.comes_up();
  EXPECT_THAT(f.after(0ms), ElementsAre(up));
  EXPECT_TRUE(f.supervisor.is_up(uri));
  f.event(Kind::Disconnected, 7);
  EXPECT_THAT(f.after(0ms), ElementsAre(down));
  EXPECT_FALSE(f.supervisor.is_up(uri));
}

TEST(LinkSupervisor, LeavesALinkToZeroMqWhileItRetries) {
  Fixture f;
  f.comes_up();
  f.event(Kind::Disconnected, 7);
  f.event(Kind::ConnectRetried, 200);
  EXPECT_THAT(f.after(5s), ElementsAre(up, down));
  f.event(Kind::ConnectDelayed);
  f.event(Kind::Closed, 8);
  f.event(Kind::ConnectRetried, 400);
  EXPECT_THAT(f.after(5s), IsEmpty());
}

TEST(LinkSupervisor, RedialsWhatZeroMqGaveUp) {
  Fixture f;
  f.comes_up();
  f.event(Kind::Disconnected, 7);
  f.supervisor.drain_effects();
  EXPECT_THAT(f.after(499ms), IsEmpty());
  EXPECT_THAT(f.after(1ms), ElementsAre(redial));
}

TEST(LinkSupervisor, RedialsAfterAHandshakeThatFailedForGood) {
  for (const Kind kind : {Kind::HandshakeFailed, Kind::HandshakeProtocolError, Kind::HandshakeRefused}) {
    Fixture f;
    f.event(Kind::Connected, 7);
    f.event(kind);
    f.event(Kind::Disconnected, 7);
    EXPECT_THAT(f.after(500ms), ElementsAre(redial)) << to_string(kind);
  }
}

TEST(LinkSupervisor, BacksOffUpToTheMaximumAndNeverBeyond) {
  Fixture f;
  Duration longest{};
  Duration previous{};
  for (int i = 0; i < 10; ++i) {
    f.event(Kind::Connected, 7);
    f.event(Kind::HandshakeProtocolError);
    const Duration waited = f.until_redial();
    EXPECT_LE(waited, 2s + 10ms);
    EXPECT_GE(waited, std::min(previous, Duration{1400ms}));
    previous = waited;
    longest = std::max(longest, waited);
  }
  EXPECT_GE(longest, 1500ms);
}

TEST(LinkSupervisor, StartsOverAfterALinkWasStable) {
  Fixture f;
  for (int i = 0; i < 6; ++i) {
    f.event(Kind::HandshakeProtocolError);
    f.until_redial();
  }
  f.comes_up();
  f.after(10s);
  f.event(Kind::Disconnected, 7);
  EXPECT_LE(f.until_redial(), 510ms);
}

TEST(LinkSupervisor, DoesNotRedialASuspectThatIsStillHeard) {
  Fixture f;
  f.comes_up();
  f.after(10s);
  f.supervisor.on_heard(f.now, uri);
  f.now = f.now + 1s;
  f.supervisor.on_suspect(f.now, uri);
  EXPECT_THAT(f.after(1min), IsEmpty());
}

TEST(LinkSupervisor, RedialsASilentSuspectAtOnce) {
  Fixture f;
  f.comes_up();
  f.supervisor.on_heard(f.now, uri);
  f.after(10s);
  f.supervisor.on_suspect(f.now, uri);
  EXPECT_THAT(f.supervisor.drain_effects(), ElementsAre(down, redial));
}

TEST(LinkSupervisor, RedialsALinkToAnEarlierLifeThatNobodyEnded) {
  Fixture f;
  f.comes_up();
  f.supervisor.on_heard(f.now, uri);
  f.after(10s);
  f.supervisor.on_succeeded(f.now, uri);
  EXPECT_THAT(f.after(1s), IsEmpty()) << "its end may be on its way";
  EXPECT_THAT(f.after(2s), ElementsAre(down, redial));
}

TEST(LinkSupervisor, DoesNotRedialALinkToANewLife) {
  Fixture just_up;
  just_up.comes_up();
  just_up.after(1s);
  just_up.supervisor.on_succeeded(just_up.now, uri);
  EXPECT_THAT(just_up.after(1min), IsEmpty());

  Fixture heard;
  heard.comes_up();
  heard.after(10s);
  heard.supervisor.on_succeeded(heard.now, uri);
  heard.supervisor.on_heard(heard.now, uri);
  EXPECT_THAT(heard.after(1min), IsEmpty());

  Fixture ended;
  ended.comes_up(7);
  ended.after(10s);
  ended.supervisor.on_succeeded(ended.now, uri);
  ended.event(Kind::Disconnected, 7);
  ended.comes_up(9);
  ended.supervisor.drain_effects();
  EXPECT_THAT(ended.after(1min), IsEmpty());
}

TEST(LinkSupervisor, DoesNotRedialASuspectThatZeroMqIsDialling) {
  Fixture f;
  f.event(Kind::ConnectRetried, 200);
  f.supervisor.on_suspect(f.now, uri);
  EXPECT_THAT(f.after(1s), IsEmpty());
}

TEST(LinkSupervisor, IgnoresWhatAReplacedConnectionStillReports) {
  Fixture f;
  f.comes_up(7);
  f.after(10s);
  f.supervisor.on_suspect(f.now, uri);
  f.supervisor.drain_effects();
  f.comes_up(9);
  EXPECT_THAT(f.supervisor.drain_effects(), ElementsAre(up));
  f.event(Kind::Disconnected, 7);
  f.event(Kind::Closed, 7);
  f.event(Kind::ConnectRetried);
  EXPECT_THAT(f.after(1min), IsEmpty());
  EXPECT_TRUE(f.supervisor.is_up(uri));
}

TEST(LinkSupervisor, WaitsUntilALostLinkIsReadToItsEnd) {
  Fixture f;
  f.comes_up();
  f.after(1s);
  f.event(Kind::Disconnected, 7);
  f.supervisor.drain_effects();
  f.after(400ms);
  f.supervisor.on_heard(f.now, uri);
  EXPECT_THAT(f.after(150ms), IsEmpty());
  EXPECT_THAT(f.after(150ms), ElementsAre(redial));
}

TEST(LinkSupervisor, IsNotPutOffForEverByFramesOfALostLink) {
  Fixture f;
  f.comes_up();
  f.after(1s);
  f.event(Kind::Disconnected, 7);
  f.supervisor.drain_effects();
  bool redialled = false;
  for (Duration waited = 0ms; waited < 3s && !redialled; waited += 100ms) {
    f.supervisor.on_heard(f.now, uri);
    redialled = !f.after(100ms).empty();
  }
  EXPECT_TRUE(redialled);
}

TEST(LinkSupervisor, RedialsAnAttemptThatShowsNoSignOfLife) {
  Fixture f;
  f.event(Kind::ConnectDelayed);
  EXPECT_THAT(f.after(14s), IsEmpty());
  EXPECT_THAT(f.after(1s), ElementsAre(redial));
}

TEST(LinkSupervisor, NamesItsNextDeadline) {
  Fixture f;
  EXPECT_EQ(f.supervisor.next_deadline(), f.now + 15s);
  f.comes_up();
  EXPECT_EQ(f.supervisor.next_deadline(), std::nullopt);
  f.event(Kind::Disconnected, 7);
  EXPECT_EQ(f.supervisor.next_deadline(), f.now + 500ms);
}

TEST(LinkSupervisor, ForgetsADisconnectedLink) {
  Fixture f;
  f.event(Kind::HandshakeProtocolError);
  f.supervisor.on_disconnect(uri);
  f.comes_up();
  EXPECT_THAT(f.after(1min), IsEmpty());
}

}  // namespace
}  // namespace legion::transport
