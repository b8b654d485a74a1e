#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/subscription_change.hpp>

namespace legion {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const StreamId trades{{"alpha", 7}, Priority::Critical, "trade.approved", 0};
const StreamId orders{{"alpha", 7}, Priority::High, "order.new", 0};

Bytes params(const std::vector<std::pair<std::string, std::string>>& texts) {
  MsgpackWriter out;
  out.map(texts.size());
  for (const auto& [key, value] : texts) {
    out.str(key);
    out.str(value);
  }
  return out.take();
}

TEST(SubscriptionChange, IsReadWithWhatItIsAbout) {
  const auto reset =
      decode_subscription_change(params({{"name", "orders"}, {"action", "reset"}, {"start", "beginning"}}));
  ASSERT_TRUE(reset) << reset.error().message;
  EXPECT_EQ(reset->action, SubscriptionChange::Action::Reset);
  EXPECT_EQ(reset->start, DurableStart(StartBeginning{}));
  const auto skip = decode_subscription_change(
      params({{"name", "orders"}, {"action", "skip"}, {"stream", "alpha:7:0:trade.approved:0"}}));
  ASSERT_TRUE(skip) << skip.error().message;
  EXPECT_EQ(skip->stream, trades);
  EXPECT_FALSE(skip->through);
  EXPECT_EQ(decode_subscription_change(params({{"name", "a"}, {"action", "rm"}}))->action,
            SubscriptionChange::Action::Remove);
}

TEST(SubscriptionChange, WhatCannotBeReadIsNamed) {
  const std::vector<std::pair<Bytes, std::string>> wrong{
      {params({{"action", "rm"}}), "name"},
      {params({{"name", "Not A Name"}, {"action", "rm"}}), "params.name"},
      {params({{"name", "orders"}}), "action"},
      {params({{"name", "orders"}, {"action", "rename"}}), "params.action: 'rename'"},
      {params({{"name", "orders"}, {"action", "reset"}, {"start", "soon"}}), "params.start: 'soon'"},
      {params({{"name", "orders"}, {"action", "skip"}, {"stream", "alpha"}}), "params.stream: 'alpha'"},
      {params({{"name", "orders"}, {"action", "skip"}, {"through", "7"}}), "params.through"},
      {{0x07}, ""},
  };
  for (const auto& [bytes, named] : wrong) {
    const auto read = decode_subscription_change(bytes);
    ASSERT_FALSE(read) << named;
    EXPECT_THAT(read.error().message, HasSubstr(named));
  }
}

TEST(SubscriptionChange, ASkipWithoutAStreamIsAboutThoseThatStandStill) {
  DurableFigures figures;
  figures.streams = {{.stream = trades, .stalled = "waits for 3"}, {.stream = orders, .stalled = ""}};
  SubscriptionChange change{.action = SubscriptionChange::Action::Skip, .name = "orders"};
  EXPECT_THAT(streams_to_skip(figures, change), ElementsAre(trades));
  change.stream = orders;
  EXPECT_THAT(streams_to_skip(figures, change), ElementsAre(orders));
  EXPECT_THAT(streams_to_skip({}, {.action = SubscriptionChange::Action::Skip, .name = "orders"}), IsEmpty());
}

}  // namespace
}  // namespace legion
