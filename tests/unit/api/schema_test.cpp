// What nodes do with data that is not what its type declares: in memory, by hand and on real sockets, the same.
#include <atomic>
#include <mutex>

#include <gmock/gmock.h>

#include "node_kit.hpp"

#include <legion/json.hpp>
#include <legion/types.hpp>

namespace legion {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Result<void> fill_from_1(DataMap& data) {
  data.set_number("price", 7.5);
  return {};
}

/// Version 2 of a type of a program's own; version 1 had "price" as text.
struct Fill {
  std::string symbol;
  double price = 0;
  static constexpr auto schema =
      event_schema("test.fill", 2, "Something was bought.", data_field("symbol", &Fill::symbol, "what"),
                   data_field("price", &Fill::price, "EUR"));
  static constexpr std::array upcasts{Upcast{1, &fill_from_1}};
};

/// One rule for all of test., and the declaration of Fill.
test::WorldOptions declared(SchemaCheck check, UnknownVersion unknown = UnknownVersion::Accept) {
  return {.topics = {{.prefix = *Filter::parse("test."), .schema = check, .unknown_version = unknown}},
          .types = {schema_of<Fill>()}};
}

Event fill(std::string_view json, std::uint32_t version = 2) {
  Event event = test::plain("test.fill");
  event.schema_version = version;
  event.data = *data_from_json(json);
  return event;
}

template <class World>
class SchemaTest : public testing::Test {
 protected:
  struct Letter {
    std::string reason;
    std::string error;
  };

  /// One node that counts fills and keeps what becomes of letters.
  void start(const test::WorldOptions& options) {
    world_.emplace(options);
    node_.emplace(world_->node("desk"));
    auto agent = node_->add_agent("taker", {.max_attempts = 1});
    ASSERT_TRUE(agent->on("test.fill", [this](const EventView&) { ++taken_; }));
    ASSERT_TRUE(agent->template on<Fill>([this](const Fill& one) {
      const std::lock_guard lock(mutex_);
      fills_.push_back(one.symbol + " " + std::to_string(one.price));
    }));
    ASSERT_TRUE(node_->on("system.dead_letter", [this](const EventView& event) {
      const DataMap data = *DataMap::read(event.data);
      const std::lock_guard lock(mutex_);
      letters_.push_back({std::string(*data.text("reason")), std::string(*data.text("error"))});
    }));
    ASSERT_TRUE(node_->start());
    ASSERT_TRUE(world_->eventually([&] { return node_->is_open(); }));
  }
  PublishResult publish(const Event& event) { return node_->publisher().publish(event); }
  template <class Condition>
  bool eventually(Condition condition) {
    return world_->eventually([&] {
      const std::lock_guard lock(mutex_);
      return condition();
    });
  }

  std::optional<World> world_;
  std::mutex mutex_;
  std::vector<Letter> letters_;
  std::vector<std::string> fills_;
  std::atomic<int> taken_{0};
  std::optional<Node> node_;  // last: its handlers use what stands above
};

using Worlds = testing::Types<test::MemoryWorld, test::HandWorld, test::NetworkWorld>;
TYPED_TEST_SUITE(SchemaTest, Worlds, test::WorldNames);

TYPED_TEST(SchemaTest, StrictRefusesAMisfitWhereItIsPublishedAndNamesTheField) {
  this->start(declared(SchemaCheck::Strict));
  const PublishResult refused = this->publish(fill(R"({"symbol":"XBT","price":"much"})"));
  EXPECT_EQ(refused.status, PublishStatus::Invalid);
  EXPECT_THAT(refused.detail, AllOf(HasSubstr("test.fill"), HasSubstr("price")));
  EXPECT_TRUE(this->publish(fill(R"({"symbol":"XBT","price":9})")));
  EXPECT_TRUE(this->eventually([&] { return this->fills_.size() == 1; }));
}

TYPED_TEST(SchemaTest, OffLetsEverythingPassAndTheTypedHandlersLetterNamesTheField) {
  this->start(declared(SchemaCheck::Off));
  EXPECT_TRUE(this->publish(fill(R"({"symbol":"XBT"})")));
  ASSERT_TRUE(this->eventually([&] { return this->taken_ == 1 && this->letters_.size() == 1; }));
  EXPECT_EQ(this->letters_[0].reason, "rejected");
  EXPECT_THAT(this->letters_[0].error, HasSubstr("price"));
}

TYPED_TEST(SchemaTest, WarnLetsItPassToo) {
  this->start(declared(SchemaCheck::Warn));
  EXPECT_TRUE(this->publish(fill(R"({"symbol":"XBT"})")));
  EXPECT_TRUE(this->eventually([&] { return this->taken_ == 1; }));
}

TYPED_TEST(SchemaTest, AnOlderVersionIsBroughtUpToDate) {
  this->start(declared(SchemaCheck::Strict));
  EXPECT_TRUE(this->publish(fill(R"({"symbol":"XBT","price":"7.5 EUR"})", 1)));
  ASSERT_TRUE(this->eventually([&] { return this->fills_.size() == 1; }));
  EXPECT_EQ(this->fills_[0], "XBT 7.500000");
}

TYPED_TEST(SchemaTest, ANewerVersionIsQuarantinedOrADeadLetterAsTheTopicSays) {
  for (const auto& [policy, reason] :
       {std::pair(UnknownVersion::Quarantine, "unknown_version"), std::pair(UnknownVersion::DeadLetter, "schema")}) {
    this->node_.reset();
    this->letters_.clear();
    this->start(declared(SchemaCheck::Warn, policy));
    EXPECT_TRUE(this->publish(fill(R"({"anything":1})", 3)));
    ASSERT_TRUE(this->eventually([&] { return this->letters_.size() == 2; }));  // one for each handler
    EXPECT_EQ(this->letters_[0].reason, reason);
    EXPECT_THAT(this->letters_[0].error, HasSubstr("test.fill (version 3)"));
    EXPECT_EQ(this->taken_, 0);
  }
}

TYPED_TEST(SchemaTest, TwoDeclarationsOfOneTypeAreRefused) {
  test::WorldOptions options = declared(SchemaCheck::Warn);
  EventSchema other = schema_of<Fill>();
  other.version = 9;
  options.types.push_back(other);
  const auto error_of = [&]() -> Error {
    if constexpr (std::is_same_v<TypeParam, test::NetworkWorld>) {
      const test::TemporaryFolder folder;
      NodeOptions wanted = test::network_options("desk", folder.path());
      wanted.types = options.types;
      const auto refused = Node::create(wanted);
      return refused ? Error{} : refused.error();
    } else if constexpr (std::is_same_v<TypeParam, test::HandWorld>) {
      const auto refused = TestMesh({.types = options.types}).add_node("desk");
      return refused ? Error{} : refused.error();
    } else {
      const auto refused = InProcessMesh({.types = options.types}).add_node("desk");
      return refused ? Error{} : refused.error();
    }
  };
  EXPECT_EQ(error_of().code, ErrorCode::InvalidArgument);
  EXPECT_THAT(error_of().message, AllOf(HasSubstr("types"), HasSubstr("test.fill")));
}

}  // namespace
}  // namespace legion
