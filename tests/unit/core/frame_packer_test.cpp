#include <gtest/gtest.h>

#include <legion/core/frame_packer.hpp>

namespace legion {
namespace {

class FramePackerTest : public ::testing::Test {
 protected:
  FramePacker::Place append(std::string_view type, std::size_t bytes = 40, std::uint8_t shard = 0) {
    return packer.append(type, shard, Bytes(bytes, 0xc0));
  }
  std::vector<UnnumberedFrame> take(std::size_t events_max = 1'000'000) {
    std::vector<UnnumberedFrame> out;
    const std::size_t before = packer.events();
    const std::size_t taken = packer.take(events_max, out);
    EXPECT_EQ(packer.events(), before - taken);
    return out;
  }
  FramePacker packer{"here", Priority::High};
};

TEST_F(FramePackerTest, WhatComesAloneLeavesAlone) {
  append("a.b");
  const auto frames = take();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].count, 1u);
  EXPECT_EQ(frames[0].type, "a.b");
  EXPECT_EQ(frames[0].lane, Priority::High);
  EXPECT_TRUE(take().empty());
}

TEST_F(FramePackerTest, SaysWhereAnEventWent) {
  const auto first = append("a.b");
  const auto other = append("c.d");
  const auto second = append("a.b");
  const auto frames = take();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(first.frame, frames[0].serial);
  EXPECT_EQ(second.frame, frames[0].serial);
  EXPECT_EQ(second.index, 1u);
  EXPECT_EQ(other.frame, frames[1].serial);
}

TEST_F(FramePackerTest, AFrameThatWasTakenIsClosed) {
  const auto before = append("a.b");
  take();
  EXPECT_NE(append("a.b").frame, before.frame);
}

TEST_F(FramePackerTest, StreamsTakeTurnsSoThatNoneWaitsForAnother) {
  for (int i = 0; i < 200; ++i) append("busy.one", 1000);
  append("quiet.one");
  const auto frames = take(35);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].type, "busy.one");
  EXPECT_EQ(frames[1].type, "quiet.one");
  EXPECT_EQ(frames[2].type, "busy.one");
}

TEST_F(FramePackerTest, ANumberedFrameReadsLikeOneThatWasBuiltWithItsNumbers) {
  const std::string long_name(limits::node_name_bytes_max, 'n');
  for (const std::string& node : {std::string("n"), std::string(31, 'n'), std::string(32, 'n'), long_name}) {
    FramePacker other(node, Priority::Low);
    const Bytes event{0x95, 0xcf, 0, 0, 0, 0, 0, 0, 0, 1, 0xa3, 'a', '/', 'b', 1, 0x80, 0xc0};
    other.append("a.b", 3, event);
    std::vector<UnnumberedFrame> frames;
    other.take(1, frames);
    number_frame(frames.at(0).bytes, 0x0102030405060708, 0x1112131415161718);
    FrameBuilder builder;
    builder.begin({node, 0x0102030405060708}, Priority::Low, "a.b", 3, 0x1112131415161718);
    builder.append(event);
    EXPECT_EQ(frames[0].bytes, builder.finish()) << node;
  }
}

TEST_F(FramePackerTest, ForgetsIdleStreamsWhenThereAreTooManyAndKeepsWhatWaits) {
  for (std::size_t i = 0; i + 2 < limits::streams_per_origin_max; ++i) {
    append("t." + std::to_string(i), 1);
    if (i % 1000 == 0) take();
  }
  take();
  append("keep.one");
  append("keep.two");
  append("one.more");
  append("keep.one");
  const auto frames = take();
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].type, "keep.one");
  EXPECT_EQ(frames[0].count, 2u);
  EXPECT_EQ(frames[1].type, "keep.two");
  EXPECT_EQ(frames[2].type, "one.more");
}

TEST_F(FramePackerTest, BuffersThatComeBackAreUsedAgain) {
  append("a.b");
  auto frames = take();
  const auto* memory = frames[0].bytes.data();
  packer.recycle(std::move(frames[0].bytes));
  append("a.b");
  EXPECT_EQ(take()[0].bytes.data(), memory);
}

}  // namespace
}  // namespace legion
