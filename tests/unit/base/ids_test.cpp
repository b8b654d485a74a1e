#include <legion/base/error.hpp>
#include <legion/base/ids.hpp>

#include <set>

#include <gtest/gtest.h>

namespace legion {
namespace {

TEST(NodeName, FollowsTheGrammar) {
  EXPECT_TRUE(is_node_name("a"));
  EXPECT_TRUE(is_node_name("risk-1"));
  EXPECT_TRUE(is_node_name("-"));
  EXPECT_TRUE(is_node_name(std::string(64, 'z')));
  EXPECT_FALSE(is_node_name(""));
  EXPECT_FALSE(is_node_name(std::string(65, 'z')));
  for (const char* bad : {"Risk", "a b", "a_b", "a.b", "a/b", "\xc3\xa9", "a:"}) EXPECT_FALSE(is_node_name(bad)) << bad;
  EXPECT_FALSE(is_node_name(std::string_view("a\0b", 3)));
}

TEST(BootId, PrintsAndParses) {
  BootId id;
  EXPECT_TRUE(id.is_nil());
  for (std::size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::uint8_t>(i * 17);
  EXPECT_FALSE(id.is_nil());
  EXPECT_EQ(id.hex(), "00112233445566778899aabbccddeeff");
  EXPECT_EQ(BootId::from_hex(id.hex()), id);
}

TEST(BootId, RefusesOtherText) {
  EXPECT_FALSE(BootId::from_hex(""));
  EXPECT_FALSE(BootId::from_hex("00112233445566778899aabbccddeef"));
  EXPECT_FALSE(BootId::from_hex("00112233445566778899aabbccddeeff0"));
  EXPECT_FALSE(BootId::from_hex("00112233445566778899AABBCCDDEEFF"));
  EXPECT_FALSE(BootId::from_hex("0011223344556677889gaabbccddeeff"));
}

TEST(Origin, ComparesByNameThenIncarnation) {
  EXPECT_LT((Origin{"a", 9}), (Origin{"b", 1}));
  EXPECT_LT((Origin{"a", 1}), (Origin{"a", 2}));
  EXPECT_EQ((Origin{"a", 1}), (Origin{"a", 1}));
}

TEST(ErrorCode, EveryNameIsDifferent) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::Internal); ++code) {
    names.insert(to_string(static_cast<ErrorCode>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(ErrorCode::Internal) + 1);
}

}  // namespace
}  // namespace legion
