#include <legion/transport/resolver.hpp>

#include <algorithm>

#include "transport_fixture.hpp"

namespace legion::transport::test {
namespace {

struct Asked {
  std::unique_ptr<Resolver> resolver = Resolver::create().value();
  std::vector<Resolved> results;

  bool answered(std::size_t count) {
    auto poller = Poller::create().value();
    const std::size_t token = poller->add(resolver->pollable());
    return eventually([&] {
      if (poller->wait(20ms) == PollOutcome::Ready) {
        EXPECT_TRUE(poller->ready(token));
        resolver->drain([&](Resolved resolved) { results.push_back(std::move(resolved)); });
      }
      return results.size() >= count;
    });
  }
};

TEST(Resolver, PassesNumericAddressesThroughAtOnceAndInCanonicalForm) {
  Asked asked;
  ASSERT_TRUE(asked.resolver->resolve("tcp://127.0.0.1:7400"));
  ASSERT_TRUE(asked.resolver->resolve("tcp://[0:0:0::1]:07400"));
  EXPECT_EQ(asked.resolver->drain([&](Resolved resolved) { asked.results.push_back(std::move(resolved)); }), 2u);
  EXPECT_EQ(asked.results[0].requested, "tcp://127.0.0.1:7400");
  EXPECT_EQ(asked.results[0].addresses.value(), std::vector<std::string>{"tcp://127.0.0.1:7400"});
  EXPECT_EQ(asked.results[1].addresses.value(), std::vector<std::string>{"tcp://[::1]:7400"});
}

TEST(Resolver, NamesEveryAddressOfLocalhostOnce) {
  Asked asked;
  ASSERT_TRUE(asked.resolver->resolve("tcp://localhost:7400"));
  ASSERT_TRUE(asked.answered(1));
  ASSERT_TRUE(asked.results[0].addresses) << asked.results[0].addresses.error().message;
  auto addresses = *asked.results[0].addresses;
  EXPECT_TRUE(std::ranges::find(addresses, "tcp://127.0.0.1:7400") != addresses.end() ||
              std::ranges::find(addresses, "tcp://[::1]:7400") != addresses.end());
  std::ranges::sort(addresses);
  EXPECT_EQ(std::ranges::adjacent_find(addresses), addresses.end());
}

TEST(Resolver, ReportsAnUnknownNameAndGoesOn) {
  Asked asked;
  ASSERT_TRUE(asked.resolver->resolve("tcp://no-such-host.invalid:7400"));
  ASSERT_TRUE(asked.resolver->resolve("tcp://localhost:7400"));
  ASSERT_TRUE(asked.answered(2));
  ASSERT_FALSE(asked.results[0].addresses);
  EXPECT_EQ(asked.results[0].addresses.error().code, ErrorCode::Unreachable);
  EXPECT_NE(asked.results[0].addresses.error().message.find("no-such-host.invalid"), std::string::npos);
  EXPECT_TRUE(asked.results[1].addresses);
}

TEST(Resolver, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "127.0.0.1:7400", "tcp://", "tcp://host", "tcp://host:", "tcp://host:0",
                           "tcp://host:70000", "tcp://host:12x", "tcp://::1:7400", "tcp://:7400", "tcp://[]:7400"}) {
    const auto result = numeric_uri(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, ErrorCode::InvalidArgument) << text;
  }
}

TEST(Resolver, MayBeDestroyedWhileNamesWait) {
  auto resolver = Resolver::create().value();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(resolver->resolve("tcp://localhost:" + std::to_string(1000 + i)));
}

TEST(FreePorts, FindsARunBelowTheEphemeralRange) {
  for (const char* host : {"127.0.0.1", "::1", "*"}) {
    const auto base = find_free_ports(host);
    ASSERT_TRUE(base) << base.error().message;
    EXPECT_GE(*base, 10240);
    EXPECT_LE(*base + 6, 32768);
  }
}

TEST(FreePorts, RefusesAName) { EXPECT_EQ(find_free_ports("localhost").error().code, ErrorCode::InvalidArgument); }

TEST(FreePorts, RefusesAnAddressOfAnotherMachine) {
  EXPECT_EQ(find_free_ports("192.0.2.1").error().code, ErrorCode::Unreachable);
}

}  // namespace
}  // namespace legion::transport::test
