// The records the dispatcher is made of. They refer to each other by pool index.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <legion/base/limits.hpp>
#include <legion/base/time.hpp>
#include <legion/core/books.hpp>
#include <legion/core/dispatcher_lanes.hpp>
#include <legion/core/dispatcher_pool.hpp>
#include <legion/core/dispatcher_stats.hpp>
#include <legion/core/dispatcher_types.hpp>

namespace legion::dispatch {

/// Where a delivery stands. Queued, RetryWaiting and Deferred count as held in the mailbox.
enum class Stage : std::uint8_t {
  Waiting,       ///< for an earlier tier of its event
  Queued,        ///< in the mailbox: in one of the agent's lists, or parked behind its order domain
  InFlight,      ///< handed over, not answered
  RetryWaiting,  ///< failed, in the retry queue
  Deferred,      ///< answered "deferred"
};

/// Which list of its agent a queued item is in.
enum class Place : std::uint8_t {
  Parked,  ///< none: something of its order domain comes first
  Fifo,    ///< in order of arrival; whether it is runnable shows when it reaches the front
  Front,   ///< runnable and older than everything in the fifo
};

/// How a delivery ends.
enum class End : std::uint8_t {
  Done, Stopped, Rejected, Exhausted, Expired, Overflow,  // its own
  StoppedBefore, GateOverflow, GateFailed,                   // decided by an earlier tier
  Undecodable,
  Unfit, UnknownVersion,
  FilteredWhere, FilteredDuplicate, FilteredLimited,       // not for this handler
  Removed,  // its agent is no more
  Recalled,  // somebody else gets it
};

/// Of a kind for which is_filtered() holds.
constexpr End end_of_filtered(OutcomeKind kind) {
  if (kind == OutcomeKind::FilteredWhere) return End::FilteredWhere;
  return kind == OutcomeKind::FilteredDuplicate ? End::FilteredDuplicate : End::FilteredLimited;
}

struct Failure {
  WallTime first{};
  WallTime last{};
  std::string error;
};

/// Events first .. first + count - 1 of a frame.
struct Run {
  const Frame& frame;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

struct Addressee {
  SubscriptionId subscription;
  Booked booked = Booked::Yes;
  StreamKey durable = no_stream;
  std::uint32_t attempts = 0;
};

/// Kept: it is never dropped. Of a durable delivery, and of the gates before one.
enum class Keep : std::uint8_t { No, Yes };

/// Of a durable delivery: whether it may be handed over again.
enum class Permit : std::uint8_t { NotNeeded, Wanted, Given };

/// Streams are numbered twice: as they arrive, and those of durable deliveries.
enum class Numbering : std::uint8_t { Plain, Durable };

/// Whether an item is in its agent's list of untouched items.
enum class Listed : std::uint8_t { No, Yes };

/// Deliveries: events first .. first + count - 1 of a frame for one subscription. More than one only while they have
/// everything in common: never handed over, or handed over together for the first time. With a flow there is one.
struct Item {
  FramePtr frame;
  TaskId task = 0;                // of the first event in the present hand-over; 0 when there is none
  std::uint32_t first = 0;
  std::uint32_t count = 1;
  std::uint32_t agent = 0;
  std::uint32_t subscription = 0;
  std::uint32_t attempts = 0;     // with the present hand-over
  Index domain = no_index;
  Links queue;                    // fifo, front, in flight or deferred
  Links line;                     // the order domain
  Links untouched;                // see Agent::untouched
  Index flow = no_index;
  Index flow_next = no_index;
  Priority lane = Priority::Normal;
  Priority tier = Priority::Normal;
  Stage stage = Stage::Waiting;
  Place place = Place::Parked;
  Listed listed = Listed::No;
  Booked booked = Booked::Yes;
  Keep keep = Keep::No;
  Permit permit = Permit::NotNeeded;
  bool is_due = false;                // waits for nothing but its permit
  bool released = false;              // its flow no longer waits for it
  StreamKey durable = no_stream;
  std::uint32_t round = 0;            // of what is kept: as in InFlightPath
  std::uint64_t arrival = 0;          // order of offer, then tier; the parts of a run have the same
  SteadyTime handed_over{};
  std::unique_ptr<Failure> failure;   // allocated with the first failure

  bool is_gate() const { return tier == Priority::Critical; }
  bool is_durable() const { return durable != no_stream; }
  bool holds_release() const { return flow != no_index && !released && !is_gate(); }
};

using QueueList = List<Item, &Item::queue>;
using LineList = List<Item, &Item::line>;
using UntouchedList = List<Item, &Item::untouched>;

/// The tiers of one event, while there are later tiers. Freed with its last reference.
struct Flow {
  std::uint32_t references = 0;    // items, and entries of the advance queue
  std::uint32_t pending = 0;       // items of the open tier that still hold back the next one
  Index waiting_head = no_index;   // later tiers, ordered by tier
};

/// What has to stay in order at one agent: a stream, or a key of a stream. Exists while its line is not empty. Only the
/// head of the line may be handed over, whole or its first events; while it is in flight, retried, deferred or not yet
/// open the others wait.
struct Domain {
  LineList line;
  std::uint32_t agent = 0;
  std::uint32_t unreleased = 0;  // open items for which Item::holds_release()
  std::uint64_t key = 0;         // in Agent::streams, Agent::durable_streams or Agent::keys
  Numbering numbering = Numbering::Plain;
};

struct Agent {
  AgentSpec spec;
  AgentState state = AgentState::Up;
  enum class Life : std::uint8_t { Here, Removed } life = Life::Here;
  std::uint32_t run_events = 1;       // of one hand-over at most
  std::uint32_t subscriptions = 0;
  std::array<QueueList, limits::lane_count> fifo;
  std::array<QueueList, limits::lane_count> front;
  // Queued and never handed over, oldest first: what drop_oldest may take. Of an agent that gets runs also what is in
  // flight for the first time and may come back untouched; of an item that is in flight in part, the rest.
  std::array<UntouchedList, limits::lane_count> untouched;
  std::array<UntouchedList, limits::lane_count> untouched_kept;  // the same of what is kept
  QueueList in_flight;  // in order of hand-over
  QueueList deferred;
  std::size_t retry_waiting = 0;
  std::array<std::size_t, limits::lane_count> depth{};
  std::array<std::size_t, limits::lane_count> kept{};  // of depth
  LaneMask runnable = 0;
  LaneMask in_ring = 0;
  LaneChooser chooser;
  std::vector<Index> streams;                        // domain by StreamKey, with concurrency 1
  std::vector<Index> durable_streams;                // the same by Route::durable
  std::unordered_map<std::uint64_t, Index> keys;     // domain by hash of (numbering, stream, key), otherwise

  bool is_ordered_by_stream() const { return spec.concurrency <= 1; }
  bool gets_runs() const { return run_events > 1; }
  auto& untouched_of(Keep keep) { return keep == Keep::Yes ? untouched_kept : untouched; }
  std::vector<Index>& streams_of(Numbering numbering) {
    return numbering == Numbering::Durable ? durable_streams : streams;
  }
  bool has_slot() const { return in_flight.size < spec.concurrency; }
};

/// A subscription with its books and figures. books.pending is a counter of its own, moved when an item is created and
/// ended.
struct Handler {
  AgentId agent;
  SubscriptionSpec spec;
  HandlerStats stats;
};

}  // namespace legion::dispatch
