// Middleware and conditions as a program has them: steps of the product and of its own, by the clock of the test kit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <legion/testing.hpp>

namespace legion {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using On = MiddlewareSpec::On;

struct Order {
  std::uint64_t number = 0;
  std::string card;
  static constexpr auto schema = event_schema("desk.order", 1, "An order.", data_field("number", &Order::number, ""),
                                              data_field("card", &Order::card, ""));
};

Node started(TestMesh& mesh, const std::function<void(Node&)>& add) {
  auto node = mesh.add_node("desk");
  EXPECT_TRUE(node.has_value()) << (node ? "" : node.error().message);
  add(*node);
  const auto begun = node->start();
  EXPECT_TRUE(begun.has_value()) << (begun ? "" : begun.error().message);
  return std::move(*node);
}

Where condition(std::string_view text) { return Where::parse(text).value(); }

TEST(Middleware, AHandlerGetsWhatItsConditionHoldsFor) {
  TestMesh mesh;
  std::vector<std::uint64_t> seen;
  const Node node = started(mesh, [&](Node& desk) {
    ASSERT_TRUE(desk.on<Order>([&](const Order& order) { seen.push_back(order.number); },
                               {.where = "data.number >= 3 and data.number != 5"}));
  });
  for (std::uint64_t n = 0; n < 8; ++n) ASSERT_TRUE(node.publisher().publish(Order{n, ""}));
  mesh.run_until_idle();
  EXPECT_THAT(seen, ElementsAre(3, 4, 6, 7));
  EXPECT_EQ(node.statistics().handlers.at(0).filtered, 4u);
  EXPECT_EQ(node.statistics().handlers.at(0).total, 4u);
}

TEST(Middleware, AConditionThatIsNoneIsRefusedAndTheHandlerIsNotThere) {
  TestMesh mesh;
  auto node = mesh.add_node("desk");
  ASSERT_TRUE(node.has_value());
  const auto refused = node->on("desk.", [](const EventView&) {}, {.where = "data.number >"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::InvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("handler of desk.: where: 1:14: expected"));
  ASSERT_TRUE(node->start());
  EXPECT_TRUE(node->statistics().handlers.empty());
}

TEST(Middleware, AGateIsNotAskedAboutWhatItsConditionSaysNoTo) {
  TestMesh mesh;
  std::vector<std::uint64_t> asked;
  std::vector<std::uint64_t> seen;
  const Node node = started(mesh, [&](Node& desk) {
    const auto veto = [&](const Order& order) {
      asked.push_back(order.number);
      return Outcome::stop();
    };
    ASSERT_TRUE(desk.on<Order>(veto, {.tier = Priority::Critical, .where = "data.number > 1"}));
    ASSERT_TRUE(desk.on<Order>([&](const Order& order) { seen.push_back(order.number); }));
  });
  for (std::uint64_t n = 0; n < 4; ++n) ASSERT_TRUE(node.publisher().publish(Order{n, ""}));
  mesh.run_until_idle();
  EXPECT_THAT(asked, ElementsAre(2, 3));
  EXPECT_THAT(seen, ElementsAre(0, 1));
}

TEST(Middleware, WhoPublishesIsToldWhatAStepTookOut) {
  TestMesh mesh(
      {.middleware = {{.name = "no-zero", .on = On::Publish, .settings = WhereStep{condition("data.number > 0")}},
                      {.name = "slowly", .on = On::Publish, .settings = LimitStep{.rate = 1, .burst = 2}}}});
  const Node node = started(mesh, [](Node&) {});
  const auto publish = [&](std::uint64_t n) { return node.publisher().publish(Order{n, ""}); };

  const PublishResult filtered = publish(0);
  EXPECT_EQ(filtered.status, PublishStatus::Filtered);
  EXPECT_THAT(filtered.detail, HasSubstr("no-zero"));
  EXPECT_TRUE(publish(1));
  EXPECT_TRUE(publish(2));
  EXPECT_EQ(publish(3).status, PublishStatus::WouldBlock);
  mesh.advance(std::chrono::seconds(1));  // the clock of the mesh fills the bucket
  EXPECT_TRUE(publish(4));
  EXPECT_EQ(publish(5).status, PublishStatus::WouldBlock);

  mesh.run_until_idle();
  std::vector<std::uint64_t> numbers;
  for (const Order& order : mesh.published<Order>()) numbers.push_back(order.number);
  EXPECT_THAT(numbers, ElementsAre(1, 2, 4));
}

TEST(Middleware, AStepBeforeHandlersRemembersForEachHandlerAloneAndByTheClockOfTheMesh) {
  TestMesh mesh({.middleware = {{.settings = DeduplicateStep{.window_events = 100,
                                                             .window = std::chrono::seconds(10),
                                                             .by = WhereField::parse("data.number").value()}}}});
  std::vector<std::uint64_t> first;
  std::vector<std::uint64_t> second;
  const Node node = started(mesh, [&](Node& desk) {
    ASSERT_TRUE(desk.on<Order>([&](const Order& order) { first.push_back(order.number); }));
    ASSERT_TRUE(desk.on<Order>([&](const Order& order) { second.push_back(order.number); }));
  });
  for (const std::uint64_t n : {1, 2, 1}) ASSERT_TRUE(node.publisher().publish(Order{n, ""}));
  mesh.run_until_idle();
  mesh.advance(std::chrono::seconds(11));
  ASSERT_TRUE(node.publisher().publish(Order{1, ""}));
  mesh.run_until_idle();
  EXPECT_THAT(first, ElementsAre(1, 2, 1));
  EXPECT_THAT(second, ElementsAre(1, 2, 1));
}

/// Says no to one number for good, and writes into every other event.
class Stamp final : public Middleware {
 public:
  explicit Stamp(std::uint64_t refused) : refused_(refused) {}
  PublishVerdict on_publish(PublishedEvent& event) override {
    Order order = decode_data<Order>(event.view()).value();
    if (order.number == refused_) return PublishVerdict::invalid("not this one");
    order.card = "stamped";
    event.change().data = encode_data(order);
    return PublishVerdict::pass();
  }
  DispatchVerdict on_dispatch(DispatchedEvent& event) override {
    Order order = decode_data<Order>(event.view()).value();
    if (order.number == refused_) return DispatchVerdict::reject("not this one");
    order.number += 100;
    event.change_data(encode_data(order), 1);
    return DispatchVerdict::pass();
  }

 private:
  const std::uint64_t refused_;
};

MiddlewareSpec stamp(On on, std::uint64_t refused) {
  return {.name = "stamp", .on = on, .type = Filter::parse("desk.").value(), .settings = OwnStep{[refused] {
                                                                               return std::make_unique<Stamp>(refused);
                                                                             }}};
}

TEST(Middleware, AStepOfTheProgramsOwnChangesEventsAndRefusesThem) {
  TestMesh mesh({.middleware = {stamp(On::Publish, 1), stamp(On::Dispatch, 2)}});
  std::vector<std::string> seen;
  const Node node = started(mesh, [&](Node& desk) {
    ASSERT_TRUE(desk.on<Order>([&](const Order& order) { seen.push_back(std::to_string(order.number) + order.card); }));
  });
  EXPECT_TRUE(node.publisher().publish(Order{0, "4111"}));
  const PublishResult invalid = node.publisher().publish(Order{1, "4111"});
  EXPECT_EQ(invalid.status, PublishStatus::Invalid);
  EXPECT_EQ(invalid.detail, "stamp: not this one");
  EXPECT_TRUE(node.publisher().publish(Order{2, "4111"}));
  mesh.run_until_idle();
  EXPECT_THAT(seen, ElementsAre("100stamped"));
  ASSERT_EQ(mesh.dead_letters().size(), 1u);
  const TestLetter letter = mesh.dead_letters().front();
  EXPECT_EQ(letter.error, "stamp: not this one");
  EXPECT_EQ(decode_data<Order>(*letter.event)->number, 2u);  // as it was published
}

TEST(Middleware, StepsThatCannotBeAreRefusedByTheirPlaceAndName) {
  const auto refusal = [](MiddlewareSpec spec) {
    TestMesh mesh({.middleware = {{.name = "fine"}, std::move(spec)}});
    const auto node = mesh.add_node("desk");
    return node ? std::string("none") : node.error().message;
  };
  EXPECT_EQ(refusal({.on = On::Dispatch, .settings = ZstdStep{}}),
            "middleware[1] (zstd): frames are compressed where they are made: it goes on publish");
  EXPECT_EQ(refusal({.name = "mine", .settings = OwnStep{}}), "middleware[1] (mine): make is empty");
  EXPECT_THAT(refusal({.settings = LimitStep{.rate = 0}}), HasSubstr("rate has to be above 0"));
  EXPECT_THAT(refusal({.settings = SampleStep{.share = 1.5}}), HasSubstr("share has to be from 0 to 1"));
  EXPECT_THAT(refusal({.on = On::Publish, .settings = SampleStep{.share = 0.5}}), HasSubstr("by is needed"));
  EXPECT_EQ(refusal({.settings = OwnStep{[] { return nullptr; }}}), "none");
}

TEST(Middleware, ACoroutineGetsWhatTheStepsMadeOfTheEvent) {
  TestMesh mesh({.middleware = {stamp(On::Dispatch, 2)}});
  std::vector<std::uint64_t> seen;
  const Node node = started(mesh, [&](Node& desk) {
    ASSERT_TRUE(desk.on<Order>([&](const Order& order) -> Async<void> {
      seen.push_back(order.number);
      co_return;
    }));
  });
  for (std::uint64_t n = 1; n < 4; ++n) ASSERT_TRUE(node.publisher().publish(Order{n, ""}));
  mesh.run_until_idle();
  EXPECT_THAT(seen, ElementsAre(101, 103));
  EXPECT_EQ(mesh.dead_letters().size(), 1u);
}

}  // namespace
}  // namespace legion
