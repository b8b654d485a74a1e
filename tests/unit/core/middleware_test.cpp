// Every step by itself: what it lets pass on publish and before a handler, and what it remembers.
#include <limits>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <legion/core/middleware_memory.hpp>
#include <legion/core/middleware_spec.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/json.hpp>

namespace legion {
namespace {

using Kind = DispatchVerdict::Kind;
using Answer = PublishVerdict::Kind;
using Taken = Middleware::Taken;
using Again = DispatchedEvent::Again;

Event event_of(const std::string& json, std::int64_t time = 1'000'000'000'000) {
  Event event;
  event.type = "order.requested";
  event.source = "n/desk";
  event.time = {time};
  event.data = data_from_json(json).value();
  return event;
}

EventPtr numbered(const Event& event, std::uint64_t sequence, const std::string& type = "order.requested") {
  FrameBuilder builder;
  builder.begin({"n", 1}, Priority::Normal, type, 0, sequence);
  builder.append(encode_event(event, 0, limits::event_bytes_max).value().bytes);
  return Frame::event_ptr(Frame::decode(builder.finish()).value(), 0);
}

/// A step on a table; time moves when the test says so.
class Step {
 public:
  explicit Step(MiddlewareSpec::Settings settings, SchemaHooks hooks = {}) {
    MiddlewareSpec spec;
    spec.settings = std::move(settings);
    step_ = make_step(spec, hooks);
  }
  PublishedEvent published(const Event& event, std::optional<Duration> ttl = {}) const {
    return {event,
            {.type = event.type,
             .source = "n/desk",
             .agent = "desk",
             .priority = Priority::Normal,
             .now = now,
             .ttl = ttl}};
  }
  Answer publish(const Event& event, Taken taken = Taken::Yes) {
    PublishedEvent handed = published(event);
    const Answer answer = step_->on_publish(handed).kind;
    if (answer == Answer::Pass) step_->on_answer(handed, taken);
    return answer;
  }
  Kind dispatch(const EventPtr& event, Again again = Again::No) {
    DispatchedEvent handed(event, "desk", again, now);
    verdict = step_->on_dispatch(handed);
    got = handed.event();
    return verdict.kind;
  }
  void pass(Duration time) { now = {now.steady + time, now.wall + time}; }

  Middleware& step() { return *step_; }
  Now now{SteadyTime{5'000'000'000}, WallTime{1'000'000'000'000}};
  DispatchVerdict verdict;
  EventPtr got;

 private:
  std::unique_ptr<Middleware> step_;
};

TEST(MiddlewareWhere, FiltersWhatItsConditionSaysNoTo) {
  Step step(WhereStep{Where::parse("data.n > 1 and priority == 'normal' and source == 'n/desk'").value()});
  Event unnamed = event_of(R"({"n":2})");
  unnamed.source.clear();
  EXPECT_EQ(step.publish(unnamed), Answer::Pass) << "the source is the one it will go out with";
  EXPECT_EQ(step.publish(event_of(R"({"n":1})")), Answer::Filtered);
  EXPECT_EQ(step.dispatch(numbered(event_of(R"({"n":2})"), 1)), Kind::Pass);
  EXPECT_EQ(step.dispatch(numbered(event_of(R"({"n":1})"), 2)), Kind::FilteredWhere);
}

TEST(MiddlewareValidate, AsksTheSchemasAndSaysWhatTheySay) {
  SchemaHooks hooks;
  hooks.check = [](std::string_view type, std::uint32_t version, BytesView) -> Result<void> {
    if (version == 2) return {};
    return fail(ErrorCode::BadData, std::string(type) + ": data.n is missing");
  };
  Step step(ValidateStep{}, hooks);
  Event good = event_of("{}");
  good.schema_version = 2;
  EXPECT_EQ(step.publish(good), Answer::Pass);
  EXPECT_EQ(step.publish(event_of("{}")), Answer::Invalid);
  EXPECT_EQ(step.dispatch(numbered(good, 1)), Kind::Pass);
  EXPECT_EQ(step.dispatch(numbered(event_of("{}"), 2)), Kind::Unfit);
  EXPECT_EQ(step.verdict.error, "order.requested: data.n is missing");
  Step without(ValidateStep{});
  EXPECT_EQ(without.publish(event_of("{}")), Answer::Pass);
}

TEST(MiddlewareExpire, EndsEventsOfThisAgeAndGivesOthersAnEnd) {
  Step step(ExpireStep{10s});
  const Event event = event_of("{}");
  PublishedEvent handed = step.published(event);
  EXPECT_EQ(step.step().on_publish(handed).kind, Answer::Pass);
  EXPECT_EQ(handed.event().expires_at, event.time + 10s);

  Event own = event;
  own.expires_at = event.time + 1h;
  PublishedEvent kept = step.published(own);
  EXPECT_EQ(step.step().on_publish(kept).kind, Answer::Pass);
  EXPECT_EQ(kept.event().expires_at, event.time + 1h);

  PublishedEvent short_lived = step.published(event, 2s);
  EXPECT_EQ(step.step().on_publish(short_lived).kind, Answer::Pass);
  EXPECT_FALSE(short_lived.event().expires_at.has_value()) << "the policy of its type ends it sooner";

  const EventPtr numbered_event = numbered(own, 1);
  EXPECT_EQ(step.dispatch(numbered_event), Kind::Pass);
  step.pass(10s);
  EXPECT_EQ(step.dispatch(numbered_event), Kind::Pass);
  step.pass(1ns);
  EXPECT_EQ(step.dispatch(numbered_event), Kind::Expired);
  EXPECT_EQ(step.dispatch(numbered_event, Again::Yes), Kind::Expired);
  EXPECT_EQ(step.dispatch(numbered_event, Again::AskedFor), Kind::Pass) << "somebody wants it all the same";
  EXPECT_EQ(step.publish(event), Answer::Filtered);
}

TEST(MiddlewareExpire, TheLastMomentThereIsIsNotPast) {
  Step step(ExpireStep{24h});
  const Event event = event_of("{}", std::numeric_limits<std::int64_t>::max() - 1);
  EXPECT_EQ(step.publish(event), Answer::Pass);
  EXPECT_EQ(step.dispatch(numbered(event, 1)), Kind::Pass);
}

TEST(MiddlewareWhere, AnEventWithoutDataIsTheSameBeforeAndAfterItIsEncoded) {
  for (const char* text : {"exists(data)", "data is null", "not exists(data.n)"}) {
    Step step(WhereStep{Where::parse(text).value()});
    Event event = event_of("{}");
    event.data.clear();
    EXPECT_EQ(step.publish(event), Answer::Pass) << text;
    EXPECT_EQ(step.dispatch(numbered(event, 1)), Kind::Pass) << text;
  }
}

TEST(MiddlewareDeduplicate, TellsEventsFromOutsideByTheirIdAndSource) {
  Step step(DeduplicateStep{});
  Event event = event_of("{}");
  event.foreign_id = "f1";
  Event elsewhere = event;
  elsewhere.source = "m/desk";
  EXPECT_EQ(step.dispatch(numbered(event, 1)), Kind::Pass);
  EXPECT_EQ(step.dispatch(numbered(event, 2)), Kind::FilteredDuplicate);
  EXPECT_EQ(step.dispatch(numbered(elsewhere, 3)), Kind::Pass);
}

TEST(MiddlewareDeduplicate, ADeliveryThatComesAgainIsNoDuplicate) {
  Step step(DeduplicateStep{});
  Event event = event_of("{}");
  event.foreign_id = "f1";
  const EventPtr first = numbered(event, 1);
  EXPECT_EQ(step.dispatch(first), Kind::Pass);
  EXPECT_EQ(step.dispatch(first), Kind::Pass) << "the rest of a run that was given back";
  EXPECT_EQ(step.dispatch(first, Again::Yes), Kind::Pass) << "its second attempt";
  // An attempt of an event whose first one an earlier life of the node saw, while its duplicate was seen here.
  EXPECT_EQ(step.dispatch(numbered(event, 2), Again::Yes), Kind::Pass);
  EXPECT_EQ(step.dispatch(numbered(event, 3)), Kind::FilteredDuplicate);
}

TEST(MiddlewareDeduplicate, KnowsTheReplayOfWhatItSawAndNotWhatAnOperatorAskedFor) {
  Step step(DeduplicateStep{});
  const EventPtr original = numbered(event_of("{}"), 7);
  EXPECT_EQ(step.dispatch(original), Kind::Pass);
  Event replayed = event_of("{}");
  replayed.original_id = original->id_string();
  EXPECT_EQ(step.dispatch(numbered(replayed, 1, "~replay.order.requested")), Kind::FilteredDuplicate);
  EXPECT_EQ(step.dispatch(numbered(replayed, 2, "~replay_to.order.requested"), Again::AskedFor), Kind::Pass);
}

TEST(MiddlewareDeduplicate, CanGoByAFieldAndPassesWhatHasNone) {
  Step step(DeduplicateStep{.by = WhereField::parse("data.order").value()});
  EXPECT_EQ(step.dispatch(numbered(event_of(R"({"order":1})"), 1)), Kind::Pass);
  EXPECT_EQ(step.dispatch(numbered(event_of(R"({"order":1,"x":2})"), 2)), Kind::FilteredDuplicate);
  EXPECT_EQ(step.dispatch(numbered(event_of(R"({"order":"1"})"), 3)), Kind::Pass);
  EXPECT_EQ(step.dispatch(numbered(event_of("{}"), 4)), Kind::Pass);
  EXPECT_EQ(step.dispatch(numbered(event_of("{}"), 5)), Kind::Pass);
}

TEST(MiddlewareDeduplicate, APublisherThatWasRefusedMayTryAgain) {
  Step step(DeduplicateStep{});
  Event event = event_of("{}");
  event.foreign_id = "f1";
  EXPECT_EQ(step.publish(event, Taken::No), Answer::Pass);
  EXPECT_EQ(step.publish(event, Taken::No), Answer::Pass);
  EXPECT_EQ(step.publish(event, Taken::Yes), Answer::Pass);
  EXPECT_EQ(step.publish(event, Taken::Yes), Answer::Filtered);
  Event without = event_of("{}");
  EXPECT_EQ(step.publish(without), Answer::Pass);
  EXPECT_EQ(step.publish(without), Answer::Pass) << "nothing to go by";
}

TEST(DuplicateWindow, ForgetsByCountAndByTime) {
  DuplicateWindow window(3, 10s);
  const SteadyTime start{0};
  using Seen = DuplicateWindow::Seen;
  for (std::uint64_t id = 1; id <= 3; ++id) EXPECT_EQ(window.note(start, id, 1), Seen::New);
  EXPECT_EQ(window.note(start, 1, 2), Seen::Duplicate);
  EXPECT_EQ(window.note(start, 1, 1), Seen::Same);
  EXPECT_EQ(window.note(start, 4, 1), Seen::New);
  EXPECT_EQ(window.note(start, 1, 2), Seen::New) << "the oldest made room";
  EXPECT_EQ(window.size(), 3u);
  EXPECT_EQ(window.note(start + 10s, 4, 2), Seen::Duplicate);
  EXPECT_EQ(window.note(start + 10s + 1ns, 4, 2), Seen::New);
  EXPECT_EQ(window.size(), 1u);
}

TEST(DuplicateWindow, WhatWasForgottenAndSeenAgainLastsAsLongAsItsLastEntry) {
  DuplicateWindow window(10, 10s);
  using Seen = DuplicateWindow::Seen;
  EXPECT_EQ(window.note(SteadyTime{0}, 1, 1), Seen::New);
  window.forget(1, 1);
  EXPECT_EQ(window.note(SteadyTime{0} + 5s, 1, 1), Seen::New);
  EXPECT_EQ(window.note(SteadyTime{0} + 12s, 1, 2), Seen::Duplicate);
  window.forget(1, 2);
  EXPECT_EQ(window.note(SteadyTime{0} + 12s, 1, 2), Seen::Duplicate) << "not of that delivery to forget";
}

TEST(MiddlewareLimit, LetsABurstPassAndThenTheRate) {
  Step step(LimitStep{.rate = 10, .burst = 2});
  std::uint64_t sequence = 0;
  const auto dispatch = [&] { return step.dispatch(numbered(event_of("{}"), ++sequence)); };
  EXPECT_EQ(dispatch(), Kind::Pass);
  EXPECT_EQ(dispatch(), Kind::Pass);
  EXPECT_EQ(dispatch(), Kind::FilteredLimited);
  step.pass(99ms);
  EXPECT_EQ(dispatch(), Kind::FilteredLimited);
  step.pass(1ms);
  EXPECT_EQ(dispatch(), Kind::Pass);
  EXPECT_EQ(dispatch(), Kind::FilteredLimited);
  EXPECT_EQ(step.dispatch(numbered(event_of("{}"), 1), Again::Yes), Kind::Pass) << "it has had its token";
}

TEST(MiddlewareLimit, WhatComesBackUnhandledHasHadItsToken) {
  Step step(LimitStep{.rate = 1, .burst = 2});
  const EventPtr first = numbered(event_of("{}"), 1);
  EXPECT_EQ(step.dispatch(first), Kind::Pass);
  EXPECT_EQ(step.dispatch(first), Kind::Pass);
  EXPECT_EQ(step.dispatch(numbered(event_of("{}"), 2)), Kind::Pass);
  EXPECT_EQ(step.dispatch(numbered(event_of("{}"), 3)), Kind::FilteredLimited);
  EXPECT_EQ(step.dispatch(first), Kind::Pass);
}

TEST(DuplicateWindow, WhatIsForgottenTakesNoRoom) {
  DuplicateWindow window(2, 1h);
  using Seen = DuplicateWindow::Seen;
  EXPECT_EQ(window.note(SteadyTime{0}, 1, 1), Seen::New);
  for (std::uint64_t refused = 10; refused < 20; ++refused) {
    EXPECT_EQ(window.note(SteadyTime{0}, refused, 1), Seen::New);
    window.forget(refused, 1);
  }
  EXPECT_EQ(window.note(SteadyTime{0}, 1, 2), Seen::Duplicate);
  EXPECT_EQ(window.size(), 1u);
}

TEST(MiddlewareLimit, HasABucketForEachValue) {
  Step step(LimitStep{.rate = 1, .burst = 1, .by = WhereField::parse("data.symbol").value()});
  EXPECT_EQ(step.dispatch(numbered(event_of(R"({"symbol":"a"})"), 1)), Kind::Pass);
  EXPECT_EQ(step.dispatch(numbered(event_of(R"({"symbol":"b"})"), 2)), Kind::Pass);
  EXPECT_EQ(step.dispatch(numbered(event_of(R"({"symbol":"a"})"), 3)), Kind::FilteredLimited);
  EXPECT_EQ(step.dispatch(numbered(event_of("{}"), 4)), Kind::Pass);
  EXPECT_EQ(step.dispatch(numbered(event_of("{}"), 5)), Kind::FilteredLimited);
}

TEST(MiddlewareLimit, TellsPublishersToWaitAndTakesNoTokenForWhatWasNotTaken) {
  Step step(LimitStep{.rate = 10, .burst = 1});
  EXPECT_EQ(step.publish(event_of("{}"), Taken::No), Answer::Pass);
  EXPECT_EQ(step.publish(event_of("{}")), Answer::Pass);
  EXPECT_EQ(step.publish(event_of("{}")), Answer::WouldBlock);
  step.pass(100ms);
  EXPECT_EQ(step.publish(event_of("{}")), Answer::Pass);
}

TEST(TokenBuckets, AreBoundedAndTheOneUsedLongestAgoGoes) {
  TokenBuckets buckets(1, 1, 2);
  using Token = TokenBuckets::Token;
  EXPECT_EQ(buckets.take(SteadyTime{0}, 1), Token::Taken);
  EXPECT_EQ(buckets.take(SteadyTime{0}, 2), Token::Taken);
  EXPECT_EQ(buckets.take(SteadyTime{0}, 1), Token::None);
  EXPECT_EQ(buckets.take(SteadyTime{0}, 3), Token::Taken);
  EXPECT_EQ(buckets.size(), 2u);
  EXPECT_EQ(buckets.take(SteadyTime{0}, 1), Token::None) << "used after 2";
  EXPECT_EQ(buckets.take(SteadyTime{0}, 2), Token::Taken) << "begins anew";
}

TEST(MiddlewareSample, LetsTheSameEventsPassEverywhere) {
  Step one(SampleStep{.share = 0.25});
  Step other(SampleStep{.share = 0.25});
  std::size_t passed = 0;
  constexpr std::uint64_t events = 4000;
  for (std::uint64_t n = 1; n <= events; ++n) {
    const EventPtr event = numbered(event_of("{}"), n);
    const Kind kind = one.dispatch(event);
    EXPECT_EQ(kind, other.dispatch(event));
    Event replayed = event_of("{}");
    replayed.original_id = event->id_string();
    EXPECT_EQ(kind, other.dispatch(numbered(replayed, n, "~replay.order.requested")));
    passed += kind == Kind::Pass ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(passed), events * 0.25, events * 0.04);
  Step none(SampleStep{.share = 0});
  EXPECT_EQ(none.dispatch(numbered(event_of("{}"), 1)), Kind::FilteredWhere);
  Step all(SampleStep{.share = 1});
  EXPECT_EQ(all.dispatch(numbered(event_of("{}"), 1)), Kind::Pass);
}

TEST(MiddlewareSample, CanGoByAField) {
  Step step(SampleStep{.share = 0.5, .by = WhereField::parse("data.order").value()});
  std::set<Kind> kinds;
  for (int order = 0; order < 64; ++order) {
    const Event event = event_of(R"({"order":)" + std::to_string(order) + "}");
    const Kind kind = step.dispatch(numbered(event, 1));
    EXPECT_EQ(step.dispatch(numbered(event, 2)), kind);
    EXPECT_EQ(step.publish(event) == Answer::Pass, kind == Kind::Pass);
    kinds.insert(kind);
  }
  EXPECT_EQ(kinds.size(), 2u);
}

TEST(MiddlewareRedact, GivesTheHandlerOtherDataAndLeavesTheEventAsItIs) {
  Step step(RedactStep{Redaction::create({"data.card"}, "***").value()});
  const EventPtr event = numbered(event_of(R"({"card":"4111","n":1})"), 1);
  EXPECT_EQ(step.dispatch(event), Kind::Pass);
  EXPECT_EQ(data_to_json(step.got->data).value(), R"({"card":"***","n":1})");
  EXPECT_EQ(step.got->id_string(), event->id_string());
  EXPECT_EQ(step.got->source, "n/desk");
  EXPECT_EQ(data_to_json(event->data).value(), R"({"card":"4111","n":1})");

  const EventPtr without = numbered(event_of("{}"), 2);
  EXPECT_EQ(step.dispatch(without), Kind::Pass);
  EXPECT_EQ(step.got, without);

  const Event outgoing = event_of(R"({"card":"4111"})");
  PublishedEvent handed = step.published(outgoing);
  EXPECT_EQ(step.step().on_publish(handed).kind, Answer::Pass);
  EXPECT_EQ(data_to_json(handed.event().data).value(), R"({"card":"***"})");
  EXPECT_EQ(data_to_json(outgoing.data).value(), R"({"card":"4111"})");
}

TEST(MiddlewareUpcast, BringsOlderDataUpAndRejectsWhatItCannot) {
  SchemaHooks hooks;
  hooks.newest_version = [](std::string_view type) {
    return type == "order.requested" ? std::optional<std::uint32_t>(3) : std::nullopt;
  };
  hooks.upcast = [](std::string_view, std::uint32_t from, BytesView) -> Result<Bytes> {
    if (from == 1) return fail(ErrorCode::BadData, "data.n has no place in version 3");
    return data_from_json(R"({"n":3})");
  };
  Step step(UpcastStep{}, hooks);
  Event second = event_of("{}");
  second.schema_version = 2;
  EXPECT_EQ(step.dispatch(numbered(second, 1)), Kind::Pass);
  EXPECT_EQ(step.got->schema_version, 3u);
  EXPECT_EQ(data_to_json(step.got->data).value(), R"({"n":3})");
  EXPECT_EQ(step.dispatch(numbered(event_of("{}"), 2)), Kind::Unfit);
  EXPECT_EQ(step.verdict.error, "data.n has no place in version 3");
  Event newest = event_of("{}");
  newest.schema_version = 3;
  const EventPtr same = numbered(newest, 3);
  EXPECT_EQ(step.dispatch(same), Kind::Pass);
  EXPECT_EQ(step.got, same);
  PublishedEvent handed = step.published(second);
  EXPECT_EQ(step.step().on_publish(handed).kind, Answer::Pass);
  EXPECT_EQ(handed.event().schema_version, 3u);
}

}  // namespace
}  // namespace legion
