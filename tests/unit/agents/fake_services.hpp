#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <legion/event/json.hpp>
#include <legion/runtime/agent.hpp>
#include <legion/runtime/clock.hpp>

namespace legion::test {

/// An event as a handler gets it, with everything it points to.
inline EventPtr make_event(std::string type, std::string json = "{}", std::uint64_t sequence = 1) {
  struct Held {
    std::string type;
    Bytes data;
    EventView view;
  };
  auto held = std::make_shared<Held>();
  held->type = std::move(type);
  held->data = data_from_json(json).value();
  held->view.type = held->type;
  held->view.origin = "n1";
  held->view.incarnation = 7;
  held->view.lane = Priority::Normal;
  held->view.sequence = sequence;
  held->view.time = {1'700'000'000'000'000'000};
  held->view.source = "n1/a";
  held->view.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  held->view.key = "k";
  held->view.data = held->data;
  return {held, &held->view};
}

inline Delivery make_delivery(TaskId task, EventPtr event, std::uint32_t attempt = 1) {
  return {.task = task, .subscription = {}, .event = std::move(event), .attempt = attempt};
}

/// A node that remembers what an agent did. Thread: any.
class FakeServices final : public AgentServices {
 public:
  enum class Numbering { AtOnce, Never };
  struct Published {
    Event event;
    PublishOptions::PriorityFrom priority_from;
  };
  struct Line {
    LogLevel level;
    std::string text;
  };

  using AgentServices::publish;

  PublishResult publish(const Event& event, PublishOptions options) override {
    std::string id;
    {
      const std::lock_guard lock(mutex_);
      PublishResult answer;
      if (!answers_.empty()) {
        answer = answers_.front();
        answers_.pop_front();
      } else {
        answer = otherwise_;
      }
      if (!answer) return answer;
      published_.push_back({event, options.priority_from});
      id = "id-" + std::to_string(published_.size());
    }
    if (options.on_settled && numbering_ == Numbering::AtOnce) options.on_settled(id);
    return {};
  }
  void complete(TaskId task, Outcome outcome) override {
    const std::lock_guard lock(mutex_);
    outcomes_.emplace_back(task, std::move(outcome));
  }
  void agent_up() override {
    const std::lock_guard lock(mutex_);
    ++ups_;
  }
  void agent_down(std::string error) override {
    const std::lock_guard lock(mutex_);
    downs_.push_back(std::move(error));
  }
  void log(LogLevel level, std::string_view text) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back({level, std::string(text)});
  }
  void set_state(std::string state) override {
    const std::lock_guard lock(mutex_);
    states_.push_back(std::move(state));
  }
  void count(std::string_view name, std::uint64_t by) override {
    const std::lock_guard lock(mutex_);
    counters_[std::string(name)] += by;
  }
  const std::string& node_name() const override { return name_; }
  Now now() const override { return read_clocks(); }
  std::size_t alive_members() const override {
    const std::lock_guard lock(mutex_);
    return alive_;
  }
  bool publishing_open() const override {
    const std::lock_guard lock(mutex_);
    return open_;
  }

  /// What publish() answers next, and what once those are used up.
  void answer(std::vector<PublishResult> next, PublishResult otherwise = {}) {
    const std::lock_guard lock(mutex_);
    answers_.assign(next.begin(), next.end());
    otherwise_ = std::move(otherwise);
  }
  void numbering(Numbering numbering) { numbering_ = numbering; }
  void mesh(std::size_t alive, bool open) {
    const std::lock_guard lock(mutex_);
    alive_ = alive;
    open_ = open;
  }

  std::vector<Published> published() const { return copy(published_); }
  std::vector<std::pair<TaskId, Outcome>> outcomes() const { return copy(outcomes_); }
  std::vector<std::string> downs() const { return copy(downs_); }
  std::vector<std::string> states() const { return copy(states_); }
  std::vector<Line> lines() const { return copy(lines_); }
  std::size_t ups() const { return copy(ups_); }
  std::string state() const {
    const auto all = states();
    return all.empty() ? std::string() : all.back();
  }
  std::uint64_t counter(const std::string& name) const {
    const auto all = copy(counters_);
    const auto found = all.find(name);
    return found == all.end() ? 0 : found->second;
  }
  std::size_t logged(std::string_view part) const {
    const auto all = lines();
    return static_cast<std::size_t>(
        std::ranges::count_if(all, [&](const Line& line) { return line.text.find(part) != std::string::npos; }));
  }

 private:
  template <class T>
  T copy(const T& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }

  mutable std::mutex mutex_;
  std::string name_ = "n1";
  std::deque<PublishResult> answers_;
  PublishResult otherwise_;
  Numbering numbering_ = Numbering::AtOnce;
  std::vector<Published> published_;
  std::vector<std::pair<TaskId, Outcome>> outcomes_;
  std::vector<std::string> downs_;
  std::vector<std::string> states_;
  std::vector<Line> lines_;
  std::map<std::string, std::uint64_t> counters_;
  std::size_t ups_ = 0;
  std::size_t alive_ = 1;
  bool open_ = true;
};

}  // namespace legion::test
