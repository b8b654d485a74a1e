// What goes into the dispatcher and comes out of it.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/limits.hpp>
#include <legion/base/time.hpp>
#include <legion/core/in_flight.hpp>
#include <legion/event/event.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/frame.hpp>
#include <legion/event/outcome.hpp>
#include <legion/event/priority.hpp>
#include <legion/event/where.hpp>

namespace legion {

/// Agents and subscriptions are numbered 0, 1, 2.. in the order they were added.
struct AgentId {
  std::uint32_t value = 0;
  friend auto operator<=>(AgentId, AgentId) = default;
};
struct SubscriptionId {
  std::uint32_t value = 0;
  friend auto operator<=>(SubscriptionId, SubscriptionId) = default;
};

/// A small number the caller gives each stream (origin, lane, type, shard). Memory is proportional to the largest one
/// in use, so numbers of streams that are over are to be used again.
using StreamKey = std::uint32_t;
inline constexpr StreamKey no_stream = 0xFFFFFFFF;

/// One hand-over of one event to one handler. Never zero; not used again within 10^11 hand-overs.
using TaskId = std::uint64_t;
/// The low bits of a task id; the ids of a run differ in what is above them.
inline constexpr std::uint32_t task_index_bits = 26;

/// Whether an event counts in the books: those before the baseline are delivered outside them.
enum class Booked : std::uint8_t { No, Yes };

enum class Overflow : std::uint8_t {
  DropOldest,  ///< the oldest event not yet handed over gives way; when there is none, the new one is dropped
  DropNewest,
};

enum class AgentState : std::uint8_t { Up, Down };

struct LaneSpec {
  std::size_t capacity = 1000;  ///< events held in this lane besides those in flight
  Overflow overflow = Overflow::DropOldest;
};

/// Attempt n + 1 follows the failure of attempt n after delay * backoff^(n-1), varied by +- jitter (a fraction).
struct RetryPolicy {
  std::uint32_t max_attempts = 3;  ///< 0 is taken as 1
  Duration delay = 100ms;
  double backoff = 2.0;
  double jitter = 0.1;
  Duration delay_max = 60min;
};

struct AgentSpec {
  std::string name{};
  std::array<LaneSpec, limits::lane_count> lanes{};
  std::uint32_t concurrency = 1;  ///< events in flight at once; above 1 order holds per key only
  RetryPolicy retry{};
  std::optional<Duration> handler_timeout{};
  /// Above 1: its handler answers before it returns, so it may get runs of up to so many events. It gets one event at a
  /// time all the same with a concurrency above 1 or a handler_timeout.
  std::uint32_t run_events_max = 1;
  AgentState state = AgentState::Up;
};

/// One handler. Tier Critical makes it a gate.
struct SubscriptionSpec {
  Filter filter{};
  Priority tier = Priority::Normal;
  /// Events it says no to are filtered(where): the handler does not get them, they hold back no tier, and a gate is not
  /// asked about them.
  std::optional<Where> where{};
};

/// One local subscription that matches the events of a run.
struct Route {
  SubscriptionId subscription{};
  std::uint64_t booked_from = 0;  ///< events with this sequence or a higher one count in the books
  /// Given: a durable delivery, of the stream with this number among those of durable deliveries (numbers apart from
  /// StreamKey of on_run()). It is never dropped, so the caller bounds what is under way; its order domain is its own;
  /// what becomes of it is reported (DurableReports); a retry waits until permit_retry(); expired means dead letter.
  StreamKey durable = no_stream;
  std::uint32_t round = 0;  ///< of a durable delivery: as in InFlightPath
  std::uint32_t attempts = 0;  ///< of a gate before one: hand-overs in an earlier life of the node, all failed
};

/// What befell an event before it is offered: in an earlier life of the node.
struct Earlier {
  std::uint32_t attempts = 0;  ///< hand-overs, all failed
  std::string error{};
  WallTime first{};
  WallTime last{};
  enum class Rejected : std::uint8_t { No, Yes } rejected = Rejected::No;  ///< the last one: there is no further one
};

/// A run of consecutive events of one frame, handed to one handler: first, first + 1 .. first + count - 1.
struct Task {
  TaskId id = 0;  ///< of the first event; the others have task_of(task, k)
  AgentId agent{};
  SubscriptionId subscription{};
  FramePtr frame{};
  std::uint32_t first = 0;
  std::uint32_t count = 1;
  std::uint32_t attempt = 1;  ///< above 1 only with a count of 1
  Priority lane = Priority::Normal;
  StreamKey durable = no_stream;  ///< as in its route
  std::optional<InFlightPath> path{};  ///< of a durable delivery and of a gate before one
  std::optional<Where> where{};  ///< for fate_before_handling(); of agents that get no runs it has been asked

  std::vector<EventPtr> changed{};  ///< by k, as far as it goes: what the handler gets where it is not event(k)

  /// Event k of the run. Decodes the frame when nobody has.
  EventPtr event(std::uint32_t k = 0) const { return Frame::event_ptr(frame, first + k); }
  /// As the steps before the handler have made it.
  const EventView& view_for_handler(std::uint32_t k) const {
    return k < changed.size() && changed[k] ? *changed[k] : frame->events()[first + k];
  }
  std::uint64_t sequence(std::uint32_t k = 0) const { return frame->header().first_sequence + first + k; }
};

/// The task id of event k of a run.
constexpr TaskId task_of(TaskId first, std::uint32_t k) { return first + (TaskId{k} << task_index_bits); }
inline TaskId task_of(const Task& task, std::uint32_t k) { return task_of(task.id, k); }

/// What became of one event of a run. The durations are of no interest when it was not given to the handler.
struct Answered {
  OutcomeKind kind = OutcomeKind::Done;
  Duration age{};  ///< event time to hand-over, wall clock, at least 0
  Duration handler_time{};  ///< hand-over to answer, steady clock
};

/// Undecodable, FilteredWhere or Expired, in this order, when the event must not be given to a handler, else nothing.
/// What a condition says no to is no dead letter, however late it is.
std::optional<OutcomeKind> fate_before_handling(const EventView& event, Now now, const std::optional<Where>& where = {});

enum class DeathReason : std::uint8_t {
  HandlerError,  ///< max_attempts used
  Rejected,  ///< the handler said reject
  GateFailed,  ///< a gate used up its attempts, so the event is not for the lower tiers
  Undecodable,  ///< the bytes of the event do not decode
  Expired,  ///< of a durable delivery: its time was over before it was handed over
  Schema,  ///< its data is not what its type declares
  UnknownVersion,  ///< its version is newer than what is known here
};

/// "handler_error", "rejected", "gate_failed", "undecodable", "expired", "schema", "unknown_version"
std::string_view to_string(DeathReason reason);

struct Death {
  std::string agent{};
  DeathReason reason = DeathReason::HandlerError;
  std::uint32_t attempts = 0;  ///< hand-overs to this agent
  std::string error{};  ///< the last one
  WallTime first{};  ///< of the first failure
  WallTime last{};  ///< of the failure that decided
};

/// An untouched event with the story of its end, one for each subscription that loses it.
struct DeadLetter {
  EventPtr event{};
  AgentId agent{};
  SubscriptionId subscription{};
  Booked booked = Booked::Yes;
  Death death{};
  FramePtr frame{};  ///< that the event is in
  std::uint32_t index = 0;  ///< its place there
  StreamKey durable = no_stream;  ///< as in its route
};

/// Consecutive durable deliveries that are over, however they ended.
struct Completed {
  SubscriptionId subscription{};
  StreamKey stream = no_stream;
  std::uint64_t first = 0;  ///< sequence
  std::uint64_t count = 0;
};

/// A durable delivery that failed and will be handed over again once that is permitted.
struct AttemptFailed {
  SubscriptionId subscription{};
  StreamKey stream = no_stream;
  std::uint64_t sequence = 0;
  Earlier so_far{};
  TaskId permit = 0;  ///< for permit_retry()
};

/// Consecutive durable deliveries that were taken back: here nothing becomes of them. They are pending until this is
/// told.
struct Recalled {
  SubscriptionId subscription{};
  StreamKey stream = no_stream;
  std::uint64_t first = 0;  ///< sequence
  std::uint64_t count = 0;
  Booked booked = Booked::Yes;
};

/// What became of durable deliveries. Whoever takes them up looks at the letters first: a delivery that died is among
/// the completed as well.
struct DurableReports {
  std::vector<DeadLetter> letters;
  std::vector<AttemptFailed> failures;
  std::vector<Completed> completed;
  std::vector<Recalled> recalled;
  bool empty() const { return letters.empty() && failures.empty() && completed.empty() && recalled.empty(); }
};

}  // namespace legion
