#include "transport_fixture.hpp"

namespace legion::transport::test {
namespace {

class MessageTest : public TransportTest, public ::testing::WithParamInterface<std::size_t> {
 protected:
  Message received(const std::string& body) {
    auto a = Socket::open(*context, SocketType::Pair).value();
    auto b = Socket::open(*context, SocketType::Pair).value();
    const std::string at = context->unique_inproc("test");
    EXPECT_TRUE(a.bind(at));
    EXPECT_TRUE(b.connect(at));
    EXPECT_EQ(a.send(bytes(body)), SendResult::Sent);
    More more = More::No;
    auto message = b.receive(more);
    EXPECT_TRUE(message);
    return std::move(*message);
  }
};

TEST_P(MessageTest, KeepsItsBytesWhenMovedAndShared) {
  const std::string body(GetParam(), 'b');
  Message message = received(body);
  EXPECT_EQ(message.text(), body);

  Message moved = std::move(message);
  EXPECT_EQ(moved.text(), body);
  std::shared_ptr<const void> owner = moved.share();
  const BytesView view = moved.bytes();
  EXPECT_EQ(owner.get(), static_cast<const void*>(view.data()));
  EXPECT_EQ(moved.share().get(), owner.get());

  {
    const Message gone = std::move(moved);
  }
  EXPECT_EQ(as_text(view), body);
}

TEST_P(MessageTest, AssigningReplacesTheFormerBytes) {
  Message first = received("first" + std::string(100, 'x'));
  const auto owner = first.share();
  const BytesView view = first.bytes();
  first = received(std::string(GetParam(), 'c'));
  EXPECT_EQ(first.text(), std::string(GetParam(), 'c'));
  EXPECT_EQ(as_text(view).substr(0, 5), "first");
}

// Inside the message object, in a block of its own.
INSTANTIATE_TEST_SUITE_P(Sizes, MessageTest, ::testing::Values(0, 5, 33, 34, 100000));

}  // namespace
}  // namespace legion::transport::test
