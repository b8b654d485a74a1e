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

#include <legion/base/limits.hpp>
#include <legion/base/time.hpp>
#include <legion/event/event.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/priority.hpp>

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

/// One hand-over of one event to one handler. Never zero, never used again.
using TaskId = std::uint64_t;

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
  AgentState state = AgentState::Up;
};

/// One handler. Tier Critical makes it a gate.
struct SubscriptionSpec {
  Filter filter{};
  Priority tier = Priority::Normal;
};

/// One local subscription that matches an event.
struct Route {
  SubscriptionId subscription{};
  Booked booked = Booked::Yes;
};

/// An event handed to a handler. The caller answers with on_outcome(task id).
struct Task {
  TaskId id = 0;
  AgentId agent{};
  SubscriptionId subscription{};
  EventPtr event{};
  std::uint32_t attempt = 1;
  Priority lane = Priority::Normal;
};

enum class OutcomeKind : std::uint8_t {
  Done,
  Stop,      ///< done, and not for the later tiers
  Reject,    ///< dead letter at once
  Retry,     ///< failed; tried again until max_attempts
  Deferred,  ///< the slot is free, the final outcome follows under the same task id
};

std::string_view to_string(OutcomeKind kind);  ///< "done", "stop", "reject", "retry", "deferred"

struct Outcome {
  OutcomeKind kind = OutcomeKind::Done;
  std::string error{};  ///< of Reject and Retry; cut to limits::error_text_bytes_max

  static Outcome done() { return {OutcomeKind::Done, {}}; }
  static Outcome stop() { return {OutcomeKind::Stop, {}}; }
  static Outcome reject(std::string error) { return {OutcomeKind::Reject, std::move(error)}; }
  static Outcome retry(std::string error) { return {OutcomeKind::Retry, std::move(error)}; }
  static Outcome deferred() { return {OutcomeKind::Deferred, {}}; }
};

enum class DeathReason : std::uint8_t {
  HandlerError,  ///< max_attempts used
  Rejected,      ///< the handler said reject
  GateFailed,    ///< a gate used up its attempts, so the event is not for the lower tiers
  Undecodable,   ///< the bytes of the event do not decode
};

std::string_view to_string(DeathReason reason);  ///< "handler_error", "rejected", "gate_failed", "undecodable"

struct Death {
  std::string agent{};
  DeathReason reason = DeathReason::HandlerError;
  std::uint32_t attempts = 0;  ///< hand-overs to this agent
  std::string error{};           ///< the last one
  WallTime first{};            ///< of the first failure
  WallTime last{};             ///< of the failure that decided
};

/// An untouched event with the story of its end, one for each subscription that loses it.
struct DeadLetter {
  EventPtr event{};
  AgentId agent{};
  SubscriptionId subscription{};
  Booked booked = Booked::Yes;
  Death death{};
};

}  // namespace legion
