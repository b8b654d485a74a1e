// The publishing half of a node that runs on the callers' threads: checks, encodes, queues.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <legion/base/ring.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/policy.hpp>
#include <legion/runtime/agent.hpp>

namespace legion {

/// Who calls publish(); decides what may be published and how much of the queue may be used.
enum class Publisher : std::uint8_t { Agent, Control, Local, Node };

/// What to call with the id, and where.
struct OnNumbered {
  std::function<void(std::string id)> call;  ///< empty: nobody asked
  enum class Where : std::uint8_t { Executor, Loop } where = Where::Executor;
};

/// Thread: publish() from any thread; take() from the loop only. Bounds: `capacity` events a lane, rounded up to a power
/// of two; the last sixteenth is kept for the node's own events, so that a flood of publishes cannot silence them.
class Intake {
 public:
  using Capacity = std::array<std::size_t, limits::lane_count>;
  /// `wake` is called after a push when the loop may be asleep.
  Intake(std::string node, PolicyTable policy, const Capacity& capacity, std::function<void()> wake);

  /// `source` is used when the event names none. `now` stamps events without a time.
  PublishResult publish(Event event, std::string_view source, Publisher publisher, PublishOptions::PriorityFrom priority,
                        OnNumbered on_numbered, WallTime now);

  /// Moves up to `max` queued events of a lane into the two parallel vectors (appending). Returns how many.
  std::size_t take(Priority lane, std::size_t max, std::vector<EncodedEvent>& events, std::vector<OnNumbered>& callbacks);

  bool empty() const;
  std::size_t depth(Priority lane) const { return lanes_[lane_index(lane)]->size(); }
  /// From now on publish() answers Closed to programs outside this node.
  void close_outside() { outside_closed_.store(true, std::memory_order_release); }
  /// From now on publish() answers Closed, except to the node itself.
  void close() { closed_.store(true, std::memory_order_release); }

  const PolicyTable& policy() const { return policy_; }
  /// Answers given so far, by status.
  std::uint64_t answered(PublishStatus status) const {
    return answered_[static_cast<std::size_t>(status)].load(std::memory_order_relaxed);
  }
  static constexpr std::array<PublishStatus, 6> statuses{PublishStatus::Queued,  PublishStatus::WouldBlock,
                                                         PublishStatus::TooBig,  PublishStatus::Invalid,
                                                         PublishStatus::Refused, PublishStatus::Closed};

 private:
  struct Pending {
    EncodedEvent event;
    OnNumbered on_numbered;
  };

  PublishResult check_and_queue(Event event, std::string_view source, Publisher publisher,
                                PublishOptions::PriorityFrom priority, OnNumbered on_numbered, WallTime now);

  std::string node_;
  PolicyTable policy_;
  Capacity capacity_;
  std::function<void()> wake_;
  std::array<std::unique_ptr<BoundedRing<Pending>>, limits::lane_count> lanes_;
  std::array<std::atomic<std::uint64_t>, 6> answered_{};
  std::atomic<bool> outside_closed_{false};
  std::atomic<bool> closed_{false};
};

}  // namespace legion
