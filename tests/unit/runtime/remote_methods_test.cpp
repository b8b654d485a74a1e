#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <legion/event/msgpack_writer.hpp>
#include <legion/runtime/remote_methods.hpp>

namespace legion {
namespace {

Bytes attach_params(const std::function<void(MsgpackWriter&)>& more, std::size_t members) {
  MsgpackWriter out;
  out.map(1 + members);
  out.str("name");
  out.str("risk");
  more(out);
  return out.take();
}

TEST(RemoteMethods, AcknowledgementsAreNumbersAndRanges) {
  MsgpackWriter out;
  out.uint(3);
  out.array(2);
  out.uint(5);
  out.uint(9);
  const auto answers = decode_remote_answers("agent.ack", out.bytes());
  ASSERT_TRUE(answers) << answers.error().message;
  ASSERT_EQ(answers->size(), 2u);
  EXPECT_EQ((*answers)[0].first, 3u);
  EXPECT_EQ((*answers)[0].last, 3u);
  EXPECT_EQ((*answers)[1].first, 5u);
  EXPECT_EQ((*answers)[1].last, 9u);
}

TEST(RemoteMethods, AFailureHasItsText) {
  MsgpackWriter out;
  out.uint(3);
  out.str("no quote yet");
  const auto answers = decode_remote_answers("agent.nack", out.bytes());
  ASSERT_TRUE(answers) << answers.error().message;
  EXPECT_EQ(answers->front().verb, RemoteVerb::Nack);
  EXPECT_EQ(answers->front().error, "no quote yet");
}

TEST(RemoteMethods, WhatIsNoAnswerIsRefused) {
  MsgpackWriter backwards;
  backwards.array(2);
  backwards.uint(9);
  backwards.uint(5);
  EXPECT_FALSE(decode_remote_answers("agent.ack", backwards.bytes()));
  MsgpackWriter text;
  text.str("3");
  EXPECT_FALSE(decode_remote_answers("agent.ack", text.bytes()));
  EXPECT_FALSE(decode_remote_answers("agent.stop", {}));
  MsgpackWriter number;
  number.uint(3);
  EXPECT_EQ(decode_remote_answers("agent.fly", number.bytes()).error().code, ErrorCode::NotFound);
}

TEST(RemoteMethods, AttachingTakesEverythingItMaySay) {
  const Bytes params = attach_params(
      [](MsgpackWriter& out) {
        out.str("subscriptions");
        out.array(2);
        out.map(2);
        out.str("type");
        out.str("TRADE_APPROVED");
        out.str("tier");
        out.str("critical");
        out.map(4);
        out.str("type");
        out.str("order.");
        out.str("durable");
        out.str("risk-orders");
        out.str("start");
        out.str("beginning");
        out.str("replay");
        out.boolean(true);
        out.str("credit");
        out.uint(64);
        out.str("lease_ms");
        out.uint(2500);
        out.str("retry");
        out.map(3);
        out.str("max_attempts");
        out.uint(5);
        out.str("delay_ms");
        out.uint(20);
        out.str("backoff");
        out.float64(1.5);
      },
      4);
  const auto attach = decode_remote_attach(params);
  ASSERT_TRUE(attach) << attach.error().message;
  ASSERT_EQ(attach->subscriptions->size(), 2u);
  EXPECT_EQ(describe((*attach->subscriptions)[0]), "trade.approved (critical)");
  EXPECT_EQ(describe((*attach->subscriptions)[1]), "order. (normal, durable risk-orders, replay)");
  EXPECT_EQ((*attach->subscriptions)[1].durable->start.kind, SubscriptionStart::Kind::Beginning);
  EXPECT_EQ(attach->credit, 64u);
  EXPECT_EQ(attach->lease, Duration(2500ms));
  EXPECT_EQ(attach->max_attempts, 5u);
  EXPECT_EQ(attach->retry_delay, Duration(20ms));
  EXPECT_DOUBLE_EQ(*attach->backoff, 1.5);
}

TEST(RemoteMethods, WhatIsWrongIsNamed) {
  const auto error_of = [](const char* key, auto write) {
    const auto attach = decode_remote_attach(attach_params(
        [&](MsgpackWriter& out) {
          out.str(key);
          write(out);
        },
        1));
    return attach ? std::string("accepted") : attach.error().message;
  };
  using testing::HasSubstr;
  EXPECT_THAT(error_of("credit", [](MsgpackWriter& out) { out.uint(0); }), HasSubstr("params.credit"));
  EXPECT_THAT(error_of("lease_ms", [](MsgpackWriter& out) { out.uint(1); }), HasSubstr("params.lease_ms"));
  EXPECT_THAT(error_of("concurrency", [](MsgpackWriter& out) { out.uint(5000); }), HasSubstr("params.concurrency"));
  EXPECT_THAT(error_of("subscriptions", [](MsgpackWriter& out) { out.str("x"); }), HasSubstr("params.subscriptions"));
  EXPECT_THAT(error_of("subscriptions",
                       [](MsgpackWriter& out) {
                         out.array(2);
                         for (int i = 0; i < 2; ++i) {
                           out.map(1);
                           out.str("type");
                           out.str("a.b");
                         }
                       }),
              HasSubstr("subscribed twice"));
  const auto of_group = [&](const std::vector<std::pair<const char*, const char*>>& texts, std::uint64_t shares = 4) {
    return error_of("subscriptions", [&](MsgpackWriter& out) {
      out.array(1);
      out.map(2 + texts.size());
      out.str("type");
      out.str("a.b");
      out.str("shares");
      out.uint(shares);
      for (const auto& [key, value] : texts) {
        out.str(key);
        out.str(value);
      }
    });
  };
  EXPECT_THAT(of_group({}), HasSubstr("shares: only a group has it"));
  EXPECT_THAT(of_group({{"home", "vault"}}), HasSubstr("home: only a group has it"));
  EXPECT_THAT(of_group({{"group", "crew"}}), HasSubstr("home: expected a node"));
  EXPECT_THAT(of_group({{"group", "a b"}, {"home", "vault"}}), HasSubstr("group: it cannot name a group"));
  EXPECT_THAT(of_group({{"group", "crew"}, {"home", "vault"}}, 0), HasSubstr("shares: expected 1 to 256"));
  EXPECT_THAT(of_group({{"group", "crew"}, {"home", "vault"}}, 257), HasSubstr("shares: expected 1 to 256"));
  EXPECT_THAT(of_group({{"group", "crew"}, {"home", "vault"}, {"durable", "d"}}), HasSubstr("durable: a group is"));
  EXPECT_THAT(of_group({{"group", "crew"}, {"home", "vault"}, {"tier", "critical"}}), HasSubstr("tier: a gate is"));
  EXPECT_THAT(of_group({{"group", "crew"}, {"home", "vault"}, {"start", "soon"}}), HasSubstr("start: 'soon' is neither"));
  EXPECT_THAT(error_of("retry",
                       [](MsgpackWriter& out) {
                         out.map(1);
                         out.str("backoff");
                         out.float64(0.5);
                       }),
              HasSubstr("params.retry.backoff"));
  MsgpackWriter nameless;
  nameless.map(0);
  EXPECT_THAT(decode_remote_attach(nameless.bytes()).error().message, HasSubstr("name is missing"));
}

}  // namespace
}  // namespace legion
