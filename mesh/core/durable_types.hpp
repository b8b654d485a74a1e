// What goes into the durable subscriptions of a node and comes out of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <legion/base/error.hpp>
#include <legion/base/time.hpp>
#include <legion/core/dispatcher_types.hpp>
#include <legion/event/event_type.hpp>
#include <legion/event/journal.hpp>
#include <legion/event/share.hpp>
#include <legion/event/spool_record.hpp>

namespace legion {

/// Where a durable subscription begins that no spool knows yet.
struct StartNow {
  friend bool operator==(StartNow, StartNow) = default;
};
struct StartBeginning {
  friend bool operator==(StartBeginning, StartBeginning) = default;
};
struct StartTime {
  WallTime time{};  ///< of events
  friend bool operator==(StartTime, StartTime) = default;
};
struct StartEvent {
  EventId event;    ///< this one of its stream; of the others what a spool committed since
  friend bool operator==(const StartEvent&, const StartEvent&) = default;
};
using DurableStart = std::variant<StartNow, StartBeginning, StartTime, StartEvent>;

/// One subscription of this node. All have to be told, because a requeue goes to any of them and the gates stand before
/// everything.
struct DurableHandler {
  SubscriptionId subscription{};
  std::string agent{};  ///< node/agent
  Filter filter{};
  Priority tier = Priority::Normal;
  std::uint32_t max_attempts = 3;
  std::array<std::size_t, limits::lane_count> capacity{1000, 1000, 1000, 1000};  ///< durable events under way at once
  std::string durable{};  ///< its name; empty: a plain one
  DurableStart start{};
  /// StandIn: of a durable subscription whose consumer is away, for as long as an operator's change takes. Its filter
  /// is the one its cursor names; a name without a cursor ends in phase Removed.
  enum class Role : std::uint8_t { Consumer, StandIn } role = Role::Consumer;
  /// Of a group: it works under leases (on_lease()) instead of claims, and takes only streams of these shards.
  std::optional<Share> share{};
  std::string home{};  ///< of a group: the spool its leases come from; it waits for what that one has
};

/// A spool of the roster or of the configuration.
struct KnownSpool {
  std::string name;  ///< node name
  enum class Reach : std::uint8_t { Unreachable, Reachable } reach = Reach::Unreachable;
  std::uint64_t mark = 0;  ///< of its last heartbeat; another value: it stored something
  /// Left: after a goodbye, until it comes again or is forgotten. Nothing begins later on its account, but what only it
  /// has is not lost.
  enum class Presence : std::uint8_t { Here, Left } presence = Presence::Here;
};

struct DurableConfig {
  std::string node{};  ///< this one
  Duration cursor_every = 200ms;  ///< a cursor is written at the latest so long after it moved ..
  std::uint64_t cursor_events = 5000;  ///< .. or so many events later
  std::uint64_t buffer_bytes = 16ull << 20;  ///< frames held, of each subscription
  std::uint64_t page_bytes = 512ull << 10;  ///< frames in one answer of a spool
  std::size_t queries_max = 8;  ///< pages of streams asked for at once, of each subscription
  /// Letters and attempts written and not confirmed: with as much as this nothing is offered; 0: never anything.
  std::uint64_t record_bytes = 8ull << 20;
  Duration ask_again_min = 20ms;  ///< after an answer that had not what was asked for; doubles
  Duration ask_again_max = 2s;
  Duration tails_every = 2s;  ///< at most so often for each spool
  Duration stalled_after = 2s;  ///< a gap that lasts is shown
  Duration claim_every = 5s;  ///< after a refusal, and while the name is held
  Duration spool_patience = 10s;  ///< with a beginning that waits for spools that do not answer
  Duration suspect_patience = 30s;  ///< nothing else is handed over meanwhile: see DurableSubscriptions
  Duration query_timeout = 30s;
  std::uint32_t max_requeues = 3;
  /// Whether a type is journalled as far as this node's policies tell. Events of others are taken as they come: their
  /// gaps are lost at once. A stream some spool has is journalled whatever this says.
  std::function<bool(std::string_view type)> is_journalled = [](std::string_view) { return true; };
};

// --- questions to a spool ------------------------------------------------------------------------------------------

using QueryId = std::uint64_t;

struct AskClaim {
  std::string subscription;
};
/// The answer is of no interest.
struct AskUnclaim {
  std::string subscription;
};
/// The cursor and the attempts.
struct AskCursor {
  std::string subscription;
};
/// Those in state requeued, in the order of their keys; those of agents "node/.." are enough.
struct AskLetters {
  std::string after;
  std::size_t max = 0;
};
struct AskTails {
  Filter filter;
  std::optional<StreamId> after;
  std::size_t max = 0;
};
struct AskStream {
  StreamId stream;
  std::uint64_t first = 1;
  std::uint64_t last = 0;
  std::size_t bytes = 0;
};
/// The commit number of the frame it is in.
struct AskFind {
  EventId event;
};
struct AskScan {
  std::uint64_t from = 1;  ///< commit number
  std::optional<WallTime> since;
  Filter filter;
  std::size_t bytes = 0;
};

struct SpoolQuery {
  QueryId id = 0;
  std::string spool;
  std::variant<AskClaim, AskUnclaim, AskCursor, AskLetters, AskTails, AskStream, AskFind, AskScan> what;
};

/// The end of a stream as a spool has it.
struct StoredTail {
  StreamId stream;
  std::uint64_t next = 1;
};

/// A position in each of an origin's journals.
using JournalPositions = std::array<std::uint64_t, 2>;

/// The answer to AskStream.
struct StreamAnswer {
  struct Part {
    enum class Kind : std::uint8_t { Frame, Never, Missing } kind = Kind::Frame;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::string why{};  ///< of Never
    FramePtr frame{};  ///< of Frame
    /// Of Missing: whatever comes is beyond these. Of Never: what was trimmed is not beyond these. All 0: not known.
    JournalPositions journals{};
  };
  std::vector<Part> parts;
  std::uint64_t next = 1;
};

/// Whether an answer is one page of several.
enum class More : std::uint8_t { No, Yes };

struct ScanAnswer {
  std::vector<FramePtr> frames;
  std::uint64_t next = 1;
  More more = More::No;
};

// --- effects -------------------------------------------------------------------------------------------------------

/// For Dispatcher::on_run() with no_stream, or on_again() when there is an earlier attempt.
struct DurableOffer {
  FramePtr frame;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  std::vector<Route> routes;  ///< one durable delivery and the gates before it
  std::optional<Earlier> earlier;
};
/// For Dispatcher::permit_retry().
struct PermitRetry {
  TaskId permit = 0;
};
/// For Dispatcher::recall().
struct RecallOffers {
  SubscriptionId subscription{};
  std::vector<StreamKey> streams;
};
using RecordToken = std::uint64_t;
/// To be journalled, in the order of these effects; on_recorded() once durable. Whoever has no room keeps them.
struct WriteRecord {
  SpoolRecord record;
  RecordToken token = 0;
};
/// Events no spool will ever have, or that an operator skipped.
struct LostForGood {
  SubscriptionId subscription{};
  StreamId stream;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::string why;  ///< "voided", "trimmed", "skipped", ..
};
/// A stream stands still, or goes on.
struct StallChanged {
  SubscriptionId subscription{};
  StreamId stream;
  std::string why;  ///< empty: it goes on
};
using RequestId = std::uint64_t;
/// The letter of this event is durable, and the cursor that passes it: its InFlightEntry, if there is one, may go.
struct InFlightOver {
  std::string agent;  ///< node/agent
  std::string event;  ///< id
  InFlightPath path{};
};
/// To an operator's request, exactly one.
struct RequestAnswer {
  RequestId request = 0;
  Result<std::string> answer;  ///< one line for a person
};
struct DurableLog {
  enum class Level : std::uint8_t { Info, Warning, Error } level = Level::Info;
  std::string text;
};
/// A share is back in standby: after a revoke its final cursor is on its home; or `seen`, the epoch of a cursor found
/// that is not below this one, forbids it to go on under it.
struct ShareReleased {
  SubscriptionId subscription{};
  std::uint64_t epoch = 0;
  std::uint64_t seen = 0;
};
using DurableEffect = std::variant<DurableOffer, PermitRetry, RecallOffers, SpoolQuery, WriteRecord, LostForGood, StallChanged,
                                   InFlightOver, RequestAnswer, DurableLog, ShareReleased>;

// --- figures -------------------------------------------------------------------------------------------------------

enum class DurablePhase : std::uint8_t {
  Waiting,  ///< for a spool
  Loading,  ///< claims its name and asks for its cursor
  Creating,  ///< looks for where to begin
  Active,
  Refused,  ///< another node has the name
  Removed,  ///< by an operator
  Standby,  ///< a share without a lease
};
std::string_view to_string(DurablePhase phase);  ///< "waiting", "loading", ..

struct DurableStreamFigures {
  StreamId stream;
  std::uint64_t done = 0;
  std::uint64_t next = 1;  ///< as far as anybody said
  std::uint64_t pending = 0;
  std::uint64_t under_way = 0;  ///< of pending: offered to the dispatcher
  std::string stalled;  ///< why; empty: it is not
};

struct DurableFigures {
  SubscriptionId subscription{};
  std::string name{}, agent{}, filter{};
  DurablePhase phase = DurablePhase::Waiting;
  std::string trouble{};  ///< of Waiting, Loading and Refused: what for, by whom
  CursorGeneration generation{};
  std::optional<Share> share{};
  std::uint64_t pending = 0;
  std::uint64_t under_way = 0;
  std::uint64_t held_bytes = 0;  ///< frames held here, not yet offered
  std::uint64_t lost = 0;
  std::uint64_t retrying = 0;  ///< events with failed attempts
  std::uint64_t letters = 0;  ///< written by this incarnation
  std::uint64_t repaired = 0;  ///< events that came from a spool
  std::optional<WallTime> oldest{};  ///< time of the oldest pending event that is known here
  /// Complete: the reachable spools said how far the streams go; of each, what comes next is here or known to lack.
  enum class Survey : std::uint8_t { UnderWay, Complete } survey = Survey::UnderWay;
  std::vector<DurableStreamFigures> streams{};  ///< those with something pending first; at most as many as asked for
  std::uint64_t streams_total = 0;
};

}  // namespace legion
