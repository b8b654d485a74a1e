#include <legion/transport/local_pair.hpp>

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "transport_fixture.hpp"

namespace legion::transport::test {
namespace {

class LocalPairTest : public TransportTest {
 protected:
  void SetUp() override {
    TransportTest::SetUp();
    char name[] = "/tmp/legion-local-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root = name;
    directory = root + "/local";
  }
  void TearDown() override {
    TransportTest::TearDown();
    std::filesystem::remove_all(root);
  }

  std::string root;
  std::string directory;
};

TEST_F(LocalPairTest, HearsStockPublishersWithAnyNumberOfParts) {
  auto pair = LocalPair::create(*context, {directory}).value();
  RawSocket stock(*context, ZMQ_PUB);
  stock.connect(pair->publish_uri());

  std::vector<std::vector<std::string>> heard;
  std::set<std::size_t> sizes;
  EXPECT_TRUE(eventually([&] {
    stock.send("trade.new");
    stock.send("trade.new", ZMQ_SNDMORE);
    stock.send("{}");
    for (int i = 0; i < 1000; ++i) stock.send("flood", ZMQ_SNDMORE);
    stock.send("");
    pair->recv_published(
        [&](std::span<Message> parts) {
          sizes.insert(parts.size());
          if (parts.size() == 2) heard.push_back({std::string(parts[0].text()), std::string(parts[1].text())});
        },
        64);
    return sizes.size() == 3;
  }));

  EXPECT_EQ(sizes, (std::set<std::size_t>{1, 2, LocalPair::parts_kept_max}));
  ASSERT_FALSE(heard.empty());
  EXPECT_EQ(heard.front(), (std::vector<std::string>{"trade.new", "{}"}));
}

TEST_F(LocalPairTest, ReadsABoundedNumberOfMessagesATurn) {
  auto pair = LocalPair::create(*context, {directory}).value();
  RawSocket stock(*context, ZMQ_PUB);
  stock.connect(pair->publish_uri());
  EXPECT_TRUE(eventually([&] {
    for (int i = 0; i < 20; ++i) stock.send("a");
    std::size_t reported = 0;
    const std::size_t read = pair->recv_published([&](std::span<Message>) { ++reported; }, 5);
    EXPECT_LE(read, 5u);
    EXPECT_EQ(read, reported);
    return read == 5;
  }));
}

TEST_F(LocalPairTest, ServesStockSubscribers) {
  auto pair = LocalPair::create(*context, {directory}).value();
  RawSocket stock(*context, ZMQ_SUB);
  const std::string topic("trade.new\0", 10);
  stock.subscribe(topic);
  stock.connect(pair->subscribe_uri());
  std::string subscribed;
  ASSERT_TRUE(eventually([&] {
    pair->recv_subscriptions([&](SubscriptionChange, std::string_view reported) { subscribed = reported; }, 10);
    return !subscribed.empty();
  }));
  EXPECT_EQ(subscribed, topic);

  pair->send(bytes(topic + "body"));
  pair->send(bytes("other"));

  std::vector<std::string> got;
  EXPECT_TRUE(eventually([&] {
    got = stock.receive();
    return !got.empty();
  }));
  EXPECT_EQ(got, std::vector<std::string>{topic + "body"});
}

TEST_F(LocalPairTest, PassesAReceivedFrameOnWithoutSpendingIt) {
  std::string at;
  auto sender = publisher(at);
  auto receiver = subscriber();
  ASSERT_TRUE(receiver->connect(at));
  ASSERT_TRUE(receiver->subscribe("a"));
  ASSERT_TRUE(hears_of(*sender, "a"));
  auto pair = LocalPair::create(*context, {directory}).value();
  RawSocket stock(*context, ZMQ_SUB);
  stock.subscribe("a");
  stock.connect(pair->subscribe_uri());
  ASSERT_TRUE(
      eventually([&] { return pair->recv_subscriptions([](SubscriptionChange, std::string_view) {}, 10) > 0; }));
  const std::string body = "a" + std::string(10000, 'x');
  sender->send(bytes(body));

  std::optional<Message> frame;
  ASSERT_TRUE(eventually([&] { return (frame = receiver->recv()).has_value(); }));
  const auto owner = frame->share();
  pair->send(*frame);

  std::vector<std::string> got;
  EXPECT_TRUE(eventually([&] {
    got = stock.receive();
    return !got.empty();
  }));
  EXPECT_EQ(got, std::vector<std::string>{body});
  EXPECT_EQ(frame->text(), body);
}

TEST_F(LocalPairTest, RefusesASecondOwnerOfThePath) {
  auto first = LocalPair::create(*context, {directory}).value();
  const auto second = LocalPair::create(*context, {directory});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::AddressInUse);
  EXPECT_NE(second.error().message.find(directory), std::string::npos);

  first.reset();
  EXPECT_TRUE(LocalPair::create(*context, {directory}));
}

TEST_F(LocalPairTest, AnOldOwnerDoesNotTakeTheSuccessorsSocketAway) {
  for (int round = 0; round < 20; ++round) {
    LocalPair::create(*context, {directory}).value().reset();
    auto successor = LocalPair::create(*context, {directory}).value();
    RawSocket stock(*context, ZMQ_PUB);
    stock.connect(successor->publish_uri());
    ASSERT_TRUE(eventually([&] {
      stock.send("a");
      return successor->recv_published([](std::span<Message>) {}, 10) > 0;
    }));
    ASSERT_TRUE(std::filesystem::exists(directory + "/publish.sock"));
    ASSERT_TRUE(std::filesystem::exists(directory + "/subscribe.sock"));
  }
}

TEST_F(LocalPairTest, ReplacesStaleSocketsAndMakesTheDirectoryPrivate) {
  std::filesystem::create_directory(directory);
  std::filesystem::permissions(directory, std::filesystem::perms::all);
  std::ofstream(directory + "/publish.sock") << "left by a crash";

  auto pair = LocalPair::create(*context, {directory});

  ASSERT_TRUE(pair) << pair.error().message;
  struct stat status{};
  ASSERT_EQ(stat(directory.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(stat((directory + "/publish.sock").c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
}

TEST_F(LocalPairTest, RefusesAPathThatIsTooLong) {
  const auto pair = LocalPair::create(*context, {root + "/" + std::string(100, 'd')});
  ASSERT_FALSE(pair);
  EXPECT_EQ(pair.error().code, ErrorCode::TooBig);
  EXPECT_NE(pair.error().message.find("107"), std::string::npos);
}

}  // namespace
}  // namespace legion::transport::test
