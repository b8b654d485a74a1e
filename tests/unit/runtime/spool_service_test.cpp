// The journal link, over real sockets.
#include <zmq.h>

#include <random>

#include "spool_kit.hpp"

namespace legion::test {
namespace {

const Origin origin_a{"a", 7};
const Origin origin_b{"b", 9};

class SpoolServiceTest : public ::testing::Test {
 protected:
  void SetUp() override { open_spool(); }
  void open_spool(SpoolService::Options options = {}) {
    const std::string at = spool ? spool->uri() : "";
    spool.reset();
    spool = std::make_unique<TestSpool>(disk, options, at);
  }
  TestNode& node(const Origin& origin, std::uint8_t boot = 1, Journal::Config config = {}) {
    nodes.push_back(std::make_unique<TestNode>(origin, boot, config));
    nodes.back()->connect("spool", spool->uri());
    return *nodes.back();
  }
  void turn() {
    if (spool) spool->turn();
    for (const auto& one : nodes) one->turn();
  }
  template <class Condition>
  bool until(const Condition& condition) {
    return eventually([&] {
      turn();
      return condition();
    });
  }

  std::shared_ptr<FakeDisk> disk = std::make_shared<FakeDisk>();
  std::unique_ptr<TestSpool> spool;
  std::vector<std::unique_ptr<TestNode>> nodes;
};

TEST_F(SpoolServiceTest, MakesAJournalDurableAndAcknowledgesIt) {
  TestNode& a = node(origin_a);
  TestNode& b = node(origin_b);
  a.append(500);
  b.append(10, 200'000);
  EXPECT_TRUE(until([&] { return a.durable() == 500 && b.durable() == 10; }));
  EXPECT_EQ(disk->positions(origin_a, JournalKind::Confirmed), up_to(500));
  EXPECT_EQ(disk->positions(origin_b, JournalKind::Confirmed), up_to(10));
  EXPECT_TRUE(until([&] { return spool->service().store_mark() == 510; }));

  const SpoolInfo info = spool->service().snapshot();
  EXPECT_EQ(info.links, 2u);
  EXPECT_EQ(info.records, 510u);
  EXPECT_EQ(info.bytes_waiting, 0u);
  EXPECT_FALSE(info.frozen);
}

TEST_F(SpoolServiceTest, AcknowledgesWhatIsDurableAndNothingElse) {
  TestNode& a = node(origin_a);
  a.append(3);
  ASSERT_TRUE(until([&] { return a.durable() == 3; }));
  disk->hold();
  a.append(2);
  ASSERT_TRUE(until([&] { return disk->is_held(); }));
  a.append(200);
  ASSERT_TRUE(until([&] { return spool->service().snapshot().records == 205; }));
  for (int i = 0; i < 100; ++i) turn();
  EXPECT_EQ(a.durable(), 3u);
  const auto batches = disk->batches().size();
  disk->let_go();
  EXPECT_TRUE(until([&] { return a.durable() == 205; }));
  // Whatever had come while one transaction ran was in the next one.
  EXPECT_LE(disk->batches().size(), batches + 2);
  EXPECT_GE(disk->batches().back(), 200u);
}

TEST_F(SpoolServiceTest, TakesEveryRecordOnceHoweverOftenTheSpoolIsStartedAnew) {
  TestNode& a = node(origin_a);
  for (int round = 1; round <= 5; ++round) {
    a.append(200);
    const auto wanted = static_cast<std::size_t>(200 * round - 100);
    ASSERT_TRUE(until([&] { return disk->rows().size() >= wanted; }));
    open_spool();
  }
  EXPECT_TRUE(until([&] { return a.durable() == 1000; }));
  EXPECT_EQ(disk->positions(origin_a, JournalKind::Confirmed), up_to(1000));
}

TEST_F(SpoolServiceTest, ForgetsTheLinkOfANodeThatDiedAndServesTheOthers) {
  TestNode& a = node(origin_a);
  node(origin_b);
  a.append(10);
  ASSERT_TRUE(until([&] { return a.durable() == 10 && spool->service().snapshot().links == 2; }));
  nodes.back()->append(300, 50'000);
  for (int i = 0; i < 3; ++i) turn();
  nodes.pop_back();
  EXPECT_TRUE(until([&] { return spool->service().snapshot().links == 1; }));
  a.append(10);
  EXPECT_TRUE(until([&] { return a.durable() == 20; }));
  const auto of_b = disk->positions(origin_b, JournalKind::Confirmed);
  EXPECT_EQ(of_b, up_to(of_b.size()));
}

TEST_F(SpoolServiceTest, RefusesASecondLifeUnderOneIncarnation) {
  TestNode& first = node(origin_a, 1);
  first.append(1);
  ASSERT_TRUE(until([&] { return first.durable() == 1; }));
  TestNode& second = node(origin_a, 2);
  second.append(1);
  EXPECT_TRUE(until([&] {
    const auto links = second.journal().links();
    return !links.empty() && links.front().state == Journal::LinkFigures::State::Refused;
  }));
  EXPECT_EQ(second.durable(), 0u);
  first.append(1);
  EXPECT_TRUE(until([&] { return first.durable() == 2; }));
}

TEST_F(SpoolServiceTest, FreezesAfterAnErrorAndGoesOnAfterARestart) {
  TestNode& a = node(origin_a, 1, {.resend_after = 50ms, .reopen_after = 20ms});
  a.append(5);
  ASSERT_TRUE(until([&] { return a.durable() == 5; }));
  disk->fail_next("no space left on device");
  a.append(5);
  EXPECT_TRUE(until([&] { return spool->service().frozen().has_value(); }));
  EXPECT_EQ(spool->service().frozen(), "no space left on device");
  EXPECT_EQ(spool->service().snapshot().frozen, "no space left on device");
  EXPECT_TRUE(until([&] {
    const auto links = a.journal().links();
    return links.front().state == Journal::LinkFigures::State::Refused;
  }));
  EXPECT_EQ(a.durable(), 5u);
  EXPECT_EQ(disk->rows().size(), 5u);

  disk->thaw();
  open_spool();
  EXPECT_TRUE(until([&] { return a.durable() == 10; }));
  EXPECT_EQ(disk->positions(origin_a, JournalKind::Confirmed), up_to(10));
}

TEST_F(SpoolServiceTest, AcknowledgesBeforeItStopsWhatItWasGiven) {
  TestNode& a = node(origin_a);
  a.append(1);
  ASSERT_TRUE(until([&] { return a.durable() == 1; }));
  disk->hold();
  a.append(100);
  ASSERT_TRUE(until([&] { return spool->service().snapshot().records == 101; }));
  disk->let_go();
  spool->service().shutdown(read_clocks());
  spool.reset();
  EXPECT_TRUE(until([&] { return a.durable() == 101; }));
}

TEST_F(SpoolServiceTest, KeepsTheFinalPositionsOfANodeThatLeaves) {
  TestNode& a = node(origin_a);
  a.append(3);
  ASSERT_TRUE(until([&] { return a.durable() == 3; }));
  a.close();
  EXPECT_TRUE(until([&] { return !disk->calls().empty() && disk->calls().back().starts_with("final a:7 3 0"); }));
}

TEST_F(SpoolServiceTest, TakesRecordsOfAnotherSpoolAndTellsTheNodeSo) {
  TestNode& a = node(origin_a);
  a.append(2);
  ASSERT_TRUE(until([&] { return a.durable() == 2; }));
  std::vector<JournalRecord> fetched;
  for (Position at = 3; at <= 6; ++at) {
    JournalRecord& record = fetched.emplace_back();
    record.origin = origin_a;
    record.journal = JournalKind::Confirmed;
    record.first = record.last = at;
    record.frame = make_frame(origin_a, "trade.approved", at);
  }
  bool adopted = false;
  spool->service().adopt(std::move(fetched), [&](const Result<void>& done) { adopted = done.has_value(); });
  EXPECT_TRUE(until([&] { return adopted; }));
  std::vector<JournalState> states;
  spool->service().journals([&](std::vector<JournalState> have) { states = std::move(have); });
  EXPECT_TRUE(until([&] { return !states.empty(); }));
  EXPECT_EQ(states.front().ranges, (std::vector<PositionRange>{{1, 6}}));
  a.append(5);
  EXPECT_TRUE(until([&] { return a.durable() == 7; }));
  EXPECT_EQ(disk->positions(origin_a, JournalKind::Confirmed), up_to(7));
}

TEST_F(SpoolServiceTest, GetsAgainFromTheNodeWhatADamagedBlockHeld) {
  open_spool({.writer = {.maintain_every = 1ms}});
  TestNode& a = node(origin_a);
  a.append(10);
  ASSERT_TRUE(until([&] { return a.durable() == 10; }));
  disk->lose(4);
  EXPECT_TRUE(until([&] { return disk->positions(origin_a, JournalKind::Confirmed) == up_to(10); }));
  a.append(5);
  EXPECT_TRUE(until([&] { return a.durable() == 15; }));
  EXPECT_EQ(disk->positions(origin_a, JournalKind::Confirmed), up_to(15));
}

/// A stock DEALER that sends what it likes.
class RawPeer {
 public:
  RawPeer(transport::Context& context, const std::string& uri) : handle_(zmq_socket(context.handle(), ZMQ_DEALER)) {
    const int zero = 0;
    const int small = 4096;
    const int one = 1;
    zmq_setsockopt(handle_, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(handle_, ZMQ_RCVBUF, &small, sizeof small);
    zmq_setsockopt(handle_, ZMQ_RCVHWM, &one, sizeof one);
    EXPECT_EQ(zmq_connect(handle_, uri.c_str()), 0);
  }
  ~RawPeer() { zmq_close(handle_); }
  void send(const Bytes& part, int flags = 0) { zmq_send(handle_, part.data(), part.size(), flags | ZMQ_DONTWAIT); }

 private:
  void* handle_;
};

TEST_F(SpoolServiceTest, SurvivesGarbage) {
  const unsigned seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  const auto draw = [&](std::size_t below) { return random() % below; };

  TestNode& a = node(origin_a);
  RawPeer peer(spool->context(), spool->uri());
  std::vector<Bytes> templates;
  templates.push_back(encode(ToSpool(OpenLink{1, 1, 5, origin_b, BootId{{3}}})).head);
  templates.push_back(encode(ToSpool(AppendFrame{5, JournalKind::Confirmed, 1, 0, nullptr})).head);
  templates.push_back(encode(ToSpool(AppendVoid{5, JournalKind::Captured, {1, 4}, {}})).head);
  templates.push_back(encode_spool_query(1, "scan", encode_params(ScanQuery{})));
  templates.push_back(encode_spool_query(2, "stream", encode_params(StreamQuery{})));
  templates.push_back(encode_spool_query(3, "claim", encode_params(ClaimQuery{"s", origin_b, BootId{{3}}})));
  for (int i = 0; i < 3000; ++i) {
    Bytes part = templates[draw(templates.size())];
    for (std::size_t changes = draw(4); changes > 0; --changes) {
      part[draw(part.size())] = static_cast<std::uint8_t>(draw(256));
    }
    if (draw(3) == 0) part.resize(draw(part.size() + 1));
    const bool with_body = draw(4) == 0;
    peer.send(part, with_body ? ZMQ_SNDMORE : 0);
    if (with_body) peer.send(Bytes(draw(300), static_cast<std::uint8_t>(draw(256))));
    if (i % 100 == 0) {
      a.append(1);
      turn();
    }
  }
  EXPECT_TRUE(until([&] { return a.durable() == 30 && spool->service().snapshot().bad_messages > 100; }));
  EXPECT_EQ(disk->positions(origin_a, JournalKind::Confirmed), up_to(30));
}

TEST_F(SpoolServiceTest, StopsAnsweringAPeerThatDoesNotRead) {
  TestNode& a = node(origin_a);
  a.append(100, 100'000);
  ASSERT_TRUE(until([&] { return a.durable() == 100; }));
  open_spool({.readers = {.threads = 2}, .unsent_bytes_max = 8u << 20});

  RawPeer peer(spool->context(), spool->uri());
  ScanQuery query;
  query.bytes_max = 4u << 20;
  const Bytes head = encode_spool_query(1, "scan", encode_params(query));
  for (int i = 0; i < 200; ++i) {
    peer.send(head);
    for (int turns = 0; turns < 3; ++turns) turn();
  }
  EXPECT_TRUE(until([&] {
    const auto info = spool->service().snapshot();
    return info.queries_answered + info.queries_refused == 200;
  }));
  // What was under way when the bound was reached comes on top.
  EXPECT_LE(spool->service().snapshot().queries_answered, 40u);
  EXPECT_GE(spool->service().snapshot().queries_refused, 160u);
  a.append(10);
  EXPECT_TRUE(until([&] { return a.durable() == 110; }));
}

TEST(SpoolClaims, TellWhoHasANameUntilTheyAreGone) {
  bool gone = false;
  SpoolClaims claims([&](const Origin& origin) { return gone && origin == origin_a; });
  EXPECT_FALSE(claims.holder("orders"));
  EXPECT_TRUE(claims.claim({"orders", origin_a, BootId{{1}}}));
  EXPECT_FALSE(claims.claim({"orders", origin_a, BootId{{2}}}));
  EXPECT_EQ(claims.holder("orders"), origin_a);
  gone = true;
  EXPECT_FALSE(claims.holder("orders"));
  for (std::size_t i = 1; i < SpoolClaims::claims_max; ++i) {
    ASSERT_TRUE(claims.claim({"s" + std::to_string(i), origin_b, BootId{{1}}}));
  }
  EXPECT_TRUE(claims.claim({"one more", origin_b, BootId{{1}}}));  // in the place of the one who is gone
  const auto refused = claims.claim({"too many", origin_b, BootId{{1}}});
  EXPECT_EQ(refused.error().code, ErrorCode::WouldBlock);
}

// Neither with a connection nor without one may a flag stay up that keeps a loop from sleeping.
TEST_F(SpoolServiceTest, LetsLoopsSleepWhileNothingComes) {
  const std::string nowhere = "tcp://127.0.0.1:" + std::to_string(transport::find_free_ports("127.0.0.1", 1).value());
  const auto poller = transport::Poller::create().value();
  TestNode& a = node(origin_a);
  a.connect("nowhere", nowhere);
  a.links().watch(*poller);
  a.append(3);
  EXPECT_TRUE(a.links().drained());
  EXPECT_TRUE(until([&] {
    poller->wait(Duration::zero());
    return a.durable() == 3 && !a.links().may_have_input() && !poller->has_input() &&
           !spool->service().may_have_input();
  }));
}

TEST_F(SpoolServiceTest, LinksFollowASpoolToAnotherAddress) {
  TestNode& a = node(origin_a);
  a.append(3);
  ASSERT_TRUE(until([&] { return a.durable() == 3; }));
  auto elsewhere = std::make_shared<FakeDisk>();
  TestSpool other(elsewhere);
  a.connect("spool", other.uri());
  a.append(2);
  EXPECT_TRUE(until([&] {
    other.turn();
    return elsewhere->rows().size() == 5 && a.durable() == 5;  // another store: what is kept begins again
  }));
  EXPECT_TRUE(a.links().up("spool"));
  a.links().disconnect("spool");
  EXPECT_FALSE(a.links().has("spool"));
}

}  // namespace
}  // namespace legion::test
