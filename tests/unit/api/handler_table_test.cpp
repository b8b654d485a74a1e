#include <atomic>
#include <coroutine>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api_kit.hpp"
#include "support/poll.hpp"

namespace legion {
namespace {

using test::arrived;
using test::plain_event;
using testing::HasSubstr;

struct Fill {
  std::string symbol;
  double price = 0;
  static constexpr auto schema =
      event_schema("test.fill", 1, "Something was bought.", data_field("symbol", &Fill::symbol, "what"),
                   data_field("price", &Fill::price, "EUR"));
};

class HandlerTableTest : public testing::Test {
 protected:
  HandlerId add(std::string_view filter, Handler handler, HandlerOptions options = {}) {
    auto added = table_->add(filter, std::move(handler), std::move(options));
    EXPECT_TRUE(added.has_value()) << (added ? "" : added.error().message);
    return added.value_or(HandlerId{});
  }
  void start() {
    table_->freeze();
    table_->bind({10});
    table_->start(services_);
  }
  /// To the handler that was added as number `handler`, from 0 on.
  std::optional<Outcome> deliver(const EventPtr& event, std::uint32_t handler = 0, TaskId task = 1) {
    return table_->deliver({task, {10 + handler}, event, 1});
  }
  OutcomeKind kind_of(const std::optional<Outcome>& outcome) { return outcome.value().kind; }

  std::shared_ptr<test::RecordingTarget> target_ = std::make_shared<test::RecordingTarget>();
  test::RecordingServices services_;
  std::shared_ptr<HandlerTable> table_ =
      std::make_shared<HandlerTable>("alpha", "desk", AgentOptions{}, target_, LogSink{});
  EventPtr tick_ = arrived(plain_event("test.tick"));
};

/// Where a coroutine stands still until the test goes on with it.
struct Gate {
  std::coroutine_handle<> waiting;
  auto operator co_await() {
    struct Awaiter {
      Gate& gate;
      bool await_ready() const { return false; }
      void await_suspend(std::coroutine_handle<> handle) const { gate.waiting = handle; }
      void await_resume() const {}
    };
    return Awaiter{*this};
  }
};

TEST_F(HandlerTableTest, TakesFunctionsOfEveryShape) {
  int calls = 0;
  add("test.tick", [&](const EventView&) { ++calls; });
  add("test.tick", [&](const EventView&, Context&) { ++calls; });
  add("test.tick", [&](const EventView&) { return Outcome::stop(); });
  add("test.tick", [&](const EventView& event, Context& context) {
    EXPECT_EQ(&event, &context.event());
    return Outcome::reject("no");
  });
  start();
  EXPECT_EQ(kind_of(deliver(tick_, 0)), OutcomeKind::Done);
  EXPECT_EQ(kind_of(deliver(tick_, 1)), OutcomeKind::Done);
  EXPECT_EQ(kind_of(deliver(tick_, 2)), OutcomeKind::Stop);
  EXPECT_EQ(deliver(tick_, 3)->error, "no");
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(table_->answers_at_once());
}

TEST_F(HandlerTableTest, WhatAHandlerThrowsIsAFailedAttempt) {
  add("test.tick", [](const EventView&) { throw std::runtime_error("no such desk"); });
  add("test.tick", [](const EventView&) { throw 7; });
  add("test.tick", [](const EventView&) -> Async<void> {
    throw std::runtime_error("before it waits");
    co_return;
  });
  start();
  EXPECT_EQ(kind_of(deliver(tick_, 0)), OutcomeKind::Retry);
  EXPECT_THAT(deliver(tick_, 0)->error, HasSubstr("no such desk"));
  EXPECT_EQ(kind_of(deliver(tick_, 1)), OutcomeKind::Retry);
  EXPECT_THAT(deliver(tick_, 2)->error, HasSubstr("before it waits"));
}

TEST_F(HandlerTableTest, ATypedHandlerGetsTheStructAndWrongDataNamesTheField) {
  std::vector<std::string> seen;
  add("test.fill", Handler::typed<Fill>([&](const Fill& fill) { seen.push_back(fill.symbol); }));
  add("test.fill", Handler::typed<Fill>([&](const Fill& fill, Context&) -> Async<Outcome> {
        seen.push_back(fill.symbol + " later");
        co_return Outcome::stop();
      }));
  start();
  const EventPtr fill = arrived(make_event(Fill{"XBT", 9.5}));
  EXPECT_EQ(kind_of(deliver(fill, 0)), OutcomeKind::Done);
  EXPECT_EQ(kind_of(deliver(fill, 1)), OutcomeKind::Stop);
  EXPECT_THAT(seen, testing::ElementsAre("XBT", "XBT later"));
  for (const std::uint32_t handler : {0u, 1u}) {
    const auto outcome = deliver(arrived(plain_event("test.fill")), handler);
    EXPECT_EQ(kind_of(outcome), OutcomeKind::Reject);
    EXPECT_THAT(outcome->error, HasSubstr("symbol"));
  }
}

TEST_F(HandlerTableTest, AConsequenceCarriesCorrelationCausationAndTraceContext) {
  add("test.", [](const EventView&, Context& context) {
    context.publish(plain_event("test.answer"));
    Event own = plain_event("test.answer");
    own.correlation_id = "mine";
    own.traceparent = "00-mine";
    context.publish(own);
  });
  start();
  Event cause = plain_event("test.tick");
  cause.traceparent = "00-theirs";
  cause.tracestate = "theirs=1";
  const EventPtr bare = arrived(cause);
  cause.correlation_id = "order-7";
  const EventPtr correlated = arrived(cause);
  deliver(bare);
  deliver(correlated);
  ASSERT_EQ(target_->events.size(), 4u);
  EXPECT_EQ(target_->names[0], "desk");
  EXPECT_EQ(target_->events[0].causation_id, bare->id_string());
  EXPECT_EQ(target_->events[0].correlation_id, bare->id_string());
  EXPECT_EQ(target_->events[0].traceparent, "00-theirs");
  EXPECT_EQ(target_->events[0].tracestate, "theirs=1");
  EXPECT_EQ(target_->events[2].correlation_id, "order-7");
  EXPECT_EQ(target_->events[3].correlation_id, "mine");
  EXPECT_EQ(target_->events[3].traceparent, "00-mine");
  EXPECT_EQ(target_->events[3].tracestate, "");
}

TEST_F(HandlerTableTest, ADeferredAnswerComesLater) {
  std::vector<Acknowledgement> kept;
  add("test.tick", [&](const EventView&, Context& context) {
    kept.push_back(context.defer());
    return Outcome::deferred();
  });
  start();
  EXPECT_EQ(kind_of(deliver(tick_, 0, 41)), OutcomeKind::Deferred);
  EXPECT_EQ(kind_of(deliver(tick_, 0, 42)), OutcomeKind::Deferred);
  EXPECT_TRUE(services_.completed().empty());
  kept[0].done();
  kept[0].reject("too late");  // the first answer counts
  kept.clear();
  const auto completed = services_.completed();
  ASSERT_EQ(completed.size(), 2u);
  EXPECT_EQ(completed[0].first, 41u);
  EXPECT_EQ(completed[0].second.kind, OutcomeKind::Done);
  EXPECT_EQ(completed[1].first, 42u);
  EXPECT_EQ(completed[1].second.kind, OutcomeKind::Retry);  // given up without an answer
}

TEST_F(HandlerTableTest, AnAnswerGivenBeforeTheHandlerReturnsIsItsOutcome) {
  add("test.tick", [](const EventView&, Context& context) {
    context.defer().stop();
    return Outcome::deferred();
  });
  add("test.tick", [](const EventView&) { return Outcome::deferred(); });
  add("test.tick", [](const EventView&, Context& context) {
    context.defer().stop();
    return Outcome::done();
  });
  start();
  EXPECT_EQ(kind_of(deliver(tick_, 0)), OutcomeKind::Stop);
  EXPECT_THAT(deliver(tick_, 1)->error, HasSubstr("took no acknowledgement"));
  EXPECT_EQ(kind_of(deliver(tick_, 2)), OutcomeKind::Done);
  EXPECT_TRUE(services_.completed().empty());
}

TEST_F(HandlerTableTest, ACoroutineAnswersWhenItHasEnded) {
  Gate gate;
  std::string seen;
  add("test.tick", [&](const EventView& event, Context& context) -> Async<Outcome> {
    co_await gate;
    seen = std::string(event.type) + " " + context.agent();  // both live as long as this does
    co_return Outcome::reject("after all");
  });
  start();
  EXPECT_FALSE(table_->answers_at_once());
  EXPECT_FALSE(deliver(arrived(plain_event("test.tick")), 0, 77));
  EXPECT_TRUE(services_.completed().empty());
  gate.waiting.resume();
  EXPECT_EQ(seen, "test.tick desk");
  const auto completed = services_.completed();
  ASSERT_EQ(completed.size(), 1u);
  EXPECT_EQ(completed[0].first, 77u);
  EXPECT_EQ(completed[0].second.error, "after all");
}

TEST_F(HandlerTableTest, ACoroutineOutlivesItsHandlerAndItsAgent) {
  Gate gate;
  const auto captured = std::make_shared<int>(1);
  int sum = 0;
  add("test.tick", [&gate, &sum, captured](const EventView&) -> Async<void> {
    co_await gate;
    sum += *captured;
  });
  start();
  EXPECT_FALSE(deliver(tick_));
  table_->end();
  table_.reset();
  EXPECT_EQ(captured.use_count(), 2);
  gate.waiting.resume();
  EXPECT_EQ(sum, 1);
  EXPECT_EQ(captured.use_count(), 1);
  EXPECT_TRUE(services_.completed().empty());  // the node was gone
}

TEST_F(HandlerTableTest, AConfirmIsAwaited) {
  std::vector<Confirm::Status> seen;
  add("test.tick", [&](const EventView&, Context& context) -> Async<Outcome> {
    const Confirmed confirmed = co_await context.publish_confirmed(plain_event("test.order"));
    if (!confirmed.confirm) co_return Outcome::reject(confirmed.taken.detail);
    seen.push_back(confirmed.confirm->status);
    co_return Outcome::done();
  });
  start();
  EXPECT_FALSE(deliver(tick_, 0, 5));
  ASSERT_EQ(target_->confirms.size(), 1u);
  EXPECT_EQ(target_->events[0].causation_id, tick_->id_string());
  target_->confirms[0]({.id = "x", .status = Confirm::Status::Confirmed});
  EXPECT_THAT(seen, testing::ElementsAre(Confirm::Status::Confirmed));
  EXPECT_EQ(services_.completed().size(), 1u);
  target_->answer = {PublishStatus::Invalid, "not confirmed by spools"};
  EXPECT_EQ(deliver(tick_)->error, "not confirmed by spools");  // nobody waits for what was not taken
}

TEST_F(HandlerTableTest, ARemovedHandlerIsGoneWhenRemoveReturns) {
  std::atomic<bool> inside{false};
  std::atomic<bool> leave{false};
  const auto captured = std::make_shared<int>(1);
  const HandlerId handler = add("test.tick", [&, captured](const EventView&) {
    inside = true;
    EXPECT_TRUE(test::eventually([&] { return leave.load(); }));
  });
  start();
  std::thread worker([&] { deliver(tick_); });
  ASSERT_TRUE(test::eventually([&] { return inside.load(); }));
  std::atomic<bool> removed{false};
  std::thread remover([&] {
    EXPECT_TRUE(table_->remove(handler));
    removed = true;
  });
  ASSERT_TRUE(test::eventually([&] { return !table_->known({10}); }));
  EXPECT_FALSE(removed.load());
  leave = true;
  worker.join();
  remover.join();
  EXPECT_EQ(captured.use_count(), 1);
  EXPECT_EQ(kind_of(deliver(tick_)), OutcomeKind::Done);  // nobody wants it any more
  EXPECT_EQ(table_->remove(handler).error().code, ErrorCode::NotFound);
}

TEST_F(HandlerTableTest, AHandlerMayRemoveItself) {
  int calls = 0;
  HandlerId handler;
  handler = add("test.tick", [&](const EventView&) {
    ++calls;
    EXPECT_TRUE(table_->remove(handler));
    ++calls;  // its captures are still there
  });
  start();
  deliver(tick_);
  deliver(tick_);
  EXPECT_EQ(calls, 2);
}

TEST_F(HandlerTableTest, SaysWhatIsWrongWithARegistration) {
  const auto nothing = [](const EventView&) {};
  EXPECT_THAT(table_->add("Trade Approved", nothing, {}).error().message, HasSubstr("Trade Approved"));
  EXPECT_THAT(table_->add("test.", nothing, {.durable = "Not a name"}).error().message, HasSubstr("Not a name"));
  EXPECT_THAT(table_->add("test.", nothing, {.start = {SubscriptionStart::Kind::Beginning, {}, {}}}).error().message,
              HasSubstr("durable"));
  add("test.", nothing, {.durable = "books"});
  EXPECT_THAT(table_->add("test.", nothing, {.durable = "books"}).error().message, HasSubstr("taken"));
  EXPECT_THAT(table_->add("test.", nothing, {.group = "crew"}).error().message, HasSubstr("home has to name"));
  EXPECT_THAT(table_->add("test.", nothing, {.home = "vault"}).error().message, HasSubstr("of groups only"));
  EXPECT_THAT(table_->add("test.", nothing, {.group = "c d", .home = "vault"}).error().message, HasSubstr("not a name"));
  EXPECT_THAT(table_->add("test.", nothing, {.group = "crew", .home = "vault", .shares = 257}).error().message,
              HasSubstr("1 to 256"));
  EXPECT_THAT(
      table_->add("test.", nothing, {.tier = Priority::Critical, .group = "crew", .home = "vault"}).error().message,
      HasSubstr("a gate"));
  EXPECT_THAT(table_->add("test.", nothing, {.durable = "d", .group = "crew", .home = "vault"}).error().message,
              HasSubstr("leave durable out"));
  start();
  EXPECT_EQ(table_->add("test.", nothing, {}).error().code, ErrorCode::Refused);
  table_->end();
  EXPECT_EQ(table_->add("test.", nothing, {}).error().code, ErrorCode::Closed);
}

TEST_F(HandlerTableTest, StateAndCountersReachTheNodeWheneverTheyWereSet) {
  table_->count("early", 2);
  table_->set_state("warming up");
  start();
  table_->count("early", 1);
  EXPECT_EQ(services_.state, "warming up");
  EXPECT_EQ(services_.counters["early"], 3u);
  EXPECT_TRUE(services_.up);
}

}  // namespace
}  // namespace legion
