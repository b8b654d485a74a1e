#include <gtest/gtest.h>

#include <legion/runtime/refused_peers.hpp>

namespace legion {
namespace {

using Kind = transport::MonitorEventKind;

struct RefusedPeersTest : testing::Test {
  void feed(Kind kind, std::int32_t value = 0) { peers.on_event({kind, "tcp://127.0.0.1:7400", value}); }
  std::uint64_t count(std::string_view name) const {
    const auto found = peers.counts().find(name);
    return found == peers.counts().end() ? 0 : found->second;
  }
  RefusedPeers peers;
};

TEST_F(RefusedPeersTest, CountsAPeerThatGoesBeforeItsHandshakeEnds) {
  feed(Kind::Accepted, 7);
  feed(Kind::Disconnected, 7);
  EXPECT_EQ(count("handshake_aborted"), 1u);
}

TEST_F(RefusedPeersTest, DoesNotCountAPeerThatWasLetInAndGoesLater) {
  feed(Kind::Accepted, 7);
  feed(Kind::HandshakeSucceeded);
  feed(Kind::Disconnected, 7);
  EXPECT_TRUE(peers.counts().empty());
}

TEST_F(RefusedPeersTest, CountsANamedFailureOnce) {
  feed(Kind::Accepted, 7);
  feed(Kind::HandshakeProtocolError, 0x10000000);
  feed(Kind::Disconnected, 7);
  EXPECT_EQ(count("handshake_protocol_error"), 1u);
  EXPECT_EQ(count("handshake_aborted"), 0u);
}

TEST_F(RefusedPeersTest, CountsAsManyAsWereRefusedWhenSeveralHandshakesAreUnderWay) {
  feed(Kind::Accepted, 7);  // stays silent
  feed(Kind::Accepted, 8);
  feed(Kind::HandshakeSucceeded);
  feed(Kind::Disconnected, 7);
  feed(Kind::Disconnected, 8);
  EXPECT_EQ(count("handshake_aborted"), 1u);
}

}  // namespace
}  // namespace legion
