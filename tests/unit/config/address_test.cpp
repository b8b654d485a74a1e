#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <legion/base/address.hpp>

namespace legion {
namespace {

using ::testing::HasSubstr;

Address address(std::string_view text, std::uint16_t default_port = 7400) {
  const auto parsed = parse_address(text, default_port);
  EXPECT_TRUE(parsed.has_value()) << text << ": " << (parsed ? "" : parsed.error().message);
  return parsed.value_or(Address{});
}

std::string refusal(std::string_view text, std::uint16_t default_port = 7400) {
  const auto parsed = parse_address(text, default_port);
  EXPECT_FALSE(parsed.has_value()) << text;
  return parsed ? "" : parsed.error().message;
}

TEST(Address, ReadsHostAndPortWithAndWithoutScheme) {
  EXPECT_EQ(address("tcp://10.0.0.1:7500"), (Address{"10.0.0.1", 7500}));
  EXPECT_EQ(address("10.0.0.1:7500"), (Address{"10.0.0.1", 7500}));
  EXPECT_EQ(address("Node-1.Example.org:1"), (Address{"node-1.example.org", 1}));
  EXPECT_EQ(address("[::1]:0"), (Address{"::1", 0}));
  EXPECT_EQ(address("tcp://*:7400"), (Address{"*", 7400}));
}

TEST(Address, FillsInTheDefaultPort) {
  EXPECT_EQ(address("10.0.0.1"), (Address{"10.0.0.1", 7400}));
  EXPECT_EQ(address("[2001:DB8:0::1]"), (Address{"2001:db8::1", 7400}));
  EXPECT_THAT(refusal("10.0.0.1", 0), HasSubstr("the port is missing"));
}

TEST(Address, IsWrittenTheWayItIsRead) {
  for (const std::string text :
       {"tcp://10.0.0.1:7500", "tcp://[2001:db8::1]:7500", "tcp://node-1:65535", "tcp://*:7400"}) {
    EXPECT_EQ(address(text).uri(), text);
    EXPECT_EQ("tcp://" + address(text).host_port(), text);
  }
}

TEST(Address, SaysWhatIsWrong) {
  EXPECT_EQ(
      refusal("ipc:///tmp/x"),
      "\"ipc:///tmp/x\" is not an address: only tcp:// is spoken between nodes (for example \"tcp://127.0.0.1:7400\")");
  EXPECT_THAT(refusal("10.0.0.1:65536"), HasSubstr("the port is not a number from 0 to 65535"));
  EXPECT_THAT(refusal("10.0.0.1:"), HasSubstr("the port is not a number"));
  EXPECT_THAT(refusal("10.0.0.1:7400/x"), HasSubstr("the port is not a number"));
  EXPECT_THAT(refusal("10.0.0.1:-1"), HasSubstr("the port is not a number"));
  EXPECT_THAT(refusal("10.0.0.256:7400"), HasSubstr("not an IPv4 address"));
  EXPECT_THAT(refusal(":7400"), HasSubstr("the host is missing"));
  EXPECT_THAT(refusal(""), HasSubstr("the host is missing"));
  EXPECT_THAT(refusal("::1:7400"), HasSubstr("IPv6 addresses stand in brackets"));
  EXPECT_THAT(refusal("[::1"), HasSubstr("closing bracket"));
  EXPECT_THAT(refusal("[::1]7400"), HasSubstr("only :PORT may follow"));
  EXPECT_THAT(refusal("[127.0.0.1]:7400"), HasSubstr("no IPv6 address in the brackets"));
  EXPECT_THAT(refusal("-x:7400"), HasSubstr("neither an IP address nor a host name"));
  EXPECT_THAT(refusal("a b:7400"), HasSubstr("neither an IP address nor a host name"));
  EXPECT_THAT(refusal("a..b:7400"), HasSubstr("neither an IP address nor a host name"));
  EXPECT_THAT(refusal(std::string_view("127.0.0.1\0.example.org", 22)), HasSubstr("NUL"));
}

TEST(Address, KnowsLoopback) {
  for (const char* text : {"127.0.0.1", "127.8.9.1", "[::1]", "localhost", "LOCALHOST", "[::ffff:127.0.0.1]"}) {
    EXPECT_TRUE(address(text).is_loopback()) << text;
  }
  for (const char* text :
       {"128.0.0.1", "0.0.0.0", "[::]", "*", "[::2]", "example.org", "localhost.example.org", "[::ffff:10.0.0.1]"}) {
    EXPECT_FALSE(address(text).is_loopback()) << text;
  }
}

TEST(Address, KnowsEveryInterfaceAndNumericHosts) {
  for (const char* text : {"*", "0.0.0.0", "[::]"}) EXPECT_TRUE(address(text).is_wildcard()) << text;
  EXPECT_FALSE(address("127.0.0.1").is_wildcard());
  EXPECT_TRUE(address("[::1]").is_numeric());
  EXPECT_TRUE(address("[::1]").is_ipv6());
  EXPECT_FALSE(address("10.0.0.1").is_ipv6());
  EXPECT_FALSE(address("localhost").is_numeric());
}

}  // namespace
}  // namespace legion
