// The publishing half of a node that runs on the callers' threads: checks, encodes, queues.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <legion/core/frame_packer.hpp>
#include <legion/event/policy.hpp>
#include <legion/runtime/agent.hpp>
#include <legion/runtime/middleware_chains.hpp>
#include <legion/runtime/type_table.hpp>

namespace legion {

/// Who calls publish(); decides what may be published and how much of the queue may be used.
enum class PublishedBy : std::uint8_t {
  Agent,
  Control,
  Local,
  Node,
  Replay,  ///< as Control, of `~replay.` types only
};

/// Who wants to be told of an event, when, and where.
struct Asker {
  std::function<void(Confirm)> call;  ///< empty: nobody asked
  enum class When : std::uint8_t {
    Numbered,
    Confirmed,  ///< of confirmed types only
    Settled,    ///< confirmed, or numbered where the type is not confirmed
  } when = When::Numbered;
  enum class Where : std::uint8_t { Executor, Loop } where = Where::Executor;
};
using Askers = std::array<Asker, 2>;  ///< enough for who asks for the number and for the confirm

/// Those who ask in `options`, which gives them away.
Askers askers_of(PublishOptions& options);

/// Somebody who asked about an event that was taken.
struct Asked {
  FramePacker::Place place;
  Asker asker;
};

/// Encodes on the publishing thread, outside any lock, and appends to the open frame of the event's stream under the
/// lane's lock, which is held for that copy only. docs/adr/0015-lane-buffers.md says why there is a lock.
///
/// Thread: publish() from any thread; take() and recycle() from the loop only. Bounds: `capacity` events a lane; the
/// last sixteenth is kept for the node's own events, so that a flood of publishes cannot silence them.
/// Cost: no allocation once the type has been seen and the buffers are warm.
class Intake {
 public:
  using Capacity = std::array<std::size_t, limits::lane_count>;
  /// `wake` is called after an event was queued when the loop may be asleep; a fence (seq_cst) lies between.
  Intake(std::string node, PolicyTable policy, const Capacity& capacity, std::uint64_t confirmed_bytes,
         std::function<void()> wake);

  /// Before the first publish(): from then on data is compared with what its type declares.
  void watch(std::shared_ptr<const SchemaGuard> guard) {
    guard_ = std::move(guard);
    types_.watch(*guard_);
  }
  const SchemaGuard* guard() const { return guard_.get(); }

  /// `agent` becomes part of the source when the event names none. `now` stamps events without a time.
  PublishResult publish(const Event& event, std::string_view agent, PublishedBy publisher,
                        PublishOptions::PriorityFrom priority, Askers askers, WallTime now);

  /// Takes whole frames of a lane until they hold at least `events_max` events (appending), and who asked for the
  /// number of an event in them. Returns how many events.
  std::size_t take(Priority lane, std::size_t events_max, std::vector<UnnumberedFrame>& frames,
                   std::vector<Asked>& asked);
  /// Held: an event of this lane wakes the loop only once a frame's worth waits. The loop looks by itself in time.
  enum class Wakes : std::uint8_t { Always, ForAFrame };
  void set_wakes(Priority lane, Wakes wakes) {
    lanes_[lane_index(lane)]->wakes.store(wakes, std::memory_order_relaxed);
  }
  static constexpr std::size_t frame_worth = 128;  ///< events

  /// The buffer of a frame that is no longer needed.
  void recycle(Priority lane, Bytes buffer);

  /// Room in the confirmed journal that publish() took for the events of this frame. The loop gives it back, in the end
  /// all of it.
  static std::uint64_t reserved(const UnnumberedFrame& frame);
  bool reserve(std::uint64_t bytes, PublishedBy publisher);
  void give_back(std::uint64_t bytes) {
    confirmed_room_.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
  }
  /// Room that is left for agents and programs; negative when the node's own events use the share kept for them.
  std::int64_t confirmed_room() const { return confirmed_room_.load(std::memory_order_relaxed); }

  bool empty() const;
  std::size_t depth(Priority lane) const { return lanes_[lane_index(lane)]->depth.load(std::memory_order_relaxed); }
  /// From now on publish() answers Closed to programs outside this node.
  void close_outside() { outside_closed_.store(true, std::memory_order_release); }
  /// From now on publish() answers Closed, except to the node itself.
  void close() { closed_.store(true, std::memory_order_release); }
  /// After close(), when nobody takes any more: who asked about an event that is still here is told that it was not
  /// confirmed, on this thread. Afterwards nothing is queued any more, also by who was inside publish() meanwhile.
  void give_up();

  const PolicyTable& policy() const { return policy_; }
  /// Answers given so far, by status.
  std::uint64_t answered(PublishStatus status) const {
    return answered_[static_cast<std::size_t>(status)].load(std::memory_order_relaxed);
  }
  static constexpr std::array<PublishStatus, 7> statuses{
      PublishStatus::Queued,  PublishStatus::WouldBlock, PublishStatus::TooBig,  PublishStatus::Invalid,
      PublishStatus::Refused, PublishStatus::Closed,     PublishStatus::Filtered};

  /// The steps before every event that an agent or a program publishes, by this clock. Before the first publish().
  void set_middleware(std::shared_ptr<MiddlewareChains> middleware, std::function<Now()> clock) {
    clock_ = std::move(clock);
    chain_ = middleware->for_publish();
    middleware_ = std::move(middleware);
  }
  /// Of all steps of the node, those before handlers included.
  std::vector<StepFigures> step_figures() const {
    return middleware_ == nullptr ? std::vector<StepFigures>{} : middleware_->figures();
  }
  const PublishChain* chain() const { return chain_.get(); }

 private:
  struct alignas(64) Lane {
    Lane(const std::string& node, Priority priority, std::size_t events_max)
        : capacity(events_max), packer(node, priority) {}
    const std::size_t capacity;
    std::mutex mutex;  // guards what follows, except for looking at depth
    FramePacker packer;
    std::vector<Asked> asked;
    enum class Queue : bool { Open, GivenUp } queue = Queue::Open;
    std::atomic<std::size_t> depth{0};
    std::atomic<Wakes> wakes{Wakes::Always};
  };

  static bool goes_through_chain(PublishedBy publisher);
  PublishResult through_chain(const Event& event, std::string_view agent, PublishedBy publisher,
                              PublishOptions::PriorityFrom priority, Askers askers, WallTime now);
  PublishResult check_and_queue(const Event& event, std::string_view agent, PublishedBy publisher,
                                PublishOptions::PriorityFrom priority, Askers askers, WallTime now);
  PublishResult queue(const PublishedType& type, std::uint8_t shard, Priority priority, PublishedBy publisher,
                      BytesView encoded, Askers askers);

  const std::string node_;
  const PolicyTable policy_;
  TypeTable types_{policy_};
  std::shared_ptr<const SchemaGuard> guard_;
  std::function<void()> wake_;
  std::array<std::unique_ptr<Lane>, limits::lane_count> lanes_;
  std::atomic<std::int64_t> confirmed_room_;  // besides the share of the node's own events
  const std::int64_t own_share_;
  std::function<Now()> clock_;
  std::shared_ptr<const MiddlewareChains> middleware_;  // before what refers to it
  std::unique_ptr<const PublishChain> chain_;
  std::array<std::atomic<std::uint64_t>, 7> answered_{};
  std::atomic<bool> outside_closed_{false};
  std::atomic<bool> closed_{false};
};

}  // namespace legion
