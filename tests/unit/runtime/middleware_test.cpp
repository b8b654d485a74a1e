// Steps around publish() and around handlers, as a node has them.
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/poll.hpp"

#include <legion/event/json.hpp>
#include <legion/runtime/clock.hpp>
#include <legion/runtime/dispatch_pool.hpp>
#include <legion/runtime/intake.hpp>

namespace legion {
namespace {

constexpr WallTime now{1'700'000'000'000'000'000};

MiddlewareSpec spec(MiddlewareSpec::On on, MiddlewareSpec::Settings settings, const std::string& type = "*",
                    std::vector<std::string> agents = {}) {
  return {.on = on, .type = Filter::parse(type).value(), .agents = std::move(agents), .settings = std::move(settings)};
}
MiddlewareSpec on_publish(MiddlewareSpec::Settings settings, const std::string& type = "*",
                          std::vector<std::string> agents = {}) {
  return spec(MiddlewareSpec::On::Publish, std::move(settings), type, std::move(agents));
}
MiddlewareSpec on_dispatch(MiddlewareSpec::Settings settings, const std::string& type = "*",
                           std::vector<std::string> agents = {}) {
  return spec(MiddlewareSpec::On::Dispatch, std::move(settings), type, std::move(agents));
}
WhereStep where(const std::string& condition) { return {Where::parse(condition).value()}; }

Event event_of(const std::string& type, const std::string& json = "null") {
  Event event;
  event.type = type;
  event.source = "alpha/desk";
  event.time = now;
  event.data = data_from_json(json).value();
  return event;
}

TopicRule everything_live() {
  TopicRule rule;
  rule.spools = 0;
  return rule;
}

class PublishSteps : public testing::Test {
 protected:
  void use(std::vector<MiddlewareSpec> specs, std::size_t capacity = 64) {
    chains_ = std::make_shared<MiddlewareChains>(std::move(specs), SchemaHooks{});
    intake_ = std::make_unique<Intake>("alpha", PolicyTable({everything_live()}),
                                       Intake::Capacity{capacity, capacity, capacity, capacity}, 1 << 20, [] {});
    intake_->set_middleware(chains_, [] { return read_clocks(); });
  }
  PublishStatus publish(const Event& event, PublishedBy publisher = PublishedBy::Agent, std::string_view agent = "desk") {
    last_ = intake_->publish(event, agent, publisher, PublishOptions::PriorityFrom::Policy, {}, now);
    return last_.status;
  }
  /// The events that wait in a lane, as their receivers see them.
  std::vector<std::string> queued(Priority lane = Priority::Normal) {
    std::vector<UnnumberedFrame> taken;
    std::vector<Asked> asked;
    intake_->take(lane, 1000, taken, asked);
    std::vector<std::string> all;
    for (UnnumberedFrame& frame : taken) {
      number_frame(frame.bytes, 9, 1);
      for (const EventView& event : Frame::decode(std::move(frame.bytes)).value()->events()) {
        all.push_back(data_to_json(event.data).value());
      }
    }
    return all;
  }
  StepFigures figures(std::size_t step = 0) const { return chains_->figures()[step]; }

  std::shared_ptr<MiddlewareChains> chains_;
  std::unique_ptr<Intake> intake_;
  PublishResult last_;
};

TEST_F(PublishSteps, WhatOneFiltersIsNotSentAndItsNameIsTold) {
  use({on_publish(where("data.n > 1"), "demo.")});
  EXPECT_EQ(publish(event_of("demo.a", R"({"n":1})")), PublishStatus::Filtered);
  EXPECT_EQ(last_.detail, "where: its condition does not hold");
  EXPECT_EQ(publish(event_of("demo.a", R"({"n":2})")), PublishStatus::Queued);
  EXPECT_EQ(publish(event_of("other", R"({"n":1})")), PublishStatus::Queued) << "of another type";
  EXPECT_THAT(queued(), testing::UnorderedElementsAre(R"({"n":2})", R"({"n":1})"));
  EXPECT_EQ(intake_->answered(PublishStatus::Filtered), 1u);
  EXPECT_EQ(figures().seen, 2u);
  EXPECT_EQ(figures().filtered, 1u);
}

TEST_F(PublishSteps, TheNamesOfTheCatalogAreNoWayAround) {
  use({on_publish(where("exists(data.no)"), "trade.")});
  EXPECT_EQ(publish(event_of("trade.approved")), PublishStatus::Filtered);
  EXPECT_EQ(publish(event_of("TRADE_APPROVED")), PublishStatus::Filtered);
}

TEST_F(PublishSteps, StandInTheirOrderAndSeeWhatTheOnesBeforeMadeOfTheEvent) {
  use({on_publish(RedactStep{Redaction::create({"data.card"}, "***").value()}),
       on_publish(where("data.card == '***'"))});
  EXPECT_EQ(publish(event_of("demo.a", R"({"card":"4111"})")), PublishStatus::Queued);
  EXPECT_THAT(queued(), testing::ElementsAre(R"({"card":"***"})"));
  EXPECT_EQ(figures(0).changed, 1u);
  EXPECT_EQ(figures(1).filtered, 0u);

  use({on_publish(where("data.card == '***'")),
       on_publish(RedactStep{Redaction::create({"data.card"}, "***").value()})});
  EXPECT_EQ(publish(event_of("demo.a", R"({"card":"4111"})")), PublishStatus::Filtered);
  EXPECT_EQ(figures(1).seen, 0u);
}

TEST_F(PublishSteps, AreForAgentsAndProgramsAndNotForTheNodeAndReplays) {
  use({on_publish(where("exists(data.no)"))});
  EXPECT_EQ(publish(event_of("demo.a"), PublishedBy::Control), PublishStatus::Filtered);
  EXPECT_EQ(publish(event_of("demo.a"), PublishedBy::Local), PublishStatus::Filtered);
  EXPECT_EQ(publish(event_of("system.startup"), PublishedBy::Node), PublishStatus::Queued);
  EXPECT_EQ(publish(event_of("~replay.demo.a"), PublishedBy::Replay), PublishStatus::Queued);
}

TEST_F(PublishSteps, OfNamedAgentsConcernNoOthers) {
  use({on_publish(where("exists(data.no)"), "*", {"risk"})});
  EXPECT_EQ(publish(event_of("demo.a"), PublishedBy::Agent, "risk"), PublishStatus::Filtered);
  EXPECT_EQ(publish(event_of("demo.a"), PublishedBy::Agent, "desk"), PublishStatus::Queued);
  EXPECT_EQ(publish(event_of("demo.a"), PublishedBy::Control, "risk"), PublishStatus::Queued);
}

TEST_F(PublishSteps, WhatAFullQueueRefusedIsNoDuplicateWhenItIsTriedAgain) {
  use({on_publish(DeduplicateStep{}), on_publish(LimitStep{.rate = 0.001, .burst = 3})}, 2);
  Event event = event_of("demo.a");
  const auto publish_as = [&](const std::string& id) {
    event.foreign_id = id;
    return publish(event, PublishedBy::Control);
  };
  EXPECT_EQ(publish_as("1"), PublishStatus::Queued);
  EXPECT_EQ(publish_as("2"), PublishStatus::Queued);
  EXPECT_EQ(publish_as("3"), PublishStatus::WouldBlock) << "the queue is full";
  EXPECT_EQ(publish_as("3"), PublishStatus::WouldBlock);
  queued();
  EXPECT_EQ(publish_as("3"), PublishStatus::Queued) << "neither a duplicate nor without a token";
  EXPECT_EQ(publish_as("3"), PublishStatus::Filtered);
  EXPECT_EQ(publish_as("4"), PublishStatus::WouldBlock) << "the rate";
  EXPECT_EQ(last_.detail, "limit: more than its rate allows");
  EXPECT_EQ(figures(1).limited, 1u);
}

TEST_F(PublishSteps, LargeFramesOfATypeAreToBeCompressed) {
  use({on_publish(ZstdStep{.min_bytes = 100}, "demo.")});
  std::vector<UnnumberedFrame> taken;
  std::vector<Asked> asked;
  EXPECT_EQ(publish(event_of("demo.a", "\"" + std::string(1000, 'x') + "\"")), PublishStatus::Queued);
  EXPECT_EQ(publish(event_of("other", "\"" + std::string(1000, 'x') + "\"")), PublishStatus::Queued);
  intake_->take(Priority::Normal, 1000, taken, asked);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].journalling.compress_from, 100u);
  EXPECT_EQ(taken[1].journalling.compress_from, std::nullopt);

  const std::size_t before = taken[0].bytes.size();
  EXPECT_EQ(compress_frame(taken[0].bytes, taken[0].events_bytes), Compressed::Yes);
  EXPECT_LT(taken[0].bytes.size(), before / 4);
  number_frame(taken[0].bytes, 9, 42);
  const FramePtr frame = Frame::decode(std::move(taken[0].bytes)).value();
  EXPECT_EQ(frame->header().flags, frame_flag_zstd);
  EXPECT_EQ(frame->events()[0].sequence, 42u);
  EXPECT_EQ(frame->events()[0].defect, "");
}

TEST_F(PublishSteps, ASerialisedStepIsCalledByOneThreadAtATime) {
  struct Counter {
    int calls = 0;  // without a lock of its own
    std::atomic<int> inside{0};
    bool overlapped = false;
  } counter;
  struct Own final : Middleware {
    explicit Own(Counter& to) : counter(to) {}
    PublishVerdict on_publish(PublishedEvent&) override {
      if (counter.inside.fetch_add(1) != 0) counter.overlapped = true;
      ++counter.calls;
      counter.inside.fetch_sub(1);
      return PublishVerdict::pass();
    }
    Counter& counter;
  };
  use({on_publish(OwnStep{[&] { return std::make_unique<Own>(counter); }})}, 100'000);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([this] {
        for (int n = 0; n < 1000; ++n) {
          intake_->publish(event_of("demo.a"), "desk", PublishedBy::Agent, PublishOptions::PriorityFrom::Policy, {}, now);
        }
      });
    }
  }
  EXPECT_EQ(counter.calls, 4000);
  EXPECT_FALSE(counter.overlapped);
  EXPECT_EQ(figures().seen, 4000u);
}

// --- before handlers -------------------------------------------------------------------------------------------------

/// Notes what it gets; answers as told.
class Desk final : public Agent {
 public:
  using Handle = std::function<Outcome(const Delivery&)>;
  Desk(Answers answers, Handle handle) : answers_(answers), handle_(std::move(handle)) {}
  Answers answers() const override { return answers_; }
  void start(AgentServices&) override {}
  void stop(Duration) override {}
  std::optional<Outcome> deliver(const Delivery& delivery) override {
    const std::lock_guard lock(mutex_);
    got_.push_back(data_to_json(delivery.event->data).value());
    return handle_(delivery);
  }
  std::vector<std::string> got() const {
    const std::lock_guard lock(mutex_);
    return got_;
  }

 private:
  Answers answers_;
  Handle handle_;
  mutable std::mutex mutex_;
  std::vector<std::string> got_;
};

FramePtr frame_of(const std::vector<Event>& events) {
  FrameBuilder builder;
  builder.begin({"alpha", 1}, Priority::Normal, "demo.a", 0, 1);
  for (const Event& event : events) builder.append(encode_event(event, 0, limits::event_bytes_max).value().bytes);
  return Frame::decode(builder.finish()).value();
}

/// Of both kinds of agents: those that get runs, and those that get one event at a time.
class DispatchSteps : public testing::TestWithParam<Agent::Answers> {
 protected:
  void use(std::vector<MiddlewareSpec> specs, Desk::Handle handle = [](const Delivery&) { return Outcome::done(); }) {
    chains_ = std::make_unique<MiddlewareChains>(std::move(specs), SchemaHooks{});
    desk_ = std::make_unique<Desk>(GetParam(), std::move(handle));
    pool_ = std::make_unique<DispatchPool>(2, 1);
    id_ = add("desk", *desk_, Priority::Normal);
  }
  SubscriptionId add(const std::string& name, Desk& desk, Priority tier) {
    AgentSpec agent;
    agent.name = name;
    agent.retry.delay = 1ms;
    return pool_->add_subscription(pool_->add_agent(agent, &desk), {Filter{}, tier},
                                   chains_->for_subscription(name, tier));
  }
  void offer(const std::vector<Event>& events, std::vector<SubscriptionId> to = {}) {
    if (to.empty()) to.push_back(id_);
    std::vector<Route> routes;
    for (const SubscriptionId id : to) routes.push_back({id, 0});
    pool_->start();
    pool_->offer(read_clocks(), frame_of(events), 0, 1, routes);
    EXPECT_TRUE(test::eventually([this] { return pool_->drained(); }));
    pool_->stop();
  }
  Books books(SubscriptionId id) const {
    Books books;
    pool_->inspect([&](const Dispatcher& dispatcher) { books = dispatcher.books(id); });
    EXPECT_EQ(books.balance(), 0);
    return books;
  }
  Books books() const { return books(id_); }
  HandlerStats stats() const { return pool_->stats().handlers[id_.value]; }

  std::unique_ptr<MiddlewareChains> chains_;
  std::unique_ptr<Desk> desk_;
  std::unique_ptr<DispatchPool> pool_;
  SubscriptionId id_;
};

std::vector<Event> numbered(std::size_t count) {
  std::vector<Event> events;
  for (std::size_t n = 0; n < count; ++n) events.push_back(event_of("demo.a", R"({"n":)" + std::to_string(n) + "}"));
  return events;
}

TEST_P(DispatchSteps, WhatTheyFilterIsInTheBooksAndNoAttempt) {
  use({on_dispatch(where("data.n != 1")), on_dispatch(LimitStep{.rate = 0.001, .burst = 3}),
       on_dispatch(DeduplicateStep{.by = WhereField::parse("data.n").value()})});
  std::vector<Event> events = numbered(4);
  events.push_back(events[0]);
  events.push_back(events[2]);
  offer(events);
  EXPECT_THAT(desk_->got(), testing::ElementsAre(R"({"n":0})", R"({"n":2})", R"({"n":3})"));
  EXPECT_EQ(books().published, 6u);
  EXPECT_EQ(books().delivered, 3u);
  EXPECT_EQ(books().filtered.where, 1u);
  EXPECT_EQ(books().filtered.limited, 2u) << "the limit stands before deduplicate";
  EXPECT_EQ(stats().total, 3u);
  EXPECT_EQ(stats().ended, 3u);
  const auto figures = chains_->figures();
  EXPECT_EQ(figures[0].seen, 6u);
  EXPECT_EQ(figures[1].seen, 5u);
  EXPECT_EQ(figures[2].seen, 3u);
}

TEST_P(DispatchSteps, DuplicatesAreCountedAsSuch) {
  use({on_dispatch(DeduplicateStep{.by = WhereField::parse("data.n").value()})});
  std::vector<Event> events = numbered(2);
  events.push_back(events[0]);
  offer(events);
  EXPECT_EQ(books().delivered, 2u);
  EXPECT_EQ(books().filtered.duplicate, 1u);
}

TEST_P(DispatchSteps, ARetryIsNeitherADuplicateNorLimited) {
  std::atomic<int> failures{2};
  use({on_dispatch(DeduplicateStep{.by = WhereField::parse("data.n").value()}),
       on_dispatch(LimitStep{.rate = 0.001, .burst = 2})},
      [&](const Delivery& delivery) {
        if (delivery.event->sequence == 1 && failures.fetch_sub(1) > 0) return Outcome::retry("not yet");
        return Outcome::done();
      });
  offer(numbered(2));
  EXPECT_THAT(desk_->got(), testing::ElementsAre(R"({"n":0})", R"({"n":0})", R"({"n":0})", R"({"n":1})"));
  EXPECT_EQ(books().delivered, 2u);
  EXPECT_EQ(books().filtered.total(), 0u);
}

TEST_P(DispatchSteps, TheHandlerGetsWhatTheyMadeOfTheEventAndTheDeadLetterDoesNot) {
  use({on_dispatch(RedactStep{Redaction::create({"data.n"}, "***").value()})},
      [](const Delivery&) { return Outcome::reject("no"); });
  offer(numbered(2));
  EXPECT_THAT(desk_->got(), testing::ElementsAre(R"({"n":"***"})", R"({"n":"***"})"));
  const auto letters = pool_->drain_letters();
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_EQ(data_to_json(letters[1].event->data).value(), R"({"n":1})");
  EXPECT_EQ(books().dead, 2u);
}

TEST_P(DispatchSteps, WhatOneRejectsIsADeadLetterWithItsName) {
  struct Own final : Middleware {
    DispatchVerdict on_dispatch(DispatchedEvent& event) override {
      return event.view().sequence == 2 ? DispatchVerdict::reject("not like that") : DispatchVerdict::pass();
    }
  };
  MiddlewareSpec own = on_dispatch(OwnStep{[] { return std::make_unique<Own>(); }});
  own.name = "mine";
  use({own});
  offer(numbered(3));
  EXPECT_EQ(books().delivered, 2u);
  EXPECT_EQ(books().dead, 1u);
  const auto letters = pool_->drain_letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].death.error, "mine: not like that");
}

TEST_P(DispatchSteps, WhatIsTooOldIsExpired) {
  use({on_dispatch(ExpireStep{1s})});
  offer(numbered(2));
  EXPECT_EQ(books().expired, 2u);
  EXPECT_EQ(stats().total, 0u);
}

TEST_P(DispatchSteps, OfNamedAgentsAndTypesConcernNoOthers) {
  use({on_dispatch(where("exists(data.no)"), "*", {"risk"}), on_dispatch(where("exists(data.no)"), "other.")});
  offer(numbered(2));
  EXPECT_EQ(books().delivered, 2u);
}

TEST_P(DispatchSteps, NothingTakesAnEventPastAGate) {
  struct Own final : Middleware {
    DispatchVerdict on_dispatch(DispatchedEvent&) override {
      return DispatchVerdict::of(DispatchVerdict::Kind::FilteredWhere);
    }
  };
  use({on_dispatch(where("exists(data.no)"), "*", {"gate"}), on_dispatch(LimitStep{.rate = 0.001}, "*", {"gate"}),
       on_dispatch(OwnStep{[] { return std::make_unique<Own>(); }}, "*", {"gate"}),
       on_dispatch(RedactStep{Redaction::create({"data.n"}, "x").value()}, "*", {"gate"})});
  Desk gate(GetParam(),
            [](const Delivery& delivery) { return delivery.event->sequence == 2 ? Outcome::stop() : Outcome::done(); });
  const SubscriptionId gate_id = add("gate", gate, Priority::Critical);
  offer(numbered(3), {gate_id, id_});
  EXPECT_THAT(gate.got(), testing::ElementsAre(R"({"n":"x"})", R"({"n":"x"})", R"({"n":"x"})"))
      << "it was asked about each";
  EXPECT_THAT(desk_->got(), testing::ElementsAre(R"({"n":0})", R"({"n":2})"));
  EXPECT_EQ(books(gate_id).delivered, 3u);
  EXPECT_EQ(books().filtered.stopped, 1u);
}

TEST_P(DispatchSteps, ALaterTierGoesOnWithWhatOneFilteredForAnEarlierOne) {
  use({on_dispatch(where("exists(data.no)"), "*", {"desk"})});
  Desk late(GetParam(), [](const Delivery&) { return Outcome::done(); });
  const SubscriptionId late_id = add("late", late, Priority::Low);
  offer(numbered(3), {id_, late_id});
  EXPECT_EQ(books().filtered.where, 3u);
  EXPECT_EQ(books(late_id).delivered, 3u);
}

TEST_P(DispatchSteps, EachSubscriptionRemembersForItself) {
  use({on_dispatch(DeduplicateStep{.by = WhereField::parse("data.n").value()})});
  Desk other(GetParam(), [](const Delivery&) { return Outcome::done(); });
  const SubscriptionId other_id = add("other", other, Priority::Normal);
  offer(numbered(3), {id_, other_id});
  EXPECT_EQ(books().delivered, 3u);
  EXPECT_EQ(books(other_id).delivered, 3u);
}

INSTANTIATE_TEST_SUITE_P(Agents, DispatchSteps, testing::Values(Agent::Answers::AtOnce, Agent::Answers::Later),
                         [](const auto& answers) {
                           return answers.param == Agent::Answers::AtOnce ? std::string("InRuns")
                                                                          : std::string("OneByOne");
                         });

}  // namespace
}  // namespace legion
