// Events in frames and a node that records, for handlers without a node.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <legion/api/handler_table.hpp>
#include <legion/event/frame.hpp>

namespace legion::test {

/// What is published, instead of a node.
class RecordingTarget final : public PublishTarget {
 public:
  PublishResult publish(const Event& event, std::string_view as, PublishOptions options) override {
    if (answer.status == PublishStatus::Queued) {
      events.push_back(event);
      names.emplace_back(as);
      if (options.on_confirmed) confirms.push_back(std::move(options.on_confirmed));
    }
    ++asked;
    PublishResult given = answer;
    if (asked > refused_until) return given;
    return {PublishStatus::WouldBlock, "full"};
  }
  Waited wait(Duration pause) override {
    waited.push_back(pause);
    return on_wait;
  }
  Now now() const override { return time; }

  PublishResult answer{};
  std::size_t refused_until = 0;  ///< so many calls are answered with would_block
  std::size_t asked = 0;
  Waited on_wait = Waited::Passed;
  Now time{{5'000}, {7'000}};
  std::vector<Event> events;
  std::vector<std::string> names;
  std::vector<std::function<void(Confirm)>> confirms;
  std::vector<Duration> waited;
};

/// A node that records what an agent tells it.
class RecordingServices final : public AgentServices {
 public:
  PublishResult publish(const Event& event, PublishOptions) override {
    published.push_back(event.type);
    return {};
  }
  void complete(TaskId task, Outcome outcome) override {
    const std::lock_guard lock(mutex_);
    completed_.emplace_back(task, std::move(outcome));
  }
  void agent_up() override { up = true; }
  void agent_down(std::string) override { up = false; }
  void log(LogLevel, std::string_view text) override { lines.emplace_back(text); }
  void set_state(std::string text) override { state = std::move(text); }
  void count(std::string_view name, std::uint64_t by) override { counters[std::string(name)] += by; }
  const std::string& node_name() const override { return name_; }
  Now now() const override { return {}; }
  std::size_t alive_members() const override { return 1; }
  bool publishing_open() const override { return true; }

  std::vector<std::pair<TaskId, Outcome>> completed() const {
    const std::lock_guard lock(mutex_);
    return completed_;
  }

  std::vector<std::string> published;
  std::vector<std::string> lines;
  bool up = false;
  std::string state;
  std::map<std::string, std::uint64_t> counters;

 private:
  std::string name_ = "alpha";
  mutable std::mutex mutex_;
  std::vector<std::pair<TaskId, Outcome>> completed_;
};

/// `event` as it arrives: the first of its stream, from node "beta".
inline EventPtr arrived(Event event) {
  event.source = "beta/desk";
  FrameBuilder builder;
  builder.begin({"beta", 9}, Priority::Normal, event.type, 0, 1);
  builder.append(encode_event(event, 0, 100'000)->bytes);
  return Frame::event_ptr(*Frame::decode(builder.finish()), 0);
}

inline Event plain_event(std::string type) {
  Event event;
  event.type = std::move(type);
  return event;
}

}  // namespace legion::test
