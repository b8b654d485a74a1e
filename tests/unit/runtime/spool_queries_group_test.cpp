// "group" and "groups" on the wire.
#include <gtest/gtest.h>

#include <legion/base/rng.hpp>
#include <legion/runtime/spool_queries_group.hpp>

namespace legion::test {
namespace {

GroupRenewal renewal() {
  return {.group = "features",
          .agent = "worker",
          .self = {"n2", 1763000000000000017u},
          .boot = {{1, 2, 3}},
          .home = "vault",
          .type = "features.",
          .shares = 8,
          .round = 17,
          .held = {{0, 1763000000001u}, {3, 1763000000002u}},
          .seen = {{5, 1763000000009u}},
          .wish = GroupRenewal::Wish::Leave};
}

TEST(GroupQueries, ARenewalComesOutAsItWentIn) {
  using Wish = GroupRenewal::Wish;
  for (const Wish wish : {Wish::Share, Wish::Away, Wish::Leave}) {
    GroupRenewal wishes = renewal();
    wishes.wish = wish;
    EXPECT_EQ(decode_group_renewal(encode_params(wishes))->wish, wish);
  }
  const GroupRenewal sent = renewal();
  const auto read = decode_group_renewal(encode_params(sent));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->group, sent.group);
  EXPECT_EQ(read->agent, sent.agent);
  EXPECT_EQ(read->self, sent.self);
  EXPECT_EQ(read->boot, sent.boot);
  EXPECT_EQ(read->home, sent.home);
  EXPECT_EQ(read->type, sent.type);
  EXPECT_EQ(read->shares, sent.shares);
  EXPECT_EQ(read->round, sent.round);
  EXPECT_EQ(read->held, sent.held);
  EXPECT_EQ(read->seen, sent.seen);
  EXPECT_EQ(read->wish, sent.wish);
}

TEST(GroupQueries, AnAnswerComesOutAsItWentIn) {
  const GroupAnswer sent{{{1, 10}, {2, 11}}, {2}};
  const auto read = decode_group_answer(encode_result(sent));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->owned, sent.owned);
  EXPECT_EQ(read->revoke, sent.revoke);
}

TEST(GroupQueries, WhatAHomeKnowsComesOutAsItWentIn) {
  using Member = GroupHome::MemberView;
  using Share = GroupHome::ShareView;
  const GroupHome::View sent{
      .group = "features",
      .type = "features.",
      .members = {{"n1/worker", 120ms, 1, Member::State::Here}, {"n2/worker", 3s, 0, Member::State::Away}},
      .shares = {{40, "n1/worker", Share::State::Revoked}, {0, "", Share::State::Free}},
      .moved = 7,
      .grants_in = 1500ms};
  const auto read = decode_groups(encode_result(std::vector{sent}));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 1u);
  const GroupHome::View& view = read->front();
  EXPECT_EQ(view.group, "features");
  EXPECT_EQ(view.moved, 7u);
  EXPECT_EQ(view.grants_in, Duration(1500ms));
  ASSERT_EQ(view.members.size(), 2u);
  EXPECT_EQ(view.members[0].agent, "n1/worker");
  EXPECT_EQ(view.members[0].held, 1u);
  EXPECT_EQ(view.members[1].state, Member::State::Away);
  EXPECT_EQ(view.members[1].silent_for, Duration(3s));
  ASSERT_EQ(view.shares.size(), 2u);
  EXPECT_EQ(view.shares[0].epoch, 40u);
  EXPECT_EQ(view.shares[0].holder, "n1/worker");
  EXPECT_EQ(view.shares[0].state, Share::State::Revoked);
}

TEST(GroupQueries, ErrorsNameTheMember) {
  GroupRenewal odd = renewal();
  odd.held = {{300, 1}};
  EXPECT_EQ(decode_group_renewal(encode_params(odd)).error().message, "held: share: 300 is too large");
  EXPECT_EQ(decode_group_renewal({}).error().code, ErrorCode::BadData);
}

TEST(GroupQueries, ChangedBytesDoNoHarm) {
  Rng rng(20251121);
  for (const Bytes& good : {encode_params(renewal()), encode_result(GroupAnswer{{{1, 10}}, {1}})}) {
    for (int i = 0; i < 20000; ++i) {
      Bytes bytes = good;
      for (std::uint64_t k = 0; k <= rng.below(3); ++k)
        bytes[rng.below(bytes.size())] = static_cast<std::uint8_t>(rng.next());
      bytes.resize(bytes.size() - (rng.chance(0.3) ? rng.below(bytes.size()) : 0));
      (void)decode_group_renewal(bytes);
      (void)decode_group_answer(bytes);
      (void)decode_groups(bytes);
    }
  }
}

}  // namespace
}  // namespace legion::test
