// A program of its own, because operator new counts in it.
#include <vector>

#include "support/allocations.hpp"
#include "transport_fixture.hpp"

namespace legion::transport::test {
namespace {

TEST(MessageAllocation, SharingCostsNoneOnceThePoolIsWarm) {
  MessagePool pool;
  {
    Message().share(&pool);
  }
  const std::size_t before = legion::test::allocations();
  for (int i = 0; i < 100; ++i) {
    Message message;
    const auto owner = message.share(&pool);
    const auto again = message.share(&pool);
    ASSERT_EQ(owner.get(), again.get());
  }
  EXPECT_EQ(legion::test::allocations(), before);
  {
    Message().share();
  }
  const std::size_t expected = legion::test::allocations_are_counted ? before + 1 : before;
  EXPECT_EQ(legion::test::allocations(), expected);
}

TEST(MessageAllocation, OwnersMayOutliveThePool) {
  std::vector<std::shared_ptr<const void>> owners;
  {
    MessagePool pool;
    for (int i = 0; i < 10; ++i) owners.push_back(Message().share(&pool));
    owners.resize(5);
  }
  for (const auto& owner : owners) EXPECT_NE(owner, nullptr);
}

}  // namespace
}  // namespace legion::transport::test
