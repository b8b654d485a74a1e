// The records the durable subscriptions of a node are made of.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <legion/core/durable_buffer.hpp>
#include <legion/core/durable_progress.hpp>
#include <legion/core/durable_types.hpp>
#include <legion/core/in_flight.hpp>
#include <legion/core/sequence.hpp>

namespace legion::durable {

inline constexpr std::uint64_t highest_sequence = sequence_max;

/// A stream, borrowed: what a search is done with.
struct StreamIdView {
  std::string_view node;
  Incarnation incarnation = 0;
  Priority lane = Priority::Normal;
  std::string_view type;
  std::uint8_t shard = 0;
  StreamIdView(const StreamId& id)  // NOLINT: both forms are one key
      : node(id.origin.node), incarnation(id.origin.incarnation), lane(id.lane), type(id.type), shard(id.shard) {}
  StreamIdView(const FrameHeader& header)  // NOLINT: both forms are one key
      : node(header.origin),
        incarnation(header.incarnation),
        lane(header.lane),
        type(header.type),
        shard(header.shard) {}
  friend bool operator==(const StreamIdView&, const StreamIdView&) = default;
  StreamId owned() const { return {{std::string(node), incarnation}, lane, std::string(type), shard}; }
};

struct StreamIdHash {
  using is_transparent = void;
  std::size_t operator()(StreamIdView id) const {
    const std::size_t names = std::hash<std::string_view>{}(id.node) * 31 + std::hash<std::string_view>{}(id.type);
    return names ^ ((id.incarnation * 4 + lane_index(id.lane)) * 256 + id.shard) * std::size_t{0x9e3779b97f4a7c15};
  }
};
struct StreamIdEqual {
  using is_transparent = void;
  bool operator()(StreamIdView a, StreamIdView b) const { return a == b; }
};

/// What a spool said about events it did not give.
struct Verdict {
  std::uint32_t spool = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  enum class Kind : std::uint8_t { Never, Missing } kind = Kind::Missing;
  std::string why{};
  SteadyTime until{};   ///< of Missing: then it is asked again
  /// As in StreamAnswer::Part.
  JournalPositions journals{};

  bool covers(std::uint64_t sequence) const { return first <= sequence && sequence <= last; }
};
inline constexpr std::size_t verdicts_max = 64;  // of one stream; what is forgotten is asked again

/// Hand-overs in an earlier life of the node to gates that had not answered well, by subscription.
using GateAttempts = std::map<std::uint32_t, std::uint32_t>;

/// An event that was handed over in an earlier life of the node.
struct Again {
  Earlier so_far;
  GateAttempts gates;
  enum class Suspect : std::uint8_t { No, Yes } suspect = Suspect::No;   ///< it was in hands when the process died
  enum class Written : std::uint8_t { No, Asked, Yes } written = Written::No;  ///< the record of its next attempt
};

struct Stream {
  StreamId id;
  std::uint32_t subscription = 0;
  StreamKey key = no_stream;
  std::uint64_t serial = 0;  ///< of all streams there ever were: keys are used again
  Progress progress;
  std::uint64_t next = 1;       ///< everything below is under way or over
  std::uint64_t known = 1;      ///< events below exist
  std::uint64_t under_way = 0;  ///< events offered, not over
  FrameBuffer held;
  struct Offered {
    FramePtr frame;
    std::uint64_t last = 0;
  };
  std::deque<Offered> offered;  ///< oldest first; for the age of what is pending
  std::map<std::uint64_t, Again> again;
  std::set<std::uint64_t> failing;  ///< sequences whose attempt failed in this life
  std::uint64_t skip_first = 1, skip_through = 0;  ///< an operator gave up what of this is not offered

  enum class Kept : std::uint8_t {
    Yes,
    No
  } kept = Kept::Yes;  ///< No: nobody journals it, so there is nothing to repair
  enum class Repair : std::uint8_t { Idle, Queued, Asked } repair = Repair::Idle;
  QueryId query = 0;
  std::uint64_t asked_first = 0, asked_last = 0;
  std::uint32_t asked_spool = 0;
  std::uint32_t good_spool = 0;           ///< gave the last frame
  SteadyTime not_before{};                ///< of the next question
  Duration pause{};
  std::vector<Verdict> verdicts;
  std::optional<SteadyTime> gap_since;    ///< it waits for what nobody gives
  std::string stalled;

  bool waits_for_room = false;
  bool is_dirty = false;                  ///< its cursor moved and is not written
};

/// What one spool is to one subscription.
struct SpoolView {
  enum class Claim : std::uint8_t { No, Asked, Granted, Refused } claim = Claim::No;
  enum class Load : std::uint8_t { No, Asked, Done } load = Load::No;
  enum class Tails : std::uint8_t { Wanted, Asked, Done } tails = Tails::Wanted;
  std::uint64_t tails_mark = 0;           ///< the mark they were asked for under
  SteadyTime claim_not_before{}, load_not_before{}, tails_not_before{};
};

/// Where to begin is being found out.
struct Creation {
  DurableStart start;
  CursorRecord before;                    ///< positions to keep, when only the filter changed
  std::map<StreamId, std::uint64_t> tails{};   ///< next sequence, as the spools say
  std::map<StreamId, std::uint64_t> first{};   ///< of StartTime and StartEvent: the first one wanted
  enum class Scan : std::uint8_t { None, Find, Scanning, Done } scan = Scan::None;
  std::uint32_t scan_spool = 0;
  QueryId query = 0;
  std::uint64_t from = 1;
  SteadyTime not_before{};
  RecordToken written = 0;                ///< the last record of the beginning
  std::vector<StreamCursor> streams{};    ///< what was written
  std::vector<RequestId> requests;        ///< operators that wait for it
};

/// What a share works under.
struct Lease {
  std::uint64_t epoch = 0;
  /// Closing: what was under way is over, and what was written up to `final` has to be confirmed and on the home.
  enum class Stage : std::uint8_t { Held, Revoked, Closing } stage = Stage::Held;
  RecordToken final = 0;
};

struct Subscription {
  DurableHandler spec;
  std::uint32_t number = 0;
  DurablePhase phase = DurablePhase::Waiting;
  std::string trouble;
  CursorGeneration generation;
  std::unordered_map<StreamId, StreamKey, StreamIdHash, StreamIdEqual> streams;
  std::vector<StreamKey> by_hint;
  std::vector<SpoolView> spools;          ///< by number of the spool
  CursorRecord loaded;
  std::map<std::string, AttemptRecord> attempts;  ///< by event id, until it is active
  std::optional<SteadyTime> waits_since;  ///< for spools that do not answer
  SteadyTime refused_until{};
  std::string refusal;                    ///< that was logged
  std::optional<DurableStart> reset_to;   ///< instead of the cursor that is found
  std::vector<RequestId> reset_requests;
  std::optional<Creation> creation;
  std::optional<Lease> lease;             ///< of a share
  std::string last_holder;                ///< of a share: whose cursor it went on from

  std::array<std::uint64_t, limits::lane_count> under_way{};
  std::uint64_t held_bytes = 0;
  std::size_t queries_out = 0;
  std::deque<StreamKey> repair_queue;
  bool is_asking = false;
  std::set<StreamKey> lacking;            ///< streams that lack events nobody has been asked for just now
  std::array<std::deque<StreamKey>, limits::lane_count> room_queue;
  std::vector<StreamKey> dirty;
  std::uint64_t moved = 0;                ///< events since the cursor was written
  SteadyTime written_at{};
  std::size_t cursors_out = 0;            ///< records written, not confirmed
  std::vector<std::string> died;          ///< ids of events whose letters are written and whose cursor is not
  bool writes_at_once = false;            ///< something was tried again or died: it must not come once more

  /// Its books in this life: what was known to exist where it began or went on and what it learned of since, without
  /// what it gave up before it was offered; and what came back from the dispatcher.
  std::uint64_t published = 0, completed = 0;
  std::uint64_t lost = 0, died_unhanded = 0, letters = 0, repaired = 0;

  bool takes(std::string_view type, std::uint8_t shard) const {
    return (!spec.share || spec.share->takes(shard)) && spec.filter.matches(type);
  }
  bool takes(const StreamId& stream) const { return takes(stream.type, stream.shard); }
  bool is_leased() const { return spec.share && spec.role == DurableHandler::Role::Consumer; }
  /// Nothing more is offered of it.
  bool is_closing() const { return lease && lease->stage != Lease::Stage::Held; }
  std::string cursor_filter() const { return CursorFilter{spec.filter, spec.share}.text(); }
};

/// A letter on its second (third..) way.
struct Requeue {
  LetterRecord letter;                 ///< as it is recorded: without deaths and frame
  std::vector<LetterDeath> deaths;
  Bytes bytes;                         ///< of its event
  std::uint32_t handler = 0;
  StreamKey key = no_stream;
  FramePtr frame;
  Earlier so_far;
  GateAttempts gates;
  enum class Stage : std::uint8_t { Writing, Ready, UnderWay } stage = Stage::Writing;
  Again::Suspect suspect = Again::Suspect::No;
  std::optional<LetterDeath> death;
  std::vector<RequestId> requests;
};

/// What a number of a durable stream stands for. A number is used again once nothing of it is under way.
struct Slot {
  enum class Use : std::uint8_t { Free, Stream, Requeue, Retired } use = Use::Free;
  std::unique_ptr<Stream> stream;
  std::string letter;            ///< key of the requeue
  std::uint64_t under_way = 0;   ///< of Retired
};

struct Spool {
  KnownSpool known;
  enum class Present : std::uint8_t { No, Yes } present = Present::Yes;
  SteadyTime reachable_since{};
  bool is_expected() const { return is_reachable() || known.presence == KnownSpool::Presence::Here; }
  bool is_reachable() const { return present == Present::Yes && known.reach == KnownSpool::Reach::Reachable; }
};

/// A record that is not confirmed yet.
struct Written {
  enum class Kind : std::uint8_t {
    Cursor,
    Beginning,     ///< of a generation: its last record
    Attempt,       ///< before a retry, which is then permitted
    AttemptAgain,  ///< before an event of an earlier life is offered
    Letter,
    Requeued,      ///< before a hand-over of a requeue
    RequeueOver,   ///< what it came to
    Told,          ///< an operator waits for it
  } kind{};
  std::uint32_t subscription = 0;
  StreamKey stream = no_stream;
  std::uint64_t serial = 0;      ///< of the stream
  std::uint64_t sequence = 0;
  std::uint32_t round = 0;  ///< of RequeueOver: of the letter that was requeued
  TaskId permit = 0;
  std::size_t bytes = 0;
  std::string letter{};          ///< key; of Told: what to say
  RequestId request = 0;
  std::vector<std::string> died{};  ///< of Cursor: ids of events that it passes and that have letters
};

/// How far the requeued letters of one spool are read.
struct LettersOf {
  SpoolView::Load load = SpoolView::Load::No;
  std::string after;
  SteadyTime not_before{};
  /// Some came without their events: it was away when they died and has not caught up. All are asked for again.
  enum class Lacking : std::uint8_t { No, Yes } lacking = Lacking::No;
};

struct Query {
  std::uint32_t subscription = 0;
  std::uint32_t spool = 0;
  StreamKey stream = no_stream;
  SteadyTime asked_at{};
  enum class Kind : std::uint8_t { Claim, Cursor, Letters, Tails, Stream, Find, Scan } kind{};
};

}  // namespace legion::durable
