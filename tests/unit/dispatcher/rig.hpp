// A dispatcher on a table: verbs for tests, time moved by hand, the books checked after every step.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <legion/core/dispatcher.hpp>
#include <legion/event/frame.hpp>

namespace legion::test {

struct EventSpec {
  StreamKey stream = 1;
  std::uint64_t sequence = 1;
  Priority lane = Priority::Normal;
  std::string key{};
  std::optional<WallTime> expires_at{};
  WallTime time{};
  enum class Bytes { Good, Broken } bytes = Bytes::Good;
};

inline constexpr EventSpec::Bytes broken = EventSpec::Bytes::Broken;

/// What a broken event of make_frame() says about itself.
inline constexpr std::string_view defect_text = "the bytes of the event do not decode";

/// A frame of these events: stream, lane and first sequence are those of the first.
inline FramePtr make_frame(std::span<const EventSpec> specs) {
  FrameBuilder builder;
  builder.begin({.node = "a", .incarnation = 1}, specs.front().lane, "test.event", 0, specs.front().sequence);
  for (const EventSpec& spec : specs) {
    if (spec.bytes == broken) {
      builder.append(Bytes{0xC0});
      continue;
    }
    Event event;
    event.type = "test.event";
    event.source = "a/agent";
    event.priority = spec.lane;
    event.time = spec.time;
    event.key = spec.key;
    event.expires_at = spec.expires_at;
    builder.append(encode_event(event, 0, limits::event_bytes_max).value().bytes);
  }
  return Frame::decode(builder.finish()).value();
}
inline FramePtr make_frame(const EventSpec& spec) { return make_frame({&spec, 1}); }

/// A frame of `count` plain events from this sequence on.
inline FramePtr make_run(std::uint64_t first_sequence, std::size_t count, Priority lane = Priority::Normal) {
  const std::vector<EventSpec> specs(count, {.sequence = first_sequence, .lane = lane});
  return make_frame(specs);
}

inline Answered answered(OutcomeKind kind) { return {.kind = kind, .age = 2us, .handler_time = 3us}; }

/// A retry policy without chance: 100 ms, 200 ms, 400 ms..
inline RetryPolicy steady_retry(std::uint32_t max_attempts = 3) {
  RetryPolicy policy;
  policy.max_attempts = max_attempts;
  policy.jitter = 0.0;
  return policy;
}

inline AgentSpec agent_spec(std::string name, std::uint32_t concurrency = 1, LaneSpec lane = {}) {
  AgentSpec spec;
  spec.name = std::move(name);
  spec.concurrency = concurrency;
  spec.lanes.fill(lane);
  spec.retry = steady_retry();
  return spec;
}

/// An agent that gets runs.
inline AgentSpec run_spec(std::string name, std::uint32_t run_events_max = 32, LaneSpec lane = {}) {
  AgentSpec spec = agent_spec(std::move(name), 1, lane);
  spec.run_events_max = run_events_max;
  return spec;
}

class Rig {
 public:
  AgentId agent(AgentSpec spec) { return dispatcher.add_agent(std::move(spec)); }
  AgentId agent(const std::string& name) { return agent(agent_spec(name)); }
  SubscriptionId subscribe(AgentId agent, Priority tier = Priority::Normal) {
    return dispatcher.add_subscription(agent, {Filter{}, tier});
  }
  SubscriptionId gate(AgentId agent) { return subscribe(agent, Priority::Critical); }

  EventPtr offer(const EventSpec& spec, const std::vector<SubscriptionId>& routes, Booked booked = Booked::Yes) {
    const FramePtr frame = make_frame(spec);
    offer(frame, spec.stream, routes, booked == Booked::Yes ? 0 : ~std::uint64_t{0});
    return Frame::event_ptr(frame, 0);
  }
  /// All events of the frame.
  void offer(const FramePtr& frame, StreamKey stream, const std::vector<SubscriptionId>& routes,
             std::uint64_t booked_from = 0) {
    std::vector<Route> all;
    for (const SubscriptionId id : routes) all.push_back({id, booked_from});
    dispatcher.on_run(now, frame, 0, frame->header().event_count, stream, all);
    check();
  }
  /// `count` plain events of stream 1, from this sequence on.
  FramePtr offer_run(SubscriptionId id, std::uint64_t first_sequence, std::size_t count, StreamKey stream = 1,
                     Priority lane = Priority::Normal) {
    const FramePtr frame = make_run(first_sequence, count, lane);
    offer(frame, stream, {id});
    return frame;
  }

  std::optional<Task> next() {
    auto task = dispatcher.next(now);
    check();
    return task;
  }
  /// The next task, which has to exist.
  Task take() {
    auto task = next();
    EXPECT_TRUE(task.has_value()) << "nothing to hand over";
    return task.value_or(Task{.frame = make_frame({.sequence = ~std::uint64_t{0} - 1})});
  }
  void answer(const Task& task, Outcome outcome) {
    dispatcher.on_outcome(now, task.id, std::move(outcome));
    check();
  }
  /// The report of a run whose first events came to this; `error` is of the last.
  void report(const Task& task, const std::vector<OutcomeKind>& kinds, std::string error = {}) {
    std::vector<Answered> answers;
    for (const OutcomeKind kind : kinds) answers.push_back(answered(kind));
    dispatcher.on_answers(now, task.id, answers, {kinds.empty() ? OutcomeKind::Done : kinds.back(), std::move(error)});
    check();
  }
  /// As report(): so many done, then this.
  void report(const Task& task, std::size_t done, OutcomeKind last, std::string error = {}) {
    std::vector<OutcomeKind> kinds(done, OutcomeKind::Done);
    kinds.push_back(last);
    report(task, kinds, std::move(error));
  }
  /// Every event of the task came to this.
  void report_all(const Task& task, OutcomeKind kind = OutcomeKind::Done) {
    report(task, std::vector<OutcomeKind>(task.count, kind));
  }
  /// Takes the next task and answers it; what it was.
  Task finish(Outcome outcome = Outcome::done()) {
    const Task task = take();
    answer(task, std::move(outcome));
    return task;
  }
  /// Everything that is runnable now, answered done: the sequences in the order of hand-over.
  std::vector<std::uint64_t> finish_all() {
    std::vector<std::uint64_t> sequences;
    while (const auto task = next()) {
      for (std::uint32_t k = 0; k < task->count; ++k) sequences.push_back(task->sequence(k));
      report_all(*task);
    }
    return sequences;
  }
  bool idle() {
    EXPECT_FALSE(dispatcher.has_runnable());
    return !next().has_value();
  }

  void pass(Duration time) {
    now.steady = now.steady + time;
    now.wall = now.wall + time;
    dispatcher.on_tick(now);
    check();
  }
  void down(AgentId agent, const std::string& error = "process exited with status 1") {
    dispatcher.on_agent_down(now, agent, error);
    check();
  }
  void up(AgentId agent) {
    dispatcher.on_agent_up(now, agent);
    check();
  }

  Books books(SubscriptionId id) const { return dispatcher.books(id); }
  std::uint64_t lost(SubscriptionId id, LossReason reason) const { return books(id).lost_for(reason); }
  std::vector<DeadLetter> letters() { return dispatcher.drain_letters(); }
  void check() const {
    if (const auto fault = dispatcher.check_conservation()) ADD_FAILURE() << *fault;
  }

  Dispatcher dispatcher{1};
  Now now{SteadyTime{1'000'000'000}, WallTime{1'700'000'000'000'000'000}};
};

class DispatcherTest : public testing::Test {
 protected:
  Rig rig;
};

/// The sequences first, first + 1 .. last.
inline std::vector<std::uint64_t> upto(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> sequences;
  for (std::uint64_t n = first; n <= last; ++n) sequences.push_back(n);
  return sequences;
}

/// A run of the events first .. last, by sequence.
MATCHER_P2(is_run, first, last, "") {
  return arg.sequence() == std::uint64_t(first) && arg.sequence(arg.count - 1) == std::uint64_t(last);
}

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::SizeIs;

}  // namespace legion::test
